/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Thinning of old evidence: what makes a trial's folder large goes when no verdict needs it. */
#pragma once

#include <glib.h>
#include <stdbool.h>

#include "base/json.h"

typedef struct {
	/* the caller sets */
	const char *purpose, *outcome; /* as in the store */
	const char *variant;	       /* what was booted: trials of one variant are alike */
	gint64 time_us;
	/* result */
	bool keep;
} RetentionTrial;

/* Decides for the trials of one run. Kept are: all while the run is not over or younger than
 * `keep_us`, all that confirm the verdict (purposes parent and confirm), and of each variant and
 * outcome the first and the last trial, so that each thing that was seen can be looked at. Pure. */
void retention_plan(RetentionTrial *trials, guint n, bool over, gint64 finished_us, gint64 now_us,
		    gint64 keep_us);

/* Thins what is in `results` and over for `days` (0: never for its age), then the runs that ended
 * first while all together take more than `gib` (0: as much as they like). What stays of a trial is
 * its JSON: request, outcome, faults; and a note `thinned`. Returns the number of trials that were
 * thinned, -1 with *error. Reads all of `results` when there is a limit: for the process
 * `kexsectd --thin`. */
int retention_apply(const char *results, unsigned days, double gib, GError **error);

struct Daemon;
/* Once a day, with a limit in GiB once an hour; in a process of its own. */
void retention_tick(struct Daemon *d);
