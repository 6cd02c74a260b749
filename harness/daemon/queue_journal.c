/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The journal, read. */
#include "daemon/queue-internal.h"

static gpointer read_note(SqlRow *row)
{
	return json_pack("{s:I, s:I, s:I, s:s, s:s}", "id", (json_int_t)sql_int(row, 0), "time_us",
			 (json_int_t)sql_int(row, 1), "submission", (json_int_t)sql_int(row, 2),
			 "kind", sql_text(row, 3), "text", sql_text(row, 4));
}

json_t *queue_journal(Queue *q, gint64 after, unsigned limit, GError **error)
{
	g_autoptr(GPtrArray) all =
		sql_rows(q->sql, read_note, NULL, error,
			 "SELECT id, time_us, submission, kind, text FROM journal WHERE id > ? "
			 "ORDER BY id LIMIT ?",
			 "ii", after, (gint64)limit);
	if (!all)
		return NULL;
	json_t *out = json_array();
	for (guint i = 0; i < all->len; i++)
		json_array_append_new(out, all->pdata[i]);
	return out;
}

static gpointer read_id(SqlRow *row)
{
	gint64 id = sql_int(row, 0);
	return g_memdup2(&id, sizeof(id));
}

guint64 queue_notes(const Queue *q)
{
	return q->notes;
}

gint64 queue_journal_last(Queue *q, GError **error)
{
	g_autoptr(GPtrArray) all = sql_rows(q->sql, read_id, g_free, error,
					    "SELECT id FROM journal ORDER BY id DESC LIMIT 1", "");
	return all && all->len ? *(gint64 *)all->pdata[0] : 0;
}

static gint64 first_number(Queue *q, gint64 fallback, GError **error, const char *statement,
			   gint64 value)
{
	g_autoptr(GPtrArray) rows = sql_rows(q->sql, read_id, g_free, error, statement, "i", value);
	return rows && rows->len ? *(gint64 *)rows->pdata[0] : fallback;
}

/* Ids grow with time, and there is no index by time: halves the rest. */
gint64 queue_journal_before(Queue *q, gint64 time_us, GError **error)
{
	g_autoptr(GError) why = NULL;
	gint64 low = 0, high = queue_journal_last(q, &why);
	while (low < high && !why) {
		gint64 middle = low + (high - low + 1) / 2;
		gint64 at = first_number(
			q, G_MAXINT64, &why,
			"SELECT time_us FROM journal WHERE id >= ? ORDER BY id LIMIT 1", middle);
		if (at < time_us)
			low = middle;
		else
			high = middle - 1;
	}
	if (why)
		g_propagate_error(error, g_steal_pointer(&why));
	return low;
}

bool queue_was_stopped(Queue *q, gint64 id, GError **error)
{
	g_autoptr(GError) why = NULL;
	gint64 stopped = first_number(q, 1, &why,
				      "SELECT kind = 'stopping' FROM journal WHERE id <= ? AND "
				      "submission = 0 AND kind IN ('started', 'stopping') "
				      "ORDER BY id DESC LIMIT 1",
				      id);
	bool ok = !why;
	if (why)
		g_propagate_error(error, g_steal_pointer(&why));
	return ok && stopped;
}
