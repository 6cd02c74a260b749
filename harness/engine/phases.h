/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One variant of a campaign at every phase of what does DMA, a boot each: how probable its fault
 * is. */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#include "campaign/campaign.h"

#define PHASES_STEPS 16	      /* when neither target nor caller says */
#define PHASES_PERIOD_US 1000 /* a frame of USB 1 */

typedef struct {
	unsigned step, us; /* where in the period */
	char *outcome, *reason, *evidence;
	gint64 accesses;	      /* refused, that count */
	gint64 window_us, blocked_us; /* -1: not known */
} PhasesBoot;

typedef struct {
	/* the caller sets */
	const char *cache;    /* absolute */
	const char *program;  /* runs `PROGRAM job build|boot FILE` */
	const char *evidence; /* folder that gets the boots; NULL: nothing is kept */
	bool no_sandbox;
	const char *variant; /* names of candidates, '+' between; "" or NULL: none of them */
	BootMode mode;
	unsigned steps, period_us; /* 0: the target's, else the numbers above */
	/* What is done now, for people; each boot as it comes. May be NULL. */
	void (*step)(const char *what, gpointer user);
	void (*boot)(const PhasesBoot *b, gpointer user);
	gpointer user;
	/* results */
	GPtrArray *boots; /* of PhasesBoot, by phase */
	unsigned used_steps, used_period_us;
	unsigned faults, cleans; /* boots with this outcome; others are no evidence */
} Phases;

/* Builds what is missing and boots. KX_ERROR_INPUT: no such candidate, or a target whose time does
 * not count instructions. */
bool phases_run(Phases *p, const Campaign *c, GError **error);
void phases_clear(Phases *p);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Phases, phases_clear)

/* The candidates that `variant` names, as in the store (store.h). */
bool phases_variant(const Campaign *c, const char *variant, uint64_t *ret, GError **error);
