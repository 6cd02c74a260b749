/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "daemon/retention.h"

#include <string.h>

#include "base/error.h"
#include "base/fs.h"
#include "daemon/daemon-internal.h"
#include "store/store.h"

#define DAY_US G_TIME_SPAN_DAY

/* ---- what to keep ---- */

static bool same_kind(const RetentionTrial *a, const RetentionTrial *b)
{
	return g_str_equal(a->variant, b->variant) && g_str_equal(a->outcome, b->outcome);
}

void retention_plan(RetentionTrial *trials, guint n, bool over, gint64 finished_us, gint64 now_us,
		    gint64 keep_us)
{
	bool old = over && finished_us > 0 && now_us - finished_us > keep_us;
	for (guint i = 0; i < n; i++) {
		RetentionTrial *t = &trials[i];
		bool first = true, last = true;
		for (guint k = 0; k < n && old; k++) {
			first &= !(k < i && same_kind(&trials[k], t));
			last &= !(k > i && same_kind(&trials[k], t));
		}
		t->keep = !old || first || last || g_str_equal(t->purpose, "parent") ||
			  g_str_equal(t->purpose, "confirm");
	}
}

/* ---- thinning ---- */

static bool is_thinned(const char *evidence)
{
	g_autofree char *note = g_build_filename(evidence, "thinned", NULL);
	return g_file_test(note, G_FILE_TEST_EXISTS);
}

/* The note comes last: what was cut off is gone on with the next day. */
static bool thin(const char *evidence, GError **error)
{
	static const char *const stay[] = {"request.json", "outcome.json", "faults.jsonl",
					   "thinned", NULL};
	g_autoptr(GDir) dir = g_dir_open(evidence, 0, NULL);
	const char *name;
	while (dir && (name = g_dir_read_name(dir))) {
		g_autofree char *path = g_build_filename(evidence, name, NULL);
		if (!g_strv_contains(stay, name) && !kx_remove_tree(path, error))
			return false;
	}
	g_autofree char *note = g_build_filename(evidence, "thinned", NULL);
	g_autoptr(GDateTime) now = g_date_time_new_now_utc();
	g_autofree char *when = g_date_time_format_iso8601(now);
	g_autofree char *text = g_strdup_printf(
		"%s: the logs of this trial were removed; no verdict needs them\n", when);
	return !dir || kx_write_file(note, text, -1, error);
}

static int thin_run(Store *store, const StoreCampaign *c, gint64 keep_us, GError **error)
{
	g_autoptr(GPtrArray) trials = store_trials(store, c->id, error);
	if (!trials)
		return -1;
	g_autofree RetentionTrial *plan = g_new0(RetentionTrial, trials->len);
	g_autoptr(GPtrArray) variants = g_ptr_array_new_with_free_func(g_free);
	for (guint i = 0; i < trials->len; i++) {
		const StoreTrial *t = trials->pdata[i];
		char *variant = g_strdup_printf("%" G_GINT64_MODIFIER "x %s", t->mask, t->mode);
		g_ptr_array_add(variants, variant);
		plan[i] = (RetentionTrial){.purpose = t->purpose,
					   .outcome = t->outcome,
					   .variant = variant,
					   .time_us = t->time_us};
	}
	retention_plan(plan, trials->len, c->state == STORE_DONE, c->finished_us, g_get_real_time(),
		       keep_us);
	int n = 0;
	for (guint i = 0; i < trials->len; i++) {
		const StoreTrial *t = trials->pdata[i];
		if (plan[i].keep || !*t->evidence || is_thinned(t->evidence))
			continue;
		if (!thin(t->evidence, error))
			return -1;
		n++;
	}
	return n;
}

int retention_apply(const char *results, unsigned days, GError **error)
{
	g_autoptr(GError) why = NULL;
	g_autoptr(Store) store = days ? store_open(results, STORE_READ, &why) : NULL;
	if (!days || g_error_matches(why, KX_ERROR, KX_ERROR_MISSING))
		return 0;
	g_autoptr(GPtrArray) runs = store ? store_campaigns(store, &why) : NULL;
	if (!runs) {
		g_propagate_error(error, g_steal_pointer(&why));
		return -1;
	}
	int sum = 0;
	for (guint i = 0; i < runs->len; i++) {
		const StoreCampaign *c = runs->pdata[i];
		if (c->state != STORE_DONE || store_is_alive(c) ||
		    g_get_real_time() - c->finished_us < days * DAY_US)
			continue;
		int n = thin_run(store, c, days * DAY_US, error);
		if (n < 0)
			return -1;
		sum += n;
	}
	return sum;
}

/* ---- once a day ---- */

static void on_end(int status, gpointer user)
{
	Daemon *d = user;
	d->thinner = NULL;
	if (status)
		g_warning("old evidence could not be thinned (status %d)", status);
	if (d->stopping)
		daemon_replan(d);
}

void retention_tick(Daemon *d)
{
	gint64 now = g_get_monotonic_time();
	if (d->stopping || d->thinner || !d->config->keep_days ||
	    (d->thinned_us && now - d->thinned_us < DAY_US))
		return;
	d->thinned_us = now;
	g_autofree char *days = g_strdup_printf("%u", d->config->keep_days);
	g_autoptr(GError) error = NULL;
	d->thinner = kx_child_start(
		&(KxProc){.argv = (const char *const[]){"/proc/self/exe", "--thin", days,
							d->config->results, NULL}},
		NULL, on_end, d, &error);
	if (!d->thinner)
		g_warning("old evidence cannot be thinned: %s", error->message);
}
