/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Our own: search/. */
#include <math.h>

#include "simulate/policy.h"

typedef struct {
	Lab *lab;
	Search *search;
	GArray *built; /* SearchVariant */
	SearchCosts costs;
} State;

static Search *problem(const Lab *lab)
{
	const SimCase *c = lab_case(lab);
	const SimGraph *g = lab_graph(lab);
	bool line = c->space == SIM_HISTORY || c->space == SIM_ORDER;
	SearchProblem p = {
		.space = line ? &search_history : &search_subsets,
		.n = lab_length(lab),
		.effect = c->effect,
		.depends = line ? NULL : g->depends,
		.conflicts = line ? NULL : g->conflicts,
		.n_conflicts = line ? 0 : g->n_conflicts,
		.max_size = line ? 0 : c->max_size,
		.confidence = c->confidence,
		.q_detect = c->q_detect,
		.told_q = c->told_q ? c->q : 0,
		.told_e = c->told_q ? c->eps : 0,
		.no_confirm = !c->confirm,
		.quiet = true,
		.seed = c->seed,
	};
	g_autoptr(GError) error = NULL;
	Search *s = search_new(&p, &error);
	if (!s)
		g_warning("%s", error->message);
	return s;
}

static void costs(State *s)
{
	s->costs.built = (const SearchVariant *)(void *)s->built->data;
	s->costs.n_built = s->built->len;
	s->costs.boots_left = lab_boots_left(s->lab);
}

static void carry_out(State *s, const SearchExperiment *e)
{
	guint faults = 0, cleans = 0;
	bool was_built = e->clean_build || lab_is_built(s->lab, e->variant);
	if (!lab_build(s->lab, e->variant, e->clean_build)) {
		search_observe_untestable(s->search, e->variant, true);
		return;
	}
	if (!was_built)
		g_array_append_val(s->built, e->variant);
	for (guint i = 0; i < e->boots && !(faults && e->until_fault); i++) {
		if (lab_boot(s->lab, e->variant, e->clean_build) == LAB_FAULT)
			faults++;
		else
			cleans++;
	}
	g_debug("%s: %#" G_GINT64_MODIFIER "x: %u faults, %u clean: %s",
		search_purpose_name(e->purpose), e->variant, faults, cleans, e->reason);
	search_observe(s->search, e->variant, faults, cleans, e->mode, e->clean_build);
	s->costs.has_loaded = true;
	s->costs.loaded = e->variant;
}

static bool choose(State *s, SearchExperiment *e, SimClaim *ret)
{
	costs(s);
	gint64 start = g_get_monotonic_time();
	bool more = search_next(s->search, &s->costs, e) == SEARCH_EXPERIMENT;
	double took = (double)(g_get_monotonic_time() - start) / G_USEC_PER_SEC;
	ret->choices++;
	ret->choose_s += took;
	ret->choose_s_max = fmax(ret->choose_s_max, took);
	return more;
}

static void claim(Search *search, SimClaim *ret)
{
	SearchVerdict v = {0};
	search_verdict(search, &v);
	g_debug("%s: %s", search_why_name(v.why), v.reason);
	ret->verdict = v.kind != SEARCH_VERDICT_INCONCLUSIVE;
	ret->probability = v.probability;
	ret->members = v.members;
	if (v.kind == SEARCH_VERDICT_CAUSE)
		ret->kind = v.leading.kind;
	else if (v.why == SEARCH_WHY_NO_EFFECT)
		ret->kind = SEARCH_H_NONE;
	else if (v.effect == SEARCH_CURES)
		ret->kind = SEARCH_H_EMPTY;
	else /* nothing faults: so nothing causes a fault */
		ret->kind = v.why == SEARCH_WHY_BASE_FAULTS ? SEARCH_H_EMPTY : SEARCH_H_NONE;
}

static void run(const SimPolicy *self, Lab *lab, SimClaim *ret)
{
	const SimCase *c = lab_case(lab);
	SearchExperiment e = {0};
	if (c->space == SIM_PRECEDENCE) {
		sim_search_orders(lab, ret);
		return;
	}
	State s = {.lab = lab, .search = problem(lab)};
	if (!s.search)
		return;
	s.built = g_array_new(FALSE, FALSE, sizeof(SearchVariant));
	search_costs_init(&s.costs);
	s.costs.boot_s = fmax(c->boot_s, 1e-3);
	s.costs.build_s = c->build_s;
	s.costs.clean_build_s = c->clean_build_s;
	s.costs.switch_s = c->switch_s;
	while (!lab_is_spent(lab) && choose(&s, &e, ret))
		carry_out(&s, &e);
	claim(s.search, ret);
	g_array_unref(s.built);
	search_free(s.search);
}

const SimPolicy sim_kexsect = {
	.name = "kexsect",
	.title = "this program",
	.can = SIM_LINES | SIM_PATHS | SIM_SETS | SIM_ORDERS,
	.run = run,
};
