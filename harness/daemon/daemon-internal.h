/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The parts of the daemon. */
#pragma once

#include "base/proc.h"
#include "daemon/daemon.h"
#include "daemon/health.h"
#include "daemon/notify.h"
#include "daemon/plan.h"

typedef struct Server Server;
typedef struct Making Making;

struct Daemon {
	DaemonOptions o;
	DaemonConfig *config;
	Queue *queue;
	Health *health;
	Notify *notify;
	GMainLoop *loop;
	GTimeZone *zone;
	int lock;
	GPtrArray *active;  /* Submission: those that are not over */
	GHashTable *served; /* uid → when it was last served (gint64 *) */
	GList *left;	    /* leases whose holders must end (left.c) */
	GList *accepting;   /* Acceptance */
	GList *makings;	    /* Making: summaries */
	GList *subscriptions;
	Server *server;
	gpointer front; /* of o.front; NULL: none */
	guint plan_source, tick_source, clock_source, left_source, watchdog_source;
	bool stopping;
	bool plan_soon; /* a start was refused for what may pass in a moment */
	char *disk_why; /* too little space, or results or cache cannot be written: nothing runs */
	char *trouble;	/* the queue cannot be written: nothing starts */
	gint64 thinned_us; /* monotonic: when old evidence was last looked for; 0: not yet */
	KxChild *thinner;
};

/* ---- daemon.c ---- */

/* Plans as soon as the loop is idle. */
void daemon_replan(Daemon *d);
/* The absolute path of its socket. New string. */
char *daemon_socket(const Daemon *d);
/* How many campaigns have an engine. */
guint daemon_count_running(const Daemon *d);
/* The submission that is not over; NULL: none of that id. */
Submission *daemon_find_active(Daemon *d, gint64 id);
/* Sets the state and the reason, saves, and tells who listens; an over one leaves `active` (and is
 * freed) at the next plan. */
void daemon_set_state(Daemon *d, Submission *s, SubmissionState state, const char *reason,
		      const char *kind);
/* Gives an event (taken over) to the subscribers and keeps it for later ones. NULL: about none of
 * them, for those who listen to all. */
void daemon_publish(Daemon *d, Submission *s, json_t *event);

/* ---- save.c ---- */

/* The queue cannot be written: nothing starts until it can. */
void daemon_in_trouble(Daemon *d, const GError *error);
/* Writes a change that has happened, with its line of the journal (kind NULL: none). False: it
 * could not be written, and is kept and tried again until it can. */
bool daemon_save(Daemon *d, Submission *s, const char *kind, const char *text);
/* The same with a line about the daemon or a target. */
void daemon_note(Daemon *d, const char *kind, const char *text);
void daemon_save_again(Daemon *d);

/* ---- disks.c ---- */

/* Sets disk_why. `thoroughly`: also by writing. */
void daemon_watch_disks(Daemon *d, bool thoroughly);

/* ---- sitting.c: the engine of one submission ---- */

typedef struct Sitting Sitting;
/* Takes the lease, records it, and starts the engine. False: *error, and nothing has changed. */
bool sitting_start(Daemon *d, Submission *s, const char *target, unsigned slot, GError **error);
/* Starts `argv` for a submission: with its snapshot for campaign_load(), and the leases (ended by
 * -1); what it says for people is appended to `log` in the submission's folder. */
KxChild *sitting_spawn(const Daemon *d, const Submission *s, const char *const *argv,
		       const char *log, const int *leases, KxLineFunc on_line, KxExitFunc on_end,
		       gpointer user, GError **error);
/* Tells it to end; what happens then is the submission's wish, else it is queued again. */
void sitting_stop(Submission *s, const char *why);
bool sitting_is_stopping(const Submission *s);
/* What runs is not its engine yet. */
bool sitting_is_preflight(const Submission *s);
/* The last events of it, oldest first; NULL: it does not run. */
const GQueue *sitting_events(const Submission *s);
void sitting_remember(Submission *s, json_t *event);
/* A failure of the engine or of starting it: queued again for later, or failed. */
void sitting_failed(Daemon *d, Submission *s, const char *why);

/* ---- left.c: processes that outlived the one that must answer for them ---- */

/* Ends what still holds the lease, and then, if it is not NULL, puts the submission back. */
void left_add(Daemon *d, const char *target, unsigned slot, Submission *s);
bool left_is(const Daemon *d, const Submission *s);
void left_clear(Daemon *d);

/* ---- progress.c: the engine's events ---- */

/* Folds an event into the progress of a submission:
 *   {"trials", "builds", "outcomes": {"fault": 3, …}, "leading": {"name", "probability"},
 *    "experiment": {"name", "purpose", "mode", "boots", "reason"}, "elapsed_s", "seconds_left"} */
void progress_take(json_t *progress, const json_t *event);

/* ---- answer.c ---- */

/* A submission for people and programs: docs/daemon.md has the keys. */
json_t *submission_json(const Submission *s, const DaemonConfig *c);

/* ---- census.c ---- */

/* The submission that runs there; NULL: none. */
const Submission *daemon_holder(const Daemon *d, const char *target, unsigned slot);

/* ---- summary.c ---- */

/* What happened since a moment, read in small pieces: the line that answers a request for it, with
 * "summary" (docs/notifications.md has the keys), or why not. `done` is called later, and not if
 * summary_drop() was called before. */
typedef struct Story Story;
Story *summary_begin(Daemon *d, gint64 since_us, DaemonTextFunc done, gpointer user);
void summary_drop(Story *y);

/* ---- summarise.c ---- */

/* Starts `kexsect summary` on this daemon; `since` and `format` as its options have them. What it
 * says to people goes to `log_path` (NULL: where ours goes). */
KxChild *summary_spawn(const Daemon *d, const char *since, const char *format, const char *log_path,
		       KxLineFunc on_each, KxExitFunc on_exit, gpointer user, GError **error);
/* No new ones; those that are being made are told to end. */
void summarise_stop(Daemon *d);

/* ---- accept.c ---- */
void accept_clear(Daemon *d);

/* ---- serve.c: the UNIX socket ---- */

Server *server_new(Daemon *d, const char *path, const char *group, GError **error);
void server_free(Server *s);

/* ---- systemd.c ---- */

/* Tells the service manager, when there is one: "READY=1", …  */
void systemd_notify(const char *state);
/* Microseconds between two signs of life that it wants; 0: none. */
guint64 systemd_watchdog_us(void);
