/* SPDX-License-Identifier: GPL-2.0-or-later */
/* How long a search will take, before it starts: it is run many times in simulated time, with the
 * truth drawn from its own prior. */
#pragma once

#include "simulate/simulate.h"

typedef struct {
	const SearchProblem *problem;
	/* What must be compiled for a variant (boot parameters need no kernel of their own); NULL:
	 * each variant is its own. Called from several threads. */
	SearchVariant (*compiled)(SearchVariant variant, gpointer user);
	gpointer user;
	double q, eps; /* of the fault that is looked for */
	double boot_s, build_s, clean_build_s, switch_s;
	double start_s; /* before the first kernel can be built: the launcher, the source */
	guint targets;	/* that boot at the same time; one kernel is built at a time */
	/* the budget; SEARCH_UNLIMITED, HUGE_VAL */
	guint boots, builds;
	double seconds;
	guint draws;
	guint64 seed;
} SimPlan;

typedef struct {
	double mean, low, median, high; /* of the 5th, 50th and 95th percentile */
} SimSpread;

typedef struct {
	guint draws; /* that were counted: fewer when it was stopped */
	SimSpread seconds, boots, builds;
	double over_budget; /* share of the draws in which the budget ends before the verdict */
	double cause, none, inconclusive, wrong; /* shares, with unlimited budget */
} SimForecast;

/* False when nothing was counted; *error (SEARCH_ERROR) when the problem makes no sense. The same
 * draws have the same truth and boots whatever the number of targets. */
bool sim_plan(const SimPlan *plan, guint threads, SimProgress progress, gpointer user,
	      SimForecast *ret, GError **error);
