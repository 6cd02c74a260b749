/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The page: the table of a survey. */
#include "html-internal.h"

#include <string.h>

static void put_grid(GString *out, const GPtrArray *grid)
{
	char **head = grid->pdata[0];
	size_t wide = g_strv_length(head);
	g_string_append(out, "<table class=\"cards survey\">\n<thead><tr>");
	for (char **c = head; *c; c++) {
		g_string_append(out, "<th>");
		report_html_text(out, *c);
		g_string_append(out, "</th>");
	}
	g_string_append(out, "</tr></thead>\n<tbody>\n");
	for (guint i = 1; i < grid->len; i++) {
		char **line = grid->pdata[i];
		size_t n = g_strv_length(line);
		g_string_append(out, "<tr>");
		for (size_t k = 0; k < n; k++) {
			const char *tag = k == 0 ? "th" : "td";
			g_string_append_printf(out, "<%s", tag);
			if (k == 0)
				g_string_append(out, " scope=\"row\"");
			if (k + 1 == n && n < wide)
				g_string_append_printf(out, " colspan=\"%zu\"", wide - k);
			g_string_append(out, " data-label=\"");
			report_html_text(out, head[k]);
			g_string_append(out, "\">");
			report_html_text(out, line[k]);
			g_string_append_printf(out, "</%s>", tag);
		}
		g_string_append(out, "</tr>\n");
	}
	g_string_append(out, "</tbody></table>\n");
}

void report_html_survey(GString *out, const json_t *doc)
{
	if (!json_object_get(doc, "survey"))
		return;
	g_autoptr(GPtrArray) grid = report_survey_grid(doc);
	g_autoptr(GPtrArray) parts = report_survey_parts_grid(doc);
	size_t i;
	json_t *sentence;
	report_html_section(out, "survey", "The table");
	g_string_append_printf(out, "<p>%s</p>\n", REPORT_SURVEY_LEGEND);
	put_grid(out, grid);
	if (parts)
		put_grid(out, parts);
	g_string_append(out, "<ul>\n");
	json_array_foreach ((json_t *)report_at(doc, "survey.statements"), i, sentence) {
		g_string_append(out, "<li>");
		report_put_html(out, json_string_value(sentence), REPORT_TEXT_MAX);
		g_string_append(out, "</li>\n");
	}
	g_string_append(out, "</ul>\n</section>\n");
}
