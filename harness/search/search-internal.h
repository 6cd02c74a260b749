/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the files of search/ share. The section signs (§) are those of docs/search.md. */
#pragma once

#include "search.h"

#define GRID_Q_MAX 40
#define GRID_E_MAX 10
#define BOOT_KINDS 4 /* kexec or cold, usual or clean build */
#define BATCHES 13   /* lengths of a batch that are compared, see search_batches */
#define AROUND_MAX (SEARCH_MAX_SIZE + 9)

/* The sufficient statistics of one variant (§2). */
typedef struct {
	SearchVariant variant;
	guint faults[BOOT_KINDS];
	guint cleans[BOOT_KINDS];
	guint sporadic;	 /* hang, panic, noboot */
	guint permanent; /* does not build */
} Record;

/*
 * Hypotheses for which the same trials are bad trials: one likelihood, one posterior of (q, ε). The
 * space fills the first part (classify), grid.c and posterior.c the rest.
 */
typedef struct {
	guint64 bad_faults, bad_cleans;
	double prior; /* of all its hypotheses together */
	enum {
		SPLIT,
		ALWAYS,
		NEVER
	} has; /* the cause is in some variants; every one (EMPTY); none */
	double log_likelihood;
	double mass;	      /* posterior probability of all its hypotheses together */
	double detect_share;  /* P(q >= q_detect | class) */
	double q[GRID_Q_MAX]; /* posterior of q and of ε */
	double e[GRID_E_MAX];
} Class;

typedef struct {
	guint n_q, n_e;
	double q[GRID_Q_MAX], e[GRID_E_MAX];
	double smooth[GRID_Q_MAX]; /* prior without its atoms ÷ prior */
	double log_q[GRID_Q_MAX], log_1q[GRID_Q_MAX];
	double log_e[GRID_E_MAX], log_1e[GRID_E_MAX];
	double log_prior_q[GRID_Q_MAX], log_prior_e[GRID_E_MAX]; /* of the points with ε < q */
	guint below[GRID_Q_MAX]; /* so many points of ε are below this q */
	/* for each batch length: P(no fault), and the expected boots until the first one */
	double silent_q[BATCHES][GRID_Q_MAX], silent_e[BATCHES][GRID_Q_MAX];
	double boots_q[BATCHES][GRID_Q_MAX], boots_e[BATCHES][GRID_Q_MAX];
} Grid;

/* A variant that the parent rule and the confirmation look at (§5.2). */
typedef struct {
	SearchVariant variant;
	bool has;	  /* the cause is in it */
	char missing[80]; /* what it lacks of the cause; "" */
} Around;

enum { CLASS_NONE, CLASS_EMPTY, CLASS_FIRST }; /* of Search.classes */

/*
 * What a kind of hypotheses and variants is. s->own holds what it makes of the problem, s->belief
 * what changes with the observations. 'The cause' is the set, or the commit, of a hypothesis.
 */
struct SearchSpace {
	const char *name;
	/* Checks and keeps its part of the problem: sets s->own, s->n_h (without NONE and EMPTY).
	 */
	bool (*setup)(Search *s, const SearchProblem *p, GError **error);
	void (*free)(gpointer own);
	void (*begin)(Search *s); /* s->belief with nothing observed */
	void (*end)(Search *s);
	void (*inherit)(Search *s, const Search *from); /* what was observed; NULL: nothing kept */
	void (*observed)(Search *s, SearchVariant v, guint faults, guint cleans);
	bool (*is_variant)(const Search *s, SearchVariant v); /* in range */
	bool (*is_valid)(const Search *s, SearchVariant v);
	/* The variant with everything, or as much as fits. */
	SearchVariant (*everything)(const Search *s);
	/* Where v stands in the way of others: as much more as fits; NULL: v itself. */
	SearchVariant (*widen)(const Search *s, SearchVariant v);
	SearchVariant (*realise)(const Search *s, SearchMask members);
	/* Whether the cause named by h is in v. */
	bool (*has)(const Search *s, const SearchHypothesis *h, SearchVariant v);
	/* Whether w is contained in v. */
	bool (*contains)(const Search *s, SearchVariant v, SearchVariant w);
	/* Appends the observations as classes (counts and prior) to s->classes. */
	void (*classify)(Search *s);
	/* After the masses are known: s->leader (when one beats it) and what it keeps of its own.
	 */
	void (*settle)(Search *s);
	/* ret[k]: the mass of class k whose cause is in v, for k >= CLASS_FIRST. */
	void (*split)(const Search *s, SearchVariant v, double *ret);
	/* Appends at least the `max` most probable hypotheses (SearchHypothesis), in any order. */
	void (*ranked)(const Search *s, guint max, GArray *ret);
	double (*marginal)(const Search *s, guint i);
	double (*entropy)(const Search *s); /* -Σ p log2 p without NONE and EMPTY */
	/* Variants worth a thought, sorted, each valid and once; §4.3. */
	GArray *(*pool)(Search *s, const SearchCosts *costs);
	/* The neighbours of v that a climb may try, appended to ret; NULL: no climb. */
	void (*neighbours)(const Search *s, SearchVariant v, GArray *ret);
	/* What cannot be tested (§3). */
	void (*testable_update)(Search *s);
	double (*untestable)(Search *s, SearchVariant v); /* without a record of its own */
	double (*poison)(Search *s, guint i);
	bool (*is_smallest)(Search *s, SearchVariant v);
	/* The variants that decide whether h is right; returns how many. */
	guint (*around)(const Search *s, const SearchHypothesis *h, Around *ret);
	/* Another testable variant that shows the same as a->variant for h; false: none. */
	bool (*substitute)(Search *s, const SearchHypothesis *h, Around *a);
	char *(*name_variant)(const Search *s, SearchVariant v);
	char *(*name_members)(const Search *s, const SearchHypothesis *h);
	/* What stands in the way of testing; "" when nothing is suspected. */
	char *(*name_suspects)(Search *s);
};

struct Search {
	/* the problem (search.c and the space) */
	const SearchSpace *space;
	gpointer own;
	guint n, n_h;
	char **names;
	SearchEffect effect;
	double confidence;
	double enough; /* posterior at which a cause is claimed (§5) */
	double q_detect, told_q, told_e, prior_none, prior_empty;
	SearchMode mode;
	bool confirm, confirm_cold, confirm_clean;
	guint max_confirm_boots;
	bool whole_stretches;
	guint64 seed;
	guint *shared;	     /* references: copies share own, names and grid */
	bool quiet;	     /* a copy to think ahead with: no explanations */
	Grid *eager, *sober; /* two priors of the rates, §2.2; shared too */
	const Grid *grid;    /* the one that the posterior is made with */
	/* what was observed */
	GArray *records; /* Record, by variant */
	/* the posterior (posterior.c), valid unless `stale` */
	bool stale;
	GArray *classes; /* Class: NONE, EMPTY, others */
	SearchHypothesis leader;
	guint leader_class;
	guint64 all_faults; /* over all trials */
	gpointer belief;    /* the space's own, made by settle */
};
extern const guint search_batches[BATCHES];

/* search.c */
const Record *record_find(const Search *s, SearchVariant v);
guint record_faults(const Record *r);
guint record_cleans(const Record *r);
bool record_tested(const Record *r);
bool record_failed(const Record *r); /* and never tested */
bool hypothesis_bad(const Search *s, const SearchHypothesis *h, SearchVariant v);
bool variant_given_up(const Search *s, SearchVariant v); /* by its own record */
/* By all records; `untestable` is search_untestable() of it. */
bool variant_is_hopeless(Search *s, SearchVariant v, double untestable);
SearchVariant variant_that_faults(const Search *s); /* the end that should fault */
char *hypothesis_name(const Search *s, const SearchHypothesis *h);

/* grid.c: the rates */
/* `always`: prior of 'a faulty variant faults in every boot'. */
void grid_init(Grid *g, double always, double told_q, double told_e);
/* Fills all but counts, prior and mass; gf, gc: faults and cleans of the good variants. */
void class_compute(const Search *s, guint64 gf, guint64 gc, Class *c);
double class_miss_smooth(const Search *s, const Class *c, guint k);

/* posterior.c */
void posterior_update(Search *s);
const Class *class_at(const Search *s, guint k);
const Class *leader_class(const Search *s);

/* choice.c: the most informative experiment per second; false when nothing would tell anything */
bool choice_best(Search *s, const SearchCosts *costs, SearchExperiment *ret);
/* Fills bits, untestable, cost_s and clips boots to the budget; false when it is not affordable. */
bool choice_price(Search *s, const SearchCosts *costs, SearchExperiment *e);
/* Whether some variant that can probably be tested would still tell hypotheses apart. */
bool choice_is_open(Search *s);
bool choice_is_built(const SearchCosts *costs, SearchVariant v);

/* stop.c */
typedef enum { STOP_SEARCH, STOP_NEED, STOP_VERDICT } StopState;
/* Where the stopping rule stands: search on; needs *ret_need; or *ret_verdict is final. */
StopState stop_state(Search *s, SearchExperiment *ret_need, SearchVerdict *ret_verdict);
/* A boot that the parent rule will ask for, when the leader is already probable. */
bool stop_early_need(Search *s, SearchExperiment *ret_need);
guint stop_boots_needed(const Search *s, const Class *c);
StopState stop_need(SearchExperiment *e, const Search *s, SearchPurpose purpose, SearchVariant v,
		    guint boots, bool until_fault);
StopState stop_conclude(const Search *s, SearchVerdict *v, SearchVerdictKind kind, SearchWhy why,
			double probability);
StopState stop_untestable(Search *s, SearchVariant variant, SearchVerdict *v);

/* calibrate.c, confirm.c: parts of the stopping rule */
StopState calibrate(Search *s, SearchExperiment *e, SearchVerdict *v);
StopState claim_none(Search *s, double probability, SearchExperiment *e, SearchVerdict *v);
double silent_mass(Search *s, bool none);
StopState confirm(Search *s, guint n, SearchExperiment *e, SearchVerdict *v);
bool cold_differs(const Search *s);

/* ahead.c: a copy in which `pending` ended as is most probable; texts on what an experiment decides
 */
Search *ahead_of(Search *s, const SearchPending *pending, guint n);
void explain_search(Search *s, SearchExperiment *e);

/* bound.c: of a coin, in bits */
double entropy2(double p);

/* rng.c */
guint64 rng_next(guint64 *state);
double rng_uniform(guint64 *state); /* [0, 1) */
guint64 rng_hash(guint64 a, guint64 b);
