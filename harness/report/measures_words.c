/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Measures and effects as tables of text. */
#include "report-internal.h"

#include <math.h>
#include <string.h>

static double mean_of(const json_t *o, const char *key)
{
	return report_num(json_object_get(o, key), "mean", NAN);
}

/* "4", "3 to 5", "–"; of times in ms. */
static char *say_range(const json_t *range, double unit, const char *format)
{
	double low = report_num(range, "min", NAN) / unit,
	       high = report_num(range, "max", NAN) / unit;
	if (isnan(low) || isnan(high))
		return g_strdup("–");
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral" /* "%.0f" or "%.3f" of this file */
	g_autofree char *a = g_strdup_printf(format, low), *b = g_strdup_printf(format, high);
#pragma GCC diagnostic pop
	return g_str_equal(a, b) ? g_steal_pointer(&a) : g_strdup_printf("%s to %s", a, b);
}

static char *say_members(const json_t *entry)
{
	g_autoptr(GString) s = g_string_new(NULL);
	report_say_set(json_object_get(entry, "members"), "the base", &report_speech_plain, s);
	return g_strdup(s->str);
}

/* "IOMMU on 0 in 457.3 ms, entries block 4 in 3.772 ms" */
static char *say_parts(const json_t *entry)
{
	GString *s = g_string_new(NULL);
	size_t i;
	json_t *p;
	json_array_foreach (json_object_get(entry, "parts"), i, p) {
		g_autofree char *n = say_range(json_object_get(p, "accesses"), 1, "%.0f");
		g_autofree char *ms = say_range(json_object_get(p, "length_us"), 1000, "%.3f");
		g_string_append_printf(s, "%s%s: %s in %s ms", i ? "; " : "", report_str(p, "name"),
				       n, ms);
	}
	return g_string_free(s, FALSE);
}

static void add_line(GPtrArray *grid, const char *a, const char *b, const char *c, const char *d,
		     const char *e, const char *f, const char *g)
{
	const char *const cells[] = {a, b, c, d, e, f, g, NULL};
	g_ptr_array_add(grid, g_strdupv((char **)cells));
}

GPtrArray *report_measures_grid(const json_t *doc)
{
	const json_t *list = json_object_get(doc, "measures");
	GPtrArray *grid = g_ptr_array_new_with_free_func((GDestroyNotify)g_strfreev);
	size_t i;
	json_t *e;
	add_line(grid, "kernel with", "mode", "boots", "refused accesses", "window, ms",
		 "blocked, ms", "parts, in their order");
	json_array_foreach ((json_t *)list, i, e) {
		g_autofree char *name = say_members(e), *parts = say_parts(e);
		g_autofree char *boots = g_strdup_printf("%.0f", report_num(e, "boots", 0));
		g_autofree char *n = say_range(json_object_get(e, "accesses"), 1, "%.0f");
		g_autofree char *window = say_range(json_object_get(e, "window_us"), 1000, "%.3f");
		g_autofree char *blocked =
			say_range(json_object_get(e, "blocked_us"), 1000, "%.3f");
		add_line(grid, name, report_str(e, "mode"), boots, n, window, blocked, parts);
	}
	return grid;
}

GPtrArray *report_effects_grid(const json_t *doc)
{
	const json_t *list = report_at(doc, "effects.candidates");
	GPtrArray *grid = g_ptr_array_new_with_free_func((GDestroyNotify)g_strfreev);
	size_t i;
	json_t *k;
	add_line(grid, "candidate", "compared", "boots that fault", "refused accesses", "window",
		 "blocked", "accesses by part");
	json_array_foreach ((json_t *)list, i, k) {
		const json_t *rate = json_object_get(k, "rate");
		g_autofree char *a = report_say_effect(rate);
		g_autofree char *b = report_say_effect(json_object_get(k, "faults"));
		g_autofree char *c = report_say_effect(json_object_get(k, "window"));
		g_autofree char *d = report_say_effect(json_object_get(k, "blocked"));
		g_autofree char *pairs =
			g_strdup_printf("%.0f pair%s", report_num(rate, "pairs", 0),
					report_num(rate, "pairs", 0) == 1 ? "" : "s");
		g_autoptr(GString) parts = g_string_new(NULL);
		size_t n;
		json_t *p;
		json_array_foreach (json_object_get(k, "parts"), n, p) {
			g_autofree char *words = report_say_effect(p);
			g_string_append_printf(parts, "%s%s: %s", n ? "; " : "",
					       report_str(p, "name"), words);
		}
		if (kx_json_bool(k, "measured", false))
			add_line(grid, report_str(k, "name"), pairs, a, b, c, d, parts->str);
	}
	return grid;
}

const char *report_effects_of_none(const json_t *doc)
{
	const char *sentence = report_str(doc, "effects.sentence");
	bool none = strcmp(report_str(doc, "verdict.kind"), "none") == 0;
	return none && *sentence ? sentence : NULL;
}

/* ---- the picture ---- */

/* Where the parts of all kernels begin and end, so that they share a scale. */
static void find_scale(const json_t *list, double *ret_from, double *ret_to)
{
	size_t i, n;
	json_t *e, *p;
	*ret_from = INFINITY;
	*ret_to = -INFINITY;
	json_array_foreach ((json_t *)list, i, e)
		json_array_foreach (json_object_get(e, "parts"), n, p) {
			double start = mean_of(p, "start_us"), length = mean_of(p, "length_us");
			if (isnan(start) || isnan(length))
				continue;
			*ret_from = MIN(*ret_from, start);
			*ret_to = MAX(*ret_to, start + length);
		}
}

static void put_share(GString *out, double x)
{
	char text[32];
	g_string_append(out, g_ascii_formatd(text, sizeof(text), "%.3f", report_clamp(x, 0, 100)));
}

/* One bar of parts on the common scale; the darker, the more accesses in it for its length. */
void report_svg_parts(GString *out, const json_t *doc, const json_t *entry)
{
	double from, to;
	size_t i;
	json_t *p;
	find_scale(json_object_get(doc, "measures"), &from, &to);
	if (!(to > from))
		return;
	g_string_append(out, "<svg class=\"bar parts\" width=\"100%\" height=\"18\" role=\"img\" "
			     "aria-label=\"Parts of the window; the text beside it has the "
			     "figures\">");
	json_array_foreach (json_object_get(entry, "parts"), i, p) {
		double start = mean_of(p, "start_us"), length = mean_of(p, "length_us");
		if (isnan(start) || isnan(length))
			continue;
		g_string_append_printf(out, "<rect class=\"b%zu\" y=\"%d\" height=\"%d\" x=\"",
				       MIN(i, (size_t)6), mean_of(p, "accesses") > 0 ? 0 : 6,
				       mean_of(p, "accesses") > 0 ? 18 : 6);
		put_share(out, 100 * (start - from) / (to - from));
		g_string_append(out, "%\" width=\"");
		put_share(out, MAX(0.2, 100 * length / (to - from)));
		g_string_append(out, "%\"/>");
	}
	g_string_append(out, "</svg>\n");
}
