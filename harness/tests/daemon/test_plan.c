/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Time windows and who runs now. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "daemon/plan.h"

/* Central Europe, as a rule and not by the machine's time zone files. */
#define ZONE "CET-1CEST,M3.5.0,M10.5.0/3"

static gint64 at(GTimeZone *zone, const char *text)
{
	g_autoptr(GDateTime) t = g_date_time_new_from_iso8601(text, zone);
	assert_non_null(t);
	return g_date_time_to_unix(t) * G_USEC_PER_SEC;
}

static void windows_are_parsed(void **state)
{
	static const char *const bad[] = {"",
					  "22:00",
					  "22:00-22:00",
					  "24:00-07:00",
					  "22:60-07:00",
					  "2:00-07:00",
					  "22:00-07:0",
					  "22:00-07:00 ",
					  "-22:00-07:00",
					  "22:00/07:00",
					  "22:00-07:000"};
	TimeWindow w;
	assert_true(window_parse("22:00-07:05", &w, NULL));
	assert_int_equal(w.from, 22 * 60);
	assert_int_equal(w.to, 7 * 60 + 5);
	for (size_t i = 0; i < G_N_ELEMENTS(bad); i++) {
		g_autoptr(GError) error = NULL;
		assert_false(window_parse(bad[i], &w, &error));
		assert_non_null(error);
	}
}

static void check_window(const char *window, const char *now, bool open, const char *change)
{
	g_autoptr(GTimeZone) zone = g_time_zone_new_identifier(ZONE);
	TimeWindow w;
	gint64 then;
	assert_non_null(zone);
	assert_true(window_parse(window, &w, NULL));
	bool is = window_is_open(&w, at(zone, now), zone, &then);
	if (is != open || then != at(zone, change))
		fail_msg("%s at %s: %s, changes %+.2f h off", window, now, is ? "open" : "closed",
			 (double)(then - at(zone, change)) / G_TIME_SPAN_HOUR);
}

static void a_window_goes_over_midnight(void **state)
{
	check_window("22:00-07:00", "2026-11-22T21:59:59", false, "2026-11-22T22:00:00");
	check_window("22:00-07:00", "2026-11-22T22:00:00", true, "2026-11-23T07:00:00");
	check_window("22:00-07:00", "2026-11-23T06:59:59", true, "2026-11-23T07:00:00");
	check_window("22:00-07:00", "2026-11-23T07:00:00", false, "2026-11-23T22:00:00");
	check_window("09:00-17:00", "2026-12-31T17:00:00", false, "2027-01-01T09:00:00");
	check_window("22:00-21:00", "2026-02-28T21:30:00", false, "2026-02-28T22:00:00");
}

/* 29 March 2026: 02:00 becomes 03:00. 25 October 2026: 03:00 becomes 02:00. */
static void a_window_survives_summer_time(void **state)
{
	check_window("22:00-07:00", "2026-03-28T23:00:00", true, "2026-03-29T07:00:00");
	/* a night of ten hours, not of nine */
	g_autoptr(GTimeZone) zone = g_time_zone_new_identifier(ZONE);
	TimeWindow w;
	gint64 end;
	assert_true(window_parse("22:00-07:00", &w, NULL));
	assert_true(window_is_open(&w, at(zone, "2026-10-24T22:00:00"), zone, &end));
	assert_int_equal(end - at(zone, "2026-10-24T22:00:00"), 10 * G_TIME_SPAN_HOUR);
	/* the end comes twice: no hole between the two */
	assert_true(window_parse("22:00-02:30", &w, NULL));
	gint64 start = at(zone, "2026-10-24T22:00:00");
	unsigned changes = 0;
	bool before = true;
	for (gint64 t = start; t < start + 12 * G_TIME_SPAN_HOUR; t += 5 * G_TIME_SPAN_MINUTE) {
		bool open = window_is_open(&w, t, zone, &end);
		changes += open != before;
		before = open;
	}
	assert_int_equal(changes, 1);
	/* the start is left out that night */
	assert_true(window_parse("02:30-06:00", &w, NULL));
	assert_true(window_is_open(&w, at(zone, "2026-03-29T04:00:00"), zone, &end));
}

/* From any moment, the change that is told is the next one, for each kind of window. */
static void the_change_that_is_told_is_true(void **state)
{
	static const char *const windows[] = {"22:00-07:00", "02:30-02:40", "00:00-23:59",
					      "03:00-02:00"};
	g_autoptr(GTimeZone) zone = g_time_zone_new_identifier(ZONE);
	for (size_t i = 0; i < G_N_ELEMENTS(windows); i++) {
		TimeWindow w;
		assert_true(window_parse(windows[i], &w, NULL));
		gint64 t = at(zone, "2026-03-27T00:00:00"), end = t + 5 * G_TIME_SPAN_DAY;
		gint64 change, next;
		while (t < end) {
			bool open = window_is_open(&w, t, zone, &change);
			assert_true(change > t);
			assert_true(change < t + 3 * G_TIME_SPAN_DAY);
			assert_int_equal(window_is_open(&w, change - 1, zone, &next), open);
			assert_int_equal(window_is_open(&w, change, zone, &next), !open);
			t += 17 * G_TIME_SPAN_MINUTE;
		}
	}
}

/* ---- the plan ---- */

typedef struct {
	unsigned slots;
	const char *held; /* a target that a stranger holds */
	const char *closed;
} Lab;

static unsigned slots(const char *target, const char **ret_why, gpointer user)
{
	const Lab *l = user;
	if (g_strcmp0(l->closed, target) == 0) {
		*ret_why = "is in quarantine";
		return 0;
	}
	return l->slots;
}

static bool held(const char *target, unsigned slot, gpointer user)
{
	const Lab *l = user;
	return g_strcmp0(l->held, target) == 0 && slot == 0;
}

static const char *const numbers[] = {"", "1", "2", "3"};
static char a_name[] = "a", b_name[] = "b";
static char *a[] = {a_name, NULL}, *b[] = {b_name, NULL}, *ab[] = {a_name, b_name, NULL};

#define ITEM(number, who, prio, on)                                                                \
	{                                                                                          \
		.id = number, .owner = who, .priority = prio, .targets = on,                       \
		.campaign = "c" #number                                                            \
	}

/* The items that start, such as "1:a 3:b", and those that stop, "-2". */
static void expect(PlanItem *items, guint n, Lab *lab, unsigned jobs, const char *stop_why,
		   const char *expected)
{
	g_autoptr(GTimeZone) utc = g_time_zone_new_utc();
	PlanLab l = {.now_us = 1000 * G_TIME_SPAN_DAY,
		     .zone = utc,
		     .jobs = jobs,
		     .stop_why = stop_why,
		     .slots = slots,
		     .is_held = held,
		     .user = lab};
	plan_make(items, n, &l);
	g_autoptr(GString) text = g_string_new(NULL);
	for (guint i = 0; i < n; i++) {
		const PlanItem *p = &items[i];
		if (p->action == PLAN_START)
			g_string_append_printf(text, "%s%d:%s%s", text->len ? " " : "", (int)p->id,
					       p->target, numbers[p->target_slot]);
		if (p->action == PLAN_STOP)
			g_string_append_printf(text, "%s-%d", text->len ? " " : "", (int)p->id);
		assert_true((p->reason != NULL) ==
			    (p->action == PLAN_STOP || (p->action == PLAN_KEEP && !p->running)));
		g_free(p->reason);
	}
	assert_string_equal(text->str, expected);
}

static void the_urgent_comes_first_and_blocks_no_one(void **state)
{
	Lab lab = {.slots = 1};
	PlanItem items[] = {ITEM(1, 7, 0, a), ITEM(2, 7, 5, a), ITEM(3, 7, 0, b),
			    ITEM(4, 7, 9, ab)};
	expect(items, 4, &lab, 10, NULL, "3:b 4:a");
	expect(items, 4, &lab, 1, NULL, "4:a");
	expect(items, 4, &lab, 10, "the disk is full", "");
	lab.held = "a";
	expect(items, 4, &lab, 10, NULL, "4:b");
	lab = (Lab){.slots = 2};
	expect(items, 4, &lab, 10, NULL, "2:a1 3:b 4:a");
	lab.closed = "a";
	expect(items, 4, &lab, 10, NULL, "3:b1 4:b");
}

static void owners_take_turns(void **state)
{
	Lab lab = {.slots = 3};
	PlanItem items[] = {ITEM(1, 7, 0, a), ITEM(2, 7, 0, a), ITEM(3, 8, 0, a), ITEM(4, 8, 0, a)};
	expect(items, 4, &lab, 2, NULL, "1:a 3:a1");
	items[0].running = true;
	items[0].bound = "a";
	expect(items, 4, &lab, 2, NULL, "3:a1");
	items[0].running = false;
	/* nobody runs: who was served longest ago */
	items[0].served_us = items[1].served_us = 100;
	items[2].served_us = items[3].served_us = 50;
	expect(items, 4, &lab, 1, NULL, "3:a");
}

static void what_began_stays_on_its_target(void **state)
{
	Lab lab = {.slots = 1, .held = "a"};
	PlanItem items[] = {ITEM(1, 7, 0, ab)};
	expect(items, 1, &lab, 1, NULL, "1:b");
	items[0].bound = "a";
	expect(items, 1, &lab, 1, NULL, "");
	items[0].bound = "";
	expect(items, 1, &lab, 1, NULL, "1:b");
}

static void one_that_needs_two_targets_waits_for_both(void **state)
{
	Lab lab = {.slots = 1, .held = "b"};
	PlanItem items[] = {ITEM(1, 7, 0, a), ITEM(2, 7, -1, a)};
	items[0].also = b;
	expect(items, 2, &lab, 9, NULL, "2:a");
	lab.held = NULL;
	expect(items, 2, &lab, 9, NULL, "1:a");
	lab.closed = "b";
	expect(items, 2, &lab, 9, NULL, "2:a");
	assert_true(items[0].held);
}

static void two_of_one_name_do_not_run_at_once(void **state)
{
	Lab lab = {.slots = 4};
	PlanItem items[] = {ITEM(1, 7, 0, a), ITEM(2, 8, 0, a)};
	items[1].campaign = items[0].campaign;
	expect(items, 2, &lab, 4, NULL, "1:a");
}

static void clocks_hold_and_stop(void **state)
{
	Lab lab = {.slots = 4};
	TimeWindow closed = {.from = 60, .to = 120}, open = {.from = 1430, .to = 30};
	PlanItem items[] = {ITEM(1, 7, 0, a), ITEM(2, 7, 0, a), ITEM(3, 7, 0, a), ITEM(4, 7, 0, a)};
	items[0].window = &closed;
	items[1].window = &open;
	items[2].window = &closed;
	items[2].running = true;
	items[2].bound = "a";
	items[2].slot = 1;
	items[3].not_before_us = 1000 * G_TIME_SPAN_DAY + 1;
	expect(items, 4, &lab, 9, NULL, "2:a -3");
	assert_true(items[0].held && items[3].held);
	expect(items, 4, &lab, 9, "the disk is full", "-3");
}

static void the_urgent_stop_the_lowest_in_the_way(void **state)
{
	Lab lab = {.slots = 1};
	PlanItem items[] = {ITEM(1, 7, 0, a), ITEM(2, 7, 5, b), ITEM(3, 7, 60, ab)};
	items[0].running = items[1].running = true;
	items[0].bound = "a";
	items[1].bound = "b";
	expect(items, 3, &lab, 9, NULL, ""); /* it is only first in the queue */
	items[2].urgent = true;
	expect(items, 3, &lab, 9, NULL, "-1");
	/* it is on its way down: no other one is stopped */
	items[0].stopping = true;
	items[1].priority = -9;
	expect(items, 3, &lab, 9, NULL, "");
	items[0].stopping = false;
	expect(items, 3, &lab, 9, NULL, "-2");
	/* only those in the way, and only less urgent ones */
	items[2].targets = a;
	expect(items, 3, &lab, 9, NULL, "-1");
	items[0].urgent = true;
	expect(items, 3, &lab, 9, NULL, "");
	items[0].urgent = false;
	items[0].priority = 60;
	expect(items, 3, &lab, 9, NULL, "");
	items[0].priority = 0;
	/* what it began on counts, and what it needs besides */
	items[2].targets = ab;
	items[2].bound = "a";
	expect(items, 3, &lab, 9, NULL, "-1");
	items[2].bound = NULL;
	items[2].targets = a;
	items[2].also = b;
	expect(items, 3, &lab, 9, NULL, "");
	items[2].also = NULL;
	lab.closed = "a";
	expect(items, 3, &lab, 9, NULL, "");
	lab.closed = NULL;
	expect(items, 3, &lab, 9, "the disk is full", "-1 -2");
	/* too many run: any of them; two urgent ones take two */
	lab.slots = 3;
	expect(items, 3, &lab, 2, NULL, "-2");
	items[0].urgent = true;
	items[0].running = false;
	items[0].targets = ab;
	items[0].bound = NULL;
	expect(items, 3, &lab, 1, NULL, "-2");
	items[0].urgent = false;
	items[0].running = true;
	items[0].bound = "a";
	TimeWindow closed = {.from = 60, .to = 120};
	items[2].window = &closed;
	expect(items, 3, &lab, 2, NULL, "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(windows_are_parsed),
		cmocka_unit_test(a_window_goes_over_midnight),
		cmocka_unit_test(a_window_survives_summer_time),
		cmocka_unit_test(the_change_that_is_told_is_true),
		cmocka_unit_test(the_urgent_comes_first_and_blocks_no_one),
		cmocka_unit_test(owners_take_turns),
		cmocka_unit_test(what_began_stays_on_its_target),
		cmocka_unit_test(one_that_needs_two_targets_waits_for_both),
		cmocka_unit_test(two_of_one_name_do_not_run_at_once),
		cmocka_unit_test(clocks_hold_and_stop),
		cmocka_unit_test(the_urgent_stop_the_lowest_in_the_way),
	};
	return cmocka_run_group_tests_name("daemon plan", tests, NULL, NULL);
}
