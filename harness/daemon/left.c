/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Processes that outlived who must answer for them: the engine of a daemon that died, the job of an
 * engine that died. The kernel has told them to end; here they are watched and, if they do not,
 * killed. Their target is free when the last one is gone. */
#include <signal.h>

#include "daemon/daemon-internal.h"

#define LOOK_MS 100
#define MOST_US 5000 /* at one look */

typedef struct {
	char *target;
	unsigned slot;
	Submission *submission; /* NULL: only the lease matters */
	gint64 since_us;	/* monotonic */
	bool killed;
} Left;

static void left_free(gpointer data)
{
	Left *l = data;
	g_free(l->target);
	g_free(l);
}

/* What it was doing is in its store: it only has to go on, unless its owner had other wishes. */
static void put_back(Daemon *d, Submission *s)
{
	s->engine = (ProcessId){0};
	health_unbind(d, s);
	if (s->wish == WISH_CANCEL)
		daemon_set_state(d, s, SUBMISSION_CANCELLED, "", "cancelled");
	else if (s->wish == WISH_PAUSE)
		daemon_set_state(d, s, SUBMISSION_PAUSED, "", "paused");
	else
		daemon_set_state(d, s, SUBMISSION_QUEUED, "its daemon was killed", "orphan");
}

static bool is_over(Daemon *d, Left *l)
{
	bool engine = l->submission && process_is_alive(&l->submission->engine);
	if (!engine && !lease_is_held(d->o.state, l->target, l->slot))
		return true;
	gint64 waited = (g_get_monotonic_time() - l->since_us) / G_USEC_PER_SEC;
	/* No SIGTERM: each of them got one from the kernel when its parent died, and takes a second
	 * one for impatience. */
	if (l->killed || waited < (gint64)d->o.stop_grace_s)
		return false;
	l->killed = true;
	if (engine)
		kill(l->submission->engine.pid, SIGKILL);
	lease_signal_holders(d->o.state, l->target, l->slot, SIGKILL);
	return false;
}

static gboolean on_look(gpointer data)
{
	Daemon *d = data;
	gint64 begun = g_get_monotonic_time();
	/* Each one that is put back waits for the disk: the others at the next look. */
	for (GList *at = d->left; at && g_get_monotonic_time() - begun < MOST_US;) {
		GList *next = at->next;
		Left *l = at->data;
		if (is_over(d, l)) {
			d->left = g_list_delete_link(d->left, at);
			if (l->submission)
				put_back(d, l->submission);
			left_free(l);
			daemon_replan(d);
		}
		at = next;
	}
	if (d->left)
		return G_SOURCE_CONTINUE;
	d->left_source = 0;
	return G_SOURCE_REMOVE;
}

void left_add(Daemon *d, const char *target, unsigned slot, Submission *s)
{
	Left *l = g_new0(Left, 1);
	*l = (Left){.target = g_strdup(target),
		    .slot = slot,
		    .submission = s,
		    .since_us = g_get_monotonic_time()};
	d->left = g_list_append(d->left, l);
	if (!d->left_source)
		d->left_source = g_timeout_add(LOOK_MS, on_look, d);
}

bool left_is(const Daemon *d, const Submission *s)
{
	for (const GList *at = d->left; at; at = at->next)
		if (((const Left *)at->data)->submission == s)
			return true;
	return false;
}

void left_clear(Daemon *d)
{
	g_clear_handle_id(&d->left_source, g_source_remove);
	g_list_free_full(d->left, left_free);
	d->left = NULL;
}
