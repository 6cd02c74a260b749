/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <string.h>

#include "base/error.h"
#include "base/fs.h"
#include "kernel/kernel-internal.h"

static char *first_line(const char *const *argv, GError **error)
{
	const char *env[] = {"LC_ALL=C", NULL};
	g_auto(KxProcResult) r = {0};
	KxProc p = {.argv = argv, .env = env, .timeout_s = 30};
	if (!kx_proc_check(&p, &r, error))
		return NULL;
	return g_strndup(r.out, strcspn(r.out, "\n"));
}

char *kernel_compiler_version(const Recipe *r, GError **error)
{
	const char *cc[] = {r->toolchain->cc, "--version", NULL};
	const char *ld[] = {r->toolchain->cc, "-Wl,--version", "-nostdlib", NULL};
	GError *e = NULL;
	g_autofree char *a = first_line(cc, &e), *b = a ? first_line(ld, &e) : NULL;
	/* a wrapper says what its compiler says: its own content counts too */
	g_autofree char *own = b && g_path_is_absolute(r->toolchain->cc)
				       ? kx_sha256_file(r->toolchain->cc, &e)
				       : NULL;
	if (b && !e)
		return g_strdup_printf("%s; %s; %s", a, b, own ? own : r->toolchain->cc);
	if (g_error_matches(e, KX_ERROR, KX_ERROR_MISSING)) {
		g_set_error(error, KX_ERROR, KX_ERROR_MISSING,
			    "there is no compiler '%s' (toolchain %s): apt-get install gcc",
			    r->toolchain->cc, r->toolchain_file);
		g_error_free(e);
	} else {
		g_propagate_prefixed_error(error, e, "toolchain %s: ", r->toolchain_file);
	}
	return NULL;
}

static void tool_free(gpointer data)
{
	KernelTool *t = data;
	g_free(t->version);
	g_free(t);
}

GPtrArray *kernel_check_tools(const Recipe *recipe)
{
	const struct {
		const char *name, *package;
		bool needed;
		const char *argv[6];
	} tools[] = {
		{"compiler", "gcc", true, {recipe->toolchain->cc, "--version"}},
		{"ld", "binutils", true, {"ld", "--version"}},
		{"make", "make", true, {"make", "--version"}},
		{"flex", "flex", true, {"flex", "--version"}},
		{"bison", "bison", true, {"bison", "--version"}},
		{"bc", "bc", true, {"bc", "--version"}},
		{"perl", "perl", true, {"perl", "-e", "print \"perl $^V\\n\""}},
		{"gzip", "gzip", true, {"gzip", "--version"}},
		{"git", "git", true, {"git", "--version"}},
		{"libelf",
		 "libelf-dev",
		 true,
		 {"sh", "-c",
		  "echo '#include <libelf.h>' | cc -E - >/dev/null && "
		  "(pkg-config --modversion libelf 2>/dev/null || echo present)"}},
		{"libssl",
		 "libssl-dev",
		 false,
		 {"sh", "-c",
		  "echo '#include <openssl/opensslv.h>' | cc -E - >/dev/null && "
		  "(pkg-config --modversion openssl 2>/dev/null || echo present)"}},
		{"ccache", "ccache", false, {"ccache", "--version"}},
		{"bwrap", "bubblewrap", false, {"bwrap", "--version"}},
	};
	GPtrArray *out = g_ptr_array_new_with_free_func(tool_free);
	for (guint i = 0; i < G_N_ELEMENTS(tools); i++) {
		KernelTool *t = g_new0(KernelTool, 1);
		*t = (KernelTool){.name = tools[i].name,
				  .package = tools[i].package,
				  .version = first_line(tools[i].argv, NULL),
				  .needed = tools[i].needed};
		g_ptr_array_add(out, t);
	}
	return out;
}
