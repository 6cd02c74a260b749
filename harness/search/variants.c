/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Variants worth a thought: where the choice starts from (docs/search.md §4.3). */
#include "search-internal.h"

#define TOP_HYPOTHESES 24
#define RANDOM_VARIANTS 40
#define RANDOM_ORDERS 6

static void add(const Search *s, GArray *pool, SearchMask v)
{
	if (search_is_valid(s, v))
		g_array_append_val(pool, v);
}

/* Adds candidates in this order, each with what it needs, as long as the variant stays valid. */
SearchMask variant_maximal(const Search *s, const guint *order)
{
	SearchMask v = 0;

	for (guint k = 0; k < s->n; k++) {
		SearchMask wider = variant_add(s, v, order[k]);

		if (search_is_valid(s, wider))
			v = wider;
	}
	return v;
}

/* Candidates by how probably they are in the cause, most probable first; ties by index. */
void order_by_marginal(Search *s, guint *ret_order)
{
	double marginal[SEARCH_MAX_CANDIDATES] = {0};

	posterior_update(s);
	for (guint k = 0; k < s->n_h; k++) {
		for (SearchMask rest = s->h[k].members; rest; rest &= rest - 1)
			marginal[__builtin_ctzll(rest)] += s->p[k];
	}
	for (guint i = 0; i < s->n; i++) {
		guint at = i;

		for (; at > 0 && marginal[ret_order[at - 1]] < marginal[i] - 1e-12; at--)
			ret_order[at] = ret_order[at - 1];
		ret_order[at] = i;
	}
}

/* The k most probable candidates, for each k, and everything without them. */
static void add_prefixes(const Search *s, GArray *pool, const guint *order, SearchMask most)
{
	SearchMask v = 0, rest = most;

	for (guint k = 0; k < s->n; k++) {
		SearchMask wider = variant_add(s, v, order[k]);

		if (search_is_valid(s, wider))
			v = wider;
		rest = variant_remove(s, rest, order[k]);
		add(s, pool, v);
		add(s, pool, rest);
	}
}

/* Of the leading hypotheses: the set alone, it without one member, and all else without one member.
 */
static void add_neighbours(Search *s, GArray *pool, SearchMask most)
{
	guint len;
	g_autofree SearchHypothesis *top = search_ranking(s, TOP_HYPOTHESES, &len);

	for (guint k = 0; k < len; k++) {
		SearchMask closure = search_closure(s, top[k].members);

		add(s, pool, closure);
		for (SearchMask rest = top[k].members; rest; rest &= rest - 1) {
			guint i = __builtin_ctzll(rest);

			add(s, pool, variant_remove(s, closure, i));
			add(s, pool, variant_remove(s, most, i));
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
	guint64 state = rng_hash(s->seed, 0x76617269616e7473);
	guint order[SEARCH_MAX_CANDIDATES];

	for (guint i = 0; i < s->n; i++)
		order[i] = i;
	for (guint k = 0; k < RANDOM_ORDERS; k++) {
		shuffle(order, s->n, &state);
		add(s, pool, variant_maximal(s, order));
	}
	for (guint k = 0; k < RANDOM_VARIANTS; k++) {
		SearchMask v = 0;

		shuffle(order, s->n, &state);
		for (guint i = 0; i < s->n; i++) {
			SearchMask wider = variant_add(s, v, order[i]);

			if (rng_uniform(&state) < share[k % G_N_ELEMENTS(share)] &&
			    search_is_valid(s, wider))
				v = wider;
		}
		add(s, pool, v);
	}
}

static int by_mask(const void *a, const void *b)
{
	SearchMask x = *(const SearchMask *)a, y = *(const SearchMask *)b;

	return x < y ? -1 : x > y;
}

GArray *variants_worth_trying(Search *s, const SearchCosts *costs)
{
	GArray *pool = g_array_new(FALSE, FALSE, sizeof(SearchMask));
	guint order[SEARCH_MAX_CANDIDATES], backward[SEARCH_MAX_CANDIDATES], kept = 0;
	SearchMask most;

	order_by_marginal(s, order);
	for (guint i = 0; i < s->n; i++)
		backward[i] = order[s->n - 1 - i];
	most = variant_maximal(s, order);
	add(s, pool, 0);
	add(s, pool, most);
	add(s, pool, variant_maximal(s, backward));
	for (guint k = 0; k < s->variants->len; k++)
		add(s, pool, g_array_index(s->variants, Variant, k).mask);
	for (guint k = 0; costs && k < costs->n_built; k++)
		add(s, pool, costs->built[k]);
	add_prefixes(s, pool, order, most);
	add_neighbours(s, pool, most);
	add_random(s, pool);
	g_array_sort(pool, by_mask);
	for (guint k = 0; k < pool->len; k++) {
		SearchMask v = g_array_index(pool, SearchMask, k);

		if (kept == 0 || g_array_index(pool, SearchMask, kept - 1) != v)
			g_array_index(pool, SearchMask, kept++) = v;
	}
	g_array_set_size(pool, kept);
	return pool;
}
