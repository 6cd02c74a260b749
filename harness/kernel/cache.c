/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The cache as a list of entries. Every component keeps its things in a folder of its own below the
 * cache: each entry of each such folder is one entry here, except that a compiler cache is one as a
 * whole. A file NAME.lock beside an entry, or lock in it, that a process holds says it is in use.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>
#include <fcntl.h>

#include "base/error.h"
#include "base/fs.h"
#include "base/json.h"
#include "kernel/kernel-internal.h"

static void entry_free(gpointer data)
{
	KernelCacheEntry *e = data;
	g_free(e->kind);
	g_free(e->name);
	g_free(e->path);
	g_free(e->title);
	g_free(e);
}

static bool is_held(const char *lock)
{
	int fd = open(lock, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	bool held = flock(fd, LOCK_EX | LOCK_NB) != 0;
	close(fd);
	return held;
}

static bool is_in_use(const char *path)
{
	g_autofree char *inside = g_build_filename(path, "lock", NULL);
	g_autofree char *stem =
		g_str_has_suffix(path, ".git") ? g_strndup(path, strlen(path) - 4) : g_strdup(path);
	g_autofree char *beside = g_strconcat(stem, ".lock", NULL);
	return is_held(inside) || is_held(beside);
}

static char *title_of(const char *kind, const char *path)
{
	g_autofree char *file = g_build_filename(
		path, g_str_equal(kind, "builds") ? "build.json" : "kexsect.json", NULL);
	g_autoptr(json_t) j = kx_json_load(file, NULL);
	if (!j)
		return g_strdup("");
	if (kx_json_str(j, "origin"))
		return g_strdup(kx_json_str(j, "origin"));
	g_auto(GStrv) names = kx_json_strv(j, "candidates");
	g_auto(GStrv) settings = kx_json_strv(j, "config");
	g_autofree char *list = g_strjoinv(" ", names), *set = g_strjoinv(" ", settings);
	const char *commit = kx_json_str(j, "commit");
	g_autofree char *what = g_strdup_printf("%s%.12s %s %s", commit ? "commit " : "",
						commit ? commit : "", list, set);
	g_strstrip(what);
	return g_strdup_printf("%s%s", *what ? what : "no candidate",
			       kx_json_bool(j, "clean", false) ? " (clean)" : "");
}

static void add_entry(GPtrArray *out, const char *kind, const char *name, const char *path)
{
	struct stat st;
	if (lstat(path, &st) != 0)
		return;
	KernelCacheEntry *e = g_new0(KernelCacheEntry, 1);
	*e = (KernelCacheEntry){.kind = g_strdup(kind),
				.name = g_strdup(name),
				.path = g_strdup(path),
				.title = title_of(kind, path),
				.bytes = kx_tree_size(path),
				.last_used = st.st_mtime,
				.in_use = is_in_use(path)};
	g_ptr_array_add(out, e);
}

static gint by_use(gconstpointer a, gconstpointer b)
{
	const KernelCacheEntry *x = *(KernelCacheEntry *const *)a,
			       *y = *(KernelCacheEntry *const *)b;
	return x->last_used < y->last_used   ? -1
	       : x->last_used > y->last_used ? 1
					     : strcmp(x->path, y->path);
}

static void list_kind(GPtrArray *out, const char *cache, const char *kind)
{
	g_autofree char *dir = g_build_filename(cache, kind, NULL);
	if (g_str_has_prefix(kind, "ccache")) {
		add_entry(out, kind, "", dir);
		return;
	}
	g_autoptr(GDir) d = g_dir_open(dir, 0, NULL);
	const char *name;
	while (d && (name = g_dir_read_name(d)))
		if (!g_str_has_suffix(name, ".lock") && !g_str_has_suffix(name, ".seen.json") &&
		    !g_str_has_suffix(name, ".trust.json")) {
			g_autofree char *path = g_build_filename(dir, name, NULL);
			add_entry(out, kind, name, path);
		}
}

GPtrArray *kernel_cache_list(const char *cache, GError **error)
{
	g_autoptr(GPtrArray) out = g_ptr_array_new_with_free_func(entry_free);
	if (!g_file_test(cache, G_FILE_TEST_EXISTS))
		return g_steal_pointer(&out);
	GError *e = NULL;
	g_autoptr(GDir) d = g_dir_open(cache, 0, &e);
	if (!d) {
		g_set_error(error, KX_ERROR, KX_ERROR_FAILED, "cannot read the cache %s: %s", cache,
			    e->message);
		g_error_free(e);
		return NULL;
	}
	const char *kind;
	while ((kind = g_dir_read_name(d))) {
		g_autofree char *path = g_build_filename(cache, kind, NULL);
		if (g_file_test(path, G_FILE_TEST_IS_DIR))
			list_kind(out, cache, kind);
	}
	g_ptr_array_sort(out, by_use);
	return g_steal_pointer(&out);
}

/* Takes the entry's lock for the removal, so that nobody starts to use it meanwhile. */
static bool remove_entry(const char *path, GError **error)
{
	g_autofree char *inside = g_build_filename(path, "lock", NULL);
	g_autofree char *stem =
		g_str_has_suffix(path, ".git") ? g_strndup(path, strlen(path) - 4) : g_strdup(path);
	g_autofree char *beside = g_strconcat(stem, ".lock", NULL);
	const char *lock = g_file_test(inside, G_FILE_TEST_EXISTS)   ? inside
			   : g_file_test(beside, G_FILE_TEST_EXISTS) ? beside
								     : NULL;
	int fd = lock ? kx_lock_file(lock, false, error) : -1;
	if (lock && fd < 0)
		return false;
	/* away by one rename first: what is half removed must not look whole */
	g_autofree char *gone = g_strdup_printf("%s.gone-%d", path, (int)getpid());
	bool ok = true;
	if (rename(path, gone) != 0) {
		kx_set_errno(error, errno, "cannot remove %s", path);
		ok = false;
	}
	ok = ok && kx_remove_tree(gone, error);
	if (fd >= 0)
		close(fd);
	return ok;
}

static bool is_kept(const KernelCacheEntry *e, gint64 newest, const char *const *keep)
{
	if (e->in_use || e->last_used > newest)
		return true;
	for (; keep && *keep; keep++)
		if (g_str_equal(e->kind, "builds") && g_str_has_prefix(e->name, *keep))
			return true;
	return false;
}

gint64 kernel_cache_prune(const char *cache, uint64_t limit, unsigned min_age_s,
			  const char *const *keep, GError **error)
{
	g_autoptr(GPtrArray) all = kernel_cache_list(cache, error);
	if (!all)
		return -1;
	uint64_t total = 0;
	gint64 freed = 0, newest = g_get_real_time() / G_USEC_PER_SEC - (gint64)min_age_s;
	for (guint i = 0; i < all->len; i++)
		total += ((KernelCacheEntry *)all->pdata[i])->bytes;
	for (guint i = 0; i < all->len && total > limit; i++) {
		const KernelCacheEntry *e = all->pdata[i];
		if (is_kept(e, newest, keep))
			continue;
		GError *problem = NULL;
		if (!remove_entry(e->path, &problem)) {
			if (g_error_matches(problem, KX_ERROR, KX_ERROR_BUSY)) {
				g_error_free(problem);
				continue;
			}
			g_propagate_error(error, problem);
			return -1;
		}
		total -= e->bytes;
		freed += (gint64)e->bytes;
	}
	return freed;
}

bool kernel_cache_remove(const char *cache, const char *what, GError **error)
{
	g_autofree char *path = g_canonicalize_filename(what, cache);
	g_autofree char *below = g_strconcat(cache, "/", NULL);
	if (!g_str_has_prefix(path, below) || !strlen(path + strlen(below))) {
		g_set_error(error, KX_ERROR, KX_ERROR_REFUSED, "%s is not in the cache %s", what,
			    cache);
		return false;
	}
	if (!g_file_test(path, G_FILE_TEST_EXISTS)) {
		g_set_error(error, KX_ERROR, KX_ERROR_MISSING, "the cache has no %s", what);
		return false;
	}
	if (is_in_use(path)) {
		g_set_error(error, KX_ERROR, KX_ERROR_BUSY, "%s is in use", path);
		return false;
	}
	return remove_entry(path, error);
}
