/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Server-sent events: what daemon_subscribe() tells, as it happens. A reader who does not keep up
 * is cut off, so that nobody's slowness costs memory. */
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "http/http-internal.h"

#define MAX_UNREAD (1u << 20)

struct Stream {
	Exchange *x;
	Subscription *subscription;
	GString *out;
	size_t sent; /* of `out` */
	bool cut;
};

static void put(Stream *s, const char *text)
{
	if (s->cut)
		return;
	g_string_append(s->out, text);
	if (s->out->len - s->sent > MAX_UNREAD) {
		s->cut = true;
		s->x->h->dropped++;
		shutdown(s->x->peer->fd, SHUT_RDWR);
	}
	http_resume(s->x);
}

static void on_event(const json_t *event, gpointer user)
{
	char *text = json_dumps(event, HTTP_JSON);
	g_autofree char *message = g_strconcat("data: ", text ? text : "{}", "\n\n", NULL);
	free(text);
	put(user, message);
}

void http_stream_tick(Exchange *x)
{
	put(x->stream, ": alive\n\n");
}

static ssize_t on_read(void *user, uint64_t pos, char *buf, size_t max)
{
	Stream *s = user;
	size_t have = s->out->len - s->sent;
	if (s->cut || s->x->h->stopping || s->x->h->drained)
		return MHD_CONTENT_READER_END_OF_STREAM;
	if (!have) {
		s->x->suspended = true;
		MHD_suspend_connection(s->x->c);
		return 0;
	}
	size_t n = MIN(have, max);
	memcpy(buf, s->out->str + s->sent, n);
	s->sent += n;
	if (s->sent == s->out->len || s->sent > MAX_UNREAD / 4) {
		g_string_erase(s->out, 0, (gssize)s->sent);
		s->sent = 0;
	}
	return (ssize_t)n;
}

enum MHD_Result http_stream_begin(Exchange *x)
{
	unsigned status;
	if (x->h->streams >= HTTP_MAX_STREAMS) {
		HttpReply busy = http_reply_refusal(503, KX_ERROR_BUSY, "too many read events");
		x->h->answered[5]++;
		return http_reply_send(&busy, x->c, &status);
	}
	Stream *s = g_new0(Stream, 1);
	s->x = x;
	s->out = g_string_new("retry: 3000\n\n");
	struct MHD_Response *r =
		MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, 4096, on_read, s, NULL);
	http_add_headers(r, &(HttpReply){.status = 200, .type = "text/event-stream", .last = true},
			 NULL);
	enum MHD_Result ok = MHD_queue_response(x->c, 200, r);
	MHD_destroy_response(r);
	x->h->streams++;
	x->h->answered[2]++;
	x->stream = s;
	x->peer->phase = PEER_STREAMS;
	s->subscription = daemon_subscribe(x->h->d, x->route.campaign, on_event, s);
	return ok;
}

void http_stream_free(Stream *s)
{
	s->x->h->streams--;
	daemon_unsubscribe(s->x->h->d, s->subscription);
	g_string_free(s->out, TRUE);
	g_free(s);
}
