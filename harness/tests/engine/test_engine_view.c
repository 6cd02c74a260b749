/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The live display, on a terminal of its own. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <pty.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lab.h"

#define COLUMNS 60
#define ROWS 40

/* Runs the engine with a terminal for its output; what it wrote. */
static char *on_terminal(Lab *l, const char *term, int *ret_status)
{
	int fd;
	struct winsize size = {.ws_row = ROWS, .ws_col = COLUMNS};
	pid_t pid = forkpty(&fd, NULL, NULL, &size);
	assert_true(pid >= 0);
	if (pid == 0) {
		g_setenv("TERM", term, TRUE);
		g_setenv("LC_ALL", "C.UTF-8", TRUE);
		g_setenv("KEXSECT_FAKE_LAB", l->world, TRUE);
		g_unsetenv("NO_COLOR");
		execl(DRIVER, DRIVER, l->world, l->dir, FAKE_LAB, "auto", NULL);
		_exit(127);
	}
	GString *out = g_string_new(NULL);
	char buf[4096];
	ssize_t n;
	while ((n = read(fd, buf, sizeof(buf))) > 0)
		g_string_append_len(out, buf, n);
	close(fd);
	*ret_status = lab_wait(pid);
	return g_string_free(out, FALSE);
}

/* A terminal that knows what the display uses: newline, return, cursor up, clear to the end. */
typedef struct {
	GPtrArray *lines; /* GString */
	guint row;
	unsigned ups, deepest; /* moves up; most lines below the cursor's row when it moved */
} Screen;

static GString *line_at(Screen *s, guint row)
{
	while (s->lines->len <= row)
		g_ptr_array_add(s->lines, g_string_new(NULL));
	return s->lines->pdata[row];
}

static const char *escape(Screen *s, const char *at)
{
	char *end;
	gint64 n = g_ascii_strtoll(at, &end, 10);
	if (*end == 'A') {
		s->ups++;
		assert_true(n <= s->row); /* never above what it wrote itself */
		s->row -= (guint)n;
		s->deepest = MAX(s->deepest, (unsigned)n);
	} else if (*end == 'J') {
		g_ptr_array_set_size(s->lines, (gint)MIN(s->row, s->lines->len));
	} else {
		fail_msg("unknown escape sequence: %.10s", at);
	}
	return end + 1;
}

static void show(Screen *s, const char *text)
{
	for (const char *c = text; *c;) {
		if (g_str_has_prefix(c, "\033[")) {
			c = escape(s, c + 2);
			continue;
		}
		if (*c == '\n')
			s->row++;
		else if (*c != '\r')
			g_string_append_c(line_at(s, s->row), *c);
		c++;
	}
}

static void free_line(gpointer line)
{
	g_string_free(line, TRUE);
}

static void test_live(void **state)
{
	Lab *l = *state;
	lab_set(l, "boot_ms", "40");
	lab_set(l, "trouble", "{'4': 'infra'}"); /* a warning in the middle of it */
	int status;
	g_autofree char *out = on_terminal(l, "xterm", &status);
	assert_int_equal(status, 0);
	/* While it ran: what is done, why, how sure, how long still. */
	assert_non_null(strstr(out, "lab-1"));
	assert_non_null(strstr(out, "trials: "));
	assert_non_null(strstr(out, "  now    trial "));
	assert_non_null(strstr(out, "  why    "));
	assert_non_null(strstr(out, "█"));
	assert_non_null(strstr(out, "time left ~"));
	/* In the end: the warning and the verdict stay, the live lines are gone. */
	Screen s = {.lines = g_ptr_array_new_with_free_func(free_line)};
	show(&s, out);
	assert_true(s.ups >= 3);
	assert_in_range(s.deepest, 4, 12);
	g_autoptr(GString) left = g_string_new(NULL);
	for (guint i = 0; i < s.lines->len; i++)
		g_string_append_printf(left, "%s\n", ((GString *)s.lines->pdata[i])->str);
	assert_non_null(strstr(left->str, "verdict  a cures the fault"));
	assert_non_null(strstr(left->str, "warning: "));
	assert_non_null(strstr(left->str, "trying again"));
	assert_null(strstr(left->str, "  now    "));
	g_ptr_array_unref(s.lines);
}

/* No line is wider than the terminal, or the count of lines to move up would be wrong. */
static void test_width(void **state)
{
	Lab *l = *state;
	lab_set(l, "boot_ms", "30");
	lab_set(l, "candidates",
		"[{'name':'a-name-that-is-as-long-as-a-name-of-a-patch-may-well-be-in-practice'},"
		"{'name':'ein-anderer-mit-ümläuten-und-noch-viel-mehr-zeichen-als-man-braucht'},"
		"{'name':'third'}]");
	lab_set(l, "cause", "['third']");
	int status;
	g_autofree char *out = on_terminal(l, "xterm", &status);
	assert_int_equal(status, 0);
	g_auto(GStrv) lines = g_strsplit(out, "\n", 0);
	for (char **line = lines; *line; line++) {
		char *text = g_strchomp(*line);
		while (g_str_has_prefix(text, "\033[") || *text == '\r')
			text = *text == '\r' ? text + 1 : text + strcspn(text, "AJ") + 1;
		assert_true(g_utf8_validate(text, -1, NULL));
		/* What scrolls away may wrap; live lines begin with two spaces. */
		if (g_str_has_prefix(text, "  "))
			assert_true(g_utf8_strlen(text, -1) < COLUMNS);
	}
}

static void test_dumb_terminal(void **state)
{
	int status;
	g_autofree char *out = on_terminal(*state, "dumb", &status);
	assert_int_equal(status, 0);
	assert_null(strchr(out, '\033'));
	assert_non_null(strstr(out, "trial       1"));
	assert_non_null(strstr(out, "a cures the fault"));
}

#define EACH(f) cmocka_unit_test_setup_teardown(f, lab_setup, lab_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {EACH(test_live), EACH(test_width),
					   EACH(test_dumb_terminal)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
