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

typedef struct {
	GPtrArray *words, *marks;
	GArray *sets;
} Words;

/* Drivers may share words: each is looked for once. */
static void add_word(Words *w, const char *word, FaultDriverSet set, const FaultMark *mark)
{
	guint at;
	if (g_ptr_array_find_with_equal_func(w->words, word, g_str_equal, &at)) {
		g_array_index(w->sets, FaultDriverSet, at) |= set;
		return;
	}
	g_ptr_array_add(w->words, (gpointer)word);
	g_array_append_val(w->sets, set);
	g_ptr_array_add(w->marks, (gpointer)mark);
}

static void collect_words(FaultParser *p)
{
	Words w = {g_ptr_array_new(), g_ptr_array_new(),
		   g_array_new(FALSE, FALSE, sizeof(FaultDriverSet))};
	for (size_t d = 0; d < FAULT_DRIVERS; d++)
		for (const char *const *word = fault_drivers[d]->needles; *word; word++)
			add_word(&w, *word, 1u << d, NULL);
	add_word(&w, SUPPRESSED_WORDS, FAULT_SET_SUPPRESSED, NULL);
	for (const FaultMark *m = fault_marks; p->windows && m->name; m++)
		add_word(&w, m->words, FAULT_SET_MARK, m);
	if (p->windows) {
		add_word(&w, FAULT_INITCALL_BEGIN, FAULT_SET_INITCALL, NULL);
		add_word(&w, FAULT_INITCALL_END, FAULT_SET_INITCALL, NULL);
	}
	g_ptr_array_add(w.words, NULL);
	p->words = (const char **)g_ptr_array_free(w.words, FALSE);
	p->word_marks = (const FaultMark **)g_ptr_array_free(w.marks, FALSE);
	p->word_sets = (FaultDriverSet *)(void *)g_array_free(w.sets, FALSE);
}

static FaultParser *parser_new(FaultFunc func, gpointer user, bool windows)
{
	FaultParser *p = g_new0(FaultParser, 1);
	p->windows = windows;
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

FaultParser *fault_parser_new(FaultFunc func, gpointer user)
{
	return parser_new(func, user, false);
}

FaultParser *fault_parser_new_with_windows(FaultFunc func, gpointer user)
{
	return parser_new(func, user, true);
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
	fault_regex_free(p->range.from);
	fault_regex_free(p->range.to);
	g_free(p->range.from_name);
	g_free(p->range.to_name);
	g_free(p->word_sets);
	g_free(p->word_marks);
	g_string_free(p->carry, TRUE);
	g_string_free(p->scratch, TRUE);
	g_free(p);
}

static void take_initcall(FaultParser *p, const char *line, const char *end)
{
	size_t len;
	bool ends;
	const char *name = fault_initcall_read(line, (size_t)(end - line), &len, &ends);
	if (!name || len >= sizeof(p->initcall))
		return;
	/* Asynchronous ones end while another runs. */
	if (ends && strlen(p->initcall) == len && memcmp(p->initcall, name, len) == 0)
		p->initcall[0] = '\0';
	if (!ends) {
		memcpy(p->initcall, name, len);
		p->initcall[len] = '\0';
	}
}

static void take_mark(FaultParser *p, const FaultMark *mark)
{
	p->mark = mark;
	if (!*mark->name) { /* another boot */
		p->initcall[0] = '\0';
		p->range.opened = !p->range.from && !p->range.from_name;
		p->range.closed = false;
	} else if (g_strcmp0(p->range.from_name, mark->name) == 0) {
		p->range.opened = true;
	} else if (p->range.opened && g_strcmp0(p->range.to_name, mark->name) == 0) {
		p->range.closed = true;
	}
}

void fault_range_read_line(FaultParser *p, const FaultLine *l)
{
	FaultMatch m;
	size_t len = MIN(l->len, MAX_LINE);
	if (p->range.from && !p->range.opened)
		p->range.opened = fault_regex_match(p->range.from, l->text, len, 0, &m);
	else if (p->range.to && p->range.opened && !p->range.closed)
		p->range.closed = fault_regex_match(p->range.to, l->text, len, 0, &m);
}

static bool set_end(const char *text, char **name, FaultRegex **regex, GError **error)
{
	if (!text || !*text)
		return true;
	if (fault_mark_find(text))
		*name = g_strdup(text);
	else
		*regex = fault_regex_new(text, error);
	return *name || *regex;
}

bool fault_parser_set_range(FaultParser *p, const char *from, const char *to, GError **error)
{
	p->range.set = true;
	p->range.opened = !from || !*from;
	return set_end(from, &p->range.from_name, &p->range.from, error) &&
	       set_end(to, &p->range.to_name, &p->range.to, error);
}

/* Every line is to be read, not only those with a word. */
static bool reads_all(const FaultParser *p)
{
	return p->open_count || p->range.from || p->range.to;
}

/* Drivers whose words stand in the line from `first` up to `end`; notes the markers on the way. */
static FaultDriverSet collect_hits(FaultParser *p, const char *line, const FaultHit *first,
				   const char *end)
{
	FaultDriverSet set = 0;
	uint64_t found[2] = {0};
	fault_prefilter_collect(p->prefilter, first->at, end, found);
	for (unsigned i = 0; i < 2; i++)
		for (; found[i]; found[i] &= found[i] - 1) {
			unsigned word = i * 64 + (unsigned)__builtin_ctzll(found[i]);
			set |= p->word_sets[word];
			if (p->word_marks[word])
				take_mark(p, p->word_marks[word]);
			else if (p->word_sets[word] & FAULT_SET_INITCALL)
				take_initcall(p, line, end);
		}
	return set;
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
		hits = collect_hits(p, line, hit, line + len);
	if (!reads_all(p) && !(hits & FAULT_SETS_READ))
		return;
	fault_match_line(p, line, len, hits);
	if (p->open_count && p->line >= FAULT_STEP_REACH)
		fault_match_expire(p, p->line - FAULT_STEP_REACH + 1);
}

void fault_parser_line(FaultParser *p, const char *line, size_t len, uint64_t number)
{
	FaultHit hit;
	p->line = number;
	bool any = fault_prefilter_next(p->prefilter, line, line + len, &hit);
	if (any || reads_all(p))
		read_line(p, line, len, any ? &hit : NULL);
	p->line = number + 1;
}

/* Whole lines, or the piece of an over-long one. */
static void read_block(FaultParser *p, const char *from, const char *end)
{
	while (from < end) {
		FaultHit hit;
		if (reads_all(p)) {
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
	p->mark = NULL;
	p->initcall[0] = '\0';
	p->range.opened = !p->range.from && !p->range.from_name;
	p->range.closed = false;
}

void fault_parser_flush(FaultParser *p)
{
	fault_match_expire(p, G_MAXUINT64);
}

uint64_t fault_parser_lines(const FaultParser *p)
{
	return p->line - 1 + (p->carry->len > 0);
}
