/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Hours of the day in which a campaign may run, such as 22:00-07:00. Pure. */
#pragma once

#include <glib.h>
#include <stdbool.h>

typedef struct {
	unsigned from, to; /* minutes since 0:00 of the wall clock, 0…1439; to <= from: of the next
			    * day */
} TimeWindow;

/* "HH:MM-HH:MM". INPUT for anything else, and for two equal times. */
bool window_parse(const char *text, TimeWindow *ret, GError **error);

/* Whether it is open at `now_us` (microseconds since 1970 UTC) in `zone`, and when that changes.
 * There is one opening a day and it has no hole: where summer time ends, an hour that comes twice
 * belongs to the window until its second end; where it begins, a time that is left out means the
 * next one that exists. */
bool window_is_open(const TimeWindow *w, gint64 now_us, GTimeZone *zone, gint64 *ret_change_us);
