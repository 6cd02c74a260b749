/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The parts of the engine. */
#pragma once

#include "base/json.h"
#include "base/proc.h"
#include "engine/engine.h"
#include "search/search.h"
#include "store/store.h"

/* ---- kernels that were built (builds.c) ---- */

/* The newest usable result of building one variant in one way. Variants that differ by boot
 * parameters only share it: `mask` has none of these. */
typedef struct {
	bool launcher, clean;
	SearchMask mask;
	bool ok; /* false: unbuildable */
	char *hash, *identity, *kernel, *vmlinux_sha256;
} EngineKernel;

/* ---- the job that runs (job.c) ---- */

typedef enum { JOB_NONE, JOB_BUILD, JOB_BOOT } EngineJobKind;

typedef struct {
	EngineJobKind kind;
	KxChild *child;
	gint64 started_us;   /* monotonic */
	gint64 accounted_us; /* up to here its time is in the accounts */
	char *step, *detail;
	double done, total; /* of a step that counts; total 0: it does not */
	bool result_seen, result_ok;
	char *result_why;  /* its own reason */
	char *garbled_why; /* it said something that it must not; NULL: it did not */
	bool silent;	   /* it said nothing for too long */
	char *cause;	   /* of its last trial, when that was infra; NULL: not the machine */
	bool target_lost;  /* it could not bring its target back */
	char *infra_why;   /* its last trial was infra, and is recorded; else NULL */
	bool ending;	   /* we told it to end: what it says from now on is not evidence */
	bool retired;	   /* the batch was ended early, which is no failure */
	guint silence_source;
	unsigned silence_s;
	/* a build */
	bool launcher;
	/* a boot; `mask` is the whole variant, of a build what is compiled of it */
	unsigned first, boots, seen; /* numbers first…first+boots-1; trial lines so far */
	double trials_s;	     /* sum of the trials' totals */
	SearchMask mask;
	bool clean;
	const TargetConfig *target;
	gint64 step_us; /* when `step` began */
	char *mode;
	char *purpose;
	json_t *plan; /* why: StoreTrial.plan */
	bool until_fault;
	const EngineKernel *kernel;
} EngineJob;

/* ---- views (view.c and view_*.c) ---- */

typedef struct Engine Engine;

/* A way to show what happens. A new one is one file and one line in view.c. */
typedef struct {
	const char *name;
	/* Something happened: an object with "event": campaign, build, trial, recovery, target,
	 * leader, note, verdict (step with `verbose`). */
	void (*event)(Engine *e, const json_t *event);
	/* Some times a second; NULL: not a live view. */
	void (*tick)(Engine *e);
	/* Every half minute; NULL: none. */
	void (*beat)(Engine *e);
	/* Takes what is drawn off the screen; NULL: nothing is. */
	void (*clear)(void);
} EngineView;

extern const EngineView engine_view_terminal, engine_view_plain, engine_view_json,
	engine_view_quiet;
void engine_view_begin(Engine *e);
void engine_view_end(Engine *e);
/* Gives the event (and frees it) to the view. */
void engine_emit(Engine *e, json_t *event);
/* An event that stays: to the store, to the view, and as a message when it is a warning. */
void engine_note(Engine *e, const char *level, const char *kind, unsigned trial, const char *format,
		 ...) G_GNUC_PRINTF(5, 6);

/* ---- where the next boots come from (plan.c) ---- */

typedef struct EngineSurvey EngineSurvey; /* plan_survey.c */
typedef struct EngineOrder EngineOrder;	  /* plan_order.c */

/* A way to choose what is booted next. A new one is one file and one line in plan.c. */
typedef struct {
	const char *name;
	/* Whether this run has it to do, or to go on with. */
	bool (*wanted)(const Engine *e);
	/* Makes what it needs; then it is told of the boots that there are already. */
	bool (*begin)(Engine *e, GError **error);
	/* A kernel that does not build; with `lab` a variant that the lab failed too often for. */
	void (*untestable)(Engine *e, SearchMask mask, bool lab);
	/* A boot that was evidence, of this sitting or an earlier one. */
	void (*observe)(Engine *e, const StoreTrial *t, int outcome);
	/* It knows all boots of earlier sittings. May be NULL. */
	void (*replayed)(Engine *e);
	/* What is believed after a boot, for the store; NULL: nothing. */
	StorePosterior *(*belief)(Engine *e, unsigned trial);
	/* That boot is in the store. May be NULL. */
	void (*recorded)(Engine *e, unsigned trial);
	/* The next experiment into e->next and e->purpose; false: none, and *ret_budget is the part
	 * of the budget that is in the way, or stays NULL. */
	bool (*next)(Engine *e, const char **ret_budget);
	/* Nothing more to boot: records the result by engine_record_verdict(). */
	bool (*conclude)(Engine *e, const char *budget, GError **error);
	/* Seconds to its end, roughly, when e->next is set. */
	double (*time_left)(const Engine *e);
	/* Boots made and planned; NULL: nobody knows how many it takes. */
	void (*progress)(const Engine *e, unsigned *ret_done, unsigned *ret_planned);
} EnginePlan;

extern const EnginePlan engine_plan_search, engine_plan_order, engine_plan_survey;
#define ENGINE_SURVEY_PURPOSE "survey" /* StoreTrial.purpose of its boots */

/* The first that the run still has to do; NULL: it is over. */
const EnginePlan *engine_plan_wanted(const Engine *e);
bool engine_begin_plan(Engine *e, GError **error);
/* The run is over when nothing else is wanted. */
bool engine_record_verdict(Engine *e, const StoreVerdict *v, GError **error);
/* What decides whether a finished table is still the one that is asked for. */
json_t *engine_survey_plan(const Campaign *c);
void engine_survey_free(EngineSurvey *s);

/* Of a campaign about orders (plan_order.c): the kernel that all variants are made of. */
#define ENGINE_AS_COMPILED G_MAXUINT64
void engine_order_free(Engine *e);
/* New strings. */
char *engine_order_name(const Engine *e, SearchMask mask);
char *engine_order_hypothesis(const Engine *e, const SearchHypothesis *h);
/* Adds to a build request what makes that order of the kernel. */
bool engine_order_request(Engine *e, SearchMask mask, json_t *request, GError **error);

/* ---- the engine ---- */

struct Engine {
	const Campaign *campaign;
	const EngineOptions *options;
	const TargetConfig *target; /* of what has none of its own: engine_target() */
	Store *store;
	StoreCampaign *run;
	gint64 sitting;
	int lock;
	GMainLoop *loop;
	guint step_source, cancel_source, heartbeat_source;
	bool stopping; /* no new job */
	bool target_lost;
	bool finished; /* a verdict is in the store */
	GError *error; /* why it stops */

	const EnginePlan *plan;
	Search *search;	       /* NULL: not in this sitting */
	EngineSurvey *survey;  /* NULL: not yet */
	EngineOrder *order;    /* likewise; `search` is its own then */
	bool answered;	       /* the search has its verdict */
	bool tabled;	       /* the survey has its table, as far as the budget goes */
	SearchExperiment next; /* what the present job is for; bits, p_fault NaN: not known */
	const char *purpose;   /* of it: StoreTrial.purpose */
	GPtrArray *kernels;    /* EngineKernel */
	EngineKernel *launcher;
	unsigned next_trial, next_build;
	bool has_loaded;
	SearchMask loaded;

	/* counts of the run, over all sittings */
	unsigned outcomes[6]; /* in the order of engine_outcomes */
	unsigned boots;	      /* trials but infra: what the budget counts */
	unsigned builds;      /* compiled variants */
	GHashTable *history;  /* drift.c: what each variant gave, in order */
	bool replaying;	      /* trials are read from the store, not made */
	/* failures of the lab in this sitting */
	unsigned infra;
	GHashTable *in_a_row; /* variant key → count */
	GHashTable *refused;  /* variants of which search knows that their kernel does not build */
	unsigned worked[3];   /* jobs that did their work, by kind */
	GPtrArray *given_up;  /* names of variants that the lab failed too often for */

	/* time (times.c) */
	gint64 began_us;
	double before_s, before_compile_s; /* of earlier sittings */
	unsigned weighed;		   /* the trials below this number are in: */
	double evidence_bytes;
	StoreTimes times;
	GArray *boot_s, *build_s, *clean_s, *switch_s; /* double */
	double full_s; /* compiling from nothing, as the launcher showed; 0: not known */

	char *machine; /* as the boot jobs describe the target */
	SearchHypothesis leading;
	bool has_leading;
	double told_p;	       /* probability of the last event about it */
	SearchHypothesis *top; /* best ones now, for the views */
	guint n_top;
	double entropy; /* bits that are missing */
	SearchRates rates;

	EngineJob job;
	const EngineView *view;
	guint view_source;
};

/* "fault", "clean", "hang", "panic", "noboot", "infra"; the index of a name, or -1. */
extern const char *const engine_outcomes[6];
int engine_outcome(const char *name);
enum { ENGINE_FAULT, ENGINE_CLEAN, ENGINE_HANG, ENGINE_PANIC, ENGINE_NOBOOT, ENGINE_INFRA };

/* Stops with an error (taken over); the first one wins. */
void engine_fail(Engine *e, GError *error);
/* Asks for the next step of the loop, after `delay_s`. */
void engine_schedule(Engine *e, double delay_s);
/* Counts a failure of the lab for a variant and schedules the retry, gives the variant up for this
 * sitting, or stops. */
/* The recovery ladder was climbed in vain: the run stops here, and nothing is held against the
 * variant. Says why. */
void engine_lose_target(Engine *e, const char *why);
void engine_infra(Engine *e, SearchMask mask, bool clean, bool launcher, const char *what);
void engine_worked(Engine *e, SearchMask mask, bool clean, bool launcher);

/* space.c: "a + b", of many the first and "+ 9 more", "no candidate" for 0; of a history the commit
 * and its subject; new string */
char *engine_set_name(const Engine *e, SearchMask mask);
json_t *engine_names_of(const Engine *e, SearchMask mask);
/* The machine that boots it. */
const TargetConfig *engine_target(const Engine *e, SearchMask mask);
char *engine_commit_name(const Candidate *k);
/* The build request of a variant without `clean`, `sandbox` and `cache`; the launcher's is the base
 * by itself. */
json_t *engine_build_request(const Campaign *c, SearchMask mask, bool launcher);
/* What a variant costs that is not in SearchCosts.built: nothing when its kernel is there. */
double engine_build_cost(SearchVariant variant, gpointer engine);
/* The campaign's kernel parameters and those of the variant; new string. */
char *engine_cmdline(const Campaign *c, SearchMask mask);

/* names.c, snapshot.c */
/* "a + b cures the fault", "commit 0123456789ab (subject) brought the fault", … */
char *engine_effect_sentence(const Engine *e, SearchMask members, bool either);
char *engine_hypothesis_name(const Engine *e, const SearchHypothesis *h);
json_t *engine_snapshot(const Campaign *c);

/* Document "environment": what the trials ran on. `machine`: as a boot job describes its target, or
 * NULL. Writes only what is new. */
bool engine_record_environment(Engine *e, const char *machine, GError **error);

/* choose.c: which run; takes the lock. Sets e->run, or e->finished when it has its verdict. */
bool engine_choose_run(Engine *e, GError **error);
/* resume.c: reads what there is, adopts evidence without a row, ends a job that was left. Before
 * and after search exists. */
bool engine_load(Engine *e, GError **error);
bool engine_replay(Engine *e, GError **error);
/* adopt.c: evidence folders without a row in `trials`. */
bool engine_adopt(Engine *e, const GPtrArray *trials, GError **error);
/* What killed jobs left of evidence that never became any; no job runs. */
void engine_remove_parts(Engine *e);
/* matrix.c: what applies with what, tried out once and recorded */
bool engine_make_problem(Engine *e, EngineProblem *ret, GError **error);
bool engine_make_search(Engine *e, GError **error);

/* builds.c, boots.c: start the job that the experiment needs; false: *error, nothing runs. */
EngineKernel *engine_kernel(Engine *e, SearchMask mask, bool clean, bool launcher);
void engine_add_kernel(Engine *e, const StoreBuild *b);
void engine_kernel_free(gpointer kernel);

bool engine_start_build(Engine *e, SearchMask mask, bool clean, bool launcher, GError **error);
void engine_build_line(Engine *e, const json_t *line);
void engine_build_ended(Engine *e, int status);
bool engine_start_boots(Engine *e, GError **error);
void engine_boot_line(Engine *e, const json_t *line);
void engine_boot_ended(Engine *e, int status);
/* Tells the plan of a boot that was evidence, and watches for drift. */
void engine_observe(Engine *e, const StoreTrial *t, int outcome);
/* Records a trial and tells the plan; frees nothing. */
bool engine_take_trial(Engine *e, StoreTrial *t, const json_t *faults, GError **error);

/* job.c */
bool engine_start_job(Engine *e, EngineJobKind kind, const char *name, const json_t *request,
		      GError **error);
void engine_stop_job(Engine *e, bool retire);
/* "ended with status 3", "was killed by signal 9", "said something that is no JSON: …" */
char *engine_job_failure(const EngineJob *j, int status);
bool engine_end_orphan(Engine *e, GError **error);

/* belief.c */
/* StoreVerdict.details */
json_t *engine_details(Engine *e, const SearchVerdict *v);
StorePosterior *engine_posterior(Engine *e, unsigned trial);
void engine_look(Engine *e); /* refreshes e->top, e->entropy, e->rates */
void engine_tell_leader(Engine *e, unsigned trial);
/* Records the verdict; `budget`: the part of it that ended the search, or NULL. */
bool engine_conclude(Engine *e, const char *budget, GError **error);
void engine_tell_verdict(Engine *e, const StoreVerdict *v);

/* budget.c */
/* The part of the budget that is used up ("boots", …), or NULL. */
const char *engine_budget_used(Engine *e);
void engine_costs(Engine *e, GArray *built, SearchCosts *ret);
double engine_search_time_left(const Engine *e);
/* Seconds to the end of the plan, roughly; < 0: no idea yet. */
double engine_time_left(const Engine *e);
/* drift.c */
void engine_watch_drift(Engine *e, SearchMask mask, bool clean, bool cold, bool fault);

/* times.c */
void engine_spend_build(Engine *e, const json_t *seconds);
void engine_spend_trial(Engine *e, const json_t *seconds);
void engine_spend_wait(Engine *e, double seconds);
/* The sitting so far, with the running job counted as what it does. */
StoreTimes engine_times(const Engine *e);
double engine_elapsed(const Engine *e); /* of the whole run */
double engine_median(const GArray *of, double fallback);
