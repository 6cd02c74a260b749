/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Prints the daemon's table of routes, one as JSON a line, to compare with docs/openapi.yaml. */
#include "base/json.h"
#include "http/route.h"

int main(void)
{
	static const char *const roles[] = {[HTTP_NOBODY] = "",
					    [HTTP_READ] = "read",
					    [HTTP_OPERATE] = "operate",
					    [HTTP_ADMIN] = "admin"};
	guint n;
	const HttpRow *rows = http_rows(&n);
	for (guint i = 0; i < n; i++) {
		g_autoptr(json_t) row = json_pack("{s:s, s:s, s:s, s:s}", "method", rows[i].method,
						  "path", rows[i].path, "role", roles[rows[i].role],
						  "query", rows[i].query);
		if (!kx_json_line(row))
			return 1;
	}
	return 0;
}
