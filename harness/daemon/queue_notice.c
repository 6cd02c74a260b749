/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Rows of the tables `receiver` and `notice`. */
#include <string.h>

#include "base/error.h"
#include "daemon/notice-internal.h"
#include "daemon/queue-internal.h"

void notice_free(Notice *n)
{
	if (!n)
		return;
	g_free(n->uuid);
	g_free(n->receiver);
	g_free(n->type);
	g_free(n->state);
	g_free(n->detail);
	json_decref(n->content);
	g_free(n);
}

static gpointer read_number(SqlRow *row)
{
	gint64 n = sql_int(row, 0);
	return g_memdup2(&n, sizeof(n));
}

/* The first row's number; `fallback`: there is none. */
bool notice_number(Queue *q, gint64 fallback, gint64 *ret, GError **error, const char *statement,
		   const char *receiver)
{
	g_autoptr(GPtrArray) rows = sql_rows(q->sql, read_number, g_free, error, statement,
					     receiver ? "s" : "", receiver);
	if (!rows)
		return false;
	*ret = rows->len ? *(gint64 *)rows->pdata[0] : fallback;
	return true;
}

/* ---- receivers ---- */

static gpointer read_name(SqlRow *row)
{
	return g_strdup(sql_text(row, 0));
}

static bool is_configured(const ConfigNotify *all, unsigned n, const char *name)
{
	for (unsigned i = 0; i < n; i++)
		if (g_str_equal(all[i].name, name))
			return true;
	return false;
}

static bool set_receivers(Queue *q, const ConfigNotify *all, unsigned n, GError **error)
{
	g_autoptr(GPtrArray) old =
		sql_rows(q->sql, read_name, g_free, error, "SELECT name FROM receiver", "");
	bool ok = old != NULL;
	for (guint i = 0; ok && i < old->len; i++)
		if (!is_configured(all, n, old->pdata[i]))
			ok = sql_exec(q->sql, error, "DELETE FROM receiver WHERE name = ?", "s",
				      old->pdata[i]);
	for (unsigned i = 0; ok && i < n; i++)
		ok = sql_exec(q->sql, error,
			      "INSERT INTO receiver (name, journal, summary_us) VALUES "
			      "(?, (SELECT coalesce(max(id), 0) FROM journal), ?) "
			      "ON CONFLICT (name) DO NOTHING",
			      "si", all[i].name, g_get_real_time());
	return ok;
}

bool queue_set_receivers(Queue *q, const ConfigNotify *all, unsigned n, GError **error)
{
	return sql_begin(q->sql, error) && sql_end(q->sql, set_receivers(q, all, n, error), error);
}

gint64 queue_last_summary(Queue *q, const char *receiver, GError **error)
{
	gint64 us;
	return notice_number(q, 0, &us, error, "SELECT summary_us FROM receiver WHERE name = ?",
			     receiver)
		       ? us
		       : -1;
}

/* ---- made ---- */

gint64 notice_add_row(Queue *q, const char *receiver, const char *type, const json_t *content,
		      GError **error)
{
	g_autofree char *random = g_uuid_string_random();
	g_autofree char *uuid = g_strconcat("msg_", random, NULL);
	bool ok = sql_exec(q->sql, error,
			   "INSERT INTO notice (uuid, receiver, type, content, state, attempts, "
			   "created_us, next_us, done_us, detail) VALUES "
			   "(?, ?, ?, ?, 'pending', 0, ?, 0, 0, '')",
			   "sssji", uuid, receiver, type, content, g_get_real_time());
	return ok ? sql_last_id(q->sql) : 0;
}

static bool add_own(Queue *q, const char *receiver, const char *type, const json_t *content,
		    gint64 moment_us, gint64 *ret_id, GError **error)
{
	*ret_id = notice_add_row(q, receiver, type, content, error);
	return *ret_id &&
	       (!moment_us ||
		sql_exec(q->sql, error, "UPDATE receiver SET summary_us = ? WHERE name = ?", "is",
			 moment_us, receiver));
}

gint64 queue_add_notice(Queue *q, const char *receiver, const char *type, const json_t *content,
			gint64 moment_us, GError **error)
{
	gint64 id = 0;
	return sql_begin(q->sql, error) &&
			       sql_end(q->sql,
				       add_own(q, receiver, type, content, moment_us, &id, error),
				       error)
		       ? id
		       : 0;
}

/* ---- to the receivers ---- */

#define COLUMNS                                                                                    \
	"SELECT id, uuid, receiver, type, content, state, attempts, created_us, next_us, "         \
	"done_us, "                                                                                \
	"detail FROM notice "

static gpointer read_notice(SqlRow *row)
{
	Notice *n = g_new0(Notice, 1);
	*n = (Notice){.id = sql_int(row, 0),
		      .uuid = g_strdup(sql_text(row, 1)),
		      .receiver = g_strdup(sql_text(row, 2)),
		      .type = g_strdup(sql_text(row, 3)),
		      .content = sql_json(row, 4),
		      .state = g_strdup(sql_text(row, 5)),
		      .attempts = (unsigned)sql_int(row, 6),
		      .created_us = sql_int(row, 7),
		      .next_us = sql_int(row, 8),
		      .done_us = sql_int(row, 9),
		      .detail = g_strdup(sql_text(row, 10))};
	return n;
}

/* Each of the two walks the index by receiver, state and id. */
static Notice *first_notice(Queue *q, const char *receiver, const char *state, gint64 now_us,
			    GError **error)
{
	g_autoptr(GPtrArray) rows = sql_rows(
		q->sql, read_notice, (GDestroyNotify)notice_free, error,
		COLUMNS "WHERE receiver = ? AND state = ? AND next_us <= ? ORDER BY id LIMIT 1",
		"ssi", receiver, state, now_us);
	return rows && rows->len ? g_ptr_array_steal_index(rows, 0) : NULL;
}

Notice *queue_due_notice(Queue *q, const char *receiver, gint64 now_us, gint64 *ret_next_us,
			 GError **error)
{
	g_autoptr(GError) why = NULL;
	*ret_next_us = G_MAXINT64;
	Notice *n = first_notice(q, receiver, "sending", G_MAXINT64, &why);
	if (!n && !why)
		n = first_notice(q, receiver, "pending", now_us, &why);
	if (!n && !why)
		notice_number(q, G_MAXINT64, ret_next_us, &why,
			      "SELECT next_us FROM notice WHERE receiver = ? AND state = 'pending' "
			      "ORDER BY next_us LIMIT 1",
			      receiver);
	if (why)
		g_propagate_error(error, g_steal_pointer(&why));
	return n;
}

static bool save(Queue *q, const Notice *n, QueueNote note, GError **error)
{
	return sql_exec(q->sql, error,
			"UPDATE notice SET state = ?, attempts = ?, next_us = ?, done_us = ?, "
			"detail = ? WHERE id = ?",
			"siiisi", n->state, (gint64)n->attempts, n->next_us, n->done_us, n->detail,
			n->id) &&
	       queue_add_note(q, 0, note, error);
}

bool queue_save_notice(Queue *q, const Notice *n, QueueNote note, GError **error)
{
	return queue_begin(q, error) && queue_end(q, save(q, n, note, error), error);
}

bool queue_prune_notices(Queue *q, gint64 before_us, gint64 forget_us, GError **error)
{
	return sql_exec(
		       q->sql, error,
		       "UPDATE notice SET state = 'given-up', done_us = ?, detail = 'the receiver "
		       "is not configured any more' WHERE state = 'pending' AND created_us < ? AND "
		       "receiver NOT IN (SELECT name FROM receiver)",
		       "ii", g_get_real_time(), before_us) &&
	       sql_exec(q->sql, error,
			"DELETE FROM notice WHERE state IN ('sent', 'given-up') AND done_us < ?",
			"i", forget_us);
}

GHashTable *queue_open_notices(Queue *q, GError **error)
{
	g_autoptr(GPtrArray) all =
		sql_rows(q->sql, read_name, NULL, error,
			 "SELECT uuid FROM notice WHERE state IN ('pending', 'sending')", "");
	if (!all)
		return NULL;
	GHashTable *set = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
	for (guint i = 0; i < all->len; i++)
		g_hash_table_add(set, all->pdata[i]);
	return set;
}

/* ---- shown ---- */

json_t *queue_count_notices(Queue *q, const char *receiver, GError **error)
{
	/* "state != 'sent'" is what the index of those that are open says */
	static const char *const statements[2][2] = {
		{"SELECT count(*) FROM notice WHERE state != 'sent' AND state IN ('pending', "
		 "'sending')",
		 "SELECT count(*) FROM notice WHERE state != 'sent' AND state = 'given-up'"},
		{"SELECT count(*) FROM notice WHERE receiver = ? AND state IN ('pending', "
		 "'sending')",
		 "SELECT count(*) FROM notice WHERE receiver = ? AND state = 'given-up'"}};
	const char *const *s = statements[receiver != NULL];
	gint64 pending, given_up;
	if (!notice_number(q, 0, &pending, error, s[0], receiver) ||
	    !notice_number(q, 0, &given_up, error, s[1], receiver))
		return NULL;
	return json_pack("{s:I, s:I}", "pending", (json_int_t)pending, "given_up",
			 (json_int_t)given_up);
}

/* A large message tells of many things, and is not taken apart for a list. */
#define SHOWN                                                                                      \
	"SELECT id, uuid, receiver, type, state, attempts, created_us, next_us, done_us, detail, " \
	"iif(length(content) < 8192, content, 'null') FROM notice "

static char *about(const json_t *content)
{
	const json_t *lines = json_object_get(content, "lines");
	const json_t *line = json_array_get(lines, 0);
	const char *name = kx_json_str(line, "name"), *text = kx_json_str(line, "text");
	if (json_array_size(lines) != 1)
		return g_strdup(kx_json_str(content, "title"));
	bool both = name && *name && text && *text;
	return g_strconcat(name ? name : "", both ? ": " : "", text ? text : "", NULL);
}

static gpointer read_shown(SqlRow *row)
{
	g_autoptr(json_t) content = sql_json(row, 10);
	g_autofree char *what = about(content);
	return json_pack("{s:I, s:s, s:s, s:s, s:s, s:I, s:I, s:I, s:I, s:o, s:o}", "id",
			 (json_int_t)sql_int(row, 0), "uuid", sql_text(row, 1), "receiver",
			 sql_text(row, 2), "type", sql_text(row, 3), "state", sql_text(row, 4),
			 "attempts", (json_int_t)sql_int(row, 5), "created_us",
			 (json_int_t)sql_int(row, 6), "next_us", (json_int_t)sql_int(row, 7),
			 "done_us", (json_int_t)sql_int(row, 8), "detail",
			 kx_json_text(sql_text(row, 9)), "about", kx_json_text(what));
}

json_t *queue_notices(Queue *q, gint64 before, unsigned limit, GError **error)
{
	g_autoptr(GPtrArray) all = sql_rows(q->sql, read_shown, NULL, error,
					    SHOWN "WHERE id < ? ORDER BY id DESC LIMIT ?", "ii",
					    before ? before : G_MAXINT64, (gint64)limit);
	if (!all)
		return NULL;
	json_t *out = json_array();
	for (guint i = 0; i < all->len; i++)
		json_array_append_new(out, all->pdata[i]);
	return out;
}
