/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What is shown when not everything is: what the IOMMU did to the devices with faults, the steps
 * around the window, the longest ones, and what differs. */
#include <stdlib.h>
#include <string.h>

#include "timeline-internal.h"

#define LONGEST 8	/* steps of the whole boot */
#define IN_WINDOW 14	/* the longest steps in the window */
#define AROUND 2	/* steps before the window and after it */
#define DIFFERENT 20	/* steps that moved, came or went */
#define DEVICE_MARKS 12 /* where no device has faults */
#define NOTES 12

typedef bool (*Which)(const Timeline *t, const TimelineEvent *e);

static int by_took(gconstpointer a, gconstpointer b)
{
	const TimelineEvent *x = *(TimelineEvent *const *)a, *y = *(TimelineEvent *const *)b;
	if (x->took_us != y->took_us)
		return x->took_us > y->took_us ? -1 : 1;
	return x->line != y->line ? (x->line < y->line ? -1 : 1) : 0;
}

/* The longest `max` steps of those that qualify. */
static void choose_longest(Timeline *t, Which which, guint max)
{
	g_autoptr(GPtrArray) steps = g_ptr_array_new();
	for (guint i = 0; i < t->events->len; i++) {
		TimelineEvent *e = timeline_at(t, i);
		if (e->kind == TIMELINE_STEP && which(t, e))
			g_ptr_array_add(steps, e);
	}
	g_ptr_array_sort(steps, by_took);
	for (guint i = 0; i < steps->len && i < max; i++)
		((TimelineEvent *)steps->pdata[i])->matters = true;
}

static bool any(const Timeline *t, const TimelineEvent *e)
{
	(void)t;
	return e->took_us >= 1000;
}

static bool in_window(const Timeline *t, const TimelineEvent *e)
{
	return t->window_from >= 0 && e->in_window;
}

static bool is_different(const Timeline *t, const TimelineEvent *e)
{
	(void)t;
	return e->moved || e->other < 0;
}

static bool is_longer(const Timeline *t, const TimelineEvent *e)
{
	(void)t;
	return e->longer;
}

static bool beside(GHashTable *focus, const TimelineEvent *e)
{
	return e->device && !g_hash_table_contains(focus, e->device);
}

static void choose_marks(Timeline *t, GHashTable *focus, bool compared)
{
	g_autoptr(GHashTable) seen = g_hash_table_new(g_str_hash, g_str_equal);
	guint device_marks = 0, notes = 0;
	bool all_devices = g_hash_table_size(focus) == 0;
	for (guint i = 0; i < t->events->len; i++) {
		TimelineEvent *e = timeline_at(t, i);
		if (e->kind == TIMELINE_FAULT)
			e->matters = true;
		if (e->kind == TIMELINE_NOTE)
			e->matters = notes++ < NOTES;
		if (e->kind != TIMELINE_MARK)
			continue;
		bool state = timeline_effect(e) != TIMELINE_OTHER;
		if (e->part || (int)i == t->window_from || (int)i == t->window_to)
			e->matters = true;
		else if (state && e->device && all_devices)
			e->matters = device_marks++ < DEVICE_MARKS;
		else if (state && (!beside(focus, e) || (compared && e->moved)))
			e->matters = true;
		else if (!state)
			e->matters = g_hash_table_add(seen, (gpointer)e->type);
	}
}

/* Those that run when the window opens or closes, and their neighbours. */
static void choose_around(Timeline *t)
{
	const int edges[] = {t->window_from, t->window_to};
	for (size_t k = 0; k < G_N_ELEMENTS(edges); k++) {
		if (edges[k] < 0)
			continue;
		uint64_t line = timeline_at(t, (guint)edges[k])->line;
		guint before = 0, after = 0;
		for (guint i = 0; i < t->events->len; i++) {
			TimelineEvent *e = timeline_at(t, i);
			if (e->kind == TIMELINE_STEP && e->line < line && e->line_end > line)
				e->matters = true;
		}
		for (guint i = (guint)edges[k]; i-- > 0 && before < AROUND;) {
			TimelineEvent *e = timeline_at(t, i);
			if (e->kind == TIMELINE_STEP && e->line_end < line && !e->depth) {
				e->matters = true;
				before++;
			}
		}
		for (guint i = (guint)edges[k]; i < t->events->len && after < AROUND; i++) {
			TimelineEvent *e = timeline_at(t, i);
			if (e->kind == TIMELINE_STEP && !e->depth) {
				e->matters = true;
				after++;
			}
		}
	}
}

void timeline_choose(Timeline *t, GHashTable *focus, bool all, bool compared)
{
	for (guint i = 0; i < t->events->len; i++)
		timeline_at(t, i)->matters = all;
	if (all)
		return;
	choose_marks(t, focus, compared);
	choose_around(t);
	choose_longest(t, any, LONGEST);
	choose_longest(t, in_window, IN_WINDOW);
	if (compared) {
		choose_longest(t, is_different, DIFFERENT);
		choose_longest(t, is_longer, LONGEST);
	}
}
