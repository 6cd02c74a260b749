/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <string.h>

#include "base/error.h"
#include "base/fs.h"
#include "kernel/kernel-internal.h"

/* What fails once may have been killed, by the kernel for its memory for one: a tool that fails is
 * asked again before it is said to be missing. */
#define PROBES 2

static char *first_line(const char *const *argv, GError **error)
{
	const char *env[] = {"LC_ALL=C", NULL};
	g_auto(KxProcResult) r = {0};
	KxProc p = {.argv = argv, .env = env, .timeout_s = 30};
	g_autoptr(GError) why = NULL;
	for (int i = 0; i < PROBES; i++) {
		kx_proc_result_clear(&r);
		g_clear_error(&why);
		if (kx_proc_check(&p, &r, &why))
			return g_strndup(r.out, strcspn(r.out, "\n"));
		if (g_error_matches(why, KX_ERROR, KX_ERROR_MISSING) || kx_cancelled())
			break;
	}
	g_propagate_error(error, g_steal_pointer(&why));
	return NULL;
}

char *kernel_compiler_command(const Toolchain *t)
{
	GString *cc = g_string_new(t->cross);
	g_string_append(cc, t->cc);
	/* They stand here and not in KCFLAGS because old trees set the flags of boot/, realmode/
	 * and the vdso anew. */
	for (unsigned i = 0; i < t->cc_flags_count; i++)
		g_string_append_printf(cc, " %s", t->cc_flags[i]);
	return g_string_free(cc, FALSE);
}

/* First line of what a program of the toolchain says, in its root when it has one. */
static char *said_by(const Toolchain *t, const char *const *argv, GError **error)
{
	g_autoptr(GPtrArray) inside = g_ptr_array_new();
	const char *const head[] = {
		"bwrap", "--unshare-all", "--die-with-parent", "--ro-bind", t->root, "/",
		"--dev", "/dev",	  "--tmpfs",	       "/tmp",	    "--"};
	for (guint i = 0; t->root && i < G_N_ELEMENTS(head); i++)
		g_ptr_array_add(inside, (gpointer)head[i]);
	for (; *argv; argv++)
		g_ptr_array_add(inside, (gpointer)*argv);
	g_ptr_array_add(inside, NULL);
	return first_line((const char *const *)inside->pdata, error);
}

static char *describe(const Toolchain *t, GError **error)
{
	g_autofree char *command = g_strconcat(t->cross ? t->cross : "", t->cc, NULL);
	const char *cc[] = {command, "--version", NULL};
	const char *ld[] = {command, "-Wl,--version", "-nostdlib", NULL};
	const char *make[] = {"make", "--version", NULL};
	g_autofree char *a = said_by(t, cc, error), *b = a ? said_by(t, ld, error) : NULL;
	/* a wrapper says what its compiler says: its own content counts too */
	g_autofree char *own = !b			   ? NULL
			       : g_path_is_absolute(t->cc) ? kx_sha256_file(t->cc, error)
							   : g_strdup(command);
	if (!own)
		return NULL;
	g_autoptr(GString) all = g_string_new(NULL);
	g_string_append_printf(all, "%s; %s; %s", a, b, own);
	for (unsigned i = 0; i < t->cc_flags_count; i++)
		g_string_append_printf(all, " %s", t->cc_flags[i]);
	if (t->root) {
		g_autofree char *m = said_by(t, make, error);
		if (!m)
			return NULL;
		g_string_append_printf(all, "; in a root with %s", m);
	}
	return g_string_free(g_steal_pointer(&all), FALSE);
}

char *kernel_compiler_version(const Toolchain *t, GError **error)
{
	GError *e = NULL;
	if (t->root && !g_file_test(t->root, G_FILE_TEST_IS_DIR)) {
		g_set_error(error, KX_ERROR, KX_ERROR_MISSING,
			    "toolchain %s: its root %s is not there", t->path, t->root);
		return NULL;
	}
	char *text = describe(t, &e);
	if (text)
		return text;
	if (g_error_matches(e, KX_ERROR, KX_ERROR_MISSING)) {
		g_set_error(error, KX_ERROR, KX_ERROR_MISSING,
			    "there is no compiler '%s%s' (toolchain %s): apt-get install gcc, or "
			    "the package that has it",
			    t->cross ? t->cross : "", t->cc, t->path);
		g_error_free(e);
	} else {
		g_propagate_prefixed_error(error, e, "toolchain %s: ", t->path);
	}
	return NULL;
}

static void tool_free(gpointer data)
{
	KernelTool *t = data;
	g_free(t->version);
	g_free(t);
}

typedef struct {
	const char *name, *package;
	bool needed;
	bool inside; /* a root has its own */
	const char *argv[6];
} Tool;

static const Tool tools[] = {
	{"ld", "binutils", true, true, {"ld", "--version"}},
	{"make", "make", true, true, {"make", "--version"}},
	{"flex", "flex", true, true, {"flex", "--version"}},
	{"bison", "bison", true, true, {"bison", "--version"}},
	{"bc", "bc", true, true, {"bc", "--version"}},
	{"perl", "perl", true, true, {"perl", "-e", "print \"perl $^V\\n\""}},
	{"gzip", "gzip", true, true, {"gzip", "--version"}},
	{"git", "git", true, false, {"git", "--version"}},
	{"libelf",
	 "libelf-dev",
	 true,
	 true,
	 {"sh", "-c",
	  "echo '#include <libelf.h>' | cc -E - >/dev/null && "
	  "(pkg-config --modversion libelf 2>/dev/null || echo present)"}},
	{"libssl",
	 "libssl-dev",
	 false,
	 true,
	 {"sh", "-c",
	  "echo '#include <openssl/opensslv.h>' | cc -E - >/dev/null && "
	  "(pkg-config --modversion openssl 2>/dev/null || echo present)"}},
	{"ccache", "ccache", false, true, {"ccache", "--version"}},
	{"bwrap", "bubblewrap", false, false, {"bwrap", "--version"}},
};

static void add_tool(GPtrArray *out, const char *name, const char *package, bool needed,
		     char *version)
{
	KernelTool *t = g_new0(KernelTool, 1);
	*t = (KernelTool){.name = name, .package = package, .version = version, .needed = needed};
	g_ptr_array_add(out, t);
}

GPtrArray *kernel_check_tools(const Recipe *recipe)
{
	const Toolchain *own = recipe->toolchain;
	const Toolchain usual = {.cc = (char *)"gcc"};
	const Toolchain *t = own ? own : &usual; /* until the source tells */
	g_autofree char *command = g_strconcat(t->cross ? t->cross : "", t->cc, NULL);
	const char *compiler[] = {command, "--version", NULL};
	GPtrArray *out = g_ptr_array_new_with_free_func(tool_free);
	add_tool(out, "compiler", "gcc", true, said_by(t, compiler, NULL));
	for (guint i = 0; i < G_N_ELEMENTS(tools); i++)
		if (!(t->root && tools[i].inside))
			add_tool(out, tools[i].name, tools[i].package,
				 tools[i].needed ||
					 (t->root && g_str_equal(tools[i].name, "bwrap")),
				 first_line(tools[i].argv, NULL));
	return out;
}
