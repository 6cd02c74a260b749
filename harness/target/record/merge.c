/* SPDX-License-Identifier: GPL-2.0-or-later */
/* QEMU's lines: hw/char/trace-events (serial_write), hw/i386/trace-events (amdvi_*), and
 * softmmu/memory.c, memory_region_access_valid(). The text of all of them is the same from 7.2 to
 * 10.1. */
#include "target/record/merge.h"

#include <string.h>

#include "base/emulator_record.h"

/* The longest line of interest has 100 bytes. */
#define MAX_LINE 512
/* Records between two lines of the console; what exceeds it is counted. */
#define MAX_PENDING 64
#define PAGE 0xfff

typedef enum { EVENT_ACCESS, EVENT_CONTROL, EVENT_ENTRY } EventKind;

typedef struct {
	EventKind kind;
	guint64 count; /* of accesses of this kind; of entries that follow each other */
	guint64 value; /* address, or control register */
	unsigned device, last, size;
	bool known, write; /* device is known */
	char *region;
} Event;

struct RecordMerge {
	GString *out;
	guint64 max;
	RecordTotals totals;
	char line[MAX_LINE]; /* a line of which the end has not come */
	gsize len;
	bool cut;	 /* it is longer than that */
	bool dlab, loop; /* of the serial port */
	bool partial;	 /* the console is in the middle of a line */
	guint64 control; /* last value of the control register */
	bool control_seen;
	unsigned device; /* of the translation that came last */
	guint64 page;
	bool translated;
	Event pending[MAX_PENDING];
	guint count;
	guint mergeable; /* accesses from here on may be counted together: no other event between */
	guint64 accesses, events; /* pending, without a record of their own */
};

RecordMerge *record_merge_new(GString *out, guint64 max_records)
{
	RecordMerge *m = g_new0(RecordMerge, 1);
	m->out = out;
	m->max = max_records;
	return m;
}

static void clear_pending(RecordMerge *m)
{
	for (guint i = 0; i < m->count; i++)
		g_clear_pointer(&m->pending[i].region, g_free);
	m->count = m->mergeable = 0;
	m->accesses = m->events = 0;
}

void record_merge_free(RecordMerge *m)
{
	if (!m)
		return;
	clear_pending(m);
	g_free(m);
}

/* ---- out ---- */

static void put_device(GString *s, unsigned device)
{
	g_string_append_printf(s, "%02x:%02x.%x", device >> 8, device >> 3 & 0x1f, device & 7);
}

static void put_access(GString *s, const Event *e)
{
	if (e->known) {
		put_device(s, e->device);
		g_string_append(s, ": ");
	}
	g_string_append_printf(s,
			       "Invalid %s at addr 0x%" G_GINT64_MODIFIER
			       "X, size %u, region '%s', reason: rejected",
			       e->write ? "write" : "read", e->value, e->size, e->region);
	if (e->count > 1)
		g_string_append_printf(s, "; %" G_GUINT64_FORMAT " more in this page",
				       e->count - 1);
}

static void put_event(GString *s, const Event *e)
{
	g_string_append(s, EMULATOR_RECORD_PREFIX);
	if (e->kind == EVENT_ACCESS) {
		put_access(s, e);
	} else if (e->kind == EVENT_CONTROL) {
		g_string_append_printf(s, "control 0x%" G_GINT64_MODIFIER "x, %s", e->value,
				       e->value & 1 ? "enabled" : "disabled");
	} else {
		g_string_append(s, e->count > 1 ? "device table entries " : "device table entry ");
		put_device(s, e->device);
		if (e->count > 1) {
			g_string_append(s, " to ");
			put_device(s, e->last);
		}
		g_string_append(s, " invalidated");
	}
	g_string_append_c(s, '\n');
}

static void put_rest(RecordMerge *m)
{
	if (m->accesses)
		g_string_append_printf(m->out,
				       EMULATOR_RECORD_PREFIX
				       "%" G_GUINT64_FORMAT " refused accesses without a record\n",
				       m->accesses);
	if (m->events)
		g_string_append_printf(m->out,
				       EMULATOR_RECORD_PREFIX "%" G_GUINT64_FORMAT
							      " events without a record\n",
				       m->events);
	m->totals.dropped += m->accesses + m->events;
}

static void put_pending(RecordMerge *m)
{
	for (guint i = 0; i < m->count; i++) {
		const Event *e = &m->pending[i];
		if (m->totals.records < m->max) {
			put_event(m->out, e);
			m->totals.records++;
		} else if (e->kind == EVENT_ACCESS) {
			m->accesses += e->count;
		} else {
			m->events += e->count;
		}
	}
	put_rest(m);
	clear_pending(m);
}

static void put_console(RecordMerge *m, char c)
{
	if (!m->partial && (m->count || m->accesses || m->events))
		put_pending(m);
	g_string_append_c(m->out, c);
	m->partial = c != '\n';
	m->totals.console_bytes++;
}

static bool has_pending(const RecordMerge *m)
{
	return m->count || m->accesses || m->events;
}

void record_merge_flush(RecordMerge *m)
{
	if (!m->partial && has_pending(m))
		put_pending(m);
}

void record_merge_finish(RecordMerge *m)
{
	if (m->partial && has_pending(m)) {
		g_string_append_c(m->out, '\n');
		m->partial = false;
	}
	record_merge_flush(m);
}

/* ---- in ---- */

static Event *new_event(RecordMerge *m, EventKind kind)
{
	if (m->count == MAX_PENDING)
		return NULL;
	Event *e = &m->pending[m->count++];
	*e = (Event){.kind = kind, .count = 1};
	if (kind != EVENT_ACCESS)
		m->mergeable = m->count;
	return e;
}

static bool skip(const char **p, const char *end, const char *word)
{
	gsize len = strlen(word);
	if ((gsize)(end - *p) < len || memcmp(*p, word, len) != 0)
		return false;
	*p += len;
	return true;
}

/* 1 to 16 hexadecimal digits; so that nothing overflows. */
static bool hex(const char **p, const char *end, guint64 *ret)
{
	guint64 n = 0;
	const char *from = *p;
	for (; *p < end && *p - from < 16; (*p)++) {
		int digit = g_ascii_xdigit_value(**p);
		if (digit < 0)
			break;
		n = n << 4 | (guint64)digit;
	}
	*ret = n;
	return *p > from && (*p == end || g_ascii_xdigit_value(**p) < 0);
}

/* bb:dd.f */
static bool device(const char **p, const char *end, unsigned *ret)
{
	guint64 bus, slot, function;
	if (!hex(p, end, &bus) || !skip(p, end, ":") || !hex(p, end, &slot) || !skip(p, end, ".") ||
	    !hex(p, end, &function) || bus > 0xff || slot > 0x1f || function > 7)
		return false;
	*ret = (unsigned)(bus << 8 | slot << 3 | function);
	return true;
}

/* "write addr 0x00 val 0x41": the registers of a 16550. Offset 0 is the byte to send unless DLAB
 * (bit 7 of register 3) makes it the divisor; in loop mode (bit 4 of register 4) it goes nowhere.
 */
static void take_serial(RecordMerge *m, const char *p, const char *end)
{
	guint64 reg, value;
	if (!skip(&p, end, "write addr 0x") || !hex(&p, end, &reg) || !skip(&p, end, " val 0x") ||
	    !hex(&p, end, &value))
		return;
	if (reg == 3)
		m->dlab = value & 0x80;
	else if (reg == 4)
		m->loop = value & 0x10;
	else if (reg == 0 && !m->dlab && !m->loop)
		put_console(m, (char)(value & 0xff));
}

/* "MMIO_STATUS state 0x21487" */
static void take_control(RecordMerge *m, const char *p, const char *end)
{
	guint64 value;
	if (!skip(&p, end, "MMIO_STATUS state 0x") || !hex(&p, end, &value) ||
	    (m->control_seen && value == m->control))
		return;
	m->control = value;
	m->control_seen = true;
	Event *e = new_event(m, EVENT_CONTROL);
	if (e)
		e->value = value;
	else
		m->events++;
}

/* "device table entry for devid: 00:02.0 invalidated" */
static void take_entry(RecordMerge *m, const char *p, const char *end)
{
	unsigned id;
	if (!skip(&p, end, "device table entry for devid: ") || !device(&p, end, &id))
		return;
	Event *last = m->count ? &m->pending[m->count - 1] : NULL;
	if (last && last->kind == EVENT_ENTRY && last->last + 1 == id) {
		last->last = id;
		last->count++;
		return;
	}
	Event *e = new_event(m, EVENT_ENTRY);
	if (e)
		e->device = e->last = id;
	else
		m->events++;
}

/* "devid: 00:02.0 gpa 0x1ffde3e4 hpa 0x1ffde000": of any access, refused or not. */
static void take_translation(RecordMerge *m, const char *p, const char *end)
{
	guint64 address;
	m->translated = skip(&p, end, "devid: ") && device(&p, end, &m->device) &&
			skip(&p, end, " gpa 0x") && hex(&p, end, &address);
	if (m->translated)
		m->page = address & ~(guint64)PAGE;
}

static bool same(const Event *a, const Event *b)
{
	return a->known == b->known && a->device == b->device && a->write == b->write &&
	       (a->value & ~(guint64)PAGE) == (b->value & ~(guint64)PAGE);
}

static void add_access(RecordMerge *m, const Event *access, const char *region, gsize region_len)
{
	m->totals.refused++;
	for (guint i = m->mergeable; i < m->count; i++)
		if (same(&m->pending[i], access)) {
			m->pending[i].count++;
			return;
		}
	Event *e = new_event(m, EVENT_ACCESS);
	if (!e) {
		m->accesses++;
		return;
	}
	*e = *access;
	e->region = g_strndup(region, region_len);
	g_strcanon(e->region,
		   "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789()._- ", '?');
}

/* "Invalid read at addr 0x1FFDE3E4, size 4, region '(null)', reason: rejected". Without a
 * translation of its page before it, it is the processor's own: no device did it. */
static void take_access(RecordMerge *m, const char *p, const char *end)
{
	guint64 size;
	Event e = {.kind = EVENT_ACCESS, .count = 1};
	e.write = skip(&p, end, "write");
	if ((!e.write && !skip(&p, end, "read")) || !skip(&p, end, " at addr 0x") ||
	    !hex(&p, end, &e.value) || !skip(&p, end, ", size ") || !hex(&p, end, &size) ||
	    !skip(&p, end, ", region '"))
		return;
	const char *quote = memchr(p, '\'', (gsize)(end - p));
	const char *reason = quote;
	if (!quote || !skip(&reason, end, "', reason: rejected"))
		return;
	e.size = (unsigned)(size & 0xff);
	e.known = m->translated && m->page == (e.value & ~(guint64)PAGE);
	e.device = e.known ? m->device : 0;
	add_access(m, &e, p, (gsize)MIN(quote - p, 32));
}

/* "1234@1795369890.006268:" in front of trace lines with -msg timestamp=on. */
static const char *after_stamp(const char *line, const char *end)
{
	const char *p = line;
	while (p < end && (g_ascii_isdigit(*p) || *p == '@' || *p == '.'))
		p++;
	return p > line && p < end && *p == ':' ? p + 1 : line;
}

static void take_line(RecordMerge *m, const char *line, gsize len)
{
	static const struct {
		const char *word;
		void (*take)(RecordMerge *m, const char *p, const char *end);
		bool keeps; /* the device of the last translation */
	} kinds[] = {
		{"Invalid ", take_access, true},
		{"amdvi_translation_result ", take_translation, true},
		{"serial_write ", take_serial, false},
		{"amdvi_devtab_inval ", take_entry, false},
		{"amdvi_control_status ", take_control, false},
	};
	const char *end = line + len;
	const char *p = after_stamp(line, end);
	for (gsize i = 0; i < G_N_ELEMENTS(kinds); i++) {
		if (!skip(&p, end, kinds[i].word))
			continue;
		kinds[i].take(m, p, end);
		m->translated = m->translated && kinds[i].keeps;
		return;
	}
}

void record_merge_feed(RecordMerge *m, const char *bytes, gsize len)
{
	const char *end = bytes + len;
	while (bytes < end) {
		const char *stop = memchr(bytes, '\n', (gsize)(end - bytes));
		gsize n = (gsize)((stop ? stop : end) - bytes);
		if (stop && m->len == 0 && !m->cut) {
			take_line(m, bytes, MIN(n, MAX_LINE));
		} else {
			gsize room = MIN(n, MAX_LINE - m->len);
			memcpy(m->line + m->len, bytes, room);
			m->len += room;
			m->cut = m->cut || room < n;
			if (stop) {
				take_line(m, m->line, m->len);
				m->len = 0;
				m->cut = false;
			}
		}
		bytes += n + (stop ? 1 : 0);
	}
}

RecordTotals record_merge_totals(const RecordMerge *m)
{
	return m->totals;
}
