/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Whole campaigns in a simulated lab: right answers, few boots, no waste. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "simulated.h"

typedef struct {
	LabKind kind;
	guint runs, wrong_max, inconclusive_max;
	double boots_max; /* mean */
} Row;

#define CURES SEARCH_CURES
#define CAUSES SEARCH_CAUSES
#define SET SEARCH_H_SET
#define NONE SEARCH_H_NONE
#define EMPTY SEARCH_H_EMPTY

/* Limits: some 15 % above what was measured; wrong: 1 % of the runs, rounded up. */
static const Row rows[] = {
	/* name, n, max_size, size, q, ε, effect, kind, traps, conflicts, depends */
	{{"one of 12 cures, always", 12, 3, 1, 1, 0, CURES, SET, 0, 0, 0}, 120, 0, 0, 27},
	{{"two of 12 cure, always", 12, 3, 2, 1, 0, CURES, SET, 0, 0, 0}, 90, 0, 0, 27},
	{{"three of 12 cure, always", 12, 3, 3, 1, 0, CURES, SET, 0, 0, 0}, 45, 0, 0, 29},
	{{"one of 12 causes, always", 12, 3, 1, 1, 0, CAUSES, SET, 0, 0, 0}, 120, 0, 0, 20},
	{{"two of 12 cause, always", 12, 3, 2, 1, 0, CAUSES, SET, 0, 0, 0}, 60, 0, 0, 35},
	{{"one of 12 cures, q 0.5", 12, 2, 1, 0.5, 0, CURES, SET, 0, 0, 0}, 180, 2, 0, 60},
	{{"two of 12 cure, q 0.5", 12, 2, 2, 0.5, 0, CURES, SET, 0, 0, 0}, 150, 2, 0, 63},
	{{"one of 12 causes, q 0.5", 12, 2, 1, 0.5, 0, CAUSES, SET, 0, 0, 0}, 90, 1, 0, 53},
	{{"one of 12 cures, q 0.3", 12, 2, 1, 0.3, 0, CURES, SET, 0, 0, 0}, 90, 1, 0, 110},
	{{"two of 12 cause, q 0.3", 12, 2, 2, 0.3, 0, CAUSES, SET, 0, 0, 0}, 30, 1, 0, 190},
	{{"false alarms, q 1", 12, 2, 1, 1, 0.01, CURES, SET, 0, 0, 0}, 120, 2, 0, 27},
	{{"false alarms, q 0.5", 12, 2, 1, 0.5, 0.01, CURES, SET, 0, 0, 0}, 120, 2, 0, 70},
	{{"false alarms, causes", 12, 2, 1, 1, 0.01, CAUSES, SET, 0, 0, 0}, 120, 2, 0, 21},
	{{"a rough set of patches", 12, 2, 1, 1, 0, CURES, SET, 4, 2, 4}, 120, 0, 2, 32},
	{{"a rough set, q 0.5", 12, 2, 2, 0.5, 0, CURES, SET, 3, 2, 4}, 90, 1, 1, 70},
	{{"a rough set, causes", 12, 2, 2, 0.5, 0, CAUSES, SET, 3, 2, 4}, 45, 1, 1, 118},
	{{"nothing cures, always", 12, 3, 0, 1, 0, CURES, NONE, 0, 0, 0}, 90, 0, 0, 10},
	{{"nothing cures, q 0.5", 12, 2, 0, 0.5, 0, CURES, NONE, 0, 2, 4}, 180, 2, 0, 30},
	{{"nothing causes", 12, 2, 0, 1, 0, CAUSES, NONE, 0, 0, 0}, 30, 0, 0, 76},
	{{"no fault here", 12, 2, 0, 1, 0, CURES, EMPTY, 0, 0, 0}, 30, 0, 0, 75},
	{{"the base faults itself", 12, 2, 0, 1, 0, CAUSES, EMPTY, 0, 0, 0}, 60, 0, 0, 5},
	{{"one of 32 cures, always", 32, 2, 1, 1, 0, CURES, SET, 0, 0, 0}, 30, 0, 0, 27},
	{{"two of 32 cure, always", 32, 2, 2, 1, 0, CURES, SET, 0, 0, 0}, 24, 0, 0, 30},
	{{"two of 32 cure, q 0.3", 32, 2, 2, 0.3, 0, CURES, SET, 2, 2, 5}, 12, 1, 0, 163},
	{{"three of 32 cure, always", 32, 3, 3, 1, 0, CURES, SET, 0, 0, 0}, 3, 0, 0, 35},
};

static void test_campaigns(void **state)
{
	double claimed = 0, right = 0, verdicts = 0;

	for (guint i = 0; i < G_N_ELEMENTS(rows); i++) {
		const Row *row = &rows[i];
		guint wrong = 0, inconclusive = 0;
		double boots = 0, builds = 0;

		for (guint k = 0; k < row->runs; k++) {
			LabCampaign c;
			LabRun run;

			lab_draw(&row->kind, k, &c);
			c.lab.max_boots = 3000;
			run = lab_run(&c.lab, &c.problem, false);
			assert_int_equal(run.invalid, 0);
			boots += run.boots;
			builds += run.builds;
			if (run.verdict.kind == SEARCH_VERDICT_INCONCLUSIVE) {
				inconclusive++;
				continue;
			}
			verdicts++;
			claimed += run.verdict.probability;
			right += lab_is_right(&c.lab, &c.problem, &run.verdict);
			wrong += !lab_is_right(&c.lab, &c.problem, &run.verdict);
		}
		print_message("%-25s boots %6.1f builds %5.1f wrong %u inconclusive %u of %u\n",
			      row->kind.name, boots / row->runs, builds / row->runs, wrong,
			      inconclusive, row->runs);
		assert_true(wrong <= row->wrong_max);
		assert_true(inconclusive <= row->inconclusive_max);
		assert_true(boots / row->runs <= row->boots_max);
	}
	print_message("claimed %.4f, right %.4f of %.0f verdicts\n", claimed / verdicts,
		      right / verdicts, verdicts);
	assert_true(right / verdicts >= 0.99);
	assert_true(claimed / verdicts >= 0.99);
}

/* A campaign that was killed and replayed, in another order, goes on as if nothing had been. */
static void test_replay(void **state)
{
	static const LabKind kinds[] = {
		{"", 10, 2, 1, 0.5, 0.01, CURES, SET, 3, 2, 3},
		{"", 10, 2, 2, 1, 0, CAUSES, SET, 2, 1, 3},
	};

	for (guint i = 0; i < G_N_ELEMENTS(kinds); i++) {
		for (guint k = 0; k < 3; k++) {
			LabCampaign c;
			LabRun run, again;

			lab_draw(&kinds[i], k, &c);
			c.lab.check_replay = true;
			run = lab_run(&c.lab, &c.problem, false);
			assert_int_equal(run.replay_differs, 0);
			again = lab_run(&c.lab, &c.problem, false);
			assert_int_equal(run.boots, again.boots);
			assert_int_equal(run.builds, again.builds);
			assert_true(run.seconds == again.seconds);
		}
	}
}

/* The culprit itself never builds: whatever the rest shows, nothing may be claimed. */
static void test_untestable_culprit(void **state)
{
	for (guint k = 0; k < 12; k++) {
		LabKind kind = {"", 10, 2, 1 + k % 2, k % 3 ? 1 : 0.5, 0, CURES, SET, 0, 1, 2};
		LabCampaign c;
		LabRun run;

		lab_draw(&kind, k, &c);
		if (k % 4 < 2)
			c.lab.unbuildable[c.lab.n_unbuildable++] = c.lab.members;
		else
			c.lab.hanging[c.lab.n_hanging++] = c.lab.members;
		run = lab_run(&c.lab, &c.problem, false);
		assert_int_equal(run.verdict.kind, SEARCH_VERDICT_INCONCLUSIVE);
		assert_int_equal(run.verdict.why, SEARCH_WHY_UNTESTABLE);
		assert_true(run.builds < 60);
	}
}

static void test_base_does_not_boot(void **state)
{
	SearchProblem p = {.n = 4};
	Lab lab = {.kind = SET, .members = 1, .q = 1, .cold_q = -1};
	LabRun run;

	lab.hanging[lab.n_hanging++] = 0;
	run = lab_run(&lab, &p, false);
	assert_int_equal(run.verdict.kind, SEARCH_VERDICT_INCONCLUSIVE);
	assert_int_equal(run.verdict.why, SEARCH_WHY_UNTESTABLE);
	assert_int_equal(run.boots, 3);
}

/* Faults in kexec'd boots only: the cause of those is not what was asked, and nothing is claimed.
 */
static void test_cold_differs(void **state)
{
	for (guint k = 0; k < 10; k++) {
		LabKind kind = {"",  8, 2, 1 + k % 2, k % 3 ? 1 : 0.6, 0, k % 2 ? CURES : CAUSES,
				SET, 0, 0, 0};
		LabCampaign c;
		LabRun run;

		lab_draw(&kind, k, &c);
		c.lab.cold_q = 0;
		c.lab.max_boots = 600;
		run = lab_run(&c.lab, &c.problem, false);
		assert_int_equal(run.verdict.kind, SEARCH_VERDICT_INCONCLUSIVE);
		assert_int_equal(run.verdict.why, SEARCH_WHY_COLD_DIFFERS);
		assert_true(run.verdict.cold_differs);
		assert_true(run.boots < 200);
	}
}

/* A target without cold boots, or no wish to compile again: fewer boots, still the right answer. */
static void test_confirmation_options(void **state)
{
	LabKind kind = {"", 12, 2, 2, 1, 0, CURES, SET, 0, 0, 0};
	guint boots[4];

	for (guint k = 0; k < 4; k++) {
		LabCampaign c;
		LabRun run;

		lab_draw(&kind, 3, &c);
		c.problem.no_confirm_cold = k & 1;
		c.problem.no_confirm_clean = k >> 1;
		run = lab_run(&c.lab, &c.problem, false);
		assert_int_equal(run.verdict.kind, SEARCH_VERDICT_CAUSE);
		assert_int_equal(run.verdict.members, c.lab.members);
		boots[k] = run.boots;
	}
	assert_true(boots[3] < boots[0]);
}

static void test_budget(void **state)
{
	LabKind kind = {"", 12, 2, 1, 0.3, 0, CURES, SET, 0, 0, 0};
	LabCampaign c;
	LabRun run;

	lab_draw(&kind, 1, &c);
	c.lab.max_boots = 17;
	run = lab_run(&c.lab, &c.problem, false);
	assert_int_equal(run.verdict.kind, SEARCH_VERDICT_INCONCLUSIVE);
	assert_int_equal(run.verdict.why, SEARCH_WHY_UNFINISHED);
	assert_true(run.boots <= 17);
	assert_int_equal(run.invalid, 0);
	assert_true(run.verdict.probability < 0.99);
	assert_int_equal(run.verdict.members, 0);
}

/* Where compiling is dear, fewer variants are compiled and each is booted more. */
static void test_costs_matter(void **state)
{
	LabKind kind = {"", 12, 2, 1, 0.3, 0, CURES, SET, 0, 0, 0};
	double builds[2] = {0}, boots[2] = {0};

	for (guint k = 0; k < 24; k++) {
		LabCampaign c;
		LabRun run;

		lab_draw(&kind, k / 2, &c);
		c.lab.boot_s = 5;
		c.lab.build_s = k % 2 ? 600 : 1;
		run = lab_run(&c.lab, &c.problem, false);
		builds[k % 2] += run.builds / 12.0;
		boots[k % 2] += run.boots / 12.0;
	}
	print_message("build 1 s: %.1f builds, %.1f boots; 600 s: %.1f builds, %.1f boots\n",
		      builds[0], boots[0], builds[1], boots[1]);
	assert_true(builds[1] < builds[0] * 0.9);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_campaigns),
		cmocka_unit_test(test_replay),
		cmocka_unit_test(test_untestable_culprit),
		cmocka_unit_test(test_base_does_not_boot),
		cmocka_unit_test(test_cold_differs),
		cmocka_unit_test(test_confirmation_options),
		cmocka_unit_test(test_budget),
		cmocka_unit_test(test_costs_matter),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
