/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cmd/forecast.h"

#include "base/error.h"

/* A variant's boot parameters are not compiled. */
static SearchVariant compiled(SearchVariant v, gpointer user)
{
	return engine_compiled(user, v);
}

bool forecast_measure(const Campaign *c, const char *results, SimMeasured *ret, GError **error)
{
	g_autoptr(GError) why = NULL;
	g_autoptr(Store) store = store_open(results, STORE_READ, &why);
	*ret = (SimMeasured){
		.boot_s = NAN, .build_s = NAN, .clean_build_s = NAN, .launcher_s = NAN, .q = NAN};
	if (store)
		return sim_measure(store, c->name, c->digest, ret, error);
	if (g_error_matches(why, KX_ERROR, KX_ERROR_MISSING))
		return true;
	g_propagate_error(error, g_steal_pointer(&why));
	return false;
}

/* Asked for, else measured, else assumed. */
static double first_of(double asked, double measured, double assumed)
{
	return !isnan(asked) ? asked : !isnan(measured) ? measured : assumed;
}

SimPlan forecast_plan(const Campaign *c, const EngineProblem *problem, const ForecastCosts *known,
		      const SimMeasured *m)
{
	SearchCosts assumed;
	search_costs_init(&assumed);
	SimPlan p = {.problem = &problem->problem,
		     .compiled = compiled,
		     .user = (gpointer)c,
		     .boots = c->budget.boots,
		     .builds = c->budget.builds,
		     .seconds = c->budget.hours * 3600};
	p.boot_s = first_of(known->boot_s, m->boot_s, assumed.boot_s);
	p.build_s = first_of(known->build_s, m->build_s, assumed.build_s);
	p.clean_build_s = first_of(known->clean_build_s, m->clean_build_s,
				   first_of(NAN, m->launcher_s, assumed.clean_build_s));
	p.clean_build_s = fmax(p.clean_build_s, p.build_s);
	p.switch_s = first_of(known->switch_s, NAN, assumed.switch_s);
	/* The first kernel of a recipe is compiled from nothing; after a run it is in the cache. */
	p.start_s = m->runs ? 0 : p.clean_build_s;
	return p;
}
