/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <glib-unix.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "base/proc-internal.h"

#define MAX_LINE (1u << 20)

struct KxChild {
	pid_t pid;
	int fd;
	guint io_source, wait_source, kill_source;
	GString *line;
	bool ended;
	int status;
	KxLineFunc on_line;
	KxExitFunc on_exit;
	gpointer user;
};

static void give_line(KxChild *c)
{
	if (c->on_line)
		c->on_line(c->line->str, c->user);
	g_string_truncate(c->line, 0);
}

static void take_bytes(KxChild *c, const char *data, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		if (data[i] == '\n')
			give_line(c);
		else if (c->line->len < MAX_LINE && data[i])
			g_string_append_c(c->line, data[i]);
	}
}

/* Reads what is there; false at the end of the stream. */
static bool read_some(KxChild *c)
{
	char buf[65536];
	ssize_t n = read(c->fd, buf, sizeof(buf));
	if (n > 0)
		take_bytes(c, buf, (size_t)n);
	return n > 0 || (n < 0 && errno == EINTR);
}

static void finish(KxChild *c)
{
	if (c->line->len)
		give_line(c);
	close(c->fd);
	g_clear_handle_id(&c->kill_source, g_source_remove);
	c->on_exit(c->status, c->user);
	g_string_free(c->line, TRUE);
	g_free(c);
}

static gboolean on_readable(int fd, GIOCondition condition, gpointer data)
{
	KxChild *c = data;
	if (read_some(c))
		return G_SOURCE_CONTINUE;
	c->io_source = 0;
	if (c->ended)
		finish(c);
	return G_SOURCE_REMOVE;
}

static void on_ended(GPid pid, int wait_status, gpointer data)
{
	KxChild *c = data;
	c->ended = true;
	c->status = kx_proc_status(wait_status);
	c->wait_source = 0;
	kill(-c->pid, SIGKILL); /* what it left behind in its group */
	if (c->io_source) {
		/* Who left the group may still hold the pipe: take what is there and no more. */
		if (g_unix_set_fd_nonblocking(c->fd, TRUE, NULL))
			while (read_some(c))
				;
		g_source_remove(c->io_source);
		c->io_source = 0;
	}
	finish(c);
}

KxChild *kx_child_start(const KxProc *p, KxLineFunc on_line, KxExitFunc on_exit, gpointer user,
			GError **error)
{
	int fd = -1;
	pid_t pid = kx_proc_spawn(p, &fd, NULL, error);
	if (pid < 0)
		return NULL;
	KxChild *c = g_new0(KxChild, 1);
	*c = (KxChild){.pid = pid,
		       .fd = fd,
		       .line = g_string_new(NULL),
		       .on_line = on_line,
		       .on_exit = on_exit,
		       .user = user};
	c->io_source = g_unix_fd_add(fd, G_IO_IN | G_IO_HUP | G_IO_ERR, on_readable, c);
	c->wait_source = g_child_watch_add(pid, on_ended, c);
	return c;
}

int kx_child_pid(const KxChild *c)
{
	return c->pid;
}

static gboolean on_grace_over(gpointer data)
{
	KxChild *c = data;
	c->kill_source = 0;
	kill(-c->pid, SIGKILL);
	return G_SOURCE_REMOVE;
}

void kx_child_stop(KxChild *c, unsigned grace_s)
{
	if (c->ended || c->kill_source)
		return;
	kill(-c->pid, SIGTERM);
	c->kill_source = g_timeout_add_seconds(grace_s, on_grace_over, c);
}

/* ---- one that is waited for ---- */

typedef struct {
	GMainLoop *loop;
	KxChild *child;
	KxLineFunc on_line;
	gpointer user;
	unsigned grace_s;
} Waited;

static void waited_line(const char *line, gpointer user)
{
	const Waited *w = user;
	w->on_line(line, w->user);
}

static void waited_exit(int status, gpointer user)
{
	Waited *w = user;
	w->child = NULL;
	g_main_loop_quit(w->loop);
}

static gboolean waited_poll(gpointer user)
{
	Waited *w = user;
	if (kx_cancelled() && w->child)
		kx_child_stop(w->child, w->grace_s);
	return G_SOURCE_CONTINUE;
}

bool kx_child_run(const KxProc *p, KxLineFunc on_line, gpointer user, unsigned grace_s,
		  GError **error)
{
	g_autoptr(GMainLoop) loop = g_main_loop_new(NULL, FALSE);
	Waited w = {.loop = loop, .on_line = on_line, .user = user, .grace_s = grace_s};
	w.child = kx_child_start(p, waited_line, waited_exit, &w, error);
	if (!w.child)
		return false;
	guint poll = g_timeout_add(200, waited_poll, &w);
	g_main_loop_run(loop);
	g_source_remove(poll);
	return true;
}
