/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "daemon/daemon-internal.h"

#define DAY_S G_GINT64_CONSTANT(86400)

typedef struct {
	Daemon *d;
	char *name;
	Notice *notice;	 /* that is being sent, or whose end could not be written yet; NULL: none */
	json_t *receipt; /* of it */
	KxChild *child;	 /* NULL: it has ended */
	bool ended;	 /* it has, and that is not written */
	gint64 look_us;	 /* nothing is due before */
	double tokens;	 /* messages that may be sent now */
	gint64 tokens_us;
} Receiver;

struct Notify {
	GHashTable *receivers; /* name → Receiver; also those that are no more and still send */
	guint source;
	guint64 seen;	  /* queue_notes() when the journal was last read */
	gint64 pruned_us; /* monotonic */
	KxChild *summary; /* that is being written */
	char *summary_for;
	gint64 summary_moment, summary_wait_us;
	GString *summary_text;
	bool stopping;
};

/* What knows `job notify` and `summary`: the engine of a test does not. New string. */
char *notify_program(void);

/* ---- notify_summary.c ---- */

/* Begins the summary of a receiver whose time has come. */
void notify_summarise(Daemon *d);
