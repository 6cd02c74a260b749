/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Tells receivers what happened: webhooks and mail (docs/notifications.md).
 *
 * The journal is the source, the outbox (notice.h) what is still to be said. Each attempt is a
 * process of its own, `kexsect job notify`, at most one a receiver: so nothing blocks here, and who
 * does not answer holds up nobody else. What an attempt came to is settled by its receipt, a file
 * that the job has written before it ends: also by the next daemon, when this one is killed.
 *
 *   <state>/notices/UUID/   request.json; lock: held by the job; receipt.json
 */
#pragma once

#include <glib.h>
#include <stdbool.h>

#include "base/json.h"
#include "daemon/notice.h"

typedef struct Daemon Daemon;
typedef struct Notify Notify;

bool notify_start(Daemon *d, GError **error);
/* The configuration is another one. */
void notify_configure(Daemon *d);
/* No new attempts; those that run are told to end. */
void notify_stop(Daemon *d);
bool notify_is_busy(const Daemon *d);
void notify_clear(Daemon *d);
/* A test message; the id of the notice, 0 with *error (MISSING: no such receiver). */
gint64 notify_test(Daemon *d, const char *receiver, GError **error);
/* {"receivers": [{"name", "way": "webhook"|"mail", "pending", "given_up", "sending"}], "notices":
 * the newest before an id (0: any)}. New reference; NULL: *error. */
json_t *notify_list(Daemon *d, gint64 before, unsigned limit, GError **error);
/* {"pending", "given_up"} of all. New reference. */
json_t *notify_census(const Daemon *d);

/* ---- notify_message.c: pure ---- */

/* {"type", "time_us", "host", "title", "text", and "lines" of what is from the journal}: what the
 * job gets. New reference. `results`: the folder, for the commands in the text. */
json_t *notify_message(const Notice *n, const char *host, const char *results);
/* The whole request of an attempt. */
json_t *notify_request(const ConfigNotify *c, const Notice *n, const char *host,
		       const char *results);
/* The last moment at or before now that is so many minutes after 0:00 of the wall clock. */
gint64 notify_moment(unsigned minutes, gint64 now_us, GTimeZone *zone);
/* Seconds until the next attempt, before chance is added: 30 s, 60 s, … 1 h, times `scale`. */
double notify_backoff_s(unsigned attempts, double scale);
