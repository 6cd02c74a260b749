/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What is checked before a campaign's first sitting. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/fs.h"
#include "daemon/snapshot.h"
#include "lab.h"
#include "store/store.h"

/* How many preflights were begun of a campaign. */
static unsigned begun(const Lab *l, const char *name)
{
	g_autofree char *path = g_build_filename(l->dir, "state", "results", "checks", NULL);
	g_autofree char *text = kx_read_file(path, 1 << 16, NULL, NULL);
	g_auto(GStrv) lines = g_strsplit(text ? text : "", "\n", -1);
	unsigned n = 0;
	for (char **line = lines; *line; line++)
		n += g_str_equal(*line, name);
	return n;
}

static void wait_begun(const Lab *l, const char *name, unsigned n)
{
	for (int i = 0; i < 1000 && begun(l, name) < n; i++)
		g_usleep(10000);
	assert_int_equal(begun(l, name), n);
}

static void start(Lab *l)
{
	lab_configure(l, "preflight: boot\nlimits: {campaigns: 4");
	lab_start(l);
}

static char *verdict_of(Lab *l, gint64 id)
{
	g_autoptr(json_t) s = lab_status(l, id);
	return g_strdup(kx_json_str(json_object_get(s, "preflight"), "verdict"));
}

static unsigned journal_lines(Lab *l, gint64 id, const char *kind)
{
	g_autoptr(json_t) answer = lab_ask(l, "{'do': 'journal', 'limit': 1000}");
	unsigned n = 0;
	size_t i;
	json_t *line;
	json_array_foreach (json_object_get(answer, "journal"), i, line)
		n += kx_json_int(line, "submission", 0) == id &&
		     g_strcmp0(kx_json_str(line, "kind"), kind) == 0;
	return n;
}

static void it_comes_once_and_first(void **state)
{
	Lab *l = *state;
	start(l);
	lab_campaign(l, "a", "t1", "trials=3 ms=1 crash=2 check_ms=400");
	gint64 a = lab_submit(l, "a", NULL);
	wait_begun(l, "a", 1);
	g_autofree char *now = verdict_of(l, a);
	assert_string_equal(now, "running");
	assert_true(lab_is(l, a, "running"));
	lab_wait(l, a, "done"); /* with an engine that crashed once */
	assert_int_equal(begun(l, "a"), 1);
	g_autoptr(json_t) s = lab_status(l, a);
	const json_t *p = json_object_get(s, "preflight");
	assert_string_equal(kx_json_str(p, "verdict"), "ready");
	assert_string_equal(kx_json_str(p, "text"),
			    "ready; q = 0.8 (0.4 to 0.99), about 15 min to the verdict");
	assert_true(kx_json_num(p, "minutes", 0) == 15.2);
	assert_int_equal(json_array_size(json_object_get(p, "checks")), 0);
	assert_int_equal(journal_lines(l, a, "preflight"), 1);
	lab_expect_runs(l, "a-1:3");
}

/* A run with one trial that is evidence, as if somebody had begun the campaign by hand. */
static void begin_by_hand(Lab *l, const char *name)
{
	g_autofree char *file = g_strdup_printf("%s/configs/campaigns/%s.yaml", l->dir, name);
	g_autofree char *results = g_build_filename(l->dir, "state", "results", NULL);
	g_autoptr(json_t) packed = snapshot_pack(file, NULL);
	g_autoptr(Store) store = store_open(results, STORE_WRITE, NULL);
	g_autoptr(StoreCampaign) c = g_new0(StoreCampaign, 1);
	g_autoptr(GPtrArray) none = g_ptr_array_new();
	c->name = g_strdup(name);
	c->digest = g_strdup(kx_json_str(packed, "digest"));
	c->effect = g_strdup("cures");
	c->config = json_object();
	assert_true(store_add_campaign(store, c, none, NULL));
	StoreTrial t = {.number = 1,
			.build = (char *)"b",
			.target = (char *)"t1",
			.mode = (char *)"kexec",
			.purpose = (char *)"search",
			.outcome = (char *)"fault",
			.reason = (char *)"",
			.evidence = (char *)""};
	gint64 sitting = store_begin_sitting(store, c->id, NULL);
	assert_true(store_add_trial(store, c->id, sitting, &t, NULL, NULL, NULL, NULL));
}

static void what_was_begun_needs_none(void **state)
{
	Lab *l = *state;
	start(l);
	lab_campaign(l, "a", "t1", "trials=3 ms=1");
	begin_by_hand(l, "a");
	gint64 a = lab_submit(l, "a", NULL);
	lab_wait(l, a, "done");
	assert_int_equal(begun(l, "a"), 0);
	g_autofree char *skipped = verdict_of(l, a);
	assert_string_equal(skipped, "skipped");
	lab_expect_runs(l, "a-1:3");
	gint64 again = lab_submit(l, "a", "{'again': true}");
	lab_wait(l, again, "done");
	assert_int_equal(begun(l, "a"), 1);
}

static void a_campaign_that_cannot_work_ends(void **state)
{
	Lab *l = *state;
	start(l);
	lab_campaign(l, "a", "t1", "trials=3 ms=1 check=1");
	gint64 a = lab_submit(l, "a", NULL);
	lab_wait(l, a, "failed");
	g_autoptr(json_t) s = lab_status(l, a);
	assert_string_equal(kx_json_str(s, "reason"), "preflight: the base: 0 of 30 boots fault");
	assert_int_equal(begun(l, "a"), 1);
	assert_int_equal(
		json_array_size(json_object_get(json_object_get(s, "preflight"), "checks")), 1);
	assert_int_equal(journal_lines(l, a, "failed"), 1);
	/* resume: it is looked at again, for what was wrong may have been mended */
	json_decref(lab_ask(l, "{'do': 'resume', 'id': %d}", (int)a));
	wait_begun(l, "a", 2);
	lab_wait(l, a, "failed");
	/* or it is not asked for at all */
	gint64 b = lab_submit(l, "a", "{'preflight': false}");
	lab_wait(l, b, "done");
	assert_int_equal(begun(l, "a"), 2);
	g_autofree char *skipped = verdict_of(l, b);
	assert_string_equal(skipped, "skipped");
	lab_expect_runs(l, "a-1:3");
}

static void what_seems_wrong_is_looked_at_twice(void **state)
{
	Lab *l = *state;
	start(l);
	lab_campaign(l, "a", "t1", "trials=3 ms=1 check=3");
	lab_campaign(l, "b", "t2", "trials=3 ms=1 check=4");
	gint64 a = lab_submit(l, "a", NULL), b = lab_submit(l, "b", NULL);
	lab_wait(l, a, "done");
	lab_wait(l, b, "failed");
	assert_int_equal(begun(l, "a"), 2);
	assert_int_equal(begun(l, "b"), 2);
	g_autofree char *wrong = verdict_of(l, b);
	assert_string_equal(wrong, "wrong");
}

static void a_killed_one_is_done_again(void **state)
{
	Lab *l = *state;
	start(l);
	lab_campaign(l, "a", "t1", "trials=2 ms=1 check_ms=700");
	lab_campaign(l, "b", "t2", "trials=2 ms=1 check=2");
	gint64 a = lab_submit(l, "a", NULL), b = lab_submit(l, "b", NULL);
	wait_begun(l, "a", 1);
	assert_int_equal(lab_end(l, SIGKILL), 128 + SIGKILL); /* the daemon */
	lab_start(l);
	wait_begun(l, "a", 2);
	assert_int_equal(lab_end(l, SIGTERM), 0);
	lab_expect_clean(l);
	lab_start(l);
	lab_wait(l, a, "done");
	lab_wait(l, b, "done"); /* its preflight died by itself once */
	assert_int_equal(begun(l, "a"), 3);
	assert_int_equal(begun(l, "b"), 2);
	lab_expect_runs(l, "a-1:2 b-1:2");
	assert_int_equal(journal_lines(l, a, "preflight"), 1);
	assert_int_equal(journal_lines(l, b, "retry"), 1);
}

/* The lab's failure is the target's, not the campaign's. */
static void a_sick_target_is_not_its_doing(void **state)
{
	Lab *l = *state;
	g_autofree char *cache = g_build_filename(l->dir, "state", "cache", NULL);
	g_autofree char *sick = g_build_filename(cache, "sick-t1", NULL);
	assert_true(kx_mkdir(cache, NULL) && kx_write_scratch(sick, "", -1, 0644, NULL));
	start(l);
	lab_campaign(l, "a", "t1", "trials=2 ms=1");
	gint64 a = lab_submit(l, "a", NULL);
	lab_wait(l, a, "waiting");
	for (int i = 0; i < 1000 && begun(l, "a") < 3; i++)
		g_usleep(10000); /* after waits that grow */
	for (int i = 0; i < 500; i++) {
		g_autoptr(json_t) s = lab_status(l, a);
		const char *waits = kx_json_str(s, "waits_for");
		if (waits && strstr(waits, "in quarantine"))
			break;
		g_usleep(10000);
	}
	assert_int_equal(begun(l, "a"), 3); /* limits.quarantine_after */
	assert_true(lab_is(l, a, "waiting"));
	unlink(sick);
	json_decref(lab_ask(l, "{'do': 'release', 'target': 't1'}"));
	lab_wait(l, a, "done");
	lab_expect_runs(l, "a-1:2");
}

static void a_lost_target_is_quarantined_at_once(void **state)
{
	Lab *l = *state;
	g_autofree char *cache = g_build_filename(l->dir, "state", "cache", NULL);
	g_autofree char *sick = g_build_filename(cache, "sick-t1", NULL);
	assert_true(kx_mkdir(cache, NULL) && kx_write_scratch(sick, "", -1, 0644, NULL));
	start(l);
	lab_campaign(l, "a", "t1, t2", "trials=2 ms=1 check=5");
	gint64 a = lab_submit(l, "a", NULL);
	lab_wait(l, a, "done"); /* elsewhere, for it has no trial yet */
	g_autoptr(json_t) s = lab_status(l, a);
	assert_string_equal(kx_json_str(s, "target"), "t2");
	assert_int_equal(begun(l, "a"), 2);
	assert_int_equal(journal_lines(l, 0, "quarantine"), 1);
	assert_int_equal(journal_lines(l, a, "retry"), 0);
}

static void it_can_be_stopped(void **state)
{
	Lab *l = *state;
	start(l);
	lab_campaign(l, "a", "t1", "trials=2 ms=1 check_ms=5000");
	gint64 a = lab_submit(l, "a", NULL);
	wait_begun(l, "a", 1);
	json_decref(lab_ask(l, "{'do': 'pause', 'id': %d}", (int)a));
	lab_wait(l, a, "paused");
	lab_campaign(l, "b", "t1", "trials=2 ms=1");
	lab_wait(l, lab_submit(l, "b", NULL), "done"); /* the target is free */
	json_decref(lab_ask(l, "{'do': 'resume', 'id': %d}", (int)a));
	wait_begun(l, "a", 2);
	json_decref(lab_ask(l, "{'do': 'cancel', 'id': %d}", (int)a));
	lab_wait(l, a, "cancelled");
	lab_expect_runs(l, "b-1:2");
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, lab_setup, lab_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(what_was_begun_needs_none),
		TEST(it_comes_once_and_first),
		TEST(what_seems_wrong_is_looked_at_twice),
		TEST(a_campaign_that_cannot_work_ends),
		TEST(a_killed_one_is_done_again),
		TEST(a_sick_target_is_not_its_doing),
		TEST(a_lost_target_is_quarantined_at_once),
		TEST(it_can_be_stopped),
	};
	return cmocka_run_group_tests_name("daemon preflight", tests, NULL, NULL);
}
