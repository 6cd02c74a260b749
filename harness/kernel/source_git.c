/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Git as a place to fetch from: here the person's own settings hold, for proxies and credentials
 * are theirs. */
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "kernel/kernel-internal.h"

bool kernel_git_fetch(const char *git, const char *url, unsigned depth, const char *const *refspecs,
		      GError **error)
{
	g_autofree char *dir = g_strconcat("GIT_DIR=", git, NULL);
	const char *env[] = {dir, "GIT_TERMINAL_PROMPT=0",
			     "GIT_ALLOW_PROTOCOL=file:git:http:https:ssh", "LC_ALL=C", NULL};
	/* a plain path would be copied whole, whatever the depth */
	g_autofree char *from =
		g_path_is_absolute(url) ? g_strconcat("file://", url, NULL) : g_strdup(url);
	g_autofree char *shallow = g_build_filename(git, "shallow", NULL);
	g_autofree char *how = depth ? g_strdup_printf("--depth=%u", depth)
			       : g_file_test(shallow, G_FILE_TEST_EXISTS)
				       ? g_strdup("--unshallow")
				       : g_strdup("--update-shallow");
	g_autoptr(GPtrArray) argv = g_ptr_array_new();
	const char *const head[] = {"git", "fetch", "--quiet", "--no-tags", how, "--", from};
	for (guint i = 0; i < G_N_ELEMENTS(head); i++)
		g_ptr_array_add(argv, (gpointer)head[i]);
	for (; *refspecs; refspecs++)
		g_ptr_array_add(argv, (gpointer)*refspecs);
	g_ptr_array_add(argv, NULL);
	KxProc p = {.argv = (const char *const *)argv->pdata, .env = env};
	return kx_proc_check(&p, NULL, error);
}

static char *resolve_here(const char *path, const char *revision, GError **error)
{
	g_autofree char *spec = g_strconcat(revision, "^{commit}", NULL);
	const char *argv[] = {
		"git", "-C", path, "rev-parse", "--verify", "--quiet", "--end-of-options",
		spec,  NULL};
	const char *env[] = {"LC_ALL=C", NULL};
	g_auto(KxProcResult) r = {0};
	if (!kx_proc_run(&(KxProc){.argv = argv, .env = env}, &r, error))
		return NULL;
	g_autofree char *id = g_strdup(g_strstrip(r.out));
	/* older git repeats --end-of-options on a line of its own */
	char *last = strrchr(id, '\n');
	if (r.status == 0)
		return g_strdup(last ? last + 1 : id);
	g_set_error(error, KX_ERROR, KX_ERROR_MISSING,
		    "%s has no revision %s (or is no git repository)%s%s", path, revision,
		    *r.err ? ": " : "", g_strstrip(r.err));
	return NULL;
}

static bool is_id(const char *text)
{
	return strlen(text) == 40 && strspn(text, "0123456789abcdef") == 40;
}

static char *resolve_there(const char *url, const char *revision, GError **error)
{
	if (is_id(revision))
		return g_strdup(revision);
	g_autofree char *peeled = g_strconcat(revision, "^{}", NULL);
	const char *argv[] = {"git", "ls-remote", "--", url, revision, peeled, NULL};
	const char *env[] = {"GIT_TERMINAL_PROMPT=0", "GIT_ALLOW_PROTOCOL=file:git:http:https:ssh",
			     "LC_ALL=C", NULL};
	g_auto(KxProcResult) r = {0};
	if (!kx_proc_check(&(KxProc){.argv = argv, .env = env, .timeout_s = 300}, &r, error))
		return NULL;
	/* the commit that a tag stands for comes before the tag, a tag before a branch */
	static const char *const forms[] = {"refs/tags/%s^{}", "refs/tags/%s", "refs/heads/%s",
					    "%s"};
	g_auto(GStrv) lines = g_strsplit(r.out, "\n", -1);
	for (guint i = 0; i < G_N_ELEMENTS(forms); i++) {
		g_auto(GStrv) parts = g_strsplit(forms[i], "%s", 2);
		g_autofree char *name = g_strconcat(parts[0], revision, parts[1], NULL);
		for (char **l = lines; *l; l++) {
			const char *tab = strchr(*l, '\t');
			if (tab && g_str_equal(tab + 1, name))
				return g_strndup(*l, (gsize)(tab - *l));
		}
	}
	g_set_error(error, KX_ERROR, KX_ERROR_MISSING,
		    "%s has no tag or branch %s: of a repository elsewhere take one of these, or a "
		    "full commit id",
		    url, revision);
	return NULL;
}

char *kernel_git_resolve(const char *url, const char *revision, GError **error)
{
	return g_path_is_absolute(url) ? resolve_here(url, revision, error)
				       : resolve_there(url, revision, error);
}
