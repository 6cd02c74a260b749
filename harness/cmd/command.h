/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The commands of `kexsect`: options, and nothing else. A new one is a file with its function and a
 * line in main.c. Exit status: 0 done, 1 the answer is 'no' or the work failed, 2 wrong usage. */
#pragma once

#include <getopt.h>
#include <glib.h>
#include <stdbool.h>

#include "campaign/campaign.h"

typedef struct {
	const char *name, *arguments, *summary; /* for the list of commands */
	const char *help; /* what --help prints after the usage line: the options */
	/* argv[0] is the command's name */
	int (*run)(int argc, char **argv);
} Command;

extern const Command cmd_init, cmd_check, cmd_plan, cmd_run, cmd_report, cmd_scan, cmd_simulate,
	cmd_timeline, cmd_phase, cmd_job, cmd_cache, cmd_initcalls, cmd_submit, cmd_list,
	cmd_status, cmd_watch, cmd_pause, cmd_resume, cmd_cancel, cmd_target, cmd_notify,
	cmd_summary, cmd_health;

/* Options that several commands share. `getopt_long` values above 255, so that they have no letter.
 */
enum {
	OPT_RESULTS = 256,
	OPT_CACHE,
	OPT_JSON,
	OPT_NO_SANDBOX,
	OPT_SOURCE,
	OPT_TOOLCHAIN,
	OPT_SOCKET,
	OPT_COMMAND
};
#define OPTION_HELP                                                                                \
	{                                                                                          \
		"help", no_argument, NULL, 'h'                                                     \
	}
#define OPTION_VERBOSE                                                                             \
	{                                                                                          \
		"verbose", no_argument, NULL, 'v'                                                  \
	}
#define OPTION_RESULTS                                                                             \
	{                                                                                          \
		"results", required_argument, NULL, OPT_RESULTS                                    \
	}
#define OPTION_CACHE                                                                               \
	{                                                                                          \
		"cache", required_argument, NULL, OPT_CACHE                                        \
	}
#define OPTION_JSON                                                                                \
	{                                                                                          \
		"json", no_argument, NULL, OPT_JSON                                                \
	}
#define OPTION_NO_SANDBOX                                                                          \
	{                                                                                          \
		"no-sandbox", no_argument, NULL, OPT_NO_SANDBOX                                    \
	}

/* Both may be repeated; they reach the jobs by the environment (campaign/recipe.h). */
#define OPTION_SOURCE                                                                              \
	{                                                                                          \
		"source", required_argument, NULL, OPT_SOURCE                                      \
	}
#define OPTION_TOOLCHAIN                                                                           \
	{                                                                                          \
		"toolchain", required_argument, NULL, OPT_TOOLCHAIN                                \
	}
#define HELP_SOURCES                                                                               \
	"  --source NAME=PATH  take the source of recipe NAME from PATH: a git repository "        \
	"(PATH@REVISION), an\n"                                                                    \
	"                      unpacked folder or an archive; may be repeated (also: "             \
	"$KEXSECT_SOURCES)\n"                                                                      \
	"  --toolchain [NAME=]PROFILE\n"                                                           \
	"                      compile (the kernels of recipe NAME) with this profile of "         \
	"kernels/toolchains/\n"

/* Of the commands that talk to the daemon. */
#define OPTION_SOCKET                                                                              \
	{                                                                                          \
		"socket", required_argument, NULL, OPT_SOCKET                                      \
	}
#define HELP_SOCKET                                                                                \
	"  --socket PATH       of the daemon (default: $KEXSECT_SOCKET, else "                     \
	"/run/kexsect/socket)\n"

/* What they set; the defaults are filled in by cmd_parse. */
typedef struct {
	char *results; /* absolute; $KEXSECT_RESULTS, else ./results */
	char *cache;   /* absolute; kx_default_cache_dir() */
	bool json, sandbox, verbose;
} CommonOptions;

void common_options_clear(CommonOptions *c);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(CommonOptions, common_options_clear)

/* Parses the options of a command. `own` takes an option that is not a common one (false: refuse
 * it); it may be NULL. Then between min_args and max_args arguments must be left, first one at
 * argv[optind]. Returns -1 to go on, else the exit status (--help: 0, wrong usage: 2). */
int cmd_parse(const Command *command, int argc, char **argv, const struct option *options,
	      bool (*own)(int option, const char *value, gpointer user), gpointer user,
	      CommonOptions *common, int min_args, int max_args);

/* The campaign, of which each --source and --toolchain must be of a recipe that it uses. NULL: it
 * was said why, and *ret_status is the exit status. */
Campaign *cmd_campaign(const char *name_or_path, int *ret_status);
/* Writes the text to the file, or to standard output (NULL). Returns the exit status. */
int cmd_write(const char *text, const char *file);
/* Prints "kexsect: MESSAGE" and frees the error. Returns 1. */
int cmd_fail(GError *error);
/* Wrong usage: prints the text and where the help is. Returns 2. */
int cmd_usage(const Command *command, const char *format, ...) G_GNUC_PRINTF(2, 3);
/* A whole number of at least `min`; false (and says so) for anything else. */
bool cmd_number(const char *option, const char *text, guint64 min, guint64 *ret);
/* A copy without what a terminal obeys; NULL is "". */
char *cmd_clean(const char *text);
/* A number above 0, at most 100000; false (and says so) for anything else. */
bool cmd_positive(const char *option, const char *text, double *ret);
