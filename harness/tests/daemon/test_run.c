/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The daemon with a fake engine: what is run, stopped, tried again, and told. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/fs.h"
#include "daemon/client.h"
#include "lab.h"

static void verdicts_come_in_order(void **state)
{
	Lab *l = *state;
	lab_configure(l, "limits: {campaigns: 1");
	lab_start(l);
	lab_campaign(l, "first", "t1", "trials=20 ms=30");
	lab_campaign(l, "low", "t1", "trials=2 ms=1");
	lab_campaign(l, "high", "t1, t2", "trials=3 ms=1");
	gint64 first = lab_submit(l, "first", NULL);
	lab_wait(l, first, "running");
	gint64 low = lab_submit(l, "low", "{'priority': -1}");
	gint64 high = lab_submit(l, "high", "{'priority': 9, 'boots': 7, 'hours': 1.5}");
	assert_true(lab_is(l, low, "queued") && lab_is(l, high, "queued"));
	lab_wait(l, low, "done");
	g_autoptr(json_t) s = lab_status(l, high);
	assert_string_equal(kx_json_str(s, "state"), "done");
	assert_string_equal(kx_json_str(s, "run"), "high-1");
	assert_string_equal(kx_json_str(s, "owner"), "root");
	assert_int_equal(kx_json_int(json_object_get(s, "budget"), "boots", 0), 7);
	assert_int_equal(kx_json_int(json_object_get(s, "progress"), "trials", 0), 3);
	const json_t *verdict = json_object_get(s, "verdict");
	assert_string_equal(kx_json_str(verdict, "sentence"), "it cures the fault");
	lab_expect_runs(l, "first-1:20 high-1:3 low-1:2");
	/* the journal tells the same */
	g_autoptr(json_t) answer = lab_ask(l, "{'do': 'journal'}");
	g_autoptr(GString) text = g_string_new(NULL);
	size_t i;
	json_t *line;
	json_array_foreach (json_object_get(answer, "journal"), i, line)
		g_string_append_printf(text, "%s%d ", kx_json_str(line, "kind"),
				       (int)kx_json_int(line, "submission", -1));
	assert_string_equal(text->str, "started0 submitted1 started1 submitted2 submitted3 "
				       "verdict1 started3 verdict3 started2 verdict2 ");
}

/* Root is who submits here. */
static void the_urgent_one_takes_the_target(void **state)
{
	Lab *l = *state;
	lab_configure(l, "limits: {campaigns: 3");
	lab_start(l);
	lab_campaign(l, "long", "t1", "trials=40 ms=20");
	lab_campaign(l, "urgent", "t1", "trials=3 ms=1");
	lab_campaign(l, "elsewhere", "t2", "trials=40 ms=20");
	gint64 first = lab_submit(l, "long", NULL), other = lab_submit(l, "elsewhere", NULL);
	lab_wait(l, first, "running");
	lab_wait(l, other, "running");
	gint64 urgent = lab_submit(l, "urgent", "{'priority': 50}");
	lab_wait(l, urgent, "done");
	g_autoptr(json_t) s = lab_status(l, first);
	assert_string_not_equal(kx_json_str(s, "state"), "done");
	lab_wait(l, first, "done");
	lab_wait(l, other, "done");
	g_autoptr(json_t) answer = lab_ask(l, "{'do': 'journal'}");
	bool told = false;
	size_t i;
	json_t *line;
	json_array_foreach (json_object_get(answer, "journal"), i, line) {
		const char *kind = kx_json_str(line, "kind"), *text = kx_json_str(line, "text");
		if (!g_str_equal(kind, "stopped"))
			continue;
		assert_int_equal(kx_json_int(line, "submission", 0), first);
		told = strstr(text, "stopped for the urgent submission 3") != NULL;
	}
	assert_true(told);
	lab_expect_runs(l, "elsewhere-1:40 long-1:40 urgent-1:3");
}

static void targets_are_shared_out(void **state)
{
	Lab *l = *state;
	lab_configure(l, "targets: [{name: t3, slots: 2}]\nlimits: {campaigns: 9");
	lab_start(l);
	static const char *const on[] = {"t1", "t1", "t1, t2", "t1, t2", "t2"};
	gint64 ids[G_N_ELEMENTS(on)];
	for (guint i = 0; i < G_N_ELEMENTS(on); i++) {
		g_autofree char *name = g_strdup_printf("c%u", i);
		lab_campaign(l, name, on[i], "trials=4 ms=25");
		ids[i] = lab_submit(l, name, NULL);
	}
	for (guint i = 0; i < G_N_ELEMENTS(on); i++)
		lab_wait(l, ids[i], "done");
	lab_expect_runs(l, "c0-1:4 c1-1:4 c2-1:4 c3-1:4 c4-1:4");
}

static void waits_for(Lab *l, gint64 id, const char *what)
{
	const char *reason = NULL;
	for (int i = 0; i < 100 && !reason; i++) {
		g_autoptr(json_t) s = lab_status(l, id);
		reason = kx_json_str(s, "waits_for");
		if (reason)
			assert_string_equal(reason, what);
		g_usleep(10000);
	}
	assert_non_null(reason);
}

static void versions_hold_their_targets(void **state)
{
	Lab *l = *state;
	lab_start(l);
	lab_campaign_of_versions(l, "both", "t2", "trials=20 ms=20");
	lab_campaign(l, "one", "t2", "trials=20 ms=20");
	gint64 first = lab_submit(l, "one", NULL);
	lab_wait(l, first, "running");
	gint64 both = lab_submit(l, "both", NULL);
	waits_for(l, both, "waits for target t2");
	lab_wait(l, both, "running");
	gint64 last = lab_submit(l, "one", "{'again': true}");
	waits_for(l, last, "waits for target t2");
	lab_wait(l, last, "done");
	lab_expect_runs(l, "both-1:20 one-1:20 one-2:20");
}

static void listen_to(int fd, int ms, GString *told, unsigned *beats)
{
	char buf[512];
	gint64 end = g_get_monotonic_time() + ms * 1000;
	for (;;) {
		ssize_t n = recv(fd, buf, sizeof(buf) - 1, MSG_DONTWAIT);
		if (n <= 0 && g_get_monotonic_time() >= end)
			return;
		buf[MAX(n, 0)] = '\0';
		*beats += g_str_equal(buf, "WATCHDOG=1");
		if (n <= 0)
			g_usleep(5000);
		else if (!g_str_has_prefix(buf, "STATUS=") && !g_str_has_prefix(buf, "WATCH"))
			g_string_append_printf(told, "%.9s ", buf);
	}
}

/* What a service manager hears. */
static void the_service_manager_is_told(void **state)
{
	Lab *l = *state;
	struct sockaddr_un at = {.sun_family = AF_UNIX};
	g_snprintf(at.sun_path, sizeof(at.sun_path), "%s/notify", l->dir);
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&at, sizeof(at)), 0);
	g_setenv("NOTIFY_SOCKET", at.sun_path, TRUE);
	g_setenv("WATCHDOG_USEC", "150000", TRUE);
	lab_start(l);
	g_unsetenv("NOTIFY_SOCKET");
	g_unsetenv("WATCHDOG_USEC");
	g_autoptr(GString) told = g_string_new(NULL);
	unsigned beats = 0;
	listen_to(fd, 400, told, &beats);
	kill(l->daemon, SIGHUP);
	listen_to(fd, 200, told, &beats);
	assert_int_equal(lab_end(l, SIGTERM), 0);
	listen_to(fd, 0, told, &beats);
	close(fd);
	assert_string_equal(told->str, "READY=1 RELOADING READY=1 STOPPING= ");
	assert_in_range(beats, 3, 30);
}

static void later_edits_do_not_matter(void **state)
{
	Lab *l = *state;
	lab_start(l);
	lab_campaign(l, "x", "t1", "trials=2 ms=1");
	gint64 blocker, id;
	lab_campaign(l, "block", "t1", "trials=9 ms=50");
	blocker = lab_submit(l, "block", NULL);
	id = lab_submit(l, "x", NULL);
	lab_campaign(l, "x", "t1", "trials=5 ms=1");
	lab_wait(l, blocker, "done");
	lab_wait(l, id, "done");
	lab_expect_runs(l, "block-1:9 x-1:2");
}

static void failures_are_tried_again(void **state)
{
	Lab *l = *state;
	lab_start(l);
	lab_campaign(l, "crash", "t1", "trials=5 ms=5 crash=3 garbage=1");
	lab_campaign(l, "later", "t2", "trials=1 ms=5 refuse=3");
	lab_campaign(l, "never", "t3", "trials=1 ms=5 refuse=5");
	gint64 crash = lab_submit(l, "crash", NULL), later = lab_submit(l, "later", NULL);
	gint64 never = lab_submit(l, "never", NULL);
	lab_wait(l, crash, "done");
	lab_wait(l, later, "done");
	lab_wait(l, never, "failed");
	g_autoptr(json_t) s = lab_status(l, never);
	assert_non_null(strstr(kx_json_str(s, "reason"), "the lab is closed (4)"));
	g_autoptr(json_t) resumed = lab_ask(l, "{'do': 'resume', 'id': %d}", (int)never);
	assert_true(kx_json_bool(resumed, "ok", false));
	lab_wait(l, never, "done");
	lab_expect_runs(l, "crash-1:5 later-1:1 never-1:1");
}

static void a_run_is_paused_and_cancelled(void **state)
{
	Lab *l = *state;
	lab_start(l);
	lab_campaign(l, "x", "t1", "trials=30 ms=20");
	lab_campaign(l, "deaf", "t2", "trials=1000 ms=50 deaf=1");
	gint64 x = lab_submit(l, "x", NULL), deaf = lab_submit(l, "deaf", NULL);
	lab_wait(l, x, "running");
	lab_wait(l, deaf, "running");
	g_usleep(200000);
	json_decref(lab_ask(l, "{'do': 'pause', 'id': %d}", (int)x));
	lab_wait(l, x, "paused");
	json_decref(lab_ask(l, "{'do': 'cancel', 'id': %d}", (int)deaf));
	assert_true(lab_is(l, deaf, "stopping") || lab_is(l, deaf, "cancelled"));
	lab_wait(l, deaf, "cancelled"); /* it had to be killed */
	assert_true(lab_is(l, x, "paused"));
	json_decref(lab_ask(l, "{'do': 'resume', 'id': %d}", (int)x));
	lab_wait(l, x, "done");
	g_autoptr(json_t) again = lab_ask(l, "{'do': 'resume', 'id': %d}", (int)deaf);
	assert_false(kx_json_bool(again, "ok", true));
	g_autoptr(json_t) none = lab_ask(l, "{'do': 'pause', 'id': 77}");
	assert_string_equal(kx_json_str(json_object_get(none, "error"), "code"), "missing");
}

/* The next run begins when its job is gone, not when its engine is. */
static void a_job_that_lingers_keeps_its_target(void **state)
{
	Lab *l = *state;
	lab_start(l);
	lab_campaign(l, "slow", "t1", "trials=3 ms=200 linger=600");
	lab_campaign(l, "next", "t1", "trials=1 ms=1");
	gint64 slow = lab_submit(l, "slow", NULL);
	lab_wait(l, slow, "running");
	g_usleep(100000);
	gint64 next = lab_submit(l, "next", "{'priority': 5}");
	g_autoptr(json_t) s = lab_status(l, slow);
	kill((pid_t)kx_json_int(s, "pid", 0), SIGKILL);
	lab_wait(l, next, "done");
	lab_wait(l, slow, "done");
	lab_expect_runs(l, "next-1:1 slow-1:3");
}

static void a_new_run_is_begun_once(void **state)
{
	Lab *l = *state;
	lab_start(l);
	lab_campaign(l, "x", "t1", "trials=3 ms=10 crash=2");
	gint64 first = lab_submit(l, "x", NULL), same = lab_submit(l, "x", NULL);
	lab_wait(l, first, "done");
	lab_wait(l, same, "done");
	lab_expect_runs(l, "x-1:3");
	gint64 again = lab_submit(l, "x", "{'again': true}"); /* and it crashes once, too */
	lab_wait(l, again, "done");
	lab_expect_runs(l, "x-1:3 x-2:3");
	g_autoptr(json_t) s = lab_status(l, again);
	assert_string_equal(kx_json_str(s, "run"), "x-2");
}

/* A window of two minutes that is twelve hours from now. */
static char *far_window(void)
{
	g_autoptr(GDateTime) now = g_date_time_new_now_local();
	g_autoptr(GDateTime) from = g_date_time_add_hours(now, 12);
	g_autoptr(GDateTime) to = g_date_time_add_minutes(from, 2);
	g_autofree char *a = g_date_time_format(from, "%H:%M");
	g_autofree char *b = g_date_time_format(to, "%H:%M");
	return g_strdup_printf("%s-%s", a, b);
}

static void hours_and_disks_hold_it(void **state)
{
	Lab *l = *state;
	g_autofree char *window = far_window();
	g_autofree char *keys = g_strdup_printf("{'window': '%s'}", window);
	lab_start(l);
	lab_campaign(l, "x", "t1", "trials=100 ms=30");
	lab_campaign(l, "y", "t2", "trials=1 ms=1");
	gint64 x = lab_submit(l, "x", NULL), y = lab_submit(l, "y", keys);
	lab_wait(l, x, "running");
	lab_wait(l, y, "waiting");
	g_autoptr(json_t) held = lab_status(l, y);
	assert_non_null(strstr(kx_json_str(held, "waits_for"), "outside of its hours"));
	/* the configuration is read again: what runs is stopped, and goes on */
	lab_configure(l, "limits: {campaigns: 4, disk_free_gib: 900000}\n");
	kill(l->daemon, SIGHUP);
	lab_wait(l, x, "waiting");
	g_autoptr(json_t) full = lab_status(l, x);
	assert_non_null(strstr(kx_json_str(full, "waits_for"), "the disk is full"));
	g_autoptr(json_t) list = lab_ask(l, "{'do': 'list', 'state': 'queued'}");
	assert_non_null(kx_json_str(list, "trouble"));
	assert_int_equal(json_array_size(json_object_get(list, "submissions")), 2);
	lab_configure(l, "limits: {campaigns: 4, disk_free_gib: 0}\n");
	kill(l->daemon, SIGHUP);
	lab_wait(l, x, "done");
	/* a bad one is refused, and the old one stays */
	lab_configure(l, "limits: {disk_free_gib: 900000, campaigns: none}\n");
	kill(l->daemon, SIGHUP);
	lab_expect_runs(l, "x-1:100");
	json_decref(lab_ask(l, "{'do': 'cancel', 'id': %d}", (int)y));
	lab_wait(l, y, "cancelled");
}

static void the_next_daemon_goes_on(void **state)
{
	Lab *l = *state;
	lab_start(l);
	lab_campaign(l, "x", "t1", "trials=20 ms=30");
	lab_campaign(l, "p", "t2", "trials=1 ms=1");
	gint64 x = lab_submit(l, "x", NULL);
	lab_wait(l, x, "running");
	gint64 p = lab_submit(l, "p", "{'priority': -100}");
	json_decref(lab_ask(l, "{'do': 'pause', 'id': %d}", (int)p));
	assert_int_equal(lab_end(l, SIGTERM), 0);
	assert_false(g_file_test(l->socket, G_FILE_TEST_EXISTS));
	lab_expect_clean(l);
	lab_start(l);
	lab_wait(l, x, "done");
	assert_true(lab_is(l, p, "paused") || lab_is(l, p, "done"));
	json_decref(lab_ask(l, "{'do': 'resume', 'id': %d}", (int)p));
	lab_wait(l, p, "done");
	lab_expect_runs(l, "p-1:1 x-1:20");
}

static void who_watches_sees_the_end(void **state)
{
	Lab *l = *state;
	lab_start(l);
	lab_campaign(l, "x", "t1", "trials=5 ms=30");
	gint64 x = lab_submit(l, "x", NULL);
	g_autoptr(Client) c = client_new(l->socket, NULL);
	g_autoptr(json_t) first =
		client_ask(c, json_pack("{s:s, s:I}", "do", "watch", "id", (json_int_t)x), NULL);
	assert_non_null(first);
	g_autoptr(GString) seen = g_string_new(NULL);
	json_t *line;
	while ((line = client_next(c, NULL))) {
		const json_t *e = json_object_get(line, "event");
		const char *kind = kx_json_str(e, "event");
		g_string_append_printf(seen, "%s ",
				       g_str_equal(kind, "state") ? kx_json_str(e, kind) : kind);
		json_decref(line);
	}
	assert_non_null(strstr(seen->str, "trial trial trial trial trial verdict done "));
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, lab_setup, lab_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(the_urgent_one_takes_the_target),
		TEST(verdicts_come_in_order),
		TEST(targets_are_shared_out),
		TEST(versions_hold_their_targets),
		TEST(the_service_manager_is_told),
		TEST(later_edits_do_not_matter),
		TEST(failures_are_tried_again),
		TEST(a_run_is_paused_and_cancelled),
		TEST(a_job_that_lingers_keeps_its_target),
		TEST(a_new_run_is_begun_once),
		TEST(hours_and_disks_hold_it),
		TEST(the_next_daemon_goes_on),
		TEST(who_watches_sees_the_end),
	};
	return cmocka_run_group_tests_name("daemon run", tests, NULL, NULL);
}
