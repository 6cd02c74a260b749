/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A path without branches: the hypotheses between two tested positions are one class. */
#include "history.h"

#include <math.h>
#include <string.h>

#define QUANTILES 48
#define RANKED_MAX 20000

/* Of the problem: sums over the commits 1..i, [0] is 0. */
typedef struct {
	bool uniform;
	double *sum;	 /* of the prior w */
	double *sum_log; /* of w log2 w */
} Line;

/* Class CLASS_FIRST + k: commits low + 1 … high. */
typedef struct {
	guint low, high;
	double scale; /* P(commit | data) ÷ its prior */
} Interval;

static bool setup(Search *s, const SearchProblem *p, GError **error)
{
	g_autofree double *prior = NULL;
	Line *own;

	if (p->parents) {
		s->space = &history_graph;
		return history_graph.setup(s, p, error);
	}
	if (p->n > SEARCH_MAX_COMMITS) {
		g_set_error(error, SEARCH_ERROR, 0, "more than %u steps", SEARCH_MAX_COMMITS);
		return false;
	}
	s->own = own = g_new0(Line, 1);
	s->n_h = p->n;
	own->uniform = !p->weights;
	own->sum = g_new0(double, p->n + 1);
	own->sum_log = g_new0(double, p->n + 1);
	prior = g_new(double, p->n);
	history_prior(s, p, prior);
	for (guint i = 0; i < p->n; i++) {
		own->sum[i + 1] = own->sum[i] + prior[i];
		own->sum_log[i + 1] = own->sum_log[i] + prior[i] * log2(prior[i]);
	}
	return true;
}

static void free_own(gpointer data)
{
	Line *own = data;

	g_free(own->sum);
	g_free(own->sum_log);
	g_free(own);
}

static void begin(Search *s)
{
	s->belief = g_array_new(FALSE, TRUE, sizeof(Interval));
}

static void end(Search *s)
{
	g_array_unref(s->belief);
}

static void observed(Search *s, SearchVariant v, guint faults, guint cleans)
{
	(void)s;
	(void)v;
	(void)faults;
	(void)cleans;
}

static double prior_of(const Line *own, guint commit)
{
	return own->sum[commit] - own->sum[commit - 1];
}

static void add_class(Search *s, guint low, guint high, guint64 has_f, guint64 has_c, guint64 all_f,
		      guint64 all_c)
{
	const Line *own = s->own;
	bool causes = s->effect == SEARCH_CAUSES;
	Interval i = {low, high, 0};
	Class c = {.prior = own->sum[high] - own->sum[low],
		   .bad_faults = causes ? has_f : all_f - has_f,
		   .bad_cleans = causes ? has_c : all_c - has_c};

	if (low == high)
		return;
	g_array_append_val((GArray *)s->belief, i);
	g_array_append_val(s->classes, c);
}

/* Commit h is in position v when h <= v. */
static void classify(Search *s)
{
	guint64 all_f = 0, all_c = 0, has_f, has_c;
	guint low = 0;

	g_array_set_size(s->belief, 0);
	for (guint k = 0; k < s->records->len; k++) {
		all_f += record_faults(&g_array_index(s->records, Record, k));
		all_c += record_cleans(&g_array_index(s->records, Record, k));
	}
	has_f = all_f;
	has_c = all_c;
	for (guint k = 0; k < s->records->len; k++) {
		const Record *r = &g_array_index(s->records, Record, k);

		if (!record_tested(r))
			continue;
		add_class(s, low, (guint)r->variant, has_f, has_c, all_f, all_c);
		low = (guint)r->variant;
		has_f -= record_faults(r);
		has_c -= record_cleans(r);
	}
	add_class(s, low, s->n, 0, 0, all_f, all_c);
}

static const Interval *interval(const Search *s, guint k)
{
	return &g_array_index((GArray *)s->belief, Interval, k);
}

static guint n_intervals(const Search *s)
{
	return ((GArray *)s->belief)->len;
}

static guint likeliest(const Line *own, const Interval *i)
{
	guint best = i->low + 1;

	for (guint c = i->low + 1; c <= i->high && !own->uniform; c++)
		best = prior_of(own, c) > prior_of(own, best) ? c : best;
	return best;
}

static void settle(Search *s)
{
	const Line *own = s->own;

	for (guint k = 0; k < n_intervals(s); k++) {
		Interval *i = &g_array_index((GArray *)s->belief, Interval, k);
		const Class *c = class_at(s, CLASS_FIRST + k);
		guint best;
		double p;

		i->scale = c->prior > 0 ? c->mass / c->prior : 0;
		if (c->mass <= s->leader.probability)
			continue;
		best = likeliest(own, i);
		p = i->scale * prior_of(own, best);
		if (p > s->leader.probability) {
			s->leader = (SearchHypothesis){SEARCH_H_SET, best, p};
			s->leader_class = CLASS_FIRST + k;
		}
	}
}

static void split(const Search *s, SearchVariant v, double *ret)
{
	const Line *own = s->own;

	for (guint k = 0; k < n_intervals(s); k++) {
		const Interval *i = interval(s, k);
		double *has = &ret[CLASS_FIRST + k];

		if (v >= i->high)
			*has = class_at(s, CLASS_FIRST + k)->mass;
		else if (v <= i->low)
			*has = 0;
		else
			*has = i->scale * (own->sum[v] - own->sum[i->low]);
	}
}

static gint by_scale(gconstpointer a, gconstpointer b, gpointer data)
{
	const Search *s = data;
	double x = interval(s, *(const guint *)a)->scale, y = interval(s, *(const guint *)b)->scale;

	return x > y ? -1 : x < y;
}

static void ranked(const Search *s, guint max, GArray *ret)
{
	const Line *own = s->own;
	guint n = n_intervals(s), enough = own->uniform ? max : MAX(max, RANKED_MAX), done = 0;
	g_autofree guint *order = g_new(guint, n + 1);

	for (guint k = 0; k < n; k++)
		order[k] = k;
	g_qsort_with_data(order, (gint)n, sizeof(*order), by_scale, (gpointer)s);
	for (guint k = 0; k < n && done < enough; k++) {
		const Interval *i = interval(s, order[k]);

		for (guint c = i->low + 1; c <= i->high && done < enough; c++, done++) {
			SearchHypothesis h = {SEARCH_H_SET, c, i->scale * prior_of(own, c)};

			g_array_append_val(ret, h);
		}
	}
}

static double marginal(const Search *s, guint i)
{
	for (guint k = 0; k < n_intervals(s); k++) {
		if (i < interval(s, k)->high)
			return interval(s, k)->scale * prior_of(s->own, i + 1);
	}
	return 0;
}

/* -Σ p log2 p with p = scale × w */
static double entropy(const Search *s)
{
	const Line *own = s->own;
	double sum = 0;

	for (guint k = 0; k < n_intervals(s); k++) {
		const Interval *i = interval(s, k);
		double w = own->sum[i->high] - own->sum[i->low];
		double w_log = own->sum_log[i->high] - own->sum_log[i->low];

		sum -= i->scale > 0 ? i->scale * (w_log + w * log2(i->scale)) : 0;
	}
	return sum;
}

/* The first position with at least so much prior up to it. */
static guint position_of(const Line *own, guint low, guint high, double sum)
{
	while (high - low > 1) {
		guint mid = (low + high) / 2;

		if (own->sum[mid] < sum)
			low = mid;
		else
			high = mid;
	}
	return high;
}

/* §4.3: what is known, and positions that split the remaining probability at equal steps. */
static GArray *pool(Search *s, const SearchCosts *costs)
{
	const Line *own = s->own;
	GArray *out = g_array_new(FALSE, FALSE, sizeof(SearchVariant));
	double mass = 0, before = 0;
	guint q = 1;

	history_add_known(s, costs, out);
	for (guint k = 0; k < n_intervals(s); k++)
		mass += class_at(s, CLASS_FIRST + k)->mass;
	for (guint k = 0; k < n_intervals(s); k++) {
		const Interval *i = interval(s, k);
		double here = class_at(s, CLASS_FIRST + k)->mass;

		for (; q < QUANTILES && mass * q / QUANTILES <= before + here; q++) {
			double in = (mass * q / QUANTILES - before) / MAX(i->scale, 1e-300);
			guint at = position_of(own, i->low, i->high, own->sum[i->low] + in);
			SearchVariant around[] = {at, at - 1};

			g_array_append_vals(out, around, 2);
		}
		before += here;
	}
	if (s->leader.members) {
		SearchVariant around[] = {s->leader.members, s->leader.members - 1};

		g_array_append_vals(out, around, 2);
	}
	history_sort_once(out);
	return out;
}

static bool has(const Search *s, const SearchHypothesis *h, SearchVariant v)
{
	(void)s;
	return h->members <= v;
}

static bool contains(const Search *s, SearchVariant v, SearchVariant w)
{
	(void)s;
	return w <= v;
}

static guint around(const Search *s, const SearchHypothesis *h, Around *ret)
{
	g_autofree char *name = history_name_members(s, h);

	ret[0] = (Around){h->members, true, ""};
	ret[1] = (Around){h->members - 1, false, ""};
	g_strlcpy(ret[1].missing, name, sizeof(ret[1].missing));
	return 2;
}

const SearchSpace search_history = {
	.name = "history",
	.setup = setup,
	.free = free_own,
	.begin = begin,
	.end = end,
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
