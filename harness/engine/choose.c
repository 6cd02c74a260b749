/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which run of the campaign to work on, and the lock that makes it ours. */
#include "engine/engine-internal.h"

#include <unistd.h>

#include "base/error.h"
#include "base/fs.h"

static GPtrArray *candidate_records(const Campaign *c)
{
	GPtrArray *out = g_ptr_array_new_with_free_func((GDestroyNotify)store_candidate_free);
	for (unsigned i = 0; i < c->candidates_count; i++) {
		const Candidate *from = &c->candidates[i];
		const Patch *p =
			from->kind == CANDIDATE_PATCH ? series_find(c->series, from->text) : NULL;
		StoreCandidate *k = g_new0(StoreCandidate, 1);
		k->kind = g_strdup(candidate_kind_name(from->kind));
		k->name = g_strdup(from->name);
		k->text = g_strdup(from->text);
		k->title = g_strdup(from->title ? from->title : "");
		k->file = g_strdup(p && p->file ? p->file : "");
		k->depends = from->depends;
		g_ptr_array_add(out, k);
	}
	return out;
}

static bool new_run(Engine *e, GError **error)
{
	const Campaign *c = e->campaign;
	g_autoptr(StoreCampaign) run = g_new0(StoreCampaign, 1);
	run->name = g_strdup(c->name);
	run->digest = g_strdup(c->digest);
	run->title = g_strdup(c->title ? c->title : "");
	run->question = g_strdup(c->question ? c->question : "");
	run->effect = g_strdup(c->effect == EFFECT_CURES ? "cures" : "causes");
	run->state_reason = g_strdup("");
	run->config = engine_snapshot(c);
	g_autoptr(GPtrArray) candidates = candidate_records(c);
	if (!store_add_campaign(e->store, run, candidates, error))
		return false;
	e->run = g_steal_pointer(&run);
	return true;
}

/* The lock of a run, or BUSY with the pid of its owner. A reader that asks store_is_alive() holds
 * it for an instant, so once is not enough. */
static int lock_run(const StoreCampaign *run, GError **error)
{
	g_autofree char *path = g_build_filename(run->dir, "lock", NULL);
	if (!kx_mkdir(run->dir, error))
		return -1;
	for (int i = 0;; i++) {
		g_autoptr(GError) why = NULL;
		int fd = kx_lock_file(path, false, &why);
		if (fd >= 0)
			return fd;
		if (i < 10 && g_error_matches(why, KX_ERROR, KX_ERROR_BUSY)) {
			g_usleep(20000);
			continue;
		}
		g_propagate_prefixed_error(
			error, g_steal_pointer(&why),
			"%s is being worked on (wait for it or end it): ", run->slug);
		return -1;
	}
}

static bool has_more_budget(const Engine *e, const StoreCampaign *run)
{
	const json_t *before = json_object_get(run->config, "budget");
	const CampaignBudget *now = &e->campaign->budget;
	return now->boots > kx_json_int(before, "boots", G_MAXINT) ||
	       now->builds > kx_json_int(before, "builds", G_MAXINT) ||
	       now->hours > kx_json_num(before, "hours", G_MAXDOUBLE);
}

/* The campaign asks for a table that is not there, or not like that, or not full. */
static bool lacks_table(Engine *e, const StoreCampaign *run, bool more)
{
	if (!e->campaign->survey)
		return false;
	g_autoptr(json_t) doc = store_document(e->store, run->id, "survey", NULL);
	g_autoptr(json_t) plan = engine_survey_plan(e->campaign);
	const char *why = doc ? kx_json_str(doc, "why") : NULL;
	return !json_equal(plan, json_object_get(doc, "plan")) ||
	       (more && g_strcmp0(why, "complete") != 0);
}

/* Its budget ended it, and now there is more; or more is asked for. */
static bool can_go_on(Engine *e, const StoreCampaign *run)
{
	if (run->state != STORE_DONE)
		return true;
	g_autoptr(StoreVerdict) v = store_verdict(e->store, run->id, NULL);
	bool more = has_more_budget(e, run);
	if (!v)
		return false;
	return (more && g_str_equal(v->why, "budget")) || lacks_table(e, run, more) ||
	       (campaign_searches(e->campaign) && g_str_equal(v->kind, "table"));
}

static bool choose(Engine *e, GError **error)
{
	g_autoptr(GPtrArray) all = store_campaigns(e->store, error);
	if (!all)
		return false;
	const StoreCampaign *same = NULL, *newest = NULL;
	for (guint i = 0; i < all->len; i++) {
		const StoreCampaign *r = all->pdata[i];
		if (!g_str_equal(r->name, e->campaign->name))
			continue;
		/* Two runs of one campaign would share its target's time and answer nothing more.
		 */
		if (store_is_alive(r) && (e->lock = lock_run(r, error)) < 0)
			return false;
		if (e->lock >= 0)
			close(e->lock);
		e->lock = -1;
		newest = newest ? newest : r;
		if (!same && g_str_equal(r->digest, e->campaign->digest))
			same = r;
	}
	bool finished = same && !can_go_on(e, same);
	if (same && !(finished && e->options->again)) {
		e->run = store_find_campaign(e->store, same->slug, error);
		e->finished = finished;
	} else {
		if (newest && newest->state != STORE_DONE && !same)
			g_message("%s was stopped, and the campaign has changed since: this is a "
				  "new run",
				  newest->slug);
		new_run(e, error);
	}
	if (!e->run)
		return false;
	if (e->finished)
		return true;
	e->lock = lock_run(e->run, error);
	return e->lock >= 0;
}

bool engine_choose_run(Engine *e, GError **error)
{
	/* Held while choosing, so that two that start at once do not make two runs. */
	g_autofree char *dir = g_build_filename(e->options->results, "campaigns", NULL);
	g_autofree char *name = g_strdup_printf("%s.lock", e->campaign->name);
	g_autofree char *path = g_build_filename(dir, name, NULL);
	if (!kx_mkdir(dir, error))
		return false;
	int fd = kx_lock_file(path, true, error);
	if (fd < 0)
		return false;
	bool ok = choose(e, error);
	close(fd);
	return ok;
}
