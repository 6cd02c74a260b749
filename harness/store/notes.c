/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Sittings, events, documents and the verdict of a run. */
#include "store/store-internal.h"

#include "base/error.h"

/* ---- sittings ---- */

gint64 store_begin_sitting(Store *s, gint64 campaign, GError **error)
{
	if (!store_exec(s, error, "INSERT INTO sitting (campaign, begun_us) VALUES (?, ?)", "ii",
			campaign, g_get_real_time()))
		return 0;
	return sqlite3_last_insert_rowid(s->db);
}

bool store_put_times(Store *s, gint64 sitting, const StoreTimes *t, GError **error)
{
	if (!t)
		return true;
	return store_exec(s, error,
			  "UPDATE sitting SET total = ?, compile = ?, boot = ?, deadline = ?, "
			  "source = ?, configure = ?, harness = ? WHERE id = ?",
			  "dddddddi", t->total, t->compile, t->boot, t->deadline, t->source,
			  t->configure, t->harness, sitting);
}

bool store_set_times(Store *s, gint64 sitting, const StoreTimes *times, GError **error)
{
	return store_put_times(s, sitting, times, error);
}

bool store_times(Store *s, gint64 campaign, StoreTimes *ret, GError **error)
{
	g_autoptr(StoreQuery) q = store_query(
		s, error,
		"SELECT sum(total), sum(compile), sum(boot), sum(deadline), sum(source), "
		"sum(configure), sum(harness) FROM sitting WHERE campaign = ?",
		"i", campaign);
	if (!q)
		return false;
	if (sqlite3_step(q) != SQLITE_ROW) {
		store_set_error(s, "read", error);
		return false;
	}
	*ret = (StoreTimes){sqlite3_column_double(q, 0), sqlite3_column_double(q, 1),
			    sqlite3_column_double(q, 2), sqlite3_column_double(q, 3),
			    sqlite3_column_double(q, 4), sqlite3_column_double(q, 5),
			    sqlite3_column_double(q, 6)};
	return true;
}

/* ---- events ---- */

void store_event_free(StoreEvent *e)
{
	if (!e)
		return;
	g_free(e->level);
	g_free(e->kind);
	g_free(e->text);
	g_free(e);
}

bool store_add_event(Store *s, gint64 campaign, const char *level, const char *kind, unsigned trial,
		     const char *text, GError **error)
{
	return store_exec(s, error,
			  "INSERT INTO event (campaign, time_us, level, kind, trial, text) "
			  "VALUES (?, ?, ?, ?, ?, ?)",
			  "iissis", campaign, g_get_real_time(), level, kind, (gint64)trial, text);
}

static gpointer event_row(Store *s, StoreQuery *q)
{
	StoreEvent *e = g_new0(StoreEvent, 1);
	e->time_us = sqlite3_column_int64(q, 0);
	e->level = store_text(q, 1);
	e->kind = store_text(q, 2);
	e->text = store_text(q, 3);
	e->trial = (unsigned)sqlite3_column_int64(q, 4);
	return e;
}

GPtrArray *store_events(Store *s, gint64 campaign, GError **error)
{
	StoreQuery *q = store_query(s, error,
				    "SELECT time_us, level, kind, text, trial FROM event "
				    "WHERE campaign = ? ORDER BY id",
				    "i", campaign);
	return store_rows(s, q, event_row, (GDestroyNotify)store_event_free, error);
}

/* ---- documents ---- */

bool store_set_document(Store *s, gint64 campaign, const char *name, const json_t *value,
			GError **error)
{
	return store_exec(s, error,
			  "INSERT INTO document (campaign, name, value) VALUES (?, ?, ?) "
			  "ON CONFLICT DO UPDATE SET value = excluded.value",
			  "isj", campaign, name, value);
}

json_t *store_document(Store *s, gint64 campaign, const char *name, GError **error)
{
	g_autoptr(StoreQuery) q =
		store_query(s, error, "SELECT value FROM document WHERE campaign = ? AND name = ?",
			    "is", campaign, name);
	if (!q)
		return NULL;
	int rc = sqlite3_step(q);
	if (rc == SQLITE_ROW)
		return store_json(q, 0);
	if (rc == SQLITE_DONE)
		return json_null();
	store_set_error(s, "read", error);
	return NULL;
}

/* ---- the verdict ---- */

void store_verdict_free(StoreVerdict *v)
{
	if (!v)
		return;
	g_free(v->kind);
	g_free(v->effect);
	g_free(v->why);
	g_free(v->reason);
	json_decref(v->details);
	g_free(v);
}

bool store_set_verdict(Store *s, gint64 campaign, const StoreVerdict *v, GError **error)
{
	return store_exec(s, error,
			  "REPLACE INTO verdict (campaign, kind, effect, members, probability, "
			  "why, reason, details, time_us) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
			  "issidssji", campaign, v->kind, v->effect, (gint64)v->members,
			  v->probability, v->why, v->reason, v->details,
			  v->time_us ? v->time_us : g_get_real_time());
}

bool store_finish(Store *s, gint64 campaign, const StoreVerdict *v, GError **error)
{
	if (!store_begin(s, error))
		return false;
	bool ok = store_set_verdict(s, campaign, v, error) &&
		  store_set_state(s, campaign, STORE_DONE, "", error);
	return store_end(s, ok, error);
}

static gpointer verdict_row(Store *s, StoreQuery *q)
{
	StoreVerdict *v = g_new0(StoreVerdict, 1);
	v->kind = store_text(q, 0);
	v->effect = store_text(q, 1);
	v->members = (uint64_t)sqlite3_column_int64(q, 2);
	v->probability = sqlite3_column_double(q, 3);
	v->why = store_text(q, 4);
	v->reason = store_text(q, 5);
	v->details = store_json(q, 6);
	v->time_us = sqlite3_column_int64(q, 7);
	v->campaign = sqlite3_column_int64(q, 8);
	return v;
}

StoreVerdict *store_verdict(Store *s, gint64 campaign, GError **error)
{
	StoreQuery *q = store_query(s, error,
				    "SELECT kind, effect, members, probability, why, reason, "
				    "details, time_us, campaign FROM verdict WHERE campaign = ?",
				    "i", campaign);
	g_autoptr(GPtrArray) rows =
		store_rows(s, q, verdict_row, (GDestroyNotify)store_verdict_free, error);
	return rows && rows->len ? g_ptr_array_steal_index(rows, 0) : NULL;
}

GPtrArray *store_verdicts(Store *s, gint64 first, gint64 last, GError **error)
{
	/* details of a survey may be long, and a list is quick */
	StoreQuery *q =
		store_query(s, error,
			    "SELECT kind, effect, members, probability, why, reason, "
			    "json_object('sentence', iif(length(details) <= 65536 AND "
			    "json_type(details, '$.sentence') = 'text', "
			    "json_extract(details, '$.sentence'), NULL)), time_us, campaign "
			    "FROM verdict WHERE campaign BETWEEN ? AND ? ORDER BY campaign",
			    "ii", first, last);
	return store_rows(s, q, verdict_row, (GDestroyNotify)store_verdict_free, error);
}
