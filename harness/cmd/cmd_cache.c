/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "cmd/command.h"
#include "kernel/kernel.h"

enum { OPT_LIMIT = OPT_COMMAND };

static const struct option options[] = {OPTION_HELP,
					OPTION_VERBOSE,
					OPTION_CACHE,
					OPTION_JSON,
					{"limit", required_argument, NULL, OPT_LIMIT},
					{0}};

/* "20G", "500M", "0". */
static bool parse_size(const char *text, guint64 *ret)
{
	char *end;
	guint64 n = g_ascii_strtoull(text, &end, 10);
	static const char units[] = "KMGT";
	const char *unit = *end ? strchr(units, g_ascii_toupper(*end)) : NULL;
	if (!g_ascii_isdigit(*text) || (*end && (!unit || end[1])))
		return false;
	unsigned shift = unit ? 10 * (unsigned)(unit - units + 1) : 0;
	if (n > (G_MAXUINT64 >> shift))
		return false;
	*ret = n << shift;
	return true;
}

static bool own(int option, const char *value, gpointer user)
{
	if (option != OPT_LIMIT)
		return false;
	if (parse_size(value, user))
		return true;
	g_printerr("kexsect: --limit %s: a size such as 20G or 500M is wanted\n", value);
	return false;
}

static char *size_text(guint64 bytes)
{
	return g_format_size_full(bytes, G_FORMAT_SIZE_IEC_UNITS);
}

static char *date_text(gint64 seconds)
{
	g_autoptr(GDateTime) when = g_date_time_new_from_unix_local(seconds);
	return when ? g_date_time_format(when, "%F %H:%M") : g_strdup("?");
}

static void print_entries(const GPtrArray *entries, const CommonOptions *common)
{
	guint64 sum = 0;
	for (guint i = 0; i < entries->len; i++) {
		const KernelCacheEntry *e = g_ptr_array_index(entries, i);
		g_autofree char *size = size_text(e->bytes), *used = date_text(e->last_used);
		g_autofree char *what = g_strdup_printf("%s/%s", e->kind, e->name);
		printf("%10s  %s  %-48s %s%s\n", size, used, what, e->title,
		       e->in_use ? " (in use)" : "");
		sum += e->bytes;
	}
	g_autofree char *size = size_text(sum), *limit = size_text(KERNEL_CACHE_LIMIT);
	printf("%s in %s; kept within %s\n", size, common->cache, limit);
}

static void print_json(const GPtrArray *entries, const CommonOptions *common)
{
	json_t *list = json_array();
	guint64 sum = 0;
	for (guint i = 0; i < entries->len; i++) {
		const KernelCacheEntry *e = g_ptr_array_index(entries, i);
		sum += e->bytes;
		json_array_append_new(
			list, json_pack("{s:s s:o s:o s:I s:I s:b}", "kind", e->kind, "name",
					kx_json_text(e->name), "title", kx_json_text(e->title),
					"bytes", (json_int_t)e->bytes, "last_used",
					(json_int_t)e->last_used, "in_use", e->in_use));
	}
	g_autoptr(json_t) all =
		json_pack("{s:s s:I s:I s:o}", "cache", common->cache, "bytes", (json_int_t)sum,
			  "limit", (json_int_t)KERNEL_CACHE_LIMIT, "entries", list);
	kx_json_line(all);
}

static int list(const CommonOptions *common)
{
	GError *error = NULL;
	g_autoptr(GPtrArray) entries = kernel_cache_list(common->cache, &error);
	if (!entries)
		return cmd_fail(error);
	if (common->json)
		print_json(entries, common);
	else
		print_entries(entries, common);
	return 0;
}

static int run(int argc, char **argv)
{
	g_auto(CommonOptions) common = {0};
	guint64 limit = KERNEL_CACHE_LIMIT;
	int status = cmd_parse(&cmd_cache, argc, argv, options, own, &limit, &common, 0, 2);
	if (status >= 0)
		return status;

	GError *error = NULL;
	const char *action = optind < argc ? argv[optind] : "list";
	const char *what = optind + 1 < argc ? argv[optind + 1] : NULL;
	if (g_str_equal(action, "list") && !what)
		return list(&common);
	if (g_str_equal(action, "prune") && !what) {
		gint64 freed = kernel_cache_prune(common.cache, limit, 0, NULL, &error);
		if (freed < 0)
			return cmd_fail(error);
		g_autofree char *size = size_text((guint64)freed);
		printf("%s removed\n", size);
		return 0;
	}
	if (g_str_equal(action, "remove") && what)
		return kernel_cache_remove(common.cache, what, &error) ? 0 : cmd_fail(error);
	return cmd_usage(&cmd_cache, "list, prune, or remove ENTRY is wanted");
}

const Command cmd_cache = {
	.name = "cache",
	.arguments = "[list|prune|remove ENTRY]",
	.summary = "Look at the fetched and built things that are kept, or remove some",
	.help = "  list                what there is, least recently used first (default)\n"
		"  prune               remove least recently used things until the rest is within "
		"the limit\n"
		"  remove ENTRY        remove one: KIND/NAME as in the list\n"
		"  --limit SIZE        for prune: such as 20G (default: 30G; 0 empties it)\n"
		"  --cache DIR         the folder (default: $KEXSECT_CACHE, else "
		"~/.cache/kexsect)\n"
		"  --json              for list: one JSON object\n",
	.run = run,
};
