/* SPDX-License-Identifier: GPL-2.0-or-later */
/* engine_driver WORLD RESULTS PROGRAM [again|ends] [json|quiet|terminal]: runs the campaign of a
 * world file ("candidates": [{"name", "kind", "depends", "conflicts"}], "confidence", "budget",
 * "mode", …) with the engine; ends: boots both ends of it only, and prints ends_json(). Prints
 * "error CODE: text" on standard error when it fails. */
#include <locale.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "base/json.h"
#include "base/log.h"
#include "engine/ends.h"
#include "engine/engine.h"

static unsigned copy_list(const json_t *from, const char *key, char ***ret)
{
	*ret = kx_json_strv(from, key);
	return g_strv_length(*ret);
}

static uint64_t masks_of(const Series *s, char *const *names, unsigned n)
{
	uint64_t set = 0;
	for (unsigned i = 0; i < n; i++)
		set |= (uint64_t)1 << (series_find(s, names[i]) - s->patches);
	return set;
}

static CandidateKind kind_of(const char *name)
{
	for (int i = 0; name && i < CANDIDATE_KIND_MAX; i++)
		if (g_str_equal(name, candidate_kind_name((CandidateKind)i)))
			return (CandidateKind)i;
	return CANDIDATE_PATCH;
}

static void make_series(Campaign *c, Series *s, const json_t *world)
{
	size_t i;
	json_t *one;
	const json_t *all = json_object_get(world, "candidates");
	s->path = (char *)"/lab/series.yaml";
	s->patches_count = c->candidates_count = (unsigned)json_array_size(all);
	s->patches = g_new0(Patch, s->patches_count);
	c->candidates = g_new0(Candidate, s->patches_count + 1);
	json_array_foreach (all, i, one) {
		Patch *p = &s->patches[i];
		p->name = g_strdup(kx_json_str(one, "name"));
		p->title = g_strdup_printf("title of %s", p->name);
		p->file = g_strdup_printf("/lab/%s.patch", p->name);
		p->depends_count = copy_list(one, "depends", &p->depends);
		p->conflicts_count = copy_list(one, "conflicts", &p->conflicts);
	}
	json_array_foreach (all, i, one) {
		const Patch *p = &s->patches[i];
		Candidate *k = &c->candidates[i];
		*k = (Candidate){.kind = kind_of(kx_json_str(one, "kind")),
				 .name = p->name,
				 .title = p->title,
				 .text = p->name,
				 .weight = 1};
		k->depends = masks_of(s, p->depends, p->depends_count);
		k->conflicts = masks_of(s, p->conflicts, p->conflicts_count);
	}
}

/* "history": the parents of each commit, by their numbers; the hash of commit n is n in 40 hex
 * digits. */
static void make_history(Campaign *c, const json_t *all)
{
	static CampaignHistory none;
	size_t i, k;
	json_t *parents, *p;
	c->history = &none;
	c->series = NULL;
	c->history_start = g_strdup_printf("%040x", 0);
	c->candidates_count = (unsigned)json_array_size(all);
	c->candidates = g_new0(Candidate, c->candidates_count);
	json_array_foreach (all, i, parents) {
		Candidate *to = &c->candidates[i];
		unsigned number = (unsigned)i + 1;
		*to = (Candidate){.kind = CANDIDATE_COMMIT,
				  .name = g_strdup_printf("c%u", number),
				  .title = g_strdup_printf("subject of %u", number),
				  .text = g_strdup_printf("%040x", number),
				  .weight = 1,
				  .parents = g_new0(guint, json_array_size(parents)),
				  .parents_count = (unsigned)json_array_size(parents)};
		json_array_foreach (parents, k, p)
			to->parents[k] = (guint)json_integer_value(p);
	}
}

static void make_survey(Campaign *c, CampaignSurvey *s, const json_t *w)
{
	size_t i;
	json_t *one;
	static BootMode modes[2];
	*s = (CampaignSurvey){.boots = (unsigned)kx_json_int(w, "boots", 3),
			      .modes = modes,
			      .after = kx_json_bool(w, "after", false) ? SURVEY_AFTER_VERDICT
								       : SURVEY_ALONE};
	json_array_foreach (json_object_get(w, "modes"), i, one)
		modes[s->modes_count++] =
			g_str_equal(json_string_value(one), "cold") ? BOOT_COLD : BOOT_KEXEC;
	const json_t *variants = json_object_get(w, "variants");
	s->variants = g_new0(uint64_t, json_array_size(variants) + 1);
	json_array_foreach ((json_t *)variants, i, one)
		s->variants[s->variants_count++] = (uint64_t)json_integer_value(one);
	c->survey = s;
}

/* Moves of the bad order. */
static void make_order(Campaign *c, CampaignOrder *o, const json_t *world)
{
	*o = (CampaignOrder){.seed = 1};
	o->bad_count = copy_list(world, "bad_order", &o->bad);
	c->order = o;
	c->effect = EFFECT_CAUSES;
}

/* Names; one with a '-' in front is missing. */
static void make_versions(Campaign *c, const json_t *all)
{
	size_t i;
	json_t *one;
	c->series = NULL;
	c->versions_count = c->candidates_count = (unsigned)json_array_size(all);
	c->versions = g_new0(CampaignVersion, c->versions_count + 1);
	c->candidates = g_new0(Candidate, c->versions_count + 1);
	json_array_foreach ((json_t *)all, i, one) {
		CampaignVersion *v = &c->versions[i];
		const char *name = json_string_value(one);
		bool missing = *name == '-';
		v->name = g_strdup(name + missing);
		v->cmdline = g_strdup_printf("only=%s", v->name);
		v->missing = missing ? g_strdup("no source") : NULL;
		v->base = g_new0(Recipe, 1);
		v->base->path = g_strdup_printf("/lab/%s.yaml", v->name);
		c->candidates[i] = (Candidate){.kind = CANDIDATE_VERSION,
					       .name = g_strdup(v->name),
					       .text = g_strdup(v->name),
					       .weight = 1};
	}
}

static void free_versions(Campaign *c)
{
	for (unsigned i = 0; i < c->versions_count; i++) {
		CampaignVersion *v = &c->versions[i];
		candidate_clear(&c->candidates[i]);
		g_free(v->name);
		g_free(v->cmdline);
		g_free(v->missing);
		g_free(v->base->path);
		g_free(v->base);
	}
	g_free(c->versions);
	g_free(c->candidates);
}

static void free_history(Campaign *c)
{
	for (unsigned i = 0; i < c->candidates_count; i++)
		candidate_clear(&c->candidates[i]);
	g_free(c->history_start);
	g_free(c->candidates);
}

static void free_series(Campaign *c, Series *s)
{
	for (unsigned i = 0; i < s->patches_count; i++) {
		Patch *p = &s->patches[i];
		g_free(p->name);
		g_free(p->title);
		g_free(p->file);
		g_strfreev(p->depends);
		g_strfreev(p->conflicts);
	}
	g_free(s->patches);
	g_free(c->candidates);
}

static bool finished(Store *store, const StoreCampaign *run, gpointer user, GError **error)
{
	g_autofree char *path = g_build_filename(run->dir, "report", NULL);
	return g_file_set_contents(path, store_state_name(run->state), -1, error);
}

static json_t *matrix(const Campaign *c, const char *cache, gpointer user, GError **error)
{
	json_t *doc = json_object_get(user, "matrix");
	if (json_is_string(doc)) {
		g_set_error(error, KX_ERROR, KX_ERROR_FAILED, "%s", json_string_value(doc));
		return NULL;
	}
	return json_deep_copy(doc);
}

static bool has(char **args, const char *word)
{
	return g_strv_contains((const char *const *)args, word);
}

static int try_ends(const Campaign *c, const EngineOptions *o, const json_t *world, GError **error)
{
	g_auto(Ends) e = {.cache = o->cache,
			  .program = o->program,
			  .matrix = json_object_get(world, "matrix"),
			  .retry_s = 0.01,
			  .most = (unsigned)kx_json_int(world, "most", 0)};
	bool ok = ends_run(&e, c, error);
	g_autoptr(json_t) out = ends_json(&e);
	kx_json_line(out);
	return !ok;
}

int main(int argc, char **argv)
{
	setlocale(LC_CTYPE, "");
	kx_log_init("driver", false);
	if (argc < 4)
		return 2;
	g_autoptr(json_t) w = kx_json_load(argv[1], NULL);
	if (!w)
		return 2;
	const json_t *b = json_object_get(w, "budget");
	Recipe base = {.name = (char *)"linux", .path = (char *)"/lab/linux.yaml"};
	OracleConfig oracle = {.name = (char *)"oracle", .path = (char *)"/lab/oracle.yaml"};
	TargetConfig target = {.name = (char *)"vm",
			       .path = (char *)"/lab/vm.yaml",
			       .launcher = {.kernel = (char *)"base"},
			       .timeouts = {.trial = 5}};
	TargetConfig *targets[] = {&target};
	Series series = {0};
	Campaign c = {.name = (char *)"lab",
		      .title = (char *)"A lab",
		      .path = (char *)"/lab/lab.yaml",
		      .cmdline = (char *)kx_json_str(w, "cmdline"),
		      .digest = (char *)kx_json_str(w, "digest"),
		      .base = &base,
		      .series = &series,
		      .oracle = &oracle,
		      .targets = targets,
		      .target_names_count = 1,
		      .effect = g_strcmp0(kx_json_str(w, "effect"), "causes") == 0 ? EFFECT_CAUSES
										   : EFFECT_CURES,
		      .search = {.confidence = kx_json_num(w, "confidence", 0.99),
				 .seed = 1,
				 .max_culprits = (unsigned)kx_json_int(w, "max_culprits", 2)},
		      .budget = {.boots = (unsigned)kx_json_int(b, "boots", 1000),
				 .builds = (unsigned)kx_json_int(b, "builds", 200),
				 .hours = kx_json_num(b, "hours", 12)}};
	const json_t *history = json_object_get(w, "history");
	const json_t *versions = json_object_get(w, "versions");
	CampaignSurvey survey = {0};
	CampaignOrder order = {0};
	if (json_object_get(w, "bad_order"))
		make_order(&c, &order, w);
	if (json_object_get(w, "survey"))
		make_survey(&c, &survey, json_object_get(w, "survey"));
	if (history)
		make_history(&c, history);
	else if (versions)
		make_versions(&c, versions);
	else
		make_series(&c, &series, w);
	g_autofree char *cache = g_build_filename(argv[2], "cache", NULL);
	EngineOptions o = {.results = argv[2],
			   .cache = cache,
			   .program = argv[3],
			   .again = has(argv + 4, "again"),
			   .verbose = has(argv + 4, "verbose"),
			   .show = has(argv + 4, "json")    ? ENGINE_SHOW_JSON
				   : has(argv + 4, "quiet") ? ENGINE_SHOW_QUIET
				   : has(argv + 4, "auto")  ? ENGINE_SHOW_AUTO
							    : ENGINE_SHOW_PLAIN,
			   .matrix = json_object_get(w, "matrix") ? matrix : NULL,
			   .finished = finished,
			   .user = w,
			   .retry_s = 0.01,
			   .infra_limit = (unsigned)kx_json_int(w, "infra_limit", 0),
			   .job_silence_s = (unsigned)kx_json_int(w, "silence_s", 0),
			   .job_grace_s = (unsigned)kx_json_int(w, "grace_s", 0)};
	g_autoptr(GError) error = NULL;
	int status =
		has(argv + 4, "ends") ? try_ends(&c, &o, w, &error) : engine_run(&c, &o, &error);
	if (error)
		fprintf(stderr, "error %d: %s\n", error->code, error->message);
	g_free(survey.variants);
	g_strfreev(order.bad);
	if (history)
		free_history(&c);
	else if (versions)
		free_versions(&c);
	else
		free_series(&c, &series);
	return status;
}
