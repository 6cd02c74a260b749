/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "svg.h"

#include <math.h>
#include <string.h>

#define EXPONENT 0.42
#define TICK_ROOM 84.0
#define TICKS_MAX 24

static int by_time(gconstpointer a, gconstpointer b)
{
	gint64 x = *(const gint64 *)a, y = *(const gint64 *)b;
	return (x > y) - (x < y);
}

/* What the picture is about: the window, faults, changes of what may be refused, what moved. */
static bool is_wanted(const ViewEvent *e)
{
	return e->begin >= 0 &&
	       (strcmp(e->kind, "fault") == 0 || e->opens || e->closes || e->moved || *e->part);
}

static void extend(SvgScale *s, gint64 us)
{
	s->from = MIN(s->from, us);
	s->to = MAX(s->to, us);
}

static void find_range(SvgScale *s, const View *v)
{
	s->from = G_MAXINT64;
	s->to = G_MININT64;
	for (guint n = 0; n < v->n; n++) {
		const ViewBoot *b = &v->boot[n];
		for (guint i = 0; i < b->events->len; i++)
			if (is_wanted(view_at(b, i)))
				extend(s, view_at(b, i)->at);
		if (b->from != G_MININT64)
			extend(s, b->from);
		if (b->to != G_MAXINT64)
			extend(s, b->to);
	}
	if (s->from <= s->to)
		return;
	/* nothing of the kind: all of it */
	for (guint n = 0; n < v->n; n++)
		for (guint i = 0; i < v->boot[n].events->len; i++)
			if (view_at(&v->boot[n], i)->begin >= 0)
				extend(s, view_at(&v->boot[n], i)->at);
	if (s->from > s->to)
		s->from = s->to = 0;
}

bool svg_scale_has(const SvgScale *s, gint64 us)
{
	return us >= s->from && us <= s->to;
}

static void add(SvgScale *s, gint64 us)
{
	if (svg_scale_has(s, us))
		g_array_append_val(s->times, us);
}

void svg_scale_make(SvgScale *s, const View *v)
{
	find_range(s, v);
	gint64 room = MAX((s->to - s->from) / 200, 1);
	s->from -= room;
	s->to += room;
	s->times = g_array_new(FALSE, FALSE, sizeof(gint64));
	s->places = g_array_new(FALSE, FALSE, sizeof(double));
	add(s, s->from);
	add(s, s->to);
	for (guint n = 0; n < v->n; n++)
		for (guint i = 0; i < v->boot[n].events->len; i++) {
			const ViewEvent *e = view_at(&v->boot[n], i);
			if (e->begin < 0)
				continue;
			add(s, e->at);
			if (e->took > 0)
				add(s, e->at + e->took);
		}
	g_array_sort(s->times, by_time);
	double sum = 0;
	for (guint i = 0; i < s->times->len; i++) {
		gint64 gap = i ? g_array_index(s->times, gint64, i) -
					     g_array_index(s->times, gint64, i - 1)
			       : 0;
		sum += gap > 0 ? pow((double)gap, EXPONENT) : 0;
		g_array_append_val(s->places, sum);
	}
	for (guint i = 0; i < s->places->len; i++) {
		double *p = &g_array_index(s->places, double, i);
		*p = SVG_LEFT + (sum > 0 ? *p / sum : 0) * (SVG_RIGHT - SVG_LEFT);
	}
}

double svg_scale_at(const SvgScale *s, gint64 us)
{
	guint low = 0, high = s->times->len - 1;
	if (us <= s->from)
		return SVG_LEFT;
	if (us >= s->to)
		return SVG_RIGHT;
	while (high - low > 1) {
		guint middle = (low + high) / 2;
		if (g_array_index(s->times, gint64, middle) <= us)
			low = middle;
		else
			high = middle;
	}
	gint64 a = g_array_index(s->times, gint64, low), b = g_array_index(s->times, gint64, high);
	double x = g_array_index(s->places, double, low);
	double y = g_array_index(s->places, double, high);
	return b > a ? x + (y - x) * ((double)(us - a) / (double)(b - a)) : x;
}

void svg_scale_clear(SvgScale *s)
{
	g_array_unref(s->times);
	g_array_unref(s->places);
}

static bool has_room(const SvgScale *s, const GArray *ticks, gint64 us)
{
	double x = svg_scale_at(s, us);
	for (guint i = 0; i < ticks->len; i++)
		if (fabs(svg_scale_at(s, g_array_index(ticks, gint64, i)) - x) < TICK_ROOM)
			return false;
	return true;
}

GArray *svg_scale_ticks(const SvgScale *s)
{
	static const gint64 steps[] = {10000000, 5000000, 1000000, 500000, 200000, 100000,
				       50000,	 20000,	  10000,   5000,   2000,   1000,
				       500,	 200,	  100,	   50};
	GArray *ticks = g_array_new(FALSE, FALSE, sizeof(gint64));
	gint64 zero = 0;
	if (svg_scale_has(s, zero))
		g_array_append_val(ticks, zero);
	for (size_t k = 0; k < G_N_ELEMENTS(steps); k++) {
		gint64 first = s->from / steps[k] * steps[k];
		/* a step that is too fine has too many places to look at */
		for (gint64 at = first, n = 0; at <= s->to && n < 2000 && ticks->len < TICKS_MAX;
		     at += steps[k], n++)
			if (svg_scale_has(s, at) && has_room(s, ticks, at))
				g_array_append_val(ticks, at);
	}
	g_array_sort(ticks, by_time);
	return ticks;
}
