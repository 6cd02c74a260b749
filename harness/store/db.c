/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "store/store-internal.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "base/fs.h"

#define BUSY_MS 30000

static KxErrorCode error_code(int rc, int err)
{
	switch (rc & 0xff) {
	case SQLITE_FULL:
		return KX_ERROR_NO_SPACE;
	case SQLITE_IOERR:
		return err == ENOSPC || err == EDQUOT ? KX_ERROR_NO_SPACE : KX_ERROR_FAILED;
	case SQLITE_BUSY:
	case SQLITE_LOCKED:
		return KX_ERROR_BUSY;
	case SQLITE_CORRUPT:
	case SQLITE_NOTADB:
		return KX_ERROR_DIGEST;
	case SQLITE_READONLY:
		return KX_ERROR_REFUSED;
	case SQLITE_CANTOPEN:
		return err == ENOENT ? KX_ERROR_MISSING : KX_ERROR_FAILED;
	default:
		return KX_ERROR_FAILED;
	}
}

static const char *advice(KxErrorCode code)
{
	switch ((int)code) {
	case KX_ERROR_NO_SPACE:
		return "; make room on that disk and start again: nothing that was recorded is "
		       "lost";
	case KX_ERROR_BUSY:
		return "; another process kept it locked for 30 s";
	case KX_ERROR_DIGEST:
		return "; it is damaged: move it away, 'sqlite3 kexsect.db .recover' may save it. "
		       "The evidence folders are not affected";
	case KX_ERROR_REFUSED:
		return "; it or its folder cannot be written";
	default:
		return "";
	}
}

void store_set_error(Store *s, const char *doing, GError **error)
{
	int rc = sqlite3_extended_errcode(s->db);
	int err = sqlite3_system_errno(s->db);
	KxErrorCode code = error_code(rc, err);
	bool say_errno = (rc & 0xff) == SQLITE_IOERR || (rc & 0xff) == SQLITE_CANTOPEN;
	g_set_error(error, KX_ERROR, code, "cannot %s %s: %s%s%s%s", doing, s->path,
		    sqlite3_errmsg(s->db), say_errno && err ? ": " : "",
		    say_errno && err ? g_strerror(err) : "", advice(code));
}

/* ---- queries ---- */

static const char *relative_path(const Store *s, const char *path)
{
	if (!path)
		return "";
	size_t len = strlen(s->results);
	if (g_str_has_prefix(path, s->results) && path[len] == '/')
		return path + len + 1;
	return path;
}

static int bind_json(StoreQuery *q, int at, const json_t *value)
{
	char *text =
		value ? json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY | JSON_REAL_PRECISION(10))
		      : NULL;
	int rc = sqlite3_bind_text(q, at, text ? text : "null", -1, SQLITE_TRANSIENT);
	free(text);
	return rc;
}

static int bind_one(Store *s, StoreQuery *q, int at, char type, va_list *args)
{
	const char *text;
	switch (type) {
	case 'i':
		return sqlite3_bind_int64(q, at, va_arg(*args, gint64));
	case 'd':
		return sqlite3_bind_double(q, at, va_arg(*args, double));
	case 'j':
		return bind_json(q, at, va_arg(*args, const json_t *));
	case 'p':
		text = relative_path(s, va_arg(*args, const char *));
		return sqlite3_bind_text(q, at, text, -1, SQLITE_TRANSIENT);
	case 's':
		text = va_arg(*args, const char *);
		return sqlite3_bind_text(q, at, text ? text : "", -1, SQLITE_TRANSIENT);
	default:
		g_assert_not_reached();
	}
}

static StoreQuery *query_va(Store *s, GError **error, const char *sql, const char *types,
			    va_list *args)
{
	g_autoptr(StoreQuery) q = NULL;
	int rc = sqlite3_prepare_v2(s->db, sql, -1, &q, NULL);
	for (int i = 0; types[i] && rc == SQLITE_OK; i++)
		rc = bind_one(s, q, i + 1, types[i], args);
	if (rc != SQLITE_OK) {
		store_set_error(s, "use", error);
		return NULL;
	}
	return g_steal_pointer(&q);
}

StoreQuery *store_query(Store *s, GError **error, const char *sql, const char *types, ...)
{
	va_list args;
	va_start(args, types);
	StoreQuery *q = query_va(s, error, sql, types, &args);
	va_end(args);
	return q;
}

bool store_exec(Store *s, GError **error, const char *sql, const char *types, ...)
{
	va_list args;
	va_start(args, types);
	g_autoptr(StoreQuery) q = query_va(s, error, sql, types, &args);
	va_end(args);
	if (!q)
		return false;
	int rc;
	while ((rc = sqlite3_step(q)) == SQLITE_ROW)
		;
	if (rc != SQLITE_DONE)
		store_set_error(s, "write", error);
	return rc == SQLITE_DONE;
}

GPtrArray *store_rows(Store *s, StoreQuery *query, StoreRowFunc make, GDestroyNotify free_row,
		      GError **error)
{
	g_autoptr(StoreQuery) q = query;
	if (!q)
		return NULL;
	g_autoptr(GPtrArray) rows = g_ptr_array_new_with_free_func(free_row);
	int rc;
	while ((rc = sqlite3_step(q)) == SQLITE_ROW)
		g_ptr_array_add(rows, make(s, q));
	if (rc == SQLITE_DONE)
		return g_steal_pointer(&rows);
	store_set_error(s, "read", error);
	return NULL;
}

char *store_text(StoreQuery *q, int column)
{
	const char *text = (const char *)sqlite3_column_text(q, column);
	return g_strdup(text ? text : "");
}

json_t *store_json(StoreQuery *q, int column)
{
	const char *text = (const char *)sqlite3_column_text(q, column);
	json_t *value = text ? json_loads(text, JSON_DECODE_ANY, NULL) : NULL;
	return value ? value : json_null();
}

char *store_path(Store *s, StoreQuery *q, int column)
{
	const char *text = (const char *)sqlite3_column_text(q, column);
	if (!text || !*text || g_path_is_absolute(text))
		return g_strdup(text ? text : "");
	return g_build_filename(s->results, text, NULL);
}

/* IMMEDIATE: wait for other writers here, not in the middle. */
bool store_begin(Store *s, GError **error)
{
	return store_exec(s, error, "BEGIN IMMEDIATE", "");
}

bool store_end(Store *s, bool ok, GError **error)
{
	if (ok && store_exec(s, error, "COMMIT", ""))
		return true;
	/* After some errors (disk full) SQLite has rolled back already. */
	if (!sqlite3_get_autocommit(s->db))
		sqlite3_exec(s->db, "ROLLBACK", NULL, NULL, NULL);
	return false;
}

/* ---- opening ---- */

static bool configure(Store *s, StoreAccess access, GError **error)
{
	sqlite3_busy_timeout(s->db, BUSY_MS);
	sqlite3_extended_result_codes(s->db, 1);
	sqlite3_db_config(s->db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
	/* A results folder may come from somebody else. (A writer needs json_valid() in CHECKs,
	 * which SQLite 3.40 does not trust.) */
	if (access == STORE_READ)
		sqlite3_db_config(s->db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
	if (!store_exec(s, error, "PRAGMA foreign_keys = ON", ""))
		return false;
	if (access == STORE_READ)
		return store_exec(s, error, "PRAGMA query_only = ON", "");
	/* FULL: a commit is on disk when it returns. NORMAL would be quicker by some ms a trial,
	 * but could lose the verdict, builds and times of the last minute to a power cut (trials
	 * alone could be adopted again from their folders), and trials take seconds. */
	return store_exec(s, error, "PRAGMA synchronous = FULL", "");
}

static int open_file(Store *s, StoreAccess access)
{
	int flags = access == STORE_WRITE ? SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE
					  : SQLITE_OPEN_READONLY;
	g_autofree char *wal = g_strconcat(s->path, "-wal", NULL);
	/* Of a read-only file system, WAL mode can be read only when told that nobody writes. */
	if (access == STORE_READ && faccessat(AT_FDCWD, s->results, W_OK, AT_EACCESS) != 0 &&
	    !g_file_test(wal, G_FILE_TEST_EXISTS)) {
		g_autofree char *uri = g_filename_to_uri(s->path, NULL, NULL);
		g_autofree char *immutable = g_strconcat(uri, "?immutable=1", NULL);
		return sqlite3_open_v2(immutable, &s->db, flags | SQLITE_OPEN_URI, NULL);
	}
	return sqlite3_open_v2(s->path, &s->db, flags, NULL);
}

Store *store_open_raw(const char *results, StoreAccess access, GError **error)
{
	if (access == STORE_WRITE && !kx_mkdir(results, error))
		return NULL;
	g_autoptr(Store) s = g_new0(Store, 1);
	s->results = g_canonicalize_filename(results, NULL);
	s->path = g_build_filename(s->results, "kexsect.db", NULL);
	if (access == STORE_READ && !g_file_test(s->path, G_FILE_TEST_EXISTS)) {
		g_set_error(error, KX_ERROR, KX_ERROR_MISSING,
			    "there are no results in %s (no kexsect.db); 'kexsect run' makes some, "
			    "--results names another folder",
			    s->results);
		return NULL;
	}
	if (open_file(s, access) != SQLITE_OK) {
		store_set_error(s, "open", error);
		return NULL;
	}
	if (!configure(s, access, error))
		return NULL;
	return g_steal_pointer(&s);
}

/* The switch needs the file for itself for a moment and does not call the busy handler. */
static bool use_wal(Store *s, GError **error)
{
	gint64 end = g_get_monotonic_time() + BUSY_MS * (gint64)1000;
	while (sqlite3_exec(s->db, "PRAGMA journal_mode = WAL", NULL, NULL, NULL) != SQLITE_OK) {
		if ((sqlite3_errcode(s->db) & 0xff) != SQLITE_BUSY ||
		    g_get_monotonic_time() > end) {
			store_set_error(s, "open", error);
			return false;
		}
		g_usleep(10000);
	}
	return true;
}

Store *store_open(const char *results, StoreAccess access, GError **error)
{
	g_autoptr(Store) s = store_open_raw(results, access, error);
	/* Whose it is comes first: the file of another program stays as it is. */
	if (!s || !store_is_ours(s, error) || (access == STORE_WRITE && !use_wal(s, error)) ||
	    !store_migrate(s, store_schema_version(), error))
		return NULL;
	return g_steal_pointer(&s);
}

void store_free(Store *s)
{
	if (!s)
		return;
	sqlite3_close_v2(s->db);
	g_free(s->results);
	g_free(s->path);
	g_free(s);
}

const char *store_results(const Store *s)
{
	return s->results;
}

static gpointer text_row(Store *s, StoreQuery *q)
{
	return store_text(q, 0);
}

bool store_check(Store *s, GError **error)
{
	StoreQuery *q = store_query(s, error, "PRAGMA integrity_check(1)", "");
	g_autoptr(GPtrArray) found = store_rows(s, q, text_row, g_free, error);
	if (!found)
		return false;
	if (found->len == 1 && g_str_equal(found->pdata[0], "ok")) {
		q = store_query(s, error,
				"SELECT format('a row of %s refers to a missing one of %s', "
				"\"table\", parent) FROM pragma_foreign_key_check LIMIT 1",
				"");
		g_ptr_array_unref(found);
		found = store_rows(s, q, text_row, g_free, error);
		if (!found)
			return false;
		if (found->len == 0)
			return true;
	}
	g_set_error(error, KX_ERROR, KX_ERROR_DIGEST, "%s is damaged: %s%s", s->path,
		    found->len ? (char *)found->pdata[0] : "?", advice(KX_ERROR_DIGEST));
	return false;
}
