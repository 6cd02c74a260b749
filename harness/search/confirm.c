/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Confirmation by intervention: cold boots of kernels built from nothing (docs/search.md §5.4). */
#include "search-internal.h"

#include <math.h>

#define CONFIRM_CLEANS_MIN 2
#define DIFFER_BOOTS 3	 /* times the boots needed: then what should fault in cold boots does not */
#define DIFFER_FACTOR 20 /* Bayes factor at which cold and warm boots count as different */

static guint confirm_kind(const Search *s)
{
	return (guint)s->confirm_cold | (guint)s->confirm_clean << 1;
}

static guint confirming(const Search *s, const guint *counts)
{
	guint kind = confirm_kind(s), sum = 0;

	for (guint k = 0; k < BOOT_KINDS; k++)
		sum += (k & kind) == kind ? counts[k] : 0;
	return sum;
}

/* ln of the Beta(½,½)-binomial probability of one sequence with f faults and c cleans. */
static double log_sequence(double f, double c)
{
	int sign;

	return lgamma_r(f + 0.5, &sign) + lgamma_r(c + 0.5, &sign) - lgamma_r(f + c + 1, &sign) -
	       log(G_PI);
}

/* Does some variant fault at another rate in the boots that confirm than in the others? */
bool cold_differs(const Search *s)
{
	for (guint k = 0; confirm_kind(s) && k < s->records->len; k++) {
		const Record *r = &g_array_index(s->records, Record, k);
		guint f = record_faults(r), c = record_cleans(r);
		guint cf = confirming(s, r->faults), cc = confirming(s, r->cleans);

		if (log_sequence(cf, cc) + log_sequence(f - cf, c - cc) - log_sequence(f, c) >
		    log(DIFFER_FACTOR))
			return true;
	}
	return false;
}

/* The leader's posterior of q from the boots that do not confirm anything. */
static guint warm_boots_needed(const Search *s)
{
	guint64 sum[2][2] = {{0}}; /* [bad][fault] */
	Class c = {0};

	for (guint k = 0; k < s->records->len; k++) {
		const Record *r = &g_array_index(s->records, Record, k);
		bool bad = hypothesis_bad(s, &s->leader, r->variant);

		sum[bad][1] += record_faults(r) - confirming(s, r->faults);
		sum[bad][0] += record_cleans(r) - confirming(s, r->cleans);
	}
	c.bad_faults = sum[1][1];
	c.bad_cleans = sum[1][0];
	class_compute(s, sum[0][1], sum[0][0], &c);
	return stop_boots_needed(s, &c);
}

/* One side of the confirmation on one variant: n cleans where good, one fault where bad. */
static StopState confirm_one(Search *s, SearchVariant variant, guint n, SearchExperiment *e,
			     SearchVerdict *v)
{
	const Record *r = record_find(s, variant);
	bool bad = hypothesis_bad(s, &s->leader, variant);
	guint faults = r ? confirming(s, r->faults) : 0, cleans = r ? confirming(s, r->cleans) : 0;
	g_autofree char *name = s->space->name_variant(s, variant);
	StopState state;

	if (bad ? faults > 0 : cleans >= MAX(n, CONFIRM_CLEANS_MIN))
		return STOP_SEARCH;
	if (bad && confirm_kind(s) && cleans >= DIFFER_BOOTS * warm_boots_needed(s)) {
		g_snprintf(v->reason, sizeof(v->reason),
			   "%s faulted in the search, but not in %u cold boots", name, cleans);
		return stop_conclude(s, v, SEARCH_VERDICT_INCONCLUSIVE, SEARCH_WHY_COLD_DIFFERS,
				     s->leader.probability);
	}
	if (r && faults + cleans == 0 && (r->permanent || r->sporadic >= 3))
		return stop_untestable(s, variant, v);
	state = stop_need(e, s, SEARCH_CONFIRM, variant,
			  bad ? n : MAX(n, CONFIRM_CLEANS_MIN) - cleans, true);
	e->mode = s->confirm_cold ? SEARCH_COLD : s->mode;
	e->clean_build = s->confirm_clean;
	g_snprintf(e->reason, sizeof(e->reason), "confirm with %s: %s", name,
		   bad ? "the fault must return" : "it must stay clean");
	return state;
}

/*
 * The cause taken away, and put back, one member at a time. What should fault goes first: it ends
 * at the first fault and tells more about q, and so how many cleans the rest needs.
 */
StopState confirm(Search *s, guint n, SearchExperiment *e, SearchVerdict *v)
{
	Around around[AROUND_MAX];
	guint len = s->space->around(s, &s->leader, around);
	StopState state = STOP_SEARCH;

	for (guint k = 0; k < len; k++) {
		if (!around[k].has && variant_given_up(s, around[k].variant) &&
		    !s->space->substitute(s, &s->leader, &around[k]))
			around[k].variant = 0;
	}
	for (guint k = 0; k < 2 * len && state == STOP_SEARCH; k++) {
		if (hypothesis_bad(s, &s->leader, around[k % len].variant) == (k < len))
			state = confirm_one(s, around[k % len].variant, n, e, v);
	}
	return state;
}
