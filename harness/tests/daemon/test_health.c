/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Targets that fail: counted over campaigns and daemons, quarantined, checked, released. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/fs.h"
#include "daemon/client.h"
#include "lab.h"

/* Makes a target sick, or well again. */
static void set_sick(Lab *l, const char *target, bool sick)
{
	g_autofree char *cache = g_build_filename(l->dir, "state", "cache", NULL);
	g_autofree char *path = g_strdup_printf("%s/sick-%s", cache, target);
	assert_true(kx_mkdir(cache, NULL));
	if (sick)
		assert_true(kx_write_scratch(path, "", -1, 0644, NULL));
	else
		unlink(path);
}

static json_t *target_of(Lab *l, const char *name)
{
	g_autoptr(json_t) answer = lab_ask(l, "{'do': 'targets'}");
	size_t i;
	json_t *t;
	json_array_foreach (json_object_get(answer, "targets"), i, t)
		if (g_strcmp0(kx_json_str(t, "name"), name) == 0)
			return json_incref(t);
	return json_object();
}

static bool is_quarantined(Lab *l, const char *name)
{
	g_autoptr(json_t) t = target_of(l, name);
	return g_strcmp0(kx_json_str(t, "health"), "quarantined") == 0;
}

static void wait_health(Lab *l, const char *name, bool quarantined)
{
	for (int i = 0; i < 2000 && is_quarantined(l, name) != quarantined; i++)
		g_usleep(10000);
	assert_int_equal(is_quarantined(l, name), quarantined);
}

/* Lines of the journal of these kinds, as "kind: text; …". */
static char *lines_of(Lab *l, const char *const *kinds)
{
	g_autoptr(json_t) answer = lab_ask(l, "{'do': 'journal', 'limit': 1000}");
	GString *text = g_string_new(NULL);
	size_t i;
	json_t *line;
	json_array_foreach (json_object_get(answer, "journal"), i, line)
		if (g_strv_contains(kinds, kx_json_str(line, "kind"))) {
			assert_int_equal(kx_json_int(line, "submission", -1), 0);
			g_string_append_printf(text, "%s: %s; ", kx_json_str(line, "kind"),
					       kx_json_str(line, "text"));
		}
	return g_string_free(text, FALSE);
}

static char *health_lines(Lab *l)
{
	return lines_of(l, (const char *const[]){"unhealthy", "quarantine", "released", NULL});
}

static unsigned count(const char *text, const char *word)
{
	unsigned n = 0;
	for (; (text = strstr(text, word)); text += strlen(word))
		n++;
	return n;
}

/* Asks as a request with `target`; whether it was done. */
static bool ask(Lab *l, const char *verb, const char *target)
{
	g_autoptr(json_t) answer = lab_ask(l, "{'do': '%s', 'target': '%s'}", verb, target);
	return kx_json_bool(answer, "ok", false);
}

/* Three in a row, of two campaigns and with a daemon killed between them. */
static void failures_are_counted_over_all(void **state)
{
	Lab *l = *state;
	lab_configure(l, "targets: [{name: t1, quarantine_after: 5}]\nlimits: {campaigns: 4");
	set_sick(l, "t1", true);
	lab_start(l);
	lab_campaign(l, "a", "t1", "trials=3 ms=1");
	gint64 a = lab_submit(l, "a", NULL);
	for (int i = 0; i < 1000; i++) {
		g_autoptr(json_t) t = target_of(l, "t1");
		if (kx_json_int(t, "failures", 0) >= 3)
			break;
		g_usleep(2000);
	}
	assert_int_equal(lab_end(l, SIGKILL), 128 + SIGKILL);
	lab_start(l);
	wait_health(l, "t1", true);
	assert_int_equal(lab_end(l, SIGKILL), 128 + SIGKILL);
	lab_start(l);
	assert_true(is_quarantined(l, "t1"));
	g_autoptr(json_t) t = target_of(l, "t1");
	assert_true(kx_json_int(t, "failures", 0) == 5);
	assert_non_null(strstr(kx_json_str(t, "reason"), "the launcher does not answer"));
	assert_true(kx_json_int(t, "since_us", 0) > 0);
	assert_true(kx_json_int(t, "next_check_us", 0) > 0);
	/* nothing starts there, and it says why; another target is free */
	lab_wait(l, a, "waiting");
	g_autoptr(json_t) s = lab_status(l, a);
	assert_non_null(strstr(kx_json_str(s, "waits_for"), "target t1 is in quarantine since"));
	lab_campaign(l, "b", "t1", "trials=1 ms=1");
	lab_campaign(l, "c", "t2", "trials=1 ms=1");
	gint64 b = lab_submit(l, "b", NULL), c = lab_submit(l, "c", NULL);
	lab_wait(l, c, "done");
	lab_wait(l, b, "waiting");
	/* the failures were the target's: not one of them is the campaign's */
	assert_true(kx_json_int(s, "failures", 0) <= 2);
	set_sick(l, "t1", false);
	assert_true(ask(l, "release", "t1"));
	lab_wait(l, a, "done");
	lab_wait(l, b, "done");
	lab_expect_runs(l, "a-1:3 b-1:1 c-1:1");
	g_autofree char *told = health_lines(l);
	assert_int_equal(count(told, "quarantine: t1: "), 1);
	assert_int_equal(count(told, "unhealthy: t1: failure "), 4);
	assert_int_equal(count(told, "released: t1: "), 1);
}

static void evidence_starts_the_count_again(void **state)
{
	Lab *l = *state;
	lab_start(l);
	for (int i = 0; i < 4; i++) {
		g_autofree char *name = g_strdup_printf("c%d", i);
		lab_campaign(l, name, "t1", "trials=1 ms=1");
		g_autofree char *path =
			g_strdup_printf("%s/configs/campaigns/%s.yaml", l->dir, name);
		g_autofree char *text = kx_read_file(path, 1 << 16, NULL, NULL);
		g_autofree char *more = g_strconcat(
			text,
			"# say: {\"event\":\"trial\",\"outcome\":\"infra\",\"cause\":\"machine\","
			"\"target\":\"t1\",\"reason\":\"no first line\"}\n"
			"# say: {\"event\":\"trial\",\"outcome\":\"infra\",\"cause\":\"harness\","
			"\"target\":\"t1\",\"reason\":\"disk\"}\n"
			"# say: {\"event\":\"trial\",\"outcome\":\"infra\",\"cause\":\"machine\","
			"\"target\":\"t1\",\"reason\":\"no first line\"}\n",
			NULL);
		assert_true(kx_write_scratch(path, more, -1, 0644, NULL));
		lab_wait(l, lab_submit(l, name, NULL), "done");
	}
	assert_false(is_quarantined(l, "t1"));
	g_autoptr(json_t) t = target_of(l, "t1");
	assert_int_equal(kx_json_int(t, "failures", -1), 0);
	g_autofree char *told = health_lines(l);
	assert_int_equal(count(told, "unhealthy: t1: failure 1 of 3"), 4);
	assert_int_equal(count(told, "unhealthy: t1: failure 2 of 3"), 4);
}

/* The engine's word is enough; a check brings it back, and not before it is well. */
static void a_check_brings_it_back(void **state)
{
	Lab *l = *state;
	set_sick(l, "t1", true);
	lab_start(l);
	lab_campaign(l, "a", "t1", "trials=3 ms=1 ladder=1");
	gint64 a = lab_submit(l, "a", NULL);
	wait_health(l, "t1", true);
	lab_wait(l, a, "waiting");
	g_autoptr(json_t) s = lab_status(l, a);
	assert_int_equal(kx_json_int(s, "failures", 0), 0);
	for (int i = 0; i < 2000; i++) { /* timed: 60 × 0.02 s */
		g_autofree char *told = health_lines(l);
		if (count(told, "unhealthy: t1: check 1: no step of the ladder helps"))
			break;
		g_usleep(10000);
	}
	assert_true(is_quarantined(l, "t1"));
	set_sick(l, "t1", false);
	wait_health(l, "t1", false); /* the second one comes after twice the time */
	lab_wait(l, a, "done");
	lab_expect_runs(l, "a-1:3");
	g_autofree char *told = health_lines(l);
	assert_int_equal(count(told, "released: t1: back in service: a check found it well"), 1);
	/* it is asked again, though it is well; and when it is not, that is known at once */
	assert_true(ask(l, "check", "t1"));
	set_sick(l, "t1", true);
	for (int i = 0; i < 1000 && !is_quarantined(l, "t1"); i++) {
		ask(l, "check", "t1");
		g_usleep(10000);
	}
	assert_true(is_quarantined(l, "t1"));
}

/* A campaign that makes a machine fail which is well otherwise does not do so for ever. */
static void a_campaign_that_breaks_machines_ends(void **state)
{
	Lab *l = *state;
	lab_start(l);
	lab_campaign(l, "a", "t1", "trials=1 ms=1 refuse=100");
	g_autofree char *path = g_build_filename(l->dir, "configs/campaigns/a.yaml", NULL);
	g_autofree char *text = kx_read_file(path, 1 << 16, NULL, NULL);
	g_autofree char *more = g_strconcat(
		text,
		"# say: {\"event\":\"target\",\"target\":\"t1\",\"state\":\"failed\",\"reason\":"
		"\"burnt\"}\n",
		NULL);
	assert_true(kx_write_scratch(path, more, -1, 0644, NULL));
	gint64 a = lab_submit(l, "a", NULL);
	lab_wait(l, a, "failed");
	g_autoptr(json_t) s = lab_status(l, a);
	assert_non_null(strstr(kx_json_str(s, "reason"), "a check found the machine well"));
	assert_false(is_quarantined(l, "t1"));
	g_autofree char *told = health_lines(l);
	assert_int_equal(count(told, "quarantine: t1: "), 4);
}

static void what_runs_there_ends(void **state)
{
	Lab *l = *state;
	lab_start(l);
	lab_campaign(l, "a", "t1, t2", "trials=40 ms=20");
	gint64 a = lab_submit(l, "a", NULL);
	lab_wait(l, a, "running");
	for (int i = 0; i < 1000; i++) { /* one trial at least */
		g_autoptr(json_t) s = lab_status(l, a);
		if (kx_json_int(json_object_get(s, "progress"), "trials", 0))
			break;
		g_usleep(5000);
	}
	g_autoptr(json_t) q =
		lab_ask(l, "{'do': 'quarantine', 'target': 't1', 'reason': 'a new fan'}");
	assert_string_equal(kx_json_str(json_object_get(q, "target"), "health"), "quarantined");
	lab_wait(l, a, "waiting"); /* it has evidence from t1: it stays there */
	g_autoptr(json_t) s = lab_status(l, a);
	assert_non_null(strstr(kx_json_str(s, "waits_for"), "by hand, root: a new fan"));
	g_autoptr(json_t) t = target_of(l, "t1");
	assert_int_equal(kx_json_int(t, "next_check_us", 0), 0);
	/* one that has none yet goes to the other target */
	lab_campaign(l, "b", "t1, t2", "trials=1 ms=1");
	gint64 b = lab_submit(l, "b", NULL);
	lab_wait(l, b, "done");
	g_autoptr(json_t) other = lab_status(l, b);
	assert_string_equal(kx_json_str(other, "target"), "t2");
	assert_int_equal(lab_end(l, SIGTERM), 0);
	lab_start(l);
	assert_true(is_quarantined(l, "t1"));
	assert_true(ask(l, "release", "t1"));
	lab_wait(l, a, "done");
	lab_expect_runs(l, "a-1:40 b-1:1");
}

/* Failures only: it may go elsewhere, and is the same run. */
static void without_evidence_it_may_move(void **state)
{
	Lab *l = *state;
	set_sick(l, "t1", true);
	lab_start(l);
	lab_campaign(l, "a", "t1, t2", "trials=3 ms=1 ladder=1");
	gint64 a = lab_submit(l, "a", NULL);
	lab_wait(l, a, "done");
	g_autoptr(json_t) s = lab_status(l, a);
	assert_string_equal(kx_json_str(s, "target"), "t2");
	assert_true(is_quarantined(l, "t1"));
	lab_expect_runs(l, "a-1:3");
}

/* The daemon is killed while a check runs; the check ends, the target stays where it was. */
static void a_check_may_be_killed(void **state)
{
	Lab *l = *state;
	lab_start(l);
	lab_campaign(l, "a", "t1", "trials=2 ms=1 health_ms=3000");
	lab_wait(l, lab_submit(l, "a", NULL), "done");
	assert_true(ask(l, "quarantine", "t1"));
	assert_true(ask(l, "check", "t1"));
	g_autoptr(json_t) t = target_of(l, "t1");
	assert_true(kx_json_bool(t, "checking", false));
	g_usleep(100000);
	assert_int_equal(lab_end(l, SIGKILL), 128 + SIGKILL);
	lab_start(l);
	assert_true(is_quarantined(l, "t1"));
	for (int i = 0; i < 500 && !ask(l, "check", "t1"); i++)
		g_usleep(10000);		  /* until the old one has gone */
	assert_int_equal(lab_end(l, SIGTERM), 0); /* and ends it in order */
	lab_expect_clean(l);
	lab_start(l);
	assert_true(is_quarantined(l, "t1"));
	assert_true(ask(l, "check", "t1"));
	wait_health(l, "t1", false);
}

static const char *error_of(const json_t *answer)
{
	return kx_json_str(json_object_get(answer, "error"), "code");
}

static void strange_wishes_are_refused(void **state)
{
	Lab *l = *state;
	lab_configure(l, "targets: [{name: t9}]\nlimits: {campaigns: 4");
	lab_start(l);
	static const char *const bad[][2] = {
		{"{'do': 'release'}", "input"},
		{"{'do': 'release', 'target': 7}", "input"},
		{"{'do': 'release', 'target': ''}", "input"},
		{"{'do': 'release', 'target': 't9', 'reason': 'x'}", "input"},
		{"{'do': 'quarantine', 'target': 't9', 'reason': 'a\\u001b[2J'}", "input"},
		{"{'do': 'release', 'target': 'nobody'}", "missing"},
		{"{'do': 'check', 'target': 't9'}", "missing"}, /* no campaign says what it is */
		{"{'do': 'quarantine', 'target': '../x'}", "missing"},
	};
	for (guint i = 0; i < G_N_ELEMENTS(bad); i++) {
		g_autoptr(json_t) answer = lab_ask(l, "%s", bad[i][0]);
		assert_string_equal(error_of(answer), bad[i][1]);
	}
	assert_true(ask(l, "release", "t9")); /* it is what is wished */
	lab_campaign(l, "a", "t1", "trials=50 ms=20");
	gint64 a = lab_submit(l, "a", NULL);
	lab_wait(l, a, "running");
	g_autoptr(json_t) busy = lab_ask(l, "{'do': 'check', 'target': 't1'}");
	assert_string_equal(error_of(busy), "busy");
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, lab_setup, lab_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(failures_are_counted_over_all), TEST(evidence_starts_the_count_again),
		TEST(a_check_brings_it_back),	     TEST(a_campaign_that_breaks_machines_ends),
		TEST(what_runs_there_ends),	     TEST(without_evidence_it_may_move),
		TEST(a_check_may_be_killed),	     TEST(strange_wishes_are_refused),
	};
	return cmocka_run_group_tests_name("daemon health", tests, NULL, NULL);
}
