/* SPDX-License-Identifier: GPL-2.0-or-later */
/* How much of a measure each candidate takes away or adds, from pairs of kernels that differ by it
 * alone. Pure functions; derived in docs/measures.md. */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

typedef enum {
	EFFECTS_RATE,	 /* part of the boots that fault */
	EFFECTS_FAULTS,	 /* accesses in the window */
	EFFECTS_WINDOW,	 /* its length, µs */
	EFFECTS_BLOCKED, /* how long DMA is refused, µs */
	EFFECTS_MEASURES,
} EffectsMeasure;

/* "rate", "faults", "window", "blocked" */
const char *effects_measure_name(EffectsMeasure m);

/* One boot that was evidence. */
typedef struct {
	uint64_t variant; /* candidate i is bit i */
	guint group;	  /* only boots of the same group are compared: machine, mode */
	gint phase;	  /* -1: none */
	double values[EFFECTS_MEASURES]; /* rate: 0 or 1; NaN: not known */
} EffectsBoot;

/* A number with what is known of it: 95 % interval; low = high where it is exact; NaN: unbounded.
 */
typedef struct {
	double mean, low, high;
} EffectsEstimate;

typedef struct {
	guint pairs; /* of kernels that differ by the candidate alone; 0: not measured */
	guint boots; /* with and without it, in those pairs */
	bool exact;  /* every boot of a kernel gives the same */
	EffectsEstimate without, with; /* means over the pairs */
	EffectsEstimate ratio;	       /* with / without; NaN when nothing was there without it */
	double least, most; /* ratio of single pairs, where they differ: it depends on company */
} Effect;

/* Whether boots that should be the same, in a machine that counts instructions, are: same variant,
 * group and phase. */
bool effects_agree(const GArray *boots);

/* Of candidate number `candidate` on one measure; `boots` of EffectsBoot. `exact`: as asked above,
 * and the machine counts instructions. */
void effects_estimate(const GArray *boots, unsigned candidate, EffectsMeasure measure, bool exact,
		      Effect *ret);

/* Less than half a percent of change, or nothing that the boots could tell from none. */
bool effects_is_none(const Effect *e);
