/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The morning report. */
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "base/log.h"
#include "cmd/command.h"
#include "daemon/client.h"
#include "report/summary.h"

enum { OPT_SINCE = OPT_COMMAND, OPT_FORMAT };

static const struct option options[] = {OPTION_HELP,
					OPTION_JSON,
					OPTION_SOCKET,
					{"since", required_argument, NULL, OPT_SINCE},
					{"format", required_argument, NULL, OPT_FORMAT},
					{"output", required_argument, NULL, 'o'},
					{0}};

typedef struct {
	const char *socket, *format, *output;
	gint64 since_us;
} Own;

/* "90m", "12h", "3d" */
static bool parse_duration(const char *text, gint64 now_us, gint64 *ret)
{
	char *end;
	guint64 n = g_ascii_strtoull(text, &end, 10);
	gint64 unit = g_str_equal(end, "m")   ? 60
		      : g_str_equal(end, "h") ? 3600
		      : g_str_equal(end, "d") ? 86400
					      : 0;
	if (!g_ascii_isdigit(*text) || !unit || n > 100000)
		return false;
	*ret = now_us - (gint64)n * unit * G_USEC_PER_SEC;
	return true;
}

/* The last "22:00" of the wall clock. */
static bool parse_clock(const char *text, gint64 now_us, gint64 *ret)
{
	unsigned hour, minute;
	char end;
	if (strlen(text) != 5 || sscanf(text, "%2u:%2u%c", &hour, &minute, &end) != 2 ||
	    hour > 23 || minute > 59)
		return false;
	g_autoptr(GDateTime) now = g_date_time_new_from_unix_local(now_us / G_USEC_PER_SEC);
	for (int back = 0; back <= 1; back++) {
		g_autoptr(GDateTime) day = g_date_time_add_days(now, -back);
		g_autoptr(GDateTime) at = g_date_time_new_local(
			g_date_time_get_year(day), g_date_time_get_month(day),
			g_date_time_get_day_of_month(day), (gint)hour, (gint)minute, 0);
		*ret = at ? g_date_time_to_unix(at) * G_USEC_PER_SEC : G_MAXINT64;
		if (*ret <= now_us)
			return true;
	}
	return false;
}

static bool parse_iso(const char *text, gint64 *ret)
{
	g_autoptr(GTimeZone) here = g_time_zone_new_local();
	g_autofree char *full = strlen(text) == 10   ? g_strconcat(text, "T00:00:00", NULL)
				: strlen(text) == 16 ? g_strconcat(text, ":00", NULL)
						     : g_strdup(text);
	g_autoptr(GDateTime) t = g_date_time_new_from_iso8601(full, here);
	if (t)
		*ret = g_date_time_to_unix(t) * G_USEC_PER_SEC;
	return t != NULL;
}

static bool set_since(Own *o, const char *text)
{
	gint64 now = g_get_real_time();
	if ((parse_duration(text, now, &o->since_us) || parse_clock(text, now, &o->since_us) ||
	     parse_iso(text, &o->since_us)) &&
	    o->since_us >= 0)
		return true;
	g_printerr("kexsect: --since %s: a time of the day (22:00), a duration (90m, 12h, 3d) or a "
		   "date (2026-11-22T22:00) is wanted\n",
		   text);
	return false;
}

static bool own(int option, const char *value, gpointer user)
{
	Own *o = user;
	switch (option) {
	case OPT_SINCE:
		return set_since(o, value);
	case OPT_SOCKET:
		o->socket = value;
		return true;
	case OPT_FORMAT:
		o->format = value;
		return true;
	case 'o':
		o->output = value;
		return true;
	default:
		return false;
	}
}

static int run(int argc, char **argv)
{
	static const char *const formats[] = {"text", "md", "html", "json", NULL};
	g_auto(CommonOptions) common = {0};
	Own o = {.since_us = g_get_real_time() - (gint64)12 * 3600 * G_USEC_PER_SEC};
	int status = cmd_parse(&cmd_summary, argc, argv, options, own, &o, &common, 0, 0);
	if (status >= 0)
		return status;
	if (!o.format)
		o.format = common.json ? "json" : "text";
	if (!g_strv_contains(formats, o.format))
		return cmd_usage(&cmd_summary, "there is no format '%s'", o.format);
	GError *error = NULL;
	g_autoptr(Client) c = client_new(o.socket, &error);
	g_autoptr(json_t) answer = c ? client_ask(c,
						  json_pack("{s:s, s:I}", "do", "summary",
							    "since_us", (json_int_t)o.since_us),
						  &error)
				     : NULL;
	if (!answer)
		return cmd_fail(error);
	json_t *doc = json_object_get(answer, "summary");
	summary_add_work(doc);
	g_autofree char *text = summary_render(doc, o.format, !o.output && kx_log_is_terminal());
	return cmd_write(text, o.output);
}

const Command cmd_summary = {
	.name = "summary",
	.arguments = "",
	.summary = "The morning report: what the daemon did in the night",
	.help = "  --since WHEN        22:00 (the last one), 90m, 12h, 3d, 2026-11-22T22:00 "
		"(default: 12h)\n"
		"  --format FORMAT     text (default), md, html or json\n"
		"  --json              the same as --format json\n"
		"  -o, --output FILE   where to (default: standard output)\n" HELP_SOCKET,
	.run = run,
};
