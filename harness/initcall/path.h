/* SPDX-License-Identifier: GPL-2.0-or-later */
/* From one order to another by adjacent swaps, each pair that stands differently swapped exactly
 * once: then a precedence that matters is a threshold on the path (docs/init-order.md).
 *
 * Pure: items are numbers 0..n-1, an order is an array of all of them. */
#pragma once

#include <glib.h>
#include <stdbool.h>

#define INITCALL_PATH_ITEMS_MAX 20000
#define INITCALL_PATH_STEPS_MAX (1u << 20) /* as many as search/ takes for a line */

typedef struct InitcallPath InitcallPath;

/* Step k: `late` stood right before `early`, and from position k on stands after it. */
typedef struct {
	guint late, early;
} InitcallSwap;

/*
 * The path from `good` (position 0) to `bad` (its last position). `group` says of each item which
 * stretch of `good` it belongs to, and does not fall along `good`; NULL: all in one. Within a group
 * things move first, then between neighbouring groups, then between ever larger runs of them, and
 * in each stretch one item after the other moves to its place: so what depends on another group
 * keeps its order for as long as it can. NULL and *error (KX_ERROR_INPUT) when the two are no
 * orders of the same items, or there are more than INITCALL_PATH_STEPS_MAX steps.
 */
InitcallPath *initcall_path_new(const guint *good, const guint *bad, guint n, const guint *group,
				GError **error);
void initcall_path_free(InitcallPath *p);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(InitcallPath, initcall_path_free)

/* Steps: the pairs that stand differently. 0: the orders are the same. */
guint initcall_path_length(const InitcallPath *p);
/* Moves of one item over a block of others that the steps make up. */
guint initcall_path_moves(const InitcallPath *p);
/* Step k, 1..length. */
InitcallSwap initcall_path_swap(const InitcallPath *p, guint k);
/* The order at position k, 0..length: n items into `ret`. */
void initcall_path_order(const InitcallPath *p, guint k, guint *ret);
/* The step that swaps the two, or 0 when they stand the same in both orders. */
guint initcall_path_find(const InitcallPath *p, guint a, guint b);

/*
 * The order between `near` and `far` in which `first` stands before `second`, as in `far` and not
 * as in `near`, and as little as possible else is as in `far`: `ret`, n items. No pair stands in it
 * as in neither of the two.
 */
void initcall_path_restore(const guint *near_order, const guint *far_order, guint n, guint first,
			   guint second, guint *ret);
