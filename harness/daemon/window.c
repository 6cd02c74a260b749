/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "daemon/window.h"

#include "base/error.h"

static bool parse_time(const char **at, unsigned *ret)
{
	const char *p = *at;
	for (int i = 0; i < 5; i++)
		if (i == 2 ? p[i] != ':' : !g_ascii_isdigit(p[i]))
			return false;
	unsigned hour = (unsigned)(p[0] - '0') * 10 + (unsigned)(p[1] - '0');
	unsigned minute = (unsigned)(p[3] - '0') * 10 + (unsigned)(p[4] - '0');
	*ret = hour * 60 + minute;
	*at = p + 5;
	return hour < 24 && minute < 60;
}

bool window_parse(const char *text, TimeWindow *ret, GError **error)
{
	TimeWindow w;
	const char *at = text;
	if (parse_time(&at, &w.from) && *at++ == '-' && parse_time(&at, &w.to) && !*at &&
	    w.from != w.to) {
		*ret = w;
		return true;
	}
	g_set_error(error, KX_ERROR, KX_ERROR_INPUT,
		    "'%s' is no time window: expected two different times of the day such as "
		    "22:00-07:00",
		    text);
	return false;
}

static gint64 instant(GTimeZone *zone, const GDate *day, unsigned minute)
{
	g_autoptr(GDateTime) t =
		g_date_time_new(zone, g_date_get_year(day), g_date_get_month(day),
				g_date_get_day(day), (gint)minute / 60, (gint)minute % 60, 0);
	return t ? g_date_time_to_unix(t) * G_USEC_PER_SEC : G_MAXINT64;
}

bool window_is_open(const TimeWindow *w, gint64 now_us, GTimeZone *zone, gint64 *ret_change_us)
{
	g_autoptr(GDateTime) utc = g_date_time_new_from_unix_utc(now_us / G_USEC_PER_SEC);
	g_autoptr(GDateTime) now = g_date_time_to_timezone(utc, zone);
	GDate day;
	g_date_set_dmy(&day, (GDateDay)g_date_time_get_day_of_month(now),
		       (GDateMonth)g_date_time_get_month(now),
		       (GDateYear)g_date_time_get_year(now));
	g_date_subtract_days(&day, 1);
	gint64 next = G_MAXINT64, until = 0;
	for (int i = 0; i < 5; i++) {
		GDate end_day = day;
		if (w->to <= w->from)
			g_date_add_days(&end_day, 1);
		gint64 start = instant(zone, &day, w->from), end = instant(zone, &end_day, w->to);
		/* where the clock jumps, one opening may begin as the last one ends */
		if (start < end && start <= MAX(now_us, until) && end > now_us)
			until = end;
		else if (start > now_us && start < end)
			next = MIN(next, start);
		g_date_add_days(&day, 1);
	}
	*ret_change_us = until ? until : next;
	return until != 0;
}
