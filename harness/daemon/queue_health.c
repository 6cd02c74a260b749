/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Rows of the table `target`. */
#include "daemon/health.h"
#include "daemon/queue-internal.h"

void target_health_free(gpointer p)
{
	TargetHealth *h = p;
	g_free(h->name);
	g_free(h->reason);
	g_free(h->why);
	g_free(h);
}

static bool save(Queue *q, gconstpointer row, GError **error)
{
	const TargetHealth *h = row;
	return sql_exec(q->sql, error,
			"INSERT OR REPLACE INTO target (name, quarantined, failures, reason, "
			"since_us, next_check_us, checks, submission) "
			"VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
			"siisiiii", h->name, (gint64)h->quarantined, (gint64)h->failures, h->reason,
			h->since_us, h->next_check_us, (gint64)h->checks, h->submission);
}

bool queue_save_health(Queue *q, const TargetHealth *h, QueueNote note, GError **error)
{
	return queue_begin(q, error) &&
	       queue_end(q, save(q, h, error) && queue_add_note(q, 0, note, error), error);
}

void queue_keep_health(Queue *q, TargetHealth *h, QueueNote note)
{
	queue_keep_row(q, save, h, &h->unsaved);
	queue_keep_note(q, 0, note);
}

static gpointer read_health(SqlRow *row)
{
	TargetHealth *h = g_new0(TargetHealth, 1);
	*h = (TargetHealth){.name = g_strdup(sql_text(row, 0)),
			    .quarantined = sql_int(row, 1) != 0,
			    .failures = (unsigned)sql_int(row, 2),
			    .reason = g_strdup(sql_text(row, 3)),
			    .since_us = sql_int(row, 4),
			    .next_check_us = sql_int(row, 5),
			    .checks = (unsigned)sql_int(row, 6),
			    .submission = sql_int(row, 7)};
	return h;
}

GPtrArray *queue_health(Queue *q, GError **error)
{
	return sql_rows(q->sql, read_health, target_health_free, error,
			"SELECT name, quarantined, failures, reason, since_us, next_check_us, "
			"checks, submission FROM target",
			"");
}

static gpointer read_id(SqlRow *row)
{
	gint64 id = sql_int(row, 0);
	return g_memdup2(&id, sizeof(id));
}

Submission *queue_last_on(Queue *q, const char *target, GError **error)
{
	g_autoptr(GPtrArray) ids = sql_rows(
		q->sql, read_id, g_free, error,
		"SELECT id FROM submission WHERE target = ?1 "
		"OR EXISTS (SELECT 1 FROM json_each(targets) WHERE value = ?1) "
		"OR EXISTS (SELECT 1 FROM json_each(also) WHERE value = ?1) "
		"ORDER BY (target = ?1 AND started_us > 0) DESC, started_us DESC, id DESC LIMIT 1",
		"s", target);
	return ids && ids->len ? queue_find(q, *(gint64 *)ids->pdata[0], error) : NULL;
}
