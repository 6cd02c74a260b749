/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The simulated lab: its truths are what a case says, its boots are the same for everybody, and it
 * counts what they cost. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/error.h"
#include "simulate/policy.h"

static SimCase a_case(SimSpace space)
{
	SimCase c;
	sim_case_init(&c, space);
	return c;
}

static void complete(SimCase *c)
{
	g_autoptr(GError) error = NULL;
	if (!sim_case_complete(c, &error))
		fail_msg("%s", error->message);
}

static void refused(SimCase c, const char *word)
{
	g_autoptr(GError) error = NULL;
	assert_false(sim_case_complete(&c, &error));
	assert_true(g_error_matches(error, KX_ERROR, KX_ERROR_INPUT));
	if (!strstr(error->message, word))
		fail_msg("no '%s' in: %s", word, error->message);
}

static void ranges_are_checked(void **state)
{
	SimCase c = a_case(SIM_HISTORY);
	c.q = 0;
	refused(c, "q = 0");
	c = a_case(SIM_HISTORY);
	c.eps = 0.3;
	refused(c, "eps = 0.3");
	c = a_case(SIM_HISTORY);
	c.d = 2;
	refused(c, "d = 2");
	c = a_case(SIM_PATCHES);
	c.n = 65;
	refused(c, "n = 65");
	c = a_case(SIM_PATCHES);
	c.d = 4;
	refused(c, "d = 4");
	c = a_case(SIM_PATCHES);
	c.max_size = 1;
	refused(c, "d = 2");
	c = a_case(SIM_HISTORY);
	c.either = true;
	refused(c, "d = 2");
	c = a_case(SIM_ORDER);
	c.trouble = SIM_NO_CULPRIT;
	refused(c, "order");
}

static void names_are_found(void **state)
{
	for (int i = 0; i < SIM_SPACE_MAX; i++)
		assert_int_equal(sim_space_find(sim_space_name(i)), i);
	for (int i = 0; i < SIM_TROUBLE_MAX; i++)
		assert_int_equal(sim_trouble_find(sim_trouble_name(i)), i);
	assert_int_equal(sim_space_find("L"), SIM_HISTORY);
	assert_int_equal(sim_space_find("S"), SIM_PATCHES);
	assert_int_equal(sim_space_find("O"), SIM_ORDER);
	assert_int_equal(sim_space_find("X"), -1);
	assert_null(sim_policy_find("nobody"));
	assert_string_equal(sim_policy_find("kexsect")->name, "kexsect");
}

/* What a case of sets must hold, in many draws. */
static void sets_are_as_asked(void **state)
{
	SimCase c = a_case(SIM_PATCHES);
	guint unbuildable = 0, conflicts = 0, depends = 0;
	SearchMask seen = 0;
	c.d = 3;
	complete(&c);
	for (guint i = 0; i < 300; i++) {
		SimTruth t;
		sim_truth_draw(&c, i, &t);
		assert_int_equal(__builtin_popcountll(t.members), 3);
		assert_true(sim_graph_minimal(&t.graph, t.members));
		assert_true(sim_graph_valid(&t.graph, t.closure[0]));
		assert_true((t.closure[0] & t.members) == t.members);
		assert_true((t.closure[0] & t.unbuildable) == 0);
		unbuildable += (guint)__builtin_popcountll(t.unbuildable);
		conflicts += t.graph.n_conflicts;
		for (guint k = 0; k < c.n; k++)
			depends += t.graph.depends[k] != 0;
		seen |= t.members;
		sim_truth_clear(&t);
	}
	assert_int_equal(seen, 0xffffffff);
	assert_int_equal(unbuildable, 300 * 3);
	assert_int_equal(conflicts, 300 * 2);
	assert_float_equal(depends / 300.0, 31 * 0.2, 0.6);
}

static void the_bound_counts_hypotheses(void **state)
{
	SimCase c = a_case(SIM_PATCHES);
	SimTruth t;
	c.depends = c.unbuildable = c.conflicts = 0;
	complete(&c);
	sim_truth_draw(&c, 0, &t);
	assert_float_equal(t.bound, search_bound(496, 0.3, 0, 0.99), 1e-9);
	c = a_case(SIM_HISTORY);
	complete(&c);
	sim_truth_draw(&c, 0, &t);
	assert_float_equal(t.bound, 38.7, 0.1); /* known: n = 128, q = 0.3 */
	c.q = 0.1;
	sim_truth_draw(&c, 0, &t);
	assert_float_equal(t.bound, 124.9, 0.1);
}

static void culprits_are_uniform(void **state)
{
	SimCase c = a_case(SIM_HISTORY);
	guint count[5] = {0};
	c.n = 4;
	complete(&c);
	for (guint i = 0; i < 4000; i++) {
		SimTruth t;
		sim_truth_draw(&c, i, &t);
		assert_in_range(t.members, 1, 4);
		count[t.members]++;
	}
	for (guint i = 1; i <= 4; i++)
		assert_in_range(count[i], 900, 1100);
}

static void boots_are_the_same_in_any_order(void **state)
{
	SimCase c = a_case(SIM_PATCHES);
	SimTruth t;
	LabOutcome first[40], second[40];
	complete(&c);
	sim_truth_draw(&c, 7, &t);
	g_autoptr(Lab) one = lab_new(&c, &t, 7);
	g_autoptr(Lab) two = lab_new(&c, &t, 7);
	for (guint i = 0; i < 20; i++) {
		first[i] = lab_boot(one, 0, false);
		lab_boot(one, t.closure[0], false);
	}
	for (guint i = 0; i < 20; i++)
		second[i] = lab_boot(two, 0, false);
	assert_memory_equal(first, second, 20 * sizeof(*first));
	assert_int_equal(lab_counts(one).boots, 40);
	assert_int_equal(lab_counts(one).builds, 2);
	assert_int_equal(lab_counts(one).switches, 39);
	assert_float_equal(lab_counts(one).seconds, 40 * 90 + 2 * 300, 1e-6);
	assert_int_equal(lab_counts(two).switches, 0);
}

/* Share of the boots of one variant that fault, over many labs. */
static double share_of_faults(const SimCase *c, bool faulty, guint boots)
{
	guint faults = 0;
	for (guint i = 0; i < 20; i++) {
		SimTruth t;
		sim_truth_draw(c, i, &t);
		g_autoptr(Lab) lab = lab_new(c, &t, i);
		for (guint k = 0; k < boots; k++)
			faults += lab_boot(lab, faulty ? c->n : 0, false) == LAB_FAULT;
		sim_truth_clear(&t);
	}
	return faults / (20.0 * boots);
}

static void rates_are_as_asked(void **state)
{
	SimCase c = a_case(SIM_HISTORY);
	c.eps = 0.02;
	complete(&c);
	assert_float_equal(share_of_faults(&c, true, 500), 0.3, 0.02);
	assert_float_equal(share_of_faults(&c, false, 500), 0.02, 0.006);
	c.trouble = SIM_SECOND;
	assert_float_equal(share_of_faults(&c, true, 500), 1 - 0.7 * 0.95, 0.02);
	assert_float_equal(share_of_faults(&c, false, 500), 1 - 0.98 * 0.95, 0.01);
	c.trouble = SIM_INFRA;
	assert_float_equal(share_of_faults(&c, true, 500), 0.3, 0.02);
	c.trouble = SIM_DRIFT; /* whole periods: the mean stays */
	assert_float_equal(share_of_faults(&c, true, 400), 0.3, 0.02);
}

static void the_rate_drifts(void **state)
{
	SimCase c = a_case(SIM_HISTORY);
	SimTruth t;
	guint high = 0, low = 0;
	c.trouble = SIM_DRIFT;
	complete(&c);
	sim_truth_draw(&c, 0, &t);
	t.phase = 0;
	g_autoptr(Lab) lab = lab_new(&c, &t, 0);
	for (guint i = 0; i < 2000; i++) {
		bool fault = lab_boot(lab, c.n, false) == LAB_FAULT;
		if (i % 200 < 100)
			high += fault;
		else
			low += fault;
	}
	assert_true(high > low + 100);
}

static void infra_costs_and_is_no_evidence(void **state)
{
	SimCase c = a_case(SIM_HISTORY);
	SimTruth t;
	c.trouble = SIM_INFRA;
	complete(&c);
	sim_truth_draw(&c, 0, &t);
	g_autoptr(Lab) lab = lab_new(&c, &t, 0);
	for (guint i = 0; i < 1000; i++)
		lab_boot(lab, c.n, false);
	assert_in_range(lab_counts(lab).boots, 1030, 1080);
}

static void without_a_culprit(void **state)
{
	SimCase c = a_case(SIM_HISTORY);
	guint none = 0;
	c.trouble = SIM_NO_CULPRIT;
	c.q = 1;
	complete(&c);
	for (guint i = 0; i < 200; i++) {
		SimTruth t;
		sim_truth_draw(&c, i, &t);
		g_autoptr(Lab) lab = lab_new(&c, &t, i);
		assert_true(isnan(t.bound));
		none += t.kind == SEARCH_H_NONE;
		/* the same at both ends */
		assert_int_equal(lab_boot(lab, 0, false), lab_boot(lab, c.n, false));
	}
	assert_in_range(none, 75, 125);
}

static void what_does_not_build(void **state)
{
	SimCase c = a_case(SIM_HISTORY);
	guint broken = 0;
	c.n = 1000;
	c.unbuildable = 0.2;
	complete(&c);
	for (guint i = 0; i < 50; i++) {
		SimTruth t;
		sim_truth_draw(&c, i, &t);
		g_autoptr(Lab) lab = lab_new(&c, &t, i);
		assert_int_equal(lab_boot(lab, t.members, false) == LAB_UNBUILDABLE, false);
		assert_int_equal(lab_boot(lab, t.members - 1, false) == LAB_UNBUILDABLE, false);
		for (guint k = 1; k < c.n; k++)
			broken += t.broken[k];
		for (guint k = 1; k < c.n; k++)
			assert_int_equal(lab_build(lab, k, false), !t.broken[k]);
		sim_truth_clear(&t);
	}
	assert_float_equal(broken / 50000.0, 0.2, 0.02);
}

static void two_precedences_have_a_path_each(void **state)
{
	SimCase c = a_case(SIM_ORDER);
	SimTruth t;
	c.n = 20;
	c.d = 2;
	c.q = 1;
	complete(&c);
	sim_truth_draw(&c, 3, &t);
	g_autoptr(Lab) lab = lab_new(&c, &t, 3);
	assert_int_equal(lab_length(lab), 190);
	for (guint stage = 0; stage < 2; stage++) {
		lab_set_stage(lab, stage);
		assert_int_equal(lab_boot(lab, t.threshold[stage], false), LAB_FAULT);
		assert_int_equal(lab_boot(lab, t.threshold[stage] - 1, false), LAB_CLEAN);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ranges_are_checked),
		cmocka_unit_test(names_are_found),
		cmocka_unit_test(sets_are_as_asked),
		cmocka_unit_test(the_bound_counts_hypotheses),
		cmocka_unit_test(culprits_are_uniform),
		cmocka_unit_test(boots_are_the_same_in_any_order),
		cmocka_unit_test(rates_are_as_asked),
		cmocka_unit_test(the_rate_drifts),
		cmocka_unit_test(infra_costs_and_is_no_evidence),
		cmocka_unit_test(without_a_culprit),
		cmocka_unit_test(what_does_not_build),
		cmocka_unit_test(two_precedences_have_a_path_each),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
