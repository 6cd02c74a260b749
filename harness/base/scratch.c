/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Folders in the temporary folder that do not outlive whoever made them: a killed process cannot
 * remove its own, so the next one that makes one does. */
#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "base/fs.h"
#include "base/proc.h"

/* A pid means something in its own name space only. */
static guint64 pid_namespace(void)
{
	struct stat st;
	return stat("/proc/self/ns/pid", &st) == 0 ? st.st_ino : 0;
}

/* "kexsect-WHAT-NAMESPACE-PID-START-XXXXXX" of somebody who is no more. */
static bool is_orphan(const char *path, const char *name)
{
	guint64 space, start;
	int pid;
	struct stat st;
	if (sscanf(name, "kexsect-%*[a-z]-%" G_GUINT64_FORMAT "-%d-%" G_GUINT64_FORMAT "-", &space,
		   &pid, &start) != 3)
		return false;
	return space == pid_namespace() && kx_start_time(pid) != start && lstat(path, &st) == 0 &&
	       S_ISDIR(st.st_mode) && st.st_uid == geteuid();
}

static void sweep(void)
{
	g_autoptr(GDir) dir = g_dir_open(g_get_tmp_dir(), 0, NULL);
	const char *name;
	while (dir && (name = g_dir_read_name(dir))) {
		g_autofree char *path = g_build_filename(g_get_tmp_dir(), name, NULL);
		if (g_str_has_prefix(name, "kexsect-") && is_orphan(path, name))
			kx_remove_tree(path, NULL);
	}
}

char *kx_temp_dir(const char *what, GError **error)
{
	sweep();
	g_autofree char *name =
		g_strdup_printf("kexsect-%s-%" G_GUINT64_FORMAT "-%d-%" G_GUINT64_FORMAT "-XXXXXX",
				what, pid_namespace(), (int)getpid(), kx_start_time((int)getpid()));
	g_autofree char *path = g_build_filename(g_get_tmp_dir(), name, NULL);
	if (g_mkdtemp(path))
		return g_steal_pointer(&path);
	kx_set_errno(error, errno, "cannot make a folder in %s", g_get_tmp_dir());
	return NULL;
}
