/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the renderers read from a document. Nothing in it is taken for granted: a wrong type is a
 * missing value. */
#pragma once

#include "timeline-internal.h"

typedef struct {
	const char *kind, *type, *name, *part, *device;
	gint64 at, took; /* µs after the event at which the boots are aligned; took -1: not known */
	gint64 begin;	 /* kernel time; -1: not known, and then `at` means nothing */
	guint64 count;	 /* of faults, or of marks, that stand for one */
	guint depth;
	bool moved, longer, lone, window, near_time, opens, closes;
	int place, other; /* in the document, of the other boot; -1 */
} ViewEvent;

typedef struct {
	const json_t *json;
	GArray *events;	 /* ViewEvent, of those that matter */
	gint64 align;	 /* kernel time; 0 when nothing is aligned */
	gint64 from, to; /* of the window, relative; G_MININT64, G_MAXINT64: not known */
	bool has_window;
	guint hidden; /* events that do not matter */
} ViewBoot;

typedef struct {
	const json_t *doc;
	guint n; /* boots: 1 or 2 */
	ViewBoot boot[2];
	bool aligned;
} View;

/* Faults that follow each other become one; with `merge` so do marks of one type and device. */
void view_read(View *v, const json_t *doc, bool merge);
void view_clear(View *v);
static inline ViewEvent *view_at(const ViewBoot *b, guint i)
{
	return &g_array_index(b->events, ViewEvent, i);
}
/* The event at a place of the document; NULL: it is not shown, or part of one before it. */
const ViewEvent *view_find(const ViewBoot *b, int place);
/* "translation on, 00:02.0": what a mark means, in few words; a new string. */
char *view_label(const ViewEvent *e);
/* "+1.234 ms" */
char *view_offset(gint64 us);
