/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The morning report. A process of its own makes it (daemon_summarise): the answer comes later. */
#include <string.h>

#include "http/http-internal.h"

#define DEFAULT_SINCE "12h"

static const struct {
	const char *name, *type, *policy;
} formats[] = {
	[HTTP_JSON_FORMAT] = {"json", "application/json", NULL},
	[HTTP_MARKDOWN] = {"md", "text/markdown; charset=utf-8", NULL},
	[HTTP_HTML] = {"html", "text/html; charset=utf-8",
		       "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; "
		       "sandbox"},
};

/* As the other answers in JSON: the command's line ends and indents are no text of anybody. */
static char *in_one_line(const char *text)
{
	GString *out = g_string_sized_new(strlen(text) + 1);
	for (const char *p = text; *p;) {
		size_t len = strcspn(p, "\n");
		g_string_append_len(out, p, (gssize)len);
		p += len;
		p += strspn(p, "\n ");
	}
	g_string_append_c(out, '\n');
	return g_string_free(out, FALSE);
}

static void on_summary(const char *text, const GError *error, gpointer user)
{
	Exchange *x = user;
	x->summary = NULL;
	x->late_ready = true;
	x->late =
		error ? http_reply_error(0, error)
		      : (HttpReply){.status = 200,
				    .text = x->route.format == HTTP_JSON_FORMAT ? in_one_line(text)
										: g_strdup(text),
				    .type = formats[x->route.format].type,
				    .policy = formats[x->route.format].policy};
	http_resume(x);
}

bool http_summary(Exchange *x, HttpReply *ret)
{
	g_autoptr(GError) error = NULL;
	const char *since = x->route.since ? x->route.since : DEFAULT_SINCE;
	x->summary = daemon_summarise(x->h->d, since, formats[x->route.format].name, on_summary, x,
				      &error);
	if (!x->summary)
		*ret = http_reply_error(0, error);
	return x->summary != NULL;
}
