/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The streaming parser: whole blocks go through the prefilter; only lines with one of the drivers'
 * words, and those that follow an open record, are read. */
#include <string.h>

#include "iommu/driver.h"
#include "iommu/fault.h"
#include "iommu/line.h"
#include "iommu/pattern.h"
#include "iommu/prefilter.h"

#define MAX_LINE (64 * 1024)
#define MAX_RAW 2048
/* Of a longer line, this much before and behind the driver's word is read. */
#define REACH_BACK 1024
#define REACH_ON 4096
#define SUPPRESSED_WORDS "callbacks suppressed"

static const FaultDriver *const drivers[] = {
#define FAULT_DRIVER(name) &fault_driver_##name,
#include "iommu/drivers.inc"
#undef FAULT_DRIVER
};
#define DRIVERS G_N_ELEMENTS(drivers)

struct FaultParser {
	FaultFunc func;
	gpointer user;
	FaultRegex **regexes[DRIVERS]; /* one per pattern */
	FaultRegex *suppressed;
	const char **words; /* of all drivers, for the prefilter */
	FaultPrefilter *prefilter;
	GString *carry; /* a line of which the end has not come yet */
	GString *scratch;
	uint64_t line;		/* number of the line that is next */
	Fault *open[DRIVERS];	/* records that wait for more lines */
	bool announce[DRIVERS]; /* that record only says that a fault is to come */
	unsigned nth[DRIVERS];
	uint64_t opened[DRIVERS]; /* at which line */
	unsigned open_count;
};

FaultParser *fault_parser_new(FaultFunc func, gpointer user)
{
	FaultParser *p = g_new0(FaultParser, 1);
	p->func = func;
	p->user = user;
	g_autoptr(GError) error = NULL;
	g_autoptr(GPtrArray) words = g_ptr_array_new();
	for (size_t d = 0; d < DRIVERS; d++) {
		size_t n = 0;
		while (drivers[d]->patterns[n].pattern)
			n++;
		p->regexes[d] = g_new0(FaultRegex *, n + 1);
		for (size_t i = 0; i < n; i++) {
			p->regexes[d][i] = fault_regex_new(drivers[d]->patterns[i].pattern, &error);
			if (error) /* a constant of ours */
				g_error("%s: %s", drivers[d]->name, error->message);
		}
		for (const char *const *w = drivers[d]->needles; *w; w++)
			g_ptr_array_add(words, (gpointer)*w);
	}
	g_ptr_array_add(words, (gpointer)SUPPRESSED_WORDS);
	g_ptr_array_add(words, NULL);
	p->words = (const char **)g_ptr_array_steal(words, NULL);
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
	for (size_t d = 0; d < DRIVERS; d++) {
		for (FaultRegex **r = p->regexes[d]; *r; r++)
			fault_regex_free(*r);
		g_free(p->regexes[d]);
		fault_free(p->open[d]);
	}
	fault_regex_free(p->suppressed);
	fault_prefilter_free(p->prefilter);
	g_free(p->words);
	g_string_free(p->carry, TRUE);
	g_string_free(p->scratch, TRUE);
	g_free(p);
}

static void emit(FaultParser *p, Fault *f)
{
	g_autoptr(Fault) owned = f;
	/* Devices walk through buffers: 64 KiB holds one together, and two buffers apart. */
	g_autofree char *place =
		f->has_address && f->kind == FAULT_KIND_FAULT
			? g_strdup_printf("0x%llx", (unsigned long long)f->address & ~0xffffULL)
			: NULL;
	g_autofree char *number = f->flags >= 0 && f->kind != FAULT_KIND_SUPPRESSED
					  ? g_strdup_printf("0x%llx", (unsigned long long)f->flags)
					  : NULL;
	f->signature = g_strdup_printf("%s %s %s %s %s %s", f->driver, f->event,
				       f->device ? f->device : "-", fault_access_name(f->access),
				       number ? number : "-", place ? place : "-");
	p->func(f, p->user);
}

static void drop_open(FaultParser *p, size_t d)
{
	fault_free(g_steal_pointer(&p->open[d]));
	p->open_count--;
}

static void close_open(FaultParser *p, size_t d)
{
	Fault *f = g_steal_pointer(&p->open[d]);
	if (!f)
		return;
	p->open_count--;
	emit(p, f);
}

static FaultAccess access_of(const char *text, size_t len)
{
	/* Words ("Read", "write") or the letters R, W and X in any mix: a write tells most. */
	g_autofree char *s = g_ascii_strdown(text, (gssize)len);
	if (strstr(s, "write"))
		return FAULT_ACCESS_WRITE;
	if (strstr(s, "read"))
		return FAULT_ACCESS_READ;
	if (strstr(s, "exec"))
		return FAULT_ACCESS_EXEC;
	return strchr(s, 'w')	? FAULT_ACCESS_WRITE
	       : strchr(s, 'r') ? FAULT_ACCESS_READ
	       : strchr(s, 'x') ? FAULT_ACCESS_EXEC
				: FAULT_ACCESS_UNKNOWN;
}

static void set_text(char **field, const FaultMatch *m, const char *group)
{
	size_t len;
	const char *text = fault_match_group(m, group, &len);
	if (!text)
		return;
	g_free(*field);
	*field = g_strstrip(g_strndup(text, len));
}

static void set_number(gint64 *field, const FaultMatch *m, const char *group, unsigned base)
{
	gint64 n = fault_match_number(m, group, base);
	if (n >= 0)
		*field = n;
}

/* Fills in what the pattern names. */
static void take_groups(Fault *f, const FaultMatch *m)
{
	size_t len;
	set_text(&f->event, m, "event");
	set_text(&f->reason, m, "reason");
	const char *device = fault_match_group(m, "device", &len);
	if (device) {
		g_autofree char *name = g_strndup(device, len);
		g_free(f->device);
		f->device = fault_normalise_device(name);
	}
	const char *address = fault_match_group(m, "address", &len);
	if (address && len > 0 && len < 24) {
		char number[24] = {0};
		memcpy(number, address, len);
		f->address = g_ascii_strtoull(number, NULL, 16);
		f->has_address = true;
	}
	const char *access = fault_match_group(m, "access", &len);
	if (access)
		f->access = access_of(access, len);
	set_number(&f->domain, m, "domain", 16);
	set_number(&f->domain, m, "domain10", 10);
	set_number(&f->pasid, m, "pasid", 16);
	set_number(&f->flags, m, "flags", 16);
	set_number(&f->flags, m, "flags10", 10);
}

static char *excerpt(const char *text, size_t len, size_t around)
{
	size_t from = around > MAX_RAW / 4 && len > MAX_RAW ? around - MAX_RAW / 4 : 0;
	return g_strndup(text + from, MIN(len - from, MAX_RAW));
}

static Fault *new_fault(const FaultParser *p, const FaultDriver *driver, const FaultLine *l,
			const char *raw, size_t raw_len, size_t at)
{
	Fault *f = g_new0(Fault, 1);
	f->driver = driver->name;
	f->domain = f->pasid = f->flags = -1;
	f->time_us = l->time_us;
	f->line = p->line;
	f->raw = excerpt(raw, raw_len, at);
	return f;
}

static void take_more(FaultParser *p, size_t d, const FaultMatch *m, const char *raw,
		      size_t raw_len)
{
	const FaultDriver *driver = drivers[d];
	Fault *f = p->open[d];
	take_groups(f, m);
	if (strlen(f->raw) + raw_len < MAX_RAW) {
		g_autofree char *both = g_strdup_printf("%s\n%.*s", f->raw, (int)raw_len, raw);
		g_free(g_steal_pointer(&f->raw));
		f->raw = g_steal_pointer(&both);
	}
	unsigned nth = ++p->nth[d];
	if (driver->decode && !driver->decode(f, m, nth))
		drop_open(p, d);
	else if (!driver->wants_more || !driver->wants_more(f, nth))
		close_open(p, d);
}

/* One match of pattern `i` of driver `d` in line `l`. */
static void take_match(FaultParser *p, size_t d, size_t i, const FaultMatch *m, const FaultLine *l,
		       const char *raw, size_t raw_len)
{
	const FaultDriver *driver = drivers[d];
	const FaultPattern *pattern = &driver->patterns[i];
	bool more = pattern->step == FAULT_STEP_MORE || pattern->step == FAULT_STEP_ALONE;
	if (more && p->open[d] && !p->announce[d]) {
		take_more(p, d, m, raw, raw_len);
		return;
	}
	if (pattern->step == FAULT_STEP_MORE)
		return;
	g_autoptr(Fault) f = new_fault(p, driver, l, raw, raw_len, m->start);
	f->kind = pattern->kind;
	f->event = g_strdup(pattern->event);
	take_groups(f, m);
	if (!f->event)
		f->event = g_strdup("UNKNOWN");
	if (driver->decode && !driver->decode(f, m, 0))
		return;
	if (p->open[d] && p->announce[d] && f->kind == FAULT_KIND_FAULT)
		drop_open(p, d); /* here it is */
	close_open(p, d);
	p->announce[d] = pattern->step == FAULT_STEP_ANNOUNCE;
	if (pattern->step != FAULT_STEP_OPEN && !p->announce[d]) {
		emit(p, g_steal_pointer(&f));
		return;
	}
	p->open[d] = g_steal_pointer(&f);
	p->nth[d] = 0;
	p->opened[d] = p->line;
	p->open_count++;
}

/* All records of one driver in a line: serial lines can run into each other. */
static void read_driver(FaultParser *p, size_t d, const FaultLine *l, const char *raw,
			size_t raw_len)
{
	size_t from = 0;
	while (from < l->len) {
		FaultMatch best = {0};
		size_t winner = SIZE_MAX;
		for (size_t i = 0; p->regexes[d][i]; i++) {
			FaultMatch m;
			if (fault_regex_match(p->regexes[d][i], l->text, l->len, from, &m) &&
			    (winner == SIZE_MAX || m.start < best.start)) {
				best = m;
				winner = i;
			}
		}
		if (winner == SIZE_MAX)
			return;
		take_match(p, d, winner, &best, l, raw, raw_len);
		from = MAX(best.end, from + 1);
	}
}

static bool driver_wants(const FaultParser *p, size_t d, const FaultLine *l)
{
	if (p->open[d])
		return true;
	for (const char *const *w = drivers[d]->needles; *w; w++)
		if (memmem(l->text, l->len, *w, strlen(*w)))
			return true;
	return false;
}

static void read_suppressed(FaultParser *p, const FaultLine *l, const char *raw, size_t raw_len)
{
	FaultMatch m;
	size_t len;
	if (!memmem(l->text, l->len, SUPPRESSED_WORDS, strlen(SUPPRESSED_WORDS)) ||
	    !fault_regex_match(p->suppressed, l->text, l->len, 0, &m))
		return;
	const char *name = fault_match_group(&m, "function", &len);
	g_autofree char *function = g_strndup(name, len);
	for (size_t d = 0; d < DRIVERS; d++) {
		if (!drivers[d]->limited || !g_strv_contains(drivers[d]->limited, function))
			continue;
		Fault *f = new_fault(p, drivers[d], l, raw, raw_len, m.start);
		f->kind = FAULT_KIND_SUPPRESSED;
		f->event = g_strdup("SUPPRESSED");
		f->reason = g_strdup("the kernel limits the rate of its messages");
		f->suppressed = (uint64_t)MAX(fault_match_number(&m, "count", 10), 1);
		emit(p, f);
		return;
	}
}

static void read_line(FaultParser *p, const char *raw, size_t raw_len)
{
	FaultLine l;
	fault_line_read(raw, raw_len, &l);
	if (!l.echo && !l.extra && l.len) {
		fault_line_clean(&l, p->scratch);
		read_suppressed(p, &l, raw, raw_len);
		bool guarded = false;
		for (size_t d = 0; d < DRIVERS && !guarded; d++) {
			const char *guard = drivers[d]->guard;
			guarded = guard && memmem(raw, raw_len, guard, strlen(guard));
			if ((!guard || guarded) && driver_wants(p, d, &l))
				read_driver(p, d, &l, raw, raw_len);
		}
	}
	for (size_t d = 0; p->open_count && d < DRIVERS; d++)
		if (p->open[d] && p->line - p->opened[d] >= FAULT_STEP_REACH)
			close_open(p, d);
}

static void read_trimmed(FaultParser *p, const char *line, size_t len, const char *word)
{
	if (len && line[len - 1] == '\r')
		len--;
	if (len > MAX_LINE && word) {
		const char *end = line + len;
		line = word - line > REACH_BACK ? word - REACH_BACK : line;
		len = (size_t)MIN(end - line, REACH_BACK + REACH_ON);
	}
	read_line(p, line, MIN(len, MAX_LINE));
}

void fault_parser_line(FaultParser *p, const char *line, size_t len, uint64_t number)
{
	p->line = number;
	const char *word = fault_prefilter_find(p->prefilter, line, line + len);
	if (word || p->open_count)
		read_trimmed(p, line, len, word);
	p->line = number + 1;
}

/* Moves the line counter over the newlines in [from, to). */
static void count_lines(FaultParser *p, const char *from, const char *to)
{
	while ((from = memchr(from, '\n', (size_t)(to - from)))) {
		p->line++;
		from++;
	}
}

/* Whole lines, or the piece of an over-long one. */
static void read_block(FaultParser *p, const char *from, const char *end)
{
	while (from < end) {
		if (p->open_count) {
			const char *stop = memchr(from, '\n', (size_t)(end - from));
			stop = stop ? stop : end;
			read_trimmed(p, from, (size_t)(stop - from),
				     fault_prefilter_find(p->prefilter, from, stop));
			p->line += stop < end;
			from = stop + 1;
			continue;
		}
		const char *word = fault_prefilter_find(p->prefilter, from, end);
		if (!word) {
			count_lines(p, from, end);
			return;
		}
		const char *start = memrchr(from, '\n', (size_t)(word - from));
		start = start ? start + 1 : from;
		count_lines(p, from, start);
		const char *stop = memchr(word, '\n', (size_t)(end - word));
		stop = stop ? stop : end;
		read_trimmed(p, start, (size_t)(stop - start), word);
		if (stop - start > MAX_LINE && stop - word > REACH_ON) {
			from = word + REACH_ON; /* the rest of it */
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
	for (size_t d = 0; d < DRIVERS; d++)
		close_open(p, d);
	p->line = 1;
}

uint64_t fault_parser_lines(const FaultParser *p)
{
	return p->line - 1 + (p->carry->len > 0);
}
