/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The engine is killed, stopped, started twice, or runs out of disk. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/error.h"
#include "base/fs.h"
#include "lab.h"

static bool has_trial(const LabView *v, unsigned number)
{
	for (guint i = 0; i < v->trials->len; i++)
		if (((StoreTrial *)v->trials->pdata[i])->number == number)
			return true;
	return false;
}

/* What the lab says that it did, against what was recorded: no trial that was completed is missing,
 * no number was given out twice. Returns the number of completed trials. */
static unsigned check_journal(const char *path, const LabView *v)
{
	g_autofree char *text = NULL;
	assert_true(g_file_get_contents(path, &text, NULL, NULL));
	g_auto(GStrv) lines = g_strsplit(text, "\n", 0);
	g_autoptr(GHashTable) started = g_hash_table_new(NULL, NULL);
	unsigned done = 0, number;
	for (char **line = lines; *line; line++) {
		if (sscanf(*line, "start %u", &number) == 1) {
			if (!g_hash_table_add(started, GUINT_TO_POINTER(number)))
				fail_msg("number %u was used twice", number);
		} else if (sscanf(*line, "done %u", &number) == 1) {
			if (!has_trial(v, number))
				fail_msg("trial %u was lost", number);
			done++;
		}
	}
	return done;
}

/* kill -9 at random moments until it gets through. */
static void kill_often(Lab *l, bool polite)
{
	lab_set(l, "boot_ms", "15");
	lab_set(l, "build_ms", "15");
	lab_set(l, "polite", polite ? "true" : "false");
	g_autofree char *journal = g_build_filename(l->dir, "journal", NULL);
	g_setenv("KEXSECT_FAKE_JOURNAL", journal, TRUE);
	g_autoptr(GRand) rand = g_rand_new_with_seed(7);
	int status = -1, kills = 0;
	while (status != 0) {
		pid_t pid = lab_start(l, "quiet");
		/* Ever longer, so that it ends. */
		g_usleep((gulong)g_rand_int_range(rand, 30000, 250000 + kills * 20000));
		kill(pid, SIGKILL);
		status = lab_wait(pid);
		assert_true(status == 0 || status == 128 + SIGKILL);
		kills += status != 0;
		assert_true(kills < 200);
	}
	assert_true(kills >= 3);
	g_unsetenv("KEXSECT_FAKE_JOURNAL");
	g_auto(LabView) v = lab_look(l, "lab-1");
	lab_expect(&v, "cause", "a");
	assert_int_equal(v.outcomes[5], 0);
	unsigned done = check_journal(journal, &v);
	/* The lab may be killed between the evidence and its journal, once per kill. */
	assert_in_range(v.trials->len, done, done + (unsigned)kills);
	print_message("%d kills, %u trials, %u adopted, %u cut off\n", kills, v.trials->len,
		      lab_events(&v, "adopt"), lab_events(&v, "cut-off"));
}

static void test_kill(void **state)
{
	kill_often(*state, false);
}

static void test_kill_polite_job(void **state)
{
	kill_often(*state, true);
}

/* The row of the last trial is taken away, as if the engine had died just before it: the evidence
 * is taken over, and incomplete evidence beside it goes. */
static void test_adopt(void **state)
{
	Lab *l = *state;
	lab_set(l, "budget", "{'boots': 6}");
	g_auto(LabRun) r = lab_run(l, "quiet");
	assert_int_equal(r.status, 1);
	unsigned before, last;
	{
		g_auto(LabView) v = lab_look(l, "lab");
		before = v.trials->len;
		last = ((StoreTrial *)v.trials->pdata[before - 1])->number;
	}
	g_autofree char *db = g_build_filename(l->dir, "kexsect.db", NULL);
	g_autofree char *sql = g_strdup_printf("PRAGMA foreign_keys = ON; DELETE FROM trial WHERE "
					       "number >= %u",
					       last - 1);
	const char *argv[] = {"sqlite3", db, sql, NULL};
	gint status;
	assert_true(g_spawn_sync(NULL, (char **)argv, NULL, G_SPAWN_SEARCH_PATH, NULL, NULL, NULL,
				 NULL, &status, NULL));
	assert_int_equal(status, 0);
	g_autofree char *leaf = g_strdup_printf("campaigns/lab-1/trials/%06u", last + 1);
	g_autofree char *part = g_build_filename(l->dir, leaf, NULL);
	g_autofree char *console = g_build_filename(part, "console.raw", NULL);
	assert_true(kx_mkdir(part, NULL) && kx_write_file(console, "Linux ver", -1, NULL));
	/* Of the two without a row, one has the outcome of another trial in it: not its own. */
	g_autofree char *odd_leaf =
		g_strdup_printf("campaigns/lab-1/trials/%06u/outcome.json", last - 1);
	g_autofree char *odd = g_build_filename(l->dir, odd_leaf, NULL);
	assert_true(kx_write_file(odd, "{\"trial\": 999, \"outcome\": \"clean\"}", -1, NULL));

	lab_set(l, "budget", "{'boots': 500}");
	g_auto(LabRun) more = lab_run(l, "quiet");
	assert_int_equal(more.status, 0);
	assert_false(g_file_test(part, G_FILE_TEST_EXISTS));
	g_auto(LabView) v = lab_look(l, "lab");
	lab_expect(&v, "cause", "a");
	assert_int_equal(lab_events(&v, "adopt"), 1);
	assert_true(lab_has_event(&v, "adopt", last));
	assert_true(lab_has_event(&v, "cut-off", last - 1));
	assert_true(lab_has_event(&v, "cut-off", last + 1));
	/* The adopted one is back, with its number; those that were removed are not used again. */
	assert_true(has_trial(&v, last));
	assert_false(has_trial(&v, last - 1));
	assert_false(has_trial(&v, last + 1));
}

static void wait_for_trials(Lab *l, unsigned n)
{
	for (int i = 0; i < 1000; i++) {
		g_autoptr(Store) s = store_open(l->dir, STORE_READ, NULL);
		g_autoptr(StoreCampaign) c = s ? store_find_campaign(s, "lab", NULL) : NULL;
		g_autoptr(GPtrArray) trials = c ? store_trials(s, c->id, NULL) : NULL;
		if (trials && trials->len >= n)
			return;
		g_usleep(10000);
	}
	fail_msg("no trials");
}

static char *said(Lab *l)
{
	g_autofree char *path = g_build_filename(l->dir, "out", NULL);
	char *text = NULL;
	assert_true(g_file_get_contents(path, &text, NULL, NULL));
	return text;
}

static void stop_by(Lab *l, int number, bool polite)
{
	lab_set(l, "boot_ms", "60");
	lab_set(l, "polite", polite ? "true" : "false");
	pid_t pid = lab_start(l, "quiet");
	wait_for_trials(l, 2);
	kill(pid, number);
	assert_int_equal(lab_wait(pid), 1);
	g_autofree char *text = said(l);
	g_autofree char *want =
		g_strdup_printf("error %d: lab-1: stopped; 'kexsect run", KX_ERROR_CANCELLED);
	if (!strstr(text, want))
		fail_msg("%s", text);
	{
		g_auto(LabView) v = lab_look(l, "lab");
		assert_int_equal(v.run->state, STORE_STOPPED);
		assert_null(v.verdict);
		assert_int_equal(v.outcomes[5], 0);
		assert_false(store_is_alive(v.run));
	}
	lab_set(l, "boot_ms", "1");
	g_auto(LabRun) r = lab_run(l, "quiet");
	assert_int_equal(r.status, 0);
	g_auto(LabView) v = lab_look(l, "lab");
	assert_string_equal(v.run->slug, "lab-1");
	lab_expect(&v, "cause", "a");
	assert_int_equal(v.outcomes[5], 0);
}

static void test_interrupt(void **state)
{
	stop_by(*state, SIGINT, true);
}

static void test_terminate(void **state)
{
	stop_by(*state, SIGTERM, false);
}

/* Stopped while a build runs. */
static void test_interrupt_build(void **state)
{
	Lab *l = *state;
	lab_set(l, "build_ms", "3000");
	pid_t pid = lab_start(l, "quiet");
	g_usleep(500000);
	kill(pid, SIGINT);
	assert_int_equal(lab_wait(pid), 1);
	lab_set(l, "build_ms", "1");
	g_auto(LabRun) r = lab_run(l, "quiet");
	assert_int_equal(r.status, 0);
	g_auto(LabView) v = lab_look(l, "lab");
	lab_expect(&v, "cause", "a");
}

static void test_two_at_once(void **state)
{
	Lab *l = *state;
	lab_set(l, "boot_ms", "100");
	pid_t pid = lab_start(l, "quiet");
	wait_for_trials(l, 1);
	g_autofree char *owner = g_strdup_printf("process %d", pid);
	g_autofree char *code = g_strdup_printf("error %d: ", KX_ERROR_BUSY);
	static const char *const words[] = {"quiet", "quiet again"};
	for (int i = 0; i < 2; i++) {
		g_auto(LabRun) r = lab_run(l, words[i]);
		assert_int_equal(r.status, 1);
		if (!strstr(r.err, code) || !strstr(r.err, owner))
			fail_msg("%s", r.err);
	}
	lab_set(l, "digest", "'d2'");
	g_auto(LabRun) changed = lab_run(l, "quiet");
	assert_non_null(strstr(changed.err, code));
	kill(pid, SIGTERM);
	assert_int_equal(lab_wait(pid), 1);
	g_auto(LabView) v = lab_look(l, "lab");
	assert_string_equal(v.run->slug, "lab-1");
}

/* Started at the same moment, four times: one works, the others say so, and there is one run. */
static void test_start_together(void **state)
{
	Lab *l = *state;
	lab_set(l, "boot_ms", "200"); /* long enough for the last to start meanwhile */
	pid_t pids[4];
	unsigned fine = 0, busy = 0;
	for (int i = 0; i < 4; i++)
		pids[i] = lab_start(l, "quiet");
	for (int i = 0; i < 4; i++) {
		int status = lab_wait(pids[i]);
		fine += status == 0;
		busy += status == 1;
	}
	assert_int_equal(fine, 1);
	assert_int_equal(busy, 3);
	g_auto(LabView) v = lab_look(l, "lab");
	assert_string_equal(v.run->slug, "lab-1");
	lab_expect(&v, "cause", "a");
}

/* The digest changed since it was stopped: a new run, and it says why. */
static void test_changed_since(void **state)
{
	Lab *l = *state;
	lab_set(l, "boot_ms", "60");
	pid_t pid = lab_start(l, "quiet");
	wait_for_trials(l, 1);
	kill(pid, SIGKILL);
	lab_wait(pid);
	lab_set(l, "boot_ms", "1");
	lab_set(l, "digest", "'d2'");
	g_auto(LabRun) r = lab_run(l, "quiet");
	assert_int_equal(r.status, 0);
	assert_non_null(strstr(r.err, "the campaign has changed since"));
	g_auto(LabView) v = lab_look(l, "lab");
	assert_string_equal(v.run->slug, "lab-2");
	/* Back to the old text: the old run goes on. */
	lab_set(l, "digest", "'d1'");
	g_auto(LabRun) old = lab_run(l, "quiet");
	assert_int_equal(old.status, 0);
	g_auto(LabView) first = lab_look(l, "lab-1");
	lab_expect(&first, "cause", "a");
}

/* In a mount namespace of its own. Exit status 77: no mounts here. */
static int fill_disk(Lab *l)
{
	if (unshare(CLONE_NEWNS) != 0 || mount("", "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0)
		return 77;
	g_autofree char *world = g_strdup(l->world);
	g_autofree char *text = NULL;
	gsize len;
	if (!g_file_get_contents(world, &text, &len, NULL) ||
	    mount("tmpfs", l->dir, "tmpfs", 0, "size=700k") != 0 ||
	    !kx_write_file(world, text, (gssize)len, NULL))
		return 77;
	{
		g_auto(LabRun) r = lab_run(l, "quiet");
		g_autofree char *code = g_strdup_printf("error %d: ", KX_ERROR_NO_SPACE);
		if (r.status != 1 || !strstr(r.err, code)) {
			fprintf(stderr, "%d: %s\n", r.status, r.err);
			return 2;
		}
	}
	if (mount("tmpfs", l->dir, "tmpfs", MS_REMOUNT, "size=60m") != 0)
		return 3;
	g_auto(LabRun) again = lab_run(l, "quiet");
	if (again.status != 0) {
		fprintf(stderr, "%s\n", again.err);
		return 4;
	}
	g_auto(LabView) v = lab_look(l, "lab");
	lab_expect(&v, "cause", "a");
	return 0;
}

static void test_full_disk(void **state)
{
	pid_t pid = fork();
	assert_true(pid >= 0);
	if (pid == 0)
		_exit(fill_disk(*state));
	int status;
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	if (WEXITSTATUS(status) == 77)
		skip();
	assert_int_equal(WEXITSTATUS(status), 0);
}

#define EACH(f) cmocka_unit_test_setup_teardown(f, lab_setup, lab_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		EACH(test_kill),	EACH(test_kill_polite_job), EACH(test_adopt),
		EACH(test_interrupt),	EACH(test_terminate),	    EACH(test_interrupt_build),
		EACH(test_two_at_once), EACH(test_start_together),  EACH(test_changed_since),
		EACH(test_full_disk),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
