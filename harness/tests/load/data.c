/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Makes what a lab has after years, for scripts/bench/daemon: load_data STATE RESULTS TRIALS RUNS
 * SUBMISSIONS OLD
 *
 * RESULTS/kexsect.db: run deep-1 with the trials that the others leave, OLD trials in old-1 (over
 * for a year, with a folder of evidence each), 50 in each of the other runs: side-N, each with
 * candidates, builds, events and a verdict. STATE/queue.db: SUBMISSIONS that are over, with a
 * folder each, and twenty lines of the journal for each of them. The tables are made by store and
 * daemon themselves, so a column that this does not know is an error here. */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/fs.h"
#include "daemon/queue.h"
#include "store/store-internal.h"

#define SIDE 50	    /* trials of a small run */
#define FOLDERS 50  /* of deep-1 that are there */
#define LOG_KIB 256 /* a console log */
#define YEAR_US (365 * G_TIME_SPAN_DAY)

#define COUNT_TO_N "WITH RECURSIVE c(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM c WHERE i < ?) "

static void die(const GError *error)
{
	fprintf(stderr, "load_data: %s\n", error ? error->message : "failed");
	exit(1);
}

static void must(bool ok, const GError *error)
{
	if (!ok)
		die(error);
}

/* ---- the store ---- */

static gint64 add_run(Store *s, const char *name)
{
	g_autoptr(GError) error = NULL;
	StoreCampaign c = {.name = (char *)name,
			   .digest = (char *)"d2f1c1a0e9f37a",
			   .title = (char *)"Which of them lets the fault go away",
			   .question = (char *)"Which change cures the fault of the graphics card?",
			   .effect = (char *)"cures",
			   .config = json_pack("{s:s, s:[s,s], s:s}", "base", "linux-6.1",
					       "targets", "m1", "m2", "oracle", "vtd-window")};
	/* as long as those of campaigns in configs/ */
	g_autofree char *more = g_strnfill(1200, 'x');
	json_object_set_new(c.config, "more", json_string(more));
	g_autoptr(GPtrArray) candidates = g_ptr_array_new_with_free_func(g_free);
	must(store_add_campaign(s, &c, candidates, &error), error);
	gint64 id = c.id;
	must(store_exec(s, &error,
			COUNT_TO_N
			"INSERT INTO candidate (campaign, idx, kind, name, title, text, file, "
			"depends) "
			"SELECT ?, i - 1, 'patch', 'candidate-' || i, 'moves something earlier', "
			"'0001-' || i || '.patch', '', 0 FROM c",
			"ii", (gint64)14, id) &&
		     store_exec(
			     s, &error,
			     COUNT_TO_N
			     "INSERT INTO event (campaign, time_us, level, kind, text) "
			     "SELECT ?, 1700000000000000 + i, 'info', 'note', 'note ' || i FROM c",
			     "ii", (gint64)20, id),
	     error);
	json_decref(c.config);
	g_free(c.slug);
	g_free(c.dir);
	return id;
}

static void add_trials(Store *s, gint64 run, const char *slug, gint64 n)
{
	g_autoptr(GError) error = NULL;
	must(store_exec(
		     s, &error,
		     COUNT_TO_N
		     "INSERT INTO trial (campaign, number, mask, build, clean, target, mode, "
		     "purpose, "
		     "outcome, reason, evidence, measures, seconds, plan, time_us) SELECT ?, i, i "
		     "& "
		     "16383, 'b' || (i & 16383), 0, 'machine-' || (i % 200), 'kexec', "
		     "iif(i < 30, 'calibrate', 'search'), iif(i % 3 = 0, 'fault', 'clean'), "
		     "'162 refused accesses in the window (0000:00:02.0 read 0x1fffc080: "
		     "refused)', "
		     "format('campaigns/%s/trials/%06d', ?, i), "
		     "'{\"faults\":24,\"suppressed\":138,\"outside\":24,\"window_us\":250666,"
		     "\"blocked_us\":161356,\"parts\":[{\"name\":\"entries "
		     "block\",\"start_us\":444097,"
		     "\"length_us\":0,\"faults\":0,\"suppressed\":0},{\"name\":\"IOMMU on\","
		     "\"start_us\":444953,\"length_us\":161193,\"faults\":24,\"suppressed\":138}],"
		     "\"phase_us\":0,\"phase_step\":0}', "
		     "'{\"start\":0.801709,\"launcher\":6.540123,\"kexec\":1.567914,\"boot\":2."
		     "264668,"
		     "\"settle\":1.009273,\"total\":12.234632}', "
		     "'{\"reason\":\"does the fault show on the base?\",\"cost_s\":17.82428118,"
		     "\"boots\":32,\"bits\":0.08778314765,\"p_fault\":0.95903123}', "
		     "1600000000000000 + i * 13000000 FROM c",
		     "iis", n, run, slug),
	     error);
	must(store_exec(
		     s, &error,
		     "INSERT INTO fault (trial, seq, device, address, reason, in_window, record) "
		     "SELECT id, 0, '0000:00:02.0', '0x1fffc080', 'refused by the emulated IOMMU', "
		     "1, "
		     "json_object('kind', 'fault', 'device', '0000:00:02.0', 'address', "
		     "'0x1fffc080', "
		     "'raw', printf('%.400c', 'r')) FROM trial WHERE campaign = ? AND outcome = "
		     "'fault'",
		     "i", run) &&
		     store_exec(
			     s, &error,
			     "INSERT INTO posterior SELECT id, 'set', 2, 0.5, 0.8, 0.7, 0.9, 0.01, "
			     "0, 0.02, json_array(json_object('kind', 'set', 'members', "
			     "json_array('candidate-1'), 'probability', 0.5)), '[0.1,0.2,0.3]' "
			     "FROM "
			     "trial WHERE campaign = ? AND number <= 20000",
			     "i", run),
	     error);
}

static void end_run(Store *s, gint64 run)
{
	g_autoptr(GError) error = NULL;
	StoreVerdict v = {.kind = (char *)"cause",
			  .effect = (char *)"cures",
			  .members = 2,
			  .probability = 0.995,
			  .why = (char *)"rule",
			  .reason = (char *)"candidate-2 cures the fault"};
	must(store_set_verdict(s, run, &v, &error) &&
		     store_exec(
			     s, &error,
			     "UPDATE campaign SET state = 'done', created_us = ?, finished_us = ? "
			     "WHERE id = ?",
			     "iii", g_get_real_time() - YEAR_US,
			     g_get_real_time() - YEAR_US + G_TIME_SPAN_DAY, run),
	     error);
}

static void write_text(const char *folder, const char *leaf, const char *text)
{
	g_autoptr(GError) error = NULL;
	g_autofree char *path = g_build_filename(folder, leaf, NULL);
	must(kx_write_scratch(path, text, -1, 0644, &error), error);
}

static void add_folders(const char *results, const char *slug, gint64 n, gsize log_bytes)
{
	g_autoptr(GError) error = NULL;
	g_autofree char *log = g_strnfill(log_bytes, 'l');
	for (gint64 i = 1; i <= n; i++) {
		g_autofree char *number = g_strdup_printf("%06d", (int)i);
		g_autofree char *folder =
			g_build_filename(results, "campaigns", slug, "trials", number, NULL);
		must(kx_mkdir(folder, &error), error);
		write_text(folder, "console.log", log);
		write_text(folder, "outcome.json", "{\"outcome\":\"fault\"}\n");
		write_text(folder, "request.json", "{}\n");
	}
}

static void make_store(const char *results, gint64 trials, gint64 runs, gint64 old)
{
	g_autoptr(GError) error = NULL;
	g_autoptr(Store) s = store_open(results, STORE_WRITE, &error);
	must(s != NULL, error);
	must(store_exec(s, &error, "PRAGMA synchronous = OFF", ""), error);
	gint64 id = add_run(s, "deep");
	add_trials(s, id, "deep-1", trials - old - (runs - 2) * SIDE);
	add_folders(results, "deep-1", FOLDERS, LOG_KIB << 10);
	if (old) {
		id = add_run(s, "old");
		add_trials(s, id, "old-1", old);
		end_run(s, id);
		add_folders(results, "old-1", old, 512);
	}
	for (gint64 i = 2; i < runs; i++) {
		g_autofree char *name = g_strdup_printf("side-%d", (int)i);
		g_autofree char *slug = g_strconcat(name, "-1", NULL);
		id = add_run(s, name);
		add_trials(s, id, slug, SIDE);
		end_run(s, id);
	}
}

/* ---- the queue ---- */

static void make_queue(const char *state, gint64 n)
{
	g_autoptr(GError) error = NULL;
	must(kx_mkdir(state, &error), error);
	g_autoptr(Queue) q = queue_open(state, &error);
	must(q != NULL, error);
	for (gint64 i = 1; i <= n; i++) {
		g_autoptr(Submission) s = submission_new();
		g_autofree char *name = g_strdup_printf("side-%d", (int)i + 1);
		g_autofree char *folder =
			g_strdup_printf("%08x-0000-4000-8000-000000000000", (int)i);
		g_autofree char *path = g_build_filename(state, "submissions", folder, NULL);
		g_autofree char *run = g_strconcat(name, "-1", NULL);
		submission_set(&s->name, name);
		submission_set(&s->title, "Which of them lets the fault go away");
		submission_set(&s->question, "Which change cures the fault?");
		submission_set(&s->digest, "d2f1c1a0e9f37a");
		submission_set(&s->folder, folder);
		submission_set(&s->file, "submissions/x/files/c.yaml");
		submission_set(&s->owner, "lab");
		submission_set(&s->run, run);
		s->created_us = 1700000000000000 + i * 60000000;
		must(kx_mkdir(path, &error) && queue_add(q, s, &error), error);
		write_text(path, "engine.log", "kexsect: built\n");
		s->state = i % 10 == 9 ? SUBMISSION_FAILED : SUBMISSION_DONE;
		s->finished_us = s->created_us + G_TIME_SPAN_HOUR;
		must(queue_save(q, s, (QueueNote){"verdict", "it cures the fault"}, &error), error);
	}
}

/* By the journal's own writer each line would be a sync of the disk. */
static void add_journal(const char *state, gint64 n)
{
	g_autofree char *path = g_build_filename(state, "queue.db", NULL);
	g_autofree char *sql = g_strdup_printf(
		"WITH RECURSIVE c(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM c WHERE i < %d) "
		"INSERT INTO journal (time_us, submission, kind, text) SELECT 1700000000000000 + i "
		"* "
		"3000000, 1 + i / 20, 'retry', 'the engine ended with status 1' FROM c",
		(int)n);
	sqlite3 *db = NULL;
	if (sqlite3_open(path, &db) != SQLITE_OK ||
	    sqlite3_exec(db, sql, NULL, NULL, NULL) != SQLITE_OK) {
		fprintf(stderr, "load_data: %s: %s\n", path, sqlite3_errmsg(db));
		exit(1);
	}
	sqlite3_close(db);
}

int main(int argc, char **argv)
{
	if (argc != 7) {
		fputs("usage: load_data STATE RESULTS TRIALS RUNS SUBMISSIONS OLD\n", stderr);
		return 2;
	}
	gint64 n[4];
	for (int i = 0; i < 4; i++)
		n[i] = g_ascii_strtoll(argv[i + 3], NULL, 10);
	if (n[1] < 2 || n[0] - n[3] - (n[1] - 2) * SIDE < 1) {
		fputs("load_data: there are at least 2 runs, and 50 trials in each\n", stderr);
		return 2;
	}
	make_store(argv[2], n[0], n[1], n[3]);
	make_queue(argv[1], n[2]);
	if (n[2])
		add_journal(argv[1], 18 * n[2]);
	return 0;
}
