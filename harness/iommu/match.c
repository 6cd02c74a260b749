/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <string.h>

#include "iommu/parser-internal.h"

#define MAX_RAW 2048
#define SUPPRESSED_WORDS "callbacks suppressed"

void fault_set_text(char **field, const char *text)
{
	if (!text)
		return;
	g_free(*field);
	*field = g_strdup(text);
}

void fault_add_words(GString *words, const char *more)
{
	if (words->len)
		g_string_append(words, ", ");
	g_string_append(words, more);
}

static bool is_outside(const FaultParser *p)
{
	return p->range.set && (!p->range.opened || p->range.closed);
}

static void emit(FaultParser *p, Fault *f, bool outside)
{
	g_autoptr(Fault) owned = f;
	if (outside)
		return;
	f->signature = fault_make_signature(f);
	p->func(f, p->user);
}

/* ---- records that wait ---- */

static FaultOpen *opens(FaultParser *p, size_t d)
{
	return p->open[d];
}

/* Takes a record out of its place. */
static Fault *take_open(FaultParser *p, size_t d, unsigned i)
{
	FaultOpen *o = opens(p, d);
	Fault *f = o[i].fault;
	memmove(&o[i], &o[i + 1], (FAULT_STEP_OPEN_MAX - 1 - i) * sizeof(*o));
	o[FAULT_STEP_OPEN_MAX - 1] = (FaultOpen){0};
	p->open_count--;
	return f;
}

/* Without the lines that it waited for. */
static void let_go(FaultParser *p, size_t d, unsigned i)
{
	bool outside = opens(p, d)[i].outside;
	Fault *f = take_open(p, d, i);
	if (fault_drivers[d]->unfinished)
		fault_drivers[d]->unfinished(f);
	emit(p, f, outside);
}

void fault_match_expire(FaultParser *p, uint64_t older_than)
{
	for (size_t d = 0; p->open_count && d < FAULT_DRIVERS; d++)
		while (opens(p, d)[0].fault && opens(p, d)[0].line < older_than)
			let_go(p, d, 0);
}

void fault_match_drop_all(FaultParser *p)
{
	for (size_t d = 0; d < FAULT_DRIVERS; d++)
		while (opens(p, d)[0].fault)
			fault_free(take_open(p, d, 0));
}

static void drop_announced(FaultParser *p, size_t d)
{
	for (unsigned i = 0; i < FAULT_STEP_OPEN_MAX && opens(p, d)[i].fault;)
		if (opens(p, d)[i].announce)
			fault_free(take_open(p, d, i));
		else
			i++;
}

static void add_open(FaultParser *p, size_t d, Fault *f, bool announce, guint32 source)
{
	FaultOpen *o = opens(p, d);
	/* A source writes its lines one after the other: what came before will get no more. */
	for (unsigned i = 0; i < FAULT_STEP_OPEN_MAX && o[i].fault;)
		if (fault_drivers[d]->pair == FAULT_PAIR_SOURCE && o[i].source == source)
			let_go(p, d, i);
		else
			i++;
	if (o[FAULT_STEP_OPEN_MAX - 1].fault)
		let_go(p, d, 0);
	unsigned n = 0;
	while (o[n].fault)
		n++;
	o[n] = (FaultOpen){.fault = f,
			   .announce = announce,
			   .line = p->line,
			   .source = source,
			   .outside = is_outside(p)};
	p->open_count++;
}

/* The record that a line goes on with; -1: none. */
static int find_open(FaultParser *p, size_t d, const FaultMatch *m, const FaultLine *l,
		     guint32 source)
{
	const FaultDriver *driver = fault_drivers[d];
	const FaultOpen *o = opens(p, d);
	int found = -1;
	for (unsigned i = 0; i < FAULT_STEP_OPEN_MAX && o[i].fault; i++) {
		if (o[i].announce || (driver->fits && !driver->fits(o[i].fault, m)))
			continue;
		switch (driver->pair) {
		case FAULT_PAIR_OLDEST:
			return (int)i;
		case FAULT_PAIR_SOURCE:
			if (o[i].source == source)
				return (int)i;
			break;
		case FAULT_PAIR_TIME:
			if (l->time_us >= 0 && o[i].fault->time_us == l->time_us)
				return (int)i;
			found = (int)i;
		}
	}
	return found;
}

/* ---- one match ---- */

static FaultAccess access_of(const char *text, size_t len)
{
	/* Words ("Read", "WRITE", "wr") or the letters R, W and X in any mix: a write tells most.
	 */
	bool read = false, exec = false;
	for (size_t i = 0; i < len; i++) {
		char c = g_ascii_tolower(text[i]);
		if (c == 'w')
			return FAULT_ACCESS_WRITE;
		read |= c == 'r';
		exec |= c == 'x';
	}
	return read ? FAULT_ACCESS_READ : exec ? FAULT_ACCESS_EXEC : FAULT_ACCESS_UNKNOWN;
}

static void take_text(char **field, const FaultMatch *m, FaultGroup group)
{
	size_t len;
	const char *text = fault_match_known(m, group, &len);
	if (!text)
		return;
	while (len && g_ascii_isspace(*text)) {
		text++;
		len--;
	}
	while (len && g_ascii_isspace(text[len - 1]))
		len--;
	g_free(*field);
	*field = fault_dup(text, len);
}

static void take_number(gint64 *field, const FaultMatch *m, FaultGroup group, unsigned base)
{
	size_t len;
	const char *text = fault_match_known(m, group, &len);
	if (text)
		fault_read_number(text, len, base, field);
}

/* Fills in what the pattern names. */
static void take_groups(Fault *f, const FaultMatch *m)
{
	size_t len;
	take_text(&f->event, m, FAULT_GROUP_EVENT);
	take_text(&f->reason, m, FAULT_GROUP_REASON);
	const char *device = fault_match_known(m, FAULT_GROUP_DEVICE, &len);
	if (device) {
		g_free(f->device);
		f->device = fault_normalise_device_n(device, len);
	}
	const char *address = fault_match_known(m, FAULT_GROUP_ADDRESS, &len);
	if (address && len > 0 && len <= 16) {
		uint64_t n = 0;
		for (size_t i = 0; i < len; i++)
			n = n << 4 | (uint64_t)fault_hex_digit(address[i]);
		f->address = n;
		f->has_address = true;
	}
	const char *access = fault_match_known(m, FAULT_GROUP_ACCESS, &len);
	if (access)
		f->access = access_of(access, len);
	take_number(&f->domain, m, FAULT_GROUP_DOMAIN, 16);
	take_number(&f->domain, m, FAULT_GROUP_DOMAIN10, 10);
	take_number(&f->pasid, m, FAULT_GROUP_PASID, 16);
	take_number(&f->flags, m, FAULT_GROUP_FLAGS, 16);
	take_number(&f->flags, m, FAULT_GROUP_FLAGS10, 10);
}

static char *excerpt(const char *text, size_t len, size_t around)
{
	size_t from = around > MAX_RAW / 4 && len > MAX_RAW ? around - MAX_RAW / 4 : 0;
	return fault_dup(text + from, MIN(len - from, MAX_RAW));
}

/* "[    1.234567] " inside the line, before `at`: of a message that was glued to another one. */
static gint64 inner_time(const FaultLine *l, size_t at)
{
	const char *from = l->text + (at > 200 ? at - 200 : 0), *end = l->text + at;
	for (const char *p; (p = memrchr(from, ']', (size_t)(end - from))); end = p) {
		const char *dot = p - 7, *open = memrchr(from, '[', (size_t)(p - from));
		if (!open || dot <= open || *dot != '.')
			continue;
		gint64 sec, us;
		const char *number = open + 1;
		while (number < dot && *number == ' ')
			number++;
		if (fault_read_number(number, (size_t)(dot - number), 10, &sec) &&
		    dot - number <= 10 && fault_read_number(dot + 1, 6, 10, &us))
			return sec * G_USEC_PER_SEC + us;
	}
	return l->time_us;
}

static Fault *new_fault(const FaultParser *p, const FaultDriver *driver, const FaultLine *l,
			const char *raw, size_t raw_len, size_t at, bool glued)
{
	Fault *f = g_new0(Fault, 1);
	f->driver = driver->name;
	f->domain = f->pasid = f->flags = -1;
	f->time_us = glued || l->time_us < 0 ? inner_time(l, at) : l->time_us;
	f->line = p->line;
	f->raw = excerpt(raw, raw_len, at);
	if (p->mark && *p->mark->name)
		f->window = g_strdup(p->mark->name);
	if (*p->initcall)
		f->initcall = g_strdup(p->initcall);
	return f;
}

static void take_more(FaultParser *p, size_t d, unsigned i, const FaultMatch *m, const char *raw,
		      size_t raw_len)
{
	const FaultDriver *driver = fault_drivers[d];
	FaultOpen *o = &opens(p, d)[i];
	Fault *f = o->fault;
	take_groups(f, m);
	size_t n = strlen(f->raw);
	if (n + raw_len < MAX_RAW) {
		f->raw = g_realloc(f->raw, n + raw_len + 2);
		f->raw[n] = '\n';
		memcpy(f->raw + n + 1, raw, raw_len);
		f->raw[n + 1 + raw_len] = '\0';
	}
	unsigned nth = ++o->nth;
	if (driver->decode && !driver->decode(f, m, nth))
		fault_free(take_open(p, d, i));
	else if (!driver->wants_more || !driver->wants_more(f, m, nth)) {
		bool outside = o->outside;
		emit(p, take_open(p, d, i), outside);
	}
}

/* What stands between the prefixes and the match: who prints. */
static guint32 source_of(const FaultDriver *driver, const FaultMatch *m)
{
	guint32 hash = 5381;
	if (driver->pair != FAULT_PAIR_SOURCE)
		return hash;
	size_t to = m->start, from = to > 64 ? to - 64 : 0;
	while (to > from && g_ascii_isspace(m->subject[to - 1]))
		to--;
	for (; from < to; from++)
		hash = hash * 33 + (unsigned char)m->subject[from];
	return hash;
}

/* One match of pattern `i` of driver `d` in line `l`. */
static void take_match(FaultParser *p, size_t d, size_t i, const FaultMatch *m, const FaultLine *l,
		       const char *raw, size_t raw_len, bool glued)
{
	const FaultDriver *driver = fault_drivers[d];
	const FaultPattern *pattern = &driver->patterns[i];
	guint32 source = source_of(driver, m);
	if (pattern->step == FAULT_STEP_MORE || pattern->step == FAULT_STEP_ALONE) {
		int at = opens(p, d)[0].fault ? find_open(p, d, m, l, source) : -1;
		if (at >= 0) {
			take_more(p, d, (unsigned)at, m, raw, raw_len);
			return;
		}
		if (pattern->step == FAULT_STEP_MORE)
			return;
	}
	g_autoptr(Fault) f = new_fault(p, driver, l, raw, raw_len, m->start, glued);
	f->kind = pattern->kind;
	if (pattern->driver)
		f->driver = pattern->driver;
	take_groups(f, m);
	if (!f->event)
		f->event = g_strdup(pattern->event ? pattern->event : "UNKNOWN");
	if (driver->decode && !driver->decode(f, m, 0))
		return;
	bool announce = pattern->step == FAULT_STEP_ANNOUNCE;
	if (f->kind == FAULT_KIND_FAULT && !announce && opens(p, d)[0].fault)
		drop_announced(p, d); /* here it is */
	if (pattern->step == FAULT_STEP_OPEN || announce)
		add_open(p, d, g_steal_pointer(&f), announce, source);
	else
		emit(p, g_steal_pointer(&f), is_outside(p));
}

/* ---- one line ---- */

/* For short lines this is quicker than memmem(). */
static bool holds(const char *text, size_t len, const char *words)
{
	size_t n = strlen(words);
	for (const char *p = text, *end = text + len; (size_t)(end - p) >= n; p++) {
		p = memchr(p, *words, (size_t)(end - p) - n + 1);
		if (!p)
			return false;
		if (memcmp(p, words, n) == 0)
			return true;
	}
	return false;
}

/* Whether the pattern's plain text begins in [from, to) of the line. */
static bool holds_need(const FaultPattern *pattern, const FaultLine *l, size_t from, size_t to)
{
	const char *need = pattern->need;
	return !need || holds(l->text + from, MIN(l->len, to + strlen(need) - 1) - from, need);
}

/* All records of one driver in a line: serial lines can run into each other. */
static void read_driver(FaultParser *p, size_t d, const FaultLine *l, const char *raw,
			size_t raw_len)
{
	const FaultPattern *patterns = fault_drivers[d]->patterns;
	size_t from = 0;
	while (from < l->len) {
		FaultMatch best = {0};
		size_t winner = SIZE_MAX;
		for (size_t i = 0; p->regexes[d][i]; i++) {
			FaultMatch m;
			/* Texts that only come inside or behind the best match are its own. */
			size_t to = winner == SIZE_MAX ? l->len : best.start;
			if (to <= from || !holds_need(&patterns[i], l, from, to))
				continue;
			if (fault_regex_match(p->regexes[d][i], l->text, l->len, from, &m) &&
			    (winner == SIZE_MAX || m.start < best.start)) {
				best = m;
				winner = i;
			}
		}
		if (winner == SIZE_MAX)
			return;
		take_match(p, d, winner, &best, l, raw, raw_len, from > 0);
		from = MAX(best.end, from + 1);
	}
}

static void read_suppressed(FaultParser *p, const FaultLine *l, const char *raw, size_t raw_len)
{
	FaultMatch m;
	size_t len;
	if (!fault_regex_match(p->suppressed, l->text, l->len, 0, &m))
		return;
	const char *name = fault_match_group(&m, "function", &len);
	g_autofree char *function = g_strndup(name, len);
	for (size_t d = 0; d < FAULT_DRIVERS; d++) {
		if (!fault_drivers[d]->limited ||
		    !g_strv_contains(fault_drivers[d]->limited, function))
			continue;
		Fault *f = new_fault(p, fault_drivers[d], l, raw, raw_len, m.start, false);
		f->kind = FAULT_KIND_SUPPRESSED;
		f->event = g_strdup("SUPPRESSED");
		f->reason = g_strdup("the kernel limits the rate of its messages");
		f->suppressed = (uint64_t)MAX(fault_match_number(&m, "count", 10), 1);
		emit(p, f, is_outside(p));
		return;
	}
}

/* Drivers whose records wait. */
static FaultDriverSet waiting(FaultParser *p)
{
	FaultDriverSet set = 0;
	for (size_t d = 0; p->open_count && d < FAULT_DRIVERS; d++)
		set |= opens(p, d)[0].fault ? 1u << d : 0;
	return set;
}

void fault_match_line(FaultParser *p, const char *raw, size_t raw_len, FaultDriverSet hits)
{
	FaultLine l;
	hits |= waiting(p);
	fault_line_read(raw, raw_len, &l);
	if (p->range.from || p->range.to)
		fault_range_read_line(p, &l);
	if (!hits || l.echo || l.extra || !l.len)
		return;
	if (l.seq >= 0 || fault_has_control(l.text, l.text + l.len))
		fault_line_clean(&l, p->scratch);
	if (hits & FAULT_SET_SUPPRESSED)
		read_suppressed(p, &l, raw, raw_len);
	bool guarded = false;
	for (size_t d = 0; d < FAULT_DRIVERS && !guarded; d++) {
		const char *guard = fault_drivers[d]->guard;
		if (!(hits >> d & 1))
			continue;
		guarded = guard && holds(raw, raw_len, guard);
		if (!guard || guarded)
			read_driver(p, d, &l, raw, raw_len);
	}
}
