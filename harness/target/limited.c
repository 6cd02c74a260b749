/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "target/limited.h"

#include "base/error.h"
#include "base/proc.h"

/* Between two looks at whether somebody wants us to stop. */
#define LOOK_MS 50

/* Shared by the caller and the thread; whoever is last frees it. */
typedef struct {
	gint references, done;
	Target *t;
	LimitedFunc func;
	int arg;
	bool ok, left_behind; /* left_behind: under `lock` */
	GError *error;
	GMutex lock;
} Order;

static void release(Order *o)
{
	if (!g_atomic_int_dec_and_test(&o->references))
		return;
	g_clear_error(&o->error);
	g_mutex_clear(&o->lock);
	g_free(o);
}

static gpointer run(gpointer user)
{
	Order *o = user;
	o->ok = o->func(o->t, o->arg, &o->error);
	g_mutex_lock(&o->lock);
	g_atomic_int_set(&o->done, 1);
	if (o->left_behind)
		g_atomic_int_add(&o->t->left_behind, -1);
	g_mutex_unlock(&o->lock);
	release(o);
	g_main_context_wakeup(NULL);
	return NULL;
}

static gboolean on_look(gpointer user)
{
	return G_SOURCE_CONTINUE;
}

bool limited_wait(double seconds, bool (*is_done)(gpointer user), gpointer user)
{
	gint64 end = g_get_monotonic_time() + (gint64)(seconds * G_USEC_PER_SEC);
	guint left_ms = (guint)CLAMP(seconds * 1000, 1, LOOK_MS);
	guint look = g_timeout_add(left_ms, on_look, NULL);
	bool done;
	while (!(done = is_done(user)) && !kx_cancelled() && g_get_monotonic_time() < end)
		g_main_context_iteration(NULL, TRUE);
	g_source_remove(look);
	return done;
}

static bool is_done(gpointer user)
{
	return g_atomic_int_get(&((Order *)user)->done);
}

/* True when it is still under way: it is not waited for any longer. */
static bool leave_behind(Order *o)
{
	g_mutex_lock(&o->lock);
	o->left_behind = !o->done;
	if (o->left_behind)
		g_atomic_int_inc(&o->t->left_behind);
	g_mutex_unlock(&o->lock);
	return o->left_behind;
}

static bool take_result(Order *o, double seconds, GError **error)
{
	if (leave_behind(o)) {
		if (kx_cancelled())
			g_set_error(error, KX_ERROR, KX_ERROR_CANCELLED, "stopped on request");
		else
			g_set_error(error, KX_ERROR, KX_ERROR_TIMEOUT,
				    "no answer to the order in %.3g s", seconds);
		return false;
	}
	if (o->error)
		g_propagate_error(error, g_steal_pointer(&o->error));
	else if (!o->ok)
		g_set_error(error, KX_ERROR, KX_ERROR_FAILED, "the order could not be given");
	return o->ok;
}

bool limited_call(Target *t, double seconds, LimitedFunc func, int arg, GError **error)
{
	Order *o = g_new0(Order, 1);
	*o = (Order){.references = 2, .t = t, .func = func, .arg = arg};
	g_mutex_init(&o->lock);
	GThread *thread = g_thread_try_new("order", run, o, error);
	if (!thread) {
		o->references = 1;
		release(o);
		return false;
	}
	g_thread_unref(thread);
	limited_wait(seconds, is_done, o);
	bool ok = take_result(o, seconds, error);
	release(o);
	return ok;
}

static bool none_left(gpointer user)
{
	return g_atomic_int_get(&((Target *)user)->left_behind) == 0;
}

bool limited_collect(Target *t, double seconds)
{
	gint64 end = g_get_monotonic_time() + (gint64)(seconds * G_USEC_PER_SEC);
	while (!none_left(t) && g_get_monotonic_time() < end) {
		g_main_context_iteration(NULL, FALSE);
		g_usleep(5000);
	}
	return none_left(t);
}
