/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Whom the daemon tells what happens: shown, and tried out. */
#include <stdio.h>

#include "base/error.h"
#include "base/json.h"
#include "cmd/command.h"
#include "daemon/client.h"

#define PATIENCE_S 90 /* longer than the deadline of an attempt */

enum { OPT_LIMIT = OPT_COMMAND };

static const struct option options[] = {OPTION_HELP,
					OPTION_JSON,
					OPTION_SOCKET,
					{"limit", required_argument, NULL, OPT_LIMIT},
					{0}};

typedef struct {
	const char *socket;
	guint64 limit;
} Own;

static bool own(int option, const char *value, gpointer user)
{
	Own *o = user;
	if (option == OPT_SOCKET)
		o->socket = value;
	return option == OPT_SOCKET ||
	       (option == OPT_LIMIT && cmd_number("--limit", value, 1, &o->limit));
}

static char *clock_of(const json_t *o, const char *key)
{
	gint64 us = kx_json_int(o, key, 0);
	g_autoptr(GDateTime) t = us ? g_date_time_new_from_unix_local(us / G_USEC_PER_SEC) : NULL;
	return t ? g_date_time_format(t, "%F %H:%M") : g_strdup("-");
}

static char *joined(const json_t *o, const char *key)
{
	g_auto(GStrv) words = kx_json_strv(o, key);
	g_autofree char *text = g_strjoinv(" ", words);
	return cmd_clean(text);
}

static void print_receiver(const json_t *r)
{
	g_autofree char *name = cmd_clean(kx_json_str(r, "name"));
	g_autofree char *kinds = joined(r, "kinds");
	const char *at = kx_json_str(r, "at");
	g_autofree char *when = cmd_clean(at ? at : "-");
	printf("%-16s  %-7s  %7d  %8d  %-5s  %s\n", name, kx_json_str(r, "way"),
	       (int)kx_json_int(r, "pending", 0), (int)kx_json_int(r, "given_up", 0), when, kinds);
}

static void print_notice(const json_t *n)
{
	g_autofree char *receiver = cmd_clean(kx_json_str(n, "receiver"));
	g_autofree char *type = cmd_clean(kx_json_str(n, "type"));
	g_autofree char *detail = cmd_clean(kx_json_str(n, "detail"));
	g_autofree char *made = clock_of(n, "created_us"), *next = clock_of(n, "next_us");
	bool waits =
		g_strcmp0(kx_json_str(n, "state"), "pending") == 0 && kx_json_int(n, "next_us", 0);
	printf("%6d  %-16s  %-16s  %-11s  %-8s  %4d  %s%s%s\n", (int)kx_json_int(n, "id", 0), made,
	       receiver, type, kx_json_str(n, "state"), (int)kx_json_int(n, "attempts", 0), detail,
	       waits ? "; again at " : "", waits ? next : "");
}

static void print_list(const json_t *answer)
{
	size_t i;
	json_t *o;
	const json_t *notices = json_object_get(answer, "notices");
	printf("%-16s  %-7s  %7s  %8s  %-5s  %s\n", "receiver", "way", "pending", "given up", "at",
	       "kinds");
	json_array_foreach (json_object_get(answer, "receivers"), i, o)
		print_receiver(o);
	if (!json_array_size(notices))
		return;
	printf("\n%6s  %-16s  %-16s  %-11s  %-8s  %4s  %s\n", "notice", "made", "receiver", "type",
	       "state", "tries", "the last try");
	json_array_foreach (notices, i, o)
		print_notice(o);
}

static json_t *ask_list(Client *c, guint64 limit, GError **error)
{
	return client_ask(c, json_pack("{s:s, s:I}", "do", "notices", "limit", (json_int_t)limit),
			  error);
}

/* Follows the test message until its first attempt has ended. New reference; NULL: *error. */
static json_t *follow(Client *c, gint64 id, GError **error)
{
	for (int waited_ms = 0; waited_ms < PATIENCE_S * 1000; waited_ms += 200) {
		g_autoptr(json_t) answer = ask_list(c, 1000, error);
		size_t i;
		json_t *n;
		if (!answer)
			return NULL;
		json_array_foreach (json_object_get(answer, "notices"), i, n) {
			const char *state = kx_json_str(n, "state");
			bool tried = kx_json_int(n, "attempts", 0) > 0;
			if (kx_json_int(n, "id", 0) == id && tried &&
			    g_strcmp0(state, "sending") != 0)
				return json_incref(n);
		}
		g_usleep(200000);
	}
	g_set_error(error, KX_ERROR, KX_ERROR_TIMEOUT,
		    "notice %" G_GINT64_FORMAT " is not sent yet; 'kexsect notify list' follows it",
		    id);
	return NULL;
}

static int test(Client *c, const char *receiver, bool json, GError **error)
{
	g_autoptr(json_t) answer = client_ask(
		c, json_pack("{s:s, s:o}", "do", "notify-test", "receiver", kx_json_text(receiver)),
		error);
	g_autoptr(json_t) n = answer ? follow(c, kx_json_int(answer, "notice", 0), error) : NULL;
	if (!n)
		return 1;
	bool sent = g_strcmp0(kx_json_str(n, "state"), "sent") == 0;
	g_autofree char *detail = cmd_clean(kx_json_str(n, "detail"));
	if (json)
		kx_json_line(n);
	else if (sent)
		printf("%s took it%s%s\n", receiver, *detail ? ": " : "", detail);
	else
		printf("%s did not take it: %s\nIt is tried again, as every message; see "
		       "'kexsect notify list'.\n",
		       receiver, detail);
	return sent ? 0 : 1;
}

static int run(int argc, char **argv)
{
	g_auto(CommonOptions) common = {0};
	Own o = {.limit = 20};
	int status = cmd_parse(&cmd_notify, argc, argv, options, own, &o, &common, 1, 2);
	if (status >= 0)
		return status;
	const char *verb = argv[optind], *name = argv[optind + 1];
	bool is_test = g_str_equal(verb, "test");
	if (!is_test && !g_str_equal(verb, "list"))
		return cmd_usage(&cmd_notify, "'%s' is none of list, test", verb);
	if (is_test != (name != NULL))
		return cmd_usage(&cmd_notify, "notify %s takes %s NAME", verb, name ? "no" : "the");
	GError *error = NULL;
	g_autoptr(Client) c = client_new(o.socket, &error);
	if (c && is_test)
		status = test(c, name, common.json, &error);
	if (error || !c)
		return cmd_fail(error);
	if (is_test)
		return status;
	g_autoptr(json_t) answer = ask_list(c, o.limit, &error);
	if (!answer)
		return cmd_fail(error);
	if (common.json)
		kx_json_line(answer);
	else
		print_list(answer);
	return 0;
}

const Command cmd_notify = {
	.name = "notify",
	.arguments = "list | test NAME",
	.summary = "Whom the daemon tells what happens, and whether it arrives",
	.help = "  list                the receivers of kexsectd.yaml, and what was and is to be "
		"sent\n"
		"  test NAME           send a test message to one of them now, and say what came "
		"of it\n"
		"  --limit N           of list: so many messages, newest first (default: "
		"20)\n" HELP_SOCKET "  --json              the daemon's answer\n",
	.run = run,
};
