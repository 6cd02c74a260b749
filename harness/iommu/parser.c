/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The streaming parser: whole blocks go through the prefilter; only lines with one of the drivers'
 * words, and those that follow an open record, are read. */
#include <string.h>

#include "iommu/parser-internal.h"

#define MAX_LINE (64 * 1024)
/* Of a longer line, this much before and behind the driver's word is read. */
#define REACH_BACK 1024
#define REACH_ON 4096
#define SUPPRESSED_WORDS "callbacks suppressed"

const FaultDriver *const fault_drivers[FAULT_DRIVERS] = {
#define FAULT_DRIVER(name) &fault_driver_##name,
#include "iommu/drivers.inc"
#undef FAULT_DRIVER
};

static void compile_driver(FaultParser *p, size_t d)
{
	const FaultDriver *driver = fault_drivers[d];
	g_autoptr(GError) error = NULL;
	size_t n = 0;
	while (driver->patterns[n].pattern)
		n++;
	p->regexes[d] = g_new0(FaultRegex *, n + 1);
	for (size_t i = 0; i < n; i++) {
		p->regexes[d][i] = fault_regex_new(driver->patterns[i].pattern, &error);
		if (error) /* a constant of ours */
			g_error("%s: %s", driver->name, error->message);
	}
}

/* Drivers may share words: each is looked for once. */
static void collect_words(FaultParser *p)
{
	g_autoptr(GPtrArray) words = g_ptr_array_new();
	g_autoptr(GArray) sets = g_array_new(FALSE, FALSE, sizeof(FaultDriverSet));
	for (size_t d = 0; d < FAULT_DRIVERS; d++)
		for (const char *const *w = fault_drivers[d]->needles; *w; w++) {
			FaultDriverSet set = 1u << d;
			guint at;
			if (g_ptr_array_find_with_equal_func(words, *w, g_str_equal, &at)) {
				g_array_index(sets, FaultDriverSet, at) |= set;
				continue;
			}
			g_ptr_array_add(words, (gpointer)*w);
			g_array_append_val(sets, set);
		}
	FaultDriverSet set = FAULT_SET_SUPPRESSED;
	g_ptr_array_add(words, (gpointer)SUPPRESSED_WORDS);
	g_array_append_val(sets, set);
	g_ptr_array_add(words, NULL);
	p->words = (const char **)g_ptr_array_steal(words, NULL);
	p->word_sets = (FaultDriverSet *)(void *)g_array_steal(sets, NULL);
}

FaultParser *fault_parser_new(FaultFunc func, gpointer user)
{
	FaultParser *p = g_new0(FaultParser, 1);
	p->func = func;
	p->user = user;
	g_autoptr(GError) error = NULL;
	for (size_t d = 0; d < FAULT_DRIVERS; d++)
		compile_driver(p, d);
	collect_words(p);
	p->prefilter = fault_prefilter_new(p->words);
	p->suppressed = fault_regex_new("(?<function>[A-Za-z_][A-Za-z0-9_]{0,80}): "
					"(?<count>[0-9]{1,18}) " SUPPRESSED_WORDS,
					&error);
	g_assert_no_error(error);
	p->carry = g_string_new(NULL);
	p->scratch = g_string_new(NULL);
	p->line = 1;
	return p;
}

void fault_parser_free(FaultParser *p)
{
	if (!p)
		return;
	fault_match_drop_all(p);
	for (size_t d = 0; d < FAULT_DRIVERS; d++) {
		for (FaultRegex **r = p->regexes[d]; *r; r++)
			fault_regex_free(*r);
		g_free(p->regexes[d]);
	}
	fault_regex_free(p->suppressed);
	fault_prefilter_free(p->prefilter);
	g_free(p->words);
	g_free(p->word_sets);
	g_string_free(p->carry, TRUE);
	g_string_free(p->scratch, TRUE);
	g_free(p);
}

/* Drivers whose words stand in [p, end), of which the first hit is known. */
static FaultDriverSet collect_hits(const FaultParser *p, const FaultHit *first, const char *end)
{
	FaultDriverSet set = 0;
	for (FaultHit hit = *first;;) {
		set |= p->word_sets[hit.word];
		if (!fault_prefilter_next(p->prefilter, hit.at + 1, end, &hit))
			return set;
	}
}

/* `hit` NULL: no word is in the line, but a record waits. */
static void read_line(FaultParser *p, const char *line, size_t len, const FaultHit *hit)
{
	if (len && line[len - 1] == '\r')
		len--;
	if (len > MAX_LINE && hit) {
		const char *end = line + len;
		line = hit->at - line > REACH_BACK ? hit->at - REACH_BACK : line;
		len = (size_t)MIN(end - line, REACH_BACK + REACH_ON);
	}
	len = MIN(len, MAX_LINE);
	FaultDriverSet hits = 0;
	if (hit && hit->at < line + len)
		hits = collect_hits(p, hit, line + len);
	fault_match_line(p, line, len, hits);
	if (p->open_count && p->line >= FAULT_STEP_REACH)
		fault_match_expire(p, p->line - FAULT_STEP_REACH + 1);
}

void fault_parser_line(FaultParser *p, const char *line, size_t len, uint64_t number)
{
	FaultHit hit;
	p->line = number;
	bool any = fault_prefilter_next(p->prefilter, line, line + len, &hit);
	if (any || p->open_count)
		read_line(p, line, len, any ? &hit : NULL);
	p->line = number + 1;
}

/* Whole lines, or the piece of an over-long one. */
static void read_block(FaultParser *p, const char *from, const char *end)
{
	while (from < end) {
		FaultHit hit;
		if (p->open_count) {
			const char *stop = memchr(from, '\n', (size_t)(end - from));
			stop = stop ? stop : end;
			bool any = fault_prefilter_next(p->prefilter, from, stop, &hit);
			read_line(p, from, (size_t)(stop - from), any ? &hit : NULL);
			p->line += stop < end;
			from = stop + 1;
			continue;
		}
		if (!fault_prefilter_next(p->prefilter, from, end, &hit)) {
			p->line += fault_count_lines(from, end);
			return;
		}
		const char *start = memrchr(from, '\n', (size_t)(hit.at - from));
		start = start ? start + 1 : from;
		p->line += fault_count_lines(from, start);
		const char *stop = memchr(hit.at, '\n', (size_t)(end - hit.at));
		stop = stop ? stop : end;
		read_line(p, start, (size_t)(stop - start), &hit);
		if (stop - start > MAX_LINE && stop - hit.at > REACH_ON) {
			from = hit.at + REACH_ON; /* the rest of it */
			continue;
		}
		p->line += stop < end;
		from = stop + 1;
	}
}

void fault_parser_feed(FaultParser *p, const char *bytes, size_t len)
{
	const char *end = bytes + len;
	if (p->carry->len) {
		const char *stop = memchr(bytes, '\n', len);
		const char *to = stop ? stop + 1 : end;
		g_string_append_len(p->carry, bytes, to - bytes);
		bytes = to;
		if (stop || p->carry->len >= MAX_LINE) {
			read_block(p, p->carry->str, p->carry->str + p->carry->len);
			g_string_set_size(p->carry, 0);
		}
	}
	if (bytes >= end)
		return;
	const char *last = memrchr(bytes, '\n', (size_t)(end - bytes));
	if (last) {
		read_block(p, bytes, last + 1);
		bytes = last + 1;
	}
	while (end - bytes >= MAX_LINE) {
		read_block(p, bytes, bytes + MAX_LINE);
		bytes += MAX_LINE;
	}
	g_string_append_len(p->carry, bytes, end - bytes);
}

void fault_parser_finish(FaultParser *p)
{
	if (p->carry->len)
		read_block(p, p->carry->str, p->carry->str + p->carry->len);
	g_string_set_size(p->carry, 0);
	fault_match_expire(p, G_MAXUINT64);
	p->line = 1;
}

uint64_t fault_parser_lines(const FaultParser *p)
{
	return p->line - 1 + (p->carry->len > 0);
}
