/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <stdio.h>

#include "base/error.h"
#include "base/log.h"
#include "cmd/command.h"
#include "report/report.h"
#include "store/store.h"

static const struct option options[] = {OPTION_HELP,
					OPTION_VERBOSE,
					OPTION_RESULTS,
					OPTION_JSON,
					{"format", required_argument, NULL, OPT_COMMAND},
					{"output", required_argument, NULL, 'o'},
					{0}};

typedef struct {
	const char *format, *output;
} Own;

static bool own(int option, const char *value, gpointer user)
{
	Own *o = user;
	if (option == OPT_COMMAND)
		o->format = value;
	else if (option == 'o')
		o->output = value;
	else
		return false;
	return true;
}

static int list_runs(Store *store)
{
	GError *error = NULL;
	g_autoptr(GPtrArray) runs = store_campaigns(store, &error);
	if (!runs)
		return cmd_fail(error);
	for (guint i = 0; i < runs->len; i++) {
		const StoreCampaign *c = g_ptr_array_index(runs, i);
		const char *state = c->state == STORE_RUNNING && !store_is_alive(c)
					    ? "stopped"
					    : store_state_name(c->state);
		printf("%-28s %-8s %s\n", c->slug, state, c->title);
	}
	return 0;
}

static int run(int argc, char **argv)
{
	g_auto(CommonOptions) common = {0};
	Own o = {0};
	int status = cmd_parse(&cmd_report, argc, argv, options, own, &o, &common, 0, 1);
	if (status >= 0)
		return status;
	const ReportFormat *format = report_formats[0];
	if (common.json && !o.format)
		o.format = "json";
	if (o.format)
		format = report_format_find(o.format);
	if (!format)
		return cmd_usage(&cmd_report, "there is no format '%s'", o.format);

	GError *error = NULL;
	g_autoptr(Store) store = store_open(common.results, STORE_READ, &error);
	if (!store)
		return cmd_fail(error);
	if (optind == argc)
		return list_runs(store);
	g_autoptr(StoreCampaign) c = store_find_campaign(store, argv[optind], &error);
	g_autoptr(json_t) doc = c ? report_build(store, c->id, &error) : NULL;
	if (!doc)
		return cmd_fail(error);
	g_autofree char *text = report_render(format->name, doc, !o.output && kx_log_is_terminal());
	return cmd_write(text, o.output);
}

const Command cmd_report = {
	.name = "report",
	.arguments = "[RUN]",
	.summary = "Print the result of a run; without RUN, list the runs",
	.help = "  RUN                 vtd-window-2, or vtd-window for its newest run\n"
		"  --format FORMAT     text (default), html, md or json\n"
		"  --json              the same as --format json\n"
		"  -o, --output FILE   where to (default: standard output)\n"
		"  --results DIR       where the runs are (default: $KEXSECT_RESULTS, else "
		"./results)\n",
	.run = run,
};
