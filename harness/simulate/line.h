/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What policies for lines share. Positions 0..n; from the culprit on a boot is faulty, before it is
 * good: a search for a fix sees the line reversed. */
#pragma once

#include "simulate/policy.h"

typedef struct {
	Lab *lab;
	guint n;
	bool reversed;
	guint *faults, *cleans; /* n + 1 each */
	guint8 *skip;		/* n + 1: does not build, or the policy skips it */
	GArray *booted;		/* guint, ascending: positions with an outcome */
	GArray *segments;	/* LineSegment, see line_believe() */
} Line;

void line_init(Line *l, Lab *lab);
void line_clear(Line *l);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Line, line_clear)

/* Boots position t once and counts it. */
LabOutcome line_boot(Line *l, guint t);
/* Up to `most` boots, or until a fault. */
LabOutcome line_boots(Line *l, guint t, guint most);
/* The position nearest to the middle of lo and hi that is not skipped; 0: all between are. */
guint line_middle(const Line *l, guint lo, guint hi);
void line_claim(const Line *l, guint culprit, double probability, SimClaim *ret);

/* Belief: commits with the same counts at and before them have the same posterior. */
typedef struct {
	guint first, last;
	double p;      /* of each commit */
	double q, eps; /* P(fault) of the next boot at or after the culprit, and before it */
} LineSegment;

typedef struct {
	double log_likelihood, q, eps;
} LineRates;

/* The likelihood of the counts of faulty and good positions, and the rates then expected. */
typedef LineRates (*LineModel)(const Lab *lab, guint bad_faults, guint bad_cleans,
			       guint good_faults, guint good_cleans);
/* Fills `segments` from a uniform prior. Returns the most probable commit. */
guint line_believe(Line *l, LineModel model, double *ret_probability);
/* The position of most mutual information about the culprit per second. With `build_s` > 0 a commit
 * that is not built costs that too, shared by the batch of boots (which a fault ends) that pays
 * best; the caller makes one boot and asks again. Among equals the position nearest to the middle;
 * G_MAXUINT: all are skipped. */
guint line_choose(const Line *l, double boot_s, double build_s);

/* A policy's own way to choose; G_MAXUINT: nothing is left. */
typedef guint (*LineChoice)(const Line *l);
/* Boots what `choose` says, one boot at a time, until one commit has `confidence`: then claims it.
 */
void line_pursue(Line *l, LineModel model, LineChoice choose, double confidence, SimClaim *ret);
