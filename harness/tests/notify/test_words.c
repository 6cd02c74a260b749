/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What is pure in notifications: moments of the day, waits, filters, words. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "daemon/notify.h"

static gint64 us_of(const char *iso)
{
	g_autoptr(GTimeZone) utc = g_time_zone_new_utc();
	g_autoptr(GDateTime) t = g_date_time_new_from_iso8601(iso, utc);
	return g_date_time_to_unix(t) * G_USEC_PER_SEC;
}

static void moments_of_the_day(void **state)
{
	static const struct {
		const char *now, *moment;
		unsigned minutes;
	} cases[] = {
		{"2026-11-23T06:00:00Z", "2026-11-23T06:00:00Z", 7 * 60},
		{"2026-11-23T05:59:59Z", "2026-11-22T06:00:00Z", 7 * 60},
		{"2026-11-23T22:59:59Z", "2026-11-22T23:00:00Z", 0},
		/* the night in which summer time begins, and that in which it ends */
		{"2026-03-29T06:00:00Z", "2026-03-29T05:00:00Z", 7 * 60},
		{"2026-03-28T07:00:00Z", "2026-03-28T06:00:00Z", 7 * 60},
		{"2026-10-25T05:30:00Z", "2026-10-24T05:00:00Z", 7 * 60},
		{"2026-10-25T06:00:00Z", "2026-10-25T06:00:00Z", 7 * 60},
	};
	g_autoptr(GTimeZone) zone = g_time_zone_new_identifier("CET-1CEST,M3.5.0,M10.5.0/3");
	assert_non_null(zone);
	for (guint i = 0; i < G_N_ELEMENTS(cases); i++)
		assert_int_equal(notify_moment(cases[i].minutes, us_of(cases[i].now), zone),
				 us_of(cases[i].moment));
}

/* In a night a moment comes once, whatever the clock is put to. */
static void a_moment_a_day(void **state)
{
	g_autoptr(GTimeZone) zone = g_time_zone_new_identifier("CET-1CEST,M3.5.0,M10.5.0/3");
	for (unsigned minutes = 0; minutes < 1440; minutes += 30) {
		gint64 last = 0;
		int n = 0;
		for (gint64 now = us_of("2026-03-01T12:00:00Z");
		     now < us_of("2026-11-10T12:00:00Z"); now += G_USEC_PER_SEC * 1800) {
			gint64 at = notify_moment(minutes, now, zone);
			assert_true(at <= now && at >= last);
			n += last && at > last;
			last = at;
		}
		/* of times that a clock leaves out, one day may have none */
		assert_in_range(n, 253, 254);
	}
}

static void waits_grow_to_an_hour(void **state)
{
	static const double wanted[] = {30, 60, 120, 240, 480, 960, 1920, 3600, 3600};
	for (unsigned i = 0; i < G_N_ELEMENTS(wanted); i++)
		assert_true(notify_backoff_s(i + 1, 1) == wanted[i]);
	assert_true(notify_backoff_s(4000000000u, 0.5) == 1800);
}

static void filters(void **state)
{
	char *kinds[] = {(char *)"verdict", (char *)"disk"}, *campaigns[] = {(char *)"vtd-*"},
	     *owners[] = {(char *)"alice"};
	ConfigNotify n = {.kinds = kinds,
			  .kinds_count = 2,
			  .campaigns = campaigns,
			  .campaigns_count = 1,
			  .owners = owners,
			  .owners_count = 1};
	assert_true(config_notify_wants(&n, "verdict", "vtd-window", "alice"));
	assert_false(config_notify_wants(&n, "verdict", "vtd-window", "bob"));
	assert_false(config_notify_wants(&n, "verdict", "amd-split", "alice"));
	assert_false(config_notify_wants(&n, "failed", "vtd-window", "alice"));
	assert_true(config_notify_wants(&n, "disk", NULL, NULL));
	n.campaigns_count = n.owners_count = 0;
	assert_true(config_notify_wants(&n, "verdict", "amd-split", "bob"));
}

static json_t *line(const char *kind, const char *name, const char *text)
{
	return json_pack("{s:i, s:i, s:i, s:s, s:s, s:s}", "id", 7, "time_us", 5, "submission", 1,
			 "kind", kind, "text", text, "name", name);
}

static json_t *message_of(json_t *content, const char *type)
{
	Notice n = {.uuid = (char *)"msg_1",
		    .receiver = (char *)"r",
		    .type = (char *)type,
		    .content = content,
		    .created_us = 9};
	json_t *m = notify_message(&n, "lab", "/srv/my results");
	json_decref(content);
	return m;
}

static void words_of_one_line(void **state)
{
	json_t *l = line("verdict", "vtd-window", "a\r\nBcc: x");
	json_object_set_new(l, "verdict",
			    json_pack("{s:s, s:f}", "sentence", "a", "probability", 0.5));
	json_object_set_new(l, "run", json_string("vtd-window-1"));
	json_object_set_new(l, "progress", json_pack("{s:i, s:i}", "trials", 3, "builds", 2));
	g_autoptr(json_t) m = message_of(json_pack("{s:[o]}", "lines", l), "verdict");
	assert_string_equal(kx_json_str(m, "title"),
			    "kexsect: verdict: vtd-window: a  Bcc: x (p = 0.500)");
	const char *text = kx_json_str(m, "text");
	assert_non_null(strstr(text, "3 boots, 2 builds"));
	assert_non_null(strstr(text, "kexsect report vtd-window-1 --results '/srv/my results'\n"));
	assert_null(strchr(text, '\r'));
	assert_int_equal(kx_json_int(m, "time_us", 0), 5);
}

static void no_certainty(void **state)
{
	static const struct {
		double p;
		const char *words;
	} cases[] = {{0.99996, "(p > 0.9999)"}, {0.9998, "(p = 0.999)"}, {0.1, "(p = 0.100)"}};
	for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
		json_t *l = line("verdict", "x", "a");
		json_object_set_new(
			l, "verdict",
			json_pack("{s:s, s:f}", "sentence", "a", "probability", cases[i].p));
		g_autoptr(json_t) m = message_of(json_pack("{s:[o]}", "lines", l), "verdict");
		assert_non_null(strstr(kx_json_str(m, "title"), cases[i].words));
	}
}

static void words_of_many_lines(void **state)
{
	json_t *lines = json_array();
	for (int i = 0; i < 3; i++)
		json_array_append_new(lines, line(i ? "failed" : "verdict", "x", "y"));
	json_array_append_new(lines, line("disk", "", ""));
	g_autoptr(json_t) m = message_of(json_pack("{s:o}", "lines", lines), "batch");
	assert_string_equal(kx_json_str(m, "title"),
			    "kexsect: 4 notices: 1 verdict, 2 failed, 1 disk");
	assert_string_equal(kx_json_str(m, "text"),
			    "4 notices: 1 verdict, 2 failed, 1 disk\nverdict: x: y\nfailed: x: y\n"
			    "failed: x: y\ndisk: the daemon\n");
}

static void a_long_title_is_cut(void **state)
{
	g_autofree char *longest = g_strnfill(5000, 'x');
	g_autoptr(json_t) m =
		message_of(json_pack("{s:[o]}", "lines", line("failed", "é", longest)), "failed");
	const char *title = kx_json_str(m, "title");
	assert_true(g_utf8_validate(title, -1, NULL));
	assert_true(g_utf8_strlen(title, -1) < 200);
	assert_true(g_str_has_suffix(title, "…"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(moments_of_the_day),	 cmocka_unit_test(a_moment_a_day),
		cmocka_unit_test(waits_grow_to_an_hour), cmocka_unit_test(filters),
		cmocka_unit_test(words_of_one_line),	 cmocka_unit_test(no_certainty),
		cmocka_unit_test(words_of_many_lines),	 cmocka_unit_test(a_long_title_is_cut),
	};
	return cmocka_run_group_tests_name("notify", tests, NULL, NULL);
}
