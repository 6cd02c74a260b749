/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which source a recipe means on this machine: the archive, revision or folder, its digest, and the
 * name of its repository in the cache. What nobody has fixed beforehand is fixed by its first
 * import: the digest is recorded and another one later is an error. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "base/fs.h"
#include "base/json.h"
#include "kernel/kernel-internal.h"

void kernel_located_clear(KernelLocated *l)
{
	g_free(l->name);
	g_free(l->archive);
	g_free(l->url);
	g_free(l->revision);
	g_free(l->inner);
	g_free(l->digest);
	g_free(l->origin);
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

char *kernel_repository_name(const char *what, const char *digest)
{
	g_autofree char *base = g_path_get_basename(what);
	for (char *dot; (dot = strstr(base, ".tar")) || (dot = strstr(base, ".git"));)
		*dot = '\0';
	g_strcanon(base, G_CSET_a_2_z G_CSET_A_2_Z G_CSET_DIGITS "._-", '_');
	return g_strdup_printf("%s-%.12s", *base ? base : "source", digest);
}

/* ---- the first import ---- */

static char *trust_path(const char *cache, const Recipe *r)
{
	return g_strdup_printf("%s/sources/%s.trust.json", cache, r->name);
}

static char *trusted(const char *cache, const Recipe *r, const char *origin)
{
	g_autofree char *path = trust_path(cache, r);
	g_autoptr(json_t) all = kx_json_load(path, NULL);
	json_t *one = json_object_get(json_object_get(all, "origins"), origin);
	return g_strdup(kx_json_str(one, "digest"));
}

bool kernel_trust(const char *cache, const Recipe *r, const KernelLocated *l, const char *digest,
		  GError **error)
{
	if (!l->trusted_first)
		return true;
	g_autofree char *path = trust_path(cache, r);
	g_autoptr(json_t) all = kx_json_load(path, NULL);
	json_t *known = json_object_get(json_object_get(all, "origins"), l->origin);
	const char *before = kx_json_str(known, "digest");
	if (before && g_str_equal(before, digest))
		return true;
	if (before) {
		g_set_error(error, KX_ERROR, KX_ERROR_DIGEST,
			    "the source of %s changed: %s is %s now, and was %s when it was first "
			    "imported (%s). If that is meant: kexsect cache remove "
			    "sources/%s.trust.json, and the next import is the first one",
			    r->name, l->origin, digest, before, kx_json_str(known, "first"),
			    r->name);
		return false;
	}
	g_autoptr(GDateTime) now = g_date_time_new_now_utc();
	g_autofree char *when = g_date_time_format_iso8601(now);
	if (!all)
		all = json_pack("{s:i, s:{}}", "format", 1, "origins");
	json_object_set_new(json_object_get(all, "origins"), l->origin,
			    json_pack("{s:s, s:s}", "digest", digest, "first", when));
	return kx_json_save(path, all, error);
}

/* ---- by kind ---- */

static char *first_fetch(const char *cache, const Recipe *r, KernelProgress *p, char **ret_digest,
			 GError **error)
{
	GError *e = NULL;
	char *archive = kernel_fetch(cache, r->source.tarball, NULL, p, ret_digest, &e);
	if (archive)
		return archive;
	g_set_error(error, KX_ERROR, e->code,
		    "%s (where you have it: --source %s=PATH, an archive, unpacked folder or git "
		    "repository)",
		    e->message, r->name);
	g_error_free(e);
	return NULL;
}

static bool locate_tarball(const char *cache, const Recipe *r, KernelProgress *p, KernelLocated *l,
			   GError **error)
{
	const RecipeSource *src = &r->source;
	l->origin = g_strdup(src->tarball);
	l->url = g_strdup(src->tarball);
	l->digest = g_strdup(src->sha256); /* the archive itself only when it is needed */
	if (src->given) {
		l->archive = g_strdup(src->tarball + strlen("file://"));
		l->digest = archive_digest(cache, l->archive, error);
	} else if (!l->digest) {
		l->digest = trusted(cache, r, src->tarball);
		if (!l->digest && !(l->archive = first_fetch(cache, r, p, &l->digest, error)))
			return false;
	}
	l->trusted_first = !src->sha256;
	return l->digest != NULL;
}

static bool locate_debian(const char *cache, const Recipe *r, KernelLocated *l, GError **error)
{
	const RecipeSource *src = &r->source;
	l->archive = debian_archive(src->debian, error);
	if (!l->archive)
		return false;
	l->origin = g_strdup(l->archive);
	l->digest = archive_digest(cache, l->archive, error);
	if (!l->digest || !src->sha256 || g_str_equal(src->sha256, l->digest))
		return l->digest != NULL;
	g_set_error(
		error, KX_ERROR, KX_ERROR_DIGEST,
		"%s: SHA-256 is %s, but %s says %s: another version of the package is installed",
		l->archive, l->digest, r->path, src->sha256);
	return false;
}

/* What a person gives is looked at each time: REVISION, or REVISION:FOLDER for a source that is not
 * at the top. */
static bool locate_given_git(const RecipeSource *src, KernelLocated *l, GError **error)
{
	const char *colon = strchr(src->revision, ':');
	g_autofree char *revision = colon ? g_strndup(src->revision, (gsize)(colon - src->revision))
					  : g_strdup(src->revision);
	l->revision = kernel_git_resolve(src->git, revision, error);
	if (!l->revision)
		return false;
	l->inner = colon && colon[1] ? g_strdup(colon + 1) : NULL;
	l->digest =
		l->inner ? g_strdup_printf("%s:%s", l->revision, l->inner) : g_strdup(l->revision);
	return true;
}

static bool locate_git(const Recipe *r, KernelLocated *l, GError **error)
{
	const RecipeSource *src = &r->source;
	l->url = g_strdup(src->git);
	l->origin = g_strdup_printf("%s@%s", src->git, src->revision);
	l->trusted_first = true;
	if (src->given)
		return locate_given_git(src, l, error);
	l->revision = g_strdup(src->revision);
	return true;
}

bool kernel_locate(const char *cache, const Recipe *r, KernelProgress *p, KernelLocated *l,
		   GError **error)
{
	const RecipeSource *src = &r->source;
	if (src->folder) {
		l->folder = src->folder;
		l->origin = g_strdup(src->folder);
		l->trusted_first = true;
		l->digest = kernel_folder_tree(cache, src->folder, p, error);
		if (l->digest)
			l->name = kernel_repository_name(src->folder, l->digest);
		return l->name != NULL;
	}
	if (src->git	   ? !locate_git(r, l, error)
	    : src->tarball ? !locate_tarball(cache, r, p, l, error)
			   : !locate_debian(cache, r, l, error))
		return false;
	const char *what = src->debian ? src->debian : src->git ? src->git : src->tarball;
	/* a revision that may move is known by where it is, any other source by what it is */
	g_autofree char *where = src->git && !l->digest
					 ? g_strconcat(src->git, "\n", src->revision, NULL)
				 : l->inner ? g_strdup(l->digest)
					    : NULL;
	g_autofree char *key =
		where ? g_compute_checksum_for_string(G_CHECKSUM_SHA256, where, -1) : NULL;
	l->name = kernel_repository_name(what, key ? key : l->digest);
	return true;
}
