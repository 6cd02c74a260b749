/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The listening socket. */
#include <errno.h>
#include <fcntl.h>
#include <gio/gio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "http/http-internal.h"

static GSocketAddress *parse(const char *text)
{
	const char *colon = strrchr(text, ':');
	guint64 port;
	if (!colon || !g_ascii_string_to_unsigned(colon + 1, 10, 1, 65535, &port, NULL))
		return NULL;
	bool brackets = *text == '[' && colon > text && colon[-1] == ']';
	g_autofree char *host = brackets ? g_strndup(text + 1, (gsize)(colon - text - 2))
					 : g_strndup(text, (gsize)(colon - text));
	if (!brackets && strchr(host, ':'))
		return NULL;
	return g_inet_socket_address_new_from_string(host, (guint)port);
}

static bool is_safe(Http *h, const DaemonConfig *c, GError **error)
{
	if (h->loopback || (h->tls && http_tokens_count(h->tokens)))
		return true;
	g_set_error(error, KX_ERROR, KX_ERROR_REFUSED,
		    "listen: %s: other machines reach it, so it takes tls (certificate and key) in "
		    "the configuration and a token: kexsectd --new-token read",
		    c->listen);
	return false;
}

int http_listen(Http *h, const Http *before, GError **error)
{
	const DaemonConfig *c = daemon_config(h->d);
	g_autoptr(GSocketAddress) at = parse(c->listen);
	if (!at) {
		g_set_error(error, KX_ERROR, KX_ERROR_INPUT,
			    "listen: '%s' is no address: expected one such as 127.0.0.1:8470 or "
			    "[::1]:8470, or none",
			    c->listen);
		return -1;
	}
	GInetAddress *host = g_inet_socket_address_get_address(G_INET_SOCKET_ADDRESS(at));
	h->loopback = g_inet_address_get_is_loopback(host);
	h->address = g_inet_address_to_string(host);
	h->listen = g_strdup(c->listen);
	if (!is_safe(h, c, error))
		return -1;
	if (before && g_str_equal(before->listen, c->listen)) {
		int same = fcntl(before->fd, F_DUPFD_CLOEXEC, 3);
		if (same < 0)
			kx_set_errno(error, errno, "cannot go on listening on %s", c->listen);
		return same;
	}
	struct sockaddr_storage native;
	gssize len = g_socket_address_get_native_size(at);
	if (!g_socket_address_to_native(at, &native, sizeof(native), error))
		return -1;
	int fd = socket(native.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), one = 1;
	if (fd >= 0 && setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) == 0 &&
	    bind(fd, (struct sockaddr *)&native, (socklen_t)len) == 0 && listen(fd, 128) == 0)
		return fd;
	int err = errno;
	if (fd >= 0)
		close(fd);
	if (err == EADDRINUSE && c->listen_given)
		g_set_error(error, KX_ERROR, KX_ERROR_BUSY, "somebody listens on %s already",
			    c->listen);
	else if (c->listen_given)
		kx_set_errno(error, err, "cannot listen on %s", c->listen);
	else
		g_warning("there is no HTTP: cannot listen on %s: %s (listen in the configuration)",
			  c->listen, g_strerror(err));
	return -1;
}
