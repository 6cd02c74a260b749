/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The search problem of a campaign: what applies with what, and the rest. */
#include "engine/engine-internal.h"

#include "base/error.h"

static int index_of(const Campaign *c, const char *name)
{
	for (unsigned i = 0; i < c->candidates_count; i++)
		if (g_str_equal(c->candidates[i], name))
			return (int)i;
	return -1;
}

static void add_conflict(EngineMatrix *m, uint64_t set)
{
	for (guint i = 0; i < m->conflicts->len; i++)
		if (g_array_index(m->conflicts, uint64_t, i) == set)
			return;
	g_array_append_val(m->conflicts, set);
}

/* What the series says; with a computed matrix it is added to that. */
static void add_declared(const Campaign *c, EngineMatrix *m)
{
	for (unsigned i = 0; i < c->candidates_count; i++) {
		const Patch *p = series_find(c->series, c->candidates[i]);
		for (unsigned d = 0; p && d < p->depends_count; d++) {
			int j = index_of(c, p->depends[d]);
			if (j >= 0)
				m->depends[i] |= (uint64_t)1 << j;
		}
		for (unsigned d = 0; p && d < p->conflicts_count; d++) {
			int j = index_of(c, p->conflicts[d]);
			if (j >= 0 && j != (int)i)
				add_conflict(m, (uint64_t)1 << i | (uint64_t)1 << j);
		}
	}
}

static bool applies_alone(const json_t *doc, const char *name)
{
	size_t i;
	json_t *one;
	json_array_foreach (json_object_get(doc, "alone"), i, one)
		if (g_strcmp0(kx_json_str(one, "name"), name) == 0)
			return g_strcmp0(kx_json_str(one, "result"), "ok") == 0;
	return true;
}

/* A candidate that applies to nothing is left to the build job, which says why. */
static void add_computed(const Campaign *c, EngineMatrix *m)
{
	size_t i;
	json_t *pair;
	json_array_foreach (json_object_get(m->document, "pairs"), i, pair) {
		const char *names[2] = {kx_json_str(pair, "a"), kx_json_str(pair, "b")};
		const char *result = kx_json_str(pair, "result");
		int a = names[0] ? index_of(c, names[0]) : -1;
		int b = names[1] ? index_of(c, names[1]) : -1;
		if (a < 0 || b < 0 || a == b || !result)
			continue;
		bool a_alone = applies_alone(m->document, names[0]);
		bool b_alone = applies_alone(m->document, names[1]);
		if (g_str_equal(result, "conflict") && a_alone && b_alone)
			add_conflict(m, (uint64_t)1 << a | (uint64_t)1 << b);
		/* The one that does not apply without the other needs it. */
		if (g_str_equal(result, "depends") && !a_alone && b_alone)
			m->depends[a] |= (uint64_t)1 << b;
		if (g_str_equal(result, "depends") && a_alone && !b_alone)
			m->depends[b] |= (uint64_t)1 << a;
	}
}

static json_t *indices(uint64_t set)
{
	json_t *out = json_array();
	for (int i = 0; i < 64; i++)
		if (set >> i & 1)
			json_array_append_new(out, json_integer(i));
	return out;
}

static bool record(Engine *e, bool computed, GError **error)
{
	const Campaign *c = e->campaign;
	EngineMatrix *m = &e->matrix;
	json_t *names = json_array(), *depends = json_array(), *conflicts = json_array();
	for (unsigned i = 0; i < c->candidates_count; i++) {
		json_array_append_new(names, kx_json_text(c->candidates[i]));
		json_array_append_new(depends, indices(m->depends[i]));
	}
	for (guint i = 0; i < m->conflicts->len; i++)
		json_array_append_new(conflicts, indices(g_array_index(m->conflicts, uint64_t, i)));
	g_autoptr(json_t) doc = m->document ? json_incref(m->document) : json_object();
	json_object_set_new(doc, "source", json_string(computed ? "computed" : "declared"));
	json_object_set_new(doc, "names", names);
	json_object_set_new(doc, "depends", depends);
	json_object_set_new(doc, "conflicts", conflicts);
	return store_set_document(e->store, e->run->id, "matrix", doc, error);
}

static bool compute(Engine *e, GError **error)
{
	const EngineOptions *o = e->options;
	if (!o->matrix)
		return true;
	g_autoptr(GError) why = NULL;
	gint64 start = g_get_monotonic_time();
	e->matrix.document = o->matrix(e->campaign, o->cache, o->user, &why);
	e->times.configure += (double)(g_get_monotonic_time() - start) / G_USEC_PER_SEC;
	if (e->matrix.document) {
		add_computed(e->campaign, &e->matrix);
		return true;
	}
	if (kx_cancelled()) {
		g_propagate_error(error, g_steal_pointer(&why));
		return false;
	}
	engine_note(e, "warning", "matrix", 0,
		    "what applies with what could not be tried out, so only what the series "
		    "declares is known: %s",
		    why ? why->message : "?");
	return true;
}

/* A resumed run has it already; the digest says that the patches are the same. */
static bool remembered(Engine *e)
{
	g_autoptr(json_t) doc = store_document(e->store, e->run->id, "matrix", NULL);
	const char *source = doc ? kx_json_str(doc, "source") : NULL;
	if (!source || (e->options->matrix && !g_str_equal(source, "computed")))
		return false;
	size_t i, k;
	json_t *set, *index;
	json_array_foreach (json_object_get(doc, "depends"), i, set)
		json_array_foreach (set, k, index)
			if (i < e->campaign->candidates_count)
				e->matrix.depends[i] |= (uint64_t)1
							<< (json_integer_value(index) & 63);
	json_array_foreach (json_object_get(doc, "conflicts"), i, set) {
		uint64_t mask = 0;
		json_array_foreach (set, k, index)
			mask |= (uint64_t)1 << (json_integer_value(index) & 63);
		add_conflict(&e->matrix, mask);
	}
	return true;
}

static bool fill_matrix(Engine *e, GError **error)
{
	EngineMatrix *m = &e->matrix;
	m->depends = g_new0(uint64_t, MAX(e->campaign->candidates_count, 1));
	m->conflicts = g_array_new(FALSE, FALSE, sizeof(uint64_t));
	if (remembered(e))
		return true;
	if (!compute(e, error))
		return false;
	bool computed = m->document != NULL;
	add_declared(e->campaign, m);
	return record(e, computed, error);
}

bool engine_make_search(Engine *e, GError **error)
{
	const Campaign *c = e->campaign;
	if (c->candidates_count > SEARCH_MAX_CANDIDATES) {
		g_set_error(error, KX_ERROR, KX_ERROR_INPUT,
			    "%s: %u candidates, but at most %d can be searched at once; list fewer "
			    "under `candidates`",
			    c->path, c->candidates_count, SEARCH_MAX_CANDIDATES);
		return false;
	}
	if (!fill_matrix(e, error))
		return false;
	SearchProblem p = {
		.n = c->candidates_count,
		.names = (const char *const *)c->candidates,
		.depends = e->matrix.depends,
		.conflicts = (const SearchMask *)(void *)e->matrix.conflicts->data,
		.n_conflicts = e->matrix.conflicts->len,
		.effect = c->effect == EFFECT_CURES ? SEARCH_CURES : SEARCH_CAUSES,
		.max_size = c->search.max_culprits,
		.confidence = c->search.confidence,
		.mode = c->mode == BOOT_COLD ? SEARCH_COLD : SEARCH_KEXEC,
		.seed = c->search.seed,
	};
	e->search = search_new(&p, error);
	if (!e->search)
		g_prefix_error(error, "%s: ", c->path);
	return e->search != NULL;
}
