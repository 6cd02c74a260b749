/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The page: one file, no script, nothing from elsewhere. */
#include "html-internal.h"

#include <string.h>

static const char css[] = {
#include "report.css.inc"
};

void report_html_text(GString *out, const char *s)
{
	report_put_html(out, s, REPORT_TITLE_MAX);
}

void report_html_code(GString *out, const char *s)
{
	g_string_append(out, "<code>");
	report_put_html(out, s, REPORT_NAME_MAX);
	g_string_append(out, "</code>");
}

const ReportSpeech report_speech_html = {report_html_text, report_html_code};

void report_html_section(GString *out, const char *id, const char *title)
{
	g_string_append_printf(out, "<section id=\"%s\">\n<h2>%s</h2>\n", id, title);
}

/* The policy holds even if something of the data were markup after all. */
static void put_head(GString *out, const json_t *doc)
{
	g_autoptr(GString) headline = g_string_new(NULL);
	report_say_headline(doc, &report_speech_plain, headline);
	g_string_append(
		out, "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
		     "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; "
		     "style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'\">\n"
		     "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
		     "<meta name=\"color-scheme\" content=\"light dark\">\n"
		     "<meta name=\"referrer\" content=\"no-referrer\">\n<meta name=\"generator\" "
		     "content=\"");
	report_html_text(out, report_str(doc, "generator"));
	g_string_append(out, "\">\n<title>");
	report_html_text(out, report_str(doc, "campaign.slug"));
	g_string_append(out, ": ");
	report_html_text(out, headline->str);
	g_string_append(out, "</title>\n<style>\n");
	g_string_append(out, css);
	g_string_append(out, "</style>\n</head>\n");
}

static void put_header(GString *out, const json_t *doc)
{
	g_autofree char *time = report_time(report_str(doc, "campaign.ended"));
	if (*time == '\0') {
		g_free(time);
		time = report_time(report_str(doc, "generated"));
	}
	g_string_append(out, "<header>\n<p class=\"kicker\">kexsect report <span>");
	report_html_text(out, report_str(doc, "campaign.slug"));
	g_string_append_printf(out, "</span> <span>%s</span></p>\n<h1>", time);
	report_say_headline(doc, &report_speech_html, out);
	g_string_append(out, "</h1>\n");
	const char *note = report_state_note(doc);
	if (note)
		g_string_append_printf(out, "<p class=\"note\">%s</p>\n", note);
	if (kx_json_bool(json_object_get(doc, "verdict"), "cold_differs", false))
		g_string_append(
			out, "<p class=\"note\">Cold boots or clean kernels behave otherwise than "
			     "the boots of the search: see the table.</p>\n");
	const char *title = report_str(doc, "campaign.title");
	const char *question = report_str(doc, "campaign.question");
	if (*title) {
		g_string_append(out, "<p class=\"asked-title\">");
		report_html_text(out, title);
		g_string_append(out, "</p>\n");
	}
	if (*question) {
		g_string_append(out, "<p class=\"question\">");
		report_put_html(out, question, REPORT_TEXT_MAX);
		g_string_append(out, "</p>\n");
	}
	g_string_append(out, "</header>\n");
}

static void put_footer(GString *out, const json_t *doc)
{
	g_autofree char *time = report_time(report_str(doc, "generated"));
	g_string_append(out, "<footer><p>Made by ");
	report_html_text(out, report_str(doc, "generator"));
	g_string_append_printf(out, "%s%s. The same as data: report.json.</p></footer>\n",
			       *time ? ", " : "", time);
}

static char *render(const json_t *doc, bool colour)
{
	GString *out = g_string_new(NULL);
	put_head(out, doc);
	g_string_append(out, "<body>\n<main>\n");
	put_header(out, doc);
	report_html_sure(out, doc);
	report_html_survey(out, doc);
	report_html_timeline(out, doc);
	report_html_faults(out, doc);
	report_html_variants(out, doc);
	report_html_measures(out, doc);
	report_html_belief(out, doc);
	report_html_candidates(out, doc);
	report_html_conflicts(out, doc);
	report_html_repeat(out, doc);
	report_html_time(out, doc);
	report_html_setting(out, doc);
	report_html_events(out, doc);
	put_footer(out, doc);
	g_string_append(out, "</main>\n</body>\n</html>\n");
	return g_string_free(out, FALSE);
}

const ReportFormat report_format_html = {
	.name = "html",
	.extension = "html",
	.title = "a page, one file",
	.render = render,
};
