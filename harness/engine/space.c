/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a variant is, in each kind of campaign: its name, the kernel that is compiled for it, its
 * command line; and the search problem of a campaign. Nowhere else is it known what the bits of a
 * variant mean. */
#include "engine/engine-internal.h"

#include "base/error.h"

#define BIT(i) ((uint64_t)1 << (i))
#define REORDER_S 0.5 /* a rewrite and its artifacts; docs/init-order.md */
#define NAMED 8	      /* members of a set that a line of text names */

/* ---- names ---- */

char *engine_commit_name(const Candidate *k)
{
	return k->title && *k->title ? g_strdup_printf("%s (%s)", k->name, k->title)
				     : g_strdup(k->name);
}

char *engine_set_name(const Engine *e, SearchMask mask)
{
	const Campaign *c = e->campaign;
	if (c->order)
		return engine_order_name(e, mask);
	if (campaign_is_numbered(c))
		return mask == 0 ? g_strdup(c->history ? "the start of the range" : "the launcher")
		       : mask <= c->candidates_count ? engine_commit_name(&c->candidates[mask - 1])
						     : g_strdup("?");
	GString *s = g_string_new(NULL);
	unsigned all = (unsigned)__builtin_popcountll(mask), told = 0;
	for (unsigned i = 0; i < c->candidates_count; i++) {
		if (!(mask & BIT(i)))
			continue;
		if (told == NAMED && all > NAMED + 1) {
			g_string_append_printf(s, " + %u more", all - told);
			break;
		}
		g_string_append_printf(s, "%s%s", told++ ? " + " : "", c->candidates[i].name);
	}
	if (!s->len)
		g_string_append(s, "no candidate");
	return g_string_free(s, FALSE);
}

json_t *engine_names_of(const Engine *e, SearchMask mask)
{
	const Campaign *c = e->campaign;
	json_t *out = json_array();
	if (c->order && mask) {
		g_autofree char *name = engine_order_name(e, mask);
		json_array_append_new(out, kx_json_text(name));
	}
	bool numbered = campaign_is_numbered(c);
	if (numbered && mask >= 1 && mask <= c->candidates_count)
		json_array_append_new(out, kx_json_text(c->candidates[mask - 1].name));
	for (unsigned i = 0; !numbered && i < c->candidates_count; i++)
		if (mask & BIT(i))
			json_array_append_new(out, kx_json_text(c->candidates[i].name));
	return out;
}

/* ---- what a variant is made of ---- */

const TargetConfig *engine_target(const Engine *e, SearchMask mask)
{
	const CampaignVersion *v = campaign_version(e->campaign, mask);
	return v && v->target ? v->target : e->target;
}

SearchMask engine_compiled(const Campaign *c, SearchMask mask)
{
	for (unsigned i = 0; !campaign_is_numbered(c) && i < c->candidates_count; i++)
		if (c->candidates[i].kind == CANDIDATE_PARAMETER)
			mask &= ~BIT(i);
	return mask;
}

/* What the build request of a variant says beside what all of them say. */
static void put_candidates(const Campaign *c, SearchMask mask, json_t *request)
{
	json_t *patches = json_array(), *config = json_array(), *moves = json_array();
	for (unsigned i = 0; mask && i < c->candidates_count; i++) {
		const Candidate *k = &c->candidates[i];
		if (!(mask & BIT(i)))
			continue;
		if (k->kind == CANDIDATE_PATCH)
			json_array_append_new(patches, kx_json_text(k->text));
		if (k->kind == CANDIDATE_INITCALL)
			json_array_append_new(moves, kx_json_text(k->text));
		if (k->kind != CANDIDATE_CONFIG)
			continue;
		g_auto(GStrv) settings = candidate_settings(k->text, NULL);
		for (char **s = settings; s && *s; s++)
			json_array_append_new(config, kx_json_text(*s));
	}
	json_object_set_new(request, "candidates", patches);
	if (json_array_size(config))
		json_object_set(request, "config", config);
	if (json_array_size(moves))
		json_object_set(request, "initcalls", moves);
	json_decref(config);
	json_decref(moves);
}

static json_t *list(char *const *items, unsigned n)
{
	json_t *out = json_array();
	for (unsigned i = 0; i < n; i++)
		json_array_append_new(out, kx_json_text(items[i]));
	return out;
}

static json_t *version_request(const Campaign *c, const CampaignVersion *v)
{
	json_t *fragments = list(c->fragments, c->fragments_count);
	json_t *own = list(v->fragments, v->fragments_count);
	json_array_extend(fragments, own);
	json_decref(own);
	json_t *request = json_pack("{s:i, s:s, s:o, s:o, s:[]}", "format", 1, "recipe",
				    v->base->path, "fragments", fragments, "fixtures",
				    list(v->fixtures, v->fixtures_count), "candidates");
	if (v->series)
		json_object_set_new(request, "series", kx_json_text(v->series->path));
	return request;
}

json_t *engine_build_request(const Campaign *c, SearchMask mask, bool launcher)
{
	const CampaignVersion *version = launcher ? NULL : campaign_version(c, mask);
	if (version)
		return version_request(c, version);
	json_t *request = json_pack("{s:i, s:s, s:o}", "format", 1, "recipe", c->base->path,
				    "fragments", list(c->fragments, c->fragments_count));
	const char *from, *to;
	if (launcher) {
		json_object_set_new(request, "fixtures", json_array());
		json_object_set_new(request, "candidates", json_array());
		return request;
	}
	if (c->series)
		json_object_set_new(request, "series", kx_json_text(c->series->path));
	json_object_set_new(request, "fixtures", list(c->fixtures, c->fixtures_count));
	if (campaign_config_pair(c, &from, &to))
		json_object_set_new(request, "config_file", kx_json_text(from));
	put_candidates(c, c->history || c->order ? 0 : mask, request);
	if (!c->history)
		return request;
	if (mask)
		json_object_set_new(request, "commit", kx_json_text(c->candidates[mask - 1].text));
	else
		json_object_set_new(request, "commit", kx_json_text(c->history_start));
	if (c->history->series)
		json_object_set_new(request, "history", kx_json_text(c->history->series->path));
	return request;
}

char *engine_cmdline(const Campaign *c, SearchMask mask)
{
	const CampaignVersion *v = campaign_version(c, mask);
	GString *s = g_string_new(c->cmdline);
	if (v && v->cmdline)
		g_string_append_printf(s, "%s%s", s->len ? " " : "", v->cmdline);
	for (unsigned i = 0; !campaign_is_numbered(c) && i < c->candidates_count; i++)
		if (mask & BIT(i) && c->candidates[i].kind == CANDIDATE_PARAMETER)
			g_string_append_printf(s, "%s%s", s->len ? " " : "", c->candidates[i].text);
	return g_string_free(s, FALSE);
}

/* What is made in the compiled kernel. */
static SearchMask moves_of(const Campaign *c)
{
	SearchMask moves = 0;
	for (unsigned i = 0; !campaign_is_numbered(c) && i < c->candidates_count; i++)
		if (c->candidates[i].kind == CANDIDATE_INITCALL)
			moves |= BIT(i);
	return moves;
}

static bool has_kernel(const Engine *e, SearchMask compiled, SearchMask but)
{
	for (guint i = 0; i < e->kernels->len; i++) {
		const EngineKernel *k = e->kernels->pdata[i];
		if ((k->mask & ~but) == (compiled & ~but) && k->ok && !k->clean && !k->launcher)
			return true;
	}
	return false;
}

double engine_build_cost(SearchVariant variant, gpointer engine)
{
	const Engine *e = engine;
	SearchMask compiled = engine_compiled(e->campaign, variant);
	if (has_kernel(e, compiled, 0))
		return 0;
	if (has_kernel(e, compiled, moves_of(e->campaign)))
		return REORDER_S;
	SearchCosts defaults;
	search_costs_init(&defaults);
	return MAX(engine_median(e->build_s, defaults.build_s), 1e-3);
}

/* ---- the search problem ---- */

static int index_of(const Campaign *c, const char *patch)
{
	for (unsigned i = 0; patch && i < c->candidates_count; i++)
		if (c->candidates[i].kind == CANDIDATE_PATCH &&
		    g_str_equal(c->candidates[i].text, patch))
			return (int)i;
	return -1;
}

static void add_conflict(EngineProblem *p, SearchMask set)
{
	for (guint i = 0; i < p->conflicts->len; i++)
		if (g_array_index(p->conflicts, SearchMask, i) == set)
			return;
	g_array_append_val(p->conflicts, set);
}

/* What the campaign and the series say; with a computed matrix it is added to that. */
static void add_declared(const Campaign *c, EngineProblem *p)
{
	for (unsigned i = 0; i < c->candidates_count; i++) {
		p->depends[i] |= c->candidates[i].depends;
		for (unsigned k = i + 1; k < c->candidates_count; k++)
			if (c->candidates[i].conflicts & BIT(k))
				add_conflict(p, BIT(i) | BIT(k));
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
static void add_computed(const Campaign *c, const json_t *matrix, EngineProblem *p)
{
	size_t i;
	json_t *pair;
	json_array_foreach (json_object_get(matrix, "pairs"), i, pair) {
		const char *names[2] = {kx_json_str(pair, "a"), kx_json_str(pair, "b")};
		const char *result = kx_json_str(pair, "result");
		int a = index_of(c, names[0]), b = index_of(c, names[1]);
		if (a < 0 || b < 0 || a == b || !result)
			continue;
		bool a_alone = applies_alone(matrix, names[0]);
		bool b_alone = applies_alone(matrix, names[1]);
		if (g_str_equal(result, "conflict") && a_alone && b_alone)
			add_conflict(p, BIT(a) | BIT(b));
		/* The one that does not apply without the other needs it. */
		if (g_str_equal(result, "depends") && !a_alone && b_alone)
			p->depends[a] |= BIT(b);
		if (g_str_equal(result, "depends") && a_alone && !b_alone)
			p->depends[b] |= BIT(a);
	}
}

/* Parents of all commits, one after the other. */
static void put_parents(const Campaign *c, EngineProblem *p)
{
	unsigned all = 0;
	for (unsigned i = 0; i < c->candidates_count; i++)
		all += c->candidates[i].parents_count;
	p->parent_start = g_new0(guint, c->candidates_count + 1);
	p->parents = g_new0(guint, MAX(all, 1));
	for (unsigned i = 0, at = 0; i < c->candidates_count; i++) {
		const Candidate *k = &c->candidates[i];
		for (unsigned d = 0; d < k->parents_count; d++)
			p->parents[at++] = k->parents[d];
		p->parent_start[i + 1] = at;
	}
}

/* Each commit's only parent is the one before it. */
static bool is_line(const Campaign *c)
{
	for (unsigned i = 0; i < c->candidates_count; i++)
		if (c->candidates[i].parents_count != 1 || c->candidates[i].parents[0] != i)
			return false;
	return true;
}

void engine_problem_clear(EngineProblem *p)
{
	g_free(p->parent_start);
	g_free(p->parents);
	g_free(p->names);
	g_free(p->weights);
	g_free(p->depends);
	g_clear_pointer(&p->conflicts, g_array_unref);
	*p = (EngineProblem){0};
}

bool engine_problem(const Campaign *c, const json_t *matrix, EngineProblem *ret, GError **error)
{
	unsigned n = c->candidates_count;
	if (c->order) {
		g_set_error(error, KX_ERROR, KX_ERROR_INPUT,
			    "%s: how many pairs of initcalls stand differently is only known from "
			    "the built kernel; 'kexsect simulate --space precedence' says how many "
			    "boots such a search takes",
			    c->path);
		return false;
	}
	if (!n) {
		g_set_error(error, KX_ERROR, KX_ERROR_INPUT, "%s: there are no candidates",
			    c->path);
		return false;
	}
	*ret = (EngineProblem){.names = g_new0(const char *, n),
			       .weights = g_new0(double, n),
			       .depends = g_new0(SearchMask, n),
			       .conflicts = g_array_new(FALSE, FALSE, sizeof(SearchMask))};
	for (unsigned i = 0; i < n; i++) {
		/* borrowed: a commit is told by its hash here, which fits a line */
		ret->names[i] = c->candidates[i].name;
		ret->weights[i] = c->candidates[i].weight;
	}
	if (c->history && !is_line(c))
		put_parents(c, ret);
	if (!c->history && matrix)
		add_computed(c, matrix, ret);
	if (!c->history)
		add_declared(c, ret);
	ret->problem = (SearchProblem){
		.space = c->history ? &search_history : &search_subsets,
		.n = n,
		.parent_start = ret->parent_start,
		.parents = ret->parents,
		.names = ret->names,
		.weights = ret->weights,
		.depends = ret->depends,
		.conflicts = (const SearchMask *)(void *)ret->conflicts->data,
		.n_conflicts = ret->conflicts->len,
		.effect = c->effect == EFFECT_CURES ? SEARCH_CURES : SEARCH_CAUSES,
		.max_size = c->search.max_culprits,
		.confidence = c->search.confidence,
		.mode = c->mode == BOOT_COLD ? SEARCH_COLD : SEARCH_KEXEC,
		.seed = c->search.seed,
	};
	return true;
}
