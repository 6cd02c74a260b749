/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The search over orders, on labs whose truth is known and whose faults show in every boot. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "search/order.h"

#define N 60

typedef struct {
	guint good[N], bad[N], group[N];
	InitcallSwap pair[2];
	OrderClaim claim; /* what is true */
	OrderSearch *search;
	GArray *log;	   /* Trial */
	guint until_proof; /* boots of the path */
} Lab;

typedef struct {
	SearchVariant variant;
	bool fault;
	SearchMode mode;
} Trial;

static void shuffle(GRand *dice, guint *order, guint n)
{
	for (guint i = n; i > 1; i--) {
		guint k = (guint)g_rand_int_range(dice, 0, (gint32)i), was = order[k];
		order[k] = order[i - 1];
		order[i - 1] = was;
	}
}

static OrderSearch *new_search(const Lab *l)
{
	g_autoptr(GError) error = NULL;
	OrderProblem p = {.n = N,
			  .good = l->good,
			  .bad = l->bad,
			  .group = l->group,
			  .mode_proof = SEARCH_COLD,
			  .seed = 1};
	OrderSearch *s = order_new(&p, &error);
	assert_null(error);
	return s;
}

static bool is_wrong(const guint *order, InitcallSwap pair)
{
	for (guint i = 0; i < N; i++)
		if (order[i] == pair.late || order[i] == pair.early)
			return order[i] == pair.early;
	return false;
}

/* Neither pair of the two comes along with the other one. */
static bool are_apart(const Lab *l)
{
	guint order[N];
	for (guint i = 0; i < 2; i++) {
		InitcallSwap a = l->pair[i], b = l->pair[1 - i];
		initcall_path_restore(l->good, l->bad, N, a.early, a.late, order);
		if (is_wrong(order, b))
			return false;
		initcall_path_restore(l->bad, l->good, N, a.late, a.early, order);
		if (!is_wrong(order, b))
			return false;
	}
	return true;
}

static void draw(Lab *l, GRand *dice, OrderClaim claim)
{
	memset(l, 0, sizeof(*l));
	l->claim = claim;
	l->log = g_array_new(FALSE, FALSE, sizeof(Trial));
	for (guint i = 0; i < N; i++) {
		l->good[i] = l->bad[i] = i;
		l->group[i] = i / 12;
	}
	shuffle(dice, l->bad, N);
	l->search = new_search(l);
	do {
		for (guint i = 0; i < 2; i++)
			l->pair[i] = initcall_path_swap(
				order_path(l->search),
				1 + (guint)g_rand_int_range(dice, 0,
							    (gint32)order_pairs(l->search)));
	} while (!are_apart(l));
}

static void clear(Lab *l)
{
	order_free(l->search);
	g_array_unref(l->log);
}

static bool faults(const Lab *l, const guint *order)
{
	bool first = is_wrong(order, l->pair[0]), second = is_wrong(order, l->pair[1]);
	return l->claim == ORDER_ONE	? first
	       : l->claim == ORDER_BOTH ? first && second
					: l->claim == ORDER_EITHER && (first || second);
}

static void observe(OrderSearch *s, const Trial *t)
{
	assert_true(order_observe(s, t->variant, t->fault, !t->fault, t->mode));
}

static void work(Lab *l, guint most)
{
	SearchExperiment e;
	SearchCosts costs;
	guint order[N];
	search_costs_init(&costs);
	while (l->log->len < most && order_next(l->search, &costs, &e) == SEARCH_EXPERIMENT) {
		assert_true(order_of(l->search, e.variant, order));
		bool fault = faults(l, order);
		for (guint i = 0; i < e.boots && l->log->len < most; i++) {
			Trial t = {e.variant, fault, e.mode};
			g_array_append_val(l->log, t);
			observe(l->search, &t);
			l->until_proof += ORDER_LINE(e.variant) == 0;
			assert_int_equal(e.mode,
					 ORDER_LINE(e.variant) ? SEARCH_COLD : SEARCH_KEXEC);
			if (fault && e.until_fault)
				break;
		}
	}
}

static bool same(InitcallSwap a, InitcallSwap b)
{
	return a.late == b.late && a.early == b.early;
}

static void is_found(const Lab *l, const OrderVerdict *v)
{
	assert_true(v->proved);
	assert_false(v->more);
	assert_int_equal(v->claim, l->claim);
	assert_true(v->probability >= 0.99);
	guint at = same(v->pair[0], l->pair[1]) && l->claim != ORDER_ONE;
	assert_int_equal(v->n_pairs, l->claim == ORDER_ONE ? 1 : 2);
	assert_true(same(v->pair[0], l->pair[at]));
	if (l->claim != ORDER_ONE)
		assert_true(same(v->pair[1], l->pair[1 - at]));
}

static void one_precedence_is_found_in_few_boots(void **state)
{
	g_autoptr(GRand) dice = g_rand_new_with_seed(3);
	(void)state;
	for (guint round = 0; round < 40; round++) {
		Lab l;
		OrderVerdict v;
		draw(&l, dice, ORDER_ONE);
		work(&l, 1000);
		order_verdict(l.search, &v);
		is_found(&l, &v);
		guint bits = (guint)ceil(log2(order_pairs(l.search)));
		/* both ends, a bit a boot; then the proof: twice it is tried */
		assert_true(l.until_proof <= bits + 4);
		assert_true(l.log->len <= l.until_proof + 5);
		clear(&l);
	}
}

static void two_precedences_are_found(void **state)
{
	g_autoptr(GRand) dice = g_rand_new_with_seed(4);
	(void)state;
	for (guint round = 0; round < 40; round++) {
		Lab l;
		OrderVerdict v;
		draw(&l, dice, round % 2 ? ORDER_BOTH : ORDER_EITHER);
		work(&l, 1000);
		order_verdict(l.search, &v);
		is_found(&l, &v);
		clear(&l);
	}
}

/* A campaign that was stopped anywhere goes on as if it had not been. */
static void replaying_gives_the_same(void **state)
{
	g_autoptr(GRand) dice = g_rand_new_with_seed(5);
	SearchCosts costs;
	SearchExperiment a, b;
	(void)state;
	search_costs_init(&costs);
	for (guint round = 0; round < 12; round++) {
		Lab l;
		draw(&l, dice, round % 3 ? ORDER_BOTH : ORDER_EITHER);
		for (bool more = true; more;) {
			guint before = l.log->len;
			work(&l, before + 1);
			more = l.log->len > before;
			g_autoptr(OrderSearch) again = new_search(&l);
			for (guint i = 0; i < l.log->len; i++)
				observe(again, &g_array_index(l.log, Trial, i));
			SearchNext next = order_next(l.search, &costs, &a);
			assert_int_equal(order_next(again, &costs, &b), next);
			if (next == SEARCH_EXPERIMENT) {
				assert_true(a.variant == b.variant);
				assert_int_equal(a.boots, b.boots);
			}
		}
		clear(&l);
	}
}

static void without_an_effect_it_says_so(void **state)
{
	g_autoptr(GRand) dice = g_rand_new_with_seed(6);
	Lab l;
	OrderVerdict v;
	(void)state;
	draw(&l, dice, ORDER_NOTHING);
	work(&l, 1000);
	order_verdict(l.search, &v);
	assert_false(v.proved);
	assert_int_equal(v.claim, ORDER_NOTHING);
	assert_int_equal(v.search.kind, SEARCH_VERDICT_NONE);
	clear(&l);
}

/* Orders between two that do not come up are not tried one by one. */
static void a_stretch_that_does_not_come_up_is_left(void **state)
{
	g_autoptr(GRand) dice = g_rand_new_with_seed(7);
	SearchExperiment e;
	SearchCosts costs;
	guint order[N], tried = 0;
	Lab l;
	(void)state;
	search_costs_init(&costs);
	draw(&l, dice, ORDER_ONE);
	guint at = initcall_path_find(order_path(l.search), l.pair[0].late, l.pair[0].early);
	guint low = at - MIN(at - 1, 100), high = MIN(at + 100, order_pairs(l.search) - 1);
	while (order_next(l.search, &costs, &e) == SEARCH_EXPERIMENT && tried < 200) {
		guint k = ORDER_POSITION(e.variant);
		assert_true(order_of(l.search, e.variant, order));
		if (k >= low && k <= high) {
			order_observe_untestable(l.search, e.variant, false);
			tried++;
		} else {
			bool fault = faults(&l, order);
			order_observe(l.search, e.variant, fault, !fault, e.mode);
		}
	}
	assert_true(tried < 60);
	OrderVerdict v;
	order_verdict(l.search, &v);
	assert_false(v.proved);
	assert_int_equal(v.search.why, SEARCH_WHY_UNTESTABLE);
	clear(&l);
}

static void names_say_which(void **state)
{
	static const guint good[] = {0, 1, 2}, bad[] = {1, 0, 2};
	static const char *const names[] = {"pci_init [arch]", "acpi_init [subsys]", "late [late]"};
	OrderProblem p = {.n = 3, .good = good, .bad = bad, .names = names};
	g_autoptr(OrderSearch) s = order_new(&p, NULL);
	(void)state;
	assert_int_equal(order_pairs(s), 1);
	g_autofree char *pair = order_pair_name(s, initcall_path_swap(order_path(s), 1));
	assert_string_equal(pair, "pci_init [arch] before acpi_init [subsys]");
	g_autofree char *start = order_variant_name(s, 0), *end = order_variant_name(s, 1);
	assert_string_equal(start, "the good order");
	assert_string_equal(end, "the bad order");
}

static void what_is_no_question_is_refused(void **state)
{
	static const guint good[] = {0, 1, 2};
	OrderProblem p = {.n = 3, .good = good, .bad = good};
	g_autoptr(GError) error = NULL;
	guint order[3];
	(void)state;
	assert_null(order_new(&p, &error));
	assert_non_null(strstr(error->message, "same"));
	static const guint bad[] = {2, 1, 0};
	p.bad = bad;
	g_autoptr(OrderSearch) s = order_new(&p, NULL);
	assert_false(order_of(s, 4, order));
	assert_false(order_of(s, (SearchVariant)1 << 32, order));
	assert_false(order_observe(s, (SearchVariant)1 << 32, 1, 0, SEARCH_KEXEC));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_precedence_is_found_in_few_boots),
		cmocka_unit_test(two_precedences_are_found),
		cmocka_unit_test(replaying_gives_the_same),
		cmocka_unit_test(without_an_effect_it_says_so),
		cmocka_unit_test(a_stretch_that_does_not_come_up_is_left),
		cmocka_unit_test(names_say_which),
		cmocka_unit_test(what_is_no_question_is_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
