/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Columns for a terminal. */
#include <string.h>

#include "base/json.h"
#include "view.h"

#define NAME_MAX_CHARS 90
#define LIST_MAX 12

#define BOLD "1"
#define DIM "2"
#define FAULT "1;31"
#define MOVED "1;33"
#define LONE "36"

typedef struct {
	GString *out;
	bool colour;
	View v;
} Text;

static void begin(Text *t, const char *style)
{
	if (t->colour && style)
		g_string_append_printf(t->out, "\033[%sm", style);
}

static void end(Text *t, const char *style)
{
	if (t->colour && style)
		g_string_append(t->out, "\033[0m");
}

/* "    0.771303", or after the event at which two boots are aligned "    +5.996" (ms) */
static void put_time(Text *t, const ViewEvent *e)
{
	if (!e || e->begin < 0)
		g_string_append_printf(t->out, "%12s", e ? "?" : "");
	else if (t->v.n == 2)
		g_string_append_printf(t->out, "%s%+11.3f", e->near_time ? "~" : " ",
				       (double)e->at / 1e3);
	else
		g_string_append_printf(t->out, "%s%4" G_GINT64_FORMAT ".%06" G_GINT64_FORMAT,
				       e->near_time ? "~" : " ", e->begin / G_USEC_PER_SEC,
				       e->begin % G_USEC_PER_SEC);
}

static void put_took(Text *t, const ViewEvent *e)
{
	if (e->took >= 0 && strcmp(e->kind, "step") == 0) {
		g_autofree char *span = timeline_span(e->took);
		int columns = (int)g_utf8_strlen(span, -1);
		g_string_append_printf(t->out, "%*s%s", MAX(10 - columns, 1), "", span);
	} else {
		g_string_append_printf(t->out, "%10s", "");
	}
}

static const char *style_of(const ViewEvent *e)
{
	if (strcmp(e->kind, "fault") == 0)
		return FAULT;
	if (e->moved)
		return MOVED;
	return e->lone ? LONE : NULL;
}

static char sign_of(const Text *t, const ViewEvent *e, guint boot)
{
	if (strcmp(e->kind, "fault") == 0)
		return '!';
	if (e->moved)
		return '*';
	if (e->lone && t->v.n == 2)
		return boot ? '+' : '-';
	return e->longer ? 'l' : ' ';
}

static void put_event(Text *t, const ViewEvent *e, const ViewEvent *other, guint boot)
{
	const char *style = style_of(e);
	begin(t, style);
	put_time(t, t->v.n == 2 && boot ? other : e);
	if (t->v.n == 2)
		put_time(t, boot ? e : other);
	g_string_append(t->out, e->window ? " | " : "   ");
	put_took(t, e);
	g_string_append_printf(t->out, " %c ", sign_of(t, e, boot));
	g_string_append_printf(t->out, "%*s", (int)MIN(e->depth, 8u) * 2, "");
	if (strcmp(e->kind, "fault") == 0 && e->count > 1)
		g_string_append_printf(t->out, "%" G_GUINT64_FORMAT " faults, the first ",
				       e->count);
	else if (strcmp(e->kind, "step") != 0)
		g_string_append_printf(t->out, "%-9s ", e->type);
	else if (strcmp(e->type, "initcall") != 0)
		g_string_append_printf(t->out, "%s ", e->type);
	timeline_put_plain(t->out, e->name, NAME_MAX_CHARS);
	if (*e->part) {
		g_string_append(t->out, "  <");
		timeline_put_plain(t->out, e->part, 40);
		g_string_append(t->out, ">");
	}
	if (strcmp(e->type, "fixup") == 0 && *e->device) {
		g_string_append(t->out, " of ");
		timeline_put_plain(t->out, e->device, 20);
	}
	end(t, style);
	g_string_append_c(t->out, '\n');
}

static void put_one(Text *t)
{
	const ViewBoot *b = &t->v.boot[0];
	begin(t, DIM);
	g_string_append_printf(t->out, "%12s   %10s\n", "time, s", "took");
	end(t, DIM);
	for (guint i = 0; i < b->events->len; i++)
		put_event(t, view_at(b, i), NULL, 0);
}

/* ---- two boots ---- */

static bool is_sync(const ViewEvent *e)
{
	return !e->moved && !e->lone && strcmp(e->kind, "fault") != 0 &&
	       strcmp(e->kind, "note") != 0 && strcmp(e->type, "async") != 0;
}

/* Both in one column of events: what kept its place stands once, what moved twice. */
static void put_two(Text *t)
{
	const ViewBoot *a = &t->v.boot[0], *b = &t->v.boot[1];
	begin(t, DIM);
	g_string_append_printf(t->out, "%12s%12s   %10s\n", "first, ms", "second, ms", "took");
	end(t, DIM);
	guint i = 0, k = 0;
	while (i < a->events->len || k < b->events->len) {
		const ViewEvent *x = i < a->events->len ? view_at(a, i) : NULL;
		const ViewEvent *y = k < b->events->len ? view_at(b, k) : NULL;
		if (x && y && is_sync(x) && is_sync(y)) {
			put_event(t, x, y, 0);
			i++;
			k++;
		} else if (x && !is_sync(x)) {
			put_event(t, x, NULL, 0);
			i++;
		} else if (y && !is_sync(y)) {
			put_event(t, y, NULL, 1);
			k++;
		} else if (x) {
			put_event(t, x, NULL, 0);
			i++;
		} else {
			put_event(t, y, NULL, 1);
			k++;
		}
	}
}

/* ---- around the table ---- */

static void put_boot(Text *t, guint nth)
{
	const ViewBoot *b = &t->v.boot[nth];
	const json_t *totals = json_object_get(b->json, "totals");
	const char *title = kx_json_str(b->json, "title"), *kernel = kx_json_str(b->json, "kernel");
	const char *name = kx_json_str(b->json, "name"),
		   *identity = kx_json_str(b->json, "identity");
	if (t->v.n == 2)
		g_string_append(t->out, nth ? "second  " : "first   ");
	begin(t, BOLD);
	timeline_put_plain(t->out, name, 200);
	end(t, BOLD);
	if (title) {
		g_string_append(t->out, ": ");
		timeline_put_plain(t->out, title, 100);
	}
	if (kernel) {
		g_string_append(t->out, ", Linux ");
		timeline_put_plain(t->out, kernel, 60);
	}
	if (identity) {
		g_string_append(t->out, " ");
		timeline_put_plain(t->out, identity, 20);
	}
	gint64 faults = kx_json_int(totals, "faults", 0);
	g_string_append_printf(t->out, ", %" G_GINT64_FORMAT " fault%s", faults,
			       faults == 1 ? "" : "s");
	if (b->from != G_MININT64 && b->to != G_MAXINT64 && b->to >= b->from) {
		g_autofree char *span = timeline_span(b->to - b->from);
		g_string_append_printf(t->out, ", window (|) of %s", span);
	}
	g_string_append_c(t->out, '\n');
}

static void put_list(Text *t, const char *title, const json_t *list)
{
	size_t n = json_array_size(list);
	if (!n)
		return;
	g_string_append_printf(t->out, "%s (%zu): ", title, n);
	for (size_t i = 0; i < MIN(n, (size_t)LIST_MAX); i++) {
		const json_t *o = json_array_get(list, i);
		const char *device = kx_json_str(o, "device"), *type = kx_json_str(o, "type");
		g_string_append(t->out, i ? ", " : "");
		if (g_strcmp0(type, "probe") == 0)
			g_string_append(t->out, "probe ");
		timeline_put_plain(t->out, kx_json_str(o, "name"), 60);
		if (device && g_strcmp0(type, "fixup") == 0) {
			g_string_append(t->out, " of ");
			timeline_put_plain(t->out, device, 20);
		}
	}
	g_string_append(t->out, n > LIST_MAX ? ", …\n" : "\n");
}

static void put_hints(Text *t)
{
	guint hidden = 0, silent = 0;
	for (guint i = 0; i < t->v.n; i++) {
		hidden += t->v.boot[i].hidden;
		silent += !kx_json_bool(t->v.boot[i].json, "initcall_debug", false);
	}
	begin(t, DIM);
	if (hidden)
		g_string_append_printf(t->out, "%u more event%s: --all\n", hidden,
				       hidden == 1 ? "" : "s");
	if (silent)
		g_string_append_printf(
			t->out,
			"%s no steps: they come with initcall_debug on the kernel's command line "
			"(and loglevel=8 for a serial console)\n",
			silent == t->v.n ? "The log shows" : "One log shows");
	end(t, DIM);
}

char *timeline_text(const json_t *doc, bool colour)
{
	Text t = {.out = g_string_new(NULL), .colour = colour};
	view_read(&t.v, doc, false);
	for (guint i = 0; i < t.v.n; i++)
		put_boot(&t, i);
	if (*timeline_sentence(doc)) {
		g_string_append_c(t.out, '\n');
		begin(&t, BOLD);
		timeline_put_plain(t.out, timeline_sentence(doc), 1000);
		end(&t, BOLD);
		g_string_append_c(t.out, '\n');
	}
	g_string_append_c(t.out, '\n');
	if (t.v.n == 2)
		put_two(&t);
	else if (t.v.n)
		put_one(&t);
	const json_t *changes = json_object_get(doc, "changes");
	if (changes) {
		g_string_append_c(t.out, '\n');
		put_list(&t, "moved *", json_object_get(changes, "moved"));
		put_list(&t, "only in the first -", json_object_get(changes, "went"));
		put_list(&t, "only in the second +", json_object_get(changes, "came"));
		put_list(&t, "much longer or shorter l", json_object_get(changes, "longer"));
	}
	g_string_append_c(t.out, '\n');
	put_hints(&t);
	view_clear(&t.v);
	return g_string_free(t.out, FALSE);
}

char *timeline_table(const json_t *doc)
{
	Text t = {.out = g_string_new(NULL)};
	view_read(&t.v, doc, false);
	if (t.v.n == 2)
		put_two(&t);
	else if (t.v.n)
		put_one(&t);
	view_clear(&t.v);
	return g_string_free(t.out, FALSE);
}
