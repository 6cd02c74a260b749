/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The commands that talk to the daemon. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/log.h"
#include "cmd/command.h"
#include "daemon/client.h"
#include "daemon/snapshot.h"

enum {
	OPT_PRIORITY = OPT_COMMAND,
	OPT_WINDOW,
	OPT_HOURS,
	OPT_BOOTS,
	OPT_COMPILE,
	OPT_DISK,
	OPT_AGAIN,
	OPT_NO_PREFLIGHT,
	OPT_STATE,
	OPT_LIMIT
};

typedef struct {
	const char *socket;
	json_t *request;
} Own;

static bool set_number(json_t *request, const char *key, const char *option, const char *value)
{
	double number;
	if (!cmd_positive(option, value, &number))
		return false;
	json_object_set_new(request, key, json_real(number));
	return true;
}

static bool set_whole(json_t *request, const char *key, const char *value, gint64 min, gint64 max)
{
	gint64 n;
	if (!g_ascii_string_to_signed(value, 10, min, max, &n, NULL)) {
		g_printerr("kexsect: --%s %s: a whole number from %" G_GINT64_FORMAT
			   " to %" G_GINT64_FORMAT " is wanted\n",
			   key, value, min, max);
		return false;
	}
	json_object_set_new(request, key, json_integer(n));
	return true;
}

static bool own(int option, const char *value, gpointer user)
{
	Own *o = user;
	switch (option) {
	case OPT_SOCKET:
		o->socket = value;
		return true;
	case OPT_PRIORITY:
		return set_whole(o->request, "priority", value, -100, 100);
	case OPT_BOOTS:
		return set_whole(o->request, "boots", value, 1, 1000000000);
	case OPT_LIMIT:
		return set_whole(o->request, "limit", value, 1, 1000);
	case OPT_HOURS:
		return set_number(o->request, "hours", "hours", value);
	case OPT_COMPILE:
		return set_number(o->request, "compile_minutes", "compile-minutes", value);
	case OPT_DISK:
		return set_number(o->request, "disk_gib", "disk-gib", value);
	case OPT_WINDOW:
		json_object_set_new(o->request, "window", kx_json_text(value));
		return true;
	case OPT_STATE:
		json_object_set_new(o->request, "state", kx_json_text(value));
		return true;
	case OPT_AGAIN:
		json_object_set_new(o->request, "again", json_true());
		return true;
	case OPT_NO_PREFLIGHT:
		json_object_set_new(o->request, "preflight", json_false());
		return true;
	default:
		return false;
	}
}

static json_t *ask(Own *o, GError **error)
{
	g_autoptr(Client) c = client_new(o->socket, error);
	if (c)
		return client_ask(c, g_steal_pointer(&o->request), error);
	g_clear_pointer(&o->request, json_decref);
	return NULL;
}

/* ---- what is printed ---- */

static char *time_of(const json_t *o, const char *key)
{
	gint64 us = kx_json_int(o, key, 0);
	g_autoptr(GDateTime) t = us ? g_date_time_new_from_unix_local(us / G_USEC_PER_SEC) : NULL;
	return t ? g_date_time_format(t, "%F %H:%M") : g_strdup("-");
}

/* What there is to say in one line. */
static char *gist(const json_t *s)
{
	const json_t *verdict = json_object_get(s, "verdict");
	const json_t *progress = json_object_get(s, "progress");
	const json_t *leading = json_object_get(progress, "leading");
	const char *waits = kx_json_str(s, "waits_for"), *reason = kx_json_str(s, "reason");
	const char *state = kx_json_str(s, "state");
	if (verdict) {
		const char *sentence = kx_json_str(verdict, "sentence");
		bool cause = sentence && *sentence;
		return cause ? g_strdup_printf("%s (p = %.3f)", sentence,
					       kx_json_num(verdict, "probability", 0))
			     : g_strdup(kx_json_str(verdict, "reason"));
	}
	const json_t *preflight = json_object_get(s, "preflight");
	const char *checked = kx_json_str(preflight, "verdict");
	if (g_strcmp0(checked, "running") == 0)
		return g_strdup("preflight: boots of both ends, before it starts");
	if (waits)
		return reason ? g_strdup_printf("%s; %s", waits, reason) : g_strdup(waits);
	if (leading && g_strcmp0(state, "running") == 0)
		return g_strdup_printf(
			"%d trials; %s (p = %.2f)", (int)kx_json_int(progress, "trials", 0),
			kx_json_str(leading, "name"), kx_json_num(leading, "probability", 0));
	if (reason || g_strcmp0(checked, "ready") != 0)
		return g_strdup(reason ? reason : "");
	return g_strdup_printf("preflight: %s", kx_json_str(preflight, "text"));
}

static void print_row(const json_t *s)
{
	g_autofree char *name = cmd_clean(kx_json_str(s, "name"));
	g_autofree char *owner = cmd_clean(kx_json_str(s, "owner"));
	g_autofree char *target = cmd_clean(kx_json_str(s, "target"));
	g_autofree char *raw = gist(s);
	g_autofree char *text = cmd_clean(raw);
	printf("%5d  %-9s  %4d  %-10s  %-22s  %-12s  %s\n", (int)kx_json_int(s, "id", 0),
	       kx_json_str(s, "state"), (int)kx_json_int(s, "priority", 0), owner, name,
	       *target ? target : "-", text);
}

static void print_line(const char *name, const char *value)
{
	g_autofree char *text = cmd_clean(value);
	if (*text)
		printf("%-12s %s\n", name, text);
}

static void print_preflight(const json_t *p)
{
	const char *verdict = kx_json_str(p, "verdict"), *text = kx_json_str(p, "text");
	size_t i;
	json_t *c;
	if (!verdict)
		return;
	g_autofree char *line = g_str_equal(verdict, "ready") || !text
					? g_strdup(text ? text : verdict)
					: g_strdup_printf("%s: %s", verdict, text);
	print_line("preflight", line);
	json_array_foreach (json_object_get(p, "checks"), i, c) {
		g_autofree char *found =
			g_strdup_printf("%s: %s: %s", kx_json_str(c, "state"),
					kx_json_str(c, "what"), kx_json_str(c, "detail"));
		print_line("", found);
	}
}

static void print_status(const json_t *s)
{
	g_autofree char *created = time_of(s, "created_us");
	g_autofree char *started = time_of(s, "started_us");
	g_autofree char *finished = time_of(s, "finished_us");
	g_autofree char *text = gist(s);
	g_autofree char *id = g_strdup_printf("%d", (int)kx_json_int(s, "id", 0));
	g_autofree char *priority = g_strdup_printf("%d", (int)kx_json_int(s, "priority", 0));
	g_auto(GStrv) names = kx_json_strv(s, "targets");
	g_autofree char *targets = g_strjoinv(", ", names);
	char *budget = json_dumps(json_object_get(s, "budget"), 0);
	char *progress = json_dumps(json_object_get(s, "progress"), 0);
	print_line("submission", id);
	print_line("campaign", kx_json_str(s, "name"));
	print_line("title", kx_json_str(s, "title"));
	print_line("state", kx_json_str(s, "state"));
	print_line("", text);
	print_line("owner", kx_json_str(s, "owner"));
	print_line("priority", priority);
	print_line("hours", kx_json_str(s, "window"));
	print_line("budget", budget);
	print_line("targets", targets);
	print_line("on target", kx_json_str(s, "target"));
	print_line("run", kx_json_str(s, "run"));
	print_line("results", kx_json_str(s, "results"));
	print_preflight(json_object_get(s, "preflight"));
	print_line("submitted", created);
	print_line("started", started);
	print_line("finished", finished);
	print_line("progress", progress);
	free(budget);
	free(progress);
}

static void print_answer(const json_t *answer, bool json)
{
	size_t i;
	json_t *s;
	if (json) {
		kx_json_line(answer);
		return;
	}
	const json_t *all = json_object_get(answer, "submissions");
	if (!all) {
		print_status(json_object_get(answer, "submission"));
		return;
	}
	printf("%5s  %-9s  %4s  %-10s  %-22s  %-12s\n", "id", "state", "prio", "owner", "campaign",
	       "target");
	json_array_foreach (all, i, s)
		print_row(s);
	g_autofree char *trouble = cmd_clean(kx_json_str(answer, "trouble"));
	if (*trouble)
		printf("%s\n", trouble);
	const json_t *notices = json_object_get(answer, "notices");
	if (kx_json_int(notices, "given_up", 0))
		printf("%d notifications are given up: kexsect notify list\n",
		       (int)kx_json_int(notices, "given_up", 0));
}

static int finish(json_t *answer, bool json, GError *error)
{
	if (!answer)
		return cmd_fail(error);
	print_answer(answer, json);
	json_decref(answer);
	return 0;
}

/* ---- the commands ---- */

static const struct option submit_options[] = {
	OPTION_HELP,
	OPTION_JSON,
	OPTION_SOCKET,
	{"priority", required_argument, NULL, OPT_PRIORITY},
	{"window", required_argument, NULL, OPT_WINDOW},
	{"hours", required_argument, NULL, OPT_HOURS},
	{"boots", required_argument, NULL, OPT_BOOTS},
	{"compile-minutes", required_argument, NULL, OPT_COMPILE},
	{"disk-gib", required_argument, NULL, OPT_DISK},
	OPTION_SOURCE,
	OPTION_TOOLCHAIN,
	{"again", no_argument, NULL, OPT_AGAIN},
	{"no-preflight", no_argument, NULL, OPT_NO_PREFLIGHT},
	{0}};

static int run_submit(int argc, char **argv)
{
	g_auto(CommonOptions) common = {0};
	Own o = {.request = json_pack("{s:s}", "do", "submit")};
	int status = cmd_parse(&cmd_submit, argc, argv, submit_options, own, &o, &common, 1, 1);
	if (status >= 0) {
		json_decref(o.request);
		return status;
	}
	GError *error = NULL;
	json_t *snapshot = snapshot_pack(argv[optind], &error);
	if (!snapshot) {
		json_decref(o.request);
		return cmd_fail(error);
	}
	g_autofree char *unused = recipe_given_unused();
	if (unused) {
		g_printerr("kexsect: %s: the campaign uses no recipe of that name\n", unused);
		json_decref(snapshot);
		json_decref(o.request);
		return 2;
	}
	json_object_set_new(o.request, "snapshot", snapshot);
	g_autoptr(json_t) answer = ask(&o, &error);
	if (!answer)
		return cmd_fail(error);
	if (common.json) {
		kx_json_line(answer);
	} else {
		const json_t *s = json_object_get(answer, "submission");
		printf("submission %d: %s is queued\n", (int)kx_json_int(s, "id", 0),
		       kx_json_str(s, "name"));
	}
	return 0;
}

const Command cmd_submit = {
	.name = "submit",
	.arguments = "CAMPAIGN",
	.summary = "Put a campaign, as its files are now, into the daemon's queue",
	.help = "  CAMPAIGN            a file, or the name of a campaign that came with kexsect\n"
		"  --priority N        -100 to 100, higher is sooner (default: 0)\n"
		"  --window HH:MM-HH:MM\n"
		"                      it runs in these hours of the day only\n"
		"  --hours H, --boots N, --compile-minutes M, --disk-gib G (evidence)\n"
		"                      a budget in place of the campaign's\n"
		"  --source NAME=PATH, --toolchain [NAME=]PROFILE\n"
		"                      as for run, where the daemon can read them "
		"($KEXSECT_SOURCES\n"
		"                      and $KEXSECT_TOOLCHAINS, too)\n"
		"  --again             a new run, when the last one has its verdict\n"
		"  --no-preflight      start without 'kexsect check --boot' before\n" HELP_SOCKET
		"  --json              the daemon's answer\n",
	.run = run_submit,
};

static const struct option list_options[] = {OPTION_HELP,
					     OPTION_JSON,
					     OPTION_SOCKET,
					     {"state", required_argument, NULL, OPT_STATE},
					     {"limit", required_argument, NULL, OPT_LIMIT},
					     {0}};

static int run_list(int argc, char **argv)
{
	g_auto(CommonOptions) common = {0};
	Own o = {.request = json_pack("{s:s}", "do", "list")};
	int status = cmd_parse(&cmd_list, argc, argv, list_options, own, &o, &common, 0, 0);
	if (status >= 0) {
		json_decref(o.request);
		return status;
	}
	GError *error = NULL;
	json_t *answer = ask(&o, &error);
	return finish(answer, common.json, error);
}

const Command cmd_list = {
	.name = "list",
	.arguments = "",
	.summary = "What the daemon runs, ran, and will run",
	.help = "  --state STATE       only: queued, running, paused, done, failed, cancelled\n"
		"  --limit N           the newest N (default: 100)\n" HELP_SOCKET
		"  --json              the daemon's answer\n",
	.run = run_list,
};

static const struct option id_options[] = {OPTION_HELP, OPTION_JSON, OPTION_SOCKET, {0}};

#define ID_HELP                                                                                    \
	"  ID                  of a submission: 'kexsect list' shows them\n" HELP_SOCKET           \
	"  --json              the daemon's answer\n"

/* Parses the options of a command with an ID. -1: go on with a request. */
static int parse_id(const Command *command, int argc, char **argv, Own *o, CommonOptions *common)
{
	o->request = json_pack("{s:s}", "do", command->name);
	int status = cmd_parse(command, argc, argv, id_options, own, o, common, 1, 1);
	gint64 id;
	if (status < 0 && !g_ascii_string_to_signed(argv[optind], 10, 1, G_MAXINT64, &id, NULL)) {
		g_printerr("kexsect %s: '%s' is no ID of a submission\n", command->name,
			   argv[optind]);
		status = 2;
	}
	if (status >= 0)
		g_clear_pointer(&o->request, json_decref);
	else
		json_object_set_new(o->request, "id", json_integer(id));
	return status;
}

static int run_simple(const Command *command, int argc, char **argv)
{
	g_auto(CommonOptions) common = {0};
	Own o = {0};
	int status = parse_id(command, argc, argv, &o, &common);
	if (status >= 0)
		return status;
	GError *error = NULL;
	json_t *answer = ask(&o, &error);
	return finish(answer, common.json, error);
}

#define SIMPLE_COMMAND(word, says)                                                                 \
	static int run_##word(int argc, char **argv)                                               \
	{                                                                                          \
		return run_simple(&cmd_##word, argc, argv);                                        \
	}                                                                                          \
	const Command cmd_##word = {.name = #word,                                                 \
				    .arguments = "ID",                                             \
				    .summary = says,                                               \
				    .help = ID_HELP,                                               \
				    .run = run_##word}

SIMPLE_COMMAND(status, "All that the daemon knows of a submission");
SIMPLE_COMMAND(pause, "Stop a campaign that the daemon runs, or keep it from starting");
SIMPLE_COMMAND(resume, "Let a paused or failed campaign go on");
SIMPLE_COMMAND(cancel, "Take a campaign out of the daemon's queue for good");

static void print_event(const json_t *line)
{
	const json_t *e = json_object_get(line, "event");
	const char *kind = kx_json_str(e, "event");
	const char *name = kx_json_str(e, "name"), *what = kx_json_str(e, "outcome");
	const char *parts[] = {what ? what : kx_json_str(e, "status"),
			       kx_json_str(e, "state"),
			       name,
			       kx_json_str(e, "text"),
			       kx_json_str(e, "sentence"),
			       kx_json_str(e, "reason")};
	g_autoptr(GString) text = g_string_new(NULL);
	for (guint i = 0; i < G_N_ELEMENTS(parts); i++)
		if (parts[i] && *parts[i])
			g_string_append_printf(text, "  %s", parts[i]);
	g_autofree char *shown = cmd_clean(text->str);
	printf("%-10s%s\n", kind ? kind : "?", shown);
	fflush(stdout);
}

/* 0 when it ended with a verdict, else 1. */
static int follow(Client *c, const json_t *first, bool json)
{
	const char *state = kx_json_str(json_object_get(first, "submission"), "state");
	bool done = g_strcmp0(state, "done") == 0;
	g_autoptr(GError) error = NULL;
	for (;;) {
		g_autoptr(json_t) line = client_next(c, &error);
		if (!line)
			break;
		if (json)
			kx_json_line(line);
		else
			print_event(line);
		const json_t *e = json_object_get(line, "event");
		if (g_strcmp0(kx_json_str(e, "event"), "state") == 0)
			done = g_strcmp0(kx_json_str(e, "state"), "done") == 0;
	}
	if (error)
		g_printerr("kexsect: %s\n", error->message);
	return done && !error ? 0 : 1;
}

static int run_watch(int argc, char **argv)
{
	g_auto(CommonOptions) common = {0};
	Own o = {0};
	int status = parse_id(&cmd_watch, argc, argv, &o, &common);
	if (status >= 0)
		return status;
	GError *error = NULL;
	g_autoptr(Client) c = client_new(o.socket, &error);
	if (!c) {
		json_decref(o.request);
		return cmd_fail(error);
	}
	g_autoptr(json_t) first = client_ask(c, o.request, &error);
	if (!first)
		return cmd_fail(error);
	print_answer(first, common.json);
	return follow(c, first, common.json);
}

const Command cmd_watch = {
	.name = "watch",
	.arguments = "ID",
	.summary = "Follow a submission to its end",
	.help = ID_HELP,
	.run = run_watch,
};
