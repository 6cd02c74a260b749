/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "base/fs.h"
#include "target/libvirt/libvirt-internal.h"

/* sun_path has 108 bytes; libvirt's monitor socket takes
 * "/PID-XXXXXX/l/lib/qemu/domain-1-kexsect/monitor.sock". */
#define MAX_BASE 48

static char *base_of(const char *cache)
{
	g_autofree char *base = g_build_filename(cache, "vm", NULL);
	if (strlen(base) <= MAX_BASE)
		return g_steal_pointer(&base);
	return g_strdup_printf("/tmp/kexsect-vm-%u", (unsigned)geteuid());
}

static bool is_private(const char *path)
{
	struct stat st;
	return lstat(path, &st) == 0 && S_ISDIR(st.st_mode) && st.st_uid == geteuid() &&
	       (st.st_mode & 022) == 0;
}

/* The folder of all jobs, locked against others that make or sweep. */
static char *open_base(const char *cache, int *ret_lock, GError **error)
{
	g_autofree char *base = base_of(cache);
	g_autofree char *lock = g_build_filename(base, ".lock", NULL);
	if (!kx_mkdir(base, error))
		return NULL;
	chmod(base, 0700);
	if (!is_private(base)) {
		g_set_error(error, KX_ERROR, KX_ERROR_REFUSED,
			    "%s belongs to somebody else or others may write to it", base);
		return NULL;
	}
	*ret_lock = kx_lock_file(lock, true, error);
	return *ret_lock < 0 ? NULL : g_steal_pointer(&base);
}

/* libvirt's embedded driver keeps one root folder as long as the process lives, so the process has
 * one folder, too. */
static struct {
	char *dir;
	int lock;
	pid_t pid;
} own;

static void remove_own(void)
{
	if (own.pid != getpid()) /* a child that inherited the handler */
		return;
	kx_remove_tree(own.dir, NULL);
	close(own.lock);
}

static bool make_own(const char *cache, GError **error)
{
	int base_lock;
	g_autofree char *base = open_base(cache, &base_lock, error);
	if (!base)
		return false;
	g_autofree char *dir = g_strdup_printf("%s/%d-XXXXXX", base, (int)getpid());
	if (!g_mkdtemp(dir)) {
		kx_set_errno(error, errno, "cannot make a folder in %s", base);
		g_clear_pointer(&dir, g_free);
	}
	g_autofree char *lock_path = dir ? g_build_filename(dir, "lock", NULL) : NULL;
	int lock = dir ? kx_lock_file(lock_path, false, error) : -1;
	close(base_lock);
	if (lock < 0)
		return false;
	own.dir = g_steal_pointer(&dir);
	own.lock = lock;
	own.pid = getpid();
	atexit(remove_own);
	return true;
}

const char *rundir_own(const char *cache, GError **error)
{
	if (own.dir && own.pid == getpid())
		return own.dir;
	return make_own(cache, error) ? own.dir : NULL;
}

/* Field 22 of /proc/PID/stat: when it started, so that a reused pid is not taken for it. 0: none.
 */
static guint64 start_time(int pid)
{
	g_autofree char *path = g_strdup_printf("/proc/%d/stat", pid);
	g_autofree char *text = NULL;
	if (!g_file_get_contents(path, &text, NULL, NULL))
		return 0;
	char *at = strrchr(text, ')'); /* the name may hold anything */
	for (int field = 2; at && field < 22; field++)
		at = strchr(at + 1, ' ');
	return at ? g_ascii_strtoull(at + 1, NULL, 10) : 0;
}

/* A pid means something in its own name space only. */
static guint64 pid_namespace(void)
{
	struct stat st;
	return stat("/proc/self/ns/pid", &st) == 0 ? st.st_ino : 0;
}

void rundir_note_pid(const char *dir, int pid)
{
	g_autofree char *path = g_build_filename(dir, "machine.pid", NULL);
	g_autofree char *text = g_strdup_printf("%d %" G_GUINT64_FORMAT " %" G_GUINT64_FORMAT "\n",
						pid, start_time(pid), pid_namespace());
	g_file_set_contents(path, text, -1, NULL);
}

static void kill_noted(const char *dir)
{
	g_autofree char *path = g_build_filename(dir, "machine.pid", NULL);
	g_autofree char *text = NULL;
	int pid;
	guint64 started, space;
	if (!g_file_get_contents(path, &text, NULL, NULL) ||
	    sscanf(text, "%d %" G_GUINT64_FORMAT " %" G_GUINT64_FORMAT, &pid, &started, &space) !=
		    3)
		return;
	if (pid > 1 && started && space == pid_namespace() && start_time(pid) == started)
		kill(pid, SIGKILL);
}

static bool sweep_one(const char *dir)
{
	g_autofree char *path = g_build_filename(dir, "lock", NULL);
	int lock = kx_lock_file(path, false, NULL);
	if (lock < 0)
		return false; /* its job lives */
	kill_noted(dir);
	kx_remove_tree(dir, NULL);
	close(lock);
	return true;
}

unsigned rundir_sweep(const char *cache)
{
	unsigned removed = 0;
	int lock;
	g_autofree char *base = open_base(cache, &lock, NULL);
	g_autoptr(GDir) dir = base ? g_dir_open(base, 0, NULL) : NULL;
	const char *name;
	while (dir && (name = g_dir_read_name(dir))) {
		g_autofree char *path = g_build_filename(base, name, NULL);
		if (name[0] != '.' && g_file_test(path, G_FILE_TEST_IS_DIR))
			removed += sweep_one(path);
	}
	if (base)
		close(lock);
	return removed;
}
