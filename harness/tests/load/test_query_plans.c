/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What is asked while pages are open stays quick however much is stored: no query goes over a whole
 * table, and none takes more steps than its page has rows to read. Times would depend on the
 * machine; SQLite's plans and counts of steps do not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "base/fs.h"
#include "daemon/notice.h"
#include "store/store-internal.h"

#define TRIALS 20000
#define PAGE 50
#define MAX_STEPS 10000 /* of SQLite's machine; over all trials it takes eight times more */

typedef struct {
	char *sql;
	int steps;
} Asked;

static GArray *asked; /* since it was made; NULL: nobody listens */

static int on_statement(unsigned what, void *user, void *statement, void *ns)
{
	sqlite3_stmt *q = statement;
	Asked a = {g_strdup(sqlite3_sql(q)), sqlite3_stmt_status(q, SQLITE_STMTSTATUS_VM_STEP, 0)};
	if (asked)
		g_array_append_val(asked, a);
	else
		g_free(a.sql);
	return 0;
}

/* For each connection that is opened from now on. */
static int listen_to(sqlite3 *db, const char **error, const struct sqlite3_api_routines *api)
{
	return sqlite3_trace_v2(db, SQLITE_TRACE_PROFILE, on_statement, NULL);
}

static void clear_asked(gpointer data)
{
	g_free(((Asked *)data)->sql);
}

static void begin(void)
{
	asked = g_array_new(FALSE, FALSE, sizeof(Asked));
	g_array_set_clear_func(asked, clear_asked);
}

static void expect_search(sqlite3 *db, const char *sql)
{
	g_autofree char *explain = g_strconcat("EXPLAIN QUERY PLAN ", sql, NULL);
	sqlite3_stmt *q = NULL;
	assert_int_equal(sqlite3_prepare_v2(db, explain, -1, &q, NULL), SQLITE_OK);
	while (sqlite3_step(q) == SQLITE_ROW) {
		const char *detail = (const char *)sqlite3_column_text(q, 3);
		/* the last row of a table is found at its end */
		bool last = g_str_has_suffix(sql, "ORDER BY id DESC LIMIT 1");
		if (g_str_has_prefix(detail, "SCAN ") && !last && !strstr(detail, "CONSTANT ROW"))
			fail_msg("%s: %s", detail, sql);
	}
	sqlite3_finalize(q);
}

/* All that was asked since begin(), of the database `path`. */
static void expect_quick(const char *path)
{
	g_autoptr(GArray) all = g_steal_pointer(&asked);
	sqlite3 *db = NULL;
	assert_int_equal(sqlite3_open_v2(path, &db, SQLITE_OPEN_READONLY, NULL), SQLITE_OK);
	guint selects = 0;
	for (guint i = 0; i < all->len; i++) {
		const Asked *a = &g_array_index(all, Asked, i);
		if (!g_str_has_prefix(a->sql, "SELECT") && !g_str_has_prefix(a->sql, "UPDATE") &&
		    !g_str_has_prefix(a->sql, "DELETE"))
			continue;
		expect_search(db, a->sql);
		if (a->steps > MAX_STEPS)
			fail_msg("%d steps: %s", a->steps, a->sql);
		selects++;
	}
	sqlite3_close(db);
	assert_true(selects > 0);
}

/* ---- the store ---- */

static int make_folder(void **state)
{
	*state = g_dir_make_tmp("kexsect-test-XXXXXX", NULL);
	return *state ? 0 : -1;
}

static int drop_folder(void **state)
{
	bool ok = kx_remove_tree(*state, NULL);
	g_free(*state);
	return ok ? 0 : -1;
}

static gint64 add_run(Store *s, const char *name)
{
	StoreCampaign c = {.name = (char *)name,
			   .digest = (char *)"d",
			   .effect = (char *)"cures",
			   .config = json_object()};
	g_autoptr(GPtrArray) none = g_ptr_array_new();
	assert_true(store_add_campaign(s, &c, none, NULL));
	json_decref(c.config);
	g_free(c.slug);
	g_free(c.dir);
	return c.id;
}

/* In the ways of a lab of years: a large run among small ones. */
static gint64 fill(Store *s)
{
	for (int i = 0; i < 100; i++) {
		g_autofree char *name = g_strdup_printf("before-%d", i);
		add_run(s, name);
	}
	gint64 run = add_run(s, "large");
	assert_true(store_exec(
		s, NULL,
		"WITH RECURSIVE c(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM c WHERE i < ?) "
		"INSERT INTO trial (campaign, number, mask, build, clean, target, mode, purpose, "
		"outcome, reason, evidence, measures, seconds, time_us) SELECT ?, i, i, 'b', 0, "
		"'t', "
		"'kexec', 'search', 'fault', '', '', '{}', '{}', i FROM c",
		"ii", (gint64)TRIALS, run));
	assert_true(
		store_exec(s, NULL,
			   "INSERT INTO fault SELECT id, 0, 'd', '', '', 1, '{}' FROM trial", "") &&
		store_exec(s, NULL,
			   "INSERT INTO posterior SELECT id, 'set', 1, 1, 1, 1, 1, 0, 0, 0, '[]', "
			   "'[]' FROM trial WHERE number < 100",
			   ""));
	return run;
}

static void drop(gpointer rows)
{
	assert_non_null(rows);
	g_ptr_array_unref(rows);
}

static void results_are_searched(void **state)
{
	g_autoptr(Store) w = store_open(*state, STORE_WRITE, NULL);
	gint64 run = fill(w);
	begin();
	g_autoptr(Store) s = store_open(*state, STORE_READ, NULL);
	store_campaign_free(store_find_campaign(s, "large-1", NULL));
	assert_int_equal(store_newest_run(s, "large", NULL), 1);
	assert_int_equal(store_newest_run(s, "none", NULL), 0);
	assert_true(store_has_evidence(s, run, NULL));
	assert_false(store_has_evidence(s, G_MAXINT64, NULL));
	drop(store_campaigns_page(s, 0, PAGE, NULL));
	drop(store_campaigns_page(s, 40, PAGE, NULL));
	drop(store_verdicts(s, 40, 40 + PAGE, NULL));
	drop(store_candidates(s, run, NULL));
	drop(store_builds(s, run, NULL));
	drop(store_events(s, run, NULL));
	drop(store_trials_page(s, run, 0, PAGE, NULL));
	drop(store_trials_page(s, run, TRIALS - 100, PAGE, NULL));
	drop(store_posteriors_page(s, run, TRIALS / 2, TRIALS / 2 + 2000, PAGE, NULL));
	drop(store_faults(s, run, TRIALS / 2, NULL));
	assert_int_equal(store_last_trial(s, run, NULL), TRIALS);
	assert_null(store_verdict(s, run, NULL));
	json_decref(store_document(s, run, "matrix", NULL));
	StoreTimes times;
	assert_true(store_times(s, run, &times, NULL));
	gint64 sitting = store_begin_sitting(w, run, NULL);
	StoreTrial t = {.number = TRIALS + 1,
			.build = (char *)"b",
			.target = (char *)"t",
			.mode = (char *)"kexec",
			.purpose = (char *)"search",
			.outcome = (char *)"fault"};
	assert_true(store_add_trial(w, run, sitting, &t, NULL, NULL, &times, NULL));
	assert_true(store_set_state(w, run, STORE_STOPPED, "", NULL));
	g_autofree char *path = g_build_filename(*state, "kexsect.db", NULL);
	expect_quick(path);
}

/* ---- the queue ---- */

static void queue_is_searched(void **state)
{
	g_autoptr(Queue) q = queue_open(*state, NULL);
	assert_non_null(q);
	for (int i = 0; i < 200; i++) {
		g_autoptr(Submission) s = submission_new();
		g_autofree char *folder = g_strdup_printf("f%d", i);
		submission_set(&s->folder, folder);
		assert_true(queue_add(q, s, NULL));
		s->state = i % 50 ? SUBMISSION_DONE : SUBMISSION_QUEUED;
		assert_true(queue_save(q, s, (QueueNote){"verdict", ""}, NULL));
	}
	begin();
	g_autoptr(Submission) s = queue_find(q, 3, NULL);
	assert_true(queue_save(q, s, (QueueNote){"verdict", ""}, NULL));
	drop(queue_active(q, NULL));
	drop(queue_list(q, 0, PAGE, -1, NULL));
	drop(queue_list(q, 100, PAGE, SUBMISSION_QUEUED, NULL));
	json_decref(queue_journal(q, 200, PAGE, NULL));
	json_decref(queue_notices(q, 0, PAGE, NULL));
	gint64 before = queue_journal_before(q, g_get_real_time(), NULL);
	assert_true(before > 400 && queue_was_stopped(q, before, NULL));
	assert_true(queue_journal_last(q, NULL) > 400);
	g_autofree char *path = g_build_filename(*state, "queue.db", NULL);
	expect_quick(path);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, make_folder, drop_folder)

int main(void)
{
	sqlite3_auto_extension((void (*)(void))listen_to);
	const struct CMUnitTest tests[] = {
		TEST(results_are_searched),
		TEST(queue_is_searched),
	};
	return cmocka_run_group_tests_name("plans", tests, NULL, NULL);
}
