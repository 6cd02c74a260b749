/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Jobs and labs that fail in every way: never evidence, retried, bounded, said clearly. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <string.h>

#include "base/error.h"
#include "base/fs.h"
#include "lab.h"

/* One trial goes wrong: one infra outcome, and the right verdict all the same. */
static void survives(Lab *l, const char *trouble, const char *says)
{
	g_autofree char *rule = g_strdup_printf("{'2': '%s'}", trouble);
	lab_set(l, "trouble", rule);
	g_auto(LabRun) r = lab_run(l, "quiet");
	if (r.status != 0)
		fail_msg("%s", r.err);
	if (!strstr(r.err, says))
		fail_msg("'%s' is not in: %s", says, r.err);
	g_auto(LabView) v = lab_look(l, "lab");
	lab_expect(&v, "cause", "a");
	assert_int_equal(v.outcomes[5], 1);
	const StoreTrial *t = v.trials->pdata[1];
	assert_int_equal(t->number, 2);
	assert_string_equal(t->outcome, "infra");
	assert_int_equal(lab_events(&v, "retry"), 1);
	/* No belief from it. */
	g_autoptr(GPtrArray) belief = store_posteriors(v.store, v.run->id, NULL);
	assert_int_equal(belief->len, v.trials->len - 1);
}

static void test_crash(void **state)
{
	survives(*state, "crash", "was killed by signal 9");
}

static void test_garbage(void **state)
{
	survives(*state, "garbage", "no message of a job: '{\"event\": \"tri'");
}

/* Says nothing and takes no notice of SIGTERM. */
static void test_silent(void **state)
{
	lab_set(*state, "silence_s", "1");
	lab_set(*state, "grace_s", "1");
	survives(*state, "silent", "said nothing for 1 s");
}

static void test_no_result(void **state)
{
	survives(*state, "noresult", "ended without a result");
}

static void test_infra_outcome(void **state)
{
	survives(*state, "infra", "gave no result in trial 2: as computed");
}

static void test_wrong_kernel(void **state)
{
	survives(*state, "wrong", "took kernel kxffffffffffff for kx");
}

static void test_wrong_number(void **state)
{
	Lab *l = *state;
	lab_set(l, "trouble", "{'2': 'number'}");
	g_auto(LabRun) r = lab_run(l, "quiet");
	assert_int_equal(r.status, 0);
	assert_non_null(strstr(r.err, "told of trial 7 when 2 was due"));
	g_auto(LabView) v = lab_look(l, "lab");
	lab_expect(&v, "cause", "a");
	assert_int_equal(v.outcomes[5], 1);
}

static void test_refuses(void **state)
{
	survives(*state, "refuse", "QEMU is not installed");
}

/* Nothing ever works: a clear end, nothing lost, and the next start goes on. */
static void test_lab_is_down(void **state)
{
	Lab *l = *state;
	lab_set(l, "always", "'refuse'");
	g_auto(LabRun) r = lab_run(l, "quiet");
	assert_int_equal(r.status, 1);
	g_autofree char *code = g_strdup_printf("error %d: ", KX_ERROR_FAILED);
	assert_non_null(strstr(r.err, code));
	assert_non_null(strstr(r.err, "3 failures of the lab"));
	assert_non_null(strstr(r.err, "jobs.log"));
	{
		g_auto(LabView) v = lab_look(l, "lab");
		assert_null(v.verdict);
		assert_int_equal(v.run->state, STORE_FAILED);
		assert_non_null(strstr(v.run->state_reason, "failures of the lab"));
		assert_int_equal(v.outcomes[5], 3);
	}
	lab_set(l, "always", "null");
	g_auto(LabRun) again = lab_run(l, "quiet");
	assert_int_equal(again.status, 0);
	g_auto(LabView) v = lab_look(l, "lab");
	assert_string_equal(v.run->slug, "lab-1");
	lab_expect(&v, "cause", "a");
}

/* The text of the event of this kind; NULL: none. */
static json_t *event_of(const char *out, const char *kind)
{
	g_auto(GStrv) lines = g_strsplit(out, "\n", -1);
	for (char **l = lines; *l; l++) {
		g_autoptr(json_t) o = kx_json_parse(*l, "line", NULL);
		if (o && g_strcmp0(kx_json_str(o, "event"), kind) == 0)
			return g_steal_pointer(&o);
	}
	return NULL;
}

/* Nothing can be done with the target: no retry is spent, and the next call goes on. */
static void test_target_is_lost(void **state)
{
	Lab *l = *state;
	lab_set(l, "trouble", "{'4': 'lost'}");
	g_auto(LabRun) r = lab_run(l, "json");
	assert_int_equal(r.status, 3);
	g_autoptr(json_t) target = event_of(r.out, "target");
	assert_non_null(target);
	assert_string_equal(kx_json_str(target, "state"), "failed");
	assert_string_equal(kx_json_str(target, "reason"), "climbed in vain");
	g_autoptr(json_t) step = event_of(r.out, "recovery");
	assert_string_equal(kx_json_str(step, "step"), "power-off");
	assert_string_equal(kx_json_str(step, "target"), kx_json_str(target, "target"));
	assert_non_null(strstr(r.out, "\"cause\":\"machine\""));
	{
		g_auto(LabView) v = lab_look(l, "lab");
		assert_null(v.verdict);
		assert_int_equal(v.run->state, STORE_STOPPED);
		assert_int_equal(v.outcomes[5], 1);
		assert_int_equal(lab_events(&v, "retry"), 0);
		assert_int_equal(lab_events(&v, "target"), 1);
	}
	lab_set(l, "trouble", "{}");
	g_auto(LabRun) again = lab_run(l, "quiet");
	assert_int_equal(again.status, 0);
	g_auto(LabView) v = lab_look(l, "lab");
	assert_string_equal(v.run->slug, "lab-1");
	lab_expect(&v, "cause", "a");
}

/* It breaks in the middle, for all variants: infra failures must not end in a verdict. */
static void test_lab_goes_down(void **state)
{
	Lab *l = *state;
	g_autoptr(GString) rule = g_string_new("{");
	for (int i = 9; i < 60; i++)
		g_string_append_printf(rule, "%s'%d': 'crash'", i > 9 ? "," : "", i);
	g_string_append(rule, "}");
	lab_set(l, "trouble", rule->str);
	g_auto(LabRun) r = lab_run(l, "quiet");
	assert_int_equal(r.status, 1);
	{
		g_auto(LabView) v = lab_look(l, "lab");
		assert_null(v.verdict);
		assert_int_equal(v.run->state, STORE_FAILED);
		assert_int_equal(v.outcomes[0] + v.outcomes[1], 8);
		assert_in_range(v.outcomes[5], 3, 10);
		assert_true(lab_events(&v, "quarantine") >= 1);
	}
	lab_set(l, "trouble", "{}");
	g_auto(LabRun) again = lab_run(l, "quiet");
	assert_int_equal(again.status, 0);
	g_auto(LabView) v = lab_look(l, "lab");
	lab_expect(&v, "cause", "a");
}

static void build_trouble(Lab *l, const char *trouble, const char *says)
{
	/* Requests 1: launcher, 2: the base with fixtures, 3: the first with candidates. */
	g_autofree char *rule = g_strdup_printf("{'1': '%s', '3': '%s'}", trouble, trouble);
	lab_set(l, "build_trouble", rule);
	g_auto(LabRun) r = lab_run(l, "quiet");
	if (r.status != 0 || !strstr(r.err, says))
		fail_msg("%s", r.err);
	g_auto(LabView) v = lab_look(l, "lab");
	lab_expect(&v, "cause", "a");
	assert_int_equal(lab_events(&v, "retry"), 2);
}

static void test_build_crash(void **state)
{
	build_trouble(*state, "crash", "(build job) was killed by signal 9");
}

static void test_build_garbage(void **state)
{
	build_trouble(*state, "garbage", "make: Nothing to be done");
}

static void test_build_infra(void **state)
{
	build_trouble(*state, "infra", "no space left on device");
}

static void test_build_without_kernel(void **state)
{
	build_trouble(*state, "nokernel", "named a kernel that is not there");
}

static void test_build_crash_after_result(void **state)
{
	build_trouble(*state, "after", "was killed by signal 9");
}

/* The launcher never builds: no endless retries, and no verdict. */
static void test_launcher_infra(void **state)
{
	lab_set(*state, "build_trouble",
		"{'1': 'infra', '2': 'infra', '3': 'infra', '4': 'infra'}");
	g_auto(LabRun) r = lab_run(*state, "quiet");
	assert_int_equal(r.status, 1);
	assert_non_null(strstr(r.err, "the launcher's kernel"));
	g_auto(LabView) v = lab_look(*state, "lab");
	assert_int_equal(v.builds->len, 3);
	assert_int_equal(v.trials->len, 0);
}

/* Pruned from the cache between two sittings: built again, not taken for a failure. */
static void test_pruned_cache(void **state)
{
	Lab *l = *state;
	lab_set(l, "budget", "{'boots': 5}");
	g_auto(LabRun) r = lab_run(l, "quiet");
	assert_int_equal(r.status, 1);
	g_autofree char *cache = g_build_filename(l->dir, "cache", NULL);
	assert_true(kx_remove_tree(cache, NULL));
	lab_set(l, "budget", "{'boots': 500}");
	g_auto(LabRun) more = lab_run(l, "quiet");
	assert_int_equal(more.status, 0);
	g_auto(LabView) v = lab_look(l, "lab");
	lab_expect(&v, "cause", "a");
	assert_int_equal(v.outcomes[5], 0);
}

#define EACH(f) cmocka_unit_test_setup_teardown(f, lab_setup, lab_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		EACH(test_crash),
		EACH(test_garbage),
		EACH(test_silent),
		EACH(test_no_result),
		EACH(test_infra_outcome),
		EACH(test_wrong_kernel),
		EACH(test_wrong_number),
		EACH(test_refuses),
		EACH(test_lab_is_down),
		EACH(test_lab_goes_down),
		EACH(test_target_is_lost),
		EACH(test_build_crash),
		EACH(test_build_garbage),
		EACH(test_build_infra),
		EACH(test_build_without_kernel),
		EACH(test_build_crash_after_result),
		EACH(test_launcher_infra),
		EACH(test_pruned_cache),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
