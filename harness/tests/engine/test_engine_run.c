/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Whole campaigns on a simulated lab: verdicts, budgets, runs, what is recorded and shown. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <string.h>

#include "base/error.h"
#include "lab.h"

static void test_one_cures(void **state)
{
	g_auto(LabRun) r = lab_run(*state, NULL);
	assert_int_equal(r.status, 0);
	g_auto(LabView) v = lab_look(*state, "lab");
	lab_expect(&v, "cause", "a");
	assert_true(v.verdict->probability >= 0.99);
	assert_string_equal(v.verdict->effect, "cures");
	assert_string_equal(v.verdict->why, "rule");
	assert_string_equal(v.run->slug, "lab-1");
	assert_non_null(strstr(r.out, "a cures the fault"));
	/* The launcher first, then variants. */
	assert_true(((StoreBuild *)v.builds->pdata[0])->launcher);
	assert_true(v.builds->len > 2);
	/* No variant breaks what the series declares. */
	for (guint i = 0; i < v.trials->len; i++) {
		uint64_t m = ((StoreTrial *)v.trials->pdata[i])->mask;
		assert_false((m & 0x18) == 0x18);
		assert_false((m & 4) && !(m & 2));
	}
	/* Confirmed on cold boots of clean builds. */
	unsigned cold = 0;
	for (guint i = 0; i < v.trials->len; i++) {
		const StoreTrial *t = v.trials->pdata[i];
		cold += g_str_equal(t->mode, "cold") && t->clean &&
			g_str_equal(t->purpose, "confirm");
	}
	assert_true(cold > 0);
	/* The callback saw the finished run. */
	g_autofree char *path = g_build_filename(v.run->dir, "report", NULL);
	g_autofree char *text = NULL;
	assert_true(g_file_get_contents(path, &text, NULL, NULL));
	assert_string_equal(text, "done");
}

static void test_records(void **state)
{
	Lab *l = *state;
	lab_set(l, "boot_ms", "20");
	g_auto(LabRun) r = lab_run(l, NULL);
	assert_int_equal(r.status, 0);
	g_auto(LabView) v = lab_look(l, "lab");
	/* Belief after each trial, and it ends where the verdict is. */
	g_autoptr(GPtrArray) belief = store_posteriors(v.store, v.run->id, NULL);
	assert_int_equal(belief->len, v.trials->len);
	const StorePosterior *last = belief->pdata[belief->len - 1];
	assert_int_equal(last->members, 1);
	assert_string_equal(last->kind, "set");
	assert_true(last->q_low <= last->q_mean && last->q_mean <= last->q_high);
	assert_int_equal(json_array_size(last->marginals), 6);
	assert_true(json_array_size(last->ranking) >= 1);
	/* Faults of the faulty ones only. */
	g_autoptr(GPtrArray) faults = store_faults(v.store, v.run->id, 0, NULL);
	assert_int_equal(faults->len, v.outcomes[0]);
	assert_true(((StoreFault *)faults->pdata[0])->in_window);
	/* The accounts add up and boots are what the lab said. */
	StoreTimes t;
	assert_true(store_times(v.store, v.run->id, &t, NULL));
	assert_float_equal(t.total,
			   t.compile + t.boot + t.deadline + t.source + t.configure + t.harness,
			   0.05);
	assert_float_equal(t.boot, 0.02 * v.trials->len, 1e-6);
	/* Matrix and snapshot. */
	g_autoptr(json_t) matrix = store_document(v.store, v.run->id, "matrix", NULL);
	assert_string_equal(kx_json_str(matrix, "source"), "declared");
	g_autofree char *depends = json_dumps(json_object_get(matrix, "depends"), JSON_COMPACT);
	assert_string_equal(depends, "[[],[],[1],[],[],[]]");
	g_autofree char *conflicts = json_dumps(json_object_get(matrix, "conflicts"), JSON_COMPACT);
	assert_string_equal(conflicts, "[[3,4]]");
	g_autoptr(json_t) environment = store_document(v.store, v.run->id, "environment", NULL);
	assert_string_equal(kx_json_str(environment, "machine"), "a simulated lab");
	assert_non_null(kx_json_str(environment, "host kernel"));
	assert_int_equal(kx_json_int(json_object_get(v.run->config, "budget"), "boots", 0), 1000);
	assert_int_equal(json_array_size(json_object_get(v.verdict->details, "marginals")), 6);
	assert_string_equal(kx_json_str(json_object_get(v.verdict->details, "leading"), "kind"),
			    "set");
	assert_non_null(strstr(kx_json_str(v.verdict->details, "sentence"), " the fault"));
}

static void test_two_needed(void **state)
{
	lab_set(*state, "cause", "['b', 'f']");
	g_auto(LabRun) r = lab_run(*state, "quiet");
	assert_int_equal(r.status, 0);
	assert_string_equal(r.out, "");
	g_auto(LabView) v = lab_look(*state, "lab");
	lab_expect(&v, "cause", "b f");
}

static void test_causes_and_flaky(void **state)
{
	lab_set(*state, "effect", "'causes'");
	lab_set(*state, "cause", "['d']");
	lab_set(*state, "q", "0.4");
	g_auto(LabRun) r = lab_run(*state, "quiet");
	assert_int_equal(r.status, 0);
	g_auto(LabView) v = lab_look(*state, "lab");
	lab_expect(&v, "cause", "d");
	assert_string_equal(v.verdict->effect, "causes");
}

static void test_nothing_cures(void **state)
{
	lab_set(*state, "cause", "[]");
	g_auto(LabRun) r = lab_run(*state, "quiet");
	assert_int_equal(r.status, 0);
	g_auto(LabView) v = lab_look(*state, "lab");
	lab_expect(&v, "none", "");
	assert_string_equal(v.verdict->why, "no_effect");
}

static void test_nothing_faults(void **state)
{
	lab_set(*state, "base_faults", "false");
	g_auto(LabRun) r = lab_run(*state, "quiet");
	assert_int_equal(r.status, 0);
	g_auto(LabView) v = lab_look(*state, "lab");
	lab_expect(&v, "none", "");
	assert_string_equal(v.verdict->why, "no_fault");
}

static void test_untestable_candidates(void **state)
{
	lab_set(*state, "cause", "['f']");
	lab_set(*state, "unbuildable", "['a']");
	lab_set(*state, "hang", "['b']");
	lab_set(*state, "panic", "['e']");
	g_auto(LabRun) r = lab_run(*state, "quiet");
	assert_int_equal(r.status, 0);
	g_auto(LabView) v = lab_look(*state, "lab");
	lab_expect(&v, "cause", "f");
	/* No boot of what does not build. */
	for (guint i = 0; i < v.trials->len; i++)
		assert_false(((StoreTrial *)v.trials->pdata[i])->mask & 1);
	assert_int_equal(v.outcomes[5], 0);
}

static void test_computed_matrix(void **state)
{
	/* f applies only with b, a and b not together: found by trying, not declared. */
	lab_set(*state, "matrix",
		"{'names':['a','b','c','d','e','f'],"
		"'alone':[{'name':'a','result':'ok'},{'name':'f','result':'conflict'}],"
		"'pairs':[{'a':'a','b':'b','result':'conflict'},"
		"{'a':'b','b':'f','result':'depends'},{'a':'a','b':'f','result':'conflict'}]}");
	lab_set(*state, "cause", "['f']");
	g_auto(LabRun) r = lab_run(*state, "quiet");
	assert_int_equal(r.status, 0);
	g_auto(LabView) v = lab_look(*state, "lab");
	lab_expect(&v, "cause", "f");
	for (guint i = 0; i < v.builds->len; i++) {
		uint64_t m = ((StoreBuild *)v.builds->pdata[i])->mask;
		assert_false((m & 3) == 3);
		assert_false((m & 32) && !(m & 2));
	}
	g_autoptr(json_t) matrix = store_document(v.store, v.run->id, "matrix", NULL);
	assert_string_equal(kx_json_str(matrix, "source"), "computed");
	assert_int_equal(json_array_size(json_object_get(matrix, "pairs")), 3);
}

static void test_matrix_fails(void **state)
{
	lab_set(*state, "matrix", "'git is not installed'");
	g_auto(LabRun) r = lab_run(*state, "quiet");
	assert_int_equal(r.status, 0);
	assert_non_null(strstr(r.err, "git is not installed"));
	g_auto(LabView) v = lab_look(*state, "lab");
	lab_expect(&v, "cause", "a");
	assert_int_equal(lab_events(&v, "matrix"), 1);
}

static void test_budget_of_boots(void **state)
{
	Lab *l = *state;
	lab_set(l, "q", "0.3");
	lab_set(l, "budget", "{'boots': 12}");
	g_auto(LabRun) r = lab_run(l, "quiet");
	assert_int_equal(r.status, 1);
	assert_null(strstr(r.err, "error"));
	{
		g_auto(LabView) v = lab_look(l, "lab");
		lab_expect(&v, "inconclusive", "");
		assert_string_equal(v.verdict->why, "budget");
		assert_non_null(strstr(v.verdict->reason, "boots"));
		assert_true(v.trials->len <= 12);
	}
	/* The same budget again: still the same answer, and no boot. */
	g_auto(LabRun) same = lab_run(l, "quiet");
	assert_int_equal(same.status, 1);
	assert_non_null(strstr(same.err, "is finished"));
	/* A larger one goes on in the same run. */
	lab_set(l, "budget", "{'boots': 900}");
	g_auto(LabRun) more = lab_run(l, "quiet");
	assert_int_equal(more.status, 0);
	g_auto(LabView) v = lab_look(l, "lab");
	assert_string_equal(v.run->slug, "lab-1");
	lab_expect(&v, "cause", "a");
}

static void test_budget_of_builds(void **state)
{
	lab_set(*state, "budget", "{'builds': 3}");
	g_auto(LabRun) r = lab_run(*state, "quiet");
	assert_int_equal(r.status, 1);
	g_auto(LabView) v = lab_look(*state, "lab");
	lab_expect(&v, "inconclusive", "");
	assert_string_equal(v.verdict->why, "budget");
	assert_true(v.builds->len <= 1 + 3);
}

static void test_budget_of_hours(void **state)
{
	lab_set(*state, "q", "0.1");
	lab_set(*state, "boot_ms", "30");
	lab_set(*state, "budget", "{'hours': 0.0003}"); /* 1.08 s */
	gint64 start = g_get_monotonic_time();
	g_auto(LabRun) r = lab_run(*state, "quiet");
	assert_int_equal(r.status, 1);
	assert_true(g_get_monotonic_time() - start < 10 * G_USEC_PER_SEC);
	g_auto(LabView) v = lab_look(*state, "lab");
	lab_expect(&v, "inconclusive", "");
	assert_non_null(strstr(v.verdict->reason, "hours"));
}

static void test_runs(void **state)
{
	Lab *l = *state;
	g_auto(LabRun) one = lab_run(l, NULL);
	assert_int_equal(one.status, 0);
	/* Finished: says so, prints the verdict, boots nothing. */
	g_auto(LabRun) two = lab_run(l, NULL);
	assert_int_equal(two.status, 0);
	assert_non_null(strstr(two.err, "lab-1 is finished; --again"));
	assert_non_null(strstr(two.out, "a cures the fault"));
	assert_null(strstr(two.out, "trial"));
	g_auto(LabRun) again = lab_run(l, "again");
	assert_int_equal(again.status, 0);
	{
		g_auto(LabView) v = lab_look(l, "lab-2");
		lab_expect(&v, "cause", "a");
	}
	/* Another question is another run. */
	lab_set(l, "digest", "'d2'");
	lab_set(l, "cause", "['b']");
	g_auto(LabRun) changed = lab_run(l, "quiet");
	assert_int_equal(changed.status, 0);
	g_auto(LabView) v = lab_look(l, "lab-3");
	lab_expect(&v, "cause", "b");
	g_auto(LabView) first = lab_look(l, "lab-1");
	lab_expect(&first, "cause", "a");
}

/* Every line of --json is an object, and they tell the whole story. */
static void test_json_lines(void **state)
{
	lab_set(*state, "build_ms", "40");
	g_auto(LabRun) r = lab_run(*state, "json verbose");
	assert_int_equal(r.status, 0);
	g_auto(LabView) v = lab_look(*state, "lab");
	g_auto(GStrv) lines = g_strsplit(r.out, "\n", 0);
	unsigned trials = 0, builds = 0, verdicts = 0, experiments = 0, leaders = 0, steps = 0;
	double elapsed = 0;
	for (char **line = lines; *line && **line; line++) {
		g_autoptr(json_t) o = kx_json_parse(*line, "line", NULL);
		assert_non_null(o);
		const char *event = kx_json_str(o, "event");
		trials += g_str_equal(event, "trial");
		builds += g_str_equal(event, "build");
		if (g_str_equal(event, "build"))
			assert_in_range(1000 * kx_json_num(o, "seconds", 0), 40, 5000);
		verdicts += g_str_equal(event, "verdict");
		experiments += g_str_equal(event, "experiment");
		leaders += g_str_equal(event, "leader");
		steps += g_str_equal(event, "step");
		double now = kx_json_num(o, "elapsed", -1);
		assert_true(now >= elapsed);
		elapsed = now;
	}
	assert_int_equal(trials, v.trials->len);
	assert_int_equal(builds, v.builds->len);
	assert_int_equal(verdicts, 1);
	assert_true(experiments > 0 && leaders > 0 && steps > trials);
}

#define EACH(f) cmocka_unit_test_setup_teardown(f, lab_setup, lab_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		EACH(test_one_cures),
		EACH(test_records),
		EACH(test_two_needed),
		EACH(test_causes_and_flaky),
		EACH(test_nothing_cures),
		EACH(test_nothing_faults),
		EACH(test_untestable_candidates),
		EACH(test_computed_matrix),
		EACH(test_matrix_fails),
		EACH(test_budget_of_boots),
		EACH(test_budget_of_builds),
		EACH(test_budget_of_hours),
		EACH(test_runs),
		EACH(test_json_lines),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
