/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which variants probably do not build or come up (docs/search.md §3). It steers the choice and
 * nothing else: a variant that cannot be tested is no evidence about the cause.
 */
#include "subsets.h"

#include <math.h>
#include <string.h>

#define POISON_PRIOR 0.03     /* a candidate breaks every variant that it is in */
#define PAIR_PRIOR 0.03	      /* divided by n: so do two that are fine alone */
#define POISON_CLEARED 1e-4   /* the same after some variant with it gave a fault or a clean */
#define LEAK_PERMANENT 0.02   /* a variant does not build for any other reason */
#define LEAK_SPORADIC 0.1     /* one hang, panic or noboot for any other reason, per time */
#define SUPERSET_TESTABLE 0.1 /* per variant that does not build contained in this one */
#define SUPERSET_SPORADIC 0.1 /* the same per hang, panic or noboot of it */
#define SWEEPS 12

/* The poison of pair {i, j}, i < j, or of i alone when i = j. */
static double *slot(const Search *s, guint i, guint j)
{
	SubsetsBelief *b = subsets_belief(s);

	return i == j ? &b->poison[i] : &b->pair_poison[i * s->n + j];
}

/* ln P(nothing in v is poison) */
static double log_fine(const Search *s, SearchMask v)
{
	const double *log = subsets_belief(s)->log_fine;
	double sum = 0;

	for (SearchMask a = v; a; a &= a - 1) {
		const double *row = &log[__builtin_ctzll(a) * s->n];

		for (SearchMask b = a; b; b &= b - 1)
			sum += row[__builtin_ctzll(b)];
	}
	return sum;
}

/*
 * One sweep of belief propagation over the OR-constraints 'something in U is poison' (§3.1): the
 * odds of each suspect are multiplied by P(U fails | poison) / P(U fails | not poison).
 */
static void sweep(Search *s, const bool *cleared, double *odds)
{
	for (guint i = 0; i < s->n; i++) {
		for (guint j = i; j < s->n; j++) {
			double prior = i == j ? POISON_PRIOR : PAIR_PRIOR / s->n;

			odds[i * s->n + j] = prior / (1 - prior);
		}
	}
	for (guint k = 0; k < s->records->len; k++) {
		const Record *v = &g_array_index(s->records, Record, k);
		double leak = v->permanent ? LEAK_PERMANENT : pow(LEAK_SPORADIC, v->sporadic);
		double fine;

		if (!record_failed(v))
			continue;
		fine = log_fine(s, v->variant);
		for (SearchMask a = v->variant; a; a &= a - 1) {
			guint i = __builtin_ctzll(a);

			for (SearchMask b = a; b; b &= b - 1) {
				guint j = __builtin_ctzll(b);
				double others = exp(fine - log1p(-*slot(s, i, j)));

				odds[i * s->n + j] /= 1 - (1 - leak) * MIN(others, 1);
			}
		}
	}
	for (guint i = 0; i < s->n; i++) {
		for (guint j = i; j < s->n; j++) {
			double *p = slot(s, i, j), o = odds[i * s->n + j];

			if (!cleared[i * s->n + j])
				*p = MIN((*p + o / (1 + o)) / 2, 0.9999);
		}
	}
}

/* What untestable() sums for each variant that is considered. */
static void keep_logs(Search *s)
{
	SubsetsBelief *b = subsets_belief(s);

	for (guint i = 0; i < s->n; i++) {
		for (guint j = i; j < s->n; j++)
			b->log_fine[i * s->n + j] = log1p(-*slot(s, i, j));
	}
}

void subsets_testable_update(Search *s)
{
	g_autofree bool *cleared = g_new0(bool, (gsize)s->n * s->n);
	g_autofree double *odds = g_new0(double, (gsize)s->n * s->n);
	guint failed = 0;

	for (guint k = 0; k < s->records->len; k++) {
		const Record *v = &g_array_index(s->records, Record, k);

		failed += record_failed(v);
		if (!record_tested(v))
			continue;
		for (SearchMask a = v->variant; a; a &= a - 1) {
			for (SearchMask b = a; b; b &= b - 1)
				cleared[__builtin_ctzll(a) * s->n + __builtin_ctzll(b)] = true;
		}
	}
	for (guint i = 0; i < s->n; i++) {
		for (guint j = i; j < s->n; j++) {
			double prior = i == j ? POISON_PRIOR : PAIR_PRIOR / s->n;

			*slot(s, i, j) = cleared[i * s->n + j] ? POISON_CLEARED * prior : prior;
			if (i == j && cleared[i * s->n + i])
				*slot(s, i, i) = POISON_CLEARED;
		}
	}
	for (guint k = 0; failed && k < SWEEPS; k++) {
		keep_logs(s);
		sweep(s, cleared, odds);
	}
	keep_logs(s);
}

/* P(v cannot be tested) of §3.2. */
double subsets_untestable(Search *s, SearchVariant variant)
{
	double testable = 1;

	for (guint k = 0; k < s->records->len; k++) {
		const Record *v = &g_array_index(s->records, Record, k);

		if (record_failed(v) && (v->variant & variant) == v->variant)
			testable *= v->permanent ? SUPERSET_TESTABLE
						 : pow(SUPERSET_SPORADIC, v->sporadic);
	}
	return 1 - MIN(testable, exp(log_fine(s, variant)));
}

/* The variant of one candidate, or of two that are not suspect by themselves. */
bool subsets_is_smallest(Search *s, SearchVariant variant)
{
	for (SearchMask a = variant; a; a &= a - 1) {
		guint i = __builtin_ctzll(a);

		for (SearchMask b = a; b; b &= b - 1) {
			guint j = __builtin_ctzll(b);

			if ((subsets(s)->closure_of[i] | subsets(s)->closure_of[j]) == variant &&
			    (i == j || (*slot(s, i, i) < 0.5 && *slot(s, j, j) < 0.5)))
				return true;
		}
	}
	return false;
}
