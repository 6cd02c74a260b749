/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A fixed plan: so many boots of each variant in each mode. What is next follows from what was
 * booted, so a killed run goes on by itself. */
#include "engine/engine-internal.h"

#include <math.h>

#include "base/error.h"

#define MODES 2		  /* of BootMode */
#define CHEAP_SWITCH 0.25 /* of a boot's time: then each boot may be of another kernel */

typedef struct {
	SearchMask mask;
	char *left_out;	      /* why it is not booted; NULL: it is */
	bool failing;	      /* the lab failed too often for it in this sitting */
	unsigned made[MODES]; /* boots that were evidence, by whatever plan */
} Row;

struct EngineSurvey {
	GArray *rows; /* of Row, in the order of the table */
};

static void row_clear(gpointer data)
{
	g_free(((Row *)data)->left_out);
}

void engine_survey_free(EngineSurvey *s)
{
	if (!s)
		return;
	g_array_unref(s->rows);
	g_free(s);
}

static Row *row(const Engine *e, guint i)
{
	return &g_array_index(e->survey->rows, Row, i);
}

static guint n_rows(const Engine *e)
{
	return e->survey->rows->len;
}

static const CampaignSurvey *plan_of(const Engine *e)
{
	return e->campaign->survey;
}

static Row *find(const Engine *e, SearchMask mask)
{
	for (guint i = 0; e->survey && i < n_rows(e); i++)
		if (row(e, i)->mask == mask)
			return row(e, i);
	return NULL;
}

/* ---- begin ---- */

/* What was found to conflict, or to be needed, by trying it out. */
static char *why_not(const Engine *e, const EngineProblem *p, SearchMask mask)
{
	for (guint i = 0; i < p->conflicts->len; i++) {
		SearchMask set = g_array_index(p->conflicts, SearchMask, i);
		g_autofree char *names = engine_set_name(e, set);
		if ((mask & set) == set)
			return g_strdup_printf("%s do not apply together", names);
	}
	for (guint i = 0; i < p->problem.n; i++) {
		SearchMask needs = p->depends[i] & ~mask;
		g_autofree char *names = engine_set_name(e, needs);
		if (mask >> i & 1 && needs)
			return g_strdup_printf("%s does not apply without %s", p->names[i], names);
	}
	return NULL;
}

static char *left_out(const Engine *e, const EngineProblem *p, SearchMask mask)
{
	const CampaignVersion *v = campaign_version(e->campaign, mask);
	if (campaign_is_numbered(e->campaign))
		return v ? g_strdup(v->missing) : NULL;
	return why_not(e, p, mask);
}

static bool record(Engine *e, const char *why, GError **error);

static bool begin(Engine *e, GError **error)
{
	const CampaignSurvey *s = plan_of(e);
	g_auto(EngineProblem) p = {0};
	if (!campaign_is_numbered(e->campaign) && !engine_make_problem(e, &p, error))
		return false;
	e->survey = g_new0(EngineSurvey, 1);
	e->survey->rows = g_array_new(FALSE, TRUE, sizeof(Row));
	g_array_set_clear_func(e->survey->rows, row_clear);
	for (unsigned i = 0; i < s->variants_count; i++) {
		Row r = {.mask = s->variants[i], .left_out = left_out(e, &p, s->variants[i])};
		g_array_append_val(e->survey->rows, r);
	}
	return record(e, "unfinished", error);
}

static bool wanted(const Engine *e)
{
	return e->campaign->survey && !e->tabled;
}

/* ---- what is known ---- */

static void observe(Engine *e, const StoreTrial *t, int outcome)
{
	Row *r = find(e, t->mask);
	if (r)
		r->made[g_str_equal(t->mode, "cold") ? BOOT_COLD : BOOT_KEXEC]++;
}

static void untestable(Engine *e, SearchMask mask, bool lab)
{
	Row *r = find(e, mask);
	if (r && lab)
		r->failing = true;
}

static bool unbuildable(const Engine *e, const Row *r)
{
	const EngineKernel *k = engine_kernel((Engine *)e, r->mask, false, false);
	return k && !k->ok;
}

static bool is_open(const Engine *e, const Row *r)
{
	return !r->left_out && !r->failing && !unbuildable(e, r);
}

static unsigned missing(const Engine *e, const Row *r)
{
	const CampaignSurvey *s = plan_of(e);
	unsigned n = 0;
	for (unsigned m = 0; !r->left_out && !unbuildable(e, r) && m < s->modes_count; m++)
		n += s->boots - MIN(s->boots, r->made[s->modes[m]]);
	return n;
}

static void progress(const Engine *e, unsigned *ret_done, unsigned *ret_planned)
{
	const CampaignSurvey *s = plan_of(e);
	*ret_done = *ret_planned = 0;
	for (guint i = 0; e->survey && i < n_rows(e); i++) {
		const Row *r = row(e, i);
		if (r->left_out || unbuildable(e, r))
			continue;
		*ret_planned += s->boots * s->modes_count;
		*ret_done += s->boots * s->modes_count - missing(e, r);
	}
}

/* ---- what is next ---- */

static double build_s(const Engine *e, SearchMask mask)
{
	return engine_kernel((Engine *)e, mask, false, false)
		       ? 0
		       : engine_build_cost(mask, (gpointer)e);
}

static double boot_s(const Engine *e)
{
	SearchCosts defaults;
	search_costs_init(&defaults);
	return engine_median(e->boot_s, defaults.boot_s);
}

static double switch_s(const Engine *e)
{
	SearchCosts defaults;
	search_costs_init(&defaults);
	return engine_median(e->switch_s, defaults.switch_s);
}

/* Boots of one kernel in one mode without a break: where loading another costs next to nothing one,
 * else half of all, so that each is met at two times of the run at least. */
static unsigned stretch(const Engine *e)
{
	bool cheap = switch_s(e) <= CHEAP_SWITCH * boot_s(e);
	return cheap ? 1 : MAX((plan_of(e)->boots + 1) / 2, 1);
}

/* Row number `k` of a pass. Every other pass goes back, so that a lab that changes steadily gives
 * all rows the same mean, and the kernel at the turn stays loaded. */
static guint there_and_back(guint k, guint n, unsigned pass)
{
	return pass % 2 ? n - 1 - k : k;
}

static void fill_next(Engine *e, const Row *r, BootMode mode, unsigned boots)
{
	unsigned done, planned;
	progress(e, &done, &planned);
	e->purpose = "survey";
	e->next =
		(SearchExperiment){.variant = r->mask,
				   .mode = mode == BOOT_COLD ? SEARCH_COLD : SEARCH_KEXEC,
				   .boots = boots,
				   .bits = NAN,
				   .p_fault = NAN,
				   .cost_s = build_s(e, r->mask) + switch_s(e) + boots * boot_s(e)};
	g_snprintf(e->next.reason, sizeof(e->next.reason),
		   "boot %u of %u of this kernel by %s; %u of %u of the table are made",
		   r->made[mode] + 1, plan_of(e)->boots,
		   mode == BOOT_COLD ? "the firmware" : "the launcher", done, planned);
}

/* The first of the pass that has fewer than `goal` boots. */
static bool find_next(Engine *e, unsigned pass, unsigned goal, bool may_build, bool *held)
{
	const CampaignSurvey *s = plan_of(e);
	for (guint k = 0; k < n_rows(e); k++) {
		const Row *r = row(e, there_and_back(k, n_rows(e), pass));
		if (!is_open(e, r))
			continue;
		for (unsigned m = 0; m < s->modes_count; m++) {
			BootMode mode = s->modes[there_and_back(m, s->modes_count, pass)];
			if (r->made[mode] >= goal)
				continue;
			if (!may_build && build_s(e, r->mask) > 0) {
				*held = true;
				break;
			}
			fill_next(e, r, mode, goal - r->made[mode]);
			return true;
		}
	}
	return false;
}

static bool next(Engine *e, const char **ret_budget)
{
	unsigned boots = plan_of(e)->boots, step = stretch(e), goal = 0;
	bool may_build = e->builds < e->campaign->budget.builds, held = false;
	for (unsigned pass = 0; goal < boots; pass++) {
		goal = MIN(goal + step, boots);
		if (find_next(e, pass, goal, may_build, &held))
			return true;
	}
	*ret_budget = held ? "builds" : NULL;
	return false;
}

static double time_left(const Engine *e)
{
	double left = 0;
	for (guint i = 0; e->survey && i < n_rows(e); i++) {
		const Row *r = row(e, i);
		unsigned n = r->failing ? 0 : missing(e, r);
		if (n)
			left += n * boot_s(e) + ceil((double)n / stretch(e)) * switch_s(e) +
				build_s(e, r->mask);
	}
	return left;
}

/* ---- the end ---- */

static json_t *rows_json(const Engine *e)
{
	json_t *out = json_array();
	for (guint i = 0; i < n_rows(e); i++) {
		const Row *r = row(e, i);
		g_autofree char *mask = g_strdup_printf("0x%" G_GINT64_MODIFIER "x", r->mask);
		json_t *o = json_pack("{s:s, s:o}", "mask", mask, "members",
				      engine_names_of(e, r->mask));
		if (r->left_out)
			json_object_set_new(o, "left_out", kx_json_text(r->left_out));
		json_array_append_new(out, o);
	}
	return out;
}

static json_t *modes_json(const CampaignSurvey *s)
{
	json_t *out = json_array();
	for (unsigned m = 0; m < s->modes_count; m++)
		json_array_append_new(out,
				      json_string(s->modes[m] == BOOT_COLD ? "cold" : "kexec"));
	return out;
}

json_t *engine_survey_plan(const Campaign *c)
{
	json_t *variants = json_array(), *missing = json_array();
	for (unsigned i = 0; i < c->survey->variants_count; i++) {
		const CampaignVersion *v = campaign_version(c, c->survey->variants[i]);
		g_autofree char *mask =
			g_strdup_printf("0x%" G_GINT64_MODIFIER "x", c->survey->variants[i]);
		json_array_append_new(v && v->missing ? missing : variants, json_string(mask));
	}
	return json_pack("{s:i, s:o, s:o, s:o}", "boots", (int)c->survey->boots, "modes",
			 modes_json(c->survey), "variants", variants, "missing", missing);
}

/* `why`: complete, unfinished, or the part of the budget that ended it. */
static bool record(Engine *e, const char *why, GError **error)
{
	g_autoptr(json_t) doc = json_pack(
		"{s:i, s:o, s:b, s:s, s:o, s:o}", "boots", (int)plan_of(e)->boots, "modes",
		modes_json(plan_of(e)), "after_verdict", (int)campaign_searches(e->campaign), "why",
		why, "plan", engine_survey_plan(e->campaign), "rows", rows_json(e));
	return store_set_document(e->store, e->run->id, "survey", doc, error);
}

static char *say_rows(const Engine *e, const char *what, bool (*is)(const Engine *, const Row *))
{
	GString *s = g_string_new(NULL);
	for (guint i = 0; i < n_rows(e); i++) {
		g_autofree char *name = engine_set_name(e, row(e, i)->mask);
		if (is(e, row(e, i)))
			g_string_append_printf(s, "%s%s", s->len ? ", " : what, name);
	}
	return g_string_free(s, FALSE);
}

static bool is_left_out(const Engine *e, const Row *r)
{
	return r->left_out != NULL;
}

static bool is_failing(const Engine *e, const Row *r)
{
	return r->failing;
}

/* What no boot will ever fill is left out of the table openly; what the lab keeps failing for must
 * not look like a result. */
static bool refuse_failing(const Engine *e, GError **error)
{
	g_autofree char *names = say_rows(e, "", is_failing);
	if (!*names)
		return false;
	g_set_error(error, KX_ERROR, KX_ERROR_FAILED,
		    "%s: the table is not complete, because the lab failed too often with %s. "
		    "'kexsect run' tries again; %s/jobs.log says more",
		    e->run->slug, names, e->run->dir);
	return true;
}

static StoreVerdict *own_verdict(const Engine *e, const char *budget, const char *text)
{
	StoreVerdict *v = g_new0(StoreVerdict, 1);
	v->kind = g_strdup(budget ? "inconclusive" : "table");
	v->effect = g_strdup(e->campaign->effect == EFFECT_CURES ? "cures" : "causes");
	v->why = g_strdup(budget ? "budget" : "survey");
	v->reason = g_strdup(text);
	v->details = json_object();
	return v;
}

static bool conclude(Engine *e, const char *budget, GError **error)
{
	unsigned done, planned;
	progress(e, &done, &planned);
	budget = done < planned ? budget : NULL;
	if (!budget && refuse_failing(e, error))
		return false;
	g_autofree char *out = say_rows(e, "; left out: ", is_left_out);
	g_autofree char *no = say_rows(e, "; does not build: ", unbuildable);
	g_autofree char *used =
		budget ? g_strdup_printf("the budget of %s was used up first; ", budget)
		       : g_strdup("");
	g_autofree char *text = g_strdup_printf("%s%u of %u boots of the table are made%s%s", used,
						done, planned, out, no);
	e->tabled = true;
	if (!record(e, budget ? budget : "complete", error))
		return false;
	bool alone = !campaign_searches(e->campaign);
	g_autoptr(StoreVerdict) v =
		alone ? own_verdict(e, budget, text) : store_verdict(e->store, e->run->id, error);
	if (!v || !engine_record_verdict(e, v, error))
		return false;
	if (alone)
		engine_tell_verdict(e, v);
	else
		engine_note(e, budget ? "warning" : "info", "survey", 0, "%s", text);
	return true;
}

const EnginePlan engine_plan_survey = {
	.name = "survey",
	.wanted = wanted,
	.begin = begin,
	.untestable = untestable,
	.observe = observe,
	.next = next,
	.conclude = conclude,
	.time_left = time_left,
	.progress = progress,
};
