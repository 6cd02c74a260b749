/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The search's state, and the order of its questions: stopping rule first, then information. */
#include "search-internal.h"

#include <math.h>
#include <string.h>

#define NEEDED_DISCOUNT 0.3

G_DEFINE_QUARK(search - error - quark, search_error)

Search *search_new(const SearchProblem *problem, GError **error)
{
	g_autoptr(Search) s = g_new0(Search, 1);

	if (!problem_setup(s, problem, error))
		return NULL;
	s->variants = g_array_new(FALSE, TRUE, sizeof(Variant));
	s->classes = g_array_new(FALSE, FALSE, sizeof(Class));
	s->p = g_new0(double, s->n_h);
	s->class_of = g_new0(guint, s->n_h);
	s->pair_poison = g_new0(double, (gsize)s->n * s->n);
	s->stale = true;
	grid_init(s);
	return g_steal_pointer(&s);
}

void search_free(Search *s)
{
	if (!s)
		return;
	g_strfreev(s->names);
	g_free(s->conflicts);
	g_free(s->h);
	g_clear_pointer(&s->variants, g_array_unref);
	g_clear_pointer(&s->classes, g_array_unref);
	g_free(s->p);
	g_free(s->class_of);
	g_free(s->pair_poison);
	g_free(s);
}

/* The record of a variant, made if need be; sorted, so that the order of calls leaves no trace. */
static Variant *record(Search *s, SearchMask mask)
{
	Variant fresh = {.mask = mask};
	guint at = 0;

	s->stale = true;
	for (; at < s->variants->len; at++) {
		Variant *v = &g_array_index(s->variants, Variant, at);

		if (v->mask == mask)
			return v;
		if (v->mask > mask)
			break;
	}
	g_array_insert_val(s->variants, at, fresh);
	return &g_array_index(s->variants, Variant, at);
}

void search_observe(Search *s, SearchMask variant, guint faults, guint cleans, SearchMode mode,
		    bool clean_build)
{
	guint kind = (mode == SEARCH_COLD) | (guint)clean_build << 1;
	Variant *v;

	g_return_if_fail((variant & ~mask_all(s)) == 0);
	v = record(s, variant);
	v->faults[kind] += faults;
	v->cleans[kind] += cleans;
}

void search_observe_untestable(Search *s, SearchMask variant, bool permanent)
{
	Variant *v;

	g_return_if_fail((variant & ~mask_all(s)) == 0);
	v = record(s, variant);
	if (permanent)
		v->permanent++;
	else
		v->sporadic++;
}

/* Boots that the stopping rule will ask for anyway go first when they tell nearly as much (§4.5).
 */
static void prefer_needed(Search *s, const SearchCosts *costs, SearchExperiment *e)
{
	SearchExperiment need = {0};

	if (stop_early_need(s, &need) && choice_price(s, costs, &need) &&
	    need.bits * MAX(e->cost_s, 1e-3) > NEEDED_DISCOUNT * e->bits * MAX(need.cost_s, 1e-3))
		*e = need;
}

SearchNext search_next(Search *s, const SearchCosts *costs, SearchExperiment *ret)
{
	SearchExperiment e = {0};
	SearchVerdict verdict;

	posterior_update(s);
	switch (stop_state(s, &e, &verdict)) {
	case STOP_VERDICT:
		return SEARCH_DONE;
	case STOP_NEED:
		if (!choice_price(s, costs, &e))
			return SEARCH_DONE;
		break;
	case STOP_SEARCH:
		if (!choice_best(s, costs, &e))
			return SEARCH_DONE;
		prefer_needed(s, costs, &e);
		break;
	}
	*ret = e;
	return SEARCH_EXPERIMENT;
}

/* Candidates that stand in the way: suspected of making their variants untestable. */
static SearchMask suspects(const Search *s)
{
	SearchMask out = 0;

	for (guint i = 0; i < s->n; i++)
		out |= s->poison[i] > 0.5 ? (SearchMask)1 << i : 0;
	return out;
}

/* What an unfinished search says; whether more boots would help decides the reason. */
static void unfinished(Search *s, SearchVerdict *v)
{
	g_autofree char *names = mask_names(s, suspects(s));

	if (choice_is_open(s))
		return;
	v->why = SEARCH_WHY_UNTESTABLE;
	g_snprintf(v->reason, sizeof(v->reason),
		   "what would decide cannot be tested%s%s; the leading hypothesis has %.3g",
		   *names ? ": does not build or come up: " : "", names, v->probability);
}

void search_verdict(Search *s, SearchVerdict *ret)
{
	SearchExperiment need = {0};
	SearchVerdict v = {.kind = SEARCH_VERDICT_INCONCLUSIVE, .why = SEARCH_WHY_UNFINISHED};
	StopState state;

	posterior_update(s);
	state = stop_state(s, &need, &v);
	if (state == STOP_SEARCH)
		unfinished(s, &v);
	*ret = v;
}

void search_costs_init(SearchCosts *costs)
{
	*costs = (SearchCosts){
		.boot_s = 5,
		.build_s = 10,
		.clean_build_s = 240,
		.switch_s = 1,
		.boots_left = SEARCH_UNLIMITED,
		.builds_left = SEARCH_UNLIMITED,
		.seconds_left = HUGE_VAL,
	};
}

const char *search_purpose_name(SearchPurpose purpose)
{
	static const char *const names[] = {"calibrate", "search", "parent", "confirm"};

	G_STATIC_ASSERT(G_N_ELEMENTS(names) == SEARCH_PURPOSE_MAX);
	g_return_val_if_fail(purpose < SEARCH_PURPOSE_MAX, NULL);
	return names[purpose];
}

const char *search_why_name(SearchWhy why)
{
	static const char *const names[] = {"rule",	   "no_effect",	 "no_fault",
					    "base_faults", "unfinished", "untestable",
					    "cold_differs"};

	G_STATIC_ASSERT(G_N_ELEMENTS(names) == SEARCH_WHY_MAX);
	g_return_val_if_fail(why < SEARCH_WHY_MAX, NULL);
	return names[why];
}
