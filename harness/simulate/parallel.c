/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "simulate/parallel.h"

#include <math.h>
#include <stdlib.h>

#define PROGRESS_US (200 * 1000)

typedef struct {
	guint n;
	void (*one)(guint i, gpointer user);
	gpointer user;
	gint next, done, stop; /* atomic */
} Work;

static gpointer worker(gpointer user)
{
	Work *w = user;
	while (!g_atomic_int_get(&w->stop)) {
		guint i = (guint)g_atomic_int_add(&w->next, 1);
		if (i >= w->n)
			break;
		w->one(i, w->user);
		g_atomic_int_inc(&w->done);
	}
	return NULL;
}

void sim_parallel(guint n, guint threads, void (*one)(guint i, gpointer user), gpointer user,
		  SimProgress progress, gpointer progress_user)
{
	Work w = {.n = n, .one = one, .user = user};
	g_autoptr(GPtrArray) pool = g_ptr_array_new();
	threads = MIN(threads ? threads : g_get_num_processors(), n);
	for (guint i = 0; i < threads; i++)
		g_ptr_array_add(pool, g_thread_new("simulate", worker, &w));
	gint64 told = g_get_monotonic_time();
	for (guint done; (done = (guint)g_atomic_int_get(&w.done)) < n;) {
		if (progress && g_get_monotonic_time() - told >= PROGRESS_US) {
			told = g_get_monotonic_time();
			if (!progress(done, n, progress_user))
				g_atomic_int_set(&w.stop, 1);
		}
		if (g_atomic_int_get(&w.stop))
			break;
		g_usleep(2000);
	}
	for (guint i = 0; i < pool->len; i++)
		g_thread_join(pool->pdata[i]);
}

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;
	return (x > y) - (x < y);
}

double sim_quantile(double *values, guint n, double p)
{
	qsort(values, n, sizeof(*values), by_value);
	return values[MIN((guint)fmax(ceil(p * n), 1), n) - 1];
}
