/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "timeline/timeline.h"

/* ---- marks.c: what messages mean ---- */

typedef enum {
	TIMELINE_OTHER,	 /* says where the boot stands */
	TIMELINE_OPENS,	 /* from here on, more DMA may be refused */
	TIMELINE_CLOSES, /* from here on, less */
} TimelineEffect;

typedef struct {
	const char *type;	  /* "enabled", … */
	const char *words, *also; /* a message with both; `also` may be NULL */
	TimelineEffect effect;
	/* "translation was", "enabled"; %s in the first: it is about this device */
	const char *subject, *done;
	unsigned weight; /* how well it tells when refusing ends: more is better */
} TimelineMark;

/* NULL: the message is none. The device's name is a new string in *ret_device. */
const TimelineMark *timeline_mark_of(const char *text, size_t len, char **ret_device);
const TimelineMark *timeline_mark_find(const char *type); /* the first; NULL */
/* For sentences: a new string "device 00:02.0 was", and "attached". */
char *timeline_subject(const TimelineEvent *e, const char **ret_done);
unsigned timeline_weight(const TimelineEvent *e);
TimelineEffect timeline_effect(const TimelineEvent *e);
/* The devices with faults in either boot (`b` may be NULL), as a set: the others are beside the
 * point. */
GHashTable *timeline_focus(const Timeline *a, const Timeline *b);

static inline TimelineEvent *timeline_at(const Timeline *t, guint i)
{
	return t->events->pdata[i];
}

/* ---- merge.c ---- */

/* Two logs of one boot in one order, as one text: the console with the records that it lacks. */
GString *timeline_merge(const char *console, size_t console_len, const char *kmsg, size_t kmsg_len);

/* ---- compare.c ---- */

/* Fills key, other, moved, longer of both. */
void timeline_compare(Timeline *a, Timeline *b);
/* The event that both have, at which they are laid upon each other; false: nothing is common. */
bool timeline_align(const Timeline *a, const Timeline *b, const char *align, int *ret_a,
		    int *ret_b);

/* ---- choose.c ---- */

/* Notes what matters; `focus` as above. `compared`: by what moved, came and went too. */
void timeline_choose(Timeline *t, GHashTable *focus, bool all, bool compared);

/* ---- explain.c ---- */

/* A new sentence. */
char *timeline_explain(const Timeline *a, const Timeline *b, const char *with);
/* "1.2 ms", "340 µs", "2.31 s" */
char *timeline_span(gint64 us);

/* ---- inert text ---- */

/* For a terminal: control characters and broken UTF-8 replaced, at most `max` characters. */
void timeline_put_plain(GString *out, const char *s, gsize max);
/* For SVG text and attributes. */
void timeline_put_xml(GString *out, const char *s, gsize max);
