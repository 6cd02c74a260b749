/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Who runs now: decides from the queue and the state of the lab which campaigns start, which stop,
 * and why the others wait. Pure.
 *
 * The highest priority comes first; of one priority, the owner with fewer campaigns that run, then
 * the owner who was served longest ago, then the oldest. A campaign that runs is
 * stopped for another one only if that is urgent and it is not: the one of the lowest
 * priority that is in the way. One that waits for its target holds up nobody else. */
#pragma once

#include "daemon/window.h"

typedef enum {
	PLAN_KEEP, /* running: goes on; else waits */
	PLAN_START,
	PLAN_STOP, /* is running and must not now */
} PlanAction;

typedef struct {
	/* the caller sets */
	gint64 id;
	int priority;	      /* higher is sooner */
	guint64 owner;	      /* who asked for it */
	gint64 served_us;     /* when a campaign of this owner was last started */
	const char *campaign; /* name: two of one name never run at once */
	char *const *targets; /* any of these, NULL-terminated */
	char *const *also;    /* and a place on each of these; NULL: none */
	const char *bound;    /* it began on this one and stays there; NULL or "": on none yet */
	bool running;
	bool urgent;		  /* may stop what is not */
	bool stopping;		  /* running, and told to end */
	unsigned slot;		  /* of `bound`, of one that runs */
	const TimeWindow *window; /* NULL: at any time */
	gint64 not_before_us;	  /* after a failure */
	bool in_the_way;	  /* plan_make()'s own: it waits for a place that others have */
	/* results */
	PlanAction action;
	const char *target; /* PLAN_START: where; points into `targets` */
	unsigned target_slot;
	bool held;    /* it waits for something other than its turn */
	char *reason; /* why it waits or must stop; the caller frees it; else NULL */
} PlanItem;

typedef struct {
	gint64 now_us;
	GTimeZone *zone;
	unsigned jobs;	      /* how many may run at once */
	const char *stop_why; /* nothing may run now, and why; NULL: it may */
	const char *hold_why; /* nothing may start now, and why; what runs goes on */
	/* How many campaigns a target takes at once; 0: it may not be used, for *ret_why. */
	unsigned (*slots)(const char *target, const char **ret_why, gpointer user);
	/* Whether something that is none of the items still holds it. */
	bool (*is_held)(const char *target, unsigned slot, gpointer user);
	gpointer user;
} PlanLab;

/* Fills the results. Returns when the clock alone will change the plan (microseconds since 1970
 * UTC), G_MAXINT64: never. */
gint64 plan_make(PlanItem *items, guint n, const PlanLab *lab);
