/* SPDX-License-Identifier: GPL-2.0-or-later */
/* All is gone at once, as when the power fails; and a database that must come back from its backup.
 */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/fs.h"
#include "base/proc.h"
#include "daemon/sql.h"
#include "lab.h"

static void signal_group(const GArray *pids, int number)
{
	for (guint i = 0; i < pids->len; i++)
		kill(g_array_index(pids, pid_t, i), number);
}

/* The daemon, its engines, and theirs. */
static GArray *everybody(const Lab *l)
{
	GArray *all = g_array_new(FALSE, FALSE, sizeof(pid_t));
	g_array_append_val(all, l->daemon);
	for (guint i = 0; i < all->len; i++) {
		g_autofree char *path = g_strdup_printf("/proc/%1$d/task/%1$d/children",
							(int)g_array_index(all, pid_t, i));
		g_autofree char *text = NULL;
		kill(g_array_index(all, pid_t, i), SIGSTOP); /* no new ones meanwhile */
		if (!g_file_get_contents(path, &text, NULL, NULL))
			continue;
		g_auto(GStrv) words = g_strsplit(g_strstrip(text), " ", -1);
		for (char **w = words; *w && **w; w++) {
			pid_t pid = (pid_t)atoi(*w);
			g_array_append_val(all, pid);
		}
	}
	return all;
}

static char *in_state(const Lab *l, const char *leaf)
{
	return g_build_filename(l->dir, "state", leaf, NULL);
}

/* What was written after the last fsync() may be there, in part, or be rubbish: the end of the log
 * of a transaction that was not over. */
static void tear(const char *wal, GRand *rand)
{
	struct stat st;
	if (stat(wal, &st) != 0 || st.st_size < 3 * 4120)
		return;
	g_autofree char *rubbish = g_strnfill(2000, '?');
	FILE *f = fopen(wal, "r+");
	assert_non_null(f);
	switch (g_rand_int_range(rand, 0, 3)) {
	case 0: /* it was not over */
		assert_int_equal(ftruncate(fileno(f), st.st_size - g_rand_int_range(rand, 1, 4120)),
				 0);
		break;
	case 1:
		assert_int_equal(fseek(f, 0, SEEK_END), 0);
		assert_int_equal(fwrite(rubbish, 1, 2000, f), 2000);
		break;
	default:
		break;
	}
	fclose(f);
}

/* After it the machine starts again: the process of the lease has a number that somebody else has
 * now. */
static void become_another_boot(const Lab *l)
{
	g_autofree char *path = in_state(l, "queue.db");
	g_autofree char *boot = g_uuid_string_random();
	g_autoptr(GError) error = NULL;
	sqlite3 *db = NULL;
	g_autofree char *statement = g_strdup_printf(
		"UPDATE lease SET boot = '%s', pid = %d, start = %" G_GUINT64_FORMAT, boot,
		(int)getpid(), kx_start_time(getpid()));
	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, statement, NULL, NULL, NULL), SQLITE_OK);
	sqlite3_close(db);
}

static void power_cut(Lab *l, GRand *rand)
{
	static const char *const logs[] = {"queue.db-wal", "results/kexsect.db-wal"};
	static const char *const memory[] = {"queue.db-shm", "results/kexsect.db-shm"};
	g_autoptr(GArray) all = everybody(l);
	signal_group(all, SIGKILL);
	assert_int_equal(waitpid(l->daemon, NULL, 0), l->daemon);
	l->daemon = 0;
	for (guint i = 1; i < all->len; i++) /* adopted, and gone in a moment */
		while (kx_start_time(g_array_index(all, pid_t, i)))
			g_usleep(1000);
	for (guint i = 0; i < G_N_ELEMENTS(logs); i++) {
		g_autofree char *log = in_state(l, logs[i]), *shm = in_state(l, memory[i]);
		tear(log, rand);
		unlink(shm);
	}
	become_another_boot(l);
}

static void power_cuts(void **state)
{
	Lab *l = *state;
	g_autoptr(GRand) rand = g_rand_new_with_seed(17);
	lab_configure(l, "limits: {campaigns: 4, disk_free_gib: 0, retries: 100}\n");
	lab_campaign(l, "a", "t1", "trials=25 ms=30");
	lab_campaign(l, "b", "t2", "trials=25 ms=20 linger=200");
	lab_campaign(l, "c", "t1", "trials=10 ms=30");
	lab_start(l);
	gint64 a = lab_submit(l, "a", NULL), b = lab_submit(l, "b", NULL);
	gint64 c = lab_submit(l, "c", NULL);
	/* what is cut off below is only what came later */
	assert_int_equal(lab_end(l, SIGTERM), 0);
	lab_start(l);
	int cuts = 0;
	while (!(lab_is(l, a, "done") && lab_is(l, b, "done") && lab_is(l, c, "done"))) {
		assert_true(cuts < 200);
		g_usleep((gulong)g_rand_int_range(rand, 20000, 300000 + cuts * 20000));
		power_cut(l, rand);
		cuts++;
		lab_start(l);
	}
	print_message("%d power cuts\n", cuts);
	assert_true(cuts > 4);
	lab_expect_runs(l, "a-1:25 b-1:25 c-1:10");
}

/* ---- backup and restore ---- */

static int kexsectd(const Lab *l, const char *option, const char *value, char **ret_said)
{
	g_autofree char *folder = g_build_filename(l->dir, "state", NULL);
	const char *argv[] = {DAEMON,	 "--state", folder, "--config",
			      l->config, option,    value,  NULL};
	int status = -1;
	assert_true(g_spawn_sync(NULL, (char **)argv, NULL, G_SPAWN_STDOUT_TO_DEV_NULL, NULL, NULL,
				 NULL, ret_said, &status, NULL));
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void want_check(const Lab *l, int status)
{
	g_autofree char *said = NULL;
	assert_int_equal(kexsectd(l, "--check", NULL, &said), status);
	if (status && !strstr(said, "damaged"))
		fail_msg("%s", said);
}

static void a_restore(void **state)
{
	Lab *l = *state;
	g_autofree char *file = g_build_filename(l->dir, "backup.db", NULL);
	g_autofree char *db = in_state(l, "queue.db"), *wal = in_state(l, "queue.db-wal");
	g_autofree char *shm = in_state(l, "queue.db-shm");
	lab_configure(l, "limits: {campaigns: 4, disk_free_gib: 0, retries: 100}\n");
	lab_campaign(l, "a", "t1", "trials=30 ms=20");
	lab_campaign(l, "b", "t1", "trials=5 ms=10");
	lab_campaign(l, "later", "t2", "trials=5 ms=10");
	lab_start(l);
	gint64 a = lab_submit(l, "a", NULL), b = lab_submit(l, "b", NULL);
	lab_wait(l, a, "running");
	g_autofree char *said = NULL;
	assert_int_equal(kexsectd(l, "--backup", file, &said), 0);
	want_check(l, 0);
	gint64 later = lab_submit(l, "later", NULL);
	lab_wait(l, later, "done");
	assert_int_equal(lab_end(l, SIGTERM), 0);
	/* the database is lost */
	unlink(wal);
	unlink(shm);
	g_autofree char *rubbish = g_strnfill(3000, '?');
	FILE *f = fopen(db, "r+");
	assert_non_null(f);
	assert_int_equal(fseek(f, 4096 + 100, SEEK_SET), 0);
	assert_int_equal(fwrite(rubbish, 1, 3000, f), 3000);
	fclose(f);
	want_check(l, 1);
	g_autofree char *why = NULL;
	assert_int_equal(kexsectd(l, "--grace", "1", &why), 1);
	assert_non_null(strstr(why, "put a backup in its place"));
	/* and comes back: what was submitted later is not in it */
	assert_int_equal(rename(file, db), 0);
	want_check(l, 0);
	lab_start(l);
	lab_wait(l, a, "done");
	lab_wait(l, b, "done");
	g_autoptr(json_t) gone = lab_ask(l, "{'do': 'status', 'id': %d}", (int)later);
	assert_false(kx_json_bool(gone, "ok", true));
	lab_expect_runs(l, "a-1:30 b-1:5 later-1:5");
	/* without its snapshot a submission cannot run */
	gint64 waits = lab_submit(l, "later", "{'window': '00:00-00:01', 'again': true}");
	assert_int_equal(lab_end(l, SIGTERM), 0);
	g_autofree char *submissions = in_state(l, "submissions");
	assert_true(waits > 0 && kx_remove_tree(submissions, NULL));
	g_autofree char *missing = NULL;
	assert_int_equal(kexsectd(l, "--check", NULL, &missing), 1);
	assert_non_null(strstr(missing, "is missing"));
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, lab_setup, lab_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(power_cuts),
		TEST(a_restore),
	};
	return cmocka_run_group_tests_name("daemon power", tests, NULL, NULL);
}
