/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <stdio.h>
#include <string.h>

#include "base/fs.h"
#include "base/json.h"
#include "base/log.h"
#include "campaign/campaign.h"
#include "cmd/command.h"
#include "iommu/fault.h"
#include "timeline/timeline.h"

enum { OPT_SVG = OPT_COMMAND, OPT_ALL, OPT_ALIGN, OPT_WINDOW, OPT_ORACLE, OPT_BOOT };

static const struct option options[] = {OPTION_HELP,
					OPTION_VERBOSE,
					OPTION_JSON,
					{"svg", no_argument, NULL, OPT_SVG},
					{"all", no_argument, NULL, OPT_ALL},
					{"align", required_argument, NULL, OPT_ALIGN},
					{"window", required_argument, NULL, OPT_WINDOW},
					{"oracle", required_argument, NULL, OPT_ORACLE},
					{"boot", required_argument, NULL, OPT_BOOT},
					{0}};

typedef struct {
	const char *align, *window, *oracle, *boot;
	bool svg, all;
} Asked;

static bool own(int option, const char *value, gpointer user)
{
	Asked *a = user;
	if (option == OPT_SVG)
		a->svg = true;
	else if (option == OPT_ALL)
		a->all = true;
	else if (option == OPT_ALIGN)
		a->align = value;
	else if (option == OPT_WINDOW)
		a->window = value;
	else if (option == OPT_ORACLE)
		a->oracle = value;
	else if (option == OPT_BOOT)
		a->boot = value;
	else
		return false;
	return true;
}

/* As configs/oracles/NAME.yaml says; what it points to lives as long as `oracle`. */
static void take_oracle(const OracleConfig *oracle, TimelineOptions *o, GArray *parts,
			GArray *addresses, GPtrArray *devices)
{
	o->from = oracle->window_from;
	o->to = oracle->window_to;
	for (unsigned i = 0; i < oracle->parts_count; i++) {
		const TimelinePart part = {oracle->parts[i].name, oracle->parts[i].at};
		g_array_append_val(parts, part);
	}
	o->parts = (const TimelinePart *)(void *)parts->data;
	o->parts_count = parts->len;
	for (unsigned i = 0; i < oracle->devices_count; i++)
		g_ptr_array_add(devices, fault_normalise_device(oracle->devices[i]));
	for (unsigned i = 0; i < oracle->addresses_count; i++) {
		const guint64 pair[] = {oracle->addresses[i].start, oracle->addresses[i].end};
		g_array_append_vals(addresses, pair, 2);
	}
	o->addresses = (const guint64 *)(void *)addresses->data;
	o->addresses_count = addresses->len / 2;
	if (!devices->len)
		return;
	g_ptr_array_add(devices, NULL);
	o->devices = (const char *const *)devices->pdata;
}

static OracleConfig *load_oracle(const char *name, GError **error)
{
	if (strchr(name, '/') || g_str_has_suffix(name, ".yaml"))
		return oracle_config_load(name, error);
	g_autofree char *file = g_strconcat(name, ".yaml", NULL);
	g_autofree char *path = g_build_filename(kx_data_dir(), "configs", "oracles", file, NULL);
	return oracle_config_load(path, error);
}

static int show(char **logs, int count, const TimelineOptions *how, const Asked *asked, bool json)
{
	GError *error = NULL;
	g_autoptr(Timeline) first = timeline_load(logs[0], how, &error);
	g_autoptr(Timeline) second = NULL;
	if (!first || (count > 1 && !(second = timeline_load(logs[1], how, &error))))
		return cmd_fail(error);
	const TimelineView view = {.align = asked->align, .all = asked->all};
	g_autoptr(json_t) doc = timeline_document(first, second, &view, &error);
	if (!doc)
		return cmd_fail(error);
	if (json) {
		json_dumpf(doc, stdout, JSON_INDENT(1));
		putchar('\n');
	} else {
		g_autofree char *text = asked->svg ? timeline_svg(doc, true)
						   : timeline_text(doc, kx_log_is_terminal());
		fputs(text, stdout);
	}
	return fflush(stdout) == 0 ? 0 : 1;
}

static int run(int argc, char **argv)
{
	g_auto(CommonOptions) common = {0};
	Asked asked = {0};
	TimelineOptions o = {0};
	GError *error = NULL;
	guint64 boot = 0;
	int status = cmd_parse(&cmd_timeline, argc, argv, options, own, &asked, &common, 1, 2);
	if (status >= 0)
		return status;
	if (asked.svg && common.json)
		return cmd_usage(&cmd_timeline, "--svg and --json: one of them");
	if (asked.boot && (!cmd_number("--boot", asked.boot, 1, &boot) || boot > G_MAXUINT))
		return 2;
	const char *dots = asked.window ? strstr(asked.window, "..") : NULL;
	if (asked.window && !dots)
		return cmd_usage(&cmd_timeline, "--window %s: A..B is wanted", asked.window);
	g_autoptr(OracleConfig) oracle = NULL;
	g_autoptr(GArray) parts = g_array_new(FALSE, FALSE, sizeof(TimelinePart));
	g_autoptr(GArray) addresses = g_array_new(FALSE, FALSE, sizeof(guint64));
	g_autoptr(GPtrArray) devices = g_ptr_array_new_with_free_func(g_free);
	if (asked.oracle && !(oracle = load_oracle(asked.oracle, &error)))
		return cmd_fail(error);
	if (oracle)
		take_oracle(oracle, &o, parts, addresses, devices);
	g_autofree char *from = dots ? g_strndup(asked.window, (gsize)(dots - asked.window)) : NULL;
	if (dots) {
		o.from = from;
		o.to = dots + 2;
	}
	o.boot = (guint)boot;
	return show(argv + optind, argc - optind, &o, &asked, common.json);
}

const Command cmd_timeline = {
	.name = "timeline",
	.arguments = "LOG [LOG2]",
	.summary = "When each step of a boot ran, beside the IOMMU's messages and faults; or two "
		   "boots compared",
	.help = "  LOG                 a console log, dmesg or journal, plain or packed (gz, xz, "
		"zst, "
		"bz2, lz4); - for\n"
		"                      standard input; or a trial's folder. Steps are there when "
		"the "
		"kernel was started with\n"
		"                      initcall_debug\n"
		"  --all               every event, not only those around the window, the longest "
		"and "
		"what differs\n"
		"  --json              the document (docs/timeline.md)\n"
		"  --svg               a picture\n"
		"  --align TEXT        lay the boots upon each other at the first event with TEXT "
		"in "
		"its message or name\n"
		"  --window A..B       the window: names (detected, enabled, blocked, attached, "
		"running, "
		"userspace, …) or patterns;\n"
		"                      either may be left out\n"
		"  --oracle NAME|FILE  window, parts and devices as a campaign's oracle has them\n"
		"  --boot N            of a log with several boots, the Nth (default: the last)\n"
		"\nExit status: 0 done, 1 a log cannot be read, 2 wrong usage.\n",
	.run = run,
};
