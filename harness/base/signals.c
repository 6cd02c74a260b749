/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include "base/proc.h"

static volatile sig_atomic_t cancelled;
static int cancel_pipe[2] = {-1, -1};

static void on_signal(int number)
{
	int err = errno;
	if (cancelled) {
		/* asked twice: the way of the default action, at once */
		signal(number, SIG_DFL);
		raise(number);
	}
	cancelled = 1;
	if (write(cancel_pipe[1], "", 1) < 0) {
		/* full pipe: it is readable already */
	}
	errno = err;
}

void kx_catch_signals(void)
{
	if (cancel_pipe[0] >= 0 || pipe2(cancel_pipe, O_CLOEXEC | O_NONBLOCK) != 0)
		return;
	struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_RESTART};
	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
	sigaction(SIGHUP, &action, NULL);
	signal(SIGPIPE, SIG_IGN);
}

bool kx_cancelled(void)
{
	return cancelled != 0;
}

int kx_cancel_fd(void)
{
	return cancel_pipe[0];
}
