/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What earlier sittings of the run left: builds, trials, time. */
#include "engine/engine-internal.h"

static bool load_builds(Engine *e, GError **error)
{
	g_autoptr(GPtrArray) all = store_builds(e->store, e->run->id, error);
	if (!all)
		return false;
	for (guint i = 0; i < all->len; i++)
		engine_add_kernel(e, all->pdata[i]);
	e->next_build = all->len + 1;
	/* A killed build has a request, but no row. */
	for (;; e->next_build++) {
		g_autofree char *name = g_strdup_printf("%04u-build.json", e->next_build);
		g_autofree char *path = g_build_filename(e->run->dir, "requests", name, NULL);
		if (!g_file_test(path, G_FILE_TEST_EXISTS))
			return true;
	}
}

/* A search that is over: only its table is missing. One that the budget ended goes on. */
static bool load_answer(Engine *e, GError **error)
{
	GError *why = NULL;
	g_autoptr(StoreVerdict) v = store_verdict(e->store, e->run->id, &why);
	if (why) {
		g_propagate_error(error, why);
		return false;
	}
	e->answered = v && !g_str_equal(v->why, "budget") && !g_str_equal(v->kind, "table");
	return true;
}

bool engine_load(Engine *e, GError **error)
{
	StoreTimes before;
	if (!engine_end_orphan(e, error) || !store_times(e->store, e->run->id, &before, error))
		return false;
	e->before_s = before.total;
	e->before_compile_s = before.compile;
	e->replaying = true;
	bool ok = load_builds(e, error);
	e->replaying = false;
	return ok && load_answer(e, error);
}

static void replay_builds(Engine *e)
{
	for (guint i = 0; i < e->kernels->len; i++) {
		const EngineKernel *k = e->kernels->pdata[i];
		if (!k->ok && !k->launcher)
			e->plan->untestable(e, k->mask, false);
	}
}

static void replay_trial(Engine *e, const StoreTrial *t)
{
	int outcome = engine_outcome(t->outcome);
	e->next_trial = MAX(e->next_trial, t->number + 1);
	if (outcome < 0)
		return;
	e->outcomes[outcome]++;
	if (outcome == ENGINE_INFRA)
		return;
	e->boots++;
	engine_observe(e, t, outcome);
	double total = kx_json_num(t->seconds, "total", 0);
	if (total > 0 && (outcome == ENGINE_FAULT || outcome == ENGINE_CLEAN))
		g_array_append_val(e->boot_s, total);
}

bool engine_replay(Engine *e, GError **error)
{
	g_autoptr(GPtrArray) trials = store_trials(e->store, e->run->id, error);
	g_autoptr(GPtrArray) events = trials ? store_events(e->store, e->run->id, error) : NULL;
	if (!events)
		return false;
	e->replaying = true;
	replay_builds(e);
	e->next_trial = 1;
	for (guint i = 0; i < trials->len; i++)
		replay_trial(e, trials->pdata[i]);
	/* Numbers of trials whose remains were removed are not used again either. */
	for (guint i = 0; i < events->len; i++) {
		const StoreEvent *event = events->pdata[i];
		e->next_trial = MAX(e->next_trial, event->trial + 1);
	}
	e->replaying = false;
	if (e->plan->replayed)
		e->plan->replayed(e);
	return engine_adopt(e, trials, error);
}
