/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Two boots: which events are the same, and which of them moved past others: those that are not in
 * the heaviest common subsequence of both. Every event of a boot has a key of its own, so that is
 * the heaviest increasing subsequence of a permutation: O(n log n). */
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "timeline-internal.h"

/* Much longer: by this, and twice as long. */
#define LONGER_US 1000

/* Without the number of its occurrence. */
static char *plain_key(const TimelineEvent *e)
{
	size_t len;
	g_autofree char *device = NULL;
	if (e->kind == TIMELINE_STEP) {
		const char *name = initcall_plain_name(e->name, &len);
		return g_strdup_printf("%s %.*s %s %s", e->type, (int)len, name,
				       e->module ? e->module : "", e->device ? e->device : "");
	}
	if (e->kind == TIMELINE_MARK) {
		const TimelineMark *m = timeline_mark_of(e->name, strlen(e->name), &device);
		return g_strdup_printf("mark %s %s %s",
				       m	 ? m->words
				       : e->part ? e->part
						 : e->type,
				       m && m->also ? m->also : "", e->device ? e->device : "");
	}
	return g_strdup_printf("%s %s", e->type, e->name);
}

static void make_keys(Timeline *t)
{
	g_autoptr(GHashTable) seen = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
	for (guint i = 0; i < t->events->len; i++) {
		TimelineEvent *e = timeline_at(t, i);
		char *key = plain_key(e);
		guint n = GPOINTER_TO_UINT(g_hash_table_lookup(seen, key)) + 1;
		g_free(e->key);
		e->key = g_strdup_printf("%s #%u", key, n);
		g_hash_table_insert(seen, key, GUINT_TO_POINTER(n));
		e->other = -1;
		e->moved = e->longer = false;
	}
}

static void find_others(Timeline *a, Timeline *b)
{
	g_autoptr(GHashTable) at = g_hash_table_new(g_str_hash, g_str_equal);
	for (guint i = 0; i < b->events->len; i++)
		g_hash_table_insert(at, timeline_at(b, i)->key, GUINT_TO_POINTER(i + 1));
	for (guint i = 0; i < a->events->len; i++) {
		TimelineEvent *e = timeline_at(a, i);
		guint found = GPOINTER_TO_UINT(g_hash_table_lookup(at, e->key));
		if (!found)
			continue;
		e->other = (int)found - 1;
		timeline_at(b, found - 1)->other = (int)i;
	}
}

/* Faults are what is asked about, and what runs beside the others has no place. */
static bool has_place(const TimelineEvent *e)
{
	return e->other >= 0 && e->kind != TIMELINE_FAULT && e->kind != TIMELINE_NOTE &&
	       strcmp(e->type, "async") != 0;
}

/* Of two that swapped their places, that one moved which changes what may be refused. */
static guint weight(const TimelineEvent *e)
{
	return timeline_effect(e) == TIMELINE_OPENS ? 9 : 10;
}

/* ---- heaviest increasing subsequence ---- */

typedef struct {
	guint weight;
	int last; /* event of `a`; -1: none */
} Best;

static void put_best(Best *tree, guint n, guint at, Best v)
{
	for (guint i = at + 1; i <= n; i += i & (~i + 1))
		if (tree[i].weight < v.weight)
			tree[i] = v;
}

static Best best_before(const Best *tree, guint at)
{
	Best best = {0, -1};
	for (guint i = at; i; i -= i & (~i + 1))
		if (tree[i].weight > best.weight)
			best = tree[i];
	return best;
}

static void find_moved(Timeline *a, Timeline *b)
{
	guint n = b->events->len;
	g_autofree Best *tree = g_new0(Best, n + 1);
	g_autofree int *before = g_new(int, a->events->len + 1);
	for (guint i = 0; i <= n; i++)
		tree[i].last = -1;
	for (guint i = 0; i < a->events->len; i++) {
		TimelineEvent *e = timeline_at(a, i);
		before[i] = -1;
		if (!has_place(e))
			continue;
		e->moved = true; /* until it is found in the sequence */
		Best best = best_before(tree, (guint)e->other);
		before[i] = best.last;
		put_best(tree, n, (guint)e->other, (Best){best.weight + weight(e), (int)i});
	}
	for (int i = best_before(tree, n).last; i >= 0; i = before[i])
		timeline_at(a, (guint)i)->moved = false;
	for (guint i = 0; i < a->events->len; i++) {
		const TimelineEvent *e = timeline_at(a, i);
		if (has_place(e))
			timeline_at(b, (guint)e->other)->moved = e->moved;
	}
}

static void find_longer(Timeline *a, Timeline *b)
{
	for (guint i = 0; i < a->events->len; i++) {
		TimelineEvent *e = timeline_at(a, i);
		if (e->kind != TIMELINE_STEP || e->other < 0)
			continue;
		TimelineEvent *o = timeline_at(b, (guint)e->other);
		if (e->took_us < 0 || o->took_us < 0)
			continue;
		gint64 less = MIN(e->took_us, o->took_us), more = MAX(e->took_us, o->took_us);
		e->longer = o->longer = more - less >= LONGER_US && more / 2 >= less;
	}
}

void timeline_compare(Timeline *a, Timeline *b)
{
	make_keys(a);
	make_keys(b);
	find_others(a, b);
	find_moved(a, b);
	find_longer(a, b);
}

/* ---- alignment ---- */

static bool is_named(const TimelineEvent *e, const char *words)
{
	return strstr(e->name, words) || strcmp(e->type, words) == 0 ||
	       (e->part && strstr(e->part, words));
}

static bool align_asked(const Timeline *a, const Timeline *b, const char *words, int *ret_a,
			int *ret_b)
{
	for (guint i = 0; i < a->events->len; i++) {
		const TimelineEvent *e = timeline_at(a, i);
		if (e->begin_us < 0 || !is_named(e, words) || (b && e->other < 0))
			continue;
		if (b && timeline_at(b, (guint)e->other)->begin_us < 0)
			continue;
		*ret_a = (int)i;
		*ret_b = e->other;
		return true;
	}
	return false;
}

static bool is_change(const TimelineEvent *e)
{
	return e->kind == TIMELINE_MARK && timeline_effect(e) != TIMELINE_OTHER &&
	       (e->moved || e->other < 0);
}

/* The last event before the first difference that has the same place in both; so what moved is
 * seen to move. */
bool timeline_align(const Timeline *a, const Timeline *b, const char *align, int *ret_a, int *ret_b)
{
	if (align)
		return align_asked(a, b, align, ret_a, ret_b);
	guint limit_a = a->events->len, limit_b = b->events->len;
	for (guint i = limit_a; i-- > 0;)
		if (is_change(timeline_at(a, i)) || timeline_at(a, i)->kind == TIMELINE_FAULT)
			limit_a = i;
	for (guint i = limit_b; i-- > 0;)
		if (is_change(timeline_at(b, i)) || timeline_at(b, i)->kind == TIMELINE_FAULT)
			limit_b = i;
	bool found = false, mark = false;
	for (guint i = 0; i < a->events->len; i++) {
		const TimelineEvent *e = timeline_at(a, i);
		if (!has_place(e) || e->moved || e->begin_us < 0 ||
		    timeline_at(b, (guint)e->other)->begin_us < 0)
			continue;
		bool early = i < limit_a && (guint)e->other < limit_b;
		if (found && (!early || (mark && e->kind != TIMELINE_MARK)))
			continue;
		*ret_a = (int)i;
		*ret_b = e->other;
		found = true;
		mark |= early && e->kind == TIMELINE_MARK;
	}
	return found;
}
