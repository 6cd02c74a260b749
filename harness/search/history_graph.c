/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A range with merges: a commit is in a variant when it is an ancestor of it. */
#include "history.h"

#include <string.h>

#define GRAPH_MAX 16384 /* the table of ancestors grows with the square: 32 MiB */
#define LEVELS 33
#define TOP_HYPOTHESES 24

typedef struct {
	guint n, words;
	guint *parent_start, *parents;
	guint64 *ancestors; /* row v of `words`: bit h - 1 for commit h */
	double *prior;
} Graph;

static const Graph *graph(const Search *s)
{
	return s->own;
}

static bool is_in(const Graph *g, guint h, SearchVariant v)
{
	return g->ancestors[v * g->words + (h - 1) / 64] >> ((h - 1) % 64) & 1;
}

static bool check(const SearchProblem *p, GError **error)
{
	if (p->n > GRAPH_MAX) {
		g_set_error(error, SEARCH_ERROR, 0,
			    "more than %u commits with merges: follow first parents only",
			    GRAPH_MAX);
		return false;
	}
	for (guint i = 0; i < p->n; i++) {
		if (p->parent_start[i] >= p->parent_start[i + 1]) {
			g_set_error(error, SEARCH_ERROR, 0, "commit %u has no parent", i + 1);
			return false;
		}
		for (guint k = p->parent_start[i]; k < p->parent_start[i + 1]; k++) {
			if (p->parents[k] > i) {
				g_set_error(error, SEARCH_ERROR, 0,
					    "commit %u comes before its parent", i + 1);
				return false;
			}
		}
	}
	return true;
}

static bool setup(Search *s, const SearchProblem *p, GError **error)
{
	Graph *g;

	if (!check(p, error))
		return false;
	s->own = g = g_new0(Graph, 1);
	s->n_h = g->n = p->n;
	g->words = (p->n + 63) / 64;
	g->parent_start = g_memdup2(p->parent_start, (p->n + 1) * sizeof(guint));
	g->parents = g_memdup2(p->parents, p->parent_start[p->n] * sizeof(guint));
	g->ancestors = g_new0(guint64, (gsize)(p->n + 1) * g->words);
	for (guint v = 1; v <= p->n; v++) {
		guint64 *row = &g->ancestors[(gsize)v * g->words];

		for (guint k = g->parent_start[v - 1]; k < g->parent_start[v]; k++) {
			const guint64 *from = &g->ancestors[(gsize)g->parents[k] * g->words];

			for (guint w = 0; w < g->words; w++)
				row[w] |= from[w];
		}
		row[(v - 1) / 64] |= (guint64)1 << ((v - 1) % 64);
	}
	g->prior = g_new(double, p->n);
	history_prior(s, p, g->prior);
	return true;
}

static void free_own(gpointer data)
{
	Graph *g = data;

	g_free(g->parent_start);
	g_free(g->parents);
	g_free(g->ancestors);
	g_free(g->prior);
	g_free(g);
}

static void begin(Search *s)
{
	s->belief = explicit_new(graph(s)->n, graph(s)->prior);
}

static void end(Search *s)
{
	explicit_free(s->belief);
}

static void inherit(Search *s, const Search *from)
{
	explicit_inherit(s->belief, from->belief);
}

static void observed(Search *s, SearchVariant v, guint faults, guint cleans)
{
	const Graph *g = graph(s);
	g_autofree bool *has = g_new(bool, g->n);

	for (guint h = 1; h <= g->n; h++)
		has[h - 1] = is_in(g, h, v);
	explicit_observed(s->belief, has, faults, cleans);
}

static void classify(Search *s)
{
	explicit_classify(s, s->belief);
}

static void settle(Search *s)
{
	Explicit *x = s->belief;

	explicit_weigh(s, x);
	explicit_settle(s, x);
	if (x->p[x->best] <= s->leader.probability)
		return;
	s->leader = (SearchHypothesis){SEARCH_H_SET, x->best + 1, x->p[x->best]};
	s->leader_class = x->class_of[x->best];
}

static void split(const Search *s, SearchVariant v, double *ret)
{
	const Explicit *x = s->belief;

	memset(ret, 0, s->classes->len * sizeof(*ret));
	for (guint k = 0; k < x->n_active; k++) {
		guint h = x->active[k];

		ret[x->class_of[h]] += is_in(graph(s), h + 1, v) ? x->weight[k] : 0;
	}
}

static void ranked(const Search *s, guint max, GArray *ret)
{
	const Explicit *x = s->belief;
	g_autofree guint *top = g_new(guint, MIN(max, x->n) + 1);
	guint n = explicit_top(x, MIN(max, x->n), top);

	for (guint k = 0; k < n; k++) {
		SearchHypothesis h = {SEARCH_H_SET, top[k] + 1, x->p[top[k]]};

		g_array_append_val(ret, h);
	}
}

static double marginal(const Search *s, guint i)
{
	const Explicit *x = s->belief;

	return x->p[i];
}

static double entropy(const Search *s)
{
	return explicit_entropy(s->belief);
}

/* For each level of probability up to it, the commit that comes nearest. */
static void add_levels(const Search *s, GArray *pool)
{
	const Graph *g = graph(s);
	const Explicit *x = s->belief;
	double nearest[LEVELS], mass = 0;
	SearchVariant at[LEVELS] = {0};

	for (guint k = 0; k < x->n_active; k++)
		mass += x->weight[k];
	for (guint i = 0; i < LEVELS; i++)
		nearest[i] = 2;
	for (guint v = 1; v <= g->n; v++) {
		double sum = 0;

		for (guint k = 0; k < x->n_active && x->active[k] < v; k++)
			sum += is_in(g, x->active[k] + 1, v) ? x->weight[k] : 0;
		for (guint i = 0; i < LEVELS; i++) {
			double off = ABS(sum / MAX(mass, 1e-300) - (i + 1.0) / (LEVELS + 1));

			if (off < nearest[i] - 1e-12) {
				nearest[i] = off;
				at[i] = v;
			}
		}
	}
	g_array_append_vals(pool, at, LEVELS);
}

static GArray *pool(Search *s, const SearchCosts *costs)
{
	const Graph *g = graph(s);
	GArray *out = g_array_new(FALSE, FALSE, sizeof(SearchVariant));
	guint top[TOP_HYPOTHESES], n;

	history_add_known(s, costs, out);
	n = explicit_top(s->belief, TOP_HYPOTHESES, top);
	for (guint k = 0; k < n; k++) {
		SearchVariant v = top[k] + 1;

		g_array_append_val(out, v);
		for (guint p = g->parent_start[top[k]]; p < g->parent_start[top[k] + 1]; p++) {
			v = g->parents[p];
			g_array_append_val(out, v);
		}
	}
	add_levels(s, out);
	history_sort_once(out);
	return out;
}

static bool has(const Search *s, const SearchHypothesis *h, SearchVariant v)
{
	return is_in(graph(s), (guint)h->members, v);
}

static bool contains(const Search *s, SearchVariant v, SearchVariant w)
{
	return w == 0 || (v != 0 && is_in(graph(s), (guint)w, v));
}

/* The commit, and each of its parents. */
static guint around(const Search *s, const SearchHypothesis *h, Around *ret)
{
	const Graph *g = graph(s);
	g_autofree char *name = history_name_members(s, h);
	guint n = 0;

	ret[n++] = (Around){h->members, true, ""};
	for (guint k = g->parent_start[h->members - 1];
	     k < g->parent_start[h->members] && n < AROUND_MAX; k++) {
		ret[n] = (Around){g->parents[k], false, ""};
		g_strlcpy(ret[n++].missing, name, sizeof(ret->missing));
	}
	return n;
}

const SearchSpace history_graph = {
	.name = "history with merges",
	.setup = setup,
	.free = free_own,
	.begin = begin,
	.end = end,
	.inherit = inherit,
	.observed = observed,
	.is_variant = history_is_variant,
	.is_valid = history_is_variant,
	.everything = history_everything,
	.realise = history_realise,
	.has = has,
	.contains = contains,
	.classify = classify,
	.settle = settle,
	.split = split,
	.ranked = ranked,
	.marginal = marginal,
	.entropy = entropy,
	.pool = pool,
	.testable_update = history_testable_update,
	.untestable = history_untestable,
	.poison = history_poison,
	.is_smallest = history_is_smallest,
	.around = around,
	.substitute = history_substitute,
	.name_variant = history_name_variant,
	.name_members = history_name_members,
	.name_suspects = history_name_suspects,
};
