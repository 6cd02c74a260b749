/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cmd/command.h"
#include "job/boot.h"
#include "job/build.h"
#include "job/health.h"
#include "job/notify.h"

static const struct option options[] = {
	OPTION_HELP, OPTION_VERBOSE, OPTION_SOURCE, OPTION_TOOLCHAIN, {0}};

static const struct {
	const char *name;
	int (*main)(const char *request_path);
} jobs[] = {
	{"build", job_build_main},
	{"boot", job_boot_main},
	{"health", job_health_main},
	{"notify", job_notify_main},
};

static int run(int argc, char **argv)
{
	g_auto(CommonOptions) common = {0};
	int status = cmd_parse(&cmd_job, argc, argv, options, NULL, NULL, &common, 2, 2);
	if (status >= 0)
		return status;
	for (size_t i = 0; i < G_N_ELEMENTS(jobs); i++)
		if (g_str_equal(argv[optind], jobs[i].name))
			return jobs[i].main(argv[optind + 1]);
	return cmd_usage(&cmd_job, "there is no job '%s'", argv[optind]);
}

const Command cmd_job = {
	.name = "job",
	.arguments = "build|boot|health|notify FILE",
	.summary = "Do one unit of work by hand: FILE is its JSON request",
	.help = "Prints one JSON object per line; docs/jobs.md describes requests and lines. Each "
		"trial's evidence\n"
		"folder holds the request that makes it again: kexsect job boot "
		"…/request.json\n\n" HELP_SOURCES,
	.run = run,
};
