/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * daemon: takes campaigns in the evening and has verdicts in the morning, whatever breaks between.
 *
 * One GLib main loop, no threads, and nothing that blocks: each campaign that runs is a process of
 * its own, `kexsect run` (engine/), which may be killed at any moment and goes on from its store.
 * The daemon only decides who runs (plan.h), holds the queue (queue.h) and the leases (lease.h),
 * and answers (request.h). What a submission needs was unpacked by a process of its own too
 * (snapshot.h).
 *
 * When the daemon dies, the kernel tells its engines to end (PDEATHSIG), and their jobs; the next
 * daemon waits until the last process that holds the lease is gone, ends it if it must, and puts
 * the campaign back into the queue. So there is one way to go on, whatever was killed.
 *
 * What stands in the state folder:
 *   queue.db               submissions, leases, journal (queue.h)
 *   lock                   held by the daemon
 *   leases/TARGET.SLOT     held by the processes of a run (lease.h)
 *   submissions/UUID/      files/: the snapshot; engine.log: what the engine said to people
 *   results/, cache/       unless the configuration names others
 */
#pragma once

#include <sys/types.h>

#include "daemon/config.h"
#include "daemon/queue.h"
#include "daemon/request.h"

typedef struct Daemon Daemon;

/* Another way in besides the UNIX socket. */
typedef struct {
	/* Begins when the daemon can answer. NULL with *error: the daemon does not start; NULL
	 * without: it is not wanted. */
	gpointer (*start)(Daemon *d, GError **error);
	void (*reload)(gpointer it); /* the configuration is another one */
	void (*stop)(gpointer it);   /* before the daemon ends; not called with NULL */
} DaemonFront;

typedef struct {
	const char *state;   /* folder; made when missing */
	const char *config;  /* kexsectd.yaml; NULL: defaults */
	const char *socket;  /* path; NULL: <state>/socket */
	const char *program; /* what runs a campaign: `PROGRAM run FILE …`; NULL: kexsect beside
			      * this program */
	bool stand_in; /* `program` is not kexsect: no preflight unless the configuration says so */
	double retry_s; /* wait after the first failure, ×5 each up to half an hour; 0: 10 */
	const DaemonFront *front; /* NULL: only the socket */
	unsigned stop_grace_s;	  /* from SIGTERM to SIGKILL of an engine; 0: 45 */
} DaemonOptions;

/* Runs until SIGTERM or SIGINT; then engines are told to end, and the next daemon goes on. SIGHUP
 * reads the configuration again. Tells systemd when it runs under it. Returns the exit status for
 * main(); 1 with *error: BUSY (another daemon has the folder), the queue's errors. */
int daemon_run(const DaemonOptions *options, GError **error);

/* Reads all of the databases of queue and results, also while a daemon runs. DIGEST: one is damaged
 * or a snapshot is missing; MISSING: there is no queue. */
bool daemon_verify(const char *state, const DaemonConfig *c, GError **error);

/* The process that `kexsectd --accept FOLDER` is: reads a submission (request.h) on standard input
 * and prints one line, {"ok": true, …(snapshot_unpack), "wanted": {"priority", …}} or {"ok": false,
 * "error": {…}}. */
int daemon_accept(const char *folder);

/* ---- for those who bring requests: the UNIX socket (serve.c), a DaemonFront ---- */

/* As it is now; gone with the next turn of the loop. */
const DaemonConfig *daemon_config(const Daemon *d);
/* The state folder, absolute. */
const char *daemon_state(const Daemon *d);

/* Whose places are taken: an array of {"name", "slots", "leases": [{"slot", "submission", "run"}]}
 * of the targets that the configuration or a submission that is not over names, by name. Without
 * "submission": a process that was left still holds it. New reference. */
json_t *daemon_targets(const Daemon *d);
/* {"states": {"queued": 2, …} of what is not over, "disks": {"state": free bytes, "results",
 * "cache"}, "trouble": why nothing starts, or null, "notices": {"pending", "given_up"}}. New
 * reference. */
json_t *daemon_census(const Daemon *d);

typedef struct {
	guint64 uid;
	char name[64]; /* login name, or the number */
} DaemonPeer;

/* Answers a request that takes no time: all but submit, watch and summary. New reference. */
json_t *daemon_answer(Daemon *d, const DaemonPeer *peer, const Request *r);

/* Takes a submission: the request of `len` bytes (and a NUL), which only a process of its own
 * reads. `done` gets the answer (borrowed) once it is on disk or refused; not if
 * daemon_submit_drop() was called with the handle before: then nothing is queued. NULL: it was
 * refused at once, and `done` has been called. */
typedef struct Acceptance Acceptance;
typedef void (*DaemonAnswerFunc)(const json_t *answer, gpointer user);
Acceptance *daemon_submit(Daemon *d, const DaemonPeer *peer, const char *text, size_t len,
			  DaemonAnswerFunc done, gpointer user);
void daemon_submit_drop(Acceptance *a);

/* The morning report, as `kexsect summary --since SINCE --format FORMAT` prints it, made by a
 * process of its own. `done` gets the text, or NULL and why (INPUT: `since` is no moment; TIMEOUT;
 * FAILED); later, and not if daemon_summarise_drop() was called before. Who asks for the same while
 * it is made gets the same. NULL: BUSY (four are being made), FAILED. */
typedef struct SummaryWait SummaryWait;
typedef void (*DaemonTextFunc)(const char *text, const GError *error, gpointer user);
SummaryWait *daemon_summarise(Daemon *d, const char *since, const char *format, DaemonTextFunc done,
			      gpointer user, GError **error);
void daemon_summarise_drop(SummaryWait *w);

/* What happens, as it happens: {"submission", "time_us", "event": {…}}, where the event is one of
 * the engine's, or {"event": "state", "state", "reason"}. First the last ones of what runs. `id` 0:
 * of all. */
typedef void (*DaemonEventFunc)(const json_t *event, gpointer user);
typedef struct Subscription Subscription;
Subscription *daemon_subscribe(Daemon *d, gint64 id, DaemonEventFunc func, gpointer user);
void daemon_unsubscribe(Daemon *d, Subscription *s);
