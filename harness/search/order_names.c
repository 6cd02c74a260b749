/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Words for pairs and orders. */
#include "order-internal.h"

const char *order_claim_name(OrderClaim claim)
{
	static const char *const names[] = {"nothing", "one", "both", "either"};
	return names[claim];
}

static char *item(const OrderSearch *o, guint i)
{
	return o->names ? g_strdup(o->names[i]) : g_strdup_printf("#%u", i);
}

char *order_pair_name(const OrderSearch *o, InitcallSwap pair)
{
	g_autofree char *late = item(o, pair.late), *early = item(o, pair.early);
	return g_strdup_printf("%s before %s", late, early);
}

static char *pairs_name(const OrderSearch *o)
{
	g_autofree char *first = order_pair_name(o, o->pairs[0]);
	g_autofree char *second = o->n_pairs > 1 ? order_pair_name(o, o->pairs[1]) : NULL;
	return second ? g_strdup_printf("%s and %s", first, second) : g_steal_pointer(&first);
}

char *order_variant_name(const OrderSearch *o, SearchVariant v)
{
	guint line = ORDER_LINE(v), at = ORDER_POSITION(v);
	InitcallSwap s;
	if (line >= o->n_lines || at > o->lines[line].length)
		return g_strdup("?");
	const OrderLine *l = &o->lines[line];
	if (at == 0)
		return g_strdup("the good order");
	if (at == l->length)
		return g_strdup("the bad order");
	if (l->shift && at == 1)
		return g_strdup_printf("the good order with what is suspected as in the bad one");
	if (l->kind == LINE_AWAY && at == l->length - 1) {
		g_autofree char *pair = order_pair_name(o, l->asked);
		return g_strdup_printf("the bad order with %s", pair);
	}
	g_autofree char *pair = order_step(l, at, &s) ? order_pair_name(o, s) : g_strdup("?");
	return g_strdup_printf("order %u of %u (up to: no longer %s)", at, l->length, pair);
}

char *order_hypothesis_name(const OrderSearch *o, const SearchHypothesis *h)
{
	const OrderLine *l = &o->lines[o->present];
	InitcallSwap s;
	if (h->kind == SEARCH_H_NONE)
		return g_strdup("the order does not matter");
	if (h->kind != SEARCH_H_SET)
		return g_strdup("the good order faults as well");
	if (order_step(l, (guint)h->members, &s))
		return order_pair_name(o, s);
	if (l->kind == LINE_AWAY || l->kind == LINE_OTHER)
		return order_pair_name(o, l->asked);
	return pairs_name(o);
}
