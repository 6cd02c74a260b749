/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The estimates of effects against truths that are known. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <math.h>

#include "report/effects.h"

enum { A = 1, B = 2, C = 4 };

static void add(GArray *boots, uint64_t variant, guint group, gint phase, double accesses)
{
	EffectsBoot b = {.variant = variant,
			 .group = group,
			 .phase = phase,
			 .values = {accesses > 0, accesses, NAN, NAN}};
	g_array_append_val(boots, b);
}

static GArray *new_boots(void)
{
	return g_array_new(FALSE, FALSE, sizeof(EffectsBoot));
}

static void near(double a, double b, double within)
{
	if (!(fabs(a - b) <= within))
		fail_msg("%g is not %g", a, b);
}

static void test_exact(void **state)
{
	g_autoptr(GArray) boots = new_boots();
	Effect e;
	for (int phase = 0; phase < 4; phase++) {
		add(boots, 0, 0, phase, 100 + 10 * phase);
		add(boots, A, 0, phase, 55 + 5.5 * phase);
		add(boots, B, 0, phase, 100 + 10 * phase);
		add(boots, A | B, 0, phase, 0);
	}
	add(boots, C, 0, 2, 60);  /* one boot: compared at its own phase */
	add(boots, C, 1, 2, 1e6); /* another machine */
	assert_true(effects_agree(boots));
	effects_estimate(boots, 1, EFFECTS_FAULTS, true, &e);
	assert_int_equal(e.pairs, 2);
	assert_true(e.exact);
	/* alone B does nothing, beside A it takes the rest away */
	near(e.least, 0, 0);
	near(e.most, 1, 0);
	near(e.ratio.mean, 115 / (115 + 63.25), 1e-12);
	near(e.ratio.low, e.ratio.mean, 1e-12);
	near(e.ratio.high, e.ratio.mean, 1e-12);
	assert_false(effects_is_none(&e));
	effects_estimate(boots, 2, EFFECTS_FAULTS, true, &e);
	assert_int_equal(e.pairs, 1);
	near(e.without.mean, 120, 0);
	near(e.with.mean, 60, 0);
	near(e.ratio.high, 0.5, 1e-12);
	effects_estimate(boots, 5, EFFECTS_FAULTS, true, &e);
	assert_int_equal(e.pairs, 0);
	assert_true(isnan(e.ratio.mean));
	/* a measure that nobody took */
	effects_estimate(boots, 0, EFFECTS_BLOCKED, true, &e);
	assert_int_equal(e.pairs, 0);
}

static void test_nothing(void **state)
{
	g_autoptr(GArray) boots = new_boots();
	Effect e;
	for (int phase = 0; phase < 4; phase++) {
		add(boots, 0, 0, phase, 343);
		add(boots, A, 0, phase, 343);
		add(boots, B, 0, phase, 0);
		add(boots, A | B, 0, phase, 0);
	}
	effects_estimate(boots, 0, EFFECTS_FAULTS, true, &e);
	assert_true(e.exact && effects_is_none(&e));
	near(e.ratio.mean, 1, 0);
	effects_estimate(boots, 1, EFFECTS_FAULTS, true, &e);
	near(e.ratio.mean, 0, 0);
	near(e.ratio.high, 0, 0);
	assert_false(effects_is_none(&e));
	/* from nothing to nothing */
	g_autoptr(GArray) quiet = new_boots();
	add(quiet, 0, 0, -1, 0);
	add(quiet, A, 0, -1, 0);
	effects_estimate(quiet, 0, EFFECTS_FAULTS, true, &e);
	assert_true(isnan(e.ratio.mean) && effects_is_none(&e));
	add(quiet, A, 0, -1, 1);
	assert_false(effects_agree(quiet));
}

/* Nine of ten boots against one of ten; and too few to tell. */
static void test_rates(void **state)
{
	g_autoptr(GArray) boots = new_boots();
	Effect e;
	for (int i = 0; i < 10; i++) {
		add(boots, 0, 0, -1, i < 9);
		add(boots, A, 0, -1, i < 1);
		if (i < 3)
			add(boots, B, 0, -1, i < 2);
	}
	effects_estimate(boots, 0, EFFECTS_RATE, false, &e);
	near(e.without.mean, 0.9, 1e-12);
	near(e.without.low, 0.5958, 1e-4); /* Wilson's */
	near(e.with.high, 0.4042, 1e-4);
	near(e.ratio.mean, 1.0 / 9, 1e-12);
	assert_true(e.ratio.low > 0 && e.ratio.low < 0.03 && e.ratio.high > 0.3 &&
		    e.ratio.high < 0.6);
	assert_false(effects_is_none(&e));
	effects_estimate(boots, 1, EFFECTS_RATE, false, &e);
	assert_true(effects_is_none(&e));
}

static double uniform(guint64 *seed)
{
	*seed = *seed * 6364136223846793005u + 1442695040888963407u;
	return (double)(*seed >> 11) / 9007199254740992.0;
}

static double normal(guint64 *seed)
{
	double u = uniform(seed), v = uniform(seed);
	return sqrt(-2 * log(u + 1e-300)) * cos(2 * G_PI * v);
}

/* How often the interval of the ratio holds the truth, over many campaigns. */
static double coverage(bool rates, double q0, double q1, int n, int pairs, guint64 seed)
{
	const int runs = 1500;
	int held = 0;
	for (int r = 0; r < runs; r++) {
		g_autoptr(GArray) boots = new_boots();
		Effect e;
		for (int p = 0; p < pairs; p++)
			for (int i = 0; i < n; i++) {
				uint64_t company = (uint64_t)p << 4;
				double x =
					rates ? uniform(&seed) < q0 : q0 + q0 / 5 * normal(&seed);
				double y =
					rates ? uniform(&seed) < q1 : q1 + q0 / 5 * normal(&seed);
				add(boots, company, 0, -1, x);
				add(boots, company | A, 0, -1, y);
			}
		effects_estimate(boots, 0, rates ? EFFECTS_RATE : EFFECTS_FAULTS, false, &e);
		held += (isnan(e.ratio.low) || e.ratio.low <= q1 / q0) &&
			(isnan(e.ratio.high) || e.ratio.high >= q1 / q0);
	}
	return (double)held / runs;
}

static void test_coverage(void **state)
{
	const struct {
		bool rates;
		double q0, q1;
		int n, pairs;
	} cases[] = {
		{true, 0.6, 0.3, 20, 1}, {true, 0.9, 0.9, 8, 3}, {true, 0.3, 0.02, 30, 1},
		{true, 0.5, 0.1, 5, 4},	 {false, 100, 55, 3, 1}, {false, 100, 100, 4, 3},
		{false, 100, 20, 10, 2},
	};
	for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
		double c = coverage(cases[i].rates, cases[i].q0, cases[i].q1, cases[i].n,
				    cases[i].pairs, i + 1);
		/* strata of five boots are too small for the nominal 0.95: docs/measures.md says so
		 */
		if (c < (cases[i].rates && cases[i].n <= 5 ? 0.89 : 0.93))
			fail_msg("case %zu: the truth is in %.3f of the intervals", i, c);
	}
}

/* One boot each in a machine that is never the same: nothing is known of the spread. */
static void test_single_boots(void **state)
{
	g_autoptr(GArray) boots = new_boots();
	Effect e;
	add(boots, 0, 0, -1, 400);
	add(boots, A, 0, -1, 40);
	effects_estimate(boots, 0, EFFECTS_FAULTS, false, &e);
	assert_int_equal(e.pairs, 1);
	assert_false(e.exact);
	near(e.ratio.mean, 0.1, 1e-12);
	assert_true(isnan(e.ratio.high) || e.ratio.high > 1);
	assert_true(effects_is_none(&e));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_exact),	     cmocka_unit_test(test_nothing),
		cmocka_unit_test(test_rates),	     cmocka_unit_test(test_coverage),
		cmocka_unit_test(test_single_boots),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
