/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Forecasts: what they hold, what makes a search longer or shorter, and costs of earlier runs. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/fs.h"
#include "simulate/measured.h"
#include "simulate/plan.h"
#include "../base/temp_dir.h"

static const SearchProblem twelve = {
	.n = 12,
	.effect = SEARCH_CURES,
	.max_size = 2,
	.no_confirm_clean = true,
	.seed = 1,
};

static SimPlan a_plan(const SearchProblem *problem)
{
	return (SimPlan){
		.problem = problem,
		.q = 0.7,
		.boot_s = 60,
		.build_s = 120,
		.clean_build_s = 600,
		.targets = 1,
		.boots = SEARCH_UNLIMITED,
		.builds = SEARCH_UNLIMITED,
		.seconds = HUGE_VAL,
		.draws = 60,
		.seed = 1,
	};
}

static SimForecast forecast(const SimPlan *plan)
{
	g_autoptr(GError) error = NULL;
	SimForecast f;
	if (!sim_plan(plan, 0, NULL, NULL, &f, &error))
		fail_msg("%s", error->message);
	assert_int_equal(f.draws, plan->draws);
	assert_float_equal(f.cause + f.none + f.inconclusive, 1, 1e-9);
	assert_true(f.seconds.low <= f.seconds.median && f.seconds.median <= f.seconds.high);
	return f;
}

static void it_ends_in_verdicts(void **state)
{
	SimPlan p = a_plan(&twelve);
	SimForecast f = forecast(&p);
	assert_true(f.cause > 0.8);
	assert_true(f.none > 0);
	assert_true(f.wrong < 0.05);
	assert_true(f.over_budget == 0);
	/* all of it is boots and builds, one after the other */
	assert_float_equal(f.seconds.mean, f.boots.mean * 60 + f.builds.mean * 120, 1e-6);
}

static void a_second_target_saves_time_and_boots_more(void **state)
{
	SimPlan p = a_plan(&twelve);
	p.q = 0.3;
	p.build_s = 5;
	SimForecast one = forecast(&p);
	p.targets = 2;
	SimForecast two = forecast(&p);
	assert_true(two.seconds.mean < 0.9 * one.seconds.mean);
	assert_true(two.boots.mean > one.boots.mean);
	assert_true(two.wrong < 0.07);
}

static void budgets_are_compared(void **state)
{
	SimPlan p = a_plan(&twelve);
	SimForecast f = forecast(&p);
	p.boots = (guint)f.boots.median;
	SimForecast half = forecast(&p);
	assert_true(half.over_budget > 0.25 && half.over_budget <= 0.5);
	p.boots = SEARCH_UNLIMITED;
	p.seconds = f.seconds.median;
	half = forecast(&p);
	assert_true(half.over_budget > 0.25 && half.over_budget <= 0.5);
}

static SearchVariant nothing(SearchVariant variant, gpointer user)
{
	return 0;
}

static void what_needs_no_kernel_is_built_once(void **state)
{
	SimPlan p = a_plan(&twelve);
	p.compiled = nothing;
	SimForecast f = forecast(&p);
	assert_float_equal(f.builds.high, 1, 0);
}

/* 1 - 2 - 4 and 1 - 3 - 4: a merge. */
static void histories_with_merges(void **state)
{
	static const guint start[] = {0, 1, 2, 3, 5}, parents[] = {0, 1, 1, 2, 3};
	const SearchProblem merge = {
		.space = &search_history,
		.n = 4,
		.parent_start = start,
		.parents = parents,
		.effect = SEARCH_CAUSES,
		.seed = 1,
		.no_confirm_clean = true,
	};
	SimPlan p = a_plan(&merge);
	p.q = 0.95;
	SimForecast f = forecast(&p);
	assert_true(f.cause > 0.8);
	assert_true(f.wrong < 0.05);
}

static void nonsense_is_an_error(void **state)
{
	g_autoptr(GError) error = NULL;
	SearchProblem p = twelve;
	SimForecast f;
	p.confidence = 2;
	SimPlan plan = a_plan(&p);
	assert_false(sim_plan(&plan, 0, NULL, NULL, &f, &error));
	assert_non_null(error);
}

/* ---- costs of earlier runs ---- */

static void add_build(Store *s, gint64 run, gint64 sitting, double compile, bool clean,
		      bool launcher, bool cached, const char *status)
{
	g_autoptr(json_t) seconds = json_pack("{s:f, s:f}", "compile", compile, "apply", 1.0);
	StoreBuild b = {.launcher = launcher,
			.clean = clean,
			.cached = cached,
			.status = (char *)status,
			.seconds = seconds};
	assert_true(store_add_build(s, run, sitting, &b, NULL, NULL));
}

static void add_trial(Store *s, gint64 run, gint64 sitting, unsigned number, double total,
		      const char *outcome)
{
	g_autoptr(json_t) seconds = json_pack("{s:f}", "total", total);
	StoreTrial t = {.number = number,
			.target = (char *)"vm",
			.mode = (char *)"kexec",
			.purpose = (char *)"search",
			.outcome = (char *)outcome,
			.seconds = seconds};
	StorePosterior belief = {.trial = number,
				 .kind = (char *)"none",
				 .q_mean = 0.25,
				 .q_low = 0.1,
				 .q_high = 0.5};
	assert_true(store_add_trial(s, run, sitting, &t, NULL, &belief, NULL, NULL));
}

static void medians_of_earlier_runs(void **state)
{
	g_autoptr(GError) error = NULL;
	g_autoptr(Store) s = store_open(*state, STORE_WRITE, &error);
	g_autoptr(GPtrArray) none = g_ptr_array_new();
	StoreCampaign run = {.name = (char *)"c", .digest = (char *)"d", .effect = (char *)"cures"};
	g_auto(SimMeasured) m = {0}, other = {0};
	if (!s || !store_add_campaign(s, &run, none, &error))
		fail_msg("%s", error->message);
	gint64 sitting = store_begin_sitting(s, run.id, NULL);
	add_trial(s, run.id, sitting, 1, 4, "fault");
	add_trial(s, run.id, sitting, 2, 6, "clean");
	add_trial(s, run.id, sitting, 3, 50, "clean");
	add_trial(s, run.id, sitting, 4, 999, "hang");
	add_build(s, run.id, sitting, 9, false, false, false, "ok");
	add_build(s, run.id, sitting, 500, false, false, false, "unbuildable");
	add_build(s, run.id, sitting, 700, false, false, true, "ok");
	add_build(s, run.id, sitting, 99, true, false, false, "ok");
	add_build(s, run.id, sitting, 199, false, true, false, "ok");
	assert_true(sim_measure(s, "c", "d", &m, &error));
	assert_float_equal(m.boot_s, 6, 1e-9);
	assert_float_equal(m.build_s, 10, 1e-9);
	assert_float_equal(m.clean_build_s, 100, 1e-9);
	assert_float_equal(m.launcher_s, 200, 1e-9);
	assert_float_equal(m.q, 0.25, 1e-9);
	assert_int_equal(m.runs, 1);
	assert_int_equal(m.trials, 3);
	assert_string_equal(m.slug, "c-1");
	assert_true(sim_measure(s, "other", "d", &other, &error));
	assert_int_equal(other.runs, 0);
	assert_true(isnan(other.boot_s) && isnan(other.build_s) && isnan(other.q));
	g_free(run.slug);
	g_free(run.dir);
	g_free(run.state_reason);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(it_ends_in_verdicts),
		cmocka_unit_test(a_second_target_saves_time_and_boots_more),
		cmocka_unit_test(budgets_are_compared),
		cmocka_unit_test(what_needs_no_kernel_is_built_once),
		cmocka_unit_test(histories_with_merges),
		cmocka_unit_test(nonsense_is_an_error),
		cmocka_unit_test_setup_teardown(medians_of_earlier_runs, make_dir, drop_dir),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
