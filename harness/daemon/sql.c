/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "daemon/sql.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/error.h"

struct Sql {
	sqlite3 *db;
	char *path;
};

G_DEFINE_AUTOPTR_CLEANUP_FUNC(SqlRow, sqlite3_finalize)

static KxErrorCode code_of(int rc, int err)
{
	switch (rc & 0xff) {
	case SQLITE_FULL:
		return KX_ERROR_NO_SPACE;
	case SQLITE_IOERR:
	case SQLITE_CANTOPEN:
		return err == ENOSPC || err == EDQUOT ? KX_ERROR_NO_SPACE
		       : err == EROFS		      ? KX_ERROR_REFUSED
						      : KX_ERROR_FAILED;
	case SQLITE_CORRUPT:
	case SQLITE_NOTADB:
		return KX_ERROR_DIGEST;
	case SQLITE_READONLY:
		return KX_ERROR_REFUSED;
	case SQLITE_BUSY:
		return KX_ERROR_BUSY;
	default:
		return KX_ERROR_FAILED;
	}
}

static bool fail(Sql *s, const char *doing, GError **error)
{
	int rc = sqlite3_extended_errcode(s->db), err = sqlite3_system_errno(s->db);
	KxErrorCode code = code_of(rc, err);
	bool io = (rc & 0xff) == SQLITE_IOERR || (rc & 0xff) == SQLITE_CANTOPEN;
	g_set_error(error, KX_ERROR, code, "cannot %s %s: %s%s%s%s", doing, s->path,
		    sqlite3_errmsg(s->db), io && err ? ": " : "", io && err ? g_strerror(err) : "",
		    code == KX_ERROR_DIGEST ? "; it is damaged: put a backup in its place "
					      "(kexsectd --backup makes them)"
					    : "");
	return false;
}

/* ---- statements ---- */

static int bind(SqlRow *q, int at, char type, va_list *args)
{
	const char *text;
	int rc;
	switch (type) {
	case 'i':
		return sqlite3_bind_int64(q, at, va_arg(*args, gint64));
	case 'd':
		return sqlite3_bind_double(q, at, va_arg(*args, double));
	case 's':
		text = va_arg(*args, const char *);
		return sqlite3_bind_text(q, at, text ? text : "", -1, SQLITE_TRANSIENT);
	case 'j': {
		char *json = json_dumps(va_arg(*args, const json_t *),
					JSON_COMPACT | JSON_ENCODE_ANY | JSON_REAL_PRECISION(10));
		rc = sqlite3_bind_text(q, at, json ? json : "null", -1, SQLITE_TRANSIENT);
		free(json);
		return rc;
	}
	default:
		g_assert_not_reached();
	}
}

static SqlRow *prepare(Sql *s, const char *statement, const char *types, va_list *args,
		       GError **error)
{
	g_autoptr(SqlRow) q = NULL;
	int rc = sqlite3_prepare_v2(s->db, statement, -1, &q, NULL);
	for (int i = 0; rc == SQLITE_OK && types[i]; i++)
		rc = bind(q, i + 1, types[i], args);
	if (rc == SQLITE_OK)
		return g_steal_pointer(&q);
	fail(s, "use", error);
	return NULL;
}

bool sql_exec(Sql *s, GError **error, const char *statement, const char *types, ...)
{
	va_list args;
	va_start(args, types);
	g_autoptr(SqlRow) q = prepare(s, statement, types, &args, error);
	va_end(args);
	if (!q)
		return false;
	int rc;
	while ((rc = sqlite3_step(q)) == SQLITE_ROW)
		;
	return rc == SQLITE_DONE || fail(s, "write", error);
}

GPtrArray *sql_rows(Sql *s, gpointer (*make)(SqlRow *row), GDestroyNotify free_row, GError **error,
		    const char *statement, const char *types, ...)
{
	va_list args;
	va_start(args, types);
	g_autoptr(SqlRow) q = prepare(s, statement, types, &args, error);
	va_end(args);
	if (!q)
		return NULL;
	g_autoptr(GPtrArray) rows = g_ptr_array_new_with_free_func(free_row);
	int rc;
	while ((rc = sqlite3_step(q)) == SQLITE_ROW)
		g_ptr_array_add(rows, make(q));
	if (rc == SQLITE_DONE)
		return g_steal_pointer(&rows);
	fail(s, "read", error);
	return NULL;
}

gint64 sql_last_id(Sql *s)
{
	return sqlite3_last_insert_rowid(s->db);
}

bool sql_begin(Sql *s, GError **error)
{
	return sql_exec(s, error, "BEGIN IMMEDIATE", "");
}

bool sql_end(Sql *s, bool ok, GError **error)
{
	if (ok && sql_exec(s, error, "COMMIT", ""))
		return true;
	/* After some errors (disk full) SQLite has rolled back already. */
	if (!sqlite3_get_autocommit(s->db))
		sqlite3_exec(s->db, "ROLLBACK", NULL, NULL, NULL);
	return false;
}

const char *sql_text(SqlRow *row, int column)
{
	const char *text = (const char *)sqlite3_column_text(row, column);
	return text ? text : "";
}

gint64 sql_int(SqlRow *row, int column)
{
	return sqlite3_column_int64(row, column);
}

double sql_real(SqlRow *row, int column)
{
	return sqlite3_column_double(row, column);
}

json_t *sql_json(SqlRow *row, int column)
{
	json_t *value = json_loads(sql_text(row, column), JSON_DECODE_ANY, NULL);
	return value ? value : json_null();
}

/* ---- open ---- */

static gpointer read_text(SqlRow *row)
{
	return g_strdup(sql_text(row, 0));
}

static bool pragma(Sql *s, const char *name, gint64 *ret, GError **error)
{
	g_autofree char *statement = g_strconcat("PRAGMA ", name, NULL);
	g_autoptr(GPtrArray) rows = sql_rows(s, read_text, g_free, error, statement, "");
	if (rows && rows->len)
		*ret = g_ascii_strtoll(rows->pdata[0], NULL, 10);
	return rows && rows->len;
}

static bool upgrade(Sql *s, int application, const char *const *steps, unsigned n, gint64 version,
		    GError **error)
{
	if (!sql_begin(s, error))
		return false;
	bool ok = true;
	for (gint64 i = version; ok && i < n; i++)
		ok = sqlite3_exec(s->db, steps[i], NULL, NULL, NULL) == SQLITE_OK ||
		     fail(s, "upgrade", error);
	g_autofree char *mark = g_strdup_printf("PRAGMA application_id = %d; "
						"PRAGMA user_version = %u",
						application, n);
	ok = ok &&
	     (sqlite3_exec(s->db, mark, NULL, NULL, NULL) == SQLITE_OK || fail(s, "mark", error));
	return sql_end(s, ok, error);
}

static bool prepare_schema(Sql *s, int application, const char *const *steps, unsigned n,
			   GError **error)
{
	gint64 id = 0, version = 0, pages = 0;
	if (!pragma(s, "application_id", &id, error) ||
	    !pragma(s, "user_version", &version, error) || !pragma(s, "page_count", &pages, error))
		return false;
	if (pages && id != application) {
		g_set_error(error, KX_ERROR, KX_ERROR_DIGEST,
			    "%s is the database of another program", s->path);
		return false;
	}
	if (version > n) {
		g_set_error(error, KX_ERROR, KX_ERROR_REFUSED,
			    "%s was written by a newer kexsect (version %" G_GINT64_FORMAT
			    "; this one knows %u)",
			    s->path, version, n);
		return false;
	}
	if (!sql_exec(s, error, "PRAGMA journal_mode = WAL", "") ||
	    !sql_exec(s, error, "PRAGMA synchronous = FULL", "") ||
	    !sql_exec(s, error, "PRAGMA foreign_keys = ON", ""))
		return false;
	return version == n || upgrade(s, application, steps, n, version, error);
}

static Sql *open_file(const char *path, int flags, GError **error)
{
	g_autoptr(Sql) s = g_new0(Sql, 1);
	s->path = g_strdup(path);
	if (sqlite3_open_v2(path, &s->db, flags, NULL) != SQLITE_OK) {
		fail(s, "open", error);
		return NULL;
	}
	sqlite3_extended_result_codes(s->db, 1);
	sqlite3_busy_timeout(s->db, 5000);
	sqlite3_db_config(s->db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
	return g_steal_pointer(&s);
}

Sql *sql_open(const char *path, int application, const char *const *steps, unsigned n,
	      GError **error)
{
	g_autoptr(Sql) s = open_file(path, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, error);
	return s && prepare_schema(s, application, steps, n, error) ? g_steal_pointer(&s) : NULL;
}

void sql_close(Sql *s)
{
	if (!s)
		return;
	sqlite3_close_v2(s->db);
	g_free(s->path);
	g_free(s);
}

bool sql_check(Sql *s, GError **error)
{
	g_autoptr(GPtrArray) found =
		sql_rows(s, read_text, g_free, error, "PRAGMA integrity_check(1)", "");
	if (!found)
		return false;
	if (found->len == 1 && g_str_equal(found->pdata[0], "ok"))
		return true;
	g_set_error(error, KX_ERROR, KX_ERROR_DIGEST,
		    "%s is damaged: %s; put a backup in its place (kexsectd --backup makes them)",
		    s->path, found->len ? (char *)found->pdata[0] : "?");
	return false;
}

Sql *sql_verify(const char *path, GError **error)
{
	if (!g_file_test(path, G_FILE_TEST_EXISTS)) {
		g_set_error(error, KX_ERROR, KX_ERROR_MISSING, "there is no %s", path);
		return NULL;
	}
	g_autoptr(Sql) s = open_file(path, SQLITE_OPEN_READONLY, error);
	if (!s || !sql_check(s, error))
		return NULL;
	g_autoptr(GPtrArray) lost =
		sql_rows(s, read_text, g_free, error, "PRAGMA foreign_key_check", "");
	if (lost && lost->len)
		g_set_error(error, KX_ERROR, KX_ERROR_DIGEST,
			    "%s is damaged: %u rows of %s refer to what is not there", path,
			    lost->len, (char *)lost->pdata[0]);
	return lost && !lost->len ? g_steal_pointer(&s) : NULL;
}

bool sql_copy(const char *from, const char *to, GError **error)
{
	if (g_file_test(to, G_FILE_TEST_EXISTS)) {
		g_set_error(error, KX_ERROR, KX_ERROR_REFUSED,
			    "%s is there already; a backup is a new file", to);
		return false;
	}
	g_autoptr(Sql) s = open_file(from, SQLITE_OPEN_READWRITE, error);
	if (!s)
		return false;
	/* VACUUM INTO reads one state of the database while others write. */
	int fd = -1;
	bool ok = sql_exec(s, error, "VACUUM INTO ?", "s", to);
	if (ok && ((fd = open(to, O_RDONLY | O_CLOEXEC)) < 0 || fsync(fd) != 0)) {
		kx_set_errno(error, errno, "cannot write %s", to);
		ok = false;
	}
	if (fd >= 0)
		close(fd);
	if (!ok)
		unlink(to);
	return ok;
}
