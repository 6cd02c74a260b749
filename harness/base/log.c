/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "base/log.h"

#include <glib.h>
#include <stdio.h>
#include <unistd.h>

static const char *prefix = "kexsect";
static bool show_debug;
static void (*before_message)(void);

static const char *level_name(GLogLevelFlags level)
{
	if (level & (G_LOG_LEVEL_ERROR | G_LOG_LEVEL_CRITICAL))
		return "internal error: ";
	if (level & G_LOG_LEVEL_WARNING)
		return "warning: ";
	return "";
}

static GLogWriterOutput write_message(GLogLevelFlags level, const GLogField *fields, gsize n,
				      gpointer user)
{
	if ((level & (G_LOG_LEVEL_DEBUG | G_LOG_LEVEL_INFO)) && !show_debug)
		return G_LOG_WRITER_HANDLED;
	const char *text = NULL;
	for (gsize i = 0; i < n; i++)
		if (g_str_equal(fields[i].key, "MESSAGE"))
			text = fields[i].value;
	if (before_message)
		before_message();
	fprintf(stderr, "%s: %s%s\n", prefix, level_name(level), text ? text : "?");
	return G_LOG_WRITER_HANDLED;
}

void kx_log_init(const char *program, bool verbose)
{
	prefix = program;
	show_debug = verbose;
	static bool installed; /* GLib takes a writer once */
	if (!installed)
		g_log_set_writer_func(write_message, NULL, NULL);
	installed = true;
}

bool kx_log_is_terminal(void)
{
	const char *term = g_getenv("TERM");
	return isatty(STDOUT_FILENO) && !g_getenv("NO_COLOR") && term && !g_str_equal(term, "dumb");
}

void kx_log_set_before(void (*before)(void))
{
	before_message = before;
}
