/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

#include "agent/agent.h"

int main(int argc, char **argv)
{
	(void)argc;
	if (getpid() != 1) {
		fprintf(stderr,
			"%s: this is the first program of a test machine's initramfs; "
			"it does nothing elsewhere\n",
			argv[0]);
		return 2;
	}
	signal(SIGPIPE, SIG_IGN);
	system_mount();
	if (system_has_parameter("kexsect.role=launcher"))
		launcher_main();
	variant_main();
}
