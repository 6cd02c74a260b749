/* SPDX-License-Identifier: GPL-2.0-or-later */
/* SQLite as the queue uses it: statements with bound values, rows, transactions, our errors. */
#pragma once

#include <glib.h>
#include <sqlite3.h>
#include <stdbool.h>

#include "base/json.h"

typedef struct Sql Sql;
typedef sqlite3_stmt SqlRow;

/* Opens the database for writing (WAL, synchronous=FULL, foreign keys), makes it when missing, and
 * takes the steps from its version to `n`. A file with another application id is DIGEST, one of a
 * higher version REFUSED. */
Sql *sql_open(const char *path, int application, const char *const *steps, unsigned n,
	      GError **error);
void sql_close(Sql *s);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Sql, sql_close)
/* Reads all of it; DIGEST with the first finding. */
bool sql_check(Sql *s, GError **error);
/* The same of one that others may write meanwhile, and whether each reference has its row; it is
 * then open for reading. MISSING when it is not there. */
Sql *sql_verify(const char *path, GError **error);
/* Writes a consistent copy of the database `from` to the new file `to`. */
bool sql_copy(const char *from, const char *to, GError **error);

/* One statement with its values, a letter of `types` each: i gint64, d double, s const char *, j
 * const json_t *. */
bool sql_exec(Sql *s, GError **error, const char *statement, const char *types, ...);
/* Collects what `make` returns for each row. */
GPtrArray *sql_rows(Sql *s, gpointer (*make)(SqlRow *row), GDestroyNotify free_row, GError **error,
		    const char *statement, const char *types, ...);
gint64 sql_last_id(Sql *s);

bool sql_begin(Sql *s, GError **error);
/* Commits when `ok`, else rolls back; returns whether it is committed. */
bool sql_end(Sql *s, bool ok, GError **error);

/* Columns of the present row; never NULL. */
const char *sql_text(SqlRow *row, int column);
gint64 sql_int(SqlRow *row, int column);
double sql_real(SqlRow *row, int column);
/* A new reference; null for what is no JSON. */
json_t *sql_json(SqlRow *row, int column);
