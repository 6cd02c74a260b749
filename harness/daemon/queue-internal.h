/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "daemon/queue.h"
#include "daemon/sql.h"

struct Queue {
	Sql *sql;
	guint64 notes; /* lines of the journal since it was opened */
};

/* A line of the journal, inside of the caller's transaction; kind NULL: none. */
bool queue_add_note(Queue *q, gint64 submission, QueueNote note, GError **error);
