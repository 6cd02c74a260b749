/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Text of strangers, made inert. */
#include "report-internal.h"

#include <string.h>

/* Characters that change how the text around them reads, or that are not seen at all: the
 * bidirectional controls (Unicode TR 36), zero-width characters, the byte order mark, tags. */
static bool is_trick(gunichar c)
{
	return (c >= 0x200b && c <= 0x200f) || (c >= 0x202a && c <= 0x202e) ||
	       (c >= 0x2060 && c <= 0x206f) || c == 0x061c || c == 0xfeff || c == 0x00ad ||
	       (c >= 0xfff9 && c <= 0xfffb) || (c >= 0xe0000 && c <= 0xe0fff) || c == 0x2028 ||
	       c == 0x2029;
}

/* The next character of *p, cleaned; 0 at the end. */
static gunichar next_char(const char **p)
{
	const char *s = *p;
	if (*s == '\0')
		return 0;
	gunichar c = g_utf8_get_char_validated(s, -1);
	if (c == (gunichar)-1 || c == (gunichar)-2) {
		*p = s + 1;
		return 0xfffd;
	}
	*p = g_utf8_next_char(s);
	if (c == '\t' || c == '\n' || c == '\r' || c == '\f' || c == '\v') {
		while (**p && strchr("\t\n\r\f\v", **p))
			(*p)++;
		return ' ';
	}
	return c < 0x20 || (c >= 0x7f && c < 0xa0) || is_trick(c) || !g_unichar_isdefined(c)
		       ? 0xfffd
		       : c;
}

typedef void (*PutChar)(GString *out, gunichar c);

static void put_all(GString *out, const char *s, size_t max, PutChar put)
{
	const char *p = s ? s : "";
	gunichar c;
	for (size_t n = 0; (c = next_char(&p)) != 0; n++) {
		if (n == max) {
			g_string_append(out, "…");
			return;
		}
		put(out, c);
	}
}

static void put_char_plain(GString *out, gunichar c)
{
	g_string_append_unichar(out, c);
}

static void put_char_html(GString *out, gunichar c)
{
	switch (c) {
	case '&':
		g_string_append(out, "&amp;");
		break;
	case '<':
		g_string_append(out, "&lt;");
		break;
	case '>':
		g_string_append(out, "&gt;");
		break;
	case '"':
		g_string_append(out, "&quot;");
		break;
	case '\'':
		g_string_append(out, "&#39;");
		break;
	case '`': /* ends an attribute in some old parsers */
		g_string_append(out, "&#96;");
		break;
	default:
		g_string_append_unichar(out, c);
	}
}

void report_put_plain(GString *out, const char *s, size_t max)
{
	put_all(out, s, max, put_char_plain);
}

void report_put_html(GString *out, const char *s, size_t max)
{
	put_all(out, s, max, put_char_html);
}

/* What may become a link or a mention by itself in GitHub's Markdown, backslash or not: nothing
 * does inside a code span. */
static bool links_by_itself(const char *s)
{
	g_autofree char *lower = g_ascii_strdown(s, -1);
	return strchr(lower, '@') || strstr(lower, "://") || strstr(lower, "www.");
}

/* ASCII characters that start something in the middle of a line in CommonMark or GitHub's
 * extensions; text of data never starts a line. '_' does nothing inside a word. */
void report_put_md(GString *out, const char *s, size_t max)
{
	g_autoptr(GString) clean = g_string_new(NULL);
	put_all(clean, s, max, put_char_plain);
	if (links_by_itself(clean->str)) {
		report_put_md_code(out, clean->str, max + 1);
		return;
	}
	for (const char *p = clean->str; *p; p++) {
		bool inside = p > clean->str && g_ascii_isalnum(p[-1]) && g_ascii_isalnum(p[1]);
		if (strchr("\\`*[]<>|~&$", *p) || (*p == '_' && !inside))
			g_string_append_c(out, '\\');
		g_string_append_c(out, *p);
	}
}

/* A code span ends at a run of as many backticks as it began with (CommonMark 0.30, 6.1). In a
 * table a '|' ends the cell even inside a code span, unless a backslash stands before it
 * (GFM 4.10).
 */
void report_put_md_code(GString *out, const char *s, size_t max)
{
	g_autoptr(GString) clean = g_string_new(NULL);
	put_all(clean, s, max, put_char_plain);
	size_t longest = 0, run = 0;
	for (const char *p = clean->str; *p; p++) {
		run = *p == '`' ? run + 1 : 0;
		longest = MAX(longest, run);
	}
	if (clean->len == 0)
		return;
	bool pad = clean->str[0] == '`' || clean->str[clean->len - 1] == '`';
	for (size_t i = 0; i <= longest; i++)
		g_string_append_c(out, '`');
	if (pad)
		g_string_append_c(out, ' ');
	for (const char *p = clean->str; *p; p++) {
		if (*p == '|')
			g_string_append_c(out, '\\');
		g_string_append_c(out, *p);
	}
	if (pad)
		g_string_append_c(out, ' ');
	for (size_t i = 0; i <= longest; i++)
		g_string_append_c(out, '`');
}

bool report_put_href(GString *out, const char *path)
{
	if (!path || path[0] == '\0' || path[0] == '/' || strlen(path) > 1000)
		return false;
	g_auto(GStrv) parts = g_strsplit(path, "/", -1);
	if (g_strv_contains((const char *const *)parts, ".."))
		return false;
	g_string_append(out, "./");
	for (const char *p = path; *p; p++) {
		if (g_ascii_isalnum(*p) || strchr("-._~/", *p))
			g_string_append_c(out, *p);
		else
			g_string_append_printf(out, "%%%02X", (unsigned char)*p);
	}
	return true;
}

static size_t char_columns(gunichar c)
{
	return g_unichar_iszerowidth(c) ? 0 : g_unichar_iswide(c) ? 2 : 1;
}

size_t report_columns(const char *utf8)
{
	size_t n = 0;
	for (const char *p = utf8; *p; p = g_utf8_next_char(p))
		n += char_columns(g_utf8_get_char(p));
	return n;
}

/* A word longer than a line is broken where the line ends. */
static void put_broken(GString *out, const char *word, size_t *at, size_t indent, size_t columns)
{
	for (const char *p = word; *p; p = g_utf8_next_char(p)) {
		gunichar c = g_utf8_get_char(p);
		if (*at + char_columns(c) > columns) {
			g_string_append_printf(out, "\n%*s", (int)indent, "");
			*at = indent;
		}
		g_string_append_unichar(out, c);
		*at += char_columns(c);
	}
}

void report_put_filled(GString *out, const char *words, size_t at, size_t indent, size_t columns)
{
	g_auto(GStrv) parts = g_strsplit(words, " ", -1);
	bool first = true;
	for (char **w = parts; *w; w++) {
		if (**w == '\0')
			continue;
		size_t width = report_columns(*w);
		if (!first && at + 1 + width > columns) {
			g_string_append_printf(out, "\n%*s", (int)indent, "");
			at = indent;
		} else if (!first) {
			g_string_append_c(out, ' ');
			at++;
		}
		put_broken(out, *w, &at, indent, columns);
		first = false;
	}
}
