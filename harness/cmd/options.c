/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <stdio.h>

#include "base/fs.h"
#include "base/log.h"
#include "cmd/command.h"

static void print_help(const Command *c, FILE *to)
{
	fprintf(to, "usage: kexsect %s %s\n\n%s.\n", c->name, c->arguments, c->summary);
	if (c->help)
		fprintf(to, "\n%s", c->help);
}

int cmd_usage(const Command *command, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	g_autofree char *text = g_strdup_vprintf(format, args);
	va_end(args);
	fprintf(stderr, "kexsect %s: %s (see kexsect %s --help)\n", command->name, text,
		command->name);
	return 2;
}

int cmd_write(const char *text, const char *file)
{
	GError *error = NULL;
	if (file)
		return kx_write_file(file, text, -1, &error) ? 0 : cmd_fail(error);
	fputs(text, stdout);
	return fflush(stdout) == 0 ? 0 : 1;
}

int cmd_fail(GError *error)
{
	g_printerr("kexsect: %s\n", error ? error->message : "failed");
	g_clear_error(&error);
	return 1;
}

bool cmd_number(const char *option, const char *text, guint64 min, guint64 *ret)
{
	g_autoptr(GError) error = NULL;
	if (g_ascii_string_to_unsigned(text, 10, min, G_MAXINT64, ret, &error))
		return true;
	g_printerr("kexsect: --%s %s: a whole number of at least %" G_GUINT64_FORMAT " is wanted\n",
		   option, text, min);
	return false;
}

bool cmd_positive(const char *option, const char *text, double *ret)
{
	char *end;
	double value = g_ascii_strtod(text, &end);
	if (end != text && !*end && value > 0 && value <= 1e5) {
		*ret = value;
		return true;
	}
	g_printerr("kexsect: --%s %s: a number above 0 and at most 100000 is wanted\n", option,
		   text);
	return false;
}

void common_options_clear(CommonOptions *c)
{
	g_free(c->results);
	g_free(c->cache);
}

Campaign *cmd_campaign(const char *name_or_path, int *ret_status)
{
	GError *error = NULL;
	g_autoptr(Campaign) c = campaign_load(name_or_path, &error);
	if (!c) {
		*ret_status = cmd_fail(error);
		return NULL;
	}
	g_autofree char *entry = recipe_given_unused();
	if (!entry)
		return g_steal_pointer(&c);
	g_printerr("kexsect: %s: %s uses no recipe of that name; its base is %s\n", entry, c->name,
		   c->base->name);
	*ret_status = 2;
	return NULL;
}

/* False, and says why, when it makes no sense. */
static bool give(int option, const char *value)
{
	g_autoptr(GError) error = NULL;
	if (recipe_give(option == OPT_SOURCE ? RECIPE_SOURCES : RECIPE_TOOLCHAINS, value, &error))
		return true;
	g_printerr("kexsect: %s\n", error->message);
	return false;
}

static bool take_common(CommonOptions *c, int option, const char *value)
{
	switch (option) {
	case OPT_RESULTS:
		g_free(c->results);
		c->results = g_canonicalize_filename(value, NULL);
		return true;
	case OPT_CACHE:
		g_free(c->cache);
		c->cache = g_canonicalize_filename(value, NULL);
		return true;
	case OPT_JSON:
		c->json = true;
		return true;
	case OPT_NO_SANDBOX:
		c->sandbox = false;
		return true;
	case OPT_SOURCE:
	case OPT_TOOLCHAIN:
		return give(option, value);
	case 'v':
		c->verbose = true;
		return true;
	default:
		return false;
	}
}

int cmd_parse(const Command *command, int argc, char **argv, const struct option *options,
	      bool (*own)(int option, const char *value, gpointer user), gpointer user,
	      CommonOptions *common, int min_args, int max_args)
{
	const char *results = g_getenv("KEXSECT_RESULTS");
	common->results = g_canonicalize_filename(results && *results ? results : "results", NULL);
	common->cache = kx_default_cache_dir();
	common->sandbox = true;

	g_autofree char *name = g_strdup_printf("kexsect %s", command->name);
	argv[0] = name; /* getopt's messages begin with it */
	optind = 1;
	int option;
	while ((option = getopt_long(argc, argv, "hvo:", options, NULL)) != -1) {
		if (option == 'h') {
			print_help(command, stdout);
			return 0;
		}
		if (option == '?')
			return cmd_usage(command, "wrong option");
		if (take_common(common, option, optarg))
			continue;
		if (!own || !own(option, optarg, user))
			return cmd_usage(command, "wrong option");
	}
	argv[0] = (char *)command->name;
	if (argc - optind < min_args)
		return cmd_usage(command, "something is missing: kexsect %s %s", command->name,
				 command->arguments);
	if (argc - optind > max_args)
		return cmd_usage(command, "'%s' is too much", argv[optind + max_args]);
	kx_log_init("kexsect", common->verbose);
	return -1;
}

char *cmd_clean(const char *text)
{
	char *out = g_utf8_make_valid(text ? text : "", -1);
	for (char *p = out; *p; p++)
		if (g_ascii_iscntrl(*p))
			*p = ' ';
	return out;
}
