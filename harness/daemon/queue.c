/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "base/error.h"
#include "base/fs.h"
#include "daemon/queue-internal.h"

/* Step N makes version N of version N - 1; one that was released never changes. */
static const char *const steps[] = {
	"CREATE TABLE submission ("
	"  id INTEGER PRIMARY KEY AUTOINCREMENT,"
	"  name TEXT NOT NULL, title TEXT NOT NULL, question TEXT NOT NULL,"
	"  digest TEXT NOT NULL,"
	"  folder TEXT NOT NULL UNIQUE,"
	"  file TEXT NOT NULL, data TEXT NOT NULL,"
	"  targets TEXT NOT NULL CHECK (json_valid(targets)),"
	"  also TEXT NOT NULL CHECK (json_valid(also)),"
	"  uid INTEGER NOT NULL, owner TEXT NOT NULL,"
	"  priority INTEGER NOT NULL,"
	"  hours_of_day TEXT NOT NULL,"
	"  hours REAL NOT NULL, boots INTEGER NOT NULL, compile_minutes REAL NOT NULL,"
	"  again INTEGER NOT NULL CHECK (again IN (0, 1)),"
	"  after_run INTEGER NOT NULL,"
	"  state TEXT NOT NULL CHECK (state IN"
	"    ('queued', 'running', 'paused', 'done', 'failed', 'cancelled')),"
	"  wish INTEGER NOT NULL CHECK (wish BETWEEN 0 AND 2),"
	"  reason TEXT NOT NULL,"
	"  attempts INTEGER NOT NULL,"
	"  not_before_us INTEGER NOT NULL,"
	"  target TEXT NOT NULL,"
	"  run TEXT NOT NULL,"
	"  progress TEXT NOT NULL CHECK (json_valid(progress)),"
	"  verdict TEXT NOT NULL CHECK (json_valid(verdict)),"
	"  created_us INTEGER NOT NULL,"
	"  started_us INTEGER NOT NULL,"
	"  finished_us INTEGER NOT NULL) STRICT;"
	"CREATE INDEX submission_by_state ON submission (state, id);"
	"CREATE TABLE lease ("
	"  target TEXT NOT NULL,"
	"  slot INTEGER NOT NULL,"
	"  submission INTEGER NOT NULL UNIQUE REFERENCES submission,"
	"  pid INTEGER NOT NULL, start INTEGER NOT NULL, boot TEXT NOT NULL,"
	"  PRIMARY KEY (target, slot)) STRICT, WITHOUT ROWID;"
	"CREATE TABLE journal ("
	"  id INTEGER PRIMARY KEY AUTOINCREMENT,"
	"  time_us INTEGER NOT NULL,"
	"  submission INTEGER NOT NULL,"
	"  kind TEXT NOT NULL,"
	"  text TEXT NOT NULL) STRICT",
	/* health of targets (health.h), result of the preflight (preflight.h) */
	"CREATE TABLE target ("
	"  name TEXT PRIMARY KEY,"
	"  quarantined INTEGER NOT NULL CHECK (quarantined IN (0, 1)),"
	"  failures INTEGER NOT NULL,"
	"  reason TEXT NOT NULL,"
	"  since_us INTEGER NOT NULL,"
	"  next_check_us INTEGER NOT NULL,"
	"  checks INTEGER NOT NULL,"
	"  submission INTEGER NOT NULL) STRICT, WITHOUT ROWID;"
	"ALTER TABLE submission ADD COLUMN preflight TEXT NOT NULL DEFAULT 'null'"
	"  CHECK (json_valid(preflight))",
	/* what receivers are told, and how far they read the journal (notice.h) */
	"CREATE TABLE receiver ("
	"  name TEXT PRIMARY KEY,"
	"  journal INTEGER NOT NULL,"
	"  summary_us INTEGER NOT NULL) STRICT, WITHOUT ROWID;"
	"CREATE TABLE notice ("
	"  id INTEGER PRIMARY KEY AUTOINCREMENT,"
	"  uuid TEXT NOT NULL UNIQUE,"
	"  receiver TEXT NOT NULL,"
	"  type TEXT NOT NULL,"
	"  content TEXT NOT NULL CHECK (json_valid(content)),"
	"  state TEXT NOT NULL CHECK (state IN ('pending', 'sending', 'sent', 'given-up')),"
	"  attempts INTEGER NOT NULL,"
	"  created_us INTEGER NOT NULL,"
	"  next_us INTEGER NOT NULL,"
	"  done_us INTEGER NOT NULL,"
	"  detail TEXT NOT NULL) STRICT;"
	"CREATE INDEX notice_by_state ON notice (receiver, state, id);"
	"CREATE INDEX notice_open ON notice (state) WHERE state != 'sent'",
	/* what was given in place of recipes' sources; budget for the evidence */
	"ALTER TABLE submission ADD COLUMN sources TEXT NOT NULL DEFAULT '';"
	"ALTER TABLE submission ADD COLUMN disk_gib REAL NOT NULL DEFAULT 0",
	"ALTER TABLE submission ADD COLUMN toolchains TEXT NOT NULL DEFAULT ''",
};

#define APPLICATION 0x6b78716e /* "kxqn" */

static const char *const state_names[SUBMISSION_STATE_MAX] = {"queued", "running", "paused",
							      "done",	"failed",  "cancelled"};

const char *submission_state_name(SubmissionState state)
{
	return state < SUBMISSION_STATE_MAX ? state_names[state] : "?";
}

int submission_state_of(const char *name)
{
	for (int i = 0; i < SUBMISSION_STATE_MAX; i++)
		if (g_strcmp0(state_names[i], name) == 0)
			return i;
	return -1;
}

bool submission_is_over(SubmissionState state)
{
	return state >= SUBMISSION_DONE;
}

void submission_set(char **field, const char *value)
{
	char *copy = g_strdup(value ? value : "");
	g_free(*field);
	*field = copy;
}

static const gsize strings[] = {
	G_STRUCT_OFFSET(Submission, name),     G_STRUCT_OFFSET(Submission, title),
	G_STRUCT_OFFSET(Submission, question), G_STRUCT_OFFSET(Submission, digest),
	G_STRUCT_OFFSET(Submission, folder),   G_STRUCT_OFFSET(Submission, file),
	G_STRUCT_OFFSET(Submission, owner),    G_STRUCT_OFFSET(Submission, window),
	G_STRUCT_OFFSET(Submission, reason),   G_STRUCT_OFFSET(Submission, target),
	G_STRUCT_OFFSET(Submission, run),      G_STRUCT_OFFSET(Submission, data),
	G_STRUCT_OFFSET(Submission, sources),  G_STRUCT_OFFSET(Submission, toolchains),
};

static char **string_at(Submission *s, guint i)
{
	return (char **)G_STRUCT_MEMBER_P(s, strings[i]);
}

Submission *submission_new(void)
{
	Submission *s = g_new0(Submission, 1);
	for (guint i = 0; i < G_N_ELEMENTS(strings); i++)
		*string_at(s, i) = g_strdup("");
	s->targets = g_new0(char *, 1);
	s->also = g_new0(char *, 1);
	s->after_run = -1;
	s->progress = json_object();
	s->verdict = json_null();
	s->preflight = json_null();
	return s;
}

void submission_free(Submission *s)
{
	if (!s)
		return;
	for (guint i = 0; i < G_N_ELEMENTS(strings); i++)
		g_free(*string_at(s, i));
	g_strfreev(s->targets);
	g_strfreev(s->also);
	json_decref(s->progress);
	json_decref(s->verdict);
	json_decref(s->preflight);
	g_free(s->wait_reason);
	g_free(s);
}

/* ---- open ---- */

static char *db_path(const char *state)
{
	return g_build_filename(state, "queue.db", NULL);
}

Queue *queue_open(const char *state, GError **error)
{
	g_autofree char *path = db_path(state);
	g_autoptr(Sql) sql = sql_open(path, APPLICATION, steps, G_N_ELEMENTS(steps), error);
	if (!sql || !sql_check(sql, error))
		return NULL;
	Queue *q = g_new0(Queue, 1);
	q->sql = g_steal_pointer(&sql);
	queue_kept_init(q);
	return q;
}

void queue_close(Queue *q)
{
	if (!q)
		return;
	queue_kept_clear(q);
	sql_close(q->sql);
	g_free(q);
}

bool queue_backup(const char *state, const char *file, GError **error)
{
	g_autofree char *path = db_path(state);
	return sql_copy(path, file, error);
}

static gpointer read_file(SqlRow *row)
{
	return g_strdup(sql_text(row, 0));
}

bool queue_verify(const char *state, GError **error)
{
	g_autofree char *path = db_path(state);
	g_autoptr(Sql) sql = sql_verify(path, error);
	g_autoptr(GPtrArray) files = sql ? sql_rows(sql, read_file, g_free, error,
						    "SELECT file FROM submission WHERE state IN "
						    "('queued', 'running', 'paused')",
						    "")
					 : NULL;
	for (guint i = 0; files && i < files->len; i++) {
		g_autofree char *file = g_build_filename(state, files->pdata[i], NULL);
		if (g_file_test(file, G_FILE_TEST_EXISTS))
			continue;
		g_set_error(error, KX_ERROR, KX_ERROR_DIGEST,
			    "%s is missing: put back the folder submissions, too", file);
		return false;
	}
	return files != NULL;
}

/* ---- write ---- */

bool queue_write_note(Queue *q, gint64 time_us, gint64 submission, QueueNote note, GError **error)
{
	q->notes += note.kind != NULL;
	return !note.kind ||
	       sql_exec(q->sql, error,
			"INSERT INTO journal (time_us, submission, kind, text) "
			"VALUES (?, ?, ?, ?)",
			"iiss", time_us, submission, note.kind, note.text ? note.text : "");
}

bool queue_add_note(Queue *q, gint64 submission, QueueNote note, GError **error)
{
	return queue_write_note(q, g_get_real_time(), submission, note, error);
}

static bool add_row(Queue *q, Submission *s, GError **error)
{
	g_autoptr(json_t) targets = kx_json_from_strv((const char *const *)s->targets);
	g_autoptr(json_t) also = kx_json_from_strv((const char *const *)s->also);
	if (!sql_exec(q->sql, error,
		      "INSERT INTO submission (name, title, question, digest, folder, file, data, "
		      "targets, also, uid, owner, priority, hours_of_day, hours, boots, "
		      "compile_minutes, again, after_run, state, wish, reason, attempts, "
		      "not_before_us, target, run, progress, verdict, created_us, started_us, "
		      "finished_us, preflight, sources, toolchains, disk_gib) VALUES (?, ?, ?, ?, "
		      "?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, -1, 'queued', 0, '', 0, 0, '', '', "
		      "'{}', 'null', ?, 0, 0, ?, ?, ?, ?)",
		      "sssssssjjisisdidiijssd", s->name, s->title, s->question, s->digest,
		      s->folder, s->file, s->data, targets, also, (gint64)s->uid, s->owner,
		      (gint64)s->priority, s->window, s->hours, (gint64)s->boots,
		      s->compile_minutes, (gint64)s->again, s->created_us, s->preflight, s->sources,
		      s->toolchains, s->disk_gib))
		return false;
	s->id = sql_last_id(q->sql);
	g_autofree char *text = g_strdup_printf("%s was submitted by %s", s->name, s->owner);
	return queue_add_note(q, s->id, (QueueNote){"submitted", text}, error);
}

bool queue_add(Queue *q, Submission *s, GError **error)
{
	return queue_begin(q, error) && queue_end(q, add_row(q, s, error), error);
}

static bool save_lease(Queue *q, const Submission *s, GError **error)
{
	if (!sql_exec(q->sql, error, "DELETE FROM lease WHERE submission = ?", "i", s->id))
		return false;
	return s->state != SUBMISSION_RUNNING ||
	       sql_exec(q->sql, error, "INSERT INTO lease VALUES (?, ?, ?, ?, ?, ?)", "siiiis",
			s->target, (gint64)s->slot, s->id, (gint64)s->engine.pid,
			(gint64)s->engine.start, s->engine.boot);
}

static bool save_row(Queue *q, gconstpointer row, GError **error)
{
	const Submission *s = row;
	return sql_exec(q->sql, error,
			"UPDATE submission SET priority = ?, after_run = ?, state = ?, wish = ?, "
			"reason = ?, attempts = ?, not_before_us = ?, target = ?, run = ?, "
			"progress = ?, verdict = ?, started_us = ?, finished_us = ?, preflight = ? "
			"WHERE id = ?",
			"iisisiissjjiiji", (gint64)s->priority, (gint64)s->after_run,
			submission_state_name(s->state), (gint64)s->wish, s->reason,
			(gint64)s->attempts, s->not_before_us, s->target, s->run, s->progress,
			s->verdict, s->started_us, s->finished_us, s->preflight, s->id) &&
	       save_lease(q, s, error);
}

bool queue_save(Queue *q, const Submission *s, QueueNote note, GError **error)
{
	return queue_begin(q, error) &&
	       queue_end(q, save_row(q, s, error) && queue_add_note(q, s->id, note, error), error);
}

void queue_keep(Queue *q, Submission *s, QueueNote note)
{
	queue_keep_row(q, save_row, s, &s->unsaved);
	queue_keep_note(q, s->id, note);
}

bool queue_note(Queue *q, QueueNote note, GError **error)
{
	return queue_begin(q, error) && queue_end(q, queue_add_note(q, 0, note, error), error);
}

/* ---- read ---- */

#define COLUMNS                                                                                    \
	"SELECT id, name, title, question, digest, folder, file, targets, uid, owner, priority, "  \
	"hours_of_day, hours, boots, compile_minutes, again, after_run, s.state, wish, reason, "   \
	"attempts, not_before_us, s.target, run, progress, verdict, created_us, started_us, "      \
	"finished_us, coalesce(l.slot, 0), coalesce(l.pid, 0), coalesce(l.start, 0), "             \
	"coalesce(l.boot, ''), also, data, preflight, sources, disk_gib, toolchains FROM "         \
	"submission s LEFT "                                                                       \
	"JOIN lease l ON "                                                                         \
	"l.submission = "                                                                          \
	"s.id "

static void take_text(SqlRow *row, int column, char **field)
{
	submission_set(field, sql_text(row, column));
}

static void take_list(SqlRow *row, int column, char ***field)
{
	g_autoptr(json_t) list = sql_json(row, column);
	g_autoptr(json_t) holder = json_pack("{s:O}", "list", list);
	g_strfreev(*field);
	*field = kx_json_strv(holder, "list");
}

static gpointer read_row(SqlRow *row)
{
	Submission *s = submission_new();
	s->id = sql_int(row, 0);
	char **const texts[] = {&s->name,   &s->title,	&s->question,
				&s->digest, &s->folder, &s->file};
	for (guint i = 0; i < G_N_ELEMENTS(texts); i++)
		take_text(row, 1 + (int)i, texts[i]);
	take_list(row, 7, &s->targets);
	take_list(row, 33, &s->also);
	take_text(row, 34, &s->data);
	take_text(row, 36, &s->sources);
	s->disk_gib = sql_real(row, 37);
	take_text(row, 38, &s->toolchains);
	s->uid = (guint64)sql_int(row, 8);
	take_text(row, 9, &s->owner);
	s->priority = (int)sql_int(row, 10);
	take_text(row, 11, &s->window);
	s->hours = sql_real(row, 12);
	s->boots = (unsigned)sql_int(row, 13);
	s->compile_minutes = sql_real(row, 14);
	s->again = sql_int(row, 15) != 0;
	s->after_run = (int)sql_int(row, 16);
	s->state = (SubmissionState)MAX(submission_state_of(sql_text(row, 17)), 0);
	s->wish = (SubmissionWish)sql_int(row, 18);
	take_text(row, 19, &s->reason);
	s->attempts = (unsigned)sql_int(row, 20);
	s->not_before_us = sql_int(row, 21);
	take_text(row, 22, &s->target);
	take_text(row, 23, &s->run);
	json_decref(s->progress);
	s->progress = sql_json(row, 24);
	json_decref(s->verdict);
	s->verdict = sql_json(row, 25);
	json_decref(s->preflight);
	s->preflight = sql_json(row, 35);
	s->created_us = sql_int(row, 26);
	s->started_us = sql_int(row, 27);
	s->finished_us = sql_int(row, 28);
	s->slot = (unsigned)sql_int(row, 29);
	s->engine.pid = (pid_t)sql_int(row, 30);
	s->engine.start = (guint64)sql_int(row, 31);
	g_strlcpy(s->engine.boot, sql_text(row, 32), sizeof(s->engine.boot));
	return s;
}

GPtrArray *queue_active(Queue *q, GError **error)
{
	return sql_rows(q->sql, read_row, (GDestroyNotify)submission_free, error,
			COLUMNS "WHERE s.state IN ('queued', 'running', 'paused') ORDER BY id", "");
}

GPtrArray *queue_list(Queue *q, gint64 before, unsigned limit, int state, GError **error)
{
	gint64 below = before > 0 ? before : G_MAXINT64;
	if (state >= 0)
		return sql_rows(q->sql, read_row, (GDestroyNotify)submission_free, error,
				COLUMNS "WHERE s.state = ? AND id < ? ORDER BY id DESC LIMIT ?",
				"sii", submission_state_name((SubmissionState)state), below,
				(gint64)limit);
	return sql_rows(q->sql, read_row, (GDestroyNotify)submission_free, error,
			COLUMNS "WHERE id < ? ORDER BY id DESC LIMIT ?", "ii", below,
			(gint64)limit);
}

Submission *queue_find(Queue *q, gint64 id, GError **error)
{
	g_autoptr(GPtrArray) found = sql_rows(q->sql, read_row, (GDestroyNotify)submission_free,
					      error, COLUMNS "WHERE id = ?", "i", id);
	if (!found)
		return NULL;
	if (found->len)
		return g_ptr_array_steal_index(found, 0);
	g_set_error(error, KX_ERROR, KX_ERROR_MISSING,
		    "there is no submission %" G_GINT64_FORMAT "; 'kexsect list' shows them", id);
	return NULL;
}

static gpointer read_folder(SqlRow *row)
{
	return g_strdup(sql_text(row, 0));
}

GHashTable *queue_folders(Queue *q, GError **error)
{
	g_autoptr(GPtrArray) all =
		sql_rows(q->sql, read_folder, NULL, error, "SELECT folder FROM submission", "");
	if (!all)
		return NULL;
	GHashTable *set = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
	for (guint i = 0; i < all->len; i++)
		g_hash_table_add(set, all->pdata[i]);
	return set;
}
