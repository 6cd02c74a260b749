/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A few lines at the bottom of the terminal, redrawn some times a second. What stays (the verdict,
 * notes, with --verbose every event) scrolls above them. */
#include "engine/engine-internal.h"

#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define BAR 20

/* There is one terminal; kx_log_set_before's callback has no argument. */
static unsigned drawn;

static void clear(void)
{
	if (drawn)
		printf("\033[%uA\r\033[J", drawn);
	drawn = 0;
	fflush(stdout);
}

static unsigned columns(void)
{
	struct winsize size;
	if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col >= 20)
		return size.ws_col;
	return 80;
}

static bool unicode(void)
{
	return g_get_charset(NULL);
}

/* One line, cut at the terminal's edge so that the count of lines stays right. */
static void put(GString *out, const char *format, ...) G_GNUC_PRINTF(2, 3);

static void put(GString *out, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	g_autofree char *raw = g_strdup_vprintf(format, args);
	va_end(args);
	g_autofree char *text = g_utf8_make_valid(raw, -1);
	for (char *c = text; *c; c++)
		if ((guchar)*c < ' ')
			*c = ' ';
	g_autofree char *cut =
		g_utf8_substring(text, 0, MIN(g_utf8_strlen(text, -1), (glong)columns() - 1));
	g_string_append_printf(out, "%s\n", cut);
	drawn++;
}

static char *duration(double s)
{
	unsigned t = (unsigned)(s + 0.5);
	if (t < 60)
		return g_strdup_printf("%u s", t);
	if (t < 3600)
		return g_strdup_printf("%u min %02u s", t / 60, t % 60);
	return g_strdup_printf("%u h %02u min", t / 3600, t / 60 % 60);
}

static char *bar(double part, unsigned width)
{
	GString *s = g_string_new(NULL);
	unsigned full = (unsigned)(CLAMP(part, 0, 1) * width + 0.5);
	for (unsigned i = 0; i < width; i++)
		g_string_append(s, unicode() ? (i < full ? "█" : "░") : (i < full ? "#" : "."));
	return g_string_free(s, FALSE);
}

static void put_head(Engine *e, GString *out)
{
	g_autofree char *elapsed = duration(engine_elapsed(e));
	g_autoptr(GString) counts = g_string_new(NULL);
	unsigned trials = 0;
	for (int i = 0; i < 6; i++) {
		trials += e->outcomes[i];
		if (e->outcomes[i])
			g_string_append_printf(counts, "%s%u %s", counts->len ? ", " : ": ",
					       e->outcomes[i], engine_outcomes[i]);
	}
	put(out, "%s  %s  %u trials%s  %u builds", e->run->slug, elapsed, trials, counts->str,
	    e->builds);
}

static void put_job(Engine *e, GString *out)
{
	const EngineJob *j = &e->job;
	if (!j->child) {
		put(out, "  now    waiting");
		return;
	}
	g_autofree char *name = j->launcher ? g_strdup("launcher") : engine_set_name(e, j->mask);
	g_autofree char *took =
		duration((double)(g_get_monotonic_time() - j->started_us) / G_USEC_PER_SEC);
	g_autofree char *meter = j->total > 0 ? bar(j->done / j->total, BAR / 2) : g_strdup("");
	g_autofree char *percent =
		j->total > 0 ? g_strdup_printf(" %.0f %%", 100 * MIN(j->done / j->total, 1))
			     : g_strdup("");
	if (j->kind == JOB_BUILD)
		put(out, "  now    build%s %s: %s %s%s  %s", j->clean ? " (clean)" : "", name,
		    j->step ? j->step : "start", meter, percent, took);
	else
		put(out, "  now    trial %u (%u of %u), %s%s: %s, %s", j->first + j->seen,
		    MIN(j->seen + 1, j->boots), j->boots, j->mode, j->clean ? ", clean build" : "",
		    j->step ? j->step : "start", name);
	if (*e->next.reason)
		put(out, "  why    %s", e->next.reason);
}

static void put_belief(Engine *e, GString *out)
{
	for (guint i = 0; i < e->n_top; i++) {
		g_autofree char *name = engine_hypothesis_name(e, &e->top[i]);
		g_autofree char *meter = bar(e->top[i].probability, BAR);
		put(out, "  %5.3f  %s  %s", e->top[i].probability, meter, name);
	}
}

static void put_progress(Engine *e, GString *out)
{
	unsigned done, planned;
	if (!e->plan || !e->plan->progress)
		return;
	e->plan->progress(e, &done, &planned);
	g_autofree char *meter = bar(planned ? (double)done / planned : 1, BAR);
	put(out, "  table  %s  %u of %u boots", meter, done, planned);
}

static void put_foot(Engine *e, GString *out)
{
	double left = engine_time_left(e);
	g_autofree char *text = left >= 0 ? duration(left) : NULL;
	if (!e->n_top && text)
		put(out, "  time left ~%s", text);
	if (e->n_top)
		put(out,
		    "  time left ~%s   a faulty variant faults in %.0f %% of boots (%.0f–%.0f)",
		    text ? text : "?", 100 * e->rates.q_mean, 100 * e->rates.q_low,
		    100 * e->rates.q_high);
}

static void tick(Engine *e)
{
	g_autoptr(GString) out = g_string_new(NULL);
	clear();
	put_head(e, out);
	put_job(e, out);
	put_belief(e, out);
	put_progress(e, out);
	put_foot(e, out);
	fputs(out->str, stdout);
	fflush(stdout);
}

static bool stays(const Engine *e, const json_t *o)
{
	static const char *const kinds[] = {"campaign", "note", "verdict", NULL};
	return e->options->verbose || g_strv_contains(kinds, kx_json_str(o, "event"));
}

static void event(Engine *e, const json_t *o)
{
	if (!stays(e, o))
		return;
	clear();
	engine_view_plain.event(e, o);
}

const EngineView engine_view_terminal = {
	.name = "terminal", .event = event, .tick = tick, .clear = clear};
