/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The page: the faults, in their window. */
#include "html-internal.h"

#include <string.h>

static void put_line(GString *out, const json_t *line, const json_t *before)
{
	bool window = kx_json_bool(line, "window", false),
	     fault = kx_json_bool(line, "fault", false);
	gint64 number = kx_json_int(line, "number", 0);
	gint64 last = kx_json_int(before, "number", number - 1);
	/* one or two are the dictionary of a record of /dev/kmsg */
	if (before && number > last + 3)
		g_string_append_printf(
			out, "<span class=\"gap\">%" G_GINT64_FORMAT " lines left out</span>",
			number - last - 1);
	g_string_append_printf(out, "<span class=\"l%s%s\"><i>%s</i><i>%" G_GINT64_FORMAT "</i>",
			       window ? " w" : "", fault ? " f" : "", fault ? "▶" : "", number);
	g_autoptr(GString) text = g_string_new(NULL);
	report_put_log_line(text, line);
	report_put_html(out, text->str, 2 * REPORT_LINE_MAX);
	g_string_append(out, "</span>");
}

static void put_caption(GString *out, const json_t *example)
{
	g_string_append_printf(out, "Trial %.0f, ", report_num(example, "trial", 0));
	if (json_array_size(json_object_get(example, "members")) > 0)
		g_string_append(out, "with ");
	report_say_set(json_object_get(example, "members"), "the base", &report_speech_html, out);
	g_string_append(out, ": ");
	report_html_text(out, report_outcome(report_str(example, "outcome"))->words);
}

/* The first one is open, and the boot with the answer, to compare; others can be opened. */
static void put_example(GString *out, const json_t *example, bool first)
{
	const json_t *lines = json_object_get(example, "lines");
	bool clean = strcmp(report_str(example, "outcome"), "clean") == 0;
	g_autoptr(GString) href = g_string_new(NULL);
	g_string_append(out, first   ? "<figure>\n<figcaption>"
			     : clean ? "<details open>\n<summary>"
				     : "<details>\n<summary>");
	put_caption(out, example);
	g_string_append(out, first ? "</figcaption>\n" : "</summary>\n");
	g_string_append(out, "<p class=\"source\">");
	if (report_put_href(href, report_str(example, "link")))
		g_string_append_printf(out, "<a href=\"%s\">", href->str);
	report_html_text(out, report_str(example, "file"));
	g_string_append(out, href->len ? "</a>" : "");
	g_string_append_printf(out, ", %.0f lines</p>\n<pre class=\"log\">",
			       report_num(example, "total_lines", 0));
	for (size_t i = 0; i < json_array_size(lines); i++)
		put_line(out, json_array_get(lines, i), i ? json_array_get(lines, i - 1) : NULL);
	g_string_append(out, first ? "</pre>\n</figure>\n" : "</pre>\n</details>\n");
}

static void put_signature(GString *out, const json_t *s)
{
	g_string_append(out, "<tr><th scope=\"row\">");
	report_html_code(out, *report_str(s, "device") ? report_str(s, "device") : "any device");
	g_string_append(out, "</th><td data-label=\"reason\">");
	report_html_text(out, report_str(s, "reason"));
	g_string_append(out, "</td><td data-label=\"first address\">");
	if (*report_str(s, "address"))
		report_html_code(out, report_str(s, "address"));
	g_string_append_printf(out,
			       "</td><td class=\"n\" data-label=\"records\">%.0f</td>"
			       "<td class=\"n\" data-label=\"in the window\">%.0f</td>"
			       "<td class=\"n\" data-label=\"boots\">%.0f</td></tr>\n",
			       report_num(s, "records", 0), report_num(s, "in_window", 0),
			       report_num(s, "trials", 0));
}

static void put_window(GString *out, const json_t *doc)
{
	const char *from = report_str(doc, "campaign.oracle.window.from");
	const char *to = report_str(doc, "campaign.oracle.window.to");
	if (!*from && !*to)
		return;
	g_string_append(out, "<p>The window (shaded) goes from ");
	if (*from)
		report_html_code(out, from);
	else
		g_string_append(out, "the first line");
	g_string_append(out, " to ");
	if (*to)
		report_html_code(out, to);
	else
		g_string_append(out, "the last line");
	g_string_append(out, "; faults are marked ▶.</p>\n");
}

void report_html_faults(GString *out, const json_t *doc)
{
	const json_t *faults = json_object_get(doc, "faults");
	const json_t *examples = json_object_get(faults, "examples");
	const json_t *signatures = json_object_get(faults, "signatures");
	size_t i;
	json_t *x;
	if (json_array_size(examples) == 0 && json_array_size(signatures) == 0)
		return;
	report_html_section(out, "faults", "The fault in its window");
	put_window(out, doc);
	json_array_foreach ((json_t *)examples, i, x)
		put_example(out, x, i == 0);
	if (json_array_size(signatures) > 0) {
		g_string_append(
			out,
			"<table class=\"cards\">\n<thead><tr><th>Device</th><th>Reason</th>"
			"<th>First address</th><th class=\"n\">Records</th><th class=\"n\">In the "
			"window</th><th class=\"n\">Boots</th></tr></thead>\n<tbody>\n");
		json_array_foreach ((json_t *)signatures, i, x)
			put_signature(out, x);
		g_string_append(out, "</tbody></table>\n");
	}
	double suppressed = report_num(faults, "suppressed", 0);
	if (suppressed > 0)
		g_string_append_printf(out,
				       "<p>The kernels suppressed %.0f more messages by their rate "
				       "limit.</p>\n",
				       suppressed);
	g_string_append(out, "</section>\n");
}
