/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "base/fs.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/error.h"

bool kx_mkdir(const char *path, GError **error)
{
	if (g_mkdir_with_parents(path, 0777) == 0)
		return true;
	kx_set_errno(error, errno, "cannot make the folder %s", path);
	return false;
}

static bool write_all(int fd, const char *data, size_t len)
{
	while (len > 0) {
		ssize_t n = write(fd, data, len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return false;
		data += n;
		len -= (size_t)n;
	}
	return true;
}

/* Opens a temporary file beside `path`, so that the rename stays within one file system. */
static int open_beside(const char *path, char **ret_tmp, GError **error)
{
	g_autofree char *tmp = g_strdup_printf("%s.XXXXXX", path);
	int fd = g_mkstemp_full(tmp, O_WRONLY | O_CLOEXEC, 0666);
	if (fd < 0) {
		kx_set_errno(error, errno, "cannot write %s", path);
		return -1;
	}
	*ret_tmp = g_steal_pointer(&tmp);
	return fd;
}

static bool finish_beside(int fd, bool ok, const char *tmp, const char *path, GError **error)
{
	int err = ok ? 0 : errno;

	if (ok && fsync(fd) != 0)
		err = errno;
	if (close(fd) != 0 && err == 0)
		err = errno;
	if (err == 0 && rename(tmp, path) != 0)
		err = errno;
	if (err == 0)
		return true;
	unlink(tmp);
	kx_set_errno(error, err, "cannot write %s", path);
	return false;
}

bool kx_write_file(const char *path, const char *data, gssize len, GError **error)
{
	g_autofree char *tmp = NULL;
	int fd = open_beside(path, &tmp, error);
	if (fd < 0)
		return false;
	bool ok = write_all(fd, data, len < 0 ? strlen(data) : (size_t)len);
	return finish_beside(fd, ok, tmp, path, error);
}

bool kx_write_scratch(const char *path, const char *data, gssize len, int mode, GError **error)
{
	unlink(path); /* GLib 2.74 does not cut a longer file */
	return g_file_set_contents_full(path, data, len, G_FILE_SET_CONTENTS_NONE, mode, error);
}

static GHashTable *noted_files;

void kx_note_files(GHashTable *set)
{
	noted_files = set;
}

void kx_note_file(const char *path)
{
	if (noted_files)
		g_hash_table_add(noted_files, g_canonicalize_filename(path, NULL));
}

static const char *snapshot(void)
{
	const char *root = g_getenv("KEXSECT_SNAPSHOT");
	return root && g_path_is_absolute(root) ? root : NULL;
}

const char *kx_resolve_origin(const char *path)
{
	const char *root = snapshot();
	size_t len = root ? strlen(root) : 0;
	return root && g_str_has_prefix(path, root) && path[len] == '/' ? path + len : path;
}

char *kx_resolve(const char *value, const char *here)
{
	char *full = g_canonicalize_filename(value, here);
	const char *root = snapshot();
	if (!root || kx_resolve_origin(full) != full)
		return full;
	char *copy = g_build_filename(root, full, NULL);
	g_free(full);
	return copy;
}

char *kx_read_file(const char *path, size_t max, size_t *ret_len, GError **error)
{
	kx_note_file(path);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0) {
		kx_set_errno(error, errno, "cannot read %s", path);
		return NULL;
	}
	g_autoptr(GString) text = g_string_new(NULL);
	char buf[65536];
	ssize_t n;
	while ((n = read(fd, buf, sizeof(buf))) != 0) {
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0) {
			kx_set_errno(error, errno, "cannot read %s", path);
			close(fd);
			return NULL;
		}
		if (text->len + (size_t)n > max) {
			g_set_error(error, KX_ERROR, KX_ERROR_INPUT,
				    "%s is larger than the %zu bytes that are accepted here", path,
				    max);
			close(fd);
			return NULL;
		}
		g_string_append_len(text, buf, n);
	}
	close(fd);
	if (ret_len)
		*ret_len = text->len;
	return g_string_free(g_steal_pointer(&text), FALSE);
}

static bool copy_bytes(int in, int out)
{
	if (ioctl(out, FICLONE, in) == 0)
		return true;
	ssize_t n;
	while ((n = sendfile(out, in, NULL, 1 << 24)) != 0)
		if (n < 0 && errno != EINTR)
			return false;
	return true;
}

bool kx_copy_file(const char *from, const char *to, GError **error)
{
	int in = open(from, O_RDONLY | O_CLOEXEC);
	if (in < 0) {
		kx_set_errno(error, errno, "cannot read %s", from);
		return false;
	}
	g_autofree char *tmp = NULL;
	int out = open_beside(to, &tmp, error);
	if (out < 0) {
		close(in);
		return false;
	}
	bool ok = copy_bytes(in, out);
	int err = errno;
	close(in);
	errno = err;
	return finish_beside(out, ok, tmp, to, error);
}

/* Removes the entries of an open folder; takes over `fd`. */
static bool remove_below(int fd)
{
	DIR *dir = fdopendir(fd);
	if (!dir) {
		close(fd);
		return false;
	}
	bool ok = true;
	struct dirent *entry;
	while ((entry = readdir(dir))) {
		const char *name = entry->d_name;
		if (g_str_equal(name, ".") || g_str_equal(name, ".."))
			continue;
		if (unlinkat(dirfd(dir), name, 0) == 0)
			continue;
		if (errno == EISDIR || errno == EPERM) {
			int sub = openat(dirfd(dir), name,
					 O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
			if (sub >= 0 && remove_below(sub) &&
			    unlinkat(dirfd(dir), name, AT_REMOVEDIR) == 0)
				continue;
		}
		ok = false;
	}
	int err = errno;
	closedir(dir);
	errno = err;
	return ok;
}

bool kx_remove_tree(const char *path, GError **error)
{
	if (unlink(path) == 0 || errno == ENOENT)
		return true;
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd >= 0 && remove_below(fd) && rmdir(path) == 0)
		return true;
	kx_set_errno(error, errno, "cannot remove %s", path);
	return false;
}

static uint64_t size_below(int parent, const char *name)
{
	struct stat st;
	if (fstatat(parent, name, &st, AT_SYMLINK_NOFOLLOW) != 0)
		return 0;
	uint64_t sum = (uint64_t)st.st_blocks * 512;
	if (!S_ISDIR(st.st_mode))
		return sum;
	int fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
	if (!dir) {
		if (fd >= 0)
			close(fd);
		return sum;
	}
	struct dirent *entry;
	while ((entry = readdir(dir)))
		if (!g_str_equal(entry->d_name, ".") && !g_str_equal(entry->d_name, ".."))
			sum += size_below(dirfd(dir), entry->d_name);
	closedir(dir);
	return sum;
}

uint64_t kx_tree_size(const char *path)
{
	return size_below(AT_FDCWD, path);
}

uint64_t kx_free_space(const char *path)
{
	g_autofree char *at = g_canonicalize_filename(path, NULL);
	struct statvfs vfs;
	while (statvfs(at, &vfs) != 0) {
		if (errno != ENOENT || g_str_equal(at, "/"))
			return UINT64_MAX;
		char *parent = g_path_get_dirname(at);
		g_free(at);
		at = parent;
	}
	return (uint64_t)vfs.f_bavail * vfs.f_frsize;
}

char *kx_sha256_file(const char *path, GError **error)
{
	kx_note_file(path);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0) {
		kx_set_errno(error, errno, "cannot read %s", path);
		return NULL;
	}
	g_autoptr(GChecksum) sum = g_checksum_new(G_CHECKSUM_SHA256);
	g_autofree guchar *buf = g_malloc(1 << 20);
	ssize_t n;
	while ((n = read(fd, buf, 1 << 20)) != 0) {
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0) {
			kx_set_errno(error, errno, "cannot read %s", path);
			close(fd);
			return NULL;
		}
		g_checksum_update(sum, buf, n);
	}
	close(fd);
	return g_strdup(g_checksum_get_string(sum));
}

int kx_lock_file(const char *path, bool wait, GError **error)
{
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
	if (fd < 0) {
		kx_set_errno(error, errno, "cannot open the lock %s", path);
		return -1;
	}
	int rc;
	do
		rc = flock(fd, wait ? LOCK_EX : LOCK_EX | LOCK_NB);
	while (rc != 0 && errno == EINTR && wait);
	if (rc != 0) {
		char owner[32] = "";
		if (errno == EWOULDBLOCK && pread(fd, owner, sizeof(owner) - 1, 0) >= 0)
			g_set_error(error, KX_ERROR, KX_ERROR_BUSY, "%s is held by process %s",
				    path, g_strchomp(owner));
		else
			kx_set_errno(error, errno, "cannot lock %s", path);
		close(fd);
		return -1;
	}
	/* The pid is for the message above only; the lock itself is the kernel's. */
	g_autofree char *pid = g_strdup_printf("%d\n", (int)getpid());
	if (ftruncate(fd, 0) == 0 && pwrite(fd, pid, strlen(pid), 0) < 0)
		g_debug("%s: cannot record the pid", path);
	return fd;
}

char *kx_default_cache_dir(void)
{
	const char *own = g_getenv("KEXSECT_CACHE");
	if (own && *own)
		return g_canonicalize_filename(own, NULL);
	return g_build_filename(g_get_user_cache_dir(), "kexsect", NULL);
}

/* A path of ours: below `build` while the program runs from its build folder, else below the prefix
 * that it is installed in. */
static char *own_path(const char *build, const char *in_build, const char *installed)
{
	g_autofree char *exe = g_file_read_link("/proc/self/exe", NULL);
	if (exe && g_str_has_prefix(exe, KEXSECT_BUILD_DIR "/"))
		return g_build_filename(build, in_build, NULL);
	g_autofree char *bin = g_path_get_dirname(exe ? exe : "/usr/bin/kexsect");
	g_autofree char *prefix = g_path_get_dirname(bin);
	return g_build_filename(prefix, installed, NULL);
}

char *kx_agent_path(void)
{
	const char *own = g_getenv("KEXSECT_AGENT");
	if (own && *own)
		return g_canonicalize_filename(own, NULL);
	return own_path(KEXSECT_BUILD_DIR, "agent/agent", "lib/kexsect/agent");
}

const char *kx_data_dir(void)
{
	static char *dir;
	if (dir)
		return dir;
	const char *own = g_getenv("KEXSECT_DATA");
	dir = own && *own ? g_canonicalize_filename(own, NULL)
			  : own_path(KEXSECT_SOURCE_DIR, NULL, "share/kexsect");
	return dir;
}
