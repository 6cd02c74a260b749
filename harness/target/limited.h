/* SPDX-License-Identifier: GPL-2.0-or-later */
/* An order to a machine's control (a monitor, a BMC) that may never return. */
#pragma once

#include "target/driver.h"

/* One order; `arg` is its own. */
typedef bool (*LimitedFunc)(Target *t, int arg, GError **error);

/* Calls it on a thread of its own and iterates the main context meanwhile. KX_ERROR_TIMEOUT when it
 * does not return in `seconds`: it is left behind, and counted in t->left_behind until it returns.
 * KX_ERROR_CANCELLED; else its own error. */
bool limited_call(Target *t, double seconds, LimitedFunc func, int arg, GError **error);

/* Iterates the main context until `is_done(user)` or for `seconds`; false: the time is over, or it
 * was cancelled. */
bool limited_wait(double seconds, bool (*is_done)(gpointer user), gpointer user);

/* Waits for those that were left behind; false: some still hang. */
bool limited_collect(Target *t, double seconds);
