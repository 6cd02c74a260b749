/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One line after the other: what the answer of each leads to. */
#include "order-internal.h"

#include <string.h>

/* The path's leader is put to the proof when it is that probable: the proof is worth more than
 * further boots of its neighbours. */
#define PUT_TO_PROOF 0.93

static OrderLine *present(OrderSearch *o)
{
	return &o->lines[o->present];
}

static const OrderLine *line_of(const OrderSearch *o, SearchVariant v)
{
	guint k = ORDER_LINE(v);
	return k < o->n_lines && ORDER_POSITION(v) <= o->lines[k].length ? &o->lines[k] : NULL;
}

OrderSearch *order_new(const OrderProblem *problem, GError **error)
{
	guint n = problem->n;
	g_autoptr(OrderSearch) o = g_new0(OrderSearch, 1);
	o->n = n;
	o->good = g_memdup2(problem->good, n * sizeof(guint));
	o->bad = g_memdup2(problem->bad, n * sizeof(guint));
	o->group = problem->group ? g_memdup2(problem->group, n * sizeof(guint)) : NULL;
	o->problem = *problem;
	o->problem.good = o->problem.bad = o->problem.group = NULL;
	o->problem.names = NULL;
	o->probability = 1;
	if (o->problem.confidence == 0)
		o->problem.confidence = 0.99;
	if (problem->names) {
		o->names = g_new0(char *, n + 1);
		for (guint i = 0; i < n; i++)
			o->names[i] = g_strdup(problem->names[i]);
	}
	if (!order_begin_path(o, error))
		return NULL;
	return g_steal_pointer(&o);
}

void order_free(OrderSearch *o)
{
	if (!o)
		return;
	for (guint i = 0; i < o->n_lines; i++)
		order_end_line(&o->lines[i]);
	g_free(o->good);
	g_free(o->bad);
	g_free(o->group);
	g_strfreev(o->names);
	g_free(o);
}

/* ---- from line to line ---- */

/* The step that the line's search names, when it is sure enough to go on; 0: not yet. */
static guint answer(OrderLine *l, double *ret_probability)
{
	SearchVerdict v;
	InitcallSwap s;
	search_verdict(l->search, &v);
	*ret_probability = v.leading.probability;
	if (v.leading.kind != SEARCH_H_SET)
		return 0;
	bool single = order_step(l, (guint)v.leading.members, &s);
	if (v.kind == SEARCH_VERDICT_CAUSE ||
	    (single && !l->strict && v.leading.probability >= PUT_TO_PROOF))
		return (guint)v.leading.members;
	return 0;
}

static bool same(InitcallSwap a, InitcallSwap b)
{
	return a.late == b.late && a.early == b.early;
}

static void end(OrderSearch *o, OrderClaim claim)
{
	o->claim = claim;
	o->over = true;
}

static void end_with_more(OrderSearch *o)
{
	o->more = true;
	end(o, o->n_pairs == 1			? ORDER_ONE
	       : present(o)->kind == LINE_OTHER ? ORDER_EITHER
						: ORDER_BOTH);
}

static void go_to(OrderSearch *o, guint line)
{
	const OrderLine *l = &o->lines[line];
	o->present = line;
	o->n_pairs = l->n_pairs;
	memcpy(o->pairs, l->pairs, sizeof(o->pairs));
}

/* The line that named the newest pair was left before it was certain: then it goes on. */
static bool back(OrderSearch *o)
{
	OrderLine *from = &o->lines[present(o)->from];
	if (from->strict)
		return false;
	from->strict = true;
	go_to(o, present(o)->from);
	return true;
}

/* `asked` is asked about by a line of this kind, the same as before when the present line led there
 * before. */
static void ask(OrderSearch *o, OrderLineKind kind, InitcallSwap asked)
{
	for (guint i = o->n_lines; i-- > 1;) {
		OrderLine *l = &o->lines[i];
		if (l->from == o->present && l->kind == kind && same(l->asked, asked)) {
			go_to(o, i);
			return;
		}
	}
	if (!order_begin(o, kind, asked))
		end_with_more(o);
}

static void after_path(OrderSearch *o, InitcallSwap pair)
{
	o->pairs[0] = pair;
	o->n_pairs = 1;
	ask(o, LINE_ALONE, pair);
}

/* The pair alone does not bring the fault. Was it the right one? Then it takes one more. */
static void after_alone(OrderSearch *o, InitcallSwap pair)
{
	if (back(o))
		return;
	o->pairs[1] = pair;
	o->n_pairs = 2;
	ask(o, LINE_TOGETHER, pair);
}

/* They do: is each needed? */
static void enough(OrderSearch *o, double probability)
{
	o->probability = probability;
	ask(o, LINE_AWAY, o->pairs[0]);
}

/* Without the pair that was asked about it faults all the same. */
static void after_away(OrderSearch *o, InitcallSwap pair)
{
	if (o->n_pairs == 1 && !order_comes_along(o, o->pairs[0], pair)) {
		o->pairs[1] = pair;
		o->n_pairs = 2;
		ask(o, LINE_OTHER, pair);
	} else {
		/* What was shown to bring the fault has this pair wrong as well: it is this. */
		o->pairs[0] = pair;
		o->n_pairs = 1;
		ask(o, LINE_ALONE, pair);
	}
}

static void after_needed(OrderSearch *o, double probability)
{
	o->probability *= probability;
	if (o->n_pairs == 1)
		end(o, ORDER_ONE);
	else if (same(present(o)->asked, o->pairs[0]))
		ask(o, LINE_AWAY, o->pairs[1]);
	else
		ask(o, LINE_SECOND, o->pairs[1]);
}

/* Each is needed; with the first one right the second may have been so by chance. */
static void after_second(OrderSearch *o, bool enough_alone)
{
	if (enough_alone) {
		o->pairs[0] = o->pairs[1];
		o->n_pairs = 1;
	}
	end(o, enough_alone ? ORDER_ONE : ORDER_BOTH);
}

static void step_on(OrderSearch *o, guint step, double probability)
{
	const OrderLine *l = present(o);
	InitcallSwap s;
	bool single = order_step(l, step, &s);
	switch (l->kind) {
	case LINE_PATH:
		after_path(o, s);
		break;
	case LINE_ALONE:
		if (single)
			after_alone(o, s);
		else
			enough(o, probability);
		break;
	case LINE_TOGETHER:
		if (back(o))
			break;
		if (single)
			end_with_more(o);
		else
			enough(o, probability);
		break;
	case LINE_AWAY:
		if (single)
			after_away(o, s);
		else
			after_needed(o, probability);
		break;
	case LINE_OTHER:
		if (back(o))
			break;
		o->probability *= probability;
		if (single)
			end_with_more(o);
		else
			end(o, ORDER_EITHER);
		break;
	case LINE_SECOND:
		after_second(o, !single);
		break;
	}
}

static void advance(OrderSearch *o)
{
	double probability;
	guint step;
	while (!o->over && (step = answer(present(o), &probability)))
		step_on(o, step, probability);
}

/* ---- trials ---- */

static OrderLine *reach(OrderSearch *o, SearchVariant v)
{
	if (ORDER_LINE(v) >= o->n_lines)
		advance(o);
	return (OrderLine *)line_of(o, v);
}

bool order_observe(OrderSearch *o, SearchVariant v, guint faults, guint cleans, SearchMode mode)
{
	OrderLine *l = reach(o, v);
	OrderSeen s = {ORDER_POSITION(v), faults, cleans, mode};
	if (!l)
		return false;
	g_array_append_val(l->seen, s);
	search_observe(l->search, s.position, faults, cleans, mode, false);
	return true;
}

bool order_observe_untestable(OrderSearch *o, SearchVariant v, bool permanent)
{
	OrderLine *l = reach(o, v);
	if (!l)
		return false;
	search_observe_untestable(l->search, ORDER_POSITION(v), permanent);
	return true;
}

/* The costs as the line's search knows its variants: by their positions. */
static SearchCosts costs_of_line(const OrderSearch *o, const SearchCosts *costs, GArray *built)
{
	SearchCosts out = *costs;
	guint line = o->present;
	for (guint i = 0; i < costs->n_built; i++) {
		SearchVariant at = ORDER_POSITION(costs->built[i]);
		if (ORDER_LINE(costs->built[i]) == line && line_of(o, costs->built[i]))
			g_array_append_val(built, at);
	}
	out.built = (const SearchVariant *)(void *)built->data;
	out.n_built = built->len;
	out.has_loaded = costs->has_loaded && ORDER_LINE(costs->loaded) == line;
	out.loaded = ORDER_POSITION(costs->loaded);
	out.build_cost = NULL;
	out.n_pending = 0;
	return out;
}

SearchNext order_next(OrderSearch *o, const SearchCosts *costs, SearchExperiment *ret)
{
	g_autoptr(GArray) built = g_array_new(FALSE, FALSE, sizeof(SearchVariant));
	advance(o);
	if (o->over)
		return SEARCH_DONE;
	SearchCosts own = costs_of_line(o, costs, built);
	if (search_next(present(o)->search, &own, ret) == SEARCH_DONE)
		return SEARCH_DONE;
	ret->variant |= (SearchVariant)o->present << 32;
	if (present(o)->kind != LINE_PATH)
		ret->purpose = SEARCH_CONFIRM;
	return SEARCH_EXPERIMENT;
}

/* ---- questions ---- */

bool order_of(const OrderSearch *o, SearchVariant v, guint *ret)
{
	const OrderLine *l = line_of(o, v);
	guint at = ORDER_POSITION(v);
	if (!l)
		return false;
	if (l->shift && at == 0)
		memcpy(ret, o->good, o->n * sizeof(*ret));
	else if (l->kind == LINE_AWAY && at == l->length)
		memcpy(ret, o->bad, o->n * sizeof(*ret));
	else
		initcall_path_order(l->path, at - l->shift, ret);
	return true;
}

guint order_pairs(const OrderSearch *o)
{
	return o->lines[0].length;
}

const InitcallPath *order_path(const OrderSearch *o)
{
	return o->lines[0].path;
}

Search *order_search(OrderSearch *o)
{
	return present(o)->search;
}

guint order_line(const OrderSearch *o)
{
	return o->present;
}

void order_verdict(OrderSearch *o, OrderVerdict *ret)
{
	InitcallSwap s;
	advance(o);
	*ret = (OrderVerdict){.proved = o->over && !o->more, .more = o->more};
	search_verdict(present(o)->search, &ret->search);
	ret->n_pairs = o->n_pairs;
	memcpy(ret->pair, o->pairs, sizeof(ret->pair));
	ret->probability = o->probability;
	ret->claim = o->over			      ? o->claim
		     : !o->n_pairs		      ? ORDER_NOTHING
		     : o->n_pairs == 1		      ? ORDER_ONE
		     : present(o)->kind == LINE_OTHER ? ORDER_EITHER
						      : ORDER_BOTH;
	if (o->present > 0)
		return;
	ret->probability = ret->search.probability;
	if (ret->search.leading.kind == SEARCH_H_SET &&
	    order_step(present(o), (guint)ret->search.leading.members, &s)) {
		ret->claim = ORDER_ONE;
		ret->pair[0] = s;
		ret->n_pairs = 1;
	}
}
