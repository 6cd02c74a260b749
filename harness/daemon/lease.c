/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "daemon/lease.h"

#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/file.h>
#include <sys/pidfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "base/fs.h"
#include "base/proc.h"

static const char *boot_id(void)
{
	static char id[40];
	g_autofree char *text = NULL;
	if (!*id && g_file_get_contents("/proc/sys/kernel/random/boot_id", &text, NULL, NULL))
		g_strlcpy(id, g_strstrip(text), sizeof(id));
	return id;
}

ProcessId process_id(pid_t pid)
{
	ProcessId p = {.pid = pid, .start = kx_start_time(pid)};
	if (!p.start)
		return (ProcessId){0};
	g_strlcpy(p.boot, boot_id(), sizeof(p.boot));
	return p;
}

bool process_is_alive(const ProcessId *p)
{
	return p->pid > 1 && p->start && g_str_equal(p->boot, boot_id()) &&
	       kx_start_time(p->pid) == p->start;
}

static char *lease_path(const char *state, const char *target, unsigned slot)
{
	/* names have no '/' (campaign/), but who knows what they will have */
	g_autofree char *name = g_uri_escape_string(target, NULL, FALSE);
	g_autofree char *leaf = g_strdup_printf("%s.%u", name, slot);
	return g_build_filename(state, "leases", leaf, NULL);
}

int lease_take(const char *state, const char *target, unsigned slot, GError **error)
{
	g_autofree char *path = lease_path(state, target, slot);
	g_autofree char *folder = g_path_get_dirname(path);
	return kx_mkdir(folder, error) ? kx_lock_file(path, false, error) : -1;
}

bool lease_is_held(const char *state, const char *target, unsigned slot)
{
	g_autofree char *path = lease_path(state, target, slot);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	bool held = flock(fd, LOCK_SH | LOCK_NB) != 0;
	close(fd);
	return held;
}

/* Whether the process has the file open. */
static bool has_open(pid_t pid, const struct stat *file)
{
	g_autofree char *folder = g_strdup_printf("/proc/%d/fd", (int)pid);
	g_autoptr(GDir) fds = g_dir_open(folder, 0, NULL);
	const char *name;
	while (fds && (name = g_dir_read_name(fds))) {
		g_autofree char *path = g_build_filename(folder, name, NULL);
		struct stat st;
		if (stat(path, &st) == 0 && st.st_dev == file->st_dev && st.st_ino == file->st_ino)
			return true;
	}
	return false;
}

/* The pidfd comes before the look, so that the signal goes to who was looked at. */
static bool signal_if_open(pid_t pid, const struct stat *file, int number)
{
	int fd = pidfd_open(pid, 0);
	bool done = fd >= 0 && has_open(pid, file) && pidfd_send_signal(fd, number, NULL, 0) == 0;
	if (fd >= 0)
		close(fd);
	return done;
}

unsigned lease_signal_holders(const char *state, const char *target, unsigned slot, int number)
{
	g_autofree char *path = lease_path(state, target, slot);
	g_autoptr(GDir) proc = g_dir_open("/proc", 0, NULL);
	struct stat st;
	unsigned n = 0;
	const char *name;
	if (stat(path, &st) != 0)
		return 0;
	while (proc && (name = g_dir_read_name(proc))) {
		gint64 pid = g_ascii_strtoll(name, NULL, 10);
		if (pid > 1 && pid != getpid())
			n += signal_if_open((pid_t)pid, &st, number);
	}
	return n;
}
