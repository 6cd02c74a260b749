/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A recipe's source becomes a bare git repository of its own, once. It is built in a temporary
 * folder and renamed, so an interrupted import leaves nothing that looks whole. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "base/fs.h"
#include "base/json.h"
#include "kernel/kernel-internal.h"

#define IMPORT_SPACE (UINT64_C(3) << 30)
#define META "kexsect.json"

void kernel_source_free(KernelSource *s)
{
	if (!s)
		return;
	if (s->lock >= 0)
		close(s->lock);
	g_free(s->name);
	g_free(s->git);
	g_free(s->tree);
	g_free(s->digest);
	g_free(s);
}

static char *debian_archive(const char *package, GError **error)
{
	static const char *const suffixes[] = {".tar.xz", ".tar.bz2", ".tar.gz"};
	for (guint i = 0; i < G_N_ELEMENTS(suffixes); i++) {
		g_autofree char *path = g_strconcat("/usr/src/", package, suffixes[i], NULL);
		if (g_file_test(path, G_FILE_TEST_EXISTS))
			return g_steal_pointer(&path);
	}
	g_set_error(error, KX_ERROR, KX_ERROR_MISSING,
		    "the kernel source /usr/src/%s.tar.xz is not there: apt-get install %s",
		    package, package);
	return NULL;
}

/* The archive's digest, remembered by its size and time so that it is read once only. */
static char *archive_digest(const char *cache, const char *archive, GError **error)
{
	struct stat st;
	if (stat(archive, &st) != 0) {
		kx_set_errno(error, errno, "cannot read %s", archive);
		return NULL;
	}
	g_autofree char *base = g_path_get_basename(archive);
	g_autofree char *file = g_strdup_printf("%s/sources/%s.seen.json", cache, base);
	g_autofree char *stamp = g_strdup_printf(
		"%s %lld %lld.%09ld %llu", archive, (long long)st.st_size,
		(long long)st.st_mtim.tv_sec, st.st_mtim.tv_nsec, (unsigned long long)st.st_ino);
	g_autoptr(json_t) seen = kx_json_load(file, NULL);
	if (seen && g_strcmp0(kx_json_str(seen, "stamp"), stamp) == 0 &&
	    kx_json_str(seen, "sha256"))
		return g_strdup(kx_json_str(seen, "sha256"));
	g_autofree char *digest = kx_sha256_file(archive, error);
	if (!digest)
		return NULL;
	g_autoptr(json_t) now = json_pack("{s:s, s:s}", "stamp", stamp, "sha256", digest);
	if (!kx_json_save(file, now, error))
		return NULL;
	return g_steal_pointer(&digest);
}

static bool import_git(const char *git, const RecipeSource *s, KernelProgress *p, GError **error)
{
	kernel_step(p, "import", 0, 0, s->git);
	/* abbreviated ids and v6.1~3 mean something only over there */
	g_autofree char *revision = g_path_is_absolute(s->git)
					    ? kernel_git_resolve(s->git, s->revision, error)
					    : g_strdup(s->revision);
	if (!revision)
		return false;
	g_autofree char *refspec = g_strconcat(revision, ":refs/heads/base", NULL);
	const char *refspecs[] = {refspec, NULL};
	GError *e = NULL;
	if (kernel_git_fetch(git, s->git, 1, refspecs, &e))
		return true;
	g_propagate_prefixed_error(error, e, "cannot fetch %s from %s: ", s->revision, s->git);
	return false;
}

static bool make_repository(const char *git, GError **error)
{
	static const char *const settings[][2] = {
		{"gc.auto", "0"},	    {"core.compression", "1"},
		{"core.autocrlf", "false"}, {"maintenance.auto", "false"},
		{"core.fileMode", "true"},
	};
	KernelGit g = {.dir = git};
	g_autofree char *out =
		kernel_git(&g, NULL, error, "init", "--quiet", "--bare", "--template=", git, NULL);
	for (guint i = 0; out && i < G_N_ELEMENTS(settings); i++) {
		g_free(out);
		out = kernel_git(&g, NULL, error, "config", settings[i][0], settings[i][1], NULL);
	}
	return out != NULL;
}

static bool finish_import(const char *git, const char *origin, const char *digest, double seconds,
			  GError **error)
{
	KernelGit g = {.dir = git};
	g_autofree char *commit = kernel_git(&g, NULL, error, "rev-parse", "--verify",
					     "refs/heads/base^{commit}", NULL);
	g_autofree char *tree = commit ? kernel_git(&g, NULL, error, "rev-parse", "--verify",
						    "refs/heads/base^{tree}", NULL)
				       : NULL;
	if (!tree)
		return false;
	/* a ready index of the base: read-tree is most of the time of composing a variant */
	g_autofree char *index = g_build_filename(git, "kexsect-base.index", NULL);
	g.index = index;
	g_autofree char *out = kernel_git(&g, NULL, error, "read-tree", tree, NULL);
	if (!out)
		return false;
	g_autoptr(json_t) meta = json_pack("{s:i, s:s, s:s, s:s, s:s, s:f}", "format", 1, "origin",
					   origin, "digest", digest ? digest : commit, "commit",
					   commit, "tree", tree, "seconds", seconds);
	g_autofree char *path = g_build_filename(git, META, NULL);
	return kx_json_save(path, meta, error);
}

static bool import(const char *cache, const char *git, const Recipe *r, const char *archive,
		   const char *digest, KernelProgress *p, GError **error)
{
	if (!kernel_check_space(cache, IMPORT_SPACE, "importing a kernel source", error))
		return false;
	g_autofree char *tmp = g_strconcat(git, ".tmp", NULL);
	gint64 start = g_get_monotonic_time();
	bool ok = kx_remove_tree(tmp, error) && make_repository(tmp, error) &&
		  (archive ? kernel_import_archive(tmp, archive, p, error)
			   : import_git(tmp, &r->source, p, error)) &&
		  finish_import(tmp, archive ? archive : r->source.git, digest,
				(double)(g_get_monotonic_time() - start) / G_USEC_PER_SEC, error);
	if (ok && rename(tmp, git) != 0) {
		kx_set_errno(error, errno, "cannot rename %s", tmp);
		ok = false;
	}
	if (!ok)
		kx_remove_tree(tmp, NULL);
	return ok;
}

/* An imported source; false when it is not there or not whole. */
static bool open_source(KernelSource *s, const char *digest)
{
	g_autofree char *path = g_build_filename(s->git, META, NULL);
	g_autoptr(json_t) meta = kx_json_load(path, NULL);
	const char *tree = meta ? kx_json_str(meta, "tree") : NULL;
	const char *recorded = meta ? kx_json_str(meta, "digest") : NULL;
	if (!tree || !recorded || (digest && !g_str_equal(digest, recorded)))
		return false;
	KernelGit g = {.dir = s->git};
	g_autofree char *type = kernel_git(&g, NULL, NULL, "cat-file", "-t", tree, NULL);
	g_autofree char *index = g_build_filename(s->git, "kexsect-base.index", NULL);
	if (g_strcmp0(type, "tree") != 0 || !g_file_test(index, G_FILE_TEST_EXISTS))
		return false;
	s->tree = g_strdup(tree);
	s->digest = g_strdup(recorded);
	return true;
}

/* Opens it with a shared lock; false when it is not there, not whole, or just being imported. */
static bool open_shared(KernelSource *s, const char *lock_path, const char *digest)
{
	s->lock = open(lock_path, O_RDONLY | O_CLOEXEC);
	if (s->lock >= 0 && flock(s->lock, LOCK_SH | LOCK_NB) == 0 && open_source(s, digest))
		return true;
	if (s->lock >= 0)
		close(s->lock);
	s->lock = -1;
	return false;
}

static char *source_name(const RecipeSource *src, const char *digest)
{
	g_autofree char *base = src->debian
					? g_strdup(src->debian)
					: g_path_get_basename(src->git ? src->git : src->tarball);
	for (char *dot;
	     !src->debian && ((dot = strstr(base, ".tar")) || (dot = strstr(base, ".git")));)
		*dot = '\0';
	g_strcanon(base, G_CSET_a_2_z G_CSET_A_2_Z G_CSET_DIGITS "._-", '_');
	return g_strdup_printf("%s-%.12s", base, digest);
}

/* The archive of the recipe and its digest; for git NULL and a digest of where it is. */
static bool locate(const char *cache, const Recipe *r, KernelProgress *p, char **ret_archive,
		   char **ret_digest, GError **error)
{
	const RecipeSource *src = &r->source;
	if (src->git) {
		g_autofree char *what = g_strconcat(src->git, "\n", src->revision, NULL);
		*ret_digest = g_compute_checksum_for_string(G_CHECKSUM_SHA256, what, -1);
		return true;
	}
	if (src->tarball) {
		*ret_digest = g_strdup(src->sha256); /* the archive itself only when it is needed */
		return true;
	}
	*ret_archive = debian_archive(src->debian, error);
	if (!*ret_archive)
		return false;
	*ret_digest = archive_digest(cache, *ret_archive, error);
	if (!*ret_digest)
		return false;
	if (!src->sha256 || g_str_equal(src->sha256, *ret_digest))
		return true;
	g_set_error(
		error, KX_ERROR, KX_ERROR_DIGEST,
		"%s: SHA-256 is %s, but %s says %s: another version of the package is installed",
		*ret_archive, *ret_digest, r->path, src->sha256);
	return false;
}

KernelSource *kernel_source_get(const char *cache, const Recipe *r, KernelProgress *p,
				KernelSeconds *seconds, GError **error)
{
	g_autofree char *dir = g_build_filename(cache, "sources", NULL);
	g_autofree char *archive = NULL, *digest = NULL;
	if (!kx_mkdir(dir, error) || !locate(cache, r, p, &archive, &digest, error))
		return NULL;
	g_autoptr(KernelSource) s = g_new0(KernelSource, 1);
	s->lock = -1;
	s->name = source_name(&r->source, digest);
	s->git = g_strdup_printf("%s/%s.git", dir, s->name);
	const char *recorded = r->source.git ? NULL : digest;
	g_autofree char *lock_path = g_strdup_printf("%s/%s.lock", dir, s->name);
	if (open_shared(s, lock_path, recorded)) {
		kernel_touch(s->git);
		return g_steal_pointer(&s);
	}
	s->lock = kernel_lock(lock_path, p, "import", error);
	if (s->lock < 0)
		return NULL;
	bool ok = open_source(s, recorded); /* another process may have imported it meanwhile */
	if (!ok) {
		gint64 start = g_get_monotonic_time();
		if (g_file_test(s->git, G_FILE_TEST_EXISTS))
			g_warning("%s is damaged and is imported again", s->git);
		ok = kx_remove_tree(s->git, error);
		if (ok && r->source.tarball)
			ok = (archive = kernel_fetch(cache, r->source.tarball, digest, p, error));
		gint64 fetched = g_get_monotonic_time();
		ok = ok && import(cache, s->git, r, archive, recorded, p, error);
		if (ok && !open_source(s, recorded)) {
			g_set_error(error, KX_ERROR, KX_ERROR_FAILED,
				    "%s: just imported, but not whole", s->git);
			ok = false;
		}
		if (seconds) {
			seconds->fetch = (double)(fetched - start) / G_USEC_PER_SEC;
			seconds->import =
				(double)(g_get_monotonic_time() - fetched) / G_USEC_PER_SEC;
		}
	}
	if (ok && flock(s->lock, LOCK_SH) != 0) {
		kx_set_errno(error, errno, "cannot share the lock %s", lock_path);
		ok = false;
	}
	return ok ? g_steal_pointer(&s) : NULL;
}

bool kernel_prepare_source(const char *cache, const Recipe *recipe, KernelStepFunc step,
			   gpointer user, GError **error)
{
	KernelProgress p = {.func = step, .user = user};
	g_autoptr(KernelSource) s = kernel_source_get(cache, recipe, &p, NULL, error);
	return s != NULL;
}
