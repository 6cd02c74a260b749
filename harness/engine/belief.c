/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What search believes: asked, recorded, told, and in the end the verdict. */
#include "engine/engine-internal.h"

#include <math.h>

#include "base/error.h"

#define TOP 5
#define LISTED 10
#define TOLD_STEP 0.005

void engine_look(Engine *e)
{
	g_free(e->top);
	guint n;
	e->top = search_ranking(e->search, TOP, &n);
	e->entropy = search_entropy(e->search);
	e->n_top = n;
	search_rates(e->search, &e->rates);
}

void engine_tell_leader(Engine *e, unsigned trial)
{
	if (!e->n_top)
		return;
	const SearchHypothesis *h = &e->top[0];
	bool same =
		e->has_leading && e->leading.kind == h->kind && e->leading.members == h->members;
	e->leading = *h;
	e->has_leading = true;
	/* who looks on wants its probability too, but not each little step */
	if (same && fabs(h->probability - e->told_p) < TOLD_STEP)
		return;
	e->told_p = h->probability;
	g_autofree char *name = engine_hypothesis_name(e, h);
	engine_emit(e,
		    json_pack("{s:s, s:b, s:i, s:o, s:s, s:o, s:f}", "event", "leader", "changed",
			      (int)!same, "trial", (int)trial, "name", kx_json_text(name), "kind",
			      search_hypothesis_name(h->kind), "members",
			      engine_names_of(e, h->members), "probability", h->probability));
}

/* Names of what a hypothesis blames. */
static json_t *members_of(const Engine *e, const SearchHypothesis *h)
{
	if (!e->campaign->order)
		return engine_names_of(e, h->members);
	g_autofree char *name = engine_order_hypothesis(e, h);
	return h->members ? json_pack("[o]", kx_json_text(name)) : json_array();
}

static json_t *hypothesis(const Engine *e, const SearchHypothesis *h)
{
	return json_pack("{s:s, s:o, s:f}", "kind", search_hypothesis_name(h->kind), "members",
			 members_of(e, h), "probability", h->probability);
}

static json_t *ranking(const Engine *e, const SearchHypothesis *all, guint n)
{
	json_t *out = json_array();
	for (guint i = 0; i < n; i++)
		json_array_append_new(out, hypothesis(e, &all[i]));
	return out;
}

/* Of a history the ranking says as much: its hypotheses are the commits. */
static json_t *marginals(Engine *e)
{
	json_t *out = json_array();
	if (campaign_is_numbered(e->campaign))
		return out;
	for (unsigned i = 0; i < e->campaign->candidates_count; i++)
		json_array_append_new(out, json_real(search_marginal(e->search, i)));
	return out;
}

StorePosterior *engine_posterior(Engine *e, unsigned trial)
{
	if (!e->n_top)
		return NULL;
	StorePosterior *p = g_new0(StorePosterior, 1);
	p->trial = trial;
	p->kind = g_strdup(search_hypothesis_name(e->top[0].kind));
	/* a pair is no set of candidates: the ranking names it */
	p->members = e->campaign->order ? 0 : e->top[0].members;
	p->probability = e->top[0].probability;
	p->q_mean = e->rates.q_mean;
	p->q_low = e->rates.q_low;
	p->q_high = e->rates.q_high;
	p->e_mean = e->rates.e_mean;
	p->e_low = e->rates.e_low;
	p->e_high = e->rates.e_high;
	p->ranking = ranking(e, e->top, e->n_top);
	p->marginals = marginals(e);
	return p;
}

/* ---- the verdict ---- */

static const char *verdict_kind(SearchVerdictKind kind)
{
	switch (kind) {
	case SEARCH_VERDICT_CAUSE:
		return "cause";
	case SEARCH_VERDICT_NONE:
		return "none";
	default:
		return "inconclusive";
	}
}

json_t *engine_details(Engine *e, const SearchVerdict *v)
{
	const SearchRates *r = &e->rates;
	guint n;
	g_autofree SearchHypothesis *best = search_ranking(e->search, LISTED, &n);
	json_t *untestable = json_array();
	for (unsigned i = 0; !e->campaign->history && i < e->campaign->candidates_count; i++)
		json_array_append_new(untestable,
				      json_pack("{s:s, s:f}", "candidate",
						e->campaign->candidates[i].name, "probability",
						search_poison(e->search, i)));
	return json_pack("{s:o, s:o, s:o, s:{s:{s:f, s:f, s:f}, s:{s:f, s:f, s:f}}, s:b, s:i, s:o}",
			 "leading", hypothesis(e, &v->leading), "ranking", ranking(e, best, n),
			 "marginals", marginals(e), "rates", "q", "mean", r->q_mean, "low",
			 r->q_low, "high", r->q_high, "e", "mean", r->e_mean, "low", r->e_low,
			 "high", r->e_high, "cold_differs", (int)v->cold_differs, "hypotheses",
			 (int)search_n_hypotheses(e->search), "untestable", untestable);
}

static char *reason_of(const SearchVerdict *v, const char *budget)
{
	return budget ? g_strdup_printf("the budget of %s was used up first; %s", budget, v->reason)
		      : g_strdup(v->reason);
}

/* A variant that was left out for the lab's failures must not decide anything. */
static bool refuse_given_up(Engine *e, const SearchVerdict *v, const char *budget, GError **error)
{
	if (!e->given_up->len || v->kind == SEARCH_VERDICT_CAUSE || budget)
		return false;
	g_set_error(error, KX_ERROR, KX_ERROR_FAILED,
		    "%s: no verdict, because the lab failed with %u variants (%s, …). 'kexsect "
		    "run' tries them again; %s/jobs.log says more",
		    e->run->slug, e->given_up->len, (char *)e->given_up->pdata[0], e->run->dir);
	return true;
}

bool engine_conclude(Engine *e, const char *budget, GError **error)
{
	SearchVerdict v;
	search_verdict(e->search, &v);
	engine_look(e);
	if (v.kind != SEARCH_VERDICT_INCONCLUSIVE)
		budget = NULL;
	if (refuse_given_up(e, &v, budget, error))
		return false;
	g_autofree char *reason = reason_of(&v, budget);
	g_autoptr(StoreVerdict) out = g_new0(StoreVerdict, 1);
	out->kind = g_strdup(verdict_kind(v.kind));
	out->effect = g_strdup(v.effect == SEARCH_CURES ? "cures" : "causes");
	out->members = v.members;
	out->probability = CLAMP(v.probability, 0, 1);
	out->why = g_strdup(budget ? "budget" : search_why_name(v.why));
	out->reason = g_steal_pointer(&reason);
	out->details = engine_details(e, &v);
	if (v.kind == SEARCH_VERDICT_CAUSE) {
		g_autofree char *sentence =
			engine_effect_sentence(e, v.members, v.leading.kind == SEARCH_H_EITHER);
		json_object_set_new(out->details, "sentence", kx_json_text(sentence));
	}
	e->answered = true;
	if (!engine_record_verdict(e, out, error))
		return false;
	engine_tell_verdict(e, out);
	return true;
}

void engine_tell_verdict(Engine *e, const StoreVerdict *v)
{
	bool either = g_strcmp0(kx_json_str(json_object_get(v->details, "leading"), "kind"),
				"either") == 0;
	const char *sentence = kx_json_str(v->details, "sentence");
	engine_emit(e, json_pack("{s:s, s:s, s:s, s:s, s:b, s:o, s:f, s:s, s:o, s:o}", "event",
				 "verdict", "run", e->run->slug, "kind", v->kind, "effect",
				 v->effect, "either", (int)either, "members",
				 engine_names_of(e, v->members), "probability", v->probability,
				 "why", v->why, "reason", kx_json_text(v->reason), "sentence",
				 kx_json_text(sentence ? sentence : "")));
}
