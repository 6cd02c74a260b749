/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "agent/agent.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* A sleep may end so much later, in a kernel without timers of high resolution. */
#define SLEEP_SLACK_US 12000

static void make_node(const char *path, unsigned major, unsigned minor)
{
	if (access(path, F_OK) != 0)
		mknod(path, S_IFCHR | 0600, makedev(major, minor));
}

void system_mount(void)
{
	static const char *const mounts[][2] = {
		{"proc", "/proc"}, {"sysfs", "/sys"}, {"devtmpfs", "/dev"}, {"tmpfs", "/run"}};
	for (size_t i = 0; i < sizeof(mounts) / sizeof(*mounts); i++) {
		mkdir(mounts[i][1], 0755);
		mount(mounts[i][0], mounts[i][1], mounts[i][0], 0, NULL);
	}
	make_node("/dev/console", 5, 1);
	make_node("/dev/null", 1, 3);
	make_node("/dev/kmsg", 1, 11);
	make_node("/dev/watchdog", 10, 130);
}

void system_read(const char *path, char *buf, size_t size)
{
	size_t have = 0;
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n;
	while (fd >= 0 && have < size - 1 && (n = read(fd, buf + have, size - 1 - have)) > 0)
		have += (size_t)n;
	if (fd >= 0)
		close(fd);
	while (have > 0 && buf[have - 1] == '\n')
		have--;
	buf[have] = 0;
}

bool system_has_parameter(const char *word)
{
	static char line[16384];
	system_read("/proc/cmdline", line, sizeof(line));
	size_t len = strlen(word);
	for (const char *at = line; (at = strstr(at, word)); at += len)
		if ((at == line || at[-1] == ' ') && (at[len] == ' ' || at[len] == 0))
			return true;
	return false;
}

/* Whether the kernel shows messages of level 1 (KERN_ALERT) on its console. */
static bool log_is_on_console(void)
{
	char levels[64];
	system_read("/proc/sys/kernel/printk", levels, sizeof(levels));
	return atoi(levels) > 1;
}

static bool write_line(const char *path, const char *prefix, const char *text)
{
	char line[1024];
	int n = snprintf(line, sizeof(line), "%s%s\n", prefix, text);
	int fd = open(path, O_WRONLY | O_NOCTTY | O_CLOEXEC);
	bool ok = fd >= 0 && write(fd, line, (size_t)n) == n;
	if (fd >= 0)
		close(fd);
	return ok;
}

void system_say(const char *text)
{
	if (!write_line("/dev/kmsg", "<1>", text) || !log_is_on_console())
		write_line("/dev/console", "\r\n", text);
}

void system_sleep_us(uint64_t us)
{
	struct timespec t = {(time_t)(us / 1000000), (long)(us % 1000000) * 1000};
	while (nanosleep(&t, &t) != 0 && errno == EINTR)
		;
}

void system_wait_us(uint64_t us)
{
	uint64_t until = system_now_us() + us;
	if (us > 2 * SLEEP_SLACK_US)
		system_sleep_us(us - SLEEP_SLACK_US);
	while (system_now_us() < until)
		;
}

void system_work(void)
{
	for (volatile unsigned i = 0; i < 25000; i++)
		;
}

uint64_t system_now_us(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

/* Reads to the end of the pipe; when it does not fit, the first half of the buffer is given up. */
static void keep_output(int fd, char *output, size_t size)
{
	size_t have = 0;
	ssize_t n;
	while ((n = read(fd, output + have, size - 1 - have)) > 0) {
		have += (size_t)n;
		if (have == size - 1) {
			memmove(output, output + size / 2, have - size / 2);
			have -= size / 2;
		}
	}
	while (have > 0 && output[have - 1] == '\n')
		have--;
	output[have] = 0;
}

int system_run(char *const argv[], char *output, size_t size)
{
	int fds[2], status = -1;
	output[0] = 0;
	if (pipe2(fds, O_CLOEXEC) != 0)
		return -1;
	pid_t pid = fork();
	if (pid == 0) {
		dup2(fds[1], 1);
		dup2(fds[1], 2);
		execv(argv[0], argv);
		dprintf(2, "%s: %s", argv[0], strerror(errno));
		_exit(127);
	}
	close(fds[1]);
	keep_output(fds[0], output, size);
	close(fds[0]);
	if (pid < 0 || waitpid(pid, &status, 0) != pid)
		return -1;
	return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}
