/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What happened since a moment, from the journal and the rows: complete whoever was killed in
 * between. The command adds what the results know (report/summary.h). */
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "daemon/daemon-internal.h"

/* of a turn: a millisecond or two */
#define PAGE 200
#define ROWS 25

#define MOST_LINES 200000
#define MOST_OF_LAB 300
#define MOST_SUBMISSIONS 1000

/* One that is being made, a piece at each turn of the loop. */
struct Story {
	Daemon *d;
	gint64 since_us;
	DaemonTextFunc done;
	gpointer user;
	guint source;
	bool begun;
	gint64 after; /* of the journal: read up to here */
	size_t lines;
	GHashTable *notes; /* submission (gint64) → {kind: {"count", "text", "time_us"}} */
	json_t *lab;	   /* the newest lines about targets, disks, the daemon */
	json_int_t starts, deaths;
	bool stopped;	      /* the last start or stop was a stop */
	GArray *ids;	      /* of submissions; NULL: the journal is not read yet */
	guint next;	      /* of ids */
	GString *submissions; /* in JSON */
};

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

/* A page of the journal. *ret_more: there may be another one. */
static bool read_journal(Story *y, bool *ret_more, GError **error)
{
	g_autoptr(json_t) lines = queue_journal(y->d->queue, y->after, PAGE, error);
	if (!lines)
		return false;
	size_t i;
	json_t *line;
	json_array_foreach (lines, i, line) {
		gint64 id = kx_json_int(line, "submission", 0);
		y->after = kx_json_int(line, "id", y->after);
		if (id)
			note_submission(y, id, line);
		else
			note_lab(y, line);
	}
	y->lines += json_array_size(lines);
	*ret_more = json_array_size(lines) == PAGE && y->lines < MOST_LINES;
	return true;
}

/* ---- submissions ---- */

static gint by_id(gconstpointer a, gconstpointer b)
{
	gint64 x = *(const gint64 *)a, y = *(const gint64 *)b;
	return (x > y) - (x < y);
}

/* Those that are not over, and those that something happened to: whatever ended since has a line of
 * that. The newest ones, oldest first. */
static void choose(Story *y)
{
	g_autoptr(GHashTable) all = g_hash_table_new(g_int64_hash, g_int64_equal);
	GHashTableIter at;
	gpointer id;
	for (guint i = 0; i < y->d->active->len; i++)
		g_hash_table_add(all, &((Submission *)y->d->active->pdata[i])->id);
	g_hash_table_iter_init(&at, y->notes);
	while (g_hash_table_iter_next(&at, &id, NULL))
		g_hash_table_add(all, id);
	y->ids = g_array_new(FALSE, FALSE, sizeof(gint64));
	g_hash_table_iter_init(&at, all);
	while (g_hash_table_iter_next(&at, &id, NULL))
		g_array_append_val(y->ids, *(gint64 *)id);
	g_array_sort(y->ids, by_id);
	if (y->ids->len > MOST_SUBMISSIONS)
		g_array_remove_range(y->ids, 0, y->ids->len - MOST_SUBMISSIONS);
}

static bool read_submission(Story *y, gint64 id, GError **error)
{
	g_autoptr(GError) why = NULL;
	const Submission *now = daemon_find_active(y->d, id); /* memory knows more */
	g_autoptr(Submission) kept = now ? NULL : queue_find(y->d->queue, id, &why);
	const Submission *s = now ? now : kept;
	if (s && (!submission_is_over(s->state) || s->finished_us >= y->since_us)) {
		g_autoptr(json_t) o = submission_json(s, y->d->config);
		json_t *notes = g_hash_table_lookup(y->notes, &id);
		json_object_set_new(o, "notes", notes ? json_incref(notes) : json_object());
		char *text = json_dumps(o, JSON_COMPACT);
		if (text && y->submissions->len)
			g_string_append_c(y->submissions, ',');
		g_string_append(y->submissions, text ? text : "");
		free(text);
	}
	if (s || g_error_matches(why, KX_ERROR, KX_ERROR_MISSING))
		return true;
	g_propagate_error(error, g_steal_pointer(&why));
	return false;
}

static bool read_submissions(Story *y, bool *ret_more, GError **error)
{
	for (guint n = 0; n < ROWS && y->next < y->ids->len; n++)
		if (!read_submission(y, g_array_index(y->ids, gint64, y->next++), error))
			return false;
	*ret_more = y->next < y->ids->len;
	return true;
}

/* ---- all ---- */

/* {"v": 1, "ok": true, "summary": {…, "submissions": […]}}: these have been written one by one. */
static char *tell(Story *y)
{
	Daemon *d = y->d;
	g_autoptr(json_t) o = json_pack(
		"{s:I, s:I, s:o, s:o, s:o, s:O, s:{s:I, s:I}}", "since_us", (json_int_t)y->since_us,
		"until_us", (json_int_t)g_get_real_time(), "host", kx_json_text(g_get_host_name()),
		"results", kx_json_text(d->config->results), "targets", daemon_targets(d), "lab",
		y->lab, "daemon", "starts", y->starts, "killed", y->deaths);
	json_object_update_new(o, daemon_census(d));
	g_autoptr(json_t) answer = request_answer();
	json_object_set(answer, "summary", o);
	char *head = json_dumps(answer, JSON_COMPACT);
	size_t len = head ? strlen(head) : 0;
	if (len > 2)
		head[len - 2] = '\0'; /* the ends of both objects come after the list */
	char *text = g_strdup_printf("%s,\"submissions\":[%s]}}", len > 2 ? head : "",
				     y->submissions->str);
	free(head);
	return text;
}

/* One piece of it; false: it is over, with *error or without. */
static bool step(Story *y, GError **error)
{
	g_autoptr(GError) why = NULL;
	bool more = false;
	if (!y->begun) {
		y->begun = true;
		y->after = queue_journal_before(y->d->queue, y->since_us, &why);
		y->stopped = !why && queue_was_stopped(y->d->queue, y->after, &why);
	} else if (!y->ids) {
		if (read_journal(y, &more, &why) && !more)
			choose(y);
	} else if (read_submissions(y, &more, &why) && !more) {
		return false;
	}
	if (!why)
		return true;
	g_propagate_error(error, g_steal_pointer(&why));
	return false;
}

static void story_free(Story *y)
{
	g_clear_handle_id(&y->source, g_source_remove);
	g_hash_table_unref(y->notes);
	json_decref(y->lab);
	g_string_free(y->submissions, TRUE);
	g_clear_pointer(&y->ids, g_array_unref);
	g_free(y);
}

static gboolean on_turn(gpointer user)
{
	Story *y = user;
	g_autoptr(GError) error = NULL;
	if (step(y, &error))
		return G_SOURCE_CONTINUE;
	g_autofree char *text = error ? NULL : tell(y);
	y->source = 0;
	y->done(text, error, y->user);
	story_free(y);
	return G_SOURCE_REMOVE;
}

Story *summary_begin(Daemon *d, gint64 since_us, DaemonTextFunc done, gpointer user)
{
	Story *y = g_new0(Story, 1);
	*y = (Story){.d = d,
		     .since_us = since_us,
		     .done = done,
		     .user = user,
		     .notes = g_hash_table_new_full(g_int64_hash, g_int64_equal, g_free,
						    (GDestroyNotify)json_decref),
		     .lab = json_array(),
		     .submissions = g_string_new(NULL)};
	/* a turn each time the loop goes round, and as urgent as what others ask */
	y->source = g_idle_add_full(G_PRIORITY_DEFAULT, on_turn, y, NULL);
	return y;
}

void summary_drop(Story *y)
{
	story_free(y);
}
