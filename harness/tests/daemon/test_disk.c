/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A disk that is full or read-only, in a mount namespace of this program's own. */
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/fs.h"
#include "lab.h"

static bool mounts_are_allowed;
static char *disk;

static int own_namespace(void **state)
{
	mounts_are_allowed =
		unshare(CLONE_NEWNS) == 0 && mount("", "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0;
	return 0;
}

static int setup(void **state)
{
	if (lab_setup(state) != 0)
		return -1;
	Lab *l = *state;
	disk = g_build_filename(l->dir, "state", NULL);
	if (!mounts_are_allowed)
		return 0;
	return kx_mkdir(disk, NULL) && mount("tmpfs", disk, "tmpfs", 0, "size=12m") == 0 ? 0 : -1;
}

static int teardown(void **state)
{
	Lab *l = *state;
	if (l->daemon)
		lab_end(l, SIGTERM);
	if (mounts_are_allowed)
		umount2(disk, MNT_DETACH);
	g_clear_pointer(&disk, g_free);
	umount2(l->results, MNT_DETACH); /* when the test made it one */
	return lab_teardown(state);
}

static void need_mounts(void)
{
	if (mounts_are_allowed)
		return;
	print_message("skipped: this needs root and mounts\n");
	skip();
}

/* Needs that nobody writes. */
static void remount(bool readable_only)
{
	unsigned long flags = MS_REMOUNT | (readable_only ? MS_RDONLY : 0);
	assert_int_equal(mount("tmpfs", disk, "tmpfs", flags, "size=12m"), 0);
}

static bool run(const char *command)
{
	int status = -1;
	g_autofree char *quiet = g_strconcat(command, " >/dev/null 2>&1", NULL);
	const char *argv[] = {"/bin/sh", "-c", quiet, NULL};
	return g_spawn_sync(NULL, (char **)argv, NULL, 0, NULL, NULL, NULL, NULL, &status, NULL) &&
	       g_spawn_check_wait_status(status, NULL);
}

/* ---- what is asked ---- */

static char *code_of(const json_t *answer)
{
	return g_strdup(kx_json_str(json_object_get(answer, "error"), "code"));
}

/* A campaign of 256 KiB: a page that became free in between is not enough for it. */
static char *submit_big(Lab *l)
{
	g_autofree char *text = g_strnfill(256 << 10, 'x');
	g_autoptr(json_t) answer = lab_ask(
		l,
		"{'do': 'submit', 'snapshot': {'data': '/d', 'campaign': '/x.yaml', 'files': "
		"[{'path': '/x.yaml', 'text': '%s'}]}}",
		text);
	return code_of(answer);
}

static bool is_in_trouble(Lab *l)
{
	g_autoptr(json_t) answer = lab_ask(l, "{'do': 'list'}");
	return kx_json_str(answer, "trouble") != NULL;
}

static void wait_for_trouble(Lab *l, bool wanted)
{
	for (int i = 0; is_in_trouble(l) != wanted; i++) {
		assert_true(i < 6000);
		g_usleep(10000);
	}
}

/* The kinds of the journal's lines about a submission, in their order; times never go back. */
static char *journal(Lab *l, gint64 submission)
{
	g_autoptr(json_t) answer = lab_ask(l, "{'do': 'journal', 'limit': 1000}");
	g_autoptr(GString) kinds = g_string_new(NULL);
	gint64 before = 0;
	size_t i;
	json_t *line;
	json_array_foreach (json_object_get(answer, "journal"), i, line) {
		assert_true(kx_json_int(line, "time_us", 0) >= before);
		before = kx_json_int(line, "time_us", 0);
		if (kx_json_int(line, "submission", -1) == submission)
			g_string_append_printf(kinds, "%s%s", kinds->len ? " " : "",
					       kx_json_str(line, "kind"));
	}
	return g_strdup(kinds->str);
}

/* Takes all space, also what becomes free while it runs. */
static void fill(const char *path)
{
	char zero[4096] = {0};
	FILE *f = fopen(path, "a");
	assert_non_null(f);
	setvbuf(f, NULL, _IONBF, 0);
	while (fwrite(zero, 1, sizeof(zero), f) == sizeof(zero))
		;
	fclose(f);
}

/* ---- tests ---- */

static void a_full_disk_loses_nothing(void **state)
{
	Lab *l = *state;
	need_mounts();
	g_autofree char *filler = g_build_filename(disk, "filler", NULL);
	lab_campaign(l, "x", "t1", "trials=3 ms=1");
	lab_campaign(l, "y", "t1", "trials=40 ms=20");
	lab_start(l);
	gint64 y = lab_submit(l, "y", NULL);
	lab_wait(l, y, "running");
	fill(filler);
	g_autofree char *code = submit_big(l);
	assert_string_equal(code, "no_space");
	/* Each wish is refused, or written and answered for. */
	for (int i = 0; !is_in_trouble(l) && i < 6000; i++) {
		fill(filler);
		g_autoptr(json_t) pause = lab_ask(l, "{'do': 'pause', 'id': %d}", (int)y);
		g_autoptr(json_t) resume = lab_ask(l, "{'do': 'resume', 'id': %d}", (int)y);
		g_usleep(10000);
	}
	assert_true(is_in_trouble(l));
	assert_int_equal(unlink(filler), 0);
	wait_for_trouble(l, false);
	g_autoptr(json_t) goes_on = lab_ask(l, "{'do': 'resume', 'id': %d}", (int)y);
	lab_wait(l, y, "done");
	gint64 x = lab_submit(l, "x", NULL);
	lab_wait(l, x, "done");
	lab_expect_runs(l, "x-1:3 y-1:40");
	g_autofree char *own = journal(l, 0);
	assert_string_equal(own, "started disk disk-back");
}

/* What runs meets its end while nothing can be written: that is in the journal later, in order. */
static void what_happens_meanwhile_is_kept(void **state)
{
	Lab *l = *state;
	need_mounts();
	g_autofree char *filler = g_build_filename(disk, "filler", NULL);
	lab_configure(l, "results: results\nlimits: {campaigns: 4");
	lab_campaign(l, "y", "t1", "trials=20 ms=20");
	lab_campaign(l, "z", "t2", "trials=30 ms=20 crash=6");
	lab_campaign(l, "w", "t1", "trials=2 ms=5");
	lab_start(l);
	gint64 y = lab_submit(l, "y", NULL), z = lab_submit(l, "z", NULL);
	gint64 w = lab_submit(l, "w", NULL);
	lab_wait(l, y, "running");
	lab_wait(l, z, "running");
	fill(filler);
	lab_wait(l, y, "done");
	wait_for_trouble(l, true);
	lab_wait(l, w, "waiting");
	g_autoptr(json_t) waiting = lab_status(l, w);
	assert_non_null(strstr(kx_json_str(waiting, "waits_for"), "queue.db"));
	assert_int_equal(unlink(filler), 0);
	wait_for_trouble(l, false);
	lab_wait(l, z, "done");
	lab_wait(l, w, "done");
	g_autofree char *of_y = journal(l, y), *of_z = journal(l, z), *own = journal(l, 0);
	assert_string_equal(of_y, "submitted started verdict");
	assert_string_equal(of_z, "submitted started retry started verdict");
	assert_string_equal(own, "started disk disk-back");
	/* and it is what a later daemon finds */
	assert_int_equal(lab_end(l, SIGKILL), 128 + SIGKILL);
	lab_start(l);
	assert_true(lab_is(l, y, "done") && lab_is(l, z, "done"));
}

/* Where the engine writes is full again and again: no trial is lost or recorded twice. */
static void results_that_cannot_be_written(void **state)
{
	Lab *l = *state;
	need_mounts();
	g_autofree char *filler = g_build_filename(disk, "filler", NULL);
	lab_configure(l, "limits: {campaigns: 4, disk_free_gib: 0, retries: 100}\n");
	lab_campaign(l, "y", "t1", "trials=30 ms=20");
	lab_start(l);
	gint64 y = lab_submit(l, "y", NULL);
	lab_wait(l, y, "running");
	for (int i = 0; i < 4; i++) {
		g_usleep(50000);
		fill(filler);
		g_usleep(150000);
		assert_int_equal(unlink(filler), 0);
	}
	lab_wait(l, y, "done");
	lab_expect_runs(l, "y-1:30");
}

/* A file system that gives up, as after errors of its disk. */
static void a_file_system_that_becomes_read_only(void **state)
{
	Lab *l = *state;
	need_mounts();
	g_autofree char *make = g_strdup_printf("umount %1$s && truncate -s 24M %2$s/image && "
						"mkfs.ext4 -q -F %2$s/image",
						disk, l->dir);
	g_autofree char *attach = g_strdup_printf("mount -o loop %s/image %s", l->dir, disk);
	g_autofree char *detach = g_strdup_printf("umount %s", disk);
	if (!run(make) || !run(attach)) {
		print_message("skipped: this needs loop devices and ext4\n");
		skip();
	}
	lab_configure(l, "results: results\nlimits: {campaigns: 4");
	lab_campaign(l, "y", "t1", "trials=20 ms=20");
	lab_campaign(l, "w", "t1", "trials=2 ms=5");
	lab_start(l);
	gint64 y = lab_submit(l, "y", NULL), w = lab_submit(l, "w", NULL);
	lab_wait(l, y, "running");
	assert_int_equal(mount("", disk, "ext4", MS_REMOUNT, "abort"), 0);
	g_autofree char *code = submit_big(l);
	assert_non_null(code);
	g_autoptr(json_t) wish = lab_ask(l, "{'do': 'cancel', 'id': %d}", (int)w);
	g_autofree char *of_wish = code_of(wish);
	assert_non_null(of_wish); /* refused, or failed by an I/O error */
	lab_wait(l, y, "done");
	wait_for_trouble(l, true);
	/* it ends, is mounted again, and what was told about y is found out again */
	assert_int_equal(lab_end(l, SIGTERM), 0);
	assert_true(run(detach) && run(attach));
	lab_start(l);
	lab_wait(l, y, "done");
	lab_wait(l, w, "done");
	g_autofree char *of_y = journal(l, y);
	assert_string_equal(of_y, "submitted started orphan started verdict");
	g_free(l->results);
	l->results = g_build_filename(l->dir, "results", NULL);
	lab_expect_runs(l, "w-1:2 y-1:20");
}

/* The file system of the results gives up: nobody fails for it, and no trial is lost or recorded
 * twice. */
static void results_that_become_read_only(void **state)
{
	Lab *l = *state;
	need_mounts();
	g_free(l->results);
	l->results = g_build_filename(l->dir, "results", NULL);
	assert_true(kx_mkdir(l->results, NULL));
	g_autofree char *make =
		g_strdup_printf("truncate -s 24M %1$s/image && mkfs.ext4 -q -F %1$s/image", l->dir);
	g_autofree char *attach = g_strdup_printf("mount -o loop %s/image %s", l->dir, l->results);
	g_autofree char *detach = g_strdup_printf("umount %s", l->results);
	if (!run(make) || !run(attach)) {
		print_message("skipped: this needs loop devices and ext4\n");
		skip();
	}
	lab_configure(l, "results: results\nlimits: {disk_free_gib: 0, retries: 0}\n");
	lab_campaign(l, "y", "t1", "trials=80 ms=20");
	lab_start(l);
	gint64 y = lab_submit(l, "y", NULL);
	lab_wait(l, y, "running");
	for (int i = 0; i < 2; i++) {
		g_usleep(150000);
		assert_int_equal(mount("", l->results, "ext4", MS_REMOUNT, "abort"), 0);
		lab_wait(l, y, "waiting");
		g_autoptr(json_t) s = lab_status(l, y);
		assert_non_null(strstr(kx_json_str(s, "waits_for"), "cannot be written"));
		assert_int_equal(kx_json_int(s, "failures", 0), 0);
		assert_true(run(detach) && run(attach));
		lab_wait(l, y, i ? "done" : "running");
	}
	lab_expect_runs(l, "y-1:80");
	assert_int_equal(lab_end(l, SIGTERM), 0);
	assert_true(run(detach));
}

static void a_start_on_a_read_only_disk(void **state)
{
	Lab *l = *state;
	need_mounts();
	lab_campaign(l, "y", "t1", "trials=3 ms=5");
	lab_start(l);
	gint64 y = lab_submit(l, "y", "{'window': '00:00-00:01'}");
	assert_int_equal(lab_end(l, SIGKILL), 128 + SIGKILL);
	remount(true);
	const char *argv[] = {DAEMON, "--state", disk, "--config", l->config, NULL};
	g_autofree char *said = NULL;
	int status;
	assert_true(
		g_spawn_sync(NULL, (char **)argv, NULL, 0, NULL, NULL, NULL, &said, &status, NULL));
	assert_false(g_spawn_check_wait_status(status, NULL));
	assert_non_null(strstr(said, "Read-only file system"));
	remount(false);
	lab_start(l);
	assert_true(lab_is(l, y, "queued") || lab_is(l, y, "waiting"));
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_full_disk_loses_nothing),      TEST(what_happens_meanwhile_is_kept),
		TEST(results_that_cannot_be_written), TEST(a_file_system_that_becomes_read_only),
		TEST(results_that_become_read_only),  TEST(a_start_on_a_read_only_disk),
	};
	return cmocka_run_group_tests_name("daemon disk", tests, own_namespace, NULL);
}
