/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What is written is read back; transactions, runs, upgrades, several processes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <glib/gstdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/error.h"
#include "base/fs.h"
#include "sample.h"
#include "store/store-internal.h"

static Store *opened(const char *dir, StoreAccess access)
{
	g_autoptr(GError) error = NULL;
	Store *s = store_open(dir, access, &error);
	if (!s)
		fail_msg("%s", error->message);
	return s;
}

static void test_round_trip(void **state)
{
	g_autoptr(Store) s = opened(*state, STORE_WRITE);
	g_autoptr(StoreCampaign) c = sample_campaign(s, "vtd-window");
	assert_string_equal(c->slug, "vtd-window-1");
	assert_true(g_file_test(c->dir, G_FILE_TEST_IS_DIR));
	gint64 sitting = store_begin_sitting(s, c->id, NULL);
	assert_true(sitting > 0);
	uint64_t high = G_GUINT64_CONSTANT(1) << 63 | 5;
	assert_true(sample_trial(s, c, sitting, 1, 0, "fault", NULL));
	assert_true(sample_trial(s, c, sitting, 2, high, "clean", NULL));

	/* Through another connection, as the report does. */
	g_autoptr(Store) r = opened(*state, STORE_READ);
	g_autoptr(StoreCampaign) found = store_find_campaign(r, "vtd-window", NULL);
	assert_non_null(found);
	assert_string_equal(found->title, c->title);
	assert_string_equal(found->dir, c->dir);
	assert_int_equal(found->state, STORE_RUNNING);
	assert_true(json_equal(found->config, c->config));
	g_autoptr(GPtrArray) k = store_candidates(r, c->id, NULL);
	assert_int_equal(k->len, 3);
	assert_string_equal(((StoreCandidate *)k->pdata[2])->name, "c");
	assert_int_equal(((StoreCandidate *)k->pdata[2])->depends, 1);

	g_autoptr(GPtrArray) trials = store_trials(r, c->id, NULL);
	assert_int_equal(trials->len, 2);
	const StoreTrial *t = trials->pdata[1];
	assert_true(t->mask == high);
	assert_string_equal(t->outcome, "clean");
	assert_true(g_str_has_prefix(t->evidence, *state));
	assert_true(g_str_has_suffix(t->evidence, "/campaigns/vtd-window-1/trials/000002"));
	assert_float_equal(kx_json_num(t->seconds, "total", 0), 4.0, 1e-9);
	assert_true(t->time_us > 0);

	g_autoptr(GPtrArray) faults = store_faults(r, c->id, 0, NULL);
	assert_int_equal(faults->len, 4);
	g_autoptr(GPtrArray) own = store_faults(r, c->id, t->id, NULL);
	assert_int_equal(own->len, 2);
	const StoreFault *f = own->pdata[0];
	assert_int_equal(f->trial, 2);
	assert_string_equal(f->device, "00:02.0");
	assert_string_equal(f->address, "0x1ffde000");
	assert_true(f->in_window);
	assert_string_equal(kx_json_str(f->record, "reason"), "root entry");

	g_autoptr(GPtrArray) belief = store_posteriors(r, c->id, NULL);
	assert_int_equal(belief->len, 2);
	assert_int_equal(((StorePosterior *)belief->pdata[1])->trial, 2);
	assert_int_equal(json_array_size(((StorePosterior *)belief->pdata[1])->marginals), 3);
	assert_true(store_check(r, NULL));
}

static void test_moved_folder(void **state)
{
	g_autofree char *from = g_build_filename(*state, "here", NULL);
	g_autofree char *to = g_build_filename(*state, "there", NULL);
	{
		g_autoptr(Store) s = opened(from, STORE_WRITE);
		g_autoptr(StoreCampaign) c = sample_campaign(s, "x");
		gint64 sitting = store_begin_sitting(s, c->id, NULL);
		assert_true(sample_trial(s, c, sitting, 1, 0, "fault", NULL));
	}
	assert_int_equal(g_rename(from, to), 0);
	g_autoptr(Store) s = opened(to, STORE_READ);
	g_autoptr(StoreCampaign) c = store_find_campaign(s, "x-1", NULL);
	g_autoptr(GPtrArray) trials = store_trials(s, c->id, NULL);
	g_autofree char *want = g_build_filename(to, "campaigns/x-1/trials/000001", NULL);
	assert_string_equal(((StoreTrial *)trials->pdata[0])->evidence, want);
}

static void test_runs(void **state)
{
	g_autoptr(Store) s = opened(*state, STORE_WRITE);
	g_autoptr(StoreCampaign) one = sample_campaign(s, "a");
	g_autoptr(StoreCampaign) two = sample_campaign(s, "a");
	g_autoptr(StoreCampaign) other = sample_campaign(s, "a-1");
	assert_string_equal(two->slug, "a-2");
	assert_string_equal(other->slug, "a-1-1");
	assert_true(store_set_state(s, two->id, STORE_STOPPED, "by hand", NULL));

	g_autoptr(StoreCampaign) newest = store_find_campaign(s, "a", NULL);
	assert_int_equal(newest->id, two->id);
	assert_int_equal(newest->state, STORE_STOPPED);
	assert_string_equal(newest->state_reason, "by hand");
	/* A slug goes before a name that looks the same. */
	g_autoptr(StoreCampaign) slug = store_find_campaign(s, "a-1", NULL);
	assert_int_equal(slug->id, one->id);
	g_autofree char *number = g_strdup_printf("#%" G_GINT64_FORMAT, other->id);
	g_autoptr(StoreCampaign) by_id = store_find_campaign(s, number, NULL);
	assert_int_equal(by_id->id, other->id);

	g_autoptr(GError) error = NULL;
	assert_null(store_find_campaign(s, "nothing", &error));
	assert_true(g_error_matches(error, KX_ERROR, KX_ERROR_MISSING));
	assert_non_null(strstr(error->message, "a-1-1, a-2, a-1"));

	/* A folder without a row is not taken over. */
	g_autofree char *old = g_build_filename(*state, "campaigns", "b-1", NULL);
	assert_true(kx_mkdir(old, NULL));
	g_autoptr(StoreCampaign) b = sample_campaign(s, "b");
	assert_string_equal(b->slug, "b-2");
}

static void test_one_transaction(void **state)
{
	g_autoptr(Store) s = opened(*state, STORE_WRITE);
	g_autoptr(StoreCampaign) c = sample_campaign(s, "x");
	gint64 sitting = store_begin_sitting(s, c->id, NULL);
	assert_true(sample_trial(s, c, sitting, 1, 0, "fault", NULL));
	/* The number is taken: nothing of the second is kept, its times neither. */
	g_autoptr(GError) error = NULL;
	assert_false(sample_trial(s, c, sitting, 1, 0, "clean", &error));
	assert_non_null(strstr(error->message, "trial 1"));
	g_clear_error(&error);
	/* An outcome that is none fails after the trial row of the same transaction would be in. */
	assert_false(sample_trial(s, c, sitting, 2, 0, "maybe", &error));
	g_autoptr(GPtrArray) trials = store_trials(s, c->id, NULL);
	g_autoptr(GPtrArray) faults = store_faults(s, c->id, 0, NULL);
	assert_int_equal(trials->len, 1);
	assert_int_equal(faults->len, 2);
	StoreTimes times;
	assert_true(store_times(s, c->id, &times, NULL));
	assert_float_equal(times.total, 10.0, 1e-9);
	/* And the connection works on. */
	assert_true(sample_trial(s, c, sitting, 2, 0, "clean", NULL));
}

static void test_builds_events_documents(void **state)
{
	g_autoptr(Store) s = opened(*state, STORE_WRITE);
	g_autoptr(StoreCampaign) c = sample_campaign(s, "x");
	gint64 one = store_begin_sitting(s, c->id, NULL), two;
	g_autoptr(json_t) seconds = json_pack("{s:f}", "compile", 6.5);
	StoreBuild b = {.mask = 3,
			.status = (char *)"unbuildable",
			.reason = (char *)"error: no",
			.failed_step = (char *)"compile",
			.artifacts = (char *)"/cache/builds/3f2a",
			.log = (char *)"/cache/build.log",
			.seconds = seconds};
	assert_true(store_add_build(s, c->id, one, &b, &(StoreTimes){.total = 7, .compile = 6.5},
				    NULL));
	two = store_begin_sitting(s, c->id, NULL);
	assert_true(store_set_times(s, two, &(StoreTimes){.total = 1, .harness = 1}, NULL));
	StoreTimes times;
	assert_true(store_times(s, c->id, &times, NULL));
	assert_float_equal(times.total, 8, 1e-9);
	assert_float_equal(times.compile, 6.5, 1e-9);
	assert_float_equal(times.harness, 1, 1e-9);
	g_autoptr(GPtrArray) builds = store_builds(s, c->id, NULL);
	assert_int_equal(builds->len, 1);
	const StoreBuild *r = builds->pdata[0];
	assert_int_equal(r->mask, 3);
	assert_string_equal(r->failed_step, "compile");
	assert_string_equal(r->hash, "");
	assert_string_equal(r->artifacts, "/cache/builds/3f2a");
	assert_float_equal(kx_json_num(r->seconds, "compile", 0), 6.5, 1e-9);

	assert_true(store_add_event(s, c->id, "warning", "retry", 4, "again", NULL));
	g_autoptr(GPtrArray) events = store_events(s, c->id, NULL);
	assert_int_equal(events->len, 1);
	assert_int_equal(((StoreEvent *)events->pdata[0])->trial, 4);
	assert_string_equal(((StoreEvent *)events->pdata[0])->kind, "retry");

	g_autoptr(json_t) matrix = json_pack("[i, i]", 1, 2);
	g_autoptr(json_t) none = store_document(s, c->id, "matrix", NULL);
	assert_true(json_is_null(none));
	assert_true(store_set_document(s, c->id, "matrix", none, NULL));
	assert_true(store_set_document(s, c->id, "matrix", matrix, NULL));
	g_autoptr(json_t) got = store_document(s, c->id, "matrix", NULL);
	assert_true(json_equal(got, matrix));
}

static void test_verdict(void **state)
{
	g_autoptr(Store) s = opened(*state, STORE_WRITE);
	g_autoptr(StoreCampaign) c = sample_campaign(s, "x");
	g_autoptr(GError) error = NULL;
	assert_null(store_verdict(s, c->id, &error));
	assert_null(error);
	StoreVerdict v = {.kind = (char *)"cause",
			  .effect = (char *)"cures",
			  .members = 1,
			  .probability = 0.995,
			  .why = (char *)"rule",
			  .reason = (char *)"a cures"};
	assert_true(store_set_verdict(s, c->id, &v, NULL));
	g_autoptr(StoreCampaign) open = store_find_campaign(s, c->slug, NULL);
	assert_int_equal(open->state, STORE_RUNNING);
	assert_true(store_finish(s, c->id, &v, NULL));
	g_autoptr(StoreVerdict) r = store_verdict(s, c->id, NULL);
	assert_string_equal(r->kind, "cause");
	assert_float_equal(r->probability, 0.995, 1e-12);
	assert_true(json_is_null(r->details));
	g_autoptr(StoreCampaign) done = store_find_campaign(s, "x", NULL);
	assert_int_equal(done->state, STORE_DONE);
	assert_true(done->finished_us >= done->created_us);
	/* A verdict that cannot be, and the state stays as it was. */
	g_autoptr(StoreCampaign) d = sample_campaign(s, "y");
	v.probability = 1.5;
	assert_false(store_finish(s, d->id, &v, NULL));
	g_autoptr(StoreCampaign) still = store_find_campaign(s, "y", NULL);
	assert_int_equal(still->state, STORE_RUNNING);
}

static void test_alive(void **state)
{
	g_autoptr(Store) s = opened(*state, STORE_WRITE);
	g_autoptr(StoreCampaign) c = sample_campaign(s, "x");
	assert_false(store_is_alive(c));
	g_autofree char *lock = g_build_filename(c->dir, "lock", NULL);
	int fd = kx_lock_file(lock, false, NULL);
	assert_true(store_is_alive(c));
	close(fd);
	assert_false(store_is_alive(c));
}

/* A database as version 1 wrote it, with a trial in it, becomes one of today. */
static void test_upgrade(void **state)
{
	{
		g_autoptr(Store) s = store_open_raw(*state, STORE_WRITE, NULL);
		assert_non_null(s);
		assert_true(store_migrate(s, 1, NULL));
		assert_true(store_exec(
			s, NULL,
			"INSERT INTO campaign (name, run, slug, digest, title, question, effect, "
			"config, state, created_us) VALUES ('old', 1, 'old-1', 'd', '', '', "
			"'cures', '{}', 'running', 1)",
			""));
		assert_true(store_exec(s, NULL,
				       "INSERT INTO candidate VALUES (1, 0, 'a', 'first', "
				       "'/patches/a.patch', 0)",
				       ""));
		assert_true(store_exec(
			s, NULL,
			"INSERT INTO trial (campaign, number, mask, build, clean, target, mode, "
			"purpose, outcome, reason, evidence, measures, seconds, time_us) "
			"VALUES (1, 7, 1, '', 0, '', 'cold', '', 'fault', '', '', '{}', '{}', 5)",
			""));
		assert_true(store_exec(s, NULL,
				       "INSERT INTO verdict VALUES (1, 'cause', 'cures', 1, 0.99, "
				       "'rule', 'so it is', '{}', 9)",
				       ""));
	}
	g_autoptr(GError) error = NULL;
	assert_null(store_open(*state, STORE_READ, &error));
	assert_true(g_error_matches(error, KX_ERROR, KX_ERROR_REFUSED));
	assert_non_null(strstr(error->message, "kexsect run"));

	g_autoptr(Store) s = opened(*state, STORE_WRITE);
	g_autoptr(StoreCampaign) c = store_find_campaign(s, "old-1", NULL);
	g_autoptr(GPtrArray) trials = store_trials(s, c->id, NULL);
	assert_int_equal(trials->len, 1);
	assert_int_equal(((StoreTrial *)trials->pdata[0])->number, 7);
	assert_true(json_is_null(((StoreTrial *)trials->pdata[0])->plan));
	g_autoptr(GPtrArray) candidates = store_candidates(s, c->id, NULL);
	assert_int_equal(candidates->len, 1);
	const StoreCandidate *k = candidates->pdata[0];
	assert_string_equal(k->kind, "patch");
	assert_string_equal(k->name, "a");
	assert_string_equal(k->text, "a");
	assert_string_equal(k->file, "/patches/a.patch");
	g_autoptr(StoreVerdict) verdict = store_verdict(s, c->id, NULL);
	assert_string_equal(verdict->kind, "cause");
	assert_string_equal(verdict->reason, "so it is");
	gint64 sitting = store_begin_sitting(s, c->id, NULL);
	assert_true(sample_trial(s, c, sitting, 8, 1, "clean", NULL));
	assert_true(store_check(s, NULL));
	/* The same tables as a new database has. */
	g_autofree char *fresh_dir = g_build_filename(*state, "fresh", NULL);
	g_autoptr(Store) fresh = opened(fresh_dir, STORE_WRITE);
	const char *schema = "SELECT group_concat(sql) FROM (SELECT sql FROM sqlite_schema "
			     "ORDER BY name)";
	g_autoptr(StoreQuery) qa = store_query(s, NULL, schema, "");
	g_autoptr(StoreQuery) qb = store_query(fresh, NULL, schema, "");
	assert_int_equal(sqlite3_step(qa), SQLITE_ROW);
	assert_int_equal(sqlite3_step(qb), SQLITE_ROW);
	assert_string_equal(sqlite3_column_text(qa, 0), sqlite3_column_text(qb, 0));
	/* And the old file is there to go back to. */
	g_autofree char *copy = g_build_filename(*state, "kexsect.db.v1", NULL);
	sqlite3 *db = NULL;
	assert_int_equal(sqlite3_open_v2(copy, &db, SQLITE_OPEN_READONLY, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, "SELECT number FROM trial", NULL, NULL, NULL), SQLITE_OK);
	assert_int_not_equal(sqlite3_exec(db, "SELECT * FROM sitting", NULL, NULL, NULL),
			     SQLITE_OK);
	sqlite3_close(db);
}

static int write_many(const char *dir, const char *name, unsigned n)
{
	g_autoptr(Store) s = store_open(dir, STORE_WRITE, NULL);
	if (!s)
		return 10;
	g_autoptr(StoreCampaign) c = sample_campaign(s, name);
	gint64 sitting = store_begin_sitting(s, c->id, NULL);
	for (unsigned i = 1; i <= n; i++)
		if (!sample_trial(s, c, sitting, i, i % 8, "fault", NULL))
			return 11;
	return 0;
}

/* Two processes make the database at the same moment and write to it; a third reads meanwhile. */
static void test_two_processes(void **state)
{
	pid_t pids[2];
	for (int i = 0; i < 2; i++) {
		pids[i] = fork();
		assert_true(pids[i] >= 0);
		if (pids[i] == 0)
			_exit(write_many(*state, i ? "left" : "right", 150));
	}
	unsigned ended = 0, looked = 0;
	while (ended < 2) {
		int status;
		pid_t pid = waitpid(-1, &status, WNOHANG);
		if (pid > 0) {
			assert_true(WIFEXITED(status));
			assert_int_equal(WEXITSTATUS(status), 0);
			ended++;
		}
		g_autofree char *path = g_build_filename(*state, "kexsect.db", NULL);
		g_autoptr(Store) s = NULL;
		if (g_file_test(path, G_FILE_TEST_EXISTS))
			s = store_open(*state, STORE_READ, NULL);
		g_autoptr(GPtrArray) all = s ? store_campaigns(s, NULL) : NULL;
		for (guint i = 0; all && i < all->len; i++) {
			/* A reader never sees a trial without its faults. */
			const StoreCampaign *c = all->pdata[i];
			assert_true(store_exec(s, NULL, "BEGIN", ""));
			g_autoptr(GPtrArray) trials = store_trials(s, c->id, NULL);
			g_autoptr(GPtrArray) faults = store_faults(s, c->id, 0, NULL);
			assert_int_equal(faults->len, 2 * trials->len);
			assert_true(store_exec(s, NULL, "COMMIT", ""));
			looked++;
		}
	}
	assert_true(looked > 0);
	g_autoptr(Store) s = opened(*state, STORE_READ);
	for (int i = 0; i < 2; i++) {
		g_autoptr(StoreCampaign) c = store_find_campaign(s, i ? "left" : "right", NULL);
		g_autoptr(GPtrArray) trials = store_trials(s, c->id, NULL);
		assert_int_equal(trials->len, 150);
	}
	assert_true(store_check(s, NULL));
}

#define EACH(f) cmocka_unit_test_setup_teardown(f, sample_setup, sample_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		EACH(test_round_trip),
		EACH(test_moved_folder),
		EACH(test_runs),
		EACH(test_one_transaction),
		EACH(test_builds_events_documents),
		EACH(test_verdict),
		EACH(test_alive),
		EACH(test_upgrade),
		EACH(test_two_processes),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
