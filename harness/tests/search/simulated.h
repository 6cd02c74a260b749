/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A simulated lab: a truth, two rates, variants that do not build; and a campaign run in it. */
#pragma once

#include "search/search.h"

#define LAB_TRAPS 16

typedef struct {
	/* the truth */
	SearchHypothesisKind kind;
	SearchMask members;
	double q, epsilon;
	SearchMask unbuildable[LAB_TRAPS]; /* a variant that holds one of these does not build */
	guint n_unbuildable;
	SearchMask hanging[LAB_TRAPS]; /* likewise: it builds and hangs */
	guint n_hanging;
	double cold_q; /* rate of faulty variants in cold boots; < 0: as q */
	guint64 seed;
	/* the campaign */
	guint max_boots; /* 0: no limit */
	bool check_replay;
	double build_s, boot_s;
} Lab;

typedef struct {
	SearchVerdict verdict;
	guint boots, builds, experiments;
	guint invalid;	      /* experiments that do not apply, or that the budget forbids */
	guint replay_differs; /* another experiment after replaying the trials in another order */
	double seconds, slowest_choice_s;
} LabRun;

/* Runs a campaign to its verdict. `log`: prints each experiment. */
LabRun lab_run(const Lab *lab, const SearchProblem *problem, bool log);
/* What one boot of `variant` shows; the same for the same boot number. */
bool lab_faults(const Lab *lab, const SearchProblem *problem, SearchMask variant, SearchMode mode,
		guint boot);
bool lab_is_right(const Lab *lab, const SearchProblem *problem, const SearchVerdict *v);
/* One kind of campaign, of which many are drawn at random. */
typedef struct {
	const char *name;
	guint n, max_size, size;
	double q, epsilon;
	SearchEffect effect;
	SearchHypothesisKind kind;
	guint n_traps, n_conflicts, n_depends;
} LabKind;

typedef struct {
	Lab lab;
	SearchProblem problem; /* points into the two below */
	SearchMask depends[SEARCH_MAX_CANDIDATES], conflicts[LAB_TRAPS];
} LabCampaign;

/* Draws campaign number `number`: dependencies, conflicts, truth, traps beside the truth. */
void lab_draw(const LabKind *kind, guint number, LabCampaign *ret);

guint64 lab_random(guint64 *state);
double lab_uniform(guint64 *state);
