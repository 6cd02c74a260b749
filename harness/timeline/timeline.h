/* SPDX-License-Identifier: GPL-2.0-or-later */
/* timeline: when each step of a boot's initialisation ran, when the IOMMU changed, when DMA was
 * refused; one boot, or two compared.
 *
 * A log becomes a Timeline (events in order), one or two of these become a document
 * (docs/timeline.md), and text and picture are made from the document alone. All text in it comes
 * from logs: the renderers make it inert. */
#pragma once

#include <glib.h>
#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "initcall/log.h"

typedef enum {
	TIMELINE_STEP,	/* of initcall_debug: has a length */
	TIMELINE_MARK,	/* a message of the kernel or the emulator that says how things stand */
	TIMELINE_FAULT, /* refused DMA */
	TIMELINE_NOTE,	/* a device waits; an initcall is forbidden */
} TimelineKind;

typedef struct {
	TimelineKind kind;
	const char *type; /* of a step: initcall, async, …; of a mark: its meaning (marks.c), "part"
			   * or "other"; of a fault: "fault"; static */
	char *name; /* step: function, of a probe the device; mark: the message; fault: its text */
	char *part; /* of a mark: the part of the window that it begins; NULL: none */
	char *device, *module; /* NULL: none */
	InitcallLevel level;
	gint64 pid;
	gint64 begin_us, end_us; /* kernel time; -1: not known; a mark's end is its begin */
	gint64 took_us;		 /* of a step, as the kernel measured it; -1 */
	uint64_t line, line_end;
	bool has_result;
	int result;
	unsigned depth;
	bool near_time; /* the time is that of the message before: the emulator's record has none */
	uint64_t count; /* of a fault: how many it stands for */
	bool in_window;

	/* of a comparison or a choice (compare.c, choose.c) */
	char *key;    /* equal for the same event of another boot */
	int other;    /* index in the other boot; -1: it is not there */
	bool moved;   /* past others that did not */
	bool longer;  /* or shorter, by much */
	bool matters; /* to be shown when not everything is */
} TimelineEvent;

typedef struct {
	char *name;	   /* for people: the file, the trial */
	char *title;	   /* more of it, "fault"; NULL */
	char *kernel;	   /* release of the banner; NULL: there was none */
	char *identity;	   /* "kx0123…" in the banner; NULL */
	GPtrArray *events; /* of TimelineEvent, in order */
	guint boots;	   /* in the log; this is number `boot`, from 1 */
	guint boot;
	uint64_t lines, messages;   /* of the log; of initcall_debug */
	gint64 begin_us, end_us;    /* first and last kernel time; -1: the log has none */
	int window_from, window_to; /* events that open and close the window; -1: the log's ends */
	bool window_given, window_opened, window_closed;
	uint64_t faults; /* counted ones */
} Timeline;

typedef struct {
	const char *name, *at; /* PCRE2 */
} TimelinePart;

/* All optional. */
typedef struct {
	const char *from, *to; /* the window: names of windows (iommu/marks.h) or patterns; NULL:
				* found by what the marks mean */
	const TimelinePart *parts;
	guint parts_count;
	const char *const *devices; /* whose faults count, ssss:bb:dd.f; NULL: all */
	/* where faults count, as oracle rules have it: pairs of first and last address; 0: all */
	const guint64 *addresses;
	guint addresses_count; /* pairs */
	guint boot;	       /* which of the log, from 1; 0: the last */
} TimelineOptions;

void timeline_free(Timeline *t);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Timeline, timeline_free)

/* ---- reading ---- */

typedef struct TimelineReader TimelineReader;
/* NULL with *error set when a pattern does not compile. What the options point to must live as long
 * as the reader. */
TimelineReader *timeline_reader_new(const TimelineOptions *options, GError **error);
/* Any bytes, cut anywhere. */
void timeline_reader_feed(TimelineReader *r, const char *bytes, size_t len);
/* The end of a log; the reader can take another. Never NULL: an empty log is a timeline without
 * events. */
Timeline *timeline_reader_finish(TimelineReader *r);
void timeline_reader_free(TimelineReader *r);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(TimelineReader, timeline_reader_free)

/* A log, plain or packed, "-" for standard input; or the evidence folder of a trial, of which the
 * console and the kernel's records are read together. */
Timeline *timeline_load(const char *path, const TimelineOptions *options, GError **error);

/* ---- one boot, two boots ---- */

typedef struct {
	const char
		*align; /* part of an event's name or meaning, first that both have; NULL: chosen */
	bool all;	/* everything matters */
	bool only_matters; /* what does not is left out of the document */
	const char
		*with; /* what to call the second boot in the sentence: "With split-enable"; NULL */
} TimelineView;

/* The document of one boot, or of two (`second` may be NULL), of which the first is the one that is
 * changed: with the fault, or as it was. A new reference; NULL with *error set when --align is in
 * neither. Notes in the timelines what matters. */
json_t *timeline_document(Timeline *first, Timeline *second, const TimelineView *view,
			  GError **error);

/* The sentence of a document: what moved relative to the window; "" for one boot without faults. */
const char *timeline_sentence(const json_t *doc);

/* ---- for people (new strings) ---- */

/* Columns for a terminal of that many columns. */
char *timeline_text(const json_t *doc, bool colour);
/* Only the table of a comparison, without colour and what stands around it. */
char *timeline_table(const json_t *doc);
/* A picture 1,200 units wide, that stands alone and follows the reader's colour scheme. Without
 * `alone`: for the inside of a page. No script, nothing from elsewhere, any text is inert. */
char *timeline_svg(const json_t *doc, bool alone);
