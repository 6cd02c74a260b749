/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "agent/agent.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/utsname.h>
#include <unistd.h>

#define PORTS "/sys/class/virtio-ports"
#define SEND_PATIENCE_MS 10000
#define HOST_AWAY_US 10000

static int fd = -1;
static uint16_t sequence;
static AgentDecoder decoder;
static uint8_t decoder_buffer[AGENT_MAX_FRAME + 1];

/* The device node of the port, with its node made when nobody made it. */
static bool find_port(char *path, size_t size)
{
	DIR *dir = opendir(PORTS);
	bool found = false;
	for (struct dirent *e; dir && !found && (e = readdir(dir));) {
		char file[512], text[128];
		unsigned major, minor;
		snprintf(file, sizeof(file), PORTS "/%.200s/name", e->d_name);
		system_read(file, text, sizeof(text));
		if (strcmp(text, AGENT_PORT) != 0)
			continue;
		found = true;
		snprintf(path, size, "/dev/%.200s", e->d_name);
		snprintf(file, sizeof(file), PORTS "/%.200s/dev", e->d_name);
		system_read(file, text, sizeof(text));
		if (access(path, F_OK) != 0 && sscanf(text, "%u:%u", &major, &minor) == 2)
			mknod(path, S_IFCHR | 0600, makedev(major, minor));
	}
	if (dir)
		closedir(dir);
	return found;
}

bool port_open(uint64_t wait_us)
{
	uint64_t until = system_now_us() + wait_us;
	char path[256];
	agent_decoder_init(&decoder, decoder_buffer);
	while (!find_port(path, sizeof(path))) {
		if (access(PORTS, F_OK) != 0 || system_now_us() >= until)
			return false;
		system_work();
	}
	fd = open(path, O_RDWR | O_NONBLOCK | O_CLOEXEC);
	return fd >= 0;
}

int port_fd(void)
{
	return fd;
}

static void write_all(const uint8_t *data, size_t len)
{
	uint64_t until = system_now_us() + SEND_PATIENCE_MS * 1000;
	while (fd >= 0 && len > 0) {
		ssize_t n = write(fd, data, len);
		if (n > 0) {
			data += n;
			len -= (size_t)n;
			until = system_now_us() + SEND_PATIENCE_MS * 1000;
		} else if ((n < 0 && errno != EAGAIN && errno != EINTR) ||
			   system_now_us() > until) {
			close(fd);
			fd = -1;
		} else {
			struct pollfd p = {fd, POLLOUT, 0};
			if (poll(&p, 1, 0) == 0 || (p.revents & POLLHUP))
				system_work();
		}
	}
}

void port_send(AgentType type, const void *payload, size_t len)
{
	static uint8_t frame[AGENT_MAX_FRAME];
	if (len > AGENT_MAX_PAYLOAD)
		len = AGENT_MAX_PAYLOAD;
	if (len > 0)
		memcpy(frame + AGENT_HEADER, payload, len);
	agent_frame_header(frame, type, sequence++, frame + AGENT_HEADER, len);
	write_all(frame, AGENT_HEADER + len);
}

void port_send_text(AgentType type, const char *format, ...)
{
	static char text[AGENT_MAX_PAYLOAD];
	va_list args;
	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	port_send(type, text, strlen(text));
}

void port_hello(const char *role, const char *echo)
{
	static char cmdline[16384];
	char boot_id[64];
	struct utsname u;
	uname(&u);
	system_read("/proc/sys/kernel/random/boot_id", boot_id, sizeof(boot_id));
	system_read("/proc/cmdline", cmdline, sizeof(cmdline));
	port_send_text(AGENT_HELLO,
		       "role=%s\nrelease=%s\nversion=%s\nboot_id=%s\necho=%s\ncmdline=%s\n", role,
		       u.release, u.version, boot_id, echo, cmdline);
}

void port_receive(AgentFrameFunc on_frame, void *user)
{
	static uint8_t data[65536];
	ssize_t n = read(fd, data, sizeof(data));
	if (n > 0)
		agent_decode(&decoder, data, (size_t)n, on_frame, user);
	else if (n == 0 || errno != EAGAIN)
		system_sleep_us(HOST_AWAY_US);
}
