/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The space of a range of commits, or of any path (docs/search.md §1.4): what its files share. In a
 * line the hypotheses fall into intervals between tested positions, so nothing costs more for a
 * longer path; with merges each commit is kept by itself. */
#pragma once

#include "explicit.h"

/* history.c: the same for lines and graphs */
double history_untestable(Search *s, SearchVariant v);
double history_poison(Search *s, guint i);
bool history_is_smallest(Search *s, SearchVariant v);
bool history_is_variant(const Search *s, SearchVariant v);
SearchVariant history_everything(const Search *s);
SearchVariant history_realise(const Search *s, SearchMask members);
bool history_substitute(Search *s, const SearchHypothesis *h, Around *a);
char *history_name_variant(const Search *s, SearchVariant v);
char *history_name_members(const Search *s, const SearchHypothesis *h);
char *history_name_suspects(Search *s);
void history_testable_update(Search *s);
/* Sorts positions and keeps each once. */
void history_sort_once(GArray *pool);
/* Adds what was observed and what is built. */
void history_add_known(const Search *s, const SearchCosts *costs, GArray *pool);
/* P(commit i is the cause), i = 1..n at ret[i - 1]. */
void history_prior(const Search *s, const SearchProblem *p, double *ret);

/* history_graph.c */
extern const SearchSpace history_graph;
