/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <glib.h>

#include "report/summary.h"

typedef struct {
	char *name;    /* of a campaign, a target, …; "" */
	char *text;    /* strangers' words: each format makes them inert */
	char *command; /* that shows more; NULL */
} SummaryItem;

typedef struct {
	char *title;
	bool bad;	  /* somebody should look at it */
	GPtrArray *items; /* SummaryItem */
} SummarySection;

/* "The night of lab3, from 22:00 to 07:00". New string. */
char *summary_title(const json_t *doc);
/* In the order of what matters most; without those that are empty. Of SummarySection. */
GPtrArray *summary_sections(const json_t *doc);
