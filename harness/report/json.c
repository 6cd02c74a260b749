/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The document itself. */
#include "report-internal.h"

#include <stdlib.h>

static char *render(const json_t *doc, bool colour)
{
	/* jansson allocates with malloc(); g_free() is free() (GLib 2.46 and later) */
	g_autofree char *text = json_dumps(doc, JSON_INDENT(2) | JSON_REAL_PRECISION(10));
	return g_strconcat(text ? text : "null", "\n", NULL);
}

const ReportFormat report_format_json = {
	.name = "json",
	.extension = "json",
	.title = "the document that the others are made of",
	.render = render,
};
