/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "excerpt.h"

#include <stdio.h>
#include <string.h>

#include "base/emulator_record.h"
#include "model.h"

#define READ_MAX (32u << 20) /* bytes of a log that are looked at */
#define LINES_MAX 200000
#define FAULTS_MAX 64 /* different texts */
#define BEFORE 8      /* lines before the window */
#define AFTER 4	      /* and after it */
#define AROUND 3      /* lines around a fault, where the window is too long to show */
#define WINDOW_MAX 60 /* lines of a window that is shown whole */
#define FIRST 8	      /* of many faults, those that are shown */
#define LAST 4

typedef struct {
	char *text; /* without the log's own prefix */
	char *time; /* as the log says it */
	bool fault, show;
	bool dictionary; /* of a record of /dev/kmsg, not a line of its own */
} Line;

static void line_clear(gpointer line)
{
	g_free(((Line *)line)->text);
	g_free(((Line *)line)->time);
}

/* A record of /dev/kmsg, "prio,seq,usec,flags;text" (Documentation/ABI/testing/dev-kmsg), as dmesg
 * would show it. Lines that begin with a space are a record's dictionary. */
static bool split_kmsg(const char *raw, Line *ret)
{
	unsigned long long prio, seq, usec;
	const char *text = strchr(raw, ';');
	if (!text || sscanf(raw, "%llu,%llu,%llu,", &prio, &seq, &usec) != 3)
		return false;
	ret->time = g_strdup_printf("%llu.%06llu", usec / 1000000, usec % 1000000);
	ret->text = g_strdup(text + 1);
	return true;
}

/* "[    1.234567] text", as a kernel prints it on a console: its own time is the better one. */
static void take_kernel_time(Line *line)
{
	int end = 0;
	char time[32];
	if (sscanf(line->text, "[ %31[0-9.]] %n", time, &end) != 1 || end == 0 ||
	    !strchr(time, '.'))
		return;
	char *rest = g_strdup(line->text + end);
	g_free(line->text);
	g_free(line->time);
	line->text = rest;
	line->time = g_strdup(time);
}

/* console.log: "2026-11-22T14:35:04.123456Z +1.234567 text". */
static bool split_console(const char *raw, Line *ret)
{
	int date = 0, end = 0;
	double since;
	if (sscanf(raw, "%*40[0-9T:.Z-]%n %lf%n", &date, &since, &end) != 1 || date < 20 ||
	    raw[date + 1] != '+')
		return false;
	ret->time = g_strndup(raw, (gsize)date);
	ret->text = g_strdup(raw[end] == ' ' ? raw + end + 1 : raw + end);
	take_kernel_time(ret);
	if (g_str_has_prefix(ret->text, EMULATOR_RECORD_PREFIX))
		g_clear_pointer(&ret->time, g_free); /* when it was written, not when it was */
	return true;
}

static GArray *split_lines(char *text, bool kmsg)
{
	GArray *out = g_array_new(FALSE, TRUE, sizeof(Line));
	g_array_set_clear_func(out, line_clear);
	char *next = text;
	while (next && *next && out->len < LINES_MAX) {
		char *raw = next;
		next = strchr(raw, '\n');
		if (next)
			*next++ = '\0';
		if (strlen(raw) > MODEL_TEXT_MAX)
			raw[MODEL_TEXT_MAX] = '\0';
		Line line = {0};
		if (!(kmsg ? split_kmsg(raw, &line) : split_console(raw, &line)))
			line.text = g_strdup(raw);
		line.dictionary = kmsg && *raw == ' ';
		g_array_append_val(out, line);
	}
	return out;
}

static Line *at(GArray *lines, guint i)
{
	return &g_array_index(lines, Line, i);
}

/* First line from `begin` on that matches; -1. */
static gint64 find(GArray *lines, const char *pattern, guint begin)
{
	g_autoptr(GRegex) regex =
		g_regex_new(pattern, G_REGEX_OPTIMIZE | G_REGEX_RAW, (GRegexMatchFlags)0, NULL);
	for (guint i = begin; regex && i < lines->len; i++) {
		if (g_regex_match(regex, at(lines, i)->text, (GRegexMatchFlags)0, NULL))
			return i;
	}
	return -1;
}

/* What a launcher printed before is no part of the boot: the last banner counts. */
static guint boot_begins(GArray *lines)
{
	for (guint i = lines->len; i-- > 0;) {
		if (strstr(at(lines, i)->text, "Linux version "))
			return i;
	}
	return 0;
}

static bool ends_with(const char *text, size_t len, const char *end, size_t end_len)
{
	return end_len > 0 && end_len <= len && memcmp(text + len - end_len, end, end_len) == 0;
}

/* The record's own text may have the prefix of /dev/kmsg. */
static const char *bare(const char *raw)
{
	const char *semicolon = g_ascii_isdigit(*raw) ? strchr(raw, ';') : NULL;
	return semicolon && strspn(raw, "0123456789,-c") == (size_t)(semicolon - raw)
		       ? semicolon + 1
		       : raw;
}

static guint mark_faults(GArray *lines, guint begin, const GPtrArray *faults)
{
	guint found = 0;
	for (guint i = begin; i < lines->len; i++) {
		Line *line = at(lines, i);
		size_t len = strlen(line->text);
		for (guint k = 0; k < faults->len && k < FAULTS_MAX && !line->fault; k++) {
			const char *raw = bare(faults->pdata[k]);
			line->fault = ends_with(line->text, len, raw, strlen(raw));
		}
		found += line->fault;
	}
	return found;
}

static void show(GArray *lines, gint64 from, gint64 to)
{
	for (gint64 i = MAX(from, 0); i <= to && i < lines->len; i++)
		at(lines, (guint)i)->show = !at(lines, (guint)i)->dictionary;
}

static void choose(GArray *lines, gint64 from, gint64 to, bool window_known)
{
	if (window_known && to - from < WINDOW_MAX) {
		show(lines, from - BEFORE, to + AFTER);
	} else if (window_known) {
		show(lines, from - BEFORE, from + AROUND);
		show(lines, to - AROUND, to + AFTER);
	}
	guint faults = 0, seen = 0;
	for (guint i = 0; i < lines->len; i++)
		faults += at(lines, i)->fault;
	for (guint i = 0; i < lines->len; i++) {
		if (at(lines, i)->fault && (seen++ < FIRST || seen + LAST > faults))
			show(lines, (gint64)i - AROUND, (gint64)i + AROUND);
	}
	/* a gap is not worth its mark when it is as short */
	gint64 last = -1;
	for (guint i = 0; i < lines->len; i++) {
		if (!at(lines, i)->show)
			continue;
		if (last >= 0 && i - last <= 3)
			show(lines, last, i);
		last = i;
	}
}

static json_t *line_json(const Line *line, guint number, bool window)
{
	json_t *o = json_object();
	json_object_set_new(o, "number", json_integer(number));
	model_set_text(o, "time", line->time);
	json_object_set_new(o, "text", model_text(line->text));
	if (window)
		json_object_set_new(o, "window", json_true());
	if (line->fault)
		json_object_set_new(o, "fault", json_true());
	return o;
}

static json_t *chosen_lines(GArray *lines, gint64 from, gint64 to)
{
	json_t *out = json_array();
	for (guint i = 0; i < lines->len && json_array_size(out) < EXCERPT_MAX; i++) {
		if (at(lines, i)->show)
			json_array_append_new(out, line_json(at(lines, i), i + 1,
							     (gint64)i >= from && (gint64)i <= to));
	}
	return out;
}

static json_t *excerpt(GArray *lines, const char *from, const char *to, const GPtrArray *faults)
{
	guint begin = boot_begins(lines);
	gint64 first = from ? find(lines, from, begin) : (gint64)begin;
	gint64 last = first >= 0 && to ? find(lines, to, (guint)first + (from ? 1 : 0)) : -1;
	bool known = first >= 0 && (from || to);
	if (first >= 0 && last < 0)
		last = (gint64)lines->len - 1;
	if (mark_faults(lines, begin, faults) == 0 && !known)
		return NULL;
	choose(lines, first, last, known);
	return chosen_lines(lines, known ? first : G_MAXINT64, known ? last : -1);
}

json_t *excerpt_read(const char *folder, const char *from, const char *to, const GPtrArray *faults)
{
	const char *names[] = {"kmsg.log", "console.log"};
	g_autofree char *console = model_read(folder, "console.log", READ_MAX, NULL);
	/* only the console has what the emulator recorded, in its place */
	if (console && strstr(console, " " EMULATOR_RECORD_PREFIX))
		names[0] = NULL;
	for (size_t i = 0; i < G_N_ELEMENTS(names); i++) {
		g_autofree char *text = !names[i] ? NULL
					: i == 0  ? model_read(folder, names[i], READ_MAX, NULL)
						  : g_steal_pointer(&console);
		g_autoptr(GArray) lines = split_lines(text, i == 0);
		json_t *chosen = lines->len ? excerpt(lines, from, to, faults) : NULL;
		if (!chosen)
			continue;
		json_t *o = json_object();
		json_object_set_new(o, "file", json_string(names[i]));
		json_object_set_new(o, "total_lines", json_integer(lines->len));
		json_object_set_new(o, "lines", chosen);
		return o;
	}
	return NULL;
}
