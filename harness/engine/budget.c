/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What things cost, what is left, and how long it may still take. */
#include "engine/engine-internal.h"

#include <math.h>

#include "base/fs.h"

/* Each folder is looked at once. */
static double evidence_gib(Engine *e)
{
	for (unsigned n = MAX(e->weighed, 1); n < e->next_trial; n++) {
		g_autofree char *path = g_strdup_printf("%s/trials/%06u", e->run->dir, n);
		e->evidence_bytes += (double)kx_tree_size(path);
	}
	e->weighed = e->next_trial;
	return e->evidence_bytes / (1 << 30);
}

const char *engine_budget_used(Engine *e)
{
	const CampaignBudget *b = &e->campaign->budget;
	if (e->boots >= b->boots)
		return "boots";
	if (engine_elapsed(e) >= b->hours * 3600)
		return "hours";
	if (e->builds > b->builds)
		return "builds";
	double compile_s = e->before_compile_s + engine_times(e).compile;
	if (e->options->compile_minutes > 0 && compile_s >= e->options->compile_minutes * 60)
		return "compile minutes";
	if (e->options->disk_gib > 0 && evidence_gib(e) >= e->options->disk_gib)
		return "disk space";
	return NULL;
}

static double clean_build_s(const Engine *e)
{
	SearchCosts defaults;
	search_costs_init(&defaults);
	return engine_median(e->clean_s, e->full_s > 0 ? e->full_s : defaults.clean_build_s);
}

void engine_costs(Engine *e, GArray *built, SearchCosts *ret)
{
	const CampaignBudget *b = &e->campaign->budget;
	search_costs_init(ret);
	ret->boot_s = MAX(engine_median(e->boot_s, ret->boot_s), 1e-3);
	ret->build_s = MAX(engine_median(e->build_s, ret->build_s), 1e-3);
	ret->clean_build_s = MAX(clean_build_s(e), ret->build_s);
	ret->switch_s = engine_median(e->switch_s, ret->switch_s);
	ret->has_loaded = e->has_loaded;
	ret->loaded = e->loaded;
	for (guint i = 0; i < e->kernels->len; i++) {
		const EngineKernel *k = e->kernels->pdata[i];
		if (k->ok && !k->clean && !k->launcher)
			g_array_append_val(built, k->mask);
	}
	ret->built = (const SearchMask *)(void *)built->data;
	ret->n_built = built->len;
	ret->build_cost = engine_build_cost;
	ret->user = e;
	ret->boots_left = b->boots - MIN(e->boots, b->boots);
	ret->builds_left = b->builds - MIN(e->builds, b->builds);
	ret->seconds_left = MAX(b->hours * 3600 - engine_elapsed(e), 0);
}

/* Clean boots that the parent rule wants, docs/search.md. */
static double parent_boots(const Engine *e)
{
	double q = CLAMP(e->rates.q_mean, 0.02, 0.995);
	double confidence = CLAMP(e->campaign->search.confidence, 0.5, 0.9999);
	return MIN(ceil(log(confidence / (1 - confidence)) / -log1p(-q)), 250);
}

double engine_search_time_left(const Engine *e)
{
	const SearchExperiment *x = &e->next;
	SearchCosts defaults;
	search_costs_init(&defaults);
	double boot = engine_median(e->boot_s, defaults.boot_s);
	double clean = clean_build_s(e);
	double confirm = 2 * (clean + parent_boots(e) * boot);
	double left;
	switch (x->purpose) {
	case SEARCH_CONFIRM:
		left = x->cost_s;
		break;
	case SEARCH_PARENT:
		left = x->cost_s + confirm;
		break;
	default:
		/* As if the bits that are missing came at the rate of the present experiment. */
		left = x->bits > 1e-3 ? x->cost_s * MIN(e->entropy / x->bits, 200) : x->cost_s;
		left += confirm + 2 * parent_boots(e) * boot;
	}
	return left;
}

double engine_time_left(const Engine *e)
{
	if (!e->plan || !e->next.boots)
		return -1;
	double budget = e->campaign->budget.hours * 3600 - engine_elapsed(e);
	return CLAMP(e->plan->time_left(e), 0, MAX(budget, 0));
}
