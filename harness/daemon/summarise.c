/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The morning report for others than the command: `kexsect summary` itself, in a process of its
 * own, because a night may have left more results than may be read between two events. It asks this
 * daemon by its socket, as anybody's would. */
#include "base/error.h"
#include "base/proc.h"
#include "daemon/notify-internal.h"

#define MAX_AT_ONCE 4
#define MAX_BYTES (16u << 20)
#define PATIENCE_S 60
#define STATUS_USAGE 2

/* One that is being made, for all who asked for the same meanwhile. */
struct Making {
	Daemon *d;
	char *since, *format;
	KxChild *child;
	guint patience;
	bool late;
	GString *text;
	GList *waiting; /* SummaryWait */
};

struct SummaryWait {
	Making *making;
	DaemonTextFunc done;
	gpointer user;
};

static void on_line(const char *line, gpointer user)
{
	Making *m = user;
	if (m->text->len < MAX_BYTES)
		g_string_append_printf(m->text, "%s\n", line);
}

static GError *why_not(const Making *m, int status)
{
	if (m->late)
		return g_error_new(KX_ERROR, KX_ERROR_TIMEOUT,
				   "the summary takes longer than %d s; ask for a shorter time",
				   PATIENCE_S);
	if (status == STATUS_USAGE)
		return g_error_new_literal(
			KX_ERROR, KX_ERROR_INPUT,
			"since: a time of the day (22:00), a duration (90m, 12h, 3d) or a date "
			"(2026-11-22T22:00) is wanted");
	if (status == 0 && m->text->len < MAX_BYTES)
		return NULL;
	return g_error_new(KX_ERROR, KX_ERROR_FAILED,
			   "the summary could not be made: 'kexsect summary' ended with status %d",
			   status);
}

static void making_free(Making *m)
{
	g_clear_handle_id(&m->patience, g_source_remove);
	g_string_free(m->text, TRUE);
	g_free(m->since);
	g_free(m->format);
	g_free(m);
}

static void on_end(int status, gpointer user)
{
	Making *m = user;
	g_autoptr(GError) error = why_not(m, status);
	m->d->makings = g_list_remove(m->d->makings, m);
	while (m->waiting) {
		g_autofree SummaryWait *w = m->waiting->data;
		m->waiting = g_list_delete_link(m->waiting, m->waiting);
		w->done(error ? NULL : m->text->str, error, w->user);
	}
	if (m->d->stopping)
		daemon_replan(m->d);
	making_free(m);
}

static gboolean on_patience(gpointer user)
{
	Making *m = user;
	m->patience = 0;
	m->late = true;
	kx_child_stop(m->child, 1);
	return G_SOURCE_REMOVE;
}

static Making *find(const Daemon *d, const char *since, const char *format)
{
	for (const GList *at = d->makings; at; at = at->next) {
		Making *m = at->data;
		if (g_str_equal(m->since, since) && g_str_equal(m->format, format))
			return m;
	}
	return NULL;
}

KxChild *summary_spawn(const Daemon *d, const char *since, const char *format, const char *log_path,
		       KxLineFunc on_each, KxExitFunc on_exit, gpointer user, GError **error)
{
	g_autofree char *program = notify_program();
	g_autofree char *from = g_strconcat("--since=", since, NULL);
	g_autofree char *path = daemon_socket(d);
	g_autofree char *socket = g_strconcat("KEXSECT_SOCKET=", path, NULL);
	return kx_child_start(&(KxProc){.argv = (const char *const[]){program, "summary", from,
								      "--format", format, NULL},
					.env = (const char *const[]){socket, NULL},
					.log_path = log_path,
					.at_once = true},
			      on_each, on_exit, user, error);
}

static Making *begin(Daemon *d, const char *since, const char *format, GError **error)
{
	if (d->stopping || g_list_length(d->makings) >= MAX_AT_ONCE) {
		g_set_error(error, KX_ERROR, KX_ERROR_BUSY,
			    d->stopping ? "the daemon is stopping"
					: "other summaries are being made: try again");
		return NULL;
	}
	Making *m = g_new0(Making, 1);
	*m = (Making){.d = d,
		      .since = g_strdup(since),
		      .format = g_strdup(format),
		      .text = g_string_new(NULL)};
	/* what it says of a wrong moment is said to who asked, not in the log */
	m->child = summary_spawn(d, since, format, "/dev/null", on_line, on_end, m, error);
	if (!m->child) {
		making_free(m);
		return NULL;
	}
	m->patience = g_timeout_add_seconds(PATIENCE_S, on_patience, m);
	d->makings = g_list_prepend(d->makings, m);
	return m;
}

SummaryWait *daemon_summarise(Daemon *d, const char *since, const char *format, DaemonTextFunc done,
			      gpointer user, GError **error)
{
	Making *m = find(d, since, format);
	if (!m)
		m = begin(d, since, format, error);
	if (!m)
		return NULL;
	SummaryWait *w = g_new0(SummaryWait, 1);
	*w = (SummaryWait){m, done, user};
	m->waiting = g_list_prepend(m->waiting, w);
	return w;
}

void daemon_summarise_drop(SummaryWait *w)
{
	w->making->waiting = g_list_remove(w->making->waiting, w);
	g_free(w);
}

void summarise_stop(Daemon *d)
{
	for (const GList *at = d->makings; at; at = at->next)
		kx_child_stop(((Making *)at->data)->child, 1);
}
