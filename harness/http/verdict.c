/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "http/http-internal.h"

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

json_t *http_verdict(const StoreVerdict *v, bool listed)
{
	if (!v)
		return json_null();
	g_autofree char *mask = g_strdup_printf("0x%" G_GINT64_MODIFIER "x", v->members);
	const char *sentence = kx_json_str(v->details, "sentence");
	g_autofree char *text = bounded(sentence ? sentence : v->reason, LONGEST),
			*reason = bounded(v->reason, listed ? LONGEST : G_MAXLONG);
	return json_pack("{s:o, s:o, s:s, s:f, s:o, s:o, s:o, s:I}", "kind", kx_json_text(v->kind),
			 "effect", kx_json_text(v->effect), "mask", mask, "probability",
			 v->probability, "why", kx_json_text(v->why), "reason",
			 kx_json_text(reason), "sentence", kx_json_text(text), "time_us",
			 (json_int_t)v->time_us);
}
