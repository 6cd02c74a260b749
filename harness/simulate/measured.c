/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "simulate/measured.h"

#include <math.h>

#include "simulate/parallel.h"

typedef struct {
	GArray *boot_s, *build_s, *clean_s; /* double */
	SimMeasured *m;
} Samples;

static bool take_trials(Store *store, const StoreCampaign *run, Samples *s, GError **error)
{
	g_autoptr(GPtrArray) trials = store_trials(store, run->id, error);
	for (guint i = 0; trials && i < trials->len; i++) {
		const StoreTrial *t = trials->pdata[i];
		double total = kx_json_num(t->seconds, "total", 0);
		if (total <= 0 ||
		    (!g_str_equal(t->outcome, "fault") && !g_str_equal(t->outcome, "clean")))
			continue;
		g_array_append_val(s->boot_s, total);
		s->m->trials++;
	}
	return trials != NULL;
}

static bool take_builds(Store *store, const StoreCampaign *run, Samples *s, GError **error)
{
	g_autoptr(GPtrArray) builds = store_builds(store, run->id, error);
	for (guint i = 0; builds && i < builds->len; i++) {
		const StoreBuild *b = builds->pdata[i];
		double spent = kx_json_num(b->seconds, "compile", 0) +
			       kx_json_num(b->seconds, "apply", 0) +
			       kx_json_num(b->seconds, "configure", 0);
		if (b->cached || spent <= 0 || !g_str_equal(b->status, "ok"))
			continue;
		s->m->builds++;
		if (b->launcher)
			s->m->launcher_s = fmax(s->m->launcher_s, spent); /* NaN: none yet */
		else
			g_array_append_val(b->clean ? s->clean_s : s->build_s, spent);
	}
	return builds != NULL;
}

/* The rates as the verdict has them, or the last belief of a run that was stopped. */
static bool take_rates(Store *store, const StoreCampaign *run, SimMeasured *m, GError **error)
{
	g_autoptr(GPtrArray) beliefs = store_posteriors(store, run->id, error);
	if (!beliefs)
		return false;
	if (!isnan(m->q) || !beliefs->len)
		return true;
	const StorePosterior *last = beliefs->pdata[beliefs->len - 1];
	m->q = last->q_mean;
	m->q_low = last->q_low;
	m->q_high = last->q_high;
	return true;
}

static void take_matrix(Store *store, const StoreCampaign *run, SimMeasured *m)
{
	g_autoptr(json_t) doc = store_document(store, run->id, "matrix", NULL);
	if (!m->matrix && g_strcmp0(kx_json_str(doc, "source"), "computed") == 0)
		m->matrix = g_steal_pointer(&doc);
}

static double median(const GArray *of)
{
	g_autofree double *values = g_memdup2(of->data, of->len * sizeof(double));
	return of->len ? sim_quantile(values, of->len, 0.5) : NAN;
}

static bool take_run(Store *store, const StoreCampaign *run, const char *digest, Samples *s,
		     GError **error)
{
	s->m->runs++;
	if (!s->m->slug)
		s->m->slug = g_strdup(run->slug);
	if (g_str_equal(run->digest, digest))
		take_matrix(store, run, s->m);
	return take_trials(store, run, s, error) && take_builds(store, run, s, error) &&
	       take_rates(store, run, s->m, error);
}

bool sim_measure(Store *store, const char *campaign, const char *digest, SimMeasured *ret,
		 GError **error)
{
	g_auto(SimMeasured) m = {.launcher_s = NAN, .q = NAN, .q_low = NAN, .q_high = NAN};
	g_autoptr(GPtrArray) runs = store_campaigns(store, error);
	g_autoptr(GArray) boot_s = g_array_new(FALSE, FALSE, sizeof(double));
	g_autoptr(GArray) build_s = g_array_new(FALSE, FALSE, sizeof(double));
	g_autoptr(GArray) clean_s = g_array_new(FALSE, FALSE, sizeof(double));
	Samples s = {boot_s, build_s, clean_s, &m};
	if (!runs)
		return false;
	for (guint i = 0; i < runs->len; i++) {
		const StoreCampaign *run = runs->pdata[i];
		if (g_str_equal(run->name, campaign) && !take_run(store, run, digest, &s, error))
			return false;
	}
	m.boot_s = median(boot_s);
	m.build_s = median(build_s);
	m.clean_build_s = median(clean_s);
	*ret = m;
	m = (SimMeasured){0};
	return true;
}

void sim_measured_clear(SimMeasured *m)
{
	g_free(m->slug);
	json_decref(m->matrix);
}
