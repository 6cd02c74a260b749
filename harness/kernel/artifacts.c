/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "base/fs.h"
#include "base/json.h"
#include "kernel/kernel-internal.h"

/* Whether every file is there with the digest that build.json has for it. */
static bool is_whole(const char *dir, const json_t *meta, GError **error)
{
	json_t *files = json_object_get(meta, "files"), *f;
	const char *name;
	if (!json_object_size(files)) {
		g_set_error(error, KX_ERROR, KX_ERROR_DIGEST, "build.json lists no files");
		return false;
	}
	json_object_foreach (files, name, f) {
		g_autofree char *path = g_build_filename(dir, name, NULL);
		g_autofree char *digest = kx_sha256_file(path, error);
		if (!digest)
			return false;
		if (g_strcmp0(digest, kx_json_str(f, "sha256")) != 0) {
			g_set_error(error, KX_ERROR, KX_ERROR_DIGEST, "%s was changed", name);
			return false;
		}
	}
	return true;
}

json_t *kernel_artifacts_open(const char *dir)
{
	if (!g_file_test(dir, G_FILE_TEST_EXISTS))
		return NULL;
	g_autofree char *path = g_build_filename(dir, "build.json", NULL);
	g_autoptr(GError) e = NULL;
	g_autoptr(json_t) meta = kx_json_load(path, &e);
	if (meta && is_whole(dir, meta, &e)) {
		kernel_touch(dir);
		return g_steal_pointer(&meta);
	}
	g_warning("the cached build %s is damaged (%s) and is made again", dir, e->message);
	kx_remove_tree(dir, NULL);
	return NULL;
}

static bool record_file(const char *dir, const char *name, json_t *files, GError **error)
{
	g_autofree char *path = g_build_filename(dir, name, NULL);
	g_autofree char *digest = kx_sha256_file(path, error);
	struct stat st;
	if (!digest || stat(path, &st) != 0)
		return false;
	json_object_set_new(
		files, name,
		json_pack("{s:s, s:I}", "sha256", digest, "bytes", (json_int_t)st.st_size));
	return true;
}

static bool store_file(const char *from_dir, const char *from, const char *to_dir, const char *to,
		       json_t *files, GError **error)
{
	g_autofree char *src = g_build_filename(from_dir, from, NULL);
	g_autofree char *dst = g_build_filename(to_dir, to, NULL);
	return kx_copy_file(src, dst, error) && record_file(to_dir, to, files, error);
}

/* Records the digests of the files, which are in folder `tmp`, and makes it `dir`. */
static bool publish(const char *dir, const char *tmp, json_t *meta, GError **error)
{
	g_autofree char *file = g_build_filename(tmp, "build.json", NULL);
	json_t *vmlinux = json_object_get(json_object_get(meta, "files"), "vmlinux");
	json_object_set_new(meta, "vmlinux_sha256", json_string(kx_json_str(vmlinux, "sha256")));
	if (!kx_json_save(file, meta, error) || !kx_remove_tree(dir, error))
		return false;
	if (rename(tmp, dir) == 0)
		return true;
	kx_set_errno(error, errno, "cannot publish the build %s", dir);
	return false;
}

bool kernel_artifacts_publish(const char *dir, const char *tmp, const char *const *names, guint n,
			      json_t *meta, GError **error)
{
	json_t *files = json_object();
	json_object_set_new(meta, "files", files);
	for (guint i = 0; i < n; i++)
		if (!record_file(tmp, names[i], files, error))
			return false;
	return publish(dir, tmp, meta, error);
}

bool kernel_artifacts_store(const char *dir, const char *obj, const char *image, const char *log,
			    json_t *meta, GError **error)
{
	g_autofree char *tmp = g_strdup_printf("%s.tmp-%d", dir, (int)getpid());
	g_autofree char *log_dir = g_path_get_dirname(log), *log_name = g_path_get_basename(log);
	g_autofree char *file = g_build_filename(tmp, "build.json", NULL);
	json_t *files = json_object();
	json_object_set_new(meta, "files", files);
	bool ok = kx_remove_tree(tmp, error) && kx_mkdir(tmp, error) &&
		  store_file(obj, image, tmp, "kernel", files, error) &&
		  store_file(obj, "vmlinux", tmp, "vmlinux", files, error) &&
		  store_file(obj, "System.map", tmp, "System.map", files, error) &&
		  store_file(obj, ".config", tmp, "config", files, error) &&
		  store_file(log_dir, log_name, tmp, "build.log", files, error);
	ok = ok && publish(dir, tmp, meta, error);
	if (!ok)
		kx_remove_tree(tmp, NULL);
	return ok;
}
