/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What can be read off the table of a survey, in sentences; and the table as text. */
#include "report-internal.h"

#include <math.h>
#include <string.h>

/* ---- one cell ---- */

static gint64 count(const json_t *cell, const char *outcome)
{
	return kx_json_int(json_object_get(cell, "outcomes"), outcome, 0);
}

typedef enum { NOT_KNOWN, NEVER, SOMETIMES, ALWAYS } Often;

static Often often(const json_t *cell)
{
	gint64 faults = count(cell, "fault"), cleans = count(cell, "clean");
	return faults + cleans == 0 ? NOT_KNOWN
	       : faults == 0	    ? NEVER
	       : cleans == 0	    ? ALWAYS
				    : SOMETIMES;
}

static const json_t *range_of(const json_t *cell, const char *measure)
{
	return json_object_get(json_object_get(cell, "measures"), measure);
}

static double low(const json_t *range)
{
	return json_number_value(json_object_get(range, "min"));
}

static double high(const json_t *range)
{
	return json_number_value(json_object_get(range, "max"));
}

static bool is_same(const json_t *range)
{
	return low(range) == high(range);
}

static const json_t *cell_of(const json_t *row, size_t mode)
{
	return json_array_get(json_object_get(row, "cells"), mode);
}

static char *row_name(const json_t *row)
{
	GString *s = g_string_new(NULL);
	const json_t *members = json_object_get(row, "members");
	for (size_t i = 0; i < json_array_size(members); i++) {
		const char *name = json_string_value(json_array_get(members, i));
		g_string_append_printf(s, "%s%s", i ? " + " : "", name ? name : "");
	}
	if (!s->len)
		g_string_append(s, "the base");
	return g_string_free(s, FALSE);
}

/* ---- sentences ---- */

static void say(json_t *out, char *sentence)
{
	json_array_append_new(out, kx_json_text(sentence));
	g_free(sentence);
}

/* The rows whose boots in all modes fault so often. */
static Often row_often(const json_t *row)
{
	Often all = NOT_KNOWN;
	const json_t *cells = json_object_get(row, "cells");
	for (size_t i = 0; i < json_array_size(cells); i++) {
		Often one = often(json_array_get(cells, i));
		if (one != NOT_KNOWN)
			all = all == NOT_KNOWN || all == one ? one : SOMETIMES;
	}
	return all;
}

static void say_which(json_t *out, const json_t *survey, Often which, const char *words)
{
	g_autoptr(GString) s = g_string_new(NULL);
	const json_t *rows = json_object_get(survey, "rows");
	for (size_t i = 0; i < json_array_size(rows); i++) {
		const json_t *row = json_array_get(rows, i);
		g_autofree char *name = row_name(row);
		if (row_often(row) == which)
			g_string_append_printf(s, "%s%s", s->len ? ", " : "", name);
	}
	if (s->len)
		say(out, g_strdup_printf("%s: %s.", words, s->str));
}

/* Whether one boot of a kernel says as much as ten. */
static void say_repeats(json_t *out, const json_t *survey, size_t mode)
{
	const json_t *rows = json_object_get(survey, "rows");
	size_t compared = 0, moved = 0;
	bool phases = false;
	for (size_t i = 0; i < json_array_size(rows); i++) {
		const json_t *range = range_of(cell_of(json_array_get(rows, i), mode), "accesses");
		if (kx_json_int(range, "boots", 0) < 2)
			continue;
		compared++;
		moved += !is_same(range);
		phases |= !is_same(range_of(cell_of(json_array_get(rows, i), mode), "phase_step"));
	}
	const char *name =
		json_string_value(json_array_get(json_object_get(survey, "modes"), mode));
	if (compared && !moved)
		say(out, g_strdup_printf("%s: all boots of a kernel%s count the same, with each of "
					 "the %zu that were booted more than once.",
					 name, phases ? ", each at another phase," : "", compared));
	else if (compared)
		say(out, g_strdup_printf("%s: the boots of a kernel%s differ in their counts with "
					 "%zu of the %zu that were booted more than once.",
					 name, phases ? ", each at another phase," : "", moved,
					 compared));
}

static void say_modes(json_t *out, const json_t *survey)
{
	g_autoptr(GString) s = g_string_new(NULL);
	const json_t *rows = json_object_get(survey, "rows");
	size_t compared = 0;
	for (size_t i = 0; i < json_array_size(rows); i++) {
		const json_t *row = json_array_get(rows, i);
		Often a = often(cell_of(row, 0)), b = often(cell_of(row, 1));
		g_autofree char *name = row_name(row);
		compared += a != NOT_KNOWN && b != NOT_KNOWN;
		if (a != NOT_KNOWN && b != NOT_KNOWN && a != b)
			g_string_append_printf(s, "%s%s", s->len ? ", " : "", name);
	}
	if (s->len)
		say(out, g_strdup_printf("kexec and cold boots do not agree on: %s.", s->str));
	else if (compared)
		say(out, g_strdup("kexec and cold boots agree on which kernels fault."));
}

/* ---- what one candidate does, all else equal ---- */

typedef struct {
	size_t pairs, unchanged, removed, brought, less, more;
} Effect;

static bool is_with(const json_t *row, const json_t *without, const char *name)
{
	const json_t *a = json_object_get(row, "members"), *b = json_object_get(without, "members");
	if (json_array_size(a) != json_array_size(b) + 1 || !report_has_name(a, name) ||
	    report_has_name(b, name))
		return false;
	for (size_t i = 0; i < json_array_size(b); i++)
		if (!report_has_name(a, json_string_value(json_array_get(b, i))))
			return false;
	return true;
}

static void compare(Effect *e, const json_t *without, const json_t *with)
{
	const json_t *a = range_of(without, "accesses"), *b = range_of(with, "accesses");
	if (!a || !b)
		return;
	e->pairs++;
	if (low(a) == low(b) && high(a) == high(b))
		e->unchanged++;
	else if (low(a) > 0 && high(b) == 0)
		e->removed++;
	else if (high(a) == 0 && low(b) > 0)
		e->brought++;
	else
		e->less += high(b)<low(a), e->more += low(b)> high(a);
}

static Effect effect_of(const json_t *survey, const char *name)
{
	Effect e = {0};
	const json_t *rows = json_object_get(survey, "rows");
	size_t n = json_array_size(rows), modes = json_array_size(json_object_get(survey, "modes"));
	for (size_t i = 0; i < n; i++) {
		for (size_t k = 0; k < n; k++) {
			const json_t *a = json_array_get(rows, i), *b = json_array_get(rows, k);
			for (size_t m = 0; is_with(b, a, name) && m < modes; m++)
				compare(&e, cell_of(a, m), cell_of(b, m));
		}
	}
	return e;
}

static void put_share(GString *s, size_t n, const char *words)
{
	if (n)
		g_string_append_printf(s, "%s%s in %zu", s->len ? ", " : "", words, n);
}

static void say_effect(json_t *out, const json_t *survey, const char *name)
{
	Effect e = effect_of(survey, name);
	g_autoptr(GString) s = g_string_new(NULL);
	if (!e.pairs)
		return;
	put_share(s, e.removed, "it removes all faults");
	put_share(s, e.brought, "it brings them");
	put_share(s, e.less, "it lowers their number");
	put_share(s, e.more, "it raises it");
	put_share(s, e.unchanged, "it changes nothing");
	put_share(s, e.pairs - e.removed - e.brought - e.less - e.more - e.unchanged,
		  "the counts overlap");
	say(out, g_strdup_printf("%s, of %zu comparison%s with all else equal: %s.", name, e.pairs,
				 e.pairs == 1 ? "" : "s", s->str));
}

/* Candidates in the order in which the rows name them. */
static void say_effects(json_t *out, const json_t *survey)
{
	g_autoptr(json_t) told = json_array();
	size_t i, k;
	json_t *row, *name;
	json_array_foreach (json_object_get(survey, "rows"), i, row) {
		json_array_foreach (json_object_get(row, "members"), k, name) {
			if (report_has_name(told, json_string_value(name)))
				continue;
			json_array_append(told, name);
			say_effect(out, survey, json_string_value(name));
		}
	}
}

json_t *report_survey_statements(const json_t *survey)
{
	json_t *out = json_array();
	say_which(out, survey, ALWAYS, "Every boot faults with");
	say_which(out, survey, SOMETIMES, "Some boots fault with");
	say_which(out, survey, NEVER, "No boot faults with");
	say_effects(out, survey);
	size_t modes = json_array_size(json_object_get(survey, "modes"));
	for (size_t i = 0; i < modes; i++)
		say_repeats(out, survey, i);
	if (modes == 2)
		say_modes(out, survey);
	return out;
}

/* ---- figures ---- */

static char *span(const json_t *range, char *(*figure)(double))
{
	if (!range)
		return g_strdup("");
	g_autofree char *from = figure(low(range)), *to = figure(high(range));
	return is_same(range) || strcmp(from, to) == 0 ? g_strdup(to)
						       : g_strdup_printf("%s–%s", from, to);
}

static char *plain(double x)
{
	return g_strdup_printf("%.0f", x);
}

/* Of microseconds; three digits. */
static char *milliseconds(double us)
{
	double ms = us / 1000;
	return us == 0	   ? g_strdup("0")
	       : ms >= 100 ? g_strdup_printf("%.0f ms", ms)
	       : ms >= 10  ? g_strdup_printf("%.1f ms", ms)
			   : g_strdup_printf("%.3g ms", ms);
}

/* "3 of 3", "none of 3", "2 of 3, 1 hang" */
static char *outcomes(const json_t *cell)
{
	gint64 faults = count(cell, "fault"), boots = kx_json_int(cell, "boots", 0);
	if (!boots)
		return g_strdup("–");
	GString *s = g_string_new(NULL);
	g_string_append_printf(s, "%" G_GINT64_FORMAT " of %" G_GINT64_FORMAT, faults, boots);
	for (const ReportOutcome *o = report_outcomes; o->name; o++) {
		gint64 n = count(cell, o->name);
		if (n && strcmp(o->name, "fault") != 0 && strcmp(o->name, "clean") != 0)
			g_string_append_printf(s, ", %" G_GINT64_FORMAT " %s", n, o->words);
	}
	return g_string_free(s, FALSE);
}

/* ---- the table as text ---- */

static void add_line(GPtrArray *grid, GStrvBuilder *line)
{
	g_ptr_array_add(grid, g_strv_builder_end(line));
}

static void add_own(GStrvBuilder *line, char *cell)
{
	g_strv_builder_add(line, cell);
	g_free(cell);
}

static bool any_measure(const json_t *survey, const char *measure)
{
	size_t i, k;
	json_t *row, *cell;
	json_array_foreach (json_object_get(survey, "rows"), i, row)
		json_array_foreach (json_object_get(row, "cells"), k, cell) {
			const json_t *range = range_of(cell, measure);
			if (range && high(range) > 0)
				return true;
		}
	return false;
}

static const struct {
	const char *measure, *title;
	char *(*figure)(double);
	bool always;
} columns[] = {
	{"accesses", "accesses", plain, true},
	{"window_us", "window", milliseconds, true},
	{"blocked_us", "DMA blocked", milliseconds, false},
};

static void add_head(GPtrArray *grid, const json_t *doc, const json_t *survey)
{
	g_autoptr(GStrvBuilder) line = g_strv_builder_new();
	bool versions = strcmp(report_str(doc, "campaign.space"), "versions") == 0;
	g_strv_builder_add_many(line, versions ? "version" : "kernel with", "boot", "faults", NULL);
	for (size_t i = 0; i < G_N_ELEMENTS(columns); i++)
		if (columns[i].always || any_measure(survey, columns[i].measure))
			g_strv_builder_add(line, columns[i].title);
	add_line(grid, line);
}

static void add_cell(GPtrArray *grid, const json_t *survey, const json_t *row, const json_t *cell)
{
	g_autoptr(GStrvBuilder) line = g_strv_builder_new();
	add_own(line, row_name(row));
	g_strv_builder_add(line, report_str(cell, "mode"));
	add_own(line, outcomes(cell));
	for (size_t i = 0; i < G_N_ELEMENTS(columns); i++)
		if (columns[i].always || any_measure(survey, columns[i].measure))
			add_own(line, span(range_of(cell, columns[i].measure), columns[i].figure));
	add_line(grid, line);
}

/* A row that was not booted says why in place of the figures. */
static void add_refused(GPtrArray *grid, const json_t *row)
{
	g_autoptr(GStrvBuilder) line = g_strv_builder_new();
	bool build = strcmp(report_str(row, "status"), "unbuildable") == 0;
	add_own(line, row_name(row));
	g_strv_builder_add(line, "–");
	add_own(line, g_strdup_printf("%s: %s", build ? "does not build" : "left out",
				      report_str(row, "reason")));
	add_line(grid, line);
}

GPtrArray *report_survey_grid(const json_t *doc)
{
	GPtrArray *grid = g_ptr_array_new_with_free_func((GDestroyNotify)g_strfreev);
	const json_t *survey = json_object_get(doc, "survey");
	size_t i, k;
	json_t *row, *cell;
	add_head(grid, doc, survey);
	json_array_foreach (json_object_get(survey, "rows"), i, row) {
		if (strcmp(report_str(row, "status"), "booted") != 0) {
			add_refused(grid, row);
			continue;
		}
		json_array_foreach (json_object_get(row, "cells"), k, cell)
			add_cell(grid, survey, row, cell);
	}
	return grid;
}

/* ---- the parts of the window ---- */

/* Names of all parts, in the order in which boots had them. */
static json_t *part_names(const json_t *survey)
{
	json_t *names = json_array();
	size_t i, k, n;
	json_t *row, *cell, *part;
	json_array_foreach (json_object_get(survey, "rows"), i, row)
		json_array_foreach (json_object_get(row, "cells"), k, cell)
			json_array_foreach (json_object_get(cell, "parts"), n, part)
				if (!report_has_name(names, report_str(part, "name")))
					json_array_append(names, json_object_get(part, "name"));
	return names;
}

static const json_t *part_of(const json_t *cell, const char *name)
{
	size_t i;
	json_t *part;
	json_array_foreach (json_object_get(cell, "parts"), i, part)
		if (strcmp(report_str(part, "name"), name) == 0)
			return json_object_get(part, "measures");
	return NULL;
}

/* "342 in 218 ms" */
static char *part_text(const json_t *measures)
{
	if (!measures)
		return g_strdup("–");
	g_autofree char *faults = span(json_object_get(measures, "accesses"), plain);
	g_autofree char *length = span(json_object_get(measures, "length_us"), milliseconds);
	return g_strdup_printf("%s%s%s", *faults ? faults : "?", *length ? " in " : "", length);
}

GPtrArray *report_survey_parts_grid(const json_t *doc)
{
	const json_t *survey = json_object_get(doc, "survey");
	g_autoptr(json_t) names = part_names(survey);
	size_t i, k, n;
	json_t *row, *cell, *name;
	if (!json_array_size(names))
		return NULL;
	GPtrArray *grid = g_ptr_array_new_with_free_func((GDestroyNotify)g_strfreev);
	g_autoptr(GStrvBuilder) head = g_strv_builder_new();
	g_strv_builder_add_many(head, "accesses in each part", "boot", NULL);
	json_array_foreach (names, n, name)
		g_strv_builder_add(head, json_string_value(name));
	add_line(grid, head);
	json_array_foreach (json_object_get(survey, "rows"), i, row) {
		json_array_foreach (json_object_get(row, "cells"), k, cell) {
			g_autoptr(GStrvBuilder) line = g_strv_builder_new();
			if (!json_array_size(json_object_get(cell, "parts")))
				continue;
			add_own(line, row_name(row));
			g_strv_builder_add(line, report_str(cell, "mode"));
			json_array_foreach (names, n, name)
				add_own(line, part_text(part_of(cell, json_string_value(name))));
			add_line(grid, line);
		}
	}
	return grid;
}

/* ---- the headline ---- */

void report_say_survey(const json_t *doc, const ReportSpeech *speech, GString *out)
{
	const json_t *rows = report_at(doc, "survey.rows");
	size_t faulty = 0, good = 0, n = json_array_size(rows);
	for (size_t i = 0; i < n; i++) {
		Often o = row_often(json_array_get(rows, i));
		faulty += o == ALWAYS || o == SOMETIMES;
		good += o == NEVER;
	}
	bool versions = strcmp(report_str(doc, "campaign.space"), "versions") == 0;
	g_autofree char *text = g_strdup_printf("%zu of %zu %s fault, %zu never", faulty, n,
						versions ? "versions" : "kernels", good);
	speech->words(out, text);
	if (!json_is_true(report_at(doc, "survey.complete")))
		speech->words(out, strcmp(report_str(doc, "campaign.state"), "done") == 0
					   ? ", the budget ended first"
					   : ", so far");
}
