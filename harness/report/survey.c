/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The document: the table of a survey, each variant in each mode. */
#include "model.h"
#include "report-internal.h"

#include <string.h>

/* ---- ranges ---- */

/* Takes a value into {"min", "max", "boots"} at `key` of `into`. */
static void widen(json_t *into, const char *key, const json_t *value)
{
	double x = json_number_value(value);
	if (!json_is_number(value) || x < 0) /* -1: not known */
		return;
	json_t *range = json_object_get(into, key);
	if (!range) {
		range = json_object();
		json_object_set_new(into, key, range);
	}
	const json_t *low = json_object_get(range, "min"), *high = json_object_get(range, "max");
	if (!low || x < json_number_value(low))
		json_object_set(range, "min", (json_t *)value);
	if (!high || x > json_number_value(high))
		json_object_set(range, "max", (json_t *)value);
	json_object_set_new(range, "boots", json_integer(kx_json_int(range, "boots", 0) + 1));
}

/* Refused accesses: records, and what came with them (the oracle's `suppressed`). */
static void widen_accesses(json_t *into, const json_t *from)
{
	gint64 faults = kx_json_int(from, "faults", -1), more = kx_json_int(from, "suppressed", 0);
	g_autoptr(json_t) sum = json_integer(faults + MAX(more, 0));
	if (faults >= 0)
		widen(into, "accesses", sum);
}

static void widen_all(json_t *into, const json_t *from)
{
	const char *key;
	json_t *value;
	json_object_foreach ((json_t *)from, key, value)
		widen(into, key, value);
	widen_accesses(into, from);
}

/* ---- parts of the window ---- */

static json_t *part_of(json_t *parts, const char *name)
{
	size_t i;
	json_t *p;
	json_array_foreach (parts, i, p)
		if (strcmp(report_str(p, "name"), name) == 0)
			return p;
	p = json_object();
	json_object_set_new(p, "name", model_text(name));
	json_object_set_new(p, "measures", json_object());
	json_array_append_new(parts, p);
	return p;
}

static void add_parts(json_t *parts, const json_t *from)
{
	size_t i;
	json_t *p;
	json_array_foreach ((json_t *)from, i, p) {
		const char *name = kx_json_str(p, "name");
		if (name)
			widen_all(json_object_get(part_of(parts, name), "measures"), p);
	}
}

/* ---- cells ---- */

static bool is_of(const StoreTrial *t, uint64_t mask, const char *mode)
{
	return t->mask == mask && strcmp(t->mode, mode) == 0 && strcmp(t->outcome, "infra") != 0;
}

/* A boot that hung has not measured anything to its end. */
static bool has_measured(const StoreTrial *t)
{
	return strcmp(t->outcome, "fault") == 0 || strcmp(t->outcome, "clean") == 0;
}

static json_t *cell(const Model *m, uint64_t mask, const char *mode)
{
	json_t *o = json_object(), *outcomes = json_object(), *measures = json_object();
	json_t *parts = json_array(), *numbers = json_array();
	for (guint i = 0; i < m->trials->len; i++) {
		const StoreTrial *t = m->trials->pdata[i];
		if (!is_of(t, mask, mode))
			continue;
		gint64 n = kx_json_int(outcomes, t->outcome, 0);
		json_object_set_new(outcomes, t->outcome, json_integer(n + 1));
		json_array_append_new(numbers, json_integer(t->number));
		if (!has_measured(t))
			continue;
		widen_all(measures, t->measures);
		add_parts(parts, json_object_get(t->measures, "parts"));
	}
	json_object_set_new(o, "mode", model_text(mode));
	json_object_set_new(o, "boots", json_integer((json_int_t)json_array_size(numbers)));
	json_object_set_new(o, "outcomes", outcomes);
	json_object_set_new(o, "measures", measures);
	json_object_set_new(o, "parts", parts);
	json_object_set_new(o, "trials", numbers);
	return o;
}

static uint64_t mask_of(const json_t *row)
{
	const char *mask = kx_json_str(row, "mask");
	return mask ? g_ascii_strtoull(mask, NULL, 16) : 0;
}

static const StoreBuild *refusal(const Model *m, uint64_t mask)
{
	uint64_t compiled = model_compiled(m, mask);
	const StoreBuild *found = NULL;
	for (guint i = 0; i < m->builds->len; i++) {
		const StoreBuild *b = m->builds->pdata[i];
		if (b->launcher || b->clean || b->mask != compiled)
			continue;
		if (strcmp(b->status, "ok") == 0)
			return NULL;
		if (strcmp(b->status, "unbuildable") == 0)
			found = b;
	}
	return found;
}

static json_t *row(const Model *m, const json_t *plan, const json_t *modes)
{
	uint64_t mask = mask_of(plan);
	const char *left_out = kx_json_str(plan, "left_out");
	const StoreBuild *no = refusal(m, mask);
	int variant = model_variant(m, mask);
	json_t *o = json_object(), *cells = json_array();
	json_object_set_new(o, "members", model_names(m, mask));
	if (variant >= 0)
		json_object_set_new(o, "variant", json_integer(variant));
	json_object_set_new(o, "status",
			    json_string(left_out ? "left_out"
					: no	 ? "unbuildable"
						 : "booted"));
	model_set_text(o, "reason", left_out ? left_out : no ? no->reason : NULL);
	size_t i;
	json_t *mode;
	json_array_foreach ((json_t *)modes, i, mode)
		if (json_is_string(mode))
			json_array_append_new(cells, cell(m, mask, json_string_value(mode)));
	json_object_set_new(o, "cells", cells);
	return o;
}

static json_t *modes_of(const Model *m)
{
	json_t *out = json_array();
	size_t i;
	json_t *mode;
	json_array_foreach (json_object_get(m->survey, "modes"), i, mode)
		if (json_is_string(mode))
			json_array_append_new(out, model_text(json_string_value(mode)));
	return out;
}

/* The run is over and the plan was carried out. */
static bool is_complete(const Model *m)
{
	return g_strcmp0(kx_json_str(m->survey, "why"), "complete") == 0;
}

bool model_is_survey(const Model *m)
{
	return json_is_object(m->survey) && !kx_json_bool(m->survey, "after_verdict", false);
}

json_t *model_survey(const Model *m)
{
	if (!json_is_object(m->survey))
		return NULL;
	json_t *o = json_object(), *rows = json_array(), *modes = modes_of(m);
	size_t i;
	json_t *plan;
	json_array_foreach (json_object_get(m->survey, "rows"), i, plan)
		json_array_append_new(rows, row(m, plan, modes));
	json_object_set_new(o, "boots", json_integer(kx_json_int(m->survey, "boots", 0)));
	json_object_set_new(o, "modes", modes);
	json_object_set_new(o, "after_verdict",
			    json_boolean(kx_json_bool(m->survey, "after_verdict", false)));
	json_object_set_new(o, "complete", json_boolean(is_complete(m)));
	model_set_text(o, "why", kx_json_str(m->survey, "why"));
	json_object_set_new(o, "rows", rows);
	json_object_set_new(o, "statements", report_survey_statements(o));
	return o;
}
