/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <curl/curl.h>
#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "base/fs.h"
#include "kernel/kernel-internal.h"

#define MAX_DOWNLOAD ((curl_off_t)2 << 30) /* a kernel tarball is 140 MB */
#define STALLED_S 60

typedef struct {
	KernelProgress *progress;
	const char *title;
	curl_off_t offset; /* bytes that an earlier attempt left */
} Transfer;

static int on_progress(void *user, curl_off_t total, curl_off_t now, curl_off_t up_total,
		       curl_off_t up_now)
{
	Transfer *t = user;
	kernel_step(t->progress, "fetch", (uint64_t)(t->offset + now),
		    total ? (uint64_t)(t->offset + total) : 0, t->title);
	return kx_cancelled() || t->offset + now > MAX_DOWNLOAD;
}

/* Continues in `out`, which holds t->offset bytes. */
static bool transfer(const char *url, FILE *out, Transfer *t, CURLcode *ret_code, GError **error)
{
	char said[CURL_ERROR_SIZE] = "";
	CURL *curl = curl_easy_init();
	curl_easy_setopt(curl, CURLOPT_URL, url);
	curl_easy_setopt(curl, CURLOPT_WRITEDATA, out);
	curl_easy_setopt(curl, CURLOPT_RESUME_FROM_LARGE, t->offset);
	curl_easy_setopt(curl, CURLOPT_FOLLOWLOCATION, 1L);
	curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "https,http,file");
	curl_easy_setopt(curl, CURLOPT_REDIR_PROTOCOLS_STR, "https,http");
	curl_easy_setopt(curl, CURLOPT_FAILONERROR, 1L);
	curl_easy_setopt(curl, CURLOPT_MAXFILESIZE_LARGE, MAX_DOWNLOAD);
	curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT, 30L);
	curl_easy_setopt(curl, CURLOPT_LOW_SPEED_LIMIT, 1L);
	curl_easy_setopt(curl, CURLOPT_LOW_SPEED_TIME, (long)STALLED_S);
	curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, said);
	curl_easy_setopt(curl, CURLOPT_NOPROGRESS, 0L);
	curl_easy_setopt(curl, CURLOPT_XFERINFOFUNCTION, on_progress);
	curl_easy_setopt(curl, CURLOPT_XFERINFODATA, t);
	CURLcode code = *ret_code = curl_easy_perform(curl);
	curl_easy_cleanup(curl);
	if (code == CURLE_OK)
		return true;
	if (kx_cancelled())
		g_set_error(error, KX_ERROR, KX_ERROR_CANCELLED, "%s: stopped on request", url);
	else if (code == CURLE_ABORTED_BY_CALLBACK || code == CURLE_FILESIZE_EXCEEDED)
		g_set_error(error, KX_ERROR, KX_ERROR_REFUSED,
			    "%s: larger than the %d GiB that are accepted", url,
			    (int)(MAX_DOWNLOAD >> 30));
	else if (code == CURLE_WRITE_ERROR)
		kx_set_errno(error, errno, "%s: cannot write the download", url);
	else
		g_set_error(
			error, KX_ERROR,
			code == CURLE_FILE_COULDNT_READ_FILE ? KX_ERROR_MISSING : KX_ERROR_FAILED,
			"%s: cannot be fetched: %s", url, *said ? said : curl_easy_strerror(code));
	return false;
}

static bool download(const char *url, const char *part, Transfer *t, GError **error)
{
	for (;;) {
		FILE *out = fopen(part, "ae");
		struct stat st;
		if (!out || fstat(fileno(out), &st) != 0) {
			kx_set_errno(error, errno, "cannot write %s", part);
			if (out)
				fclose(out);
			return false;
		}
		t->offset = st.st_size;
		CURLcode code;
		GError *e = NULL;
		bool ok = transfer(url, out, t, &code, &e);
		if (fclose(out) != 0 && ok) {
			kx_set_errno(error, errno, "cannot write %s", part);
			return false;
		}
		if (ok)
			return true;
		/* 416 or no ranges at all: the part is whole, or of no use; the digest decides */
		if (st.st_size > 0 &&
		    (code == CURLE_RANGE_ERROR || code == CURLE_HTTP_RETURNED_ERROR ||
		     code == CURLE_BAD_DOWNLOAD_RESUME || code == CURLE_FILE_COULDNT_READ_FILE)) {
			g_error_free(e);
			if (unlink(part) != 0) {
				kx_set_errno(error, errno, "cannot remove %s", part);
				return false;
			}
			continue;
		}
		g_propagate_error(error, e);
		return false;
	}
}

static bool matches(const char *path, const char *sha256, char **ret_found)
{
	*ret_found = kx_sha256_file(path, NULL);
	return g_strcmp0(*ret_found, sha256) == 0;
}

/* Without a digest to come there is nothing that would show that an old part is of something else.
 */
static char *fetch_unknown(const char *dir, const char *url, KernelProgress *p, char **ret_sha256,
			   GError **error)
{
	g_autofree char *key = g_compute_checksum_for_string(G_CHECKSUM_SHA256, url, -1);
	g_autofree char *part = g_strdup_printf("%s/url-%.16s.part", dir, key);
	g_autofree char *title = g_path_get_basename(url);
	Transfer t = {.progress = p, .title = title};
	unlink(part);
	kernel_step(p, "fetch", 0, 0, title);
	if (!download(url, part, &t, error))
		return NULL;
	g_autofree char *found = kx_sha256_file(part, error);
	g_autofree char *path = found ? g_build_filename(dir, found, NULL) : NULL;
	if (!path)
		return NULL;
	if (rename(part, path) != 0) {
		kx_set_errno(error, errno, "cannot rename %s", part);
		return NULL;
	}
	*ret_sha256 = g_steal_pointer(&found);
	return g_steal_pointer(&path);
}

char *kernel_fetch(const char *cache, const char *url, const char *sha256, KernelProgress *p,
		   char **ret_sha256, GError **error)
{
	g_autofree char *dir = g_build_filename(cache, "downloads", NULL);
	if (!kx_mkdir(dir, error))
		return NULL;
	if (!sha256)
		return fetch_unknown(dir, url, p, ret_sha256, error);
	g_autofree char *path = g_build_filename(dir, sha256, NULL);
	g_autofree char *part = g_strconcat(path, ".part", NULL);
	g_autofree char *title = g_path_get_basename(url);
	g_autofree char *found = NULL;
	if (g_file_test(path, G_FILE_TEST_EXISTS)) {
		if (matches(path, sha256, &found))
			return g_steal_pointer(&path);
		g_warning("%s is damaged and is fetched again", path);
		g_clear_pointer(&found, g_free);
	}
	bool resumed = g_file_test(part, G_FILE_TEST_EXISTS);
	for (;;) {
		Transfer t = {.progress = p, .title = title};
		kernel_step(p, "fetch", 0, 0, title);
		if (!download(url, part, &t, error))
			return NULL;
		if (matches(part, sha256, &found))
			break;
		unlink(part);
		if (!resumed) {
			g_set_error(
				error, KX_ERROR, KX_ERROR_DIGEST,
				"%s: SHA-256 is %s, but the recipe says %s: the file was changed, "
				"or the recipe is wrong",
				url, found ? found : "not readable", sha256);
			return NULL;
		}
		/* the old part may have been of something else: once more from the start */
		resumed = false;
		g_clear_pointer(&found, g_free);
	}
	if (rename(part, path) != 0) {
		kx_set_errno(error, errno, "cannot rename %s", part);
		return NULL;
	}
	return g_steal_pointer(&path);
}
