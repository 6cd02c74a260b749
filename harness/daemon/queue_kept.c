/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What could not be written: rows as they are when that works again, and each line of the journal
 * with its own time, before anything newer. */
#include "daemon/queue-internal.h"

#define MAX_NOTES 10000 /* nothing starts meanwhile, so that this many would be strange */

typedef struct {
	QueueRowFunc write;
	gconstpointer row;
	bool *unsaved;
} KeptRow;

typedef struct {
	gint64 time_us, submission;
	char *kind, *text;
} KeptNote;

static void note_free(gpointer p)
{
	KeptNote *n = p;
	g_free(n->kind);
	g_free(n->text);
	g_free(n);
}

void queue_kept_init(Queue *q)
{
	q->kept_rows = g_array_new(FALSE, FALSE, sizeof(KeptRow));
	g_queue_init(&q->kept_notes);
}

void queue_kept_clear(Queue *q)
{
	g_array_unref(q->kept_rows);
	g_queue_clear_full(&q->kept_notes, note_free);
}

void queue_keep_note(Queue *q, gint64 submission, QueueNote note)
{
	if (!note.kind)
		return;
	if (q->kept_notes.length == MAX_NOTES) {
		q->kept_lost++;
		return;
	}
	KeptNote *n = g_new(KeptNote, 1);
	*n = (KeptNote){.time_us = g_get_real_time(),
			.submission = submission,
			.kind = g_strdup(note.kind),
			.text = g_strdup(note.text ? note.text : "")};
	g_queue_push_tail(&q->kept_notes, n);
}

void queue_keep_row(Queue *q, QueueRowFunc write, gconstpointer row, bool *unsaved)
{
	if (!*unsaved)
		g_array_append_val(q->kept_rows, ((KeptRow){write, row, unsaved}));
	*unsaved = true;
}

static bool write_kept(Queue *q, GError **error)
{
	for (guint i = 0; i < q->kept_rows->len; i++) {
		const KeptRow *r = &g_array_index(q->kept_rows, KeptRow, i);
		if (!r->write(q, r->row, error))
			return false;
	}
	for (const GList *at = q->kept_notes.head; at; at = at->next) {
		const KeptNote *n = at->data;
		if (!queue_write_note(q, n->time_us, n->submission, (QueueNote){n->kind, n->text},
				      error))
			return false;
	}
	if (!q->kept_lost)
		return true;
	g_autofree char *text =
		g_strdup_printf("%u more changes have no line in the journal", q->kept_lost);
	return queue_write_note(q, g_get_real_time(), 0, (QueueNote){"disk", text}, error);
}

bool queue_begin(Queue *q, GError **error)
{
	if (!sql_begin(q->sql, error))
		return false;
	return write_kept(q, error) || sql_end(q->sql, false, NULL);
}

bool queue_end(Queue *q, bool ok, GError **error)
{
	if (!sql_end(q->sql, ok, error))
		return false;
	for (guint i = 0; i < q->kept_rows->len; i++)
		*g_array_index(q->kept_rows, KeptRow, i).unsaved = false;
	g_array_set_size(q->kept_rows, 0);
	g_queue_clear_full(&q->kept_notes, note_free);
	q->kept_lost = 0;
	return true;
}
