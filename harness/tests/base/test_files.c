/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/error.h"
#include "base/fs.h"
#include "base/json.h"
#include "temp_dir.h"

static void writes_and_reads_back(void **state)
{
	g_autofree char *path = g_build_filename(*state, "a", NULL);
	g_autoptr(GError) error = NULL;
	size_t len = 0;
	assert_true(kx_write_file(path, "one", -1, &error));
	assert_true(kx_write_file(path, "x\0y", 3, &error));
	g_autofree char *text = kx_read_file(path, 10, &len, &error);
	assert_int_equal(len, 3);
	assert_memory_equal(text, "x\0y", 4);
}

static void too_large_a_file_is_refused(void **state)
{
	g_autofree char *path = g_build_filename(*state, "a", NULL);
	g_autoptr(GError) error = NULL;
	assert_true(kx_write_file(path, "12345", -1, NULL));
	assert_null(kx_read_file(path, 4, NULL, &error));
	assert_true(g_error_matches(error, KX_ERROR, KX_ERROR_INPUT));
	assert_non_null(strstr(error->message, path));
}

static void a_failed_write_keeps_the_old_content(void **state)
{
	g_autofree char *dir = g_build_filename(*state, "d", NULL);
	g_autoptr(GError) error = NULL;
	assert_true(kx_mkdir(dir, NULL));
	/* a folder cannot be replaced by a file */
	assert_false(kx_write_file(dir, "x", -1, &error));
	assert_true(g_file_test(dir, G_FILE_TEST_IS_DIR));
	g_autoptr(GDir) listing = g_dir_open(*state, 0, NULL);
	assert_string_equal(g_dir_read_name(listing), "d");
	assert_null(g_dir_read_name(listing)); /* no temporary file is left */
}

static void full_disk_is_told_apart(void **state)
{
	g_autoptr(GError) error = NULL;
	kx_set_errno(&error, ENOSPC, "cannot write %s", "x");
	assert_true(g_error_matches(error, KX_ERROR, KX_ERROR_NO_SPACE));
	g_clear_error(&error);
	assert_null(kx_read_file("/nonexistent/x", 1, NULL, &error));
	assert_true(g_error_matches(error, KX_ERROR, KX_ERROR_MISSING));
}

static void removing_a_tree_does_not_follow_links(void **state)
{
	g_autofree char *keep = g_build_filename(*state, "keep", NULL);
	g_autofree char *file = g_build_filename(keep, "file", NULL);
	g_autofree char *tree = g_build_filename(*state, "tree", NULL);
	g_autofree char *deep = g_build_filename(tree, "a", "b", NULL);
	g_autofree char *link = g_build_filename(deep, "link", NULL);
	assert_true(kx_mkdir(keep, NULL));
	assert_true(kx_mkdir(deep, NULL));
	assert_true(kx_write_file(file, "x", -1, NULL));
	assert_int_equal(symlink(keep, link), 0);
	assert_true(kx_remove_tree(tree, NULL));
	assert_false(g_file_test(tree, G_FILE_TEST_EXISTS));
	assert_true(g_file_test(file, G_FILE_TEST_EXISTS));
	assert_true(kx_remove_tree(tree, NULL)); /* missing is fine */
}

static void copy_and_digest(void **state)
{
	g_autofree char *a = g_build_filename(*state, "a", NULL);
	g_autofree char *b = g_build_filename(*state, "b", NULL);
	assert_true(kx_write_file(a, "abc", 3, NULL));
	assert_true(kx_copy_file(a, b, NULL));
	g_autofree char *digest = kx_sha256_file(b, NULL);
	/* FIPS 180-2, appendix B.1 */
	assert_string_equal(digest,
			    "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

static void a_lock_is_exclusive_and_ends_with_its_process(void **state)
{
	g_autofree char *path = g_build_filename(*state, "lock", NULL);
	int ready[2];
	char c;
	assert_int_equal(pipe(ready), 0);
	pid_t pid = fork();
	if (pid == 0) {
		int fd = kx_lock_file(path, false, NULL);
		if (fd < 0 || write(ready[1], "x", 1) != 1)
			_exit(1);
		pause();
		_exit(0);
	}
	assert_int_equal(read(ready[0], &c, 1), 1);
	g_autoptr(GError) error = NULL;
	assert_int_equal(kx_lock_file(path, false, &error), -1);
	assert_true(g_error_matches(error, KX_ERROR, KX_ERROR_BUSY));
	g_autofree char *number = g_strdup_printf("%d", (int)pid);
	assert_non_null(strstr(error->message, number));
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	int fd = kx_lock_file(path, false, NULL);
	assert_true(fd >= 0);
	close(fd);
	close(ready[0]);
	close(ready[1]);
}

static void json_errors_say_where(void **state)
{
	g_autofree char *path = g_build_filename(*state, "a.json", NULL);
	g_autoptr(GError) error = NULL;
	assert_true(kx_write_file(path, "{\n \"a\": 1,\n \"a\": 2 }", -1, NULL));
	assert_null(kx_json_load(path, &error));
	assert_true(g_error_matches(error, KX_ERROR, KX_ERROR_INPUT));
	assert_non_null(strstr(error->message, "a.json:3:"));
}

static void json_members_are_type_checked(void **state)
{
	g_autoptr(json_t) v =
		kx_json_parse("{\"s\":\"t\",\"n\":3,\"l\":[\"a\",1,\"b\"]}", "test", NULL);
	assert_string_equal(kx_json_str(v, "s"), "t");
	assert_null(kx_json_str(v, "n"));
	assert_int_equal(kx_json_int(v, "n", 7), 3);
	assert_int_equal(kx_json_int(v, "s", 7), 7);
	g_auto(GStrv) list = kx_json_strv(v, "l");
	assert_int_equal(g_strv_length(list), 2);
	g_autoptr(json_t) text = kx_json_text("a\xff");
	assert_string_equal(json_string_value(text), "a\xef\xbf\xbd");
}

static void a_snapshot_takes_the_place_of_its_origin(void **state)
{
	g_unsetenv("KEXSECT_SNAPSHOT");
	g_autofree char *plain = kx_resolve("../b", "/etc/a");
	assert_string_equal(plain, "/etc/b");
	g_setenv("KEXSECT_SNAPSHOT", "/copy", TRUE);
	g_autofree char *there = kx_resolve("/etc/b", "/copy/etc/a");
	assert_string_equal(there, "/copy/etc/b");
	g_autofree char *relative = kx_resolve("../b", "/copy/etc/a");
	assert_string_equal(relative, "/copy/etc/b");
	assert_string_equal(kx_resolve_origin("/copy/etc/b"), "/etc/b");
	assert_string_equal(kx_resolve_origin("/copyist/b"), "/copyist/b");
	g_unsetenv("KEXSECT_SNAPSHOT");
}

/* What a killed process left in the temporary folder goes when the next one makes something there;
 * what belongs to the living stays. */
static void test_temp_dir(void **state)
{
	int ends[2];
	char text[4096] = "";
	g_autoptr(GError) e = NULL;
	g_autofree char *mine = kx_temp_dir("test", &e);
	assert_non_null(mine);
	assert_int_equal(pipe(ends), 0);
	pid_t pid = fork();
	if (pid == 0) {
		g_autofree char *its = kx_temp_dir("test", NULL);
		g_autofree char *file = g_build_filename(its, "file", NULL);
		kx_write_scratch(file, "x", 1, 0600, NULL);
		_exit(write(ends[1], its, strlen(its)) > 0 ? 0 : 1);
	}
	assert_true(waitpid(pid, NULL, 0) == pid);
	assert_true(read(ends[0], text, sizeof(text) - 1) > 0);
	assert_true(g_file_test(text, G_FILE_TEST_IS_DIR));
	g_autofree char *more = kx_temp_dir("test", &e);
	assert_non_null(more);
	assert_false(g_file_test(text, G_FILE_TEST_EXISTS));
	assert_true(g_file_test(mine, G_FILE_TEST_IS_DIR));
	assert_true(kx_remove_tree(mine, &e) && kx_remove_tree(more, &e));
	close(ends[0]);
	close(ends[1]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_temp_dir),
		cmocka_unit_test_setup_teardown(writes_and_reads_back, make_dir, drop_dir),
		cmocka_unit_test_setup_teardown(too_large_a_file_is_refused, make_dir, drop_dir),
		cmocka_unit_test_setup_teardown(a_failed_write_keeps_the_old_content, make_dir,
						drop_dir),
		cmocka_unit_test(full_disk_is_told_apart),
		cmocka_unit_test_setup_teardown(removing_a_tree_does_not_follow_links, make_dir,
						drop_dir),
		cmocka_unit_test_setup_teardown(copy_and_digest, make_dir, drop_dir),
		cmocka_unit_test_setup_teardown(a_lock_is_exclusive_and_ends_with_its_process,
						make_dir, drop_dir),
		cmocka_unit_test_setup_teardown(json_errors_say_where, make_dir, drop_dir),
		cmocka_unit_test(json_members_are_type_checked),
		cmocka_unit_test(a_snapshot_takes_the_place_of_its_origin),
	};
	return cmocka_run_group_tests_name("base files", tests, NULL, NULL);
}
