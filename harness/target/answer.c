/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "target/answer.h"

#include <errno.h>
#include <glib-unix.h>
#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "base/proc.h"
#include "target/agent_link.h"
#include "target/limited.h"

/* Between two looks at whether the agent answers. */
#define PING_MS 100
/* So much of the console is kept for the error. */
#define KEEP (64u << 10)

typedef struct {
	const TargetLink *link;
	const AnswerWait *wait;
	GString *console;
	bool answered;
} Waiting;

static bool is_launcher(AgentType type, const char *payload)
{
	g_autofree char *role = type == AGENT_HELLO ? agent_hello_value(payload, "role") : NULL;
	return g_strcmp0(role, "launcher") == 0;
}

static void on_frame(AgentType type, const char *payload, gsize len, gpointer user)
{
	Waiting *w = user;
	const AnswerWait *wait = w->wait;
	w->answered =
		w->answered || (wait->on_frame ? wait->on_frame(type, payload, len, wait->user)
					       : is_launcher(type, payload));
}

static gboolean on_ping(gpointer user)
{
	agent_link_send_text(user, AGENT_PING, "launcher?");
	return G_SOURCE_CONTINUE;
}

static gboolean on_console(int fd, GIOCondition condition, gpointer user)
{
	Waiting *w = user;
	char buf[4096];
	ssize_t n = target_link_read(w->link, buf, sizeof(buf));
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return G_SOURCE_CONTINUE;
	if (n <= 0)
		return G_SOURCE_REMOVE;
	g_string_append_len(w->console, buf, n);
	if (w->console->len > KEEP)
		g_string_erase(w->console, 0, KEEP / 2);
	if (w->link->agent < 0 && strstr(w->console->str, AGENT_READY))
		w->answered = true;
	return G_SOURCE_CONTINUE;
}

static bool is_over(gpointer user)
{
	const Waiting *w = user;
	return w->answered || (w->wait->ended && *w->wait->ended);
}

static const char *last_lines(GString *text, int lines)
{
	g_strchomp(text->str);
	const char *at = text->str + strlen(text->str);
	for (; at > text->str; at--)
		if (at[-1] == '\n' && lines-- == 0)
			break;
	return *at ? at : "nothing at all";
}

static bool result(const Waiting *w, GError **error)
{
	if (w->answered)
		return true;
	if (kx_cancelled())
		g_set_error(error, KX_ERROR, KX_ERROR_CANCELLED, "stopped on request");
	else if (w->wait->ended && *w->wait->ended)
		g_set_error(error, KX_ERROR, KX_ERROR_FAILED,
			    "the machine ended; its console said: %s", last_lines(w->console, 3));
	else
		g_set_error(error, KX_ERROR, KX_ERROR_TIMEOUT,
			    "the machine's agent did not answer in %.3g s; its console said: %s",
			    w->wait->seconds, last_lines(w->console, 3));
	return false;
}

bool answer_wait(const TargetLink *link, const AnswerWait *wait, GError **error)
{
	Waiting w = {.link = link, .wait = wait, .console = g_string_new(NULL)};
	AgentLink *agent = link->agent >= 0 ? agent_link_new(link->agent, on_frame, &w) : NULL;
	g_unix_set_fd_nonblocking(link->console, TRUE, NULL);
	g_autoptr(GSource) source =
		g_unix_fd_source_new(link->console, G_IO_IN | G_IO_HUP | G_IO_ERR);
	g_source_set_callback(source, G_SOURCE_FUNC(on_console), &w, NULL);
	g_source_attach(source, NULL);
	guint ping = agent ? g_timeout_add(PING_MS, on_ping, agent) : 0;
	if (agent)
		on_ping(agent);
	limited_wait(wait->seconds, is_over, &w);
	bool ok = result(&w, error);
	g_clear_handle_id(&ping, g_source_remove);
	g_source_destroy(source);
	agent_link_free(agent);
	close(link->console);
	g_string_free(w.console, TRUE);
	return ok;
}
