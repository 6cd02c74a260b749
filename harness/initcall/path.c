/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "initcall/path.h"

#include <string.h>

#include "base/error.h"

struct InitcallPath {
	guint n, moves;
	guint *good;
	GArray *steps; /* InitcallSwap */
};

void initcall_path_free(InitcallPath *p)
{
	if (!p)
		return;
	g_free(p->good);
	g_clear_pointer(&p->steps, g_array_unref);
	g_free(p);
}

/* rank[item]: where it stands; false: not an order of 0..n-1. */
static bool rank_of(const guint *order, guint n, guint *ret)
{
	memset(ret, 0xff, n * sizeof(*ret));
	for (guint i = 0; i < n; i++) {
		if (order[i] >= n || ret[order[i]] != G_MAXUINT)
			return false;
		ret[order[i]] = i;
	}
	return true;
}

typedef struct {
	InitcallPath *path;
	guint *order;	   /* as it is now */
	const guint *rank; /* in the order that it is to become */
} Sorter;

/* [low, mid) is as it is to be: brings the items of [mid, high) into it, one after the other. Each
 * passes only what stands after it in the end, so no pair is swapped twice. */
static void insert_each(const Sorter *s, guint low, guint mid, guint high)
{
	InitcallPath *p = s->path;
	for (guint from = mid; from < high && p->steps->len <= INITCALL_PATH_STEPS_MAX; from++) {
		guint item = s->order[from], at = from;
		for (; at > low && s->rank[s->order[at - 1]] > s->rank[item]; at--) {
			InitcallSwap step = {.late = s->order[at - 1], .early = item};
			s->order[at] = s->order[at - 1];
			g_array_append_val(p->steps, step);
		}
		s->order[at] = item;
		p->moves += at < from;
	}
}

/* Groups first … last, of which group i is [start[i], start[i + 1]). */
static void sort_groups(const Sorter *s, const guint *start, guint first, guint last)
{
	if (first == last) {
		insert_each(s, start[first], start[first], start[first + 1]);
		return;
	}
	guint middle = first + (last - first) / 2;
	sort_groups(s, start, first, middle);
	sort_groups(s, start, middle + 1, last);
	insert_each(s, start[first], start[middle + 1], start[last + 1]);
}

/* Where the groups begin, and the end of the last one. */
static GArray *starts_of(const guint *good, guint n, const guint *group)
{
	GArray *out = g_array_new(FALSE, FALSE, sizeof(guint));
	for (guint i = 0; i < n; i++)
		if (i == 0 || (group && group[good[i]] != group[good[i - 1]]))
			g_array_append_val(out, i);
	g_array_append_val(out, n);
	return out;
}

static bool groups_rise(const guint *good, guint n, const guint *group)
{
	for (guint i = 1; group && i < n; i++)
		if (group[good[i]] < group[good[i - 1]])
			return false;
	return true;
}

InitcallPath *initcall_path_new(const guint *good, const guint *bad, guint n, const guint *group,
				GError **error)
{
	g_autofree guint *rank = g_new(guint, n + 1);
	bool ok = n >= 1 && n <= INITCALL_PATH_ITEMS_MAX && rank_of(good, n, rank) &&
		  groups_rise(good, n, group) && rank_of(bad, n, rank);
	if (!ok) {
		g_set_error(error, KX_ERROR, KX_ERROR_INPUT,
			    "no two orders of the same 1 to %u items", INITCALL_PATH_ITEMS_MAX);
		return NULL;
	}
	g_autoptr(InitcallPath) p = g_new0(InitcallPath, 1);
	g_autofree guint *order = g_memdup2(good, n * sizeof(*good));
	g_autoptr(GArray) start = starts_of(good, n, group);
	Sorter s = {p, order, rank};
	p->n = n;
	p->good = g_memdup2(good, n * sizeof(*good));
	p->steps = g_array_new(FALSE, FALSE, sizeof(InitcallSwap));
	sort_groups(&s, (const guint *)(const void *)start->data, 0, start->len - 2);
	if (p->steps->len > INITCALL_PATH_STEPS_MAX) {
		g_set_error(error, KX_ERROR, KX_ERROR_INPUT,
			    "more than %u pairs stand differently in the two orders; let them be "
			    "closer to each other",
			    INITCALL_PATH_STEPS_MAX);
		return NULL;
	}
	return g_steal_pointer(&p);
}

guint initcall_path_length(const InitcallPath *p)
{
	return p->steps->len;
}

guint initcall_path_moves(const InitcallPath *p)
{
	return p->moves;
}

InitcallSwap initcall_path_swap(const InitcallPath *p, guint k)
{
	g_return_val_if_fail(k >= 1 && k <= p->steps->len, (InitcallSwap){0});
	return g_array_index(p->steps, InitcallSwap, k - 1);
}

void initcall_path_order(const InitcallPath *p, guint k, guint *ret)
{
	g_autofree guint *at = g_new(guint, p->n);
	g_return_if_fail(k <= p->steps->len);
	for (guint i = 0; i < p->n; i++)
		at[p->good[i]] = i;
	for (guint i = 0; i < k; i++) {
		const InitcallSwap *s = &g_array_index(p->steps, InitcallSwap, i);
		guint place = at[s->late];
		at[s->late] = at[s->early];
		at[s->early] = place;
	}
	for (guint i = 0; i < p->n; i++)
		ret[at[i]] = i;
}

guint initcall_path_find(const InitcallPath *p, guint a, guint b)
{
	for (guint k = 1; k <= p->steps->len; k++) {
		InitcallSwap s = initcall_path_swap(p, k);
		if ((s.late == a && s.early == b) || (s.late == b && s.early == a))
			return k;
	}
	return 0;
}

/*
 * In `near`: second C1 … Cm first. A C that `far` has before `second` comes in front of both, for
 * it must stay before `first` or has to be passed by `second`; every other one behind both. What is
 * left in place on either side keeps the order of `near`, and what changes sides is passed as in
 * `far`: C before second before first before D, for C in front and D behind.
 */
void initcall_path_restore(const guint *near_order, const guint *far_order, guint n, guint first,
			   guint second, guint *ret)
{
	g_autofree guint *far_rank = g_new(guint, n);
	guint low = 0, high = 0, out = 0;
	for (guint i = 0; i < n; i++) {
		far_rank[far_order[i]] = i;
		low = near_order[i] == second ? i : low;
		high = near_order[i] == first ? i : high;
	}
	memcpy(ret, near_order, n * sizeof(*ret));
	if (low >= high || far_rank[first] > far_rank[second])
		return; /* it stands so already, or may not stand so */
	out = low;
	for (guint i = low + 1; i < high; i++)
		if (far_rank[near_order[i]] < far_rank[first])
			ret[out++] = near_order[i];
	ret[out++] = first;
	ret[out++] = second;
	for (guint i = low + 1; i < high; i++)
		if (far_rank[near_order[i]] >= far_rank[first])
			ret[out++] = near_order[i];
}
