/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One sentence: what moved relative to the window. The faults of one boot lie between a message
 * after which more DMA may be refused and one after which less is. Of these two, the other boot has
 * the order the other way round, or lacks one, or has less time between them; else some step
 * before them differs. */
#include <string.h>

#include "timeline-internal.h"

typedef struct {
	const Timeline *a, *b; /* as they were given: the sentence is about b */
	const Timeline *faulty, *clean;
	const char *with;
	GHashTable *focus;
	int first_fault, last_fault; /* of faulty */
	GString *out;
} Explain;

char *timeline_span(gint64 us)
{
	us = ABS(us);
	if (us < 1000)
		return g_strdup_printf("%" G_GINT64_FORMAT " µs", us);
	if (us < 9950)
		return g_strdup_printf("%.1f ms", (double)us / 1e3);
	if (us < 999500)
		return g_strdup_printf("%.0f ms", (double)us / 1e3);
	return g_strdup_printf("%.2f s", (double)us / 1e6);
}

static void find_faults(Explain *x)
{
	x->first_fault = x->last_fault = -1;
	for (int pass = 0; pass < 2 && x->first_fault < 0; pass++)
		for (guint i = 0; i < x->faulty->events->len; i++) {
			const TimelineEvent *e = timeline_at(x->faulty, i);
			if (e->kind != TIMELINE_FAULT || (!pass && !e->in_window))
				continue;
			if (x->first_fault < 0)
				x->first_fault = (int)i;
			x->last_fault = (int)i;
		}
}

static bool concerns(const Explain *x, const TimelineEvent *e)
{
	return e->kind == TIMELINE_MARK &&
	       (!e->device || g_hash_table_contains(x->focus, e->device));
}

static guint64 faults_between(const Explain *x, int from, int to, const char **ret_what)
{
	guint64 n = 0;
	*ret_what = "fault";
	for (int i = from; i < to; i++) {
		const TimelineEvent *e = timeline_at(x->faulty, (guint)i);
		if (e->kind != TIMELINE_FAULT)
			continue;
		n += e->count;
		if (e->near_time)
			*ret_what = "refused access"; /* of the emulator's record */
	}
	return n;
}

/* "1.2 ms after", "before" */
static char *relation(const Timeline *t, int what, int to)
{
	const TimelineEvent *e = timeline_at(t, (guint)what), *o = timeline_at(t, (guint)to);
	const char *word = what > to ? "after" : "before";
	if (e->begin_us < 0 || o->begin_us < 0 || e->begin_us == o->begin_us)
		return g_strdup_printf("%s%s", e->begin_us >= 0 && o->begin_us >= 0 ? "right " : "",
				       word);
	g_autofree char *span = timeline_span(e->begin_us - o->begin_us);
	return g_strdup_printf("%s %s", span, word);
}

static void say_with(Explain *x)
{
	g_string_append_printf(x->out, "%s, ", x->with ? x->with : "In the second boot");
}

static void say_faults(Explain *x, int from, int to)
{
	const char *what;
	guint64 n = faults_between(x, from, to, &what);
	if (n == 1)
		g_string_append_printf(x->out, "; one %s fell in between", what);
	else if (n)
		g_string_append_printf(x->out, "; %" G_GUINT64_FORMAT " %s%s fell in between", n,
				       what, g_str_has_suffix(what, "s") ? "es" : "s");
	g_string_append_c(x->out, '.');
}

/* Messages before the faults, the last first; after them, those that tell best first. */
static GArray *openings(const Explain *x)
{
	GArray *out = g_array_new(FALSE, FALSE, sizeof(int));
	for (int i = x->first_fault; i-- > 0;) {
		const TimelineEvent *e = timeline_at(x->faulty, (guint)i);
		if (concerns(x, e) && timeline_effect(e) == TIMELINE_OPENS)
			g_array_append_val(out, i);
	}
	return out;
}

static int by_weight(gconstpointer a, gconstpointer b, gpointer user)
{
	const Explain *x = user;
	int i = *(const int *)a, k = *(const int *)b;
	unsigned wi = timeline_weight(timeline_at(x->faulty, (guint)i));
	unsigned wk = timeline_weight(timeline_at(x->faulty, (guint)k));
	return wi != wk ? (wi > wk ? -1 : 1) : (i > k) - (i < k);
}

/* Of several of one kind in a row (each region of a device), the last. */
static GArray *closings(Explain *x)
{
	GArray *out = g_array_new(FALSE, FALSE, sizeof(int));
	for (guint i = (guint)x->last_fault + 1; i < x->faulty->events->len; i++) {
		const TimelineEvent *e = timeline_at(x->faulty, i);
		if (!concerns(x, e) || timeline_effect(e) == TIMELINE_OTHER)
			continue;
		if (timeline_effect(e) == TIMELINE_OPENS && out->len)
			break; /* another window */
		if (timeline_effect(e) != TIMELINE_CLOSES)
			continue;
		if (out->len) {
			int *last = &g_array_index(out, int, out->len - 1);
			const TimelineEvent *o = timeline_at(x->faulty, (guint)*last);
			if (strcmp(o->type, e->type) == 0 && g_strcmp0(o->device, e->device) == 0) {
				*last = (int)i;
				continue;
			}
		}
		g_array_append_val(out, i);
	}
	g_array_sort_with_data(out, by_weight, x);
	return out;
}

/* In the boot that the sentence is about, and in the other. */
static int in_b(const Explain *x, int i)
{
	return x->b == x->faulty ? i : timeline_at(x->faulty, (guint)i)->other;
}

static int in_a(const Explain *x, int i)
{
	return x->a == x->faulty ? i : timeline_at(x->faulty, (guint)i)->other;
}

static void say_order(Explain *x, int opens, int closes)
{
	const char *done, *closed;
	const TimelineEvent *o = timeline_at(x->faulty, (guint)opens);
	const TimelineEvent *c = timeline_at(x->faulty, (guint)closes);
	g_autofree char *subject = timeline_subject(o, &done);
	g_autofree char *other = timeline_subject(c, &closed);
	g_autofree char *now = relation(x->b, in_b(x, opens), in_b(x, closes));
	g_autofree char *was = relation(x->a, in_a(x, opens), in_a(x, closes));
	say_with(x);
	g_string_append_printf(x->out, "%s %s %s, not %s, %s %s", subject, done, now, was, other,
			       closed);
	say_faults(x, opens, closes);
}

static bool explain_order(Explain *x, const GArray *opens, const GArray *closes)
{
	for (guint k = 0; k < closes->len; k++)
		for (guint i = 0; i < opens->len; i++) {
			int o = g_array_index(opens, int, i), c = g_array_index(closes, int, k);
			int oc = timeline_at(x->faulty, (guint)o)->other;
			int cc = timeline_at(x->faulty, (guint)c)->other;
			if (oc < 0 || cc < 0 || oc < cc)
				continue;
			say_order(x, o, c);
			return true;
		}
	return false;
}

/* What opens the window is missing in the clean boot. */
static bool explain_never(Explain *x, const GArray *opens, const GArray *closes)
{
	for (guint i = 0; i < opens->len; i++) {
		int o = g_array_index(opens, int, i);
		const TimelineEvent *e = timeline_at(x->faulty, (guint)o);
		if (e->other >= 0)
			continue;
		const char *done, *closed;
		g_autofree char *subject = timeline_subject(e, &done);
		say_with(x);
		if (x->b == x->clean)
			g_string_append_printf(x->out, "%s never %s", subject, done);
		else
			g_string_append_printf(x->out, "%s %s, and never without", subject, done);
		int c = closes->len ? g_array_index(closes, int, 0) : -1;
		if (c >= 0) {
			g_autofree char *other =
				timeline_subject(timeline_at(x->faulty, (guint)c), &closed);
			g_autofree char *rel = relation(x->faulty, o, c);
			g_string_append_printf(
				x->out, "%s, %s %s %s",
				x->b == x->clean ? "; in the boot with the fault it was" : "", rel,
				other, closed);
		}
		say_faults(x, o, c >= 0 ? c : (int)x->faulty->events->len);
		return true;
	}
	return false;
}

/* What ends the window is missing in the boot with the fault. */
static bool explain_missing(Explain *x)
{
	for (guint i = 0; i < x->clean->events->len; i++) {
		const TimelineEvent *e = timeline_at(x->clean, i);
		if (!concerns(x, e) || e->other >= 0 || timeline_effect(e) != TIMELINE_CLOSES)
			continue;
		const char *done;
		g_autofree char *subject = timeline_subject(e, &done);
		say_with(x);
		g_string_append_printf(x->out,
				       x->b == x->clean ? "%s %s; in the boot with the fault never."
							: "%s never %s.",
				       subject, done);
		return true;
	}
	return false;
}

static gint64 length(const Timeline *t, int from, int to)
{
	gint64 a = timeline_at(t, (guint)from)->begin_us, b = timeline_at(t, (guint)to)->begin_us;
	return a < 0 || b < a ? -1 : b - a;
}

/* Less than half the time between them. */
static bool explain_shorter(Explain *x, const GArray *opens, const GArray *closes)
{
	for (guint k = 0; k < closes->len; k++)
		for (guint i = 0; i < opens->len; i++) {
			int o = g_array_index(opens, int, i), c = g_array_index(closes, int, k);
			if (in_a(x, o) < 0 || in_a(x, c) < 0 || in_b(x, o) < 0 || in_b(x, c) < 0)
				continue;
			gint64 la = length(x->a, in_a(x, o), in_a(x, c));
			gint64 lb = length(x->b, in_b(x, o), in_b(x, c));
			gint64 lf = x->a == x->faulty ? la : lb, lc = x->a == x->faulty ? lb : la;
			if (lf < 0 || lc < 0 || lc > lf / 2)
				continue;
			const char *done, *closed;
			g_autofree char *subject =
				timeline_subject(timeline_at(x->faulty, (guint)o), &done);
			g_autofree char *other =
				timeline_subject(timeline_at(x->faulty, (guint)c), &closed);
			g_autofree char *now = timeline_span(lb), *was = timeline_span(la);
			say_with(x);
			g_string_append_printf(x->out, "%s %s %s, not %s, before %s %s", subject,
					       done, now, was, other, closed);
			say_faults(x, o, c);
			return true;
		}
	return false;
}

/* "quirk_usb_early_handoff of 00:02.0" */
static char *step_name(const TimelineEvent *e)
{
	bool fixup = strcmp(e->type, "fixup") == 0, probe = strcmp(e->type, "probe") == 0;
	return g_strdup_printf("%s%.120s%s%.40s", probe ? "the probe of " : "", e->name,
			       fixup && e->device ? " of " : "",
			       fixup && e->device ? e->device : "");
}

/* Steps for the devices in question first; then others, those of initcalls first. */
static int rank(const Explain *x, const Timeline *t, const TimelineEvent *e)
{
	if (e->kind != TIMELINE_STEP || (e->other >= 0 && !e->moved) || !x->a->messages ||
	    !x->b->messages || strcmp(e->type, "async") == 0)
		return 0;
	bool ours = e->device && g_hash_table_contains(x->focus, e->device);
	bool early = t->window_to < 0 || e->line < timeline_at(t, (guint)t->window_to)->line;
	return early ? ours ? 3 : e->moved ? 2 : 1 : 0;
}

static bool say_step(Explain *x, const Timeline *t, const TimelineEvent *e, int at)
{
	g_autofree char *name = step_name(e);
	int to = t->window_from;
	say_with(x);
	if (e->other >= 0) {
		g_string_append_printf(x->out, "%s ran at another place", name);
		g_string_append(x->out, "; the IOMMU's own steps have the same order.");
		return true;
	}
	g_string_append_printf(x->out, "%s %s", name, t == x->b ? "ran" : "did not run");
	if (to >= 0 && to != at) {
		g_autofree char *rel = relation(t, at, to);
		g_string_append_printf(x->out, "%s %s the window opened%s",
				       t == x->b ? "" : "; without, it ran", rel,
				       t == x->b ? "; without, it did not run" : "");
	}
	g_string_append(x->out, ". The IOMMU's own steps have the same order.");
	return true;
}

static bool explain_steps(Explain *x)
{
	const Timeline *both[] = {x->b, x->a};
	for (int want = 3; want > 0; want--)
		for (size_t k = 0; k < G_N_ELEMENTS(both); k++)
			for (guint i = 0; i < both[k]->events->len; i++) {
				const TimelineEvent *e = timeline_at(both[k], i);
				if (rank(x, both[k], e) == want)
					return say_step(x, both[k], e, (int)i);
			}
	return false;
}

static void explain_nothing(Explain *x)
{
	g_string_append(x->out, "The IOMMU's steps have the same order in both boots: what differs "
				"is not in these logs.");
	if (!x->a->messages || !x->b->messages)
		g_string_append(x->out, " With initcall_debug on the kernel's command line they "
					"would show the steps of the initialisation.");
}

static void explain_without_faults(Explain *x)
{
	g_string_append_printf(x->out, "%s boot has faults", x->a->faults ? "Each" : "Neither");
	guint moved = 0;
	const TimelineEvent *first = NULL;
	for (guint i = 0; i < x->b->events->len; i++) {
		const TimelineEvent *e = timeline_at(x->b, i);
		moved += e->moved;
		first = !first && e->moved ? e : first;
	}
	if (!first) {
		g_string_append(x->out, "; nothing moved.");
		return;
	}
	g_autofree char *name = g_strndup(first->name, 100);
	g_string_append_printf(x->out, "; %u event%s moved, the first is %s.", moved,
			       moved == 1 ? "" : "s", name);
}

char *timeline_explain(const Timeline *a, const Timeline *b, const char *with)
{
	Explain x = {.a = a, .b = b, .with = with, .out = g_string_new(NULL)};
	if ((a->faults > 0) == (b->faults > 0)) {
		explain_without_faults(&x);
		return g_string_free(x.out, FALSE);
	}
	x.faulty = a->faults ? a : b;
	x.clean = a->faults ? b : a;
	x.focus = timeline_focus(a, b);
	find_faults(&x);
	g_autoptr(GArray) opens = openings(&x), closes = closings(&x);
	if (!explain_order(&x, opens, closes) && !explain_never(&x, opens, closes) &&
	    !explain_missing(&x) && !explain_shorter(&x, opens, closes) && !explain_steps(&x))
		explain_nothing(&x);
	g_hash_table_unref(x.focus);
	x.out->str[0] = g_ascii_toupper(x.out->str[0]);
	return g_string_free(x.out, FALSE);
}
