/* SPDX-License-Identifier: GPL-2.0-or-later */
/* An unpacked source. Git itself says what tree it is; that takes reading all of it, so the answer
 * is kept with a digest of all names, sizes and times. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/error.h"
#include "base/fs.h"
#include "base/json.h"
#include "kernel/kernel-internal.h"

#define MAX_DEPTH 64

static bool add_folder(GChecksum *sum, const char *path, guint depth, GError **error);

static bool add_entry(GChecksum *sum, const char *path, guint depth, GError **error)
{
	struct stat st;
	if (lstat(path, &st) != 0) {
		kx_set_errno(error, errno, "cannot read %s", path);
		return false;
	}
	g_autofree char *line = g_strdup_printf("%s %o %lld %lld.%09ld\n", path,
						(unsigned)st.st_mode, (long long)st.st_size,
						(long long)st.st_mtim.tv_sec, st.st_mtim.tv_nsec);
	g_checksum_update(sum, (const guchar *)line, -1);
	return !S_ISDIR(st.st_mode) || add_folder(sum, path, depth + 1, error);
}

static int compare_strings(gconstpointer a, gconstpointer b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static bool add_folder(GChecksum *sum, const char *path, guint depth, GError **error)
{
	g_autoptr(GDir) dir = depth < MAX_DEPTH ? g_dir_open(path, 0, error) : NULL;
	if (!dir) {
		if (depth >= MAX_DEPTH)
			g_set_error(error, KX_ERROR, KX_ERROR_REFUSED,
				    "%s: folders are nested too deeply", path);
		return false;
	}
	g_autoptr(GPtrArray) names = g_ptr_array_new_with_free_func(g_free);
	const char *name;
	while ((name = g_dir_read_name(dir)))
		g_ptr_array_add(names, g_strdup(name));
	g_ptr_array_sort(names, compare_strings);
	for (guint i = 0; i < names->len; i++) {
		g_autofree char *inner = g_build_filename(path, names->pdata[i], NULL);
		if (!add_entry(sum, inner, depth, error))
			return false;
	}
	return true;
}

/* The folder's tree in a repository; the person's settings and the folder's .gitattributes change
 * no byte. */
static char *write_tree(const char *git, const char *folder, KernelProgress *p, GError **error)
{
	g_autofree char *index = g_build_filename(git, "kexsect-import.index", NULL);
	g_autofree char *info = g_build_filename(git, "info", NULL);
	g_autofree char *attributes = g_build_filename(info, "attributes", NULL);
	KernelGit g = {.dir = git, .tree = folder, .index = index};
	kernel_step(p, "import", 0, 0, folder);
	if (!kx_mkdir(info, error) ||
	    !kx_write_file(attributes, "* -text -eol -ident -filter -working-tree-encoding\n", -1,
			   error))
		return NULL;
	g_autofree char *out = kernel_git(&g, NULL, error, "add", "--all", "--force", ".", NULL);
	char *tree = out ? kernel_git(&g, NULL, error, "write-tree", NULL) : NULL;
	remove(attributes);
	remove(index);
	return tree;
}

bool kernel_import_folder(const char *git, const char *folder, KernelProgress *p, GError **error)
{
	g_autofree char *tree = write_tree(git, folder, p, error);
	if (!tree)
		return false;
	return kernel_git_commit_base(git, tree, error);
}

/* The stamp and the tree that it had are kept by the folder's path. */
static char *stamp_of(const char *folder, GError **error)
{
	g_autoptr(GChecksum) sum = g_checksum_new(G_CHECKSUM_SHA256);
	return add_folder(sum, folder, 0, error) ? g_strdup(g_checksum_get_string(sum)) : NULL;
}

char *kernel_folder_tree(const char *cache, const char *folder, KernelProgress *p, GError **error)
{
	g_autofree char *key = g_compute_checksum_for_string(G_CHECKSUM_SHA256, folder, -1);
	g_autofree char *file = g_strdup_printf("%s/sources/folder-%.16s.seen.json", cache, key);
	g_autofree char *stamp = stamp_of(folder, error);
	if (!stamp)
		return NULL;
	g_autoptr(json_t) seen = kx_json_load(file, NULL);
	if (seen && g_strcmp0(kx_json_str(seen, "stamp"), stamp) == 0 && kx_json_str(seen, "tree"))
		return g_strdup(kx_json_str(seen, "tree"));
	g_autofree char *tree = kernel_import_new_folder(cache, folder, p, error);
	if (!tree)
		return NULL;
	g_autoptr(json_t) now =
		json_pack("{s:s, s:s, s:s}", "folder", folder, "stamp", stamp, "tree", tree);
	return kx_json_save(file, now, error) ? g_steal_pointer(&tree) : NULL;
}
