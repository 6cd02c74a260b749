/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The answers to requests that take no time. */
#include <unistd.h>

#include "base/error.h"
#include "daemon/daemon-internal.h"

static void set_text(json_t *o, const char *key, const char *value)
{
	if (value && *value)
		json_object_set_new(o, key, kx_json_text(value));
}

static void set_time(json_t *o, const char *key, gint64 us)
{
	if (us)
		json_object_set_new(o, key, json_integer(us));
}

/* What it is for people: a queued one that waits for something other than its turn is waiting, one
 * that was told to end is stopping. */
static const char *shown_state(const Submission *s)
{
	if (s->state == SUBMISSION_QUEUED && s->held)
		return "waiting";
	if (s->state == SUBMISSION_RUNNING && (s->wish || sitting_is_stopping(s)))
		return "stopping";
	return submission_state_name(s->state);
}

static json_t *budget_json(const Submission *s)
{
	json_t *o = json_object();
	if (s->hours > 0)
		json_object_set_new(o, "hours", json_real(s->hours));
	if (s->boots)
		json_object_set_new(o, "boots", json_integer(s->boots));
	if (s->compile_minutes > 0)
		json_object_set_new(o, "compile_minutes", json_real(s->compile_minutes));
	if (s->disk_gib > 0)
		json_object_set_new(o, "disk_gib", json_real(s->disk_gib));
	return o;
}

json_t *submission_json(const Submission *s, const DaemonConfig *c)
{
	json_t *o = json_pack("{s:I, s:o, s:s, s:o, s:i, s:I, s:o, s:o, s:o}", "id",
			      (json_int_t)s->id, "name", kx_json_text(s->name), "state",
			      shown_state(s), "owner", kx_json_text(s->owner), "priority",
			      s->priority, "uid", (json_int_t)s->uid, "targets",
			      kx_json_from_strv((const char *const *)s->targets), "budget",
			      budget_json(s), "progress", json_deep_copy(s->progress));
	set_text(o, "title", s->title);
	set_text(o, "question", s->question);
	set_text(o, "digest", s->digest);
	set_text(o, "sources", s->sources);
	set_text(o, "toolchains", s->toolchains);
	set_text(o, "reason", s->reason);
	set_text(o, "waits_for", s->state == SUBMISSION_QUEUED ? s->wait_reason : NULL);
	set_text(o, "window", *s->window ? s->window : c->window);
	set_text(o, "target", s->target);
	set_text(o, "run", s->run);
	set_text(o, "results", c->results);
	set_time(o, "created_us", s->created_us);
	set_time(o, "started_us", s->started_us);
	set_time(o, "finished_us", s->finished_us);
	set_time(o, "not_before_us", s->state == SUBMISSION_QUEUED ? s->not_before_us : 0);
	if (s->attempts)
		json_object_set_new(o, "failures", json_integer(s->attempts));
	if (s->also[0])
		json_object_set_new(o, "also", kx_json_from_strv((const char *const *)s->also));
	if (s->again)
		json_object_set_new(o, "again", json_true());
	if (s->engine.pid)
		json_object_set_new(o, "pid", json_integer(s->engine.pid));
	if (sitting_is_preflight(s))
		json_object_set_new(o, "preflight", json_pack("{s:s}", "verdict", "running"));
	else if (json_is_object(s->preflight))
		json_object_set_new(o, "preflight", json_deep_copy(s->preflight));
	if (json_is_object(s->verdict))
		json_object_set_new(o, "verdict", json_deep_copy(s->verdict));
	return o;
}

/* ---- list and status ---- */

static json_t *list(Daemon *d, const Request *r, GError **error)
{
	g_autoptr(GPtrArray) rows = queue_list(d->queue, r->before, r->limit, r->state, error);
	if (!rows)
		return NULL;
	json_t *all = json_array();
	for (guint i = 0; i < rows->len; i++) {
		const Submission *s = rows->pdata[i];
		/* of one that is not over, memory knows more */
		const Submission *now = daemon_find_active(d, s->id);
		json_array_append_new(all, submission_json(now ? now : s, d->config));
	}
	json_t *answer = request_answer();
	json_object_set_new(answer, "submissions", all);
	const char *trouble = d->disk_why ? d->disk_why : d->trouble;
	if (trouble)
		json_object_set_new(answer, "trouble", kx_json_text(trouble));
	json_object_set_new(answer, "notices", notify_census(d));
	return answer;
}

static json_t *about(const Daemon *d, const Submission *s)
{
	json_t *answer = request_answer();
	json_object_set_new(answer, "submission", submission_json(s, d->config));
	return answer;
}

static json_t *status(Daemon *d, gint64 id, GError **error)
{
	const Submission *active = daemon_find_active(d, id);
	if (active)
		return about(d, active);
	g_autoptr(Submission) s = queue_find(d->queue, id, error);
	return s ? about(d, s) : NULL;
}

static json_t *journal(Daemon *d, const Request *r, GError **error)
{
	json_t *lines = queue_journal(d->queue, r->after, r->limit, error);
	if (!lines)
		return NULL;
	json_t *answer = request_answer();
	json_object_set_new(answer, "journal", lines);
	json_object_set_new(answer, "last", json_integer(queue_journal_last(d->queue, NULL)));
	return answer;
}

/* ---- pause, resume, cancel ---- */

static bool may_change(const DaemonPeer *peer, const Submission *s, GError **error)
{
	if (peer->uid == 0 || peer->uid == geteuid() || peer->uid == s->uid)
		return true;
	g_set_error(error, KX_ERROR, KX_ERROR_REFUSED,
		    "submission %" G_GINT64_FORMAT " belongs to %s", s->id, s->owner);
	return false;
}

/* On disk before it is acknowledged, else as it was. */
static bool wish(Daemon *d, Submission *s, SubmissionWish what, GError **error)
{
	SubmissionWish before = s->wish;
	s->wish = what;
	if (!queue_save(d->queue, s, (QueueNote){0}, error)) {
		s->wish = before;
		return false;
	}
	if (what != WISH_NONE)
		sitting_stop(s, what == WISH_CANCEL ? "cancelled" : "paused");
	return true;
}

static bool change(Daemon *d, Submission *s, SubmissionState state, const char *kind,
		   GError **error)
{
	SubmissionState before = s->state;
	gint64 not_before = s->not_before_us;
	unsigned attempts = s->attempts;
	s->state = state;
	s->not_before_us = 0;
	s->attempts = 0;
	if (!queue_save(d->queue, s, (QueueNote){kind, ""}, error)) {
		s->state = before;
		s->not_before_us = not_before;
		s->attempts = attempts;
		return false;
	}
	daemon_set_state(d, s, state, "", NULL);
	return true;
}

static bool refuse(const Submission *s, const char *what, GError **error)
{
	g_set_error(error, KX_ERROR, KX_ERROR_REFUSED,
		    "submission %" G_GINT64_FORMAT " is %s and cannot be %s", s->id, shown_state(s),
		    what);
	return false;
}

static bool pause_it(Daemon *d, Submission *s, GError **error)
{
	if (s->state == SUBMISSION_RUNNING && s->wish != WISH_CANCEL)
		return wish(d, s, WISH_PAUSE, error);
	if (s->state == SUBMISSION_QUEUED)
		return change(d, s, SUBMISSION_PAUSED, "paused", error);
	return s->state == SUBMISSION_PAUSED || refuse(s, "paused", error);
}

/* What was wrong may have been mended: it is looked at again. */
static void forget_preflight(Submission *s)
{
	if (g_strcmp0(kx_json_str(s->preflight, "verdict"), "wrong") != 0)
		return;
	json_decref(s->preflight);
	s->preflight = json_null();
}

static bool resume_it(Daemon *d, Submission *s, GError **error)
{
	if (s->state == SUBMISSION_FAILED)
		forget_preflight(s);
	if (s->state == SUBMISSION_PAUSED || s->state == SUBMISSION_QUEUED ||
	    s->state == SUBMISSION_FAILED)
		return change(d, s, SUBMISSION_QUEUED, "resumed", error);
	/* It is on its way down: it ends, and is queued again. */
	if (s->state == SUBMISSION_RUNNING && s->wish != WISH_CANCEL)
		return wish(d, s, WISH_NONE, error);
	return refuse(s, "resumed", error);
}

static bool cancel_it(Daemon *d, Submission *s, GError **error)
{
	if (s->state == SUBMISSION_RUNNING)
		return wish(d, s, WISH_CANCEL, error);
	if (s->state == SUBMISSION_QUEUED || s->state == SUBMISSION_PAUSED)
		return change(d, s, SUBMISSION_CANCELLED, "cancelled", error);
	return refuse(s, "cancelled", error);
}

static json_t *act(Daemon *d, const DaemonPeer *peer, const Request *r, GError **error)
{
	static bool (*const acts[])(Daemon *, Submission *, GError **) = {
		[REQUEST_PAUSE] = pause_it,
		[REQUEST_RESUME] = resume_it,
		[REQUEST_CANCEL] = cancel_it,
	};
	Submission *s = daemon_find_active(d, r->id);
	g_autoptr(Submission) over = s ? NULL : queue_find(d->queue, r->id, error);
	if (!s && !over)
		return NULL;
	if (!may_change(peer, s ? s : over, error))
		return NULL;
	if (!s && over->state == SUBMISSION_FAILED && r->kind == REQUEST_RESUME) {
		/* wanted again: it is not over; the next plan drops it if that cannot be written */
		s = g_steal_pointer(&over);
		g_ptr_array_add(d->active, s);
	}
	if (!s) {
		refuse(over, "changed", error);
		return NULL;
	}
	return acts[r->kind](d, s, error) ? about(d, s) : NULL;
}

/* ---- targets ---- */

static json_t *one_target(const Daemon *d, const char *name)
{
	g_autoptr(json_t) all = daemon_targets(d);
	size_t i;
	json_t *t;
	json_array_foreach (all, i, t)
		if (g_strcmp0(kx_json_str(t, "name"), name) == 0)
			return json_incref(t);
	return json_null();
}

/* A target is everybody's: only who runs the lab takes it away or gives it back. */
static json_t *change_target(Daemon *d, const DaemonPeer *peer, const Request *r, GError **error)
{
	g_autofree char *by = g_strdup_printf("by hand, %s%s%s", peer->name, r->reason ? ": " : "",
					      r->reason ? r->reason : "");
	if (peer->uid != 0 && peer->uid != geteuid()) {
		g_set_error(error, KX_ERROR, KX_ERROR_REFUSED,
			    "a target is released, quarantined and checked by root and by the "
			    "daemon's own user");
		return NULL;
	}
	bool ok = r->kind == REQUEST_RELEASE ? health_release(d, r->target, peer->name, error)
		  : r->kind == REQUEST_CHECK ? health_check_now(d, r->target, error)
					     : health_quarantine(d, r->target, by, error);
	if (!ok)
		return NULL;
	json_t *answer = request_answer();
	json_object_set_new(answer, "target", one_target(d, r->target));
	return answer;
}

/* ---- notifications ---- */

static json_t *notices(Daemon *d, const Request *r, GError **error)
{
	json_t *list = notify_list(d, r->before, r->limit, error);
	if (!list)
		return NULL;
	json_t *answer = request_answer();
	json_object_update_new(answer, list);
	return answer;
}

static json_t *test_receiver(Daemon *d, const DaemonPeer *peer, const char *receiver,
			     GError **error)
{
	if (peer->uid != 0 && peer->uid != geteuid()) {
		g_set_error(error, KX_ERROR, KX_ERROR_REFUSED,
			    "a receiver is tested by root and by the daemon's own user");
		return NULL;
	}
	gint64 id = notify_test(d, receiver, error);
	if (!id)
		return NULL;
	json_t *answer = request_answer();
	json_object_set_new(answer, "notice", json_integer(id));
	return answer;
}

json_t *daemon_answer(Daemon *d, const DaemonPeer *peer, const Request *r)
{
	g_autoptr(GError) error = NULL;
	json_t *answer = NULL;
	switch (r->kind) {
	case REQUEST_PING:
		answer = request_answer();
		json_object_set_new(answer, "version", json_string(KEXSECT_VERSION));
		break;
	case REQUEST_LIST:
		answer = list(d, r, &error);
		break;
	case REQUEST_STATUS:
	case REQUEST_WATCH:
		answer = status(d, r->id, &error);
		break;
	case REQUEST_JOURNAL:
		answer = journal(d, r, &error);
		break;
	case REQUEST_TARGETS:
		answer = request_answer();
		json_object_set_new(answer, "targets", daemon_targets(d));
		break;
	case REQUEST_RELEASE:
	case REQUEST_QUARANTINE:
	case REQUEST_CHECK:
		answer = change_target(d, peer, r, &error);
		break;
	case REQUEST_NOTICES:
		answer = notices(d, r, &error);
		break;
	case REQUEST_NOTIFY_TEST:
		answer = test_receiver(d, peer, r->receiver, &error);
		break;
	case REQUEST_PAUSE:
	case REQUEST_RESUME:
	case REQUEST_CANCEL:
		answer = act(d, peer, r, &error);
		break;
	default:
		g_set_error(&error, KX_ERROR, KX_ERROR_INPUT, "this request takes another way");
	}
	return answer ? answer : request_refusal(error);
}
