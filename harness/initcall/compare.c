/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Two orders: what moved, went and came. */
#include <string.h>

#include "base/json.h"
#include "initcall/order.h"

typedef struct {
	const GPtrArray *a, *b; /* Initcall */
	gint *in_b, *in_a;	/* index of the same one in the other order; -1: none */
	bool *stays;		/* of b: did not move */
	GPtrArray *changes;
} Compare;

static void change_free(gpointer data)
{
	InitcallChange *c = data;
	g_ptr_array_unref(c->past);
	g_free(c);
}

static const Initcall *at(const GPtrArray *calls, guint i)
{
	return calls->pdata[i];
}

/* ---- which ones are the same ---- */

static bool has_modules(const GPtrArray *calls)
{
	for (guint i = 0; i < calls->len; i++)
		if (at(calls, i)->module)
			return true;
	return false;
}

/* Name → index; a second one of the same name gets a number. */
static char *key(GHashTable *turns, const Initcall *c, bool modules)
{
	g_autofree char *name =
		g_strdup_printf("%s@%s", c->function, modules && c->module ? c->module : "");
	guint turn = GPOINTER_TO_UINT(g_hash_table_lookup(turns, name));
	char *all = g_strdup_printf("%s#%u", name, turn);
	g_hash_table_insert(turns, g_steal_pointer(&name), GUINT_TO_POINTER(turn + 1));
	return all;
}

static void match(Compare *c)
{
	g_autoptr(GHashTable) index = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
	bool modules = has_modules(c->a) && has_modules(c->b);
	g_autoptr(GHashTable) turns_b =
		g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
	g_autoptr(GHashTable) turns_a =
		g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
	for (guint i = 0; i < c->b->len; i++) {
		c->in_a[i] = -1;
		g_hash_table_insert(index, key(turns_b, at(c->b, i), modules),
				    GUINT_TO_POINTER(i + 1));
	}
	for (guint i = 0; i < c->a->len; i++) {
		g_autofree char *k = key(turns_a, at(c->a, i), modules);
		c->in_b[i] = (gint)GPOINTER_TO_UINT(g_hash_table_lookup(index, k)) - 1;
		if (c->in_b[i] >= 0)
			c->in_a[c->in_b[i]] = (gint)i;
	}
}

/* ---- what did not move: the longest increasing sequence of places in a, for each level ---- */

static void mark_level(Compare *c, InitcallLevel level)
{
	g_autoptr(GArray) ends = g_array_new(FALSE, FALSE, sizeof(guint)); /* of b, by length */
	g_autofree gint *before = g_new(gint, c->b->len + 1);
	for (guint i = 0; i < c->b->len; i++) {
		gint place = c->in_a[i];
		if (at(c->b, i)->level != level || place < 0 ||
		    at(c->a, (guint)place)->level != level)
			continue;
		guint low = 0, high = ends->len;
		while (low < high) {
			guint middle = low + (high - low) / 2;
			if (c->in_a[g_array_index(ends, guint, middle)] < place)
				low = middle + 1;
			else
				high = middle;
		}
		before[i] = low ? (gint)g_array_index(ends, guint, low - 1) : -1;
		if (low == ends->len)
			g_array_append_val(ends, i);
		else
			g_array_index(ends, guint, low) = i;
	}
	if (ends->len)
		for (gint i = (gint)g_array_index(ends, guint, ends->len - 1); i >= 0;
		     i = before[i])
			c->stays[i] = true;
}

/* ---- changes ---- */

static const Initcall *neighbour(const Compare *c, guint from, int step)
{
	InitcallLevel level = at(c->b, from)->level;
	for (gint64 i = (gint64)from + step; i >= 0 && i < c->b->len; i += step) {
		if (at(c->b, (guint)i)->level != level)
			return NULL;
		if (c->stays[i])
			return at(c->b, (guint)i);
	}
	return NULL;
}

static void add(Compare *c, InitcallChangeKind kind, gint a, gint b)
{
	InitcallChange *x = g_new0(InitcallChange, 1);
	g_ptr_array_add(c->changes, x);
	*x = (InitcallChange){.kind = kind,
			      .from = a < 0 ? NULL : at(c->a, (guint)a),
			      .to = b < 0 ? NULL : at(c->b, (guint)b),
			      .past = g_ptr_array_new()};
	if (b >= 0) {
		x->after = neighbour(c, (guint)b, -1);
		x->before = neighbour(c, (guint)b, 1);
	}
	if (kind != INITCALL_MOVED || x->from->level != x->to->level)
		return;
	for (guint i = 0; i < c->b->len; i++)
		if (c->stays[i] && at(c->b, i)->level == x->to->level &&
		    ((gint)i < b) != (c->in_a[i] < a))
			g_ptr_array_add(x->past, c->b->pdata[i]);
}

GPtrArray *initcall_order_compare(const InitcallOrder *a, const InitcallOrder *b)
{
	g_autofree gint *in_b = g_new(gint, a->calls->len + 1);
	g_autofree gint *in_a = g_new(gint, b->calls->len + 1);
	g_autofree bool *stays = g_new0(bool, b->calls->len + 1);
	Compare c = {.a = a->calls, .b = b->calls, .in_b = in_b, .in_a = in_a, .stays = stays};
	c.changes = g_ptr_array_new_with_free_func(change_free);
	match(&c);
	for (int level = 0; level < INITCALL_LEVEL_MAX; level++)
		mark_level(&c, (InitcallLevel)level);
	for (guint i = 0; i < c.a->len; i++)
		if (in_b[i] < 0)
			add(&c, INITCALL_GONE, (gint)i, -1);
	for (guint i = 0; i < c.b->len; i++)
		if (in_a[i] < 0)
			add(&c, INITCALL_NEW, -1, (gint)i);
	for (guint i = 0; i < c.b->len; i++)
		if (in_a[i] >= 0 && !stays[i])
			add(&c, INITCALL_MOVED, in_a[i], (gint)i);
	return c.changes;
}

/* ---- showing ---- */

static const char *const kinds[] = {"gone", "new", "moved"};

json_t *initcall_changes_json(const GPtrArray *changes)
{
	json_t *all = json_array();
	for (guint i = 0; i < changes->len; i++) {
		const InitcallChange *c = changes->pdata[i];
		const Initcall *one = c->to ? c->to : c->from;
		json_t *past = json_array();
		json_t *j = json_pack("{s:s, s:o}", "kind", kinds[c->kind], "function",
				      kx_json_text(one->function));
		if (one->module)
			json_object_set_new(j, "module", kx_json_text(one->module));
		if (c->from)
			json_object_set_new(j, "from",
					    json_string(initcall_level_name(c->from->level)));
		if (c->to)
			json_object_set_new(j, "to",
					    json_string(initcall_level_name(c->to->level)));
		if (c->after)
			json_object_set_new(j, "after", kx_json_text(c->after->function));
		if (c->before)
			json_object_set_new(j, "before", kx_json_text(c->before->function));
		for (guint k = 0; k < c->past->len; k++)
			json_array_append_new(past, kx_json_text(at(c->past, k)->function));
		if (json_array_size(past))
			json_object_set(j, "past", past);
		json_decref(past);
		json_array_append_new(all, j);
	}
	return json_pack("{s:o}", "changes", all);
}

static void append_place(GString *s, const InitcallChange *c)
{
	if (c->after)
		g_string_append_printf(s, ", after %s", c->after->function);
	else if (c->before)
		g_string_append_printf(s, ", before %s", c->before->function);
}

static void append_past(GString *s, const InitcallChange *c)
{
	/* what it stands in front of now, it stood behind */
	const Initcall *last = c->past->len ? at(c->past, c->past->len - 1) : NULL;
	if (!last)
		return;
	g_string_append_printf(s, ", past %s", at(c->past, 0)->function);
	if (c->past->len == 2)
		g_string_append_printf(s, " and %s", last->function);
	else if (c->past->len > 2)
		g_string_append_printf(s, " … %s (%u)", last->function, c->past->len);
}

char *initcall_changes_text(const GPtrArray *changes)
{
	GString *s = g_string_new(NULL);
	for (guint i = 0; i < changes->len; i++) {
		const InitcallChange *c = changes->pdata[i];
		const Initcall *one = c->to ? c->to : c->from;
		const char *from = c->from ? initcall_level_name(c->from->level) : "";
		const char *to = c->to ? initcall_level_name(c->to->level) : "";
		g_autofree char *name =
			one->module ? g_strdup_printf("%s@%s", one->function, one->module)
				    : g_strdup(one->function);
		g_string_append_printf(s, "%-5s  %-40s %s%s%s", kinds[c->kind], name, from,
				       *from && *to && strcmp(from, to) != 0 ? " → " : "",
				       strcmp(from, to) != 0 ? to : "");
		append_past(s, c);
		append_place(s, c);
		g_string_append_c(s, '\n');
	}
	return g_string_free(s, FALSE);
}
