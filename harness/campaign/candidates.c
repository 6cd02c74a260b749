/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The suspects of a campaign as one list, whatever their kind. */
#include <string.h>

#include "base/error.h"
#include "campaign/campaign-internal.h"
#include "initcall/order.h"

const char *candidate_kind_name(CandidateKind kind)
{
	static const char *const names[CANDIDATE_KIND_MAX] = {"patch",	"parameter", "initcall",
							      "config", "commit",    "version"};
	return kind < CANDIDATE_KIND_MAX ? names[kind] : "?";
}

void candidate_clear(Candidate *k)
{
	g_free(k->name);
	g_free(k->title);
	g_free(k->text);
	g_free(k->parents);
	*k = (Candidate){0};
}

/* ---- settings of a config candidate ---- */

/* The length of a value of a kconfig symbol at `p`; 0: it is none. */
static size_t value_length(const char *p)
{
	if (*p == '"') {
		const char *end = strchr(p + 1, '"');
		return end ? (size_t)(end - p) + 1 : 0;
	}
	size_t n = strcspn(p, " ");
	if (n == 1 && strchr("ymn", *p))
		return 1;
	size_t sign = *p == '-';
	bool hex = g_str_has_prefix(p + sign, "0x");
	size_t from = sign + (hex ? 2 : 0);
	size_t digits = strspn(p + from, hex ? "0123456789abcdefABCDEF" : "0123456789");
	return digits && from + digits == n ? n : 0;
}

char **candidate_settings(const char *text, GError **error)
{
	g_autoptr(GStrvBuilder) out = g_strv_builder_new();
	const char *p = text + strspn(text, " ");
	while (*p) {
		if (g_str_has_prefix(p, "CONFIG_"))
			p += strlen("CONFIG_");
		size_t name = strspn(p, G_CSET_a_2_z G_CSET_A_2_Z G_CSET_DIGITS "_");
		size_t value = name && p[name] == '=' ? value_length(p + name + 1) : 0;
		size_t all = name + 1 + value;
		if (!value || (p[all] && p[all] != ' ')) {
			g_set_error(error, KX_ERROR, KX_ERROR_INPUT,
				    "'%s' is no kconfig setting: expected NAME=y, =m, =n, a number "
				    "or a \"string\"",
				    text);
			return NULL;
		}
		g_autofree char *one = g_strndup(p, all);
		g_strv_builder_add(out, one);
		p += all;
		p += strspn(p, " ");
	}
	return g_strv_builder_end(out);
}

bool campaign_config_pair(const Campaign *c, const char **ret_from, const char **ret_to)
{
	if (!c->config || !c->config->good)
		return false;
	bool cures = c->effect == EFFECT_CURES;
	*ret_from = cures ? c->config->bad : c->config->good;
	*ret_to = cures ? c->config->good : c->config->bad;
	return true;
}

/* ---- the list ---- */

char *campaign_key_of(const Campaign *c, const char *name)
{
	const struct {
		const char *key;
		char *const *list;
		unsigned n;
	} lists[] = {
		{"fixtures", c->fixtures, c->fixtures_count},
		{"candidates", c->patches, c->patches_count},
		{"parameters", c->parameters, c->parameters_count},
		{"initcalls", c->initcalls, c->initcalls_count},
		{"config.options", c->config ? c->config->options : NULL,
		 c->config ? c->config->options_count : 0},
	};
	for (guint l = 0; l < G_N_ELEMENTS(lists); l++)
		for (unsigned i = 0; i < lists[l].n; i++)
			if (g_str_equal(lists[l].list[i], name))
				return campaign_entry_key(lists[l].key, i);
	return g_strdup(c->history	 ? "history"
			: c->config	 ? "config"
			: c->series_name ? "series"
					 : "name");
}

static bool add(Campaign *c, Candidate *k, GError **error)
{
	/* commits are many, and git names each of them differently */
	for (unsigned i = 0; k->kind != CANDIDATE_COMMIT && i < c->candidates_count; i++)
		if (g_str_equal(c->candidates[i].name, k->name)) {
			g_autofree char *key = campaign_key_of(c, k->name);
			campaign_error(error, c->path, key,
				       "there are two candidates with the name '%s'", k->name);
			candidate_clear(k);
			return false;
		}
	c->candidates = g_renew(Candidate, c->candidates, c->candidates_count + 1);
	c->candidates[c->candidates_count++] = *k;
	return true;
}

static bool add_plain(Campaign *c, CandidateKind kind, const char *name, const char *title,
		      GError **error)
{
	Candidate k = {.kind = kind,
		       .name = g_strdup(name),
		       .title = g_strdup(title),
		       .text = g_strdup(name),
		       .weight = 1};
	return add(c, &k, error);
}

static bool add_patches(Campaign *c, GError **error)
{
	for (unsigned i = 0; c->series && i < c->series->patches_count; i++) {
		const Patch *p = &c->series->patches[i];
		if (campaign_lists(c->patches, c->patches_count, p->name) &&
		    !add_plain(c, CANDIDATE_PATCH, p->name, p->title, error))
			return false;
	}
	return true;
}

static bool add_parameters(Campaign *c, GError **error)
{
	if (!campaign_check_distinct(c->path, "parameters", c->parameters, c->parameters_count,
				     error))
		return false;
	for (unsigned i = 0; i < c->parameters_count; i++) {
		g_autofree char *key = campaign_entry_key("parameters", i);
		g_autofree char *words = g_strstrip(g_strdup(c->parameters[i]));
		if (!campaign_check_cmdline(c->path, key, c->parameters[i], error))
			return false;
		if (!g_str_equal(words, c->parameters[i]))
			return campaign_error(error, c->path, key,
					      "'%s' begins or ends with a blank", c->parameters[i]);
		if (!add_plain(c, CANDIDATE_PARAMETER, words, NULL, error))
			return false;
	}
	return !campaign_given(c->path, "parameters") || c->parameters_count ||
	       campaign_error(error, c->path, "parameters", "an empty list");
}

/* Which functions there are is seen when the kernel is built. */
static bool add_initcalls(Campaign *c, GError **error)
{
	if (!campaign_check_distinct(c->path, "initcalls", c->initcalls, c->initcalls_count, error))
		return false;
	for (unsigned i = 0; i < c->initcalls_count; i++) {
		g_autofree char *key = campaign_entry_key("initcalls", i);
		g_autoptr(GError) why = NULL;
		if (!initcall_move_check(c->initcalls[i], NULL, &why))
			return campaign_error(error, c->path, key, "%s", why->message);
		if (!add_plain(c, CANDIDATE_INITCALL, c->initcalls[i], NULL, error))
			return false;
	}
	return !campaign_given(c->path, "initcalls") || c->initcalls_count ||
	       campaign_error(error, c->path, "initcalls", "an empty list");
}

static bool add_option(Campaign *c, unsigned i, GError **error)
{
	g_autofree char *key = campaign_entry_key("config.options", i);
	g_autoptr(GError) why = NULL;
	g_auto(GStrv) settings = candidate_settings(c->config->options[i], &why);
	if (!settings)
		return campaign_error(error, c->path, key, "%s", why->message);
	char *text = g_strjoinv(" ", settings);
	g_free(c->config->options[i]);
	c->config->options[i] = text;
	return add_plain(c, CANDIDATE_CONFIG, text, NULL, error);
}

static bool add_config(Campaign *c, GError **error)
{
	CampaignConfig *k = c->config;
	if (!k)
		return true;
	bool pair = k->good || k->bad;
	if (pair == (k->options_count > 0))
		return campaign_error(error, c->path, "config",
				      "expected either options, or good and bad");
	if (pair && !(k->good && k->bad))
		return campaign_error(error, c->path, "config",
				      "the key %s is missing: the candidates are what differs "
				      "between the two files",
				      k->good ? "bad" : "good");
	if (!campaign_lookup_into(c->path, "config.good", &k->good, "kernels/configs", ".config",
				  error) ||
	    !campaign_lookup_into(c->path, "config.bad", &k->bad, "kernels/configs", ".config",
				  error) ||
	    !campaign_check_distinct(c->path, "config.options", k->options, k->options_count,
				     error))
		return false;
	for (unsigned i = 0; i < k->options_count; i++)
		if (!add_option(c, i, error))
			return false;
	return true;
}

/* The first or last commit of a part of a series: one of its patches. */
static bool check_part(const Campaign *c, const char *key, const char *name, GError **error)
{
	const Series *s = c->history->series;
	if (!name || series_find(s, name))
		return true;
	g_autoptr(GPtrArray) known = g_ptr_array_new();
	for (unsigned i = 0; i < s->patches_count; i++)
		g_ptr_array_add(known, s->patches[i].name);
	g_ptr_array_add(known, NULL);
	g_autofree char *hint = campaign_suggest(name, (const char *const *)known->pdata);
	return campaign_error(error, c->path, key, "no patch '%s' in the series %s.%s", name,
			      s->path, hint);
}

static bool check_history(const Campaign *c, GError **error)
{
	const CampaignHistory *h = c->history;
	if (!h)
		return true;
	if (c->patches_count || c->parameters_count || c->initcalls_count || c->config)
		return campaign_error(error, c->path, "history",
				      "the commits of a history are the only candidates: no "
				      "candidates, parameters, initcalls or config beside it");
	if (h->series)
		return check_part(c, "history.from", h->from, error) &&
		       check_part(c, "history.to", h->to, error);
	if (!(h->from && *h->from && h->to && *h->to))
		return campaign_error(error, c->path, "history",
				      h->from || h->to ? "the key %s is missing"
						       : "expected the keys from and to, or series",
				      h->from && *h->from ? "to" : "from");
	if (*h->from == '-' || *h->to == '-')
		return campaign_error(error, c->path,
				      *h->from == '-' ? "history.from" : "history.to",
				      "no revision begins with '-'");
	if (!c->base->source.git)
		return campaign_error(error, c->path, "history.from",
				      "the source of base '%s' is no git repository, so it has no "
				      "history; a series can be one (history.series)",
				      c->base->name);
	return true;
}

static bool check_count(const Campaign *c, GError **error)
{
	if (c->history || c->candidates_count <= CAMPAIGN_MAX_CANDIDATES)
		return true;
	const Candidate *last = &c->candidates[CAMPAIGN_MAX_CANDIDATES];
	g_autofree char *key = campaign_key_of(c, last->name);
	return campaign_error(error, c->path, key,
			      "%u candidates, but at most %d can be searched at once; name fewer",
			      c->candidates_count, CAMPAIGN_MAX_CANDIDATES);
}

bool campaign_needs_source(const Campaign *c)
{
	return c->history || (c->config && c->config->good);
}

/* Nobody suspects them, but they are what the variants are made of. */
static bool add_all_versions(Campaign *c, GError **error)
{
	for (unsigned i = 0; i < c->versions_count; i++) {
		const CampaignVersion *v = &c->versions[i];
		const char *title = v->title ? v->title : v->base->title;
		if (!add_plain(c, CANDIDATE_VERSION, v->name, title, error))
			return false;
	}
	return campaign_relate(c, error) && campaign_plan_survey(c, error);
}

bool campaign_list_candidates(Campaign *c, GError **error)
{
	if (c->versions_count)
		return add_all_versions(c, error);
	if (c->order) /* what is not fixed is not suspected either */
		return campaign_check_fixtures(c->path, "fixtures", c->series, c->fixtures,
					       c->fixtures_count, error);
	if (!check_history(c, error) || !campaign_check_patches(c, error) ||
	    !add_patches(c, error) || !add_parameters(c, error) || !add_initcalls(c, error) ||
	    !add_config(c, error) || !check_count(c, error))
		return false;
	if (!c->candidates_count && !campaign_needs_source(c))
		return campaign_error(error, c->path, "name",
				      "nothing is suspected: expected one of the keys candidates "
				      "(with series), parameters, initcalls, config, "
				      "history, order, versions");
	return campaign_relate(c, error) && campaign_plan_survey(c, error);
}

bool campaign_expand(Campaign *c, Candidate *found, unsigned n, GError **error)
{
	unsigned first = c->candidates_count;
	bool ok = true;
	for (unsigned i = 0; i < n; i++) {
		if (!c->history) {
			found[i].depends <<= first;
			found[i].conflicts <<= first;
		}
		if (!ok)
			candidate_clear(&found[i]);
		else
			ok = add(c, &found[i], error);
	}
	g_free(found);
	if (!ok || !check_count(c, error))
		return false;
	if (!c->candidates_count)
		return campaign_error(error, c->path, c->history ? "history" : "config",
				      "no candidates: %s",
				      c->history ? "the range has no commits"
						 : "the two files ask for the same kernel");
	campaign_extend_digest(c, first);
	return campaign_relate(c, error) && campaign_plan_survey(c, error);
}
