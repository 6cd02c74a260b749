/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "base/error.h"
#include "base/fs.h"
#include "kernel/kernel-internal.h"

#define REPORT_EVERY_US 200000
#define LOCK_POLL_US 100000
#define WAIT_TOLD_US (60 * G_USEC_PER_SEC)
#define GIB (1u << 30)

void kernel_step(KernelProgress *p, const char *step, uint64_t done, uint64_t total,
		 const char *detail)
{
	gint64 now = g_get_monotonic_time();
	if (!p || !p->func)
		return;
	/* the first report of a step always gets through */
	if (g_strcmp0(p->step, step) == 0 && now - p->last < REPORT_EVERY_US)
		return;
	p->last = now;
	p->step = step;
	p->func(step, done, total, detail ? detail : "", p->user);
}

int kernel_lock(const char *path, KernelProgress *p, const char *step, GError **error)
{
	bool said = false;
	for (;;) {
		GError *e = NULL;
		int fd = kx_lock_file(path, false, &e);
		if (fd >= 0)
			return fd;
		if (!g_error_matches(e, KX_ERROR, KX_ERROR_BUSY)) {
			g_propagate_error(error, e);
			return -1;
		}
		if (!said)
			kernel_step(p, step, 0, 0, e->message);
		said = true;
		g_error_free(e);
		if (kx_cancelled()) {
			g_set_error(error, KX_ERROR, KX_ERROR_CANCELLED,
				    "stopped on request while waiting for %s", path);
			return -1;
		}
		g_usleep(LOCK_POLL_US);
	}
}

/* One of so many places; -1 with *error: stopped while all are taken. */
static int take_place(const char *cache, unsigned places, KernelProgress *p, GError **error)
{
	gint64 told = 0;
	for (;;) {
		for (unsigned i = 0; i < places; i++) {
			g_autofree char *path = g_strdup_printf("%s/locks/compile-%u", cache, i);
			g_autoptr(GError) why = NULL;
			int fd = kx_lock_file(path, false, &why);
			if (fd >= 0)
				return fd;
			if (!g_error_matches(why, KX_ERROR, KX_ERROR_BUSY)) {
				g_propagate_error(error, g_steal_pointer(&why));
				return -1;
			}
		}
		if (kx_cancelled()) {
			g_set_error(error, KX_ERROR, KX_ERROR_CANCELLED,
				    "stopped on request while other kernels are compiled");
			return -1;
		}
		/* who is silent for long is ended */
		if (!told || g_get_monotonic_time() - told > WAIT_TOLD_US) {
			told = g_get_monotonic_time();
			g_autofree char *text = g_strdup_printf(
				"%u compile, and no more may at once ($" RECIPE_BUILDS ")", places);
			kernel_step(p, "wait", 0, 0, text);
		}
		g_usleep(LOCK_POLL_US);
	}
}

bool kernel_compile_place(const char *cache, KernelProgress *p, int *ret_fd, GError **error)
{
	const char *text = g_getenv(RECIPE_BUILDS);
	guint64 places = text ? g_ascii_strtoull(text, NULL, 10) : 0;
	*ret_fd = -1;
	if (!places)
		return true;
	g_autofree char *folder = g_build_filename(cache, "locks", NULL);
	if (!kx_mkdir(folder, error))
		return false;
	*ret_fd = take_place(cache, (unsigned)MIN(places, 1000), p, error);
	return *ret_fd >= 0;
}

void kernel_touch(const char *path)
{
	if (utimensat(AT_FDCWD, path, NULL, 0) != 0)
		g_debug("%s: cannot note its use: %s", path, g_strerror(errno));
}

bool kernel_check_space(const char *path, uint64_t need, const char *for_what, GError **error)
{
	uint64_t have = kx_free_space(path);
	if (have >= need)
		return true;
	g_set_error(error, KX_ERROR, KX_ERROR_NO_SPACE,
		    "%s needs %.1f GiB but only %.1f GiB are free at %s: make room there, prune "
		    "the cache "
		    "(kexsect cache prune) or choose another one (--cache)",
		    for_what, (double)need / GIB, (double)have / GIB, path);
	return false;
}
