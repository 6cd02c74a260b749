/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * search: which boot next, and when the answer is sure enough.
 *
 * A pure library: no files, no clock, no global state. The next experiment follows from the
 * problem, its seed, what was observed (as counts, in any order) and what the caller says is built,
 * so a stopped campaign goes on by replaying its trials. One posterior for all kinds of candidates;
 * what differs between them is a space (search_subsets, search_history). The model and every
 * formula: docs/search.md.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#define SEARCH_MAX_CANDIDATES 64      /* of search_subsets */
#define SEARCH_MAX_SIZE 3	      /* members of a set */
#define SEARCH_MAX_COMMITS (1u << 20) /* of search_history in a line; with merges 16,384 */
#define SEARCH_UNLIMITED G_MAXUINT

/*
 * One exact thing to boot. search_subsets: the set of candidates that is applied, candidate i is
 * bit i, 0 is the base. search_history: a position, 0 the start of the range, i commit number i and
 * all its ancestors.
 */
typedef uint64_t SearchVariant;
/* A set of candidates; of search_history: one position. */
typedef uint64_t SearchMask;

/*
 * What the hypotheses and variants are. A new one is one file and one line here.
 * search_subsets: patches, kconfig options, boot parameters, initcall moves, mixed at will: which
 * smallest set has the effect. search_history: a range of commits, or any path of steps from one
 * state to another: from which one on.
 */
typedef struct SearchSpace SearchSpace;
extern const SearchSpace search_subsets, search_history;

typedef enum { SEARCH_CURES, SEARCH_CAUSES } SearchEffect;
typedef enum { SEARCH_KEXEC, SEARCH_COLD } SearchMode;

/* What is asked. Zero in a field with a default means the default. search_new() copies it all. */
typedef struct {
	const SearchSpace *space; /* NULL: search_subsets */
	guint n;		  /* candidates, or commits of the range (without its start) */
	const char *const *names; /* n names, for texts; NULL: "#0", "#1", … (commits: from 1) */
	const double *weights;	  /* n prior weights > 0; NULL: all equal */
	SearchEffect effect;	  /* makes the fault go away, or appear (history: the fix, or the
				     culprit) */
	/* search_subsets */
	const SearchMask *depends;   /* n sets: what i needs directly; NULL: nothing */
	const SearchMask *conflicts; /* sets (usually pairs) that do not apply together */
	guint n_conflicts;
	guint max_size; /* largest set looked for, 1..SEARCH_MAX_SIZE; default 3 */
	bool no_either; /* leave out two candidates of which each alone has the effect */
	/* search_history: parents of commit i (1..n) are parents[parent_start[i - 1]] up to,
	 * without, parents[parent_start[i]]; each < i, 0 is the start of the range. So the order is
	 * topological, and commit n is the end of the range. NULL: a line. */
	const guint *parent_start, *parents;

	/* search_history: between two positions that were given up none can be tested either
	 * (orders of one kernel; a commit between two that do not build may well build) */
	bool whole_stretches;

	double confidence; /* when to stop, 0.5..0.9999; default 0.99 */
	double q_detect;   /* a fault in fewer boots than this 'does not reproduce'; default 0.05 */
	double told_q;	   /* simulations: both rates are known: of faulty variants; default: not */
	double told_e;	   /* and of good ones; used with told_q only */
	double prior_always;   /* 'a faulty variant faults in every boot', to search with, < 1;
				  default 0.5 */
	double prior_none;     /* nothing has the effect; default 0.03 */
	double prior_empty;    /* the base is already as wished: see SEARCH_H_EMPTY; default 0.02 */
	SearchMode mode;       /* how trials other than confirmations boot */
	bool no_confirm;       /* stop without the confirmation by intervention (simulations) */
	bool no_confirm_cold;  /* the target has no cold boot: confirm in `mode` */
	bool no_confirm_clean; /* confirm without rebuilding from nothing */
	guint max_confirm_boots; /* cap per variant of the parent rule and confirmation; default 250
				  */
	bool quiet; /* no `reason` for experiments that search (simulations: it costs time) */
	guint64 seed;
} SearchProblem;

typedef struct Search Search; /* opaque */

/* Boots that were ordered and not yet observed, on another target. */
typedef struct {
	SearchVariant variant;
	guint boots;
} SearchPending;

/* What things cost now and what is left of the budget. Times in seconds; see also
 * search_costs_init(). */
typedef struct {
	double boot_s;	      /* one trial */
	double build_s;	      /* compiling a variant that is not in `built` */
	double clean_build_s; /* compiling from nothing, for a confirmation */
	double switch_s;      /* loading a variant other than `loaded` */
	bool has_loaded;
	SearchVariant loaded;
	const SearchVariant *built; /* variants that need no compiling, in any order; not kept */
	guint n_built;
	/* What a variant that is not in `built` costs, in place of build_s; NULL: build_s for each.
	 * (A variant that differs by boot parameters only costs 0.) */
	double (*build_cost)(SearchVariant variant, gpointer user);
	gpointer user;
	const SearchPending *pending; /* what other targets are busy with; not kept */
	guint n_pending;
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
	SearchVariant variant; /* always valid, see search_is_valid() */
	SearchMode mode;
	bool clean_build;  /* boot a kernel compiled from nothing, not one of the usual cache */
	guint boots;	   /* 1.. */
	bool until_fault;  /* a fault ends the batch early: more boots would tell little */
	double bits;	   /* expected information of the batch about the hypotheses */
	double untestable; /* probability that it does not build or come up, 0..1 */
	double p_fault;	   /* probability that the batch shows a fault */
	double cost_s;	   /* expected seconds, from SearchCosts */
	char reason[320];  /* one line for people: why this one, what either outcome would leave */
} SearchExperiment;

typedef enum { SEARCH_EXPERIMENT, SEARCH_DONE } SearchNext;

typedef enum {
	SEARCH_H_SET,  /* `members` is the minimal set that cures, or causes; history: the commit */
	SEARCH_H_NONE, /* nothing does */
	SEARCH_H_EMPTY,	 /* cures: nothing faults here; causes: the base itself faults */
	SEARCH_H_EITHER, /* `members` are two candidates, and each of them alone is enough */
} SearchHypothesisKind;

typedef struct {
	SearchHypothesisKind kind;
	SearchMask members; /* without what they merely depend on; NONE, EMPTY: 0 */
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
	SearchMask members; /* cause: the set (leading.kind says whether either alone); else 0 */
	double probability; /* of the claim; inconclusive: of the leading hypothesis */
	SearchHypothesis leading; /* whatever the kind */
	bool cold_differs; /* cold or clean boots disagree with the others: say so in the report */
	char reason[320];
} SearchVerdict;

typedef struct {
	double q_mean, q_low, q_high; /* P(fault) of a faulty variant; 95 % interval */
	double e_mean, e_low, e_high; /* P(fault) of a good one */
} SearchRates;

/* NULL and `error` (SEARCH_ERROR, says what is wrong) when the problem makes no sense. */
Search *search_new(const SearchProblem *problem, GError **error);
/* The same problem with the same observations; to think ahead with. */
Search *search_copy(const Search *s);
void search_free(Search *s);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Search, search_free)

/* Adds outcomes of trials of `variant` (any variant, even one that was not proposed). */
void search_observe(Search *s, SearchVariant variant, guint faults, guint cleans, SearchMode mode,
		    bool clean_build);
/* Adds one failure to build, hang, panic or noboot. `permanent`: trying again is pointless (it does
 * not compile); else it is given up after three times without any fault or clean. */
void search_observe_untestable(Search *s, SearchVariant variant, bool permanent);

/* The next experiment into *ret, or SEARCH_DONE: ask for the verdict. With `pending` boots: the
 * best one to start beside them; SEARCH_DONE then means that nothing is worth starting now. */
SearchNext search_next(Search *s, const SearchCosts *costs, SearchExperiment *ret);
/* Variants that are not built and will probably be asked for once `now` has ended, most probable
 * first, at most `max`; returns how many. For idle processors to compile. */
guint search_ahead(Search *s, const SearchCosts *costs, const SearchExperiment *now, guint max,
		   SearchVariant *ret);
/* The answer as far as it is known; at any time. */
void search_verdict(Search *s, SearchVerdict *ret);

/* The `max` most probable hypotheses, most probable first. Free with g_free(). */
SearchHypothesis *search_ranking(Search *s, guint max, guint *ret_len);
/* Bits that are missing: the entropy of the posterior. */
double search_entropy(Search *s);
/* Probability that candidate i (commit i + 1) is a member of the cause (or cure). */
double search_marginal(Search *s, guint i);
void search_rates(Search *s, SearchRates *ret);
/* Probability that `variant` cannot be tested, and that candidate i alone is why variants cannot.
 */
double search_untestable(Search *s, SearchVariant variant);
double search_poison(Search *s, guint i);

/* The variant that realises a hypothesis: `set` with all that it depends on. */
SearchVariant search_closure(const Search *s, SearchMask set);
/* Closed under dependencies and free of conflicts: a variant that applies. */
bool search_is_valid(const Search *s, SearchVariant variant);
guint search_n_hypotheses(const Search *s);

/* Whether the later half of the boots of one variant faulted at another rate than the earlier one:
 * `faults` holds the outcomes of its boots in order. False below 12 boots. §6 */
bool search_drifts(const bool *faults, guint n);

/* Costs of a small VM (boot 5 s, build 10 s, clean 240 s), nothing built, unlimited budget. */
void search_costs_init(SearchCosts *costs);
const char *search_purpose_name(SearchPurpose purpose); /* "calibrate", … */
const char *search_why_name(SearchWhy why);		/* "no_effect", … */
const char *
search_hypothesis_name(SearchHypothesisKind kind); /* "set", "none", "empty", "either" */
/* log2 of 1 + …: capacity in bits a boot of telling faulty from good when the rates are q and e,
 * 0 <= e < q <= 1 (SEARCH §8) and the least expected boots to tell `n` equally likely hypotheses
 * apart with error 1 - confidence. */
double search_capacity(double q, double e);
double search_bound(double n, double q, double e, double confidence);

#define SEARCH_ERROR (search_error_quark())
GQuark search_error_quark(void);
