/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the runs left: the store, read only, one page a request; and the files of a run. */
#include <string.h>

#include "http/http-internal.h"

/* Opened when it is first wanted, and again when the configuration names another folder or the
 * last time failed. */
static Store *store(Http *h, GError **error)
{
	const char *results = daemon_config(h->d)->results;
	if (g_strcmp0(results, h->store_results) != 0)
		g_clear_pointer(&h->store, store_free);
	if (!h->store)
		h->store = store_open(results, STORE_READ, error);
	g_free(h->store_results);
	h->store_results = g_strdup(results);
	return h->store;
}

static void set_time(json_t *o, const char *key, gint64 us)
{
	json_object_set_new(o, key, us ? json_integer(us) : json_null());
}

static json_t *run_json(const StoreCampaign *c)
{
	json_t *o =
		json_pack("{s:I, s:o, s:o, s:i, s:o, s:o, s:s, s:o, s:o}", "id", (json_int_t)c->id,
			  "run", kx_json_text(c->slug), "name", kx_json_text(c->name), "number",
			  (int)c->run, "title", kx_json_text(c->title), "question",
			  kx_json_text(c->question), "state", store_state_name(c->state), "reason",
			  kx_json_text(c->state_reason), "digest", kx_json_text(c->digest));
	set_time(o, "created_us", c->created_us);
	set_time(o, "finished_us", c->finished_us);
	return o;
}

/* What a job wrote down, when it is what it should be. */
static json_t *object_or_null(json_t *value)
{
	return json_is_object(value) ? json_incref(value) : json_null();
}

static json_t *trial_json(const StoreCampaign *c, const StoreTrial *t)
{
	g_autofree char *mask = g_strdup_printf("0x%" G_GINT64_MODIFIER "x", t->mask);
	json_t *o =
		json_pack("{s:i, s:s, s:o, s:b, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:I}",
			  "number", (int)t->number, "mask", mask, "build", kx_json_text(t->build),
			  "clean", t->clean, "target", kx_json_text(t->target), "mode",
			  kx_json_text(t->mode), "purpose", kx_json_text(t->purpose), "outcome",
			  kx_json_text(t->outcome), "reason", kx_json_text(t->reason), "measures",
			  object_or_null(t->measures), "seconds", object_or_null(t->seconds),
			  "plan", object_or_null(t->plan), "time_us", (json_int_t)t->time_us);
	g_autofree char *files =
		g_strdup_printf("/api/v1/runs/%s/trials/%u/files", c->slug, t->number);
	json_object_set_new(o, "files", *t->evidence ? json_string(files) : json_null());
	return o;
}

/* Of the runs of a page, newest first: the verdicts by id of the run. */
static GHashTable *verdicts_of(Store *s, const GPtrArray *page, GError **error)
{
	const StoreCampaign *newest = page->len ? page->pdata[0] : NULL;
	const StoreCampaign *oldest = newest ? page->pdata[page->len - 1] : NULL;
	g_autoptr(GPtrArray) all =
		newest ? store_verdicts(s, oldest->id, newest->id, error) : g_ptr_array_new();
	if (!all)
		return NULL;
	GHashTable *by_run = g_hash_table_new_full(g_int64_hash, g_int64_equal, NULL,
						   (GDestroyNotify)store_verdict_free);
	g_ptr_array_set_free_func(all, NULL);
	for (guint i = 0; i < all->len; i++)
		g_hash_table_insert(by_run, &((StoreVerdict *)all->pdata[i])->campaign,
				    all->pdata[i]);
	return by_run;
}

static HttpReply runs(Exchange *x, Store *s)
{
	g_autoptr(GError) error = NULL;
	g_autoptr(GPtrArray) rows =
		store_campaigns_page(s, x->route.before, x->route.limit, &error);
	g_autoptr(GHashTable) verdicts = rows ? verdicts_of(s, rows, &error) : NULL;
	if (!verdicts)
		return http_reply_error(0, error);
	json_t *all = json_array(), *next = json_null();
	for (guint i = 0; i < rows->len; i++) {
		const StoreCampaign *c = rows->pdata[i];
		json_t *o = run_json(c);
		json_object_set_new(o, "verdict",
				    http_verdict(g_hash_table_lookup(verdicts, &c->id), true));
		json_array_append_new(all, o);
	}
	if (rows->len == x->route.limit)
		next = json_integer(((StoreCampaign *)rows->pdata[rows->len - 1])->id);
	return http_reply_json(json_pack("{s:o, s:o}", "runs", all, "next", next));
}

static const char *const reports[] = {"report.html", "report.json", "report.md", NULL};

/* Addresses of those that have been written. */
static json_t *reports_json(const StoreCampaign *c)
{
	json_t *all = json_array();
	for (const char *const *name = reports; *name; name++) {
		g_autofree char *path = g_build_filename(c->dir, *name, NULL);
		g_autofree char *url = g_strdup_printf("/api/v1/runs/%s/files/%s", c->slug, *name);
		if (g_file_test(path, G_FILE_TEST_IS_REGULAR))
			json_array_append_new(all, json_string(url));
	}
	return all;
}

static HttpReply run(Store *s, const StoreCampaign *c)
{
	g_autoptr(GError) error = NULL;
	g_autoptr(GPtrArray) candidates = store_candidates(s, c->id, &error);
	g_autoptr(GPtrArray) v = error ? NULL : store_verdicts(s, c->id, c->id, &error);
	unsigned last = error ? 0 : store_last_trial(s, c->id, &error);
	if (error)
		return http_reply_error(0, error);
	json_t *o = run_json(c), *all = json_array();
	json_object_set_new(o, "last_trial", json_integer(last));
	json_object_set_new(o, "reports", reports_json(c));
	for (guint i = 0; i < candidates->len; i++) {
		const StoreCandidate *a = candidates->pdata[i];
		json_array_append_new(
			all, json_pack("{s:o, s:o, s:o}", "kind", kx_json_text(a->kind), "name",
				       kx_json_text(a->name), "title", kx_json_text(a->title)));
	}
	json_object_set_new(o, "candidates", all);
	json_object_set_new(o, "verdict", http_verdict(v->len ? v->pdata[0] : NULL, false));
	return http_reply_json(json_pack("{s:o}", "run", o));
}

static HttpReply trials(Exchange *x, Store *s, const StoreCampaign *c)
{
	g_autoptr(GError) error = NULL;
	unsigned after = (unsigned)MIN(x->route.after, G_MAXINT32);
	g_autoptr(GPtrArray) rows = store_trials_page(s, c->id, after, x->route.limit, &error);
	if (!rows)
		return http_reply_error(0, error);
	json_t *all = json_array(), *next = json_null();
	for (guint i = 0; i < rows->len; i++)
		json_array_append_new(all, trial_json(c, rows->pdata[i]));
	if (rows->len == x->route.limit)
		next = json_integer(((StoreTrial *)rows->pdata[rows->len - 1])->number);
	return http_reply_json(json_pack("{s:o, s:o}", "trials", all, "next", next));
}

/* The folder's path below the run's; NULL: none, or elsewhere. */
static const char *evidence_path(const StoreCampaign *c, const StoreTrial *t)
{
	size_t len = strlen(c->dir);
	bool inside = strncmp(t->evidence, c->dir, len) == 0 && t->evidence[len] == '/';
	return inside ? t->evidence + len + 1 : NULL;
}

static HttpReply trial(Exchange *x, Store *s, const StoreCampaign *c)
{
	g_autoptr(GError) error = NULL;
	g_autoptr(GPtrArray) rows = store_trials_page(s, c->id, x->route.trial - 1, 1, &error);
	if (!rows)
		return http_reply_error(0, error);
	const StoreTrial *t = rows->len ? rows->pdata[0] : NULL;
	if (!t || t->number != x->route.trial)
		return http_reply_refusal(404, KX_ERROR_MISSING, "this run has no such trial");
	if (x->route.kind == HTTP_TRIAL)
		return http_reply_json(json_pack("{s:o}", "trial", trial_json(c, t)));
	const char *path = evidence_path(c, t);
	if (!path)
		return http_reply_refusal(404, KX_ERROR_MISSING, "this trial has no files");
	g_autofree char *url = g_strdup_printf("/api/v1/runs/%s/files/%s", c->slug, path);
	return http_file(c->dir, path, url, x->route.folder);
}

/* The report and the evidence; not the requests and logs of the jobs, which name machines. */
static HttpReply file(Exchange *x, const StoreCampaign *c)
{
	const char *path = x->route.path;
	bool trials_page = x->route.folder && g_str_equal(path, "trials");
	if (!g_str_has_prefix(path, "trials/") && !g_strv_contains(reports, path) && !trials_page)
		return http_reply_refusal(404, KX_ERROR_MISSING, "this run has no such file");
	g_autofree char *escaped = g_uri_escape_string(path, "/", FALSE);
	g_autofree char *url = g_strdup_printf("/api/v1/runs/%s/files/%s", c->slug, escaped);
	return http_file(c->dir, path, url, x->route.folder);
}

HttpReply http_results(Exchange *x)
{
	g_autoptr(GError) error = NULL;
	Store *s = store(x->h, &error);
	if (!s && x->route.kind == HTTP_RUNS && g_error_matches(error, KX_ERROR, KX_ERROR_MISSING))
		return http_reply_json(json_pack("{s:[], s:n}", "runs", "next"));
	if (!s)
		return http_reply_error(0, error);
	if (x->route.kind == HTTP_RUNS)
		return runs(x, s);
	g_autoptr(StoreCampaign) c = store_find_campaign(s, x->route.run, &error);
	if (!c || !g_str_equal(c->slug, x->route.run))
		return http_reply_refusal(404, KX_ERROR_MISSING, "there is no such run");
	switch (x->route.kind) {
	case HTTP_RUN:
		return run(s, c);
	case HTTP_BELIEF:
		return http_belief(&x->route, s, c);
	case HTTP_TRIALS:
		return trials(x, s, c);
	case HTTP_FILE:
		return file(x, c);
	default:
		return trial(x, s, c);
	}
}
