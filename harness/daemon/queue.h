/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The daemon's state: submissions, leases and a journal, in one SQLite database <state>/queue.db.
 *
 * Whatever is written is on disk when the call returns (WAL, synchronous=FULL), each change with
 * its line of the journal in one transaction: who follows the journal by its ids (a notification, a
 * page) misses nothing and sees nothing twice. One process writes; others may read.
 *
 * Times are microseconds since 1970 UTC, 0: not yet. Errors: KX_ERROR_NO_SPACE (disk full), DIGEST
 * (damaged, or not ours), REFUSED (read-only, or of a newer kexsect), MISSING, FAILED.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>

#include "base/json.h"
#include "daemon/lease.h"

typedef enum {
	SUBMISSION_QUEUED,
	SUBMISSION_RUNNING, /* an engine works, or was left by a daemon that died */
	SUBMISSION_PAUSED,  /* on request: waits for resume */
	SUBMISSION_DONE,    /* there is a verdict */
	SUBMISSION_FAILED,
	SUBMISSION_CANCELLED,
	SUBMISSION_STATE_MAX
} SubmissionState;
/* "queued", …; -1 for an unknown name */
const char *submission_state_name(SubmissionState state);
int submission_state_of(const char *name);
/* done, failed or cancelled */
bool submission_is_over(SubmissionState state);

/* What its owner asked for while it runs. */
typedef enum { WISH_NONE, WISH_PAUSE, WISH_CANCEL } SubmissionWish;

/* Strings are never NULL ("" for nothing). */
typedef struct {
	gint64 id;
	char *name, *title, *question, *digest; /* of the campaign */
	char *folder;				/* of its snapshot, below <state>/submissions */
	char *file;				/* the campaign in it; below <state> */
	char *sources, *toolchains; /* $KEXSECT_SOURCES and $KEXSECT_TOOLCHAINS for it; "": none
				     * given */
	char *data;		    /* what $KEXSECT_DATA must be to load it (snapshot.h) */
	char **targets;		    /* one of these, */
	char **also;		    /* and all of these: whose leases only the lock file knows */
	guint64 uid;		    /* who submitted */
	char *owner;
	int priority; /* -100…100, higher is sooner */
	char *window; /* "22:00-07:00"; "": what the configuration says */
	double hours; /* budgets; 0: what the campaign says */
	unsigned boots;
	double compile_minutes; /* 0: none */
	double disk_gib;	/* for its evidence; 0: what the configuration says */
	bool again;		/* a new run although there is a verdict */
	int after_run;		/* with `again`: runs up to this number were there before; -1: not
				 * started yet */
	SubmissionState state;
	SubmissionWish wish;
	char *reason;	   /* of state failed, or the last trouble */
	unsigned attempts; /* failures in a row */
	gint64 not_before_us;
	char *target;				    /* that it runs on, or began on */
	unsigned slot;				    /* of it */
	ProcessId engine;			    /* of state running; pid 0: not known */
	char *run;				    /* slug in the results: vtd-window-1 */
	json_t *progress;			    /* as of the last change of state: requests.h */
	json_t *verdict;			    /* the engine's event; null: none */
	json_t *preflight;			    /* preflight.h; null: not done yet */
	gint64 created_us, started_us, finished_us; /* started: last time */
	/* not in the database: the supervisor's */
	struct Sitting *sitting; /* the engine that works on it; NULL: none */
	bool unsaved;		 /* queue_keep(): the last change could not be written yet */
	char *wait_reason;	 /* why it does not run now; NULL: it does, or is over */
	gint64 worked_us;	 /* when a trial or a build ended; 0: not since the daemon began */
	bool held;		 /* it waits for something other than its turn */
} Submission;

Submission *submission_new(void);
void submission_free(Submission *s);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Submission, submission_free)
void submission_set(char **field, const char *value);

typedef struct Queue Queue;
/* Opens <state>/queue.db, makes it when missing, upgrades an older one, and checks all of it. */
Queue *queue_open(const char *state, GError **error);
void queue_close(Queue *q);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Queue, queue_close)
/* Writes a consistent copy of <state>/queue.db, also while a daemon runs; `file` must not exist. */
bool queue_backup(const char *state, const char *file, GError **error);

/* Reads all of <state>/queue.db, also while a daemon runs, and looks whether the snapshot of each
 * submission that is not over is there. DIGEST with the first finding. */
bool queue_verify(const char *state, GError **error);

/* A line of the journal that goes with a change; kind NULL: none. */
typedef struct {
	const char *kind; /* submitted, started, stopped, paused, resumed, cancelled, verdict,
			   * failed, retry, orphan */
	const char *text; /* for people */
} QueueNote;

/* Adds it; sets its id. */
bool queue_add(Queue *q, Submission *s, GError **error);
/* Writes all of it, and its lease while its state is running. */
bool queue_save(Queue *q, const Submission *s, QueueNote note, GError **error);
/* A line about the daemon itself: started, stopping, disk, disk-back. */
bool queue_note(Queue *q, QueueNote note, GError **error);

/* Keeps a change that has happened although it could not be written: the row as it is when that
 * works again, with this line. Whatever is written next comes after it. The submission must live
 * while its `unsaved` is true. */
void queue_keep(Queue *q, Submission *s, QueueNote note);
/* The same with a line alone; `submission` 0: of the daemon. */
void queue_keep_note(Queue *q, gint64 submission, QueueNote note);

/* Those that are not over, oldest first. */
GPtrArray *queue_active(Queue *q, GError **error);
/* The newest `limit` with an id below `before` (0: any), newest first; `state`: only of that, -1:
 * all. */
GPtrArray *queue_list(Queue *q, gint64 before, unsigned limit, int state, GError **error);
/* MISSING when there is none. */
Submission *queue_find(Queue *q, gint64 id, GError **error);
/* Folders of all snapshots: a set of new strings. */
GHashTable *queue_folders(Queue *q, GError **error);
/* [{"id", "time_us", "submission" (0: the daemon), "kind", "text"}, …] with ids above `after`,
 * oldest first, at most `limit`. */
json_t *queue_journal(Queue *q, gint64 after, unsigned limit, GError **error);
/* The id of the last line before this moment, 0: none, or *error. */
gint64 queue_journal_before(Queue *q, gint64 time_us, GError **error);
/* Whether the daemon had ended in order after this line, or never begun; false with *error. */
bool queue_was_stopped(Queue *q, gint64 id, GError **error);
/* How many lines were added since it was opened: something is new when that changes. */
guint64 queue_notes(const Queue *q);
/* The id of its newest line; 0: none, or *error. */
gint64 queue_journal_last(Queue *q, GError **error);
