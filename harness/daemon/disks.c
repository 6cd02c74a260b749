/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The file systems of state, results and cache: without room there, or when nothing can be written,
 * nothing runs. (What becomes of the daemon's own changes meanwhile: save.c.) */
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "base/fs.h"
#include "daemon/daemon-internal.h"

/* Whether a file can be made there; errno when not. */
static bool try_to_write(const char *folder)
{
	g_autofree char *path = g_build_filename(folder, ".kexsectd-writes", NULL);
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (fd < 0)
		return false;
	bool ok = write(fd, "x", 1) == 1;
	int number = errno;
	close(fd);
	unlink(path);
	errno = number;
	return ok;
}

/* Full is what the limit is for; a folder that is not there yet is made by who needs it. */
static bool is_read_only(const char *folder, bool thoroughly)
{
	bool ok = thoroughly ? try_to_write(folder) : access(folder, W_OK) == 0;
	return !ok && (errno == EROFS || errno == EIO);
}

/* Space returns for good, not for a moment: a tenth more than what is too little. */
static char *what_is_wrong(const Daemon *d, const char *folder, bool thoroughly)
{
	double wanted = d->config->limits.disk_free_gib * (1 << 30);
	double have = (double)kx_free_space(folder);
	if (have < wanted * (d->disk_why ? 1.1 : 1))
		return g_strdup_printf("the disk is full: %s has %.1f GiB left, %.1f are wanted",
				       folder, have / (1 << 30), wanted / (1 << 30));
	/* the state folder's is known from the database, and what runs may go on without it */
	if (folder != d->o.state && is_read_only(folder, thoroughly || d->disk_why))
		return g_strdup_printf("%s cannot be written: %s", folder, g_strerror(errno));
	return NULL;
}

void daemon_watch_disks(Daemon *d, bool thoroughly)
{
	const char *places[] = {d->o.state, d->config->results, d->config->cache};
	g_autofree char *why = NULL;
	for (guint i = 0; i < G_N_ELEMENTS(places) && !why; i++)
		why = what_is_wrong(d, places[i], thoroughly);
	if (!why == !d->disk_why)
		return;
	const char *text = why ? why : "results and cache can be written again";
	daemon_note(d, why ? "disk" : "disk-back", text);
	g_warning("%s", text);
	g_free(d->disk_why);
	d->disk_why = g_steal_pointer(&why);
	daemon_replan(d);
}
