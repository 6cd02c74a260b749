/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The model by itself: hypotheses, posterior against plain enumeration, stopping rule, bad input.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <math.h>
#include <string.h>

#include "search/search-internal.h"

#define BIT(i) ((SearchMask)1 << (i))

static Search *make(const SearchProblem *p)
{
	GError *error = NULL;
	Search *s = search_new(p, &error);

	assert_null(error);
	assert_non_null(s);
	return s;
}

static double probability(Search *s, SearchHypothesisKind kind, SearchMask members)
{
	guint len;
	g_autofree SearchHypothesis *all = search_ranking(s, G_MAXUINT, &len);

	for (guint i = 0; i < len; i++) {
		if (all[i].kind == kind && all[i].members == members)
			return all[i].probability;
	}
	return -1;
}

typedef struct {
	SearchMask variant;
	guint faults, cleans;
} Count;

static const Count counts[] = {
	{0, 5, 1},    {0x03, 2, 1}, {0x15, 0, 4}, {0x1f, 0, 3},
	{0x0c, 3, 0}, {0x11, 1, 5}, {0x05, 1, 1},
};

/*
 * P(data, h), written down anew: every trial a factor, in linear space, no classes and no shared
 * sums. Only the grid and its prior are taken from the search.
 */
static long double joint(const Search *s, SearchEffect effect, SearchHypothesisKind kind,
			 SearchMask set, long double prior)
{
	long double sum = 0;

	for (guint i = 0; i < s->grid->n_q; i++) {
		for (guint j = 0; j < s->grid->below[i]; j++) {
			long double p = expl(s->grid->log_prior_q[i] + s->grid->log_prior_e[j]);

			for (guint k = 0; k < G_N_ELEMENTS(counts); k++) {
				SearchMask both = counts[k].variant & set;
				bool on = kind == SEARCH_H_EMPTY ||
					  (kind == SEARCH_H_SET && both == set) ||
					  (kind == SEARCH_H_EITHER && both);
				bool bad = effect == SEARCH_CURES ? !on : on;
				long double r = bad ? s->grid->q[i] : s->grid->e[j];

				for (guint t = 0; t < counts[k].faults; t++)
					p *= r;
				for (guint t = 0; t < counts[k].cleans; t++)
					p *= 1 - r;
			}
			sum += p;
		}
	}
	return sum * prior;
}

static void check_enumeration(SearchEffect effect)
{
	static const double weights[] = {1, 2, 1, 0.5, 1};
	/* of each size; of two that are each enough; they sum to 1 */
	static const double share[] = {0, 0.40, 0.33, 0.22}, either = 0.05;
	SearchProblem p = {.n = 5, .max_size = 3, .effect = effect, .weights = weights};
	g_autoptr(Search) s = make(&p);
	long double value[32], alone[32] = {0}, by_size[4] = {0}, total;
	long double none, empty;

	for (guint k = 0; k < G_N_ELEMENTS(counts); k++)
		search_observe(s, counts[k].variant, counts[k].faults, counts[k].cleans,
			       SEARCH_KEXEC, false);
	for (guint set = 1; set < 32; set++) {
		value[set] = 1;
		for (guint i = 0; i < 5; i++)
			value[set] *= set >> i & 1 ? weights[i] : 1;
		if (__builtin_popcount(set) <= 3)
			by_size[__builtin_popcount(set)] += value[set];
	}
	posterior_update(s); /* chooses the prior of the rates */
	none = joint(s, effect, SEARCH_H_NONE, 0, 0.03L);
	empty = joint(s, effect, SEARCH_H_EMPTY, 0, 0.02L);
	total = none + empty;
	for (guint set = 1; set < 32; set++) {
		guint size = __builtin_popcount(set);

		if (size > 3)
			continue;
		if (size == 2)
			alone[set] = joint(s, effect, SEARCH_H_EITHER, set,
					   0.95L * either * value[set] / by_size[2]);
		value[set] = joint(s, effect, SEARCH_H_SET, set,
				   0.95L * share[size] * value[set] / by_size[size]);
		total += value[set] + alone[set];
	}
	for (guint set = 1; set < 32; set++) {
		if (__builtin_popcount(set) > 3)
			continue;
		assert_float_equal(probability(s, SEARCH_H_SET, set), value[set] / total, 1e-9);
		if (alone[set] > 0)
			assert_float_equal(probability(s, SEARCH_H_EITHER, set), alone[set] / total,
					   1e-9);
	}
	assert_float_equal(probability(s, SEARCH_H_NONE, 0), none / total, 1e-9);
	assert_float_equal(probability(s, SEARCH_H_EMPTY, 0), empty / total, 1e-9);
}

static void test_enumeration(void **state)
{
	check_enumeration(SEARCH_CURES);
	check_enumeration(SEARCH_CAUSES);
}

/* Every pair of hypotheses left is told apart by some valid variant, and every closure is valid. */
static void test_hypotheses(void **state)
{
	/* 1 needs 0; 3 needs 2 and 2 needs 3 (a cycle); 4 and 5 conflict; 6 needs 4 and 5 */
	static const SearchMask depends[] = {0, BIT(0), BIT(3), BIT(2), 0, 0, BIT(4) | BIT(5), 0};
	static const SearchMask conflicts[] = {BIT(4) | BIT(5)};
	SearchProblem p = {.n = 8,
			   .max_size = 2,
			   .no_either = true,
			   .depends = depends,
			   .conflicts = conflicts,
			   .n_conflicts = 1};
	g_autoptr(Search) s = make(&p);
	guint len;
	g_autofree SearchHypothesis *all = search_ranking(s, G_MAXUINT, &len);

	assert_int_equal(search_closure(s, BIT(1)), BIT(0) | BIT(1));
	assert_int_equal(search_closure(s, BIT(2)), BIT(2) | BIT(3));
	assert_false(search_is_valid(s, BIT(1)));
	assert_true(search_is_valid(s, BIT(0) | BIT(1)));
	assert_false(search_is_valid(s, BIT(4) | BIT(5)));
	assert_false(search_is_valid(s, BIT(8)));
	assert_true(search_is_valid(s, 0));
	assert_true(probability(s, SEARCH_H_SET, BIT(1)) > 0);
	assert_true(probability(s, SEARCH_H_SET, BIT(0) | BIT(1)) < 0); /* the variant of {1} */
	assert_true(probability(s, SEARCH_H_SET, BIT(2)) > 0);
	assert_true(probability(s, SEARCH_H_SET, BIT(3)) < 0); /* the variant of {2} */
	assert_true(probability(s, SEARCH_H_SET, BIT(6)) < 0); /* never applies */
	for (guint i = 0; i < len; i++) {
		SearchMask a = search_closure(s, all[i].members);

		assert_true(search_is_valid(s, a));
		for (guint j = 0; j < i; j++)
			assert_true(all[i].kind != all[j].kind ||
				    a != search_closure(s, all[j].members));
	}
	/* {0}, {1}, {2}, {4}, {5}, {7} and pairs of them but {0,1} and {4,5}; none; empty */
	assert_int_equal(len, 6 + 13 + 2);
	assert_int_equal(search_n_hypotheses(s), len);
}

static void test_n_hypotheses(void **state)
{
	SearchProblem p = {.n = 32, .max_size = 3};
	g_autoptr(Search) s = make(&p);

	/* sets of each size, and pairs of which each member is enough */
	assert_int_equal(search_n_hypotheses(s), 32 + 496 + 4960 + 496 + 2);
}

/* One trial at a time, last first: the same to the last bit. */
static void test_order(void **state)
{
	SearchProblem p = {.n = 5, .max_size = 3, .seed = 7};
	g_autoptr(Search) a = make(&p), b = make(&p);
	static const SearchMask failed[] = {0x19, 0x1a, 0x0b, 0x1b};
	SearchExperiment ea = {0}, eb = {0};
	SearchCosts costs;
	guint len;
	g_autofree SearchHypothesis *ra = NULL, *rb = NULL;

	search_costs_init(&costs);
	for (guint k = 0; k < G_N_ELEMENTS(counts); k++)
		search_observe(a, counts[k].variant, counts[k].faults, counts[k].cleans, k % 2,
			       k % 3);
	for (guint k = 0; k < G_N_ELEMENTS(failed); k++)
		search_observe_untestable(a, failed[k], k % 2);
	for (guint k = G_N_ELEMENTS(failed); k-- > 0;)
		search_observe_untestable(b, failed[k], k % 2);
	for (guint k = G_N_ELEMENTS(counts); k-- > 0;) {
		for (guint t = 0; t < counts[k].cleans; t++)
			search_observe(b, counts[k].variant, 0, 1, k % 2, k % 3);
		for (guint t = 0; t < counts[k].faults; t++) {
			search_observe(b, counts[k].variant, 1, 0, k % 2, k % 3);
			search_marginal(b, 0); /* asking in between changes nothing */
		}
	}
	ra = search_ranking(a, G_MAXUINT, &len);
	rb = search_ranking(b, G_MAXUINT, &len);
	for (guint i = 0; i < len; i++) {
		assert_true(ra[i].kind == rb[i].kind && ra[i].members == rb[i].members);
		assert_true(ra[i].probability == rb[i].probability);
	}
	for (SearchMask v = 0; v < 32; v++)
		assert_true(search_untestable(a, v) == search_untestable(b, v));
	assert_int_equal(search_next(a, &costs, &ea), search_next(b, &costs, &eb));
	assert_true(ea.variant == eb.variant && ea.boots == eb.boots && ea.bits == eb.bits);
}

/* The worst that can be seen of the truth, again and again, leaves it possible. */
static void test_truth_stays_possible(void **state)
{
	SearchProblem p = {.n = 6, .max_size = 2};
	g_autoptr(Search) s = make(&p);
	double before, after;

	for (guint k = 0; k < 2000; k++)
		search_observe(s, k % 64, 1, 0, SEARCH_KEXEC, false);
	for (guint k = 0; k < 100; k++)
		search_observe(s, 0, 0, 1, SEARCH_KEXEC, false);
	before = probability(s, SEARCH_H_SET, BIT(2));
	assert_true(before >= 0 && isfinite(before));
	/* ... and enough evidence for it still brings it back */
	for (guint v = 0; v < 64; v++)
		search_observe(s, v, v >> 2 & 1 ? 0 : 4000, v >> 2 & 1 ? 4000 : 0, SEARCH_KEXEC,
			       false);
	after = probability(s, SEARCH_H_SET, BIT(2));
	assert_true(after > 0.99);
}

/* One stray fault of the cured variant, and one missed fault, are no catastrophe. */
static void test_stray_fault(void **state)
{
	SearchProblem p = {.n = 6, .max_size = 2};
	g_autoptr(Search) s = make(&p);

	search_observe(s, 0, 8, 1, SEARCH_KEXEC, false);
	search_observe(s, BIT(2), 1, 12, SEARCH_KEXEC, false);
	for (guint i = 0; i < 6; i++) {
		if (i != 2)
			search_observe(s, BIT(i), 2, 0, SEARCH_KEXEC, false);
	}
	search_observe(s, 63 & ~BIT(2), 3, 0, SEARCH_KEXEC, false);
	assert_true(probability(s, SEARCH_H_SET, BIT(2)) > 0.9);
}

static void test_untestable_is_no_evidence(void **state)
{
	SearchProblem p = {.n = 6, .max_size = 2, .no_either = true};
	g_autoptr(Search) s = make(&p);
	double before[6];

	search_observe(s, 0, 3, 0, SEARCH_KEXEC, false);
	search_observe(s, 0x07, 1, 1, SEARCH_KEXEC, false);
	for (guint i = 0; i < 6; i++)
		before[i] = search_marginal(s, i);
	search_observe_untestable(s, 0x3f, true);
	search_observe_untestable(s, 0x38, true);
	search_observe_untestable(s, 0x0c, false);
	search_observe_untestable(s, 0x28, true);
	for (guint i = 0; i < 6; i++)
		assert_float_equal(search_marginal(s, i), before[i], 1e-15);
	assert_true(search_poison(s, 0) < 0.01); /* was in a variant that came up */
	assert_true(search_poison(s, 3) > 0.5);	 /* in all that failed */
	assert_true(search_untestable(s, 0x08) > search_untestable(s, 0x10));
	assert_true(search_untestable(s, 0x03) < 0.05);
	assert_float_equal(search_untestable(s, 0x38), 1, 0);
}

/* 'a or b' with a b that cannot be tested is not told apart from 'a', and counts as that. */
static void test_untestable_alternative(void **state)
{
	SearchProblem p = {.n = 3, .max_size = 1};
	g_autoptr(Search) s = make(&p);
	double alone, either;

	search_observe(s, 0, 9, 0, SEARCH_KEXEC, false);
	search_observe(s, BIT(0), 0, 12, SEARCH_KEXEC, false);
	search_observe(s, BIT(1), 9, 0, SEARCH_KEXEC, false);
	alone = probability(s, SEARCH_H_SET, BIT(0));
	either = probability(s, SEARCH_H_EITHER, BIT(0) | BIT(2));
	assert_true(either > 0.01);
	search_observe_untestable(s, BIT(2), true);
	search_observe_untestable(s, BIT(1) | BIT(2), true);
	assert_float_equal(probability(s, SEARCH_H_SET, BIT(0)), alone + either, 1e-9);
	assert_float_equal(probability(s, SEARCH_H_EITHER, BIT(0) | BIT(2)), 0, 0);
	/* it does come up in other company, and has no effect there */
	search_observe(s, BIT(1) | BIT(2), 9, 0, SEARCH_KEXEC, false);
	assert_true(probability(s, SEARCH_H_SET, BIT(0)) > 0.99);
}

/* Two candidates of which each is enough: found, with either one alone and neither. */
static void test_either(void **state)
{
	for (guint effect = SEARCH_CURES; effect <= SEARCH_CAUSES; effect++) {
		SearchProblem p = {.n = 8, .effect = effect, .no_confirm = true};
		g_autoptr(Search) s = make(&p);
		SearchExperiment e;
		SearchVerdict v;
		SearchCosts costs;
		guint boots = 0;

		search_costs_init(&costs);
		while (search_next(s, &costs, &e) == SEARCH_EXPERIMENT && boots++ < 200) {
			bool on = e.variant & (BIT(2) | BIT(5));
			bool fault = on == (effect == SEARCH_CAUSES);

			search_observe(s, e.variant, fault, !fault, SEARCH_KEXEC, false);
		}
		search_verdict(s, &v);
		assert_int_equal(v.kind, SEARCH_VERDICT_CAUSE);
		assert_int_equal(v.leading.kind, SEARCH_H_EITHER);
		assert_int_equal(v.members, BIT(2) | BIT(5));
		assert_non_null(strstr(v.reason, "#2 or #5"));
	}
}

static void test_rates(void **state)
{
	SearchProblem p = {.n = 4, .max_size = 1};
	g_autoptr(Search) s = make(&p);
	SearchRates r;

	search_observe(s, 0, 60, 140, SEARCH_KEXEC, false);
	search_observe(s, BIT(1), 2, 198, SEARCH_KEXEC, false);
	search_rates(s, &r);
	assert_true(fabs(r.q_mean - 0.3) < 0.05);
	assert_true(r.q_low < 0.3 && r.q_high > 0.3 && r.q_low > 0.15 && r.q_high < 0.5);
	assert_true(r.e_mean > 0.002 && r.e_mean < 0.03);
}

/* ln((1-δ)/δ) / -ln(1-q), rounded up: 7 at 0.5, 13 at 0.3, 44 at 0.1, 90 at 0.05, 228 at 0.02. */
static void test_boots_needed(void **state)
{
	static const struct {
		double q;
		guint n;
	} cases[] = {{0.9, 2}, {0.5, 7}, {0.3, 13}, {0.1, 44}, {0.05, 90}, {0.02, 228}};

	for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
		SearchProblem p = {.n = 3, .told_q = cases[i].q};
		g_autoptr(Search) s = make(&p);

		posterior_update(s);
		assert_int_equal(stop_boots_needed(s, leader_class(s)), cases[i].n);
	}
}

/* With q known the leader may be sure early; the rule still asks for the set alone, then cold
 * boots. */
static void test_parent_rule(void **state)
{
	SearchProblem p = {.n = 3, .told_q = 0.5, .max_size = 2, .no_either = true};
	g_autoptr(Search) s = make(&p);
	SearchExperiment e;
	SearchVerdict v;
	SearchCosts costs;

	search_costs_init(&costs);
	search_observe(s, 0, 6, 6, SEARCH_KEXEC, false);
	search_observe(s, BIT(0), 6, 6, SEARCH_KEXEC, false);
	search_observe(s, BIT(2), 6, 6, SEARCH_KEXEC, false);
	search_observe(s, BIT(0) | BIT(2), 6, 6, SEARCH_KEXEC, false);
	search_observe(s, BIT(0) | BIT(1), 0, 40, SEARCH_KEXEC, false);
	search_observe(s, BIT(1) | BIT(2), 0, 40, SEARCH_KEXEC, false);
	assert_true(probability(s, SEARCH_H_SET, BIT(1)) > 0.99);
	assert_int_equal(search_next(s, &costs, &e), SEARCH_EXPERIMENT);
	assert_int_equal(e.purpose, SEARCH_PARENT);
	assert_int_equal(e.variant, BIT(1));
	assert_int_equal(e.boots, 7);
	search_verdict(s, &v);
	assert_int_equal(v.kind, SEARCH_VERDICT_INCONCLUSIVE);

	search_observe(s, BIT(1), 0, 6, SEARCH_KEXEC, false);
	assert_int_equal(search_next(s, &costs, &e), SEARCH_EXPERIMENT);
	assert_int_equal(e.purpose, SEARCH_PARENT);
	assert_int_equal(e.boots, 1);
	search_observe(s, BIT(1), 0, 1, SEARCH_KEXEC, false);
	assert_int_equal(search_next(s, &costs, &e), SEARCH_EXPERIMENT);
	assert_int_equal(e.purpose, SEARCH_CONFIRM);
	assert_int_equal(e.variant, 0);
	assert_int_equal(e.mode, SEARCH_COLD);
	assert_true(e.clean_build && e.until_fault);
	/* warm boots and cold ones of the usual cache do not confirm */
	search_observe(s, 0, 1, 0, SEARCH_KEXEC, false);
	search_observe(s, 0, 1, 0, SEARCH_COLD, false);
	assert_int_equal(search_next(s, &costs, &e), SEARCH_EXPERIMENT);
	assert_int_equal(e.variant, 0);
	search_observe(s, 0, 1, 2, SEARCH_COLD, true);
	assert_int_equal(search_next(s, &costs, &e), SEARCH_EXPERIMENT);
	assert_int_equal(e.purpose, SEARCH_CONFIRM);
	assert_int_equal(e.variant, BIT(1));
	assert_int_equal(e.boots, 7);
	search_observe(s, BIT(1), 0, 7, SEARCH_COLD, true);
	assert_int_equal(search_next(s, &costs, &e), SEARCH_DONE);
	search_verdict(s, &v);
	assert_int_equal(v.kind, SEARCH_VERDICT_CAUSE);
	assert_int_equal(v.members, BIT(1));
	assert_true(v.probability >= 0.99);
	assert_false(v.cold_differs);
}

static void test_budget_limits_experiment(void **state)
{
	SearchProblem p = {.n = 6};
	g_autoptr(Search) s = make(&p);
	SearchMask built[] = {0};
	SearchExperiment e;
	SearchCosts costs;

	search_costs_init(&costs);
	costs.boots_left = 2;
	assert_int_equal(search_next(s, &costs, &e), SEARCH_EXPERIMENT);
	assert_int_equal(e.boots, 2);
	costs.boots_left = 0;
	assert_int_equal(search_next(s, &costs, &e), SEARCH_DONE);
	costs.boots_left = SEARCH_UNLIMITED;
	costs.seconds_left = 12;
	assert_int_equal(search_next(s, &costs, &e), SEARCH_DONE);
	costs.seconds_left = 22;
	assert_int_equal(search_next(s, &costs, &e), SEARCH_EXPERIMENT);
	assert_int_equal(e.boots, 2); /* 10 s build, 1 s switch, 2 × 5 s */
	costs.seconds_left = HUGE_VAL;
	costs.builds_left = 0;
	assert_int_equal(search_next(s, &costs, &e), SEARCH_DONE);
	costs.built = built;
	costs.n_built = 1;
	assert_int_equal(search_next(s, &costs, &e), SEARCH_EXPERIMENT);
	search_observe(s, 0, 3, 0, SEARCH_KEXEC, false);
	assert_int_equal(search_next(s, &costs, &e),
			 SEARCH_DONE); /* all that would tell needs a build */
}

static void test_bad_problems(void **state)
{
	static const double negative[] = {1, -1}, zero[] = {0, 1};
	static const SearchMask beyond[] = {BIT(5), 0}, self[] = {BIT(1), BIT(0)};
	static const SearchMask conflict[] = {BIT(0) | BIT(1)}, nothing[] = {0};
	const SearchProblem bad[] = {
		{.n = 0},
		{.n = SEARCH_MAX_CANDIDATES + 1},
		{.n = 2, .max_size = 4},
		{.n = 2, .confidence = 1},
		{.n = 2, .confidence = 0.2},
		{.n = 2, .q_detect = 2},
		{.n = 2, .told_q = -1},
		{.n = 2, .prior_none = 0.8, .prior_empty = 0.3},
		{.n = 2, .weights = negative},
		{.n = 2, .weights = zero},
		{.n = 2, .depends = beyond},
		{.n = 2, .conflicts = nothing, .n_conflicts = 1},
		{.n = 2, .depends = self, .conflicts = conflict, .n_conflicts = 1},
	};

	for (guint i = 0; i < G_N_ELEMENTS(bad); i++) {
		GError *error = NULL;

		assert_null(search_new(&bad[i], &error));
		assert_non_null(error);
		assert_true(error->domain == SEARCH_ERROR);
		g_clear_error(&error);
	}
}

/* All 64 bits in use. */
static void test_64_candidates(void **state)
{
	SearchProblem p = {.n = 64, .max_size = 1, .no_either = true};
	g_autoptr(Search) s = make(&p);
	SearchExperiment e;
	SearchCosts costs;

	search_costs_init(&costs);
	search_observe(s, 0, 4, 0, SEARCH_KEXEC, false);
	search_observe(s, ~(SearchMask)0, 0, 8, SEARCH_KEXEC, false);
	search_observe(s, BIT(63), 0, 8, SEARCH_KEXEC, false);
	assert_true(probability(s, SEARCH_H_SET, BIT(63)) > 0.9);
	assert_true(probability(s, SEARCH_H_NONE, 0) < 1e-4);
	assert_int_equal(search_next(s, &costs, &e), SEARCH_EXPERIMENT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_enumeration),
		cmocka_unit_test(test_order),
		cmocka_unit_test(test_hypotheses),
		cmocka_unit_test(test_n_hypotheses),
		cmocka_unit_test(test_truth_stays_possible),
		cmocka_unit_test(test_stray_fault),
		cmocka_unit_test(test_untestable_is_no_evidence),
		cmocka_unit_test(test_untestable_alternative),
		cmocka_unit_test(test_either),
		cmocka_unit_test(test_rates),
		cmocka_unit_test(test_boots_needed),
		cmocka_unit_test(test_parent_rule),
		cmocka_unit_test(test_budget_limits_experiment),
		cmocka_unit_test(test_bad_problems),
		cmocka_unit_test(test_64_candidates),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
