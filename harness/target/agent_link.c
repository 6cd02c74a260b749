/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "target/agent_link.h"

#include <errno.h>
#include <glib-unix.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/error.h"

struct AgentLink {
	int fd;
	guint in_source, out_source;
	GQueue out;	/* of GBytes */
	gsize out_done; /* bytes of the first that are written */
	uint16_t sequence;
	AgentDecoder decoder;
	AgentLinkFunc on_frame;
	gpointer user;
	uint8_t buffer[AGENT_MAX_FRAME + 1];
};

static bool give_frame(AgentType type, const uint8_t *payload, size_t len, void *user)
{
	AgentLink *l = user;
	l->on_frame(type, (const char *)payload, len, l->user);
	return true;
}

static gboolean on_input(int fd, GIOCondition condition, gpointer data)
{
	AgentLink *l = data;
	char buf[65536];
	ssize_t n = recv(fd, buf, sizeof(buf), MSG_DONTWAIT);
	if (n > 0)
		agent_decode(&l->decoder, buf, (size_t)n, give_frame, l);
	if (n > 0 || (n < 0 && (errno == EAGAIN || errno == EINTR)))
		return G_SOURCE_CONTINUE;
	l->in_source = 0; /* the other side is gone: the driver's event says why */
	return G_SOURCE_REMOVE;
}

/* Writes as much as fits. */
static gboolean on_writable(int fd, GIOCondition condition, gpointer data)
{
	AgentLink *l = data;
	GBytes *first;
	while ((first = g_queue_peek_head(&l->out))) {
		gsize len;
		const char *bytes = g_bytes_get_data(first, &len);
		ssize_t n = send(fd, bytes + l->out_done, len - l->out_done,
				 MSG_DONTWAIT | MSG_NOSIGNAL);
		if (n < 0 && (errno == EAGAIN || errno == EINTR))
			return G_SOURCE_CONTINUE;
		if (n < 0)
			break;
		l->out_done += (gsize)n;
		if (l->out_done == len) {
			g_bytes_unref(g_queue_pop_head(&l->out));
			l->out_done = 0;
		}
	}
	l->out_source = 0;
	return G_SOURCE_REMOVE;
}

AgentLink *agent_link_new(int fd, AgentLinkFunc on_frame, gpointer user)
{
	AgentLink *l = g_new0(AgentLink, 1);
	l->fd = fd;
	l->on_frame = on_frame;
	l->user = user;
	g_queue_init(&l->out);
	agent_decoder_init(&l->decoder, l->buffer);
	l->in_source = g_unix_fd_add(fd, G_IO_IN | G_IO_HUP | G_IO_ERR, on_input, l);
	return l;
}

void agent_link_free(AgentLink *l)
{
	if (!l)
		return;
	g_clear_handle_id(&l->in_source, g_source_remove);
	g_clear_handle_id(&l->out_source, g_source_remove);
	g_queue_clear_full(&l->out, (GDestroyNotify)g_bytes_unref);
	close(l->fd);
	g_free(l);
}

void agent_link_send(AgentLink *l, AgentType type, const char *payload, gsize len)
{
	guint8 *frame = g_malloc(AGENT_HEADER + len);
	agent_frame_header(frame, type, l->sequence++, payload, len);
	if (len > 0)
		memcpy(frame + AGENT_HEADER, payload, len);
	g_queue_push_tail(&l->out, g_bytes_new_take(frame, AGENT_HEADER + len));
	if (!l->out_source)
		l->out_source = g_unix_fd_add(l->fd, G_IO_OUT, on_writable, l);
}

void agent_link_send_text(AgentLink *l, AgentType type, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	g_autofree char *text = g_strdup_vprintf(format, args);
	va_end(args);
	agent_link_send(l, type, text, MIN(strlen(text), AGENT_MAX_PAYLOAD));
}

bool agent_link_send_file(AgentLink *l, const char *name, const char *path, GError **error)
{
	g_autoptr(GError) e = NULL;
	GMappedFile *file = g_mapped_file_new(path, FALSE, &e);
	gsize len = file ? g_mapped_file_get_length(file) : 0;
	if (!file || len == 0 || len > AGENT_MAX_FILE) {
		g_set_error(error, KX_ERROR, file ? KX_ERROR_INPUT : KX_ERROR_MISSING,
			    "%s: cannot be delivered to the launcher: %s", path,
			    !file ? e->message
			    : len ? "too large"
				  : "empty");
		g_clear_pointer(&file, g_mapped_file_unref);
		return false;
	}
	agent_link_send_text(l, AGENT_FILE, "%s %" G_GSIZE_FORMAT, name, len);
	const char *bytes = g_mapped_file_get_contents(file);
	for (gsize at = 0; at < len; at += AGENT_MAX_PAYLOAD)
		agent_link_send(l, AGENT_DATA, bytes + at, MIN(AGENT_MAX_PAYLOAD, len - at));
	g_mapped_file_unref(file);
	return true;
}

char *agent_hello_value(const char *hello, const char *key)
{
	gsize len = strlen(key);
	for (const char *at = hello; at && *at; at = strchr(at, '\n') ? strchr(at, '\n') + 1 : NULL)
		if (strncmp(at, key, len) == 0 && at[len] == '=')
			return g_strndup(at + len + 1, strcspn(at + len + 1, "\n"));
	return NULL;
}
