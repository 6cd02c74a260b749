/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Rows of the tables `receiver` and `notice`. */
#include <string.h>

#include "base/error.h"
#include "daemon/notice.h"
#include "daemon/queue-internal.h"

#define AT_ONCE 500 /* lines of the journal in one transaction */

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
static bool number(Queue *q, gint64 fallback, gint64 *ret, GError **error, const char *statement,
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
	return number(q, 0, &us, error, "SELECT summary_us FROM receiver WHERE name = ?", receiver)
		       ? us
		       : -1;
}

/* ---- from the journal ---- */

static void set_text(json_t *o, const char *key, const char *value)
{
	if (value && *value)
		json_object_set_new(o, key, kx_json_text(value));
}

/* What a receiver is told of a line: all that makes it understood without asking the daemon. */
static json_t *describe(const json_t *line, const Submission *s)
{
	json_t *o = json_deep_copy(line);
	if (!s)
		return o;
	set_text(o, "name", s->name);
	set_text(o, "title", s->title);
	set_text(o, "question", s->question);
	set_text(o, "owner", s->owner);
	set_text(o, "target", s->target);
	set_text(o, "run", s->run);
	json_object_set_new(o, "state", json_string(submission_state_name(s->state)));
	json_object_set(o, "progress", s->progress);
	if (g_strcmp0(kx_json_str(line, "kind"), "verdict") == 0)
		json_object_set(o, "verdict", s->verdict);
	return o;
}

static gint64 add_row(Queue *q, const char *receiver, const char *type, const json_t *content,
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

/* The message that takes one more line, 0: none does. Only what was never tried changes. */
static bool find_batch(Queue *q, const char *receiver, gint64 *ret, GError **error)
{
	return number(
		q, 0, ret, error,
		"WITH open AS (SELECT id, content FROM notice WHERE receiver = ? AND state = "
		"'pending' AND attempts = 0 AND json_extract(content, '$.lines') IS NOT NULL) "
		"SELECT CASE WHEN (SELECT count(*) FROM open) > 5 AND (SELECT "
		"json_array_length(content, '$.lines') FROM open ORDER BY id DESC LIMIT 1) < "
		"100 THEN (SELECT max(id) FROM open) ELSE 0 END",
		receiver);
}
G_STATIC_ASSERT(NOTICE_LOOSE == 5 && NOTICE_FULL == 100); /* stand in the statement */

static bool add_line(Queue *q, const char *receiver, const char *kind, const json_t *line,
		     GError **error)
{
	gint64 batch = 0;
	if (!find_batch(q, receiver, &batch, error))
		return false;
	if (batch)
		return sql_exec(q->sql, error,
				"UPDATE notice SET type = 'batch', content = "
				"json_insert(content, '$.lines[#]', json(?)) WHERE id = ?",
				"ji", line, batch);
	g_autoptr(json_t) content = json_pack("{s:[O]}", "lines", line);
	return add_row(q, receiver, kind, content, error) != 0;
}

/* A receiver is not told that it does not answer. */
static bool is_about_itself(const char *receiver, const char *kind, const char *text)
{
	size_t len = strlen(receiver);
	return g_str_equal(kind, "undelivered") && g_str_has_prefix(text, receiver) &&
	       text[len] == ':';
}

static bool fill_one(Queue *q, const ConfigNotify *c, gint64 seen, const json_t *line,
		     const Submission *s, GError **error)
{
	const char *kind = kx_json_str(line, "kind"), *text = kx_json_str(line, "text");
	if (kx_json_int(line, "id", 0) <= seen || is_about_itself(c->name, kind, text) ||
	    !config_notify_wants(c, kind, s ? s->name : NULL, s ? s->owner : NULL))
		return true;
	g_autoptr(json_t) told = describe(line, s);
	return add_line(q, c->name, kind, told, error);
}

static bool wants_any(const ConfigNotify *all, unsigned n, const char *kind)
{
	for (unsigned i = 0; i < n; i++)
		if (config_notify_wants(&all[i], kind, NULL, NULL))
			return true;
	return false;
}

static bool fill_line(Queue *q, const ConfigNotify *all, unsigned n, const gint64 *seen,
		      const json_t *line, GError **error)
{
	gint64 id = kx_json_int(line, "submission", 0);
	if (!wants_any(all, n, kx_json_str(line, "kind")))
		return true;
	g_autoptr(Submission) s = id ? queue_find(q, id, error) : NULL;
	if (id && !s)
		return false;
	for (unsigned i = 0; i < n; i++)
		if (!fill_one(q, &all[i], seen[i], line, s, error))
			return false;
	return true;
}

static bool fill(Queue *q, const ConfigNotify *all, unsigned n, bool *ret_more, GError **error)
{
	g_autofree gint64 *seen = g_new0(gint64, n);
	gint64 first = G_MAXINT64, last = 0;
	for (unsigned i = 0; i < n; i++) {
		if (!number(q, G_MAXINT64, &seen[i], error,
			    "SELECT journal FROM receiver WHERE name = ?", all[i].name))
			return false;
		first = MIN(first, seen[i]);
	}
	g_autoptr(json_t) lines = queue_journal(q, first, AT_ONCE, error);
	if (!lines)
		return false;
	size_t i;
	json_t *line;
	json_array_foreach (lines, i, line) {
		last = kx_json_int(line, "id", 0);
		if (!fill_line(q, all, n, seen, line, error))
			return false;
	}
	*ret_more = json_array_size(lines) == AT_ONCE;
	return !last || sql_exec(q->sql, error,
				 "UPDATE receiver SET journal = ?1 WHERE journal < ?1", "i", last);
}

bool queue_fill_notices(Queue *q, const ConfigNotify *all, unsigned n, bool *ret_more,
			GError **error)
{
	*ret_more = false;
	return !n || (sql_begin(q->sql, error) &&
		      sql_end(q->sql, fill(q, all, n, ret_more, error), error));
}

static bool add_own(Queue *q, const char *receiver, const char *type, const json_t *content,
		    gint64 moment_us, gint64 *ret_id, GError **error)
{
	*ret_id = add_row(q, receiver, type, content, error);
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
		number(q, G_MAXINT64, ret_next_us, &why,
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
	if (!number(q, 0, &pending, error, s[0], receiver) ||
	    !number(q, 0, &given_up, error, s[1], receiver))
		return NULL;
	return json_pack("{s:I, s:I}", "pending", (json_int_t)pending, "given_up",
			 (json_int_t)given_up);
}

static gpointer read_shown(SqlRow *row)
{
	g_autoptr(Notice) n = read_notice(row);
	return json_pack("{s:I, s:s, s:s, s:s, s:s, s:i, s:I, s:I, s:I, s:o}", "id",
			 (json_int_t)n->id, "uuid", n->uuid, "receiver", n->receiver, "type",
			 n->type, "state", n->state, "attempts", (int)n->attempts, "created_us",
			 (json_int_t)n->created_us, "next_us", (json_int_t)n->next_us, "done_us",
			 (json_int_t)n->done_us, "detail", kx_json_text(n->detail));
}

json_t *queue_notices(Queue *q, unsigned limit, GError **error)
{
	g_autoptr(GPtrArray) all = sql_rows(q->sql, read_shown, NULL, error,
					    COLUMNS "ORDER BY id DESC LIMIT ?", "i", (gint64)limit);
	if (!all)
		return NULL;
	json_t *out = json_array();
	for (guint i = 0; i < all->len; i++)
		json_array_append_new(out, all->pdata[i]);
	return out;
}
