/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Labs of the space precedence: two orders of initcalls, and which of them must stay before which.
 */
#pragma once

#include "search/order.h"
#include "simulate/simulate.h"

typedef struct {
	guint n;
	guint *good, *bad, *group;
	guint pairs; /* that stand differently */
	InitcallSwap pair[ORDER_MAX_PAIRS];
	guint n_pairs;
	bool either;	 /* each pair is enough; else it takes both */
	GArray *helpers; /* Helper: orders that do not come up */
} SimOrders;

/* Draws the truth of trial `number`. */
SimOrders *sim_orders_new(const SimCase *c, guint number);
void sim_orders_free(SimOrders *o);
/* Whether the order shows the fault, and whether it comes up at all. */
bool sim_orders_bad(const SimOrders *o, const guint *order);
bool sim_orders_boots(const SimOrders *o, const guint *order);
