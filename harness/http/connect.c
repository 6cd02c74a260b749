/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Who may ask for what, before anything is read or done for it. */
#include <string.h>

#include "daemon/request.h"
#include "http/http-internal.h"
#include "http/parse.h"

#define MAX_RESERVED (96u << 20)

static const char *header(const Exchange *x, const char *name)
{
	return MHD_lookup_connection_value(x->c, MHD_HEADER_KIND, name);
}

static bool refuse(HttpReply *ret, unsigned status, KxErrorCode code, const char *text)
{
	*ret = http_reply_refusal(status, code, text);
	return false;
}

/* A name that leads here by a stranger's DNS (rebinding) must not read as this machine's user. */
static bool is_our_host(const Exchange *x, const char *text)
{
	const DaemonConfig *c = daemon_config(x->h->d);
	g_autofree char *host = http_parse_host(text);
	if (g_ascii_strcasecmp(host, "localhost") == 0 || g_str_equal(host, x->h->address))
		return true;
	for (unsigned i = 0; i < c->hosts_count; i++)
		if (g_ascii_strcasecmp(host, c->hosts[i]) == 0)
			return true;
	return false;
}

/* A link that was followed: the answer is shown to whoever followed it, and the page that it was on
 * does not get it. A report's links are such: in its sandbox it is a stranger to its own origin. */
static bool is_navigation(const Exchange *x, const char *method)
{
	return (g_str_equal(method, "GET") || g_str_equal(method, "HEAD")) &&
	       g_strcmp0(header(x, "Sec-Fetch-Mode"), "navigate") == 0 &&
	       g_strcmp0(header(x, "Sec-Fetch-Dest"), "document") == 0;
}

/* A page of another origin may not make its reader's browser ask. */
static bool check_origin(const Exchange *x, const char *method, HttpReply *ret)
{
	const char *host = header(x, "Host"), *origin = header(x, "Origin"),
		   *site = header(x, "Sec-Fetch-Site");
	bool foreign = site && (g_str_equal(site, "cross-site") || g_str_equal(site, "same-site"));
	if (!host)
		return refuse(ret, 400, KX_ERROR_INPUT, "the header Host is missing");
	if (x->h->loopback && !is_our_host(x, host))
		return refuse(ret, 421, KX_ERROR_REFUSED,
			      "this is not the host that was asked for: use localhost, or name it "
			      "under hosts in the configuration");
	g_autofree char *own = g_strconcat(x->h->tls ? "https://" : "http://", host, NULL);
	if ((origin && g_ascii_strcasecmp(origin, own) != 0) ||
	    (foreign && !is_navigation(x, method)))
		return refuse(ret, 403, KX_ERROR_REFUSED, "a page of another origin may not ask");
	return true;
}

/* Over loopback, unless the configuration says otherwise: whoever may use the UNIX socket. */
static bool may_read(const Exchange *x)
{
	const DaemonConfig *c = daemon_config(x->h->d);
	HttpPeer *p = x->peer;
	if (!x->h->loopback || c->read_without_token >= 0)
		return x->h->loopback && c->read_without_token;
	if (!p->asked) {
		p->ours = http_peer_is_ours(p->fd, c->socket_group);
		p->asked = true;
	}
	return p->ours;
}

static bool check_role(Exchange *x, HttpReply *ret)
{
	const char *said = header(x, "Authorization");
	HttpRole role = HTTP_NOBODY;
	x->who = (DaemonPeer){.uid = G_MAXUINT32, .name = "-"};
	if (said) {
		if (g_ascii_strncasecmp(said, "Bearer ", 7) == 0)
			role = http_tokens_find(x->h->tokens, said + 7, &x->who);
		if (!role)
			return refuse(ret, 401, KX_ERROR_REFUSED, "this token is not known");
	} else if (x->route.role && may_read(x)) {
		role = HTTP_READ;
	}
	if (role >= x->route.role)
		return true;
	return role && said ? refuse(ret, 403, KX_ERROR_REFUSED,
				     "the role of this token does not allow that")
			    : refuse(ret, 401, KX_ERROR_REFUSED,
				     "a token is wanted: Authorization: Bearer …");
}

static bool check_body(Exchange *x, const char *method, HttpReply *ret)
{
	const char *length = header(x, "Content-Length"), *type = header(x, "Content-Type");
	guint64 n = 0;
	bool submits = x->route.kind == HTTP_SUBMIT, chunked = header(x, "Transfer-Encoding");
	if (chunked && submits)
		return refuse(ret, 411, KX_ERROR_INPUT, "a body comes with its Content-Length");
	if (submits && header(x, "Content-Encoding"))
		return refuse(ret, 415, KX_ERROR_INPUT, "a body is not coded");
	if (length && !g_ascii_string_to_unsigned(length, 10, 0, G_MAXINT64, &n, NULL))
		return refuse(ret, 400, KX_ERROR_INPUT, "Content-Length is no number");
	if (chunked || n > (submits ? REQUEST_MAX_BYTES : 0))
		return refuse(ret, 413, KX_ERROR_INPUT,
			      submits ? "the submission is too long" : "no body is wanted here");
	if (!submits)
		return true;
	if (!n)
		return refuse(ret, 400, KX_ERROR_INPUT, "there is no body");
	if (!http_parse_is_json(type))
		return refuse(ret, 415, KX_ERROR_INPUT, "the body must be application/json");
	if (x->h->reserved + n > MAX_RESERVED)
		return refuse(ret, 503, KX_ERROR_BUSY,
			      "too many submissions are on their way: try again");
	x->expected = (size_t)n;
	x->h->reserved += x->expected;
	x->body = g_string_new(NULL);
	return true;
}

bool http_admit(Exchange *x, const char *method, HttpReply *ret)
{
	g_autoptr(GError) error = NULL;
	const char *allow;
	unsigned status;
	if (!check_origin(x, method, ret))
		return false;
	if (!http_route_parse(method, x->target, &x->route, &status, &allow, &error)) {
		/* who may not read does not learn what there is */
		x->route.role = HTTP_READ;
		if (check_role(x, ret)) {
			*ret = http_reply_error(status, error);
			ret->allow = allow;
		}
		return false;
	}
	return check_role(x, ret) && check_body(x, method, ret);
}
