/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Builds, trials and what belongs to a trial. */
#include "store/store-internal.h"

#include <stdio.h>

#include "base/error.h"

void store_build_free(StoreBuild *b)
{
	if (!b)
		return;
	g_free(b->status);
	g_free(b->reason);
	g_free(b->failed_step);
	g_free(b->hash);
	g_free(b->identity);
	g_free(b->artifacts);
	g_free(b->kernel);
	g_free(b->vmlinux_sha256);
	g_free(b->log);
	json_decref(b->seconds);
	g_free(b);
}

void store_trial_free(StoreTrial *t)
{
	if (!t)
		return;
	g_free(t->build);
	g_free(t->target);
	g_free(t->mode);
	g_free(t->purpose);
	g_free(t->outcome);
	g_free(t->reason);
	g_free(t->evidence);
	json_decref(t->measures);
	json_decref(t->seconds);
	json_decref(t->plan);
	g_free(t);
}

void store_posterior_free(StorePosterior *p)
{
	if (!p)
		return;
	g_free(p->kind);
	json_decref(p->ranking);
	json_decref(p->marginals);
	g_free(p);
}

void store_fault_free(StoreFault *f)
{
	if (!f)
		return;
	g_free(f->device);
	g_free(f->address);
	g_free(f->reason);
	json_decref(f->record);
	g_free(f);
}

/* ---- builds ---- */

static bool insert_build(Store *s, gint64 campaign, StoreBuild *b, GError **error)
{
	if (!b->time_us)
		b->time_us = g_get_real_time();
	if (!store_exec(s, error,
			"INSERT INTO build (campaign, launcher, mask, clean, cached, status, "
			"reason, failed_step, hash, identity, artifacts, kernel, vmlinux_sha256, "
			"log, seconds, time_us) "
			"VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
			"iiiiissssspp"
			"spji",
			campaign, (gint64)b->launcher, (gint64)b->mask, (gint64)b->clean,
			(gint64)b->cached, b->status, b->reason, b->failed_step, b->hash,
			b->identity, b->artifacts, b->kernel, b->vmlinux_sha256, b->log, b->seconds,
			b->time_us))
		return false;
	b->id = sqlite3_last_insert_rowid(s->db);
	return true;
}

bool store_add_build(Store *s, gint64 campaign, gint64 sitting, StoreBuild *b,
		     const StoreTimes *times, GError **error)
{
	if (!store_begin(s, error))
		return false;
	bool ok = insert_build(s, campaign, b, error) && store_put_times(s, sitting, times, error);
	return store_end(s, ok, error);
}

static gpointer build_row(Store *s, StoreQuery *q)
{
	StoreBuild *b = g_new0(StoreBuild, 1);
	b->id = sqlite3_column_int64(q, 0);
	b->launcher = sqlite3_column_int(q, 1);
	b->mask = (uint64_t)sqlite3_column_int64(q, 2);
	b->clean = sqlite3_column_int(q, 3);
	b->cached = sqlite3_column_int(q, 4);
	b->status = store_text(q, 5);
	b->reason = store_text(q, 6);
	b->failed_step = store_text(q, 7);
	b->hash = store_text(q, 8);
	b->identity = store_text(q, 9);
	b->artifacts = store_path(s, q, 10);
	b->kernel = store_path(s, q, 11);
	b->vmlinux_sha256 = store_text(q, 12);
	b->log = store_path(s, q, 13);
	b->seconds = store_json(q, 14);
	b->time_us = sqlite3_column_int64(q, 15);
	return b;
}

GPtrArray *store_builds(Store *s, gint64 campaign, GError **error)
{
	StoreQuery *q = store_query(
		s, error,
		"SELECT id, launcher, mask, clean, cached, status, reason, failed_step, hash, "
		"identity, artifacts, kernel, vmlinux_sha256, log, seconds, time_us "
		"FROM build WHERE campaign = ? ORDER BY id",
		"i", campaign);
	return store_rows(s, q, build_row, (GDestroyNotify)store_build_free, error);
}

/* ---- trials ---- */

static bool insert_trial(Store *s, gint64 campaign, StoreTrial *t, GError **error)
{
	if (!t->time_us)
		t->time_us = g_get_real_time();
	if (!store_exec(s, error,
			"INSERT INTO trial (campaign, number, mask, build, clean, target, mode, "
			"purpose, outcome, reason, evidence, measures, seconds, plan, time_us) "
			"VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
			"iiisisssssp"
			"jjji",
			campaign, (gint64)t->number, (gint64)t->mask, t->build, (gint64)t->clean,
			t->target, t->mode, t->purpose, t->outcome, t->reason, t->evidence,
			t->measures, t->seconds, t->plan, t->time_us))
		return false;
	t->id = sqlite3_last_insert_rowid(s->db);
	return true;
}

/* An address of a record is a number or a string; the column is for people and for grouping. */
static char *key_text(const json_t *record, const char *key)
{
	const json_t *v = json_object_get(record, key);
	if (json_is_string(v))
		return g_strdup(json_string_value(v));
	if (json_is_integer(v))
		return g_strdup_printf("0x%" G_GINT64_MODIFIER "x", (guint64)json_integer_value(v));
	return g_strdup("");
}

static bool insert_faults(Store *s, gint64 trial, const json_t *faults, GError **error)
{
	size_t i;
	json_t *record;
	json_array_foreach (faults, i, record) {
		g_autofree char *device = key_text(record, "device");
		g_autofree char *address = key_text(record, "address");
		g_autofree char *reason = key_text(record, "reason");
		if (!store_exec(s, error,
				"INSERT INTO fault (trial, seq, device, address, reason, "
				"in_window, record) VALUES (?, ?, ?, ?, ?, ?, ?)",
				"iisssij", trial, (gint64)i, device, address, reason,
				(gint64)kx_json_bool(record, "in_window", false), record))
			return false;
	}
	return true;
}

static bool insert_posterior(Store *s, gint64 trial, const StorePosterior *p, GError **error)
{
	return store_exec(s, error,
			  "INSERT INTO posterior (trial, kind, members, probability, q_mean, "
			  "q_low, q_high, e_mean, e_low, e_high, ranking, marginals) "
			  "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
			  "isidddddddjj", trial, p->kind, (gint64)p->members, p->probability,
			  p->q_mean, p->q_low, p->q_high, p->e_mean, p->e_low, p->e_high,
			  p->ranking, p->marginals);
}

bool store_add_trial(Store *s, gint64 campaign, gint64 sitting, StoreTrial *t, const json_t *faults,
		     const StorePosterior *posterior, const StoreTimes *times, GError **error)
{
	if (!store_begin(s, error))
		return false;
	bool ok = insert_trial(s, campaign, t, error) && insert_faults(s, t->id, faults, error) &&
		  (!posterior || insert_posterior(s, t->id, posterior, error)) &&
		  store_put_times(s, sitting, times, error);
	if (store_end(s, ok, error))
		return true;
	g_prefix_error(error, "trial %u: ", t->number);
	return false;
}

static gpointer trial_row(Store *s, StoreQuery *q)
{
	StoreTrial *t = g_new0(StoreTrial, 1);
	t->id = sqlite3_column_int64(q, 0);
	t->number = (unsigned)sqlite3_column_int64(q, 1);
	t->mask = (uint64_t)sqlite3_column_int64(q, 2);
	t->build = store_text(q, 3);
	t->clean = sqlite3_column_int(q, 4);
	t->target = store_text(q, 5);
	t->mode = store_text(q, 6);
	t->purpose = store_text(q, 7);
	t->outcome = store_text(q, 8);
	t->reason = store_text(q, 9);
	t->evidence = store_path(s, q, 10);
	t->measures = store_json(q, 11);
	t->seconds = store_json(q, 12);
	t->plan = store_json(q, 13);
	t->time_us = sqlite3_column_int64(q, 14);
	return t;
}

#define TRIAL_COLUMNS                                                                              \
	"id, number, mask, build, clean, target, mode, purpose, outcome, reason, evidence, "       \
	"measures, seconds, plan, time_us"

GPtrArray *store_trials(Store *s, gint64 campaign, GError **error)
{
	StoreQuery *q = store_query(
		s, error, "SELECT " TRIAL_COLUMNS " FROM trial WHERE campaign = ? ORDER BY number",
		"i", campaign);
	return store_rows(s, q, trial_row, (GDestroyNotify)store_trial_free, error);
}

GPtrArray *store_trials_page(Store *s, gint64 campaign, unsigned after, unsigned limit,
			     GError **error)
{
	StoreQuery *q =
		store_query(s, error,
			    "SELECT " TRIAL_COLUMNS " FROM trial WHERE campaign = ? AND number > ? "
			    "ORDER BY number LIMIT ?",
			    "iii", campaign, (gint64)after, (gint64)limit);
	return store_rows(s, q, trial_row, (GDestroyNotify)store_trial_free, error);
}

static gpointer posterior_row(Store *s, StoreQuery *q)
{
	StorePosterior *p = g_new0(StorePosterior, 1);
	p->trial = (unsigned)sqlite3_column_int64(q, 0);
	p->kind = store_text(q, 1);
	p->members = (uint64_t)sqlite3_column_int64(q, 2);
	p->probability = sqlite3_column_double(q, 3);
	p->q_mean = sqlite3_column_double(q, 4);
	p->q_low = sqlite3_column_double(q, 5);
	p->q_high = sqlite3_column_double(q, 6);
	p->e_mean = sqlite3_column_double(q, 7);
	p->e_low = sqlite3_column_double(q, 8);
	p->e_high = sqlite3_column_double(q, 9);
	p->ranking = store_json(q, 10);
	p->marginals = store_json(q, 11);
	return p;
}

GPtrArray *store_posteriors_page(Store *s, gint64 campaign, unsigned after, unsigned until,
				 unsigned limit, GError **error)
{
	StoreQuery *q = store_query(
		s, error,
		"SELECT t.number, p.kind, p.members, p.probability, q_mean, q_low, q_high, e_mean, "
		"e_low, e_high, ranking, marginals FROM posterior p JOIN trial t ON t.id = p.trial "
		"WHERE t.campaign = ? AND t.number > ? AND t.number <= ? ORDER BY t.number LIMIT ?",
		"iiii", campaign, (gint64)after, until ? (gint64)until : G_MAXINT64,
		limit ? (gint64)limit : (gint64)-1);
	return store_rows(s, q, posterior_row, (GDestroyNotify)store_posterior_free, error);
}

GPtrArray *store_posteriors(Store *s, gint64 campaign, GError **error)
{
	return store_posteriors_page(s, campaign, 0, 0, 0, error);
}

unsigned store_last_trial(Store *s, gint64 campaign, GError **error)
{
	g_autoptr(StoreQuery) q = store_query(
		s, error, "SELECT MAX(number) FROM trial WHERE campaign = ?", "i", campaign);
	if (q && sqlite3_step(q) == SQLITE_ROW)
		return (unsigned)sqlite3_column_int64(q, 0);
	if (q)
		store_set_error(s, "read", error);
	return 0;
}

bool store_has_evidence(Store *s, gint64 campaign, GError **error)
{
	g_autoptr(StoreQuery) q = store_query(
		s, error, "SELECT 1 FROM trial WHERE campaign = ? AND outcome <> 'infra' LIMIT 1",
		"i", campaign);
	int step = q ? sqlite3_step(q) : SQLITE_DONE;
	if (step != SQLITE_ROW && step != SQLITE_DONE)
		store_set_error(s, "read", error);
	return step == SQLITE_ROW;
}

static gpointer fault_row(Store *s, StoreQuery *q)
{
	StoreFault *f = g_new0(StoreFault, 1);
	f->trial_id = sqlite3_column_int64(q, 0);
	f->trial = (unsigned)sqlite3_column_int64(q, 1);
	f->seq = (unsigned)sqlite3_column_int64(q, 2);
	f->device = store_text(q, 3);
	f->address = store_text(q, 4);
	f->reason = store_text(q, 5);
	f->in_window = sqlite3_column_int(q, 6);
	f->record = store_json(q, 7);
	return f;
}

#define FAULTS                                                                                     \
	"SELECT t.id, t.number, f.seq, f.device, f.address, f.reason, f.in_window, f.record "      \
	"FROM trial t JOIN fault f ON f.trial = t.id WHERE t.campaign = ? "

GPtrArray *store_faults(Store *s, gint64 campaign, gint64 trial_id, GError **error)
{
	StoreQuery *q =
		trial_id ? store_query(s, error, FAULTS "AND t.id = ? ORDER BY f.seq", "ii",
				       campaign, trial_id)
			 : store_query(s, error, FAULTS "ORDER BY t.number, f.seq", "i", campaign);
	return store_rows(s, q, fault_row, (GDestroyNotify)store_fault_free, error);
}
