/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The recovery ladder: from a machine of which nothing is known to a launcher that answers. It is
 * the same for all kinds of machines (driver.h), has a clock for each of its steps, and believes no
 * order before it has seen what came of it.
 *
 *   start        the launcher as a boot starts it; it answers
 *   reset        it boots the launcher by itself; it answers
 *   power-off    ordered, and asked until it is off; power-wait; power-on the same way; it answers
 *   fresh-start  the machine is ended and what was saved of its launcher thrown away; it answers
 *
 * After a failed boot it begins with the first of these that can help, and higher when the failure
 * before was not cured by it. docs/recovery.md. */
#pragma once

#include "target/driver.h"

/* Seconds as this machine counts them (timeouts.speed). */
double target_seconds(const Target *t, double seconds);

/* A new step in `steps`, which owns it. */
TargetStep *target_step_begin(GPtrArray *steps, const char *name, double limit);
/* It is over: notes how long it took, and tells the one who wants to know. */
void target_step_end(const Target *t, TargetStep *step, bool ok, const char *detail, ...)
	G_GNUC_PRINTF(4, 5);
