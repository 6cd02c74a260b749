/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Fixtures and candidate patches of a campaign against its series. */
#include <string.h>

#include "campaign/campaign-internal.h"

bool campaign_lists(char *const *list, unsigned n, const char *name)
{
	for (unsigned i = 0; i < n; i++)
		if (g_str_equal(list[i], name))
			return true;
	return false;
}

static bool check_known(const char *path, const char *which, const Series *s, char **list,
			unsigned n, GError **error)
{
	if (!campaign_check_distinct(path, which, list, n, error))
		return false;
	for (unsigned i = 0; i < n; i++) {
		if (series_find(s, list[i]))
			continue;
		g_autoptr(GPtrArray) known = g_ptr_array_new();
		for (unsigned k = 0; k < s->patches_count; k++)
			g_ptr_array_add(known, s->patches[k].name);
		g_ptr_array_add(known, NULL);
		g_autofree char *hint =
			campaign_suggest(list[i], (const char *const *)known->pdata);
		g_autofree char *key = campaign_entry_key(which, i);
		return campaign_error(error, path, key, "no patch '%s' in the series %s.%s",
				      list[i], s->path, hint);
	}
	return true;
}

static void default_candidates(Campaign *c)
{
	c->patches = g_new0(char *, c->series->patches_count);
	for (unsigned i = 0; i < c->series->patches_count; i++) {
		const Patch *p = &c->series->patches[i];
		if (p->kind == PATCH_CANDIDATE &&
		    !campaign_lists(c->fixtures, c->fixtures_count, p->name))
			c->patches[c->patches_count++] = g_strdup(p->name);
	}
}

static bool check_fixture(const char *path, const char *which, const Series *s, char **list,
			  unsigned n, unsigned i, GError **error)
{
	const Patch *p = series_find(s, list[i]);
	g_autofree char *key = campaign_entry_key(which, i);
	for (unsigned d = 0; d < p->depends_count; d++)
		if (!campaign_lists(list, n, p->depends[d]))
			return campaign_error(error, path, key,
					      "fixture '%s' depends on '%s', which is no fixture "
					      "here",
					      p->name, p->depends[d]);
	for (unsigned d = 0; d < p->conflicts_count; d++)
		if (campaign_lists(list, n, p->conflicts[d]))
			return campaign_error(error, path, key,
					      "fixture '%s' conflicts with fixture '%s'", p->name,
					      p->conflicts[d]);
	return true;
}

static bool check_candidate(const Campaign *c, const char *name, GError **error)
{
	const Patch *p = series_find(c->series, name);
	g_autofree char *key = campaign_key_of(c, name);
	for (unsigned i = 0; i < p->depends_count; i++)
		if (!campaign_lists(c->fixtures, c->fixtures_count, p->depends[i]) &&
		    !campaign_lists(c->patches, c->patches_count, p->depends[i]))
			return campaign_error(error, c->path, key,
					      "candidate '%s' depends on '%s', which is neither a "
					      "fixture nor a candidate here",
					      name, p->depends[i]);
	for (unsigned i = 0; i < p->conflicts_count; i++)
		if (campaign_lists(c->fixtures, c->fixtures_count, p->conflicts[i]))
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

/* Whether the file names a suspect at all; else all candidates of the series are meant. */
static bool names_suspects(const Campaign *c)
{
	return c->patches_count || c->parameters_count || c->initcalls_count || c->config ||
	       c->history;
}

static bool check_lists(Campaign *c, GError **error)
{
	if (!check_known(c->path, "fixtures", c->series, c->fixtures, c->fixtures_count, error) ||
	    !check_known(c->path, "candidates", c->series, c->patches, c->patches_count, error))
		return false;
	for (unsigned i = 0; i < c->patches_count; i++)
		if (campaign_lists(c->fixtures, c->fixtures_count, c->patches[i])) {
			g_autofree char *key = campaign_entry_key("candidates", i);
			return campaign_error(error, c->path, key,
					      "'%s' is a fixture too; a fixture is never a suspect",
					      c->patches[i]);
		}
	return true;
}

static bool no_series(const char *path, const char *key, GError **error)
{
	return campaign_error(error, path, key,
			      "these are names of patches: the key series says where they are");
}

bool campaign_check_fixtures(const char *path, const char *key, const Series *s, char **list,
			     unsigned n, GError **error)
{
	if (!s)
		return !n || no_series(path, key, error);
	if (!check_known(path, key, s, list, n, error))
		return false;
	for (unsigned i = 0; i < n; i++)
		if (!check_fixture(path, key, s, list, n, i, error))
			return false;
	sort_by_series(s, list, n);
	return true;
}

bool campaign_check_patches(Campaign *c, GError **error)
{
	const char *key = c->fixtures_count ? "fixtures" : "candidates";
	if (!c->series && (c->fixtures_count || c->patches_count))
		return no_series(c->path, key, error);
	if (campaign_given(c->path, "candidates") && !c->patches_count)
		return campaign_error(error, c->path, "candidates",
				      "an empty list; without this key all candidates of the "
				      "series are tried");
	if (!c->series)
		return true;
	if (!check_lists(c, error))
		return false;
	if (!names_suspects(c))
		default_candidates(c);
	if (!names_suspects(c))
		return campaign_error(error, c->path, "series",
				      "no candidates: every patch of the series is a fixture");
	for (unsigned i = 0; i < c->fixtures_count; i++)
		if (!check_fixture(c->path, "fixtures", c->series, c->fixtures, c->fixtures_count,
				   i, error))
			return false;
	for (unsigned i = 0; i < c->patches_count; i++)
		if (!check_candidate(c, c->patches[i], error))
			return false;
	sort_by_series(c->series, c->fixtures, c->fixtures_count);
	return true;
}
