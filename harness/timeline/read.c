/* SPDX-License-Identifier: GPL-2.0-or-later */
/* From a log to the events of one boot. */
#include <string.h>

#include "base/emulator_record.h"
#include "base/error.h"
#include "iommu/fault.h"
#include "iommu/line.h"
#include "iommu/marks.h"
#include "iommu/pattern.h"
#include "iommu/show.h"
#include "timeline-internal.h"

#define LINE_MAX_LEN (16 * 1024)
/* A flood may not fill the memory; counts go on. */
#define MARKS_MAX 5000
#define FAULTS_MAX 5000
#define NAME_MAX_LEN 300

typedef struct {
	FaultRegex *regex;
	const char *name; /* of a window instead */
	bool set;
} End;

struct TimelineReader {
	TimelineOptions options;
	End from, to;
	FaultRegex **parts;
	FaultParser *faults;
	InitcallLog *initcalls;
	GString *carry, *scratch;
	Timeline *t;
	gint64 last_us; /* time of the last line that had one */
	guint marks, fault_events;
	TimelineEvent *last_fault;
	bool done;	 /* the boot that was asked for is over */
	bool emulator;	 /* this line is of its record */
	int emulator_on; /* what its control register said last; -1: nothing yet */
	bool had_banner;
};

static void event_free(gpointer data)
{
	TimelineEvent *e = data;
	g_free(e->name);
	g_free(e->part);
	g_free(e->device);
	g_free(e->module);
	g_free(e->key);
	g_free(e);
}

void timeline_free(Timeline *t)
{
	if (!t)
		return;
	g_free(t->name);
	g_free(t->title);
	g_free(t->kernel);
	g_free(t->identity);
	g_ptr_array_unref(t->events);
	g_free(t);
}

static Timeline *timeline_new(void)
{
	Timeline *t = g_new0(Timeline, 1);
	t->events = g_ptr_array_new_with_free_func(event_free);
	t->begin_us = t->end_us = -1;
	t->window_from = t->window_to = -1;
	return t;
}

static TimelineEvent *event_new(TimelineKind kind, const char *type, gint64 time_us, uint64_t line)
{
	TimelineEvent *e = g_new0(TimelineEvent, 1);
	e->kind = kind;
	e->type = type;
	e->begin_us = e->end_us = time_us;
	e->took_us = e->pid = -1;
	e->line = e->line_end = line;
	e->level = INITCALL_LEVEL_INVALID;
	e->other = -1;
	return e;
}

/* ---- faults ---- */

static bool is_of_device(const TimelineOptions *o, const Fault *f)
{
	if (!o->devices)
		return true;
	for (const char *const *d = o->devices; *d; d++)
		if (g_strcmp0(*d, f->device) == 0)
			return true;
	return false;
}

/* As the oracle does it: an address without an offset stands for its page. */
static bool is_in_range(const TimelineOptions *o, const Fault *f)
{
	guint64 last = f->address & 0xfff ? f->address : f->address | 0xfff;
	if (!o->addresses_count)
		return true;
	for (guint i = 0; f->has_address && i < o->addresses_count; i++)
		if (last >= o->addresses[2 * i] && f->address <= o->addresses[2 * i + 1])
			return true;
	return false;
}

static bool counts(const TimelineReader *r, const Fault *f)
{
	return f->kind == FAULT_KIND_FAULT && is_of_device(&r->options, f) &&
	       is_in_range(&r->options, f);
}

static void take_fault(const Fault *f, gpointer user)
{
	TimelineReader *r = user;
	Timeline *t = r->t;
	if (!counts(r, f))
		return;
	t->faults += 1 + f->suppressed;
	if (r->fault_events >= FAULTS_MAX) {
		r->last_fault->count += 1 + f->suppressed;
		return;
	}
	Fault plain = *f;
	plain.time_us = -1;
	plain.window = plain.initcall = NULL;
	g_autoptr(GString) text = g_string_new(NULL);
	fault_append_text(text, &plain, false);
	TimelineEvent *e = event_new(TIMELINE_FAULT, "fault",
				     f->time_us >= 0 ? f->time_us : r->last_us, f->line);
	e->name = g_strndup(text->str, NAME_MAX_LEN);
	e->device = g_strdup(f->device);
	e->near_time = f->time_us < 0 && r->last_us >= 0;
	e->count = 1 + f->suppressed;
	g_ptr_array_add(t->events, e);
	r->last_fault = e;
	r->fault_events++;
}

/* ---- making and freeing ---- */

static bool set_end(const char *text, End *end, GError **error)
{
	end->set = text && *text;
	if (!end->set)
		return true;
	if (fault_mark_find(text) || timeline_mark_find(text))
		end->name = text;
	else
		end->regex = fault_regex_new(text, error);
	return end->name || end->regex;
}

void timeline_reader_free(TimelineReader *r)
{
	if (!r)
		return;
	for (guint i = 0; i < r->options.parts_count; i++)
		fault_regex_free(r->parts[i]);
	g_free(r->parts);
	fault_regex_free(r->from.regex);
	fault_regex_free(r->to.regex);
	fault_parser_free(r->faults);
	initcall_log_free(r->initcalls);
	g_string_free(r->carry, TRUE);
	g_string_free(r->scratch, TRUE);
	timeline_free(r->t);
	g_free(r);
}

/* `r->t` is another's or gone. */
static void start_boot(TimelineReader *r, guint boot, uint64_t lines)
{
	initcall_log_free(r->initcalls);
	r->initcalls = initcall_log_new();
	r->t = timeline_new();
	r->t->boot = r->t->boots = boot;
	r->t->lines = lines;
	r->t->window_given = r->from.set || r->to.set;
	r->last_us = r->emulator_on = -1;
	r->marks = r->fault_events = 0;
}

TimelineReader *timeline_reader_new(const TimelineOptions *options, GError **error)
{
	TimelineReader *r = g_new0(TimelineReader, 1);
	if (options)
		r->options = *options;
	r->parts = g_new0(FaultRegex *, r->options.parts_count + 1);
	r->faults = fault_parser_new(take_fault, r);
	r->carry = g_string_new(NULL);
	r->scratch = g_string_new(NULL);
	bool ok =
		set_end(r->options.from, &r->from, error) && set_end(r->options.to, &r->to, error);
	for (guint i = 0; ok && i < r->options.parts_count; i++)
		ok = (r->parts[i] = fault_regex_new(r->options.parts[i].at, error)) != NULL;
	start_boot(r, 1, 0);
	if (ok)
		return r;
	timeline_reader_free(r);
	return NULL;
}

/* ---- lines ---- */

/* "Linux version 6.1.0 (…) #kx0123456789ab …" */
static void read_banner(TimelineReader *r, const char *text, size_t len)
{
	g_autofree char *banner = g_strndup(text, MIN(len, 1024));
	g_auto(GStrv) words = g_strsplit(banner, " ", 4);
	g_autoptr(GRegex) own =
		g_regex_new("\\bkx[0-9a-f]{12}\\b", G_REGEX_RAW, (GRegexMatchFlags)0, NULL);
	g_autoptr(GMatchInfo) m = NULL;
	if (g_strv_length(words) >= 3) {
		g_free(r->t->kernel);
		r->t->kernel = g_strndup(words[2], 80);
	}
	if (g_regex_match(own, banner, (GRegexMatchFlags)0, &m)) {
		g_free(r->t->identity);
		r->t->identity = g_match_info_fetch(m, 0);
	}
}

/* A boot ends where the next begins. */
static void next_boot(TimelineReader *r)
{
	fault_parser_flush(r->faults);
	if (r->options.boot && r->t->boot == r->options.boot) {
		r->done = true;
		return;
	}
	Timeline *before = r->t;
	start_boot(r, before->boot + 1, before->lines);
	timeline_free(before);
}

static bool meets(const End *end, const char *mark, const char *fault_mark, const char *text,
		  size_t len)
{
	FaultMatch m;
	if (end->regex)
		return fault_regex_match(end->regex, text, len, 0, &m);
	return end->name &&
	       (g_strcmp0(end->name, mark) == 0 || g_strcmp0(end->name, fault_mark) == 0);
}

static const FaultMark *fault_mark_of(const char *text, size_t len)
{
	for (const FaultMark *m = fault_marks; m->name; m++)
		if (*m->name && memmem(text, len, m->words, strlen(m->words)))
			return m;
	return NULL;
}

static const char *part_of(const TimelineReader *r, const char *text, size_t len)
{
	FaultMatch m;
	for (guint i = 0; i < r->options.parts_count; i++)
		if (fault_regex_match(r->parts[i], text, len, 0, &m))
			return r->options.parts[i].name;
	return NULL;
}

/* The emulator notes every write to its register: what stays on is no news. */
static bool is_news(TimelineReader *r, const TimelineMark *mark)
{
	if (!r->emulator || !mark || !strstr(mark->words, "control"))
		return true;
	int on = strcmp(mark->type, "enabled") == 0;
	int before = r->emulator_on;
	r->emulator_on = on;
	return before < 0 ? on : before != on;
}

/* The harness's own words may open a window, but say nothing of the IOMMU. */
static void read_mark(TimelineReader *r, const FaultLine *l, uint64_t number)
{
	Timeline *t = r->t;
	const char *text = l->text;
	size_t len = l->len;
	gint64 time_us = l->time_us;
	g_autofree char *device = NULL;
	const TimelineMark *mark = l->echo ? NULL : timeline_mark_of(text, len, &device);
	const FaultMark *known = mark ? NULL : fault_mark_of(text, len);
	const char *part = part_of(r, text, len);
	bool opens =
		!t->window_opened && r->from.set &&
		meets(&r->from, mark ? mark->type : NULL, known ? known->name : NULL, text, len);
	bool closes =
		!opens && r->to.set && !t->window_closed && (t->window_opened || !r->from.set) &&
		meets(&r->to, mark ? mark->type : NULL, known ? known->name : NULL, text, len);
	bool news = is_news(r, mark);
	if ((!mark || !news) && !known && !part && !opens && !closes)
		return;
	if (r->marks >= MARKS_MAX && !opens && !closes)
		return;
	TimelineEvent *e = event_new(TIMELINE_MARK,
				     mark    ? mark->type
				     : known ? known->name
				     : part  ? "part"
					     : "other",
				     time_us >= 0 ? time_us : r->last_us, number);
	e->name = g_strndup(text, MIN(len, NAME_MAX_LEN));
	e->part = g_strdup(part);
	e->device = g_steal_pointer(&device);
	e->near_time = time_us < 0 && r->last_us >= 0;
	r->marks++;
	g_ptr_array_add(t->events, e);
	if (opens) {
		t->window_opened = true;
		t->window_from = (int)number; /* for now: the line */
	} else if (closes) {
		t->window_closed = true;
		t->window_to = (int)number;
	}
}

static void read_line(TimelineReader *r, const char *line, size_t len)
{
	Timeline *t = r->t;
	if (r->done)
		return;
	uint64_t number = t->lines + 1;
	FaultLine l;
	fault_line_read(line, MIN(len, LINE_MAX_LEN), &l);
	if (l.extra) {
		t->lines++;
		return;
	}
	fault_line_clean(&l, r->scratch);
	if (l.len > 14 && memcmp(l.text, "Linux version ", 14) == 0 && !l.echo) {
		if (r->had_banner)
			next_boot(r);
		if (r->done)
			return;
		t = r->t;
		r->had_banner = true;
		read_banner(r, l.text, l.len);
	}
	t->lines++;
	if (number > G_MAXINT)
		return;
	r->emulator = l.len > strlen(EMULATOR_RECORD_PREFIX) &&
		      memcmp(l.text, EMULATOR_RECORD_PREFIX, strlen(EMULATOR_RECORD_PREFIX)) == 0;
	if (l.time_us >= 0) {
		r->last_us = l.time_us;
		t->begin_us = t->begin_us < 0 ? l.time_us : MIN(t->begin_us, l.time_us);
		t->end_us = MAX(t->end_us, l.time_us);
	}
	if (!l.echo)
		fault_parser_line(r->faults, line, len, number);
	if (l.echo || !initcall_log_line(r->initcalls, l.text, l.len, l.time_us, number))
		read_mark(r, &l, number);
}

void timeline_reader_feed(TimelineReader *r, const char *bytes, size_t len)
{
	const char *end = bytes + len;
	while (bytes < end) {
		const char *stop = memchr(bytes, '\n', (size_t)(end - bytes));
		const char *to = stop ? stop : end;
		if (r->carry->len || !stop) {
			size_t room = LINE_MAX_LEN - MIN(r->carry->len, (gsize)LINE_MAX_LEN);
			g_string_append_len(r->carry, bytes,
					    (gssize)MIN(room, (size_t)(to - bytes)));
			if (stop) {
				read_line(r, r->carry->str, r->carry->len);
				g_string_set_size(r->carry, 0);
			}
		} else {
			read_line(r, bytes, (size_t)(to - bytes));
		}
		bytes = to + (stop != NULL);
	}
}

/* ---- the end ---- */

static void add_steps(Timeline *t, InitcallLog *log)
{
	const GPtrArray *steps = initcall_log_steps(log), *notes = initcall_log_notes(log);
	for (guint i = 0; i < steps->len; i++) {
		const InitcallStep *s = steps->pdata[i];
		TimelineEvent *e = event_new(TIMELINE_STEP, initcall_step_kind_name(s->kind),
					     s->begin_us, s->line);
		e->name = g_strdup(s->name);
		e->module = g_strdup(s->module);
		e->device = s->device ? fault_normalise_device(s->device) : NULL;
		if (s->device && !e->device)
			e->device = g_strdup(s->device);
		if (s->kind == INITCALL_STEP_PROBE)
			e->device = fault_normalise_device(s->name);
		e->level = s->level;
		e->pid = s->pid;
		e->end_us = s->end_us;
		e->took_us = s->took_us;
		e->line_end = s->line_end;
		e->has_result = s->has_result;
		e->result = s->result;
		e->depth = s->depth;
		g_ptr_array_add(t->events, e);
	}
	for (guint i = 0; i < notes->len; i++) {
		const InitcallNote *n = notes->pdata[i];
		TimelineEvent *e = event_new(TIMELINE_NOTE, initcall_note_kind_name(n->kind),
					     n->time_us, n->line);
		e->name = g_strdup(n->name);
		g_ptr_array_add(t->events, e);
	}
	t->messages = initcall_log_messages(log);
}

static int by_line(gconstpointer a, gconstpointer b)
{
	const TimelineEvent *x = *(TimelineEvent *const *)a, *y = *(TimelineEvent *const *)b;
	return x->line != y->line ? (x->line < y->line ? -1 : 1) : 0;
}

static int by_time(gconstpointer a, gconstpointer b)
{
	const TimelineEvent *x = *(TimelineEvent *const *)a, *y = *(TimelineEvent *const *)b;
	if (x->begin_us != y->begin_us)
		return x->begin_us < y->begin_us ? -1 : 1;
	return by_line(a, b);
}

/* Lines are the order. Only what says its end alone (a probe) needs times for its place, so they
 * are used where they never go back. */
static void sort(Timeline *t)
{
	g_ptr_array_sort(t->events, by_line);
	gint64 last = -1;
	for (guint i = 0; i < t->events->len; i++) {
		const TimelineEvent *e = timeline_at(t, i);
		if (strcmp(e->type, "probe") == 0)
			continue;
		if (e->begin_us < last)
			return;
		last = e->begin_us;
	}
	g_ptr_array_sort(t->events, by_time);
}

static int index_of_line(const Timeline *t, int line)
{
	for (guint i = 0; line >= 0 && i < t->events->len; i++)
		if (timeline_at(t, i)->line == (uint64_t)line &&
		    timeline_at(t, i)->kind == TIMELINE_MARK)
			return (int)i;
	return -1;
}

static int first_of(const Timeline *t, int from, const char *const *types)
{
	for (guint i = (guint)MAX(from, 0); i < t->events->len; i++)
		if (timeline_at(t, i)->kind == TIMELINE_MARK &&
		    g_strv_contains(types, timeline_at(t, i)->type))
			return (int)i;
	return -1;
}

/* Where nobody says what the window is: from what may refuse DMA to where all is set up. */
static void find_window(Timeline *t)
{
	static const char *const opening[] = {"enabled", "blocked", NULL};
	static const char *const early[] = {"detected", "asked-for", NULL};
	static const char *const closing[] = {"running", NULL};
	static const char *const late[] = {"userspace", NULL};
	int from = first_of(t, 0, opening);
	int first = first_of(t, 0, early);
	int fault = -1;
	for (guint i = 0; i < t->events->len && fault < 0; i++)
		if (timeline_at(t, i)->kind == TIMELINE_FAULT)
			fault = (int)i;
	if (from < 0 || (fault >= 0 && fault < from))
		from = first >= 0 && (fault < 0 || first < fault) ? first : -1;
	int to = from >= 0 ? first_of(t, from + 1, closing) : -1;
	if (from >= 0 && to < 0)
		to = first_of(t, from + 1, late);
	t->window_from = from;
	t->window_to = to;
	t->window_opened = from >= 0;
	t->window_closed = to >= 0;
}

static void place_window(TimelineReader *r)
{
	Timeline *t = r->t;
	if (t->window_given) {
		t->window_from = index_of_line(t, t->window_from);
		t->window_to = index_of_line(t, t->window_to);
		t->window_opened |= !r->from.set;
	} else {
		find_window(t);
	}
	guint to = t->window_to >= 0 ? (guint)t->window_to : t->events->len;
	for (guint i = (guint)MAX(t->window_from, 0); t->window_opened && i < to; i++)
		timeline_at(t, i)->in_window = true;
}

Timeline *timeline_reader_finish(TimelineReader *r)
{
	if (r->carry->len)
		read_line(r, r->carry->str, r->carry->len);
	g_string_set_size(r->carry, 0);
	fault_parser_finish(r->faults);
	add_steps(r->t, r->initcalls);
	sort(r->t);
	place_window(r);
	Timeline *t = r->t;
	start_boot(r, 1, 0);
	r->done = r->had_banner = false;
	return t;
}
