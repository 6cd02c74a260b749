/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Variants worth a thought: where the choice starts from (docs/search.md §4.3). */
#include "subsets.h"

#define TOP_HYPOTHESES 24
#define RANDOM_VARIANTS 40
#define RANDOM_ORDERS 6

static void add(const Subsets *own, GArray *pool, SearchMask v)
{
	if (subsets_valid(own, v))
		g_array_append_val(pool, v);
}

/* Adds candidates in this order, each with what it needs, as long as the variant stays valid. */
SearchMask subsets_maximal(const Subsets *own, const guint *order)
{
	SearchMask v = 0;

	for (guint k = 0; k < own->n; k++) {
		SearchMask wider = subsets_add(own, v, order[k]);

		if (subsets_valid(own, wider))
			v = wider;
	}
	return v;
}

static void marginals(const Search *s, double *ret)
{
	const Explicit *x = subsets_belief(s)->x;

	for (guint i = 0; i < s->n; i++)
		ret[i] = 0;
	for (guint h = 0; h < x->n; h++) {
		for (SearchMask rest = subsets(s)->sets[h].members; rest; rest &= rest - 1)
			ret[__builtin_ctzll(rest)] += x->p[h];
	}
}

double subsets_marginal(const Search *s, guint i)
{
	double all[SEARCH_MAX_CANDIDATES];

	marginals(s, all);
	return all[i];
}

/* Candidates by how probably they are in the cause, most probable first; ties by index. */
void subsets_by_marginal(const Search *s, guint *ret_order)
{
	double marginal[SEARCH_MAX_CANDIDATES];

	marginals(s, marginal);
	for (guint i = 0; i < s->n; i++) {
		guint at = i;

		for (; at > 0 && marginal[ret_order[at - 1]] < marginal[i] - 1e-12; at--)
			ret_order[at] = ret_order[at - 1];
		ret_order[at] = i;
	}
}

/* The k most probable candidates, for each k, and everything without them. */
static void add_prefixes(const Subsets *own, GArray *pool, const guint *order, SearchMask most)
{
	SearchMask v = 0, rest = most;

	for (guint k = 0; k < own->n; k++) {
		SearchMask wider = subsets_add(own, v, order[k]);

		if (subsets_valid(own, wider))
			v = wider;
		rest = subsets_remove(own, rest, order[k]);
		add(own, pool, v);
		add(own, pool, rest);
	}
}

/* Of the leading hypotheses: the set alone, it without one member, and all else without one member.
 */
static void add_neighbours(const Search *s, GArray *pool, SearchMask most)
{
	const Subsets *own = subsets(s);
	guint top[TOP_HYPOTHESES];
	guint len = explicit_top(subsets_belief(s)->x, TOP_HYPOTHESES, top);

	for (guint k = 0; k < len; k++) {
		const Set *set = &own->sets[top[k]];
		SearchMask closure = subsets_closure(own, set->members);

		add(own, pool, closure);
		add(own, pool, set->closure);
		add(own, pool, set->other);
		for (SearchMask rest = set->members; rest; rest &= rest - 1) {
			guint i = __builtin_ctzll(rest);

			add(own, pool, subsets_remove(own, closure, i));
			add(own, pool, subsets_remove(own, most, i));
		}
	}
}

static void shuffle(guint *order, guint n, guint64 *state)
{
	for (guint i = n; i > 1; i--) {
		guint j = (guint)(rng_uniform(state) * i);
		guint held = order[i - 1];

		order[i - 1] = order[j];
		order[j] = held;
	}
}

/* The same for every call: the seed, and not the history, decides. */
static void add_random(const Search *s, GArray *pool)
{
	static const double share[] = {0.25, 0.5, 0.7, 0.8, 0.9};
	const Subsets *own = subsets(s);
	guint64 state = rng_hash(s->seed, 0x76617269616e7473);
	guint order[SEARCH_MAX_CANDIDATES];

	for (guint i = 0; i < s->n; i++)
		order[i] = i;
	for (guint k = 0; k < RANDOM_ORDERS; k++) {
		shuffle(order, s->n, &state);
		add(own, pool, subsets_maximal(own, order));
	}
	for (guint k = 0; k < RANDOM_VARIANTS; k++) {
		SearchMask v = 0;

		shuffle(order, s->n, &state);
		for (guint i = 0; i < s->n; i++) {
			SearchMask wider = subsets_add(own, v, order[i]);

			if (rng_uniform(&state) < share[k % G_N_ELEMENTS(share)] &&
			    subsets_valid(own, wider))
				v = wider;
		}
		add(own, pool, v);
	}
}

static gint by_mask(gconstpointer a, gconstpointer b)
{
	SearchMask x = *(const SearchMask *)a, y = *(const SearchMask *)b;

	return x < y ? -1 : x > y;
}

static void sort_once(GArray *pool)
{
	guint kept = 0;

	g_array_sort(pool, by_mask);
	for (guint k = 0; k < pool->len; k++) {
		SearchMask v = g_array_index(pool, SearchMask, k);

		if (kept == 0 || g_array_index(pool, SearchMask, kept - 1) != v)
			g_array_index(pool, SearchMask, kept++) = v;
	}
	g_array_set_size(pool, kept);
}

GArray *subsets_pool(Search *s, const SearchCosts *costs)
{
	const Subsets *own = subsets(s);
	GArray *pool = g_array_new(FALSE, FALSE, sizeof(SearchMask));
	guint order[SEARCH_MAX_CANDIDATES], backward[SEARCH_MAX_CANDIDATES];
	SearchMask most;

	subsets_by_marginal(s, order);
	for (guint i = 0; i < s->n; i++)
		backward[i] = order[s->n - 1 - i];
	most = subsets_maximal(own, order);
	add(own, pool, 0);
	add(own, pool, most);
	add(own, pool, subsets_maximal(own, backward));
	for (guint k = 0; k < s->records->len; k++)
		add(own, pool, g_array_index(s->records, Record, k).variant);
	for (guint k = 0; costs && k < costs->n_built; k++)
		add(own, pool, costs->built[k]);
	add_prefixes(own, pool, order, most);
	add_neighbours(s, pool, most);
	add_random(s, pool);
	sort_once(pool);
	return pool;
}
