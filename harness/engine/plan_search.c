/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The boots that tell most about the cause, until it is known. */
#include "engine/engine-internal.h"

#include <math.h>

static bool wanted(const Engine *e)
{
	return campaign_searches(e->campaign) && !e->campaign->order && !e->answered;
}

static void observe(Engine *e, const StoreTrial *t, int outcome)
{
	SearchMode mode = g_str_equal(t->mode, "cold") ? SEARCH_COLD : SEARCH_KEXEC;
	bool fault = outcome == ENGINE_FAULT;
	/* A table's boots may come after the verdict, and must not change it. */
	if (g_str_equal(t->purpose, ENGINE_SURVEY_PURPOSE))
		return;
	if (fault || outcome == ENGINE_CLEAN)
		search_observe(e->search, t->mask, fault, !fault, mode, t->clean);
	else
		search_observe_untestable(e->search, t->mask, false);
}

static void untestable(Engine *e, SearchMask mask, bool lab)
{
	search_observe_untestable(e->search, mask, true);
}

static void replayed(Engine *e)
{
	engine_look(e);
	if (e->boots && e->n_top) {
		e->leading = e->top[0];
		e->has_leading = true;
	}
}

static StorePosterior *belief(Engine *e, unsigned trial)
{
	engine_look(e);
	return engine_posterior(e, trial);
}

/* Search stops by itself when the budget does not allow what it would do next: the part of the
 * budget that, with more of it, would let it go on; NULL when it is not that. */
static const char *budget_in_the_way(Engine *e, const SearchCosts *costs)
{
	SearchVerdict v;
	SearchExperiment x;
	search_verdict(e->search, &v);
	if (v.kind != SEARCH_VERDICT_INCONCLUSIVE || v.why != SEARCH_WHY_UNFINISHED)
		return NULL;
	SearchCosts more = *costs;
	more.boots_left = SEARCH_UNLIMITED;
	if (search_next(e->search, &more, &x) == SEARCH_EXPERIMENT)
		return "boots";
	more.builds_left = SEARCH_UNLIMITED;
	if (search_next(e->search, &more, &x) == SEARCH_EXPERIMENT)
		return "builds";
	more.seconds_left = HUGE_VAL;
	return search_next(e->search, &more, &x) == SEARCH_EXPERIMENT ? "hours" : NULL;
}

static bool next(Engine *e, const char **ret_budget)
{
	SearchCosts costs;
	g_autoptr(GArray) built = g_array_new(FALSE, FALSE, sizeof(SearchMask));
	engine_costs(e, built, &costs);
	if (search_next(e->search, &costs, &e->next) == SEARCH_DONE) {
		*ret_budget = budget_in_the_way(e, &costs);
		return false;
	}
	e->purpose = search_purpose_name(e->next.purpose);
	return true;
}

const EnginePlan engine_plan_search = {
	.name = "search",
	.wanted = wanted,
	.begin = engine_make_search,
	.untestable = untestable,
	.observe = observe,
	.replayed = replayed,
	.belief = belief,
	.recorded = engine_tell_leader,
	.next = next,
	.conclude = engine_conclude,
	.time_left = engine_search_time_left,
};
