/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Taking a submission: a process of its own reads, checks and unpacks it, so that neither its size
 * nor a slow disk nor a hostile campaign holds up the daemon; then it is one row, and only then it
 * is acknowledged. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "base/fs.h"
#include "daemon/daemon-internal.h"
#include "daemon/preflight.h"
#include "daemon/snapshot.h"

#define MAX_AT_ONCE 8
#define PATIENCE_S 60

struct Acceptance {
	Daemon *d;
	DaemonPeer peer;
	DaemonAnswerFunc done; /* NULL: nobody waits any more */
	gpointer user;
	KxChild *child;
	guint patience;
	char *folder; /* name */
	json_t *said;
};

/* ---- the process ---- */

static char *read_all(GError **error)
{
	g_autoptr(GIOChannel) in = g_io_channel_unix_new(STDIN_FILENO);
	char *text = NULL;
	gsize len;
	g_io_channel_set_encoding(in, NULL, NULL);
	return g_io_channel_read_to_end(in, &text, &len, error) == G_IO_STATUS_NORMAL ? text : NULL;
}

/* What was asked for besides the campaign. */
static json_t *wanted(const Request *r)
{
	return json_pack("{s:i, s:s, s:f, s:I, s:f, s:f, s:b, s:b}", "priority", r->priority,
			 "window", r->window ? r->window : "", "hours", r->hours, "boots",
			 (json_int_t)r->boots, "compile_minutes", r->compile_minutes, "disk_gib",
			 r->disk_gib, "again", r->again, "preflight", !r->no_preflight);
}

static json_t *accept_text(const char *text, const char *folder, GError **error)
{
	g_auto(Request) r = {0};
	if (!request_parse(text, strlen(text), &r, error))
		return NULL;
	if (r.kind != REQUEST_SUBMIT) {
		g_set_error(error, KX_ERROR, KX_ERROR_INPUT, "the request is too long");
		return NULL;
	}
	json_t *found = kx_mkdir(folder, error) ? snapshot_unpack(r.snapshot, folder, error) : NULL;
	if (found) {
		json_object_set_new(found, "wanted", wanted(&r));
		json_object_set_new(found, "ok", json_true());
	}
	return found;
}

int daemon_accept(const char *folder)
{
	g_autoptr(GError) error = NULL;
	g_autofree char *text = read_all(&error);
	g_autoptr(json_t) found = text ? accept_text(text, folder, &error) : NULL;
	g_autoptr(json_t) refusal = found ? NULL : request_refusal(error);
	kx_json_line(found ? found : refusal);
	return found ? 0 : 1;
}

/* ---- its parent ---- */

static void acceptance_free(Acceptance *a)
{
	a->d->accepting = g_list_remove(a->d->accepting, a);
	g_clear_handle_id(&a->patience, g_source_remove);
	json_decref(a->said);
	g_free(a->folder);
	g_free(a);
}

static char *folder_path(const Acceptance *a)
{
	return g_build_filename(a->d->o.state, "submissions", a->folder, NULL);
}

static void answer(Acceptance *a, json_t *object)
{
	if (a->done)
		a->done(object, a->user);
	json_decref(object);
}

static void refuse(Acceptance *a, const GError *error)
{
	g_autofree char *path = folder_path(a);
	kx_remove_tree(path, NULL);
	answer(a, request_refusal(error));
}

static Submission *make_submission(const Acceptance *a, GError **error)
{
	const char *file = kx_json_str(a->said, "file"), *name = kx_json_str(a->said, "name");
	const json_t *w = json_object_get(a->said, "wanted");
	g_auto(GStrv) targets = kx_json_strv(a->said, "targets");
	size_t len = strlen(a->d->o.state);
	if (!name || !file || !g_str_has_prefix(file, a->d->o.state) || file[len] != '/' ||
	    !targets[0]) {
		g_set_error(error, KX_ERROR, KX_ERROR_FAILED, "the snapshot could not be read");
		return NULL;
	}
	Submission *s = submission_new();
	submission_set(&s->name, name);
	submission_set(&s->title, kx_json_str(a->said, "title"));
	submission_set(&s->question, kx_json_str(a->said, "question"));
	submission_set(&s->digest, kx_json_str(a->said, "digest"));
	submission_set(&s->folder, a->folder);
	submission_set(&s->file, file + len + 1);
	submission_set(&s->data, kx_json_str(a->said, "data"));
	submission_set(&s->sources, kx_json_str(a->said, "sources"));
	submission_set(&s->toolchains, kx_json_str(a->said, "toolchains"));
	submission_set(&s->owner, a->peer.name);
	submission_set(&s->window, kx_json_str(w, "window"));
	g_strfreev(s->targets);
	s->targets = g_steal_pointer(&targets);
	g_strfreev(s->also);
	s->also = kx_json_strv(a->said, "also");
	s->uid = a->peer.uid;
	s->priority = (int)kx_json_int(w, "priority", 0);
	s->hours = json_number_value(json_object_get(w, "hours"));
	s->boots = (unsigned)kx_json_int(w, "boots", 0);
	s->compile_minutes = json_number_value(json_object_get(w, "compile_minutes"));
	s->disk_gib = json_number_value(json_object_get(w, "disk_gib"));
	s->again = kx_json_bool(w, "again", false);
	if (!kx_json_bool(w, "preflight", true)) {
		json_decref(s->preflight);
		s->preflight = preflight_skipped("as wished");
	}
	s->created_us = g_get_real_time();
	return s;
}

static void on_line(const char *line, gpointer user)
{
	Acceptance *a = user;
	json_decref(a->said);
	a->said = kx_json_parse(line, "snapshot", NULL);
}

/* It is on disk: one row makes it ours. */
static bool take(Acceptance *a, GError **error)
{
	GError *why = request_answer_error(a->said);
	if (why) {
		g_propagate_error(error, why);
		return false;
	}
	g_autoptr(Submission) s = make_submission(a, error);
	if (!s || !queue_add(a->d->queue, s, error))
		return false;
	json_t *told = request_answer();
	json_object_set_new(told, "submission", submission_json(s, a->d->config));
	Submission *taken = g_steal_pointer(&s);
	g_ptr_array_add(a->d->active, taken);
	answer(a, told);
	daemon_publish(a->d, taken,
		       json_pack("{s:s, s:s, s:s}", "event", "state", "state",
				 submission_state_name(taken->state), "reason", ""));
	daemon_replan(a->d);
	return true;
}

static void on_end(int status, gpointer user)
{
	Acceptance *a = user;
	g_autoptr(GError) error = NULL;
	if (!a->said)
		g_set_error(&error, KX_ERROR, KX_ERROR_FAILED,
			    "the snapshot could not be unpacked: its process ended with status %d",
			    status);
	else if (!a->done)
		g_set_error(&error, KX_ERROR, KX_ERROR_CANCELLED, "nobody waits for it");
	if (error || !take(a, &error))
		refuse(a, error);
	acceptance_free(a);
}

static gboolean on_patience(gpointer user)
{
	Acceptance *a = user;
	a->patience = 0;
	kx_child_stop(a->child, 1);
	return G_SOURCE_REMOVE;
}

static bool has_room(const Daemon *d, const DaemonPeer *peer, GError **error)
{
	const ConfigLimits *l = &d->config->limits;
	guint own = 0;
	for (guint i = 0; i < d->active->len; i++)
		own += ((const Submission *)d->active->pdata[i])->uid == peer->uid;
	if (d->active->len >= l->queue || own >= l->queue_of_user)
		g_set_error(error, KX_ERROR, KX_ERROR_BUSY,
			    "the queue is full: %u wait or run, %u of them yours", d->active->len,
			    own);
	else if (g_list_length(d->accepting) >= MAX_AT_ONCE)
		g_set_error(error, KX_ERROR, KX_ERROR_BUSY,
			    "the daemon takes other submissions at the moment: try again");
	else if (d->stopping)
		g_set_error(error, KX_ERROR, KX_ERROR_BUSY, "the daemon is stopping");
	else
		return true;
	return false;
}

static bool start(Acceptance *a, const char *text, size_t len, GError **error)
{
	if (!has_room(a->d, &a->peer, error))
		return false;
	if (memchr(text, '\0', len)) {
		g_set_error(error, KX_ERROR, KX_ERROR_INPUT, "this is no JSON: it has a NUL");
		return false;
	}
	g_autofree char *path = folder_path(a);
	a->child = kx_child_start(
		&(KxProc){.argv = (const char *const[]){"/proc/self/exe", "--accept", path, NULL},
			  .input = text,
			  .at_once = true},
		on_line, on_end, a, error);
	return a->child != NULL;
}

Acceptance *daemon_submit(Daemon *d, const DaemonPeer *peer, const char *text, size_t len,
			  DaemonAnswerFunc done, gpointer user)
{
	g_autoptr(GError) error = NULL;
	Acceptance *a = g_new0(Acceptance, 1);
	*a = (Acceptance){.d = d,
			  .peer = *peer,
			  .done = done,
			  .user = user,
			  .folder = g_uuid_string_random()};
	bool ok = start(a, text, len, &error);
	d->accepting = g_list_prepend(d->accepting, a);
	if (ok) {
		a->patience = g_timeout_add_seconds(PATIENCE_S, on_patience, a);
		return a;
	}
	refuse(a, error);
	acceptance_free(a);
	return NULL;
}

void daemon_submit_drop(Acceptance *a)
{
	a->done = NULL;
}

void accept_clear(Daemon *d)
{
	for (GList *at = d->accepting; at; at = at->next) {
		Acceptance *a = at->data;
		a->done = NULL;
		kx_child_stop(a->child, 1);
	}
}
