/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The verdict of a run, with its sentence: as the engine told it when it came (engine/names.c). */
#include <string.h>

#include "http/http-internal.h"

#define NAMED 4 /* of a set */
#define LONGEST_NAME 120
#define LONGEST 1000

/* Valid, and not longer than its place. New string. */
static char *bounded(const char *text, glong most)
{
	g_autofree char *valid = g_utf8_make_valid(text ? text : "", -1);
	if (g_utf8_strlen(valid, -1) <= most)
		return g_steal_pointer(&valid);
	g_autofree char *cut = g_utf8_substring(valid, 0, most - 1);
	return g_strconcat(cut, "…", NULL);
}

static char *names(const json_t *members, bool either)
{
	GString *out = g_string_new(NULL);
	size_t n = json_array_size(members);
	for (size_t i = 0; i < n; i++) {
		if (i == NAMED && n > NAMED + 1) {
			g_string_append_printf(out, "%s%zu more", either ? " or " : " + ", n - i);
			break;
		}
		g_autofree char *name =
			bounded(json_string_value(json_array_get(members, i)), LONGEST_NAME);
		g_string_append_printf(out, "%s%s",
				       i	? either ? " or " : " + "
				       : either ? "either "
						: "",
				       name);
	}
	return g_string_free(out, FALSE);
}

/* "a + b cures the fault"; without a cause what the verdict says of itself. */
static char *sentence(const StoreVerdict *v)
{
	const json_t *leading = json_object_get(v->details, "leading");
	const json_t *members = json_object_get(leading, "members");
	const char *order = kx_json_str(json_object_get(v->details, "order"), "sentence");
	const char *subject = kx_json_str(v->details, "commit");
	bool cures = g_str_equal(v->effect, "cures");
	bool either = g_strcmp0(kx_json_str(leading, "kind"), "either") == 0;
	if (!g_str_equal(v->kind, "cause") || (!order && !json_array_size(members)))
		return bounded(v->reason, LONGEST);
	if (order)
		return bounded(order, LONGEST);
	g_autofree char *who = names(members, either);
	if (!subject)
		return g_strdup_printf("%s %s the fault%s", who, cures ? "cures" : "causes",
				       either ? ", each alone" : "");
	g_autofree char *what = bounded(subject, LONGEST_NAME);
	return g_strdup_printf("commit %s%s%s%s %s", who, *what ? " (" : "", what, *what ? ")" : "",
			       cures ? "fixed the fault" : "brought the fault");
}

json_t *http_verdict(const StoreVerdict *v, bool listed)
{
	if (!v)
		return json_null();
	g_autofree char *mask = g_strdup_printf("0x%" G_GINT64_MODIFIER "x", v->members);
	g_autofree char *text = sentence(v),
			*reason = bounded(v->reason, listed ? LONGEST : G_MAXLONG);
	return json_pack("{s:o, s:o, s:s, s:f, s:o, s:o, s:o, s:I}", "kind", kx_json_text(v->kind),
			 "effect", kx_json_text(v->effect), "mask", mask, "probability",
			 v->probability, "why", kx_json_text(v->why), "reason",
			 kx_json_text(reason), "sentence", kx_json_text(text), "time_us",
			 (json_int_t)v->time_us);
}
