/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "simulate/sets.h"

#include <math.h>

#define STARTS 8

void sets_init(Sets *s, Lab *lab, guint boots)
{
	*s = (Sets){
		.lab = lab,
		.graph = lab_graph(lab),
		.boots = boots,
		.tested = g_hash_table_new_full(g_int64_hash, g_int64_equal, g_free, NULL),
	};
}

void sets_clear(Sets *s)
{
	g_clear_pointer(&s->tested, g_hash_table_unref);
}

bool sets_has_effect(Sets *s, SearchMask variant)
{
	gpointer known = g_hash_table_lookup(s->tested, &variant);
	if (known)
		return GPOINTER_TO_UINT(known) == 1;
	LabOutcome o = lab_boots(s->lab, variant, s->boots, NULL);
	bool causes = lab_case(s->lab)->effect == SEARCH_CAUSES;
	bool yes = o == (causes ? LAB_FAULT : LAB_CLEAN);
	g_hash_table_insert(s->tested, g_memdup2(&variant, sizeof(variant)),
			    GUINT_TO_POINTER(yes ? 1 : 2));
	return yes;
}

SearchMask sets_without(const Sets *s, SearchMask set, guint i)
{
	SearchMask out = set;
	for (SearchMask rest = set; rest; rest &= rest - 1) {
		guint j = (guint)__builtin_ctzll(rest);
		if (s->graph->closure[j] >> i & 1)
			out &= ~((SearchMask)1 << j);
	}
	return out;
}

/* As much of `allowed` as applies together, taken in the order given. */
static SearchMask largest(const Sets *s, SearchMask allowed, const guint *order)
{
	SearchMask out = 0;
	for (guint k = 0; k < s->graph->n; k++) {
		SearchMask closure = s->graph->closure[order[k]];
		if ((closure & allowed) == closure && sim_graph_valid(s->graph, out | closure))
			out |= closure;
	}
	return out;
}

static SearchMask all_that_builds(Sets *s)
{
	guint n = s->graph->n;
	SearchMask all = n == 64 ? ~(SearchMask)0 : ((SearchMask)1 << n) - 1, out = all;
	if (sim_graph_valid(s->graph, all) && lab_build(s->lab, all, false))
		return all;
	for (guint i = 0; i < n; i++) {
		SearchMask alone = s->graph->closure[i];
		if (!sim_graph_valid(s->graph, alone) || !lab_build(s->lab, alone, false))
			out &= ~((SearchMask)1 << i);
	}
	return out;
}

bool sets_start(Sets *s)
{
	guint n = s->graph->n, order[SEARCH_MAX_CANDIDATES];
	SearchMask allowed = all_that_builds(s);
	for (guint i = 0; i < n; i++)
		order[i] = i;
	for (guint k = 0; k < STARTS && !lab_is_spent(s->lab); k++) {
		s->start = largest(s, allowed, order);
		if (sets_has_effect(s, s->start))
			return true;
		for (guint i = n - 1; i > 0; i--) {
			guint j = (guint)(lab_random(s->lab) % (i + 1)), held = order[i];
			order[i] = order[j];
			order[j] = held;
		}
	}
	return false;
}

void sets_claim(const Sets *s, SearchMask variant, SimClaim *ret)
{
	SearchMask members = variant;
	for (SearchMask rest = variant; rest; rest &= rest - 1) {
		guint i = (guint)__builtin_ctzll(rest);
		members &= ~(s->graph->closure[i] & ~((SearchMask)1 << i));
	}
	ret->verdict = true;
	ret->kind = members ? SEARCH_H_SET : SEARCH_H_EMPTY;
	ret->members = members;
	ret->probability = NAN;
}
