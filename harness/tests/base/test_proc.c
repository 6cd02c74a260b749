/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/error.h"
#include "base/proc.h"

#define SH(script) ((const char *const[]){"sh", "-c", script, NULL})

static void captures_both_streams_and_the_status(void **state)
{
	g_auto(KxProcResult) r = {0};
	KxProc p = {.argv = SH("cat; echo $X; echo err >&2; exit 3"),
		    .input = "in ",
		    .env = (const char *const[]){"X=y", NULL}};
	assert_true(kx_proc_run(&p, &r, NULL));
	assert_int_equal(r.status, 3);
	assert_string_equal(r.out, "in y\n");
	assert_string_equal(r.err, "err\n");
}

static void a_failed_check_quotes_the_error(void **state)
{
	g_autoptr(GError) error = NULL;
	KxProc p = {.argv = SH("echo one; echo the reason >&2; exit 1")};
	assert_false(kx_proc_check(&p, NULL, &error));
	assert_non_null(strstr(error->message, "the reason"));
}

static void a_missing_program_is_told_apart(void **state)
{
	g_autoptr(GError) error = NULL;
	KxProc p = {.argv = (const char *const[]){"kexsect-no-such-program", NULL}};
	assert_false(kx_proc_run(&p, NULL, &error));
	assert_true(g_error_matches(error, KX_ERROR, KX_ERROR_MISSING));
}

static void output_is_bounded(void **state)
{
	g_auto(KxProcResult) r = {0};
	KxProc p = {.argv = SH("head -c 300000 /dev/zero | tr '\\0' x"), .max_output = 100000};
	assert_true(kx_proc_check(&p, &r, NULL));
	assert_int_equal(strlen(r.out), 100000);
}

static void a_deadline_kills_the_whole_group(void **state)
{
	g_autoptr(GError) error = NULL;
	g_autofree char *mark = g_strdup_printf("29%d", (int)getpid());
	g_autofree char *script =
		g_strdup_printf("trap '' TERM; sleep %s & wait; sleep %s", mark, mark);
	KxProc p = {.argv = SH(script), .timeout_s = 1};
	assert_false(kx_proc_run(&p, NULL, &error));
	assert_true(g_error_matches(error, KX_ERROR, KX_ERROR_TIMEOUT));
	g_auto(KxProcResult) r = {0};
	g_autofree char *pattern = g_strdup_printf("sleep %s", mark);
	KxProc look = {.argv = (const char *const[]){"pgrep", "-xf", pattern, NULL}};
	assert_true(kx_proc_run(&look, &r, NULL));
	assert_string_equal(r.out, "");
}

/* A killed parent takes its children along. */
static void a_child_dies_with_its_parent(void **state)
{
	int pipes[2];
	assert_int_equal(pipe(pipes), 0);
	pid_t pid = fork();
	if (pid == 0) {
		dup2(pipes[1], 1);
		execl("/proc/self/exe", "test", "--parent", NULL);
		_exit(1);
	}
	char text[32] = "";
	assert_true(read(pipes[0], text, sizeof(text) - 1) > 0);
	pid_t child = atoi(text);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	bool gone = false;
	for (int i = 0; i < 100 && !gone; i++) {
		g_autofree char *path = g_strdup_printf("/proc/%d/stat", child);
		g_autofree char *stat = NULL;
		gone = !g_file_get_contents(path, &stat, NULL, NULL) || strstr(stat, ") Z ");
		g_usleep(20000);
	}
	assert_true(gone);
}

static int be_a_parent(void)
{
	/* descriptors above 2 are not inherited, so the child tells its pid by a file */
	g_autofree char *path = g_strdup_printf("/tmp/kexsect-test-pid-%d", (int)getpid());
	g_autofree char *script =
		g_strdup_printf("echo $$ > %s.new; mv %s.new %s; exec sleep 60", path, path, path);
	KxProc p = {.argv = SH(script)};
	if (fork() == 0) {
		g_autofree char *text = NULL;
		while (!g_file_get_contents(path, &text, NULL, NULL))
			g_usleep(10000);
		unlink(path);
		if (write(1, text, strlen(text)) < 0)
			_exit(1);
		_exit(0);
	}
	kx_proc_run(&p, NULL, NULL);
	return 0;
}

static void cancelling_ends_a_run(void **state)
{
	g_autoptr(GError) error = NULL;
	kx_catch_signals();
	KxProc p = {.argv = SH("kill -TERM $PPID; sleep 60")};
	assert_false(kx_proc_run(&p, NULL, &error));
	assert_true(g_error_matches(error, KX_ERROR, KX_ERROR_CANCELLED));
	assert_true(kx_cancelled());
}

int main(int argc, char **argv)
{
	if (argc > 1)
		return be_a_parent();
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(captures_both_streams_and_the_status),
		cmocka_unit_test(a_failed_check_quotes_the_error),
		cmocka_unit_test(a_missing_program_is_told_apart),
		cmocka_unit_test(output_is_bounded),
		cmocka_unit_test(a_deadline_kills_the_whole_group),
		cmocka_unit_test(a_child_dies_with_its_parent),
		cmocka_unit_test(cancelling_ends_a_run), /* last: it leaves the flag set */
	};
	return cmocka_run_group_tests_name("base proc", tests, NULL, NULL);
}
