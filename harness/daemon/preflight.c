/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "daemon/preflight.h"

#include "daemon/daemon-internal.h"
#include "store/store.h"

json_t *preflight_skipped(const char *why)
{
	return json_pack("{s:s, s:s, s:I}", "verdict", "skipped", "text", why, "time_us",
			 (json_int_t)g_get_real_time());
}

/* The next sitting goes on with that run, or only says its verdict. */
static bool was_begun(const Daemon *d, const Submission *s)
{
	g_autoptr(Store) store = store_open(d->config->results, STORE_READ, NULL);
	g_autoptr(GPtrArray) runs = store && !s->again ? store_campaigns(store, NULL) : NULL;
	for (guint i = 0; runs && i < runs->len; i++) {
		const StoreCampaign *c = runs->pdata[i];
		if (g_str_equal(c->name, s->name) && g_strcmp0(c->digest, s->digest) == 0 &&
		    store_has_evidence(store, c->id, NULL))
			return true;
	}
	return false;
}

static ConfigPreflight mode(const Daemon *d)
{
	ConfigPreflight asked = d->config->preflight;
	return asked != CONFIG_PREFLIGHT_UNSET ? asked
	       : d->o.stand_in		       ? CONFIG_PREFLIGHT_NONE
					       : CONFIG_PREFLIGHT_BOOT;
}

static bool is_doubted(const Submission *s)
{
	return g_strcmp0(kx_json_str(s->preflight, "verdict"), "doubted") == 0;
}

bool preflight_is_due(Daemon *d, Submission *s)
{
	bool doubted = is_doubted(s);
	if (mode(d) == CONFIG_PREFLIGHT_NONE || !(doubted || json_is_null(s->preflight)) || *s->run)
		return false;
	if (!was_begun(d, s))
		return true;
	json_decref(s->preflight);
	s->preflight = preflight_skipped("an earlier run of it has trials");
	return false;
}

GPtrArray *preflight_command(const Daemon *d, const Submission *s)
{
	bool boot = mode(d) == CONFIG_PREFLIGHT_BOOT;
	g_autofree char *file = g_build_filename(d->o.state, s->file, NULL);
	const char *const words[] = {d->o.program,
				     "check",
				     file,
				     "--target",
				     s->target,
				     "--results",
				     d->config->results,
				     "--cache",
				     d->config->cache,
				     "--json",
				     boot ? "--boot" : "--quick"};
	GPtrArray *argv = g_ptr_array_new_with_free_func(g_free);
	for (guint i = 0; i < G_N_ELEMENTS(words); i++)
		g_ptr_array_add(argv, g_strdup(words[i]));
	if (boot) { /* a folder for each time: evidence is never written over */
		g_autofree char *leaf = g_strdup_printf("preflight-%" G_GINT64_FORMAT,
							g_get_real_time() / G_USEC_PER_SEC);
		g_ptr_array_add(argv, g_strdup("--evidence"));
		g_ptr_array_add(argv,
				g_build_filename(d->o.state, "submissions", s->folder, leaf, NULL));
	}
	g_ptr_array_add(argv, NULL);
	return argv;
}

/* Those that are not ok; *ret_bad is the first bad one in words; whether a target is bad, and
 * whether boots say it. */
static json_t *findings(const json_t *said, char **ret_bad, bool *ret_target, bool *ret_booted)
{
	json_t *out = json_array();
	size_t i;
	json_t *c;
	json_array_foreach (json_object_get(said, "checks"), i, c) {
		const char *state = kx_json_str(c, "state"), *group = kx_json_str(c, "group");
		if (g_strcmp0(state, "ok") == 0)
			continue;
		json_array_append(out, c);
		if (g_strcmp0(state, "bad") != 0)
			continue;
		*ret_target |= g_strcmp0(group, "target") == 0;
		*ret_booted |= g_strcmp0(group, "boot") == 0;
		if (!*ret_bad)
			*ret_bad = g_strdup_printf("%s: %s", kx_json_str(c, "what"),
						   kx_json_str(c, "detail"));
	}
	return out;
}

static void copy(json_t *to, const json_t *from, const char *key)
{
	json_t *value = json_object_get(from, key);
	if (value && !json_is_null(value))
		json_object_set_new(to, key, json_deep_copy(value));
}

static char *good_words(const json_t *boot)
{
	const json_t *q = json_object_get(boot, "q");
	double minutes = kx_json_num(boot, "minutes", -1);
	GString *text = g_string_new("ready");
	if (json_is_object(q))
		g_string_append_printf(text, "; q = %.2g (%.2g to %.2g)", kx_json_num(q, "mean", 0),
				       kx_json_num(q, "low", 0), kx_json_num(q, "high", 0));
	if (minutes >= 0)
		g_string_append_printf(text, ", about %.0f min to the verdict", minutes);
	return g_string_free(text, FALSE);
}

PreflightEnd preflight_take(Submission *s, const json_t *said, gint64 began_us, char **ret_text,
			    unsigned *ret_machine)
{
	const char *verdict = kx_json_str(said, "verdict");
	bool ready = g_strcmp0(verdict, "ready") == 0, wrong = g_strcmp0(verdict, "wrong") == 0;
	const json_t *boot = json_object_get(said, "boot");
	g_autofree char *bad = NULL;
	bool target = false, booted = false;
	if (!ready && !wrong && g_strcmp0(verdict, "lab") != 0)
		return PREFLIGHT_NOTHING;
	g_autoptr(json_t) checks = findings(said, &bad, &target, &booted);
	*ret_machine = (unsigned)CLAMP(kx_json_int(said, "machine", 0), target, 100);
	*ret_text = ready ? good_words(boot) : g_steal_pointer(&bad);
	if (!*ret_text)
		*ret_text = g_strdup("it did not say what is wrong");
	if (!ready && !wrong)
		return g_strcmp0(kx_json_str(said, "target"), "failed") == 0 ? PREFLIGHT_LOST
									     : PREFLIGHT_LAB;
	gint64 now = g_get_real_time();
	/* Boots do not come out so by chance; a tool that does not answer may have been killed. */
	bool doubted = wrong && !booted && !is_doubted(s);
	json_t *p =
		json_pack("{s:s, s:o, s:I, s:f, s:O}", "verdict", doubted ? "doubted" : verdict,
			  "text", kx_json_text(*ret_text), "time_us", (json_int_t)now, "seconds",
			  (double)(now - began_us) / G_USEC_PER_SEC, "checks", checks);
	static const char *const keys[] = {"sides", "q", "boot_s", "minutes"};
	for (guint i = 0; i < G_N_ELEMENTS(keys); i++)
		copy(p, boot, keys[i]);
	json_decref(s->preflight);
	s->preflight = p;
	return ready ? PREFLIGHT_READY : doubted ? PREFLIGHT_DOUBTED : PREFLIGHT_WRONG;
}
