/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The messages, from init/main.c (do_one_initcall), kernel/async.c, drivers/base/dd.c and
 * drivers/pci/quirks.c of Linux 2.6.28, 3.4, 3.8, 4.4, 5.4, 6.1, 6.12:
 *
 *   calling  FN+0x0/0x1 [MODULE] @ PID                       and from 6.x on " irqs_disabled() N"
 *   initcall FN+0x0/0x1 [MODULE] returned R after N usecs    2.6.28 and before: msecs
 *   calling  7_FN+0x0/0x1 @ PID                              async
 *   initcall 7_FN+0x0/0x1 returned 0 after N usecs           from 5.16 on without the result
 *   probe of DEVICE returned R after N usecs                 since 5.1
 *   calling  FN+0x0/0x1 @ PID for 0000:00:1d.0               PCI quirk, 3.4 to 5.0
 *   pci fixup FN+0x0/0x1 returned after N usecs for 0000:00:1d.0
 *   pci 0000:00:1d.0: calling  FN+0x0/0x1 @ PID              PCI quirk, since 5.1
 *   pci 0000:00:1d.0: FN+0x0/0x1 took N usecs
 *   entering initcall level: arch                            since 6.10 */
#include "initcall/log-internal.h"

#include <string.h>

#define NAME_MAX_LEN 200

const char *initcall_step_kind_name(InitcallStepKind kind)
{
	static const char *const names[] = {"initcall", "async", "probe", "fixup"};
	return (unsigned)kind < G_N_ELEMENTS(names) ? names[kind] : "?";
}

const char *initcall_note_kind_name(InitcallNoteKind kind)
{
	static const char *const names[] = {"deferred", "pending", "blacklisted"};
	return (unsigned)kind < G_N_ELEMENTS(names) ? names[kind] : "?";
}

/* ---- a cursor over bytes ---- */

typedef struct {
	const char *p, *end;
} Cursor;

static bool skip(Cursor *c, const char *words)
{
	size_t n = strlen(words);
	if ((size_t)(c->end - c->p) < n || memcmp(c->p, words, n) != 0)
		return false;
	c->p += n;
	return true;
}

/* Behind the next `words`; false: there are none. */
static bool seek(Cursor *c, const char *words)
{
	size_t n = strlen(words);
	const char *at = memmem(c->p, (size_t)(c->end - c->p), words, n);
	if (at)
		c->p = at + n;
	return at != NULL;
}

static bool number(Cursor *c, gint64 *ret)
{
	const char *start = c->p;
	bool minus = c->p < c->end && *c->p == '-';
	guint64 n = 0;
	c->p += minus;
	const char *digits = c->p;
	for (; c->p < c->end && c->p - digits < 18 && g_ascii_isdigit(*c->p); c->p++)
		n = n * 10 + (guint64)(*c->p - '0');
	if (c->p == digits || (c->p < c->end && g_ascii_isdigit(*c->p))) {
		c->p = start;
		return false;
	}
	*ret = minus ? -(gint64)n : (gint64)n;
	return true;
}

static bool hex(Cursor *c)
{
	if (!skip(c, "0x"))
		return false;
	const char *start = c->p;
	while (c->p < c->end && c->p - start < 16 && g_ascii_isxdigit(*c->p))
		c->p++;
	return c->p > start;
}

static bool is_symbol(char c)
{
	return g_ascii_isalnum(c) || c == '_' || c == '.' || c == '$';
}

/* "FN+0x0/0x1", " [module]"; a raw address where the kernel has no symbols. */
static bool function(Cursor *c, InitcallMessage *m)
{
	const char *start = c->p;
	while (c->p < c->end && is_symbol(*c->p))
		c->p++;
	m->name = start;
	m->name_len = (size_t)(c->p - start);
	if (!m->name_len || m->name_len > NAME_MAX_LEN)
		return false;
	bool address = m->name_len > 2 && start[0] == '0' && start[1] == 'x';
	if (skip(c, "+") ? !hex(c) || (skip(c, "/") && !hex(c)) : !address)
		return false;
	Cursor at = *c;
	if (skip(&at, " [")) {
		const char *module = at.p;
		while (at.p < at.end && (is_symbol(*at.p) || *at.p == '-'))
			at.p++;
		m->module = module;
		m->module_len = (size_t)(at.p - module);
		if (m->module_len && m->module_len <= NAME_MAX_LEN && skip(&at, "]"))
			c->p = at.p;
		else
			m->module_len = 0;
	}
	return true;
}

/* "7_FN" of an async call. */
static void take_cookie(InitcallMessage *m)
{
	size_t n = 0;
	gint64 cookie = 0;
	while (n < m->name_len && n < 18 && g_ascii_isdigit(m->name[n]))
		cookie = cookie * 10 + (m->name[n++] - '0');
	if (!n || n + 1 >= m->name_len || m->name[n] != '_')
		return;
	m->kind = INITCALL_STEP_ASYNC;
	m->async = cookie;
	m->name += n + 1;
	m->name_len -= n + 1;
}

/* "… 12 usecs" */
static bool duration(Cursor *c, InitcallMessage *m)
{
	Cursor at = *c;
	gint64 n;
	if (!number(&at, &n) || n < 0)
		return false;
	if (skip(&at, " msec")) {
		m->millis = true;
		n = n > G_MAXINT64 / 1000 ? G_MAXINT64 : n * 1000;
	} else if (!skip(&at, " usec")) {
		return false;
	}
	m->took_us = n;
	*c = at;
	return true;
}

static bool is_device_char(char c)
{
	return g_ascii_isgraph(c) && c != ';' && c != '"';
}

/* "pci 0000:00:1d.0: " that stands right before `at`: the device, without the bus's name. */
static void device_before(const char *text, const char *at, InitcallMessage *m)
{
	if (at - text < 4 || at[-1] != ' ' || at[-2] != ':')
		return;
	const char *end = at - 2, *p = end;
	while (p > text && is_device_char(p[-1]) && end - p < NAME_MAX_LEN)
		p--;
	m->device = p;
	m->device_len = (size_t)(end - p);
}

/* " for 0000:00:1d.0" */
static void device_behind(Cursor *c, InitcallMessage *m)
{
	if (!skip(c, " for "))
		return;
	const char *start = c->p;
	while (c->p < c->end && is_device_char(*c->p) && c->p - start < NAME_MAX_LEN)
		c->p++;
	m->device = start;
	m->device_len = (size_t)(c->p - start);
}

static void make_fixup(InitcallMessage *m)
{
	if (m->device_len && m->kind == INITCALL_STEP_INITCALL)
		m->kind = INITCALL_STEP_FIXUP;
}

/* ---- messages ---- */

static bool read_begin(const char *text, Cursor *c, InitcallMessage *m)
{
	const char *start = c->p - strlen("calling  ");
	if (!function(c, m))
		return false;
	take_cookie(m);
	if (!skip(c, " @ ") || !number(c, &m->pid))
		return false;
	/* "…, parent: pci0000:00": a device that goes to sleep */
	if (c->p < c->end && *c->p == ',')
		return false;
	m->type = INITCALL_MESSAGE_BEGIN;
	device_before(text, start, m);
	device_behind(c, m);
	make_fixup(m);
	return true;
}

static bool read_end(Cursor *c, InitcallMessage *m)
{
	if (skip(c, "level: ")) /* of "entering initcall level: " */
		return false;
	const char *start = c->p;
	if (!function(c, m)) {
		/* "initcall FN blacklisted": without an offset */
		c->p = start;
		while (c->p < c->end && is_symbol(*c->p))
			c->p++;
		m->name = start;
		m->name_len = (size_t)(c->p - start);
		m->type = INITCALL_MESSAGE_BLACKLISTED;
		return m->name_len && m->name_len <= NAME_MAX_LEN && skip(c, " blacklisted");
	}
	take_cookie(m);
	gint64 result;
	if (!skip(c, " returned"))
		return false;
	Cursor at = *c;
	/* "initcall FN returned with preemption imbalance": a warning about one that ended */
	if (skip(&at, " with "))
		return false;
	m->type = INITCALL_MESSAGE_END;
	if (skip(&at, " ") && number(&at, &result)) {
		m->has_result = true;
		m->result = (int)CLAMP(result, G_MININT, G_MAXINT);
		*c = at;
	}
	if (skip(c, " after "))
		duration(c, m);
	return true;
}

static bool read_probe(Cursor *c, InitcallMessage *m)
{
	gint64 result;
	const char *start = c->p;
	while (c->p < c->end && is_device_char(*c->p) && c->p - start < NAME_MAX_LEN)
		c->p++;
	m->name = start;
	m->name_len = (size_t)(c->p - start);
	if (!m->name_len || !skip(c, " returned ") || !number(c, &result) || !skip(c, " after ") ||
	    !duration(c, m))
		return false;
	m->type = INITCALL_MESSAGE_END;
	m->kind = INITCALL_STEP_PROBE;
	m->has_result = true;
	m->result = (int)CLAMP(result, G_MININT, G_MAXINT);
	return true;
}

/* "pci fixup FN returned after N usecs for DEVICE" */
static bool read_fixup(Cursor *c, InitcallMessage *m)
{
	if (!function(c, m) || !skip(c, " returned after ") || !duration(c, m))
		return false;
	m->type = INITCALL_MESSAGE_END;
	m->kind = INITCALL_STEP_FIXUP;
	skip(c, "s");
	device_behind(c, m);
	return true;
}

/* "pci 0000:00:1d.0: FN+0x0/0x1 took N usecs": the words stand behind the function. */
static bool read_took(const char *text, Cursor *c, InitcallMessage *m)
{
	const char *at = c->p - strlen(" took "), *p = at;
	while (p > text && p[-1] != ' ')
		p--;
	if (p > text && *p == '[') /* the module */
		for (p -= p > text; p > text && p[-1] != ' ';)
			p--;
	Cursor f = {p, at};
	if (!function(&f, m) || f.p != at || !duration(c, m))
		return false;
	m->type = INITCALL_MESSAGE_END;
	m->kind = INITCALL_STEP_FIXUP;
	device_before(text, p, m);
	return m->device_len > 0;
}

static bool read_level(Cursor *c, InitcallMessage *m)
{
	const char *start = c->p;
	while (c->p < c->end && is_symbol(*c->p))
		c->p++;
	m->name = start;
	m->name_len = (size_t)(c->p - start);
	m->type = INITCALL_MESSAGE_LEVEL;
	return m->name_len > 0 && m->name_len <= NAME_MAX_LEN;
}

typedef enum { WORD_BEGIN, WORD_LEVEL, WORD_END, WORD_PROBE, WORD_FIXUP, WORD_TOOK } Word;

static const struct {
	const char *words;
	Word word;
} words[] = {
	{"calling  ", WORD_BEGIN},  {"entering initcall level: ", WORD_LEVEL},
	{"initcall ", WORD_END},    {"probe of ", WORD_PROBE},
	{"pci fixup ", WORD_FIXUP}, {" took ", WORD_TOOK},
};

static bool read_one(const char *text, Cursor *c, Word word, InitcallMessage *m)
{
	*m = (InitcallMessage){.pid = -1, .async = -1, .took_us = -1};
	switch (word) {
	case WORD_BEGIN:
		return read_begin(text, c, m);
	case WORD_LEVEL:
		return read_level(c, m);
	case WORD_END:
		return read_end(c, m);
	case WORD_PROBE:
		return read_probe(c, m);
	case WORD_FIXUP:
		return read_fixup(c, m);
	case WORD_TOOK:
		return read_took(text, c, m);
	}
	return false;
}

/* "0000:00:02.0: Driver xhci_hcd requests probe deferral", "…: deferred probe pending" */
static bool read_note(const char *text, size_t len, InitcallMessage *m)
{
	Cursor c = {text, text + len};
	const char *at;
	*m = (InitcallMessage){.pid = -1, .async = -1, .took_us = -1};
	if (seek(&c, " requests probe deferral")) {
		at = memmem(text, len, "Driver ", 7);
		m->type = INITCALL_MESSAGE_DEFERRED;
	} else if (seek(&c, "deferred probe pending")) {
		at = c.p - strlen("deferred probe pending");
		m->type = INITCALL_MESSAGE_PENDING;
	} else {
		return false;
	}
	if (at)
		device_before(text, at, m);
	m->name = m->device;
	m->name_len = m->device_len;
	return m->name_len > 0;
}

const char *initcall_message_next(const char *text, const char *from, const char *end,
				  InitcallMessage *ret)
{
	while (from < end) {
		const char *first = NULL;
		Word word = WORD_BEGIN;
		size_t n = 0;
		for (size_t i = 0; i < G_N_ELEMENTS(words); i++) {
			size_t len = strlen(words[i].words);
			const char *limit = first ? MIN(end, first + len) : end;
			const char *at = memmem(from, (size_t)(limit - from), words[i].words, len);
			if (at && (!first || at < first)) {
				first = at;
				word = words[i].word;
				n = len;
			}
		}
		if (!first)
			return NULL;
		Cursor c = {first + n, end};
		if (read_one(text, &c, word, ret))
			return c.p;
		from = first + n;
	}
	return NULL;
}

bool initcall_message_note(const char *text, size_t len, InitcallMessage *ret)
{
	return read_note(text, len, ret);
}

const char *initcall_plain_name(const char *name, size_t *ret_len)
{
	static const char *const suffixes[] = {".isra.", ".constprop.", ".part.",    ".cold",
					       ".llvm.", ".cfi",	".lto_priv."};
	size_t len = strlen(name);
	for (size_t i = 0; i < G_N_ELEMENTS(suffixes); i++) {
		const char *at = strstr(name, suffixes[i]);
		if (at && at > name)
			len = MIN(len, (size_t)(at - name));
	}
	*ret_len = len;
	return name;
}
