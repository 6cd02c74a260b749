/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A folder with campaigns and a daemon that runs them by the fake engine. */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <sys/types.h>

#include "base/json.h"

typedef struct {
	char *dir; /* campaigns, and state/ with results/ */
	char *socket, *config;
	char *engine;  /* what runs a campaign; the fake engine */
	char *results; /* state/results; of another place when the configuration says so */
	pid_t daemon;  /* 0: none */
} Lab;

int lab_setup(void **state);
int lab_teardown(void **state); /* ends what runs; fails when anything is left */

/* Writes the configuration (what is in kexsectd.yaml; `disk_free_gib: 0` is added). */
void lab_configure(Lab *l, const char *yaml);
/* Starts the daemon and waits until it answers. */
void lab_start(Lab *l);
/* Sends a signal and waits for its end (SIGKILL after a minute); its status as in KxProcResult. */
int lab_end(Lab *l, int number);
/* Writes the campaign file; targets as "t1, t2". */
void lab_campaign(Lab *l, const char *name, const char *targets, const char *script);
/* Writes one whose versions need these targets besides t1. */
void lab_campaign_of_versions(Lab *l, const char *name, const char *also, const char *script);
/* Submits it with more keys of the request (JSON with '), NULL: none. The id. */
gint64 lab_submit(Lab *l, const char *name, const char *keys);
/* A request (JSON with '); its answer, refusals too. NULL: no daemon answers. */
json_t *lab_ask(Lab *l, const char *format, ...) G_GNUC_PRINTF(2, 3);
/* The submission's JSON. */
json_t *lab_status(Lab *l, gint64 id);
/* Waits (30 s) until it is in the state. */
void lab_wait(Lab *l, gint64 id, const char *state);
bool lab_is(Lab *l, gint64 id, const char *state);
/* Runs of all names in the store with so many trials each, and nothing else: "a-1:5 b-1:3". */
void lab_expect_runs(Lab *l, const char *expected);
/* No process holds a lease, no rule was broken. */
void lab_expect_clean(Lab *l);
