/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What happens, to those who listen. */
#include "daemon/daemon-internal.h"

#define MAX_REPLAY 300 /* events of all that run, for a new reader of all */

struct Subscription {
	gint64 id;
	DaemonEventFunc func;
	gpointer user;
};

/* The last `most` of them. */
static void replay(const GQueue *events, guint most, DaemonEventFunc func, gpointer user)
{
	const GList *at = events ? events->head : NULL;
	for (guint skip = at && events->length > most ? events->length - most : 0; skip; skip--)
		at = at->next;
	for (; at; at = at->next)
		func(at->data, user);
}

Subscription *daemon_subscribe(Daemon *d, gint64 id, DaemonEventFunc func, gpointer user)
{
	Subscription *sub = g_new0(Subscription, 1);
	*sub = (Subscription){id, func, user};
	d->subscriptions = g_list_append(d->subscriptions, sub);
	guint most = id ? G_MAXUINT : MAX(MAX_REPLAY / MAX(daemon_count_running(d), 1), 1);
	for (guint i = 0; i < d->active->len; i++) {
		const Submission *s = d->active->pdata[i];
		if (!id || s->id == id)
			replay(sitting_events(s), most, func, user);
	}
	return sub;
}

void daemon_unsubscribe(Daemon *d, Subscription *sub)
{
	d->subscriptions = g_list_remove(d->subscriptions, sub);
	g_free(sub);
}

void daemon_publish(Daemon *d, Submission *s, json_t *event)
{
	gint64 now = g_get_real_time(), id = s ? s->id : 0;
	g_autoptr(json_t) wrapped = json_pack("{s:I, s:I, s:o}", "submission", (json_int_t)id,
					      "time_us", (json_int_t)now, "event", event);
	if (s) {
		json_object_set_new(s->progress, "time_us", json_integer(now));
		sitting_remember(s, wrapped);
	}
	for (GList *at = d->subscriptions; at;) {
		GList *next = at->next; /* one may unsubscribe itself */
		Subscription *sub = at->data;
		if (!sub->id || sub->id == id)
			sub->func(wrapped, sub->user);
		at = next;
	}
}
