/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What candidates need, what they cannot be with, and how likely they are beforehand. */
#include <string.h>

#include "campaign/campaign-internal.h"
#include "initcall/order.h"

#define BIT(i) ((uint64_t)1 << (i))

static int index_of(const Campaign *c, const char *name)
{
	for (unsigned i = 0; i < c->candidates_count; i++)
		if (g_str_equal(c->candidates[i].name, name))
			return (int)i;
	return -1;
}

/* A commit is meant by the beginning of its hash, too. */
int campaign_find_candidate(const Campaign *c, const char *key, const char *name, GError **error)
{
	int i = index_of(c, name);
	for (unsigned k = 0; i < 0 && c->history && strlen(name) >= 7 && k < c->candidates_count;
	     k++)
		if (g_str_has_prefix(c->candidates[k].text, name))
			i = (int)k;
	if (i >= 0)
		return i;
	g_autoptr(GPtrArray) known = g_ptr_array_new();
	for (unsigned k = 0; k < MIN(c->candidates_count, CAMPAIGN_MAX_CANDIDATES); k++)
		g_ptr_array_add(known, c->candidates[k].name);
	g_ptr_array_add(known, NULL);
	g_autofree char *hint = campaign_suggest(name, (const char *const *)known->pdata);
	campaign_error(error, c->path, key, "no candidate '%s' here.%s", name, hint);
	return -1;
}

/* What the series says of its patches. */
static void relate_patches(Campaign *c)
{
	for (unsigned i = 0; i < c->candidates_count; i++) {
		Candidate *k = &c->candidates[i];
		const Patch *p =
			k->kind == CANDIDATE_PATCH ? series_find(c->series, k->text) : NULL;
		for (unsigned d = 0; p && d < p->depends_count; d++) {
			int j = index_of(c, p->depends[d]);
			if (j >= 0 && c->candidates[j].kind == CANDIDATE_PATCH)
				k->depends |= BIT(j);
		}
		for (unsigned d = 0; p && d < p->conflicts_count; d++) {
			int j = index_of(c, p->conflicts[d]);
			if (j >= 0 && c->candidates[j].kind == CANDIDATE_PATCH)
				k->conflicts |= BIT(j);
		}
	}
}

/* A function runs once: it cannot be in two places. */
static void relate_initcalls(Campaign *c)
{
	g_autoptr(GPtrArray) functions = g_ptr_array_new_with_free_func(g_free);
	for (unsigned i = 0; i < c->candidates_count; i++) {
		Candidate *k = &c->candidates[i];
		char *function = NULL;
		if (k->kind == CANDIDATE_INITCALL)
			initcall_move_check(k->text, &function, NULL);
		g_ptr_array_add(functions, function);
		for (unsigned j = 0; function && j < i; j++)
			if (g_strcmp0(functions->pdata[j], function) == 0)
				k->conflicts |= BIT(j);
	}
}

/* One list of a relation, as a set. */
static bool read_set(const Campaign *c, unsigned r, const char *which, char **list, unsigned n,
		     int own, uint64_t *ret, GError **error)
{
	g_autofree char *key = g_strdup_printf("relations.%u.%s", r, which);
	if (!campaign_check_distinct(c->path, key, list, n, error))
		return false;
	for (unsigned k = 0; k < n; k++) {
		g_autofree char *at = campaign_entry_key(key, k);
		int j = campaign_find_candidate(c, at, list[k], error);
		if (j < 0)
			return false;
		if (j == own)
			return campaign_error(error, c->path, at, "'%s' names itself", list[k]);
		*ret |= BIT(j);
	}
	return true;
}

static bool relate_named(Campaign *c, unsigned r, GError **error)
{
	const CampaignRelation *n = &c->relations[r];
	g_autofree char *key = g_strdup_printf("relations.%u.candidate", r);
	int i = campaign_find_candidate(c, key, n->candidate, error);
	if (i < 0)
		return false;
	Candidate *k = &c->candidates[i];
	if (!read_set(c, r, "depends", n->depends, n->depends_count, i, &k->depends, error) ||
	    !read_set(c, r, "conflicts", n->conflicts, n->conflicts_count, i, &k->conflicts, error))
		return false;
	return n->depends_count || n->conflicts_count ||
	       campaign_error(error, c->path, key, "'%s': expected the key depends or conflicts",
			      n->candidate);
}

uint64_t campaign_closure(const Campaign *c, unsigned i)
{
	uint64_t all = BIT(i), before;
	do {
		before = all;
		for (unsigned k = 0; k < c->candidates_count; k++)
			if (all & BIT(k))
				all |= c->candidates[k].depends;
	} while (all != before);
	return all;
}

static bool check_testable(const Campaign *c, unsigned i, GError **error)
{
	const Candidate *k = &c->candidates[i];
	g_autofree char *key = campaign_key_of(c, k->name);
	uint64_t all = campaign_closure(c, i);
	for (unsigned a = 0; a < c->candidates_count; a++) {
		uint64_t clash = all & BIT(a) ? c->candidates[a].conflicts & all : 0;
		if (a != i && all & BIT(a) && campaign_closure(c, a) & BIT(i))
			return campaign_error(error, c->path, key,
					      "'%s' and '%s' need each other: make them one "
					      "candidate",
					      k->name, c->candidates[a].name);
		if (clash)
			return campaign_error(
				error, c->path, key,
				"'%s' can never be tried: it needs both '%s' and '%s', which "
				"conflict",
				k->name, c->candidates[a].name,
				c->candidates[__builtin_ctzll(clash)].name);
	}
	return true;
}

/* ---- weights ---- */

static bool touches(const char *const *paths, const char *what)
{
	size_t n = strlen(what);
	while (n > 1 && what[n - 1] == '/')
		n--;
	for (; paths && *paths; paths++)
		if (strncmp(*paths, what, n) == 0 && ((*paths)[n] == 0 || (*paths)[n] == '/'))
			return true;
	return false;
}

double campaign_weight(const Campaign *c, const char *name, const char *const *paths)
{
	double best = 0;
	for (unsigned i = 0; i < c->search.weights_count; i++) {
		const CampaignWeight *w = &c->search.weights[i];
		if (w->candidate && g_str_equal(w->candidate, name))
			return w->weight;
		if (w->path && touches(paths, w->path))
			best = MAX(best, w->weight);
	}
	return best > 0 ? best : 1;
}

static bool check_weight(const Campaign *c, unsigned i, GError **error)
{
	const CampaignWeight *w = &c->search.weights[i];
	g_autofree char *entry = campaign_entry_key("search.weights", i);
	g_autofree char *key = g_strconcat(entry, ".weight", NULL);
	g_autofree char *name = g_strconcat(entry, ".candidate", NULL);
	g_autofree char *path = g_strconcat(entry, ".path", NULL);
	if (!w->candidate == !w->path)
		return campaign_error(error, c->path, entry,
				      "expected one of the keys candidate, path");
	if (!(w->weight >= 1e-6 && w->weight <= 1e6))
		return campaign_error(error, c->path, key,
				      "%.10g is out of range: expected 0.000001 to 1000000",
				      w->weight);
	if (w->path && (!*w->path || *w->path == '/' || strstr(w->path, "..")))
		return campaign_error(error, c->path, path,
				      "'%s' is no path inside the kernel's source", w->path);
	return true;
}

static bool weigh(Campaign *c, GError **error)
{
	for (unsigned i = 0; i < c->search.weights_count; i++) {
		CampaignWeight *w = &c->search.weights[i];
		g_autofree char *key = g_strdup_printf("search.weights.%u.candidate", i);
		int k = w->candidate ? campaign_find_candidate(c, key, w->candidate, error) : -1;
		if (w->candidate && k < 0)
			return false;
		if (k < 0 || g_str_equal(c->candidates[k].name, w->candidate))
			continue;
		g_free(w->candidate); /* the beginning of a hash */
		w->candidate = g_strdup(c->candidates[k].name);
	}
	for (unsigned i = 0; i < c->candidates_count; i++) {
		Candidate *k = &c->candidates[i];
		double named = campaign_weight(c, k->name, NULL);
		k->weight = named != 1 || !(k->weight > 0) ? named : k->weight;
	}
	return true;
}

/* Names can only be looked up when all candidates are there. */
bool campaign_waits_for_source(const Campaign *c)
{
	for (unsigned i = 0; i < c->candidates_count; i++)
		if (c->candidates[i].kind >= CANDIDATE_CONFIG)
			return false;
	return campaign_needs_source(c);
}

bool campaign_relate(Campaign *c, GError **error)
{
	for (unsigned i = 0; i < c->search.weights_count; i++)
		if (!check_weight(c, i, error))
			return false;
	if (c->history && c->relations_count)
		return campaign_error(error, c->path, "relations",
				      "the commits of a history have their parents; there is "
				      "nothing to relate");
	if (campaign_waits_for_source(c))
		return true;
	if (c->history)
		return weigh(c, error);
	relate_patches(c);
	relate_initcalls(c);
	for (unsigned r = 0; r < c->relations_count; r++)
		if (!relate_named(c, r, error))
			return false;
	for (unsigned i = 0; i < c->candidates_count; i++)
		for (unsigned k = 0; k < c->candidates_count; k++)
			if (c->candidates[i].conflicts & BIT(k))
				c->candidates[k].conflicts |= BIT(i);
	for (unsigned i = 0; i < c->candidates_count; i++)
		if (!check_testable(c, i, error))
			return false;
	return weigh(c, error);
}
