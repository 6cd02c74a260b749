/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The schema as a table of steps: step N makes version N of version N - 1. A step that was released
 * never changes; a change of the schema is one more step. */
#include "store/store-internal.h"

#include "base/error.h"

static const char *const steps[] = {
	/* 1: runs, builds, trials, faults, verdicts */
	"CREATE TABLE campaign ("
	"  id INTEGER PRIMARY KEY,"
	"  name TEXT NOT NULL,"
	"  run INTEGER NOT NULL CHECK (run > 0),"
	"  slug TEXT NOT NULL UNIQUE,"
	"  digest TEXT NOT NULL,"
	"  title TEXT NOT NULL,"
	"  question TEXT NOT NULL,"
	"  effect TEXT NOT NULL CHECK (effect IN ('cures', 'causes')),"
	"  config TEXT NOT NULL CHECK (json_valid(config)),"
	"  state TEXT NOT NULL CHECK (state IN ('running', 'stopped', 'done', 'failed')),"
	"  state_reason TEXT NOT NULL DEFAULT '',"
	"  created_us INTEGER NOT NULL,"
	"  finished_us INTEGER NOT NULL DEFAULT 0,"
	"  UNIQUE (name, run)) STRICT;"
	"CREATE TABLE candidate ("
	"  campaign INTEGER NOT NULL REFERENCES campaign ON DELETE CASCADE,"
	"  idx INTEGER NOT NULL CHECK (idx BETWEEN 0 AND 63),"
	"  name TEXT NOT NULL,"
	"  title TEXT NOT NULL,"
	"  file TEXT NOT NULL,"
	"  depends INTEGER NOT NULL,"
	"  PRIMARY KEY (campaign, idx),"
	"  UNIQUE (campaign, name)) STRICT, WITHOUT ROWID;"
	"CREATE TABLE build ("
	"  id INTEGER PRIMARY KEY,"
	"  campaign INTEGER NOT NULL REFERENCES campaign ON DELETE CASCADE,"
	"  launcher INTEGER NOT NULL CHECK (launcher IN (0, 1)),"
	"  mask INTEGER NOT NULL,"
	"  clean INTEGER NOT NULL CHECK (clean IN (0, 1)),"
	"  cached INTEGER NOT NULL CHECK (cached IN (0, 1)),"
	"  status TEXT NOT NULL CHECK (status IN ('ok', 'unbuildable', 'infra')),"
	"  reason TEXT NOT NULL,"
	"  failed_step TEXT NOT NULL,"
	"  hash TEXT NOT NULL,"
	"  identity TEXT NOT NULL,"
	"  artifacts TEXT NOT NULL,"
	"  kernel TEXT NOT NULL,"
	"  vmlinux_sha256 TEXT NOT NULL,"
	"  log TEXT NOT NULL,"
	"  seconds TEXT NOT NULL CHECK (json_valid(seconds)),"
	"  time_us INTEGER NOT NULL) STRICT;"
	"CREATE INDEX build_of ON build (campaign, mask);"
	"CREATE TABLE trial ("
	"  id INTEGER PRIMARY KEY,"
	"  campaign INTEGER NOT NULL REFERENCES campaign ON DELETE CASCADE,"
	"  number INTEGER NOT NULL CHECK (number > 0),"
	"  mask INTEGER NOT NULL,"
	"  build TEXT NOT NULL,"
	"  clean INTEGER NOT NULL CHECK (clean IN (0, 1)),"
	"  target TEXT NOT NULL,"
	"  mode TEXT NOT NULL CHECK (mode IN ('kexec', 'cold')),"
	"  purpose TEXT NOT NULL,"
	"  outcome TEXT NOT NULL"
	"    CHECK (outcome IN ('fault', 'clean', 'hang', 'panic', 'noboot', 'infra')),"
	"  reason TEXT NOT NULL,"
	"  evidence TEXT NOT NULL,"
	"  measures TEXT NOT NULL CHECK (json_valid(measures)),"
	"  seconds TEXT NOT NULL CHECK (json_valid(seconds)),"
	"  time_us INTEGER NOT NULL,"
	"  UNIQUE (campaign, number)) STRICT;"
	"CREATE TABLE fault ("
	"  trial INTEGER NOT NULL REFERENCES trial ON DELETE CASCADE,"
	"  seq INTEGER NOT NULL,"
	"  device TEXT NOT NULL,"
	"  address TEXT NOT NULL,"
	"  reason TEXT NOT NULL,"
	"  in_window INTEGER NOT NULL CHECK (in_window IN (0, 1)),"
	"  record TEXT NOT NULL CHECK (json_valid(record)),"
	"  PRIMARY KEY (trial, seq)) STRICT, WITHOUT ROWID;"
	"CREATE TABLE event ("
	"  id INTEGER PRIMARY KEY,"
	"  campaign INTEGER NOT NULL REFERENCES campaign ON DELETE CASCADE,"
	"  time_us INTEGER NOT NULL,"
	"  level TEXT NOT NULL CHECK (level IN ('info', 'warning', 'error')),"
	"  kind TEXT NOT NULL,"
	"  trial INTEGER NOT NULL DEFAULT 0,"
	"  text TEXT NOT NULL) STRICT;"
	"CREATE INDEX event_of ON event (campaign);"
	"CREATE TABLE verdict ("
	"  campaign INTEGER PRIMARY KEY REFERENCES campaign ON DELETE CASCADE,"
	"  kind TEXT NOT NULL CHECK (kind IN ('cause', 'none', 'inconclusive')),"
	"  effect TEXT NOT NULL,"
	"  members INTEGER NOT NULL,"
	"  probability REAL NOT NULL CHECK (probability BETWEEN 0 AND 1),"
	"  why TEXT NOT NULL,"
	"  reason TEXT NOT NULL,"
	"  details TEXT NOT NULL CHECK (json_valid(details)),"
	"  time_us INTEGER NOT NULL) STRICT;",
	/* 2: where the time went, how the belief moved, and JSON that belongs to a run */
	"CREATE TABLE sitting ("
	"  id INTEGER PRIMARY KEY,"
	"  campaign INTEGER NOT NULL REFERENCES campaign ON DELETE CASCADE,"
	"  begun_us INTEGER NOT NULL,"
	"  total REAL NOT NULL DEFAULT 0,"
	"  compile REAL NOT NULL DEFAULT 0,"
	"  boot REAL NOT NULL DEFAULT 0,"
	"  deadline REAL NOT NULL DEFAULT 0,"
	"  source REAL NOT NULL DEFAULT 0,"
	"  configure REAL NOT NULL DEFAULT 0,"
	"  harness REAL NOT NULL DEFAULT 0) STRICT;"
	"CREATE INDEX sitting_of ON sitting (campaign);"
	"CREATE TABLE posterior ("
	"  trial INTEGER PRIMARY KEY REFERENCES trial ON DELETE CASCADE,"
	"  kind TEXT NOT NULL CHECK (kind IN ('set', 'none', 'empty')),"
	"  members INTEGER NOT NULL,"
	"  probability REAL NOT NULL,"
	"  q_mean REAL NOT NULL, q_low REAL NOT NULL, q_high REAL NOT NULL,"
	"  e_mean REAL NOT NULL, e_low REAL NOT NULL, e_high REAL NOT NULL,"
	"  ranking TEXT NOT NULL CHECK (json_valid(ranking)),"
	"  marginals TEXT NOT NULL CHECK (json_valid(marginals))) STRICT;"
	"CREATE TABLE document ("
	"  campaign INTEGER NOT NULL REFERENCES campaign ON DELETE CASCADE,"
	"  name TEXT NOT NULL,"
	"  value TEXT NOT NULL CHECK (json_valid(value)),"
	"  PRIMARY KEY (campaign, name)) STRICT, WITHOUT ROWID;",
	/* 3: candidates of other kinds than patches, histories of many, two causes of which each is
	   enough, and why each boot was made */
	"CREATE TABLE candidate_3 ("
	"  campaign INTEGER NOT NULL REFERENCES campaign ON DELETE CASCADE,"
	"  idx INTEGER NOT NULL CHECK (idx >= 0),"
	"  kind TEXT NOT NULL CHECK (kind IN ('patch', 'parameter', 'config', 'commit')),"
	"  name TEXT NOT NULL,"
	"  title TEXT NOT NULL,"
	"  text TEXT NOT NULL,"
	"  file TEXT NOT NULL,"
	"  depends INTEGER NOT NULL,"
	"  PRIMARY KEY (campaign, idx),"
	"  UNIQUE (campaign, name)) STRICT, WITHOUT ROWID;"
	"INSERT INTO candidate_3 SELECT campaign, idx, 'patch', name, title, name, file, depends "
	"  FROM candidate;"
	"DROP TABLE candidate;"
	"ALTER TABLE candidate_3 RENAME TO candidate;"
	"CREATE TABLE posterior_3 ("
	"  trial INTEGER PRIMARY KEY REFERENCES trial ON DELETE CASCADE,"
	"  kind TEXT NOT NULL CHECK (kind IN ('set', 'none', 'empty', 'either')),"
	"  members INTEGER NOT NULL,"
	"  probability REAL NOT NULL,"
	"  q_mean REAL NOT NULL, q_low REAL NOT NULL, q_high REAL NOT NULL,"
	"  e_mean REAL NOT NULL, e_low REAL NOT NULL, e_high REAL NOT NULL,"
	"  ranking TEXT NOT NULL CHECK (json_valid(ranking)),"
	"  marginals TEXT NOT NULL CHECK (json_valid(marginals))) STRICT;"
	"INSERT INTO posterior_3 SELECT * FROM posterior;"
	"DROP TABLE posterior;"
	"ALTER TABLE posterior_3 RENAME TO posterior;"
	"ALTER TABLE trial ADD COLUMN plan TEXT NOT NULL DEFAULT 'null' CHECK (json_valid(plan));",
	/* 4: several kernels in a row, and runs whose result is a table */
	"CREATE TABLE candidate_4 ("
	"  campaign INTEGER NOT NULL REFERENCES campaign ON DELETE CASCADE,"
	"  idx INTEGER NOT NULL CHECK (idx >= 0),"
	"  kind TEXT NOT NULL"
	"    CHECK (kind IN ('patch', 'parameter', 'initcall', 'config', 'commit', 'version')),"
	"  name TEXT NOT NULL,"
	"  title TEXT NOT NULL,"
	"  text TEXT NOT NULL,"
	"  file TEXT NOT NULL,"
	"  depends INTEGER NOT NULL,"
	"  PRIMARY KEY (campaign, idx),"
	"  UNIQUE (campaign, name)) STRICT, WITHOUT ROWID;"
	"INSERT INTO candidate_4 SELECT * FROM candidate;"
	"DROP TABLE candidate;"
	"ALTER TABLE candidate_4 RENAME TO candidate;"
	"CREATE TABLE verdict_4 ("
	"  campaign INTEGER PRIMARY KEY REFERENCES campaign ON DELETE CASCADE,"
	"  kind TEXT NOT NULL CHECK (kind IN ('cause', 'none', 'inconclusive', 'table')),"
	"  effect TEXT NOT NULL,"
	"  members INTEGER NOT NULL,"
	"  probability REAL NOT NULL CHECK (probability BETWEEN 0 AND 1),"
	"  why TEXT NOT NULL,"
	"  reason TEXT NOT NULL,"
	"  details TEXT NOT NULL CHECK (json_valid(details)),"
	"  time_us INTEGER NOT NULL) STRICT;"
	"INSERT INTO verdict_4 SELECT * FROM verdict;"
	"DROP TABLE verdict;"
	"ALTER TABLE verdict_4 RENAME TO verdict;",
};

#define APPLICATION_ID 0x6b657873 /* "kexs": file(1) and we know whose database it is */

unsigned store_schema_version(void)
{
	return G_N_ELEMENTS(steps);
}

static bool pragma(Store *s, const char *name, gint64 *ret, GError **error)
{
	g_autofree char *sql = g_strdup_printf("PRAGMA %s", name);
	g_autoptr(StoreQuery) q = store_query(s, error, sql, "");
	if (!q)
		return false;
	if (sqlite3_step(q) != SQLITE_ROW) {
		store_set_error(s, "read", error);
		return false;
	}
	*ret = sqlite3_column_int64(q, 0);
	return true;
}

/* Version 0 is a database without tables. */
static bool read_version(Store *s, gint64 *ret, GError **error)
{
	gint64 id, version;
	if (!pragma(s, "application_id", &id, error) || !pragma(s, "user_version", &version, error))
		return false;
	if (id == 0 && version == 0) {
		g_autoptr(StoreQuery) q =
			store_query(s, error, "SELECT count(*) FROM sqlite_schema", "");
		if (!q)
			return false;
		if (sqlite3_step(q) != SQLITE_ROW) {
			store_set_error(s, "read", error);
			return false;
		}
		if (sqlite3_column_int(q, 0) == 0) {
			*ret = 0;
			return true;
		}
	}
	if (id != APPLICATION_ID) {
		g_set_error(error, KX_ERROR, KX_ERROR_DIGEST,
			    "%s is a database of another program; move it away or choose another "
			    "results folder",
			    s->path);
		return false;
	}
	if (version > store_schema_version()) {
		g_set_error(error, KX_ERROR, KX_ERROR_REFUSED,
			    "%s was written by a newer kexsect (schema %" G_GINT64_FORMAT
			    ", this one knows %u); use that kexsect or another results folder",
			    s->path, version, store_schema_version());
		return false;
	}
	*ret = version;
	return true;
}

bool store_is_ours(Store *s, GError **error)
{
	gint64 version;
	return read_version(s, &version, error);
}

/* A copy of the old file, so that an older kexsect can be gone back to. */
static bool keep_old(Store *s, unsigned version, GError **error)
{
	g_autofree char *copy = g_strdup_printf("%s.v%u", s->path, version);
	if (g_file_test(copy, G_FILE_TEST_EXISTS))
		return true;
	return store_exec(s, error, "VACUUM INTO ?", "s", copy);
}

static bool run_steps(Store *s, unsigned target, GError **error)
{
	gint64 version;
	/* Read again: another process may have been quicker. */
	if (!read_version(s, &version, error))
		return false;
	for (unsigned i = (unsigned)version; i < target; i++) {
		if (sqlite3_exec(s->db, steps[i], NULL, NULL, NULL) != SQLITE_OK) {
			store_set_error(s, "upgrade", error);
			return false;
		}
	}
	g_autofree char *mark =
		g_strdup_printf("PRAGMA application_id = %d; PRAGMA user_version = %u",
				APPLICATION_ID, MAX(target, (unsigned)version));
	if (sqlite3_exec(s->db, mark, NULL, NULL, NULL) != SQLITE_OK) {
		store_set_error(s, "upgrade", error);
		return false;
	}
	return true;
}

bool store_migrate(Store *s, unsigned target, GError **error)
{
	gint64 version;
	if (!read_version(s, &version, error))
		return false;
	if (version >= target)
		return true;
	if (sqlite3_db_readonly(s->db, "main") == 1) {
		g_set_error(error, KX_ERROR, version ? KX_ERROR_REFUSED : KX_ERROR_MISSING,
			    version ? "%s has the older schema %" G_GINT64_FORMAT
				      "; any 'kexsect run' with this results folder upgrades it"
				    : "%s is empty (schema %" G_GINT64_FORMAT
				      "); 'kexsect run' fills it",
			    s->path, version);
		return false;
	}
	if (version > 0 && !keep_old(s, (unsigned)version, error))
		return false;
	if (!store_begin(s, error))
		return false;
	return store_end(s, run_steps(s, target, error), error);
}
