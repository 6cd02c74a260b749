/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <locale.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "cmd/command.h"

static const Command *const commands[] = {
	&cmd_init,	&cmd_check,    &cmd_plan,   &cmd_run,	   &cmd_report,	 &cmd_scan,
	&cmd_initcalls, &cmd_timeline, &cmd_phase,  &cmd_simulate, &cmd_health,	 &cmd_job,
	&cmd_cache,	&cmd_submit,   &cmd_list,   &cmd_status,   &cmd_watch,	 &cmd_pause,
	&cmd_resume,	&cmd_cancel,   &cmd_target, &cmd_notify,   &cmd_summary,
};

static void print_help(FILE *to)
{
	fputs("usage: kexsect COMMAND [OPTION…]\n\n"
	      "Finds which change to kernel initialisation makes IOMMU faults appear or go "
	      "away.\n\n",
	      to);
	for (size_t i = 0; i < G_N_ELEMENTS(commands); i++) {
		g_autofree char *call =
			g_strdup_printf("%s %s", commands[i]->name, commands[i]->arguments);
		fprintf(to, "  %-28s %s\n", call, commands[i]->summary);
	}
	fputs("\n  kexsect COMMAND --help       its options\n  kexsect --version\n\n"
	      "Exit status: 0 done, 1 the answer is 'no' or the work failed, 2 wrong usage.\n",
	      to);
}

int main(int argc, char **argv)
{
	setlocale(LC_CTYPE, ""); /* whether bars may be drawn in more than ASCII */
	kx_log_init("kexsect", false);
	const char *name = argc > 1 ? argv[1] : NULL;
	if (!name) {
		print_help(stderr);
		return 2;
	}
	if (g_str_equal(name, "--help") || g_str_equal(name, "-h") || g_str_equal(name, "help")) {
		print_help(stdout);
		return 0;
	}
	if (g_str_equal(name, "--version")) {
		puts("kexsect " KEXSECT_VERSION);
		return 0;
	}
	for (size_t i = 0; i < G_N_ELEMENTS(commands); i++)
		if (g_str_equal(commands[i]->name, name))
			return commands[i]->run(argc - 1, argv + 1);
	fprintf(stderr, "kexsect: there is no command '%s' (see kexsect --help)\n", name);
	return 2;
}
