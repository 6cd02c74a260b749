/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * store: what runs of campaigns left, in one SQLite database <results>/kexsect.db.
 *
 * One row per run, candidate, build, trial, fault, event and verdict. A trial and all that belongs
 * to it is one transaction, made after its evidence is on disk: what a reader sees is always
 * complete, and a crash loses at most a row whose evidence folder can be adopted again. Several
 * processes may read and write at once (WAL, busy timeout 30 s).
 *
 * Records are plain structs. Times of day are microseconds since 1970 UTC, 0: not yet. Sets of
 * candidates are masks: candidate i is bit i, in the order of store_candidates(); of a
 * history (its candidates are of kind commit) or of versions a mask is a position: 0 the start of
 * the range, i candidate i - 1. Paths are
 * absolute here and relative to the results folder in the database, so that the folder can be
 * moved. Strings and JSON values are owned by their struct; functions that return one or an array
 * hand it to the caller (g_ptr_array_unref, store_…_free). Writers copy. On reading, strings are
 * never NULL ("" for nothing); JSON members are never NULL either, `null` for nothing.
 *
 * Errors: KX_ERROR_MISSING (no database, no such run), NO_SPACE (disk full), BUSY (locked for 30
 * s), DIGEST (not a kexsect database, or damaged), REFUSED (written by a newer kexsect, or
 * read-only), FAILED.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/json.h"

typedef struct Store Store; /* opaque; one per thread */

typedef enum { STORE_READ, STORE_WRITE } StoreAccess;

/* Opens <results>/kexsect.db. STORE_WRITE makes folder and database when missing and upgrades an
 * older schema in one transaction (a copy of the old file stays as kexsect.db.v<N>); STORE_READ
 * does neither: an older schema is then REFUSED with the command that upgrades it. */
Store *store_open(const char *results, StoreAccess access, GError **error);
void store_free(Store *s);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Store, store_free)

/* Reads the whole database and checks its structure and references; DIGEST with the first finding.
 * store_open() does only a quick look at the header and the schema. */
bool store_check(Store *s, GError **error);
/* The results folder, absolute. */
const char *store_results(const Store *s);

/* ---- runs of campaigns ---- */

typedef enum { STORE_RUNNING, STORE_STOPPED, STORE_DONE, STORE_FAILED, STORE_STATE_MAX } StoreState;
/* "running", "stopped", "done", "failed" */
const char *store_state_name(StoreState state);

/* One run of a campaign. `running` only says that nobody ended it: see store_is_alive(). */
typedef struct {
	gint64 id;
	char *name;   /* vtd-window */
	unsigned run; /* 1, 2, … per name */
	char *slug;   /* vtd-window-1: what people call it, and its folder */
	char *digest; /* of everything that the answer depends on */
	char *title, *question;
	char *effect;	/* cures, causes */
	json_t *config; /* snapshot of the campaign; keys: engine/engine.h */
	StoreState state;
	char *state_reason; /* why stopped or failed */
	gint64 created_us, finished_us;
	char *dir; /* <results>/campaigns/<slug> */
} StoreCampaign;

typedef struct {
	char *kind; /* patch, parameter, initcall, config, commit, version */
	char *name, *title;
	char *text;	  /* what it is: a name in the series, words, settings, a hash */
	char *file;	  /* absolute path of the patch */
	uint64_t depends; /* direct ones */
} StoreCandidate;

void store_campaign_free(StoreCampaign *c);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(StoreCampaign, store_campaign_free)
void store_candidate_free(StoreCandidate *c);

/* Adds a run, state running. The caller sets name, digest, title, question, effect, config; the
 * rest is set here, in *c too. `candidates`: StoreCandidate. */
bool store_add_campaign(Store *s, StoreCampaign *c, const GPtrArray *candidates, GError **error);
bool store_set_state(Store *s, gint64 campaign, StoreState state, const char *reason,
		     GError **error);
/* Replaces the snapshot, when a run goes on with a larger budget. */
bool store_set_config(Store *s, gint64 campaign, const json_t *config, GError **error);
/* All runs, newest first. */
GPtrArray *store_campaigns(Store *s, GError **error);
/* The newest `limit` runs with an id below `before` (0: any), newest first. */
GPtrArray *store_campaigns_page(Store *s, gint64 before, unsigned limit, GError **error);
/* The highest number of a run of this name; 0: there is none, -1: *error. */
int store_newest_run(Store *s, const char *name, GError **error);
/* By slug, by number (#id or id), or by name: its newest run. MISSING names what there is. */
StoreCampaign *store_find_campaign(Store *s, const char *which, GError **error);
/* Whether a process works on this run now: it holds <dir>/lock. */
bool store_is_alive(const StoreCampaign *c);
GPtrArray *store_candidates(Store *s, gint64 campaign, GError **error);

/* ---- builds ---- */

/* One build job that gave a result. A variant can have several: usual, clean, from the cache. */
typedef struct {
	gint64 id;
	bool launcher; /* the base without patches, that the trials start from */
	uint64_t mask; /* 0 with `launcher` */
	bool clean;    /* compiled from nothing */
	bool cached;   /* the artifacts were there before */
	char *status;  /* ok, unbuildable, infra */
	char *reason;
	char *failed_step; /* apply, configure, compile; "" */
	char *hash, *identity;
	char *artifacts; /* folder */
	char *kernel;	 /* image */
	char *vmlinux_sha256;
	char *log;	 /* of a failed build */
	json_t *seconds; /* {"compile": 6.8, …} as the job said */
	gint64 time_us;
} StoreBuild;

void store_build_free(StoreBuild *b);
/* In order. */
GPtrArray *store_builds(Store *s, gint64 campaign, GError **error);

/* ---- trials ---- */

typedef struct {
	gint64 id;
	unsigned number; /* 1, 2, … in its run, never used twice */
	uint64_t mask;
	char *build;   /* hash */
	bool clean;    /* of a clean build */
	char *target;  /* name */
	char *mode;    /* kexec, cold */
	char *purpose; /* calibrate, search, parent, confirm, survey */
	char *outcome; /* fault, clean, hang, panic, noboot, infra */
	char *reason;
	char *evidence;	  /* folder; "" when the job died before it made one */
	json_t *measures; /* {"faults": 3, "window_us": …} */
	json_t *seconds;  /* {"boot": 1.9, …, "total": 4.1} */
	json_t *plan;	  /* why: {"reason", "bits", "p_fault", "cost_s", "boots"}, of the batch */
	gint64 time_us;	  /* when it ended */
} StoreTrial;

/* The belief after a trial. */
typedef struct {
	unsigned trial; /* number */
	char *kind;	/* leading hypothesis: set, none, empty, either */
	uint64_t members;
	double probability;
	double q_mean, q_low, q_high; /* P(fault) of a faulty variant, 95 % interval */
	double e_mean, e_low, e_high; /* of a good one */
	json_t *ranking; /* [{"kind": "set", "members": ["a"], "probability": 0.5}, …], best first
			  */
	json_t *marginals; /* [0.1, …]: probability of each candidate to be a member */
} StorePosterior;

/* One fault record of a trial, as in its faults.jsonl. */
typedef struct {
	gint64 trial_id;
	unsigned trial; /* number */
	unsigned seq;	/* 0, 1, … in its trial */
	char *device;	/* "" when the record has none */
	char *address;	/* 0x…, as in the record; "" */
	char *reason;
	bool in_window;
	json_t *record; /* all of it */
} StoreFault;

/* Seconds of one sitting at a run (from start or resume to stop), by what they went to. */
typedef struct {
	double total;	  /* wall clock */
	double compile;	  /* compiler and linker */
	double boot;	  /* launcher, kexec, boot, settle */
	double deadline;  /* waiting for a clock to run out */
	double source;	  /* fetching and importing kernel source */
	double configure; /* applying patches, kconfig */
	double harness;	  /* total less all of the above */
} StoreTimes;

void store_trial_free(StoreTrial *t);
void store_posterior_free(StorePosterior *p);
void store_fault_free(StoreFault *f);

/* In order of number. */
GPtrArray *store_trials(Store *s, gint64 campaign, GError **error);
/* The first `limit` with a number above `after`. */
GPtrArray *store_trials_page(Store *s, gint64 campaign, unsigned after, unsigned limit,
			     GError **error);
/* The highest number of a trial; 0: none, or *error. */
unsigned store_last_trial(Store *s, gint64 campaign, GError **error);
/* Whether any of its trials is evidence (no failure of the lab); false with *error, too. */
bool store_has_evidence(Store *s, gint64 campaign, GError **error);
/* The first `limit` of trials with a number above `after` and up to `until`; 0: all, to the end. */
GPtrArray *store_posteriors_page(Store *s, gint64 campaign, unsigned after, unsigned until,
				 unsigned limit, GError **error);
/* One per trial that was evidence, in order. */
GPtrArray *store_posteriors(Store *s, gint64 campaign, GError **error);
/* The faults of one trial, or with trial_id 0 of all; in order of trial and seq. */
GPtrArray *store_faults(Store *s, gint64 campaign, gint64 trial_id, GError **error);

/* ---- sittings ---- */

/* Begins a sitting; its id is what the writers below want. 0 and *error when it fails. */
gint64 store_begin_sitting(Store *s, gint64 campaign, GError **error);
bool store_set_times(Store *s, gint64 sitting, const StoreTimes *times, GError **error);
/* The sum over all sittings of a run. */
bool store_times(Store *s, gint64 campaign, StoreTimes *ret, GError **error);

/* One transaction each, with the times of the sitting so far (or NULL). add_trial sets t->id.
 * `faults`: JSON objects (json_t *), may be NULL; `posterior` may be NULL. A trial number that is
 * already there is FAILED and changes nothing. */
bool store_add_build(Store *s, gint64 campaign, gint64 sitting, StoreBuild *b,
		     const StoreTimes *times, GError **error);
bool store_add_trial(Store *s, gint64 campaign, gint64 sitting, StoreTrial *t, const json_t *faults,
		     const StorePosterior *posterior, const StoreTimes *times, GError **error);

/* ---- events, documents, verdict ---- */

/* Something that a person should know. */
typedef struct {
	gint64 time_us;
	char *level; /* info, warning, error */
	char *kind;  /* quarantine, retry, drift, resume, adopt, cold-differs, … */
	char *text;
	unsigned trial; /* number, 0: none */
} StoreEvent;

void store_event_free(StoreEvent *e);
bool store_add_event(Store *s, gint64 campaign, const char *level, const char *kind, unsigned trial,
		     const char *text, GError **error);
GPtrArray *store_events(Store *s, gint64 campaign, GError **error);

/* A JSON value by name that belongs to a run: "matrix" (what applies with what), … Setting
 * replaces. Reading a name that is not there gives JSON null. */
bool store_set_document(Store *s, gint64 campaign, const char *name, const json_t *value,
			GError **error);
json_t *store_document(Store *s, gint64 campaign, const char *name, GError **error);

typedef struct {
	gint64 campaign;  /* on reading */
	char *kind;	  /* cause, none, inconclusive; table: nothing was searched */
	char *effect;	  /* cures, causes */
	uint64_t members; /* of a cause */
	double probability;
	char *why; /* rule, no_effect, no_fault, base_faults, unfinished, untestable, cold_differs,
		    * budget, survey */
	char *reason;	 /* one line for people */
	json_t *details; /* of a cause: "sentence", which names it; more by the kind of campaign */
	gint64 time_us;
} StoreVerdict;

void store_verdict_free(StoreVerdict *v);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(StoreVerdict, store_verdict_free)
/* Replaces an earlier one; the run goes on. */
bool store_set_verdict(Store *s, gint64 campaign, const StoreVerdict *v, GError **error);
/* Replaces an earlier one and ends the run (state done) in one transaction. */
bool store_finish(Store *s, gint64 campaign, const StoreVerdict *v, GError **error);
/* NULL without *error when there is none yet. */
StoreVerdict *store_verdict(Store *s, gint64 campaign, GError **error);
/* Those of the runs with ids from `first` to `last`, by id, for a list: `details` holds only
 * "sentence" (null: there is none). */
GPtrArray *store_verdicts(Store *s, gint64 first, gint64 last, GError **error);
