/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The document: what was done about a kernel that hung, or a machine that failed. */
#include "model.h"

#include <string.h>

/* outcome.json holds at most 20 faults beside it. */
#define OUTCOME_MAX_BYTES (1u << 20)

static bool may_have(const StoreTrial *t)
{
	static const char *const outcomes[] = {"hang", "noboot", "infra"};
	for (size_t i = 0; i < G_N_ELEMENTS(outcomes); i++)
		if (strcmp(t->outcome, outcomes[i]) == 0)
			return *t->evidence != '\0';
	return false;
}

static void add_words(GString *s, const char *words)
{
	g_string_append_printf(s, "%s%s", s->len ? "; " : "", words);
}

/* "reset, launcher failed, power-off" */
static void add_steps(GString *s, const json_t *steps)
{
	size_t i;
	json_t *step;
	json_array_foreach ((json_t *)steps, i, step) {
		const char *name = kx_json_str(step, "step");
		g_string_append_printf(s, "%s%.40s%s", i ? ", " : " ", name ? name : "?",
				       kx_json_bool(step, "ok", false) ? "" : " failed");
	}
}

char *model_recovery(const StoreTrial *t)
{
	g_autofree char *text =
		may_have(t) ? model_read(t->evidence, "outcome.json", OUTCOME_MAX_BYTES, NULL)
			    : NULL;
	g_autoptr(json_t) said = text ? kx_json_parse(text, "outcome.json", NULL) : NULL;
	const json_t *recovery = json_object_get(said, "recovery");
	g_autoptr(GString) s = g_string_new(NULL);
	if (kx_json_str(said, "trace"))
		add_words(s, "asked for a trace: trace.log");
	if (json_is_object(recovery)) {
		add_words(s, kx_json_bool(recovery, "healthy", false) ? "brought back:"
								      : "not brought back:");
		add_steps(s, json_object_get(recovery, "steps"));
	}
	return s->len ? g_strdup(s->str) : NULL;
}
