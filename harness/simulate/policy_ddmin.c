/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Delta debugging (ddmin): halves, then their complements, then finer parts, until no member can
 * be left out; 20 boots a test. A part is tested with all that it needs. */
#include "simulate/sets.h"

static guint members_of(SearchMask set, guint *ret)
{
	guint n = 0;
	for (SearchMask rest = set; rest; rest &= rest - 1)
		ret[n++] = (guint)__builtin_ctzll(rest);
	return n;
}

typedef struct {
	SearchMask set;
	guint parts;
} Split;

/* Part k of `parts`. */
static SearchMask part(const guint *member, guint n, guint parts, guint k)
{
	SearchMask out = 0;
	for (guint i = n * k / parts; i < n * (k + 1) / parts; i++)
		out |= (SearchMask)1 << member[i];
	return out;
}

static bool works(Sets *s, const Split *from, SearchMask set, guint parts, Split *ret)
{
	SearchMask variant = sim_graph_closure(s->graph, set);
	if (variant == from->set || !sets_has_effect(s, variant))
		return false;
	*ret = (Split){variant, parts};
	return true;
}

/* One round; false: nothing smaller has the effect. */
static bool reduce(Sets *s, Split *x)
{
	guint member[SEARCH_MAX_CANDIDATES], n = members_of(x->set, member);
	Split now = *x;
	now.parts = MIN(now.parts, n);
	for (guint k = 0; k < now.parts; k++)
		if (works(s, &now, part(member, n, now.parts, k), 2, x))
			return true;
	for (guint k = 0; k < now.parts; k++) {
		SearchMask rest = now.set & ~part(member, n, now.parts, k);
		if (works(s, &now, rest, MAX(now.parts - 1, 2), x))
			return true;
	}
	x->parts = MIN(2 * now.parts, n);
	return now.parts < n;
}

static void run(const SimPolicy *self, Lab *lab, SimClaim *ret)
{
	g_auto(Sets) s = {0};
	sets_init(&s, lab, (guint)self->number);
	if (!sets_start(&s))
		return;
	Split x = {s.start, 2};
	while (x.set && reduce(&s, &x))
		if (lab_is_spent(lab))
			return;
	sets_claim(&s, x.set, ret);
}

const SimPolicy sim_ddmin = {
	.name = "ddmin",
	.title = "delta debugging, 20 boots a test",
	.can = SIM_SETS,
	.run = run,
	.number = 20,
};
