/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A results folder with a run in it, as the engine and the jobs leave one. */
#pragma once

#include "store/store.h"

typedef enum {
	RUN_EMPTY,	  /* nothing happened yet */
	RUN_UNFINISHED,	  /* trials, no verdict */
	RUN_CAUSE,	  /* split-enable cures */
	RUN_NONE,	  /* no combination does */
	RUN_INCONCLUSIVE, /* the budget ended */
} RunKind;

typedef struct {
	char *results; /* removed by run_clear() */
	Store *store;
	StoreCampaign *campaign;
} Run;

#define RUN_CANDIDATES 12
#define RUN_TRIALS 25

extern const char *const run_names[RUN_CANDIDATES];

/* `hostile`: text that is put into every field that takes any; NULL: plain text. */
void run_make(Run *r, RunKind kind, const char *hostile);
void run_clear(Run *r);
