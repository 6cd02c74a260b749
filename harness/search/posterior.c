/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The posterior of the hypotheses, class by class (docs/search.md §2.4). */
#include "search-internal.h"

#include <math.h>

const Class *class_at(const Search *s, guint k)
{
	return &g_array_index(s->classes, Class, k);
}

const Class *leader_class(const Search *s)
{
	return class_at(s, s->leader_class);
}

/* P(class | data) ∝ its prior × L(class). */
static void weigh_classes(Search *s, guint64 faults, guint64 cleans)
{
	Class *c = (Class *)(void *)s->classes->data;
	double top = -HUGE_VAL, sum = 0;

	for (guint k = 0; k < s->classes->len; k++) {
		if (c[k].prior <= 0) {
			c[k].log_likelihood = -HUGE_VAL;
			continue;
		}
		class_compute(s, faults - c[k].bad_faults, cleans - c[k].bad_cleans, &c[k]);
		top = MAX(top, c[k].log_likelihood);
	}
	for (guint k = 0; k < s->classes->len; k++) {
		c[k].mass = c[k].prior > 0 ? c[k].prior * exp(c[k].log_likelihood - top) : 0;
		sum += c[k].mass;
	}
	for (guint k = 0; k < s->classes->len; k++)
		c[k].mass /= sum;
}

/* NONE and EMPTY (§1.1): the cause is in no variant, or in every one. */
static void classify_ends(Search *s, guint64 faults, guint64 cleans)
{
	bool causes = s->effect == SEARCH_CAUSES;
	Class none = {.prior = s->prior_none, .has = NEVER},
	      empty = {.prior = s->prior_empty, .has = ALWAYS};
	Class *bad = causes ? &empty : &none;

	bad->bad_faults = faults;
	bad->bad_cleans = cleans;
	g_array_append_val(s->classes, none);
	g_array_append_val(s->classes, empty);
}

/* The posterior of the classes with one prior of the rates. */
static void believe(Search *s, const Grid *grid, guint64 faults, guint64 cleans)
{
	s->grid = grid;
	weigh_classes(s, faults, cleans);
	s->leader = (SearchHypothesis){SEARCH_H_NONE, 0, class_at(s, CLASS_NONE)->mass};
	s->leader_class = CLASS_NONE;
	if (class_at(s, CLASS_EMPTY)->mass > s->leader.probability) {
		s->leader = (SearchHypothesis){SEARCH_H_EMPTY, 0, class_at(s, CLASS_EMPTY)->mass};
		s->leader_class = CLASS_EMPTY;
	}
	s->space->settle(s);
}

/*
 * §2.2: it searches with a prior that thinks well of 'every boot faults', and once that is sure of
 * something, asks the one that does not: a claim, and what is still to do for it, come from there.
 */
void posterior_update(Search *s)
{
	guint64 faults = 0, cleans = 0;

	if (!s->stale)
		return;
	for (guint k = 0; k < s->records->len; k++) {
		const Record *r = &g_array_index(s->records, Record, k);

		faults += record_faults(r);
		cleans += record_cleans(r);
	}
	s->all_faults = faults;
	g_array_set_size(s->classes, 0);
	classify_ends(s, faults, cleans);
	s->space->classify(s);
	s->space->testable_update(s);
	believe(s, s->eager, faults, cleans);
	if (s->told_q == 0 && s->leader.probability >= s->confidence)
		believe(s, s->sober, faults, cleans);
	s->stale = false;
}

static gint by_probability(gconstpointer a, gconstpointer b)
{
	const SearchHypothesis *x = a, *y = b;

	if (x->probability != y->probability)
		return x->probability > y->probability ? -1 : 1;
	if (x->kind != y->kind)
		return x->kind < y->kind ? -1 : 1;
	return x->members < y->members ? -1 : x->members > y->members;
}

SearchHypothesis *search_ranking(Search *s, guint max, guint *ret_len)
{
	GArray *out = g_array_new(FALSE, TRUE, sizeof(SearchHypothesis));
	SearchHypothesis none = {SEARCH_H_NONE, 0, 0}, empty = {SEARCH_H_EMPTY, 0, 0};

	posterior_update(s);
	none.probability = class_at(s, CLASS_NONE)->mass;
	empty.probability = class_at(s, CLASS_EMPTY)->mass;
	g_array_append_val(out, none);
	g_array_append_val(out, empty);
	s->space->ranked(s, max, out);
	g_array_sort(out, by_probability);
	*ret_len = MIN(max, out->len);
	return (SearchHypothesis *)(void *)g_array_free(out, FALSE);
}

double search_marginal(Search *s, guint i)
{
	g_return_val_if_fail(i < s->n, 0);
	posterior_update(s);
	return s->space->marginal(s, i);
}

double search_entropy(Search *s)
{
	double sum;

	posterior_update(s);
	sum = s->space->entropy(s);
	for (guint k = CLASS_NONE; k <= CLASS_EMPTY; k++) {
		double p = class_at(s, k)->mass;

		sum -= p > 0 ? p * log2(p) : 0;
	}
	return sum;
}

guint search_n_hypotheses(const Search *s)
{
	return s->n_h + 2;
}
