/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Brings one target of a campaign back to a launcher that answers (docs/recovery.md). */
#pragma once

#include <glib.h>
#include <jansson.h>
#include <stdbool.h>

#include "campaign/campaign.h"

typedef struct {
	/* the caller sets */
	const char *cache;   /* absolute */
	const char *program; /* runs `PROGRAM job build|health FILE` */
	const char *target;  /* one of the campaign's; NULL: the first */
	bool no_sandbox;
	/* What is done now, for people; each line {"event": "recovery", …} as it comes. May be
	 * NULL. */
	void (*step)(const char *what, gpointer user);
	void (*recovery)(const json_t *line, gpointer user);
	gpointer user;
	/* results */
	json_t *result; /* {"event": "result", "status", "healthy", "reason", "steps"} */
} Health;

/* Builds the launcher if it is not in the cache, and climbs. True: its launcher answers. False with
 * `result` set (it does not, or there is no launcher), or with *error: KX_ERROR_INPUT (no such
 * target), KX_ERROR_CANCELLED, files. */
bool health_run(Health *h, const Campaign *c, GError **error);
void health_clear(Health *h);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Health, health_clear)
