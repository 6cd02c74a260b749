/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One line per event on standard output, for logs. */
#include "engine/engine-internal.h"

#include <math.h>
#include <stdio.h>

static char *clock_text(double s)
{
	unsigned t = (unsigned)s;
	return g_strdup_printf("%2u:%02u:%02u", t / 3600, t / 60 % 60, t % 60);
}

static void line(const json_t *o, const char *word, const char *format, ...) G_GNUC_PRINTF(3, 4);

static void line(const json_t *o, const char *word, const char *format, ...)
{
	g_autofree char *at = clock_text(kx_json_num(o, "elapsed", 0));
	printf("%s  %-8s ", at, word);
	va_list args;
	va_start(args, format);
	vprintf(format, args);
	va_end(args);
	putchar('\n');
	fflush(stdout);
}

static void on_build(const json_t *o)
{
	const char *names = kx_json_str(o, "name");
	const char *status = kx_json_str(o, "status"), *reason = kx_json_str(o, "reason");
	bool ok = g_str_equal(status, "ok");
	line(o, "build", "%s%s: %s%s%s (%.1f s)",
	     kx_json_bool(o, "launcher", false) ? "launcher" : names,
	     kx_json_bool(o, "clean", false) ? ", clean" : "", status, ok ? "" : ": ",
	     ok ? (kx_json_bool(o, "cached", false) ? ", from the cache" : "") : reason,
	     kx_json_num(o, "seconds", 0));
}

static void on_trial(const json_t *o)
{
	const char *names = kx_json_str(o, "name");
	line(o, "trial", "%4d  %-7s %s (%s%s, %s): %s (%.1f s)", (int)kx_json_int(o, "trial", 0),
	     kx_json_str(o, "outcome"), names, kx_json_str(o, "mode"),
	     kx_json_bool(o, "clean", false) ? ", clean build" : "", kx_json_str(o, "purpose"),
	     kx_json_str(o, "reason"), kx_json_num(o, "seconds", 0));
}

static void on_recovery(const json_t *o)
{
	line(o, "recovery", "%s: %s %s: %s (%.1f s)", kx_json_str(o, "target"),
	     kx_json_str(o, "step"), kx_json_bool(o, "ok", false) ? "worked" : "failed",
	     kx_json_str(o, "detail"), kx_json_num(o, "seconds", 0));
}

static void on_leader(const json_t *o)
{
	if (kx_json_bool(o, "changed", true))
		line(o, "leader", "%s, probability %.3f", kx_json_str(o, "name"),
		     kx_json_num(o, "probability", 0));
}

static void on_verdict(const json_t *o)
{
	if (g_str_equal(kx_json_str(o, "kind"), "table")) {
		line(o, "table", "%s", kx_json_str(o, "reason"));
		return;
	}
	/* never rounded up: nothing is certain */
	double p = floor(kx_json_num(o, "probability", 0) * 1e4) / 1e4;
	line(o, "verdict", "%s: %s (probability %.4f)", kx_json_str(o, "kind"),
	     kx_json_str(o, "reason"), MIN(p, 0.9999));
	if (g_str_equal(kx_json_str(o, "kind"), "cause"))
		line(o, "verdict", "%s", kx_json_str(o, "sentence"));
}

static void on_experiment(const json_t *o)
{
	g_autofree char *bits = g_strdup_printf("%.2f bits, ", kx_json_num(o, "bits", 0));
	line(o, "next", "%s, up to %d boots: %s [%s%.0f s]", kx_json_str(o, "name"),
	     (int)kx_json_int(o, "boots", 0), kx_json_str(o, "reason"),
	     json_object_get(o, "bits") ? bits : "", kx_json_num(o, "cost_s", 0));
}

/* Of a plan that knows how many boots it takes. */
static void on_progress(const json_t *o)
{
	double left = kx_json_num(o, "seconds_left", 0);
	g_autofree char *minutes = g_strdup_printf("%.0f min", ceil(left / 60));
	line(o, "progress", "%d of %d boots, about %s left", (int)kx_json_int(o, "done", 0),
	     (int)kx_json_int(o, "planned", 0), left < 60 ? "a minute" : minutes);
}

static void on_step(const json_t *o)
{
	const char *detail = kx_json_str(o, "detail");
	line(o, "step", "%s: %s %s", kx_json_str(o, "job"), kx_json_str(o, "step"),
	     detail ? detail : "");
}

/* Warnings are messages already, and trials that are cut off at the end of a batch are routine. */
static bool is_news(const Engine *e, const json_t *o)
{
	return g_str_equal(kx_json_str(o, "level"), "info") &&
	       (e->options->verbose || !g_str_equal(kx_json_str(o, "kind"), "cut-off"));
}

static void event(Engine *e, const json_t *o)
{
	const char *name = kx_json_str(o, "event");
	if (g_str_equal(name, "campaign"))
		line(o, "run", "%s: %s", kx_json_str(o, "run"), kx_json_str(o, "title"));
	else if (g_str_equal(name, "build"))
		on_build(o);
	else if (g_str_equal(name, "trial"))
		on_trial(o);
	else if (g_str_equal(name, "recovery"))
		on_recovery(o);
	else if (g_str_equal(name, "leader"))
		on_leader(o);
	else if (g_str_equal(name, "verdict"))
		on_verdict(o);
	else if (g_str_equal(name, "experiment") && e->options->verbose)
		on_experiment(o);
	else if (g_str_equal(name, "experiment") && json_object_get(o, "planned"))
		on_progress(o);
	else if (g_str_equal(name, "step"))
		on_step(o);
	else if (g_str_equal(name, "note") && is_news(e, o))
		line(o, "note", "%s", kx_json_str(o, "text"));
}

/* Where a long job is, for whoever watches a log. */
static void beat(Engine *e)
{
	const EngineJob *j = &e->job;
	double s = (double)(g_get_monotonic_time() - j->started_us) / G_USEC_PER_SEC;
	if (!j->child || j->kind != JOB_BUILD || s < 20)
		return;
	g_autofree char *name = j->launcher ? g_strdup("launcher") : engine_set_name(e, j->mask);
	g_autofree char *percent =
		j->total > 0 ? g_strdup_printf(" %.0f %%", 100 * MIN(j->done / j->total, 1))
			     : g_strdup("");
	g_autoptr(json_t) now = json_pack("{s:f}", "elapsed", engine_elapsed(e));
	line(now, "building", "%s%s: %s%s (%.0f s)", name, j->clean ? ", clean" : "",
	     j->step ? j->step : "start", percent, s);
}

const EngineView engine_view_plain = {.name = "plain", .event = event, .beat = beat};
