/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Daemon, engines and jobs killed at any moment. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/fs.h"
#include "lab.h"

#define CAMPAIGNS 6

/* Engines that run now. */
static GArray *engines(Lab *l)
{
	GArray *pids = g_array_new(FALSE, FALSE, sizeof(pid_t));
	g_autoptr(json_t) answer = lab_ask(l, "{'do': 'list', 'state': 'running'}");
	size_t i;
	json_t *s;
	json_array_foreach (json_object_get(answer, "submissions"), i, s) {
		pid_t pid = (pid_t)kx_json_int(s, "pid", 0);
		if (pid > 1)
			g_array_append_val(pids, pid);
	}
	return pids;
}

static bool all_done(Lab *l, const gint64 *ids)
{
	for (guint i = 0; i < CAMPAIGNS; i++)
		if (!lab_is(l, ids[i], "done"))
			return false;
	return true;
}

/* Whatever is killed: each submission is done exactly once, each trial is recorded once, targets
 * and campaigns are never used twice at a time. */
static void kill_anything(void **state)
{
	Lab *l = *state;
	static const char *const targets[] = {"t1", "t2", "t1, t2", "t1", "t3", "t2, t3"};
	static const char *const scripts[] = {
		"trials=30 ms=20",	   "trials=25 ms=30 linger=100", "trials=40 ms=10",
		"trials=12 ms=60 crash=5", "trials=20 ms=40 linger=300", "trials=30 ms=15 deaf=1"};
	gint64 ids[CAMPAIGNS];
	g_autoptr(GRand) rand = g_rand_new_with_seed(11);
	unsigned daemons = 0, others = 0;
	lab_configure(l, "limits: {campaigns: 3, disk_free_gib: 0, retries: 100}\n");
	lab_start(l);
	for (guint i = 0; i < CAMPAIGNS; i++) {
		g_autofree char *name = g_strdup_printf("c%u", i);
		lab_campaign(l, name, targets[i], scripts[i]);
		ids[i] = lab_submit(l, name, i == 2 ? "{'again': true, 'priority': 3}" : NULL);
	}
	while (!all_done(l, ids)) {
		assert_true(daemons + others < 400);
		/* ever longer, so that it ends */
		gint32 longest = 100000 + (gint32)(daemons + others) * 5000;
		g_usleep((gulong)g_rand_int_range(rand, 1000, longest));
		if (g_rand_int_range(rand, 0, 2)) {
			g_autoptr(GArray) pids = engines(l);
			if (pids->len) {
				guint i = (guint)g_rand_int_range(rand, 0, (gint32)pids->len);
				kill(g_array_index(pids, pid_t, i), SIGKILL);
				others++;
			}
		} else {
			assert_int_equal(lab_end(l, SIGKILL), 128 + SIGKILL);
			daemons++;
			lab_start(l);
		}
	}
	print_message("%u daemons and %u engines were killed\n", daemons, others);
	assert_true(daemons > 3);
	lab_expect_runs(l, "c0-1:30 c1-1:25 c2-1:40 c3-1:12 c4-1:20 c5-1:30");
}

/* The engine itself, in a simulated lab: its search, its jobs, its store. */
static void the_real_engine_goes_on(void **state)
{
	Lab *l = *state;
	g_autofree char *world = g_build_filename(l->dir, "world.json", NULL);
	g_autofree char *wrapper = g_build_filename(l->dir, "engine", NULL);
	g_autofree char *script =
		g_strdup_printf("#!/bin/sh\nwhile [ \"$1\" != --results ]; do shift; done\n"
				"exec %s %s \"$2\" %s json\n",
				ENGINE_DRIVER, world, FAKE_LAB);
	assert_true(kx_write_scratch(world,
				     "{\"candidates\": [{\"name\": \"a\"}, {\"name\": \"b\"}, "
				     "{\"name\": \"c\"}], \"digest\": \"d\", \"cause\": [\"a\"], "
				     "\"effect\": \"cures\", \"boot_ms\": 40, \"build_ms\": 40, "
				     "\"polite\": true}",
				     -1, 0644, NULL));
	assert_true(kx_write_scratch(wrapper, script, -1, 0755, NULL));
	g_setenv("KEXSECT_FAKE_LAB", world, TRUE);
	g_free(l->engine);
	l->engine = g_steal_pointer(&wrapper);
	lab_configure(l, "limits: {campaigns: 3, disk_free_gib: 0, retries: 100}\n");
	lab_campaign(l, "lab", "vm", "none");
	lab_start(l);
	gint64 id = lab_submit(l, "lab", NULL);
	g_autoptr(GRand) rand = g_rand_new_with_seed(3);
	int kills = 0;
	for (; !lab_is(l, id, "done"); kills++) {
		assert_true(kills < 100);
		g_usleep((gulong)g_rand_int_range(rand, 100000, 400000 + kills * 20000));
		assert_int_equal(lab_end(l, SIGKILL), 128 + SIGKILL);
		lab_start(l);
	}
	g_unsetenv("KEXSECT_FAKE_LAB");
	g_autoptr(json_t) s = lab_status(l, id);
	const json_t *verdict = json_object_get(s, "verdict");
	assert_string_equal(kx_json_str(verdict, "sentence"), "a cures the fault");
	assert_string_equal(kx_json_str(s, "run"), "lab-1");
	print_message("%d daemons were killed\n", kills);
	assert_true(kills > 2);
}

/* A submission is on disk when it is acknowledged, and what was not acknowledged is not there. */
static void what_is_acknowledged_is_there(void **state)
{
	Lab *l = *state;
	g_autoptr(GRand) rand = g_rand_new_with_seed(5);
	lab_campaign(l, "x", "t1", "trials=1 ms=1");
	lab_configure(l, "limits: {campaigns: 1");
	lab_start(l);
	for (int i = 0; i < 12; i++) {
		gint64 id = lab_submit(l, "x", "{'window': '00:00-00:01'}");
		assert_int_equal(lab_end(l, SIGKILL), 128 + SIGKILL);
		lab_start(l);
		g_autoptr(json_t) s = lab_status(l, id);
		assert_string_equal(kx_json_str(s, "name"), "x");
		g_usleep((gulong)g_rand_int_range(rand, 0, 20000));
	}
	g_autoptr(json_t) all = lab_ask(l, "{'do': 'list'}");
	assert_int_equal(json_array_size(json_object_get(all, "submissions")), 12);
	g_autofree char *folder = g_build_filename(l->dir, "state/submissions", NULL);
	g_autoptr(GDir) dir = g_dir_open(folder, 0, NULL);
	guint n = 0;
	while (g_dir_read_name(dir))
		n++;
	assert_int_equal(n, 12);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, lab_setup, lab_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(kill_anything),
		TEST(the_real_engine_goes_on),
		TEST(what_is_acknowledged_is_there),
	};
	return cmocka_run_group_tests_name("daemon kill", tests, NULL, NULL);
}
