/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Options that are set together: merged by folder when there are too many, and in cycles. */
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "kernel/kernel-internal.h"

void kernel_unit_free(gpointer data)
{
	KernelUnit *u = data;
	g_ptr_array_unref(u->names);
	g_hash_table_unref(u->needs);
	g_ptr_array_unref(u->brings);
	g_free(u->dir);
	g_free(u);
}

static gint by_name(gconstpointer a, gconstpointer b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static gint by_first_name(gconstpointer a, gconstpointer b)
{
	const KernelUnit *x = *(KernelUnit *const *)a, *y = *(KernelUnit *const *)b;
	return strcmp(x->names->pdata[0], y->names->pdata[0]);
}

/* "drivers/usb" of "drivers/usb/core" and "drivers/usb/host"; "" when they have nothing in common.
 */
static char *common_dir(const char *a, const char *b)
{
	gsize n = 0;
	for (gsize i = 0;; i++) {
		bool ends_a = !a[i] || a[i] == '/', ends_b = !b[i] || b[i] == '/';
		if (ends_a && ends_b)
			n = i;
		if (a[i] != b[i] || !a[i])
			break;
	}
	return g_strndup(a, n);
}

/* b goes into a, and whoever needs b needs a. */
static void merge(GPtrArray *units, KernelUnit *a, KernelUnit *b)
{
	g_autofree char *dir = common_dir(a->dir, b->dir);
	g_free(a->dir);
	a->dir = g_steal_pointer(&dir);
	for (guint i = 0; i < b->names->len; i++)
		g_ptr_array_add(a->names, g_strdup(b->names->pdata[i]));
	for (guint i = 0; i < b->brings->len; i++)
		if (!g_ptr_array_find_with_equal_func(a->brings, b->brings->pdata[i], g_str_equal,
						      NULL))
			g_ptr_array_add(a->brings, g_strdup(b->brings->pdata[i]));
	g_ptr_array_sort(a->names, by_name);
	a->grouped = a->grouped || b->grouped;
	GHashTableIter it;
	gpointer other;
	g_hash_table_iter_init(&it, b->needs);
	while (g_hash_table_iter_next(&it, &other, NULL))
		g_hash_table_add(a->needs, other);
	for (guint i = 0; i < units->len; i++) {
		KernelUnit *u = units->pdata[i];
		if (g_hash_table_remove(u->needs, b))
			g_hash_table_add(u->needs, a);
	}
	g_hash_table_remove(a->needs, a);
	g_ptr_array_remove(units, b); /* frees it */
}

static guint depth_of(const char *dir)
{
	guint n = *dir != '\0';
	for (; *dir; dir++)
		n += *dir == '/';
	return n;
}

/* Units that share their folder. */
static guint members(GPtrArray *units, const char *dir, guint *ret_options)
{
	guint n = 0;
	*ret_options = 0;
	for (guint i = 0; i < units->len; i++) {
		const KernelUnit *u = units->pdata[i];
		if (!g_str_equal(u->dir, dir))
			continue;
		n++;
		*ret_options += u->names->len;
	}
	return n;
}

/* The folder whose units should be merged next: the deepest, of these the one with the fewest
 * options, so that no group gets large while small ones can be made. NULL: none has two. */
static char *next_dir(GPtrArray *units)
{
	const char *best = NULL;
	guint best_options = 0;
	for (guint i = 0; i < units->len; i++) {
		const char *dir = ((KernelUnit *)units->pdata[i])->dir;
		guint options;
		if (members(units, dir, &options) < 2)
			continue;
		int deeper = best ? (int)depth_of(dir) - (int)depth_of(best) : 1;
		int order = best ? strcmp(dir, best) : -1;
		if (deeper > 0 || (deeper == 0 && (options < best_options ||
						   (options == best_options && order < 0)))) {
			best = dir;
			best_options = options;
		}
	}
	return g_strdup(best);
}

/* The deepest folders give way to the ones above. */
static void shorten(GPtrArray *units)
{
	guint deepest = 0;
	for (guint i = 0; i < units->len; i++)
		deepest = MAX(deepest, depth_of(((KernelUnit *)units->pdata[i])->dir));
	for (guint i = 0; i < units->len; i++) {
		KernelUnit *u = units->pdata[i];
		if (depth_of(u->dir) < deepest)
			continue;
		char *slash = strrchr(u->dir, '/');
		*(slash ? slash : u->dir) = '\0';
	}
}

static void merge_dir(GPtrArray *units, const char *dir)
{
	KernelUnit *first = NULL;
	for (guint i = 0; i < units->len;) {
		KernelUnit *u = units->pdata[i];
		if (!g_str_equal(u->dir, dir)) {
			i++;
		} else if (!first) {
			first = u;
			first->grouped = true;
			i++;
		} else {
			merge(units, first, u);
		}
	}
}

GPtrArray *kernel_units(GPtrArray *names, GHashTable *symbols, guint max)
{
	GPtrArray *units = g_ptr_array_new_with_free_func(kernel_unit_free);
	for (guint i = 0; i < names->len; i++) {
		const KernelSymbol *s = g_hash_table_lookup(symbols, names->pdata[i]);
		KernelUnit *u = g_new0(KernelUnit, 1);
		u->names = g_ptr_array_new_with_free_func(g_free);
		g_ptr_array_add(u->names, g_strdup(names->pdata[i]));
		u->needs = g_hash_table_new(NULL, NULL);
		u->brings = g_ptr_array_new_with_free_func(g_free);
		g_autofree char *dir = s ? g_path_get_dirname(s->path) : g_strdup("");
		u->dir = g_strdup(g_str_equal(dir, ".") ? "" : dir);
		g_ptr_array_add(units, u);
	}
	while (units->len > max) {
		g_autofree char *dir = next_dir(units);
		if (dir)
			merge_dir(units, dir);
		else
			shorten(units);
	}
	g_ptr_array_sort(units, by_first_name);
	return units;
}

/* What is needed by what is needed, is needed. */
static void close_needs(GPtrArray *units)
{
	for (bool grew = true; grew;) {
		grew = false;
		for (guint i = 0; i < units->len; i++) {
			KernelUnit *u = units->pdata[i];
			g_autoptr(GPtrArray) more = g_ptr_array_new();
			GHashTableIter it, deeper;
			gpointer a, b;
			g_hash_table_iter_init(&it, u->needs);
			while (g_hash_table_iter_next(&it, &a, NULL)) {
				g_hash_table_iter_init(&deeper, ((KernelUnit *)a)->needs);
				while (g_hash_table_iter_next(&deeper, &b, NULL))
					if (b != u && !g_hash_table_contains(u->needs, b))
						g_ptr_array_add(more, b);
			}
			for (guint k = 0; k < more->len; k++)
				g_hash_table_add(u->needs, more->pdata[k]);
			grew = grew || more->len;
		}
	}
}

/* The first two that need each other; false when there are none. */
static bool find_cycle(GPtrArray *units, KernelUnit **ret_a, KernelUnit **ret_b)
{
	for (guint i = 0; i < units->len; i++)
		for (guint k = i + 1; k < units->len; k++) {
			KernelUnit *a = units->pdata[i], *b = units->pdata[k];
			if (g_hash_table_contains(a->needs, b) &&
			    g_hash_table_contains(b->needs, a)) {
				*ret_a = a;
				*ret_b = b;
				return true;
			}
		}
	return false;
}

/* Takes away what follows from another need. */
static void reduce_needs(GPtrArray *units)
{
	g_autoptr(GPtrArray) gone = g_ptr_array_new(); /* pairs */
	for (guint i = 0; i < units->len; i++) {
		KernelUnit *u = units->pdata[i];
		GHashTableIter it, others;
		gpointer a, b;
		g_hash_table_iter_init(&it, u->needs);
		while (g_hash_table_iter_next(&it, &a, NULL)) {
			g_hash_table_iter_init(&others, u->needs);
			while (g_hash_table_iter_next(&others, &b, NULL))
				if (a != b && g_hash_table_contains(((KernelUnit *)b)->needs, a)) {
					g_ptr_array_add(gone, u);
					g_ptr_array_add(gone, a);
					break;
				}
		}
	}
	for (guint i = 0; i < gone->len; i += 2)
		g_hash_table_remove(((KernelUnit *)gone->pdata[i])->needs, gone->pdata[i + 1]);
}

static bool needs_one_of(const KernelUnit *u, GPtrArray *units)
{
	for (guint i = 0; i < units->len; i++)
		if (g_hash_table_contains(u->needs, units->pdata[i]))
			return true;
	return false;
}

void kernel_units_order(GPtrArray *units)
{
	KernelUnit *a, *b;
	close_needs(units);
	while (find_cycle(units, &a, &b)) {
		merge(units, a, b);
		close_needs(units);
	}
	reduce_needs(units);
	g_ptr_array_sort(units, by_first_name);
	g_autoptr(GPtrArray) left = g_ptr_array_copy(units, NULL, NULL);
	g_ptr_array_set_free_func(left, NULL);
	for (guint done = 0; done < units->len; done++) {
		guint i = 0;
		while (i + 1 < left->len && needs_one_of(left->pdata[i], left))
			i++;
		units->pdata[done] = left->pdata[i];
		g_ptr_array_remove_index(left, i);
	}
}
