/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Does the fault show here at all, and may it be said that nothing has the effect? (docs/search.md
 * §5.1, §5.3) */
#include "search-internal.h"

#include <math.h>

#define CALIBRATION_BATCH 32
#define UNTRIED_LOOK 256
#define EXPECTED_SHARE 0.5

/* P(NONE, or EMPTY, or any hypothesis with a rate too low to be looked for), while no fault was
 * seen. */
double silent_mass(Search *s, bool none)
{
	guint kind = none ? CLASS_NONE : CLASS_EMPTY;
	double sum = 0;

	for (guint k = 0; k < s->classes->len; k++) {
		const Class *c = class_at(s, k);

		sum += c->mass * (k == kind ? 1 : 1 - c->detect_share);
	}
	return sum;
}

/* Whether most of what is still possible would show on `v`, so that booting it on makes sense. */
static bool still_expected(const Search *s, SearchVariant v)
{
	g_autofree double *has = g_new0(double, s->classes->len);
	double sum = 0;

	s->space->split(s, v, has);
	for (guint k = CLASS_FIRST; k < s->classes->len; k++)
		sum += has[k];
	return sum > EXPECTED_SHARE * (1 - class_at(s, CLASS_NONE)->mass);
}

/* §5.1: the variant that should fault is booted until it does, or is found not to. */
StopState calibrate(Search *s, SearchExperiment *e, SearchVerdict *v)
{
	bool cures = s->effect == SEARCH_CURES;
	SearchVariant bad = variant_that_faults(s);
	const Record *r = record_find(s, bad), *base = record_find(s, 0);
	guint boots = record_cleans(r);
	g_autofree char *name = s->space->name_variant(s, bad);
	double mass;

	if (variant_given_up(s, 0))
		return stop_untestable(s, 0, v);
	if (!cures && s->confirm && !(base && record_tested(base))) {
		g_snprintf(e->reason, sizeof(e->reason), "is the base clean, as it should be?");
		return stop_need(e, s, SEARCH_CALIBRATE, 0, 1, true);
	}
	if (s->told_q != 0 || s->all_faults > 0 || variant_given_up(s, bad))
		return STOP_SEARCH;
	mass = silent_mass(s, !cures);
	if (!cures && (mass >= s->confidence || !still_expected(s, bad)))
		return STOP_SEARCH; /* claim_none, or the cause is in another company */
	if (mass >= s->confidence) {
		g_snprintf(v->reason, sizeof(v->reason),
			   "the fault does not reproduce here: none in %u boots of %s, so in fewer "
			   "than %.3g %% of them",
			   boots, name, 100 * s->q_detect);
		return stop_conclude(s, v, SEARCH_VERDICT_NONE, SEARCH_WHY_NO_FAULT, mass);
	}
	if (boots)
		g_snprintf(e->reason, sizeof(e->reason),
			   "no fault in %u boots of %s: does it show at all?", boots, name);
	else
		g_snprintf(e->reason, sizeof(e->reason), "does the fault show on %s?", name);
	return stop_need(e, s, SEARCH_CALIBRATE, bad, CALIBRATION_BATCH, true);
}

/* Of each class: the prior of its hypotheses, when the evidence against them, with a rate that is
 * looked for at all, is still too weak. */
static double untried(const Search *s, double *ret)
{
	double enough = log((1 - s->confidence) / s->confidence), sum = 0;
	double none = class_at(s, CLASS_NONE)->log_likelihood;

	for (guint k = 0; k < s->classes->len; k++) {
		const Class *c = class_at(s, k);
		double detectable = c->log_likelihood + log(c->detect_share);
		bool weak = k >= CLASS_FIRST && detectable - none > enough;

		ret[k] = weak ? c->prior : 0;
		sum += ret[k];
	}
	return sum;
}

/* The prior of the untried hypotheses that `v` would try, times the chance that it can be tested.
 */
static double untried_in(Search *s, const double *open, double *has, SearchVariant v)
{
	double sum = 0, untestable = search_untestable(s, v);

	if (variant_is_hopeless(s, v, untestable))
		return 0;
	s->space->split(s, v, has);
	for (guint k = CLASS_FIRST; k < s->classes->len; k++) {
		double mass = class_at(s, k)->mass;

		sum += open[k] > 0 && mass > 0 ? open[k] * has[k] / mass : 0;
	}
	return sum * (1 - untestable);
}

/* The pool of the choice, and the variants of the leading hypotheses, narrow and wide. */
static GArray *pool_of_untried(Search *s)
{
	GArray *pool = s->space->pool(s, NULL);
	guint len;
	g_autofree SearchHypothesis *top = search_ranking(s, UNTRIED_LOOK, &len);

	for (guint k = 0; k < len; k++) {
		SearchVariant v;

		if (!top[k].members)
			continue;
		v = s->space->realise(s, top[k].members);
		g_array_append_val(pool, v);
		if (s->space->widen) {
			v = s->space->widen(s, v);
			g_array_append_val(pool, v);
		}
	}
	return pool;
}

/* §5.3: 'nothing has the effect' is claimed only when every cause looked for was in some variant
 * that was tried. */
StopState claim_none(Search *s, double probability, SearchExperiment *e, SearchVerdict *v)
{
	g_autofree double *open = g_new0(double, s->classes->len);
	g_autofree double *has = g_new0(double, s->classes->len);
	g_autoptr(GArray) pool = NULL;
	SearchVariant best = 0;
	double most = 0, left;

	if (s->confirm && cold_differs(s)) {
		g_snprintf(v->reason, sizeof(v->reason),
			   "cold boots or clean builds behave differently");
		return stop_conclude(s, v, SEARCH_VERDICT_INCONCLUSIVE, SEARCH_WHY_COLD_DIFFERS,
				     probability);
	}
	left = untried(s, open);
	if (left <= 0) {
		g_snprintf(v->reason, sizeof(v->reason), "nothing that was looked for %s",
			   s->effect == SEARCH_CURES ? "removes the fault" : "causes it");
		return stop_conclude(s, v, SEARCH_VERDICT_NONE, SEARCH_WHY_NO_EFFECT, probability);
	}
	pool = pool_of_untried(s);
	for (guint k = 0; k < pool->len; k++) {
		double gain = untried_in(s, open, has, g_array_index(pool, SearchVariant, k));

		if (gain > most * (1 + 1e-9)) {
			most = gain;
			best = g_array_index(pool, SearchVariant, k);
		}
	}
	if (most > 0) {
		g_snprintf(e->reason, sizeof(e->reason),
			   "nothing had an effect: try what no variant held yet (%.2g of it)",
			   most / left);
		return stop_need(e, s, SEARCH_SEARCH, best, 1, true);
	}
	g_snprintf(
		v->reason, sizeof(v->reason),
		"nothing that could be tested has an effect, but some causes could not be tested");
	return stop_conclude(s, v, SEARCH_VERDICT_INCONCLUSIVE, SEARCH_WHY_UNTESTABLE, probability);
}
