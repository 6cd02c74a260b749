/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The lines of a search over orders: their orders, what is expected of them beforehand, and what
 * the lines before them taught about the rates. */
#include "order-internal.h"

#include <math.h>
#include <string.h>

#define ALWAYS 0.95 /* prior of 'every boot': an order that breaks something mostly does */
#define WEIGHT_MIN 1e-6

/* Prior shares of a line: its jump, what an earlier line says of the single swaps, the pair that is
 * known, and any of them. */
typedef struct {
	double jump, believed, known;
} Shares;

static guint *restored(const OrderSearch *o, const guint *from, const guint *to, guint first,
		       guint second)
{
	guint *out = g_new(guint, o->n);
	initcall_path_restore(from, to, o->n, first, second, out);
	return out;
}

/* Items of one group stand together in the good order only, so elsewhere there are none. */
static InitcallPath *path_between(const OrderSearch *o, const guint *from, const guint *to,
				  GError **error)
{
	bool from_good = memcmp(from, o->good, o->n * sizeof(*from)) == 0;
	return initcall_path_new(from, to, o->n, from_good ? o->group : NULL, error);
}

/* P(step of the last line is the cause), by pair; the jump's share is not known of each. */
typedef struct {
	GHashTable *of; /* late << 32 | early → double */
} Belief;

static guint64 *key_of(InitcallSwap s)
{
	guint64 *key = g_new(guint64, 1);
	*key = (guint64)s.late << 32 | s.early;
	return key;
}

static Belief believe(const OrderLine *l)
{
	Belief b = {g_hash_table_new_full(g_int64_hash, g_int64_equal, g_free, g_free)};
	InitcallSwap s;
	for (guint k = 1; k <= l->length; k++) {
		double p = search_marginal(l->search, k - 1);
		if (p > 1e-9 && order_step(l, k, &s)) {
			double *value = g_new(double, 1);
			*value = p;
			g_hash_table_replace(b.of, key_of(s), value);
		}
	}
	return b;
}

static double believed(const Belief *b, InitcallSwap s)
{
	guint64 key = (guint64)s.late << 32 | s.early;
	const double *p = g_hash_table_lookup(b->of, &key);
	return p ? *p : 0;
}

static bool same_pair(InitcallSwap a, InitcallSwap b)
{
	return a.late == b.late && a.early == b.early;
}

/* Weights of the line's steps, 1 on average. */
static double *weights_of(const OrderLine *l, const OrderLine *before, Shares shares)
{
	double *out = g_new0(double, l->length), sum = 0;
	double any = 1 - shares.jump - shares.believed - shares.known;
	Belief b = believe(before);
	InitcallSwap s;
	for (guint k = 1; k <= l->length; k++)
		if (order_step(l, k, &s))
			sum += out[k - 1] = believed(&b, s);
	g_hash_table_unref(b.of);
	for (guint k = 1; k <= l->length; k++) {
		double share = shares.jump;
		if (order_step(l, k, &s)) {
			share = any / MAX(l->length - 1, 1);
			share += sum > 1e-6 ? shares.believed * out[k - 1] / sum : 0;
			share += same_pair(s, l->pairs[0]) ? shares.known : 0;
		}
		out[k - 1] = CLAMP(share * l->length, WEIGHT_MIN, 1e6);
	}
	return out;
}

static char **step_names(const OrderSearch *o, const OrderLine *l)
{
	char **out = g_new0(char *, l->length + 1);
	InitcallSwap s;
	for (guint k = 1; k <= l->length; k++)
		out[k - 1] = order_step(l, k, &s) ? order_pair_name(o, s)
			     : l->shift		  ? g_strdup("what is suspected, by itself")
						  : g_strdup("what is suspected");
	return out;
}

static Search *search_of(const OrderSearch *o, const OrderLine *l, const double *weights,
			 GError **error)
{
	const OrderProblem *q = &o->problem;
	g_auto(GStrv) names = o->names && !q->quiet ? step_names(o, l) : NULL;
	SearchProblem p = {
		.space = &search_history,
		.n = l->length,
		.names = (const char *const *)names,
		.weights = weights,
		.effect = SEARCH_CAUSES,
		.whole_stretches = true,
		/* two lines make the claim */
		.confidence = MIN(1 - (1 - q->confidence) / 2, 0.9999),
		.q_detect = q->q_detect,
		.told_q = q->told_q,
		.told_e = q->told_e,
		.prior_always = ALWAYS,
		.mode = l->kind == LINE_PATH ? q->mode : q->mode_proof,
		.no_confirm = true,
		.quiet = q->quiet,
		.seed = q->seed + o->n_lines,
	};
	return search_new(&p, error);
}

/* What was seen on a line whose cause is step `cause` holds for the two ends of every line: at or
 * beyond it an order is as bad as the bad one, before it as good as the good one. */
static void teach(const OrderLine *from, guint cause, OrderLine *to)
{
	OrderSeen sums[2][2] = {0}; /* end, mode */
	for (guint i = 0; i < from->seen->len; i++) {
		const OrderSeen *s = &g_array_index(from->seen, OrderSeen, i);
		OrderSeen *sum = &sums[s->position >= cause][s->mode];
		sum->faults += s->faults;
		sum->cleans += s->cleans;
	}
	for (guint end = 0; end < 2; end++)
		for (guint mode = 0; mode < 2; mode++) {
			OrderSeen *s = &sums[end][mode];
			s->position = end ? to->length : 0;
			s->mode = (SearchMode)mode;
			if (s->faults + s->cleans == 0)
				continue;
			g_array_append_val(to->seen, *s);
			search_observe(to->search, s->position, s->faults, s->cleans, s->mode,
				       false);
		}
}

static bool add(OrderSearch *o, OrderLine line, Shares shares, GError **error)
{
	const OrderLine *from = o->n_lines ? &o->lines[line.from] : NULL;
	g_autofree double *weights = from ? weights_of(&line, from, shares) : NULL;
	line.search = search_of(o, &line, weights, error);
	line.seen = g_array_new(FALSE, FALSE, sizeof(OrderSeen));
	if (!line.search) {
		order_end_line(&line);
		return false;
	}
	if (from) {
		SearchVerdict v;
		search_verdict(from->search, &v);
		teach(from, (guint)v.leading.members, &line);
	}
	o->present = o->n_lines++;
	o->lines[o->present] = line;
	return true;
}

bool order_begin_path(OrderSearch *o, GError **error)
{
	OrderLine l = {.kind = LINE_PATH, .path = path_between(o, o->good, o->bad, error)};
	if (!l.path)
		return false;
	l.length = initcall_path_length(l.path);
	if (!l.length) {
		initcall_path_free(l.path);
		g_set_error(error, SEARCH_ERROR, 0, "the good and the bad order are the same");
		return false;
	}
	return add(o, l, (Shares){0}, error);
}

/* The good order but for these pairs. */
static guint *order_with(const OrderSearch *o, const InitcallSwap *pairs, guint n)
{
	guint *order = g_memdup2(o->good, o->n * sizeof(guint));
	for (guint i = 0; i < n; i++) {
		guint *next = restored(o, order, o->bad, pairs[i].early, pairs[i].late);
		g_free(order);
		order = next;
	}
	return order;
}

bool order_comes_along(const OrderSearch *o, InitcallSwap pair, InitcallSwap other)
{
	g_autofree guint *order = order_with(o, &pair, 1);
	for (guint i = 0; i < o->n; i++)
		if (order[i] == other.late || order[i] == other.early)
			return order[i] == other.early;
	return false;
}

bool order_begin(OrderSearch *o, OrderLineKind kind, InitcallSwap asked)
{
	static const Shares shares[] = {
		[LINE_ALONE] = {0.85, 0.10, 0},	 [LINE_TOGETHER] = {0.9, 0.05, 0},
		[LINE_AWAY] = {0.85, 0.10, 0},	 [LINE_OTHER] = {0.9, 0.05, 0},
		[LINE_SECOND] = {0.3, 0.1, 0.5},
	};
	OrderLine l = {.kind = kind, .asked = asked, .from = o->present, .n_pairs = o->n_pairs};
	g_autofree guint *from = NULL, *to = NULL;
	memcpy(l.pairs, o->pairs, sizeof(l.pairs));
	if (o->n_lines == ORDER_MAX_LINES)
		return false;
	if (kind == LINE_AWAY) {
		from = g_memdup2(o->good, o->n * sizeof(guint));
		to = restored(o, o->bad, o->good, asked.late, asked.early);
	} else {
		bool other = kind == LINE_OTHER || kind == LINE_SECOND;
		l.shift = 1;
		from = order_with(o, other ? &asked : o->pairs, other ? 1 : o->n_pairs);
		to = g_memdup2(o->bad, o->n * sizeof(guint));
	}
	l.path = path_between(o, from, to, NULL);
	if (!l.path)
		return false;
	l.length = initcall_path_length(l.path) + 1;
	return add(o, l, shares[kind], NULL);
}

void order_end_line(OrderLine *l)
{
	g_clear_pointer(&l->path, initcall_path_free);
	g_clear_pointer(&l->search, search_free);
	g_clear_pointer(&l->seen, g_array_unref);
}

bool order_step(const OrderLine *l, guint k, InitcallSwap *ret)
{
	if (k <= l->shift || k - l->shift > initcall_path_length(l->path))
		return false;
	*ret = initcall_path_swap(l->path, k - l->shift);
	return true;
}
