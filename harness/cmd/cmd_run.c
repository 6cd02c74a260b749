/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <stdio.h>

#include "base/error.h"
#include "base/json.h"
#include "base/log.h"
#include "base/proc.h"
#include "campaign/campaign.h"
#include "cmd/command.h"
#include "engine/engine.h"
#include "job/check.h"
#include "job/expand.h"
#include "job/versions.h"
#include "kernel/kernel.h"
#include "report/report.h"

enum {
	OPT_AGAIN = OPT_COMMAND,
	OPT_PLAIN,
	OPT_QUIET,
	OPT_TARGET,
	OPT_BOOTS,
	OPT_HOURS,
	OPT_COMPILE,
	OPT_DISK,
	OPT_CACHE_GIB,
	OPT_SKIP,
};

static const struct option options[] = {OPTION_HELP,
					OPTION_VERBOSE,
					OPTION_RESULTS,
					OPTION_CACHE,
					OPTION_JSON,
					OPTION_NO_SANDBOX,
					OPTION_SOURCE,
					OPTION_TOOLCHAIN,
					{"again", no_argument, NULL, OPT_AGAIN},
					{"plain", no_argument, NULL, OPT_PLAIN},
					{"quiet", no_argument, NULL, OPT_QUIET},
					{"target", required_argument, NULL, OPT_TARGET},
					{"boots", required_argument, NULL, OPT_BOOTS},
					{"hours", required_argument, NULL, OPT_HOURS},
					{"compile-minutes", required_argument, NULL, OPT_COMPILE},
					{"disk-gib", required_argument, NULL, OPT_DISK},
					{"cache-gib", required_argument, NULL, OPT_CACHE_GIB},
					{"skip-missing", no_argument, NULL, OPT_SKIP},
					{0}};

typedef struct {
	EngineOptions engine;
	double cache_gib; /* 0: the default */
	guint64 boots;	  /* 0: what the campaign says */
	double hours;
	bool skip_missing;
} Own;

static bool own(int option, const char *value, gpointer user)
{
	Own *own = user;
	EngineOptions *o = &own->engine;
	if (option == OPT_AGAIN)
		o->again = true;
	else if (option == OPT_PLAIN)
		o->show = ENGINE_SHOW_PLAIN;
	else if (option == OPT_QUIET)
		o->show = ENGINE_SHOW_QUIET;
	else if (option == OPT_SKIP)
		own->skip_missing = true;
	else if (option == OPT_TARGET)
		o->target = value;
	else if (option == OPT_BOOTS)
		return cmd_number("boots", value, 1, &own->boots);
	else if (option == OPT_HOURS)
		return cmd_positive("hours", value, &own->hours);
	else if (option == OPT_CACHE_GIB)
		return cmd_positive("cache-gib", value, &own->cache_gib);
	else if (option == OPT_DISK)
		return cmd_positive("disk-gib", value, &o->disk_gib);
	else if (option == OPT_COMPILE)
		return cmd_positive("compile-minutes", value, &o->compile_minutes);
	else
		return false;
	return true;
}

/* The verdict is in the store: write the reports and say where they are. */
static bool on_finished(Store *store, const StoreCampaign *run, gpointer user, GError **error)
{
	const EngineOptions *o = user;
	if (!report_write(store, run->id, run->dir, error))
		return false;
	if (o->show == ENGINE_SHOW_JSON)
		return true;
	g_autoptr(json_t) doc = report_build(store, run->id, error);
	if (!doc)
		return false;
	g_autofree char *text = report_render("text", doc, kx_log_is_terminal());
	printf("\n%s\nReport: %s/report.html\n", text, run->dir);
	return true;
}

static json_t *on_matrix(const Campaign *c, const char *cache, gpointer user, GError **error)
{
	return check_matrix(c, cache, error);
}

/* What would end the night in its first minutes is told now. In a process of its own: this one
 * never touches libvirt, whose event handlers would stay in our main loop. */
static bool is_ready(const char *campaign, const CommonOptions *common)
{
	const char *argv[] = {"/proc/self/exe",
			      "check",
			      "--quick",
			      "--json",
			      "--results",
			      common->results,
			      "--cache",
			      common->cache,
			      campaign,
			      common->sandbox ? NULL : "--no-sandbox",
			      NULL};
	g_auto(KxProcResult) r = {0};
	g_autoptr(GError) error = NULL;
	KxProc p = {.argv = argv, .timeout_s = 120};
	g_autoptr(json_t) found = NULL;
	if (kx_proc_run(&p, &r, &error) && r.status != 0)
		found = kx_json_parse(r.out, "kexsect check", &error);
	size_t i;
	json_t *line;
	json_array_foreach (json_object_get(found, "checks"), i, line)
		if (g_strcmp0(kx_json_str(line, "state"), "bad") == 0)
			g_printerr("kexsect: %s: %s: %s\n", kx_json_str(line, "group"),
				   kx_json_str(line, "what"), kx_json_str(line, "detail"));
	if (error)
		g_printerr("kexsect: %s%s%s\n", error->message, r.err && *r.err ? ": " : "",
			   r.err ? r.err : "");
	return !error && r.status == 0;
}

/* Once a run, so that the cache does not grow for ever; what was used today stays whatever its
 * size. */
static void prune_cache(const char *cache, double gib)
{
	guint64 limit = gib > 0 ? (guint64)(gib * (1 << 30)) : KERNEL_CACHE_LIMIT;
	g_autoptr(GError) error = NULL;
	gint64 freed = kernel_cache_prune(cache, limit, 24 * 60 * 60, NULL, &error);
	g_autofree char *size = g_format_size_full((guint64)MAX(freed, 0), G_FORMAT_SIZE_IEC_UNITS);
	if (freed < 0)
		g_warning("%s", error->message);
	else if (freed > 0)
		g_message("%s of old kernels and objects were removed from %s", size, cache);
}

static void on_expand_step(const char *step, gpointer user)
{
	gint64 *told = user, now = g_get_monotonic_time();
	if (now - *told < 5 * G_USEC_PER_SEC)
		return;
	*told = now;
	g_message("%s", step);
}

/* What only the kernel's source can tell about the question, before the run is chosen by it. */
static bool expand(Campaign *c, const CommonOptions *common, bool skip, GError **error)
{
	gint64 told = g_get_monotonic_time();
	kx_catch_signals();
	if (!versions_prepare(c, common->cache, skip, on_expand_step, &told, error) ||
	    !expand_campaign(c, common->cache, common->sandbox, on_expand_step, &told, error))
		return false;
	if (campaign_needs_source(c) && !common->json)
		g_message("%u candidates were found in the source of %s", c->candidates_count,
			  c->base->name);
	return true;
}

/* The budget that was given here takes the place of the campaign's. */
static bool take_options(Campaign *c, const Own *own, GError **error)
{
	if (own->boots)
		c->budget.boots = (unsigned)MIN(own->boots, G_MAXINT);
	if (own->hours > 0)
		c->budget.hours = own->hours;
	return campaign_target(c, own->engine.target, error) != NULL;
}

static int run(int argc, char **argv)
{
	g_auto(CommonOptions) common = {0};
	Own own_options = {.engine.show = ENGINE_SHOW_AUTO};
	EngineOptions o;
	int status = cmd_parse(&cmd_run, argc, argv, options, own, &own_options, &common, 1, 1);
	if (status >= 0)
		return status;
	o = own_options.engine;
	GError *error = NULL;
	g_autoptr(Campaign) c = cmd_campaign(argv[optind], &status);
	if (!c)
		return status;
	if (!take_options(c, &own_options, &error))
		return cmd_fail(error);
	if (!is_ready(argv[optind], &common))
		return 1;

	prune_cache(common.cache, own_options.cache_gib);
	if (!expand(c, &common, own_options.skip_missing, &error))
		return cmd_fail(error);
	o.results = common.results;
	o.cache = common.cache;
	o.no_sandbox = !common.sandbox;
	o.verbose = common.verbose;
	if (common.json)
		o.show = ENGINE_SHOW_JSON;
	o.matrix = on_matrix;
	o.finished = on_finished;
	o.user = &o;
	status = engine_run(c, &o, &error);
	if (error)
		cmd_fail(error);
	return status;
}

const Command cmd_run = {
	.name = "run",
	.arguments = "CAMPAIGN",
	.summary = "Run a campaign here, to its verdict or table; goes on where it was stopped",
	.help = "  CAMPAIGN            a file, or the name of a campaign that came with kexsect\n"
		"  --again             a new run, when the last one has its verdict\n"
		"  --target NAME       use this one of the campaign's targets (default: the "
		"first)\n"
		"  --boots N, --hours H, --compile-minutes M, --disk-gib G (evidence)\n"
		"                      a budget in place of the campaign's\n"
		"  --skip-missing      leave out versions whose source is not there\n"
		"  --results DIR       evidence and reports (default: $KEXSECT_RESULTS, else "
		"./results)\n"
		"  --cache DIR         sources, kernels, launcher states (default: $KEXSECT_CACHE, "
		"else ~/.cache/kexsect)\n"
		"  --cache-gib G       what it leaves in the cache (default: 30)\n"
		"  --json              one JSON object per event on standard output\n"
		"  --plain             one line per event, also on a terminal\n"
		"  --quiet             warnings, errors and the verdict only\n" HELP_SOURCES
		"  --no-sandbox        compile without bubblewrap: patches are strangers' code, so "
		"only if it cannot work\n"
		"  -v, --verbose       also what the jobs do, step by step\n",
	.run = run,
};
