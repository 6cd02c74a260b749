/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Where the lines come from: a log, or the evidence folder of a trial. */
#include <string.h>

#include "base/fs.h"
#include "iommu/input.h"
#include "timeline-internal.h"

#define EVIDENCE_MAX (64u << 20)

static bool feed(const char *bytes, size_t len, gpointer user)
{
	timeline_reader_feed(user, bytes, len);
	return true;
}

static bool read_log(TimelineReader *r, const char *path, GError **error)
{
	return fault_input_read_log(path, feed, r, error);
}

static bool read_folder(TimelineReader *r, const char *path, GError **error)
{
	g_autofree char *console_path = g_build_filename(path, "console.log", NULL);
	g_autofree char *kmsg_path = g_build_filename(path, "kmsg.log", NULL);
	size_t console_len = 0, kmsg_len = 0;
	g_autoptr(GError) why = NULL;
	g_autofree char *console = kx_read_file(console_path, EVIDENCE_MAX, &console_len, &why);
	g_autofree char *kmsg = kx_read_file(kmsg_path, EVIDENCE_MAX, &kmsg_len, NULL);
	if (!console && !kmsg) {
		g_propagate_error(error, g_steal_pointer(&why));
		g_prefix_error(error, "%s is no evidence folder of a trial: ", path);
		return false;
	}
	GString *text = timeline_merge(console, console_len, kmsg, kmsg_len);
	timeline_reader_feed(r, text->str, text->len);
	g_string_free(text, TRUE);
	return true;
}

Timeline *timeline_load(const char *path, const TimelineOptions *options, GError **error)
{
	g_autoptr(TimelineReader) r = timeline_reader_new(options, error);
	if (!r)
		return NULL;
	bool ok = g_file_test(path, G_FILE_TEST_IS_DIR) ? read_folder(r, path, error)
							: read_log(r, path, error);
	Timeline *t = timeline_reader_finish(r);
	if (!ok) {
		timeline_free(t);
		return NULL;
	}
	t->name = g_strdup(strcmp(path, "-") == 0 ? "standard input" : path);
	return t;
}
