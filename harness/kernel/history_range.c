/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The commits of a range get into the repository of the cache, which holds nothing but the base at
 * first. No more is fetched than the range takes: the depth grows until no commit of the range is
 * one whose parents were left out. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "base/fs.h"
#include "kernel/kernel-internal.h"

typedef struct {
	const KernelSource *source;
	const CampaignHistory *asked;
	const char *url;
	char *from, *to;
	guint expected; /* commits in the whole range, by the repository itself; 0: not known */
	KernelProgress *progress;
} Range;

static void range_clear(Range *r)
{
	g_free(r->from);
	g_free(r->to);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Range, range_clear)

/* ---- a repository on this machine is asked itself ---- */

/* Output of git in the person's repository; NULL when it says no. */
static char *ask(const char *repository, GError **error, ...) G_GNUC_NULL_TERMINATED;
static char *ask(const char *repository, GError **error, ...)
{
	g_autoptr(GPtrArray) argv = g_ptr_array_new();
	g_ptr_array_add(argv, (gpointer) "git");
	g_ptr_array_add(argv, (gpointer) "-C");
	g_ptr_array_add(argv, (gpointer)repository);
	va_list args;
	va_start(args, error);
	const char *arg;
	while ((arg = va_arg(args, const char *)))
		g_ptr_array_add(argv, (gpointer)arg);
	va_end(args);
	g_ptr_array_add(argv, NULL);
	const char *env[] = {"LC_ALL=C", NULL};
	g_auto(KxProcResult) r = {0};
	KxProc p = {.argv = (const char *const *)argv->pdata, .env = env};
	if (!kx_proc_run(&p, &r, error) || r.status != 0)
		return NULL;
	return g_strdup(g_strstrip(r.out));
}

static bool no_ancestor(const Range *r, const char *hint, GError **error)
{
	g_set_error(error, KX_ERROR, KX_ERROR_INPUT,
		    "the history's `from`, %s (%.12s), is no ancestor of its `to`, %s (%.12s): %s",
		    r->asked->from, r->from, r->asked->to, r->to, hint);
	return false;
}

static bool ask_repository(Range *r, GError **error)
{
	const char *where = r->url;
	g_autofree char *range = g_strconcat(r->from, "..", r->to, NULL);
	GError *e = NULL;
	g_autofree char *base = ask(where, &e, "merge-base", r->from, r->to, NULL);
	g_autofree char *count = e ? NULL : ask(where, &e, "rev-list", "--count", range, NULL);
	g_autofree char *shallow =
		e ? NULL : ask(where, &e, "rev-parse", "--is-shallow-repository", NULL);
	if (e) {
		g_propagate_error(error, e);
		return false;
	}
	g_autofree char *hint =
		g_strcmp0(base, r->to) == 0 ? g_strdup("they are the wrong way round")
		: base ? g_strdup_printf("take their common ancestor, from: %.12s", base)
		: g_strcmp0(shallow, "true") == 0
			? g_strdup_printf("%s is shallow, so it cannot tell: git fetch "
					  "--unshallow there",
					  where)
			: g_strdup("they have nothing in common");
	r->expected = count ? (guint)strtoul(count, NULL, 10) : 0;
	/* the same commit twice is an empty range, which is said elsewhere */
	return g_strcmp0(base, r->from) == 0 || no_ancestor(r, hint, error);
}

/* ---- is it whole? ---- */

/* Lines of git's output as a set. */
static GHashTable *as_set(char *text)
{
	GHashTable *set = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
	g_auto(GStrv) lines = g_strsplit(text, "\n", -1);
	for (char **l = lines; *l; l++)
		if (**l)
			g_hash_table_add(set, g_strdup(*l));
	return set;
}

/* The newest date of the commits `ids`, one per line; the oldest when `oldest`. */
static gint64 date_of(const KernelGit *g, const char *ids, bool oldest)
{
	g_autofree char *out = kernel_git(g, ids, NULL, "log", "--no-walk=unsorted", "--stdin",
					  "--no-color", "--format=%ct", NULL);
	g_auto(GStrv) lines = g_strsplit(out ? out : "", "\n", -1);
	gint64 best = oldest ? G_MAXINT64 : 0;
	for (char **l = lines; *l; l++)
		if (**l) {
			gint64 t = g_ascii_strtoll(*l, NULL, 10);
			best = oldest ? MIN(best, t) : MAX(best, t);
		}
	return best;
}

/* The commits of from..to that lack their parents would make the range look longer or shorter. And
 * where `from` has lost ancestors, one of these could be taken for a commit of the range. */
static bool is_whole(const Range *r)
{
	KernelGit g = {.dir = r->source->git};
	g_autofree char *range = g_strconcat(r->from, "..", r->to, NULL);
	g_autofree char *ours = kernel_git(&g, NULL, NULL, "rev-list", range, "--", NULL);
	g_autofree char *path = g_build_filename(r->source->git, "shallow", NULL);
	g_autofree char *cut = NULL;
	if (!ours)
		return false;
	if (!g_file_get_contents(path, &cut, NULL, NULL))
		return true;
	g_autofree char *all = kernel_git(&g, NULL, NULL, "rev-list", r->from, r->to, "--", NULL);
	g_autofree char *base = kernel_git(&g, NULL, NULL, "merge-base", r->from, r->to, NULL);
	if (!all || g_strcmp0(base, r->from) != 0)
		return false;
	g_autoptr(GHashTable) in_range = as_set(ours), reached = as_set(all);
	g_autoptr(GString) cuts = g_string_new(NULL);
	g_auto(GStrv) ids = g_strsplit(cut, "\n", -1);
	for (char **id = ids; *id; id++) {
		if (g_hash_table_contains(in_range, *id))
			return false;
		if (**id && g_hash_table_contains(reached, *id))
			g_string_append_printf(cuts, "%s\n", *id);
	}
	if (r->expected)
		return g_hash_table_size(in_range) == r->expected;
	/* an ancestor of a cut commit is older than it */
	return !cuts->len || !*ours || date_of(&g, ours, true) > date_of(&g, cuts->str, false);
}

/* ---- fetching ---- */

static bool fetch(const Range *r, GError **error)
{
	static const unsigned depths[] = {64, 512, 4096, KERNEL_MAX_COMMITS + 1, 0};
	g_autofree char *from = g_strdup_printf("%s:refs/kexsect/commit/%s", r->from, r->from);
	g_autofree char *to = g_strdup_printf("%s:refs/kexsect/commit/%s", r->to, r->to);
	const char *refspecs[] = {from, to, NULL};
	g_autofree char *what = g_strdup_printf("history %s to %s", r->asked->from, r->asked->to);
	for (guint i = 0; i < G_N_ELEMENTS(depths) && !is_whole(r); i++) {
		if (kx_cancelled()) {
			g_set_error(error, KX_ERROR, KX_ERROR_CANCELLED, "stopped on request");
			return false;
		}
		kernel_step(r->progress, "fetch", i, G_N_ELEMENTS(depths), what);
		GError *e = NULL;
		if (!kernel_git_fetch(r->source->git, r->url, depths[i], refspecs, &e)) {
			g_propagate_prefixed_error(error, e, "cannot fetch the %s from %s: ", what,
						   r->url);
			return false;
		}
	}
	return true;
}

static bool is_ancestor(const Range *r, GError **error)
{
	KernelGit g = {.dir = r->source->git};
	g_autofree char *base = kernel_git(&g, NULL, NULL, "merge-base", r->from, r->to, NULL);
	g_autofree char *hint =
		g_strcmp0(base, r->to) == 0 ? g_strdup("they are the wrong way round")
		: base ? g_strdup_printf("take their common ancestor, from: %.12s", base)
		       : g_strdup("they have nothing in common");
	return g_strcmp0(base, r->from) == 0 || no_ancestor(r, hint, error);
}

bool kernel_range_fetch(const KernelSource *s, const Recipe *recipe, const CampaignHistory *h,
			KernelProgress *p, char **ret_from, char **ret_to, GError **error)
{
	if (!recipe->source.git) {
		g_set_error(error, KX_ERROR, KX_ERROR_INPUT,
			    "a history from %s to %s takes a source in git, but %s is an archive: "
			    "use `git` there, or `series` for a history of patches",
			    h->from, h->to, recipe->path);
		return false;
	}
	g_auto(Range) r = {.source = s, .asked = h, .url = recipe->source.git, .progress = p};
	r.from = kernel_git_resolve(r.url, h->from, error);
	r.to = r.from ? kernel_git_resolve(r.url, h->to, error) : NULL;
	if (!r.to || (g_path_is_absolute(r.url) && !ask_repository(&r, error)))
		return false;
	/* one at a time: each fetch says anew what is cut */
	g_autofree char *stem = g_strndup(s->git, strlen(s->git) - strlen(".git"));
	g_autofree char *lock_path = g_strconcat(stem, ".history.lock", NULL);
	int lock = kernel_lock(lock_path, p, "fetch", error);
	if (lock < 0)
		return false;
	bool ok = fetch(&r, error) && is_ancestor(&r, error);
	close(lock);
	if (!ok)
		return false;
	*ret_from = g_steal_pointer(&r.from);
	*ret_to = g_steal_pointer(&r.to);
	return true;
}
