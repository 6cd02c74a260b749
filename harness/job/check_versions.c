/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What can be known of a campaign's versions and its survey beforehand. */
#include "base/json.h"
#include "job/check-internal.h"
#include "kernel/kernel.h"

static bool is_checked(const Campaign *c, unsigned versions, const char *path)
{
	for (unsigned t = 0; t < c->target_names_count; t++)
		if (g_str_equal(c->targets[t]->path, path))
			return true;
	for (unsigned i = 0; i < versions; i++)
		if (c->versions[i].target && g_str_equal(c->versions[i].target->path, path))
			return true;
	return false;
}

void check_version_targets(Check *k)
{
	const Campaign *c = k->campaign;
	for (unsigned i = 0; i < c->versions_count; i++) {
		const TargetConfig *t = c->versions[i].target;
		if (t && !is_checked(c, i, t->path))
			check_target(k, t);
	}
}

/* Tools of the others are those of the base, but for a compiler of its own. */
static void check_compiler(Check *k, const CampaignVersion *v)
{
	g_autoptr(GPtrArray) tools = kernel_check_tools(v->base);
	for (guint i = 0; i < tools->len; i++) {
		const KernelTool *t = tools->pdata[i];
		g_autofree char *what = g_strdup_printf("%s: %s", v->name, t->name);
		if (!t->version && t->needed)
			check_add(k, "tools", CHECK_BAD, what,
				  g_strdup_printf("missing; apt-get install %s", t->package));
	}
}

static bool check_patches(Check *k, const CampaignVersion *v, GError **error)
{
	const char *none[] = {NULL};
	if (!v->fixtures_count)
		return true;
	g_autoptr(GStrvBuilder) names = g_strv_builder_new();
	for (unsigned i = 0; i < v->fixtures_count; i++)
		g_strv_builder_add(names, v->fixtures[i]);
	g_auto(GStrv) fixtures = g_strv_builder_end(names);
	g_autoptr(json_t) matrix = kernel_apply_matrix(k->options->cache, v->base, v->series,
						       (const char *const *)fixtures, none, error);
	return matrix != NULL;
}

static void check_version(Check *k, unsigned i)
{
	const CampaignVersion *v = &k->campaign->versions[i];
	g_autoptr(GError) error = NULL;
	check_step(k, "the source of %s", v->base->name);
	if (!kernel_prepare_source(k->options->cache, v->base, NULL, NULL, &error)) {
		campaign_leave_out(k->campaign, i, error->message);
		check_add(k, "version", CHECK_BAD, v->name,
			  g_strdup_printf("%s (kexsect run --skip-missing runs the others)",
					  error->message));
	} else if (!check_patches(k, v, &error))
		check_add(k, "version", CHECK_BAD, v->name, g_strdup(error->message));
	else
		check_add(k, "version", CHECK_OK, v->name,
			  g_strdup_printf("%s is imported, %u fixtures apply", v->base->name,
					  v->fixtures_count));
}

void check_versions(Check *k)
{
	for (unsigned i = 0; i < k->campaign->versions_count; i++) {
		check_compiler(k, &k->campaign->versions[i]);
		check_version(k, i);
	}
}

/* Of a search nobody knows how many boots it takes. */
void check_survey(Check *k)
{
	const Campaign *c = k->campaign;
	const CampaignSurvey *s = c->survey;
	if (!s || !s->variants_count)
		return;
	unsigned boots = s->variants_count * s->modes_count * s->boots;
	bool fits = boots <= c->budget.boots && s->variants_count <= c->budget.builds;
	char *plan = g_strdup_printf("%u variants, %u boots%s", s->variants_count, boots,
				     fits ? "" : ", which is more than the budget allows");
	check_add(k, "survey", fits ? CHECK_OK : CHECK_WARNING, c->name, plan);
}
