/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The search's state, and the order of its questions: stopping rule first, then information. */
#include "search-internal.h"

#define NEEDED_DISCOUNT 0.3
#define SPORADIC_MAX 3 /* then a variant that never gave an outcome is given up */
#define UNTESTABLE_MAX 0.98
#define UNKNOWN_SHARE 0.5 /* of δ; the rest is for rates that the prior does not expect (§5) */
/* Prior of 'every boot of a faulty variant faults, or nearly so': to search with, to claim with. */
#define ALWAYS_EAGER 0.50
#define ALWAYS_SOBER 0.08
#define PRIOR_NONE 0.03
#define PRIOR_EMPTY 0.02

G_DEFINE_QUARK(search - error - quark, search_error)

/* ---- the problem ---- */

static bool check(const SearchProblem *p, GError **error)
{
	const char *what = NULL;

	if (p->n < 1)
		what = "there is nothing to search: no candidate";
	else if (p->confidence != 0 && !(p->confidence >= 0.5 && p->confidence <= 0.9999))
		what = "confidence must be 0.5 to 0.9999";
	else if (p->q_detect != 0 && !(p->q_detect >= 0.001 && p->q_detect <= 0.9))
		what = "q_detect must be 0.001 to 0.9";
	else if (p->told_q != 0 && !(p->told_q >= 0.001 && p->told_q <= 1))
		what = "told_q must be 0.001 to 1";
	else if (p->told_q != 0 && !(p->told_e >= 0 && p->told_e < p->told_q))
		what = "told_e must be below told_q";
	else if (!(p->prior_always >= 0 && p->prior_always < 1))
		what = "prior_always must be below 1";
	else if (!(p->prior_none >= 0 && p->prior_empty >= 0 &&
		   p->prior_none + p->prior_empty < 0.9))
		what = "prior_none + prior_empty must be below 0.9";
	for (guint i = 0; !what && p->weights && i < p->n; i++) {
		if (!(p->weights[i] >= 1e-6 && p->weights[i] <= 1e6))
			what = "each weight must be 1e-6 to 1e6";
	}
	if (what)
		g_set_error_literal(error, SEARCH_ERROR, 0, what);
	return !what;
}

static void take(Search *s, const SearchProblem *p)
{
	s->space = p->space ? p->space : &search_subsets;
	s->n = p->n;
	s->effect = p->effect;
	s->confidence = p->confidence != 0 ? p->confidence : 0.99;
	s->q_detect = p->q_detect != 0 ? p->q_detect : 0.05;
	s->told_q = p->told_q;
	s->told_e = p->told_e;
	s->enough = s->told_q != 0 ? s->confidence : 1 - (1 - s->confidence) * UNKNOWN_SHARE;
	if (s->told_q != 0)
		s->q_detect = MIN(s->q_detect, s->told_q / 2);
	s->prior_none = p->prior_none != 0 ? p->prior_none : PRIOR_NONE;
	s->prior_empty = p->prior_empty != 0 ? p->prior_empty : PRIOR_EMPTY;
	s->mode = p->mode;
	s->confirm = !p->no_confirm;
	s->confirm_cold = !p->no_confirm_cold;
	s->confirm_clean = !p->no_confirm_clean;
	s->max_confirm_boots = p->max_confirm_boots ? p->max_confirm_boots : 250;
	s->whole_stretches = p->whole_stretches;
	s->seed = p->seed;
	s->quiet = p->quiet;
	if (p->names) {
		s->names = g_new0(char *, p->n + 1);
		for (guint i = 0; i < p->n; i++)
			s->names[i] = g_strdup(p->names[i]);
	}
}

Search *search_new(const SearchProblem *problem, GError **error)
{
	g_autoptr(Search) s = g_new0(Search, 1);

	s->shared = g_new(guint, 1);
	*s->shared = 1;
	s->records = g_array_new(FALSE, TRUE, sizeof(Record));
	s->classes = g_array_new(FALSE, TRUE, sizeof(Class));
	s->eager = g_new(Grid, 1);
	s->sober = g_new(Grid, 1);
	s->grid = s->eager;
	s->stale = true;
	if (!check(problem, error))
		return NULL;
	take(s, problem);
	grid_init(s->eager, problem->prior_always != 0 ? problem->prior_always : ALWAYS_EAGER,
		  s->told_q, s->told_e);
	grid_init(s->sober, ALWAYS_SOBER, s->told_q, s->told_e);
	if (!s->space->setup(s, problem, error))
		return NULL;
	s->space->begin(s);
	return g_steal_pointer(&s);
}

Search *search_copy(const Search *from)
{
	Search *s = g_memdup2(from, sizeof(*from));

	++*s->shared;
	s->records = g_array_copy(from->records);
	s->classes = g_array_new(FALSE, TRUE, sizeof(Class));
	s->stale = true;
	s->belief = NULL;
	s->space->begin(s);
	if (s->space->inherit)
		s->space->inherit(s, from);
	return s;
}

void search_free(Search *s)
{
	if (!s)
		return;
	if (s->belief)
		s->space->end(s);
	g_clear_pointer(&s->records, g_array_unref);
	g_clear_pointer(&s->classes, g_array_unref);
	if (--*s->shared == 0) {
		if (s->own)
			s->space->free(s->own);
		g_strfreev(s->names);
		g_free(s->eager);
		g_free(s->sober);
		g_free(s->shared);
	}
	g_free(s);
}

/* ---- records ---- */

static guint total(const guint *counts)
{
	guint sum = 0;

	for (guint i = 0; i < BOOT_KINDS; i++)
		sum += counts[i];
	return sum;
}

guint record_faults(const Record *r)
{
	return r ? total(r->faults) : 0;
}

guint record_cleans(const Record *r)
{
	return r ? total(r->cleans) : 0;
}

bool record_tested(const Record *r)
{
	return record_faults(r) + record_cleans(r) > 0;
}

bool record_failed(const Record *r)
{
	return !record_tested(r) && r->permanent + r->sporadic > 0;
}

/* Sorted, so that the order of calls leaves no trace. Returns where v is or belongs. */
static guint position(const Search *s, SearchVariant v)
{
	guint low = 0, high = s->records->len;

	while (low < high) {
		guint mid = (low + high) / 2;

		if (g_array_index(s->records, Record, mid).variant < v)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

const Record *record_find(const Search *s, SearchVariant v)
{
	guint at = position(s, v);
	const Record *r = &g_array_index(s->records, Record, at);

	return at < s->records->len && r->variant == v ? r : NULL;
}

static Record *record(Search *s, SearchVariant v)
{
	Record fresh = {.variant = v};
	guint at = position(s, v);

	s->stale = true;
	if (!record_find(s, v))
		g_array_insert_val(s->records, at, fresh);
	return &g_array_index(s->records, Record, at);
}

void search_observe(Search *s, SearchVariant variant, guint faults, guint cleans, SearchMode mode,
		    bool clean_build)
{
	guint kind = (mode == SEARCH_COLD) | (guint)clean_build << 1;
	Record *r;

	g_return_if_fail(s->space->is_variant(s, variant));
	r = record(s, variant);
	r->faults[kind] += faults;
	r->cleans[kind] += cleans;
	s->space->observed(s, variant, faults, cleans);
}

void search_observe_untestable(Search *s, SearchVariant variant, bool permanent)
{
	Record *r;

	g_return_if_fail(s->space->is_variant(s, variant));
	r = record(s, variant);
	if (permanent)
		r->permanent++;
	else
		r->sporadic++;
}

/* ---- variants and hypotheses ---- */

bool search_is_valid(const Search *s, SearchVariant v)
{
	return s->space->is_variant(s, v) && s->space->is_valid(s, v);
}

SearchVariant search_closure(const Search *s, SearchMask set)
{
	return s->space->realise(s, set);
}

/* bad(h, v) of §1.1. */
bool hypothesis_bad(const Search *s, const SearchHypothesis *h, SearchVariant v)
{
	bool has =
		h->kind == SEARCH_H_EMPTY || (h->kind != SEARCH_H_NONE && s->space->has(s, h, v));

	return has == (s->effect == SEARCH_CAUSES);
}

char *hypothesis_name(const Search *s, const SearchHypothesis *h)
{
	switch (h->kind) {
	case SEARCH_H_NONE:
		return g_strdup("nothing has the effect");
	case SEARCH_H_EMPTY:
		return g_strdup(s->effect == SEARCH_CURES ? "nothing faults here"
							  : "the base faults by itself");
	default:
		return s->space->name_members(s, h);
	}
}

SearchVariant variant_that_faults(const Search *s)
{
	return s->effect == SEARCH_CURES ? 0 : s->space->everything(s);
}

/* §3.3 */
bool variant_given_up(const Search *s, SearchVariant v)
{
	const Record *r = record_find(s, v);

	return r && (r->permanent > 0 || r->sporadic >= SPORADIC_MAX) && !record_tested(r);
}

double search_untestable(Search *s, SearchVariant v)
{
	const Record *r = record_find(s, v);

	posterior_update(s);
	if (variant_given_up(s, v))
		return 1;
	if (r && record_tested(r))
		return r->sporadic / (record_faults(r) + record_cleans(r) + r->sporadic + 1.0);
	return s->space->untestable(s, v);
}

/* §3.3: whether to stop trying. Suspicion alone is not enough, or a candidate that was only ever
 * tried in bad company would be lost: the smallest variant that holds it is tried once by itself.
 */
bool variant_is_hopeless(Search *s, SearchVariant v, double untestable)
{
	if (variant_given_up(s, v))
		return true;
	if (untestable <= UNTESTABLE_MAX)
		return false;
	for (guint k = 0; k < s->records->len; k++) {
		SearchVariant part = g_array_index(s->records, Record, k).variant;

		if (s->space->contains(s, v, part) && variant_given_up(s, part))
			return true;
	}
	return !s->space->is_smallest(s, v);
}

double search_poison(Search *s, guint i)
{
	g_return_val_if_fail(i < s->n, 0);
	posterior_update(s);
	return s->space->poison(s, i);
}

/* ---- what next ---- */

/* Boots that the stopping rule will ask for anyway go first when they tell nearly as much (§4.5).
 */
static void prefer_needed(Search *s, const SearchCosts *costs, SearchExperiment *e)
{
	SearchExperiment need = {0};

	if (stop_early_need(s, &need) && choice_price(s, costs, &need) &&
	    need.bits * MAX(e->cost_s, 1e-3) > NEEDED_DISCOUNT * e->bits * MAX(need.cost_s, 1e-3))
		*e = need;
}

static SearchNext next(Search *s, const SearchCosts *costs, SearchExperiment *ret)
{
	SearchExperiment e = {0};
	SearchVerdict verdict;

	posterior_update(s);
	switch (stop_state(s, &e, &verdict)) {
	case STOP_VERDICT:
		return SEARCH_DONE;
	case STOP_NEED:
		if (!choice_price(s, costs, &e))
			return SEARCH_DONE;
		break;
	case STOP_SEARCH:
		if (!choice_best(s, costs, &e))
			return SEARCH_DONE;
		prefer_needed(s, costs, &e);
		break;
	}
	*ret = e;
	return SEARCH_EXPERIMENT;
}

SearchNext search_next(Search *s, const SearchCosts *costs, SearchExperiment *ret)
{
	SearchNext what;

	if (costs->n_pending) {
		g_autoptr(Search) later = ahead_of(s, costs->pending, costs->n_pending);

		what = next(later, costs, ret);
	} else {
		what = next(s, costs, ret);
	}
	if (what == SEARCH_EXPERIMENT && ret->purpose == SEARCH_SEARCH && !s->quiet)
		explain_search(s, ret);
	return what;
}

/* What an unfinished search says; whether more boots would help decides the reason. */
static void unfinished(Search *s, SearchVerdict *v)
{
	g_autofree char *suspects = NULL;

	if (choice_is_open(s))
		return;
	suspects = s->space->name_suspects(s);
	v->why = SEARCH_WHY_UNTESTABLE;
	g_snprintf(v->reason, sizeof(v->reason),
		   "what would decide cannot be tested%s%s; the leading hypothesis has %.3g",
		   *suspects ? ": " : "", suspects, v->probability);
}

void search_verdict(Search *s, SearchVerdict *ret)
{
	SearchExperiment need = {0};
	SearchVerdict v = {.kind = SEARCH_VERDICT_INCONCLUSIVE, .why = SEARCH_WHY_UNFINISHED};
	StopState state;

	posterior_update(s);
	state = stop_state(s, &need, &v);
	if (state == STOP_SEARCH)
		unfinished(s, &v);
	*ret = v;
}
