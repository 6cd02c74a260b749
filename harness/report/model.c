/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The document: what docs/report-format.md describes. */
#include "model-internal.h"
#include "report-internal.h"

#include <string.h>

#define FORMAT 1
#define EVENTS_MAX 200

/* ---- campaign ---- */

/* A copy of `key` when it is there and of the type. */
static void copy(json_t *to, const char *as, const json_t *from, const char *key, json_type type)
{
	json_t *v = json_object_get(from, key);
	if (v && json_typeof(v) == type)
		json_object_set(to, as, v);
}

static void copy_number(json_t *to, const json_t *from, const char *key)
{
	json_t *v = json_object_get(from, key);
	if (json_is_number(v))
		json_object_set(to, key, v);
}

/* {"name", "title", "file", …}, also of a plain name. */
static json_t *named(const json_t *from)
{
	json_t *o = json_object();
	const char *word = json_string_value(from);
	if (word && g_path_is_absolute(word)) {
		g_autofree char *dir = g_path_get_dirname(word);
		g_autofree char *name = g_path_get_basename(dir);
		model_set_text(o, "name", name);
		model_set_text(o, "file", word);
	} else {
		model_set_text(o, "name", word);
	}
	static const char *const keys[] = {"name", "title", "driver", "cmdline"};
	for (size_t i = 0; i < G_N_ELEMENTS(keys); i++)
		model_set_text(o, keys[i], kx_json_str(from, keys[i]));
	const char *file = kx_json_str(from, "file");
	if (!word)
		model_set_text(o, "file", file ? file : kx_json_str(from, "recipe"));
	return o;
}

static json_t *all_named(const json_t *list)
{
	json_t *out = json_array();
	size_t i;
	json_t *x;
	json_array_foreach ((json_t *)list, i, x)
		json_array_append_new(out, named(x));
	return out;
}

static json_t *oracle(const json_t *from)
{
	json_t *o = named(from), *window = json_object();
	const json_t *told = json_object_get(from, "window");
	model_set_text(window, "from", kx_json_str(told, "from"));
	model_set_text(window, "to", kx_json_str(told, "to"));
	json_object_set_new(o, "window", window);
	copy(o, "devices", from, "devices", JSON_ARRAY);
	copy(o, "addresses", from, "addresses", JSON_ARRAY);
	return o;
}

static json_t *parameters(const Model *m, const json_t *config)
{
	json_t *o = json_object(), *budget = json_object();
	const json_t *told = json_object_get(config, "budget");
	if (!model_is_survey(m)) {
		copy_number(o, config, "confidence");
		copy_number(o, config, "seed");
		copy_number(o, config, "max_culprits");
	}
	copy_number(budget, told, "boots");
	copy_number(budget, told, "builds");
	copy_number(budget, told, "hours");
	json_object_set_new(o, "budget", budget);
	return o;
}

/* It asks about pairs of initcalls: the engine's word for it is in its notes and its verdict. */
static bool model_is_order(const Model *m)
{
	return !m->candidates->len;
}

static json_t *campaign(const Model *m)
{
	const StoreCampaign *c = m->run;
	g_autofree char *started = model_time(c->created_us);
	g_autofree char *ended = model_time(c->finished_us);
	json_t *o = json_object();
	json_object_set_new(o, "id", json_integer(c->id));
	json_object_set_new(o, "slug", model_text(c->slug));
	json_object_set_new(o, "name", model_text(c->name));
	json_object_set_new(o, "run", json_integer(c->run));
	model_set_text(o, "title", c->title);
	model_set_text(o, "question", c->question);
	json_object_set_new(o, "digest", model_text(c->digest));
	json_object_set_new(o, "state", json_string(store_state_name(m->state)));
	model_set_text(o, "state_reason", c->state_reason);
	model_set_text(o, "started", started);
	model_set_text(o, "ended", ended);
	json_object_set_new(o, "folder", model_text(c->dir));
	model_set_text(o, "file", kx_json_str(c->config, "file"));
	json_object_set_new(o, "effect", json_string(model_cures(m) ? "cures" : "causes"));
	json_object_set_new(o, "space",
			    json_string(model_is_history(m)    ? "history"
					: model_is_versions(m) ? "versions"
					: model_is_order(m)    ? "order"
							       : "subsets"));
	json_object_set_new(o, "candidates", json_integer(m->candidates->len));
	model_set_text(o, "mode", kx_json_str(c->config, "mode"));
	model_set_text(o, "cmdline", kx_json_str(c->config, "cmdline"));
	json_object_set_new(o, "base", named(json_object_get(c->config, "base")));
	json_object_set_new(o, "series", named(json_object_get(c->config, "series")));
	json_object_set_new(o, "fixtures", all_named(json_object_get(c->config, "fixtures")));
	json_object_set_new(o, "targets", all_named(json_object_get(c->config, "targets")));
	json_object_set_new(o, "oracle", oracle(json_object_get(c->config, "oracle")));
	json_object_set_new(o, "parameters", parameters(m, c->config));
	return o;
}

/* ---- verdict ---- */

static json_t *verdict(const Model *m)
{
	const StoreVerdict *v = m->verdict;
	json_t *o = json_object();
	bool cause = v && strcmp(v->kind, "cause") == 0;
	json_object_set_new(o, "kind", model_text(v ? v->kind : "inconclusive"));
	json_object_set_new(o, "effect", json_string(model_cures(m) ? "cures" : "causes"));
	json_object_set_new(o, "members", model_names(m, cause ? v->members : 0));
	json_object_set_new(o, "either",
			    json_boolean(cause && strcmp(m->leading_kind, "either") == 0));
	json_object_set_new(o, "probability",
			    model_probability(v ? v->probability : m->leading_probability));
	json_object_set_new(o, "final", json_boolean(v != NULL));
	json_object_set_new(o, "why", model_text(v ? v->why : store_state_name(m->state)));
	model_set_text(o, "reason", v ? v->reason : m->run->state_reason);
	json_object_set_new(o, "cold_differs",
			    json_boolean(v && kx_json_bool(v->details, "cold_differs", false)));
	if (v && json_is_object(json_object_get(v->details, "order")))
		json_object_set(o, "order", json_object_get(v->details, "order"));
	if (*m->leading_kind) {
		json_t *leading = json_object();
		bool set = strcmp(m->leading_kind, "set") == 0 ||
			   strcmp(m->leading_kind, "either") == 0;
		json_object_set_new(leading, "kind", model_text(m->leading_kind));
		json_object_set_new(leading, "members", model_names(m, set ? m->leading : 0));
		json_object_set_new(leading, "probability",
				    model_probability(m->leading_probability));
		json_object_set_new(o, "leading", leading);
	}
	json_object_set_new(o, "evidence", model_evidence(m));
	return o;
}

/* ---- totals, time, events ---- */

static json_t *totals(const Model *m)
{
	json_t *o = json_object(), *outcomes = json_object();
	gint64 built = 0, cached = 0;
	for (guint i = 0; i < m->trials->len; i++) {
		const StoreTrial *t = m->trials->pdata[i];
		gint64 n = kx_json_int(outcomes, t->outcome, 0);
		json_object_set_new(outcomes, t->outcome, json_integer(n + 1));
	}
	for (guint i = 0; i < m->builds->len; i++) {
		const StoreBuild *b = m->builds->pdata[i];
		built += !b->cached;
		cached += b->cached;
	}
	json_object_set_new(o, "trials", json_integer(m->trials->len));
	json_object_set_new(o, "variants", json_integer(m->masks->len));
	json_object_set_new(o, "builds", json_integer(built));
	json_object_set_new(o, "builds_cached", json_integer(cached));
	json_object_set_new(o, "outcomes", outcomes);
	return o;
}

static json_t *times(const Model *m)
{
	const StoreTimes *t = &m->times;
	const struct {
		const char *name, *title;
		double seconds;
	} parts[] = {
		{"compile", "compiler and linker", t->compile},
		{"boot", "launcher, kexec, kernel boot", t->boot},
		{"deadline", "waiting for a deadline", t->deadline},
		{"source", "fetching and importing the source", t->source},
		{"configure", "applying patches, kconfig", t->configure},
		{"harness", "kexsect itself", t->harness},
	};
	json_t *o = json_object(), *list = json_array();
	double total = report_clamp(t->total, 0, 1e9), harness = 0;
	for (size_t i = 0; i < G_N_ELEMENTS(parts); i++) {
		double seconds = report_clamp(parts[i].seconds, 0, 1e9);
		double percent = total > 0 ? report_clamp(100 * seconds / total, 0, 100) : 0;
		json_t *p = json_object();
		json_object_set_new(p, "name", json_string(parts[i].name));
		json_object_set_new(p, "title", json_string(parts[i].title));
		json_object_set_new(p, "seconds", json_real(seconds));
		json_object_set_new(p, "percent", json_real(percent));
		json_array_append_new(list, p);
		harness = percent; /* the last one */
	}
	json_object_set_new(o, "total", json_real(total));
	json_object_set_new(o, "harness_percent", json_real(harness));
	json_object_set_new(o, "parts", list);
	return o;
}

/* The last ones, when there are many. */
static json_t *events(const Model *m)
{
	json_t *out = json_array();
	guint first = m->events->len > EVENTS_MAX ? m->events->len - EVENTS_MAX : 0;
	for (guint i = first; i < m->events->len; i++) {
		const StoreEvent *e = m->events->pdata[i];
		g_autofree char *time = model_time(e->time_us);
		json_t *o = json_object();
		model_set_text(o, "time", time);
		json_object_set_new(o, "level", model_text(e->level));
		json_object_set_new(o, "kind", model_text(e->kind));
		if (e->trial)
			json_object_set_new(o, "trial", json_integer(e->trial));
		json_object_set_new(o, "text", model_text(e->text));
		json_array_append_new(out, o);
	}
	return out;
}

json_t *model_document(const Model *m)
{
	json_t *doc = json_object(), *q = model_rates(m);
	g_autofree char *now = model_time(g_get_real_time());
	json_object_set_new(doc, "format", json_integer(FORMAT));
	json_object_set_new(doc, "generator", json_string("kexsect " KEXSECT_VERSION));
	json_object_set_new(doc, "generated", json_string(now));
	json_object_set_new(doc, "campaign", campaign(m));
	json_object_set_new(doc, "verdict", verdict(m));
	json_object_set_new(doc, "totals", totals(m));
	if (q)
		json_object_set_new(doc, "rates", q);
	json_object_set_new(doc, "candidates", model_candidates(m));
	json_object_set_new(doc, "hypotheses", model_hypotheses(m));
	json_object_set_new(doc, "history", model_history(m));
	json_object_set_new(doc, "variants", model_variants(m));
	json_t *survey = model_survey(m);
	if (survey)
		json_object_set_new(doc, "survey", survey);
	json_object_set_new(doc, "conflicts", model_conflicts(m));
	json_object_set_new(doc, "trials", model_trials(m));
	json_t *measures = model_measures(m), *effects = model_effects(m);
	if (measures)
		json_object_set_new(doc, "measures", measures);
	if (effects)
		json_object_set_new(doc, "effects", effects);
	json_object_set_new(doc, "faults", model_faults(m));
	json_t *timeline = model_timeline(m);
	if (timeline)
		json_object_set_new(doc, "timeline", timeline);
	json_object_set_new(doc, "time", times(m));
	json_object_set_new(doc, "environment", model_environment(m));
	json_object_set_new(doc, "events", events(m));
	json_object_set_new(doc, "repeat", model_repeat(m));

	g_autoptr(GString) sentence = g_string_new(NULL);
	report_say_headline(doc, &report_speech_plain, sentence);
	json_object_set_new(json_object_get(doc, "verdict"), "sentence", model_text(sentence->str));
	return doc;
}
