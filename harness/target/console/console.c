/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "target/console/console.h"

#include "target/console/bounded.h"

/* A longer line is cut into several. */
#define MAX_LINE 8192

struct Console {
	Bounded *raw, *log, *text;
	bool variant;
	gint64 start_us, real_offset_us; /* real time − monotonic time */
	GString *line;
	gint64 line_us;
	guint64 bytes;
	ConsoleLineFunc on_line;
	gpointer user;
};

Console *console_new(const char *folder, gsize keep, gint64 start_us, ConsoleLineFunc on_line,
		     gpointer user, GError **error)
{
	g_autofree char *raw = g_build_filename(folder, "console.raw", NULL);
	g_autofree char *log = g_build_filename(folder, "console.log", NULL);
	Console *c = g_new0(Console, 1);
	c->start_us = start_us;
	c->real_offset_us = g_get_real_time() - g_get_monotonic_time();
	c->line = g_string_new(NULL);
	c->on_line = on_line;
	c->user = user;
	c->raw = bounded_new(raw, keep, error);
	c->log = c->raw ? bounded_new(log, keep, error) : NULL;
	c->text = c->log ? bounded_new(NULL, keep, error) : NULL;
	if (c->text)
		return c;
	console_free(c);
	return NULL;
}

/* "2026-11-22T14:35:04.123456Z +1.234567 ": real time, and seconds since the boot began. */
static void append_time(GString *s, const Console *c, gint64 us)
{
	gint64 real = us + c->real_offset_us;
	g_autoptr(GDateTime) t = g_date_time_new_from_unix_utc(real / G_USEC_PER_SEC);
	g_autofree char *date = g_date_time_format(t, "%Y-%m-%dT%H:%M:%S");
	gint64 since = us - c->start_us;
	g_string_append_printf(s, "%s.%06dZ +%d.%06d ", date, (int)(real % G_USEC_PER_SEC),
			       (int)(since / G_USEC_PER_SEC), (int)(since % G_USEC_PER_SEC));
}

static void end_line(Console *c)
{
	g_autoptr(GString) stamped = g_string_sized_new(c->line->len + 48);
	append_time(stamped, c, c->line_us);
	g_string_append_len(stamped, c->line->str, (gssize)c->line->len);
	g_string_append_c(stamped, '\n');
	bounded_add(c->log, stamped->str, stamped->len);
	if (c->variant) {
		bounded_add(c->text, c->line->str, c->line->len);
		bounded_add(c->text, "\n", 1);
	}
	if (c->on_line)
		c->on_line(c->line->str, c->line_us, c->user);
	g_string_truncate(c->line, 0);
}

void console_feed(Console *c, const char *data, gsize len, gint64 now_us)
{
	bounded_add(c->raw, data, len);
	c->bytes += len;
	while (len > 0) {
		if (c->line->len == 0)
			c->line_us = now_us;
		gsize n = 0;
		while (n < len && n < MAX_LINE - c->line->len && data[n] != '\n' &&
		       data[n] != '\r' && data[n] != 0)
			n++;
		g_string_append_len(c->line, data, (gssize)n);
		data += n;
		len -= n;
		if (c->line->len >= MAX_LINE || (len > 0 && *data == '\n'))
			end_line(c);
		if (len > 0 && (*data == '\n' || *data == '\r' || *data == 0)) {
			data++; /* CR and NUL are in console.raw only */
			len--;
		}
	}
}

void console_mark_variant(Console *c)
{
	c->variant = true;
}

void console_end_variant(Console *c, const char *why, gint64 now_us)
{
	if (c->line->len > 0)
		end_line(c);
	c->variant = false;
	g_string_printf(c->line, "[kexsect: %s]", why);
	c->line_us = now_us;
	end_line(c);
}

guint64 console_bytes(const Console *c)
{
	return c->bytes;
}

guint64 console_dropped(const Console *c)
{
	return bounded_dropped(c->raw);
}

bool console_finish(Console *c, char **ret_text, GError **error)
{
	c->on_line = NULL;
	if (c->line->len > 0)
		end_line(c);
	bool ok = bounded_finish(g_steal_pointer(&c->text), ret_text, NULL);
	ok = bounded_finish(g_steal_pointer(&c->raw), NULL, error) && ok;
	ok = bounded_finish(g_steal_pointer(&c->log), NULL, ok ? error : NULL) && ok;
	console_free(c);
	return ok;
}

void console_free(Console *c)
{
	if (!c)
		return;
	bounded_free(c->raw);
	bounded_free(c->log);
	bounded_free(c->text);
	g_string_free(c->line, TRUE);
	g_free(c);
}
