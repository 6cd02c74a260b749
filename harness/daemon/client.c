/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "daemon/client.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/error.h"
#include "daemon/request.h"

#define PATIENCE_MS 90000
#define MAX_LINE (64u << 20)

struct Client {
	int fd;
	char *path;
	GString *in;
};

const char *client_default_socket(void)
{
	const char *own = g_getenv("KEXSECT_SOCKET");
	return own && *own ? own : "/run/kexsect/socket";
}

Client *client_new(const char *path, GError **error)
{
	struct sockaddr_un at = {.sun_family = AF_UNIX};
	path = path ? path : client_default_socket();
	if (strlen(path) >= sizeof(at.sun_path)) {
		g_set_error(error, KX_ERROR, KX_ERROR_INPUT, "%s: too long for a socket's path",
			    path);
		return NULL;
	}
	strcpy(at.sun_path, path);
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || connect(fd, (struct sockaddr *)&at, sizeof(at)) != 0) {
		int err = errno;
		if (err == ENOENT || err == ECONNREFUSED)
			g_set_error(error, KX_ERROR, KX_ERROR_MISSING,
				    "no daemon listens on %s: start kexsectd, or name its socket "
				    "by --socket or $KEXSECT_SOCKET",
				    path);
		else
			kx_set_errno(error, err, "cannot reach the daemon on %s", path);
		if (fd >= 0)
			close(fd);
		return NULL;
	}
	Client *c = g_new0(Client, 1);
	*c = (Client){.fd = fd, .path = g_strdup(path), .in = g_string_new(NULL)};
	return c;
}

void client_free(Client *c)
{
	if (!c)
		return;
	close(c->fd);
	g_free(c->path);
	g_string_free(c->in, TRUE);
	g_free(c);
}

/* A line without its newline; NULL at the end, or *error. */
static char *read_line(Client *c, int patience_ms, GError **error)
{
	char *end;
	while (!(end = memchr(c->in->str, '\n', c->in->len))) {
		char buf[65536];
		struct pollfd p = {c->fd, POLLIN, 0};
		int ready = poll(&p, 1, patience_ms);
		if (ready == 0) {
			g_set_error(error, KX_ERROR, KX_ERROR_TIMEOUT,
				    "the daemon on %s does not answer", c->path);
			return NULL;
		}
		ssize_t n = ready > 0 ? recv(c->fd, buf, sizeof(buf), 0) : -1;
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			kx_set_errno(error, errno, "the connection to %s broke", c->path);
		if (n <= 0)
			return NULL;
		if (c->in->len + (size_t)n > MAX_LINE) {
			g_set_error(error, KX_ERROR, KX_ERROR_INPUT, "%s says too much", c->path);
			return NULL;
		}
		g_string_append_len(c->in, buf, n);
	}
	char *line = g_strndup(c->in->str, (gsize)(end - c->in->str));
	g_string_erase(c->in, 0, end - c->in->str + 1);
	return line;
}

static bool write_all(Client *c, const char *text, size_t len, GError **error)
{
	while (len) {
		ssize_t n = send(c->fd, text, len, MSG_NOSIGNAL);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0) {
			kx_set_errno(error, errno, "the connection to %s broke", c->path);
			return false;
		}
		text += n;
		len -= (size_t)n;
	}
	return true;
}

json_t *client_ask(Client *c, json_t *request, GError **error)
{
	json_object_set_new(request, "v", json_integer(REQUEST_VERSION));
	char *text = json_dumps(request, JSON_COMPACT);
	json_decref(request);
	g_autofree char *line = g_strconcat(text, "\n", NULL);
	free(text);
	/* Who refuses early says why before it closes. */
	g_autoptr(GError) unsent = NULL;
	bool sent = write_all(c, line, strlen(line), &unsent);
	g_autofree char *said = read_line(c, PATIENCE_MS, sent ? error : NULL);
	if (!said) {
		if (unsent)
			g_propagate_error(error, g_steal_pointer(&unsent));
		else if (error && !*error)
			g_set_error(error, KX_ERROR, KX_ERROR_FAILED,
				    "the daemon on %s closed the connection without an answer",
				    c->path);
		return NULL;
	}
	g_autoptr(json_t) answer = kx_json_parse(said, "the daemon's answer", error);
	GError *refused = answer ? request_answer_error(answer) : NULL;
	if (refused)
		g_propagate_error(error, refused);
	return answer && !refused ? g_steal_pointer(&answer) : NULL;
}

json_t *client_next(Client *c, GError **error)
{
	g_autofree char *line = read_line(c, -1, error);
	return line ? kx_json_parse(line, "the daemon's event", error) : NULL;
}
