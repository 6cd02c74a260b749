/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <stdio.h>
#include <string.h>

#include "base/fs.h"
#include "cmd/command.h"

static const struct option options[] = {
	OPTION_HELP, OPTION_VERBOSE, {"output", required_argument, NULL, 'o'}, {0}};

static bool own(int option, const char *value, gpointer user)
{
	if (option != 'o')
		return false;
	*(const char **)user = value;
	return true;
}

/* A name is also a folder name and a key in the store. */
static bool is_good_name(const char *name)
{
	return *name && strlen(name) <= 64 && g_ascii_isalnum(*name) &&
	       strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.") ==
		       strlen(name);
}

static int run(int argc, char **argv)
{
	g_auto(CommonOptions) common = {0};
	const char *output = NULL;
	int status = cmd_parse(&cmd_init, argc, argv, options, own, &output, &common, 1, 1);
	if (status >= 0)
		return status;

	const char *name = argv[optind];
	if (!is_good_name(name))
		return cmd_usage(&cmd_init,
				 "'%s' is no name: letters, digits, '-', '_' and '.', at most 64",
				 name);
	g_autofree char *path = output ? g_strdup(output) : g_strdup_printf("%s.yaml", name);
	if (g_file_test(path, G_FILE_TEST_EXISTS)) {
		g_printerr(
			"kexsect: %s is there already; remove it or choose another file with -o\n",
			path);
		return 1;
	}

	GError *error = NULL;
	g_autofree char *from = g_build_filename(kx_data_dir(), "configs", "template.yaml", NULL);
	g_autofree char *text = kx_read_file(from, 1 << 20, NULL, &error);
	if (!text)
		return cmd_fail(error);
	g_autoptr(GString) out = g_string_new(text);
	g_string_replace(out, "@NAME@", name, 0);
	if (!kx_write_file(path, out->str, -1, &error))
		return cmd_fail(error);
	const char *slash = strchr(path, '/') ? "" : "./";
	printf("%s: edit it, then\n  kexsect check %s%s\n  kexsect run %s%s\n", path, slash, path,
	       slash, path);
	return 0;
}

const Command cmd_init = {
	.name = "init",
	.arguments = "NAME [-o FILE]",
	.summary = "Write a commented campaign file to start from",
	.help = "  -o, --output FILE   where to (default: NAME.yaml here); a file that is there is "
		"kept\n",
	.run = run,
};
