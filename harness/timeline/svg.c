/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The picture: one boot, or two of which the second is a mirror of the first below it, so that
 * lines join what is the same event in both. */
#include "svg.h"

#include <math.h>
#include <string.h>

#include "base/json.h"

#define ROW 17 /* of a label */
#define STEP_ROW 16
#define BASE 26	   /* height of the strip with the line of events and the faults */
#define BETWEEN 74 /* of two boots */
#define CHAR 6.3   /* width of a character of a label, on the safe side */
#define STEP_ROWS_MAX 16
#define LABELS_MAX 40

static const char style[] =
	".tl-bg{fill:#fdfdfc}.tl text{font:12px ui-sans-serif,system-ui,\"Segoe UI\",Roboto,"
	"\"Helvetica Neue\",\"Noto Sans\",\"DejaVu Sans\",sans-serif;fill:#1b1e22}"
	".tl .tl-axis{fill:#5b636d;stroke:#fdfdfc;stroke-width:4px;paint-order:stroke}"
	".tl .tl-h{font-size:14px;font-weight:600}.tl .tl-s{font-size:15px;font-weight:600}"
	".tl .tl-soft{fill:#5b636d}.tl .tl-f{fill:#b5420c;font-weight:600}"
	".tl .tl-m{fill:#8a4fc4;font-weight:600}.tl .tl-o{fill:#1f6f8b;font-weight:600}"
	".tl-win{fill:#ffe9bf}.tl-edge{stroke:#d98a1f;stroke-dasharray:3 3}"
	".tl-base{stroke:#5b636d;stroke-width:2}.tl-lead{stroke:#b4bac1}"
	".tl-same{stroke:#cfd4d9;fill:none}.tl-move{stroke:#8a4fc4;stroke-width:2.5;fill:none}"
	".tl-lead-m{stroke:#8a4fc4;stroke-width:1.5}.tl-lead-f{stroke:#b5420c}"
	".tl-lead-o{stroke:#1f6f8b}.tl-tick{stroke:#b5420c;stroke-width:2}"
	".tl-step{fill:#9db8cf}.tl-step-m{fill:#8a4fc4}.tl-step-o{fill:#1f6f8b}"
	".tl-step-l{fill:#d98a1f}.tl-grid{stroke:#e9ebee}"
	"@media (prefers-color-scheme:dark){.tl-bg{fill:#16181b}.tl text{fill:#e4e6e9}"
	".tl .tl-axis{fill:#a3abb5;stroke:#16181b}.tl .tl-soft{fill:#a3abb5}.tl "
	".tl-f{fill:#f0884d}.tl .tl-m{fill:#c49bf0}"
	".tl .tl-o{fill:#6fc0dc}.tl-win{fill:#3a2f17}.tl-base{stroke:#a3abb5}"
	".tl-lead{stroke:#5a626c}.tl-same{stroke:#3c434c}.tl-move,.tl-lead-m{stroke:#c49bf0}"
	".tl-lead-f,.tl-tick{stroke:#f0884d}.tl-lead-o{stroke:#6fc0dc}.tl-step{fill:#4b6a86}"
	".tl-step-m{fill:#c49bf0}.tl-step-o{fill:#6fc0dc}.tl-step-l{fill:#d98a1f}"
	".tl-grid{stroke:#262a30}}";

typedef struct {
	guint event;
	double x, width;
	guint row;
	char *text, *more;
} Label;

typedef struct {
	guint event;
	double x, end, width;
	guint row;
	char *text, *more;
} Bar;

typedef struct {
	GArray *labels; /* Label, from right to left */
	GArray *bars;	/* Bar */
	guint label_rows, bar_rows, left_out;
	double top, labels_at, base, bars_at, bottom; /* top is above bottom also of the mirror */
} Panel;

typedef struct {
	GString *out;
	View v;
	SvgScale scale;
	Panel panel[2];
	double height;
} Svg;

static void label_clear(gpointer data)
{
	g_free(((Label *)data)->text);
	g_free(((Label *)data)->more);
}

static void bar_clear(gpointer data)
{
	g_free(((Bar *)data)->text);
	g_free(((Bar *)data)->more);
}

/* ---- elements ---- */

static char *number(char buffer[G_ASCII_DTOSTR_BUF_SIZE], double x)
{
	return g_ascii_formatd(buffer, G_ASCII_DTOSTR_BUF_SIZE, "%.1f", x);
}

static void put_attribute(GString *out, const char *name, double x)
{
	char buffer[G_ASCII_DTOSTR_BUF_SIZE];
	g_string_append_printf(out, " %s=\"%s\"", name, number(buffer, x));
}

static void line(Svg *s, const char *class, double x1, double y1, double x2, double y2)
{
	g_string_append_printf(s->out, "<line class=\"%s\"", class);
	put_attribute(s->out, "x1", x1);
	put_attribute(s->out, "y1", y1);
	put_attribute(s->out, "x2", x2);
	put_attribute(s->out, "y2", y2);
	g_string_append(s->out, "/>\n");
}

/* `title`: what the pointer shows; may be NULL. */
static void rect(Svg *s, const char *class, double x, double y, double w, double h,
		 const char *title)
{
	g_string_append_printf(s->out, "<rect class=\"%s\"", class);
	put_attribute(s->out, "x", x);
	put_attribute(s->out, "y", y);
	put_attribute(s->out, "width", MAX(w, 0));
	put_attribute(s->out, "height", MAX(h, 0));
	if (!title) {
		g_string_append(s->out, "/>\n");
		return;
	}
	g_string_append(s->out, "><title>");
	timeline_put_xml(s->out, title, 400);
	g_string_append(s->out, "</title></rect>\n");
}

/* `more` stands behind it, softer; it and `title` may be NULL. */
static void words(Svg *s, const char *class, double x, double y, const char *anchor,
		  const char *text, const char *more, const char *title)
{
	g_string_append_printf(s->out, "<text class=\"%s\"", class);
	put_attribute(s->out, "x", x);
	put_attribute(s->out, "y", y);
	if (anchor)
		g_string_append_printf(s->out, " text-anchor=\"%s\"", anchor);
	g_string_append_c(s->out, '>');
	timeline_put_xml(s->out, text, 400);
	if (more) {
		g_string_append(s->out, "<tspan class=\"tl-soft\" dx=\"6\">");
		timeline_put_xml(s->out, more, 100);
		g_string_append(s->out, "</tspan>");
	}
	if (title) {
		g_string_append(s->out, "<title>");
		timeline_put_xml(s->out, title, 400);
		g_string_append(s->out, "</title>");
	}
	g_string_append(s->out, "</text>\n");
}

/* ---- layout ---- */

static double text_width(const char *text)
{
	return (double)g_utf8_strlen(text, -1) * CHAR + 12;
}

static bool is_kind(const ViewEvent *e, const char *kind)
{
	return strcmp(e->kind, kind) == 0;
}

/* What is far from all this is in the text, not in the picture. */
static bool is_drawn(const Svg *s, const ViewEvent *e)
{
	return e->begin >= 0 && svg_scale_has(&s->scale, e->at);
}

/* From the right to the left: a label stands above all those whose events lie below its text, so
 * that no line to an event crosses a text. */
static void lay_labels(Svg *s, guint nth)
{
	const ViewBoot *b = &s->v.boot[nth];
	Panel *p = &s->panel[nth];
	p->labels = g_array_new(FALSE, TRUE, sizeof(Label));
	g_array_set_clear_func(p->labels, label_clear);
	for (guint i = b->events->len; i-- > 0;) {
		const ViewEvent *e = view_at(b, i);
		if (is_kind(e, "step") || !is_drawn(s, e))
			continue;
		if (p->labels->len >= LABELS_MAX) {
			p->left_out++;
			continue;
		}
		g_autofree char *at = view_offset(e->at);
		Label l = {.event = i, .x = svg_scale_at(&s->scale, e->at)};
		l.text = view_label(e);
		l.more = g_strdup_printf("%s%s", e->near_time ? "~" : "", at);
		l.width = text_width(l.text) + text_width(l.more);
		for (guint k = 0; k < p->labels->len; k++) {
			const Label *o = &g_array_index(p->labels, Label, k);
			if (o->x < l.x + l.width)
				l.row = MAX(l.row, o->row + 1);
		}
		p->label_rows = MAX(p->label_rows, l.row + 1);
		g_array_append_val(p->labels, l);
	}
}

/* A bar and its name need a place in a row; what is inside another stands below it. */
static void lay_bars(Svg *s, guint nth)
{
	const ViewBoot *b = &s->v.boot[nth];
	Panel *p = &s->panel[nth];
	double ends[STEP_ROWS_MAX] = {0};
	p->bars = g_array_new(FALSE, TRUE, sizeof(Bar));
	g_array_set_clear_func(p->bars, bar_clear);
	for (guint i = 0; i < b->events->len; i++) {
		const ViewEvent *e = view_at(b, i);
		gint64 end = e->at + MAX(e->took, 0);
		if (!is_kind(e, "step") || e->begin < 0 || end < s->scale.from ||
		    e->at > s->scale.to)
			continue;
		Bar bar = {.event = i,
			   .x = svg_scale_at(&s->scale, e->at),
			   .end = svg_scale_at(&s->scale, end)};
		bar.end = MAX(bar.end, bar.x + 2);
		bar.text = view_label(e);
		bar.more = e->took >= 0 ? timeline_span(e->took) : NULL;
		bar.width = text_width(bar.text) + (bar.more ? text_width(bar.more) : 0);
		double full = MAX(bar.end, bar.x + 2) + bar.width;
		guint row = MIN(e->depth, STEP_ROWS_MAX - 1u);
		while (row < STEP_ROWS_MAX && ends[row] > bar.x)
			row++;
		if (row == STEP_ROWS_MAX) {
			p->left_out++;
			bar_clear(&bar);
			continue;
		}
		bar.row = row;
		ends[row] = full;
		p->bar_rows = MAX(p->bar_rows, row + 1);
		g_array_append_val(p->bars, bar);
	}
}

/* The second is the mirror of the first: its line of events is at its top. */
static double lay_panel(Svg *s, guint nth, double y)
{
	Panel *p = &s->panel[nth];
	double bars = p->bar_rows ? p->bar_rows * STEP_ROW + 8 : 0;
	double labels = p->label_rows * ROW + 8;
	p->top = y;
	if (nth == 0) {
		p->bars_at = y + 26;
		p->labels_at = p->bars_at + bars;
		p->base = p->labels_at + labels + BASE / 2.0;
		p->bottom = p->base + BASE / 2.0;
	} else {
		p->base = y + BASE / 2.0;
		p->labels_at = p->base + BASE / 2.0;
		p->bars_at = p->labels_at + labels;
		p->bottom = p->bars_at + bars + 24;
	}
	return p->bottom;
}

/* ---- drawing ---- */

static const char *class_of(const ViewEvent *e, const char *fault, const char *moved,
			    const char *lone, const char *plain)
{
	return is_kind(e, "fault") ? fault : e->moved ? moved : e->lone ? lone : plain;
}

static void draw_window(Svg *s, guint nth)
{
	const ViewBoot *b = &s->v.boot[nth];
	const Panel *p = &s->panel[nth];
	if (!b->has_window)
		return;
	double x1 = b->from == G_MININT64 ? SVG_LEFT : svg_scale_at(&s->scale, b->from);
	double x2 = b->to == G_MAXINT64 ? SVG_RIGHT : svg_scale_at(&s->scale, b->to);
	double top = nth ? p->top : p->top + 22, bottom = nth ? p->bottom - 22 : p->bottom;
	if (x2 < x1)
		return;
	rect(s, "tl-win", x1, top, x2 - x1, bottom - top, "window");
	line(s, "tl-edge", x1, top, x1, bottom);
	line(s, "tl-edge", x2, top, x2, bottom);
}

static void draw_labels(Svg *s, guint nth)
{
	const ViewBoot *b = &s->v.boot[nth];
	const Panel *p = &s->panel[nth];
	for (guint i = 0; i < p->labels->len; i++) {
		const Label *l = &g_array_index(p->labels, Label, i);
		const ViewEvent *e = view_at(b, l->event);
		double y = nth ? p->labels_at + l->row * ROW + 15
			       : p->labels_at + (p->label_rows - 1 - l->row) * ROW + 14;
		line(s, class_of(e, "tl-lead-f", "tl-lead-m", "tl-lead-o", "tl-lead"), l->x,
		     nth ? y : y - 10, l->x, p->base);
		words(s, class_of(e, "tl-f", "tl-m", "tl-o", "tl-n"), l->x + 5, y, NULL, l->text,
		      l->more, e->name);
	}
}

static void draw_faults(Svg *s, guint nth)
{
	const ViewBoot *b = &s->v.boot[nth];
	const Panel *p = &s->panel[nth];
	const json_t *events = json_object_get(b->json, "events");
	size_t i;
	json_t *o;
	double last = -1;
	json_array_foreach ((json_t *)events, i, o) {
		gint64 at = kx_json_int(o, "begin", -1);
		if (g_strcmp0(kx_json_str(o, "kind"), "fault") != 0 || at < 0 ||
		    at > G_MAXINT64 / 4)
			continue;
		double x = svg_scale_at(&s->scale, at - b->align);
		if (!svg_scale_has(&s->scale, at - b->align) || fabs(x - last) < 1)
			continue;
		last = x;
		line(s, "tl-tick", x, p->base - 9, x, p->base + 9);
	}
}

static void draw_bars(Svg *s, guint nth)
{
	const ViewBoot *b = &s->v.boot[nth];
	const Panel *p = &s->panel[nth];
	for (guint i = 0; i < p->bars->len; i++) {
		const Bar *bar = &g_array_index(p->bars, Bar, i);
		const ViewEvent *e = view_at(b, bar->event);
		double y = p->bars_at + bar->row * STEP_ROW;
		rect(s,
		     e->longer && !e->moved && !e->lone
			     ? "tl-step-l"
			     : class_of(e, "tl-step", "tl-step-m", "tl-step-o", "tl-step"),
		     bar->x, y + 2, bar->end - bar->x, STEP_ROW - 5, bar->text);
		words(s, class_of(e, "tl-f", "tl-m", "tl-o", "tl-soft"), bar->end + 5, y + 12, NULL,
		      bar->text, bar->more, NULL);
	}
}

static void draw_title(Svg *s, guint nth)
{
	const ViewBoot *b = &s->v.boot[nth];
	const Panel *p = &s->panel[nth];
	g_autoptr(GString) text = g_string_new(NULL);
	const char *title = kx_json_str(b->json, "title"), *kernel = kx_json_str(b->json, "kernel");
	timeline_put_plain(text, kx_json_str(b->json, "name"), 90);
	if (title) {
		g_string_append(text, ": ");
		timeline_put_plain(text, title, 80);
	}
	if (kernel) {
		g_string_append(text, "  ·  Linux ");
		timeline_put_plain(text, kernel, 40);
	}
	gint64 faults = kx_json_int(json_object_get(b->json, "totals"), "faults", 0);
	g_string_append_printf(text, "  ·  %" G_GINT64_FORMAT " fault%s", faults,
			       faults == 1 ? "" : "s");
	if (b->from != G_MININT64 && b->to != G_MAXINT64 && b->to >= b->from) {
		g_autofree char *span = timeline_span(b->to - b->from);
		g_string_append_printf(text, "  ·  window %s", span);
	}
	if (p->left_out)
		g_string_append_printf(text, "  ·  %u more not drawn", p->left_out);
	words(s, "tl-h", SVG_LEFT, nth ? p->bottom - 5 : p->top + 14, NULL, text->str, NULL, NULL);
}

static void draw_panel(Svg *s, guint nth)
{
	const Panel *p = &s->panel[nth];
	draw_window(s, nth);
	line(s, "tl-base", SVG_LEFT, p->base, SVG_RIGHT, p->base);
	draw_labels(s, nth);
	draw_bars(s, nth);
	draw_faults(s, nth);
	draw_title(s, nth);
}

/* What is the same in both: grey where it kept its place. */
static void draw_joins(Svg *s)
{
	const ViewBoot *a = &s->v.boot[0], *b = &s->v.boot[1];
	double top = s->panel[0].base + 10, bottom = s->panel[1].base - 10;
	double middle = (top + bottom) / 2;
	for (int moved = 0; moved < 2; moved++)
		for (guint i = 0; i < a->events->len; i++) {
			const ViewEvent *e = view_at(a, i), *o;
			if (!is_kind(e, "mark") || e->moved != moved || !is_drawn(s, e) ||
			    !(o = view_find(b, e->other)) || !is_drawn(s, o))
				continue;
			double x1 = svg_scale_at(&s->scale, e->at);
			double x2 = svg_scale_at(&s->scale, o->at);
			const double to[] = {x1, top, x1, middle, x2, middle, x2, bottom};
			char n[G_ASCII_DTOSTR_BUF_SIZE];
			g_string_append_printf(s->out, "<path class=\"%s\" d=\"",
					       moved ? "tl-move" : "tl-same");
			for (size_t k = 0; k < G_N_ELEMENTS(to); k++)
				g_string_append_printf(s->out, "%s%s",
						       k == 0	? "M"
						       : k == 2 ? " C"
								: " ",
						       number(n, to[k]));
			g_string_append(s->out, "\"/>\n");
		}
}

/* The lines, or with `named` what stands at them. */
static void draw_ticks(Svg *s, double top, double bottom, double at, bool named)
{
	g_autoptr(GArray) ticks = svg_scale_ticks(&s->scale);
	for (guint i = 0; i < ticks->len; i++) {
		gint64 us = g_array_index(ticks, gint64, i);
		double x = svg_scale_at(&s->scale, us);
		if (!named) {
			line(s, "tl-grid", x, top, x, bottom);
			continue;
		}
		bool fine = us % 1000 != 0;
		g_autofree char *time = us ? g_strdup_printf("%s%.*f ms", us < 0 ? "−" : "+",
							     fine ? 2 : 0, (double)ABS(us) / 1e3)
					   : g_strdup("0");
		words(s, "tl-axis", x, at, "middle", time, NULL, NULL);
	}
}

/* ---- around it ---- */

/* In lines of so many characters, broken at blanks. */
static double put_sentence(Svg *s, const char *text, double y)
{
	const glong room = 128;
	g_autoptr(GString) clean = g_string_new(NULL);
	timeline_put_plain(clean, text, 600);
	const char *p = clean->str;
	while (*p) {
		const char *end = p, *blank = NULL;
		for (glong n = 0; *end && n < room; n++, end = g_utf8_next_char(end))
			if (*end == ' ')
				blank = end;
		if (*end && blank)
			end = blank;
		g_autofree char *part = g_strndup(p, (gsize)(end - p));
		words(s, "tl-s", SVG_LEFT, y += 20, NULL, part, NULL, NULL);
		p = end + (*end == ' ');
	}
	return y;
}

static const char *align_name(const Svg *s)
{
	const json_t *boot = s->v.boot[0].json;
	gint64 at = kx_json_int(boot, "align", -1);
	const json_t *events = json_object_get(boot, "events");
	const char *name = at >= 0 && at < G_MAXINT
				   ? kx_json_str(json_array_get(events, (size_t)at), "name")
				   : NULL;
	return name ? name : "the kernel's start";
}

static void draw_legend(Svg *s, double y)
{
	const struct {
		const char *class, *words;
	} keys[] = {{"tl-step-m", "moved past others"},
		    {"tl-step-o", "only in this boot"},
		    {"tl-step-l", "much longer or shorter"}};
	double x = SVG_LEFT;
	for (size_t i = 0; s->v.n == 2 && i < G_N_ELEMENTS(keys); i++) {
		rect(s, keys[i].class, x, y - 9, 10, 10, NULL);
		words(s, "tl-soft", x + 15, y, NULL, keys[i].words, NULL, NULL);
		x += 15 + text_width(keys[i].words) + 8;
	}
	g_autoptr(GString) text = g_string_new("0 is ");
	timeline_put_plain(text, align_name(s), 60);
	g_string_append(text, "; the scale is shorter where nothing happens");
	words(s, "tl-soft", x, y, NULL, text->str, NULL, NULL);
}

static void clear(Svg *s)
{
	for (guint i = 0; i < s->v.n; i++) {
		g_array_unref(s->panel[i].labels);
		g_array_unref(s->panel[i].bars);
	}
	svg_scale_clear(&s->scale);
	view_clear(&s->v);
}

static void draw(Svg *s, double top)
{
	double bottom = top;
	for (guint i = 0; i < s->v.n; i++) {
		lay_labels(s, i);
		lay_bars(s, i);
		bottom = lay_panel(s, i, i ? bottom + BETWEEN : top);
	}
	double axis = s->v.n == 2 ? s->panel[0].bottom + BETWEEN / 2.0 + 4 : bottom + 16;
	s->height = bottom + (s->v.n == 2 ? 34 : 50);
	draw_ticks(s, top + 22, bottom - 22, axis, false);
	for (guint i = 0; i < s->v.n; i++)
		draw_panel(s, i);
	if (s->v.n == 2)
		draw_joins(s);
	draw_ticks(s, 0, 0, axis, true);
	draw_legend(s, s->height - 10);
}

char *timeline_svg(const json_t *doc, bool alone)
{
	Svg s = {.out = g_string_new(NULL)};
	char h[G_ASCII_DTOSTR_BUF_SIZE];
	view_read(&s.v, doc, true);
	svg_scale_make(&s.scale, &s.v);
	double top = *timeline_sentence(doc) && alone
			     ? put_sentence(&s, timeline_sentence(doc), 8) + 16
			     : 10;
	draw(&s, top);
	GString *out = g_string_new(NULL);
	g_string_append_printf(
		out,
		"<svg%s class=\"tl\" viewBox=\"0 0 %d %s\" width=\"%s\" role=\"img\" "
		"aria-label=\"",
		alone ? " xmlns=\"http://www.w3.org/2000/svg\"" : "", SVG_WIDTH,
		number(h, s.height), alone ? "1200" : "100%");
	timeline_put_xml(out, *timeline_sentence(doc) ? timeline_sentence(doc) : "timeline", 600);
	g_string_append_printf(out, "\">\n<style>%s</style>\n", style);
	if (alone)
		g_string_append_printf(out,
				       "<rect class=\"tl-bg\" x=\"0\" y=\"0\" width=\"%d\" "
				       "height=\"%s\"/>\n",
				       SVG_WIDTH, h);
	g_string_append_len(out, s.out->str, (gssize)s.out->len);
	g_string_append(out, "</svg>\n");
	g_string_free(s.out, TRUE);
	clear(&s);
	return g_string_free(out, FALSE);
}
