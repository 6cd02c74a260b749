/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a run has to do, one after the other. */
#include "engine/engine-internal.h"

/* In this order. */
static const EnginePlan *const plans[] = {&engine_plan_search, &engine_plan_order,
					  &engine_plan_survey};

const EnginePlan *engine_plan_wanted(const Engine *e)
{
	for (guint i = 0; i < G_N_ELEMENTS(plans); i++)
		if (plans[i]->wanted(e))
			return plans[i];
	return NULL;
}

/* The first plan of a sitting is told of all earlier boots when they are read (resume.c). */
static bool retell(Engine *e, GError **error)
{
	g_autoptr(GPtrArray) trials = store_trials(e->store, e->run->id, error);
	for (guint i = 0; trials && i < trials->len; i++) {
		const StoreTrial *t = trials->pdata[i];
		int outcome = engine_outcome(t->outcome);
		if (outcome >= 0 && outcome != ENGINE_INFRA)
			e->plan->observe(e, t, outcome);
	}
	return trials != NULL;
}

bool engine_begin_plan(Engine *e, GError **error)
{
	bool first = !e->plan;
	e->plan = engine_plan_wanted(e);
	g_return_val_if_fail(e->plan, false);
	return e->plan->begin(e, error) && (first ? engine_replay(e, error) : retell(e, error));
}

bool engine_record_verdict(Engine *e, const StoreVerdict *v, GError **error)
{
	StoreTimes times = engine_times(e);
	bool last = !engine_plan_wanted(e);
	if (!store_set_times(e->store, e->sitting, &times, error) ||
	    !(last ? store_finish : store_set_verdict)(e->store, e->run->id, v, error))
		return false;
	e->finished = last;
	return true;
}
