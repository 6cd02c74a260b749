/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "timeline-internal.h"

/* Characters that reorder or hide text, and those that no terminal should obey. */
static bool is_bad(gunichar c)
{
	return c < 0x20 || (c >= 0x7f && c < 0xa0) || (c >= 0x200b && c <= 0x200f) ||
	       (c >= 0x202a && c <= 0x202e) || (c >= 0x2060 && c <= 0x206f) || c == 0xfeff ||
	       (c >= 0xe0000 && c <= 0xe007f) || (c & 0xfffe) == 0xfffe;
}

static void put(GString *out, const char *s, gsize max, bool xml)
{
	g_autofree char *valid = g_utf8_make_valid(s ? s : "", -1);
	gsize n = 0;
	for (const char *p = valid; *p; p = g_utf8_next_char(p)) {
		gunichar c = g_utf8_get_char(p);
		if (n++ == max) {
			g_string_append(out, "…");
			return;
		}
		if (c == '\n' || c == '\t')
			c = ' ';
		if (is_bad(c))
			c = 0xfffd;
		if (xml && c == '<')
			g_string_append(out, "&lt;");
		else if (xml && c == '>')
			g_string_append(out, "&gt;");
		else if (xml && c == '&')
			g_string_append(out, "&amp;");
		else if (xml && c == '"')
			g_string_append(out, "&quot;");
		else if (xml && c == '\'')
			g_string_append(out, "&#39;");
		else
			g_string_append_unichar(out, c);
	}
}

void timeline_put_plain(GString *out, const char *s, gsize max)
{
	put(out, s, max, false);
}

void timeline_put_xml(GString *out, const char *s, gsize max)
{
	put(out, s, max, true);
}
