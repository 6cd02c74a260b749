/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the bits of a variant mean: a set of candidates, or a position in a history. */
#include "model.h"

#include <string.h>

static const StoreCandidate *candidate(const Model *m, guint i)
{
	return m->candidates->pdata[i];
}

bool model_is_history(const Model *m)
{
	return m->candidates->len && strcmp(candidate(m, 0)->kind, "commit") == 0;
}

bool model_is_versions(const Model *m)
{
	return m->candidates->len && strcmp(candidate(m, 0)->kind, "version") == 0;
}

static bool is_numbered(const Model *m)
{
	return model_is_history(m) || model_is_versions(m);
}

/* Of a set at most 64 candidates can be meant. */
static guint in_sets(const Model *m)
{
	return MIN(m->candidates->len, 64);
}

/* A variant of a campaign about orders. */
static void add_order_name(const Model *m, uint64_t mask, json_t *names)
{
	g_autofree char *key = g_strdup_printf("%" G_GUINT64_FORMAT, mask);
	const char *name = json_string_value(json_object_get(m->orders, key));
	if (name)
		json_array_append_new(names, model_text(name));
}

json_t *model_names(const Model *m, uint64_t mask)
{
	json_t *names = json_array();
	if (!m->candidates->len)
		add_order_name(m, mask, names);
	if (is_numbered(m)) {
		if (mask >= 1 && mask <= m->candidates->len)
			json_array_append_new(names,
					      model_text(candidate(m, (guint)mask - 1)->name));
		return names;
	}
	for (guint i = 0; i < in_sets(m); i++) {
		if (mask >> i & 1)
			json_array_append_new(names, model_text(candidate(m, i)->name));
	}
	return names;
}

uint64_t model_mask_of(const Model *m, const json_t *names)
{
	bool history = is_numbered(m);
	uint64_t mask = 0;
	size_t i;
	json_t *name;
	json_array_foreach ((json_t *)names, i, name) {
		for (guint k = 0; k < (history ? m->candidates->len : in_sets(m)); k++) {
			if (g_strcmp0(candidate(m, k)->name, json_string_value(name)) == 0)
				mask = history ? k + 1 : mask | UINT64_C(1) << k;
		}
	}
	return mask;
}

uint64_t model_closure(const Model *m, uint64_t mask)
{
	for (;;) {
		uint64_t with = mask;
		for (guint i = 0; !is_numbered(m) && i < in_sets(m); i++) {
			if (mask >> i & 1)
				with |= candidate(m, i)->depends;
		}
		if (with == mask)
			return mask;
		mask = with;
	}
}

uint64_t model_compiled(const Model *m, uint64_t mask)
{
	for (guint i = 0; !is_numbered(m) && i < in_sets(m); i++) {
		if (strcmp(candidate(m, i)->kind, "parameter") == 0)
			mask &= ~(UINT64_C(1) << i);
	}
	return mask;
}

/* Numbers of the parents of commit `number`; NULL when that was not recorded. */
static const json_t *parents(const Model *m, uint64_t number)
{
	return json_array_get(json_object_get(m->lineage, "parents"), (size_t)number - 1);
}

uint64_t model_parent(const Model *m, uint64_t number)
{
	const json_t *all = number ? parents(m, number) : NULL;
	size_t n = json_array_size(all);
	/* the newest: of a merge the one with most of the range */
	return n	? (uint64_t)json_integer_value(json_array_get(all, n - 1))
	       : number ? number - 1
			: 0;
}

static bool is_ancestor(const Model *m, uint64_t ancestor, uint64_t number)
{
	if (!json_is_object(m->lineage))
		return ancestor <= number;
	g_autofree bool *in = g_new0(bool, number + 1);
	in[number] = true;
	for (uint64_t k = number; k > ancestor; k--) {
		size_t i;
		json_t *p;
		if (!in[k])
			continue;
		json_array_foreach ((json_t *)parents(m, k), i, p) {
			json_int_t at = json_integer_value(p);
			if (at >= 0 && (uint64_t)at < k)
				in[at] = true;
		}
	}
	return in[ancestor];
}

bool model_holds(const Model *m, uint64_t variant, uint64_t set)
{
	if (model_is_versions(m))
		return variant == set;
	if (!model_is_history(m))
		return (variant & set) == set;
	return set <= variant && variant <= m->candidates->len && is_ancestor(m, set, variant);
}
