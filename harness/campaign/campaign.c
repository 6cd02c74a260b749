/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "campaign/campaign.h"

#include <string.h>

#include "base/error.h"
#include "base/fs.h"
#include "campaign/campaign-internal.h"

static const cyaml_strval_t effects[] = {{"cures", EFFECT_CURES}, {"causes", EFFECT_CAUSES}};
static const cyaml_strval_t modes[] = {{"kexec", BOOT_KEXEC}, {"cold", BOOT_COLD}};

#define NEEDED_STRING(key, member)                                                                 \
	CYAML_FIELD_STRING_PTR(key, CYAML_FLAG_POINTER, Campaign, member, 0, CYAML_UNLIMITED)
#define OPTIONAL_STRING(key, member)                                                               \
	CYAML_FIELD_STRING_PTR(key, CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL, Campaign, member, 0, \
			       CYAML_UNLIMITED)
#define STRING_LIST(key, flags, member, min)                                                       \
	CYAML_FIELD_SEQUENCE(key, CYAML_FLAG_POINTER | (flags), Campaign, member,                  \
			     &kx_yaml_string_entry, min, CYAML_UNLIMITED)

static const cyaml_schema_field_t boot_fields[] = {
	OPTIONAL_STRING("cmdline", cmdline),
	CYAML_FIELD_ENUM("mode", CYAML_FLAG_OPTIONAL | CYAML_FLAG_STRICT, Campaign, mode, modes,
			 G_N_ELEMENTS(modes)),
	CYAML_FIELD_END,
};
static const cyaml_schema_field_t search_fields[] = {
	CYAML_FIELD_FLOAT("confidence", CYAML_FLAG_OPTIONAL, CampaignSearch, confidence),
	CYAML_FIELD_UINT("seed", CYAML_FLAG_OPTIONAL, CampaignSearch, seed),
	CYAML_FIELD_UINT("max_culprits", CYAML_FLAG_OPTIONAL, CampaignSearch, max_culprits),
	CYAML_FIELD_END,
};
static const cyaml_schema_field_t budget_fields[] = {
	CYAML_FIELD_UINT("boots", CYAML_FLAG_OPTIONAL, CampaignBudget, boots),
	CYAML_FIELD_FLOAT("hours", CYAML_FLAG_OPTIONAL, CampaignBudget, hours),
	CYAML_FIELD_UINT("builds", CYAML_FLAG_OPTIONAL, CampaignBudget, builds),
	CYAML_FIELD_END,
};
static const cyaml_schema_field_t campaign_fields[] = {
	CYAML_FIELD_STRING_PTR("name", CYAML_FLAG_POINTER, Campaign, name, 0, CYAML_UNLIMITED),
	OPTIONAL_STRING("title", title),
	OPTIONAL_STRING("question", question),
	NEEDED_STRING("base", base_name),
	NEEDED_STRING("series", series_name),
	NEEDED_STRING("oracle", oracle_name),
	STRING_LIST("fragments", CYAML_FLAG_OPTIONAL, fragments, 0),
	STRING_LIST("fixtures", CYAML_FLAG_OPTIONAL, fixtures, 0),
	STRING_LIST("candidates", CYAML_FLAG_OPTIONAL, candidates, 0),
	CYAML_FIELD_ENUM("effect", CYAML_FLAG_OPTIONAL | CYAML_FLAG_STRICT, Campaign, effect,
			 effects, G_N_ELEMENTS(effects)),
	STRING_LIST("targets", CYAML_FLAG_DEFAULT, target_names, 0),
	/* nested in the file, flat in the struct: its fields count from the struct's start */
	{.key = "boot", .value = {CYAML_VALUE_MAPPING(CYAML_FLAG_OPTIONAL, Campaign, boot_fields)}},
	CYAML_FIELD_MAPPING("search", CYAML_FLAG_OPTIONAL, Campaign, search, search_fields),
	CYAML_FIELD_MAPPING("budget", CYAML_FLAG_OPTIONAL, Campaign, budget, budget_fields),
	CYAML_FIELD_END,
};
static const cyaml_schema_value_t campaign_schema = {
	CYAML_VALUE_MAPPING(CYAML_FLAG_POINTER, Campaign, campaign_fields),
};

void campaign_free(Campaign *c)
{
	if (!c)
		return;
	recipe_free(c->base);
	series_free(c->series);
	oracle_config_free(c->oracle);
	for (unsigned i = 0; c->targets && i < c->target_names_count; i++)
		target_config_free(c->targets[i]);
	g_free(c->targets);
	g_free(c->path);
	g_free(c->digest);
	kx_yaml_free(&campaign_schema, c);
}

static bool check_numbers(Campaign *c, GError **error)
{
	CampaignSearch *s = &c->search;
	CampaignBudget *b = &c->budget;
	if (campaign_given(c->path, "search.confidence") &&
	    !(s->confidence > 0.5 && s->confidence < 1))
		return campaign_error(error, c->path, "search.confidence",
				      "%.10g is out of range: expected more than 0.5 and less than "
				      "1",
				      s->confidence);
	if (!campaign_check_range(c->path, "search.max_culprits", s->max_culprits, 1, 3, error) ||
	    !campaign_check_range(c->path, "budget.boots", b->boots, 1, 1e9, error) ||
	    !campaign_check_range(c->path, "budget.hours", b->hours, 0.001, 1e5, error) ||
	    !campaign_check_range(c->path, "budget.builds", b->builds, 1, 1e9, error))
		return false;
	s->confidence = s->confidence > 0 ? s->confidence : 0.99;
	s->max_culprits = s->max_culprits ? s->max_culprits : 3;
	if (!campaign_given(c->path, "search.seed"))
		s->seed = 1;
	b->boots = b->boots ? b->boots : 1000;
	b->hours = b->hours > 0 ? b->hours : 12;
	b->builds = b->builds ? b->builds : 200;
	return true;
}

static bool load_parts(Campaign *c, GError **error)
{
	g_autofree char *base =
		campaign_lookup(c->path, "base", c->base_name, "kernels", ".yaml", error);
	if (!base || !(c->base = recipe_load(base, error)))
		return false;
	g_autofree char *series = campaign_lookup(c->path, "series", c->series_name, "patches",
						  "/series.yaml", error);
	if (!series || !(c->series = series_load(series, error)))
		return false;
	g_autofree char *oracle = campaign_lookup(c->path, "oracle", c->oracle_name,
						  "configs/oracles", ".yaml", error);
	if (!oracle || !(c->oracle = oracle_config_load(oracle, error)))
		return false;
	if (!campaign_check_distinct(c->path, "targets", c->target_names, c->target_names_count,
				     error))
		return false;
	if (!c->target_names_count)
		return campaign_error(error, c->path, "targets", "a campaign needs a target");
	c->targets = g_new0(TargetConfig *, c->target_names_count);
	for (unsigned i = 0; i < c->target_names_count; i++) {
		g_autofree char *key = campaign_entry_key("targets", i);
		g_autofree char *target = campaign_lookup(c->path, key, c->target_names[i],
							  "configs/targets", ".yaml", error);
		if (!target || !(c->targets[i] = target_config_load(target, error)))
			return false;
	}
	return true;
}

static bool lists(char *const *list, unsigned n, const char *name)
{
	for (unsigned i = 0; i < n; i++)
		if (g_str_equal(list[i], name))
			return true;
	return false;
}

static bool check_known(const Campaign *c, const char *which, char **list, unsigned n,
			GError **error)
{
	if (!campaign_check_distinct(c->path, which, list, n, error))
		return false;
	for (unsigned i = 0; i < n; i++) {
		if (series_find(c->series, list[i]))
			continue;
		g_autoptr(GPtrArray) known = g_ptr_array_new();
		for (unsigned k = 0; k < c->series->patches_count; k++)
			g_ptr_array_add(known, c->series->patches[k].name);
		g_ptr_array_add(known, NULL);
		g_autofree char *hint =
			campaign_suggest(list[i], (const char *const *)known->pdata);
		g_autofree char *key = campaign_entry_key(which, i);
		return campaign_error(error, c->path, key, "no patch '%s' in the series %s.%s",
				      list[i], c->series->path, hint);
	}
	return true;
}

static void default_candidates(Campaign *c)
{
	c->candidates = g_new0(char *, c->series->patches_count);
	for (unsigned i = 0; i < c->series->patches_count; i++) {
		const Patch *p = &c->series->patches[i];
		if (p->kind == PATCH_CANDIDATE && !lists(c->fixtures, c->fixtures_count, p->name))
			c->candidates[c->candidates_count++] = g_strdup(p->name);
	}
}

/* The position in the file of a name that one of the two lists holds. */
static char *key_of(const Campaign *c, const char *name)
{
	for (unsigned i = 0; i < c->fixtures_count; i++)
		if (g_str_equal(c->fixtures[i], name))
			return campaign_entry_key("fixtures", i);
	for (unsigned i = 0; i < c->candidates_count; i++)
		if (g_str_equal(c->candidates[i], name))
			return campaign_entry_key("candidates", i);
	return g_strdup("series");
}

static bool check_fixture(const Campaign *c, const char *name, GError **error)
{
	const Patch *p = series_find(c->series, name);
	g_autofree char *key = key_of(c, name);
	for (unsigned i = 0; i < p->depends_count; i++)
		if (!lists(c->fixtures, c->fixtures_count, p->depends[i]))
			return campaign_error(error, c->path, key,
					      "fixture '%s' depends on '%s', which is no fixture "
					      "here",
					      name, p->depends[i]);
	for (unsigned i = 0; i < p->conflicts_count; i++)
		if (lists(c->fixtures, c->fixtures_count, p->conflicts[i]))
			return campaign_error(error, c->path, key,
					      "fixture '%s' conflicts with fixture '%s'", name,
					      p->conflicts[i]);
	return true;
}

static bool check_candidate(const Campaign *c, const char *name, GError **error)
{
	const Patch *p = series_find(c->series, name);
	g_autofree char *key = key_of(c, name);
	for (unsigned i = 0; i < p->depends_count; i++)
		if (!lists(c->fixtures, c->fixtures_count, p->depends[i]) &&
		    !lists(c->candidates, c->candidates_count, p->depends[i]))
			return campaign_error(error, c->path, key,
					      "candidate '%s' depends on '%s', which is neither a "
					      "fixture nor a candidate here",
					      name, p->depends[i]);
	for (unsigned i = 0; i < p->conflicts_count; i++)
		if (lists(c->fixtures, c->fixtures_count, p->conflicts[i]))
			return campaign_error(
				error, c->path, key,
				"candidate '%s' conflicts with fixture '%s' and could "
				"never be tested",
				name, p->conflicts[i]);
	return true;
}

static void sort_by_series(const Series *s, char **list, unsigned n)
{
	g_autofree char **sorted = g_new0(char *, n + 1);
	unsigned at = 0;
	for (unsigned i = 0; i < s->patches_count; i++)
		for (unsigned k = 0; k < n; k++)
			if (g_str_equal(list[k], s->patches[i].name))
				sorted[at++] = list[k];
	for (unsigned i = 0; i < n; i++)
		list[i] = sorted[i];
}

static bool check_patches(Campaign *c, GError **error)
{
	if (!check_known(c, "fixtures", c->fixtures, c->fixtures_count, error) ||
	    !check_known(c, "candidates", c->candidates, c->candidates_count, error))
		return false;
	for (unsigned i = 0; i < c->candidates_count; i++)
		if (lists(c->fixtures, c->fixtures_count, c->candidates[i])) {
			g_autofree char *key = campaign_entry_key("candidates", i);
			return campaign_error(error, c->path, key,
					      "'%s' is a fixture too; a fixture is never a suspect",
					      c->candidates[i]);
		}
	if (campaign_given(c->path, "candidates") && !c->candidates_count)
		return campaign_error(error, c->path, "candidates",
				      "an empty list; without this key all candidates of the "
				      "series are tried");
	if (!c->candidates_count)
		default_candidates(c);
	if (!c->candidates_count)
		return campaign_error(error, c->path, "series",
				      "no candidates: every patch of the series is a fixture");
	for (unsigned i = 0; i < c->fixtures_count; i++)
		if (!check_fixture(c, c->fixtures[i], error))
			return false;
	for (unsigned i = 0; i < c->candidates_count; i++)
		if (!check_candidate(c, c->candidates[i], error))
			return false;
	sort_by_series(c->series, c->fixtures, c->fixtures_count);
	sort_by_series(c->series, c->candidates, c->candidates_count);
	return true;
}

static char *campaign_path(const char *name_or_path, GError **error)
{
	if (strchr(name_or_path, '/') || g_str_has_suffix(name_or_path, ".yaml"))
		return g_canonicalize_filename(name_or_path, NULL);
	g_autofree char *file = g_strconcat(name_or_path, ".yaml", NULL);
	g_autofree char *path = g_build_filename(kx_data_dir(), "configs", "campaigns", file, NULL);
	if (g_file_test(path, G_FILE_TEST_IS_REGULAR))
		return g_steal_pointer(&path);
	g_autofree char *folder = g_path_get_dirname(path);
	g_auto(GStrv) known = campaign_known_names(folder, "", ".yaml");
	g_autofree char *hint = campaign_suggest(name_or_path, (const char *const *)known);
	g_set_error(error, KX_ERROR, KX_ERROR_MISSING,
		    "no campaign '%s' in %s.%s A file of your own is named by its path.",
		    name_or_path, folder, hint);
	return NULL;
}

Campaign *campaign_load(const char *name_or_path, GError **error)
{
	g_autofree char *path = campaign_path(name_or_path, error);
	if (!path)
		return NULL;
	g_autoptr(Campaign) c = kx_yaml_load(path, &campaign_schema, error);
	if (!c)
		return NULL;
	c->path = g_steal_pointer(&path);
	if (!campaign_check_name(c->path, "name", c->name, error) || !check_numbers(c, error) ||
	    !campaign_check_cmdline(c->path, "boot.cmdline", c->cmdline, error) ||
	    !load_parts(c, error) ||
	    !campaign_lookup_list(c->path, "fragments", c->fragments, c->fragments_count,
				  "kernels/fragments", ".config", error) ||
	    !check_patches(c, error) || !campaign_compute_digest(c, error))
		return NULL;
	return g_steal_pointer(&c);
}
