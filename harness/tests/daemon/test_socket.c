/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What strangers may send to the socket, and who may do what. */
#include <errno.h>
#include <grp.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/fs.h"
#include "daemon/request.h"
#include "lab.h"

static int dial(Lab *l)
{
	struct sockaddr_un at = {.sun_family = AF_UNIX};
	g_strlcpy(at.sun_path, l->socket, sizeof(at.sun_path));
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(connect(fd, (struct sockaddr *)&at, sizeof(at)), 0);
	return fd;
}

static void say(int fd, const char *text, size_t len)
{
	while (len) {
		ssize_t n = send(fd, text, len, MSG_NOSIGNAL);
		if (n <= 0)
			return; /* it has hung up */
		text += n;
		len -= (size_t)n;
	}
}

/* The next line; NULL when there is none within five seconds, or at the end. */
static char *hear(int fd)
{
	g_autoptr(GString) line = g_string_new(NULL);
	char c;
	struct pollfd p = {fd, POLLIN, 0};
	while (poll(&p, 1, 5000) == 1 && recv(fd, &c, 1, 0) == 1) {
		if (c == '\n')
			return g_string_free(g_steal_pointer(&line), FALSE);
		g_string_append_c(line, c);
	}
	return NULL;
}

static void expect_code(const char *line, const char *code)
{
	g_autoptr(json_t) answer = line ? kx_json_parse(line, "answer", NULL) : NULL;
	const char *said = kx_json_str(json_object_get(answer, "error"), "code");
	if (g_strcmp0(said, code) != 0)
		fail_msg("wanted the error %s, got %s", code, line ? line : "nothing");
}

static void bad_requests_are_refused(void **state)
{
	static const char *const bad[] = {
		"",
		"x",
		"null",
		"[]",
		"{}",
		"{\"v\":1}",
		"{\"v\":2,\"do\":\"list\"}",
		"{\"v\":1,\"do\":\"fly\"}",
		"{\"v\":1,\"do\":[\"list\"]}",
		"{\"v\":1,\"do\":\"list\",\"do\":\"list\"}",
		"{\"v\":1,\"do\":\"list\",\"limit\":0}",
		"{\"v\":1,\"do\":\"list\",\"limit\":1001}",
		"{\"v\":1,\"do\":\"list\",\"limit\":1.5}",
		"{\"v\":1,\"do\":\"list\",\"state\":\"sad\"}",
		"{\"v\":1,\"do\":\"list\",\"state\":{}}",
		"{\"v\":1,\"do\":\"list\",\"before\":-1}",
		"{\"v\":1,\"do\":\"list\",\"before\":99999999999999999999}",
		"{\"v\":1,\"do\":\"list\",\"what\":1}",
		"{\"v\":1,\"do\":\"status\"}",
		"{\"v\":1,\"do\":\"status\",\"id\":\"1\"}",
		"{\"v\":1,\"do\":\"status\",\"id\":0}",
		"{\"v\":1,\"do\":\"cancel\",\"id\":-7}",
		"{\"v\":1,\"do\":\"submit\"}",
		"{\"v\":1,\"do\":\"submit\",\"snapshot\":{}}",
		"{\"v\":1,\"do\":\"submit\",\"snapshot\":{\"campaign\":\"/"
		"x\",\"files\":[{\"path\":\"/"
		"x\",\"text\":\"\"}]},\"priority\":101}",
		"{\"v\":1,\"do\":\"submit\",\"snapshot\":{\"campaign\":\"/"
		"x\",\"files\":[{\"path\":\"/"
		"x\",\"text\":\"\"}]},\"hours\":-1}",
		"{\"v\":1,\"do\":\"submit\",\"snapshot\":{\"campaign\":\"/"
		"x\",\"files\":[{\"path\":\"/"
		"x\",\"text\":\"\"}]},\"window\":\"always\"}",
		"{\"v\":1,\"do\":\"submit\",\"snapshot\":{\"campaign\":\"/"
		"x\",\"files\":[{\"path\":\"/"
		"../x\",\"text\":\"\"}]}}",
		"{\"v\":1,\"do\":\"submit\",\"snapshot\":{\"campaign\":\"/"
		"x\",\"files\":[{\"path\":\"/"
		"x\",\"text\":\"name: x\"}]}}", /* unpacked, and no campaign */
		"{\"v\":1,\"do\":\"list\",\"\\u001b[2J\":1}",
		"\xff\xfe\x01",
	};
	Lab *l = *state;
	lab_start(l);
	int fd = dial(l);
	for (size_t i = 0; i < G_N_ELEMENTS(bad); i++) {
		g_autofree char *line = g_strconcat(bad[i], "\n", NULL);
		say(fd, line, strlen(line));
		g_autofree char *said = hear(fd);
		expect_code(said, "input");
		for (const char *p = said; *p; p++)
			assert_false(g_ascii_iscntrl(*p));
	}
	/* the connection is as good as before, also for two requests at once */
	const char *two = "{\"v\":1,\"do\":\"ping\"}\n{\"v\":1,\"do\":\"list\"}\n";
	say(fd, two, strlen(two));
	g_autofree char *pong = hear(fd), *list = hear(fd);
	assert_non_null(strstr(pong, "\"ok\":true"));
	assert_non_null(strstr(list, "\"submissions\":[]"));
	close(fd);
}

static void greed_is_cut_off(void **state)
{
	Lab *l = *state;
	lab_start(l);
	/* one line without an end */
	int fd = dial(l);
	g_autofree char *block = g_strnfill(1 << 20, 'x');
	for (int i = 0; i < 40; i++)
		say(fd, block, 1 << 20);
	g_autofree char *said = hear(fd);
	if (said) /* else it was cut off while sending */
		expect_code(said, "input");
	close(fd);
	/* a plain request that is padded */
	fd = dial(l);
	g_autofree char *blank = g_strnfill(REQUEST_MAX_PLAIN, ' ');
	g_autofree char *long_line = g_strdup_printf("{\"v\":1,%s\"do\":\"list\"}\n", blank);
	say(fd, long_line, strlen(long_line));
	g_autofree char *refused = hear(fd);
	expect_code(refused, "input");
	close(fd);
	/* more connections than one user may have; those that are there go on */
	int many[40];
	for (size_t i = 0; i < G_N_ELEMENTS(many); i++)
		many[i] = dial(l);
	g_autofree char *busy = hear(many[39]);
	expect_code(busy, "busy");
	say(many[0], "{\"v\":1,\"do\":\"ping\"}\n", 20);
	g_autofree char *pong = hear(many[0]);
	assert_non_null(strstr(pong, "\"ok\":true"));
	for (size_t i = 0; i < G_N_ELEMENTS(many); i++)
		close(many[i]);
}

/* Who submits and hangs up has submitted nothing, and what it left is gone. */
static void who_hangs_up_has_not_submitted(void **state)
{
	Lab *l = *state;
	lab_start(l);
	static const char line[] = "{\"v\":1,\"do\":\"submit\",\"snapshot\":{\"data\":\"/"
				   "d\",\"campaign\":\"/x.yaml\",\"files\":[{"
				   "\"path\":\"/x.yaml\",\"text\":\"name: x\"}]}}\n";
	for (int i = 0; i < 10; i++) {
		int fd = dial(l);
		say(fd, line, strlen(line));
		g_usleep((gulong)i * 3000);
		close(fd);
	}
	g_autofree char *folder = g_build_filename(l->dir, "state/submissions", NULL);
	guint left = 1;
	for (int i = 0; i < 100 && left; i++) {
		g_usleep(50000);
		g_autoptr(GDir) dir = g_dir_open(folder, 0, NULL);
		left = 0;
		while (dir && g_dir_read_name(dir))
			left++;
	}
	assert_int_equal(left, 0);
	g_autoptr(json_t) all = lab_ask(l, "{'do': 'list'}");
	assert_int_equal(json_array_size(json_object_get(all, "submissions")), 0);
}

/* As nobody, in a process of its own; the exit status says what went wrong. */
static int as_nobody(Lab *l, gint64 id)
{
	pid_t child = fork();
	if (child == 0) {
		if (setgroups(0, NULL) != 0 || setgid(65534) != 0 || setuid(65534) != 0)
			_exit(77);
		g_autoptr(json_t) list = lab_ask(l, "{'do': 'list'}");
		if (!list)
			_exit(1); /* not let in */
		g_autoptr(json_t) cancel = lab_ask(l, "{'do': 'cancel', 'id': %d}", (int)id);
		const char *code = kx_json_str(json_object_get(cancel, "error"), "code");
		if (g_strcmp0(code, "refused") != 0)
			_exit(3);
		gint64 own = lab_submit(l, "y", NULL);
		g_autoptr(json_t) mine = lab_ask(l, "{'do': 'cancel', 'id': %d}", (int)own);
		_exit(kx_json_bool(mine, "ok", false) ? 2 : 4);
	}
	int status = -1;
	assert_int_equal(waitpid(child, &status, 0), child);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 99;
}

static void one_changes_what_one_owns(void **state)
{
	Lab *l = *state;
	struct group *nogroup = getgrgid(65534);
	if (geteuid() != 0 || !nogroup)
		skip();
	lab_campaign(l, "x", "t1", "trials=200 ms=20");
	lab_campaign(l, "y", "t1", "trials=1 ms=1");
	lab_start(l);
	gint64 id = lab_submit(l, "x", NULL);
	assert_int_equal(chmod(l->dir, 0755), 0);
	assert_int_equal(as_nobody(l, id), 1);
	assert_int_equal(lab_end(l, SIGTERM), 0);
	g_autofree char *yaml =
		g_strdup_printf("socket_group: %s\nlimits: {campaigns: 4", nogroup->gr_name);
	lab_configure(l, yaml);
	lab_start(l);
	assert_int_equal(as_nobody(l, id), 2);
	g_autoptr(json_t) s = lab_status(l, id + 1);
	assert_string_equal(kx_json_str(s, "owner"), "nobody");
	json_decref(lab_ask(l, "{'do': 'cancel', 'id': %d}", (int)id));
	lab_wait(l, id, "cancelled");
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, lab_setup, lab_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(bad_requests_are_refused),
		TEST(greed_is_cut_off),
		TEST(who_hangs_up_has_not_submitted),
		TEST(one_changes_what_one_owns),
	};
	return cmocka_run_group_tests_name("daemon socket", tests, NULL, NULL);
}
