/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A lab whose truth is known: it builds and boots variants in simulated time, and counts. */
#pragma once

#include "simulate/orders.h"
#include "simulate/simulate.h"

#define SIM_MAX_CONFLICTS 64

/* What applies with what; sets only. */
typedef struct {
	guint n;
	SearchMask depends[SEARCH_MAX_CANDIDATES]; /* directly */
	SearchMask closure[SEARCH_MAX_CANDIDATES]; /* with itself and all it needs */
	SearchMask conflicts[SIM_MAX_CONFLICTS];
	guint n_conflicts;
} SimGraph;

/* Fills `closure` from `depends`. */
void sim_graph_close(SimGraph *g);
SearchMask sim_graph_closure(const SimGraph *g, SearchMask set);
/* Closed and free of conflicts. */
bool sim_graph_valid(const SimGraph *g, SearchMask variant);
/* A set that can be a hypothesis: its closure is valid, and no member needs another one. */
bool sim_graph_minimal(const SimGraph *g, SearchMask set);

/* The truth of one trial. */
typedef struct {
	SearchHypothesisKind kind;
	SearchMask members;	    /* sets; history: the commit */
	SearchMask closure[2];	    /* of members; EITHER: of each one */
	guint threshold[2];	    /* order: the swap that matters, on the path of each stage */
	SearchMask unbuildable;	    /* candidates that do not build */
	guint8 *broken;		    /* history: n + 1, commits that do not build; NULL: all build */
	double bound;		    /* search_bound() of what it was drawn from */
	double phase;		    /* of the drift, 0..1 */
	double bad_rate, good_rate; /* P(fault), without drift */
	SimGraph graph;
	SimOrders *orders; /* precedence; else NULL */
} SimTruth;

/* Draws the truth of trial `number`. Free with sim_truth_clear(). */
void sim_truth_draw(const SimCase *c, guint number, SimTruth *ret);
void sim_truth_clear(SimTruth *t);

/* A number that depends on all four, 0..2^64-1, and from it one in 0..1. */
guint64 sim_hash(guint64 a, guint64 b, guint64 c, guint64 d);
double sim_uniform(guint64 hash);

typedef struct Lab Lab; /* opaque */

typedef enum { LAB_CLEAN, LAB_FAULT, LAB_UNBUILDABLE } LabOutcome;

typedef struct {
	guint boots, builds, switches;
	double seconds;
} LabCounts;

/* Both stay the caller's and must outlive it. */
Lab *lab_new(const SimCase *c, const SimTruth *truth, guint number);
void lab_free(Lab *lab);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Lab, lab_free)

/* Builds `v` if it is not built, and boots it once. `clean_build`: the kernel compiled from
 * nothing. */
LabOutcome lab_boot(Lab *lab, SearchVariant v, bool clean_build);
/* Up to `most` boots until one faults; ret_cleans (may be NULL): the clean ones. */
LabOutcome lab_boots(Lab *lab, SearchVariant v, guint most, guint *ret_cleans);
/* The variant is built (if need be) and not booted; false: it does not build. */
bool lab_build(Lab *lab, SearchVariant v, bool clean_build);

const SimCase *lab_case(const Lab *lab);
const SimGraph *lab_graph(const Lab *lab);
/* For a policy that knows the answer and only proves it. */
const SimTruth *lab_truth(const Lab *lab);
/* History and order: the last position of the line (0 is its start). */
guint lab_length(const Lab *lab);
/* Whether booting costs no build. */
bool lab_is_built(const Lab *lab, SearchVariant v);
/* More boots or builds than any sane search needs were made: give up. */
bool lab_is_spent(const Lab *lab);
guint lab_boots_left(const Lab *lab);
/* For decisions by lot; each policy sees the same numbers. */
guint64 lab_random(Lab *lab);
LabCounts lab_counts(const Lab *lab);
/* Order: the second precedence is looked for on a path of its own. */
void lab_set_stage(Lab *lab, guint stage);
guint lab_stage(const Lab *lab);
/* Precedence: what the variant that is booted next is; not kept, must stay until it is. */
void lab_set_order(Lab *lab, const guint *order);
