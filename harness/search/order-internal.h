/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the files of the search over orders share. */
#pragma once

#include "search/order.h"

typedef enum {
	LINE_PATH,
	LINE_ALONE,    /* is this pair enough by itself? */
	LINE_TOGETHER, /* are the two? */
	LINE_AWAY,     /* is it needed? */
	LINE_OTHER,    /* the one that is enough as well: is it, by itself? */
	LINE_SECOND,   /* of two that are needed: is the second one enough after all? */
} OrderLineKind;

typedef struct {
	SearchVariant position;
	guint faults, cleans;
	SearchMode mode;
} OrderSeen;

/*
 * One line. `path` is its part of single swaps. PATH: position k is k of the path. ALONE, TOGETHER,
 * OTHER, SECOND: position 0 is the good order, k is k - 1 of the path (shift 1), which begins where
 * the pairs are wrong and nothing else that need not be. AWAY: k is k of the path, which ends where
 * the pair is right; the last position is the bad order.
 */
typedef struct {
	OrderLineKind kind;
	guint from;			     /* the line that led to this one */
	InitcallSwap asked;		     /* the newest pair that it is about */
	bool strict;			     /* goes on until its search is certain */
	InitcallSwap pairs[ORDER_MAX_PAIRS]; /* what was known when it began */
	guint n_pairs;
	guint shift;
	InitcallPath *path;
	guint length;
	Search *search;
	GArray *seen; /* OrderSeen, with what earlier lines taught */
} OrderLine;

struct OrderSearch {
	guint n;
	guint *good, *bad, *group;
	char **names;
	OrderProblem problem; /* without its arrays */
	OrderLine lines[ORDER_MAX_LINES];
	guint n_lines, present;
	/* what is known */
	InitcallSwap pairs[ORDER_MAX_PAIRS];
	guint n_pairs;
	OrderClaim claim;
	bool over, more;
	double probability; /* of the lines that are settled */
};

/* order_lines.c: begins the line, which then is the present one; false: it cannot be. */
bool order_begin_path(OrderSearch *o, GError **error);
/* From the present line on; about the pairs that are known, or (OTHER, SECOND, AWAY) about `asked`.
 */
bool order_begin(OrderSearch *o, OrderLineKind kind, InitcallSwap asked);
/* Whether the good order with `pair` as in the bad one has `other` so as well. */
bool order_comes_along(const OrderSearch *o, InitcallSwap pair, InitcallSwap other);
void order_end_line(OrderLine *l);
/* The swap that step k of the line is; false: it is the one that jumps. */
bool order_step(const OrderLine *l, guint k, InitcallSwap *ret);
