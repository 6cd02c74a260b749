/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "iommu/input.h"

#include <archive.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"

#define BLOCK (128 * 1024)
#define MAGIC 6 /* bytes that tell a format */
#define FOLLOW_US 100000
#define IDLE_ROUNDS 5

typedef struct {
	int fd;
	char *block;
	size_t peeked; /* bytes that are in `block` already */
} Source;

/* At least `least` bytes, as far as the file goes: a pipe gives little at a time, and what came is
 * not to wait. -1: errno. */
static ssize_t read_some(int fd, char *block, size_t size, size_t least)
{
	size_t got = 0;
	while (got < least) {
		ssize_t n = read(fd, block + got, size - got);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -1;
		if (n == 0)
			break;
		got += (size_t)n;
	}
	return (ssize_t)got;
}

static bool is_packed(const char *bytes, size_t len)
{
	static const struct {
		const char *magic;
		size_t len;
	} formats[] = {{"\x1f\x8b", 2},
		       {"\xfd"
			"7zXZ\0",
			6},
		       {"\x28\xb5\x2f\xfd", 4},
		       {"BZh", 3},
		       {"\x04\x22\x4d\x18", 4}};
	for (size_t i = 0; i < G_N_ELEMENTS(formats); i++)
		if (len >= formats[i].len && memcmp(bytes, formats[i].magic, formats[i].len) == 0)
			return true;
	return false;
}

static la_ssize_t give_block(struct archive *a, void *user, const void **ret)
{
	Source *s = user;
	*ret = s->block;
	ssize_t n = s->peeked ? (ssize_t)s->peeked : read_some(s->fd, s->block, BLOCK, 1);
	s->peeked = 0;
	if (n < 0)
		archive_set_error(a, errno, "%s", g_strerror(errno));
	return n;
}

static bool read_packed(Source *s, const char *name, FaultChunkFunc func, gpointer user,
			GError **error)
{
	struct archive *a = archive_read_new();
	struct archive_entry *entry;
	archive_read_support_filter_gzip(a);
	archive_read_support_filter_xz(a);
	archive_read_support_filter_zstd(a);
	archive_read_support_filter_bzip2(a);
	archive_read_support_filter_lz4(a);
	archive_read_support_format_raw(a);
	bool ok = archive_read_open(a, s, NULL, give_block, NULL) == ARCHIVE_OK &&
		  archive_read_next_header(a, &entry) == ARCHIVE_OK;
	g_autofree char *out = g_malloc(BLOCK);
	la_ssize_t n = 0;
	bool more = true;
	while (ok && more && (n = archive_read_data(a, out, BLOCK)) > 0)
		more = func(out, (size_t)n, user);
	if (!ok || n < 0) {
		ok = false;
		const char *why = archive_error_string(a);
		g_set_error(error, KX_ERROR, KX_ERROR_INPUT, "%s: cannot unpack: %s", name,
			    why ? why : "damaged");
	}
	archive_read_free(a);
	return ok;
}

/* ---- plain files: mapped, which saves copying what is seldom looked at twice ---- */

#define WINDOW (8 * 1024 * 1024)

/* The window, for the handler below. */
static struct {
	char *at;
	size_t len;
	volatile sig_atomic_t truncated;
} mapped;

/* The file was truncated meanwhile: zeros stand for what is gone, and the reading ends. */
static void on_bus_error(int signal_number, siginfo_t *info, void *context)
{
	(void)context;
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	char *at = (char *)((size_t)info->si_addr & ~(page - 1));
	size_t offset = (size_t)(at - mapped.at);
	if (mapped.at && at >= mapped.at && offset < mapped.len &&
	    mmap(at, mapped.len - offset, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1,
		 0) != MAP_FAILED)
		mapped.truncated = 1;
	else
		signal(signal_number, SIG_DFL); /* not ours */
}

/* False: cannot be mapped here. */
static bool read_window(int fd, off_t at, size_t len, FaultChunkFunc func, gpointer user,
			bool *more)
{
	char *p = mmap(NULL, len, PROT_READ, MAP_PRIVATE | MAP_POPULATE, fd, at);
	if (p == MAP_FAILED)
		return false;
	mapped.at = p;
	mapped.len = len;
	/* In pieces that stay in the cache: parts are looked at twice. */
	for (size_t i = 0; *more && i < len && !mapped.truncated; i += BLOCK)
		*more = func(p + i, MIN(BLOCK, len - i), user);
	mapped.at = NULL;
	munmap(p, len);
	return true;
}

/* Reads from the start as far as whole windows go or mapping works; *ret_at: how far. */
static void read_mapped(int fd, off_t size, FaultChunkFunc func, gpointer user, off_t *ret_at,
			bool *more)
{
	struct sigaction action = {.sa_sigaction = on_bus_error, .sa_flags = SA_SIGINFO}, old;
	sigaction(SIGBUS, &action, &old);
	mapped.truncated = 0;
	while (*more && !mapped.truncated && size - *ret_at >= WINDOW) {
		(void)posix_fadvise(fd, *ret_at + WINDOW, WINDOW, POSIX_FADV_WILLNEED);
		if (!read_window(fd, *ret_at, WINDOW, func, user, more))
			break;
		*ret_at += WINDOW;
	}
	sigaction(SIGBUS, &old, NULL);
}

/* The large part of a large file; the rest is read as from a pipe. */
static bool read_large(int fd, size_t peeked, const char *block, FaultChunkFunc func, gpointer user)
{
	struct stat st;
	off_t at = 0;
	bool more = true;
	if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode) ||
	    lseek(fd, 0, SEEK_CUR) != (off_t)peeked || st.st_size < WINDOW)
		return func(block, peeked, user);
	read_mapped(fd, st.st_size, func, user, &at, &more);
	lseek(fd, at, SEEK_SET);
	return more;
}

bool fault_input_read(int fd, const char *name, FaultChunkFunc func, gpointer user, GError **error)
{
	g_autofree char *block = g_malloc(BLOCK);
	(void)posix_fadvise(fd, 0, 0, POSIX_FADV_SEQUENTIAL);
	ssize_t n = read_some(fd, block, BLOCK, MAGIC);
	if (n > 0 && is_packed(block, (size_t)n)) {
		Source s = {fd, block, (size_t)n};
		return read_packed(&s, name, func, user, error);
	}
	bool more = n > 0 && read_large(fd, (size_t)n, block, func, user);
	while (more && (n = read_some(fd, block, BLOCK, 1)) > 0)
		more = func(block, (size_t)n, user);
	if (n < 0)
		kx_set_errno(error, errno, "%s: cannot read", name);
	return n >= 0;
}

bool fault_input_read_log(const char *path, FaultChunkFunc func, gpointer user, GError **error)
{
	bool standard = strcmp(path, "-") == 0;
	int fd = standard ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0) {
		g_set_error(error, G_FILE_ERROR, g_file_error_from_errno(errno), "%s: %s", path,
			    g_strerror(errno));
		return false;
	}
	bool ok = fault_input_read(fd, standard ? "standard input" : path, func, user, error);
	if (!standard)
		close(fd);
	return ok;
}

/* ---- a file that grows ---- */

typedef struct {
	int fd;
	off_t at;
	ino_t inode;
} Growing;

static bool open_growing(Growing *g, const char *path)
{
	struct stat st;
	g->fd = open(path, O_RDONLY | O_CLOEXEC);
	g->at = 0;
	if (g->fd >= 0 && fstat(g->fd, &st) == 0)
		g->inode = st.st_ino;
	return g->fd >= 0;
}

/* Truncated, or another file under its name. */
static bool is_new(const Growing *g, const char *path)
{
	struct stat now, by_name;
	return fstat(g->fd, &now) != 0 || now.st_size < g->at ||
	       (stat(path, &by_name) == 0 && by_name.st_ino != g->inode);
}

bool fault_input_follow(const char *path, const FaultFollow *follow, GError **error)
{
	Growing g;
	g_autofree char *block = g_malloc(BLOCK);
	if (!open_growing(&g, path)) {
		kx_set_errno(error, errno, "%s: cannot open", path);
		return false;
	}
	bool more = true, ok = true;
	for (unsigned idle = 0; more && !follow->stop(follow->user);) {
		ssize_t n = read(g.fd, block, BLOCK);
		if (n > 0) {
			g.at += n;
			idle = 0;
			more = follow->func(block, (size_t)n, follow->user);
			continue;
		}
		if (n < 0 && errno != EINTR) {
			kx_set_errno(error, errno, "%s: cannot read", path);
			ok = false;
			break;
		}
		if (is_new(&g, path)) {
			close(g.fd);
			follow->on_restart(follow->user);
			while (!open_growing(&g, path) && !follow->stop(follow->user))
				g_usleep(FOLLOW_US);
			continue;
		}
		if (++idle == IDLE_ROUNDS)
			follow->on_idle(follow->user);
		g_usleep(FOLLOW_US);
	}
	if (g.fd >= 0)
		close(g.fd);
	return ok;
}
