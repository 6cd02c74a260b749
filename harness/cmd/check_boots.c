/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cmd/check_boots.h"

#include <math.h>

#include "base/error.h"
#include "base/proc.h"
#include "cmd/forecast.h"

#define DRAWS 100
#define LIMIT_S 10 /* for one line of the forecast */

static void on_step(const char *what, gpointer user)
{
	const CheckOptions *o = user;
	if (o->report)
		o->report(NULL, what, o->user);
}

static void add_side(const EndsSide *s, const CheckOptions *o, CheckResult *result)
{
	static const CheckState states[] = {CHECK_OK, CHECK_WARNING, CHECK_BAD};
	if (s->tried && s->text)
		check_note(result, o, "boot", states[s->state], s->name, g_strdup(s->text));
}

static void add_rate(const Ends *e, const CheckOptions *o, CheckResult *result)
{
	const EndsSide *s = e->base.wants_fault ? &e->base : &e->full;
	if (!isnan(e->q))
		check_note(result, o, "boot", CHECK_OK, "q",
			   g_strdup_printf("a faulty kernel faults in %.2g of its boots, 95 %% "
					   "between %.2g and %.2g (%u of %u; %.0f s a boot)",
					   e->q, e->q_low, e->q_high, s->faults,
					   s->faults + s->cleans,
					   isnan(e->boot_s) ? 0 : e->boot_s));
}

/* ---- the night ---- */

typedef struct {
	gint64 began_us;
} Limit;

static bool within_limit(guint done, guint draws, gpointer user)
{
	const Limit *l = user;
	return !kx_cancelled() &&
	       (!done || g_get_monotonic_time() - l->began_us < LIMIT_S * G_USEC_PER_SEC);
}

static json_t *spread(const SimSpread *s)
{
	return json_pack("{s:f, s:f, s:f}", "p5", s->low, "p50", s->median, "p95", s->high);
}

static bool add_forecast(SimPlan *p, double q, json_t *list, SimForecast *ret)
{
	Limit limit = {g_get_monotonic_time()};
	p->q = CLAMP(q, 1e-3, 1);
	p->targets = 1;
	p->draws = DRAWS;
	p->seed = 1;
	if (!sim_plan(p, 0, within_limit, &limit, ret, NULL))
		return false;
	json_array_append_new(
		list, json_pack("{s:f, s:i, s:o, s:o, s:o, s:f}", "q", q, "draws", (int)ret->draws,
				"seconds", spread(&ret->seconds), "boots", spread(&ret->boots),
				"builds", spread(&ret->builds), "over_budget", ret->over_budget));
	return true;
}

static char *minutes(double s)
{
	return s < 5400 ? g_strdup_printf("%.0f min", ceil(s / 60))
			: g_strdup_printf("%.1f h", s / 3600);
}

static void tell_forecast(double q, const SimForecast *f, const char *what, const CheckOptions *o,
			  CheckResult *result)
{
	g_autofree char *low = minutes(f->seconds.low), *mid = minutes(f->seconds.median),
			*high = minutes(f->seconds.high);
	check_note(result, o, "night", f->over_budget > 0.5 ? CHECK_WARNING : CHECK_OK, what,
		   g_strdup_printf("with q = %.2g: verdict after %s (%s to %s), %.0f boots, %.0f "
				   "builds; the budget ends before it in %.0f %%",
				   q, mid, low, high, f->boots.median, f->builds.median,
				   100 * f->over_budget));
}

/* With q as estimated, and at the lower end of its interval: that is the slow case. */
static json_t *forecast(const Campaign *c, const Ends *e, const CommonOptions *common,
			const CheckOptions *o, CheckResult *result, double *ret_s)
{
	json_t *list = json_array();
	g_autoptr(GError) error = NULL;
	g_auto(SimMeasured) m = {0};
	g_auto(EngineProblem) problem = {0};
	ForecastCosts costs = FORECAST_UNKNOWN;
	if (isnan(e->q) || !campaign_searches(c) || c->order ||
	    !forecast_measure(c, common->results, &m, &error) ||
	    !engine_problem(c, result->matrix, &problem, &error))
		return list;
	costs.boot_s = e->boot_s;
	if (isnan(m.build_s) && !isnan(e->build_s))
		costs.build_s = e->build_s;
	SimPlan p = forecast_plan(c, &problem, &costs, &m);
	p.start_s = 0; /* the first kernels are there now */
	SimForecast f;
	on_step("how long the night will take", (gpointer)o);
	if (add_forecast(&p, e->q, list, &f)) {
		*ret_s = f.seconds.median;
		tell_forecast(e->q, &f, "expected", o, result);
	}
	if (add_forecast(&p, fmax(e->q_low, 0.01), list, &f))
		tell_forecast(fmax(e->q_low, 0.01), &f, "if it is rarer", o, result);
	return list;
}

json_t *check_boots(const Campaign *c, const CheckOptions *options, const CommonOptions *common,
		    const CheckBoots *asked, CheckResult *result, CheckLab *ret)
{
	g_autoptr(GError) error = NULL;
	g_auto(Ends) ends = {.cache = options->cache,
			     .program = "/proc/self/exe",
			     .target = campaign_target(c, options->target, NULL),
			     .no_sandbox = !options->sandbox,
			     .matrix = result->matrix,
			     .most = asked->most,
			     .evidence = asked->evidence,
			     .step = on_step,
			     .user = (gpointer)options};
	double night_s = NAN;
	bool ok = ends_run(&ends, c, &error);
	*ret = (CheckLab){!ok, ends.machine, ends.lost};
	add_side(&ends.base, options, result);
	add_side(&ends.full, options, result);
	if (!ok)
		check_note(result, options, "boot", CHECK_BAD, "lab", g_strdup(error->message));
	add_rate(&ends, options, result);
	json_t *out = ends_json(&ends);
	json_object_set_new(out, "forecast",
			    ok && !result->bad
				    ? forecast(c, &ends, common, options, result, &night_s)
				    : json_array());
	json_object_set_new(out, "minutes", isnan(night_s) ? json_null() : json_real(night_s / 60));
	return out;
}
