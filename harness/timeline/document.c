/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The document: what docs/timeline.md describes. */
#include <string.h>

#include "base/error.h"
#include "base/json.h"
#include "timeline-internal.h"

#define FORMAT 1
#define CHANGES_MAX 200

static void set_time(json_t *o, const char *key, gint64 us)
{
	json_object_set_new(o, key, us >= 0 ? json_integer(us) : json_null());
}

static void set_text(json_t *o, const char *key, const char *text)
{
	if (text && *text)
		json_object_set_new(o, key, kx_json_text(text));
}

static void set_flag(json_t *o, const char *key, bool flag)
{
	if (flag)
		json_object_set_new(o, key, json_true());
}

static const char *kind_name(TimelineKind kind)
{
	static const char *const names[] = {"step", "mark", "fault", "note"};
	return names[kind];
}

/* `others`: where events of the other boot stand; NULL: there is one boot. */
static json_t *event_json(const TimelineEvent *e, const GArray *others)
{
	json_t *o = json_object();
	json_object_set_new(o, "kind", json_string(kind_name(e->kind)));
	json_object_set_new(o, "type", json_string(e->type));
	json_object_set_new(o, "name", kx_json_text(e->name));
	set_text(o, "part", e->part);
	set_text(o, "device", e->device);
	set_text(o, "module", e->module);
	if (e->level != INITCALL_LEVEL_INVALID)
		set_text(o, "level", initcall_level_name(e->level));
	if (e->kind == TIMELINE_MARK) {
		static const char *const effects[] = {"none", "opens", "closes"};
		json_object_set_new(o, "effect", json_string(effects[timeline_effect(e)]));
	}
	set_time(o, "begin", e->begin_us);
	set_flag(o, "near", e->near_time);
	json_object_set_new(o, "line", json_integer((json_int_t)e->line));
	if (e->kind == TIMELINE_STEP) {
		set_time(o, "end", e->end_us);
		set_time(o, "took", e->took_us);
		json_object_set_new(o, "depth", json_integer(e->depth));
		if (e->pid >= 0)
			json_object_set_new(o, "pid", json_integer(e->pid));
		if (e->has_result)
			json_object_set_new(o, "result", json_integer(e->result));
	}
	if (e->kind == TIMELINE_FAULT)
		json_object_set_new(o, "count", json_integer((json_int_t)e->count));
	int other = others && e->other >= 0 ? g_array_index(others, int, (guint)e->other) : -1;
	if (other >= 0)
		json_object_set_new(o, "other", json_integer(other));
	set_flag(o, "window", e->in_window);
	set_flag(o, "moved", e->moved);
	set_flag(o, "longer", e->longer);
	set_flag(o, "matters", e->matters);
	return o;
}

/* Where events of the timeline stand in the document; -1: left out. */
static GArray *make_places(const Timeline *t, bool only_matters)
{
	GArray *places = g_array_new(FALSE, FALSE, sizeof(int));
	int next = 0;
	for (guint i = 0; i < t->events->len; i++) {
		bool edge = (int)i == t->window_from || (int)i == t->window_to;
		int place = !only_matters || timeline_at(t, i)->matters || edge ? next++ : -1;
		g_array_append_val(places, place);
	}
	return places;
}

static json_t *events_json(const Timeline *t, const GArray *places, const GArray *others)
{
	json_t *out = json_array();
	for (guint i = 0; i < t->events->len; i++)
		if (g_array_index(places, int, i) >= 0)
			json_array_append_new(out, event_json(timeline_at(t, i), others));
	return out;
}

static json_t *place_json(const GArray *places, int at)
{
	int place = at >= 0 ? g_array_index(places, int, (guint)at) : -1;
	return place >= 0 ? json_integer(place) : json_null();
}

static json_t *boot_json(const Timeline *t, int align, const GArray *places, const GArray *others)
{
	json_t *o = json_object(), *window = json_object(), *totals = json_object();
	json_object_set_new(o, "name", kx_json_text(t->name ? t->name : ""));
	set_text(o, "title", t->title);
	set_text(o, "kernel", t->kernel);
	set_text(o, "identity", t->identity);
	json_object_set_new(o, "boot", json_integer(t->boot));
	json_object_set_new(o, "initcall_debug", json_boolean(t->messages > 0));
	set_time(o, "begin", t->begin_us);
	set_time(o, "end", t->end_us);
	json_object_set_new(window, "given", json_boolean(t->window_given));
	json_object_set_new(window, "opened", json_boolean(t->window_opened));
	json_object_set_new(window, "closed", json_boolean(t->window_closed));
	json_object_set_new(window, "from", place_json(places, t->window_from));
	json_object_set_new(window, "to", place_json(places, t->window_to));
	json_object_set_new(o, "window", window);
	json_object_set_new(o, "align", place_json(places, align));
	json_object_set_new(totals, "lines", json_integer((json_int_t)t->lines));
	json_object_set_new(totals, "messages", json_integer((json_int_t)t->messages));
	json_object_set_new(totals, "faults", json_integer((json_int_t)t->faults));
	json_object_set_new(totals, "events", json_integer(t->events->len));
	json_object_set_new(o, "totals", totals);
	json_object_set_new(o, "events", events_json(t, places, others));
	return o;
}

/* ---- changes ---- */

typedef struct {
	Timeline *a, *b;
	GArray *places_a, *places_b;
} Pair;

/* Steps that one log cannot show came or went with its messages, not with the kernel. */
static bool is_comparable(const Pair *p, const TimelineEvent *e)
{
	/* what the emulator notes of devices that nobody asks about */
	if (e->kind == TIMELINE_MARK && e->near_time && !e->matters)
		return false;
	return e->kind != TIMELINE_FAULT &&
	       (e->kind != TIMELINE_STEP || (p->a->messages && p->b->messages));
}

static void add_change(json_t *list, const Pair *p, const TimelineEvent *e, int a, int b)
{
	if (json_array_size(list) >= CHANGES_MAX)
		return;
	json_t *o = json_object();
	json_object_set_new(o, "name", kx_json_text(e->name));
	json_object_set_new(o, "type", json_string(e->type));
	set_text(o, "device", e->device);
	json_object_set_new(o, "first", place_json(p->places_a, a));
	json_object_set_new(o, "second", place_json(p->places_b, b));
	json_array_append_new(list, o);
}

static json_t *changes_json(const Pair *p)
{
	json_t *o = json_object(), *moved = json_array(), *came = json_array(),
	       *went = json_array(), *longer = json_array();
	for (guint i = 0; i < p->a->events->len; i++) {
		const TimelineEvent *e = timeline_at(p->a, i);
		if (!is_comparable(p, e))
			continue;
		if (e->moved)
			add_change(moved, p, e, (int)i, e->other);
		if (e->other < 0)
			add_change(went, p, e, (int)i, -1);
		if (e->longer)
			add_change(longer, p, e, (int)i, e->other);
	}
	for (guint i = 0; i < p->b->events->len; i++) {
		const TimelineEvent *e = timeline_at(p->b, i);
		if (is_comparable(p, e) && e->other < 0)
			add_change(came, p, e, -1, (int)i);
	}
	json_object_set_new(o, "moved", moved);
	json_object_set_new(o, "came", came);
	json_object_set_new(o, "went", went);
	json_object_set_new(o, "longer", longer);
	return o;
}

/* What is shown of one boot is shown of the other. */
static void share(Timeline *a, Timeline *b)
{
	for (guint i = 0; i < a->events->len; i++) {
		TimelineEvent *e = timeline_at(a, i);
		if (e->other < 0)
			continue;
		TimelineEvent *o = timeline_at(b, (guint)e->other);
		e->matters = o->matters = e->matters || o->matters;
	}
}

/* ---- the document ---- */

static json_t *not_found(const char *align, GError **error)
{
	g_set_error(error, KX_ERROR, KX_ERROR_INPUT,
		    "'%s': no event with these words and a time is in each log (--all shows all)",
		    align);
	return NULL;
}

static json_t *start(const char *sentence)
{
	json_t *doc = json_object();
	json_object_set_new(doc, "format", json_integer(FORMAT));
	json_object_set_new(doc, "sentence", kx_json_text(sentence));
	return doc;
}

static json_t *document_of_one(Timeline *t, const TimelineView *view, GError **error)
{
	int at = t->window_from, none = -1;
	if (view->align && !timeline_align(t, NULL, view->align, &at, &none))
		return not_found(view->align, error);
	g_autoptr(GHashTable) focus = timeline_focus(t, NULL);
	timeline_choose(t, focus, view->all, false);
	if (at >= 0)
		timeline_at(t, (guint)at)->matters = true;
	g_autoptr(GArray) places = make_places(t, view->only_matters);
	json_t *doc = start(""), *boots = json_array();
	json_array_append_new(boots, boot_json(t, at, places, NULL));
	json_object_set_new(doc, "boots", boots);
	return doc;
}

static json_t *document_of_two(Timeline *a, Timeline *b, const TimelineView *view, GError **error)
{
	int at_a = -1, at_b = -1;
	timeline_compare(a, b);
	if (!timeline_align(a, b, view->align, &at_a, &at_b) && view->align)
		return not_found(view->align, error);
	g_autoptr(GHashTable) focus = timeline_focus(a, b);
	bool comparable = a->messages && b->messages;
	timeline_choose(a, focus, view->all, comparable || !a->messages);
	timeline_choose(b, focus, view->all, comparable || !b->messages);
	if (at_a >= 0)
		timeline_at(a, (guint)at_a)->matters = true;
	share(a, b);
	g_autoptr(GArray) places_a = make_places(a, view->only_matters);
	g_autoptr(GArray) places_b = make_places(b, view->only_matters);
	g_autofree char *sentence = timeline_explain(a, b, view->with);
	json_t *doc = start(sentence), *boots = json_array();
	json_array_append_new(boots, boot_json(a, at_a, places_a, places_b));
	json_array_append_new(boots, boot_json(b, at_b, places_b, places_a));
	json_object_set_new(doc, "boots", boots);
	const Pair pair = {a, b, places_a, places_b};
	json_object_set_new(doc, "changes", changes_json(&pair));
	return doc;
}

json_t *timeline_document(Timeline *first, Timeline *second, const TimelineView *view,
			  GError **error)
{
	static const TimelineView plain = {0};
	view = view ? view : &plain;
	return second ? document_of_two(first, second, view, error)
		      : document_of_one(first, view, error);
}

const char *timeline_sentence(const json_t *doc)
{
	const char *s = kx_json_str(doc, "sentence");
	return s ? s : "";
}
