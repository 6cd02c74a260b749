/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The page: how much each kernel measured, and what each candidate does to it. */
#include "html-internal.h"

static void put_grid(GString *out, const GPtrArray *grid, const json_t *doc, const json_t *entries)
{
	char **head = grid->pdata[0];
	g_string_append(out, "<table class=\"cards measures\">\n<thead><tr>");
	for (char **c = head; *c; c++) {
		g_string_append(out, "<th>");
		report_html_text(out, *c);
		g_string_append(out, "</th>");
	}
	g_string_append(out, "</tr></thead>\n<tbody>\n");
	for (guint i = 1; i < grid->len; i++) {
		char **line = grid->pdata[i];
		g_string_append(out, "<tr>");
		for (size_t k = 0; line[k]; k++) {
			g_string_append(out, k ? "<td data-label=\""
					       : "<th scope=\"row\" "
						 "data-label=\"");
			report_html_text(out, head[k]);
			g_string_append(out, "\">");
			report_put_html(out, line[k], REPORT_TEXT_MAX);
			if (entries && !line[k + 1])
				report_svg_parts(out, doc, json_array_get(entries, i - 1));
			g_string_append(out, k ? "</td>" : "</th>");
		}
		g_string_append(out, "</tr>\n");
	}
	g_string_append(out, "</tbody></table>\n");
}

static void put_warnings(GString *out, const json_t *entries)
{
	size_t i;
	json_t *e;
	json_array_foreach ((json_t *)entries, i, e) {
		if (!*report_str(e, "warning"))
			continue;
		g_string_append(out, "<p class=\"note\">");
		report_say_set(json_object_get(e, "members"), "the base", &report_speech_html, out);
		g_string_append_printf(out,
				       ", %s: ", *report_str(e, "mode") == 'c' ? "cold" : "kexec");
		report_html_text(out, report_str(e, "warning"));
		g_string_append(out, ".</p>\n");
	}
}

void report_html_measures(GString *out, const json_t *doc)
{
	const json_t *entries = json_object_get(doc, "measures");
	if (!json_array_size(entries))
		return;
	g_autoptr(GPtrArray) grid = report_measures_grid(doc);
	report_html_section(out, "measures", "How much, and where in the window");
	put_warnings(out, entries);
	put_grid(out, grid, doc, entries);
	g_string_append(out, "</section>\n");
	if (!json_object_get(doc, "effects"))
		return;
	g_autoptr(GPtrArray) effects = report_effects_grid(doc);
	report_html_section(out, "effects", "What each candidate does to it");
	g_string_append(out, "<p>");
	report_put_html(out, report_str(doc, "effects.sentence"), REPORT_TEXT_MAX);
	g_string_append(out, ".</p>\n");
	if (*report_str(doc, "effects.warning")) {
		g_string_append(out, "<p class=\"note\">");
		report_html_text(out, report_str(doc, "effects.warning"));
		g_string_append(out, ".</p>\n");
	}
	put_grid(out, effects, doc, NULL);
	g_string_append(out, "</section>\n");
}
