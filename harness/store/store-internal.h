/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the files of store/ share: SQL with our errors and paths. */
#pragma once

#include <sqlite3.h>

#include "store/store.h"

struct Store {
	sqlite3 *db;
	char *results; /* absolute, no slash at its end */
	char *path;    /* of the database */
};

typedef sqlite3_stmt StoreQuery;
G_DEFINE_AUTOPTR_CLEANUP_FUNC(StoreQuery, sqlite3_finalize)

/* The schema that this program writes. */
unsigned store_schema_version(void);
/* Empty, or a kexsect database of a version that this program knows. */
bool store_is_ours(Store *s, GError **error);
/* Brings an empty or older database to `target` (store_schema_version(); tests stop earlier). */
bool store_migrate(Store *s, unsigned target, GError **error);
/* Opens without looking at the schema. */
Store *store_open_raw(const char *results, StoreAccess access, GError **error);

/* Sets *error from the connection's last failure; `doing` completes "cannot …". */
void store_set_error(Store *s, const char *doing, GError **error);

/* Prepares `sql` and binds the arguments, one letter of `types` each: i gint64, d double, s const
 * char * (NULL as ""), j const json_t * (NULL as null), p path (made relative to the results). */
StoreQuery *store_query(Store *s, GError **error, const char *sql, const char *types, ...);
/* The same, run to its end. */
bool store_exec(Store *s, GError **error, const char *sql, const char *types, ...);

/* Makes a record of the present row. */
typedef gpointer (*StoreRowFunc)(Store *s, StoreQuery *q);
/* Runs a query (and frees it; NULL: *error is set) and collects its rows. */
GPtrArray *store_rows(Store *s, StoreQuery *q, StoreRowFunc make, GDestroyNotify free_row,
		      GError **error);

/* Columns of the present row; never NULL. */
char *store_text(StoreQuery *q, int column);
json_t *store_json(StoreQuery *q, int column);
char *store_path(Store *s, StoreQuery *q, int column);

bool store_begin(Store *s, GError **error);
/* Commits when `ok`, else rolls back; returns whether it is committed. */
bool store_end(Store *s, bool ok, GError **error);

/* Inside of a transaction: the times of a sitting; NULL is fine. */
bool store_put_times(Store *s, gint64 sitting, const StoreTimes *times, GError **error);
