/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a method and a request target ask for. Pure: nothing is looked up. */
#pragma once

#include <glib.h>
#include <stdbool.h>

#include "http/token.h"

typedef enum {
	HTTP_HEALTH,
	HTTP_METRICS,
	HTTP_DESCRIPTION,
	HTTP_CAMPAIGNS,
	HTTP_SUBMIT,
	HTTP_CAMPAIGN,
	HTTP_PAUSE,
	HTTP_RESUME,
	HTTP_CANCEL,
	HTTP_JOURNAL,
	HTTP_SUMMARY,
	HTTP_NOTICES,
	HTTP_TARGETS,
	HTTP_RELEASE,
	HTTP_QUARANTINE,
	HTTP_CHECK,
	HTTP_PAGE,
	HTTP_EVENTS,
	HTTP_RUNS,
	HTTP_RUN,
	HTTP_BELIEF,
	HTTP_TRIALS,
	HTTP_TRIAL,
	HTTP_TRIAL_FILES,
	HTTP_FILE,
	HTTP_ROUTE_MAX
} HttpRouteKind;

typedef enum { HTTP_JSON_FORMAT, HTTP_MARKDOWN, HTTP_HTML, HTTP_FORMAT_MAX } HttpFormat;

typedef struct {
	HttpRouteKind kind;
	HttpRole role; /* that it takes at least; HTTP_NOBODY: none */
	gint64 id;     /* of a campaign in the queue */
	char *run;     /* letters, digits, ._- */
	char *target;  /* the same */
	unsigned trial;
	char *path;  /* of a file, relative, of plain names without . and ..; NULL: / */
	bool folder; /* HTTP_FILE: the path ends in / */
	/* the query */
	int state;			/* SubmissionState; -1: any */
	gint64 before, after, campaign; /* 0: not given */
	char *reason;			/* one line of UTF-8, at most 500 bytes */
	unsigned limit;			/* 1…200; default 50 */
	char *since;			/* letters, digits, ":", ".", "+", "-"; NULL: not given */
	HttpFormat format;
} HttpRoute;

/* A line of the table of routes. */
typedef struct {
	const char *method;
	const char
		*path; /* #id and #trial: a number, $run and $target: a name, *: all that follows */
	HttpRouteKind kind;
	HttpRole role;
	const char *query; /* keys that it takes, by spaces */
} HttpRow;
/* Static storage. */
const HttpRow *http_rows(guint *ret_count);

/* False: *ret_status (400, 404, 405) and *error say why; *ret_allow is then the methods that the
 * path takes, for 405, else NULL (static). `target` as it came: still percent-coded. */
bool http_route_parse(const char *method, const char *target, HttpRoute *ret, unsigned *ret_status,
		      const char **ret_allow, GError **error);
void http_route_clear(HttpRoute *r);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(HttpRoute, http_route_clear)
