/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The UNIX socket: requests of request.h, one a line, and their answers, one a line. Who may
 * connect is the mode and group of the socket; who it is, the kernel says. A connection that is too
 * slow, too long or too greedy is closed. */
#include <errno.h>
#include <fcntl.h>
#include <glib-unix.h>
#include <grp.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/error.h"
#include "base/fs.h"
#include "daemon/daemon-internal.h"

#define MAX_CONNECTIONS 64
#define MAX_OF_USER 32
#define MAX_BUFFERED (96u << 20) /* bytes of unfinished requests of all connections */
#define MAX_UNREAD                                                                                 \
	(4u << 20) /* bytes left unread: nothing more is answered, who watches is dropped */
#define REQUEST_TIMEOUT_S 30 /* from its first byte to its last */
#define IDLE_TIMEOUT_S 60

typedef struct {
	Server *server;
	int fd;
	guint in_source, out_source, timeout_source;
	GString *in, *out;
	size_t looked; /* at so many bytes of `in`: they have no end of a line */
	DaemonPeer peer;
	Acceptance *acceptance;	    /* the answer comes later */
	Story *summary;		    /* so does this one */
	Subscription *subscription; /* it watches */
	bool closing;		    /* once all is written */
	bool doomed;		    /* nothing is read or written any more */
} Connection;

struct Server {
	Daemon *d;
	int fd;
	guint source;
	char *path;
	GList *connections;
};

static void receive(Connection *c);

/* ---- connections ---- */

static void connection_free(gpointer data)
{
	Connection *c = data;
	c->server->connections = g_list_remove(c->server->connections, c);
	g_clear_handle_id(&c->in_source, g_source_remove);
	g_clear_handle_id(&c->out_source, g_source_remove);
	g_clear_handle_id(&c->timeout_source, g_source_remove);
	if (c->acceptance)
		daemon_submit_drop(c->acceptance);
	if (c->summary)
		summary_drop(c->summary);
	if (c->subscription)
		daemon_unsubscribe(c->server->d, c->subscription);
	g_string_free(c->in, TRUE);
	g_string_free(c->out, TRUE);
	close(c->fd);
	g_free(c);
}

/* Freed from the loop: the caller may be in the middle of it. */
static gboolean on_doomed(gpointer data)
{
	Connection *c = data;
	c->out_source = 0;
	connection_free(c);
	return G_SOURCE_REMOVE;
}

static void doom(Connection *c)
{
	if (c->doomed)
		return;
	c->doomed = c->closing = true;
	g_clear_handle_id(&c->in_source, g_source_remove);
	g_clear_handle_id(&c->out_source, g_source_remove);
	c->out_source = g_idle_add(on_doomed, c);
}

static gboolean on_timeout(gpointer data)
{
	Connection *c = data;
	c->timeout_source = 0;
	connection_free(c);
	return G_SOURCE_REMOVE;
}

static void set_timeout(Connection *c, guint seconds)
{
	g_clear_handle_id(&c->timeout_source, g_source_remove);
	if (seconds)
		c->timeout_source = g_timeout_add_seconds(seconds, on_timeout, c);
}

/* ---- writing ---- */

static gboolean on_writable(int fd, GIOCondition condition, gpointer data);

/* Writes what goes; false when the other side is gone. */
static bool flush_out(Connection *c)
{
	while (c->out->len) {
		ssize_t n = send(c->fd, c->out->str, c->out->len, MSG_NOSIGNAL | MSG_DONTWAIT);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return errno == EAGAIN;
		g_string_erase(c->out, 0, n);
	}
	return true;
}

static void push(Connection *c)
{
	if (c->doomed)
		return;
	if (!flush_out(c) || (c->closing && !c->out->len))
		doom(c);
	else if (c->out->len && !c->out_source)
		c->out_source = g_unix_fd_add(c->fd, G_IO_OUT, on_writable, c);
}

static gboolean on_writable(int fd, GIOCondition condition, gpointer data)
{
	Connection *c = data;
	if (flush_out(c) && c->out->len)
		return G_SOURCE_CONTINUE;
	c->out_source = 0;
	if (c->closing || condition & (G_IO_ERR | G_IO_HUP))
		doom(c);
	else
		receive(c); /* it may have waited for this */
	return G_SOURCE_REMOVE;
}

static void say_text(Connection *c, const char *line)
{
	if (c->doomed)
		return;
	g_string_append(c->out, line);
	g_string_append_c(c->out, '\n');
	if (c->subscription && c->out->len > MAX_UNREAD)
		doom(c);
	else
		push(c);
}

static void say(Connection *c, const json_t *line)
{
	char *text = json_dumps(line, JSON_COMPACT);
	say_text(c, text ? text : "{}");
	free(text);
}

static void say_error(Connection *c, const GError *error)
{
	g_autoptr(json_t) refusal = request_refusal(error);
	say(c, refusal);
}

/* ---- requests ---- */

static void on_accepted(const json_t *answer, gpointer user)
{
	Connection *c = user;
	c->acceptance = NULL;
	say(c, answer);
	if (!c->closing)
		receive(c);
}

static void on_summary(const char *text, const GError *error, gpointer user)
{
	Connection *c = user;
	c->summary = NULL;
	if (error)
		say_error(c, error);
	else
		say_text(c, text);
	if (!c->closing)
		receive(c);
}

static void on_event(const json_t *event, gpointer user)
{
	Connection *c = user;
	const json_t *inner = json_object_get(event, "event");
	say(c, event);
	if (g_strcmp0(kx_json_str(inner, "event"), "state") == 0 &&
	    submission_is_over(
		    (SubmissionState)MAX(submission_state_of(kx_json_str(inner, "state")), 0))) {
		c->closing = true;
		push(c);
	}
}

static void watch(Connection *c, const Request *r)
{
	g_autoptr(json_t) first = daemon_answer(c->server->d, &c->peer, r);
	say(c, first);
	const json_t *s = json_object_get(first, "submission");
	const char *state = kx_json_str(s, "state");
	if (!s || submission_is_over((SubmissionState)MAX(submission_state_of(state), 0))) {
		c->closing = true;
		push(c);
		return;
	}
	set_timeout(c, 0);
	c->subscription = daemon_subscribe(c->server->d, r->id, on_event, c);
}

static void handle(Connection *c, const char *line, size_t len)
{
	g_autoptr(GError) error = NULL;
	g_auto(Request) r = {0};
	/* Only a submission may be that long; to read it takes longer than the loop may stand. */
	bool is_long = len > REQUEST_MAX_PLAIN;
	if (!is_long && !request_parse(line, len, &r, &error)) {
		say_error(c, error);
	} else if (is_long || r.kind == REQUEST_SUBMIT) {
		set_timeout(c, 0);
		c->acceptance = daemon_submit(c->server->d, &c->peer, line, len, on_accepted, c);
	} else if (r.kind == REQUEST_SUMMARY) {
		c->summary = summary_begin(c->server->d, r.since_us, on_summary, c);
	} else if (r.kind == REQUEST_WATCH) {
		watch(c, &r);
	} else {
		g_autoptr(json_t) answer = daemon_answer(c->server->d, &c->peer, &r);
		say(c, answer);
	}
}

/* The next line, without its end; NULL: it is not complete. */
static char *take_line(Connection *c, size_t *ret_len)
{
	const char *end = memchr(c->in->str + c->looked, '\n', c->in->len - c->looked);
	c->looked = end ? 0 : c->in->len;
	if (!end)
		return NULL;
	size_t len = *ret_len = (size_t)(end - c->in->str);
	if (len + 1 < c->in->len) {
		char *line = g_strndup(c->in->str, len);
		g_string_erase(c->in, 0, (gssize)len + 1);
		return line;
	}
	g_string_truncate(c->in, len);
	char *line = g_string_free(c->in, FALSE); /* may be large: not copied */
	c->in = g_string_new(NULL);
	return line;
}

/* Takes the complete lines, one request at a time. */
static void receive(Connection *c)
{
	char *next;
	size_t len;
	while (!c->acceptance && !c->summary && !c->subscription && !c->closing &&
	       c->out->len < MAX_UNREAD && (next = take_line(c, &len))) {
		g_autofree char *line = next;
		set_timeout(c, c->in->len ? REQUEST_TIMEOUT_S : IDLE_TIMEOUT_S);
		handle(c, line, len);
	}
}

static size_t buffered(const Server *s)
{
	size_t sum = 0;
	for (const GList *at = s->connections; at; at = at->next)
		sum += ((const Connection *)at->data)->in->len;
	return sum;
}

static void too_long(Connection *c)
{
	g_autoptr(GError) error = g_error_new(KX_ERROR, KX_ERROR_INPUT,
					      "the request is too long, or too many are "
					      "on their way at once");
	c->closing = true;
	say_error(c, error);
}

static gboolean on_readable(int fd, GIOCondition condition, gpointer data)
{
	Connection *c = data;
	char buf[65536];
	ssize_t n = recv(fd, buf, sizeof(buf), MSG_DONTWAIT);
	if (n < 0 && (errno == EINTR || errno == EAGAIN))
		return G_SOURCE_CONTINUE;
	if (n <= 0) {
		c->in_source = 0;
		connection_free(c);
		return G_SOURCE_REMOVE;
	}
	if (c->subscription || c->closing)
		return G_SOURCE_CONTINUE; /* it has nothing more to say */
	if (!c->in->len && !c->acceptance && !c->summary)
		set_timeout(c, REQUEST_TIMEOUT_S);
	if (c->in->len + (size_t)n > REQUEST_MAX_BYTES ||
	    buffered(c->server) + (size_t)n > MAX_BUFFERED) {
		too_long(c);
		return c->doomed ? G_SOURCE_REMOVE : G_SOURCE_CONTINUE;
	}
	g_string_append_len(c->in, buf, n);
	receive(c);
	return c->in_source ? G_SOURCE_CONTINUE : G_SOURCE_REMOVE;
}

/* ---- the socket ---- */

static bool ask_kernel(int fd, DaemonPeer *ret)
{
	struct ucred cred;
	socklen_t len = sizeof(cred);
	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &len) != 0)
		return false;
	ret->uid = cred.uid;
	struct passwd *user = getpwuid(cred.uid);
	if (user)
		g_strlcpy(ret->name, user->pw_name, sizeof(ret->name));
	else
		g_snprintf(ret->name, sizeof(ret->name), "%u", cred.uid);
	return true;
}

static bool has_room(const Server *s, const DaemonPeer *peer)
{
	guint all = 0, own = 0;
	for (const GList *at = s->connections; at; at = at->next) {
		all++;
		own += ((const Connection *)at->data)->peer.uid == peer->uid;
	}
	return all < MAX_CONNECTIONS && own < MAX_OF_USER;
}

static gboolean on_connect(int fd, GIOCondition condition, gpointer data)
{
	Server *s = data;
	DaemonPeer peer = {0};
	int peer_fd = accept4(fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	if (peer_fd < 0)
		return G_SOURCE_CONTINUE;
	if (!ask_kernel(peer_fd, &peer) || !has_room(s, &peer)) {
		static const char busy[] =
			"{\"v\":1,\"ok\":false,\"error\":{\"code\":\"busy\",\"message\":"
			"\"too many connections: try again\"}}\n";
		if (send(peer_fd, busy, strlen(busy), MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
			g_debug("a connection too many is gone already");
		close(peer_fd);
		return G_SOURCE_CONTINUE;
	}
	Connection *c = g_new0(Connection, 1);
	*c = (Connection){.server = s,
			  .fd = peer_fd,
			  .in = g_string_new(NULL),
			  .out = g_string_new(NULL),
			  .peer = peer};
	s->connections = g_list_prepend(s->connections, c);
	c->in_source = g_unix_fd_add(peer_fd, G_IO_IN | G_IO_HUP | G_IO_ERR, on_readable, c);
	set_timeout(c, IDLE_TIMEOUT_S);
	return G_SOURCE_CONTINUE;
}

/* One that nobody listens on is left from a daemon that was killed. */
static bool take_path(int fd, const struct sockaddr_un *at, GError **error)
{
	int probe = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	bool used = probe >= 0 && connect(probe, (const struct sockaddr *)at, sizeof(*at)) == 0;
	if (probe >= 0)
		close(probe);
	if (used) {
		g_set_error(error, KX_ERROR, KX_ERROR_BUSY, "another program listens on %s",
			    at->sun_path);
		return false;
	}
	struct stat st;
	if (lstat(at->sun_path, &st) == 0 && S_ISSOCK(st.st_mode))
		unlink(at->sun_path);
	/* Nobody gets in before the mode is right. */
	mode_t before = umask(0177);
	bool ok = bind(fd, (const struct sockaddr *)at, sizeof(*at)) == 0;
	umask(before);
	if (!ok)
		kx_set_errno(error, errno, "cannot make the socket %s", at->sun_path);
	return ok;
}

static bool let_in(const char *path, const char *group, GError **error)
{
	struct group *g = group ? getgrnam(group) : NULL;
	if (!group)
		return true;
	if (!g) {
		g_set_error(error, KX_ERROR, KX_ERROR_MISSING,
			    "there is no group '%s' (socket_group in the configuration)", group);
		return false;
	}
	if (chown(path, (uid_t)-1, g->gr_gid) == 0 && chmod(path, 0660) == 0)
		return true;
	kx_set_errno(error, errno, "cannot give %s to the group %s", path, group);
	return false;
}

Server *server_new(Daemon *d, const char *path, const char *group, GError **error)
{
	struct sockaddr_un at = {.sun_family = AF_UNIX};
	if (strlen(path) >= sizeof(at.sun_path)) {
		g_set_error(error, KX_ERROR, KX_ERROR_INPUT,
			    "%s: a socket's path has at most %zu bytes", path,
			    sizeof(at.sun_path) - 1);
		return NULL;
	}
	strcpy(at.sun_path, path);
	g_autofree char *folder = g_path_get_dirname(path);
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0 || !kx_mkdir(folder, error) || !take_path(fd, &at, error) ||
	    !let_in(path, group, error) || listen(fd, 64) != 0) {
		if (error && !*error)
			kx_set_errno(error, errno, "cannot listen on %s", path);
		if (fd >= 0)
			close(fd);
		return NULL;
	}
	Server *s = g_new0(Server, 1);
	*s = (Server){.d = d, .fd = fd, .path = g_strdup(path)};
	s->source = g_unix_fd_add(fd, G_IO_IN, on_connect, s);
	return s;
}

void server_free(Server *s)
{
	if (!s)
		return;
	g_clear_handle_id(&s->source, g_source_remove);
	while (s->connections)
		connection_free(s->connections->data);
	close(s->fd);
	unlink(s->path);
	g_free(s->path);
	g_free(s);
}
