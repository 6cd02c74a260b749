/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Paths of adjacent swaps between two orders. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/error.h"
#include "initcall/path.h"

static void shuffle(GRand *dice, guint *order, guint n)
{
	for (guint i = n; i > 1; i--) {
		guint k = (guint)g_rand_int_range(dice, 0, (gint32)i);
		guint swap = order[i - 1];
		order[i - 1] = order[k];
		order[k] = swap;
	}
}

static guint *any_order(GRand *dice, guint n)
{
	guint *out = g_new(guint, n);
	for (guint i = 0; i < n; i++)
		out[i] = i;
	shuffle(dice, out, n);
	return out;
}

static void ranks(const guint *order, guint n, guint *ret)
{
	for (guint i = 0; i < n; i++)
		ret[order[i]] = i;
}

static guint inversions(const guint *a, const guint *b, guint n)
{
	g_autofree guint *at = g_new(guint, n);
	guint sum = 0;
	ranks(b, n, at);
	for (guint i = 0; i < n; i++)
		for (guint k = i + 1; k < n; k++)
			sum += at[a[i]] > at[a[k]];
	return sum;
}

/* No pair stands as in neither. */
static bool is_between(const guint *middle, const guint *a, const guint *b, guint n)
{
	return inversions(a, middle, n) + inversions(middle, b, n) == inversions(a, b, n);
}

static InitcallPath *path(const guint *good, const guint *bad, guint n, const guint *group)
{
	g_autoptr(GError) error = NULL;
	InitcallPath *p = initcall_path_new(good, bad, n, group, &error);
	assert_null(error);
	assert_non_null(p);
	return p;
}

static void each_pair_is_swapped_once(void **state)
{
	g_autoptr(GRand) dice = g_rand_new_with_seed(1);
	(void)state;
	for (guint n = 1; n < 40; n++) {
		g_autofree guint *good = any_order(dice, n), *bad = any_order(dice, n);
		g_autofree guint *group = g_new(guint, n), *now = g_new(guint, n);
		g_autofree guint *order = g_memdup2(good, n * sizeof(guint));
		for (guint i = 0; i < n; i++)
			group[good[i]] = i / 7;
		g_autoptr(InitcallPath) p = path(good, bad, n, group);
		assert_int_equal(initcall_path_length(p), inversions(good, bad, n));
		initcall_path_order(p, 0, now);
		assert_memory_equal(now, good, n * sizeof(guint));
		for (guint k = 1; k <= initcall_path_length(p); k++) {
			InitcallSwap s = initcall_path_swap(p, k);
			guint at = 0;
			while (order[at] != s.late)
				at++;
			assert_int_equal(order[at + 1], s.early);
			order[at] = s.early;
			order[at + 1] = s.late;
			initcall_path_order(p, k, now);
			assert_memory_equal(now, order, n * sizeof(guint));
			assert_int_equal(initcall_path_find(p, s.early, s.late), k);
		}
		assert_memory_equal(order, bad, n * sizeof(guint));
	}
}

static void groups_keep_their_order_first(void **state)
{
	/* groups {0 1}, {2 3}, {4 5}: reversed */
	static const guint good[] = {0, 1, 2, 3, 4, 5}, bad[] = {5, 4, 3, 2, 1, 0};
	static const guint group[] = {0, 0, 1, 1, 2, 2};
	g_autoptr(InitcallPath) p = path(good, bad, 6, group);
	guint order[6];
	(void)state;
	initcall_path_order(p, 2, order); /* {0 1} and then {2 3} by themselves */
	static const guint inside[] = {1, 0, 3, 2, 4, 5};
	assert_memory_equal(order, inside, sizeof(order));
	initcall_path_order(p, 7, order); /* the first two groups against each other, {4 5} */
	static const guint two[] = {3, 2, 1, 0, 5, 4};
	assert_memory_equal(order, two, sizeof(order));
}

static void one_move_is_one_block(void **state)
{
	static const guint good[] = {0, 1, 2, 3, 4, 5}, bad[] = {0, 4, 1, 2, 3, 5};
	g_autoptr(InitcallPath) p = path(good, bad, 6, NULL);
	(void)state;
	assert_int_equal(initcall_path_length(p), 3);
	assert_int_equal(initcall_path_moves(p), 1);
	for (guint k = 1; k <= 3; k++) {
		assert_int_equal(initcall_path_swap(p, k).early, 4);
		assert_int_equal(initcall_path_swap(p, k).late, 4 - k);
	}
	assert_int_equal(initcall_path_find(p, 0, 1), 0);
}

static void a_pair_is_restored_between_the_two(void **state)
{
	g_autoptr(GRand) dice = g_rand_new_with_seed(2);
	(void)state;
	for (guint round = 0; round < 300; round++) {
		guint n = 2 + round % 25;
		g_autofree guint *good = any_order(dice, n), *bad = any_order(dice, n);
		g_autofree guint *mid = g_new(guint, n), *at = g_new(guint, n);
		g_autoptr(InitcallPath) p = path(good, bad, n, NULL);
		guint steps = initcall_path_length(p);
		if (!steps)
			continue;
		InitcallSwap s =
			initcall_path_swap(p, 1 + (guint)g_rand_int_range(dice, 0, (gint32)steps));
		/* the bad order, but this pair as in the good one */
		initcall_path_restore(bad, good, n, s.late, s.early, mid);
		ranks(mid, n, at);
		assert_true(at[s.late] < at[s.early]);
		assert_true(is_between(mid, good, bad, n));
		/* the good order, but this pair as in the bad one */
		initcall_path_restore(good, bad, n, s.early, s.late, mid);
		ranks(mid, n, at);
		assert_true(at[s.early] < at[s.late]);
		assert_true(is_between(mid, good, bad, n));
		/* what stands so already stays */
		initcall_path_restore(good, bad, n, s.late, s.early, mid);
		assert_memory_equal(mid, good, n * sizeof(guint));
	}
}

static void wrong_orders_are_refused(void **state)
{
	static const guint good[] = {0, 1, 2}, twice[] = {0, 1, 1}, far[] = {0, 1, 3};
	static const guint falling[] = {1, 0, 0};
	g_autoptr(GError) error = NULL;
	(void)state;
	assert_null(initcall_path_new(good, twice, 3, NULL, &error));
	assert_true(g_error_matches(error, KX_ERROR, KX_ERROR_INPUT));
	g_clear_error(&error);
	assert_null(initcall_path_new(good, far, 3, NULL, &error));
	g_clear_error(&error);
	assert_null(initcall_path_new(good, good, 3, falling, &error));
	g_clear_error(&error);
	assert_null(initcall_path_new(good, good, 0, NULL, &error));
}

static void too_many_steps_are_refused(void **state)
{
	guint n = 1500;
	g_autofree guint *good = g_new(guint, n), *bad = g_new(guint, n);
	g_autoptr(GError) error = NULL;
	(void)state;
	for (guint i = 0; i < n; i++) {
		good[i] = i;
		bad[i] = n - 1 - i;
	}
	assert_null(initcall_path_new(good, bad, n, NULL, &error));
	assert_non_null(error);
	g_autoptr(InitcallPath) p = path(good, bad + n - 1440, 1440, NULL);
	assert_int_equal(initcall_path_length(p), 1440 * 1439 / 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_pair_is_swapped_once),
		cmocka_unit_test(groups_keep_their_order_first),
		cmocka_unit_test(one_move_is_one_block),
		cmocka_unit_test(a_pair_is_restored_between_the_two),
		cmocka_unit_test(wrong_orders_are_refused),
		cmocka_unit_test(too_many_steps_are_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
