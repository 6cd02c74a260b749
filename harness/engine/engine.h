/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * engine: runs one campaign to its verdict or its table, in the foreground, on the default GLib
 * main loop.
 *
 * It asks search, or the fixed plan of a survey, for the next experiment, hands out `job build` and
 * `job boot` as processes (docs/jobs.md), writes each result to the store in one transaction after
 * its evidence is on disk, and tells it. It may be killed at any moment: the next engine_run() of
 * the same campaign goes on. What a run leaves in <results>/campaigns/<slug>/:
 *
 *   lock          held while somebody works on the run; holds the pid
 *   requests/     000017-boot.json (what the job got), 0003-build.json
 *                 000017-plan.json (why; its "why" is StoreTrial.plan)
 *   trials/       000017/: the evidence of one trial
 *   jobs.log      what the jobs said to people
 *   job           pid of the present job, to end one that a killed engine left
 *
 * Snapshot of the campaign in StoreCampaign.config:
 *   {"file", "base": {"name", "title", "recipe", "given"}, "series", "fragments": [], "fixtures":
 * [], "candidates": [], "targets": [{"name", "title", "file", "driver", "cmdline", "determinism":
 * "icount", "phase_period_us"}], "measure", "oracle": {"name", "title", "file", "window": {"from",
 * "to"}, "devices": [], "addresses": []}, "cmdline", "mode", "confidence", "seed", "max_culprits",
 * "config_file" (of two .config files), "budget": {"boots", "hours", "builds"}, "versions":
 * [{"name", "base", "series", "fixtures": [], "cmdline", "target"}] (paths)} Document "matrix"
 * (EngineOptions.matrix and what the series declares):
 *   {"source": "computed" or "declared", "names": [], "alone": [], "pairs": [],
 *    "depends": [[0], []], "conflicts": [[1, 2]]}; indices into names; alone and pairs when
 * computed. Document "history" of a campaign with one: {"start": hash, "parents": [[0], …]}.
 * Document "survey" of a campaign with one: {"boots", "modes": [], "after_verdict", "why":
 * complete, unfinished or the part of the budget that ended it, "plan", "rows": [{"mask": "0x…",
 * "members", "left_out": why it is not booted}]}, in the order of the table. StoreVerdict.details:
 *   {"leading": {"kind", "members", "probability"}, "ranking": [same, …], "marginals": [],
 *    "rates": {"q": {"mean", "low", "high"}, "e": {…}}, "cold_differs", "hypotheses",
 *    "untestable": [{"candidate", "probability"}]}
 */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#include "campaign/campaign.h"
#include "search/search.h"
#include "store/store.h"

typedef enum {
	ENGINE_SHOW_AUTO,  /* a live display on a terminal, else plain lines */
	ENGINE_SHOW_PLAIN, /* one line per event on standard output */
	ENGINE_SHOW_JSON,  /* one JSON object per event */
	ENGINE_SHOW_QUIET, /* warnings and errors only */
} EngineShow;

typedef struct {
	/* the caller sets */
	const char *results; /* folder */
	const char *cache;   /* folder, absolute */
	const char
		*program;   /* what runs the jobs: `PROGRAM job build FILE`; NULL: /proc/self/exe */
	const char *target; /* the one of the campaign's targets to use; NULL: the first */
	double compile_minutes; /* budget for the compiler over all sittings; 0: none */
	double disk_gib;	/* budget for the evidence of the run; 0: none */
	bool again;		/* begin a new run when the last one has its verdict */
	bool no_sandbox;
	EngineShow show;
	bool verbose; /* plain lines also above the live display, steps of jobs too */
	/* What applies with what, found by trying, after the launcher's build so that the source is
	 * there: {"names": [], "alone": [{"name", "result", "reason"}], "pairs": [{"a", "b",
	 * "result", "reason"}]}, result ok, conflict or depends. May take its time and must end
	 * soon after kx_cancelled(). NULL here or returned (then a warning is recorded): only the
	 * relations that the series declares. */
	json_t *(*matrix)(const Campaign *c, const char *cache, gpointer user, GError **error);
	/* Called when a verdict is in the store (for the report). A failure is a warning. */
	bool (*finished)(Store *store, const StoreCampaign *run, gpointer user, GError **error);
	gpointer user;
	/* 0 takes the default */
	double retry_s;		/* wait before the first retry of an infra failure; default 2; ×4
				 * each */
	unsigned retry_limit;	/* infra failures of one variant in a row; default 3 */
	unsigned infra_limit;	/* infra failures of one sitting; default 10 */
	unsigned job_silence_s; /* a job that says nothing for so long is ended; default: the
				 * target's longest trial and 2 min (boot), 1 h (build) */
	unsigned job_grace_s;	/* from SIGTERM to SIGKILL; default 30 */
} EngineOptions;

#define ENGINE_TARGET_FAILED 3 /* exit status */
/* Runs, or goes on with, the campaign. Returns the exit status for main():
 *   0  there is a verdict, cause or none, or a table (also when it was there before)
 *   1  the verdict is inconclusive; or *error is set: KX_ERROR_CANCELLED (stopped on request: the
 *      next call goes on), KX_ERROR_BUSY (another process works on this campaign), the store's
 *      errors, KX_ERROR_FAILED (too many failures of the lab: state failed, the next call tries
 *      again)
 *   3  *error is set: the target does not come back (docs/recovery.md); the next call goes on
 * Which run: the newest one with the same name and digest if it is not finished, or if only its
 * budget ended it and there is a larger one now, or if its table is not (or not yet all) that is
 * asked for; else a new one. Catches SIGINT, SIGTERM, SIGHUP
 * (kx_catch_signals). Returns with no child left. */
int engine_run(const Campaign *c, const EngineOptions *options, GError **error);

/* ---- a campaign as a search problem (space.c) ---- */

/* `problem` points to the rest and to the campaign. */
typedef struct {
	SearchProblem problem;
	const char **names;
	double *weights;
	SearchMask *depends;
	GArray *conflicts;	       /* of SearchMask */
	guint *parent_start, *parents; /* of a history with merges */
} EngineProblem;

/* All candidates are known (campaign_expand). `matrix`: as EngineOptions.matrix gives it, or NULL
 * for what is declared only. What is in *ret before is lost; engine_problem_clear() frees it. */
bool engine_problem(const Campaign *c, const json_t *matrix, EngineProblem *ret, GError **error);
void engine_problem_clear(EngineProblem *p);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(EngineProblem, engine_problem_clear)
/* The part of a variant that is compiled: without boot parameters. Two variants with the same one
 * have one kernel. */
SearchMask engine_compiled(const Campaign *c, SearchMask mask);
