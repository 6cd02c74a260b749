/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The problem as given: dependencies, conflicts, and the hypotheses they allow (docs/search.md §1).
 */
#include "subsets.h"

#include <math.h>
#include <string.h>

/* Prior shares before normalising over the kinds in use (§1.3): by size, and of two candidates that
 * are each enough. */
static const double size_share[SEARCH_MAX_SIZE + 1] = {0, 0.40, 0.33, 0.22};
#define EITHER_SHARE 0.05

static void close_dependencies(Subsets *own, const SearchMask *depends)
{
	bool changed = true;

	for (guint i = 0; i < own->n; i++)
		own->closure_of[i] = ((SearchMask)1 << i) | (depends ? depends[i] : 0);
	while (changed) {
		changed = false;
		for (guint i = 0; i < own->n; i++) {
			SearchMask wider = subsets_closure(own, own->closure_of[i]);

			changed |= wider != own->closure_of[i];
			own->closure_of[i] = wider;
		}
	}
	for (guint i = 0; i < own->n; i++) {
		for (guint j = 0; j < own->n; j++) {
			if (own->closure_of[j] >> i & 1)
				own->dependents_of[i] |= (SearchMask)1 << j;
		}
	}
}

typedef struct {
	const SearchProblem *problem;
	Subsets *own;
	GArray *sets, *weights;
	GHashTable *seen; /* closures */
} Enumeration;

static double weight_of(const Enumeration *en, SearchMask members)
{
	double w = 1;

	for (SearchMask rest = members; rest && en->problem->weights; rest &= rest - 1)
		w *= en->problem->weights[__builtin_ctzll(rest)];
	return w;
}

static void add(Enumeration *en, Set set)
{
	double w = weight_of(en, set.members);

	g_array_append_val(en->sets, set);
	g_array_append_val(en->weights, w);
}

/*
 * Smaller sets come first. So of the sets with one closure, which no variant tells apart, the one
 * that stays has no member that another one needs.
 */
static void add_set(Enumeration *en, SearchMask members)
{
	SearchMask closure = subsets_closure(en->own, members);
	Set set = {SEARCH_H_SET, members, closure, closure};

	if (!subsets_valid(en->own, closure))
		return;
	if (!g_hash_table_add(en->seen, g_memdup2(&closure, sizeof(closure))))
		return;
	add(en, set);
}

/* Two candidates of which each is enough; not when one needs the other, for then only that one
 * counts. */
static void add_either(Enumeration *en, guint a, guint b)
{
	SearchMask ca = en->own->closure_of[a], cb = en->own->closure_of[b];
	Set set = {SEARCH_H_EITHER, (SearchMask)1 << a | (SearchMask)1 << b, ca, cb};

	if (subsets_valid(en->own, ca) && subsets_valid(en->own, cb) && (ca & cb) != ca &&
	    (ca & cb) != cb)
		add(en, set);
}

/* Prior of §1.3: shares by kind and size, within them by the product of the weights. */
static void set_priors(const Search *s, Enumeration *en)
{
	double sum[SEARCH_MAX_SIZE + 1] = {0}, shares = 0;

	for (guint i = 0; i < en->sets->len; i++) {
		const Set *set = &g_array_index(en->sets, Set, i);
		guint k = set->kind == SEARCH_H_EITHER ? 0 : __builtin_popcountll(set->members);

		sum[k] += g_array_index(en->weights, double, i);
	}
	for (guint k = 0; k <= SEARCH_MAX_SIZE; k++)
		shares += sum[k] > 0 ? (k ? size_share[k] : EITHER_SHARE) : 0;
	for (guint i = 0; i < en->sets->len; i++) {
		const Set *set = &g_array_index(en->sets, Set, i);
		guint k = set->kind == SEARCH_H_EITHER ? 0 : __builtin_popcountll(set->members);
		double share = k ? size_share[k] : EITHER_SHARE;

		g_array_index(en->weights, double, i) *=
			share / shares / sum[k] * (1 - s->prior_none - s->prior_empty);
	}
}

static void enumerate(Enumeration *en, guint max_size)
{
	guint n = en->own->n;

	for (guint a = 0; a < n; a++)
		add_set(en, (SearchMask)1 << a);
	for (guint a = 0; a < n && max_size >= 2; a++) {
		for (guint b = a + 1; b < n; b++)
			add_set(en, (SearchMask)1 << a | (SearchMask)1 << b);
	}
	for (guint a = 0; a < n && max_size >= 3; a++) {
		for (guint b = a + 1; b < n; b++) {
			for (guint c = b + 1; c < n; c++)
				add_set(en, (SearchMask)1 << a | (SearchMask)1 << b |
						    (SearchMask)1 << c);
		}
	}
	for (guint a = 0; a < n && !en->problem->no_either; a++) {
		for (guint b = a + 1; b < n; b++)
			add_either(en, a, b);
	}
}

static bool check(const SearchProblem *p, GError **error)
{
	const char *what = NULL;

	if (p->n > SEARCH_MAX_CANDIDATES)
		what = "the number of candidates must be 1 to 64";
	else if (p->max_size > SEARCH_MAX_SIZE)
		what = "the largest set looked for has 1 to 3 members";
	for (guint i = 0; !what && i < p->n_conflicts; i++) {
		if (p->conflicts[i] == 0)
			what = "a conflict names no candidate";
	}
	for (guint i = 0; !what && p->depends && i < p->n; i++) {
		if (p->n < 64 && p->depends[i] >> p->n)
			what = "a candidate depends on one that is not there";
	}
	if (what)
		g_set_error_literal(error, SEARCH_ERROR, 0, what);
	return !what;
}

bool subsets_setup(Search *s, const SearchProblem *p, GError **error)
{
	Subsets *own;
	Enumeration en = {.problem = p};

	if (!check(p, error))
		return false;
	s->own = own = g_new0(Subsets, 1);
	own->n = p->n;
	own->all = p->n == 64 ? ~(SearchMask)0 : ((SearchMask)1 << p->n) - 1;
	own->conflicts = g_memdup2(p->conflicts, p->n_conflicts * sizeof(SearchMask));
	own->n_conflicts = p->n_conflicts;
	close_dependencies(own, p->depends);
	en.own = own;
	en.sets = g_array_new(FALSE, FALSE, sizeof(Set));
	en.weights = g_array_new(FALSE, FALSE, sizeof(double));
	en.seen = g_hash_table_new_full(g_int64_hash, g_int64_equal, g_free, NULL);
	enumerate(&en, MIN(p->max_size ? p->max_size : SEARCH_MAX_SIZE, p->n));
	set_priors(s, &en);
	g_hash_table_unref(en.seen);
	s->n_h = own->n_sets = en.sets->len;
	for (guint i = 0; i < own->n; i++)
		own->single[i] = G_MAXUINT;
	for (guint h = 0; h < own->n_sets; h++) {
		const Set *set = &g_array_index(en.sets, Set, h);

		if (set->kind == SEARCH_H_SET && __builtin_popcountll(set->members) == 1)
			own->single[__builtin_ctzll(set->members)] = h;
	}
	own->sets = (Set *)(void *)g_array_free(en.sets, FALSE);
	own->prior = (double *)(void *)g_array_free(en.weights, FALSE);
	if (own->n_sets)
		return true;
	g_set_error(error, SEARCH_ERROR, 0,
		    "no candidate can be applied: each conflicts with what it depends on");
	return false;
}
