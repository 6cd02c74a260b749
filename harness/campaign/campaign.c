/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "campaign/campaign.h"

#include <string.h>

#include "base/error.h"
#include "base/fs.h"
#include "campaign/campaign-internal.h"

static const cyaml_strval_t effects[] = {{"cures", EFFECT_CURES}, {"causes", EFFECT_CAUSES}};
static const cyaml_strval_t measures[] = {
	{"faults", MEASURE_FAULTS}, {"window", MEASURE_WINDOW}, {"blocked", MEASURE_BLOCKED}};
static const cyaml_strval_t of_effects[] = {{"trials", EFFECTS_OF_TRIALS},
					    {"boots", EFFECTS_BOOTS}};
static const cyaml_strval_t modes[] = {{"kexec", BOOT_KEXEC}, {"cold", BOOT_COLD}};

#define NEEDED_STRING(key, member)                                                                 \
	CYAML_FIELD_STRING_PTR(key, CYAML_FLAG_POINTER, Campaign, member, 0, CYAML_UNLIMITED)
#define STRING_OF(type, key, member)                                                               \
	CYAML_FIELD_STRING_PTR(key, CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL, type, member, 0,     \
			       CYAML_UNLIMITED)
#define LIST_OF(type, key, member)                                                                 \
	CYAML_FIELD_SEQUENCE(key, CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL, type, member,          \
			     &kx_yaml_string_entry, 0, CYAML_UNLIMITED)
#define OPTIONAL_STRING(key, member) STRING_OF(Campaign, key, member)

static const cyaml_schema_field_t boot_fields[] = {
	OPTIONAL_STRING("cmdline", cmdline),
	CYAML_FIELD_ENUM("mode", CYAML_FLAG_OPTIONAL | CYAML_FLAG_STRICT, Campaign, mode, modes,
			 G_N_ELEMENTS(modes)),
	CYAML_FIELD_END,
};
static const cyaml_schema_field_t weight_fields[] = {
	STRING_OF(CampaignWeight, "candidate", candidate),
	STRING_OF(CampaignWeight, "path", path),
	CYAML_FIELD_FLOAT("weight", CYAML_FLAG_DEFAULT, CampaignWeight, weight),
	CYAML_FIELD_END,
};
static const cyaml_schema_value_t weight_schema = {
	CYAML_VALUE_MAPPING(CYAML_FLAG_DEFAULT, CampaignWeight, weight_fields),
};
static const cyaml_schema_field_t relation_fields[] = {
	CYAML_FIELD_STRING_PTR("candidate", CYAML_FLAG_POINTER, CampaignRelation, candidate, 0,
			       CYAML_UNLIMITED),
	LIST_OF(CampaignRelation, "depends", depends),
	LIST_OF(CampaignRelation, "conflicts", conflicts),
	CYAML_FIELD_END,
};
static const cyaml_schema_value_t relation_schema = {
	CYAML_VALUE_MAPPING(CYAML_FLAG_DEFAULT, CampaignRelation, relation_fields),
};
static const cyaml_schema_field_t config_fields[] = {
	LIST_OF(CampaignConfig, "options", options),
	STRING_OF(CampaignConfig, "good", good),
	STRING_OF(CampaignConfig, "bad", bad),
	CYAML_FIELD_END,
};
static const cyaml_schema_field_t history_fields[] = {
	STRING_OF(CampaignHistory, "from", from),
	STRING_OF(CampaignHistory, "to", to),
	KX_YAML_BOOL("first_parent", CYAML_FLAG_OPTIONAL, CampaignHistory, first_parent),
	STRING_OF(CampaignHistory, "series", series_name),
	CYAML_FIELD_END,
};
static const cyaml_strval_t scrambles[] = {{"nothing", SCRAMBLE_NOTHING},
					   {"levels", SCRAMBLE_LEVELS}};
static const cyaml_schema_field_t order_fields[] = {
	STRING_OF(CampaignOrder, "good_from", good_from),
	STRING_OF(CampaignOrder, "bad_from", bad_from),
	LIST_OF(CampaignOrder, "good", good),
	LIST_OF(CampaignOrder, "bad", bad),
	CYAML_FIELD_ENUM("scramble", CYAML_FLAG_OPTIONAL | CYAML_FLAG_STRICT, CampaignOrder,
			 scramble, scrambles, G_N_ELEMENTS(scrambles)),
	LIST_OF(CampaignOrder, "keep", keep),
	CYAML_FIELD_UINT("seed", CYAML_FLAG_OPTIONAL, CampaignOrder, seed),
	CYAML_FIELD_END,
};
static const cyaml_strval_t survey_after[] = {{"verdict", SURVEY_AFTER_VERDICT}};
static const cyaml_schema_value_t mode_schema = {
	CYAML_VALUE_ENUM(CYAML_FLAG_STRICT, BootMode, modes, G_N_ELEMENTS(modes)),
};
static const cyaml_schema_field_t survey_fields[] = {
	LIST_OF(CampaignSurvey, "of", of),
	LIST_OF(CampaignSurvey, "sets", sets),
	CYAML_FIELD_UINT("boots", CYAML_FLAG_OPTIONAL, CampaignSurvey, boots),
	CYAML_FIELD_SEQUENCE("modes", CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL, CampaignSurvey,
			     modes, &mode_schema, 0, CYAML_UNLIMITED),
	CYAML_FIELD_ENUM("after", CYAML_FLAG_OPTIONAL | CYAML_FLAG_STRICT, CampaignSurvey, after,
			 survey_after, G_N_ELEMENTS(survey_after)),
	CYAML_FIELD_END,
};
static const cyaml_schema_field_t version_fields[] = {
	CYAML_FIELD_STRING_PTR("name", CYAML_FLAG_POINTER, CampaignVersion, name, 0,
			       CYAML_UNLIMITED),
	STRING_OF(CampaignVersion, "title", title),
	CYAML_FIELD_STRING_PTR("base", CYAML_FLAG_POINTER, CampaignVersion, base_name, 0,
			       CYAML_UNLIMITED),
	STRING_OF(CampaignVersion, "series", series_name),
	LIST_OF(CampaignVersion, "fixtures", fixtures),
	LIST_OF(CampaignVersion, "fragments", fragments),
	STRING_OF(CampaignVersion, "cmdline", cmdline),
	STRING_OF(CampaignVersion, "target", target_name),
	CYAML_FIELD_END,
};
static const cyaml_schema_value_t version_schema = {
	CYAML_VALUE_MAPPING(CYAML_FLAG_DEFAULT, CampaignVersion, version_fields),
};
static const cyaml_schema_field_t search_fields[] = {
	CYAML_FIELD_FLOAT("confidence", CYAML_FLAG_OPTIONAL, CampaignSearch, confidence),
	CYAML_FIELD_UINT("seed", CYAML_FLAG_OPTIONAL, CampaignSearch, seed),
	CYAML_FIELD_UINT("max_culprits", CYAML_FLAG_OPTIONAL, CampaignSearch, max_culprits),
	CYAML_FIELD_SEQUENCE("weights", CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL, CampaignSearch,
			     weights, &weight_schema, 0, CYAML_UNLIMITED),
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
	OPTIONAL_STRING("series", series_name),
	NEEDED_STRING("oracle", oracle_name),
	LIST_OF(Campaign, "fragments", fragments),
	LIST_OF(Campaign, "fixtures", fixtures),
	LIST_OF(Campaign, "candidates", patches),
	LIST_OF(Campaign, "parameters", parameters),
	LIST_OF(Campaign, "initcalls", initcalls),
	CYAML_FIELD_MAPPING_PTR("config", CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL, Campaign,
				config, config_fields),
	CYAML_FIELD_MAPPING_PTR("history", CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL, Campaign,
				history, history_fields),
	CYAML_FIELD_MAPPING_PTR("order", CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL, Campaign, order,
				order_fields),
	CYAML_FIELD_SEQUENCE("relations", CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL, Campaign,
			     relations, &relation_schema, 0, CYAML_UNLIMITED),
	CYAML_FIELD_MAPPING_PTR("survey", CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL, Campaign,
				survey, survey_fields),
	CYAML_FIELD_SEQUENCE("versions", CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL, Campaign,
			     versions, &version_schema, 0, CYAML_UNLIMITED),
	CYAML_FIELD_ENUM("effect", CYAML_FLAG_OPTIONAL | CYAML_FLAG_STRICT, Campaign, effect,
			 effects, G_N_ELEMENTS(effects)),
	CYAML_FIELD_ENUM("measure", CYAML_FLAG_OPTIONAL | CYAML_FLAG_STRICT, Campaign, measure,
			 measures, G_N_ELEMENTS(measures)),
	CYAML_FIELD_ENUM("effects", CYAML_FLAG_OPTIONAL | CYAML_FLAG_STRICT, Campaign, effects,
			 of_effects, G_N_ELEMENTS(of_effects)),
	CYAML_FIELD_SEQUENCE("targets", CYAML_FLAG_POINTER, Campaign, target_names,
			     &kx_yaml_string_entry, 0, CYAML_UNLIMITED),
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
	if (c->history)
		series_free(c->history->series);
	for (unsigned i = 0; i < c->versions_count; i++)
		campaign_version_clear(&c->versions[i]);
	if (c->survey)
		g_free(c->survey->variants);
	for (unsigned i = 0; i < c->candidates_count; i++)
		candidate_clear(&c->candidates[i]);
	g_free(c->candidates);
	g_free(c->history_start);
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

static bool load_series(const Campaign *c, const char *key, const char *name, Series **ret,
			GError **error)
{
	if (!name)
		return true;
	g_autofree char *path =
		campaign_lookup(c->path, key, name, "patches", "/series.yaml", error);
	return path && (*ret = series_load(path, error));
}

static bool load_parts(Campaign *c, GError **error)
{
	g_autofree char *base =
		campaign_lookup(c->path, "base", c->base_name, "kernels", ".yaml", error);
	if (!base || !(c->base = recipe_load(base, error)))
		return false;
	if (!load_series(c, "series", c->series_name, &c->series, error) ||
	    (c->history && !load_series(c, "history.series", c->history->series_name,
					&c->history->series, error)))
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
	    !campaign_check_versions(c, error) || !campaign_check_order(c, error) ||
	    !campaign_check_survey(c, error) || !campaign_list_candidates(c, error) ||
	    !campaign_compute_digest(c, error))
		return NULL;
	return g_steal_pointer(&c);
}

const TargetConfig *campaign_target(const Campaign *c, const char *name, GError **error)
{
	for (unsigned i = 0; i < c->target_names_count; i++)
		if (!name || g_str_equal(c->targets[i]->name, name))
			return c->targets[i];
	g_set_error(error, KX_ERROR, KX_ERROR_INPUT, "--target %s: %s has no such target", name,
		    c->path);
	return NULL;
}
