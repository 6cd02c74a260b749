/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What happened since a moment, from the journal and the rows: complete whoever was killed in
 * between. The command adds what the results know (report/summary.h). */
#include "base/error.h"
#include "daemon/daemon-internal.h"

#define PAGE 1000
#define MOST_LINES 200000
#define MOST_OF_LAB 300

typedef struct {
	GHashTable *notes; /* submission (gint64) → {kind: {"count", "text", "time_us"}} */
	json_t *lab;	   /* the newest lines about targets, disks, the daemon */
	json_int_t starts, deaths;
	bool stopped; /* the last start or stop was a stop */
} Story;

static void note_submission(Story *y, gint64 id, const json_t *line)
{
	json_t *all = g_hash_table_lookup(y->notes, &id);
	if (!all) {
		all = json_object();
		g_hash_table_insert(y->notes, g_memdup2(&id, sizeof(id)), all);
	}
	const char *kind = kx_json_str(line, "kind");
	json_int_t before = kx_json_int(json_object_get(all, kind), "count", 0);
	json_object_set_new(all, kind,
			    json_pack("{s:I, s:O, s:O}", "count", before + 1, "text",
				      json_object_get(line, "text"), "time_us",
				      json_object_get(line, "time_us")));
}

static void note_lab(Story *y, const json_t *line)
{
	const char *kind = kx_json_str(line, "kind");
	if (g_str_equal(kind, "started")) {
		y->starts++;
		y->deaths += !y->stopped;
		y->stopped = false;
	} else if (g_str_equal(kind, "stopping")) {
		y->stopped = true;
	} else {
		if (json_array_size(y->lab) >= MOST_OF_LAB)
			json_array_remove(y->lab, 0);
		json_array_append(y->lab, (json_t *)line);
	}
}

static bool read_journal(Daemon *d, gint64 after, Story *y, GError **error)
{
	for (int read = 0; read < MOST_LINES; read += PAGE) {
		g_autoptr(json_t) lines = queue_journal(d->queue, after, PAGE, error);
		if (!lines)
			return false;
		size_t i;
		json_t *line;
		json_array_foreach (lines, i, line) {
			gint64 id = kx_json_int(line, "submission", 0);
			after = kx_json_int(line, "id", after);
			if (id)
				note_submission(y, id, line);
			else
				note_lab(y, line);
		}
		if (json_array_size(lines) < PAGE)
			break;
	}
	return true;
}

static json_t *submissions_since(Daemon *d, gint64 since_us, const Story *y, GError **error)
{
	g_autoptr(GPtrArray) rows = queue_since(d->queue, since_us, error);
	if (!rows)
		return NULL;
	json_t *all = json_array();
	for (guint i = 0; i < rows->len; i++) {
		const Submission *s = rows->pdata[i], *now = daemon_find_active(d, s->id);
		json_t *o = submission_json(now ? now : s, d->config);
		json_t *notes = g_hash_table_lookup(y->notes, &s->id);
		json_object_set_new(o, "notes", notes ? json_incref(notes) : json_object());
		json_array_append_new(all, o);
	}
	return all;
}

json_t *summary_json(Daemon *d, gint64 since_us, GError **error)
{
	g_autoptr(GError) why = NULL;
	g_autoptr(json_t) lab = json_array();
	g_autoptr(GHashTable) notes = g_hash_table_new_full(g_int64_hash, g_int64_equal, g_free,
							    (GDestroyNotify)json_decref);
	gint64 after = queue_journal_before(d->queue, since_us, &why);
	Story y = {.notes = notes, .lab = lab, .stopped = queue_was_stopped(d->queue, after, &why)};
	json_t *submissions = !why && read_journal(d, after, &y, &why)
				      ? submissions_since(d, since_us, &y, &why)
				      : NULL;
	if (!submissions) {
		g_propagate_error(error, g_steal_pointer(&why));
		return NULL;
	}
	json_t *o = json_pack("{s:I, s:I, s:o, s:o, s:o, s:o, s:O, s:{s:I, s:I}}", "since_us",
			      (json_int_t)since_us, "until_us", (json_int_t)g_get_real_time(),
			      "host", kx_json_text(g_get_host_name()), "results",
			      kx_json_text(d->config->results), "submissions", submissions,
			      "targets", daemon_targets(d), "lab", lab, "daemon", "starts",
			      y.starts, "killed", y.deaths);
	json_object_update_new(o, daemon_census(d));
	return o;
}
