/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/error.h"
#include "base/proc.h"

typedef struct {
	GMainLoop *loop;
	GString *lines;
	int status;
} Seen;

static void on_line(const char *line, gpointer user)
{
	Seen *s = user;
	g_string_append_printf(s->lines, "<%s>", line);
}

static void on_exit_status(int status, gpointer user)
{
	Seen *s = user;
	s->status = status;
	g_main_loop_quit(s->loop);
}

static gboolean stop_it(gpointer child)
{
	kx_child_stop(child, 1);
	return G_SOURCE_REMOVE;
}

static void follow(KxProc p, bool stop, const char *lines, int status)
{
	Seen s = {g_main_loop_new(NULL, FALSE), g_string_new(NULL), -1};
	KxChild *c = kx_child_start(&p, on_line, on_exit_status, &s, NULL);
	assert_non_null(c);
	if (stop)
		g_timeout_add(300, stop_it, c);
	g_main_loop_run(s.loop);
	assert_string_equal(s.lines->str, lines);
	assert_int_equal(s.status, status);
	g_main_loop_unref(s.loop);
	g_string_free(s.lines, TRUE);
}

static void run(const char *script, bool stop, const char *lines, int status)
{
	KxProc p = {.argv = (const char *const[]){"sh", "-c", script, NULL}};
	follow(p, stop, lines, status);
	p.at_once = true;
	follow(p, stop, lines, status);
}

static void lines_arrive_whole(void **state)
{
	run("printf a; sleep 0.1; printf 'b\\nc\\n\\nd'; exit 4", false, "<ab><c><><d>", 4);
}

static void a_stranger_that_holds_the_pipe_does_not_block(void **state)
{
	run("setsid sleep 3 2>/dev/null & sleep 0.2; echo x; exit 0", false, "<x>", 0);
}

static void stopping_a_deaf_child_kills_it(void **state)
{
	run("trap '' TERM; sleep 30; sleep 30", true, "", 137);
}

/* What it was given is open under the same number, and what it was not is closed. */
static void a_child_gets_the_descriptors_that_it_is_given(void **state)
{
	int given = open("/dev/zero", O_RDONLY | O_CLOEXEC);
	int other = open("/dev/zero", O_RDONLY);
	assert_true(given > 2 && other > 2);
	g_autofree char *script =
		g_strdup_printf("echo $KEXSECT_FDS; test -e /proc/self/fd/%d && echo open; "
				"test -e /proc/self/fd/%d || echo closed",
				given, other);
	KxProc p = {.argv = (const char *const[]){"sh", "-c", script, NULL},
		    .fds = (const int[]){given, -1}};
	g_auto(KxProcResult) r = {0};
	assert_true(kx_proc_check(&p, &r, NULL));
	g_autofree char *expected = g_strdup_printf("%d\nopen\nclosed\n", given);
	assert_string_equal(r.out, expected);
	g_setenv("KEXSECT_FDS", "7", TRUE); /* is not passed on by itself */
	KxProc plain = {
		.argv = (const char *const[]){"sh", "-c", "echo ${KEXSECT_FDS-none}", NULL}};
	g_auto(KxProcResult) second = {0};
	assert_true(kx_proc_check(&plain, &second, NULL));
	assert_string_equal(second.out, "none\n");
	g_autofree char *text = g_strdup_printf("%d,1,x,999999", given);
	g_setenv("KEXSECT_FDS", text, TRUE);
	assert_int_equal(kx_proc_inherited()[0], given);
	assert_int_equal(kx_proc_inherited()[1], -1);
	g_unsetenv("KEXSECT_FDS");
	close(given);
	close(other);
}

/* One that is not waited for: what it has, what it says when it cannot begin, and that it can be
 * told to end before it has begun. */
static void a_child_begins_on_its_own(void **state)
{
	int given = open("/dev/zero", O_RDONLY | O_CLOEXEC);
	int other = open("/dev/zero", O_RDONLY);
	g_autofree char *script =
		g_strdup_printf("cat; pwd; echo $A; test -e /proc/self/fd/%d && echo open; "
				"test -e /proc/self/fd/%d || echo closed; trap | wc -l",
				given, other);
	KxProc p = {.argv = (const char *const[]){"sh", "-c", script, NULL},
		    .env = (const char *const[]){"A=b", NULL},
		    .cwd = "/proc",
		    .input = "in\n",
		    .fds = (const int[]){given, -1},
		    .at_once = true};
	follow(p, false, "<in></proc><b><open><closed><0>", 0);
	close(given);
	close(other);
	p.fds = NULL;
	p.cwd = "/nowhere";
	follow(p, false, "", 127);
	g_autoptr(GError) error = NULL;
	p.argv = (const char *const[]){"kexsect-no-such-program", NULL};
	assert_null(kx_child_start(&p, on_line, on_exit_status, NULL, &error));
	assert_true(g_error_matches(error, KX_ERROR, KX_ERROR_MISSING));
	for (int i = 0; i < 50; i++) {
		Seen s = {g_main_loop_new(NULL, FALSE), g_string_new(NULL), -1};
		KxProc q = {.argv = (const char *const[]){"sleep", "60", NULL}, .at_once = true};
		KxChild *c = kx_child_start(&q, on_line, on_exit_status, &s, NULL);
		kx_child_stop(c, 30);
		g_main_loop_run(s.loop);
		assert_int_equal(s.status, 128 + SIGTERM);
		g_main_loop_unref(s.loop);
		g_string_free(s.lines, TRUE);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lines_arrive_whole),
		cmocka_unit_test(a_stranger_that_holds_the_pipe_does_not_block),
		cmocka_unit_test(stopping_a_deaf_child_kills_it),
		cmocka_unit_test(a_child_gets_the_descriptors_that_it_is_given),
		cmocka_unit_test(a_child_begins_on_its_own),
	};
	return cmocka_run_group_tests_name("base child", tests, NULL, NULL);
}
