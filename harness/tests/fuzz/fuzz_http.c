/* SPDX-License-Identifier: GPL-2.0-or-later */
/* libFuzzer target for what HTTP brings before anything is looked up: lines with a method, a
 * request target and headers; see scripts/fuzz. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "http/parse.h"
#include "http/route.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool ok)
{
	if (!ok)
		abort();
}

/* No name leads out of a folder, or into a terminal. */
static void check_path(const char *path)
{
	g_auto(GStrv) names = g_strsplit(path, "/", -1);
	must(g_utf8_validate(path, -1, NULL) && *path);
	for (char **n = names; *n; n++)
		must(**n && strlen(*n) <= 255 && !g_str_equal(*n, ".") && !g_str_equal(*n, ".."));
	for (const char *p = path; *p; p++)
		must(!g_ascii_iscntrl(*p) && *p != '\\');
}

static void check_route(const char *method, const char *target)
{
	g_autoptr(GError) error = NULL;
	g_auto(HttpRoute) r = {0};
	const char *allow = NULL;
	unsigned status = 0;
	if (!http_route_parse(method, target, &r, &status, &allow, &error)) {
		must(error && error->domain == KX_ERROR);
		must(status == 400 || status == 404 || status == 405);
		must((status == 405) == (allow != NULL));
		return;
	}
	must(!error && !allow && *target == '/' && strlen(target) <= 2048);
	must(r.kind < HTTP_ROUTE_MAX && r.role <= HTTP_ADMIN);
	must(r.limit >= 1 && r.limit <= 200 && r.id >= 0 && r.before >= 0 && r.after >= 0 &&
	     r.campaign >= 0);
	must(r.state >= -1 && r.state < SUBMISSION_STATE_MAX);
	bool changes = !g_str_equal(method, "GET") && !g_str_equal(method, "HEAD");
	must(!changes || (g_str_equal(method, "POST") && r.role >= HTTP_OPERATE));
	must((r.kind == HTTP_CAMPAIGN) <= (r.id > 0));
	must((r.kind == HTTP_TRIAL || r.kind == HTTP_TRIAL_FILES) <= (r.trial > 0));
	must(!r.folder || r.kind == HTTP_FILE);
	must(r.format < HTTP_FORMAT_MAX);
	for (const char *p = r.since; p && *p; p++)
		must(g_ascii_isalnum(*p) || strchr(":.+-", *p));
	must(r.kind != HTTP_FILE || (r.run && r.path));
	if (r.run)
		check_path(r.run);
	if (r.path)
		check_path(r.path);
}

static void check_headers(const char *range, const char *etags, const char *host, const char *type)
{
	static const guint64 sizes[] = {0, 1, 10, 4096, G_MAXINT64};
	for (guint i = 0; i < G_N_ELEMENTS(sizes); i++) {
		guint64 from = 0, len = 0;
		if (http_parse_range(range, sizes[i], &from, &len) == HTTP_RANGE_PART)
			must(len && from < sizes[i] && len <= sizes[i] - from);
	}
	must(http_parse_has_etag(etags, etags) || strchr(etags, ',') || !*etags ||
	     g_ascii_isspace(*etags) || g_ascii_isspace(etags[strlen(etags) - 1]));
	must(!http_parse_has_etag(NULL, "\"a\""));
	g_autofree char *name = http_parse_host(host);
	must(strlen(name) <= strlen(host) && (*host == '[' || !strchr(name, ':')));
	must(!http_parse_is_json(type) || strlen(type) >= strlen("application/json"));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	g_autofree char *text = g_strndup((const char *)data, size);
	g_auto(GStrv) lines = g_strsplit(text, "\n", 6);
	const char *part[6] = {"", "", "", "", "", ""};
	for (guint i = 0; lines[i]; i++)
		part[i] = lines[i];
	check_route(part[0], part[1]);
	check_headers(part[2], part[3], part[4], part[5]);
	return 0;
}
