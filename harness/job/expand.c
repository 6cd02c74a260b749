/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "job/expand.h"

#include <string.h>

#include "kernel/kernel.h"

typedef struct {
	Campaign *campaign;
	const char *cache;
	bool sandbox;
	ExpandStepFunc step;
	gpointer user;
} Expand;

static void on_step(const char *step, uint64_t done, uint64_t total, const char *detail,
		    gpointer user)
{
	const Expand *x = user;
	if (!x->step)
		return;
	g_autofree char *text =
		total ? g_strdup_printf("%s %s (%.0f %%)", step, detail ? detail : "",
					100.0 * (double)done / (double)total)
		      : g_strdup_printf("%s %s", step, detail ? detail : "");
	x->step(text, x->user);
}

/* ---- commits ---- */

static Candidate commit_candidate(const Campaign *c, const KernelCommit *from)
{
	return (Candidate){
		.kind = CANDIDATE_COMMIT,
		.name = g_strdup(from->short_id),
		.title = g_strdup(from->subject),
		.text = g_strdup(from->id),
		.weight = campaign_weight(c, from->short_id, (const char *const *)from->paths),
		.parents = g_memdup2(from->parents, from->parents_count * sizeof(guint)),
		.parents_count = from->parents_count,
	};
}

static bool add_history(Expand *x, GError **error)
{
	Campaign *c = x->campaign;
	g_autoptr(KernelHistory) h =
		kernel_history(x->cache, c->base, c->history, on_step, x, error);
	if (!h) {
		g_prefix_error(error, "%s: history: ", c->path);
		return false;
	}
	Candidate *found = g_new0(Candidate, h->commits->len);
	for (guint i = 0; i < h->commits->len; i++)
		found[i] = commit_candidate(c, h->commits->pdata[i]);
	c->history_start = g_strdup(h->start);
	return campaign_expand(c, found, h->commits->len, error);
}

/* ---- two configurations ---- */

/* One setting is called what it is, "USB_PCI=y"; more of them by the name that they were given. */
static Candidate option_candidate(const Campaign *c, const KernelOption *from)
{
	const char *name = strpbrk(from->text, " \"") ? from->name : from->text;
	Candidate k = {
		.kind = CANDIDATE_CONFIG,
		.name = g_strdup(name),
		.title = g_strdup(from->title),
		.text = g_strdup(from->text),
		.weight = campaign_weight(c, name, (const char *const *)from->paths),
	};
	for (guint i = 0; i < from->depends_count; i++)
		k.depends |= (uint64_t)1 << from->depends[i];
	return k;
}

static bool add_options(Expand *x, const char *from, const char *to, GError **error)
{
	Campaign *c = x->campaign;
	g_autoptr(GPtrArray) all =
		kernel_config_options(x->cache, c->base, from, to, x->sandbox, on_step, x, error);
	if (!all) {
		g_prefix_error(error, "%s: config: ", c->path);
		return false;
	}
	Candidate *found = g_new0(Candidate, all->len);
	for (guint i = 0; i < all->len; i++)
		found[i] = option_candidate(c, all->pdata[i]);
	return campaign_expand(c, found, all->len, error);
}

/* ---- weights ---- */

static bool has_paths(const Campaign *c)
{
	for (unsigned i = 0; i < c->search.weights_count; i++)
		if (c->search.weights[i].path)
			return true;
	return false;
}

static bool weigh_patches(const Campaign *c, GError **error)
{
	for (unsigned i = 0; has_paths(c) && i < c->candidates_count; i++) {
		Candidate *k = &c->candidates[i];
		if (k->kind != CANDIDATE_PATCH)
			continue;
		g_auto(GStrv) paths = kernel_touched_paths(series_find(c->series, k->text), error);
		if (!paths)
			return false;
		k->weight = campaign_weight(c, k->name, (const char *const *)paths);
	}
	return true;
}

/* ---- what is compiled, and by what ---- */

static bool pin_recipe(Expand *x, Recipe *r, GError **error)
{
	g_auto(KernelSourceInfo) i = {0};
	if (recipe_is_fixed(r))
		return true;
	if (!kernel_source_info(x->cache, r, on_step, x, &i, error) ||
	    !campaign_pin(x->campaign, r, i.tree, i.toolchain, error))
		return false;
	r->source_is = kernel_source_text(&i, r);
	r->compiled_by = kernel_toolchain_text(&i);
	return true;
}

static bool pin(Expand *x, GError **error)
{
	Campaign *c = x->campaign;
	if (!pin_recipe(x, c->base, error))
		return false;
	for (unsigned i = 0; i < c->versions_count; i++)
		if (!c->versions[i].missing && !pin_recipe(x, c->versions[i].base, error))
			return false;
	return true;
}

bool expand_campaign(Campaign *c, const char *cache, bool sandbox, ExpandStepFunc step,
		     gpointer user, GError **error)
{
	Expand x = {c, cache, sandbox, step, user};
	const char *from, *to;
	if (!pin(&x, error))
		return false;
	if (c->history && !add_history(&x, error))
		return false;
	if (campaign_config_pair(c, &from, &to) && !add_options(&x, from, to, error))
		return false;
	return weigh_patches(c, error);
}
