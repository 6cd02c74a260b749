/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The space of sets of candidates (docs/search.md §1): what its files share. */
#pragma once

#include "explicit.h"

/* A hypothesis: the cause is in a variant that holds `closure`, or that holds `other`. */
typedef struct {
	SearchHypothesisKind kind; /* SET or EITHER */
	SearchMask members;
	SearchMask closure, other; /* the same but for EITHER */
} Set;

/* Of the problem. */
typedef struct {
	guint n;
	SearchMask all;
	SearchMask closure_of[SEARCH_MAX_CANDIDATES];	 /* i and all it needs */
	SearchMask dependents_of[SEARCH_MAX_CANDIDATES]; /* i and all that need it */
	SearchMask *conflicts;
	guint n_conflicts;
	guint n_sets;
	Set *sets;			     /* SET by size, then EITHER */
	guint single[SEARCH_MAX_CANDIDATES]; /* index of the hypothesis {i}; G_MAXUINT: none */
	double *prior;			     /* n_sets */
} Subsets;

/* Of the observations. */
typedef struct {
	Explicit *x;
	double poison[SEARCH_MAX_CANDIDATES];
	double *pair_poison; /* n × n, i < j */
	double *log_fine;    /* n × n, i <= j: ln(1 - poison) */
} SubsetsBelief;

static inline const Subsets *subsets(const Search *s)
{
	return s->own;
}

static inline SubsetsBelief *subsets_belief(const Search *s)
{
	return s->belief;
}

/* subsets.c */
SearchMask subsets_closure(const Subsets *own, SearchMask set);
bool subsets_valid(const Subsets *own, SearchMask v);
SearchMask subsets_add(const Subsets *own, SearchMask v, guint i);    /* with what i needs */
SearchMask subsets_remove(const Subsets *own, SearchMask v, guint i); /* with what needs i */
/* subsets_setup.c: dependencies, conflicts and the hypotheses that they allow */
bool subsets_setup(Search *s, const SearchProblem *p, GError **error);
/* subsets_testable.c: §3 */
void subsets_testable_update(Search *s);
double subsets_untestable(Search *s, SearchVariant v);
bool subsets_is_smallest(Search *s, SearchVariant v);
/* subsets_pool.c: §4.3 */
GArray *subsets_pool(Search *s, const SearchCosts *costs);
SearchMask subsets_maximal(const Subsets *own, const guint *order);
void subsets_by_marginal(const Search *s, guint *ret_order);
double subsets_marginal(const Search *s, guint i);
