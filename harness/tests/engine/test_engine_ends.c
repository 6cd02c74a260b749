/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Boots of both ends: what they say of a campaign and of its rate, in few boots. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <string.h>

#include "engine/ends.h"
#include "lab.h"

/* "base STATE FAULTS/BOOTS, full STATE FAULTS/BOOTS" */
static char *seen(Lab *l, int status)
{
	g_auto(LabRun) r = lab_run(l, "ends");
	if (r.status != status)
		fail_msg("status %d: %s", r.status, r.err);
	g_autoptr(json_t) o = kx_json_parse(r.out, "ends", NULL);
	GString *text = g_string_new(NULL);
	size_t i;
	json_t *s;
	json_array_foreach (json_object_get(o, "sides"), i, s)
		g_string_append_printf(text, "%s%s %s %d/%d", i ? ", " : "",
				       kx_json_str(s, "wants"), kx_json_str(s, "state"),
				       (int)kx_json_int(s, "faults", 0),
				       (int)kx_json_int(s, "boots", 0));
	return g_string_free(text, FALSE);
}

static void expect(Lab *l, int status, const char *expected)
{
	g_autofree char *is = seen(l, status);
	assert_string_equal(is, expected);
}

static void a_good_campaign(void **state)
{
	lab_set(*state, "q", "1.0");
	lab_set(*state, "eps", "0.0");
	/* d and e conflict, so the other end is not all of them */
	expect(*state, 0, "fault ok 3/3, clean ok 0/3");
}

static void the_base_does_not_fault(void **state)
{
	lab_set(*state, "base_faults", "false");
	lab_set(*state, "cause", "[]");
	lab_set(*state, "eps", "0.0");
	/* it may be a rare fault: that is the search's to say */
	expect(*state, 0, "fault unsure 0/30, clean ok 0/3");
	lab_set(*state, "most", "5");
	expect(*state, 0, "fault unsure 0/5, clean ok 0/3");
}

static void nothing_helps(void **state)
{
	lab_set(*state, "q", "1.0");
	lab_set(*state, "cause", "[]");
	expect(*state, 0, "fault ok 3/3, clean unsure 3/3"); /* d and e: one of them is missing */
	lab_set(*state, "candidates", "[{'name': 'a'}, {'name': 'b'}]");
	expect(*state, 0, "fault ok 3/3, clean unsure 3/3"); /* one may make it worse */
}

/* The other way round: all candidates must fault. */
static void a_culprit_is_looked_for(void **state)
{
	lab_set(*state, "effect", "'causes'");
	lab_set(*state, "q", "1.0");
	lab_set(*state, "eps", "0.0");
	expect(*state, 0, "clean ok 0/3, fault ok 3/3");
}

/* It goes on to the first fault, and the lab counts with every boot. */
static void a_rare_fault(void **state)
{
	lab_set(*state, "q", "0.12");
	lab_set(*state, "eps", "0.0");
	unsigned most = 0;
	for (int seed = 1; seed <= 8; seed++) {
		g_autofree char *value = g_strdup_printf("%d", seed);
		unsigned faults, boots;
		lab_set(*state, "seed", value);
		g_autofree char *is = seen(*state, 0);
		const char *at = strchr(is, '/');
		assert_non_null(at);
		assert_int_equal(sscanf(at - 1, "%u/%u", &faults, &boots), 2);
		assert_true(boots >= 3 && boots <= 30);
		if (boots > 3 && boots < 30)
			assert_int_equal(faults, 1);
		most = MAX(most, boots);
	}
	assert_true(most > 4);
}

static void kernels_that_do_not_work(void **state)
{
	lab_set(*state, "q", "1.0");
	lab_set(*state, "unbuildable", "['b']");
	expect(*state, 0, "fault ok 3/3, clean unsure 0/0");
	lab_set(*state, "unbuildable", "[]");
	lab_set(*state, "panic", "['b']");
	expect(*state, 0, "fault ok 3/3, clean unsure 0/3");
}

/* Nothing is known of the campaign then. */
static void a_lab_that_fails(void **state)
{
	lab_set(*state, "q", "1.0");
	lab_set(*state, "eps", "0.0");
	lab_set(*state, "always", "'infra'");
	expect(*state, 1, "fault unsure 0/0");
	lab_set(*state, "always", "'crash'");
	g_autofree char *is = seen(*state, 1);
	assert_non_null(strstr(is, "fault unsure 0/0"));
	/* once is not always */
	lab_set(*state, "always", "''");
	lab_set(*state, "trouble", "{'2': 'infra', '4': 'crash'}");
	expect(*state, 0, "fault ok 3/3, clean ok 0/3");
}

/* The estimate is not biased by the rule that stops at the first fault: averaged over many labs,
 * the true q lies in its interval as often as it must, and faults/boots is far too high. */
static void the_rule_does_not_bias(void **state)
{
	g_autoptr(GRand) rand = g_rand_new_with_seed(7);
	unsigned inside = 0, labs = 4000;
	double mean = 0, truth = 0, naive = 0;
	for (unsigned i = 0; i < labs; i++) {
		double q = g_rand_double(rand), m, low, high;
		unsigned faults = 0, boots = 0;
		while (boots < 3 || (!faults && boots < 30)) {
			faults += g_rand_double(rand) < q;
			boots++;
		}
		ends_rate(faults, boots - faults, &m, &low, &high);
		assert_true(0 <= low && low < m && m < high && high <= 1);
		inside += low <= q && q <= high;
		mean += m / labs;
		truth += q / labs;
		naive += (double)faults / boots / labs;
	}
	assert_true(fabs(mean - truth) < 0.01);
	assert_true(fabs(naive - truth) > 0.01);
	assert_in_range(inside, labs * 0.94, labs * 0.96);
	double m, low, high;
	ends_rate(0, 0, &m, &low, &high);
	assert_true(fabs(m - 0.5) < 1e-9 && fabs(low - 0.025) < 1e-3 && fabs(high - 0.975) < 1e-3);
	ends_rate(3, 0, &m, &low, &high); /* Beta(4, 1): q^4 */
	assert_true(fabs(low - pow(0.025, 0.25)) < 1e-3 && fabs(high - pow(0.975, 0.25)) < 1e-3);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, lab_setup, lab_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_good_campaign),	TEST(the_base_does_not_fault),
		TEST(nothing_helps),	TEST(a_culprit_is_looked_for),
		TEST(a_rare_fault),	TEST(kernels_that_do_not_work),
		TEST(a_lab_that_fails), cmocka_unit_test(the_rule_does_not_bias),
	};
	return cmocka_run_group_tests_name("engine ends", tests, NULL, NULL);
}
