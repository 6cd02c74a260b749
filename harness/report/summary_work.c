/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Boots, builds and hours of a night, from the store. */
#include "base/error.h"
#include "report/summary.h"
#include "store/store.h"

#define PAGE 500

static void add_int(json_t *o, const char *key, json_int_t n)
{
	json_object_set_new(o, key, json_integer(kx_json_int(o, key, 0) + n));
}

static void add_real(json_t *o, const char *key, double x)
{
	json_object_set_new(o, key, json_real(kx_json_num(o, key, 0) + x));
}

static void add_trial(json_t *work, const StoreTrial *t)
{
	json_t *outcomes = json_object_get(work, "outcomes");
	add_int(work, "boots", 1);
	add_int(work, "infra", g_str_equal(t->outcome, "infra"));
	add_int(outcomes, t->outcome, 1);
	add_real(work, "boot_s", kx_json_num(t->seconds, "total", 0));
}

/* From the last one back to the moment. */
static bool add_trials(Store *store, gint64 run, gint64 since_us, json_t *work, GError **error)
{
	g_autoptr(GError) why = NULL;
	unsigned last = store_last_trial(store, run, &why);
	bool more = !why;
	while (more && last) {
		unsigned after = last > PAGE ? last - PAGE : 0;
		g_autoptr(GPtrArray) page =
			store_trials_page(store, run, after, last - after, &why);
		for (guint i = page ? page->len : 0; i-- > 0 && more;) {
			const StoreTrial *t = page->pdata[i];
			more = t->time_us >= since_us;
			if (more && t->number <= last)
				add_trial(work, t);
		}
		more = more && page;
		last = after;
	}
	if (!why)
		return true;
	g_propagate_error(error, g_steal_pointer(&why));
	return false;
}

static bool add_builds(Store *store, gint64 run, gint64 since_us, json_t *work, GError **error)
{
	g_autoptr(GPtrArray) all = store_builds(store, run, error);
	for (guint i = 0; all && i < all->len; i++) {
		const StoreBuild *b = all->pdata[i];
		if (b->time_us < since_us || b->cached)
			continue;
		add_int(work, "builds", 1);
		add_real(work, "compile_s", kx_json_num(b->seconds, "compile", 0));
	}
	return all != NULL;
}

static json_t *new_work(void)
{
	return json_pack("{s:i, s:i, s:i, s:f, s:f, s:{}}", "boots", 0, "infra", 0, "builds", 0,
			 "boot_s", 0.0, "compile_s", 0.0, "outcomes");
}

static void add_up(json_t *sum, const json_t *work)
{
	static const char *const counts[] = {"boots", "infra", "builds"};
	for (guint i = 0; i < G_N_ELEMENTS(counts); i++)
		add_int(sum, counts[i], kx_json_int(work, counts[i], 0));
	add_real(sum, "boot_s", kx_json_num(work, "boot_s", 0));
	add_real(sum, "compile_s", kx_json_num(work, "compile_s", 0));
	const char *outcome;
	json_t *n;
	json_object_foreach (json_object_get(work, "outcomes"), outcome, n)
		add_int(json_object_get(sum, "outcomes"), outcome, json_integer_value(n));
}

/* Two submissions may share a run: the second one got the first one's verdict. */
static bool add_run(Store *store, json_t *submission, gint64 since_us, GHashTable *seen,
		    json_t *sum, GError **error)
{
	const char *slug = kx_json_str(submission, "run");
	if (!slug || !*slug)
		return true;
	g_autoptr(StoreCampaign) run = store_find_campaign(store, slug, error);
	g_autoptr(json_t) work = new_work();
	if (!run || !add_trials(store, run->id, since_us, work, error) ||
	    !add_builds(store, run->id, since_us, work, error))
		return false;
	/* of a run that began before the moment, the boots before it too */
	add_int(work, "boots_in_all", store_last_trial(store, run->id, NULL));
	json_object_set(submission, "work", work);
	if (g_hash_table_add(seen, g_strdup(run->slug)))
		add_up(sum, work);
	return true;
}

void summary_add_work(json_t *doc)
{
	g_autoptr(GError) error = NULL;
	g_autoptr(GHashTable) seen = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
	g_autoptr(json_t) sum = new_work();
	const char *results = kx_json_str(doc, "results");
	gint64 since_us = kx_json_int(doc, "since_us", 0);
	g_autoptr(Store) store = store_open(results ? results : "", STORE_READ, &error);
	bool ok = store || g_error_matches(error, KX_ERROR, KX_ERROR_MISSING);
	g_clear_error(&error); /* no results yet: nothing was done */
	size_t i;
	json_t *s;
	json_array_foreach (json_object_get(doc, "submissions"), i, s)
		if (store && !add_run(store, s, since_us, seen, sum, &error)) {
			g_debug("%s", error->message);
			g_clear_error(&error);
			ok = false;
		}
	json_object_set(doc, "work", sum);
	if (!ok)
		json_object_set_new(doc, "work_why", json_string("not all results could be read"));
}
