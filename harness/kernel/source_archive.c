/* SPDX-License-Identifier: GPL-2.0-or-later */
/* An archive goes straight into git's object store (git fast-import), without 80,000 files on disk
 * in between. */
#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/error.h"
#include "kernel/kernel-internal.h"

#define MAX_UNPACKED (UINT64_C(8) << 30) /* a kernel tree is 1.4 GB; more is a bomb */

typedef struct {
	struct archive *in;
	FILE *out;
	char *top; /* "linux-6.1/" */
	uint64_t written;
} Import;

/* The path below the top folder; NULL with *error set when it may not be, "" for the folder itself.
 */
static const char *inner_path(Import *im, const char *name, GError **error)
{
	while (g_str_has_prefix(name, "./"))
		name += 2;
	if (!im->top && *name) {
		const char *slash = strchr(name, '/');
		im->top = slash ? g_strndup(name, (gsize)(slash - name) + 1)
				: g_strconcat(name, "/", NULL);
	}
	const char *bad = NULL;
	if (*name && !g_str_has_prefix(name, im->top) &&
	    strncmp(name, im->top, strlen(im->top) - 1) != 0)
		bad = "it is not in the archive's top folder";
	else if (strpbrk(name, "\"\\\n"))
		bad = "its name has a quote, backslash or newline";
	const char *inner =
		strlen(name) > strlen(im->top ? im->top : "") ? name + strlen(im->top) : "";
	g_auto(GStrv) parts = g_strsplit(inner, "/", -1);
	for (char **p = parts; *p && !bad; p++)
		if (g_str_equal(*p, "..") || g_str_equal(*p, ".") ||
		    g_ascii_strcasecmp(*p, ".git") == 0)
			bad = "its path is not allowed";
	if (!bad)
		return inner;
	g_set_error(error, KX_ERROR, KX_ERROR_REFUSED, "the entry '%s' is refused: %s", name, bad);
	return NULL;
}

static bool copy_data(Import *im, int64_t size, GError **error)
{
	char buf[1 << 16];
	fprintf(im->out, "data %lld\n", (long long)size);
	int64_t left = size;
	while (left > 0) {
		la_ssize_t n =
			archive_read_data(im->in, buf, (size_t)MIN(left, (int64_t)sizeof(buf)));
		if (n <= 0) {
			g_set_error(error, KX_ERROR, KX_ERROR_INPUT, "it ends too early: %s",
				    archive_error_string(im->in) ? archive_error_string(im->in)
								 : "");
			return false;
		}
		if (fwrite(buf, 1, (size_t)n, im->out) != (size_t)n)
			return true; /* fast-import died; its own message says why */
		left -= n;
	}
	fputc('\n', im->out);
	im->written += (uint64_t)size;
	return true;
}

static bool import_entry(Import *im, struct archive_entry *e, GError **error)
{
	const char *raw = archive_entry_pathname(e);
	g_autofree char *name = g_strdup(raw ? raw : "");
	const char *path = inner_path(im, name, error);
	if (!path)
		return false;
	if (!*path)
		return true;
	if (archive_entry_hardlink(e)) {
		g_autofree char *link = g_strdup(archive_entry_hardlink(e));
		const char *from = inner_path(im, link, error);
		if (!from)
			return false;
		fprintf(im->out, "C \"%s\" \"%s\"\n", from, path);
		return true;
	}
	switch (archive_entry_filetype(e)) {
	case AE_IFDIR:
		return true;
	case AE_IFLNK: {
		const char *to = archive_entry_symlink(e);
		fprintf(im->out, "M 120000 inline \"%s\"\ndata %zu\n%s\n", path, strlen(to), to);
		return true;
	}
	case AE_IFREG:
		fprintf(im->out, "M %s inline \"%s\"\n",
			archive_entry_perm(e) & 0111 ? "100755" : "100644", path);
		return copy_data(im, archive_entry_size(e), error);
	default:
		g_set_error(error, KX_ERROR, KX_ERROR_REFUSED,
			    "the entry '%s' is refused: it is neither file, folder nor link", name);
		return false;
	}
}

static bool import_all(Import *im, uint64_t archive_bytes, const char *title, KernelProgress *p,
		       GError **error)
{
	fputs("commit refs/heads/base\ncommitter kexsect <kexsect@localhost> 0 +0000\ndata "
	      "9\nimported\n\n",
	      im->out);
	struct archive_entry *e;
	int rc;
	while ((rc = archive_read_next_header(im->in, &e)) == ARCHIVE_OK || rc == ARCHIVE_WARN) {
		if (!import_entry(im, e, error))
			return false;
		if (kx_cancelled()) {
			g_set_error(error, KX_ERROR, KX_ERROR_CANCELLED, "stopped on request");
			return false;
		}
		if (im->written > MAX_UNPACKED) {
			g_set_error(error, KX_ERROR, KX_ERROR_REFUSED, "it holds more than %d GiB",
				    (int)(MAX_UNPACKED >> 30));
			return false;
		}
		if (ferror(im->out))
			return true;
		kernel_step(p, "import",
			    (uint64_t)archive_filter_bytes(im->in, -1) * 100 /
				    MAX(archive_bytes, 1),
			    100, title);
	}
	if (rc == ARCHIVE_EOF) {
		fputs("done\n", im->out);
		return true;
	}
	g_set_error(error, KX_ERROR, KX_ERROR_INPUT, "%s", archive_error_string(im->in));
	return false;
}

static FILE *start_fast_import(const char *git, const char *log, GPid *ret_pid, GError **error)
{
	/* Level 1 costs a third of the default's time; no deltas: each blob is alone. */
	const char *argv[] = {"git",
			      "-c",
			      "core.compression=1",
			      "-c",
			      "fastimport.unpackLimit=0",
			      "fast-import",
			      "--quiet",
			      "--done",
			      "--depth=0",
			      NULL};
	g_auto(GStrv) env = g_get_environ();
	env = g_environ_setenv(env, "GIT_DIR", git, TRUE);
	env = g_environ_setenv(env, "GIT_CONFIG_GLOBAL", "/dev/null", TRUE);
	env = g_environ_setenv(env, "LC_ALL", "C", TRUE);
	FILE *err = fopen(log, "we");
	int fd = -1;
	bool ok = err && g_spawn_async_with_pipes_and_fds(
				 NULL, argv, (const char *const *)env,
				 G_SPAWN_SEARCH_PATH | G_SPAWN_DO_NOT_REAP_CHILD |
					 G_SPAWN_CLOEXEC_PIPES | G_SPAWN_STDOUT_TO_DEV_NULL,
				 NULL, NULL, -1, -1, fileno(err), NULL, NULL, 0, ret_pid, &fd, NULL,
				 NULL, error);
	if (!err)
		kx_set_errno(error, errno, "cannot write %s", log);
	else
		fclose(err);
	return ok ? fdopen(fd, "w") : NULL;
}

bool kernel_import_archive(const char *git, const char *archive, KernelProgress *p, GError **error)
{
	g_autofree char *log = g_build_filename(git, "kexsect-import.log", NULL);
	g_autofree char *title = g_path_get_basename(archive);
	struct stat st;
	if (stat(archive, &st) != 0) {
		kx_set_errno(error, errno, "cannot read %s", archive);
		return false;
	}
	Import im = {.in = archive_read_new()};
	archive_read_support_filter_all(im.in);
	archive_read_support_format_tar(im.in);
	GError *e = NULL;
	GPid pid;
	bool ok = false, ended = true;
	if (archive_read_open_filename(im.in, archive, 1 << 20) != ARCHIVE_OK)
		g_set_error(&e, KX_ERROR, KX_ERROR_INPUT, "%s", archive_error_string(im.in));
	else if ((im.out = start_fast_import(git, log, &pid, &e))) {
		struct sigaction ignore = {.sa_handler = SIG_IGN}, before;
		sigaction(SIGPIPE, &ignore, &before); /* it may die of a full disk */
		ok = import_all(&im, (uint64_t)st.st_size, title, p, &e);
		ok = fclose(im.out) == 0 && ok;
		sigaction(SIGPIPE, &before, NULL);
		int status;
		ended = waitpid(pid, &status, 0) == pid && WIFEXITED(status) &&
			WEXITSTATUS(status) == 0;
	}
	archive_read_free(im.in);
	g_free(im.top);
	if (e) {
		g_propagate_prefixed_error(error, e, "%s: ", archive);
		return false;
	}
	if (ok && ended)
		return true;
	g_autofree char *said = NULL;
	g_file_get_contents(log, &said, NULL, NULL);
	bool full = said && strstr(said, "No space left");
	g_set_error(error, KX_ERROR, full ? KX_ERROR_NO_SPACE : KX_ERROR_FAILED,
		    "%s: git could not import it: %s", archive, said ? g_strstrip(said) : "");
	return false;
}
