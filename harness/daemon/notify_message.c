/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The words of a notification. */
#include <math.h>
#include <string.h>

#include "daemon/notify.h"

#define FIRST_S 30
#define LONGEST_S 3600
#define LONGEST_TITLE 160

static const char *text_of(const json_t *o, const char *key)
{
	const char *text = kx_json_str(o, key);
	return text ? text : "";
}

/* One line, without what a terminal obeys: names and reasons are strangers' words. */
static char *plain(const char *text)
{
	char *out = g_utf8_make_valid(text, -1);
	for (char *p = out; *p; p++)
		if (g_ascii_iscntrl(*p))
			*p = ' ';
	return out;
}

/* Never rounded up to a certainty. */
static void append_p(GString *out, double p)
{
	if (p > 0.9999)
		g_string_append(out, " (p > 0.9999)");
	else
		g_string_append_printf(out, " (p = %.3f)", floor(p * 1e3 + 1e-9) / 1e3);
}

/* "vtd-window: A cures the fault (p = 0.995)" */
static char *gist(const json_t *line)
{
	const json_t *verdict = json_object_get(line, "verdict");
	const char *name = text_of(line, "name"), *text = text_of(line, "text");
	g_autoptr(GString) out = g_string_new(NULL);
	g_string_append_printf(out, "%s%s%s",
			       *name   ? name
			       : *text ? ""
				       : "the daemon",
			       *name && *text ? ": " : "", text);
	if (json_object_get(verdict, "probability") && *text_of(verdict, "sentence"))
		append_p(out, kx_json_num(verdict, "probability", 0));
	return plain(out->str);
}

static char *shorten(const char *text)
{
	glong len = g_utf8_strlen(text, -1);
	if (len <= LONGEST_TITLE)
		return g_strdup(text);
	g_autofree char *cut = g_utf8_substring(text, 0, LONGEST_TITLE - 1);
	return g_strconcat(cut, "…", NULL);
}

/* How often each kind is there: "3 verdict, 1 stall" */
static char *count_kinds(const json_t *lines)
{
	g_autoptr(json_t) counts = json_object();
	g_autoptr(GString) out = g_string_new(NULL);
	size_t i;
	json_t *line, *n;
	json_array_foreach (lines, i, line) {
		const char *kind = text_of(line, "kind");
		json_object_set_new(counts, kind, json_integer(kx_json_int(counts, kind, 0) + 1));
	}
	const char *kind;
	json_object_foreach (counts, kind, n)
		g_string_append_printf(out, "%s%d %s", out->len ? ", " : "",
				       (int)json_integer_value(n), kind);
	return g_strdup(out->str);
}

static void append_progress(GString *out, const json_t *line)
{
	const json_t *p = json_object_get(line, "progress");
	if (kx_json_int(p, "trials", 0))
		g_string_append_printf(out, "%d boots", (int)kx_json_int(p, "trials", 0));
	if (kx_json_int(p, "builds", 0))
		g_string_append_printf(out, ", %d builds", (int)kx_json_int(p, "builds", 0));
	if (*text_of(line, "target"))
		g_string_append_printf(out, "%son %s", kx_json_int(p, "trials", 0) ? ", " : "",
				       text_of(line, "target"));
}

static void append_field(GString *out, const char *name, const char *value)
{
	g_autofree char *text = plain(value);
	if (*text)
		g_string_append_printf(out, "%-9s %s\n", name, text);
}

/* All that there is to say of one line. */
static void append_details(GString *out, const json_t *line, const char *results)
{
	g_autofree char *first = gist(line);
	g_autoptr(GString) work = g_string_new(NULL);
	g_string_append_printf(out, "%s: %s\n", text_of(line, "kind"), first);
	append_field(out, "question", text_of(line, "question"));
	append_progress(work, line);
	append_field(out, "so far", work->str);
	append_field(out, "owner", text_of(line, "owner"));
	if (*text_of(line, "run")) {
		g_autofree char *quoted = g_shell_quote(results);
		g_autofree char *command = g_strdup_printf("kexsect report %s --results %s",
							   text_of(line, "run"), quoted);
		append_field(out, "report", command);
	}
}

static void describe(const json_t *lines, const char *results, GString *title, GString *text)
{
	size_t i;
	json_t *line;
	if (json_array_size(lines) == 1) {
		g_autofree char *what = gist(json_array_get(lines, 0));
		g_autofree char *cut = shorten(what);
		g_string_append_printf(title, "%s: %s", text_of(json_array_get(lines, 0), "kind"),
				       cut);
		append_details(text, json_array_get(lines, 0), results);
		return;
	}
	g_autofree char *kinds = count_kinds(lines);
	g_string_append_printf(title, "%zu notices: %s", json_array_size(lines), kinds);
	g_string_append_printf(text, "%s\n", title->str);
	json_array_foreach (lines, i, line) {
		g_autofree char *what = gist(line);
		g_string_append_printf(text, "%s: %s\n", text_of(line, "kind"), what);
	}
}

json_t *notify_message(const Notice *n, const char *host, const char *results)
{
	const json_t *lines = json_object_get(n->content, "lines");
	g_autoptr(GString) title = g_string_new("kexsect: "), text = g_string_new(NULL);
	gint64 time_us = n->created_us;
	if (lines) {
		g_autoptr(GString) what = g_string_new(NULL);
		describe(lines, results, what, text);
		g_string_append(title, what->str);
		time_us = kx_json_int(json_array_get(lines, 0), "time_us", time_us);
	} else {
		g_string_append(title, text_of(n->content, "title"));
		g_string_append(text, text_of(n->content, "text"));
	}
	json_t *o = json_pack("{s:s, s:I, s:o, s:o, s:o}", "type", n->type, "time_us",
			      (json_int_t)time_us, "host", kx_json_text(host), "title",
			      kx_json_text(title->str), "text", kx_json_text(text->str));
	if (lines)
		json_object_set(o, "lines", (json_t *)lines);
	return o;
}

static void set(json_t *o, const char *key, const char *value)
{
	if (value)
		json_object_set_new(o, key, kx_json_text(value));
}

json_t *notify_request(const ConfigNotify *c, const Notice *n, const char *host,
		       const char *results)
{
	json_t *o = json_pack("{s:s, s:s, s:i, s:o}", "receiver", c->name, "id", n->uuid, "attempt",
			      (int)n->attempts, "message", notify_message(n, host, results));
	json_t *way = json_object();
	set(o, "ca_file", c->ca_file);
	if (c->mail_count) {
		json_t *to = json_array();
		for (unsigned i = 0; i < c->mail_count; i++)
			json_array_append_new(to, kx_json_text(c->mail[i]));
		json_object_set_new(way, "to", to);
		set(way, "from", c->from);
		set(way, "smtp", c->smtp);
		set(way, "user", c->user);
		set(way, "password_file", c->password_file);
		json_object_set_new(way, "starttls", json_boolean(c->starttls));
	} else {
		set(way, "url", c->webhook);
		set(way, "url_file", c->webhook_file);
		set(way, "secret_file", c->secret_file);
		set(way, "format", c->format);
	}
	json_object_set_new(o, c->mail_count ? "mail" : "webhook", way);
	return o;
}

gint64 notify_moment(unsigned minutes, gint64 now_us, GTimeZone *zone)
{
	g_autoptr(GDateTime) utc = g_date_time_new_from_unix_utc(now_us / G_USEC_PER_SEC);
	g_autoptr(GDateTime) now = utc ? g_date_time_to_timezone(utc, zone) : NULL;
	if (!now)
		return 0;
	for (int back = 0; back <= 1; back++) {
		g_autoptr(GDateTime) day = g_date_time_add_days(now, -back);
		g_autoptr(GDateTime) at =
			g_date_time_new(zone, g_date_time_get_year(day), g_date_time_get_month(day),
					g_date_time_get_day_of_month(day), (gint)minutes / 60,
					(gint)minutes % 60, 0);
		gint64 us = at ? g_date_time_to_unix(at) * G_USEC_PER_SEC : G_MAXINT64;
		if (us <= now_us)
			return us;
	}
	return 0;
}

double notify_backoff_s(unsigned attempts, double scale)
{
	return MIN(FIRST_S * pow(2, (double)MIN(attempts, 20) - 1), LONGEST_S) * scale;
}
