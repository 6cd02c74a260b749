/* SPDX-License-Identifier: GPL-2.0-or-later */
/* libFuzzer target for the log reader and what is made of it; see scripts/fuzz. The input is one
 * log, or two with a NUL between them. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "timeline/timeline.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static Timeline *read_log(TimelineReader *r, const char *bytes, size_t len)
{
	size_t half = len / 3; /* cut somewhere, as reads do */
	timeline_reader_feed(r, bytes, half);
	timeline_reader_feed(r, bytes + half, len - half);
	return timeline_reader_finish(r);
}

/* What is printed holds nothing that a terminal or a browser obeys. */
static void check(const json_t *doc)
{
	g_autofree char *text = timeline_text(doc, false), *svg = timeline_svg(doc, true);
	g_autofree char *table = timeline_table(doc);
	for (const char *p = text; *p; p++)
		if (((unsigned char)*p < 0x20 && *p != '\n') || *p == 0x7f)
			abort();
	if (!g_utf8_validate(text, -1, NULL) || !g_utf8_validate(svg, -1, NULL))
		abort();
	/* every tag is one of the renderer's */
	static const char *const tags[] = {"svg ",   "/svg>", "style>", "/style>", "rect ",
					   "/rect>", "line ", "title>", "/title>", "text ",
					   "/text>", "path ", "tspan ", "/tspan>"};
	for (const char *p = strchr(svg, '<'); p; p = strchr(p + 1, '<')) {
		bool known = false;
		for (size_t i = 0; i < G_N_ELEMENTS(tags) && !known; i++)
			known = strncmp(p + 1, tags[i], strlen(tags[i])) == 0;
		if (!known)
			abort();
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const TimelinePart parts[] = {{"part <b>", "^pci .* group"}};
	static const TimelineOptions options = {
		.from = "detected", .to = "^iommu: ", .parts = parts, .parts_count = 1};
	/* made once: compiling the patterns takes longer than a run */
	static TimelineReader *readers[2];
	if (!readers[0]) {
		readers[0] = timeline_reader_new(NULL, NULL);
		readers[1] = timeline_reader_new(&options, NULL);
	}
	const char *log = (const char *)data;
	const char *cut = memchr(log, 0, size);
	size_t len = cut ? (size_t)(cut - log) : size;
	TimelineReader *r = readers[len % 2];
	g_autoptr(Timeline) a = read_log(r, log, len);
	g_autoptr(Timeline) b = cut ? read_log(r, cut + 1, size - len - 1) : NULL;
	const TimelineView view = {.all = size % 3 == 0, .only_matters = size % 5 == 0};
	g_autoptr(json_t) doc = timeline_document(a, b, &view, NULL);
	g_autofree char *dumped = doc ? json_dumps(doc, 0) : NULL;
	if (!dumped)
		abort();
	check(doc);
	return 0;
}
