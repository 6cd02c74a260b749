/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What is given with a submission, and limits of the configuration, as the engine gets them. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "base/error.h"
#include "base/fs.h"
#include "daemon/client.h"
#include "daemon/snapshot.h"
#include "lab.h"

/* An engine that notes how it was called. */
static void note_calls(Lab *l)
{
	g_autofree char *path = g_build_filename(l->dir, "engine", NULL);
	g_autofree char *text =
		g_strdup_printf("#!/bin/sh\nname=$(basename $2 .yaml)\n"
				"echo \"$@ sources=$KEXSECT_SOURCES toolchains=$KEXSECT_TOOLCHAINS "
				"builds=$KEXSECT_BUILDS\" >>%s/called-$name\n"
				"exec %s \"$@\"\n",
				l->dir, FAKE_ENGINE);
	assert_true(kx_write_scratch(path, text, -1, 0755, NULL));
	g_free(l->engine);
	l->engine = g_steal_pointer(&path);
}

static void expect_call(const Lab *l, const char *name, const char *const *words)
{
	g_autofree char *path = g_strdup_printf("%s/called-%s", l->dir, name);
	g_autofree char *text = kx_read_file(path, 1 << 16, NULL, NULL);
	assert_non_null(text);
	for (; *words; words++)
		if (!strstr(text, *words))
			fail_msg("'%s' is not in: %s", *words, text);
}

static void an_engine_gets_its_limits(void **state)
{
	Lab *l = *state;
	lab_configure(l, "limits: {campaign_gib: 7, cache_gib: 12, builds: 1");
	note_calls(l);
	lab_campaign(l, "own", "t1", "trials=1 ms=1");
	lab_campaign(l, "usual", "t1", "trials=1 ms=1");
	lab_start(l);
	gint64 own = lab_submit(l, "own", "{'disk_gib': 2.5}");
	gint64 usual = lab_submit(l, "usual", NULL);
	lab_wait(l, own, "done");
	lab_wait(l, usual, "done");
	expect_call(l, "own",
		    (const char *const[]){"--disk-gib 2.5", "--cache-gib 12.", "builds=1", NULL});
	expect_call(l, "usual",
		    (const char *const[]){"--disk-gib 7.", "--cache-gib 12.", "sources= ", NULL});
	g_autoptr(json_t) s = lab_status(l, own);
	assert_true(json_number_value(json_object_get(json_object_get(s, "budget"), "disk_gib")) ==
		    2.5);
}

static void sources_go_with_a_submission(void **state)
{
	Lab *l = *state;
	g_autofree char *source = g_build_filename(l->dir, "linux", NULL);
	g_autofree char *given = g_strdup_printf("linux-6.1=%s", source);
	g_autofree char *wanted = g_strdup_printf("sources=%s toolchains= builds", given);
	assert_true(kx_mkdir(source, NULL));
	note_calls(l);
	lab_campaign(l, "x", "t1", "trials=1 ms=1");
	lab_campaign(l, "y", "t1", "trials=1 ms=1");
	lab_start(l); /* without them */
	g_setenv("KEXSECT_SOURCES", given, TRUE);
	gint64 x = lab_submit(l, "x", NULL);
	g_autofree char *y = g_build_filename(l->dir, "configs/campaigns/y.yaml", NULL);
	g_autoptr(json_t) snapshot = snapshot_pack(y, NULL);
	g_unsetenv("KEXSECT_SOURCES");
	lab_wait(l, x, "done");
	expect_call(l, "x", (const char *const[]){wanted, NULL});
	g_autoptr(json_t) s = lab_status(l, x);
	assert_string_equal(kx_json_str(s, "sources"), given);
	/* what the daemon cannot read is refused */
	assert_non_null(snapshot);
	assert_true(kx_remove_tree(source, NULL));
	g_autoptr(GError) error = NULL;
	g_autoptr(Client) c = client_new(l->socket, NULL);
	g_autoptr(json_t) gone = client_ask(
		c, json_pack("{s:s, s:O}", "do", "submit", "snapshot", snapshot), &error);
	assert_null(gone);
	assert_true(g_error_matches(error, KX_ERROR, KX_ERROR_MISSING));
	assert_non_null(strstr(error->message, source));
	/* and what makes no sense */
	json_object_set_new(snapshot, "sources", json_string("linux-6.1=relative"));
	assert_false(snapshot_check(snapshot, NULL));
	json_object_set_new(snapshot, "sources", json_string("linux-6.1=/a/../etc"));
	assert_false(snapshot_check(snapshot, NULL));
	json_object_set_new(snapshot, "sources", json_integer(3));
	assert_false(snapshot_check(snapshot, NULL));
}

/* A profile's file too is copied: it may be gone when the campaign's turn comes. */
static void toolchains_go_with_a_submission(void **state)
{
	Lab *l = *state;
	g_autofree char *profile = g_build_filename(l->dir, "mine.yaml", NULL);
	g_autofree char *given = g_strdup_printf("linux-6.1=%s", profile);
	g_autofree char *wanted = g_strdup_printf("sources= toolchains=%s builds", given);
	const char *text = "name: mine\nkernels: {from: \"5.17\"}\ncc: gcc\ncc_flags: [-w]\n";
	assert_true(kx_write_scratch(profile, text, -1, 0644, NULL));
	note_calls(l);
	lab_campaign(l, "x", "t1", "trials=1 ms=1");
	lab_start(l); /* without it */
	g_autofree char *file = g_build_filename(l->dir, "configs/campaigns/x.yaml", NULL);
	g_autoptr(json_t) plain = snapshot_pack(file, NULL);
	assert_non_null(plain);
	g_setenv("KEXSECT_TOOLCHAINS", given, TRUE);
	g_autoptr(json_t) snapshot = snapshot_pack(file, NULL);
	gint64 x = lab_submit(l, "x", NULL);
	g_unsetenv("KEXSECT_TOOLCHAINS");
	assert_int_equal(remove(profile), 0);
	lab_wait(l, x, "done");
	expect_call(l, "x", (const char *const[]){wanted, NULL});
	g_autoptr(json_t) s = lab_status(l, x);
	assert_string_equal(kx_json_str(s, "toolchains"), given);
	assert_string_not_equal(kx_json_str(snapshot, "digest"), kx_json_str(plain, "digest"));
	/* what makes no sense */
	static const char *const bad[] = {"=gcc", "x=", "x=../gcc", "/a/../b", "a,,b"};
	for (guint i = 0; i < G_N_ELEMENTS(bad); i++) {
		json_object_set_new(snapshot, "toolchains", json_string(bad[i]));
		assert_false(snapshot_check(snapshot, NULL));
	}
	json_object_set_new(snapshot, "toolchains", json_string("gcc-native,x=/opt/p.yaml"));
	assert_true(snapshot_check(snapshot, NULL));
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, lab_setup, lab_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(an_engine_gets_its_limits),
		TEST(sources_go_with_a_submission),
		TEST(toolchains_go_with_a_submission),
	};
	return cmocka_run_group_tests_name("daemon limits", tests, NULL, NULL);
}
