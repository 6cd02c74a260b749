/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "report-internal.h"

#include "base/fs.h"

bool report_write(Store *store, gint64 campaign, const char *dir, GError **error)
{
	static const char *const formats[] = {"json", "md", "html"};
	g_autoptr(json_t) doc = report_build(store, campaign, error);
	if (!doc || !kx_mkdir(dir, error))
		return false;
	for (size_t i = 0; i < G_N_ELEMENTS(formats); i++) {
		const ReportFormat *f = report_format_find(formats[i]);
		g_autofree char *path = g_strdup_printf("%s/report.%s", dir, f->extension);
		g_autofree char *text = f->render(doc, false);
		if (!kx_write_file(path, text, -1, error))
			return false;
	}
	return true;
}
