/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <string.h>

#include "base/emulator_record.h"
#include "oracle/oracle-internal.h"

#define LINE(array, i) (&g_array_index(array, OracleLine, i))
/* How far below its banner a kernel prints its command line. */
#define COMMAND_LINE_REACH 8

static bool holds(const OracleLine *l, const char *words)
{
	return memmem(l->text, l->text_len, words, strlen(words)) != NULL;
}

static bool starts(const OracleLine *l, const char *words)
{
	size_t n = strlen(words);
	return l->text_len >= n && memcmp(l->text, words, n) == 0;
}

GArray *oracle_lines_split(const char *bytes, size_t len, uint64_t first_number)
{
	GArray *lines = g_array_new(FALSE, FALSE, sizeof(OracleLine));
	const char *p = bytes, *end = bytes ? bytes + len : NULL;
	gint64 last_time = -1;
	for (uint64_t number = first_number; p < end; number++) {
		const char *stop = memchr(p, '\n', (size_t)(end - p));
		size_t n = (size_t)((stop ? stop : end) - p);
		FaultLine f;
		fault_line_read(p, MIN(n, G_MAXUINT32), &f);
		if (f.time_us >= 0)
			last_time = f.time_us;
		OracleLine l = {
			.raw = p,
			.raw_len = (unsigned)MIN(n, G_MAXUINT32),
			.text = f.text,
			.text_len = (unsigned)f.len,
			.number = number,
			.time_us = last_time,
			.seq = f.seq,
			.timed = f.time_us >= 0,
			.echo = f.echo,
		};
		l.emulator = starts(&l, EMULATOR_RECORD_PREFIX);
		if (!f.extra)
			g_array_append_val(lines, l);
		p += n + 1;
	}
	return lines;
}

bool oracle_line_has(const OracleLine *l, const FaultRegex *r)
{
	FaultMatch m;
	return fault_regex_match(r, l->text, MIN(l->text_len, 65536), 0, &m);
}

bool oracle_line_is_banner(const OracleLine *l, const OracleLine *previous_banner)
{
	if (!starts(l, "Linux version ") || !holds(l, "."))
		return false;
	/* A kernel's clock starts after its banner; without a clock in the log, any will do. */
	return l->timed ? l->time_us < G_USEC_PER_SEC : !previous_banner || !previous_banner->timed;
}

bool oracle_line_is_panic(const OracleLine *l)
{
	return !l->echo && starts(l, "Kernel panic - not syncing");
}

bool oracle_has_jumped(const GArray *lines)
{
	for (guint i = 0; i < lines->len; i++)
		if (holds(LINE(lines, i), "Starting new kernel"))
			return true;
	return false;
}

/* What the command line below banner `at` holds. */
static bool command_line_has(const GArray *lines, guint at, const char *words)
{
	for (guint i = at + 1; i < lines->len && i <= at + COMMAND_LINE_REACH; i++)
		if (starts(LINE(lines, i), "Command line: "))
			return holds(LINE(lines, i), words);
	return false;
}

bool oracle_find_variant(const GArray *lines, const OracleInput *in, guint *ret_from, guint *ret_to)
{
	g_autoptr(GArray) banners = g_array_new(FALSE, FALSE, sizeof(guint));
	const OracleLine *previous = NULL;
	for (guint i = 0; i < lines->len; i++)
		if (oracle_line_is_banner(LINE(lines, i), previous)) {
			previous = LINE(lines, i);
			g_array_append_val(banners, i);
		}
	int found = -1, marked = -1, identical = -1, others = 0, last = -1;
	for (guint b = 0; b < banners->len; b++) {
		guint at = g_array_index(banners, guint, b);
		/* A reset brings the launcher back: it is never the variant. */
		if (in->mode == BOOT_KEXEC && command_line_has(lines, at, "kexsect.role=launcher"))
			continue;
		others++;
		last = (int)b;
		if (found < 0)
			found = (int)b;
		if (marked < 0 && command_line_has(lines, at, "kexsect.variant="))
			marked = (int)b;
		if (identical < 0 && in->identity && holds(LINE(lines, at), in->identity))
			identical = (int)b;
	}
	if (found < 0)
		return false;
	/* Where nobody said from which byte on: the launcher may be among them, unmarked. */
	if (in->mode == BOOT_KEXEC && !in->console_from)
		found = marked >= 0	 ? marked
			: identical >= 0 ? identical
			: others >= 2	 ? last
					 : found;
	*ret_from = g_array_index(banners, guint, found);
	*ret_to = (guint)found + 1 < banners->len ? g_array_index(banners, guint, found + 1)
						  : lines->len;
	return true;
}

/* ---- two sources ---- */

static char *key_of(gint64 time_us, const char *text, size_t len)
{
	return g_strdup_printf("%" G_GINT64_FORMAT " %.*s", time_us, (int)MIN(len, 4096), text);
}

static void count_up(GHashTable *counts, char *key)
{
	gpointer n = g_hash_table_lookup(counts, key);
	g_hash_table_replace(counts, key, GUINT_TO_POINTER(GPOINTER_TO_UINT(n) + 1));
}

static bool count_down(GHashTable *counts, const char *key)
{
	guint n = GPOINTER_TO_UINT(g_hash_table_lookup(counts, key));
	if (n)
		g_hash_table_replace(counts, g_strdup(key), GUINT_TO_POINTER(n - 1));
	return n > 0;
}

/* How often each text was printed, with its time and without. */
static GHashTable *count_records(const GArray *kmsg)
{
	GHashTable *counts = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
	g_autoptr(GString) scratch = g_string_new(NULL);
	for (guint i = 0; i < kmsg->len; i++) {
		const OracleLine *l = LINE(kmsg, i);
		FaultLine f = {.text = l->text, .len = l->text_len, .seq = l->seq};
		fault_line_clean(&f, scratch);
		/* A record of several lines is several lines on a console. */
		g_auto(GStrv) parts = g_strsplit(scratch->str, "\n", -1);
		for (char **p = parts; *p; p++) {
			g_strchomp(*p);
			count_up(counts, key_of(l->time_us, *p, strlen(*p)));
			count_up(counts, key_of(-1, *p, strlen(*p)));
		}
	}
	return counts;
}

typedef struct {
	gint64 from, to; /* kernel time between which records are missing, both included */
} Gap;

/* Where the console must stand in: before a first record that is not number 0, in jumps of the
 * sequence, and behind the last. */
static GArray *find_gaps(const GArray *kmsg)
{
	GArray *gaps = g_array_new(FALSE, FALSE, sizeof(Gap));
	const OracleLine *last = NULL;
	gint64 before = -1;
	for (guint i = 0; i < kmsg->len; i++) {
		const OracleLine *l = LINE(kmsg, i);
		if (l->seq < 0)
			continue; /* not a record: a log text without numbers tells nothing of gaps
				   */
		if (last ? l->seq != last->seq + 1 : l->seq > 0) {
			Gap g = {before, l->time_us};
			g_array_append_val(gaps, g);
		}
		last = l;
		before = l->time_us;
	}
	Gap tail = {last ? before : -1, G_MAXINT64};
	g_array_append_val(gaps, tail);
	return gaps;
}

static bool in_gap(const GArray *gaps, gint64 time_us)
{
	for (guint i = 0; i < gaps->len; i++) {
		const Gap *g = &g_array_index(gaps, Gap, i);
		if (time_us >= g->from && time_us <= g->to)
			return true;
	}
	return false;
}

/* The console's lines that say more than the records do. */
static GArray *additions(const GArray *console, guint from, guint to, const GArray *kmsg,
			 const GArray *gaps)
{
	GArray *extra = g_array_new(FALSE, FALSE, sizeof(OracleLine));
	g_autoptr(GHashTable) counts = count_records(kmsg);
	g_autoptr(GString) scratch = g_string_new(NULL);
	bool any_time = false;
	for (guint i = from; i < to && !any_time; i++)
		any_time = LINE(console, i)->timed;
	for (guint i = from; i < to; i++) {
		OracleLine l = *LINE(console, i);
		FaultLine f = {.text = l.text, .len = l.text_len, .seq = -1};
		fault_line_clean(&f, scratch);
		g_strchomp(scratch->str);
		g_autofree char *key =
			key_of(l.timed ? l.time_us : -1, scratch->str, strlen(scratch->str));
		if (count_down(counts, key))
			continue;
		if (!any_time)
			l.time_us = G_MAXINT64; /* no way to tell where: behind the records */
		bool missing = in_gap(gaps, l.time_us);
		if (l.timed && !missing)
			continue; /* a damaged copy of a record */
		/* What a program prints on the console has no time and may be a marker, but a
		 * damaged copy of a fault must not count twice. */
		l.mute = !missing;
		g_array_append_val(extra, l);
	}
	return extra;
}

/* A copy of the ring buffer has no numbers, but no gaps either; what was overwritten before it is
 * missing when it does not begin with the banner. */
static void number_copy(GArray *kmsg)
{
	bool numbered = false;
	for (guint i = 0; i < kmsg->len && !numbered; i++)
		numbered = LINE(kmsg, i)->seq >= 0;
	if (numbered || !kmsg->len || !LINE(kmsg, kmsg->len - 1)->timed)
		return;
	gint64 first = oracle_line_is_banner(LINE(kmsg, 0), NULL) ? 0 : 1;
	for (guint i = 0; i < kmsg->len; i++)
		LINE(kmsg, i)->seq = first + i;
}

/* ---- with the emulator's record ---- */

static bool has_emulator(const GArray *console, guint from, guint to)
{
	for (guint i = from; i < to; i++)
		if (LINE(console, i)->emulator)
			return true;
	return false;
}

static GHashTable *count_console(const GArray *console, guint from, guint to)
{
	GHashTable *counts = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
	g_autoptr(GString) scratch = g_string_new(NULL);
	for (guint i = from; i < to; i++) {
		const OracleLine *l = LINE(console, i);
		if (l->emulator)
			continue;
		FaultLine f = {.text = l->text, .len = l->text_len, .seq = -1};
		fault_line_clean(&f, scratch);
		g_strchomp(scratch->str);
		count_up(counts,
			 key_of(l->timed ? l->time_us : -1, scratch->str, strlen(scratch->str)));
	}
	return counts;
}

/* The records that the console did not show. */
static GArray *missing_records(const GArray *console, guint from, guint to, const GArray *kmsg)
{
	GArray *missing = g_array_new(FALSE, FALSE, sizeof(OracleLine));
	g_autoptr(GHashTable) counts = count_console(console, from, to);
	g_autoptr(GString) scratch = g_string_new(NULL);
	gint64 last = from < to ? LINE(console, to - 1)->time_us : -1;
	for (guint i = 0; i < kmsg->len; i++) {
		OracleLine l = *LINE(kmsg, i);
		FaultLine f = {.text = l.text, .len = l.text_len, .seq = l.seq};
		fault_line_clean(&f, scratch);
		g_strchomp(scratch->str);
		g_autofree char *timed = key_of(l.time_us, scratch->str, strlen(scratch->str));
		g_autofree char *plain = key_of(-1, scratch->str, strlen(scratch->str));
		if (count_down(counts, timed) || count_down(counts, plain))
			continue;
		/* Where the console spoke, it may have said the same in other pieces. */
		l.mute = l.time_us <= last;
		g_array_append_val(missing, l);
	}
	return missing;
}

/* What the emulator recorded has its place between lines of the console and nowhere else: so the
 * console's order counts, and the records add what it does not show. It lost nothing on its way:
 * the emulator's record holds it byte for byte. */
static GArray *merge_at_console(const GArray *console, guint from, guint to, const GArray *kmsg)
{
	GArray *all = g_array_new(FALSE, FALSE, sizeof(OracleLine));
	g_autoptr(GArray) missing = missing_records(console, from, to, kmsg);
	guint m = 0;
	for (guint i = from; i < to; i++) {
		const OracleLine *l = LINE(console, i);
		while (m < missing->len && l->timed && LINE(missing, m)->time_us < l->time_us)
			g_array_append_val(all, *LINE(missing, m++));
		g_array_append_val(all, *l);
	}
	if (m < missing->len)
		g_array_append_vals(all, LINE(missing, m), missing->len - m);
	return all;
}

GArray *oracle_lines_merge(const GArray *console, guint from, guint to, GArray *kmsg,
			   bool *ret_complete)
{
	GArray *all = g_array_new(FALSE, FALSE, sizeof(OracleLine));
	number_copy(kmsg);
	bool records = false;
	for (guint i = 0; i < kmsg->len; i++) {
		LINE(kmsg, i)->kmsg = true;
		records |= LINE(kmsg, i)->seq >= 0;
	}
	*ret_complete = false;
	if (has_emulator(console, from, to)) {
		if (records) {
			g_autoptr(GArray) gaps = find_gaps(kmsg);
			*ret_complete = gaps->len == 1;
		}
		g_array_unref(all);
		return merge_at_console(console, from, to, kmsg);
	}
	if (!records) {
		/* Nothing, or a text without numbers and times: it cannot be placed. */
		if (from < to)
			g_array_append_vals(all, LINE(console, from), to - from);
		else
			g_array_append_vals(all, kmsg->data, kmsg->len);
		return all;
	}
	g_autoptr(GArray) gaps = find_gaps(kmsg);
	*ret_complete = gaps->len == 1; /* only the end is open */
	g_autoptr(GArray) extra = additions(console, from, to, kmsg, gaps);
	guint e = 0;
	for (guint i = 0; i < kmsg->len; i++) {
		while (e < extra->len && LINE(extra, e)->time_us < LINE(kmsg, i)->time_us)
			g_array_append_val(all, *LINE(extra, e++));
		g_array_append_val(all, *LINE(kmsg, i));
	}
	if (e < extra->len)
		g_array_append_vals(all, LINE(extra, e), extra->len - e);
	return all;
}
