/* SPDX-License-Identifier: GPL-2.0-or-later */
/* When the search may stop: posterior, parent rule, confirmation by intervention (docs/search.md
 * §5). */
#include "search-internal.h"

#include <math.h>

#define CALIBRATION_BOOTS 3
#define CALIBRATION_BATCH 32
#define CONFIRM_CLEANS_MIN 2
#define DIFFER_BOOTS 3	 /* times the boots needed: then what should fault in cold boots does not */
#define DIFFER_FACTOR 20 /* Bayes factor at which cold and warm boots count as different */
#define EARLY_PARENT 0.8 /* from here on the boots that the parent rule needs are weighed in */

/* §5.2: the smallest n with E[(1-q)^n | data] <= δ/(1-δ), 1-δ the confidence. */
guint stop_boots_needed(const Search *s, const Class *c)
{
	double bound = (1 - s->confidence) / s->confidence;
	guint n = 1;

	while (n < s->max_confirm_boots && class_miss_smooth(s, c, n) > bound)
		n++;
	return n;
}

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

/* §5.4: does some variant fault at another rate in the boots that confirm than in the others? */
static bool cold_differs(const Search *s)
{
	for (guint k = 0; confirm_kind(s) && k < s->variants->len; k++) {
		const Variant *v = &g_array_index(s->variants, Variant, k);
		guint f = variant_faults(v), c = variant_cleans(v);
		guint cf = confirming(s, v->faults), cc = confirming(s, v->cleans);

		if (log_sequence(cf, cc) + log_sequence(f - cf, c - cc) - log_sequence(f, c) >
		    log(DIFFER_FACTOR))
			return true;
	}
	return false;
}

static StopState need(SearchExperiment *e, const Search *s, SearchPurpose purpose,
		      SearchMask variant, guint boots, bool until_fault)
{
	e->purpose = purpose;
	e->variant = variant;
	e->mode = s->mode;
	e->boots = MAX(boots, 1);
	e->until_fault = until_fault;
	return STOP_NEED;
}

static StopState conclude(const Search *s, SearchVerdict *v, SearchVerdictKind kind, SearchWhy why,
			  double probability)
{
	const Hypothesis *h = &s->h[s->leader];

	v->kind = kind;
	v->why = why;
	v->members = kind == SEARCH_VERDICT_CAUSE ? h->members : 0;
	v->probability = probability;
	v->cold_differs |= why == SEARCH_WHY_COLD_DIFFERS;
	return STOP_VERDICT;
}

/* What the base showed so far, as one of the counts that the texts speak of. */
static guint boots_of(const Search *s, SearchMask mask, guint *ret_faults)
{
	const Variant *v = variant_find(s, mask);

	*ret_faults = v ? variant_faults(v) : 0;
	return v ? variant_faults(v) + variant_cleans(v) : 0;
}

/* P(the hypothesis `kind`, or any with a rate too low to be looked for), when no fault was seen. */
static double silent_mass(const Search *s, SearchHypothesisKind kind)
{
	double sum = 0;

	for (guint i = 0; i < s->n_h; i++)
		sum += s->p[i] * (s->h[i].kind == kind ? 1 : 1 - class_of(s, i)->detect_share);
	return sum;
}

/* §5.1 for cures: the base must show the fault, or is found not to. */
static StopState calibrate_cures(Search *s, SearchExperiment *e, SearchVerdict *v)
{
	guint faults, boots = boots_of(s, 0, &faults);

	if (s->all_faults == 0 && boots > 0) {
		double mass = silent_mass(s, SEARCH_H_EMPTY);

		if (mass >= s->confidence) {
			g_snprintf(v->reason, sizeof(v->reason),
				   "the fault does not reproduce here: none in %u boots of the "
				   "base, so in "
				   "fewer than %.3g %% of them",
				   boots, 100 * s->q_detect);
			return conclude(s, v, SEARCH_VERDICT_NONE, SEARCH_WHY_NO_FAULT, mass);
		}
	}
	if (boots < CALIBRATION_BOOTS && s->told_q == 0) {
		g_snprintf(e->reason, sizeof(e->reason),
			   "does the fault show on the base, and how often?");
		return need(e, s, SEARCH_CALIBRATE, 0, CALIBRATION_BOOTS - boots, false);
	}
	if (s->all_faults == 0) {
		StopState state = need(e, s, SEARCH_CALIBRATE, 0, CALIBRATION_BATCH, true);

		g_snprintf(e->reason, sizeof(e->reason),
			   "no fault in %u boots of the base: does it show at all?", boots);
		return state;
	}
	return STOP_SEARCH;
}

/* §5.1 for causes: the base should be clean, and everything together should fault. */
static StopState calibrate_causes(Search *s, SearchExperiment *e, SearchVerdict *v)
{
	guint order[SEARCH_MAX_CANDIDATES], faults, boots = boots_of(s, 0, &faults);
	SearchMask most;

	if (boots == 0) {
		StopState state = need(e, s, SEARCH_CALIBRATE, 0, 1, false);

		g_snprintf(e->reason, sizeof(e->reason), "is the base clean?");
		return state;
	}
	if (s->all_faults > 0 || s->told_q != 0)
		return STOP_SEARCH;
	order_by_marginal(s, order);
	most = variant_maximal(s, order);
	boots = boots_of(s, most, &faults);
	if (boots < CALIBRATION_BOOTS && search_untestable(s, most) < 0.6 &&
	    (!variant_find(s, most) || boots > 0)) {
		StopState state =
			need(e, s, SEARCH_CALIBRATE, most, CALIBRATION_BOOTS - boots, false);

		g_snprintf(e->reason, sizeof(e->reason),
			   "do all candidates together make it fault, and how often?");
		return state;
	}
	return STOP_SEARCH;
}

/* §5.3: is h still as good as NONE because nothing that contains it was tried? */
static bool is_untried(const Search *s, guint h, const Class *none)
{
	const Class *c = class_of(s, h);
	double ratio = exp(c->log_likelihood - none->log_likelihood);

	if (s->h[h].kind != SEARCH_H_SET)
		return false;
	if (s->all_faults == 0)
		ratio *= c->detect_share;
	return ratio > (1 - s->confidence) / s->confidence;
}

/* Prior mass of the untried sets that `v` would try, times the chance that it can be tested. */
static double untried_in(Search *s, const GArray *untried, SearchMask v)
{
	double sum = 0;

	for (guint k = 0; k < untried->len; k++) {
		const Hypothesis *h = &s->h[g_array_index(untried, guint, k)];

		sum += (v & h->closure) == h->closure ? exp(h->log_prior) : 0;
	}
	return sum > 0 && !variant_is_hopeless(s, v) ? sum * (1 - search_untestable(s, v)) : 0;
}

static SearchMask grow(const Search *s, SearchMask v)
{
	for (guint i = 0; i < s->n; i++) {
		SearchMask wider = variant_add(s, v, i);

		if (search_is_valid(s, wider))
			v = wider;
	}
	return v;
}

/* §5.3: 'no set does' is claimed only when every set looked for was in some variant that was tried.
 */
static StopState claim_none(Search *s, double probability, SearchExperiment *e, SearchVerdict *v)
{
	g_autoptr(GArray) untried = g_array_new(FALSE, FALSE, sizeof(guint));
	g_autoptr(GArray) pool = variants_worth_trying(s, NULL);
	SearchMask best = 0;
	double most = 0;

	if (cold_differs(s)) {
		g_snprintf(v->reason, sizeof(v->reason),
			   "cold boots or clean builds behave differently");
		return conclude(s, v, SEARCH_VERDICT_INCONCLUSIVE, SEARCH_WHY_COLD_DIFFERS,
				probability);
	}
	for (guint i = 0; i < s->n_h; i++) {
		if (!is_untried(s, i, class_of(s, 0)))
			continue;
		g_array_append_val(untried, i);
		if (untried->len <= 256) {
			SearchMask wide = grow(s, s->h[i].closure);

			g_array_append_val(pool, s->h[i].closure);
			g_array_append_val(pool, wide);
		}
	}
	if (untried->len == 0) {
		g_snprintf(v->reason, sizeof(v->reason), "no combination of the candidates %s",
			   s->effect == SEARCH_CURES ? "removes the fault" : "causes it");
		return conclude(s, v, SEARCH_VERDICT_NONE, SEARCH_WHY_NO_EFFECT, probability);
	}
	for (guint k = 0; k < pool->len; k++) {
		double mass = untried_in(s, untried, g_array_index(pool, SearchMask, k));

		if (mass > most * (1 + 1e-9)) {
			most = mass;
			best = g_array_index(pool, SearchMask, k);
		}
	}
	if (most > 0) {
		g_snprintf(e->reason, sizeof(e->reason),
			   "nothing had an effect: try the %u sets that no variant held yet",
			   untried->len);
		return need(e, s, SEARCH_SEARCH, best, 1, true);
	}
	g_snprintf(v->reason, sizeof(v->reason),
		   "nothing that could be tested has an effect, but %u sets could not be tested",
		   untried->len);
	return conclude(s, v, SEARCH_VERDICT_INCONCLUSIVE, SEARCH_WHY_UNTESTABLE, probability);
}

static StopState untestable(Search *s, SearchMask mask, SearchVerdict *v)
{
	g_autofree char *names = mask_names(s, mask);

	g_snprintf(v->reason, sizeof(v->reason),
		   "the variant with %s does not build or come up, and the "
		   "answer needs it",
		   mask ? names : "no candidate");
	return conclude(s, v, SEARCH_VERDICT_INCONCLUSIVE, SEARCH_WHY_UNTESTABLE, s->p[s->leader]);
}

/* Sums over the variants that hold all of `parent` but not member i: each shows the same (§5.2). */
static guint seen_without(const Search *s, SearchMask parent, guint i, bool faults)
{
	guint sum = 0;

	for (guint k = 0; k < s->variants->len; k++) {
		const Variant *v = &g_array_index(s->variants, Variant, k);

		if ((v->mask & parent) == parent && !(v->mask >> i & 1))
			sum += faults ? variant_faults(v) : variant_cleans(v);
	}
	return sum;
}

/* The parent itself or, when that cannot be tested, a wider variant without member i. */
static bool parent_variant(Search *s, SearchMask parent, guint i, SearchMask *ret)
{
	g_autoptr(GArray) pool = NULL;
	double best = 1;

	*ret = parent;
	if (!variant_given_up(s, parent))
		return true;
	pool = variants_worth_trying(s, NULL);
	for (guint k = 0; k < pool->len; k++) {
		SearchMask v = g_array_index(pool, SearchMask, k);
		if ((v & parent) != parent || v >> i & 1 || variant_is_hopeless(s, v))
			continue;
		if (search_untestable(s, v) < best) {
			best = search_untestable(s, v);
			*ret = v;
		}
	}
	return best < 1;
}

/* §5.2: the set alone has the effect; without any one member it has not. */
static StopState parent_rule(Search *s, const Hypothesis *h, guint n, SearchExperiment *e,
			     SearchVerdict *v)
{
	bool cures = s->effect == SEARCH_CURES;
	const Variant *own = variant_find(s, h->closure);
	guint have = !own ? 0 : cures ? variant_cleans(own) : variant_faults(own);
	guint want = cures ? n : 1;
	g_autofree char *names = mask_names(s, h->members);

	if (variant_given_up(s, h->closure))
		return untestable(s, h->closure, v);
	if (have < want) {
		g_snprintf(e->reason, sizeof(e->reason), "does %s alone %s?", names,
			   cures ? "keep it clean" : "make it fault");
		return need(e, s, SEARCH_PARENT, h->closure, cures ? want - have : n, true);
	}
	for (SearchMask rest = h->members; rest; rest &= rest - 1) {
		guint i = __builtin_ctzll(rest);
		SearchMask parent = variant_remove(s, h->closure, i), variant;

		have = seen_without(s, parent, i, cures);
		want = cures ? 1 : n;
		if (have >= want)
			continue;
		if (!parent_variant(s, parent, i, &variant))
			return untestable(s, parent, v);
		g_snprintf(e->reason, sizeof(e->reason), "does it %s without %s?",
			   cures ? "fault" : "stay clean", s->names[i]);
		return need(e, s, SEARCH_PARENT, variant, cures ? n : want - have, true);
	}
	return STOP_SEARCH;
}

/* The leader's posterior of q from the boots that do not confirm anything. */
static guint warm_boots_needed(const Search *s, const Hypothesis *h)
{
	guint64 sum[2][2] = {{0}}; /* [bad][fault] */
	Class c;

	for (guint k = 0; k < s->variants->len; k++) {
		const Variant *v = &g_array_index(s->variants, Variant, k);
		bool bad = hypothesis_bad(s, h, v->mask);

		sum[bad][1] += variant_faults(v) - confirming(s, v->faults);
		sum[bad][0] += variant_cleans(v) - confirming(s, v->cleans);
	}
	class_compute(s, sum[1][1], sum[1][0], sum[0][1], sum[0][0], &c);
	return stop_boots_needed(s, &c);
}

/* One side of the confirmation on one variant: n cleans where good, one fault where bad. */
static StopState confirm_one(Search *s, const Hypothesis *h, SearchMask mask, guint n,
			     SearchExperiment *e, SearchVerdict *v)
{
	const Variant *own = variant_find(s, mask);
	bool bad = hypothesis_bad(s, h, mask);
	guint faults = own ? confirming(s, own->faults) : 0;
	guint cleans = own ? confirming(s, own->cleans) : 0;
	g_autofree char *names = mask_names(s, mask);
	StopState state;

	if (bad ? faults > 0 : cleans >= MAX(n, CONFIRM_CLEANS_MIN))
		return STOP_SEARCH;
	if (bad && confirm_kind(s) && cleans >= DIFFER_BOOTS * warm_boots_needed(s, h)) {
		g_snprintf(v->reason, sizeof(v->reason),
			   "%s faulted in the search, but not in %u cold boots",
			   mask ? names : "the base", cleans);
		return conclude(s, v, SEARCH_VERDICT_INCONCLUSIVE, SEARCH_WHY_COLD_DIFFERS,
				s->p[s->leader]);
	}
	if (own && faults + cleans == 0 && (own->permanent || own->sporadic >= 3))
		return untestable(s, mask, v);
	state = need(e, s, SEARCH_CONFIRM, mask, bad ? n : MAX(n, CONFIRM_CLEANS_MIN) - cleans,
		     true);
	e->mode = s->confirm_cold ? SEARCH_COLD : s->mode;
	e->clean_build = s->confirm_clean;
	g_snprintf(e->reason, sizeof(e->reason), "confirm with %s: %s", mask ? names : "the base",
		   bad ? "the fault must return" : "it must stay clean");
	return state;
}

/*
 * §5.4: the cause taken away, and put back, one member at a time. What should fault goes first: it
 * ends at the first fault and tells more about q, and so how many cleans the rest needs.
 */
static StopState confirm(Search *s, const Hypothesis *h, guint n, SearchExperiment *e,
			 SearchVerdict *v)
{
	SearchMask around[1 + SEARCH_MAX_SIZE] = {h->closure};
	guint len = 1;
	StopState state = STOP_SEARCH;

	for (SearchMask rest = h->members; rest; rest &= rest - 1) {
		SearchMask parent = variant_remove(s, h->closure, __builtin_ctzll(rest));

		around[len++] = variant_given_up(s, parent) ? 0 : parent;
	}
	for (guint k = 0; k < 2 * len && state == STOP_SEARCH; k++) {
		if (hypothesis_bad(s, h, around[k % len]) == (k < len))
			state = confirm_one(s, h, around[k % len], n, e, v);
	}
	return state;
}

static StopState claim_set(Search *s, SearchExperiment *e, SearchVerdict *v)
{
	const Hypothesis *h = &s->h[s->leader];
	guint n = stop_boots_needed(s, class_of(s, s->leader));
	g_autofree char *names = mask_names(s, h->members);
	StopState state = parent_rule(s, h, n, e, v);

	if (state == STOP_SEARCH)
		state = confirm(s, h, n, e, v);
	if (state != STOP_SEARCH)
		return state;
	g_snprintf(v->reason, sizeof(v->reason),
		   "%s %s the fault; each member is needed; confirmed", names,
		   s->effect == SEARCH_CURES ? "removes" : "causes");
	return conclude(s, v, SEARCH_VERDICT_CAUSE, SEARCH_WHY_RULE, s->p[s->leader]);
}

static StopState decide(Search *s, SearchExperiment *e, SearchVerdict *v)
{
	const Hypothesis *h = &s->h[s->leader];
	StopState state;

	if (variant_given_up(s, 0))
		return untestable(s, 0, v);
	state = s->effect == SEARCH_CURES ? calibrate_cures(s, e, v) : calibrate_causes(s, e, v);
	if (state != STOP_SEARCH)
		return state;
	if (s->effect == SEARCH_CAUSES && s->all_faults == 0) {
		double mass = silent_mass(s, SEARCH_H_NONE);

		if (mass >= s->confidence)
			return claim_none(s, mass, e, v);
	}
	if (s->p[s->leader] < s->confidence)
		return STOP_SEARCH;
	switch (h->kind) {
	case SEARCH_H_SET:
		return claim_set(s, e, v);
	case SEARCH_H_NONE:
		return claim_none(s, s->p[s->leader], e, v);
	case SEARCH_H_EMPTY:
		break;
	}
	g_snprintf(v->reason, sizeof(v->reason), "%s",
		   s->effect == SEARCH_CURES ? "no variant faults more often than by chance"
					     : "the base itself faults");
	return conclude(s, v, SEARCH_VERDICT_NONE,
			s->effect == SEARCH_CURES ? SEARCH_WHY_NO_FAULT : SEARCH_WHY_BASE_FAULTS,
			s->p[s->leader]);
}

StopState stop_state(Search *s, SearchExperiment *ret_need, SearchVerdict *ret_verdict)
{
	const Hypothesis *h = &s->h[s->leader];
	SearchVerdict v = {.kind = SEARCH_VERDICT_INCONCLUSIVE, .why = SEARCH_WHY_UNFINISHED};
	g_autofree char *names = mask_names(s, h->members);
	StopState state;

	v.effect = s->effect;
	v.leading = (SearchHypothesis){h->kind, h->members, s->p[s->leader]};
	v.probability = s->p[s->leader];
	v.cold_differs = cold_differs(s);
	g_snprintf(v.reason, sizeof(v.reason),
		   "not finished: more boots would tell; leading so far: %s (%.3g)",
		   h->kind == SEARCH_H_SET    ? names
		   : h->kind == SEARCH_H_NONE ? "no set has the effect"
					      : "nothing to find",
		   v.probability);
	state = decide(s, ret_need, &v);
	*ret_verdict = v;
	return state;
}

bool stop_early_need(Search *s, SearchExperiment *ret_need)
{
	const Hypothesis *h = &s->h[s->leader];
	SearchExperiment e = {0};
	SearchVerdict unused = {0};

	if (h->kind != SEARCH_H_SET || s->p[s->leader] < EARLY_PARENT)
		return false;
	if (parent_rule(s, h, stop_boots_needed(s, class_of(s, s->leader)), &e, &unused) !=
	    STOP_NEED)
		return false;
	*ret_need = e;
	return true;
}
