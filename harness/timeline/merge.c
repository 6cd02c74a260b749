/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a trial left: the console, which alone has the emulator's record in its place, and the
 * kernel's records, which alone have the debug messages when the console is not given them. */
#include <string.h>

#include "base/emulator_record.h"
#include "iommu/line.h"
#include "timeline-internal.h"

typedef struct {
	const char *raw;
	size_t len;
	gint64 time_us;
	guint64 key;
} Record;

static guint64 key_of(const FaultLine *l, GString *scratch)
{
	FaultLine clean = *l;
	fault_line_clean(&clean, scratch);
	g_strchomp(scratch->str);
	return (guint64)g_str_hash(scratch->str) << 32 ^ (guint64)l->time_us;
}

static bool is_banner(const FaultLine *l)
{
	return l->len > 14 && memcmp(l->text, "Linux version ", 14) == 0;
}

static const char *next_line(const char *at, const char *end, size_t *ret_len)
{
	const char *stop = memchr(at, '\n', (size_t)(end - at));
	*ret_len = (size_t)((stop ? stop : end) - at);
	return stop ? stop + 1 : end;
}

/* The records with a time. *ret_whole: they begin with the banner and none is missing. */
static GArray *read_records(const char *kmsg, size_t len, bool *ret_whole)
{
	GArray *out = g_array_new(FALSE, FALSE, sizeof(Record));
	g_autoptr(GString) scratch = g_string_new(NULL);
	gint64 seq = -1;
	*ret_whole = false;
	for (const char *p = kmsg, *end = kmsg + len; p && p < end;) {
		Record r = {.raw = p};
		FaultLine l;
		p = next_line(p, end, &r.len);
		fault_line_read(r.raw, r.len, &l);
		if (l.extra || l.time_us < 0)
			continue;
		if (!out->len)
			*ret_whole = is_banner(&l);
		else if (l.seq >= 0 && l.seq != seq + 1)
			*ret_whole = false;
		seq = l.seq;
		r.time_us = l.time_us;
		r.key = key_of(&l, scratch);
		g_array_append_val(out, r);
	}
	return out;
}

/* Where the last boot begins, and what it says. */
static const char *read_console(const char *console, size_t len, GHashTable *said,
				bool *ret_emulator)
{
	const char *begin = console;
	g_autoptr(GString) scratch = g_string_new(NULL);
	*ret_emulator = false;
	for (const char *p = console, *end = console + len; p && p < end;) {
		FaultLine l;
		size_t n;
		const char *raw = p;
		p = next_line(p, end, &n);
		fault_line_read(raw, n, &l);
		if (is_banner(&l)) {
			g_hash_table_remove_all(said);
			begin = raw;
			*ret_emulator = false;
		}
		*ret_emulator |=
			l.len > strlen(EMULATOR_RECORD_PREFIX) &&
			memcmp(l.text, EMULATOR_RECORD_PREFIX, strlen(EMULATOR_RECORD_PREFIX)) == 0;
		if (l.time_us >= 0) {
			guint64 key = key_of(&l, scratch);
			g_hash_table_add(said, g_memdup2(&key, sizeof(key)));
		}
	}
	return begin;
}

static void put(GString *out, const char *line, size_t len)
{
	g_string_append_len(out, line, (gssize)len);
	g_string_append_c(out, '\n');
}

GString *timeline_merge(const char *console, size_t console_len, const char *kmsg, size_t kmsg_len)
{
	GString *out = g_string_new(NULL);
	g_autoptr(GHashTable) said =
		g_hash_table_new_full(g_int64_hash, g_int64_equal, g_free, NULL);
	bool whole, emulator;
	g_autoptr(GArray) records = read_records(kmsg, kmsg_len, &whole);
	const char *begin = read_console(console, console_len, said, &emulator);
	if (whole && !emulator) {
		g_string_append_len(out, kmsg, (gssize)kmsg_len);
		return out;
	}
	guint next = 0;
	for (const char *p = begin, *end = console + console_len; p && p < end;) {
		FaultLine l;
		size_t n;
		const char *raw = p;
		p = next_line(p, end, &n);
		fault_line_read(raw, n, &l);
		for (; l.time_us >= 0 && next < records->len; next++) {
			const Record *r = &g_array_index(records, Record, next);
			if (r->time_us >= l.time_us)
				break;
			if (!g_hash_table_contains(said, &r->key))
				put(out, r->raw, r->len);
		}
		put(out, raw, n);
	}
	for (; next < records->len; next++) {
		const Record *r = &g_array_index(records, Record, next);
		if (!g_hash_table_contains(said, &r->key))
			put(out, r->raw, r->len);
	}
	return out;
}
