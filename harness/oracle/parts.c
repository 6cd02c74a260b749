/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The parts of the window between markers, and how long a device's DMA is refused. Kernels under
 * test move the markers themselves, so the order is that of the boot. */
#include "oracle/oracle-internal.h"

#define LINE(array, i) (&g_array_index(array, OracleLine, i))

static gint64 time_of(const OracleLine *l)
{
	return l->time_us == G_MAXINT64 ? -1 : l->time_us; /* behind all: no time of its own */
}

/* Each marker's first line before `to`, in their order. */
static GArray *find_marks(const OracleRules *r, const GArray *lines, guint to)
{
	GArray *seen = g_array_new(FALSE, FALSE, sizeof(OraclePartSeen));
	g_autofree bool *found = g_new0(bool, r->config->parts_count + 1);
	for (guint i = 0; i < to; i++)
		for (unsigned p = 0; p < r->config->parts_count; p++) {
			const OracleLine *l = LINE(lines, i);
			if (found[p] || !oracle_line_has(l, r->parts[p]))
				continue;
			found[p] = true;
			OraclePartSeen part = {.name = r->config->parts[p].name,
					       .start_us = time_of(l),
					       .length_us = -1,
					       .line = i};
			g_array_append_val(seen, part);
		}
	return seen;
}

/* What [start, end) has of the window; one that is over before it opens has nothing. */
static gint64 length_inside(gint64 start, gint64 end, gint64 opened, gint64 closed)
{
	if (start < 0 || end < 0 || opened < 0 || closed < 0)
		return -1;
	return MAX(0, MIN(end, closed) - MAX(start, opened));
}

GArray *oracle_parts_find(const OracleRules *r, const GArray *lines, guint from, guint to,
			  gint64 opened_us, gint64 closed_us)
{
	if (!r->config->parts_count)
		return g_array_new(FALSE, FALSE, sizeof(OraclePartSeen));
	GArray *parts = find_marks(r, lines, to);
	if (from < to && (!parts->len || g_array_index(parts, OraclePartSeen, 0).line > from)) {
		OraclePartSeen before = {
			.name = ORACLE_PART_BEFORE, .start_us = opened_us, .line = from};
		g_array_prepend_val(parts, before);
	}
	for (guint i = 0; i < parts->len; i++) {
		OraclePartSeen *p = &g_array_index(parts, OraclePartSeen, i);
		gint64 end = i + 1 < parts->len ? p[1].start_us : closed_us;
		p->length_us = length_inside(p->start_us, end, opened_us, closed_us);
	}
	return parts;
}

OraclePartSeen *oracle_parts_at(GArray *parts, guint at)
{
	OraclePartSeen *found = NULL;
	for (guint i = 0; i < parts->len; i++) {
		OraclePartSeen *p = &g_array_index(parts, OraclePartSeen, i);
		if (p->line <= at)
			found = p;
	}
	return found;
}

/* The time of the first line that matches; -1: none does, or it has no time. */
static gint64 first_time(const GArray *lines, const FaultRegex *pattern)
{
	for (guint i = 0; i < lines->len; i++)
		if (oracle_line_has(LINE(lines, i), pattern))
			return time_of(LINE(lines, i));
	return -1;
}

gint64 oracle_blocked_us(const OracleRules *r, const GArray *lines)
{
	if (!r->blocked_until)
		return -1;
	gint64 from = -1, until = first_time(lines, r->blocked_until);
	for (unsigned i = 0; i < r->config->blocked_when_count; i++) {
		gint64 t = first_time(lines, r->blocked_when[i]);
		/* A kernel without the marker tells nothing: it may block all the same. */
		if (t < 0)
			return -1;
		from = MAX(from, t);
	}
	return until < 0 || from < 0 ? -1 : MAX(0, until - from);
}
