/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * search: which boot next, and when the answer is sure enough.
 *
 * A pure library: no files, no clock, no global state. The next experiment follows from the
 * problem, its seed, what was observed (as counts, in any order) and what the caller says is built,
 * so a stopped campaign goes on by replaying its trials. The model and every formula:
 * docs/search.md.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#define SEARCH_MAX_CANDIDATES 64
#define SEARCH_MAX_SIZE 3
#define SEARCH_UNLIMITED G_MAXUINT

/* A set of candidates, candidate i is bit i. As a variant: what is applied; 0 is the base. */
typedef uint64_t SearchMask;

typedef enum { SEARCH_CURES, SEARCH_CAUSES } SearchEffect;
typedef enum { SEARCH_KEXEC, SEARCH_COLD } SearchMode;

/* What is asked. Zero in a field with a default means the default. search_new() copies it all. */
typedef struct {
	guint n;		     /* candidates, 1..SEARCH_MAX_CANDIDATES */
	const char *const *names;    /* n names, for `reason` texts; NULL: "#0", "#1", … */
	const double *weights;	     /* n prior weights > 0; NULL: all equal */
	const SearchMask *depends;   /* n sets: what i needs directly; NULL: nothing */
	const SearchMask *conflicts; /* sets (usually pairs) that do not apply together */
	guint n_conflicts;
	SearchEffect effect; /* sets that make the fault go away, or appear, on the base */
	guint max_size;	     /* largest set looked for, 1..SEARCH_MAX_SIZE; default 3 */
	double confidence;   /* when to stop, 0.5..0.9999; default 0.99 */
	double q_detect;   /* a fault in fewer boots than this 'does not reproduce'; default 0.05 */
	double told_q;	   /* simulations: the rate of faulty variants is known; default: not */
	double prior_none; /* no set has the effect; default 0.05 */
	double prior_empty;    /* the base is already as wished: see SEARCH_H_EMPTY; default 0.05 */
	SearchMode mode;       /* how trials other than confirmations boot */
	bool no_confirm_cold;  /* the target has no cold boot: confirm in `mode` */
	bool no_confirm_clean; /* confirm without rebuilding from nothing */
	guint max_confirm_boots; /* cap per variant of the parent rule and confirmation; default 250
				  */
	guint64 seed;
} SearchProblem;

typedef struct Search Search; /* opaque */

/* What things cost now and what is left of the budget. Times in seconds; see also
 * search_costs_init(). */
typedef struct {
	double boot_s;	      /* one trial */
	double build_s;	      /* compiling a variant that is not in `built` */
	double clean_build_s; /* compiling from nothing, for a confirmation */
	double switch_s;      /* loading a variant other than `loaded` */
	bool has_loaded;
	SearchMask loaded;
	const SearchMask *built; /* variants that need no compiling, in any order; not kept */
	guint n_built;
	guint boots_left, builds_left; /* SEARCH_UNLIMITED */
	double seconds_left;	       /* HUGE_VAL */
} SearchCosts;

typedef enum {
	SEARCH_CALIBRATE, /* does the fault show here at all, and how often */
	SEARCH_SEARCH,	  /* tell hypotheses apart */
	SEARCH_PARENT,	  /* the leading set alone, or it without one member */
	SEARCH_CONFIRM,	  /* cause away, cause back: cold boots, clean rebuild */
	SEARCH_PURPOSE_MAX
} SearchPurpose;

/* Boot `variant` up to `boots` times, then observe and ask again. */
typedef struct {
	SearchPurpose purpose;
	SearchMask variant; /* always valid, see search_is_valid() */
	SearchMode mode;
	bool clean_build;  /* boot a kernel compiled from nothing, not one of the usual cache */
	guint boots;	   /* 1.. */
	bool until_fault;  /* a fault ends the batch early: more boots would tell little */
	double bits;	   /* expected information of the batch about the hypotheses */
	double untestable; /* probability that it does not build or come up, 0..1 */
	double cost_s;	   /* expected seconds, from SearchCosts */
	char reason[200];  /* one line for people */
} SearchExperiment;

typedef enum { SEARCH_EXPERIMENT, SEARCH_DONE } SearchNext;

typedef enum {
	SEARCH_H_SET,	/* `members` is the minimal set that cures, or causes */
	SEARCH_H_NONE,	/* no set does */
	SEARCH_H_EMPTY, /* cures: nothing faults here; causes: the base itself faults */
} SearchHypothesisKind;

typedef struct {
	SearchHypothesisKind kind;
	SearchMask members; /* SEARCH_H_SET: without what they merely depend on */
	double probability;
} SearchHypothesis;

typedef enum {
	SEARCH_VERDICT_CAUSE,
	SEARCH_VERDICT_NONE,
	SEARCH_VERDICT_INCONCLUSIVE
} SearchVerdictKind;

typedef enum {
	SEARCH_WHY_RULE,	 /* cause: posterior, parent rule and confirmation hold */
	SEARCH_WHY_NO_EFFECT,	 /* none: no combination removes it, or causes it */
	SEARCH_WHY_NO_FAULT,	 /* none: the base shows no fault (rate below q_detect) */
	SEARCH_WHY_BASE_FAULTS,	 /* none: the base faults by itself, nothing to be caused */
	SEARCH_WHY_UNFINISHED,	 /* inconclusive: more boots would help (so: the budget ended) */
	SEARCH_WHY_UNTESTABLE,	 /* inconclusive: what would decide does not build or come up */
	SEARCH_WHY_COLD_DIFFERS, /* inconclusive: cold or clean kernels contradict the search */
	SEARCH_WHY_MAX
} SearchWhy;

typedef struct {
	SearchVerdictKind kind;
	SearchWhy why;
	SearchEffect effect;
	SearchMask members;	  /* cause: the set; else 0 */
	double probability;	  /* of the claim; inconclusive: of the leading hypothesis */
	SearchHypothesis leading; /* whatever the kind */
	bool cold_differs; /* cold or clean boots disagree with the others: say so in the report */
	char reason[200];
} SearchVerdict;

typedef struct {
	double q_mean, q_low, q_high; /* P(fault) of a faulty variant; 95 % interval */
	double e_mean, e_low, e_high; /* P(fault) of a good one */
} SearchRates;

/* NULL and `error` (SEARCH_ERROR, says what is wrong) when the problem makes no sense. */
Search *search_new(const SearchProblem *problem, GError **error);
void search_free(Search *s);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Search, search_free)

/* Adds outcomes of trials of `variant` (any variant, even one that was not proposed). */
void search_observe(Search *s, SearchMask variant, guint faults, guint cleans, SearchMode mode,
		    bool clean_build);
/* Adds one failure to build, hang, panic or noboot. `permanent`: trying again is pointless (it does
 * not compile); else it is given up after three times without any fault or clean. */
void search_observe_untestable(Search *s, SearchMask variant, bool permanent);

/* The next experiment into *ret, or SEARCH_DONE: ask for the verdict. */
SearchNext search_next(Search *s, const SearchCosts *costs, SearchExperiment *ret);
/* The answer as far as it is known; at any time. */
void search_verdict(Search *s, SearchVerdict *ret);

/* The `max` most probable hypotheses, most probable first. Free with g_free(). */
SearchHypothesis *search_ranking(Search *s, guint max, guint *ret_len);
/* Probability that candidate i is a member of the cause (or cure). */
double search_marginal(Search *s, guint i);
void search_rates(Search *s, SearchRates *ret);
/* Probability that `variant` cannot be tested, and that candidate i alone is why variants cannot.
 */
double search_untestable(Search *s, SearchMask variant);
double search_poison(Search *s, guint i);

/* `set` with all that it depends on; the variant that realises a hypothesis. */
SearchMask search_closure(const Search *s, SearchMask set);
/* Closed under dependencies and free of conflicts: a variant that applies. */
bool search_is_valid(const Search *s, SearchMask variant);
guint search_n_hypotheses(const Search *s);

/* Costs of a small VM (boot 5 s, build 10 s, clean 240 s), nothing built, unlimited budget. */
void search_costs_init(SearchCosts *costs);
const char *search_purpose_name(SearchPurpose purpose); /* "calibrate", … */
const char *search_why_name(SearchWhy why);		/* "no_effect", … */

#define SEARCH_ERROR (search_error_quark())
GQuark search_error_quark(void);
