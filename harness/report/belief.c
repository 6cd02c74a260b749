/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The document: what the search believed and believes. */
#include "model-internal.h"
#include "report-internal.h"

#include <string.h>

#define HYPOTHESES_MAX 12
#define MODEL_COMMITS_MAX 400

/* ---- beliefs ---- */

json_t *model_probability(double p)
{
	return json_real(report_clamp(p, 0, 1));
}

static json_t *hypothesis(const json_t *told)
{
	json_t *o = json_object();
	const char *kind = kx_json_str(told, "kind");
	g_auto(GStrv) members = kx_json_strv(told, "members");
	json_object_set_new(o, "kind", model_text(kind ? kind : "set"));
	json_object_set_new(o, "members", kx_json_from_strv((const char *const *)members));
	return o;
}

/* The ranking as it stands: of the verdict, else of the last belief. */
static const json_t *ranking(const Model *m)
{
	const json_t *told = m->verdict ? json_object_get(m->verdict->details, "ranking") : NULL;
	if (json_array_size(told) == 0 && m->posteriors->len)
		told = ((const StorePosterior *)m->posteriors->pdata[m->posteriors->len - 1])
			       ->ranking;
	return told;
}

json_t *model_hypotheses(const Model *m)
{
	json_t *out = json_array();
	size_t i;
	json_t *h;
	json_array_foreach ((json_t *)ranking(m), i, h) {
		if (i == HYPOTHESES_MAX)
			break;
		json_t *o = hypothesis(h);
		json_object_set_new(o, "probability",
				    model_probability(kx_json_num(h, "probability", 0)));
		json_array_append_new(out, o);
	}
	return out;
}

typedef struct {
	char *key; /* kind and members, to compare */
	json_t *hypothesis;
	double best; /* highest probability it ever had */
	bool leads;
} Curve;

static void curve_free(gpointer curve)
{
	Curve *c = curve;
	g_free(c->key);
	json_decref(c->hypothesis);
	g_free(c);
}

static char *key_of(const json_t *told)
{
	g_auto(GStrv) members = kx_json_strv(told, "members");
	g_autofree char *joined = g_strjoinv("\n", members);
	const char *kind = kx_json_str(told, "kind");
	return g_strconcat(kind ? kind : "set", "\n", joined, NULL);
}

static int by_best(gconstpointer a, gconstpointer b)
{
	const Curve *x = *(Curve *const *)a, *y = *(Curve *const *)b;
	if (x->leads != y->leads)
		return x->leads ? -1 : 1;
	return x->best < y->best ? 1 : x->best > y->best ? -1 : strcmp(x->key, y->key);
}

/* The hypotheses that are worth a curve: the leader, then those that were ever most probable. */
static GPtrArray *curves(const Model *m)
{
	GPtrArray *out = g_ptr_array_new_with_free_func(curve_free);
	g_autoptr(GHashTable) seen = g_hash_table_new(g_str_hash, g_str_equal);
	for (guint i = 0; i < m->posteriors->len; i++) {
		const StorePosterior *p = m->posteriors->pdata[i];
		size_t k;
		json_t *h;
		json_array_foreach (p->ranking, k, h) {
			g_autofree char *key = key_of(h);
			Curve *c = g_hash_table_lookup(seen, key);
			if (!c) {
				c = g_new0(Curve, 1);
				c->key = g_steal_pointer(&key);
				c->hypothesis = hypothesis(h);
				g_hash_table_insert(seen, c->key, c);
				g_ptr_array_add(out, c);
			}
			c->best = MAX(c->best, kx_json_num(h, "probability", 0));
		}
	}
	g_autofree char *leader = key_of(json_array_get(ranking(m), 0));
	Curve *c = g_hash_table_lookup(seen, leader);
	if (c)
		c->leads = true;
	for (guint i = out->len; i-- > 0;) {
		const Curve *k = out->pdata[i];
		if (k->best < 0.02 && !k->leads) /* flat on the ground: nothing to see */
			g_ptr_array_remove_index(out, i);
	}
	g_ptr_array_sort(out, by_best);
	if (out->len > REPORT_HISTORY_LINES)
		g_ptr_array_set_size(out, REPORT_HISTORY_LINES);
	return out;
}

static json_t *leading(const Model *m, const StorePosterior *p)
{
	json_t *o = json_object();
	json_object_set_new(o, "kind", model_text(p->kind));
	json_object_set_new(o, "members", model_names(m, p->members));
	json_object_set_new(o, "probability", model_probability(p->probability));
	return o;
}

static json_t *point(const Model *m, const StorePosterior *p, const GPtrArray *lines)
{
	json_t *o = json_object(), *values = json_array();
	for (guint i = 0; i < lines->len; i++) {
		double value = 0;
		size_t k;
		json_t *h;
		json_array_foreach (p->ranking, k, h) {
			g_autofree char *key = key_of(h);
			if (strcmp(key, ((const Curve *)lines->pdata[i])->key) == 0)
				value = kx_json_num(h, "probability", 0);
		}
		json_array_append_new(values, model_probability(value));
	}
	json_object_set_new(o, "trial", json_integer(p->trial));
	json_object_set_new(o, "probabilities", values);
	json_object_set_new(o, "leading", leading(m, p));
	return o;
}

json_t *model_history(const Model *m)
{
	g_autoptr(GPtrArray) lines = curves(m);
	json_t *o = json_object(), *about = json_array(), *points = json_array();
	for (guint i = 0; i < lines->len; i++)
		json_array_append(about, ((Curve *)lines->pdata[i])->hypothesis);
	for (guint i = 0; i < m->posteriors->len; i++)
		json_array_append_new(points, point(m, m->posteriors->pdata[i], lines));
	json_object_set_new(o, "hypotheses", about);
	json_object_set_new(o, "points", points);
	return o;
}

static json_t *rate(double mean, double low, double high)
{
	json_t *o = json_object();
	json_object_set_new(o, "mean", model_probability(mean));
	json_object_set_new(o, "low", model_probability(low));
	json_object_set_new(o, "high", model_probability(high));
	return o;
}

static json_t *rate_of(const json_t *told)
{
	return rate(kx_json_num(told, "mean", 0), kx_json_num(told, "low", 0),
		    kx_json_num(told, "high", 1));
}

/* NULL when nothing was observed. */
json_t *model_rates(const Model *m)
{
	const json_t *told = m->verdict ? json_object_get(m->verdict->details, "rates") : NULL;
	const StorePosterior *p =
		m->posteriors->len ? m->posteriors->pdata[m->posteriors->len - 1] : NULL;
	if (!told && !p)
		return NULL;
	json_t *o = json_object();
	json_object_set_new(o, "interval", json_real(0.95));
	json_object_set_new(o, "faulty",
			    told ? rate_of(json_object_get(told, "q"))
				 : rate(p->q_mean, p->q_low, p->q_high));
	json_object_set_new(o, "good",
			    told ? rate_of(json_object_get(told, "e"))
				 : rate(p->e_mean, p->e_low, p->e_high));
	return o;
}

/* ---- candidates ---- */

static const json_t *marginals(const Model *m)
{
	const json_t *told = m->verdict ? json_object_get(m->verdict->details, "marginals") : NULL;
	if (json_array_size(told) == 0 && m->posteriors->len)
		told = ((const StorePosterior *)m->posteriors->pdata[m->posteriors->len - 1])
			       ->marginals;
	return told;
}

/* Probability that a candidate by itself keeps variants from being tested, where it was told. */
static double untestable(const Model *m, const char *name)
{
	const json_t *told = m->verdict ? json_object_get(m->verdict->details, "untestable") : NULL;
	size_t i;
	json_t *x;
	json_array_foreach ((json_t *)told, i, x) {
		if (g_strcmp0(kx_json_str(x, "candidate"), name) == 0)
			return kx_json_num(x, "probability", -1);
	}
	return -1;
}

/* Of a history: as the ranking has it, else -1. */
static double commit_probability(const Model *m, const char *name)
{
	size_t i;
	json_t *h;
	json_array_foreach ((json_t *)ranking(m), i, h) {
		const char *member =
			json_string_value(json_array_get(json_object_get(h, "members"), 0));
		if (g_strcmp0(member, name) == 0)
			return kx_json_num(h, "probability", -1);
	}
	return -1;
}

static json_t *candidate(const Model *m, guint i, double p)
{
	const StoreCandidate *c = m->candidates->pdata[i];
	bool history = model_is_history(m);
	bool cause = m->verdict && strcmp(m->verdict->kind, "cause") == 0;
	uint64_t members = cause ? m->verdict->members : 0;
	double blocked = untestable(m, c->name);
	json_t *o = json_object();
	json_object_set_new(o, "name", model_text(c->name));
	json_object_set_new(o, "kind", model_text(c->kind));
	model_set_text(o, "title", c->title);
	if (strcmp(c->text, c->name) != 0)
		model_set_text(o, "text", c->text);
	model_set_text(o, "file", c->file);
	if (history)
		json_object_set_new(o, "number", json_integer((json_int_t)i + 1));
	json_object_set_new(o, "depends", history ? json_array() : model_names(m, c->depends));
	if (p >= 0)
		json_object_set_new(o, "probability", model_probability(p));
	if (blocked >= 0)
		json_object_set_new(o, "untestable", model_probability(blocked));
	json_object_set_new(o, "in_cause",
			    json_boolean(history ? members == i + 1 : members >> i & 1));
	return o;
}

/* Of a history only the commits that were tried or are thought of. */
static json_t *commits(const Model *m)
{
	json_t *out = json_array();
	for (guint i = 0; i < m->candidates->len; i++) {
		const StoreCandidate *c = m->candidates->pdata[i];
		double p = commit_probability(m, c->name);
		if ((p >= 0 || model_variant(m, i + 1) >= 0) &&
		    json_array_size(out) < MODEL_COMMITS_MAX)
			json_array_append_new(out, candidate(m, i, p));
	}
	return out;
}

json_t *model_candidates(const Model *m)
{
	if (model_is_history(m))
		return commits(m);
	json_t *out = json_array();
	for (guint i = 0; i < m->candidates->len && i < 64; i++) {
		const json_t *p = json_array_get(marginals(m), i);
		json_array_append_new(
			out, candidate(m, i, json_is_number(p) ? json_number_value(p) : -1));
	}
	return out;
}
