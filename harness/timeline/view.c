/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "view.h"

#include <string.h>

#include "base/json.h"

#define EVENTS_MAX 60000

static const char *text(const json_t *o, const char *key)
{
	const char *s = kx_json_str(o, key);
	return s ? s : "";
}

static gint64 bounded(const json_t *o, const char *key)
{
	gint64 n = kx_json_int(o, key, -1);
	return n < 0 || n > G_MAXINT64 / 4 ? -1 : n;
}

static bool is(const char *a, const char *b)
{
	return strcmp(a, b) == 0;
}

static void read_event(const json_t *o, gint64 align, int place, ViewEvent *ret)
{
	*ret = (ViewEvent){
		.kind = text(o, "kind"),
		.type = text(o, "type"),
		.name = text(o, "name"),
		.part = text(o, "part"),
		.device = text(o, "device"),
		.begin = bounded(o, "begin"),
		.took = bounded(o, "took"),
		.count = (guint64)CLAMP(kx_json_int(o, "count", 1), 1, G_MAXINT64 / 4),
		.depth = (guint)CLAMP(kx_json_int(o, "depth", 0), 0, 64),
		.moved = kx_json_bool(o, "moved", false),
		.longer = kx_json_bool(o, "longer", false),
		.window = kx_json_bool(o, "window", false),
		.near_time = kx_json_bool(o, "near", false),
		.opens = is(text(o, "effect"), "opens"),
		.closes = is(text(o, "effect"), "closes"),
		.place = place,
		.other = (int)CLAMP(kx_json_int(o, "other", -1), -1, G_MAXINT),
	};
	ret->at = ret->begin >= 0 ? ret->begin - align : 0;
}

static bool joins(const ViewEvent *last, const ViewEvent *e, bool merge)
{
	if (!is(last->kind, e->kind) || !is(last->device, e->device) || last->moved != e->moved ||
	    last->lone != e->lone)
		return false;
	return is(e->kind, "fault") ||
	       (merge && is(e->kind, "mark") && is(last->type, e->type) && is(last->part, e->part));
}

static gint64 time_at(const json_t *events, const json_t *place)
{
	if (!json_is_integer(place) || json_integer_value(place) < 0)
		return -1;
	return bounded(json_array_get(events, (size_t)json_integer_value(place)), "begin");
}

static void mark_lone(const json_t *list, const char *key, GHashTable *set)
{
	size_t i;
	json_t *x;
	json_array_foreach ((json_t *)list, i, x) {
		gint64 place = kx_json_int(x, key, -1);
		if (place >= 0 && place < EVENTS_MAX)
			g_hash_table_add(set, GINT_TO_POINTER((int)place + 1));
	}
}

static void read_boot(View *v, guint nth, bool merge)
{
	ViewBoot *b = &v->boot[nth];
	const json_t *events = json_object_get(b->json, "events");
	const json_t *window = json_object_get(b->json, "window");
	const json_t *changes = json_object_get(v->doc, "changes");
	g_autoptr(GHashTable) lone = g_hash_table_new(NULL, NULL);
	mark_lone(json_object_get(changes, nth ? "came" : "went"), nth ? "second" : "first", lone);
	gint64 align = time_at(events, json_object_get(b->json, "align"));
	v->aligned &= align >= 0;
	b->align = MAX(align, 0);
	gint64 from = time_at(events, json_object_get(window, "from"));
	gint64 to = time_at(events, json_object_get(window, "to"));
	b->has_window = from >= 0 || to >= 0;
	b->from = from >= 0 ? from - b->align : G_MININT64;
	b->to = to >= 0 ? to - b->align : G_MAXINT64;
	b->events = g_array_new(FALSE, FALSE, sizeof(ViewEvent));
	for (size_t i = 0; i < MIN(json_array_size(events), (size_t)EVENTS_MAX); i++) {
		const json_t *o = json_array_get(events, i);
		ViewEvent e;
		if (!kx_json_bool(o, "matters", false)) {
			b->hidden++;
			continue;
		}
		read_event(o, b->align, (int)i, &e);
		e.lone = g_hash_table_contains(lone, GINT_TO_POINTER((int)i + 1));
		if (!is(e.kind, "fault"))
			e.count = 1;
		ViewEvent *last = b->events->len ? view_at(b, b->events->len - 1) : NULL;
		if (last && joins(last, &e, merge)) {
			last->count += e.count;
			last->count = MIN(last->count, (guint64)G_MAXINT64 / 4);
			if (e.begin >= 0 && last->begin >= 0)
				last->took = MAX(e.begin - last->begin, 0);
			continue;
		}
		g_array_append_val(b->events, e);
	}
}

void view_read(View *v, const json_t *doc, bool merge)
{
	*v = (View){.doc = doc, .aligned = true};
	const json_t *boots = json_object_get(doc, "boots");
	v->n = (guint)MIN(json_array_size(boots), (size_t)2);
	for (guint i = 0; i < v->n; i++) {
		v->boot[i].json = json_array_get(boots, i);
		read_boot(v, i, merge);
	}
}

void view_clear(View *v)
{
	for (guint i = 0; i < v->n; i++)
		g_array_unref(v->boot[i].events);
}

const ViewEvent *view_find(const ViewBoot *b, int place)
{
	guint low = 0, high = b->events->len;
	while (place >= 0 && low < high) {
		guint middle = (low + high) / 2;
		if (view_at(b, middle)->place == place)
			return view_at(b, middle);
		if (view_at(b, middle)->place < place)
			low = middle + 1;
		else
			high = middle;
	}
	return NULL;
}

char *view_label(const ViewEvent *e)
{
	static const struct {
		const char *type, *words;
	} known[] = {
		{"enabled", "IOMMU on"},
		{"disabled", "IOMMU off"},
		{"blocked", "DMA blocked"},
		{"unmapped", "region taken away"},
		{"refreshed", "regions back"},
		{"attached", "attached"},
		{"mapped", "regions mapped"},
		{"changed", "table entry changed"},
		{"grouped", "in its group"},
		{"running", "driver ready"},
		{"prepared", "unit prepared"},
		{"asked-for", "asked for"},
		{"userspace", "init starts"},
		{"alive", "alive"},
		{"other", ""},
		{"part", ""},
	};
	GString *out = g_string_new(NULL);
	const char *words = *e->part ? e->part : e->type;
	for (size_t i = 0; i < G_N_ELEMENTS(known) && !*e->part; i++)
		if (is(known[i].type, e->type))
			words = *known[i].words ? known[i].words : e->name;
	if (is(e->kind, "fault"))
		g_string_append_printf(out, "%" G_GUINT64_FORMAT " fault%s", e->count,
				       e->count == 1 ? "" : "s");
	else if (is(e->kind, "mark"))
		timeline_put_plain(out, words, 40);
	else
		timeline_put_plain(out, e->name, 48);
	bool probe = is(e->type, "probe");
	if (probe)
		g_string_prepend(out, "probe ");
	if (is(e->kind, "note"))
		g_string_append_printf(out, " %s", e->type);
	if (*e->device && !probe) {
		g_string_append(out, " ");
		timeline_put_plain(
			out, g_str_has_prefix(e->device, "0000:") ? e->device + 5 : e->device, 20);
	}
	if (is(e->kind, "mark") && e->count > 1)
		g_string_append_printf(out, " ×%" G_GUINT64_FORMAT, e->count);
	return g_string_free(out, FALSE);
}

char *view_offset(gint64 us)
{
	return g_strdup_printf("%s%.*f ms", us < 0 ? "−" : "+", ABS(us) < 100000 ? 1 : 0,
			       (double)ABS(us) / 1e3);
}
