/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Health of the targets: failures in a row, over campaigns and restarts of the daemon, and what is
 * in quarantine. Nothing starts on a target in quarantine. It comes back by request, or when a
 * health check (`kexsect health`, a process that holds the target's lease) finds that its launcher
 * answers.
 *
 * A failure is a trial that ended `infra` because of the machine (the engine's event says so). The
 * engine's word that it climbed the whole recovery ladder in vain (event `target`, exit status 3)
 * is a quarantine at once. A trial that is evidence starts the count again.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>

#include "base/json.h"
#include "daemon/queue.h"

typedef struct Daemon Daemon;
typedef struct Health Health;

/* What the database knows of one target; those without a row are well. */
typedef struct {
	char *name;
	bool quarantined;
	unsigned failures;    /* in a row */
	char *reason;	      /* of the last one, or who wished the quarantine */
	gint64 since_us;      /* of the quarantine */
	gint64 next_check_us; /* 0: no check by itself (it was put in by hand) */
	unsigned checks;      /* in vain, since it is in quarantine */
	gint64 submission;    /* that ran when it failed; 0: none */
	/* not in the database */
	char *why;		   /* for what waits for it */
	bool unsaved;		   /* queue_keep_health(): a change could not be written yet */
	struct HealthCheck *check; /* that runs now */
} TargetHealth;

/* ---- queue_health.c ---- */

/* Writes it, with the line of the journal. */
bool queue_save_health(Queue *q, const TargetHealth *h, QueueNote note, GError **error);
/* As queue_keep(). */
void queue_keep_health(Queue *q, TargetHealth *h, QueueNote note);
/* All rows. */
GPtrArray *queue_health(Queue *q, GError **error);
/* The submission from which a target's definition is taken: the last that ran there, else the
 * newest that names it; NULL without an error: none does. */
Submission *queue_last_on(Queue *q, const char *target, GError **error);
void target_health_free(gpointer h);

/* ---- health.c ---- */

/* Reads what is known; processes of a daemon that was killed are waited for. */
bool health_load(Daemon *d, GError **error);
void health_clear(Daemon *d);
/* NULL: well, and nothing is known. */
const TargetHealth *health_of(const Daemon *d, const char *target);
/* Why nothing may start on it; NULL: it may. Valid until the next turn of the loop. */
const char *health_why(const Daemon *d, const char *target);
/* Adds "health", "failures", "reason", "since_us", "next_check_us", "checking" to a target's JSON.
 */
void health_describe(const Daemon *d, const char *target, json_t *o);
/* Names of all that have a row, into a set (borrowed strings). */
void health_names(const Daemon *d, GHashTable *set);

/* An event of the engine that works on it. */
void health_event(Daemon *d, const Submission *s, const json_t *event);
/* The engine or a check says that nothing brings the target back. */
void health_failed(Daemon *d, const char *target, gint64 submission, const char *why);
/* A submission whose target is in quarantine may move to another one of its list while it has no
 * trial that is evidence: machines may differ in how often they fault. */
void health_unbind(Daemon *d, Submission *s);

/* Requests; the errors are for who asked. */
bool health_release(Daemon *d, const char *target, const char *by, GError **error);
bool health_quarantine(Daemon *d, const char *target, const char *reason, GError **error);
bool health_check_now(Daemon *d, const char *target, GError **error);

/* ---- health_check.c ---- */

typedef struct HealthCheck HealthCheck;
/* NULL with BUSY (somebody is on it), MISSING (no campaign that names it is known), or what kept
 * the process from starting. */
HealthCheck *health_check_start(Daemon *d, const char *target, GError **error);
/* Tells it to end; its result does not count any more. */
void health_check_stop(HealthCheck *c);
/* The end of a check. */
void health_checked(Daemon *d, const char *target, bool healthy, const char *reason);
/* The end of one whose result does not count. */
void health_check_dropped(Daemon *d, const char *target);
/* Tells all to end. */
void health_stop(Daemon *d);
/* Whether any runs: the daemon waits for them before it ends. */
bool health_is_busy(const Daemon *d);
