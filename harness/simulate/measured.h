/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What earlier runs of a campaign cost, and how often the fault showed. */
#pragma once

#include <glib.h>
#include <stdbool.h>

#include "store/store.h"

/* Medians in seconds; NaN: nothing was measured. */
typedef struct {
	double boot_s, build_s, clean_build_s;
	double launcher_s;	    /* the longest build of a launcher that was not cached */
	double q, q_low, q_high;    /* as the newest run with a belief left it; NaN: none has */
	guint runs, trials, builds; /* that were looked at */
	char *slug;		    /* the newest of the runs; NULL: there is none */
	json_t *matrix; /* what applies with what, as the newest run with `digest` found by trying;
			   NULL: none did */
} SimMeasured;

/* All runs of the campaign of that name. False and *error when the store cannot be read. */
bool sim_measure(Store *store, const char *campaign, const char *digest, SimMeasured *ret,
		 GError **error);
void sim_measured_clear(SimMeasured *m);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(SimMeasured, sim_measured_clear)
