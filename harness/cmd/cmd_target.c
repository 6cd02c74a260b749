/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Health of the daemon's targets: shown, and changed by hand. */
#include <stdio.h>

#include "base/json.h"
#include "cmd/command.h"
#include "daemon/client.h"

enum { OPT_REASON = OPT_COMMAND };

static const struct option options[] = {OPTION_HELP,
					OPTION_JSON,
					OPTION_SOCKET,
					{"reason", required_argument, NULL, OPT_REASON},
					{0}};

typedef struct {
	const char *socket, *reason;
} Own;

static bool own(int option, const char *value, gpointer user)
{
	Own *o = user;
	if (option == OPT_SOCKET)
		o->socket = value;
	else if (option == OPT_REASON)
		o->reason = value;
	return option == OPT_SOCKET || option == OPT_REASON;
}

static const struct {
	const char *name, *request;
	bool of_one; /* it takes a NAME */
} verbs[] = {
	{"list", "targets", false},
	{"release", "release", true},
	{"quarantine", "quarantine", true},
	{"check", "check", true},
};

static char *time_text(const json_t *o, const char *key, const char *before, const char *after)
{
	gint64 us = kx_json_int(o, key, 0);
	g_autoptr(GDateTime) t = us ? g_date_time_new_from_unix_local(us / G_USEC_PER_SEC) : NULL;
	g_autofree char *clock = t ? g_date_time_format(t, "%F %H:%M") : NULL;
	return clock ? g_strconcat(before, clock, after, NULL) : g_strdup("");
}

static char *runs_there(const json_t *target)
{
	g_autoptr(GString) text = g_string_new(NULL);
	size_t i;
	json_t *lease;
	json_array_foreach (json_object_get(target, "leases"), i, lease)
		if (json_object_get(lease, "submission"))
			g_string_append_printf(text, "%s%d", text->len ? "," : "",
					       (int)kx_json_int(lease, "submission", 0));
	return g_strdup(text->len ? text->str : "-");
}

static void print_target(const json_t *t)
{
	g_autofree char *name = cmd_clean(kx_json_str(t, "name"));
	g_autofree char *reason = cmd_clean(kx_json_str(t, "reason"));
	g_autofree char *runs = runs_there(t);
	g_autofree char *since = time_text(t, "since_us", "since ", ": ");
	g_autofree char *next = time_text(t, "next_check_us", "; looked at again at ", NULL);
	printf("%-16s  %-11s  %5d  %8d  %-7s  %s%s%s%s\n", name, kx_json_str(t, "health"),
	       (int)kx_json_int(t, "slots", 0), (int)kx_json_int(t, "failures", 0), runs, since,
	       reason, next, kx_json_bool(t, "checking", false) ? "; being checked" : "");
}

static void print_answer(const json_t *answer)
{
	const json_t *all = json_object_get(answer, "targets");
	size_t i;
	json_t *t;
	printf("%-16s  %-11s  %5s  %8s  %-7s\n", "target", "health", "slots", "failures", "runs");
	if (!all)
		print_target(json_object_get(answer, "target"));
	json_array_foreach (all, i, t)
		print_target(t);
}

static int run(int argc, char **argv)
{
	g_auto(CommonOptions) common = {0};
	Own o = {0};
	int status = cmd_parse(&cmd_target, argc, argv, options, own, &o, &common, 1, 2);
	if (status >= 0)
		return status;
	const char *verb = argv[optind], *name = argv[optind + 1];
	guint at = 0;
	while (at < G_N_ELEMENTS(verbs) && !g_str_equal(verbs[at].name, verb))
		at++;
	if (at == G_N_ELEMENTS(verbs))
		return cmd_usage(&cmd_target, "'%s' is none of list, release, quarantine, check",
				 verb);
	if (verbs[at].of_one != (name != NULL))
		return cmd_usage(&cmd_target, "target %s takes %s NAME", verb, name ? "no" : "the");
	if (o.reason && !g_str_equal(verb, "quarantine"))
		return cmd_usage(&cmd_target, "--reason is for target quarantine");
	json_t *request = json_pack("{s:s}", "do", verbs[at].request);
	if (name)
		json_object_set_new(request, "target", kx_json_text(name));
	if (o.reason)
		json_object_set_new(request, "reason", kx_json_text(o.reason));
	GError *error = NULL;
	g_autoptr(Client) c = client_new(o.socket, &error);
	if (!c)
		json_decref(request);
	g_autoptr(json_t) answer = c ? client_ask(c, request, &error) : NULL;
	if (!answer)
		return cmd_fail(error);
	if (common.json)
		kx_json_line(answer);
	else
		print_answer(answer);
	return 0;
}

const Command cmd_target = {
	.name = "target",
	.arguments = "list | VERB NAME",
	.summary = "Health of the daemon's targets: list, release, quarantine, check",
	.help = "  list                all targets, what runs there, and which are in quarantine\n"
		"  release NAME        out of quarantine: campaigns start on it again\n"
		"  quarantine NAME     what runs there ends, nothing starts until it is released\n"
		"  check NAME          look now whether its launcher answers: if it does, it is\n"
		"                      released, if not, it goes into quarantine\n"
		"  --reason TEXT       why it is quarantined, for others\n" HELP_SOCKET
		"  --json              the daemon's answer\n",
	.run = run,
};
