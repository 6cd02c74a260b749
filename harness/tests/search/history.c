/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Ranges of commits: the posterior against plain enumeration, merges, what cannot be tested, and
 * whole searches. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <math.h>
#include <string.h>

#include "search/search-internal.h"

static Search *make(const SearchProblem *p)
{
	GError *error = NULL;
	Search *s = search_new(p, &error);

	assert_null(error);
	assert_non_null(s);
	return s;
}

/* A line of 9 as a graph, and one with a merge: 4 and 7 begin at 2, 8 joins 6 and 7. */
static const guint line_start[] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9};
static const guint line_parents[] = {0, 1, 2, 3, 4, 5, 6, 7, 8};
static const guint merge_start[] = {0, 1, 2, 3, 4, 5, 6, 7, 9, 10};
static const guint merge_parents[] = {0, 1, 2, 2, 3, 5, 4, 6, 7, 8};

static bool is_ancestor(const guint *start, const guint *parents, guint a, guint v)
{
	if (v == 0 || a > v)
		return false;
	if (a == v)
		return true;
	for (guint k = start[v - 1]; k < start[v]; k++) {
		if (is_ancestor(start, parents, a, parents[k]))
			return true;
	}
	return false;
}

typedef struct {
	guint variant, faults, cleans;
} Count;

static const Count counts[] = {{9, 4, 2}, {0, 0, 3}, {5, 1, 4}, {3, 0, 6}, {7, 2, 1}, {8, 3, 0}};

/* P(data, commit h is the cause), every trial a factor; h 0: none, 10: empty. */
static long double joint(const Search *s, const guint *start, const guint *parents, guint h,
			 long double prior)
{
	long double sum = 0;

	for (guint i = 0; i < s->grid->n_q; i++) {
		for (guint j = 0; j < s->grid->below[i]; j++) {
			long double p = expl(s->grid->log_prior_q[i] + s->grid->log_prior_e[j]);

			for (guint k = 0; k < G_N_ELEMENTS(counts); k++) {
				bool in = h == 10 ||
					  (h && is_ancestor(start, parents, h, counts[k].variant));
				bool bad = in == (s->effect == SEARCH_CAUSES);
				long double r = bad ? s->grid->q[i] : s->grid->e[j];

				p *= powl(r, counts[k].faults) * powl(1 - r, counts[k].cleans);
			}
			sum += p;
		}
	}
	return sum * prior;
}

static void observe_all(Search *s, bool backwards)
{
	for (guint k = 0; k < G_N_ELEMENTS(counts); k++) {
		const Count *c = &counts[backwards ? G_N_ELEMENTS(counts) - 1 - k : k];

		search_observe(s, c->variant, c->faults, 0, SEARCH_KEXEC, false);
		search_observe(s, c->variant, 0, c->cleans, SEARCH_COLD, false);
	}
}

static void check(SearchEffect effect, const guint *start, const guint *parents, bool as_graph)
{
	static const double weights[] = {1, 3, 1, 0.5, 1, 1, 2, 1, 1};
	SearchProblem p = {.space = &search_history, .n = 9, .effect = effect, .weights = weights};
	long double value[11], total = 0;
	guint n;

	if (as_graph) {
		p.parent_start = start;
		p.parents = parents;
	}
	g_autoptr(Search) s = make(&p), other = make(&p);
	g_autofree SearchHypothesis *all = NULL, *again = NULL;

	observe_all(s, false);
	observe_all(other, true);
	posterior_update(s); /* chooses the prior of the rates */
	for (guint h = 0; h <= 10; h++) {
		long double prior = h == 0    ? 0.03L
				    : h == 10 ? 0.02L
					      : 0.95L * (long double)weights[h - 1] / 11.5L;

		value[h] = joint(s, start, parents, h, prior);
		total += value[h];
	}
	all = search_ranking(s, G_MAXUINT, &n);
	again = search_ranking(other, G_MAXUINT, &n);
	assert_int_equal(n, 11);
	for (guint k = 0; k < n; k++) {
		guint h = all[k].kind == SEARCH_H_NONE	  ? 0
			  : all[k].kind == SEARCH_H_EMPTY ? 10
							  : (guint)all[k].members;

		assert_float_equal(all[k].probability, value[h] / total, 1e-9);
		assert_true(all[k].probability == again[k].probability);
		if (h >= 1 && h <= 9)
			assert_float_equal(search_marginal(s, h - 1), value[h] / total, 1e-9);
	}
	assert_true(all[0].probability == s->leader.probability);
}

static void test_enumeration(void **state)
{
	for (guint effect = SEARCH_CURES; effect <= SEARCH_CAUSES; effect++) {
		check(effect, line_start, line_parents, false);
		check(effect, line_start, line_parents, true);
		check(effect, merge_start, merge_parents, true);
	}
}

/* Boots are drawn for (variant, number), so that runs can be compared. */
static bool draw(guint64 seed, SearchVariant v, guint boot, double rate)
{
	guint64 state = rng_hash(seed, v << 32 | boot);

	return rng_uniform(&state) < rate;
}

typedef struct {
	SearchVerdict verdict;
	guint boots, choices;
} Run;

static Run search(const SearchProblem *p, guint culprit, double q, double e, const bool *broken)
{
	g_autoptr(Search) s = make(p);
	g_autoptr(GArray) built = g_array_new(FALSE, FALSE, sizeof(SearchVariant));
	g_autofree guint *booted = g_new0(guint, p->n + 1);
	SearchExperiment x;
	SearchCosts costs;
	Run run = {0};

	search_costs_init(&costs);
	while (run.boots < 5000) {
		bool in, bad;

		costs.built = (const SearchVariant *)(void *)built->data;
		costs.n_built = built->len;
		if (search_next(s, &costs, &x) != SEARCH_EXPERIMENT)
			break;
		run.choices++;
		assert_true(search_is_valid(s, x.variant));
		assert_true(x.boots >= 1);
		if (broken && broken[x.variant]) {
			search_observe_untestable(s, x.variant, true);
			continue;
		}
		g_array_append_val(built, x.variant);
		in = p->parents
			     ? is_ancestor(p->parent_start, p->parents, culprit, (guint)x.variant)
			     : culprit <= x.variant;
		bad = culprit && in == (p->effect == SEARCH_CAUSES);
		for (guint b = 0; b < x.boots; b++) {
			bool fault = draw(p->seed, x.variant, booted[x.variant]++, bad ? q : e);

			run.boots++;
			search_observe(s, x.variant, fault, !fault, x.mode, x.clean_build);
			if (fault && x.until_fault)
				break;
		}
	}
	search_verdict(s, &run.verdict);
	return run;
}

static void test_line(void **state)
{
	guint wrong = 0;

	for (guint k = 0; k < 60; k++) {
		SearchProblem p = {.space = &search_history,
				   .n = 64,
				   .effect = k % 2 ? SEARCH_CAUSES : SEARCH_CURES,
				   .no_confirm = k % 3 != 0,
				   .seed = k};
		Run run = search(&p, 1 + (k * 37) % 64, k % 4 < 2 ? 1 : 0.5, 0, NULL);

		assert_int_equal(run.verdict.kind, SEARCH_VERDICT_CAUSE);
		wrong += run.verdict.members != 1 + (k * 37) % 64;
	}
	assert_true(wrong <= 1);
}

static void test_merges(void **state)
{
	guint wrong = 0;

	for (guint k = 0; k < 54; k++) {
		SearchProblem p = {.space = &search_history,
				   .n = 9,
				   .effect = k % 2 ? SEARCH_CAUSES : SEARCH_CURES,
				   .parent_start = merge_start,
				   .parents = merge_parents,
				   .seed = k};
		Run run = search(&p, 1 + k % 9, k % 3 ? 1 : 0.4, 0, NULL);

		assert_int_equal(run.verdict.kind, SEARCH_VERDICT_CAUSE);
		wrong += run.verdict.members != 1 + k % 9;
	}
	assert_true(wrong <= 1);
}

/* No commit is the culprit: said so, and not some commit blamed. */
static void test_none(void **state)
{
	for (guint k = 0; k < 10; k++) {
		SearchProblem p = {
			.space = &search_history, .n = 32, .effect = SEARCH_CAUSES, .seed = k};
		Run run = search(&p, 0, 0, 0, NULL);

		assert_int_equal(run.verdict.kind, SEARCH_VERDICT_NONE);
		assert_true(run.boots < 120);
	}
}

/* A stretch that does not build: beside the culprit the answer is all that cannot be told apart;
 * elsewhere it does no harm. */
static void test_broken_stretch(void **state)
{
	for (guint k = 0; k < 24; k++) {
		bool beside = k % 2, broken[65] = {false};
		guint culprit = 20 + k;
		SearchProblem p = {.space = &search_history,
				   .n = 64,
				   .effect = SEARCH_CAUSES,
				   .no_confirm = true,
				   .seed = k};
		Run run;

		for (guint v = 0; v < 6; v++)
			broken[beside ? culprit - 3 + v : 4 + v] = true;
		run = search(&p, culprit, 1, 0, broken);
		if (beside) {
			assert_int_equal(run.verdict.kind, SEARCH_VERDICT_INCONCLUSIVE);
			assert_int_equal(run.verdict.why, SEARCH_WHY_UNTESTABLE);
			assert_non_null(strstr(run.verdict.reason, "one of"));
		} else {
			assert_int_equal(run.verdict.kind, SEARCH_VERDICT_CAUSE);
			assert_int_equal(run.verdict.members, culprit);
		}
		assert_true(run.choices < 60);
	}
}

/* Half a million adjacent swaps are no slower to think about than a hundred. */
static void test_long_path(void **state)
{
	SearchProblem p = {.space = &search_history,
			   .n = 499500,
			   .effect = SEARCH_CAUSES,
			   .no_confirm = true,
			   .told_q = 1};
	Run run = search(&p, 123456, 1, 0, NULL);

	assert_int_equal(run.verdict.members, 123456);
	assert_true(run.boots <= 22);
}

/* What runs elsewhere is not ordered twice, and what will be asked for is known beforehand. */
static void test_several_targets(void **state)
{
	SearchProblem p = {.space = &search_history, .n = 64, .effect = SEARCH_CAUSES};
	g_autoptr(Search) s = make(&p);
	SearchVariant built[] = {0, 64}, ahead[4];
	SearchExperiment first, second;
	SearchPending pending;
	SearchCosts costs;
	guint n;

	search_costs_init(&costs);
	costs.built = built;
	costs.n_built = 2;
	search_observe(s, 0, 0, 1, SEARCH_KEXEC, false);
	search_observe(s, 64, 5, 0, SEARCH_KEXEC, false);
	assert_int_equal(search_next(s, &costs, &first), SEARCH_EXPERIMENT);
	assert_non_null(strstr(first.reason, "would leave"));
	n = search_ahead(s, &costs, &first, 4, ahead);
	assert_in_range(n, 1, 4);
	for (guint k = 0; k < n; k++) {
		assert_true(search_is_valid(s, ahead[k]));
		assert_true(ahead[k] != 0 && ahead[k] != 64);
	}
	pending = (SearchPending){first.variant, first.boots};
	costs.pending = &pending;
	costs.n_pending = 1;
	assert_int_equal(search_next(s, &costs, &second), SEARCH_EXPERIMENT);
	assert_true(second.variant != first.variant);
	/* thinking ahead has changed nothing */
	costs.n_pending = 0;
	assert_int_equal(search_next(s, &costs, &second), SEARCH_EXPERIMENT);
	assert_true(second.variant == first.variant && second.bits == first.bits);
}

static void test_bad_graphs(void **state)
{
	static const guint orphan[] = {0, 1, 1}, start[] = {0, 1, 2};
	static const guint parents[] = {0, 1}, later[] = {0, 2};
	const SearchProblem bad[] = {
		{.space = &search_history, .n = 0},
		{.space = &search_history, .n = SEARCH_MAX_COMMITS + 1},
		{.space = &search_history, .n = 2, .parent_start = orphan, .parents = parents},
		{.space = &search_history, .n = 2, .parent_start = start, .parents = later},
	};

	for (guint i = 0; i < G_N_ELEMENTS(bad); i++) {
		g_autoptr(GError) error = NULL;

		assert_null(search_new(&bad[i], &error));
		assert_non_null(error);
	}
}

static void test_drift(void **state)
{
	bool same[24], moved[24];

	for (guint i = 0; i < 24; i++) {
		same[i] = i % 3 == 0;
		moved[i] = i < 12;
	}
	assert_false(search_drifts(same, 24));
	assert_true(search_drifts(moved, 24));
	assert_false(search_drifts(moved + 8, 8));
}

/* The table of the shared facts: C(q), and the bound for 128 commits. */
static void test_bound(void **state)
{
	static const double q[] = {0.9, 0.5, 0.3, 0.1, 0.05, 0.02};
	static const double c[] = {0.763, 0.322, 0.177, 0.0548, 0.0270, 0.0107};

	for (guint i = 0; i < G_N_ELEMENTS(q); i++)
		assert_float_equal(search_capacity(q[i], 0), c[i], c[i] * 0.005);
	assert_float_equal(search_bound(128, 0.3, 0, 0.99), 38.7, 0.1);
	assert_float_equal(search_bound(128, 0.1, 0, 0.99), 124.9, 0.3);
	assert_true(search_bound(128, 0.3, 0.01, 0.99) > search_bound(128, 0.3, 0, 0.99));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_enumeration),	cmocka_unit_test(test_line),
		cmocka_unit_test(test_merges),		cmocka_unit_test(test_none),
		cmocka_unit_test(test_broken_stretch),	cmocka_unit_test(test_long_path),
		cmocka_unit_test(test_several_targets), cmocka_unit_test(test_bad_graphs),
		cmocka_unit_test(test_drift),		cmocka_unit_test(test_bound),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
