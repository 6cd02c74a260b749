/* SPDX-License-Identifier: GPL-2.0-or-later */
/* From messages to steps: an end belongs to the step of its name that began last and still runs. */
#include <string.h>

#include "initcall/log-internal.h"

/* Steps that run at a time: more are a log that lost its ends. */
#define OPEN_MAX 256

struct InitcallLog {
	GPtrArray *steps, *notes;
	GArray *open; /* indices of steps that run, in the order in which they began */
	InitcallLevel level;
	uint64_t messages;
	bool sorted, placed;
};

static void step_free(gpointer data)
{
	InitcallStep *s = data;
	g_free(s->name);
	g_free(s->module);
	g_free(s->device);
	g_free(s);
}

static void note_free(gpointer data)
{
	InitcallNote *n = data;
	g_free(n->name);
	g_free(n);
}

InitcallLog *initcall_log_new(void)
{
	InitcallLog *log = g_new0(InitcallLog, 1);
	log->steps = g_ptr_array_new_with_free_func(step_free);
	log->notes = g_ptr_array_new_with_free_func(note_free);
	log->open = g_array_new(FALSE, FALSE, sizeof(guint));
	log->level = INITCALL_LEVEL_INVALID;
	return log;
}

void initcall_log_free(InitcallLog *log)
{
	if (!log)
		return;
	g_ptr_array_unref(log->steps);
	g_ptr_array_unref(log->notes);
	g_array_unref(log->open);
	g_free(log);
}

static InitcallStep *step_at(const InitcallLog *log, guint i)
{
	return log->steps->pdata[i];
}

static char *copy(const char *text, size_t len)
{
	return len ? g_strndup(text, len) : NULL;
}

static InitcallStep *add_step(InitcallLog *log, const InitcallMessage *m, gint64 time_us,
			      uint64_t number)
{
	InitcallStep *s = g_new0(InitcallStep, 1);
	s->kind = m->kind;
	s->name = g_strndup(m->name, m->name_len);
	s->module = copy(m->module, m->module_len);
	s->device = copy(m->device, m->device_len);
	s->level = m->kind == INITCALL_STEP_INITCALL && !s->module ? log->level
								   : INITCALL_LEVEL_INVALID;
	s->pid = m->pid;
	s->async = m->async;
	s->begin_us = time_us;
	s->end_us = s->took_us = -1;
	s->line = number;
	s->parent = -1;
	g_ptr_array_add(log->steps, s);
	return s;
}

static void begin(InitcallLog *log, const InitcallMessage *m, gint64 time_us, uint64_t number)
{
	if (log->steps->len >= INITCALL_LOG_STEPS_MAX)
		return;
	add_step(log, m, time_us, number);
	guint at = log->steps->len - 1;
	if (log->open->len >= OPEN_MAX)
		g_array_remove_index(log->open, 0);
	g_array_append_val(log->open, at);
}

static bool same(const char *text, const char *other, size_t len)
{
	return text ? strlen(text) == len && memcmp(text, other, len) == 0 : len == 0;
}

/* Index in `open`; -1: its beginning was lost. */
static int find_open(const InitcallLog *log, const InitcallMessage *m)
{
	for (guint i = log->open->len; i-- > 0;) {
		const InitcallStep *s = step_at(log, g_array_index(log->open, guint, i));
		if (s->kind == m->kind && s->async == m->async &&
		    same(s->name, m->name, m->name_len) &&
		    (!m->device_len || !s->device || same(s->device, m->device, m->device_len)))
			return (int)i;
	}
	return -1;
}

static void end(InitcallLog *log, const InitcallMessage *m, gint64 time_us, uint64_t number)
{
	int at = m->kind == INITCALL_STEP_PROBE ? -1 : find_open(log, m);
	InitcallStep *s;
	if (at >= 0) {
		s = step_at(log, g_array_index(log->open, guint, at));
		g_array_remove_index(log->open, (guint)at);
	} else if (log->steps->len >= INITCALL_LOG_STEPS_MAX) {
		return;
	} else {
		s = add_step(log, m, -1, number);
		if (time_us >= 0 && m->took_us >= 0 && m->took_us <= time_us)
			s->begin_us = time_us - m->took_us;
	}
	s->end_us = time_us;
	s->line_end = number;
	s->has_result = m->has_result;
	s->result = m->result;
	s->millis = m->millis;
	s->took_us = m->took_us;
	if (s->took_us < 0 && s->begin_us >= 0 && time_us >= s->begin_us)
		s->took_us = time_us - s->begin_us;
}

static void note(InitcallLog *log, InitcallNoteKind kind, const InitcallMessage *m, gint64 time_us,
		 uint64_t number)
{
	if (log->notes->len >= INITCALL_LOG_NOTES_MAX)
		return;
	InitcallNote *n = g_new0(InitcallNote, 1);
	n->kind = kind;
	n->name = g_strndup(m->name, m->name_len);
	n->time_us = time_us;
	n->line = number;
	g_ptr_array_add(log->notes, n);
}

static void take(InitcallLog *log, const InitcallMessage *m, gint64 time_us, uint64_t number)
{
	log->placed = false;
	switch (m->type) {
	case INITCALL_MESSAGE_BEGIN:
		begin(log, m, time_us, number);
		break;
	case INITCALL_MESSAGE_END:
		end(log, m, time_us, number);
		break;
	case INITCALL_MESSAGE_LEVEL:
		log->level = initcall_level_parse(m->name, (gssize)m->name_len);
		break;
	case INITCALL_MESSAGE_BLACKLISTED:
		note(log, INITCALL_NOTE_BLACKLISTED, m, time_us, number);
		break;
	case INITCALL_MESSAGE_DEFERRED:
		note(log, INITCALL_NOTE_DEFERRED, m, time_us, number);
		break;
	case INITCALL_MESSAGE_PENDING:
		note(log, INITCALL_NOTE_PENDING, m, time_us, number);
		break;
	}
}

bool initcall_log_line(InitcallLog *log, const char *text, size_t len, gint64 time_us,
		       uint64_t number)
{
	InitcallMessage m;
	bool any = false;
	const char *at = text, *stop = text + len;
	while ((at = initcall_message_next(text, at, stop, &m))) {
		take(log, &m, time_us, number);
		log->messages++;
		any = true;
	}
	if (!any && initcall_message_note(text, len, &m)) {
		take(log, &m, time_us, number);
		return true;
	}
	return any;
}

/* ---- places ---- */

static int by_begin(gconstpointer a, gconstpointer b)
{
	const InitcallStep *x = *(InitcallStep *const *)a, *y = *(InitcallStep *const *)b;
	if (x->begin_us >= 0 && y->begin_us >= 0 && x->begin_us != y->begin_us)
		return x->begin_us < y->begin_us ? -1 : 1;
	/* what is inside has the later first line, but for probes, which only say their end */
	if (x->line != y->line)
		return x->line < y->line ? -1 : 1;
	return 0;
}

/* Where times are missing or go back, lines are the only order. */
static bool has_times(const InitcallLog *log)
{
	gint64 last = -1;
	for (guint i = 0; i < log->steps->len; i++) {
		const InitcallStep *s = step_at(log, i);
		if (s->kind == INITCALL_STEP_PROBE)
			continue;
		if (s->begin_us < last)
			return false;
		last = s->begin_us;
	}
	return true;
}

/* A probe ends at `line`; all others begin there. A step that was not seen to end runs no further
 * than the next of the same process. */
static bool is_inside(const InitcallStep *s, const InitcallStep *outer)
{
	if (s->kind == INITCALL_STEP_ASYNC || outer->kind == INITCALL_STEP_FIXUP)
		return false;
	if (s->kind == INITCALL_STEP_PROBE) {
		if (outer->kind == INITCALL_STEP_PROBE)
			return outer->line_end > s->line_end && s->begin_us >= 0 &&
			       outer->begin_us >= 0 && outer->begin_us <= s->begin_us;
		return outer->line < s->line && (!outer->line_end || outer->line_end > s->line) &&
		       (s->begin_us < 0 || outer->begin_us <= s->begin_us);
	}
	return s->pid >= 0 && s->pid == outer->pid && outer->line_end > s->line;
}

/* The innermost of those that began before it. */
static void place(InitcallLog *log)
{
	g_autoptr(GArray) stack = g_array_new(FALSE, FALSE, sizeof(guint));
	for (guint i = 0; i < log->steps->len; i++) {
		InitcallStep *s = step_at(log, i);
		s->parent = -1;
		s->depth = 0;
		for (guint k = stack->len; k-- > 0 && s->parent < 0;) {
			guint at = g_array_index(stack, guint, k);
			const InitcallStep *outer = step_at(log, at);
			if (is_inside(s, outer)) {
				s->parent = (int)at;
				s->depth = outer->depth + 1;
			} else if (outer->line_end && outer->line_end < s->line &&
				   s->kind != INITCALL_STEP_PROBE) {
				g_array_remove_index(stack, k);
			}
		}
		if (stack->len >= OPEN_MAX)
			g_array_remove_index(stack, 0);
		g_array_append_val(stack, i);
	}
}

const GPtrArray *initcall_log_steps(InitcallLog *log)
{
	if (log->placed)
		return log->steps;
	g_array_set_size(log->open, 0); /* it holds indices of before */
	if (has_times(log))
		g_ptr_array_sort(log->steps, by_begin);
	place(log);
	log->placed = true;
	return log->steps;
}

const GPtrArray *initcall_log_notes(InitcallLog *log)
{
	return log->notes;
}

uint64_t initcall_log_messages(const InitcallLog *log)
{
	return log->messages;
}
