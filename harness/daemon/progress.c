/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "daemon/daemon-internal.h"

static void copy(json_t *to, const char *name, const json_t *from, const char *key)
{
	json_t *value = json_object_get(from, key);
	if (value)
		json_object_set(to, name, value);
}

static void count(json_t *o, const char *key)
{
	json_object_set_new(o, key, json_integer(kx_json_int(o, key, 0) + 1));
}

static void count_outcome(json_t *progress, const char *outcome)
{
	static const char *const known[] = {"fault",  "clean", "hang", "panic",
					    "noboot", "infra", NULL};
	if (!outcome || !g_strv_contains(known, outcome))
		return;
	json_t *outcomes = json_object_get(progress, "outcomes");
	if (!outcomes) {
		outcomes = json_object();
		json_object_set_new(progress, "outcomes", outcomes);
	}
	count(outcomes, outcome);
}

static json_t *part(const json_t *event, const char *const *keys)
{
	json_t *out = json_object();
	for (; *keys; keys++)
		copy(out, *keys, event, *keys);
	return out;
}

void progress_take(json_t *progress, const json_t *event)
{
	static const char *const leader[] = {"name", "kind", "members", "probability", NULL};
	static const char *const experiment[] = {"name",  "purpose", "mode",
						 "boots", "reason",  NULL};
	const char *kind = kx_json_str(event, "event");
	copy(progress, "elapsed_s", event, "elapsed");
	if (g_strcmp0(kind, "trial") == 0) {
		count(progress, "trials");
		count_outcome(progress, kx_json_str(event, "outcome"));
	} else if (g_strcmp0(kind, "build") == 0) {
		count(progress, "builds");
	} else if (g_strcmp0(kind, "leader") == 0) {
		json_object_set_new(progress, "leading", part(event, leader));
	} else if (g_strcmp0(kind, "experiment") == 0) {
		json_object_set_new(progress, "experiment", part(event, experiment));
		copy(progress, "seconds_left", event, "seconds_left");
	}
}
