/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The page: how to repeat it, the time it took, the setting, what happened on the way. */
#include "html-internal.h"

static void put_command(GString *out, const char *title, const char *command)
{
	if (*command == '\0')
		return;
	g_string_append_printf(out, "<p>%s</p>\n<pre class=\"cmd\">", title);
	report_put_html(out, command, REPORT_TEXT_MAX);
	g_string_append(out, "</pre>\n");
}

static void put_cmdline(GString *out, const json_t *parameters)
{
	size_t i;
	json_t *p;
	if (json_array_size(parameters) == 0)
		return;
	g_string_append(out, "<p>On its command line, beside the campaign's parameters:</p>\n"
			     "<pre class=\"cmd\">");
	json_array_foreach ((json_t *)parameters, i, p) {
		g_string_append(out, i ? " " : "");
		report_put_html(out, json_string_value(p), REPORT_TEXT_MAX);
	}
	g_string_append(out, "</pre>\n");
}

void report_html_repeat(GString *out, const json_t *doc)
{
	const json_t *apply = report_at(doc, "repeat.apply");
	size_t i;
	json_t *line;
	if (!json_object_get(doc, "repeat"))
		return;
	report_html_section(out, "repeat", "How to repeat it");
	put_command(out, "The whole campaign:", report_str(doc, "repeat.run"));
	put_command(out,
		    "One boot that showed the fault (every evidence folder has its own command, in "
		    "the file <code>repeat</code>):",
		    report_str(doc, "repeat.trial"));
	put_command(out, "One boot without it:", report_str(doc, "repeat.trial_clean"));
	if (json_array_size(apply) > 0) {
		g_string_append(out, "<p>The kernel with ");
		report_say_set(report_at(doc, "verdict.leading.members"), "the fixtures alone",
			       &report_speech_html, out);
		g_string_append(out, ", in a tree of the base:</p>\n<pre class=\"cmd\">");
		json_array_foreach ((json_t *)apply, i, line) {
			report_put_html(out, json_string_value(line), REPORT_TEXT_MAX);
			g_string_append_c(out, '\n');
		}
		g_string_append(out, "</pre>\n");
	}
	put_cmdline(out, report_at(doc, "repeat.parameters"));
	g_string_append(out, "</section>\n");
}

void report_html_time(GString *out, const json_t *doc)
{
	const json_t *parts = report_at(doc, "time.parts");
	size_t i;
	json_t *p;
	if (report_num(doc, "time.total", 0) <= 0 || json_array_size(parts) == 0)
		return;
	report_html_section(out, "time", "Where the time went");
	report_svg_time(out, json_object_get(doc, "time"));
	g_string_append(out, "<table class=\"time\">\n<tbody>\n");
	json_array_foreach ((json_t *)parts, i, p) {
		g_autofree char *took = report_duration(report_num(p, "seconds", 0));
		g_string_append_printf(out,
				       "<tr><td><svg class=\"swatch\" width=\"12\" height=\"12\" "
				       "aria-hidden=\"true\"><rect class=\"b%zu\" width=\"12\" "
				       "height=\"12\"/></svg> ",
				       MIN(i, (size_t)6));
		report_html_text(out, report_str(p, "title"));
		g_string_append_printf(
			out, "</td><td class=\"n\">%s</td><td class=\"n\">%.1f %%</td></tr>\n",
			took, report_num(p, "percent", 0));
	}
	g_autofree char *total = report_duration(report_num(doc, "time.total", 0));
	g_string_append_printf(
		out,
		"</tbody>\n<tfoot><tr><th scope=\"row\">all</th><td class=\"n\">%s</td>"
		"<td></td></tr></tfoot></table>\n</section>\n",
		total);
}

/* ---- the setting ---- */

static void put_row(GString *out, const char *label, const char *value)
{
	if (*value == '\0')
		return;
	g_string_append(out, "<div><dt>");
	report_html_text(out, label);
	g_string_append(out, "</dt><dd>");
	report_html_text(out, value);
	g_string_append(out, "</dd></div>\n");
}

static void put_named(GString *out, const char *label, const json_t *named)
{
	const char *name = report_str(named, "name"), *title = report_str(named, "title");
	if (*name == '\0')
		return;
	g_string_append_printf(out, "<div><dt>%s</dt><dd>", label);
	report_html_code(out, name);
	if (*title) {
		g_string_append_c(out, ' ');
		report_html_text(out, title);
	}
	g_string_append(out, "</dd></div>\n");
}

static void put_all_named(GString *out, const char *label, const json_t *list)
{
	size_t i;
	json_t *x;
	json_array_foreach ((json_t *)list, i, x)
		put_named(out, label, x);
}

static void put_parameters(GString *out, const json_t *doc)
{
	const json_t *p = report_at(doc, "campaign.parameters");
	if (!p)
		return;
	g_autofree char *text = g_strdup_printf(
		"confidence %g, sets of up to %.0f, seed %.0f; budget %.0f boots, %.0f builds, %g "
		"h",
		report_num(p, "confidence", 0), report_num(p, "max_culprits", 0),
		report_num(p, "seed", 0), report_num(p, "budget.boots", 0),
		report_num(p, "budget.builds", 0), report_num(p, "budget.hours", 0));
	put_row(out, "search", text);
}

void report_html_setting(GString *out, const json_t *doc)
{
	size_t i;
	json_t *x;
	report_html_section(out, "setting", "Setting");
	g_string_append(out, "<dl class=\"rows\">\n");
	put_named(out, "base", report_at(doc, "campaign.base"));
	put_all_named(out, "fixture", report_at(doc, "campaign.fixtures"));
	put_named(out, "series", report_at(doc, "campaign.series"));
	put_all_named(out, "target", report_at(doc, "campaign.targets"));
	put_named(out, "oracle", report_at(doc, "campaign.oracle"));
	put_row(out, "parameters", report_str(doc, "campaign.cmdline"));
	put_row(out, "booted by", report_str(doc, "campaign.mode"));
	put_parameters(out, doc);
	json_array_foreach ((json_t *)json_object_get(doc, "environment"), i, x)
		put_row(out, report_str(x, "name"), report_str(x, "value"));
	put_row(out, "campaign file", report_str(doc, "campaign.file"));
	put_row(out, "results", report_str(doc, "campaign.folder"));
	put_row(out, "digest", report_str(doc, "campaign.digest"));
	g_string_append(out, "</dl>\n</section>\n");
}

void report_html_events(GString *out, const json_t *doc)
{
	const json_t *events = json_object_get(doc, "events");
	size_t i;
	json_t *e;
	if (json_array_size(events) == 0)
		return;
	report_html_section(out, "events", "On the way");
	g_string_append(out, "<ul class=\"events\">\n");
	json_array_foreach ((json_t *)events, i, e) {
		g_autofree char *time = report_time(report_str(e, "time"));
		g_string_append_printf(out, "<li><small>%s</small> <b>", time);
		report_html_text(out, report_str(e, "kind"));
		g_string_append(out, "</b> ");
		if (report_num(e, "trial", 0) > 0)
			g_string_append_printf(out, "(trial %.0f) ", report_num(e, "trial", 0));
		report_put_html(out, report_str(e, "text"), REPORT_TEXT_MAX);
		g_string_append(out, "</li>\n");
	}
	g_string_append(out, "</ul>\n</section>\n");
}
