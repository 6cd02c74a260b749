/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What applies with what, and what the culprit is: drawn from the seed. */
#include "simulate/lab.h"

#include <math.h>
#include <string.h>

#define SECOND_RATE 0.05
#define BROKEN_RUN 3 /* mean length of a run of commits that do not build */
#define DRAWS_MAX 2000

guint64 sim_hash(guint64 a, guint64 b, guint64 c, guint64 d)
{
	const guint64 in[] = {a, b, c, d};
	guint64 z = G_GUINT64_CONSTANT(0x9e3779b97f4a7c15);
	/* splitmix64's finaliser after each word */
	for (guint i = 0; i < G_N_ELEMENTS(in); i++) {
		z += in[i] + G_GUINT64_CONSTANT(0x9e3779b97f4a7c15);
		z = (z ^ (z >> 30)) * G_GUINT64_CONSTANT(0xbf58476d1ce4e5b9);
		z = (z ^ (z >> 27)) * G_GUINT64_CONSTANT(0x94d049bb133111eb);
		z ^= z >> 31;
	}
	return z;
}

double sim_uniform(guint64 hash)
{
	return (double)(hash >> 11) * 0x1p-53;
}

typedef struct {
	guint64 seed, trial, at;
} Dice;

static guint64 roll(Dice *d)
{
	return sim_hash(d->seed, d->trial, 0x7275746874, d->at++);
}

static guint pick(Dice *d, guint n)
{
	return (guint)(roll(d) % n);
}

static double chance(Dice *d)
{
	return sim_uniform(roll(d));
}

void sim_graph_close(SimGraph *g)
{
	bool changed = true;
	for (guint i = 0; i < g->n; i++)
		g->closure[i] = (SearchMask)1 << i | g->depends[i];
	while (changed) {
		changed = false;
		for (guint i = 0; i < g->n; i++) {
			SearchMask wider = sim_graph_closure(g, g->closure[i]);
			changed |= wider != g->closure[i];
			g->closure[i] = wider;
		}
	}
}

SearchMask sim_graph_closure(const SimGraph *g, SearchMask set)
{
	SearchMask out = 0;
	for (SearchMask rest = set; rest; rest &= rest - 1)
		out |= g->closure[__builtin_ctzll(rest)];
	return out;
}

static bool conflicts(const SimGraph *g, SearchMask v)
{
	for (guint i = 0; i < g->n_conflicts; i++)
		if ((v & g->conflicts[i]) == g->conflicts[i])
			return true;
	return false;
}

bool sim_graph_valid(const SimGraph *g, SearchMask v)
{
	return sim_graph_closure(g, v) == v && !conflicts(g, v);
}

bool sim_graph_minimal(const SimGraph *g, SearchMask set)
{
	for (SearchMask rest = set; rest; rest &= rest - 1) {
		SearchMask one = rest & -rest;
		if (sim_graph_closure(g, set & ~one) & one)
			return false;
	}
	return !conflicts(g, sim_graph_closure(g, set));
}

static void draw_graph(const SimCase *c, Dice *dice, SimGraph *g)
{
	g->n = c->n;
	for (guint i = 1; i < g->n; i++)
		if (chance(dice) < c->depends)
			g->depends[i] = (SearchMask)1 << pick(dice, i);
	sim_graph_close(g);
	guint wanted = MIN(c->conflicts, SIM_MAX_CONFLICTS);
	for (guint tries = 0; g->n_conflicts < wanted && tries < DRAWS_MAX; tries++) {
		guint a = pick(dice, g->n), b = pick(dice, g->n);
		/* Nothing excludes what it needs, or what everything is built on. */
		if (a == b || sim_graph_closure(g, g->closure[a]) & g->closure[b])
			continue;
		g->conflicts[g->n_conflicts++] = (SearchMask)1 << a | (SearchMask)1 << b;
	}
}

/* Sets of exactly `size` members that are hypotheses: the truth is one of them. */
static double count_sets(const SimGraph *g, SearchMask set, guint from, guint size)
{
	double sum = 0;
	if (!size)
		return sim_graph_minimal(g, set);
	for (guint i = from; i < g->n; i++)
		sum += count_sets(g, set | (SearchMask)1 << i, i + 1, size - 1);
	return sum;
}

static bool draw_set(const SimCase *c, Dice *dice, SimTruth *t)
{
	for (guint tries = 0; tries < DRAWS_MAX; tries++) {
		SearchMask set = 0;
		while ((guint)__builtin_popcountll(set) < c->d)
			set |= (SearchMask)1 << pick(dice, c->n);
		if (sim_graph_minimal(&t->graph, set)) {
			t->members = set;
			return true;
		}
	}
	return false;
}

/* The truth itself builds: else there is nothing to be found. */
static void draw_unbuildable(const SimCase *c, Dice *dice, SimTruth *t)
{
	guint wanted = (guint)lround(c->unbuildable * c->n);
	SearchMask needed = t->closure[0] | t->closure[1];
	for (guint i = 0, tries = 0; i < wanted && tries < DRAWS_MAX; tries++) {
		SearchMask one = (SearchMask)1 << pick(dice, c->n);
		if (one & (needed | t->unbuildable))
			continue;
		t->unbuildable |= one;
		i++;
	}
}

static double draw_sets(const SimCase *c, Dice *dice, SimTruth *t)
{
	/* A graph in which nothing of size d is a hypothesis is not a case. */
	do {
		memset(&t->graph, 0, sizeof(t->graph));
		draw_graph(c, dice, &t->graph);
	} while (!draw_set(c, dice, t));
	t->closure[0] = sim_graph_closure(&t->graph, t->members);
	if (c->either) {
		SearchMask one = t->members & -t->members;
		t->kind = SEARCH_H_EITHER;
		t->closure[0] = sim_graph_closure(&t->graph, one);
		t->closure[1] = sim_graph_closure(&t->graph, t->members & ~one);
	}
	draw_unbuildable(c, dice, t);
	return count_sets(&t->graph, 0, 0, c->d);
}

static double draw_history(const SimCase *c, Dice *dice, SimTruth *t)
{
	t->members = 1 + pick(dice, c->n);
	if (c->unbuildable <= 0)
		return c->n;
	/* Runs that begin anywhere and end with 1 / BROKEN_RUN; never the culprit or its parent. */
	t->broken = g_new0(guint8, c->n + 1);
	double begin = c->unbuildable / BROKEN_RUN / (1 - c->unbuildable);
	bool in_run = false;
	for (guint i = 1; i < c->n; i++) {
		in_run = in_run ? chance(dice) >= 1.0 / BROKEN_RUN : chance(dice) < begin;
		t->broken[i] = in_run && i != t->members && i + 1 != t->members;
	}
	return c->n;
}

static double draw_order(const SimCase *c, Dice *dice, SimTruth *t)
{
	guint swaps = c->n * (c->n - 1) / 2;
	/* Both precedences must be wrong: the later swap shows. On the second path that one is
	 * wrong from the start, so the other one shows. */
	guint a = 1 + pick(dice, swaps), b = 1 + pick(dice, swaps);
	t->threshold[0] = c->d > 1 ? MAX(a, b) : a;
	t->threshold[1] = 1 + pick(dice, swaps);
	t->members = t->threshold[0];
	return c->d > 1 ? (double)swaps * (swaps - 1) / 2 : swaps;
}

static double draw_precedence(const SimCase *c, guint number, SimTruth *t)
{
	t->orders = sim_orders_new(c, number);
	double pairs = t->orders->pairs;
	return c->d > 1 ? pairs * (pairs - 1) / 2 : pairs;
}

void sim_truth_draw(const SimCase *c, guint number, SimTruth *t)
{
	Dice dice = {c->seed, number, 0};
	double n, good = c->eps, bad = c->q;
	*t = (SimTruth){.kind = SEARCH_H_SET};
	if (c->space == SIM_HISTORY)
		n = draw_history(c, &dice, t);
	else if (c->space == SIM_ORDER)
		n = draw_order(c, &dice, t);
	else if (c->space == SIM_PRECEDENCE)
		n = draw_precedence(c, number, t);
	else
		n = draw_sets(c, &dice, t);
	t->phase = chance(&dice);
	if (c->trouble == SIM_SECOND) {
		good = 1 - (1 - good) * (1 - SECOND_RATE);
		bad = 1 - (1 - bad) * (1 - SECOND_RATE);
	}
	t->bad_rate = bad;
	t->good_rate = good;
	t->bound = search_bound(n, bad, good, c->confidence);
	if (c->trouble == SIM_NO_CULPRIT) {
		t->kind = chance(&dice) < 0.5 ? SEARCH_H_NONE : SEARCH_H_EMPTY;
		t->bound = NAN;
	}
}

void sim_truth_clear(SimTruth *t)
{
	g_clear_pointer(&t->broken, g_free);
	g_clear_pointer(&t->orders, sim_orders_free);
}
