/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <stdio.h>

#include "base/error.h"
#include "base/json.h"
#include "base/log.h"
#include "base/proc.h"
#include "cmd/command.h"
#include "engine/health.h"

enum { OPT_TARGET = OPT_COMMAND };

static const struct option options[] = {OPTION_HELP,
					OPTION_VERBOSE,
					OPTION_CACHE,
					OPTION_JSON,
					OPTION_NO_SANDBOX,
					OPTION_SOURCE,
					OPTION_TOOLCHAIN,
					{"target", required_argument, NULL, OPT_TARGET},
					{0}};

static bool own(int option, const char *value, gpointer user)
{
	Health *h = user;
	h->target = value;
	return option == OPT_TARGET;
}

static void tell_step(const char *what, gpointer user)
{
	if (kx_log_is_terminal())
		printf("\r\033[K  … %s", what);
	fflush(stdout);
}

static void tell_recovery(const json_t *line, gpointer user)
{
	g_autofree char *detail = cmd_clean(kx_json_str(line, "detail"));
	printf("%s%-12s %-4s %6.1f s  %s\n", kx_log_is_terminal() ? "\r\033[K" : "",
	       kx_json_str(line, "step"), kx_json_bool(line, "ok", false) ? "ok" : "bad",
	       kx_json_num(line, "seconds", 0), detail);
	fflush(stdout);
}

static void print_line(const json_t *line, gpointer user)
{
	kx_json_line(line);
}

static void print_result(const Health *h, bool healthy)
{
	g_autofree char *reason = cmd_clean(kx_json_str(h->result, "reason"));
	printf("%s%s%s\n", kx_log_is_terminal() ? "\r\033[K" : "",
	       healthy ? "healthy: the launcher answers" : "not healthy: ", healthy ? "" : reason);
}

static int run(int argc, char **argv)
{
	g_auto(CommonOptions) common = {0};
	g_auto(Health) h = {.program = "/proc/self/exe"};
	int status = cmd_parse(&cmd_health, argc, argv, options, own, &h, &common, 1, 1);
	if (status >= 0)
		return status;
	GError *error = NULL;
	g_autoptr(Campaign) c = cmd_campaign(argv[optind], &status);
	if (!c)
		return status;
	h.cache = common.cache;
	h.no_sandbox = !common.sandbox;
	h.step = common.json ? NULL : tell_step;
	h.recovery = common.json ? print_line : tell_recovery;
	kx_catch_signals();
	bool healthy = health_run(&h, c, &error);
	if (error)
		return cmd_fail(error);
	if (common.json)
		kx_json_line(h.result);
	else
		print_result(&h, healthy);
	return healthy ? 0 : 1;
}

const Command cmd_health = {
	.name = "health",
	.arguments = "CAMPAIGN",
	.summary = "Bring a target back to a launcher that answers, step by step",
	.help = "  CAMPAIGN            a file, or the name of a campaign that came with kexsect\n"
		"  --target NAME       of its targets (default: the first)\n"
		"  --cache DIR         (default: $KEXSECT_CACHE, else ~/.cache/kexsect)\n"
		"  --json              one JSON object per step; the last one is the "
		"result\n" HELP_SOURCES "  --no-sandbox        as for run\n"
		"\nExit status 0: it is healthy, 1: it is not. docs/recovery.md describes the "
		"steps.\n",
	.run = run,
};
