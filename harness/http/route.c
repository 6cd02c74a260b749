/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "http/route.h"

#include <string.h>

#include "base/error.h"

#define MAX_TARGET 2048
#define MAX_REASON 500
#define MAX_SINCE 40
#define DEFAULT_LIMIT 50
#define MAX_LIMIT 200

static const HttpRow routes[] = {
	{"GET", "", HTTP_PAGE, HTTP_NOBODY, ""},
	{"GET", "page/*", HTTP_PAGE, HTTP_NOBODY, ""},
	{"GET", "healthz", HTTP_HEALTH, HTTP_NOBODY, ""},
	{"GET", "metrics", HTTP_METRICS, HTTP_READ, ""},
	{"GET", "api/v1/openapi.yaml", HTTP_DESCRIPTION, HTTP_READ, ""},
	{"GET", "api/v1/campaigns", HTTP_CAMPAIGNS, HTTP_READ, "state before limit"},
	{"POST", "api/v1/campaigns", HTTP_SUBMIT, HTTP_OPERATE, ""},
	{"GET", "api/v1/campaigns/#id", HTTP_CAMPAIGN, HTTP_READ, ""},
	{"POST", "api/v1/campaigns/#id/pause", HTTP_PAUSE, HTTP_OPERATE, ""},
	{"POST", "api/v1/campaigns/#id/resume", HTTP_RESUME, HTTP_OPERATE, ""},
	{"POST", "api/v1/campaigns/#id/cancel", HTTP_CANCEL, HTTP_OPERATE, ""},
	{"GET", "api/v1/journal", HTTP_JOURNAL, HTTP_READ, "after limit"},
	{"GET", "api/v1/summary", HTTP_SUMMARY, HTTP_READ, "since format"},
	{"GET", "api/v1/notices", HTTP_NOTICES, HTTP_READ, "before limit"},
	{"GET", "api/v1/targets", HTTP_TARGETS, HTTP_READ, ""},
	{"POST", "api/v1/targets/$target/release", HTTP_RELEASE, HTTP_ADMIN, ""},
	{"POST", "api/v1/targets/$target/quarantine", HTTP_QUARANTINE, HTTP_ADMIN, "reason"},
	{"POST", "api/v1/targets/$target/check", HTTP_CHECK, HTTP_ADMIN, ""},
	{"GET", "api/v1/events", HTTP_EVENTS, HTTP_READ, "campaign"},
	{"GET", "api/v1/runs", HTTP_RUNS, HTTP_READ, "before limit"},
	{"GET", "api/v1/runs/$run", HTTP_RUN, HTTP_READ, ""},
	{"GET", "api/v1/runs/$run/belief", HTTP_BELIEF, HTTP_READ, "after limit"},
	{"GET", "api/v1/runs/$run/trials", HTTP_TRIALS, HTTP_READ, "after limit"},
	{"GET", "api/v1/runs/$run/trials/#trial", HTTP_TRIAL, HTTP_READ, ""},
	{"GET", "api/v1/runs/$run/trials/#trial/files", HTTP_TRIAL_FILES, HTTP_READ, ""},
	{"GET", "api/v1/runs/$run/files/*", HTTP_FILE, HTTP_READ, ""},
};

const HttpRow *http_rows(guint *ret_count)
{
	*ret_count = G_N_ELEMENTS(routes);
	return routes;
}

static bool refuse(unsigned *ret_status, unsigned status, GError **error, const char *text)
{
	*ret_status = status;
	g_set_error_literal(error, KX_ERROR, status == 404 ? KX_ERROR_MISSING : KX_ERROR_INPUT,
			    text);
	return false;
}

/* A name of a path, decoded; NULL for what no honest client sends. */
static char *decode(const char *coded)
{
	g_autofree char *text = g_uri_unescape_string(coded, "/");
	if (!text || !*text || strlen(text) > 255 || g_str_equal(text, ".") ||
	    g_str_equal(text, "..") || !g_utf8_validate(text, -1, NULL))
		return NULL;
	for (const char *p = text; *p; p++)
		if (g_ascii_iscntrl(*p) || *p == '\\')
			return NULL;
	return g_steal_pointer(&text);
}

/* The path as names. */
static GStrv split(const char *path)
{
	g_auto(GStrv) coded = g_strsplit(path, "/", -1); /* of "" it has none */
	g_autoptr(GStrvBuilder) names = g_strv_builder_new();
	for (char **c = coded; *c; c++) {
		g_autofree char *name = decode(*c);
		if (!name)
			return NULL;
		g_strv_builder_add(names, name);
	}
	return g_strv_builder_end(names);
}

static bool is_word(const char *name, size_t most)
{
	size_t len = strlen(name);
	return len > 0 && len <= most &&
	       strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-") ==
		       len;
}

static bool take_number(const char *text, guint64 low, guint64 high, gint64 *ret)
{
	guint64 n;
	if (!g_ascii_string_to_unsigned(text, 10, low, high, &n, NULL) || *text == '+')
		return false;
	*ret = (gint64)n;
	return true;
}

static bool match_name(const char *pattern, const char *name, HttpRoute *r)
{
	gint64 n;
	if (g_str_equal(pattern, "#id"))
		return take_number(name, 1, G_MAXINT64, &r->id);
	if (g_str_equal(pattern, "#trial")) {
		if (!take_number(name, 1, G_MAXINT32, &n))
			return false;
		r->trial = (unsigned)n;
		return true;
	}
	if (g_str_equal(pattern, "$run")) {
		g_free(r->run);
		r->run = g_strdup(name);
		return is_word(name, 128);
	}
	if (g_str_equal(pattern, "$target")) {
		g_free(r->target);
		r->target = g_strdup(name);
		return is_word(name, 64);
	}
	return g_str_equal(pattern, name);
}

static bool match(const char *pattern, char **names, HttpRoute *r)
{
	g_auto(GStrv) wanted = g_strsplit(pattern, "/", -1);
	guint i = 0;
	for (; wanted[i] && names[i]; i++) {
		if (g_str_equal(wanted[i], "*")) {
			r->path = g_strjoinv("/", names + i);
			return true;
		}
		if (!match_name(wanted[i], names[i], r))
			return false;
	}
	return !wanted[i] && !names[i];
}

/* A line of text. */
static bool take_reason(const char *value, HttpRoute *r)
{
	g_free(r->reason);
	r->reason = g_uri_unescape_string(value, NULL);
	if (!r->reason || !*r->reason || strlen(r->reason) > MAX_REASON ||
	    !g_utf8_validate(r->reason, -1, NULL))
		return false;
	for (const char *p = r->reason; *p; p++)
		if (g_ascii_iscntrl(*p))
			return false;
	return true;
}

/* What it means only the command knows (daemon_summarise). */
static bool take_since(const char *value, HttpRoute *r)
{
	size_t len = strlen(value);
	g_free(r->since);
	r->since = g_strdup(value);
	return len > 0 && len <= MAX_SINCE &&
	       strspn(value,
		      "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789:.+-") == len;
}

static bool take_format(const char *value, HttpRoute *r)
{
	static const char *const names[HTTP_FORMAT_MAX] = {"json", "md", "html"};
	for (int i = 0; i < HTTP_FORMAT_MAX; i++) {
		if (!g_str_equal(value, names[i]))
			continue;
		r->format = (HttpFormat)i;
		return true;
	}
	return false;
}

static bool take_pair(const char *key, const char *value, HttpRoute *r)
{
	gint64 n;
	if (g_str_equal(key, "reason"))
		return take_reason(value, r);
	if (g_str_equal(key, "since"))
		return take_since(value, r);
	if (g_str_equal(key, "format"))
		return take_format(value, r);
	if (g_str_equal(key, "state"))
		return (r->state = submission_state_of(value)) >= 0;
	if (g_str_equal(key, "before"))
		return take_number(value, 1, G_MAXINT64, &r->before);
	if (g_str_equal(key, "after"))
		return take_number(value, 0, G_MAXINT64, &r->after);
	if (g_str_equal(key, "campaign"))
		return take_number(value, 1, G_MAXINT64, &r->campaign);
	if (!take_number(value, 1, MAX_LIMIT, &n))
		return false;
	r->limit = (unsigned)n;
	return true;
}

static bool take_query(const char *query, const char *allowed, HttpRoute *r)
{
	g_auto(GStrv) keys = g_strsplit(allowed, " ", -1);
	g_auto(GStrv) pairs = g_strsplit(query, "&", -1);
	g_autoptr(GHashTable) seen = g_hash_table_new(g_str_hash, g_str_equal);
	for (char **p = pairs; *p; p++) {
		char *value = strchr(*p, '=');
		if (!value)
			return false;
		*value++ = '\0';
		if (!**p || !g_strv_contains((const char *const *)keys, *p) ||
		    !g_hash_table_add(seen, *p) || !take_pair(*p, value, r))
			return false;
	}
	return true;
}

static bool is_method(const char *wanted, const char *method)
{
	return g_str_equal(method, wanted) ||
	       (g_str_equal(method, "HEAD") && g_str_equal(wanted, "GET"));
}

bool http_route_parse(const char *method, const char *target, HttpRoute *ret, unsigned *ret_status,
		      const char **ret_allow, GError **error)
{
	*ret_allow = NULL;
	if (*target != '/' || strlen(target) > MAX_TARGET)
		return refuse(ret_status, 400, error, "this is no path");
	const char *query = strchr(target, '?');
	g_autofree char *path =
		query ? g_strndup(target + 1, (gsize)(query - target - 1)) : g_strdup(target + 1);
	size_t len = strlen(path);
	bool folder = len > 1 && path[len - 1] == '/';
	if (folder)
		path[len - 1] = '\0';
	g_auto(GStrv) names = split(path);
	if (!names)
		return refuse(ret_status, 404, error, "there is nothing of this name");
	for (guint i = 0; i < G_N_ELEMENTS(routes); i++) {
		g_auto(HttpRoute) r = {.kind = routes[i].kind,
				       .role = routes[i].role,
				       .state = -1,
				       .limit = DEFAULT_LIMIT,
				       .folder = folder};
		if (!match(routes[i].path, names, &r) || (folder && r.kind != HTTP_FILE))
			continue;
		if (!is_method(routes[i].method, method)) {
			bool gets = g_str_equal(routes[i].method, "GET");
			*ret_allow = gets && !*ret_allow ? "GET, HEAD"
				     : *ret_allow	 ? "GET, HEAD, POST"
							 : "POST";
			continue;
		}
		*ret_allow = NULL;
		if (query && !take_query(query + 1, routes[i].query, &r))
			return refuse(ret_status, 400, error,
				      "the query has a key or a value that is not known here");
		*ret = r;
		r = (HttpRoute){0};
		return true;
	}
	return *ret_allow ? refuse(ret_status, 405, error, "this path does not take this method")
			  : refuse(ret_status, 404, error, "there is nothing of this name");
}

void http_route_clear(HttpRoute *r)
{
	g_free(r->run);
	g_free(r->path);
	g_free(r->target);
	g_free(r->reason);
	g_free(r->since);
	*r = (HttpRoute){0};
}
