/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <limits.h>
#include <stdio.h>

#include "base/error.h"
#include "cmd/command.h"
#include "initcall/order.h"

enum { OPT_MAP = OPT_COMMAND, OPT_DIFF, OPT_MOVE, OPT_ORDER, OPT_IMAGE, OPT_FORCE };

static const struct option options[] = {OPTION_HELP,
					OPTION_VERBOSE,
					OPTION_JSON,
					{"map", required_argument, NULL, OPT_MAP},
					{"diff", no_argument, NULL, OPT_DIFF},
					{"move", required_argument, NULL, OPT_MOVE},
					{"order", required_argument, NULL, OPT_ORDER},
					{"image", required_argument, NULL, OPT_IMAGE},
					{"force", no_argument, NULL, OPT_FORCE},
					{"output", required_argument, NULL, 'o'},
					{0}};

typedef struct {
	const char *map, *order, *image, *out;
	GPtrArray *moves;
	bool diff, force;
} Initcalls;

static bool own(int option, const char *value, gpointer user)
{
	Initcalls *x = user;
	if (option == OPT_MAP)
		x->map = value;
	else if (option == OPT_DIFF)
		x->diff = true;
	else if (option == OPT_MOVE)
		g_ptr_array_add(x->moves, (gpointer)value);
	else if (option == OPT_ORDER)
		x->order = value;
	else if (option == OPT_IMAGE)
		x->image = value;
	else if (option == OPT_FORCE)
		x->force = true;
	else if (option == 'o')
		x->out = value;
	else
		return false;
	return true;
}

static int print(json_t *json, char *text)
{
	if (json) {
		json_dumpf(json, stdout, JSON_INDENT(1));
		putchar('\n');
		json_decref(json);
	} else {
		fputs(text, stdout);
		g_free(text);
	}
	return fflush(stdout) == 0 ? 0 : 1;
}

static int show(const Initcalls *x, const char *path, bool json)
{
	GError *error = NULL;
	g_autoptr(InitcallOrder) o = initcall_order_read(path, x->map, &error);
	if (!o)
		return cmd_fail(error);
	return json ? print(initcall_order_json(o), NULL) : print(NULL, initcall_order_text(o));
}

static int diff(const Initcalls *x, const char *a_path, const char *b_path, bool json)
{
	GError *error = NULL;
	g_autoptr(InitcallOrder) a = initcall_order_read(a_path, x->map, &error);
	g_autoptr(InitcallOrder) b = a ? initcall_order_read(b_path, x->map, &error) : NULL;
	if (!b)
		return cmd_fail(error);
	g_autoptr(GPtrArray) changes = initcall_order_compare(a, b);
	int status = json ? print(initcall_changes_json(changes), NULL)
			  : print(NULL, initcall_changes_text(changes));
	return status || changes->len ? 1 : 0;
}

static bool arrange(const Initcalls *x, InitcallOrder *o, GError **error)
{
	if (x->order && !initcall_order_arrange(o, x->order, x->force, error))
		return false;
	for (guint i = 0; i < x->moves->len; i++)
		if (!initcall_order_move(o, g_ptr_array_index(x->moves, i), x->force, error))
			return false;
	return true;
}

/* What changed is told as a list of differences. */
static int rewrite(const Initcalls *x, const char *path, bool json)
{
	GError *error = NULL;
	g_autoptr(InitcallOrder) before = initcall_order_read(path, x->map, &error);
	g_autoptr(InitcallOrder) after = before ? initcall_order_read(path, x->map, &error) : NULL;
	if (!after || !arrange(x, after, &error))
		return cmd_fail(error);
	const InitcallRewrite r = {.in = x->image ? x->image : path,
				   .map = x->image && !x->map ? path : x->map,
				   .out = x->out};
	if (!initcall_rewrite(&r, after, &error))
		return cmd_fail(error);
	g_autoptr(GPtrArray) changes = initcall_order_compare(before, after);
	return json ? print(initcall_changes_json(changes), NULL)
		    : print(NULL, initcall_changes_text(changes));
}

static int run(int argc, char **argv)
{
	g_auto(CommonOptions) common = {0};
	g_autoptr(GPtrArray) moves = g_ptr_array_new();
	Initcalls x = {.moves = moves};
	int status = cmd_parse(&cmd_initcalls, argc, argv, options, own, &x, &common, 1, 2);
	if (status >= 0)
		return status;
	bool change = x.moves->len || x.order;
	char **paths = argv + optind;
	if (argc - optind != (x.diff ? 2 : 1))
		return cmd_usage(&cmd_initcalls,
				 x.diff ? "--diff takes two kernels" : "one kernel is wanted");
	if (x.diff && (change || x.out || x.image))
		return cmd_usage(&cmd_initcalls, "--diff changes nothing");
	if (change != (x.out != NULL))
		return cmd_usage(&cmd_initcalls,
				 change ? "-o says where the new kernel goes"
					: "-o needs something to change: --move or --order");
	if (x.image && !change)
		return cmd_usage(&cmd_initcalls, "--image is for --move and --order");
	return x.diff	? diff(&x, paths[0], paths[1], common.json)
	       : change ? rewrite(&x, paths[0], common.json)
			: show(&x, paths[0], common.json);
}

const Command cmd_initcalls = {
	.name = "initcalls",
	.arguments = "KERNEL | --diff A B",
	.summary = "The order of initialisation in a kernel: show, compare, change it",
	.help = "  KERNEL              a vmlinux (x86-64, arm64) or a bzImage\n"
		"  --map FILE          its symbols: a System.map, or a vmlinux that has them\n"
		"  --json              for programs (docs/init-order.md)\n"
		"  --diff A B          what moved, came and went from A to B\n"
		"  --move FN=LEVEL[:before FN2|:after FN2|:first|:last]\n"
		"                      run FN there (default: last in the level); may be repeated; "
		"FN@MODULE where a name is not\n"
		"                      enough\n"
		"  --order FILE        run all in the order of FILE, which is like what this "
		"command prints\n"
		"  --image BZIMAGE     the boot image of the vmlinux KERNEL is what is changed\n"
		"  -o, --output FILE   the new kernel\n"
		"  --force             also early, console and security initcalls, within their "
		"own level\n"
		"\nExit status: 0 done, 1 A and B differ or the work failed, 2 wrong usage.\n",
	.run = run,
};
