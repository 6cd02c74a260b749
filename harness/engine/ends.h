/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Do both ends of a campaign behave as it says? A few boots of the base, and of the kernel with all
 * that is suspected, before the search starts: one of them must fault and the other one must not.
 *
 * The end that must fault is booted `least` times, then on to its first fault, at most `most`
 * times, and not for much longer than a quarter of an hour. That rule biases faults/boots (who
 * stops at a fault sees too many of them), so the estimate of q is the posterior under a uniform
 * prior, Beta(1 + faults, 1 + cleans): its likelihood q^faults (1 - q)^cleans is the same for any
 * rule that looks at the past boots only. All boots count, those before the stop as well.
 */
#pragma once

#include <glib.h>
#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "campaign/campaign.h"

#define ENDS_LEAST 3
#define ENDS_MOST 30 /* a fault in 1 of 10 boots is missed in 4 % of the cases */

typedef enum {
	ENDS_OK,
	ENDS_UNSURE, /* the boots do not tell, or it cannot be booted at all */
	ENDS_WRONG,  /* a search cannot work */
} EndsState;

typedef struct {
	bool tried, wants_fault;
	char *name; /* "the base", "all 3 candidates" */
	/* Its faults or its failure to build condemn the campaign: true of the base and of both
	 * ends of a history. A set of candidates may hold one that makes it worse. */
	bool whole;
	unsigned faults, cleans, others; /* boots; others: no evidence */
	char *trouble; /* why it does not build, or the last of `others`; or NULL */
	EndsState state;
	char *text; /* what was seen, and what that means */
} EndsSide;

typedef struct {
	/* the caller sets */
	const char *cache;	    /* absolute */
	const char *program;	    /* runs `PROGRAM job build|boot FILE` */
	const TargetConfig *target; /* NULL: the first */
	bool no_sandbox;
	const json_t *matrix; /* what applies with what (EngineOptions.matrix), or NULL */
	unsigned least, most; /* boots of each end; 0: as above */
	double retry_s;	      /* wait after the first failure of the lab, ×4 each; 0: 2 */
	const char *evidence; /* folder that gets that of the boots; NULL: it is not kept */
	void (*step)(const char *what, gpointer user); /* for people; may be NULL */
	gpointer user;
	/* results */
	EndsSide base, full;
	double q, q_low, q_high; /* mean and 95 % interval; NaN: no boot is evidence */
	double boot_s;		 /* mean; NaN: none */
	double build_s;		 /* longest that was not cached; NaN: all were */
	bool lost;		 /* its recovery ladder was climbed in vain */
	unsigned machine;	 /* failures in a row that led to *error and were the machine's */
} Ends;

/* Builds what is missing and boots. False with *error when the lab failed three times in a row or
 * it was cancelled: then nothing is known of the campaign. Results are there in any case. Not for
 * campaigns with versions.
 */
bool ends_run(Ends *e, const Campaign *c, GError **error);
void ends_clear(Ends *e);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Ends, ends_clear)
/* {"sides": [{"name", "wants", "state", "text", "boots", "faults", "cleans"}], "q": {"mean", "low",
 * "high"} or null, "boot_s", "build_s"} */
json_t *ends_json(const Ends *e);

/* Mean and 95 % interval of Beta(1 + hits, 1 + misses). */
void ends_rate(unsigned hits, unsigned misses, double *ret_mean, double *ret_low, double *ret_high);
/* The most candidates that go together, greedily; bit i is candidate i; of a history its end. */
uint64_t ends_full(const Campaign *c, const json_t *matrix, bool *ret_whole);
