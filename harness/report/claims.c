/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The document: the boots that carry the verdict, and what does not go together. */
#include "model.h"

#include <string.h>

/* ---- verdict.evidence ---- */

typedef struct {
	gint64 faults, boots;
} Count;

static void count_trial(Count *c, const StoreTrial *t)
{
	bool fault = strcmp(t->outcome, "fault") == 0;
	c->faults += fault;
	c->boots += fault || strcmp(t->outcome, "clean") == 0;
}

static json_t *count_json(const Count *c)
{
	json_t *o = json_object();
	json_object_set_new(o, "faults", json_integer(c->faults));
	json_object_set_new(o, "boots", json_integer(c->boots));
	return o;
}

static const char *expected(const Model *m, bool has_set)
{
	return has_set == model_cures(m) ? "clean" : "fault";
}

static json_t *entry(const Model *m, const char *role, uint64_t members, bool has_set)
{
	json_t *o = json_object();
	json_object_set_new(o, "role", json_string(role));
	json_object_set_new(o, "members", model_names(m, members));
	json_object_set_new(o, "expected", json_string(expected(m, has_set)));
	return o;
}

/* True when a usual and a clean build of the variant are there to compare. */
static bool compare_builds(const Model *m, uint64_t mask, bool *ret_same)
{
	const char *usual = NULL, *clean = NULL;
	mask = model_compiled(m, mask);
	for (guint i = 0; i < m->builds->len; i++) {
		const StoreBuild *b = m->builds->pdata[i];
		if (b->launcher || b->mask != mask || *b->vmlinux_sha256 == '\0')
			continue;
		if (b->clean)
			clean = b->vmlinux_sha256;
		else
			usual = b->vmlinux_sha256;
	}
	*ret_same = usual && clean && strcmp(usual, clean) == 0;
	return usual && clean;
}

/* The counts of one variant by how it was booted; NULL when it never gave fault or clean. */
static json_t *one_variant(const Model *m, const char *role, uint64_t mask, uint64_t members,
			   bool has_set)
{
	Count kexec = {0}, cold = {0}, clean = {0};
	for (guint i = 0; i < m->trials->len; i++) {
		const StoreTrial *t = m->trials->pdata[i];
		if (t->mask == mask)
			count_trial(t->clean			   ? &clean
				    : strcmp(t->mode, "cold") == 0 ? &cold
								   : &kexec,
				    t);
	}
	if (kexec.boots + cold.boots + clean.boots == 0)
		return NULL;
	json_t *o = entry(m, role, members, has_set);
	bool same;
	if (kexec.boots)
		json_object_set_new(o, "kexec", count_json(&kexec));
	if (cold.boots)
		json_object_set_new(o, "cold", count_json(&cold));
	if (clean.boots)
		json_object_set_new(o, "clean_rebuild", count_json(&clean));
	if (compare_builds(m, mask, &same))
		json_object_set_new(o, "same_vmlinux", json_boolean(same));
	return o;
}

/* All boots of the variants that hold the set, or that do not. */
static json_t *many_variants(const Model *m, const char *role, uint64_t set, bool has_set)
{
	Count all = {0};
	gint64 variants = 0;
	for (guint v = 0; v < m->masks->len; v++) {
		uint64_t mask = g_array_index(m->masks, uint64_t, v);
		if (model_holds(m, mask, set) != has_set)
			continue;
		Count c = {0};
		for (guint i = 0; i < m->trials->len; i++) {
			const StoreTrial *t = m->trials->pdata[i];
			if (t->mask == mask)
				count_trial(&c, t);
		}
		variants += c.boots > 0;
		all.faults += c.faults;
		all.boots += c.boots;
	}
	if (variants < 2) /* one is told by itself */
		return NULL;
	json_t *o = entry(m, role, set, has_set);
	json_object_set_new(o, "variants", json_integer(variants));
	json_object_set_new(o, "all", count_json(&all));
	return o;
}

static void append(json_t *out, json_t *entry_or_null)
{
	if (entry_or_null)
		json_array_append_new(out, entry_or_null);
}

/* The set without one of its members, for each: what shows that all are needed. */
static void append_less(const Model *m, json_t *out, uint64_t set)
{
	for (guint i = 0; i < 64; i++) {
		uint64_t bit = UINT64_C(1) << i, rest = set & ~bit;
		uint64_t mask = model_closure(m, rest);
		if (!(set & bit) || rest == 0 || (mask & set) == set)
			continue;
		json_t *o = one_variant(m, "less", mask, rest, false);
		if (o)
			json_object_set_new(o, "absent", model_names(m, bit));
		append(out, o);
	}
}

/* Each of two by itself. */
static void append_either(const Model *m, json_t *out, uint64_t set)
{
	for (guint i = 0; i < 64; i++) {
		uint64_t bit = UINT64_C(1) << i;
		if (set & bit)
			append(out, one_variant(m, "with", model_closure(m, bit), bit, true));
	}
}

/* The commit, and the one before it. */
static void append_commit(const Model *m, json_t *out, uint64_t number)
{
	uint64_t before = model_parent(m, number);
	append(out, one_variant(m, "commit", number, number, true));
	if (before)
		append(out, one_variant(m, "parent", before, before, false));
	append(out, many_variants(m, "before", number, false));
	append(out, many_variants(m, "since", number, true));
}

json_t *model_evidence(const Model *m)
{
	json_t *out = json_array();
	uint64_t set = m->leading;
	if (model_is_survey(m)) /* nothing is claimed */
		return out;
	bool history = model_is_history(m), either = strcmp(m->leading_kind, "either") == 0;
	append(out, one_variant(m, history ? "start" : "base", 0, 0, false));
	if ((strcmp(m->leading_kind, "set") != 0 && !either) || set == 0) {
		append(out, many_variants(m, "all", 0, true));
		/* without a set nothing says what the rest should do */
		for (size_t i = 0; i < json_array_size(out); i++)
			json_object_del(json_array_get(out, i), "expected");
		return out;
	}
	if (history) {
		append_commit(m, out, set);
		return out;
	}
	if (either) {
		append_either(m, out, set);
		return out;
	}
	append(out, one_variant(m, "with", model_closure(m, set), set, true));
	append_less(m, out, set);
	append(out, many_variants(m, "all_without", set, false));
	append(out, many_variants(m, "all_with", set, true));
	return out;
}

/* ---- conflicts ---- */

static json_t *relation(const char *name, json_t *members, const char *reason)
{
	json_t *o = json_object();
	json_object_set_new(o, "relation", json_string(name));
	json_object_set_new(o, "members", members);
	model_set_text(o, "reason", reason);
	return o;
}

/* Names of a list of indices into the matrix's names; NULL when one is out of range. */
static json_t *named_indices(const json_t *names, const json_t *indices)
{
	json_t *out = json_array();
	size_t i;
	json_t *index;
	json_array_foreach ((json_t *)indices, i, index) {
		json_t *name = json_is_integer(index) && json_integer_value(index) >= 0
				       ? json_array_get(names, (size_t)json_integer_value(index))
				       : NULL;
		if (!json_is_string(name)) {
			json_decref(out);
			return NULL;
		}
		json_array_append(out, name);
	}
	return out;
}

/* Why a pair, or one alone, does not apply, where that was tried. */
static const char *tried_reason(const json_t *matrix, const json_t *members)
{
	bool pair = json_array_size(members) == 2;
	const char *a = json_string_value(json_array_get(members, 0));
	const char *b = json_string_value(json_array_get(members, 1));
	size_t i;
	json_t *x;
	json_array_foreach (json_object_get(matrix, pair ? "pairs" : "alone"), i, x) {
		const char *xa = kx_json_str(x, pair ? "a" : "name"), *xb = kx_json_str(x, "b");
		if ((g_strcmp0(xa, a) == 0 && g_strcmp0(xb, b) == 0) ||
		    (pair && g_strcmp0(xa, b) == 0 && g_strcmp0(xb, a) == 0))
			return kx_json_str(x, "reason");
	}
	return NULL;
}

/* Those that do not apply even alone. */
static void append_alone(const Model *m, json_t *out)
{
	size_t i;
	json_t *x;
	json_array_foreach (json_object_get(m->matrix, "alone"), i, x) {
		const char *name = kx_json_str(x, "name"), *result = kx_json_str(x, "result");
		if (!name || g_strcmp0(result, "conflict") != 0)
			continue;
		json_array_append_new(out, relation("conflicts", json_pack("[o]", model_text(name)),
						    kx_json_str(x, "reason")));
	}
}

static void append_matrix(const Model *m, json_t *out)
{
	const json_t *names = json_object_get(m->matrix, "names");
	size_t i, k;
	json_t *x, *needed;
	append_alone(m, out);
	json_array_foreach (json_object_get(m->matrix, "conflicts"), i, x) {
		json_t *members = named_indices(names, x);
		if (members)
			json_array_append_new(out, relation("conflicts", members,
							    tried_reason(m->matrix, members)));
	}
	json_array_foreach (json_object_get(m->matrix, "depends"), i, x) {
		json_array_foreach (x, k, needed) {
			json_t *members = json_pack("[I, O]", (json_int_t)i, needed);
			json_t *pair = named_indices(names, members);
			json_decref(members);
			if (pair)
				json_array_append_new(out, relation("needs", pair, NULL));
		}
	}
}

static void append_declared(const Model *m, json_t *out)
{
	for (guint i = 0; i < m->candidates->len && i < 64; i++) {
		const StoreCandidate *c = m->candidates->pdata[i];
		for (guint k = 0; k < m->candidates->len && k < 64; k++) {
			if (c->depends >> k & 1)
				json_array_append_new(
					out,
					relation("needs",
						 json_pack("[o, o]", model_text(c->name),
							   model_text(
								   ((const StoreCandidate *)
									    m->candidates->pdata[k])
									   ->name)),
						 NULL));
		}
	}
}

/* Sets that do not compile, smallest first, without those that only hold a smaller one. */
static void append_unbuildable(const Model *m, json_t *out)
{
	g_autoptr(GArray) known = g_array_new(FALSE, FALSE, sizeof(uint64_t));
	bool history = model_is_history(m);
	for (int size = 1; size <= (history ? 1 : 64); size++) {
		for (guint i = 0; i < m->builds->len; i++) {
			const StoreBuild *b = m->builds->pdata[i];
			bool holds_smaller = false;
			if (b->launcher || strcmp(b->status, "unbuildable") != 0 ||
			    (!history && __builtin_popcountll(b->mask) != size))
				continue;
			for (guint k = 0; k < known->len; k++) {
				uint64_t other = g_array_index(known, uint64_t, k);
				holds_smaller = holds_smaller || b->mask == other ||
						(!history && (b->mask & other) == other);
			}
			if (holds_smaller)
				continue;
			g_array_append_val(known, b->mask);
			json_array_append_new(
				out, relation("unbuildable", model_names(m, b->mask), b->reason));
		}
	}
}

json_t *model_conflicts(const Model *m)
{
	json_t *out = json_array();
	if (json_is_object(m->matrix))
		append_matrix(m, out);
	else
		append_declared(m, out);
	append_unbuildable(m, out);
	return out;
}
