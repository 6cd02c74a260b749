/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the files of search/ share. The section signs (§) are those of docs/search.md. */
#pragma once

#include "search.h"

#define GRID_Q_MAX 40
#define GRID_E_MAX 8
#define BOOT_KINDS 4 /* kexec or cold, usual or clean build */

/* A hypothesis and the variant that realises it. For NONE and EMPTY both sets are 0. */
typedef struct {
	SearchHypothesisKind kind;
	SearchMask members;
	SearchMask closure;
	double log_prior;
} Hypothesis;

/* The sufficient statistics of one variant (§2). */
typedef struct {
	SearchMask mask;
	guint faults[BOOT_KINDS];
	guint cleans[BOOT_KINDS];
	guint sporadic;	 /* hang, panic, noboot */
	guint permanent; /* does not build */
} Variant;

/* Hypotheses for which the same trials are bad trials: one likelihood, one posterior of (q, ε). */
typedef struct {
	guint64 bad_faults, bad_cleans;
	double log_likelihood;
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
	double log_prior[GRID_Q_MAX][GRID_E_MAX]; /* -inf where ε >= q */
} Grid;

struct Search {
	/* the problem (problem.c) */
	guint n;
	char **names;
	double weights[SEARCH_MAX_CANDIDATES];
	SearchMask closure_of[SEARCH_MAX_CANDIDATES];	 /* i and all it needs */
	SearchMask dependents_of[SEARCH_MAX_CANDIDATES]; /* i and all that need it */
	SearchMask *conflicts;
	guint n_conflicts;
	SearchEffect effect;
	guint max_size;
	double confidence, q_detect, told_q, prior_none, prior_empty;
	SearchMode mode;
	bool confirm_cold, confirm_clean;
	guint max_confirm_boots;
	guint64 seed;
	Hypothesis *h; /* NONE, EMPTY, then sets by size and members */
	guint n_h;
	/* what was observed (search.c) */
	GArray *variants; /* Variant, by mask */
	/* the posterior (posterior.c), valid unless `stale` */
	bool stale;
	Grid grid;
	double *p;	    /* per hypothesis */
	guint *class_of;    /* per hypothesis */
	GArray *classes;    /* Class */
	guint leader;	    /* index of the most probable hypothesis */
	guint64 all_faults; /* over all trials */
	/* what cannot be tested (testable.c), valid unless `stale` */
	double poison[SEARCH_MAX_CANDIDATES];
	double *pair_poison; /* n × n, i < j */
};

/* problem.c */
bool problem_setup(Search *s, const SearchProblem *problem, GError **error);
SearchMask mask_all(const Search *s);
SearchMask variant_add(const Search *s, SearchMask v, guint i);	   /* with what i needs */
SearchMask variant_remove(const Search *s, SearchMask v, guint i); /* with what needs i */
bool hypothesis_bad(const Search *s, const Hypothesis *h, SearchMask v);
char *mask_names(const Search *s, SearchMask mask);

/* posterior.c */
void grid_init(Search *s);
void posterior_update(Search *s);
const Class *class_of(const Search *s, guint h);
double class_miss(const Search *s, const Class *c, guint k); /* E[(1-q)^k] */
double class_miss_smooth(const Search *s, const Class *c, guint k);
double class_quiet(const Search *s, const Class *c, guint k); /* E[(1-ε)^k] */
double class_miss_boots(const Search *s, const Class *c,
			guint k); /* boots until fault, at most k */
double class_quiet_boots(const Search *s, const Class *c, guint k); /* the same of a good variant */
void class_compute(const Search *s, guint64 bf, guint64 bc, guint64 gf, guint64 gc, Class *ret);

/* testable.c */
void testable_update(Search *s);
const Variant *variant_find(const Search *s, SearchMask mask);
bool variant_given_up(const Search *s, SearchMask mask); /* by its own record */
bool variant_is_hopeless(Search *s, SearchMask mask);	 /* by all records */
guint variant_faults(const Variant *v);
guint variant_cleans(const Variant *v);

/* variants.c: variants worth a thought, sorted, each valid and once */
GArray *variants_worth_trying(Search *s, const SearchCosts *costs);
SearchMask variant_maximal(const Search *s, const guint *order);
void order_by_marginal(Search *s, guint *ret_order);

/* choice.c: the most informative experiment per second; false when nothing would tell anything */
bool choice_best(Search *s, const SearchCosts *costs, SearchExperiment *ret);
/* Fills bits, untestable, cost_s and clips boots to the budget; false when it is not affordable. */
bool choice_price(Search *s, const SearchCosts *costs, SearchExperiment *e);
/* Whether some variant that can probably be tested would still tell hypotheses apart. */
bool choice_is_open(Search *s);

/* stop.c */
typedef enum { STOP_SEARCH, STOP_NEED, STOP_VERDICT } StopState;
/* Where the stopping rule stands: search on; needs *ret_need; or *ret_verdict is final. */
StopState stop_state(Search *s, SearchExperiment *ret_need, SearchVerdict *ret_verdict);
/* A boot that the parent rule will ask for, when the leader is already probable. */
bool stop_early_need(Search *s, SearchExperiment *ret_need);
guint stop_boots_needed(const Search *s, const Class *c);

/* rng.c */
guint64 rng_next(guint64 *state);
double rng_uniform(guint64 *state); /* [0, 1) */
guint64 rng_hash(guint64 a, guint64 b);
