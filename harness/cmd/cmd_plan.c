/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <math.h>
#include <stdio.h>
#include <unistd.h>

#include "base/error.h"
#include "base/json.h"
#include "base/proc.h"
#include "cmd/command.h"
#include "cmd/forecast.h"
#include "engine/engine.h"
#include "job/expand.h"
#include "job/versions.h"
#include "simulate/measured.h"
#include "simulate/plan.h"

enum {
	OPT_Q = OPT_COMMAND,
	OPT_TARGETS,
	OPT_DRAWS,
	OPT_LIMIT,
	OPT_BOOT_COST,
	OPT_BUILD_COST,
	OPT_CLEAN_COST,
	OPT_SWITCH_COST,
	OPT_SEED,
	OPT_THREADS,
};

static const struct option options[] = {
	OPTION_HELP,
	OPTION_VERBOSE,
	OPTION_RESULTS,
	OPTION_CACHE,
	OPTION_JSON,
	OPTION_NO_SANDBOX,
	OPTION_SOURCE,
	OPTION_TOOLCHAIN,
	{"q", required_argument, NULL, OPT_Q},
	{"targets", required_argument, NULL, OPT_TARGETS},
	{"draws", required_argument, NULL, OPT_DRAWS},
	{"limit", required_argument, NULL, OPT_LIMIT},
	{"boot-cost", required_argument, NULL, OPT_BOOT_COST},
	{"build-cost", required_argument, NULL, OPT_BUILD_COST},
	{"clean-build-cost", required_argument, NULL, OPT_CLEAN_COST},
	{"switch-cost", required_argument, NULL, OPT_SWITCH_COST},
	{"seed", required_argument, NULL, OPT_SEED},
	{"threads", required_argument, NULL, OPT_THREADS},
	{0},
};

typedef struct {
	double q[8];
	guint n_q;
	guint64 targets, draws, limit_s, seed, threads;
	ForecastCosts costs;
} Asked;

static bool seconds(const char *option, const char *text, double *ret)
{
	char *end;
	double x = g_ascii_strtod(text, &end);
	if (end != text && !*end && x >= 0 && x <= 1e6) {
		*ret = x;
		return true;
	}
	g_printerr("kexsect: --%s %s: seconds from 0 to 1000000 are wanted\n", option, text);
	return false;
}

static bool rates(Asked *a, const char *text)
{
	g_auto(GStrv) parts = g_strsplit(text, ",", -1);
	a->n_q = 0;
	for (char **p = parts; *p; p++) {
		char *end;
		double q = g_ascii_strtod(*p, &end);
		if (end == *p || *end || !(q >= 1e-3 && q <= 1) || a->n_q == G_N_ELEMENTS(a->q)) {
			g_printerr("kexsect: --q %s: up to %zu numbers from 0.001 to 1, such as "
				   "0.3,0.1, are wanted\n",
				   text, G_N_ELEMENTS(a->q));
			return false;
		}
		a->q[a->n_q++] = q;
	}
	return true;
}

static bool own(int option, const char *value, gpointer user)
{
	Asked *a = user;
	switch (option) {
	case OPT_Q:
		return rates(a, value);
	case OPT_TARGETS:
		return cmd_number("targets", value, 1, &a->targets);
	case OPT_DRAWS:
		return cmd_number("draws", value, 1, &a->draws);
	case OPT_LIMIT:
		return cmd_number("limit", value, 0, &a->limit_s);
	case OPT_BOOT_COST:
		return seconds("boot-cost", value, &a->costs.boot_s);
	case OPT_BUILD_COST:
		return seconds("build-cost", value, &a->costs.build_s);
	case OPT_CLEAN_COST:
		return seconds("clean-build-cost", value, &a->costs.clean_build_s);
	case OPT_SWITCH_COST:
		return seconds("switch-cost", value, &a->costs.switch_s);
	case OPT_SEED:
		return cmd_number("seed", value, 0, &a->seed);
	case OPT_THREADS:
		return cmd_number("threads", value, 0, &a->threads);
	default:
		return false;
	}
}

/* ---- what is known ---- */

static void fill_rates(Asked *a, const SimMeasured *m)
{
	static const double usual[] = {1, 0.5, 0.3, 0.1};
	if (a->n_q)
		return;
	if (!isnan(m->q)) {
		a->q[a->n_q++] = CLAMP(m->q, 1e-3, 1);
		return;
	}
	for (; a->n_q < G_N_ELEMENTS(usual); a->n_q++)
		a->q[a->n_q] = usual[a->n_q];
}

/* ---- forecasts ---- */

typedef struct {
	double q;
	guint targets;
	SimForecast f;
	double saved_s; /* of the mean with one target */
} Row;

typedef struct {
	guint row, rows;
	gint64 began_us, row_us;
	double limit_s;
	bool show, shown;
} Progress;

static bool on_progress(guint done, guint draws, gpointer user)
{
	Progress *p = user;
	gint64 now = g_get_monotonic_time();
	double spent = (double)(now - p->began_us) / G_USEC_PER_SEC;
	double here = (double)(now - p->row_us) / G_USEC_PER_SEC;
	double share = (double)done / draws;
	if (p->limit_s > 0)
		share = fmax(share, fmin(here / p->limit_s, 1));
	share = (p->row + share) / p->rows;
	if (p->show && share > 0) {
		guint left = (guint)(spent / share * (1 - share));
		fprintf(stderr, "\r\033[Kcase %u of %u: %u of %u draws, about %u:%02u left",
			p->row + 1, p->rows, done, draws, left / 60, left % 60);
		p->shown = true;
	}
	return !kx_cancelled() && !(p->limit_s > 0 && here > p->limit_s && done);
}

static bool forecast(const Asked *a, SimPlan *plan, GArray *rows, GError **error)
{
	Progress p = {.rows = a->n_q * (guint)a->targets,
		      .began_us = g_get_monotonic_time(),
		      .limit_s = (double)a->limit_s,
		      .show = isatty(STDERR_FILENO)};
	GError *why = NULL;
	for (; p.row < p.rows && !kx_cancelled() && !why; p.row++) {
		Row r = {.q = a->q[p.row / a->targets], .targets = 1 + p.row % (guint)a->targets};
		plan->q = r.q;
		plan->targets = r.targets;
		p.row_us = g_get_monotonic_time();
		if (!sim_plan(plan, (guint)a->threads, on_progress, &p, &r.f, &why))
			break;
		if (r.targets > 1) {
			const Row *one = &g_array_index(rows, Row, rows->len + 1 - r.targets);
			r.saved_s = one->f.seconds.mean - r.f.seconds.mean;
		}
		g_array_append_val(rows, r);
	}
	if (p.shown)
		fputs("\r\033[K", stderr);
	if (why)
		g_propagate_error(error, why);
	else if (kx_cancelled())
		g_set_error(error, KX_ERROR, KX_ERROR_CANCELLED, "stopped: %u of %u cases",
			    rows->len, p.rows);
	return rows->len == p.rows;
}

/* ---- output ---- */

/* "45 s", "12 min", "3 h 05 min" */
static char *span(double s)
{
	guint minutes = (guint)lround(s / 60);
	if (s < 120)
		return g_strdup_printf("%.0f s", s);
	if (minutes < 120)
		return g_strdup_printf("%u min", minutes);
	return g_strdup_printf("%u h %02u min", minutes / 60, minutes % 60);
}

static void print_basis(const Campaign *c, const SimPlan *p, const SimMeasured *m, const Asked *a)
{
	g_autofree char *clean = span(p->clean_build_s), *night = span(p->seconds);
	bool asked = !isnan(a->costs.boot_s) || !isnan(a->costs.build_s) ||
		     !isnan(a->costs.clean_build_s);
	if (campaign_searches(c))
		printf("%s: %u candidates, a verdict at %g\n", c->name, p->problem->n,
		       p->problem->confidence);
	else
		printf("%s: nothing is searched\n", c->name);
	printf("A boot %.1f s, a build %.1f s, a build from nothing %s, another kernel %.1f s: ",
	       p->boot_s, p->build_s, clean, p->switch_s);
	if (m->trials || m->builds)
		printf("%s%u boots and %u builds of earlier runs\n",
		       asked ? "as asked, else the medians of " : "the medians of ", m->trials,
		       m->builds);
	else
		puts(asked ? "as asked, else assumed" : "assumed, nothing was measured yet");
	if (p->start_s > 0)
		puts("The first build from nothing is counted.");
	printf("The budget: %u boots, %u builds, %s\n\n", p->boots, p->builds, night);
}

static void print_row(const Row *r)
{
	g_autofree char *low = span(r->f.seconds.low), *mid = span(r->f.seconds.median),
			*high = span(r->f.seconds.high), *saved = NULL;
	if (r->targets > 1) {
		g_autofree char *time = span(fabs(r->saved_s));
		saved = g_strdup_printf("%s %s", r->saved_s >= 0 ? "saves" : "loses", time);
	}
	printf("%5.3g %8u %14s %14s %14s %7.0f %7.0f %7.0f %6.0f %10.1f%% %6.1f%% %6.1f%%  %s\n",
	       r->q, r->targets, mid, low, high, r->f.boots.mean, r->f.boots.median,
	       r->f.boots.high, r->f.builds.mean, 100 * r->f.over_budget, 100 * r->f.inconclusive,
	       100 * r->f.wrong, saved ? saved : "");
}

static void print_text(const GArray *rows)
{
	printf("%5s %8s %14s %14s %14s %7s %7s %7s %6s %11s %7s %7s\n", "q", "targets",
	       "verdict after", "5 %", "95 %", "boots", "median", "95 %", "builds", "over budget",
	       "open", "wrong");
	for (guint i = 0; i < rows->len; i++)
		print_row(&g_array_index(rows, Row, i));
}

static json_t *spread_json(const SimSpread *s)
{
	return json_pack("{s:f, s:f, s:f, s:f}", "mean", s->mean, "p5", s->low, "p50", s->median,
			 "p95", s->high);
}

static json_t *row_json(const Row *r)
{
	const SimForecast *f = &r->f;
	return json_pack("{s:f, s:i, s:i, s:o, s:o, s:o, s:f, s:f, s:f, s:f, s:f, s:f}", "q", r->q,
			 "targets", (int)r->targets, "draws", (int)f->draws, "seconds",
			 spread_json(&f->seconds), "boots", spread_json(&f->boots), "builds",
			 spread_json(&f->builds), "over_budget", f->over_budget, "cause", f->cause,
			 "none", f->none, "inconclusive", f->inconclusive, "wrong", f->wrong,
			 "saved_s", r->saved_s);
}

static bool print_json(const Campaign *c, const SimPlan *p, const SimMeasured *m,
		       const GArray *rows)
{
	json_t *list = json_array();
	for (guint i = 0; i < rows->len; i++)
		json_array_append_new(list, row_json(&g_array_index(rows, Row, i)));
	g_autoptr(json_t) all = json_pack(
		"{s:s, s:i, s:f, s:{s:f, s:f, s:f, s:f, s:f}, s:{s:i, s:i, s:i, s:o}, s:{s:I, s:I, "
		"s:f}, s:o}",
		"campaign", c->name, "candidates", (int)p->problem->n, "confidence",
		p->problem->confidence, "costs", "boot_s", p->boot_s, "build_s", p->build_s,
		"clean_build_s", p->clean_build_s, "switch_s", p->switch_s, "start_s", p->start_s,
		"measured", "runs", (int)m->runs, "boots", (int)m->trials, "builds", (int)m->builds,
		"q", isnan(m->q) ? json_null() : json_real(m->q), "budget", "boots",
		(json_int_t)p->boots, "builds", (json_int_t)p->builds, "seconds", p->seconds,
		"forecasts", list);
	return kx_json_line(all);
}

/* ---- a survey: nothing about it is uncertain but how long things take ---- */

/* Without versions whose source is not there. */
static unsigned survey_variants(const Campaign *c)
{
	unsigned n = c->survey->variants_count;
	for (unsigned i = 0; i < c->versions_count; i++)
		n -= c->versions[i].missing != NULL;
	return n;
}

static unsigned survey_boots(const Campaign *c)
{
	return survey_variants(c) * c->survey->modes_count * c->survey->boots;
}

/* Each version is compiled from nothing. */
static double survey_seconds(const Campaign *c, const SimPlan *p)
{
	unsigned n = survey_variants(c);
	double build = c->versions_count ? p->clean_build_s : p->build_s;
	return p->start_s + survey_boots(c) * p->boot_s + n * (build + 2 * p->switch_s);
}

static void print_survey(const Campaign *c, const SimPlan *p)
{
	g_autofree char *time = span(survey_seconds(c, p));
	printf("The table: %u variants × %u modes × %u boots = %u boots, at most %u builds, "
	       "about %s%s\n\n",
	       survey_variants(c), c->survey->modes_count, c->survey->boots, survey_boots(c),
	       survey_variants(c), time,
	       campaign_searches(c) ? ", less what the search boots anyway" : "");
}

static bool survey_json(const Campaign *c, const SimPlan *p)
{
	g_autoptr(json_t) all = json_pack("{s:s, s:i, s:i, s:f}", "campaign", c->name, "variants",
					  (int)survey_variants(c), "boots", (int)survey_boots(c),
					  "seconds", survey_seconds(c, p));
	return kx_json_line(all);
}

static int plan(const Campaign *c, Asked *a, const CommonOptions *common)
{
	GError *error = NULL;
	g_auto(SimMeasured) m = {0};
	g_auto(EngineProblem) problem = {0};
	g_autoptr(GArray) rows = g_array_new(FALSE, FALSE, sizeof(Row));
	if (!forecast_measure(c, common->results, &m, &error) ||
	    !engine_problem(c, m.matrix, &problem, &error))
		return cmd_fail(error);
	SimPlan p = forecast_plan(c, &problem, &a->costs, &m);
	p.draws = (guint)a->draws;
	p.seed = a->seed;
	fill_rates(a, &m);
	if (!common->json)
		print_basis(c, &p, &m, a);
	if (c->survey && !common->json)
		print_survey(c, &p);
	if (!campaign_searches(c))
		return common->json && !survey_json(c, &p);
	bool all = forecast(a, &p, rows, &error);
	if (common->json ? !print_json(c, &p, &m, rows) : (print_text(rows), false))
		return 1;
	return all ? 0 : cmd_fail(error);
}

/* Importing a source or asking Kconfig takes minutes the first time. */
static void on_expand(const char *step, gpointer user)
{
	if (isatty(STDERR_FILENO))
		fprintf(stderr, "\r\033[K%s", step);
}

static int run(int argc, char **argv)
{
	g_auto(CommonOptions) common = {0};
	Asked a = {.targets = 2, .draws = 200, .limit_s = 20, .seed = 1, .costs = FORECAST_UNKNOWN};
	int status = cmd_parse(&cmd_plan, argc, argv, options, own, &a, &common, 1, 1);
	if (status >= 0)
		return status;
	if (a.targets > 16 || a.draws > 1000000)
		return cmd_usage(&cmd_plan, "at most 16 targets and 1000000 draws");
	GError *error = NULL;
	g_autoptr(Campaign) c = cmd_campaign(argv[optind], &status);
	if (!c)
		return status;
	kx_catch_signals();
	bool known = versions_prepare(c, common.cache, true, on_expand, NULL, &error) &&
		     expand_campaign(c, common.cache, common.sandbox, on_expand, NULL, &error);
	if (isatty(STDERR_FILENO))
		fputs("\r\033[K", stderr);
	if (!known)
		return cmd_fail(error);
	return plan(c, &a, &common);
}

const Command cmd_plan = {
	.name = "plan",
	.arguments = "CAMPAIGN",
	.summary = "How long a campaign will take, by simulation, before it starts",
	.help = "  CAMPAIGN            a file, or the name of a campaign that came with kexsect\n"
		"  --q Q,…             how often a faulty kernel faults; default: what the last "
		"run found,\n"
		"                      else 1, 0.5, 0.3 and 0.1\n"
		"  --targets N         also with 2…N targets at the same time (2)\n"
		"  --draws N           searches that are simulated for each line (200)\n"
		"  --limit SECONDS     stop a line after so long, with the searches that it has "
		"(20; 0: never)\n"
		"  --boot-cost S, --build-cost S, --clean-build-cost S, --switch-cost S\n"
		"                      seconds; default: medians of earlier runs, else assumed\n"
		"  --cache DIR         sources and kernels, for histories and weights by path "
		"(default:\n"
		"                      $KEXSECT_CACHE, else ~/.cache/kexsect)\n" HELP_SOURCES
		"  --no-sandbox        as for run\n"
		"  --results DIR       where the earlier runs are (default: $KEXSECT_RESULTS, else "
		"./results)\n"
		"  --seed N            (1)\n"
		"  --threads N         (all processors)\n"
		"  --json              one JSON object\n",
	.run = run,
};
