/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The search over orders: which precedence matters, between an order that is good and one that is
 * bad. It asks one line of orders (search_history) after the other:
 *
 *   path   the adjacent swaps from good to bad: the first pair p
 *   alone  the good order with p as in the bad one, then on to the bad one: is p enough by itself?
 *          If not, the line says which second pair it takes
 *   away   from the good order to the bad one with p as in the good one, then the bad one: does
 *          that take the fault away? If not, the line says which other pair is enough as well
 *
 * The last two are the proof by intervention: in the good order p brings the fault, in the bad
 * one its absence takes it away. Pure, as search.h; docs/init-order.md.
 */
#pragma once

#include "initcall/path.h"
#include "search/search.h"

#define ORDER_MAX_PAIRS 2
#define ORDER_MAX_LINES 16

typedef struct {
	guint n;		  /* initcalls and whatever else has a place in the order */
	const guint *good, *bad;  /* n items each; not kept */
	const guint *group;	  /* see initcall_path_new() */
	const char *const *names; /* n names for texts; NULL: numbers */
	double confidence;	  /* 0.5..0.9999; default 0.99 */
	double q_detect, told_q, told_e;
	SearchMode mode;       /* of the path */
	SearchMode mode_proof; /* of what comes after it */
	bool quiet;
	guint64 seed;
} OrderProblem;

typedef struct OrderSearch OrderSearch;

/* `error`: SEARCH_ERROR, or of initcall_path_new(). The two orders must differ. */
OrderSearch *order_new(const OrderProblem *problem, GError **error);
void order_free(OrderSearch *o);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(OrderSearch, order_free)

/* A variant: an order of one of the lines. 0 is the good order. */
#define ORDER_LINE(variant) ((guint)((variant) >> 32))
#define ORDER_POSITION(variant) ((guint)((variant)&G_MAXUINT32))

/* As search_observe() and search_observe_untestable(). Trials of a line that was begun before may
 * come in any order; those of a line that is not reached by the trials of earlier ones are ignored
 * (false). */
bool order_observe(OrderSearch *o, SearchVariant variant, guint faults, guint cleans,
		   SearchMode mode);
bool order_observe_untestable(OrderSearch *o, SearchVariant variant, bool permanent);
/* As search_next(). `costs->built` may name variants of any line. */
SearchNext order_next(OrderSearch *o, const SearchCosts *costs, SearchExperiment *ret);

/* n items into `ret`. False: there is no such variant. */
bool order_of(const OrderSearch *o, SearchVariant variant, guint *ret);
/* The pairs in which the orders differ: steps of the path. */
guint order_pairs(const OrderSearch *o);
/* The path itself, and the search of the present line; owned by `o`. */
const InitcallPath *order_path(const OrderSearch *o);
Search *order_search(OrderSearch *o);
guint order_line(const OrderSearch *o); /* its number, 0: the path */

typedef enum {
	ORDER_NOTHING, /* see `search`: nothing matters, nothing faults, or not known */
	ORDER_ONE,     /* pair[0] */
	ORDER_BOTH,    /* the fault takes pair[0] and pair[1] */
	ORDER_EITHER,  /* pair[0] and pair[1], each enough by itself */
} OrderClaim;
const char *order_claim_name(OrderClaim claim); /* "nothing", "one", "both", "either" */

typedef struct {
	OrderClaim claim;
	bool proved; /* else the search is not over: what it looks like now */
	bool more;   /* a third pair takes part, which is not looked for */
	InitcallSwap pair[ORDER_MAX_PAIRS]; /* in the good order `late` stands before `early` */
	guint n_pairs;
	double probability;
	SearchVerdict search; /* of the line that is last */
} OrderVerdict;

void order_verdict(OrderSearch *o, OrderVerdict *ret);

/* "a before b, as in the good order"; new strings. */
char *order_pair_name(const OrderSearch *o, InitcallSwap pair);
/* What an order of a line is, in words: "position 12 of 250 (a after b)", "the good order". */
char *order_variant_name(const OrderSearch *o, SearchVariant variant);
/* A hypothesis of the present line. */
char *order_hypothesis_name(const OrderSearch *o, const SearchHypothesis *h);
