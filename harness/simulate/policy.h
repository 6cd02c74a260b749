/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Ways to search. A new one is a file and a line in policy.c. */
#pragma once

#include "simulate/lab.h"

typedef struct {
	bool verdict; /* false: inconclusive */
	SearchHypothesisKind kind;
	SearchMask members; /* as in SimTruth; order: the position on the path */
	double probability; /* that it claims; NaN: it claims none */
	OrderVerdict order; /* precedence: in place of kind and members */
	/* seconds that choosing took, if the policy measures it; else choices is 0 */
	guint choices;
	double choose_s, choose_s_max;
} SimClaim;

/* Kinds of spaces that a policy can do. */
enum { SIM_LINES = 1, SIM_PATHS = 2, SIM_SETS = 4, SIM_ORDERS = 8 };

struct SimPolicy {
	const char *name, *title;
	unsigned can; /* SIM_LINES: history, SIM_PATHS: order, SIM_ORDERS: precedence,
			 SIM_SETS: the others */
	/* Searches the lab. ret is zero before: an inconclusive claim. */
	void (*run)(const SimPolicy *self, Lab *lab, SimClaim *ret);
	double number; /* a policy's own: boots a test, confidence, … */
};

/* In the order of the tables; NULL after the last. */
extern const SimPolicy *const sim_policies[];
const SimPolicy *sim_policy_find(const char *name);
bool sim_policy_can(const SimPolicy *p, SimSpace space);

/* policy_orders.c: what `kexsect` does in the space precedence. */
void sim_search_orders(Lab *lab, SimClaim *ret);

extern const SimPolicy sim_fixed_1, sim_fixed_10, sim_fixed_kstar, sim_syzkaller, sim_two_rates_95,
	sim_two_rates_99, sim_misses_only, sim_greedy_told, sim_ddmin, sim_probdd, sim_prefix,
	sim_kexsect, sim_proof;
