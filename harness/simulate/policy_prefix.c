/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Binary search over prefixes of the series: the shortest one that has the effect ends with a
 * member; with that one always applied the next shortest ends with the next, until the members
 * alone have the effect. 20 boots a test. */
#include "simulate/sets.h"

static SearchMask prefix(const Sets *s, guint length)
{
	SearchMask below = length >= 64 ? ~(SearchMask)0 : ((SearchMask)1 << length) - 1;
	return s->start & below;
}

static void run(const SimPolicy *self, Lab *lab, SimClaim *ret)
{
	g_auto(Sets) s = {0};
	sets_init(&s, lab, (guint)self->number);
	if (!sets_start(&s))
		return;
	SearchMask members = 0;
	guint all = s.graph->n; /* a prefix of this length has the effect */
	while (!sets_has_effect(&s, members)) {
		guint none = 0;
		if (all == 0 || lab_is_spent(lab))
			return; /* the answers contradict each other */
		while (all - none > 1) {
			guint middle = none + (all - none) / 2;
			if (sets_has_effect(&s, members | prefix(&s, middle)))
				all = middle;
			else
				none = middle;
		}
		members |= s.graph->closure[--all];
	}
	sets_claim(&s, members, ret);
}

const SimPolicy sim_prefix = {
	.name = "prefix",
	.title = "binary search over prefixes of the series, 20 boots a test",
	.can = SIM_SETS,
	.run = run,
	.number = 20,
};
