/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which variants probably do not build or come up (docs/search.md §3). It steers the choice and
 * nothing else: a variant that cannot be tested is no evidence about the cause.
 */
#include "search-internal.h"

#include <math.h>
#include <string.h>

#define POISON_PRIOR 0.03     /* a candidate breaks every variant that it is in */
#define PAIR_PRIOR 0.03	      /* divided by n: so do two that are fine alone */
#define POISON_CLEARED 1e-4   /* the same after some variant with it gave a fault or a clean */
#define LEAK_PERMANENT 0.02   /* a variant does not build for any other reason */
#define LEAK_SPORADIC 0.1     /* one hang, panic or noboot for any other reason, per time */
#define SUPERSET_TESTABLE 0.1 /* per variant that does not build contained in this one */
#define SUPERSET_SPORADIC 0.1 /* the same per hang, panic or noboot of it */
#define SPORADIC_MAX 3	      /* then a variant that never gave an outcome is given up */
#define SWEEPS 12
#define UNTESTABLE_MAX 0.98

static guint total(const guint *counts)
{
	guint sum = 0;

	for (guint i = 0; i < BOOT_KINDS; i++)
		sum += counts[i];
	return sum;
}

guint variant_faults(const Variant *v)
{
	return total(v->faults);
}

guint variant_cleans(const Variant *v)
{
	return total(v->cleans);
}

static bool was_tested(const Variant *v)
{
	return variant_faults(v) + variant_cleans(v) > 0;
}

static bool only_failed(const Variant *v)
{
	return !was_tested(v) && v->permanent + v->sporadic > 0;
}

const Variant *variant_find(const Search *s, SearchMask mask)
{
	for (guint k = 0; k < s->variants->len; k++) {
		const Variant *v = &g_array_index(s->variants, Variant, k);

		if (v->mask == mask)
			return v;
	}
	return NULL;
}

bool variant_given_up(const Search *s, SearchMask mask)
{
	const Variant *v = variant_find(s, mask);

	return v && (v->permanent > 0 || v->sporadic >= SPORADIC_MAX) && !was_tested(v);
}

/* The poison of pair {i, j}, i < j, or of i alone when i = j. */
static double *slot(Search *s, guint i, guint j)
{
	return i == j ? &s->poison[i] : &s->pair_poison[i * s->n + j];
}

static double log_fine(const Search *s, SearchMask v)
{
	double sum = 0;

	for (SearchMask a = v; a; a &= a - 1) {
		guint i = __builtin_ctzll(a);

		sum += log1p(-s->poison[i]);
		for (SearchMask b = a & (a - 1); b; b &= b - 1)
			sum += log1p(-s->pair_poison[i * s->n + __builtin_ctzll(b)]);
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
	for (guint k = 0; k < s->variants->len; k++) {
		const Variant *v = &g_array_index(s->variants, Variant, k);
		double leak = v->permanent ? LEAK_PERMANENT : pow(LEAK_SPORADIC, v->sporadic);
		double fine;

		if (!only_failed(v))
			continue;
		fine = log_fine(s, v->mask);
		for (SearchMask a = v->mask; a; a &= a - 1) {
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

void testable_update(Search *s)
{
	g_autofree bool *cleared = g_new0(bool, (gsize)s->n * s->n);
	g_autofree double *odds = g_new0(double, (gsize)s->n * s->n);
	guint failed = 0;

	for (guint k = 0; k < s->variants->len; k++) {
		const Variant *v = &g_array_index(s->variants, Variant, k);

		failed += only_failed(v);
		if (!was_tested(v))
			continue;
		for (SearchMask a = v->mask; a; a &= a - 1) {
			for (SearchMask b = a; b; b &= b - 1)
				cleared[__builtin_ctzll(a) * s->n + __builtin_ctzll(b)] = true;
		}
	}
	for (guint i = 0; i < s->n; i++) {
		for (guint j = i; j < s->n; j++) {
			double prior = i == j ? POISON_PRIOR : PAIR_PRIOR / s->n;

			*slot(s, i, j) = cleared[i * s->n + j] ? POISON_CLEARED * prior : prior;
			if (i == j && cleared[i * s->n + i])
				s->poison[i] = POISON_CLEARED;
		}
	}
	for (guint k = 0; failed && k < SWEEPS; k++)
		sweep(s, cleared, odds);
}

/* P(v cannot be tested) of §3.2. */
double search_untestable(Search *s, SearchMask variant)
{
	const Variant *own = variant_find(s, variant);
	double testable = 1;

	posterior_update(s);
	if (variant_given_up(s, variant))
		return 1;
	if (own && was_tested(own)) {
		double trials = variant_faults(own) + variant_cleans(own);

		return own->sporadic / (trials + own->sporadic + 1);
	}
	for (guint k = 0; k < s->variants->len; k++) {
		const Variant *v = &g_array_index(s->variants, Variant, k);

		if (only_failed(v) && (v->mask & variant) == v->mask)
			testable *= v->permanent ? SUPERSET_TESTABLE
						 : pow(SUPERSET_SPORADIC, v->sporadic);
	}
	return 1 - MIN(testable, exp(log_fine(s, variant)));
}

/* The variant of one candidate, or of two that are not suspect by themselves. */
static bool is_smallest(const Search *s, SearchMask variant)
{
	for (SearchMask a = variant; a; a &= a - 1) {
		guint i = __builtin_ctzll(a);

		for (SearchMask b = a; b; b &= b - 1) {
			guint j = __builtin_ctzll(b);

			if ((s->closure_of[i] | s->closure_of[j]) == variant &&
			    (i == j || (s->poison[i] < 0.5 && s->poison[j] < 0.5)))
				return true;
		}
	}
	return false;
}

/*
 * §3.3: whether to stop trying. Suspicion alone is not enough, or a candidate that was only ever
 * tried in bad company would be lost: the smallest variant that holds it is tried once by itself.
 */
bool variant_is_hopeless(Search *s, SearchMask variant)
{
	if (variant_given_up(s, variant))
		return true;
	if (search_untestable(s, variant) <= UNTESTABLE_MAX)
		return false;
	for (guint k = 0; k < s->variants->len; k++) {
		SearchMask part = g_array_index(s->variants, Variant, k).mask;

		if ((part & variant) == part && variant_given_up(s, part))
			return true;
	}
	return !is_smallest(s, variant);
}

double search_poison(Search *s, guint i)
{
	g_return_val_if_fail(i < s->n, 0);
	posterior_update(s);
	return s->poison[i];
}
