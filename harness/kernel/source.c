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
	g_free(s->origin);
	g_free(s->imported);
	g_free(s->tree);
	g_free(s->index);
	g_free(s->digest);
	g_free(s->version);
	g_clear_pointer(&s->fixtures, g_array_unref);
	g_strfreev(s->corrected);
	g_free(s);
}

/* The tree of a folder inside becomes a commit of its own. */
static bool take_inner(const char *git, const char *inner, GError **error)
{
	KernelGit g = {.dir = git};
	g_autofree char *spec = g_strconcat("refs/heads/base:", inner, NULL);
	g_autofree char *tree = kernel_git(&g, NULL, error, "rev-parse", "--verify", spec, NULL);
	if (!tree)
		return false;
	return kernel_git_commit_base(git, tree, error);
}

static bool import_git(const char *git, const KernelLocated *l, KernelProgress *p, GError **error)
{
	kernel_step(p, "import", 0, 0, l->url);
	/* abbreviated ids and v6.1~3 mean something only over there */
	g_autofree char *revision = g_path_is_absolute(l->url)
					    ? kernel_git_resolve(l->url, l->revision, error)
					    : g_strdup(l->revision);
	if (!revision)
		return false;
	g_autofree char *refspec = g_strconcat(revision, ":refs/heads/base", NULL);
	const char *refspecs[] = {refspec, NULL};
	GError *e = NULL;
	if (kernel_git_fetch(git, l->url, 1, refspecs, &e))
		return !l->inner || take_inner(git, l->inner, error);
	g_propagate_prefixed_error(error, e, "cannot fetch %s from %s: ", l->revision, l->url);
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

static bool import(const char *cache, const char *git, const KernelLocated *l, KernelProgress *p,
		   GError **error)
{
	if (!kernel_check_space(cache, IMPORT_SPACE, "importing a kernel source", error))
		return false;
	g_autofree char *tmp = g_strconcat(git, ".tmp", NULL);
	gint64 start = g_get_monotonic_time();
	bool ok = kx_remove_tree(tmp, error) && make_repository(tmp, error) &&
		  (l->archive  ? kernel_import_archive(tmp, l->archive, p, error)
		   : l->folder ? kernel_import_folder(tmp, l->folder, p, error)
			       : import_git(tmp, l, p, error)) &&
		  finish_import(tmp, l->archive ? l->archive : l->origin, l->digest,
				(double)(g_get_monotonic_time() - start) / G_USEC_PER_SEC, error);
	if (ok && rename(tmp, git) != 0) {
		kx_set_errno(error, errno, "cannot rename %s", tmp);
		ok = false;
	}
	if (!ok)
		kx_remove_tree(tmp, NULL);
	return ok;
}

char *kernel_import_new_folder(const char *cache, const char *folder, KernelProgress *p,
			       GError **error)
{
	g_autofree char *key = g_compute_checksum_for_string(G_CHECKSUM_SHA256, folder, -1);
	g_autofree char *stem = g_strdup_printf("%s/sources/folder-%.16s", cache, key);
	g_autofree char *lock_path = g_strconcat(stem, ".lock", NULL);
	g_autofree char *tmp = g_strconcat(stem, ".git.tmp", NULL);
	gint64 start = g_get_monotonic_time();
	if (!kernel_check_space(cache, IMPORT_SPACE, "importing a kernel source", error))
		return NULL;
	int lock = kernel_lock(lock_path, p, "import", error);
	if (lock < 0)
		return NULL;
	KernelGit g = {.dir = tmp};
	g_autofree char *tree = NULL;
	if (kx_remove_tree(tmp, error) && make_repository(tmp, error) &&
	    kernel_import_folder(tmp, folder, p, error))
		tree = kernel_git(&g, NULL, error, "rev-parse", "--verify",
				  "refs/heads/base^{tree}", NULL);
	bool ok = tree &&
		  finish_import(tmp, folder, tree,
				(double)(g_get_monotonic_time() - start) / G_USEC_PER_SEC, error);
	g_autofree char *name = ok ? kernel_repository_name(folder, tree) : NULL;
	g_autofree char *git = ok ? g_strdup_printf("%s/sources/%s.git", cache, name) : NULL;
	if (ok && !g_file_test(git, G_FILE_TEST_EXISTS) && rename(tmp, git) != 0) {
		kx_set_errno(error, errno, "cannot rename %s", tmp);
		ok = false;
	}
	kx_remove_tree(tmp, NULL); /* the same tree may have been there already */
	close(lock);
	return ok ? g_steal_pointer(&tree) : NULL;
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
	s->imported = g_strdup(tree);
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

/* Under the exclusive lock. */
static bool import_missing(const char *cache, const Recipe *r, KernelSource *s, KernelLocated *l,
			   KernelProgress *p, KernelSeconds *seconds, GError **error)
{
	if (open_source(s, l->digest)) /* another process may have imported it meanwhile */
		return true;
	gint64 start = g_get_monotonic_time();
	if (g_file_test(s->git, G_FILE_TEST_EXISTS))
		g_warning("%s is damaged and is imported again", s->git);
	if (!kx_remove_tree(s->git, error))
		return false;
	if (r->source.tarball && !l->archive &&
	    !(l->archive = kernel_fetch(cache, l->url, l->digest, p, NULL, error))) {
		if (!r->source.sha256)
			g_prefix_error(error,
				       "(what counts is the first import's digest, in "
				       "sources/%s.trust.json of the cache) ",
				       r->name);
		return false;
	}
	gint64 fetched = g_get_monotonic_time();
	if (!import(cache, s->git, l, p, error))
		return false;
	if (seconds) {
		seconds->fetch = (double)(fetched - start) / G_USEC_PER_SEC;
		seconds->import = (double)(g_get_monotonic_time() - fetched) / G_USEC_PER_SEC;
	}
	if (open_source(s, l->digest))
		return true;
	g_set_error(error, KX_ERROR, KX_ERROR_FAILED, "%s: just imported, but not whole", s->git);
	return false;
}

static bool get(const char *cache, const Recipe *r, KernelSource *s, KernelLocated *l,
		KernelProgress *p, KernelSeconds *seconds, GError **error)
{
	g_autofree char *dir = g_build_filename(cache, "sources", NULL);
	s->name = g_strdup(l->name);
	s->origin = g_strdup(l->origin);
	s->git = g_strdup_printf("%s/%s.git", dir, s->name);
	g_autofree char *lock_path = g_strdup_printf("%s/%s.lock", dir, s->name);
	if (open_shared(s, lock_path, l->digest)) {
		kernel_touch(s->git);
		return true;
	}
	s->lock = kernel_lock(lock_path, p, "import", error);
	if (s->lock < 0 || !import_missing(cache, r, s, l, p, seconds, error))
		return false;
	if (flock(s->lock, LOCK_SH) == 0)
		return true;
	kx_set_errno(error, errno, "cannot share the lock %s", lock_path);
	return false;
}

KernelSource *kernel_source_get(const char *cache, const Recipe *r, KernelProgress *p,
				KernelSeconds *seconds, GError **error)
{
	g_autofree char *dir = g_build_filename(cache, "sources", NULL);
	g_auto(KernelLocated) l = {0};
	if (!kx_mkdir(dir, error) || !kernel_locate(cache, r, p, &l, error))
		return NULL;
	g_autoptr(KernelSource) s = g_new0(KernelSource, 1);
	s->lock = -1;
	/* what was recorded first is looked at before anything is imported in its place */
	if ((l.digest && !kernel_trust(cache, r, &l, l.digest, error)) ||
	    !get(cache, r, s, &l, p, seconds, error) ||
	    (!l.digest && !kernel_trust(cache, r, &l, s->digest, error)) ||
	    !kernel_source_correct(s, r, error))
		return NULL;
	return g_steal_pointer(&s);
}

void kernel_source_info_clear(KernelSourceInfo *i)
{
	g_free(i->origin);
	g_free(i->digest);
	g_free(i->tree);
	g_free(i->version);
	g_free(i->why);
	g_free(i->compiler);
	g_strfreev(i->corrections);
}

/* Why this toolchain. */
static char *reason(const Recipe *r, const KernelSource *s)
{
	const ToolchainRange *k = &s->toolchain->kernels;
	if (r->toolchain_given)
		return g_strdup("given");
	if (r->toolchain)
		return g_strdup_printf("named by %s", r->name);
	return g_strdup_printf("for Linux %s%s%s, and this is %s", k->from,
			       k->before ? " to before " : " and later", k->before ? k->before : "",
			       s->version);
}

bool kernel_source_info(const char *cache, const Recipe *recipe, KernelStepFunc step, gpointer user,
			KernelSourceInfo *ret, GError **error)
{
	KernelProgress p = {.func = step, .user = user};
	g_autoptr(KernelSource) s = kernel_source_get(cache, recipe, &p, NULL, error);
	g_autofree char *compiler = s ? kernel_compiler_version(s->toolchain, error) : NULL;
	if (!compiler)
		return false;
	const RecipeSource *src = &recipe->source;
	*ret = (KernelSourceInfo){.origin = g_strdup(s->origin),
				  .digest = g_strdup(s->digest),
				  .tree = g_strdup(s->imported),
				  .version = g_strdup(s->version),
				  .toolchain = s->toolchain,
				  .why = reason(recipe, s),
				  .compiler = g_steal_pointer(&compiler),
				  .corrections = g_strdupv(s->corrected)};
	for (unsigned i = 0; i < src->trees_count; i++)
		ret->known |= g_str_equal(src->trees[i], s->imported);
	return true;
}

char *kernel_source_text(const KernelSourceInfo *i, const Recipe *r)
{
	const char *known = !r->source.trees_count ? ""
			    : i->known		   ? " (known)"
						   : " (not one that the recipe was measured with)";
	g_autofree char *digest = strstr(i->origin, i->digest) || g_str_equal(i->digest, i->tree)
					  ? g_strdup("")
					  : g_strdup_printf(", digest %s", i->digest);
	return g_strdup_printf("%s%stree %s%s%s, from %s", i->version ? i->version : "",
			       i->version ? ", " : "", i->tree, known, digest, i->origin);
}

char *kernel_toolchain_text(const KernelSourceInfo *i)
{
	g_autofree char *list =
		i->corrections && i->corrections[0] ? g_strjoinv(", ", i->corrections) : NULL;
	return g_strdup_printf("%s (%s): %s%s%s", i->toolchain->name, i->why, i->compiler,
			       list ? "; the tree is corrected by " : "", list ? list : "");
}

bool kernel_prepare_source(const char *cache, const Recipe *recipe, KernelStepFunc step,
			   gpointer user, GError **error)
{
	KernelProgress p = {.func = step, .user = user};
	g_autoptr(KernelSource) s = kernel_source_get(cache, recipe, &p, NULL, error);
	return s != NULL;
}
