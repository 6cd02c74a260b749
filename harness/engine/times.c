/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Where the time goes. */
#include "engine/engine-internal.h"

#include <stdlib.h>

static double since(gint64 from_us)
{
	return (double)(g_get_monotonic_time() - from_us) / G_USEC_PER_SEC;
}

void engine_spend_build(Engine *e, const json_t *seconds)
{
	e->times.source += kx_json_num(seconds, "fetch", 0) + kx_json_num(seconds, "import", 0);
	e->times.configure +=
		kx_json_num(seconds, "apply", 0) + kx_json_num(seconds, "configure", 0);
	e->times.compile += kx_json_num(seconds, "compile", 0);
}

void engine_spend_trial(Engine *e, const json_t *seconds)
{
	static const char *const parts[] = {"start", "restore", "launcher", "deliver",
					    "kexec", "boot",	"settle",   "stop"};
	double boot = 0, deadline = kx_json_num(seconds, "deadline", 0);
	for (guint i = 0; i < G_N_ELEMENTS(parts); i++)
		boot += kx_json_num(seconds, parts[i], 0);
	/* Never more than there was, whatever the parts overlap. */
	double total = kx_json_num(seconds, "total", boot + deadline);
	deadline = MIN(deadline, total);
	e->times.deadline += deadline;
	e->times.boot += MIN(boot, total - deadline);
}

void engine_spend_wait(Engine *e, double seconds)
{
	e->times.deadline += seconds;
}

static bool is_source_step(const char *step)
{
	return g_strcmp0(step, "fetch") == 0 || g_strcmp0(step, "import") == 0;
}

StoreTimes engine_times(const Engine *e)
{
	StoreTimes t = e->times;
	t.total = since(e->began_us);
	/* A job that still runs: so that a run that is killed now is accounted for nearly right. */
	double running = e->job.child ? since(e->job.accounted_us) : 0;
	if (e->job.kind == JOB_BUILD && is_source_step(e->job.step))
		t.source += running;
	else if (e->job.kind == JOB_BUILD)
		t.compile += running;
	else if (e->job.kind == JOB_BOOT)
		t.boot += MAX(running - e->job.trials_s, 0);
	t.harness = MAX(t.total - t.compile - t.boot - t.deadline - t.source - t.configure, 0);
	return t;
}

double engine_elapsed(const Engine *e)
{
	return e->before_s + since(e->began_us);
}

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;
	return (x > y) - (x < y);
}

double engine_median(const GArray *of, double fallback)
{
	if (!of->len)
		return fallback;
	g_autofree double *sorted = g_memdup2(of->data, of->len * sizeof(double));
	qsort(sorted, of->len, sizeof(double), by_value);
	return sorted[of->len / 2];
}
