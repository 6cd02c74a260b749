/* SPDX-License-Identifier: GPL-2.0-or-later */
/* libmicrohttpd in the main loop: connections, bodies, deadlines. */
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "http/http-internal.h"

#define MAX_CONNECTIONS 256
#define MAX_OF_ADDRESS 160
#define HEADER_BYTES (32u << 10)
#define IDLE_S 60
#define TICK_S 2
#define ALIVE_S 5

static gint64 now_s(void)
{
	return g_get_monotonic_time() / G_USEC_PER_SEC;
}

/* ---- the source ---- */

typedef struct {
	GSource source;
	struct MHD_Daemon *mhd;
	gpointer tag;
} MhdSource;

static gboolean source_prepare(GSource *source, gint *timeout)
{
	MHD_UNSIGNED_LONG_LONG ms;
	*timeout = -1;
	if (MHD_get_timeout(((MhdSource *)source)->mhd, &ms) == MHD_YES)
		*timeout = (gint)MIN(ms, 60000);
	return *timeout == 0;
}

static gboolean source_check(GSource *source)
{
	gint timeout;
	return g_source_query_unix_fd(source, ((MhdSource *)source)->tag) ||
	       source_prepare(source, &timeout);
}

static gboolean source_dispatch(GSource *source, GSourceFunc func, gpointer user)
{
	MHD_run(((MhdSource *)source)->mhd);
	return G_SOURCE_CONTINUE;
}

static GSourceFuncs source_funcs = {
	.prepare = source_prepare, .check = source_check, .dispatch = source_dispatch};

static void attach(Http *h)
{
	const union MHD_DaemonInfo *info = MHD_get_daemon_info(h->mhd, MHD_DAEMON_INFO_EPOLL_FD);
	h->source = g_source_new(&source_funcs, sizeof(MhdSource));
	((MhdSource *)h->source)->mhd = h->mhd;
	((MhdSource *)h->source)->tag = g_source_add_unix_fd(h->source, info->epoll_fd, G_IO_IN);
	g_source_attach(h->source, NULL);
}

/* ---- connections ---- */

static void on_connection(void *user, struct MHD_Connection *c, void **socket_context,
			  enum MHD_ConnectionNotificationCode code)
{
	Http *h = user;
	if (code == MHD_CONNECTION_NOTIFY_STARTED) {
		HttpPeer *p = g_new0(HttpPeer, 1);
		p->h = h;
		p->fd = MHD_get_connection_info(c, MHD_CONNECTION_INFO_CONNECTION_FD)->connect_fd;
		p->since_s = now_s();
		h->peers = g_list_prepend(h->peers, p);
		*socket_context = p;
	} else {
		h->peers = g_list_remove(h->peers, *socket_context);
		g_free(*socket_context);
	}
}

/* MHD watches by edges and does not see an end that came together with the last bytes (0.9.75), nor
 * that of a suspended connection. */
static bool is_gone(const HttpPeer *p, gint64 now)
{
	struct pollfd ask = {p->fd, POLLRDHUP, 0};
	return p->phase != PEER_SENDS && now - p->since_s >= TICK_S && poll(&ask, 1, 0) == 1;
}

static gboolean on_tick(gpointer data)
{
	Http *h = data;
	const ConfigLimits *limits = &daemon_config(h->d)->limits;
	gint64 now = now_s();
	for (const GList *at = h->peers; at; at = at->next) {
		HttpPeer *p = at->data;
		gint64 most = p->phase == PEER_RECEIVES ? (gint64)limits->request_s
			      : p->phase == PEER_SENDS	? (gint64)limits->answer_s
							: G_MAXINT64;
		bool slow = now - p->since_s > most;
		if (slow || is_gone(p, now)) {
			shutdown(p->fd, SHUT_RDWR);
			h->dropped += slow;
			if (p->phase != PEER_STREAMS) /* its next sign of life ends it */
				p->since_s = now;
		}
	}
	for (const GList *at = h->exchanges; at; at = at->next) {
		Exchange *x = at->data;
		if (x->stream && now - x->peer->since_s >= ALIVE_S) {
			x->peer->since_s = now;
			http_stream_tick(x);
		}
	}
	http_certificate_watch(h, now);
	if (!h->drained || h->peers)
		return G_SOURCE_CONTINUE;
	h->tick = 0;
	h->drained(h, h->drained_user);
	return G_SOURCE_REMOVE;
}

/* ---- requests ---- */

static gboolean on_kick(gpointer data)
{
	Http *h = data;
	h->kick = 0;
	MHD_run(h->mhd);
	return G_SOURCE_REMOVE;
}

/* A resumed connection is looked at only by the next MHD_run(). */
void http_resume(Exchange *x)
{
	if (!x->suspended)
		return;
	x->suspended = false;
	MHD_resume_connection(x->c);
	if (!x->h->kick)
		x->h->kick = g_idle_add(on_kick, x->h);
}

static void set_phase(Exchange *x, int phase)
{
	x->peer->phase = phase;
	x->peer->since_s = now_s();
}

static void *on_target(void *user, const char *uri, struct MHD_Connection *c)
{
	Exchange *x = g_new0(Exchange, 1);
	x->h = user;
	x->c = c;
	x->peer = MHD_get_connection_info(c, MHD_CONNECTION_INFO_SOCKET_CONTEXT)->socket_context;
	x->target = g_strdup(uri);
	x->h->exchanges = g_list_prepend(x->h->exchanges, x);
	return x;
}

static void on_completed(void *user, struct MHD_Connection *c, void **context,
			 enum MHD_RequestTerminationCode code)
{
	Exchange *x = *context;
	if (!x)
		return;
	Http *h = x->h;
	h->exchanges = g_list_remove(h->exchanges, x);
	h->reserved -= x->expected;
	if (x->acceptance)
		daemon_submit_drop(x->acceptance);
	if (x->summary)
		daemon_summarise_drop(x->summary);
	if (x->stream)
		http_stream_free(x->stream);
	set_phase(x, PEER_RECEIVES);
	http_reply_clear(&x->late);
	http_route_clear(&x->route);
	if (x->body)
		g_string_free(x->body, TRUE);
	g_free(x->target);
	g_free(x);
	*context = NULL;
}

static enum MHD_Result send_reply(Exchange *x, HttpReply *r)
{
	unsigned status = 500;
	r->last = x->h->drained;
	set_phase(x, PEER_SENDS);
	enum MHD_Result ok = http_reply_send(r, x->c, &status);
	x->h->answered[CLAMP(status / 100, 0, 5)]++;
	return ok;
}

/* The answer to a submission: on disk, or refused. */
static void on_accepted(const json_t *answer, gpointer user)
{
	Exchange *x = user;
	g_autoptr(GError) error = request_answer_error(answer);
	json_t *s = json_object_get(answer, "submission");
	x->acceptance = NULL;
	x->late_ready = true;
	if (error) {
		/* what it names and does not bring along is its mistake */
		bool bad = g_error_matches(error, KX_ERROR, KX_ERROR_DIGEST) ||
			   g_error_matches(error, KX_ERROR, KX_ERROR_MISSING);
		x->late = http_reply_error(bad ? 400 : 0, error);
	} else {
		x->late = http_reply_json(json_pack("{s:O}", "campaign", s));
		x->late.status = 201;
		x->late.location = g_strdup_printf("/api/v1/campaigns/%" G_GINT64_FORMAT,
						   kx_json_int(s, "id", 0));
	}
	http_resume(x);
}

static enum MHD_Result wait_for_answer(Exchange *x)
{
	x->suspended = true;
	MHD_suspend_connection(x->c);
	return MHD_YES;
}

/* The body is the socket's submission, without "v" and "do": these are put in front, and a second
 * one is refused where it is read. */
static enum MHD_Result submit(Exchange *x)
{
	static const char begin[] = "{\"v\":1,\"do\":\"submit\",";
	gsize at = strspn(x->body->str, " \t\r\n");
	if (x->body->str[at] != '{') {
		HttpReply bad = http_reply_refusal(400, KX_ERROR_INPUT,
						   "the body is no JSON object with a snapshot");
		return send_reply(x, &bad);
	}
	g_string_erase(x->body, 0, (gssize)at + 1);
	g_string_prepend(x->body, begin);
	set_phase(x, PEER_SENDS);
	x->acceptance = daemon_submit(x->h->d, &x->who, x->body->str, x->body->len, on_accepted, x);
	return x->late_ready ? send_reply(x, &x->late) : wait_for_answer(x);
}

static enum MHD_Result answer(Exchange *x, const char *method)
{
	if (x->route.kind == HTTP_EVENTS && g_str_equal(method, "GET"))
		return http_stream_begin(x);
	if (x->route.kind == HTTP_EVENTS) {
		HttpReply head = {.status = 200, .type = "text/event-stream"};
		return send_reply(x, &head);
	}
	HttpReply r;
	if (x->route.kind == HTTP_SUMMARY) {
		set_phase(x, PEER_SENDS);
		if (http_summary(x, &r))
			return wait_for_answer(x);
	} else {
		r = x->route.kind >= HTTP_RUNS ? http_results(x) : http_lab(x);
	}
	return send_reply(x, &r);
}

static enum MHD_Result on_request(void *user, struct MHD_Connection *c, const char *url,
				  const char *method, const char *version, const char *data,
				  size_t *size, void **context)
{
	Exchange *x = *context;
	if (!x || x->h->stopping)
		return MHD_NO;
	if (!x->begun) {
		HttpReply refusal;
		x->begun = true;
		return http_admit(x, method, &refusal) ? MHD_YES : send_reply(x, &refusal);
	}
	if (*size) {
		if (!x->body || x->body->len + *size > x->expected)
			return MHD_NO;
		g_string_append_len(x->body, data, (gssize)*size);
		*size = 0;
		return MHD_YES;
	}
	if (x->late_ready)
		return send_reply(x, &x->late);
	return x->body ? submit(x) : answer(x, method);
}

/* ---- begin and end ---- */

static void on_log(void *user, const char *format, va_list args)
{
	g_autofree char *text = g_strdup_vprintf(format, args);
	g_debug("http: %s", g_strchomp(text));
}

static bool start_mhd(Http *h, const HttpCertificate *c, GError **error)
{
	struct MHD_OptionItem tls[] = {{MHD_OPTION_HTTPS_MEM_KEY, 0, c->key},
				       {MHD_OPTION_HTTPS_MEM_CERT, 0, c->certificate},
				       {MHD_OPTION_HTTPS_PRIORITIES, 0,
					(void *)"NORMAL:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2"},
				       {MHD_OPTION_END, 0, NULL}};
	unsigned flags = MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ERROR_LOG |
			 (h->tls ? MHD_USE_TLS : 0);
	h->mhd = MHD_start_daemon(
		flags, 0, NULL, NULL, on_request, h, MHD_OPTION_EXTERNAL_LOGGER, on_log, NULL,
		MHD_OPTION_LISTEN_SOCKET, h->fd, MHD_OPTION_CONNECTION_LIMIT, MAX_CONNECTIONS,
		MHD_OPTION_PER_IP_CONNECTION_LIMIT, MAX_OF_ADDRESS, MHD_OPTION_CONNECTION_TIMEOUT,
		IDLE_S, MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)HEADER_BYTES,
		MHD_OPTION_STRICT_FOR_CLIENT, 1, MHD_OPTION_URI_LOG_CALLBACK, on_target, h,
		MHD_OPTION_NOTIFY_COMPLETED, on_completed, h, MHD_OPTION_NOTIFY_CONNECTION,
		on_connection, h, MHD_OPTION_ARRAY, h->tls ? tls : &tls[3], MHD_OPTION_END);
	if (!h->mhd)
		g_set_error(error, KX_ERROR, KX_ERROR_FAILED, "HTTP does not start");
	return h->mhd != NULL;
}

static void resume_all(Http *h)
{
	for (const GList *at = h->exchanges; at; at = at->next) {
		Exchange *x = at->data;
		if (x->suspended)
			MHD_resume_connection(x->c);
		x->suspended = false;
	}
}

void http_stop(Http *h)
{
	h->stopping = true;
	g_clear_handle_id(&h->kick, g_source_remove);
	g_clear_handle_id(&h->tick, g_source_remove);
	if (h->source) {
		g_source_destroy(h->source);
		g_source_unref(h->source);
	}
	if (h->mhd) {
		resume_all(h);
		MHD_run(h->mhd);
		MHD_stop_daemon(h->mhd); /* closes the listening socket too */
	} else if (h->fd >= 0) {
		close(h->fd);
	}
	store_free(h->store);
	http_tokens_free(h->tokens);
	g_free(h->store_results);
	g_free(h->listen);
	g_free(h->address);
	g_free(h->tls_sum);
	g_free(h);
}

void http_drain(Http *h, HttpDrainedFunc drained, gpointer user)
{
	h->drained = drained;
	h->drained_user = user;
	int fd = MHD_quiesce_daemon(h->mhd); /* MHD does not close it any more */
	if (fd >= 0)
		close(fd);
	h->fd = -1;
	for (const GList *at = h->exchanges; at; at = at->next) {
		Exchange *x = at->data;
		if (x->stream)
			http_resume(x);
	}
}

bool http_is_current(const Http *h, GError **error)
{
	const DaemonConfig *c = daemon_config(h->d);
	g_auto(HttpCertificate) now = {0};
	if (c->tls.certificate && !http_certificate_load(&c->tls, &now, error))
		return false;
	return g_str_equal(h->listen, c->listen) && g_strcmp0(h->tls_sum, now.sum) == 0;
}

Http *http_start(Daemon *d, const Http *before, GError **error)
{
	const ConfigTls *tls = &daemon_config(d)->tls;
	g_auto(HttpCertificate) c = {0};
	if (tls->certificate && !http_certificate_load(tls, &c, error))
		return NULL;
	Http *h = g_new0(Http, 1);
	h->d = d;
	h->tls = tls->certificate != NULL;
	h->tls_sum = g_strdup(c.sum);
	h->expires_s = c.expires_s;
	h->tokens = http_tokens_new(daemon_state(d));
	h->fd = http_listen(h, before, error);
	if (h->fd < 0 || !start_mhd(h, &c, error)) {
		http_stop(h);
		return NULL;
	}
	if (before) { /* counters do not go back */
		memcpy(h->answered, before->answered, sizeof(h->answered));
		h->dropped = before->dropped;
	}
	attach(h);
	h->tick = g_timeout_add_seconds(TICK_S, on_tick, h);
	http_certificate_watch(h, now_s());
	g_message("http%s://%s", h->tls ? "s" : "", h->listen);
	return h;
}
