/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Probabilistic delta debugging: each candidate is needed with probability p, 0.1 at first. It
 * leaves out the set of the least p for which size · Π(1 − p) is largest; when the effect stays,
 * these are gone, else p ← p / (1 − Π(1 − p)) for each of them. Until each is gone or needed for
 * certain; 20 boots a test.
 */
#include <stdlib.h>

#include "simulate/sets.h"

#define P0 0.1
#define CERTAIN (1 - 1e-6)

typedef struct {
	double p[SEARCH_MAX_CANDIDATES];
	guint order[SEARCH_MAX_CANDIDATES], n; /* what is left, least p first */
} Belief;

static void sort(Belief *b, SearchMask left)
{
	b->n = 0;
	for (SearchMask rest = left; rest; rest &= rest - 1) {
		guint i = (guint)__builtin_ctzll(rest), at = b->n++;
		for (; at > 0 && b->p[b->order[at - 1]] > b->p[i]; at--)
			b->order[at] = b->order[at - 1];
		b->order[at] = i;
	}
}

static double all_needless(const Belief *b, SearchMask set)
{
	double product = 1;
	for (SearchMask rest = set; rest; rest &= rest - 1)
		product *= 1 - b->p[__builtin_ctzll(rest)];
	return product;
}

/* What to leave out of `left`; 0: nothing is to be gained. */
static SearchMask choose(const Sets *s, const Belief *b, SearchMask left)
{
	SearchMask kept = left, best = 0;
	double most = 1e-9;
	for (guint k = 0; k < b->n && b->p[b->order[k]] < CERTAIN; k++) {
		if (!(kept >> b->order[k] & 1))
			continue;
		SearchMask without = sets_without(s, kept, b->order[k]);
		double gain =
			__builtin_popcountll(left & ~without) * all_needless(b, left & ~without);
		/* One whose removal takes something that is needed along stays. */
		if (all_needless(b, left & ~without) <= 1 - CERTAIN)
			continue;
		kept = without;
		if (gain > most) {
			most = gain;
			best = left & ~without;
		}
	}
	return best;
}

static void run(const SimPolicy *self, Lab *lab, SimClaim *ret)
{
	g_auto(Sets) s = {0};
	sets_init(&s, lab, (guint)self->number);
	if (!sets_start(&s))
		return;
	Belief b = {0};
	for (guint i = 0; i < s.graph->n; i++)
		b.p[i] = P0;
	SearchMask left = s.start, out;
	sort(&b, left);
	while ((out = choose(&s, &b, left)) && !lab_is_spent(lab)) {
		if (sets_has_effect(&s, left & ~out)) {
			left &= ~out;
		} else {
			double needed = 1 - all_needless(&b, out);
			for (SearchMask rest = out; rest; rest &= rest - 1) {
				guint i = (guint)__builtin_ctzll(rest);
				b.p[i] = MIN(b.p[i] / needed, 1);
			}
		}
		sort(&b, left);
	}
	if (!out)
		sets_claim(&s, left, ret);
}

const SimPolicy sim_probdd = {
	.name = "probdd",
	.title = "probabilistic delta debugging (p0 = 0.1), 20 boots a test",
	.can = SIM_SETS,
	.run = run,
	.number = 20,
};
