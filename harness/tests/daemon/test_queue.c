/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What is on disk: the queue, snapshots, leases, the configuration, old evidence. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/error.h"
#include "base/fs.h"
#include "base/proc.h"
#include "daemon/config.h"
#include "daemon/queue.h"
#include "daemon/snapshot.h"
#include "../base/temp_dir.h"

static Submission *sample(const char *name, const char *folder)
{
	Submission *s = submission_new();
	submission_set(&s->name, name);
	submission_set(&s->folder, folder);
	submission_set(&s->file, "submissions/x/files/x.yaml");
	submission_set(&s->data, "/usr/share/kexsect");
	submission_set(&s->owner, "jörg");
	submission_set(&s->window, "22:00-07:00");
	g_strfreev(s->targets);
	s->targets = g_strsplit("a,b", ",", -1);
	g_strfreev(s->also);
	s->also = g_strsplit("c", ",", -1);
	s->uid = 4000000000u;
	s->priority = -3;
	s->hours = 2.5;
	s->boots = 17;
	s->compile_minutes = 0.25;
	s->disk_gib = 1.5;
	submission_set(&s->sources, "linux-3.6=/srv/linux@v3.6");
	submission_set(&s->toolchains, "gcc-9");
	s->again = true;
	s->created_us = 1234567;
	return s;
}

static void a_submission_is_read_as_written(void **state)
{
	g_autoptr(Queue) q = queue_open(*state, NULL);
	assert_non_null(q);
	g_autoptr(Submission) s = sample("x", "f1");
	assert_true(queue_add(q, s, NULL));
	assert_int_equal(s->id, 1);
	s->state = SUBMISSION_RUNNING;
	s->wish = WISH_PAUSE;
	s->after_run = 4;
	s->attempts = 2;
	s->not_before_us = 99;
	s->slot = 3;
	s->engine = process_id(getpid());
	submission_set(&s->target, "b");
	submission_set(&s->run, "x-5");
	submission_set(&s->reason, "'; DROP TABLE lease; --");
	json_object_set_new(s->progress, "trials", json_integer(7));
	assert_true(queue_save(q, s, (QueueNote){"started", "on b"}, NULL));
	queue_close(g_steal_pointer(&q));

	q = queue_open(*state, NULL);
	g_autoptr(GPtrArray) active = queue_active(q, NULL);
	assert_int_equal(active->len, 1);
	const Submission *r = active->pdata[0];
	assert_string_equal(r->name, "x");
	assert_string_equal(r->owner, "jörg");
	assert_string_equal(r->data, "/usr/share/kexsect");
	assert_string_equal(r->window, "22:00-07:00");
	assert_string_equal(r->targets[1], "b");
	assert_string_equal(r->also[0], "c");
	assert_true(r->uid == 4000000000u && r->priority == -3 && r->hours == 2.5);
	assert_string_equal(r->sources, "linux-3.6=/srv/linux@v3.6");
	assert_string_equal(r->toolchains, "gcc-9");
	assert_true(r->disk_gib == 1.5);
	assert_true(r->boots == 17 && r->compile_minutes == 0.25 && r->again);
	assert_true(r->state == SUBMISSION_RUNNING && r->wish == WISH_PAUSE);
	assert_true(r->after_run == 4 && r->attempts == 2 && r->not_before_us == 99);
	assert_string_equal(r->reason, "'; DROP TABLE lease; --");
	assert_string_equal(r->run, "x-5");
	assert_true(r->slot == 3 && process_is_alive(&r->engine));
	assert_int_equal(kx_json_int(r->progress, "trials", 0), 7);
	assert_true(json_is_null(r->verdict));
}

static void a_target_has_one_lease(void **state)
{
	g_autoptr(Queue) q = queue_open(*state, NULL);
	g_autoptr(Submission) one = sample("x", "f1");
	g_autoptr(Submission) two = sample("y", "f2");
	assert_true(queue_add(q, one, NULL) && queue_add(q, two, NULL));
	one->state = two->state = SUBMISSION_RUNNING;
	submission_set(&one->target, "a");
	submission_set(&two->target, "a");
	assert_true(queue_save(q, one, (QueueNote){0}, NULL));
	g_autoptr(GError) error = NULL;
	assert_false(queue_save(q, two, (QueueNote){"started", ""}, &error));
	/* nothing of it was written */
	g_autoptr(Submission) read = queue_find(q, two->id, NULL);
	assert_int_equal(read->state, SUBMISSION_QUEUED);
	one->state = SUBMISSION_DONE;
	assert_true(queue_save(q, one, (QueueNote){0}, NULL));
	assert_true(queue_save(q, two, (QueueNote){0}, NULL));
}

static void lists_are_in_pages(void **state)
{
	g_autoptr(Queue) q = queue_open(*state, NULL);
	for (int i = 0; i < 7; i++) {
		g_autofree char *folder = g_strdup_printf("f%d", i);
		g_autoptr(Submission) s = sample("x", folder);
		assert_true(queue_add(q, s, NULL));
		if (i == 2) {
			s->state = SUBMISSION_FAILED;
			assert_true(queue_save(q, s, (QueueNote){"failed", "so"}, NULL));
		}
	}
	g_autoptr(GPtrArray) first = queue_list(q, 0, 3, -1, NULL);
	assert_int_equal(first->len, 3);
	assert_int_equal(((Submission *)first->pdata[0])->id, 7);
	g_autoptr(GPtrArray) next = queue_list(q, 5, 10, -1, NULL);
	assert_int_equal(next->len, 4);
	g_autoptr(GPtrArray) failed = queue_list(q, 0, 10, SUBMISSION_FAILED, NULL);
	assert_int_equal(failed->len, 1);
	g_autoptr(json_t) lines = queue_journal(q, 2, 2, NULL);
	assert_int_equal(json_array_size(lines), 2);
	assert_int_equal(kx_json_int(json_array_get(lines, 0), "id", 0), 3);
	g_autoptr(json_t) all = queue_journal(q, 0, 100, NULL);
	assert_int_equal(json_array_size(all), 8);
	g_autoptr(GError) error = NULL;
	assert_null(queue_find(q, 8, &error));
	assert_true(g_error_matches(error, KX_ERROR, KX_ERROR_MISSING));
}

static void a_backup_is_a_queue(void **state)
{
	g_autofree char *other = g_build_filename(*state, "other", NULL);
	g_autofree char *file = g_build_filename(other, "queue.db", NULL);
	assert_true(kx_mkdir(other, NULL));
	g_autoptr(Queue) q = queue_open(*state, NULL);
	g_autoptr(Submission) s = sample("x", "f1");
	assert_true(queue_add(q, s, NULL));
	assert_true(queue_backup(*state, file, NULL)); /* while it is open */
	assert_false(queue_backup(*state, file, NULL));
	g_autoptr(Queue) copy = queue_open(other, NULL);
	g_autoptr(GPtrArray) active = queue_active(copy, NULL);
	assert_int_equal(active->len, 1);
}

static void damage_is_seen(void **state)
{
	g_autofree char *file = g_build_filename(*state, "queue.db", NULL);
	{
		g_autoptr(Queue) q = queue_open(*state, NULL);
		for (int i = 0; i < 200; i++) {
			g_autofree char *folder = g_strdup_printf("folder-%d", i);
			g_autoptr(Submission) s = sample("a name to fill pages", folder);
			assert_true(queue_add(q, s, NULL));
		}
	}
	g_autofree char *data = NULL;
	gsize len;
	assert_true(g_file_get_contents(file, &data, &len, NULL));
	memset(data + len / 2, 0xa5, 4096);
	assert_true(g_file_set_contents(file, data, (gssize)len, NULL));
	g_autoptr(GError) error = NULL;
	assert_null(queue_open(*state, &error));
	assert_true(g_error_matches(error, KX_ERROR, KX_ERROR_DIGEST));
	assert_true(g_file_set_contents(file, "not a database, but long enough to be looked at", -1,
					NULL));
	g_clear_error(&error);
	assert_null(queue_open(*state, &error));
	assert_true(g_error_matches(error, KX_ERROR, KX_ERROR_DIGEST));
}

/* ---- leases ---- */

static void a_lease_ends_with_its_last_holder(void **state)
{
	int fd = lease_take(*state, "rack/1", 0, NULL);
	assert_true(fd >= 0);
	g_autoptr(GError) error = NULL;
	assert_int_equal(lease_take(*state, "rack/1", 0, &error), -1);
	assert_true(g_error_matches(error, KX_ERROR, KX_ERROR_BUSY));
	int other = lease_take(*state, "rack/1", 1, NULL);
	assert_true(other >= 0);
	close(other);
	pid_t holder = fork();
	if (holder == 0) {
		pause();
		_exit(0);
	}
	close(fd);
	assert_true(lease_is_held(*state, "rack/1", 0)); /* by the child alone */
	assert_int_equal(lease_signal_holders(*state, "rack/1", 0, SIGKILL), 1);
	assert_int_equal(waitpid(holder, NULL, 0), holder);
	assert_false(lease_is_held(*state, "rack/1", 0));
	assert_false(lease_is_held(*state, "never", 0));
	assert_int_equal(lease_signal_holders(*state, "rack/1", 0, SIGKILL), 0);
}

static void a_process_is_not_mistaken(void **state)
{
	ProcessId me = process_id(getpid());
	assert_true(process_is_alive(&me));
	ProcessId reborn = me;
	reborn.start--;
	assert_false(process_is_alive(&reborn));
	ProcessId rebooted = me;
	rebooted.boot[0] = 'x';
	assert_false(process_is_alive(&rebooted));
	ProcessId none = {0};
	assert_false(process_is_alive(&none));
}

/* ---- snapshots ---- */

static json_t *packed_with(const char *path, const char *text)
{
	return json_pack("{s:s, s:s, s:[{s:s, s:s}]}", "data", "/d", "campaign", path, "files",
			 "path", path, "text", text);
}

static void strange_snapshots_are_refused(void **state)
{
	static const char *const bad_paths[] = {"x.yaml", "/", "/a/../x", "/a//x",  "/a/./x",
						"/a/x/",  "",  "../x",	  "//etc/x"};
	g_autoptr(json_t) fine = packed_with("/a/x", "");
	assert_true(snapshot_check(fine, NULL));
	for (size_t i = 0; i < G_N_ELEMENTS(bad_paths); i++) {
		g_autoptr(json_t) p = packed_with(bad_paths[i], "x");
		if (snapshot_check(p, NULL))
			fail_msg("'%s' was taken", bad_paths[i]);
	}
	static const char *const bad[] = {
		"{}",
		"[]",
		"{'campaign': '/x', 'data': '/d', 'files': []}",
		"{'campaign': '/x', 'data': '/d', 'files': [{'path': '/y', 'text': ''}]}",
		"{'campaign': '/x', 'data': '/d', 'files': [{'path': '/x'}]}",
		"{'campaign': '/x', 'data': '/d', 'files': [{'path': '/x', 'text': 3}]}",
		"{'campaign': '/x', 'data': '/d', 'files': [{'path': '/x', 'text': '', 'base64': "
		"''}]}",
		"{'campaign': '/x', 'data': '/d', 'files': [{'path': '/x', 'text': ''}, {'path': "
		"'/x', 'text': "
		"''}]}",
		"{'campaign': '/x', 'data': '/d', 'files': [{'path': '/x', 'text': ''}, {'path': "
		"'/x/y', "
		"'text': ''}]}",
		"{'campaign': '/x', 'data': '/d', 'files': ['/x']}",
		"{'campaign': '/x', 'data': '/d', 'files': {'path': '/x', 'text': ''}}",
	};
	for (size_t i = 0; i < G_N_ELEMENTS(bad); i++) {
		g_autofree char *text = g_strdelimit(g_strdup(bad[i]), "'", '"');
		g_autoptr(json_t) p = kx_json_parse(text, "test", NULL);
		assert_non_null(p);
		g_autoptr(GError) error = NULL;
		if (snapshot_check(p, &error))
			fail_msg("%s was taken", bad[i]);
		assert_true(g_error_matches(error, KX_ERROR, KX_ERROR_INPUT));
	}
}

/* Every campaign of ours: the copy alone gives the same digest, wherever its origin has gone. */
static void a_snapshot_is_the_campaign(void **state)
{
	static const char *const names[] = {"vtd-window", "amd-split", "vtd-history"};
	for (size_t i = 0; i < G_N_ELEMENTS(names); i++) {
		g_autoptr(GError) error = NULL;
		g_autofree char *path =
			g_strdup_printf(SOURCE_ROOT "/configs/campaigns/%s.yaml", names[i]);
		g_autoptr(json_t) packed = snapshot_pack(path, &error);
		if (!packed)
			fail_msg("%s", error->message);
		g_autofree char *folder = g_build_filename(*state, names[i], NULL);
		assert_true(kx_mkdir(folder, NULL));
		g_autoptr(json_t) found = snapshot_unpack(packed, folder, &error);
		if (!found)
			fail_msg("%s", error->message);
		assert_string_equal(kx_json_str(found, "name"), names[i]);
		assert_string_equal(kx_json_str(found, "digest"), kx_json_str(packed, "digest"));
		assert_int_equal(json_array_size(json_object_get(found, "targets")), 1);
		/* nothing outside was read */
		g_autoptr(GHashTable) seen =
			g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
		g_autofree char *files = snapshot_files(folder);
		g_setenv("KEXSECT_SNAPSHOT", files, TRUE);
		kx_note_files(seen);
		g_autoptr(Campaign) c = campaign_load(kx_json_str(found, "file"), NULL);
		kx_note_files(NULL);
		g_unsetenv("KEXSECT_SNAPSHOT");
		assert_non_null(c);
		GHashTableIter iter;
		gpointer key;
		g_hash_table_iter_init(&iter, seen);
		while (g_hash_table_iter_next(&iter, &key, NULL))
			if (!g_str_has_prefix(key, files))
				fail_msg("%s is outside of the snapshot", (char *)key);
		assert_true(g_hash_table_size(seen) > 5);
		/* what was changed on the way is noticed */
		json_object_set_new(packed, "digest", json_string("0"));
		assert_null(snapshot_unpack(packed, folder, NULL));
	}
}

/* ---- configuration ---- */

static void the_configuration_is_checked(void **state)
{
	g_autofree char *file = g_build_filename(*state, "kexsectd.yaml", NULL);
	g_autoptr(DaemonConfig) none = daemon_config_load(NULL, "/state", NULL);
	assert_string_equal(none->results, "/state/results");
	assert_int_equal(none->limits.jobs, 2);
	assert_true(none->limits.disk_free_gib == 4);
	assert_int_equal(daemon_config_slots(none, "a"), 1);
	assert_true(kx_write_file(file,
				  "results: night\nwindow: '22:00-07:00'\n"
				  "limits: {campaigns: 7, retries: 0}\n"
				  "retention: {days: 0, gib: 2.5}\n"
				  "targets: [{name: a, slots: 3}]\n",
				  -1, NULL));
	g_autoptr(GError) error = NULL;
	g_autoptr(DaemonConfig) c = daemon_config_load(file, "/state", &error);
	if (!c)
		fail_msg("%s", error->message);
	g_autofree char *night = g_build_filename(*state, "night", NULL);
	assert_string_equal(c->results, night);
	assert_string_equal(c->cache, "/state/cache");
	assert_true(c->limits.jobs == 7 && c->limits.retries == 0 && c->keep_days == 0);
	assert_true(c->keep_gib == 2.5 && none->keep_days == 30 && none->keep_gib == 0);
	assert_int_equal(daemon_config_slots(c, "a"), 3);
	static const char *const bad[] = {"window: never\n", "limits: {campaigns: 0}\n",
					  "limits: {disk_free_gib: -1}\n", "colour: red\n",
					  "targets: [{name: a, slots: 0}]\n"};
	for (size_t i = 0; i < G_N_ELEMENTS(bad); i++) {
		assert_true(kx_write_file(file, bad[i], -1, NULL));
		g_autoptr(GError) why = NULL;
		if (daemon_config_load(file, "/state", &why))
			fail_msg("%s was taken", bad[i]);
		assert_non_null(strstr(why->message, "kexsectd.yaml:1:"));
	}
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, make_dir, drop_dir)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_submission_is_read_as_written),
		TEST(a_target_has_one_lease),
		TEST(lists_are_in_pages),
		TEST(a_backup_is_a_queue),
		TEST(damage_is_seen),
		TEST(a_lease_ends_with_its_last_holder),
		TEST(a_process_is_not_mistaken),
		TEST(strange_snapshots_are_refused),
		TEST(a_snapshot_is_the_campaign),
		TEST(the_configuration_is_checked),
	};
	return cmocka_run_group_tests_name("daemon queue", tests, NULL, NULL);
}
