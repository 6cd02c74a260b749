/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Files of a run. The kernel resolves the name below the run's folder and follows no link
 * (openat2(2), RESOLVE_BENEATH), so there is no name that leads out of it. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "http/http-internal.h"

#define MAX_LISTED 1000

static int open_beneath(const char *folder, const char *path)
{
	struct open_how how = {.flags = O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY,
			       .resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS |
					  RESOLVE_NO_MAGICLINKS};
	int dir = open(folder, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (dir < 0)
		return -1;
	int fd = (int)syscall(SYS_openat2, dir, path, &how, sizeof(how));
	close(dir);
	return fd;
}

/* What a browser may make of it: only our own report is a page, and that without scripts. */
static void set_type(HttpReply *r, const char *path)
{
	static const struct {
		const char *suffix, *type;
	} types[] = {{".json", "application/json"},
		     {".jsonl", "text/plain; charset=utf-8"},
		     {".log", "text/plain; charset=utf-8"},
		     {".txt", "text/plain; charset=utf-8"},
		     {".md", "text/plain; charset=utf-8"}};
	r->type = "application/octet-stream";
	for (guint i = 0; i < G_N_ELEMENTS(types); i++)
		if (g_str_has_suffix(path, types[i].suffix))
			r->type = types[i].type;
	if (!g_str_equal(path, "report.html"))
		return;
	r->type = "text/html; charset=utf-8";
	r->policy = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; "
		    "frame-ancestors 'none'; sandbox";
}

static HttpReply list(int fd, const char *url)
{
	DIR *dir = fdopendir(fd);
	const struct dirent *e;
	json_t *all = json_array();
	if (!dir)
		close(fd);
	while (dir && json_array_size(all) < MAX_LISTED && (e = readdir(dir))) {
		struct stat st;
		if (*e->d_name == '.' || !g_utf8_validate(e->d_name, -1, NULL) ||
		    fstatat(dirfd(dir), e->d_name, &st, AT_SYMLINK_NOFOLLOW) != 0 ||
		    !S_ISREG(st.st_mode))
			continue;
		g_autofree char *name = g_uri_escape_string(e->d_name, NULL, FALSE);
		g_autofree char *at = g_strconcat(url, "/", name, NULL);
		json_array_append_new(all,
				      json_pack("{s:o, s:I, s:s}", "name", kx_json_text(e->d_name),
						"size", (json_int_t)st.st_size, "url", at));
	}
	if (dir)
		closedir(dir);
	return http_reply_json(json_pack("{s:o}", "files", all));
}

HttpReply http_file(const char *folder, const char *path, const char *url)
{
	struct stat st;
	int fd = open_beneath(folder, path);
	if (fd >= 0 && fstat(fd, &st) == 0) {
		if (S_ISDIR(st.st_mode))
			return list(fd, url);
		if (S_ISREG(st.st_mode)) {
			HttpReply r = {.status = 200,
				       .fd = fd,
				       .size = (guint64)st.st_size,
				       .inode = st.st_ino,
				       .changed_ns = st.st_mtim.tv_sec * 1000000000L +
						     st.st_mtim.tv_nsec};
			set_type(&r, path);
			return r;
		}
	}
	if (fd >= 0)
		close(fd);
	return http_reply_refusal(404, KX_ERROR_MISSING, "this run has no such file");
}
