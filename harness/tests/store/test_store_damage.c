/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Full disks, damaged, foreign, newer and read-only databases, killed writers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/error.h"
#include "base/fs.h"
#include "sample.h"
#include "store/store-internal.h"

static void assert_error(GError *error, KxErrorCode code, const char *says)
{
	assert_non_null(error);
	if (!g_error_matches(error, KX_ERROR, (int)code) || !strstr(error->message, says))
		fail_msg("code %d: %s", error->code, error->message);
}

/* Adds trials until it fails; the number of those that worked. */
static unsigned fill(Store *s, const StoreCampaign *c, gint64 sitting, GError **error)
{
	unsigned n = 0;
	while (n < 100000 && sample_trial(s, c, sitting, n + 1, 0, "fault", error))
		n++;
	return n;
}

static unsigned count_trials(Store *s, const StoreCampaign *c)
{
	g_autoptr(GPtrArray) trials = store_trials(s, c->id, NULL);
	return trials ? trials->len : 0;
}

static void test_quota(void **state)
{
	g_autoptr(Store) s = store_open(*state, STORE_WRITE, NULL);
	g_autoptr(StoreCampaign) c = sample_campaign(s, "x");
	gint64 sitting = store_begin_sitting(s, c->id, NULL);
	assert_int_equal(sqlite3_exec(s->db, "PRAGMA max_page_count = 60", NULL, NULL, NULL), 0);
	g_autoptr(GError) error = NULL;
	unsigned n = fill(s, c, sitting, &error);
	assert_error(error, KX_ERROR_NO_SPACE, "make room");
	assert_true(n > 5);
	assert_int_equal(count_trials(s, c), n);
	/* With room again it goes on at the same number. */
	assert_int_equal(sqlite3_exec(s->db, "PRAGMA max_page_count = 10000", NULL, NULL, NULL), 0);
	assert_true(sample_trial(s, c, sitting, n + 1, 0, "fault", NULL));
	assert_true(store_check(s, NULL));
}

/* In a mount namespace of its own, so that nothing stays mounted. */
static int fill_small_disk(const char *dir)
{
	if (unshare(CLONE_NEWNS) != 0 || mount("", "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0 ||
	    mount("tmpfs", dir, "tmpfs", 0, "size=600k") != 0)
		return 77;
	g_autoptr(Store) s = store_open(dir, STORE_WRITE, NULL);
	if (!s)
		return 2;
	g_autoptr(StoreCampaign) c = sample_campaign(s, "x");
	gint64 sitting = store_begin_sitting(s, c->id, NULL);
	g_autoptr(GError) error = NULL;
	unsigned n = fill(s, c, sitting, &error);
	if (!g_error_matches(error, KX_ERROR, KX_ERROR_NO_SPACE))
		return 3;
	if (n < 5 || count_trials(s, c) != n)
		return 4;
	if (mount("tmpfs", dir, "tmpfs", MS_REMOUNT, "size=4m") != 0)
		return 5;
	if (!sample_trial(s, c, sitting, n + 1, 0, "fault", NULL) || !store_check(s, NULL))
		return 6;
	g_clear_pointer(&s, store_free);
	/* Read-only: a reader works, a writer says why not. */
	if (mount("tmpfs", dir, "tmpfs", MS_REMOUNT | MS_RDONLY, "size=4m") != 0)
		return 7;
	s = store_open(dir, STORE_READ, NULL);
	if (!s || count_trials(s, c) != n + 1)
		return 8;
	g_autoptr(Store) w = store_open(dir, STORE_WRITE, NULL);
	if (w && sample_trial(w, c, sitting, n + 2, 0, "fault", NULL))
		return 9;
	return 0;
}

static void test_full_disk(void **state)
{
	pid_t pid = fork();
	assert_true(pid >= 0);
	if (pid == 0)
		_exit(fill_small_disk(*state));
	int status;
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	if (WEXITSTATUS(status) == 77)
		skip(); /* no mounts here: test_quota has the same path */
	assert_int_equal(WEXITSTATUS(status), 0);
}

static void scribble(const char *dir, off_t from, size_t len)
{
	g_autofree char *path = g_build_filename(dir, "kexsect.db", NULL);
	g_autofree char *junk = g_malloc(len);
	memset(junk, 0xa5, len);
	int fd = open(path, O_WRONLY);
	assert_true(fd >= 0);
	assert_int_equal(pwrite(fd, junk, len, from), (ssize_t)len);
	close(fd);
}

static void make_filled(const char *dir)
{
	g_autoptr(Store) s = store_open(dir, STORE_WRITE, NULL);
	g_autoptr(StoreCampaign) c = sample_campaign(s, "x");
	gint64 sitting = store_begin_sitting(s, c->id, NULL);
	for (unsigned i = 1; i <= 100; i++)
		assert_true(sample_trial(s, c, sitting, i, 0, "fault", NULL));
}

static void test_damaged_pages(void **state)
{
	make_filled(*state);
	{
		g_autoptr(Store) s = store_open(*state, STORE_READ, NULL);
		assert_true(store_check(s, NULL));
	}
	g_autofree char *path = g_build_filename(*state, "kexsect.db", NULL);
	struct stat st;
	assert_int_equal(stat(path, &st), 0);
	scribble(*state, st.st_size / 2, 8192);
	g_autoptr(Store) s = store_open(*state, STORE_READ, NULL);
	assert_non_null(s);
	g_autoptr(GError) error = NULL;
	assert_false(store_check(s, &error));
	assert_error(error, KX_ERROR_DIGEST, "damaged");
}

static void test_damaged_header(void **state)
{
	make_filled(*state);
	scribble(*state, 0, 64);
	g_autoptr(GError) error = NULL;
	assert_null(store_open(*state, STORE_WRITE, &error));
	assert_error(error, KX_ERROR_DIGEST, "kexsect.db");
	g_clear_error(&error);
	assert_null(store_open(*state, STORE_READ, &error));
	assert_error(error, KX_ERROR_DIGEST, "kexsect.db");
}

static void test_lost_reference(void **state)
{
	make_filled(*state);
	g_autoptr(Store) s = store_open(*state, STORE_WRITE, NULL);
	assert_true(store_exec(s, NULL, "PRAGMA foreign_keys = OFF", ""));
	assert_true(store_exec(s, NULL, "DELETE FROM trial WHERE number = 50", ""));
	g_autoptr(GError) error = NULL;
	assert_false(store_check(s, &error));
	assert_error(error, KX_ERROR_DIGEST, "missing one of trial");
}

static void test_foreign(void **state)
{
	g_autofree char *path = g_build_filename(*state, "kexsect.db", NULL);
	sqlite3 *db = NULL;
	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, "CREATE TABLE bookmark (url)", NULL, NULL, NULL), 0);
	sqlite3_close(db);
	g_autofree char *before = kx_sha256_file(path, NULL);
	g_autoptr(GError) error = NULL;
	assert_null(store_open(*state, STORE_WRITE, &error));
	assert_error(error, KX_ERROR_DIGEST, "another program");
	g_autofree char *after = kx_sha256_file(path, NULL);
	assert_string_equal(before, after);
}

static void test_newer(void **state)
{
	make_filled(*state);
	{
		g_autoptr(Store) s = store_open_raw(*state, STORE_WRITE, NULL);
		assert_true(store_exec(s, NULL, "PRAGMA user_version = 99", ""));
	}
	g_autoptr(GError) error = NULL;
	assert_null(store_open(*state, STORE_WRITE, &error));
	assert_error(error, KX_ERROR_REFUSED, "newer kexsect (schema 99");
}

static void test_missing(void **state)
{
	g_autofree char *nowhere = g_build_filename(*state, "nowhere", NULL);
	g_autoptr(GError) error = NULL;
	assert_null(store_open(nowhere, STORE_READ, &error));
	assert_error(error, KX_ERROR_MISSING, "no results in");
	assert_false(g_file_test(nowhere, G_FILE_TEST_EXISTS));
}

/* Killed in the middle of writing, many times: what was told to be written is there, whole. */
static void test_killed_writer(void **state)
{
	int fds[2];
	unsigned done = 0;
	g_autofree char *slug = NULL;
	{
		g_autoptr(Store) s = store_open(*state, STORE_WRITE, NULL);
		g_autoptr(StoreCampaign) c = sample_campaign(s, "x");
		slug = g_strdup(c->slug);
	}
	for (int round = 0; round < 8; round++) {
		assert_int_equal(pipe(fds), 0);
		pid_t pid = fork();
		if (pid == 0) {
			g_autoptr(Store) s = store_open(*state, STORE_WRITE, NULL);
			g_autoptr(StoreCampaign) c = s ? store_find_campaign(s, slug, NULL) : NULL;
			gint64 sitting = c ? store_begin_sitting(s, c->id, NULL) : 0;
			for (unsigned n = done + 1; sitting; n++)
				if (!sample_trial(s, c, sitting, n, 0, "fault", NULL) ||
				    write(fds[1], "+", 1) != 1)
					break;
			_exit(1);
		}
		close(fds[1]);
		unsigned told = 0, want = 3 + (unsigned)round * 7;
		char byte;
		while (told < want && read(fds[0], &byte, 1) == 1)
			told++;
		assert_int_equal(told, want);
		kill(pid, SIGKILL);
		waitpid(pid, NULL, 0);
		while (read(fds[0], &byte, 1) == 1)
			told++;
		close(fds[0]);
		g_autoptr(Store) s = store_open(*state, STORE_READ, NULL);
		assert_non_null(s);
		assert_true(store_check(s, NULL));
		g_autoptr(StoreCampaign) c = store_find_campaign(s, slug, NULL);
		unsigned have = count_trials(s, c);
		g_autoptr(GPtrArray) faults = store_faults(s, c->id, 0, NULL);
		assert_int_equal(faults->len, 2 * have);
		/* At most the one that was committed but not told yet. */
		assert_in_range(have, done + told, done + told + 1);
		done = have;
	}
}

#define EACH(f) cmocka_unit_test_setup_teardown(f, sample_setup, sample_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		EACH(test_quota),	   EACH(test_full_disk),      EACH(test_damaged_pages),
		EACH(test_damaged_header), EACH(test_lost_reference), EACH(test_foreign),
		EACH(test_newer),	   EACH(test_missing),	      EACH(test_killed_writer),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
