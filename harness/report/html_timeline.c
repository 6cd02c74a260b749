/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The page: what moved between a boot without the answer and one with it. */
#include "html-internal.h"

#include "timeline/timeline.h"

void report_html_timeline(GString *out, const json_t *doc)
{
	const json_t *timeline = json_object_get(doc, "timeline");
	const json_t *compared = json_object_get(timeline, "document");
	if (!json_array_size(json_object_get(compared, "boots")))
		return;
	report_html_section(out, "timeline", "What moved");
	g_string_append(out, "<p class=\"moved\">");
	report_put_html(out, report_str(timeline, "sentence"), REPORT_TEXT_MAX);
	g_string_append(out, "</p>\n<figure class=\"wide\">\n");
	g_autofree char *picture = timeline_svg(compared, false);
	g_string_append(out, picture);
	g_string_append_printf(
		out,
		"<p class=\"source\">Trials %.0f and %.0f, by the kernel's clock. The window "
		"is shaded; refused DMA is a tick on the line.</p>\n"
		"</figure>\n</section>\n",
		report_num(timeline, "first", 0), report_num(timeline, "second", 0));
}
