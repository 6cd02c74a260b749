/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The morning report for a terminal, in Markdown and in HTML. */
#include <string.h>

#include "report-internal.h"
#include "summary-internal.h"

#define COLUMNS 100
#define NAMES 22 /* columns */

/* ---- text ---- */

static void put_style(GString *out, bool colour, const char *style)
{
	if (colour)
		g_string_append_printf(out, "\033[%sm", style);
}

static void put_text_item(GString *out, const SummaryItem *i)
{
	g_autoptr(GString) name = g_string_new(NULL), text = g_string_new(NULL);
	report_put_plain(name, i->name, REPORT_NAME_MAX);
	report_put_plain(text, i->text, REPORT_TITLE_MAX);
	size_t columns = report_columns(name->str), at = 2 + MAX(NAMES, columns) + 1;
	g_string_append_printf(out, "  %s%*s ", name->str,
			       columns < NAMES ? (int)(NAMES - columns) : 0, "");
	report_put_filled(out, text->str, at, 2 + NAMES + 1, COLUMNS);
	g_string_append_c(out, '\n');
	if (!i->command)
		return;
	g_string_append_printf(out, "%*s", 2 + NAMES + 1, "");
	report_put_plain(out, i->command, REPORT_TEXT_MAX);
	g_string_append_c(out, '\n');
}

static void put_text(GString *out, const char *title, const GPtrArray *sections, bool colour)
{
	put_style(out, colour, "1");
	report_put_plain(out, title, REPORT_TITLE_MAX);
	put_style(out, colour, "0");
	g_string_append_c(out, '\n');
	for (guint n = 0; n < sections->len; n++) {
		const SummarySection *s = sections->pdata[n];
		g_string_append_c(out, '\n');
		put_style(out, colour, s->bad ? "1;31" : "1");
		g_string_append(out, s->title);
		put_style(out, colour, "0");
		g_string_append_c(out, '\n');
		for (guint i = 0; i < s->items->len; i++)
			put_text_item(out, s->items->pdata[i]);
	}
}

/* ---- Markdown ---- */

static void put_md(GString *out, const char *title, const GPtrArray *sections, bool colour)
{
	g_string_append(out, "# ");
	report_put_md(out, title, REPORT_TITLE_MAX);
	g_string_append_c(out, '\n');
	for (guint n = 0; n < sections->len; n++) {
		const SummarySection *s = sections->pdata[n];
		g_string_append_printf(out, "\n## %s\n\n", s->title);
		for (guint k = 0; k < s->items->len; k++) {
			const SummaryItem *i = s->items->pdata[k];
			g_string_append(out, "- ");
			if (*i->name) {
				g_string_append(out, "**");
				report_put_md(out, i->name, REPORT_NAME_MAX);
				g_string_append(out, "**: ");
			}
			report_put_md(out, i->text, REPORT_TITLE_MAX);
			if (i->command) {
				g_string_append(out, " — ");
				report_put_md_code(out, i->command, REPORT_TEXT_MAX);
			}
			g_string_append_c(out, '\n');
		}
	}
}

/* ---- HTML ---- */

static void put_html(GString *out, const char *title, const GPtrArray *sections, bool colour)
{
	g_string_append(out, "<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n"
			     "<meta name=\"viewport\" content=\"width=device-width\">\n<title>");
	report_put_html(out, title, REPORT_TITLE_MAX);
	g_string_append(out,
			"</title>\n<style>body{font:15px/1.45 sans-serif;max-width:60em;margin:"
			"1.5em auto;padding:0 1em}h1{font-size:1.3em}h2{font-size:1.05em;"
			"margin:1.2em 0 .2em}h2.bad{color:#b00020}dl{display:grid;grid-template-"
			"columns:minmax(8em,max-content) 1fr;gap:.2em 1em;margin:0}dd{margin:0}"
			"code{color:#555}@media(prefers-color-scheme:dark){body{background:#111;"
			"color:#ddd}h2.bad{color:#ff6b6b}code{color:#aaa}}</style>\n<h1>");
	report_put_html(out, title, REPORT_TITLE_MAX);
	g_string_append(out, "</h1>\n");
	for (guint n = 0; n < sections->len; n++) {
		const SummarySection *s = sections->pdata[n];
		g_string_append_printf(out, "<h2%s>%s</h2>\n<dl>\n", s->bad ? " class=\"bad\"" : "",
				       s->title);
		for (guint k = 0; k < s->items->len; k++) {
			const SummaryItem *i = s->items->pdata[k];
			g_string_append(out, "<dt>");
			report_put_html(out, i->name, REPORT_NAME_MAX);
			g_string_append(out, "</dt><dd>");
			report_put_html(out, i->text, REPORT_TITLE_MAX);
			if (i->command) {
				g_string_append(out, "<br><code>");
				report_put_html(out, i->command, REPORT_TEXT_MAX);
				g_string_append(out, "</code>");
			}
			g_string_append(out, "</dd>\n");
		}
		g_string_append(out, "</dl>\n");
	}
	g_string_append(out, "</html>\n");
}

char *summary_render(const json_t *doc, const char *format, bool colour)
{
	static const struct {
		const char *name;
		void (*put)(GString *out, const char *title, const GPtrArray *sections,
			    bool colour);
	} formats[] = {{"text", put_text}, {"md", put_md}, {"html", put_html}};
	if (g_str_equal(format, "json")) {
		g_autofree char *text = json_dumps(doc, JSON_INDENT(2) | JSON_ENSURE_ASCII);
		return g_strconcat(text, "\n", NULL);
	}
	for (guint i = 0; i < G_N_ELEMENTS(formats); i++) {
		if (!g_str_equal(format, formats[i].name))
			continue;
		GString *out = g_string_new(NULL);
		g_autofree char *title = summary_title(doc);
		g_autoptr(GPtrArray) sections = summary_sections(doc);
		formats[i].put(out, title, sections, colour);
		return g_string_free(out, FALSE);
	}
	return NULL;
}
