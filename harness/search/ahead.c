/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Thinking ahead: other targets, idle compilers, and what an experiment decides (docs/search.md
 * §4.6, §4.7). */
#include "search-internal.h"

static void suppose(Search *s, SearchVariant v, bool fault, guint boots)
{
	search_observe(s, v, fault, fault ? 0 : boots, s->mode, false);
}

static double probability_of_fault(Search *s, SearchVariant v, guint boots)
{
	SearchCosts costs;
	SearchExperiment e = {.variant = v, .boots = MAX(boots, 1), .until_fault = true};

	search_costs_init(&costs);
	posterior_update(s);
	return choice_price(s, &costs, &e) ? e.p_fault : 0;
}

static Search *copy_quietly(const Search *from)
{
	Search *s = search_copy(from);

	s->quiet = true;
	return s;
}

/* §4.6: what runs elsewhere is taken to end as is most probable, one after the other. */
Search *ahead_of(Search *s, const SearchPending *pending, guint n)
{
	Search *later = copy_quietly(s);

	for (guint k = 0; k < n; k++) {
		double p = probability_of_fault(later, pending[k].variant, pending[k].boots);

		suppose(later, pending[k].variant, p > 0.5, pending[k].boots);
	}
	return later;
}

guint search_ahead(Search *s, const SearchCosts *costs, const SearchExperiment *now, guint max,
		   SearchVariant *ret)
{
	double p = now->p_fault;
	guint n = 0;

	for (guint k = 0; k < 2 && n < max; k++) {
		g_autoptr(Search) later = copy_quietly(s);
		SearchExperiment e;
		bool fault = (k == 0) == (p > 0.5);

		suppose(later, now->variant, fault, now->boots);
		if (search_next(later, costs, &e) != SEARCH_EXPERIMENT || e.clean_build ||
		    choice_is_built(costs, e.variant) || (n && ret[0] == e.variant))
			continue;
		ret[n++] = e.variant;
	}
	return n;
}

/* §4.7 */
static char *leader_after(const Search *from, const SearchExperiment *e, bool fault)
{
	g_autoptr(Search) s = copy_quietly(from);
	g_autofree char *name = NULL;

	suppose(s, e->variant, fault, e->boots);
	posterior_update(s);
	name = hypothesis_name(s, &s->leader);
	return g_strdup_printf("%.60s (%.2g)", name, s->leader.probability);
}

void explain_search(Search *s, SearchExperiment *e)
{
	g_autofree char *fault = leader_after(s, e, true), *silent = leader_after(s, e, false);

	g_snprintf(e->reason, sizeof(e->reason),
		   "a fault (probability %.2f) would leave %s ahead, %u silent %s %s; %.2f bits in "
		   "%.0f s",
		   e->p_fault, fault, e->boots, e->boots == 1 ? "boot" : "boots", silent, e->bits,
		   e->cost_s);
}
