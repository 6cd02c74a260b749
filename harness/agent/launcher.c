/* SPDX-License-Identifier: GPL-2.0-or-later */
/* In the launcher: take a kernel and its initramfs from the host, and kexec it. */
#include "agent/agent.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/reboot.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#define PORT_WAIT_US 10000000
#define FOLDER "/run/"
#define ORDERS "/" AGENT_ORDERS "/"
#define KEXEC "/usr/sbin/kexec"

/* The file that is being received. */
static struct {
	int fd;
	char name[16];
	uint64_t size, have;
} file = {.fd = -1};

static void fail_file(const char *what)
{
	port_send_text(AGENT_FAILED, "%s: %s (%llu of %llu bytes)", file.name, what,
		       (unsigned long long)file.have, (unsigned long long)file.size);
	if (file.fd >= 0)
		close(file.fd);
	file.fd = -1;
}

static void begin_file(const char *text)
{
	unsigned long long size;
	char path[64];
	if (file.fd >= 0)
		fail_file("another file began before it was complete");
	file.have = 0;
	if (sscanf(text, "%15[a-z] %llu", file.name, &size) != 2 || size > AGENT_MAX_FILE ||
	    (strcmp(file.name, "kernel") != 0 && strcmp(file.name, "initrd") != 0)) {
		port_send_text(AGENT_FAILED, "not a file that is taken: %.100s", text);
		return;
	}
	file.size = size;
	snprintf(path, sizeof(path), FOLDER "%s", file.name);
	file.fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (file.fd < 0)
		fail_file(strerror(errno));
}

static void take_data(const uint8_t *data, size_t len)
{
	if (file.fd < 0)
		return;
	if (len > file.size - file.have) {
		fail_file("more bytes came than were announced");
		return;
	}
	for (size_t done = 0; done < len;) {
		ssize_t n = write(file.fd, data + done, len - done);
		if (n < 0) {
			fail_file(strerror(errno));
			return;
		}
		done += (size_t)n;
	}
	file.have += len;
	if (file.have == file.size) {
		close(file.fd);
		file.fd = -1;
		port_send_text(AGENT_FILE_OK, "%s %llu", file.name, (unsigned long long)file.size);
	}
}

static const char *folder = FOLDER; /* that kernel and initrd are in */

static int open_delivered(const char *name)
{
	char path[64];
	snprintf(path, sizeof(path), "%s%s", folder, name);
	return open(path, O_RDONLY | O_CLOEXEC);
}

/* What `kexec -s -l` does, without starting it: ten shared libraries are half a second in an
 * emulated machine, in each trial. Returns 0 or the error number. */
static int load_by_file(const char *cmdline)
{
	int kernel = open_delivered("kernel"), initrd = open_delivered("initrd");
	long r = syscall(SYS_kexec_file_load, kernel, initrd, strlen(cmdline) + 1, cmdline, 0UL);
	int err = r == 0 ? 0 : errno;
	close(kernel);
	close(initrd);
	return err;
}

/* By kexec_file_load(2); else by kexec-tools, which knows kernels without it and more image
 * formats. On failure what was said of both is sent. */
static bool load(char *cmdline)
{
	static char output[4096];
	char kernel[64], initrd[64];
	char *argv[] = {KEXEC, "-c", "-l", kernel, initrd, "--command-line", cmdline, NULL};
	int err = load_by_file(cmdline);
	snprintf(kernel, sizeof(kernel), "%skernel", folder);
	snprintf(initrd, sizeof(initrd), "--initrd=%sinitrd", folder);
	if (err == 0) {
		port_send_text(AGENT_LOADED, "kexec_file_load");
		return true;
	}
	int status = system_run(argv, output, sizeof(output));
	if (status == 0)
		port_send_text(AGENT_LOADED, "kexec -l (kexec_file_load: %s)", strerror(err));
	else
		port_send_text(AGENT_FAILED, "kexec_file_load: %s; kexec -l: status %d: %s",
			       strerror(err), status, output);
	return status == 0;
}

static void run_kexec(char *text)
{
	char *cmdline;
	unsigned long wait_us = strtoul(text, &cmdline, 10);
	if (*cmdline != ' ') {
		port_send_text(AGENT_FAILED, "kexec order not understood: %.100s", text);
		return;
	}
	if (!load(cmdline + 1))
		return;
	system_wait_us(wait_us);
	/* as `kexec -e` does it, but at the chosen moment and without another program to start */
	syscall(SYS_reboot, LINUX_REBOOT_MAGIC1, LINUX_REBOOT_MAGIC2, LINUX_REBOOT_CMD_KEXEC, NULL);
	port_send_text(AGENT_FAILED, "reboot(LINUX_REBOOT_CMD_KEXEC): %s", strerror(errno));
}

static bool on_frame(AgentType type, const uint8_t *payload, size_t len, void *user)
{
	(void)user;
	if (type == AGENT_PING)
		port_hello("launcher", (const char *)payload);
	else if (type == AGENT_FILE)
		begin_file((const char *)payload);
	else if (type == AGENT_DATA)
		take_data(payload, len);
	else if (type == AGENT_KEXEC)
		run_kexec((char *)payload);
	return true;
}

/* Orders that were there from the start: nothing comes from the host, so that in a machine whose
 * time counts instructions each boot is the same. */
static void obey_orders(void)
{
	static char text[AGENT_MAX_PAYLOAD];
	if (access(ORDERS "kexec", R_OK) != 0)
		return;
	system_read(ORDERS "kexec", text, sizeof(text));
	folder = ORDERS;
	system_say(AGENT_ORDERED);
	run_kexec(text);
	/* It failed. Once more, with somebody to tell. */
	port_open(PORT_WAIT_US);
	run_kexec(text);
}

void launcher_main(void)
{
	obey_orders();
	if (!port_open(PORT_WAIT_US))
		system_say("kexsect: launcher: no virtio-serial port " AGENT_PORT
			   " (is VIRTIO_CONSOLE in the launcher's kernel?)");
	else
		system_say(AGENT_READY);
	for (;;) {
		struct pollfd p = {port_fd(), POLLIN, 0};
		if (port_fd() < 0)
			system_sleep_us(1000000);
		else if (poll(&p, 1, -1) > 0)
			port_receive(on_frame, NULL);
	}
}
