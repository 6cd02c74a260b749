/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "iommu/line.h"

#include <string.h>

#include "iommu/pattern.h"

/* The formats: printk's own, Documentation/ABI/testing/dev-kmsg, dmesg(1), journalctl(1), RFC 3164.
 */
static const char prefix_pattern[] =
	"(?xn) \\A(?:"
	"  (?: \\x1b\\[[0-9;?]{0,16}[A-Za-z] | "
	"[\\x00-\\x08\\x0b-\\x1f\\x7f-\\xff]++ )" /* escapes,
						     garbage
						   */
	"| <(?<level>[0-9]{1,3})>"
	"| "
	"(?<prio>[0-9]{1,4}),(?<seq>[0-9]{1,18}),(?<us>[0-9]{1,18}),[^;\\n]{0,"
	"64};" /* /dev/kmsg
		*/
	"| "
	"[0-9]\\.[0-9]{1,3}[A-Za-z0-9.+_-]{0,60},(?=[0-9]{1,4},[0-9]{1,18},[0-9]"
	"{1,18},)" /* netconsole
		    */
	"| \\[\\x20{0,8}(?<sec>[0-9]{1,10})\\.(?<frac>[0-9]{6})"
	"  (?:\\x20<\\x20{0,8}[0-9]{1,8}\\.[0-9]{6}>)?\\]\\x20?" /* printk; dmesg
								    -d */
	"| \\[\\x20{0,12}[TC][0-9]{1,10}\\]\\x20?"		 /* CONFIG_PRINTK_CALLER */
	"| \\[\\x20{0,4}\\+[0-9]{1,8}\\.[0-9]{6}\\]\\x20"	 /* dmesg --reltime */
	"| \\[ (?:(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)\\x20)?"
	"  "
	"(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)[\\x20]{0,2}[0-9]{1,"
	"2}\\x20"
	"  [0-9]{2}:[0-9]{2}(?::[0-9]{2}\\x20[0-9]{4})?\\]\\x20?"	     /* dmesg -T */
	"| (?:kern|user|daemon|syslog)\\x20{0,4}:[a-z]{3,6}\\x20{0,3}:\\x20" /* dmesg
										-x */
	"| "
	"\\[?[0-9]{4}-[0-9]{2}-[0-9]{2}[T\\x20][0-9]{2}:[0-9]{2}:[0-9]{2}(?:[.,]"
	"[0-9]{1,9})?"
	"  (?:Z|[+-][0-9]{2}:?[0-9]{2})?\\]?:?(?:\\x20|\\t|$)" /* ISO 8601 */
	"| 1\\x20(?=[0-9]{4}-[0-9]{2}-)"		       /* RFC 5424 */
	"| [A-Za-z0-9._-]{1,64}\\x20kernel\\x20(?:-|[0-9]{1,8})\\x20-\\x20-\\x20"
	"| (?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)\\x20(?=[0-9]{4}-[0-9]{2}-)" /* journal
									*/
	"| "
	"[A-Z]{3,5}\\x20(?=[A-Za-z0-9._-]{1,64}\\x20kernel(?:\\[[0-9]{1,8}\\])?:"
	")"
	"| "
	"(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)\\x20[\\x200-9][0-9]"
	"\\x20"
	"  [0-9]{2}:[0-9]{2}:[0-9]{2}(?:\\.[0-9]{1,9})?\\x20" /* syslog */
	"| \\[?[0-9]{2}:[0-9]{2}:[0-9]{2}(?:\\.[0-9]{1,9})?\\]?\\x20"
	"| \\+?[0-9]{1,10}\\.[0-9]{3,9}(?:\\x20|\\t|$)" /* seconds of the host */
	"| [A-Za-z0-9._-]{1,64}\\x20kernel(?:\\[[0-9]{1,8}\\])?:(?:\\x20|$)"
	"| kernel:\\x20"
	"| \\x20{1,16}(?=\\[|<|[0-9])"
	")++";

static FaultRegex *prefix_regex(void)
{
	static FaultRegex *regex;
	if (g_once_init_enter(&regex)) {
		g_autoptr(GError) error = NULL;
		FaultRegex *r = fault_regex_new(prefix_pattern, &error);
		if (!r)
			g_error("line prefixes: %s", error->message); /* a constant of ours */
		g_once_init_leave(&regex, r);
	}
	return regex;
}

static bool has_prefix(const FaultLine *l, const char *word)
{
	size_t n = strlen(word);
	return l->len >= n && memcmp(l->text, word, n) == 0;
}

/* The form of almost every line, "[    1.234567] text", without the regex: it takes longer than all
 * the rest. False for whatever else may be in front. */
static bool read_plain_stamp(FaultLine *l)
{
	const char *p = l->text, *end = p + l->len;
	if (l->len < 16 || *p++ != '[')
		return false;
	while (p < end && *p == ' ')
		p++;
	const char *number = p;
	gint64 sec = 0;
	for (; p < end && p - number <= 10 && g_ascii_isdigit(*p); p++)
		sec = sec * 10 + (*p - '0');
	if (p == number || p - number > 10 || number - l->text > 9 || end - p < 10 || *p++ != '.')
		return false;
	gint64 us = 0;
	for (unsigned i = 0; i < 6; i++, p++) {
		if (!g_ascii_isdigit(*p))
			return false;
		us = us * 10 + (*p - '0');
	}
	if (p[0] != ']' || p[1] != ' ' || !g_ascii_isalpha(p[2]) || (p[2] & 0x80))
		return false;
	p += 2;
	/* "[    1.234567] host kernel: text" of a journal */
	const char *space = memchr(p, ' ', MIN((size_t)(end - p), 72));
	const char *word = space && end - space > 7 && memcmp(p, "kernel", 6) != 0 ? space + 1 : p;
	if (end - word > 6 && memcmp(word, "kernel", 6) == 0)
		return false;
	l->time_us = sec * G_USEC_PER_SEC + us;
	l->len = (size_t)(end - p);
	l->text = p;
	return true;
}

void fault_line_read(const char *line, size_t len, FaultLine *ret)
{
	while (len && (line[len - 1] == '\r' || line[len - 1] == '\n'))
		len--;
	*ret = (FaultLine){.text = line, .len = len, .time_us = -1, .seq = -1, .level = -1};
	if (!len)
		return;
	FaultMatch m;
	if (read_plain_stamp(ret)) {
		/* done */
	} else if (fault_regex_match(prefix_regex(), line, MIN(len, 512), 0, &m)) {
		ret->text += m.end;
		ret->len -= m.end;
		gint64 sec = fault_match_number(&m, "sec", 10);
		if (sec >= 0)
			ret->time_us = sec * G_USEC_PER_SEC + fault_match_number(&m, "frac", 10);
		ret->seq = fault_match_number(&m, "seq", 10);
		if (ret->seq >= 0)
			ret->time_us = fault_match_number(&m, "us", 10);
		gint64 level = fault_match_number(&m, ret->seq >= 0 ? "prio" : "level", 10);
		ret->level = level < 0 ? -1 : (int)(level & 7); /* the rest is the facility */
	} else if (line[0] == ' ' && len > 2 && g_ascii_isupper(line[1])) {
		const char *eq = memchr(line, '=', MIN(len, 64));
		ret->extra = eq != NULL;
		for (const char *c = line + 1; ret->extra && c < eq; c++)
			ret->extra = g_ascii_isupper(*c) || *c == '_';
	}
	ret->echo = has_prefix(ret, "kexsect:");
}

static int hex_pair(const char *s)
{
	int hi = g_ascii_xdigit_value(s[0]), lo = g_ascii_xdigit_value(s[1]);
	return hi < 0 || lo < 0 ? -1 : hi << 4 | lo;
}

void fault_line_clean(FaultLine *l, GString *scratch)
{
	g_string_set_size(scratch, 0);
	const char *p = l->text, *end = p + l->len;
	while (p < end) {
		unsigned char c = (unsigned char)*p;
		if (c == 0x1b && end - p > 1 && p[1] == '[') {
			p += 2;
			while (p < end && !g_ascii_isalpha(*p))
				p++;
			p += p < end;
			continue;
		}
		if (l->seq >= 0 && c == '\\' && end - p > 3 && p[1] == 'x' &&
		    hex_pair(p + 2) >= 0) {
			c = (unsigned char)hex_pair(p + 2);
			p += 3;
		}
		if (c != '\r')
			g_string_append_c(scratch,
					  c >= 0x20 || c == '\t' || c == '\n' ? (char)c : ' ');
		p++;
	}
	l->text = scratch->str;
	l->len = scratch->len;
}
