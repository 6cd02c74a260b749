/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Runs of campaigns and their candidates. */
#include "store/store-internal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/file.h>
#include <unistd.h>

#include "base/error.h"
#include "base/fs.h"

static const char *const state_names[STORE_STATE_MAX] = {"running", "stopped", "done", "failed"};

const char *store_state_name(StoreState state)
{
	return state < STORE_STATE_MAX ? state_names[state] : "?";
}

static StoreState state_of(const char *name)
{
	for (unsigned i = 0; i < STORE_STATE_MAX; i++)
		if (g_str_equal(state_names[i], name))
			return (StoreState)i;
	return STORE_FAILED; /* the schema allows no other */
}

void store_campaign_free(StoreCampaign *c)
{
	if (!c)
		return;
	g_free(c->name);
	g_free(c->slug);
	g_free(c->digest);
	g_free(c->title);
	g_free(c->question);
	g_free(c->effect);
	json_decref(c->config);
	g_free(c->state_reason);
	g_free(c->dir);
	g_free(c);
}

void store_candidate_free(StoreCandidate *c)
{
	if (!c)
		return;
	g_free(c->kind);
	g_free(c->name);
	g_free(c->title);
	g_free(c->text);
	g_free(c->file);
	g_free(c);
}

static char *run_dir(const Store *s, const char *slug)
{
	return g_build_filename(s->results, "campaigns", slug, NULL);
}

#define CAMPAIGN_COLUMNS                                                                           \
	"id, name, run, slug, digest, title, question, effect, config, state, state_reason, "      \
	"created_us, finished_us"

static gpointer campaign_row(Store *s, StoreQuery *q)
{
	StoreCampaign *c = g_new0(StoreCampaign, 1);
	c->id = sqlite3_column_int64(q, 0);
	c->name = store_text(q, 1);
	c->run = (unsigned)sqlite3_column_int64(q, 2);
	c->slug = store_text(q, 3);
	c->digest = store_text(q, 4);
	c->title = store_text(q, 5);
	c->question = store_text(q, 6);
	c->effect = store_text(q, 7);
	c->config = store_json(q, 8);
	g_autofree char *state = store_text(q, 9);
	c->state = state_of(state);
	c->state_reason = store_text(q, 10);
	c->created_us = sqlite3_column_int64(q, 11);
	c->finished_us = sqlite3_column_int64(q, 12);
	c->dir = run_dir(s, c->slug);
	return c;
}

int store_newest_run(Store *s, const char *name, GError **error)
{
	g_autoptr(StoreQuery) q = store_query(
		s, error, "SELECT coalesce(max(run), 0) FROM campaign WHERE name = ?", "s", name);
	if (!q)
		return -1;
	if (sqlite3_step(q) != SQLITE_ROW) {
		store_set_error(s, "read", error);
		return -1;
	}
	return sqlite3_column_int(q, 0);
}

/* The first free run number: after all rows of the name, and never that of a folder that is there
 * (of a database that was deleted), whose evidence would get mixed up. */
static bool choose_run(Store *s, StoreCampaign *c, GError **error)
{
	int newest = store_newest_run(s, c->name, error);
	if (newest < 0)
		return false;
	c->run = (unsigned)newest;
	do {
		c->run++;
		g_free(c->slug);
		g_free(c->dir);
		c->slug = g_strdup_printf("%s-%u", c->name, c->run);
		c->dir = run_dir(s, c->slug);
	} while (g_file_test(c->dir, G_FILE_TEST_EXISTS));
	return true;
}

static bool insert_campaign(Store *s, StoreCampaign *c, const GPtrArray *candidates, GError **error)
{
	if (!choose_run(s, c, error))
		return false;
	c->state = STORE_RUNNING;
	c->created_us = g_get_real_time();
	c->finished_us = 0;
	if (!store_exec(s, error,
			"INSERT INTO campaign (name, run, slug, digest, title, question, effect, "
			"config, state, created_us) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
			"sisssssjsi", c->name, (gint64)c->run, c->slug, c->digest, c->title,
			c->question, c->effect, c->config, store_state_name(c->state),
			c->created_us))
		return false;
	c->id = sqlite3_last_insert_rowid(s->db);
	for (guint i = 0; i < candidates->len; i++) {
		const StoreCandidate *k = candidates->pdata[i];
		if (!store_exec(s, error,
				"INSERT INTO candidate (campaign, idx, kind, name, title, text, "
				"file, depends) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
				"iisssspi", c->id, (gint64)i, k->kind, k->name, k->title, k->text,
				k->file, (gint64)k->depends))
			return false;
	}
	return true;
}

bool store_add_campaign(Store *s, StoreCampaign *c, const GPtrArray *candidates, GError **error)
{
	if (!store_begin(s, error) ||
	    !store_end(s, insert_campaign(s, c, candidates, error), error))
		return false;
	return kx_mkdir(c->dir, error);
}

bool store_set_state(Store *s, gint64 campaign, StoreState state, const char *reason,
		     GError **error)
{
	bool ended = state == STORE_DONE || state == STORE_FAILED;
	return store_exec(s, error,
			  "UPDATE campaign SET state = ?, state_reason = ?, finished_us = ? "
			  "WHERE id = ?",
			  "ssii", store_state_name(state), reason,
			  ended ? g_get_real_time() : (gint64)0, campaign);
}

bool store_set_config(Store *s, gint64 campaign, const json_t *config, GError **error)
{
	return store_exec(s, error, "UPDATE campaign SET config = ? WHERE id = ?", "ji", config,
			  campaign);
}

GPtrArray *store_campaigns(Store *s, GError **error)
{
	StoreQuery *q = store_query(
		s, error, "SELECT " CAMPAIGN_COLUMNS " FROM campaign ORDER BY id DESC", "");
	return store_rows(s, q, campaign_row, (GDestroyNotify)store_campaign_free, error);
}

GPtrArray *store_campaigns_page(Store *s, gint64 before, unsigned limit, GError **error)
{
	StoreQuery *q = store_query(s, error,
				    "SELECT " CAMPAIGN_COLUMNS
				    " FROM campaign WHERE id < ? ORDER BY id DESC LIMIT ?",
				    "ii", before ? before : G_MAXINT64, (gint64)limit);
	return store_rows(s, q, campaign_row, (GDestroyNotify)store_campaign_free, error);
}

static void set_unknown(Store *s, const char *which, const GPtrArray *all, GError **error)
{
	g_autoptr(GString) list = g_string_new(NULL);
	for (guint i = 0; i < all->len && i < 10; i++) {
		const StoreCampaign *c = all->pdata[i];
		g_string_append_printf(list, "%s%s", i ? ", " : "", c->slug);
	}
	g_set_error(error, KX_ERROR, KX_ERROR_MISSING, "%s has no run '%s'; %s%s%s", s->results,
		    which, all->len ? "there are: " : "there are none yet", list->str,
		    all->len > 10 ? ", …" : "");
}

StoreCampaign *store_find_campaign(Store *s, const char *which, GError **error)
{
	char *end;
	const char *digits = *which == '#' ? which + 1 : which;
	gint64 id = g_ascii_strtoll(digits, &end, 10);
	if (*end || end == digits)
		id = 0;
	/* A slug is unique; a name may look like another's slug, so the slug goes first. */
	StoreQuery *q = store_query(s, error,
				    "SELECT " CAMPAIGN_COLUMNS
				    " FROM campaign WHERE slug = ? OR id = ? OR name = ? "
				    "ORDER BY slug = ? DESC, id = ? DESC, run DESC LIMIT 1",
				    "sissi", which, id, which, which, id);
	g_autoptr(GPtrArray) rows =
		store_rows(s, q, campaign_row, (GDestroyNotify)store_campaign_free, error);
	if (!rows)
		return NULL;
	if (rows->len)
		return g_ptr_array_steal_index(rows, 0);
	g_autoptr(GPtrArray) all = store_campaigns_page(s, 0, 11, error);
	if (all)
		set_unknown(s, which, all, error);
	return NULL;
}

bool store_is_alive(const StoreCampaign *c)
{
	g_autofree char *path = g_build_filename(c->dir, "lock", NULL);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	bool held = flock(fd, LOCK_SH | LOCK_NB) != 0 && errno == EWOULDBLOCK;
	close(fd);
	return held;
}

static gpointer candidate_row(Store *s, StoreQuery *q)
{
	StoreCandidate *c = g_new0(StoreCandidate, 1);
	c->kind = store_text(q, 0);
	c->name = store_text(q, 1);
	c->title = store_text(q, 2);
	c->text = store_text(q, 3);
	c->file = store_path(s, q, 4);
	c->depends = (uint64_t)sqlite3_column_int64(q, 5);
	return c;
}

GPtrArray *store_candidates(Store *s, gint64 campaign, GError **error)
{
	StoreQuery *q = store_query(s, error,
				    "SELECT kind, name, title, text, file, depends FROM candidate "
				    "WHERE campaign = ? ORDER BY idx",
				    "i", campaign);
	return store_rows(s, q, candidate_row, (GDestroyNotify)store_candidate_free, error);
}
