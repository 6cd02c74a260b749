/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Key `survey`: which variants a fixed plan boots. */
#include <string.h>

#include "campaign/campaign-internal.h"

#define BIT(i) ((uint64_t)1 << (i))
#define BASE "base" /* what survey.sets calls the variant without candidates */

static bool check_versions_plan(const Campaign *c, GError **error)
{
	const CampaignSurvey *s = c->survey;
	if (s->of_count || s->sets_count)
		return campaign_error(error, c->path, s->of_count ? "survey.of" : "survey.sets",
				      "the variants of this survey are its versions");
	return s->after == SURVEY_ALONE ||
	       campaign_error(error, c->path, "survey.after",
			      "versions are not searched: nothing goes before their survey");
}

/* The defaults too. */
static bool check_plan(Campaign *c, GError **error)
{
	CampaignSurvey *s = c->survey;
	if (!campaign_check_range(c->path, "survey.boots", s->boots, 1, 1000, error))
		return false;
	s->boots = s->boots ? s->boots : 3;
	for (unsigned i = 0; i < s->modes_count; i++)
		for (unsigned k = 0; k < i; k++)
			if (s->modes[i] == s->modes[k]) {
				g_autofree char *key = campaign_entry_key("survey.modes", i);
				return campaign_error(error, c->path, key,
						      "this mode is there already");
			}
	if (!s->modes_count) {
		g_free(s->modes);
		s->modes = g_new0(BootMode, 1);
		s->modes[0] = c->mode;
		s->modes_count = 1;
	}
	return true;
}

/* Key `effects: boots`: a survey of one boot each, which only says something where one boot
 * measures exactly. */
static bool plan_effects(Campaign *c, GError **error)
{
	if (c->effects != EFFECTS_BOOTS)
		return true;
	if (c->survey || c->versions_count || c->history)
		return campaign_error(error, c->path, "effects",
				      "boots: cannot go with a survey, versions or a history; a "
				      "survey has the boots that it says");
	for (unsigned i = 0; i < c->target_names_count; i++)
		if (c->targets[i]->vm.determinism != DETERMINISM_ICOUNT)
			return campaign_error(error, c->path, "effects",
					      "boots: needs a target of which one boot says it "
					      "all (vm.determinism: icount); %s is none",
					      c->targets[i]->name);
	c->survey = g_new0(CampaignSurvey, 1);
	c->survey->boots = 1;
	c->survey->after = SURVEY_AFTER_VERDICT;
	return true;
}

bool campaign_check_survey(Campaign *c, GError **error)
{
	if (!plan_effects(c, error))
		return false;
	if (!c->survey && c->versions_count)
		c->survey = g_new0(CampaignSurvey, 1);
	if (!c->survey)
		return true;
	if (c->history)
		return campaign_error(error, c->path, "survey",
				      "a survey is of sets of candidates or of versions, not of a "
				      "history");
	if (c->versions_count && !check_versions_plan(c, error))
		return false;
	return check_plan(c, error);
}

/* ---- variants ---- */

static bool conflicts(const Campaign *c, uint64_t set)
{
	for (unsigned i = 0; i < c->candidates_count; i++)
		if (set & BIT(i) && c->candidates[i].conflicts & set)
			return true;
	return false;
}

static bool has(const CampaignSurvey *s, uint64_t variant)
{
	for (unsigned i = 0; i < s->variants_count; i++)
		if (s->variants[i] == variant)
			return true;
	return false;
}

static bool add(Campaign *c, const char *key, uint64_t variant, GError **error)
{
	CampaignSurvey *s = c->survey;
	if (has(s, variant))
		return true;
	if (s->variants_count == CAMPAIGN_MAX_SURVEY)
		return campaign_error(error, c->path, key,
				      "more than %u variants; name fewer candidates",
				      CAMPAIGN_MAX_SURVEY);
	s->variants = g_renew(uint64_t, s->variants, s->variants_count + 1);
	s->variants[s->variants_count++] = variant;
	return true;
}

/* Smaller sets first, and of one size in the order of the candidates. */
static int by_size(gconstpointer a, gconstpointer b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
	int n = __builtin_popcountll(x), m = __builtin_popcountll(y);
	uint64_t first = x ^ y;
	first &= ~first + 1; /* the first candidate that only one of them has */
	return n != m ? n - m : x == y ? 0 : x & first ? -1 : 1;
}

/* All combinations of the candidates with these numbers. */
static bool add_combinations(Campaign *c, const unsigned *of, unsigned n, GError **error)
{
	const char *key = c->survey->of_count ? "survey.of" : "survey";
	if (n > 16)
		return campaign_error(error, c->path, key,
				      "the combinations of %u candidates are too many: at most %u "
				      "variants; name fewer in survey.of",
				      n, CAMPAIGN_MAX_SURVEY);
	for (unsigned pick = 0; pick < 1u << n; pick++) {
		uint64_t set = 0;
		for (unsigned i = 0; i < n; i++)
			if (pick >> i & 1)
				set |= campaign_closure(c, of[i]);
		if (!conflicts(c, set) && !add(c, key, set, error))
			return false;
	}
	qsort(c->survey->variants, c->survey->variants_count, sizeof(uint64_t), by_size);
	return true;
}

static bool add_of(Campaign *c, GError **error)
{
	const CampaignSurvey *s = c->survey;
	bool all = !s->of_count;
	unsigned n = all ? c->candidates_count : s->of_count;
	g_autofree unsigned *of = g_new0(unsigned, n + 1);
	if (all && s->sets_count)
		return true;
	if (!campaign_check_distinct(c->path, "survey.of", s->of, s->of_count, error))
		return false;
	for (unsigned i = 0; i < n; i++) {
		g_autofree char *key = campaign_entry_key("survey.of", i);
		int k = all ? (int)i : campaign_find_candidate(c, key, s->of[i], error);
		if (k < 0)
			return false;
		of[i] = (unsigned)k;
	}
	return add_combinations(c, of, n, error);
}

/* "a + b" */
static bool add_set(Campaign *c, unsigned i, GError **error)
{
	g_autofree char *key = campaign_entry_key("survey.sets", i);
	g_auto(GStrv) names = g_strsplit(c->survey->sets[i], " + ", -1);
	uint64_t set = 0;
	bool base = g_str_equal(c->survey->sets[i], BASE);
	for (char **n = names; !base && *n; n++) {
		int k = campaign_find_candidate(c, key, g_strstrip(*n), error);
		if (k < 0)
			return false;
		set |= campaign_closure(c, (unsigned)k);
	}
	if (conflicts(c, set))
		return campaign_error(error, c->path, key,
				      "'%s' can never be booted: it needs candidates that conflict",
				      c->survey->sets[i]);
	return add(c, key, set, error);
}

static bool add_versions(Campaign *c, GError **error)
{
	for (unsigned i = 0; i < c->versions_count; i++)
		if (!add(c, "versions", i + 1, error))
			return false;
	return true;
}

/* Each candidate alone, and what is compared with it: what it needs, without it. */
static bool add_pairs(Campaign *c, GError **error)
{
	for (unsigned i = 0; i < c->candidates_count; i++) {
		uint64_t with = campaign_closure(c, i);
		if (!conflicts(c, with) &&
		    (!add(c, "effects", with & ~BIT(i), error) || !add(c, "effects", with, error)))
			return false;
	}
	qsort(c->survey->variants, c->survey->variants_count, sizeof(uint64_t), by_size);
	return true;
}

bool campaign_plan_survey(Campaign *c, GError **error)
{
	CampaignSurvey *s = c->survey;
	if (!s || campaign_waits_for_source(c))
		return true;
	if (c->versions_count)
		return add_versions(c, error);
	if (c->effects == EFFECTS_BOOTS)
		return add_pairs(c, error);
	if (!add_of(c, error) ||
	    !campaign_check_distinct(c->path, "survey.sets", s->sets, s->sets_count, error))
		return false;
	for (unsigned i = 0; i < s->sets_count; i++)
		if (!add_set(c, i, error))
			return false;
	return true;
}

bool campaign_searches(const Campaign *c)
{
	return !c->survey || c->survey->after == SURVEY_AFTER_VERDICT;
}
