/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <stdarg.h>
#include <string.h>

#include "base/error.h"
#include "kernel/kernel-internal.h"

bool kernel_git_run(const KernelGit *g, const char *const *argv, const char *input,
		    KxProcResult *ret, GError **error)
{
	g_autoptr(GPtrArray) env = g_ptr_array_new_with_free_func(g_free);
	/* A person's settings (autocrlf, attributes, hooks, signing) must not reach the tree. */
	g_ptr_array_add(env, g_strdup("GIT_CONFIG_GLOBAL=/dev/null"));
	g_ptr_array_add(env, g_strdup("GIT_CONFIG_NOSYSTEM=1"));
	g_ptr_array_add(env, g_strdup("GIT_ATTR_NOSYSTEM=1"));
	g_ptr_array_add(env, g_strdup("GIT_TERMINAL_PROMPT=0"));
	g_ptr_array_add(env, g_strdup("GIT_LITERAL_PATHSPECS=1"));
	g_ptr_array_add(env, g_strdup("LC_ALL=C"));
	g_ptr_array_add(env, g_strconcat("GIT_DIR=", g->dir, NULL));
	if (g->tree)
		g_ptr_array_add(env, g_strconcat("GIT_WORK_TREE=", g->tree, NULL));
	if (g->index)
		g_ptr_array_add(env, g_strconcat("GIT_INDEX_FILE=", g->index, NULL));
	g_ptr_array_add(env, NULL);
	KxProc p = {.argv = argv,
		    .env = (const char *const *)env->pdata,
		    .cwd = g->tree,
		    .input = input,
		    .max_output = 64u << 20};
	return kx_proc_run(&p, ret, error);
}

char *kernel_git(const KernelGit *g, const char *input, GError **error, ...)
{
	g_autoptr(GPtrArray) argv = g_ptr_array_new();
	g_ptr_array_add(argv, (gpointer) "git");
	va_list args;
	va_start(args, error);
	const char *arg;
	while ((arg = va_arg(args, const char *)))
		g_ptr_array_add(argv, (gpointer)arg);
	va_end(args);
	g_ptr_array_add(argv, NULL);
	g_auto(KxProcResult) r = {0};
	if (!kernel_git_run(g, (const char *const *)argv->pdata, input, &r, error))
		return NULL;
	if (r.status != 0) {
		bool full = strstr(r.err, "No space left") || strstr(r.err, "Out of diskspace");
		g_set_error(error, KX_ERROR, full ? KX_ERROR_NO_SPACE : KX_ERROR_FAILED,
			    "git in %s: %s", g->dir, g_strstrip(r.err));
		return NULL;
	}
	g_strchomp(r.out);
	return g_steal_pointer(&r.out);
}

bool kernel_git_commit_base(const char *git, const char *tree, GError **error)
{
	KernelGit g = {.dir = git};
	g_autofree char *stream = g_strdup_printf(
		"commit refs/heads/base\ncommitter kexsect <kexsect@localhost> 0 +0000\ndata 9\n"
		"imported\n\nM 040000 %s \n",
		tree);
	g_autofree char *out =
		kernel_git(&g, stream, error, "fast-import", "--quiet", "--force", NULL);
	return out != NULL;
}
