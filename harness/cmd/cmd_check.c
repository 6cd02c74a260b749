/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "base/log.h"
#include "base/proc.h"
#include "cmd/check_boots.h"
#include "cmd/command.h"
#include "job/check.h"

enum { OPT_FILES = OPT_COMMAND, OPT_QUICK, OPT_BOOT, OPT_TARGET, OPT_EVIDENCE };

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
					{"target", required_argument, NULL, OPT_TARGET},
					{"evidence", required_argument, NULL, OPT_EVIDENCE},
					{0}};

typedef struct {
	bool files, quick;
	guint64 boots;
	const char *target, *evidence;
} Own;

static bool own(int option, const char *value, gpointer user)
{
	Own *o = user;
	o->files |= option == OPT_FILES;
	o->quick |= option == OPT_QUICK;
	if (option == OPT_TARGET)
		o->target = value;
	if (option == OPT_EVIDENCE)
		o->evidence = value;
	if (option == OPT_BOOT)
		o->boots = ENDS_MOST;
	if (option == OPT_BOOT && value)
		return cmd_number("boot", value, 1, &o->boots);
	return option >= OPT_FILES;
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

/* Whose doing it is: machines and disks fail by the lab, not by the campaign. */
static const char *verdict_of(const CheckResult *r, bool lab)
{
	bool wrong = false;
	for (guint i = 0; i < r->lines->len; i++) {
		const CheckLine *l = g_ptr_array_index(r->lines, i);
		bool of_lab = g_str_equal(l->group, "target") || g_str_equal(l->group, "disk") ||
			      (g_str_equal(l->group, "boot") && g_str_equal(l->what, "lab"));
		lab |= of_lab && l->state == CHECK_BAD;
		wrong |= !of_lab && l->state == CHECK_BAD;
	}
	return wrong ? "wrong" : lab ? "lab" : "ready";
}

static void print_json(const CheckResult *r, const CheckLab *lab, json_t *boots)
{
	json_t *lines = json_array();
	for (guint i = 0; i < r->lines->len; i++) {
		const CheckLine *l = g_ptr_array_index(r->lines, i);
		json_array_append_new(lines, json_pack("{s:s s:s s:s s:o}", "group", l->group,
						       "state", state_words[l->state], "what",
						       l->what, "detail", kx_json_text(l->detail)));
	}
	g_autoptr(json_t) all =
		json_pack("{s:b s:s s:i s:o s:O? s:o?}", "ok", r->bad == 0, "verdict",
			  verdict_of(r, lab->failed), "machine", (int)lab->machine, "checks", lines,
			  "matrix", r->matrix, "boot", boots);
	if (lab->lost)
		json_object_set_new(all, "target", json_string("failed"));
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
	g_autoptr(Campaign) c = cmd_campaign(argv[optind], &status);
	if (!c)
		return status;
	if (!campaign_target(c, o.target, &error))
		return cmd_fail(error);
	if (o.files)
		return check_files_only(c, &common);

	kx_catch_signals();
	CheckOptions check = {.cache = common.cache,
			      .results = common.results,
			      .sandbox = common.sandbox,
			      .source = !o.quick || (o.boots && campaign_needs_source(c)),
			      .target = o.target,
			      .report = common.json ? NULL : print_line};
	g_auto(CheckResult) result = {0};
	CheckLab lab = {0};
	g_autofree char *evidence = o.evidence ? g_canonicalize_filename(o.evidence, NULL) : NULL;
	CheckBoots asked = {(unsigned)o.boots, evidence};
	json_t *boots = NULL;
	bool ok = check_campaign(c, &check, &result);
	if (ok && o.boots && !c->versions_count) {
		boots = check_boots(c, &check, &common, &asked, &result, &lab);
		ok = result.bad == 0;
	}
	if (common.json)
		print_json(&result, &lab, boots);
	else
		json_decref(boots);
	if (!common.json)
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
		"  --boot[=N]          also build and boot both ends: does the base fault as said, "
		"and the kernel with\n"
		"                      all candidates not? At least 3 boots each, up to N (30) to "
		"see a fault; how\n"
		"                      often it faults, and how long the night will take (not with "
		"versions)\n"
		"  --target NAME       only this one of its targets\n"
		"  --evidence DIR      keep logs and outcomes of the boots there\n"
		"  --results DIR       (default: $KEXSECT_RESULTS, else ./results)\n"
		"  --cache DIR         (default: $KEXSECT_CACHE, else ~/.cache/kexsect)\n"
		"  --json              one JSON object: ok, verdict, checks[], matrix, "
		"boot\n" HELP_SOURCES "  --no-sandbox        as for run\n",
	.run = run,
};
