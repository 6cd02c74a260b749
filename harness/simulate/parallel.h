/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "simulate/simulate.h"

/* Calls one(i, user) for i = 0..n-1, each once, on `threads` threads (0: one for each processor),
 * in any order; `progress` may be NULL. Returns when all calls have returned. */
void sim_parallel(guint n, guint threads, void (*one)(guint i, gpointer user), gpointer user,
		  SimProgress progress, gpointer progress_user);
/* The smallest of the values that at least the share p of them do not exceed; sorts them. n > 0. */
double sim_quantile(double *values, guint n, double p);
