/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The server over the daemon's life: another address or certificate is another server, and the one
 * before answers what was asked of it to the end. */
#include "http/http-internal.h"

typedef struct {
	Daemon *d;
	Http *now;  /* NULL: none is wanted, or its address was taken */
	GList *old; /* Http */
} Front;

static void on_drained(Http *h, gpointer user)
{
	Front *f = user;
	f->old = g_list_remove(f->old, h);
	http_stop(h);
}

static gpointer start(Daemon *d, GError **error)
{
	g_autoptr(GError) why = NULL;
	Front *f = g_new0(Front, 1);
	f->d = d;
	f->now = daemon_config(d)->listen ? http_start(d, NULL, &why) : NULL;
	if (!why)
		return f;
	g_propagate_error(error, g_steal_pointer(&why));
	g_free(f);
	return NULL;
}

static void retire(Front *f)
{
	Http *h = g_steal_pointer(&f->now);
	f->old = g_list_prepend(f->old, h);
	http_drain(h, on_drained, f);
}

static void reload(gpointer it)
{
	Front *f = it;
	g_autoptr(GError) error = NULL;
	if (!daemon_config(f->d)->listen) {
		if (f->now)
			retire(f);
		return;
	}
	if (f->now && http_is_current(f->now, &error))
		return;
	Http *next = error ? NULL : http_start(f->d, f->now, &error);
	if (error)
		g_warning("HTTP stays as it was: %s", error->message);
	if (!next)
		return;
	if (f->now)
		retire(f);
	f->now = next;
}

static void stop(gpointer it)
{
	Front *f = it;
	if (f->now)
		http_stop(f->now);
	g_list_free_full(f->old, (GDestroyNotify)http_stop);
	g_free(f);
}

const DaemonFront http_front = {start, reload, stop};
