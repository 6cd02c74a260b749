/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "base/proc.h"
#include "cmd/command.h"
#include "iommu/input.h"
#include "iommu/regions.h"
#include "iommu/show.h"

enum { OPT_WINDOW = OPT_COMMAND, OPT_FOLLOW, OPT_TABLES, OPT_SUMMARY };
#define FLUSH_AT (64 * 1024)

static const struct option options[] = {OPTION_HELP,
					OPTION_VERBOSE,
					OPTION_JSON,
					{"window", required_argument, NULL, OPT_WINDOW},
					{"follow", no_argument, NULL, OPT_FOLLOW},
					{"tables", required_argument, NULL, OPT_TABLES},
					{"summary", no_argument, NULL, OPT_SUMMARY},
					{0}};

typedef struct {
	const char *window;
	GPtrArray *tables; /* paths; empty: what lies beside the log */
	bool follow, summary_only;

	bool json, colour, many; /* many: several logs, whose lines say which */
	const char *name;	 /* of the log that is read */
	const FaultRegions *regions;
	FaultParser *parser;
	FaultSummary *summary;
	GString *out;
} Scan;

static bool own(int option, const char *value, gpointer user)
{
	Scan *s = user;
	if (option == OPT_WINDOW)
		s->window = value;
	else if (option == OPT_FOLLOW)
		s->follow = true;
	else if (option == OPT_SUMMARY)
		s->summary_only = true;
	else if (option == OPT_TABLES)
		g_ptr_array_add(s->tables, (gpointer)value);
	else
		return false;
	return true;
}

static void flush(Scan *s)
{
	fwrite(s->out->str, 1, s->out->len, stdout);
	fflush(stdout);
	g_string_set_size(s->out, 0);
}

static void take(const Fault *f, gpointer user)
{
	Scan *s = user;
	g_autoptr(Fault) placed = NULL;
	if (s->regions && f->has_address) {
		placed = fault_copy(f);
		if (fault_regions_find(s->regions, placed))
			f = placed;
	}
	if (s->json) {
		fault_summary_count(s->summary, f);
		fault_append_json(s->out, f);
	} else {
		fault_summary_add(s->summary, f);
	}
	if (!s->json && !s->summary_only) {
		if (s->many)
			g_string_append_printf(s->out, "%s:", s->name);
		g_string_append_printf(s->out, "%" G_GUINT64_FORMAT ": ", f->line);
		fault_append_text(s->out, f, s->colour);
		g_string_append_c(s->out, '\n');
	}
	if (s->out->len > FLUSH_AT)
		flush(s);
}

static bool feed(const char *bytes, size_t len, gpointer user)
{
	Scan *s = user;
	fault_parser_feed(s->parser, bytes, len);
	if (s->out->len)
		flush(s);
	return !kx_cancelled();
}

static void restart(gpointer user)
{
	Scan *s = user;
	fault_parser_finish(s->parser);
	flush(s);
}

static void idle(gpointer user)
{
	Scan *s = user;
	fault_parser_flush(s->parser);
	flush(s);
}

static bool stop(gpointer user)
{
	(void)user;
	return kx_cancelled();
}

/* ---- regions ---- */

/* Of a trial's console.log: the tables of its kernel lie in acpi/ beside it. */
static FaultRegions *regions_beside(const char *log)
{
	g_autofree char *folder = g_path_get_dirname(log);
	g_autofree char *acpi = g_build_filename(folder, "acpi", NULL);
	g_autoptr(FaultRegions) r = fault_regions_new();
	g_autoptr(GError) error = NULL;
	if (!g_file_test(acpi, G_FILE_TEST_IS_DIR))
		return NULL;
	if (fault_regions_add_path(r, acpi, &error))
		return g_steal_pointer(&r);
	g_warning("reserved regions are not known: %s", error->message);
	return NULL;
}

static FaultRegions *regions_asked(const GPtrArray *paths, GError **error)
{
	g_autoptr(FaultRegions) r = fault_regions_new();
	for (guint i = 0; i < paths->len; i++)
		if (!fault_regions_add_path(r, g_ptr_array_index(paths, i), error))
			return NULL;
	return g_steal_pointer(&r);
}

/* ---- logs ---- */

static bool read_log(Scan *s, const char *path, GError **error)
{
	if (s->follow) {
		const FaultFollow f = {feed, restart, idle, stop, s};
		return fault_input_follow(path, &f, error);
	}
	return fault_input_read_log(path, feed, s, error);
}

static bool scan_log(Scan *s, const char *path, const FaultRegions *asked)
{
	g_autoptr(GError) error = NULL;
	g_autoptr(FaultRegions) beside = NULL;
	s->name = path;
	s->regions = asked;
	if (!asked && strcmp(path, "-") != 0)
		s->regions = beside = regions_beside(path);
	bool ok = read_log(s, path, &error);
	fault_parser_finish(s->parser);
	flush(s);
	s->regions = NULL;
	if (!ok)
		g_printerr("kexsect: %s\n", error->message);
	return ok;
}

static bool set_window(Scan *s, GError **error)
{
	if (!s->window)
		return true;
	const char *dots = strstr(s->window, "..");
	g_autofree char *from = g_strndup(s->window, (gsize)(dots - s->window));
	return fault_parser_set_range(s->parser, from, dots + 2, error);
}

static void print_summary(const Scan *s)
{
	FaultTotals t = fault_summary_totals(s->summary);
	if (s->json)
		return;
	if (!t.records) {
		puts("no faults");
		return;
	}
	g_autofree char *table = fault_summary_text(s->summary, s->colour);
	printf("%s%s\n%" G_GUINT64_FORMAT " fault%s, %" G_GUINT64_FORMAT
	       " error%s of an IOMMU, %s%" G_GUINT64_FORMAT " not printed\n",
	       s->summary_only ? "" : "\n", table, t.faults, t.faults == 1 ? "" : "s", t.errors,
	       t.errors == 1 ? "" : "s", t.suppressed ? "at least " : "", t.suppressed);
}

static int scan(Scan *s, int count, char **logs)
{
	GError *error = NULL;
	g_autoptr(FaultRegions) asked = NULL;
	if (s->tables->len && !(asked = regions_asked(s->tables, &error)))
		return cmd_fail(error);
	s->parser = fault_parser_new_with_windows(take, s);
	s->summary = fault_summary_new();
	s->out = g_string_sized_new(FLUSH_AT + 4096);
	bool ok = set_window(s, &error);
	if (!ok)
		cmd_usage(&cmd_scan, "--window %s: %s", s->window, error->message);
	int status = ok ? 0 : 2;
	g_clear_error(&error);
	static char *const standard[] = {(char *)"-"};
	for (int i = 0; ok && i < MAX(count, 1) && !kx_cancelled(); i++)
		if (!scan_log(s, (count ? logs : (char **)standard)[i], asked))
			status = 1;
	if (ok)
		print_summary(s);
	if (ok && fault_summary_totals(s->summary).records)
		status = 1;
	fault_parser_free(s->parser);
	fault_summary_free(s->summary);
	g_string_free(s->out, TRUE);
	return fflush(stdout) == 0 ? status : 1;
}

static int run(int argc, char **argv)
{
	g_auto(CommonOptions) common = {0};
	g_autoptr(GPtrArray) tables = g_ptr_array_new();
	Scan s = {.tables = tables};
	int status = cmd_parse(&cmd_scan, argc, argv, options, own, &s, &common, 0, INT_MAX / 2);
	if (status >= 0)
		return status;
	int count = argc - optind;
	char **logs = argv + optind;
	if (s.window && !strstr(s.window, ".."))
		return cmd_usage(&cmd_scan, "--window %s: A..B is wanted", s.window);
	if (s.follow && (count != 1 || strcmp(logs[0], "-") == 0))
		return cmd_usage(&cmd_scan, "--follow needs one file");
	s.json = common.json;
	s.many = count > 1;
	s.colour = kx_log_is_terminal();
	kx_catch_signals();
	return scan(&s, count, logs);
}

const Command cmd_scan = {
	.name = "scan",
	.arguments = "[LOG…]",
	.summary = "Find IOMMU faults in any kernel log; standard input without LOG",
	.help = "  LOG                 a console log, dmesg, journal or syslog; plain or packed "
		"(gz, "
		"xz, zst, bz2, lz4)\n"
		"  --json              one JSON object per record and line "
		"(docs/fault-formats.md)\n"
		"  --summary           only the table by device and window\n"
		"  --window A..B       only between the lines A and B of each boot: names of "
		"windows "
		"(detected, remapping,\n"
		"                      enabled, attached, policy, running, userspace, alive, …) or "
		"patterns; either may be\n"
		"                      left out\n"
		"  --follow            go on as the file grows\n"
		"  --tables PATH       ACPI tables, for the reserved regions: a folder such as "
		"/sys/firmware/acpi/tables,\n"
		"                      or a file; may be repeated (default: acpi/ beside LOG, as "
		"in a "
		"trial's folder)\n"
		"\nExit status: 0 no fault, 1 a fault was found or a log cannot be read, 2 wrong "
		"usage.\n",
	.run = run,
};
