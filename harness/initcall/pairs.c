/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "initcall/pairs.h"

#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "initcall/table.h"

#define BOUNDS 8 /* levels that the kernel knows; the first one begins with the table */

struct InitcallPairs {
	guint calls, items;    /* initcalls that may be moved; with the beginnings of levels */
	GPtrArray *good_calls; /* Initcall, of item i < calls; owned */
	guint *good, *bad, *group;
	char **names;
};

static bool is_movable(const Initcall *c)
{
	return initcall_level_bound(c->level) >= 0;
}

static char *key_of(const Initcall *c, GHashTable *seen)
{
	g_autofree char *name = g_strdup_printf("%s@%s", c->function, c->module ? c->module : "");
	guint turn = GPOINTER_TO_UINT(g_hash_table_lookup(seen, name)) + 1;
	g_hash_table_replace(seen, g_strdup(name), GUINT_TO_POINTER(turn));
	return g_strdup_printf("%s#%u", name, turn);
}

static Initcall *copy_of(const Initcall *c)
{
	Initcall *out = g_memdup2(c, sizeof(*c));
	out->function = g_strdup(c->function);
	out->module = g_strdup(c->module);
	out->file = g_strdup(c->file);
	return out;
}

/* The items of an order, with the beginnings of levels between them. `items`: key → item + 1. */
static guint *number(InitcallPairs *p, const InitcallOrder *o, GHashTable *items)
{
	g_autoptr(GHashTable) seen = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
	guint *out = g_new(guint, p->items), n = 0, bound = 0;
	for (guint i = 0; i < o->calls->len; i++) {
		const Initcall *c = o->calls->pdata[i];
		g_autofree char *key = is_movable(c) ? key_of(c, seen) : NULL;
		if (!key)
			continue;
		guint item = GPOINTER_TO_UINT(g_hash_table_lookup(items, key));
		for (; bound < (guint)initcall_level_bound(c->level); bound++)
			out[n++] = p->calls + bound;
		if (!item || n >= p->items) {
			g_free(out);
			return NULL;
		}
		out[n++] = item - 1;
	}
	for (; bound < BOUNDS - 1 && n < p->items; bound++)
		out[n++] = p->calls + bound;
	if (n == p->items)
		return out;
	g_free(out);
	return NULL;
}

static const char *bound_name(guint bound)
{
	static const InitcallLevel levels[] = {INITCALL_PURE,	INITCALL_CORE,	 INITCALL_POSTCORE,
					       INITCALL_ARCH,	INITCALL_SUBSYS, INITCALL_FS,
					       INITCALL_DEVICE, INITCALL_LATE};
	return initcall_level_name(levels[bound]);
}

static void name_all(InitcallPairs *p)
{
	guint group = 0;
	p->names = g_new0(char *, p->items + 1);
	p->group = g_new0(guint, p->items);
	for (guint i = 0; i < p->calls; i++) {
		const Initcall *c = p->good_calls->pdata[i];
		p->names[i] =
			g_strdup_printf("%s [%s]", c->function, initcall_level_name(c->level));
	}
	for (guint i = p->calls; i < p->items; i++)
		p->names[i] = g_strdup_printf("level %s", bound_name(i - p->calls + 1));
	for (guint i = 0; i < p->items; i++) {
		group += p->good[i] >= p->calls;
		p->group[p->good[i]] = group;
	}
}

InitcallPairs *initcall_pairs_new(const InitcallOrder *good, const InitcallOrder *bad,
				  GError **error)
{
	g_autoptr(InitcallPairs) p = g_new0(InitcallPairs, 1);
	g_autoptr(GHashTable) items = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
	g_autoptr(GHashTable) seen = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
	p->good_calls = g_ptr_array_new_with_free_func((GDestroyNotify)initcall_free);
	for (guint i = 0; i < good->calls->len; i++) {
		const Initcall *c = good->calls->pdata[i];
		if (!is_movable(c))
			continue;
		g_ptr_array_add(p->good_calls, copy_of(c));
		g_hash_table_replace(items, key_of(c, seen), GUINT_TO_POINTER(p->good_calls->len));
	}
	p->calls = p->good_calls->len;
	p->items = p->calls + BOUNDS - 1;
	p->good = number(p, good, items);
	p->bad = p->good ? number(p, bad, items) : NULL;
	if (!p->bad) {
		g_set_error(error, KX_ERROR, KX_ERROR_INPUT,
			    "the good and the bad order are not of the same initcalls");
		return NULL;
	}
	name_all(p);
	return g_steal_pointer(&p);
}

void initcall_pairs_free(InitcallPairs *p)
{
	if (!p)
		return;
	g_clear_pointer(&p->good_calls, g_ptr_array_unref);
	g_free(p->good);
	g_free(p->bad);
	g_free(p->group);
	g_strfreev(p->names);
	g_free(p);
}

guint initcall_pairs_items(const InitcallPairs *p)
{
	return p->items;
}

const guint *initcall_pairs_good(const InitcallPairs *p)
{
	return p->good;
}

const guint *initcall_pairs_bad(const InitcallPairs *p)
{
	return p->bad;
}

const guint *initcall_pairs_group(const InitcallPairs *p)
{
	return p->group;
}

const char *const *initcall_pairs_names(const InitcallPairs *p)
{
	return (const char *const *)p->names;
}

const Initcall *initcall_pairs_call(const InitcallPairs *p, guint item)
{
	return item < p->calls ? p->good_calls->pdata[item] : NULL;
}

/* A level of which the kernel knows only where the next one begins keeps its parts (fs, fs_sync,
 * rootfs) where the order allows it. */
char *initcall_pairs_text(const InitcallPairs *p, const guint *order)
{
	static const InitcallLevel first[] = {INITCALL_PURE,   INITCALL_CORE,	INITCALL_POSTCORE,
					      INITCALL_ARCH,   INITCALL_SUBSYS, INITCALL_FS,
					      INITCALL_DEVICE, INITCALL_LATE};
	GString *s = g_string_new("# every initcall that may be moved\n");
	guint bound = 0;
	InitcallLevel now = INITCALL_PURE;
	for (guint i = 0; i < p->items; i++) {
		if (order[i] >= p->calls) {
			now = first[++bound];
			continue;
		}
		const Initcall *c = p->good_calls->pdata[order[i]];
		if (initcall_level_bound(c->level) == (int)bound)
			now = MAX(now, c->level);
		g_string_append_printf(s, "%s %s%s%s\n", initcall_level_name(now), c->function,
				       c->module ? "@" : "", c->module ? c->module : "");
	}
	return g_string_free(s, FALSE);
}

/* ---- making a bad order ---- */

static bool has_function(const InitcallOrder *o, const char *function)
{
	for (guint i = 0; i < o->calls->len; i++) {
		const Initcall *c = o->calls->pdata[i];
		if (g_str_equal(c->function, function))
			return true;
	}
	return false;
}

static void shuffle(GRand *dice, gpointer *calls, const guint *places, guint n)
{
	for (guint i = n; i > 1; i--) {
		guint k = (guint)g_rand_int_range(dice, 0, (gint32)i);
		gpointer was = calls[places[i - 1]];
		calls[places[i - 1]] = calls[places[k]];
		calls[places[k]] = was;
	}
}

bool initcall_order_scramble(InitcallOrder *o, guint64 seed, const char *const *keep,
			     GError **error)
{
	const guint32 seeds[] = {(guint32)seed, (guint32)(seed >> 32)};
	g_autoptr(GRand) dice = g_rand_new_with_seed_array(seeds, 2);
	g_autofree guint *places = g_new(guint, o->calls->len);
	for (const char *const *k = keep; k && *k; k++)
		if (!has_function(o, *k)) {
			g_set_error(error, KX_ERROR, KX_ERROR_INPUT,
				    "there is no initcall '%s' to keep", *k);
			return false;
		}
	for (InitcallLevel level = INITCALL_PURE; level <= INITCALL_LATE_SYNC; level++) {
		guint n = 0;
		for (guint i = 0; i < o->calls->len; i++) {
			const Initcall *c = o->calls->pdata[i];
			if (c->level == level && !(keep && g_strv_contains(keep, c->function)))
				places[n++] = i;
		}
		shuffle(dice, o->calls->pdata, places, n);
	}
	return true;
}

/* ---- an order that a log shows ---- */

typedef struct {
	Initcall *call;
	guint turn; /* of what it stands behind */
	guint at;   /* in the kernel */
} Follower;

static gint by_turn(gconstpointer a, gconstpointer b)
{
	const Follower *x = a, *y = b;
	return x->turn != y->turn ? (x->turn < y->turn ? -1 : 1) : (x->at < y->at ? -1 : 1);
}

/* best[b]: fewest changes so far when the present one is in level b. */
static void set_levels(Follower *f, guint n)
{
	static const InitcallLevel first[] = {INITCALL_PURE,   INITCALL_CORE,	INITCALL_POSTCORE,
					      INITCALL_ARCH,   INITCALL_SUBSYS, INITCALL_FS,
					      INITCALL_DEVICE, INITCALL_LATE};
	g_autofree guint8 *from = g_new0(guint8, (gsize)n * BOUNDS);
	guint best[BOUNDS] = {0};
	for (guint i = 0; i < n; i++) {
		guint least = 0;
		guint next[BOUNDS];
		for (guint b = 0; b < BOUNDS; b++) {
			least = best[b] < best[least] ? b : least;
			from[i * BOUNDS + b] = (guint8)least;
			next[b] = best[least] + (initcall_level_bound(f[i].call->level) != (int)b);
		}
		memcpy(best, next, sizeof(best));
	}
	guint at = 0;
	for (guint b = 1; b < BOUNDS; b++)
		at = best[b] < best[at] ? b : at;
	for (guint i = n; i-- > 0;) {
		if (initcall_level_bound(f[i].call->level) != (int)at)
			f[i].call->level = first[at];
		at = from[i * BOUNDS + at];
	}
	/* parts of a level (fs_sync, rootfs) do not fall either */
	for (guint i = 1; i < n; i++)
		f[i].call->level = MAX(f[i].call->level, f[i - 1].call->level);
}

void initcall_order_follow(InitcallOrder *o, const char *const *functions)
{
	g_autoptr(GHashTable) turns = g_hash_table_new(g_str_hash, g_str_equal);
	g_autofree Follower *f = g_new(Follower, o->calls->len);
	guint n = 0, turn = 0, first = 0;
	for (guint i = 0; functions[i]; i++)
		if (!g_hash_table_contains(turns, functions[i]))
			g_hash_table_insert(turns, (gpointer)functions[i], GUINT_TO_POINTER(i + 1));
	for (guint i = 0; i < o->calls->len; i++) {
		Initcall *c = o->calls->pdata[i];
		if (!is_movable(c)) {
			first = n ? first : i + 1;
			continue;
		}
		guint named = GPOINTER_TO_UINT(g_hash_table_lookup(turns, c->function));
		turn = named ? named : turn;
		f[n++] = (Follower){c, turn, i};
	}
	qsort(f, n, sizeof(*f), by_turn);
	set_levels(f, n);
	for (guint i = 0; i < n; i++)
		o->calls->pdata[first + i] = f[i].call;
}
