/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Key `versions`: several kernels, each a variant of its own. */
#include <string.h>

#include "campaign/campaign-internal.h"

void campaign_version_clear(CampaignVersion *v)
{
	recipe_free(v->base);
	series_free(v->series);
	target_config_free(v->target);
	g_clear_pointer(&v->missing, g_free);
}

/* Suspects and patches belong to each version, or there are none. */
static bool check_alone(const Campaign *c, GError **error)
{
	static const char *const others[] = {"series",	   "fixtures",	"candidates",
					     "parameters", "initcalls", "config",
					     "history",	   "relations", NULL};
	for (const char *const *key = others; *key; key++)
		if (campaign_given(c->path, *key))
			return campaign_error(error, c->path, *key,
					      "with versions there is nothing to search, and each "
					      "version names its own patches");
	return true;
}

static char *key_of(unsigned i, const char *key)
{
	return g_strdup_printf("versions.%u.%s", i, key);
}

static bool load_parts(Campaign *c, unsigned i, GError **error)
{
	CampaignVersion *v = &c->versions[i];
	g_autofree char *base_key = key_of(i, "base"), *series_key = key_of(i, "series"),
			*target_key = key_of(i, "target");
	g_autofree char *base =
		campaign_lookup(c->path, base_key, v->base_name, "kernels", ".yaml", error);
	if (!base || !(v->base = recipe_load(base, error)))
		return false;
	if (v->series_name) {
		g_autofree char *path = campaign_lookup(c->path, series_key, v->series_name,
							"patches", "/series.yaml", error);
		if (!path || !(v->series = series_load(path, error)))
			return false;
	}
	if (!v->target_name)
		return true;
	g_autofree char *target = campaign_lookup(c->path, target_key, v->target_name,
						  "configs/targets", ".yaml", error);
	return target && (v->target = target_config_load(target, error));
}

static bool check_version(Campaign *c, unsigned i, GError **error)
{
	CampaignVersion *v = &c->versions[i];
	g_autofree char *name = key_of(i, "name"), *fixtures = key_of(i, "fixtures"),
			*fragments = key_of(i, "fragments"), *cmdline = key_of(i, "cmdline");
	if (!campaign_check_name(c->path, name, v->name, error))
		return false;
	for (unsigned k = 0; k < i; k++)
		if (g_str_equal(c->versions[k].name, v->name))
			return campaign_error(error, c->path, name,
					      "there are two versions with the name '%s'", v->name);
	return campaign_check_cmdline(c->path, cmdline, v->cmdline, error) &&
	       load_parts(c, i, error) &&
	       campaign_check_fixtures(c->path, fixtures, v->series, v->fixtures, v->fixtures_count,
				       error) &&
	       campaign_lookup_list(c->path, fragments, v->fragments, v->fragments_count,
				    "kernels/fragments", ".config", error);
}

bool campaign_check_versions(Campaign *c, GError **error)
{
	if (campaign_given(c->path, "versions") && !c->versions_count)
		return campaign_error(error, c->path, "versions", "an empty list");
	if (!c->versions_count)
		return true;
	if (c->versions_count > CAMPAIGN_MAX_SURVEY)
		return campaign_error(error, c->path, "versions", "more than %u versions",
				      CAMPAIGN_MAX_SURVEY);
	if (!check_alone(c, error))
		return false;
	for (unsigned i = 0; i < c->versions_count; i++)
		if (!check_version(c, i, error))
			return false;
	return true;
}

const CampaignVersion *campaign_version(const Campaign *c, uint64_t variant)
{
	return variant >= 1 && variant <= c->versions_count ? &c->versions[variant - 1] : NULL;
}

bool campaign_is_numbered(const Campaign *c)
{
	return c->history || c->versions_count || c->order;
}

void campaign_leave_out(Campaign *c, unsigned i, const char *why)
{
	g_free(c->versions[i].missing);
	c->versions[i].missing = g_strdup(why);
}
