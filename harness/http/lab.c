/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The queue: the requests of the UNIX socket (daemon/request.h), with an address each. */
#include "http/http-internal.h"

/* `key`: of the answer; its only one here is `as`. */
static HttpReply from_answer(json_t *answer, const char *key, const char *as)
{
	g_autoptr(json_t) a = answer;
	g_autoptr(GError) error = request_answer_error(a);
	if (error)
		return http_reply_error(0, error);
	return http_reply_json(json_pack("{s:O}", as, json_object_get(a, key)));
}

/* The `before` of the next page; null: this one is the last. */
static json_t *next_before(const json_t *all, unsigned limit)
{
	size_t n = json_array_size(all);
	return n == limit ? json_incref(json_object_get(json_array_get(all, n - 1), "id"))
			  : json_null();
}

static HttpReply list(Exchange *x)
{
	Request r = {.kind = REQUEST_LIST,
		     .state = x->route.state,
		     .before = x->route.before,
		     .limit = x->route.limit};
	g_autoptr(json_t) a = daemon_answer(x->h->d, &x->who, &r);
	g_autoptr(GError) error = request_answer_error(a);
	if (error)
		return http_reply_error(0, error);
	json_t *all = json_object_get(a, "submissions"), *trouble = json_object_get(a, "trouble");
	return http_reply_json(json_pack("{s:O, s:o, s:o}", "campaigns", all, "next",
					 next_before(all, r.limit), "trouble",
					 trouble ? json_incref(trouble) : json_null()));
}

static HttpReply journal(Exchange *x)
{
	Request r = {.kind = REQUEST_JOURNAL, .after = x->route.after, .limit = x->route.limit};
	g_autoptr(json_t) a = daemon_answer(x->h->d, &x->who, &r);
	g_autoptr(GError) error = request_answer_error(a);
	return error ? http_reply_error(0, error)
		     : http_reply_json(json_pack("{s:O, s:O}", "journal",
						 json_object_get(a, "journal"), "last",
						 json_object_get(a, "last")));
}

static HttpReply notices(Exchange *x)
{
	Request r = {.kind = REQUEST_NOTICES, .before = x->route.before, .limit = x->route.limit};
	g_autoptr(json_t) a = daemon_answer(x->h->d, &x->who, &r);
	g_autoptr(GError) error = request_answer_error(a);
	if (error)
		return http_reply_error(0, error);
	const json_t *all = json_object_get(a, "notices");
	return http_reply_json(json_pack("{s:O, s:O, s:o}", "receivers",
					 json_object_get(a, "receivers"), "notices", all, "next",
					 next_before(all, r.limit)));
}

static HttpReply health(Http *h)
{
	g_autoptr(json_t) census = daemon_census(h->d);
	bool ok = json_is_null(json_object_get(census, "trouble"));
	HttpReply r = http_reply_json(json_pack("{s:s}", "status", ok ? "ok" : "trouble"));
	r.status = ok ? 200 : 503;
	return r;
}

static const char description[] = {
#include "openapi.yaml.inc"
};

HttpReply http_lab(Exchange *x)
{
	static const RequestKind kinds[HTTP_ROUTE_MAX] = {
		[HTTP_CAMPAIGN] = REQUEST_STATUS, [HTTP_PAUSE] = REQUEST_PAUSE,
		[HTTP_RESUME] = REQUEST_RESUME,	  [HTTP_CANCEL] = REQUEST_CANCEL,
		[HTTP_RELEASE] = REQUEST_RELEASE, [HTTP_QUARANTINE] = REQUEST_QUARANTINE,
		[HTTP_CHECK] = REQUEST_CHECK};
	Request r = {.kind = kinds[x->route.kind],
		     .id = x->route.id,
		     .target = x->route.target,
		     .reason = x->route.reason};
	switch (x->route.kind) {
	case HTTP_HEALTH:
		return health(x->h);
	case HTTP_METRICS:
		return http_metrics(x->h);
	case HTTP_CAMPAIGNS:
		return list(x);
	case HTTP_JOURNAL:
		return journal(x);
	case HTTP_NOTICES:
		return notices(x);
	case HTTP_DESCRIPTION:
		return (HttpReply){
			.status = 200, .text = g_strdup(description), .type = "application/yaml"};
	case HTTP_PAGE:
		return http_page(x->route.path);
	case HTTP_TARGETS:
		return http_reply_json(json_pack("{s:o}", "targets", daemon_targets(x->h->d)));
	default: {
		bool target = x->route.target != NULL;
		HttpReply reply = from_answer(daemon_answer(x->h->d, &x->who, &r),
					      target ? "target" : "submission",
					      target ? "target" : "campaign");
		reply.changes = x->route.kind != HTTP_CAMPAIGN;
		return reply;
	}
	}
}
