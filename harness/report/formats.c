/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which formats there are. A new one: its file, and one line here. */
#include "report-internal.h"

#include <string.h>

#define FORMATS(X)                                                                                 \
	X(text)                                                                                    \
	X(markdown)                                                                                \
	X(html)                                                                                    \
	X(json)

#define DECLARE(format) extern const ReportFormat report_format_##format;
#define ENTRY(format) &report_format_##format,

FORMATS(DECLARE)

const ReportFormat *const report_formats[] = {FORMATS(ENTRY) NULL};

const ReportFormat *report_format_find(const char *name)
{
	for (const ReportFormat *const *f = report_formats; *f; f++) {
		if (strcmp((*f)->name, name) == 0 || g_strcmp0((*f)->alias, name) == 0)
			return *f;
	}
	return NULL;
}

char *report_render(const char *format, const json_t *doc, bool colour)
{
	const ReportFormat *f = report_format_find(format);
	return f ? f->render(doc, colour) : NULL;
}
