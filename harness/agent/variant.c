/* SPDX-License-Identifier: GPL-2.0-or-later */
/* In the variant: prove who runs, bring the log out, keep the watchdog fed. */
#include "agent/agent.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/watchdog.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/klog.h>
#include <sys/utsname.h>
#include <unistd.h>

#define ACPI_TABLES "/sys/firmware/acpi/tables"
#define WATCHDOG_S 30
#define FEED_MS 5000
#define PORT_WAIT_US 2000000

static int kmsg = -1, watchdog = -1;

/* Armed for the trial: a kernel that hangs from now on is reset. */
static void arm_watchdog(void)
{
	int seconds = WATCHDOG_S;
	watchdog = open("/dev/watchdog", O_WRONLY | O_CLOEXEC);
	if (watchdog >= 0)
		ioctl(watchdog, WDIOC_SETTIMEOUT, &seconds);
}

static void feed_watchdog(void)
{
	if (watchdog >= 0 && write(watchdog, "k", 1) != 1) {
		/* nothing can be done: it will fire, which is its task */
	}
}

/* The token after '#' of `uname -v`: what the builder of the kernel called it. */
static const char *identity(void)
{
	static struct utsname u;
	uname(&u);
	if (u.version[0] != '#')
		return "unknown";
	u.version[strcspn(u.version, " ")] = 0;
	return u.version + 1;
}

/* Kernels before 3.5 have no readable /dev/kmsg: one copy of the ring buffer instead. */
static void send_ring_buffer(void)
{
	static char text[1 << 20];
	int n = klogctl(3, text, sizeof(text)); /* SYSLOG_ACTION_READ_ALL */
	for (int at = 0; at < n;) {
		int len = n - at < AGENT_MAX_PAYLOAD ? n - at : AGENT_MAX_PAYLOAD;
		port_send(AGENT_KMSG, text + at, (size_t)len);
		at += len;
	}
}

/* Sends all records that are there. EPIPE: some were overwritten before they could be read, which
 * the sequence numbers of the records show. */
static void send_records(void)
{
	static char record[16384];
	ssize_t n;
	while (kmsg >= 0 && port_fd() >= 0 &&
	       ((n = read(kmsg, record, sizeof(record))) > 0 || (n < 0 && errno == EPIPE)))
		if (n > 0)
			port_send(AGENT_KMSG, record, (size_t)n);
}

/* To the end of the file: sysfs gives a page at a time. Returns the length; -1 when it does not fit
 * or cannot be read. */
static ssize_t read_whole(const char *path, char *buf, size_t size)
{
	size_t have = 0;
	ssize_t n = -1;
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	while (fd >= 0 && have < size && (n = read(fd, buf + have, size - have)) > 0)
		have += (size_t)n;
	if (fd >= 0)
		close(fd);
	return n < 0 || have == size ? -1 : (ssize_t)have;
}

static void send_tables(void)
{
	static char payload[AGENT_MAX_PAYLOAD];
	DIR *dir = opendir(ACPI_TABLES);
	for (struct dirent *e; dir && (e = readdir(dir));) {
		char path[512];
		if (e->d_type != DT_REG)
			continue;
		snprintf(path, sizeof(path), ACPI_TABLES "/%.200s", e->d_name);
		size_t name = strlen(e->d_name) + 1;
		memcpy(payload, e->d_name, name);
		/* larger tables (a long DSDT) are of no interest here and are left out */
		ssize_t n = read_whole(path, payload + name, sizeof(payload) - name);
		if (n > 0)
			port_send(AGENT_TABLE, payload, name + (size_t)n);
	}
	if (dir)
		closedir(dir);
}

static bool on_frame(AgentType type, const uint8_t *payload, size_t len, void *user)
{
	(void)len;
	(void)user;
	if (type == AGENT_PING)
		port_hello("variant", (const char *)payload);
	return true;
}

static void say_alive(void)
{
	char text[256];
	snprintf(text, sizeof(text), AGENT_ALIVE "%s", identity());
	system_say(text);
}

void variant_main(void)
{
	arm_watchdog();
	if (port_open(PORT_WAIT_US)) {
		port_hello("variant", "");
		kmsg = open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC);
		char probe[16384];
		ssize_t n = kmsg >= 0 ? read(kmsg, probe, sizeof(probe)) : -1;
		if (n > 0)
			port_send(AGENT_KMSG, probe, (size_t)n);
		else if (n < 0 && errno != EAGAIN && errno != EPIPE)
			send_ring_buffer();
		send_records();
		send_tables();
	}
	say_alive();
	send_records();
	port_send_text(AGENT_IS_ALIVE, "%s", identity());
	for (;;) {
		struct pollfd p[2] = {{port_fd(), POLLIN, 0},
				      {port_fd() >= 0 ? kmsg : -1, POLLIN, 0}};
		poll(p, 2, FEED_MS);
		feed_watchdog();
		if (p[0].revents)
			port_receive(on_frame, NULL);
		if (p[1].revents)
			send_records();
	}
}
