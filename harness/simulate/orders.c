/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "simulate/orders.h"

#include <math.h>
#include <string.h>

#include "simulate/lab.h"

#define GROUPS 9       /* levels */
#define MOVED_SHARE 20 /* one of so many goes to another level */
#define DRAWS_MAX 2000

/* `user` comes up as soon as one of the two others has run. */
typedef struct {
	guint user, helper[2];
} Helper;

typedef struct {
	guint64 seed, trial, at;
} Dice;

static guint pick(Dice *d, guint n)
{
	return (guint)(sim_hash(d->seed, d->trial, 0x6f7264657273, d->at++) % n);
}

static void swap(guint *a, guint *b)
{
	guint was = *a;
	*a = *b;
	*b = was;
}

static void move(guint *order, guint from, guint to)
{
	guint item = order[from];
	if (from < to)
		memmove(&order[from], &order[from + 1], (to - from) * sizeof(*order));
	else
		memmove(&order[to + 1], &order[to], (from - to) * sizeof(*order));
	order[to] = item;
}

/* Each level shuffled, and some initcalls moved anywhere. */
static void draw_orders(SimOrders *o, Dice *dice)
{
	guint start = 0;
	for (guint i = 0; i < o->n; i++) {
		o->good[i] = o->bad[i] = i;
		o->group[i] = i * GROUPS / o->n;
	}
	for (guint i = 0; i < o->n; i++) {
		start = i && o->group[i] != o->group[i - 1] ? i : start;
		swap(&o->bad[i], &o->bad[start + pick(dice, i - start + 1)]);
	}
	for (guint i = 0; i < MAX(o->n / MOVED_SHARE, 1); i++)
		move(o->bad, pick(dice, o->n), pick(dice, o->n));
}

static bool holds(const guint *order, guint n, guint first, guint second)
{
	for (guint i = 0; i < n; i++)
		if (order[i] == first || order[i] == second)
			return order[i] == first;
	return false;
}

/* No order has the one without the other: nothing could tell. */
static bool are_tied(const SimOrders *o, InitcallSwap a, InitcallSwap b)
{
	g_autofree guint *order = g_new(guint, o->n);
	if (o->either) {
		initcall_path_restore(o->bad, o->good, o->n, a.late, a.early, order);
		return holds(order, o->n, b.late, b.early);
	}
	initcall_path_restore(o->good, o->bad, o->n, a.early, a.late, order);
	return holds(order, o->n, b.early, b.late);
}

static bool draw_pairs(SimOrders *o, Dice *dice, guint d)
{
	g_autoptr(InitcallPath) path = initcall_path_new(o->good, o->bad, o->n, o->group, NULL);
	o->pairs = initcall_path_length(path);
	if (o->pairs < d)
		return false;
	for (guint i = 0; i < d; i++)
		o->pair[i] = initcall_path_swap(path, 1 + pick(dice, o->pairs));
	o->n_pairs = d;
	return d < 2 ||
	       (!are_tied(o, o->pair[0], o->pair[1]) && !are_tied(o, o->pair[1], o->pair[0]));
}

static bool comes_up(const Helper *h, const guint *at)
{
	return at[h->helper[0]] < at[h->user] || at[h->helper[1]] < at[h->user];
}

static void ranks(const guint *order, guint n, guint *ret)
{
	for (guint i = 0; i < n; i++)
		ret[order[i]] = i;
}

/* Both ends come up. */
static void draw_helpers(SimOrders *o, Dice *dice, guint wanted)
{
	g_autofree guint *good = g_new(guint, o->n), *bad = g_new(guint, o->n);
	ranks(o->good, o->n, good);
	ranks(o->bad, o->n, bad);
	for (guint tries = 0; o->helpers->len < wanted && tries < DRAWS_MAX; tries++) {
		Helper h = {pick(dice, o->n), {pick(dice, o->n), pick(dice, o->n)}};
		/* One that may ever be missed: the helpers change places with the user. */
		bool early = good[h.helper[0]] < good[h.user] && bad[h.helper[0]] > bad[h.user];
		bool late = good[h.helper[1]] > good[h.user] && bad[h.helper[1]] < bad[h.user];
		if (early && late)
			g_array_append_val(o->helpers, h);
	}
}

SimOrders *sim_orders_new(const SimCase *c, guint number)
{
	Dice dice = {c->seed, number, 0};
	SimOrders *o = g_new0(SimOrders, 1);
	o->n = c->n;
	o->either = c->either;
	o->good = g_new(guint, c->n);
	o->bad = g_new(guint, c->n);
	o->group = g_new(guint, c->n);
	o->helpers = g_array_new(FALSE, FALSE, sizeof(Helper));
	do {
		draw_orders(o, &dice);
	} while (!draw_pairs(o, &dice, c->d));
	draw_helpers(o, &dice, (guint)lround(c->unbuildable * c->n));
	return o;
}

void sim_orders_free(SimOrders *o)
{
	if (!o)
		return;
	g_free(o->good);
	g_free(o->bad);
	g_free(o->group);
	g_array_unref(o->helpers);
	g_free(o);
}

bool sim_orders_bad(const SimOrders *o, const guint *order)
{
	guint wrong = 0;
	for (guint i = 0; i < o->n_pairs; i++)
		wrong += holds(order, o->n, o->pair[i].early, o->pair[i].late);
	return o->either ? wrong > 0 : wrong == o->n_pairs;
}

bool sim_orders_boots(const SimOrders *o, const guint *order)
{
	g_autofree guint *at = g_new(guint, o->n);
	ranks(order, o->n, at);
	for (guint i = 0; i < o->helpers->len; i++)
		if (!comes_up(&g_array_index(o->helpers, Helper, i), at))
			return false;
	return true;
}
