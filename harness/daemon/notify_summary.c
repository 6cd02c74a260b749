/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The summary of the night, every morning: what `kexsect summary` prints. */
#include <string.h>

#include "base/error.h"
#include "daemon/notify-internal.h"

#define SUMMARY_WAIT_S 60 /* after one that failed */

static char *iso_time(gint64 us)
{
	g_autoptr(GDateTime) t = g_date_time_new_from_unix_utc(us / G_USEC_PER_SEC);
	return t ? g_date_time_format(t, "%FT%TZ") : g_strdup("24h");
}

static void on_summary_line(const char *line, gpointer user)
{
	Daemon *d = user;
	g_string_append_printf(d->notify->summary_text, "%s\n", line);
}

static void on_summary_end(int status, gpointer user)
{
	Daemon *d = user;
	Notify *y = d->notify;
	g_autoptr(GError) error = NULL;
	y->summary = NULL;
	y->summary_wait_us = g_get_monotonic_time() + (gint64)SUMMARY_WAIT_S * G_USEC_PER_SEC;
	if (y->stopping)
		daemon_replan(d);
	if (status != 0) {
		g_warning("the summary for %s could not be made; it is tried again",
			  y->summary_for);
		return;
	}
	/* its first line says of what, and from when to when */
	g_autofree char *first =
		g_strndup(y->summary_text->str, strcspn(y->summary_text->str, "\n"));
	g_autofree char *title = g_strdup_printf("summary of %s", first);
	g_autoptr(json_t) content = json_pack("{s:o, s:o}", "title", kx_json_text(title), "text",
					      kx_json_text(y->summary_text->str));
	if (!queue_add_notice(d->queue, y->summary_for, "summary", content, y->summary_moment,
			      &error))
		daemon_in_trouble(d, error);
	else
		y->summary_wait_us = 0;
	Receiver *r = g_hash_table_lookup(y->receivers, y->summary_for);
	if (r)
		r->look_us = 0;
}

static void start_summary(Daemon *d, const ConfigNotify *c, gint64 last_us, gint64 moment_us)
{
	Notify *y = d->notify;
	g_autoptr(GError) error = NULL;
	/* a first one is about a day, too */
	g_autofree char *since = iso_time(MIN(last_us, moment_us - DAY_S * G_USEC_PER_SEC));
	g_free(y->summary_for);
	y->summary_for = g_strdup(c->name);
	y->summary_moment = moment_us;
	g_string_truncate(y->summary_text, 0);
	y->summary =
		summary_spawn(d, since, "text", NULL, on_summary_line, on_summary_end, d, &error);
	if (!y->summary)
		on_summary_end(1, d);
}

void notify_summarise(Daemon *d)
{
	Notify *y = d->notify;
	if (y->summary || y->stopping || g_get_monotonic_time() < y->summary_wait_us)
		return;
	for (unsigned i = 0; i < d->config->notify_count; i++) {
		const ConfigNotify *c = &d->config->notify[i];
		if (!c->at)
			continue;
		g_autoptr(GError) error = NULL;
		gint64 last = queue_last_summary(d->queue, c->name, &error);
		gint64 moment = notify_moment(c->at_minutes, g_get_real_time(), d->zone);
		if (last > 0 && moment > last) {
			start_summary(d, c, last, moment);
			return;
		}
	}
}
