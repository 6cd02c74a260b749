/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * report: what a run of a campaign found, as one JSON document and its renderings.
 *
 * report_build() reads the store and the evidence folders and makes the document, which is a stable
 * format (docs/report-format.md, docs/report.schema.json). A renderer sees that document and
 * nothing else. All text in it comes from patches, logs and configuration files: renderers make it
 * inert and bound its length.
 *
 * A new format is one file with a ReportFormat in it and one line in formats.c.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>

#include "base/json.h"

typedef struct Store Store;

typedef struct {
	const char *name;      /* what --format takes */
	const char *alias;     /* another word for it, or NULL */
	const char *extension; /* of a file, without the dot */
	const char *title;     /* for --help */
	/* A new string with a final newline. `colour`: terminal colours are welcome; the formats
	 * that are not for terminals take no notice. */
	char *(*render)(const json_t *doc, bool colour);
} ReportFormat;

/* NULL-terminated; the first is the default. */
extern const ReportFormat *const report_formats[];
/* By name or alias; NULL when there is none. */
const ReportFormat *report_format_find(const char *name);

/* The document of one run, at any moment of it: a run that has not ended gives kind `inconclusive`
 * and what stands so far. Evidence that cannot be read is left out. NULL with the store's errors.
 */
json_t *report_build(Store *store, gint64 campaign, GError **error);

/* The document in a format; NULL when there is no such format. The caller frees it. */
char *report_render(const char *format, const json_t *doc, bool colour);

/* Writes report.html, report.json and report.md of a run to the folder `dir` (made when missing;
 * usually the run's own, so that links to evidence work), each atomically. */
bool report_write(Store *store, gint64 campaign, const char *dir, GError **error);
