/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "base/log.h"
#include "base/proc.h"
#include "cmd/command.h"
#include "job/check.h"

enum { OPT_FILES = OPT_COMMAND, OPT_QUICK, OPT_BOOT };

static const struct option options[] = {OPTION_HELP,
					OPTION_VERBOSE,
					OPTION_RESULTS,
					OPTION_CACHE,
					OPTION_JSON,
					OPTION_NO_SANDBOX,
					OPTION_SOURCE,
					OPTION_TOOLCHAIN,
					{"files", no_argument, NULL, OPT_FILES},
					{"quick", no_argument, NULL, OPT_QUICK},
					{"boot", optional_argument, NULL, OPT_BOOT},
					{0}};

typedef struct {
	bool files, quick;
	guint64 boots;
} Own;

static bool own(int option, const char *value, gpointer user)
{
	Own *o = user;
	o->files |= option == OPT_FILES;
	o->quick |= option == OPT_QUICK;
	if (option == OPT_BOOT)
		o->boots = 3;
	if (option == OPT_BOOT && value)
		return cmd_number("boot", value, 1, &o->boots);
	return option == OPT_FILES || option == OPT_QUICK || option == OPT_BOOT;
}

static const char *const state_words[] = {"ok", "warning", "bad"};

static void print_line(const CheckLine *line, const char *step, gpointer user)
{
	static const char *const colours[] = {"\033[32m", "\033[33m", "\033[31m"};
	bool colour = kx_log_is_terminal();
	if (!line) {
		if (colour)
			printf("\r\033[K  … %s", step);
	} else {
		/* versions and compiler messages are not ours: no control characters to the
		 * terminal */
		g_autofree char *detail = cmd_clean(line->detail);
		printf("%s%-8s %s%-7s%s %-28s %s\n", colour ? "\r\033[K" : "", line->group,
		       colour ? colours[line->state] : "", state_words[line->state],
		       colour ? "\033[0m" : "", line->what, detail);
	}
	fflush(stdout);
}

static void print_json(const CheckResult *r)
{
	json_t *lines = json_array();
	for (guint i = 0; i < r->lines->len; i++) {
		const CheckLine *l = g_ptr_array_index(r->lines, i);
		json_array_append_new(lines, json_pack("{s:s s:s s:s s:o}", "group", l->group,
						       "state", state_words[l->state], "what",
						       l->what, "detail", kx_json_text(l->detail)));
	}
	g_autoptr(json_t) all = json_pack("{s:b s:o s:O?}", "ok", r->bad == 0, "checks", lines,
					  "matrix", r->matrix);
	kx_json_line(all);
}

static int check_files_only(const Campaign *c, const CommonOptions *common)
{
	if (common->json)
		puts("{\"ok\":true,\"checks\":[]}");
	else
		printf("%s: %u candidates%s, %u fixtures, %u targets: all files are there and "
		       "valid\n",
		       c->name, c->candidates_count,
		       campaign_needs_source(c) ? " and those that the source tells" : "",
		       c->fixtures_count, c->target_names_count);
	return 0;
}

static int run(int argc, char **argv)
{
	g_auto(CommonOptions) common = {0};
	Own o = {0};
	int status = cmd_parse(&cmd_check, argc, argv, options, own, &o, &common, 1, 1);
	if (status >= 0)
		return status;
	GError *error = NULL;
	g_autoptr(Campaign) c = campaign_load(argv[optind], &error);
	if (!c)
		return cmd_fail(error);
	if (!cmd_given_is_used(c))
		return 2;
	if (o.files)
		return check_files_only(c, &common);

	kx_catch_signals();
	CheckOptions check = {.cache = common.cache,
			      .results = common.results,
			      .sandbox = common.sandbox,
			      .source = !o.quick,
			      .boots = (unsigned)o.boots,
			      .program = "/proc/self/exe",
			      .report = common.json ? NULL : print_line};
	g_auto(CheckResult) result = {0};
	bool ok = check_campaign(c, &check, &result);
	if (common.json)
		print_json(&result);
	else
		printf("%s: %s\n", c->name,
		       ok ? "ready" : "not ready; what is 'bad' above must be mended first");
	return ok ? 0 : 1;
}

const Command cmd_check = {
	.name = "check",
	.arguments = "CAMPAIGN",
	.summary = "Find out before the night what can be known",
	.help = "  CAMPAIGN            a file, or the name of a campaign that came with kexsect\n"
		"  --files             only the campaign file and what it names\n"
		"  --quick             tools, disk, targets and oracle; not the source and the "
		"patches\n"
		"  --boot[=N]          also build the base and boot it N times (default 3): does "
		"it fault as said?\n"
		"                      (not with versions: their survey says)\n"
		"  --results DIR       (default: $KEXSECT_RESULTS, else ./results)\n"
		"  --cache DIR         (default: $KEXSECT_CACHE, else ~/.cache/kexsect)\n"
		"  --json              one JSON object: ok, checks[], matrix\n" HELP_SOURCES
		"  --no-sandbox        as for run\n",
	.run = run,
};
