/* SPDX-License-Identifier: GPL-2.0-or-later */
/* When the search may stop: posterior and parent rule (docs/search.md §5). */
#include "search-internal.h"

#include <math.h>
#include <string.h>

#define EARLY_PARENT 0.8 /* from here on the boots that the parent rule needs are weighed in */

/* §5.2: the smallest n with E[(1-q)^n | data] <= δ/(1-δ), 1-δ the confidence. */
guint stop_boots_needed(const Search *s, const Class *c)
{
	double bound = (1 - s->confidence) / s->confidence;
	guint low = 0, high = 1;

	while (high < s->max_confirm_boots && class_miss_smooth(s, c, high) > bound) {
		low = high;
		high *= 2;
	}
	high = MIN(high, s->max_confirm_boots);
	while (high - low > 1) {
		guint mid = (low + high) / 2;

		if (class_miss_smooth(s, c, mid) > bound)
			low = mid;
		else
			high = mid;
	}
	return high;
}

StopState stop_need(SearchExperiment *e, const Search *s, SearchPurpose purpose, SearchVariant v,
		    guint boots, bool until_fault)
{
	e->purpose = purpose;
	e->variant = v;
	e->mode = s->mode;
	e->boots = MAX(boots, 1);
	e->until_fault = until_fault;
	return STOP_NEED;
}

StopState stop_conclude(const Search *s, SearchVerdict *v, SearchVerdictKind kind, SearchWhy why,
			double probability)
{
	v->kind = kind;
	v->why = why;
	v->members = kind == SEARCH_VERDICT_CAUSE ? s->leader.members : 0;
	v->probability = probability;
	v->cold_differs |= why == SEARCH_WHY_COLD_DIFFERS;
	return STOP_VERDICT;
}

StopState stop_untestable(Search *s, SearchVariant variant, SearchVerdict *v)
{
	g_autofree char *name = s->space->name_variant(s, variant);

	g_snprintf(v->reason, sizeof(v->reason),
		   "the variant with %s does not build or come up, and the answer needs it", name);
	return stop_conclude(s, v, SEARCH_VERDICT_INCONCLUSIVE, SEARCH_WHY_UNTESTABLE,
			     s->leader.probability);
}

/*
 * What was seen of the leader at `a` (§5.2). Variants count that show at least as much: a wider one
 * without the cause (were less of it enough, it would have it too), a narrower one with it.
 */
static guint seen_at(const Search *s, const Around *a, bool faults)
{
	guint sum = 0;

	for (guint k = 0; k < s->records->len; k++) {
		const Record *r = &g_array_index(s->records, Record, k);
		bool wider = s->space->contains(s, r->variant, a->variant);
		bool narrower = s->space->contains(s, a->variant, r->variant);

		if ((a->has ? narrower : wider) &&
		    s->space->has(s, &s->leader, r->variant) == a->has)
			sum += faults ? record_faults(r) : record_cleans(r);
	}
	return sum;
}

/* §5.2 at one variant: n cleans where the leader says good, one fault where it says bad. */
static StopState parent_at(Search *s, Around *a, guint n, SearchExperiment *e, SearchVerdict *v)
{
	bool bad = a->has == (s->effect == SEARCH_CAUSES);
	guint have = seen_at(s, a, bad), want = bad ? 1 : n;
	g_autofree char *name = NULL;

	if (have >= want)
		return STOP_SEARCH;
	if (variant_given_up(s, a->variant) && !s->space->substitute(s, &s->leader, a))
		return stop_untestable(s, a->variant, v);
	name = hypothesis_name(s, &s->leader);
	g_snprintf(e->reason, sizeof(e->reason), "%s leads with %.3g: does it %s %s%s?", name,
		   s->leader.probability, bad ? "fault" : "stay clean",
		   a->has ? "with that alone" : "without ", a->has ? "" : a->missing);
	return stop_need(e, s, SEARCH_PARENT, a->variant, bad ? n : want - have, true);
}

static StopState parent_rule(Search *s, guint n, SearchExperiment *e, SearchVerdict *v)
{
	Around around[AROUND_MAX];
	guint len = s->space->around(s, &s->leader, around);
	StopState state = STOP_SEARCH;

	for (guint k = 0; k < len && state == STOP_SEARCH; k++)
		state = parent_at(s, &around[k], n, e, v);
	return state;
}

static StopState claim(Search *s, SearchExperiment *e, SearchVerdict *v)
{
	guint n = stop_boots_needed(s, leader_class(s));
	bool cures = s->effect == SEARCH_CURES, either = s->leader.kind == SEARCH_H_EITHER;
	bool several = s->space == &search_subsets && s->leader.members & (s->leader.members - 1);
	g_autofree char *name = NULL;
	StopState state = parent_rule(s, n, e, v);

	if (state == STOP_SEARCH && s->confirm)
		state = confirm(s, n, e, v);
	if (state != STOP_SEARCH)
		return state;
	name = hypothesis_name(s, &s->leader);
	g_snprintf(v->reason, sizeof(v->reason), "%s %s the fault%s%s", name,
		   cures ? "removes" : "causes",
		   either    ? "; each alone is enough"
		   : several ? "; each member is needed"
			     : "",
		   s->confirm ? "; confirmed" : "");
	return stop_conclude(s, v, SEARCH_VERDICT_CAUSE, SEARCH_WHY_RULE, s->leader.probability);
}

static StopState decide(Search *s, SearchExperiment *e, SearchVerdict *v)
{
	bool cures = s->effect == SEARCH_CURES;
	StopState state = calibrate(s, e, v);

	if (state != STOP_SEARCH)
		return state;
	if (!cures && s->all_faults == 0 && silent_mass(s, true) >= s->confidence)
		return claim_none(s, silent_mass(s, true), e, v);
	if (s->leader.probability < s->enough)
		return STOP_SEARCH;
	switch (s->leader.kind) {
	case SEARCH_H_SET:
	case SEARCH_H_EITHER:
		return claim(s, e, v);
	case SEARCH_H_NONE:
		return claim_none(s, s->leader.probability, e, v);
	case SEARCH_H_EMPTY:
		break;
	}
	g_snprintf(v->reason, sizeof(v->reason), "%s",
		   cures ? "no variant faults more often than by chance"
			 : "the base itself faults");
	return stop_conclude(s, v, SEARCH_VERDICT_NONE,
			     cures ? SEARCH_WHY_NO_FAULT : SEARCH_WHY_BASE_FAULTS,
			     s->leader.probability);
}

StopState stop_state(Search *s, SearchExperiment *ret_need, SearchVerdict *ret_verdict)
{
	SearchVerdict v = {.kind = SEARCH_VERDICT_INCONCLUSIVE, .why = SEARCH_WHY_UNFINISHED};
	g_autofree char *name = hypothesis_name(s, &s->leader);
	StopState state;

	v.effect = s->effect;
	v.leading = s->leader;
	v.probability = s->leader.probability;
	v.cold_differs = s->confirm && cold_differs(s);
	g_snprintf(v.reason, sizeof(v.reason),
		   "not finished: more boots would tell; leading so far: %s (%.3g)", name,
		   v.probability);
	state = decide(s, ret_need, &v);
	*ret_verdict = v;
	return state;
}

bool stop_early_need(Search *s, SearchExperiment *ret_need)
{
	SearchExperiment e = {0};
	SearchVerdict unused = {0};

	if ((s->leader.kind != SEARCH_H_SET && s->leader.kind != SEARCH_H_EITHER) ||
	    s->leader.probability < EARLY_PARENT)
		return false;
	if (parent_rule(s, stop_boots_needed(s, leader_class(s)), &e, &unused) != STOP_NEED)
		return false;
	*ret_need = e;
	return true;
}
