/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "daemon/queue.h"
#include "daemon/sql.h"

struct Queue {
	Sql *sql;
	guint64 notes; /* lines of the journal since it was opened */
	/* queue_kept.c */
	GArray *kept_rows;
	GQueue kept_notes;
	guint kept_lost;
};

/* Every change is queue_begin(q, error) && queue_end(q, write(…), error): what was kept is written
 * first, in the same transaction. The end is as sql_end(). */
bool queue_begin(Queue *q, GError **error);
bool queue_end(Queue *q, bool ok, GError **error);

/* A line of the journal, inside of the caller's transaction; kind NULL: none. */
bool queue_add_note(Queue *q, gint64 submission, QueueNote note, GError **error);
bool queue_write_note(Queue *q, gint64 time_us, gint64 submission, QueueNote note, GError **error);

/* Keeps a row for the next transaction, as it is then; *unsaved is true until that is committed,
 * and the row must live so long. */
typedef bool (*QueueRowFunc)(Queue *q, gconstpointer row, GError **error);
void queue_keep_row(Queue *q, QueueRowFunc write, gconstpointer row, bool *unsaved);

void queue_kept_init(Queue *q);
void queue_kept_clear(Queue *q);
