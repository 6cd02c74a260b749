/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "daemon/stall.h"

#include "daemon/daemon-internal.h"

#define KEY "stalled_us"

static gint64 since_us(const Submission *s)
{
	return MAX(s->worked_us, s->started_us);
}

void stall_event(Daemon *d, Submission *s, const json_t *event)
{
	const char *kind = kx_json_str(event, "event");
	if (g_strcmp0(kind, "trial") != 0 && g_strcmp0(kind, "build") != 0)
		return;
	gint64 now = g_get_real_time(), stalled = kx_json_int(s->progress, KEY, 0);
	s->worked_us = now;
	if (!stalled)
		return;
	json_object_del(s->progress, KEY);
	g_autofree char *text =
		g_strdup_printf("it gets on again, %.0f minutes after that was missed",
				(double)(now - stalled) / 60e6);
	daemon_save(d, s, "stall-over", text);
}

static void look(Daemon *d, Submission *s, gint64 now)
{
	/* shorter with a shorter wait after failures, as all waits */
	double limit_us = d->config->limits.stall_minutes * 60e6 * MIN(d->o.retry_s / 10, 1);
	double idle_us = (double)(now - since_us(s));
	if (s->state != SUBMISSION_RUNNING || !s->sitting || sitting_is_stopping(s) ||
	    idle_us < limit_us || kx_json_int(s->progress, KEY, 0))
		return;
	json_object_set_new(s->progress, KEY, json_integer(now));
	g_autofree char *text =
		g_strdup_printf("no trial and no build has ended for %.0f minutes on %s",
				idle_us / 60e6, s->target);
	g_warning("submission %" G_GINT64_FORMAT ": %s", s->id, text);
	daemon_save(d, s, "stall", text);
}

void stall_tick(Daemon *d)
{
	gint64 now = g_get_real_time();
	for (guint i = 0; d->config->limits.stall_minutes && i < d->active->len; i++)
		look(d, d->active->pdata[i], now);
}
