/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What applies with what, as a document of the run, and the search that is made with it. */
#include "engine/engine-internal.h"

#include "base/error.h"

static json_t *indices(uint64_t set)
{
	json_t *out = json_array();
	for (int i = 0; i < 64; i++)
		if (set >> i & 1)
			json_array_append_new(out, json_integer(i));
	return out;
}

static bool record(Engine *e, const EngineProblem *p, const json_t *computed, GError **error)
{
	json_t *names = json_array(), *depends = json_array(), *conflicts = json_array();
	for (unsigned i = 0; i < p->problem.n; i++) {
		json_array_append_new(names, kx_json_text(p->names[i]));
		json_array_append_new(depends, indices(p->depends[i]));
	}
	for (guint i = 0; i < p->conflicts->len; i++)
		json_array_append_new(conflicts,
				      indices(g_array_index(p->conflicts, SearchMask, i)));
	g_autoptr(json_t) doc = computed ? json_copy((json_t *)computed) : json_object();
	json_object_set_new(doc, "source", json_string(computed ? "computed" : "declared"));
	json_object_set_new(doc, "names", names);
	json_object_set_new(doc, "depends", depends);
	json_object_set_new(doc, "conflicts", conflicts);
	return store_set_document(e->store, e->run->id, "matrix", doc, error);
}

/* How the commits hang together, for the report. */
static bool record_history(Engine *e, GError **error)
{
	const Campaign *c = e->campaign;
	json_t *parents = json_array();
	for (unsigned i = 0; i < c->candidates_count; i++) {
		json_t *own = json_array();
		for (unsigned k = 0; k < c->candidates[i].parents_count; k++)
			json_array_append_new(own, json_integer(c->candidates[i].parents[k]));
		json_array_append_new(parents, own);
	}
	g_autoptr(json_t) doc = json_pack("{s:o, s:o}", "start", kx_json_text(c->history_start),
					  "parents", parents);
	return store_set_document(e->store, e->run->id, "history", doc, error);
}

static unsigned patches_of(const Campaign *c)
{
	unsigned n = 0;
	for (unsigned i = 0; i < c->candidates_count; i++)
		n += c->candidates[i].kind == CANDIDATE_PATCH;
	return n;
}

/* Tries it out; *ret NULL when that cannot be done. */
static bool compute(Engine *e, json_t **ret, GError **error)
{
	const EngineOptions *o = e->options;
	*ret = NULL;
	if (!o->matrix || !patches_of(e->campaign))
		return true;
	g_autoptr(GError) why = NULL;
	gint64 start = g_get_monotonic_time();
	*ret = o->matrix(e->campaign, o->cache, o->user, &why);
	e->times.configure += (double)(g_get_monotonic_time() - start) / G_USEC_PER_SEC;
	if (*ret)
		return true;
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
static json_t *remembered(Engine *e)
{
	g_autoptr(json_t) doc = store_document(e->store, e->run->id, "matrix", NULL);
	const char *source = doc ? kx_json_str(doc, "source") : NULL;
	return source && g_str_equal(source, "computed") ? g_steal_pointer(&doc) : NULL;
}

bool engine_make_problem(Engine *e, EngineProblem *ret, GError **error)
{
	const Campaign *c = e->campaign;
	g_autoptr(json_t) matrix = remembered(e);
	bool known = matrix != NULL;
	return (known || compute(e, &matrix, error)) && engine_problem(c, matrix, ret, error) &&
	       (known || c->history || record(e, ret, matrix, error)) &&
	       (!c->history || record_history(e, error));
}

bool engine_make_search(Engine *e, GError **error)
{
	g_auto(EngineProblem) p = {0};
	if (!engine_make_problem(e, &p, error))
		return false;
	e->search = search_new(&p.problem, error);
	if (!e->search)
		g_prefix_error(error, "%s: ", e->campaign->path);
	return e->search != NULL;
}
