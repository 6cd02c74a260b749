/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What Prometheus scrapes: text format 0.0.4. Labels are words of ours, never a stranger's text. */
#include "http/http-internal.h"

static void begin(GString *out, const char *name, const char *type, const char *help)
{
	g_string_append_printf(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

static void each(GString *out, const char *name, const char *label, const json_t *values)
{
	const char *key;
	json_t *value;
	json_object_foreach ((json_t *)values, key, value)
		g_string_append_printf(out, "%s{%s=\"%s\"} %" JSON_INTEGER_FORMAT "\n", name, label,
				       key, json_integer_value(value));
}

static void one(GString *out, const char *name, const char *type, const char *help, guint64 value)
{
	begin(out, name, type, help);
	g_string_append_printf(out, "%s %" G_GUINT64_FORMAT "\n", name, value);
}

HttpReply http_metrics(Http *h)
{
	g_autoptr(json_t) census = daemon_census(h->d);
	g_autoptr(json_t) targets = daemon_targets(h->d);
	GString *out = g_string_new(NULL);
	guint64 slots = 0, taken = 0;
	size_t i;
	json_t *t;
	json_array_foreach (targets, i, t) {
		slots += (guint64)kx_json_int(t, "slots", 0);
		taken += json_array_size(json_object_get(t, "leases"));
	}
	begin(out, "kexsect_submissions", "gauge", "Submissions that are not over, by state.");
	each(out, "kexsect_submissions", "state", json_object_get(census, "states"));
	begin(out, "kexsect_disk_free_bytes", "gauge", "Room that is left, by folder.");
	each(out, "kexsect_disk_free_bytes", "folder", json_object_get(census, "disks"));
	one(out, "kexsect_trouble", "gauge", "1 while nothing starts (disk, database).",
	    !json_is_null(json_object_get(census, "trouble")));
	const json_t *notices = json_object_get(census, "notices");
	one(out, "kexsect_notices_pending", "gauge", "Notifications that are not delivered yet.",
	    (guint64)kx_json_int(notices, "pending", 0));
	one(out, "kexsect_notices_given_up", "gauge",
	    "Notifications of 30 days that were given up.",
	    (guint64)kx_json_int(notices, "given_up", 0));
	one(out, "kexsect_targets", "gauge", "Targets that are known.", json_array_size(targets));
	one(out, "kexsect_target_slots", "gauge", "Places on all targets.", slots);
	one(out, "kexsect_target_leases", "gauge", "Places that are taken.", taken);
	one(out, "kexsect_http_connections", "gauge", "Open connections.", g_list_length(h->peers));
	one(out, "kexsect_http_streams", "gauge", "Readers of events.", h->streams);
	one(out, "kexsect_http_dropped_total", "counter", "Connections that were too slow.",
	    h->dropped);
	if (h->expires_s)
		one(out, "kexsect_http_certificate_expires_seconds", "gauge",
		    "When the certificate ends, since 1970 UTC.", (guint64)h->expires_s);
	begin(out, "kexsect_http_requests_total", "counter", "Answers by class of status.");
	for (int c = 2; c <= 5; c++)
		g_string_append_printf(
			out, "kexsect_http_requests_total{class=\"%dxx\"} %" G_GUINT64_FORMAT "\n",
			c, h->answered[c]);
	return (HttpReply){.status = 200,
			   .text = g_string_free(out, FALSE),
			   .type = "text/plain; version=0.0.4; charset=utf-8"};
}
