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

/* One entry of a folder: of a file, or of a folder on the page. */
typedef struct {
	const char *name; /* UTF-8 */
	guint64 size;
	bool folder;
} Entry;

static void put_json(const Entry *e, const char *url, json_t *all)
{
	g_autofree char *name = g_uri_escape_string(e->name, NULL, FALSE);
	g_autofree char *at = g_strconcat(url, "/", name, NULL);
	if (!e->folder)
		json_array_append_new(all,
				      json_pack("{s:o, s:I, s:s}", "name", kx_json_text(e->name),
						"size", (json_int_t)e->size, "url", at));
}

static void put_line(const Entry *e, GString *out)
{
	g_autofree char *href = g_uri_escape_string(e->name, NULL, FALSE);
	g_autofree char *text = g_markup_escape_text(e->name, -1);
	const char *slash = e->folder ? "/" : "";
	g_string_append_printf(out, "<li><a href=\"./%s%s\">%s%s</a>", href, slash, text, slash);
	if (!e->folder)
		g_string_append_printf(out, " %" G_GUINT64_FORMAT, e->size);
	g_string_append(out, "</li>\n");
}

/* One that http_route_parse() takes back. */
static bool is_askable(const char *name)
{
	for (const char *p = name; *p; p++)
		if (g_ascii_iscntrl(*p) || *p == '\\')
			return false;
	return *name != '.' && g_utf8_validate(name, -1, NULL);
}

static bool look_at(DIR *dir, const struct dirent *d, Entry *ret)
{
	struct stat st;
	if (!is_askable(d->d_name) || fstatat(dirfd(dir), d->d_name, &st, AT_SYMLINK_NOFOLLOW) != 0)
		return false;
	*ret = (Entry){d->d_name, (guint64)st.st_size, S_ISDIR(st.st_mode)};
	return ret->folder || S_ISREG(st.st_mode);
}

/* `out` NULL: as JSON. */
static json_t *list(int fd, const char *url, GString *out)
{
	DIR *dir = fdopendir(fd);
	const struct dirent *d;
	json_t *all = json_array();
	unsigned n = 0;
	if (!dir)
		close(fd);
	while (dir && n < MAX_LISTED && (d = readdir(dir))) {
		Entry e;
		if (!look_at(dir, d, &e))
			continue;
		if (out)
			put_line(&e, out);
		else
			put_json(&e, url, all);
		n++;
	}
	if (dir)
		closedir(dir);
	return json_pack("{s:o}", "files", all);
}

/* Where a report's link to a folder leads. */
static HttpReply list_page(int fd, const char *path, const char *url)
{
	g_autofree char *title = g_markup_escape_text(path, -1);
	GString *out = g_string_new("<!DOCTYPE html>\n<html lang=\"en\"><meta charset=\"utf-8\">");
	g_string_append_printf(out, "<title>%s</title>\n<h1>%s</h1>\n<ul>\n", title, title);
	if (strchr(path, '/'))
		g_string_append(out, "<li><a href=\"../\">../</a></li>\n");
	json_decref(list(fd, url, out));
	g_string_append(out, "</ul>\n</html>\n");
	return (HttpReply){.status = 200,
			   .text = g_string_free(out, FALSE),
			   .type = "text/html; charset=utf-8"};
}

HttpReply http_file(const char *folder, const char *path, const char *url, bool page)
{
	struct stat st;
	int fd = open_beneath(folder, path);
	if (fd >= 0 && fstat(fd, &st) == 0) {
		if (S_ISDIR(st.st_mode))
			return page ? list_page(fd, path, url)
				    : http_reply_json(list(fd, url, NULL));
		if (S_ISREG(st.st_mode) && !page) {
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
