/* SPDX-License-Identifier: GPL-2.0-or-later */
/* From lines of the journal to messages. */
#include <string.h>

#include "base/error.h"
#include "daemon/notice-internal.h"
#include "daemon/queue-internal.h"

#define AT_ONCE 500 /* lines of the journal in one transaction */

/* One receiver, while lines are handed out. */
typedef struct {
	const ConfigNotify *c;
	gint64 seen;   /* the last line that it was looked at for */
	gint64 open;   /* messages that were never tried: only they change */
	gint64 newest; /* of these; 0: none */
	json_t *lines; /* of the newest; NULL: not read yet */
	bool changed;  /* they are more than the row has */
} Box;

static void box_clear(gpointer p)
{
	Box *b = p;
	json_decref(b->lines);
}

static bool box_open(Queue *q, Box *b, GError **error)
{
	const char *name = b->c->name;
	return notice_number(q, G_MAXINT64, &b->seen, error,
			     "SELECT journal FROM receiver WHERE name = ?", name) &&
	       notice_number(q, 0, &b->open, error,
			     "SELECT count(*) FROM notice WHERE receiver = ? AND state = 'pending' "
			     "AND attempts = 0 AND type NOT IN ('summary', 'test')",
			     name) &&
	       notice_number(q, 0, &b->newest, error,
			     "SELECT max(id) FROM notice WHERE receiver = ? AND state = 'pending' "
			     "AND attempts = 0 AND type NOT IN ('summary', 'test')",
			     name);
}

static gpointer read_lines(SqlRow *row)
{
	g_autoptr(json_t) content = sql_json(row, 0);
	json_t *lines = json_object_get(content, "lines");
	return lines ? json_incref(lines) : json_array();
}

static bool box_load(Queue *q, Box *b, GError **error)
{
	if (b->lines)
		return true;
	g_autoptr(GPtrArray) rows =
		sql_rows(q->sql, read_lines, NULL, error, "SELECT content FROM notice WHERE id = ?",
			 "i", b->newest);
	if (rows)
		b->lines = rows->len ? rows->pdata[0] : json_array();
	return rows != NULL;
}

static bool box_write(Queue *q, Box *b, GError **error)
{
	if (!b->changed)
		return true;
	g_autoptr(json_t) content = json_pack("{s:O}", "lines", b->lines);
	b->changed = false;
	return sql_exec(q->sql, error, "UPDATE notice SET type = 'batch', content = ? WHERE id = ?",
			"ji", content, b->newest);
}

static bool box_add(Queue *q, Box *b, const char *kind, json_t *line, GError **error)
{
	if (b->open > NOTICE_LOOSE) {
		if (!box_load(q, b, error))
			return false;
		if (json_array_size(b->lines) < NOTICE_FULL) {
			b->changed = true;
			return json_array_append(b->lines, line) == 0;
		}
	}
	if (!box_write(q, b, error))
		return false;
	json_decref(b->lines);
	b->lines = json_pack("[O]", line);
	g_autoptr(json_t) content = json_pack("{s:O}", "lines", b->lines);
	b->newest = notice_add_row(q, b->c->name, kind, content, error);
	b->open++;
	return b->newest != 0;
}

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

/* A receiver is not told that it does not answer. */
static bool is_about_itself(const char *receiver, const char *kind, const char *text)
{
	size_t len = strlen(receiver);
	return g_str_equal(kind, "undelivered") && g_str_has_prefix(text, receiver) &&
	       text[len] == ':';
}

static bool offer(Queue *q, Box *b, const json_t *line, const Submission *s, GError **error)
{
	const char *kind = kx_json_str(line, "kind"), *text = kx_json_str(line, "text");
	if (kx_json_int(line, "id", 0) <= b->seen || is_about_itself(b->c->name, kind, text) ||
	    !config_notify_wants(b->c, kind, s ? s->name : NULL, s ? s->owner : NULL))
		return true;
	g_autoptr(json_t) told = describe(line, s);
	return box_add(q, b, kind, told, error);
}

static bool wants_any(const GArray *boxes, const char *kind)
{
	for (guint i = 0; i < boxes->len; i++)
		if (config_notify_wants(g_array_index(boxes, Box, i).c, kind, NULL, NULL))
			return true;
	return false;
}

/* Of a submission that is not there nobody can be told more than the line. */
static const Submission *find(Queue *q, gint64 id, GHashTable *known)
{
	Submission *s = g_hash_table_lookup(known, &id);
	if (s || !id)
		return s;
	s = queue_find(q, id, NULL);
	if (s)
		g_hash_table_insert(known, &s->id, s);
	return s;
}

static bool hand_out(Queue *q, const json_t *lines, GArray *boxes, GError **error)
{
	g_autoptr(GHashTable) known = g_hash_table_new_full(g_int64_hash, g_int64_equal, NULL,
							    (GDestroyNotify)submission_free);
	size_t n;
	json_t *line;
	json_array_foreach (lines, n, line) {
		if (!wants_any(boxes, kx_json_str(line, "kind")))
			continue;
		const Submission *s = find(q, kx_json_int(line, "submission", 0), known);
		for (guint i = 0; i < boxes->len; i++)
			if (!offer(q, &g_array_index(boxes, Box, i), line, s, error))
				return false;
	}
	for (guint i = 0; i < boxes->len; i++)
		if (!box_write(q, &g_array_index(boxes, Box, i), error))
			return false;
	return true;
}

static bool fill(Queue *q, const ConfigNotify *all, unsigned n, bool *ret_more, GError **error)
{
	g_autoptr(GArray) boxes = g_array_new(FALSE, TRUE, sizeof(Box));
	gint64 first = G_MAXINT64;
	g_array_set_clear_func(boxes, box_clear);
	for (unsigned i = 0; i < n; i++) {
		Box b = {.c = &all[i]};
		if (!box_open(q, &b, error))
			return false;
		g_array_append_val(boxes, b);
		first = MIN(first, b.seen);
	}
	g_autoptr(json_t) lines = queue_journal(q, first, AT_ONCE, error);
	if (!lines || !hand_out(q, lines, boxes, error))
		return false;
	*ret_more = json_array_size(lines) == AT_ONCE;
	gint64 last = kx_json_int(json_array_get(lines, json_array_size(lines) - 1), "id", 0);
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
