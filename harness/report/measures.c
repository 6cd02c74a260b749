/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The document: what each kernel measured, part by part, and what each candidate does to it. */
#include "model.h"
#include "report-internal.h"

#include <math.h>
#include <string.h>

#include "report/effects.h"

/* A boot that hung has not measured anything to its end. */
static bool has_measured(const StoreTrial *t)
{
	return strcmp(t->outcome, "fault") == 0 || strcmp(t->outcome, "clean") == 0;
}

static double number(const json_t *o, const char *key)
{
	const json_t *v = json_object_get(o, key);
	double x = json_is_number(v) ? json_number_value(v) : NAN;
	return x < 0 ? NAN : x; /* -1: not known */
}

static double accesses_of(const json_t *measures)
{
	double faults = number(measures, "faults"), more = number(measures, "suppressed");
	return isnan(faults) ? NAN : faults + (isnan(more) ? 0 : more);
}

/* ---- one kernel in one mode ---- */

typedef struct {
	double sum, min, max;
	guint n;
} Range;

static void widen(Range *r, double x)
{
	if (isnan(x))
		return;
	r->min = r->n ? MIN(r->min, x) : x;
	r->max = r->n ? MAX(r->max, x) : x;
	r->sum += x;
	r->n++;
}

static void put_range(json_t *o, const char *key, const Range *r)
{
	if (r->n)
		json_object_set_new(o, key,
				    json_pack("{s:f s:f s:f s:i}", "mean", r->sum / r->n, "min",
					      r->min, "max", r->max, "boots", (int)r->n));
}

typedef struct {
	char *name;
	Range start, length, accesses;
	double place; /* sum of its places in the boots' orders */
} Part;

static void part_clear(gpointer data)
{
	g_free(((Part *)data)->name);
}

static Part *part_of(GArray *parts, const char *name)
{
	for (guint i = 0; i < parts->len; i++)
		if (strcmp(g_array_index(parts, Part, i).name, name) == 0)
			return &g_array_index(parts, Part, i);
	Part fresh = {.name = g_strdup(name)};
	g_array_append_val(parts, fresh);
	return &g_array_index(parts, Part, parts->len - 1);
}

static void take_parts(GArray *parts, const json_t *list)
{
	size_t i;
	json_t *p;
	json_array_foreach ((json_t *)list, i, p) {
		const char *name = kx_json_str(p, "name");
		if (!name || i >= 64)
			continue;
		Part *part = part_of(parts, name);
		widen(&part->start, number(p, "start_us"));
		widen(&part->length, number(p, "length_us"));
		widen(&part->accesses, accesses_of(p));
		part->place += (double)i;
	}
}

static int by_place(gconstpointer a, gconstpointer b)
{
	const Part *x = a, *y = b;
	double p = x->place / MAX(x->accesses.n, 1), q = y->place / MAX(y->accesses.n, 1);
	return (p > q) - (p < q);
}

static json_t *parts_json(GArray *parts)
{
	json_t *out = json_array();
	g_array_sort(parts, by_place);
	for (guint i = 0; i < parts->len; i++) {
		const Part *p = &g_array_index(parts, Part, i);
		json_t *o = json_object();
		json_object_set_new(o, "name", model_text(p->name));
		put_range(o, "start_us", &p->start);
		put_range(o, "length_us", &p->length);
		put_range(o, "accesses", &p->accesses);
		json_array_append_new(out, o);
	}
	return out;
}

/* Nothing was refused, though it would have been. */
static char *open_window(const Range *blocked, double period_us)
{
	double us = blocked->max, p = period_us > 0 ? period_us : 100000;
	double part = us / p;
	g_autofree char *often =
		part >= 1 ? g_strdup("every boot") : g_strdup_printf("%.2g of boots", part);
	return g_strdup_printf("no access was refused, but the window is still open for %.0f µs: a "
			       "device that does DMA every %g ms would fault in %s",
			       us, p / 1000, often);
}

static json_t *one_mode(const Model *m, guint variant, const char *mode)
{
	uint64_t mask = g_array_index(m->masks, uint64_t, variant);
	Range accesses = {0}, window = {0}, blocked = {0};
	g_autoptr(GArray) parts = g_array_new(FALSE, FALSE, sizeof(Part));
	guint boots = 0, faults = 0;
	g_array_set_clear_func(parts, part_clear);
	for (guint i = 0; i < m->trials->len; i++) {
		const StoreTrial *t = m->trials->pdata[i];
		if (t->mask != mask || strcmp(t->mode, mode) != 0 || !has_measured(t))
			continue;
		boots++;
		faults += strcmp(t->outcome, "fault") == 0;
		widen(&accesses, accesses_of(t->measures));
		widen(&window, number(t->measures, "window_us"));
		widen(&blocked, number(t->measures, "blocked_us"));
		take_parts(parts, json_object_get(t->measures, "parts"));
	}
	if (!boots || !(accesses.n + window.n))
		return NULL;
	json_t *o = json_object();
	json_object_set_new(o, "variant", json_integer(variant));
	json_object_set_new(o, "members", model_names(m, mask));
	json_object_set_new(o, "mode", model_text(mode));
	json_object_set_new(o, "boots", json_integer(boots));
	json_object_set_new(o, "faults", json_integer(faults));
	put_range(o, "accesses", &accesses);
	put_range(o, "window_us", &window);
	put_range(o, "blocked_us", &blocked);
	if (parts->len)
		json_object_set_new(o, "parts", parts_json(parts));
	if (accesses.max == 0 && blocked.n && blocked.max > 0) {
		const json_t *target =
			json_array_get(json_object_get(m->run->config, "targets"), 0);
		g_autofree char *words =
			open_window(&blocked, kx_json_num(target, "phase_period_us", 0));
		json_object_set_new(o, "warning", model_text(words));
	}
	return o;
}

json_t *model_measures(const Model *m)
{
	static const char *const modes[] = {"kexec", "cold"};
	json_t *out = json_array();
	for (guint v = 0; v < m->masks->len; v++)
		for (gsize i = 0; i < G_N_ELEMENTS(modes); i++) {
			json_t *o = one_mode(m, v, modes[i]);
			if (o)
				json_array_append_new(out, o);
		}
	if (json_array_size(out))
		return out;
	json_decref(out);
	return NULL;
}

/* ---- what each candidate does ---- */

/* Boots are compared on the same machine in the same mode only. */
static GArray *boots_of(const Model *m, const char *part)
{
	GArray *out = g_array_new(FALSE, FALSE, sizeof(EffectsBoot));
	g_autoptr(GHashTable) groups = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
	for (guint i = 0; i < m->trials->len; i++) {
		const StoreTrial *t = m->trials->pdata[i];
		const json_t *of = t->measures;
		if (!has_measured(t))
			continue;
		g_autofree char *key = g_strconcat(t->target, " ", t->mode, NULL);
		if (!g_hash_table_contains(groups, key))
			g_hash_table_insert(groups, g_strdup(key),
					    GUINT_TO_POINTER(g_hash_table_size(groups)));
		EffectsBoot b = {.variant = t->mask,
				 .group = GPOINTER_TO_UINT(g_hash_table_lookup(groups, key)),
				 .phase = (gint)kx_json_int(t->measures, "phase_us", -1)};
		size_t k;
		json_t *p, *found = NULL;
		json_array_foreach (json_object_get(of, "parts"), k, p)
			if (part && g_strcmp0(kx_json_str(p, "name"), part) == 0)
				found = p;
		if (part && !found)
			continue;
		b.values[EFFECTS_RATE] = strcmp(t->outcome, "fault") == 0;
		b.values[EFFECTS_FAULTS] = accesses_of(part ? found : of);
		b.values[EFFECTS_WINDOW] =
			number(part ? found : of, part ? "length_us" : "window_us");
		b.values[EFFECTS_BLOCKED] = part ? NAN : number(of, "blocked_us");
		g_array_append_val(out, b);
	}
	return out;
}

static bool counts_instructions(const Model *m)
{
	const json_t *targets = json_object_get(m->run->config, "targets");
	for (size_t i = 0; i < json_array_size(targets); i++)
		if (g_strcmp0(kx_json_str(json_array_get(targets, i), "determinism"), "icount") !=
		    0)
			return false;
	return json_array_size(targets) > 0;
}

static void put_number(json_t *o, const char *key, double x)
{
	if (isfinite(x))
		json_object_set_new(o, key, json_real(x));
}

/* Percent of change, from the ratio. */
static double percent(double ratio)
{
	return 100 * (ratio - 1);
}

static json_t *effect_json(const Effect *e)
{
	json_t *o = json_object();
	json_object_set_new(o, "pairs", json_integer(e->pairs));
	json_object_set_new(o, "boots", json_integer(e->boots));
	json_object_set_new(o, "exact", json_boolean(e->exact));
	put_number(o, "without", e->without.mean);
	put_number(o, "with", e->with.mean);
	put_number(o, "percent", percent(e->ratio.mean));
	put_number(o, "low", percent(e->ratio.low));
	put_number(o, "high", percent(e->ratio.high));
	if (e->pairs > 1) {
		put_number(o, "least", percent(e->least));
		put_number(o, "most", percent(e->most));
	}
	json_object_set_new(o, "none", json_boolean(effects_is_none(e)));
	return o;
}

/* `boots` of each of the parts `names`. */
static void put_parts(json_t *o, unsigned candidate, bool exact, const GPtrArray *names,
		      const GPtrArray *boots)
{
	json_t *list = json_array();
	for (guint i = 0; i < names->len; i++) {
		Effect e;
		effects_estimate(boots->pdata[i], candidate, EFFECTS_FAULTS, exact, &e);
		if (!e.pairs || (e.without.mean == 0 && e.with.mean == 0))
			continue;
		json_t *p = effect_json(&e);
		json_object_set_new(p, "name", model_text(names->pdata[i]));
		json_array_append_new(list, p);
	}
	if (json_array_size(list))
		json_object_set(o, "parts", list);
	json_decref(list);
}

static GPtrArray *part_names(const Model *m)
{
	GPtrArray *out = g_ptr_array_new_with_free_func(g_free);
	for (guint i = 0; i < m->trials->len; i++) {
		const StoreTrial *t = m->trials->pdata[i];
		size_t k;
		json_t *p;
		json_array_foreach (json_object_get(t->measures, "parts"), k, p) {
			const char *name = kx_json_str(p, "name");
			if (name && out->len < 32 &&
			    !g_ptr_array_find_with_equal_func(out, name, g_str_equal, NULL))
				g_ptr_array_add(out, g_strdup(name));
		}
	}
	return out;
}

static char *say_limit(double x, int digits)
{
	return isnan(x) ? g_strdup("?")
			: g_strdup_printf("%s%.*f", x < 0 ? "−" : "+", digits, fabs(x));
}

/* "−45 %", "removes it", "none measurable". */
static char *say_effect(const json_t *e)
{
	double low = report_num(e, "low", NAN), high = report_num(e, "high", NAN);
	const json_t *change = json_object_get(e, "percent");
	if (kx_json_bool(e, "none", false))
		return g_strdup("none measurable");
	if (!json_is_number(change))
		return g_strdup("brings it");
	double x = json_number_value(change);
	if (x <= -100)
		return g_strdup(kx_json_bool(e, "exact", false) ? "−100 %"
								: "−100 % in these boots");
	g_autofree char *value =
		g_strdup_printf("%s%.*f %%", x < 0 ? "−" : "+", fabs(x) < 10 ? 1 : 0, fabs(x));
	if (kx_json_bool(e, "exact", false))
		return g_strdup(value);
	/* as many digits as tell the limits apart */
	int digits = fabs(high - low) < 2 ? 1 : 0;
	g_autofree char *from = say_limit(low, digits), *to = say_limit(high, digits);
	return g_strdup_printf("%s (%s to %s %%)", value, from, to);
}

static double rank_of(const json_t *candidate, const char *measure)
{
	const json_t *e = json_object_get(candidate, measure);
	return kx_json_bool(e, "none", false) ? 0 : report_num(e, "percent", 0);
}

typedef struct {
	json_t *candidate;
	double rank;
} Ranked;

static int by_rank(gconstpointer a, gconstpointer b)
{
	const Ranked *x = a, *y = b;
	return (x->rank > y->rank) - (x->rank < y->rank);
}

/* No combination that was booted is free of faults, or all of those that are are told. */
static const char *free_of_faults(const Model *m)
{
	for (guint v = 0; v < m->masks->len; v++) {
		guint faults = 0, cleans = 0;
		for (guint i = 0; i < m->trials->len; i++) {
			const StoreTrial *t = m->trials->pdata[i];
			if (t->mask != g_array_index(m->masks, uint64_t, v))
				continue;
			faults += strcmp(t->outcome, "fault") == 0;
			cleans += strcmp(t->outcome, "clean") == 0;
		}
		if (cleans && !faults)
			return "";
	}
	return "; no combination tested removes it";
}

static char *sentence(const Model *m, GArray *ranked, const char *measure)
{
	GString *s = g_string_new(NULL);
	for (guint i = 0; i < ranked->len && i < 8; i++) {
		const json_t *k = g_array_index(ranked, Ranked, i).candidate;
		g_autofree char *words = say_effect(json_object_get(k, measure));
		g_string_append_printf(s, "%s%s: %s", i ? ", " : "", report_str(k, "name"), words);
	}
	if (ranked->len > 8)
		g_string_append_printf(s, ", and %u more", ranked->len - 8);
	g_string_append(s, free_of_faults(m));
	return g_string_free(s, FALSE);
}

static json_t *one_candidate(const Model *m, unsigned i, const GArray *boots, bool exact,
			     const GPtrArray *parts, const GPtrArray *part_boots)
{
	const StoreCandidate *k = m->candidates->pdata[i];
	json_t *o = json_object();
	bool measured = false;
	json_object_set_new(o, "name", model_text(k->name));
	for (int w = 0; w < EFFECTS_MEASURES; w++) {
		Effect e;
		effects_estimate(boots, i, (EffectsMeasure)w, exact, &e);
		if (!e.pairs)
			continue;
		measured = true;
		json_object_set_new(o, effects_measure_name((EffectsMeasure)w), effect_json(&e));
	}
	if (measured)
		put_parts(o, i, exact, parts, part_boots);
	json_object_set_new(o, "measured", json_boolean(measured));
	return o;
}

json_t *model_effects(const Model *m)
{
	const char *measure = kx_json_str(m->run->config, "measure");
	g_autoptr(GArray) boots = boots_of(m, NULL);
	g_autoptr(GPtrArray) parts = part_names(m);
	g_autoptr(GPtrArray) part_boots =
		g_ptr_array_new_with_free_func((GDestroyNotify)g_array_unref);
	g_autoptr(GArray) ranked = g_array_new(FALSE, FALSE, sizeof(Ranked));
	bool exact = counts_instructions(m), agree = effects_agree(boots);
	if (model_is_history(m) || model_is_versions(m) || m->candidates->len > 64 ||
	    boots->len < 2)
		return NULL;
	for (guint i = 0; i < parts->len; i++)
		g_ptr_array_add(part_boots, boots_of(m, parts->pdata[i]));
	measure = measure ? measure : "faults";
	json_t *o = json_object(), *list = json_array(), *missing = json_array();
	for (guint i = 0; i < m->candidates->len; i++) {
		json_t *k = one_candidate(m, i, boots, exact && agree, parts, part_boots);
		Ranked r = {k, rank_of(k, measure)};
		if (!kx_json_bool(k, "measured", false))
			json_array_append(missing, json_object_get(k, "name"));
		else if (json_object_get(k, measure))
			g_array_append_val(ranked, r);
		json_array_append_new(list, k);
	}
	g_array_sort(ranked, by_rank);
	g_autofree char *words = sentence(m, ranked, measure);
	json_object_set_new(o, "measure", model_text(measure));
	json_object_set_new(o, "exact", json_boolean(exact && agree));
	if (exact && !agree)
		json_object_set_new(o, "warning",
				    json_string("boots that should be the same are not: the "
						"estimates take them for boots of an ordinary "
						"machine"));
	json_object_set_new(o, "candidates", list);
	json_object_set_new(o, "unmeasured", missing);
	if (ranked->len)
		json_object_set_new(o, "sentence", model_text(words));
	if (ranked->len)
		return o;
	json_decref(o);
	return NULL;
}

char *report_say_effect(const json_t *effect)
{
	return effect ? say_effect(effect) : g_strdup("not measured");
}
