/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What of old evidence goes, and what stays. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/fs.h"
#include "base/proc.h"
#include "daemon/retention.h"
#include "store/store.h"
#include "../base/temp_dir.h"

static void verdicts_keep_their_evidence(void **state)
{
	RetentionTrial t[] = {
		{.purpose = "calibrate", .outcome = "fault", .variant = "0"},
		{.purpose = "search", .outcome = "fault", .variant = "0"},
		{.purpose = "search", .outcome = "clean", .variant = "1"},
		{.purpose = "search", .outcome = "fault", .variant = "0"},
		{.purpose = "search", .outcome = "clean", .variant = "1"},
		{.purpose = "parent", .outcome = "clean", .variant = "1"},
		{.purpose = "search", .outcome = "clean", .variant = "1"},
	};
	static const bool thinned[] = {true, false, true, true, false, true, true};
	gint64 day = G_TIME_SPAN_DAY;
	retention_plan(t, 7, true, day, 10 * day, 5 * day);
	for (guint i = 0; i < 7; i++)
		assert_int_equal(t[i].keep, thinned[i]);
	retention_plan(t, 7, true, 6 * day, 10 * day, 5 * day); /* too young */
	for (guint i = 0; i < 7; i++)
		assert_true(t[i].keep);
	retention_plan(t, 7, false, day, 10 * day, 5 * day); /* not over */
	for (guint i = 0; i < 7; i++)
		assert_true(t[i].keep);
}

/* A run that is over, with four trials of one kind and their evidence. */
static void make_run(const char *results, const char *name)
{
	g_autoptr(Store) store = store_open(results, STORE_WRITE, NULL);
	g_autoptr(StoreCampaign) c = g_new0(StoreCampaign, 1);
	g_autoptr(GPtrArray) none = g_ptr_array_new();
	c->name = g_strdup(name);
	c->digest = g_strdup("d");
	c->effect = g_strdup("cures");
	c->config = json_object();
	assert_true(store_add_campaign(store, c, none, NULL));
	gint64 sitting = store_begin_sitting(store, c->id, NULL);
	for (unsigned i = 1; i <= 4; i++) {
		g_autofree char *evidence = g_strdup_printf("%s/trials/%06u", c->dir, i);
		g_autofree char *sub_folder = g_strdup_printf("%s/tables", evidence);
		g_autofree char *log = g_strdup_printf("%s/console.raw", evidence);
		g_autofree char *outcome = g_strdup_printf("%s/outcome.json", evidence);
		assert_true(kx_mkdir(sub_folder, NULL));
		assert_true(kx_write_scratch(log, "x", 1, 0644, NULL));
		assert_true(kx_write_scratch(outcome, "{}", 2, 0644, NULL));
		StoreTrial t = {.number = i,
				.build = (char *)"b",
				.target = (char *)"t",
				.mode = (char *)"kexec",
				.purpose = (char *)"search",
				.outcome = (char *)"fault",
				.reason = (char *)"",
				.evidence = evidence};
		assert_true(store_add_trial(store, c->id, sitting, &t, NULL, NULL, NULL, NULL));
	}
	StoreVerdict v = {.kind = (char *)"none",
			  .effect = (char *)"cures",
			  .why = (char *)"rule",
			  .reason = (char *)""};
	assert_true(store_finish(store, c->id, &v, NULL));
}

static bool has_log(const char *results, const char *run, unsigned number)
{
	g_autofree char *path =
		g_strdup_printf("%s/campaigns/%s/trials/%06u/console.raw", results, run, number);
	return g_file_test(path, G_FILE_TEST_EXISTS);
}

static void old_evidence_is_thinned(void **state)
{
	const char *results = *state;
	assert_int_equal(retention_apply(results, 5, 0, NULL), 0); /* nothing there */
	make_run(results, "old");
	make_run(results, "young");
	g_autofree char *db = g_build_filename(results, "kexsect.db", NULL);
	const char *argv[] = {"sqlite3", db,
			      "UPDATE campaign SET finished_us = finished_us - 6 * 86400000000 "
			      "WHERE name = 'old'",
			      NULL};
	assert_true(kx_proc_check(&(KxProc){.argv = argv}, NULL, NULL));
	assert_int_equal(retention_apply(results, 7, 0, NULL), 0);
	assert_int_equal(retention_apply(results, 0, 0, NULL), 0); /* for ever */
	assert_int_equal(retention_apply(results, 5, 0, NULL), 2);
	for (unsigned i = 1; i <= 4; i++) {
		assert_int_equal(has_log(results, "old-1", i), i == 1 || i == 4);
		assert_true(has_log(results, "young-1", i));
		g_autofree char *stays =
			g_strdup_printf("%s/campaigns/old-1/trials/%06u/outcome.json", results, i);
		assert_true(g_file_test(stays, G_FILE_TEST_EXISTS));
	}
	assert_int_equal(retention_apply(results, 5, 0, NULL), 0); /* once */
}

static void much_evidence_is_thinned(void **state)
{
	const char *results = *state;
	make_run(results, "first");
	make_run(results, "second");
	make_run(results, "third");
	g_autofree char *log =
		g_strdup_printf("%s/campaigns/second-1/trials/000002/console.raw", results);
	g_autofree char *large = g_strnfill(1 << 20, 'x');
	assert_true(kx_write_scratch(log, large, 1 << 20, 0644, NULL));
	assert_int_equal(retention_apply(results, 5, 1, NULL), 0); /* there is room */
	/* half a MiB: the first one's do not help, the second one's do */
	assert_int_equal(retention_apply(results, 5, 0.5 / 1024, NULL), 4);
	for (unsigned i = 1; i <= 4; i++) {
		assert_int_equal(has_log(results, "first-1", i), i == 1 || i == 4);
		assert_int_equal(has_log(results, "second-1", i), i == 1 || i == 4);
		assert_true(has_log(results, "third-1", i));
	}
	/* what verdicts rest on stays, however little there may be */
	assert_int_equal(retention_apply(results, 0, 1e-9, NULL), 2);
	assert_int_equal(retention_apply(results, 0, 1e-9, NULL), 0);
	assert_true(has_log(results, "first-1", 1) && has_log(results, "third-1", 4));
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, make_dir, drop_dir)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(verdicts_keep_their_evidence),
		TEST(old_evidence_is_thinned),
		TEST(much_evidence_is_thinned),
	};
	return cmocka_run_group_tests_name("daemon retention", tests, NULL, NULL);
}
