/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * simulate: the search and other ways to search, on simulated labs where the truth is known.
 *
 * A case says what labs look like, a policy finds the culprit in one (policy.h), and sim_run()
 * counts over many trials what it cost and how often it was right. Trial t of a case is the same
 * lab for every policy: the same truth, and the same outcome of boot number b of variant v. No
 * files, no clock but for `choose_ms`; the same seed gives the same figures on any number of
 * threads. docs/search-benchmark.md has the cases, the policies and what they reach.
 */
#pragma once

#include <glib.h>
#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "search/search.h"

typedef enum {
	SIM_HISTORY,	/* a line of commits */
	SIM_PATCHES,	/* sets of patches: dependencies, conflicts, some do not build */
	SIM_CONFIG,	/* sets of options: as patches without conflicts */
	SIM_PARAMETERS, /* sets of boot parameters: nothing to build */
	SIM_ORDER,	/* a path of adjacent swaps from a good order to a bad one */
	SIM_PRECEDENCE, /* two orders of initcalls, and pairs of which the order matters */
	SIM_SPACE_MAX
} SimSpace;

typedef enum {
	SIM_NO_TROUBLE,
	SIM_DRIFT,	/* q goes up and down by half, once in 200 boots */
	SIM_INFRA,	/* 5 % of the boots fail for reasons of the lab, and are repeated */
	SIM_SECOND,	/* another fault shows in 5 % of the boots of every variant */
	SIM_NO_CULPRIT, /* nothing has the effect, or the base has it already: half each */
	SIM_TROUBLE_MAX
} SimTrouble;

/* Times in seconds. */
typedef struct {
	SimSpace space;
	SimTrouble trouble;
	guint n; /* commits, candidates, initcalls */
	guint d; /* size of the culprit: 1..SEARCH_MAX_SIZE; order, precedence: pairs, 1 or 2 */
	double q, eps;
	SearchEffect effect;
	bool either;	    /* the truth is two candidates, or pairs, each of them enough */
	double depends;	    /* sets: share of the candidates that need an earlier one */
	guint conflicts;    /* sets: pairs that exclude each other */
	double unbuildable; /* share of the candidates or commits that do not build; of the
			       initcalls that need one of two others before them */
	double build_s, clean_build_s, boot_s, switch_s;
	/* for policies that can be told */
	double confidence;
	bool told_q;	 /* `kexsect` knows q */
	double q_detect; /* SearchProblem.q_detect */
	guint max_size;	 /* the largest set looked for */
	bool confirm;	 /* `kexsect` confirms by intervention, and that counts */
	guint64 seed;
} SimCase;

/* What one space is by default: costs 300 s a build and 90 s a boot, q 0.3, ε 0. */
void sim_case_init(SimCase *c, SimSpace space);
/* Fills what is 0 or negative in n, d, q_detect, max_size, conflicts, depends, unbuildable, build_s
 * and clean_build_s from the space, and checks ranges; false and *error (KX_ERROR_INPUT) says which
 * is wrong. */
bool sim_case_complete(SimCase *c, GError **error);

/* "history", …; "drift", …; SIM_NO_TROUBLE: "none". The index of a name or of a space's letter
 * (L S C P O), or -1. */
const char *sim_space_name(SimSpace space);
int sim_space_find(const char *name);
const char *sim_trouble_name(SimTrouble trouble);
int sim_trouble_find(const char *name);

/* What a policy did over the trials of a case. Shares are fractions of the trials. */
typedef struct {
	SimCase c;
	const char *policy;
	guint trials;
	double boots_mean, boots_p95, builds_mean, switches_mean, minutes_mean;
	double wrong;	     /* a verdict that is not the truth */
	double inconclusive; /* no verdict */
	double bound;	     /* least boots that are possible, docs/search-benchmark.md */
	double ratio;	     /* boots_mean / bound */
	double right;	     /* of the verdicts; NaN without any */
	double claimed;	     /* mean probability claimed by the verdicts; NaN: it claims none */
	double choose_ms_mean, choose_ms_max; /* wall clock of choosing; NaN: not measured */
} SimRow;

typedef struct SimPolicy SimPolicy;
/* Called now and then from the thread that called sim_run(). False: stop. */
typedef bool (*SimProgress)(guint done, guint trials, gpointer user);

/* Runs `trials` trials on `threads` threads (0: one for each processor). When it was stopped
 * ret->trials says how many are counted: false when none. */
bool sim_run(const SimCase *c, const SimPolicy *policy, guint trials, guint threads,
	     SimProgress progress, gpointer user, SimRow *ret);

/* Columns for people: the head (two lines), and a line for each row. New strings. */
char *sim_table_head(bool timing);
char *sim_table_row(const SimRow *row, bool timing);
/* {"space", "trouble", "n", "d", "q", "eps", "effect", "either", "told_q", "build_cost",
 * "boot_cost", "policy", "trials", "boots_mean", "boots_p95", "builds_mean", "switches_mean",
 * "minutes_mean", "wrong", "inconclusive", "bound", "ratio", "calibration", "claimed"}, with
 * `timing` also "choose_ms_mean" and "choose_ms_max". calibration is `right`; null for NaN. */
json_t *sim_row_json(const SimRow *row, bool timing);
