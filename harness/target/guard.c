/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "target/guard.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <glib.h>

/* A body that was asked to stop and has not done so after this is killed. */
#define STOP_GRACE_S 20

static pid_t forward_to;

static void forward(int number)
{
	if (forward_to <= 0)
		return;
	kill(forward_to, number == SIGALRM ? SIGKILL : number);
	if (number != SIGALRM)
		alarm(STOP_GRACE_S);
}

/* Held back between fork() and forward_signals(): the default would end this process, and leave
 * what the child has started meanwhile. The child takes `ret_before`. */
static void hold_signals(sigset_t *ret_before)
{
	sigset_t held;
	sigemptyset(&held);
	sigaddset(&held, SIGINT);
	sigaddset(&held, SIGTERM);
	sigaddset(&held, SIGHUP);
	sigprocmask(SIG_BLOCK, &held, ret_before);
}

/* Requests to stop are for the body; this process only waits for it. */
static void forward_signals(pid_t pid, const sigset_t *before)
{
	struct sigaction action = {.sa_handler = forward, .sa_flags = SA_RESTART};
	forward_to = pid;
	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
	sigaction(SIGHUP, &action, NULL);
	sigaction(SIGALRM, &action, NULL);
	sigprocmask(SIG_SETMASK, before, NULL);
}

static int exit_status(int wait_status)
{
	return WIFSIGNALED(wait_status) ? 128 + WTERMSIG(wait_status) : WEXITSTATUS(wait_status);
}

/* Waits for `pid`, and reaps whatever else ends: libvirt believes in QEMU's end only then. */
static int wait_for(pid_t pid)
{
	int status;
	for (;;) {
		pid_t ended = wait(&status);
		if (ended == pid)
			return exit_status(status);
		if (ended < 0 && errno != EINTR)
			return 255;
	}
}

/* Kills all descendants that are left: they are children of this subreaper, one generation after
 * the other. */
static void kill_orphans(void)
{
	char path[64];
	snprintf(path, sizeof(path), "/proc/self/task/%d/children", (int)getpid());
	for (int round = 0; round < 100; round++) {
		FILE *f = fopen(path, "re");
		int pid, found = 0;
		while (f && fscanf(f, "%d", &pid) == 1) {
			kill(pid, SIGKILL);
			found++;
		}
		if (f)
			fclose(f);
		if (found == 0)
			return;
		while (waitpid(-1, NULL, WNOHANG) > 0)
			;
		g_usleep(10000);
	}
}

/* libvirt looks its processes up in /proc by the numbers of its own PID namespace. */
static bool mount_proc(void)
{
	return mount(NULL, "/", NULL, MS_REC | MS_SLAVE, NULL) == 0 &&
	       mount("proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL) == 0;
}

/* Whether the namespaces can be had is tried out in a child, because there is no way back. */
static bool can_isolate(void)
{
	pid_t pid = fork();
	if (pid == 0) {
		if (unshare(CLONE_NEWPID | CLONE_NEWNS) != 0)
			_exit(1);
		pid_t inner = fork();
		if (inner == 0)
			_exit(mount_proc() ? 0 : 1);
		int status;
		_exit(inner > 0 && waitpid(inner, &status, 0) == inner && exit_status(status) == 0
			      ? 0
			      : 1);
	}
	int status;
	return pid > 0 && waitpid(pid, &status, 0) == pid && exit_status(status) == 0;
}

/* The process between the caller and the body. */
static int keep(bool isolated, int (*body)(void *user), void *user)
{
	/* a signal to the caller's process group is passed on once, not received by each of us */
	setpgid(0, 0);
	if (isolated && !mount_proc())
		return 255;
	if (!isolated)
		prctl(PR_SET_CHILD_SUBREAPER, 1);
	sigset_t before;
	hold_signals(&before);
	pid_t self = getpid(), pid = fork();
	if (pid == 0) {
		sigprocmask(SIG_SETMASK, &before, NULL);
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (getppid() != self)
			_exit(255); /* it is dead already */
		exit(body(user));
	}
	forward_signals(pid, &before);
	int status = pid < 0 ? 255 : wait_for(pid);
	if (!isolated)
		kill_orphans();
	return status;
}

/* fork() into new namespaces. Not unshare(): that would leave the caller unable to start threads.
 */
static pid_t fork_isolated(void)
{
	return (pid_t)syscall(SYS_clone, CLONE_NEWPID | CLONE_NEWNS | SIGCHLD, NULL, NULL, NULL, 0);
}

int guard_run(int (*body)(void *user), void *user)
{
	bool isolated = can_isolate();
	int alive[2]; /* ends with this process: in a PID namespace getppid() does not tell */
	sigset_t before;
	if (pipe2(alive, O_CLOEXEC) != 0)
		return 255;
	fflush(NULL);
	if (!isolated)
		prctl(PR_SET_CHILD_SUBREAPER, 1); /* when the process between is killed */
	hold_signals(&before);
	pid_t pid = isolated ? fork_isolated() : fork();
	if (pid == 0) {
		/* SIGKILL reaches the first process of a PID namespace from outside only; without
		 * the namespace it must be left the time to kill the others */
		prctl(PR_SET_PDEATHSIG, isolated ? SIGKILL : SIGTERM);
		close(alive[1]);
		struct pollfd caller = {.fd = alive[0]};
		if (poll(&caller, 1, 0) != 0)
			_exit(255); /* it is dead already */
		close(alive[0]);
		sigprocmask(SIG_SETMASK, &before, NULL);
		_exit(keep(isolated, body, user));
	}
	close(alive[0]);
	if (pid > 0)
		forward_signals(pid, &before);
	else
		sigprocmask(SIG_SETMASK, &before, NULL);
	int status = pid > 0 ? wait_for(pid) : 255;
	close(alive[1]);
	if (!isolated)
		kill_orphans();
	return status;
}
