/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "daemon/retention.h"

#include <string.h>

#include "base/error.h"
#include "base/fs.h"
#include "daemon/daemon-internal.h"
#include "store/store.h"

#define DAY_US G_TIME_SPAN_DAY
#define GIB 1073741824.0
#define PAGE 5000 /* trials that are read at once */

/* ---- what to keep ---- */

static guint kind_hash(gconstpointer key)
{
	const RetentionTrial *t = key;
	return g_str_hash(t->variant) * 31 + g_str_hash(t->outcome);
}

static gboolean same_kind(gconstpointer one, gconstpointer other)
{
	const RetentionTrial *a = one, *b = other;
	return g_str_equal(a->variant, b->variant) && g_str_equal(a->outcome, b->outcome);
}

void retention_plan(RetentionTrial *trials, guint n, bool over, gint64 finished_us, gint64 now_us,
		    gint64 keep_us)
{
	bool old = over && finished_us > 0 && now_us - finished_us > keep_us;
	g_autoptr(GHashTable) first = g_hash_table_new(kind_hash, same_kind);
	g_autoptr(GHashTable) last = g_hash_table_new(kind_hash, same_kind);
	for (guint i = 0; i < n; i++) {
		RetentionTrial *t = &trials[i];
		bool is_first = g_hash_table_add(first, t);
		t->keep = !old || is_first || g_str_equal(t->purpose, "parent") ||
			  g_str_equal(t->purpose, "confirm");
		g_hash_table_replace(last, t, t);
	}
	GHashTableIter at;
	gpointer t;
	g_hash_table_iter_init(&at, last);
	while (g_hash_table_iter_next(&at, NULL, &t))
		((RetentionTrial *)t)->keep = true;
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

/* Calls `func` for each trial of a run, in order; a page in memory at once. False: *error, or it
 * returned false. */
static bool each_trial(Store *store, gint64 run,
		       bool (*func)(const StoreTrial *t, gpointer user, GError **error),
		       gpointer user, GError **error)
{
	unsigned after = 0;
	for (;;) {
		g_autoptr(GPtrArray) page = store_trials_page(store, run, after, PAGE, error);
		if (!page)
			return false;
		for (guint i = 0; i < page->len; i++)
			if (!func(page->pdata[i], user, error))
				return false;
		if (page->len < PAGE)
			return true;
		after = ((const StoreTrial *)page->pdata[page->len - 1])->number;
	}
}

typedef struct {
	GArray *plan;	     /* RetentionTrial */
	GStringChunk *words; /* of it */
	guint at;	     /* in it, of the next trial */
	int thinned;
} Thinning;

static bool note_trial(const StoreTrial *t, gpointer user, GError **error)
{
	Thinning *w = user;
	g_autofree char *variant = g_strdup_printf("%" G_GINT64_MODIFIER "x %s", t->mask, t->mode);
	RetentionTrial r = {.purpose = g_string_chunk_insert_const(w->words, t->purpose),
			    .outcome = g_string_chunk_insert_const(w->words, t->outcome),
			    .variant = g_string_chunk_insert_const(w->words, variant),
			    .time_us = t->time_us};
	g_array_append_val(w->plan, r);
	return true;
}

static bool thin_trial(const StoreTrial *t, gpointer user, GError **error)
{
	Thinning *w = user;
	if (w->at == w->plan->len) /* it came meanwhile */
		return true;
	if (g_array_index(w->plan, RetentionTrial, w->at++).keep || !*t->evidence ||
	    is_thinned(t->evidence))
		return true;
	w->thinned++;
	return thin(t->evidence, error);
}

static int thin_run(Store *store, const StoreCampaign *c, gint64 keep_us, GError **error)
{
	g_autoptr(GArray) plan = g_array_new(FALSE, FALSE, sizeof(RetentionTrial));
	Thinning w = {.plan = plan, .words = g_string_chunk_new(4096)};
	bool ok = each_trial(store, c->id, note_trial, &w, error);
	if (ok) {
		retention_plan((RetentionTrial *)(void *)plan->data, plan->len,
			       c->state == STORE_DONE, c->finished_us, g_get_real_time(), keep_us);
		ok = each_trial(store, c->id, thin_trial, &w, error);
	}
	g_string_chunk_free(w.words);
	return ok ? w.thinned : -1;
}

static bool is_over(const StoreCampaign *c)
{
	return c->state == STORE_DONE && !store_is_alive(c);
}

static int thin_old(Store *store, const GPtrArray *runs, unsigned days, GError **error)
{
	int sum = 0;
	for (guint i = 0; days && i < runs->len; i++) {
		const StoreCampaign *c = runs->pdata[i];
		if (!is_over(c) || g_get_real_time() - c->finished_us < days * DAY_US)
			continue;
		int n = thin_run(store, c, days * DAY_US, error);
		if (n < 0)
			return -1;
		sum += n;
	}
	return sum;
}

static int by_end(gconstpointer a, gconstpointer b)
{
	const StoreCampaign *x = *(StoreCampaign *const *)a, *y = *(StoreCampaign *const *)b;
	return (x->finished_us > y->finished_us) - (x->finished_us < y->finished_us);
}

/* The first that ended goes first; sorts `runs`. */
static int thin_large(Store *store, GPtrArray *runs, double gib, GError **error)
{
	double all = 0;
	int sum = 0;
	for (guint i = 0; i < runs->len; i++)
		all += (double)kx_tree_size(((const StoreCampaign *)runs->pdata[i])->dir);
	g_ptr_array_sort(runs, by_end);
	for (guint i = 0; all > gib * GIB && i < runs->len; i++) {
		const StoreCampaign *c = runs->pdata[i];
		double before = is_over(c) ? (double)kx_tree_size(c->dir) : 0;
		int n = is_over(c) ? thin_run(store, c, 0, error) : 0;
		if (n < 0)
			return -1;
		sum += n;
		if (n > 0)
			all -= before - (double)kx_tree_size(c->dir);
	}
	if (all > gib * GIB) {
		g_autofree char *is = g_format_size_full((guint64)all, G_FORMAT_SIZE_IEC_UNITS);
		g_message("the evidence takes %s and should take %g GiB (retention.gib): what is "
			  "left is of runs that go on, or what verdicts rest on",
			  is, gib);
	}
	return sum;
}

int retention_apply(const char *results, unsigned days, double gib, GError **error)
{
	g_autoptr(GError) why = NULL;
	g_autoptr(Store) store = days || gib > 0 ? store_open(results, STORE_READ, &why) : NULL;
	if ((!days && gib <= 0) || g_error_matches(why, KX_ERROR, KX_ERROR_MISSING))
		return 0;
	g_autoptr(GPtrArray) runs = store ? store_campaigns(store, &why) : NULL;
	if (!runs) {
		g_propagate_error(error, g_steal_pointer(&why));
		return -1;
	}
	int old = thin_old(store, runs, days, error);
	int large = old >= 0 && gib > 0 ? thin_large(store, runs, gib, error) : 0;
	return old < 0 || large < 0 ? -1 : old + large;
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
	const DaemonConfig *c = d->config;
	gint64 now = g_get_monotonic_time();
	gint64 each = c->keep_gib > 0 ? G_TIME_SPAN_HOUR : DAY_US;
	if (d->stopping || d->thinner || (!c->keep_days && c->keep_gib <= 0) ||
	    (d->thinned_us && now - d->thinned_us < each))
		return;
	d->thinned_us = now;
	char gib[G_ASCII_DTOSTR_BUF_SIZE];
	g_ascii_dtostr(gib, sizeof gib, c->keep_gib);
	g_autofree char *rule = g_strdup_printf("%u,%s", c->keep_days, gib);
	g_autoptr(GError) error = NULL;
	d->thinner =
		kx_child_start(&(KxProc){.argv = (const char *const[]){"/proc/self/exe", "--thin",
								       rule, c->results, NULL}},
			       NULL, on_end, d, &error);
	if (!d->thinner)
		g_warning("old evidence cannot be thinned: %s", error->message);
}
