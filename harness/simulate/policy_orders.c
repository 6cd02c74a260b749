/* SPDX-License-Identifier: GPL-2.0-or-later */
/* This program's search over orders (search/order.h) in a lab of the space precedence. */
#include <math.h>

#include "simulate/policy.h"

typedef struct {
	Lab *lab;
	OrderSearch *search;
	guint *order;
	GArray *built; /* SearchVariant */
	SearchCosts costs;
} State;

static OrderSearch *problem(const Lab *lab)
{
	const SimCase *c = lab_case(lab);
	const SimOrders *o = lab_truth(lab)->orders;
	g_autoptr(GError) error = NULL;
	OrderProblem p = {
		.n = o->n,
		.good = o->good,
		.bad = o->bad,
		.group = o->group,
		.confidence = c->confidence,
		.q_detect = c->q_detect,
		.told_q = c->told_q ? c->q : 0,
		.told_e = c->told_q ? c->eps : 0,
		.mode_proof = SEARCH_COLD,
		.quiet = true,
		.seed = c->seed,
	};
	OrderSearch *s = order_new(&p, &error);
	if (!s)
		g_warning("%s", error->message);
	return s;
}

static void carry_out(State *s, const SearchExperiment *e)
{
	guint faults = 0, cleans = 0;
	order_of(s->search, e->variant, s->order);
	lab_set_order(s->lab, s->order);
	if (!lab_is_built(s->lab, e->variant))
		g_array_append_val(s->built, e->variant);
	for (guint i = 0; i < e->boots && !(faults && e->until_fault); i++) {
		LabOutcome o = lab_boot(s->lab, e->variant, false);
		if (o == LAB_UNBUILDABLE) {
			order_observe_untestable(s->search, e->variant, false);
			return;
		}
		faults += o == LAB_FAULT;
		cleans += o == LAB_CLEAN;
	}
	order_observe(s->search, e->variant, faults, cleans, e->mode);
	s->costs.has_loaded = true;
	s->costs.loaded = e->variant;
}

static bool choose(State *s, SearchExperiment *e, SimClaim *ret)
{
	s->costs.built = (const SearchVariant *)(void *)s->built->data;
	s->costs.n_built = s->built->len;
	s->costs.boots_left = lab_boots_left(s->lab);
	gint64 start = g_get_monotonic_time();
	bool more = order_next(s->search, &s->costs, e) == SEARCH_EXPERIMENT;
	double took = (double)(g_get_monotonic_time() - start) / G_USEC_PER_SEC;
	ret->choices++;
	ret->choose_s += took;
	ret->choose_s_max = fmax(ret->choose_s_max, took);
	return more;
}

void sim_search_orders(Lab *lab, SimClaim *ret)
{
	const SimCase *c = lab_case(lab);
	SearchExperiment e = {0};
	State s = {.lab = lab, .search = problem(lab)};
	if (!s.search)
		return;
	s.order = g_new(guint, c->n);
	s.built = g_array_new(FALSE, FALSE, sizeof(SearchVariant));
	search_costs_init(&s.costs);
	s.costs.boot_s = fmax(c->boot_s, 1e-3);
	s.costs.build_s = c->build_s;
	s.costs.switch_s = c->switch_s;
	while (!lab_is_spent(lab) && choose(&s, &e, ret))
		carry_out(&s, &e);
	order_verdict(s.search, &ret->order);
	ret->verdict = ret->order.proved;
	ret->kind = SEARCH_H_SET;
	ret->probability = ret->order.probability;
	lab_set_order(lab, NULL);
	order_free(s.search);
	g_array_unref(s.built);
	g_free(s.order);
}
