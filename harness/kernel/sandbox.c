/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A patch is a stranger's code: it runs in make and in the programs that the build makes. In the
 * sandbox it sees the system read-only, no home folders, no network and no other process, and can
 * write its object folder, the compiler cache and a /tmp of its own. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "base/fs.h"
#include "kernel/kernel-internal.h"

#define INSIDE "/tmp/kexsect"
#define TMP_SIZE "4294967296"

const char *kernel_sandbox_src(const KernelSandbox *s)
{
	return s->enabled ? INSIDE "/src" : s->src;
}

const char *kernel_sandbox_obj(const KernelSandbox *s)
{
	return s->enabled ? INSIDE "/obj" : s->obj;
}

const char *kernel_sandbox_ccache(const KernelSandbox *s)
{
	return s->enabled && s->ccache ? INSIDE "/ccache" : s->ccache;
}

static void add(GPtrArray *argv, ...) G_GNUC_NULL_TERMINATED;
static void add(GPtrArray *argv, ...)
{
	va_list args;
	va_start(args, argv);
	const char *arg;
	while ((arg = va_arg(args, const char *)))
		g_ptr_array_add(argv, g_strdup(arg));
	va_end(args);
}

GPtrArray *kernel_sandbox_wrap(const KernelSandbox *s, const char *const *argv)
{
	GPtrArray *out = g_ptr_array_new_with_free_func(g_free);
	const Toolchain *t = s->toolchain;
	add(out, "sh", "-c", "exec \"$@\" 2>&1", "sh", NULL);
	if (s->enabled) {
		/* A session of its own: no terminal to type into. The host's name stays, for a
		 * service may not set one (ProtectHostname=); KBUILD_BUILD_HOST keeps it out of the
		 * kernel. */
		add(out, "bwrap", "--unshare-all", "--die-with-parent", "--new-session",
		    "--cap-drop", "ALL", "--ro-bind", t && t->root ? t->root : "/", "/", "--dev",
		    "/dev", "--proc", "/proc", "--size", TMP_SIZE, "--tmpfs", "/tmp", NULL);
		static const char *const hidden[] = {"/home", "/root",	"/run", "/var/tmp",
						     "/mnt",  "/media", "/srv"};
		for (guint i = 0; i < G_N_ELEMENTS(hidden) && !(t && t->root); i++)
			if (g_file_test(hidden[i], G_FILE_TEST_IS_DIR) &&
			    !g_file_test(hidden[i], G_FILE_TEST_IS_SYMLINK))
				add(out, "--tmpfs", hidden[i], NULL);
		if (t && g_path_is_absolute(t->cc)) {
			g_autofree char *folder = g_path_get_dirname(t->cc);
			add(out, "--ro-bind", folder, folder, NULL);
		}
		add(out, "--ro-bind", s->src, INSIDE "/src", "--bind", s->obj, INSIDE "/obj", NULL);
		if (s->ccache)
			add(out, "--bind", s->ccache, INSIDE "/ccache", NULL);
		add(out, "--setenv", "HOME", "/tmp", "--setenv", "TMPDIR", "/tmp", "--chdir",
		    "/tmp", "--", NULL);
	}
	for (; *argv; argv++)
		g_ptr_array_add(out, g_strdup(*argv));
	g_ptr_array_add(out, NULL);
	return out;
}

bool kernel_check_sandbox(GError **error)
{
	static int works = -1;
	if (works == 1)
		return true;
	g_autofree char *dir = kx_temp_dir("sandbox", error);
	if (!dir)
		return false;
	KernelSandbox s = {.src = dir, .obj = dir, .enabled = true};
	/* the probe proves what is promised: no interface but lo, and nothing to write but obj */
	const char *probe[] = {"sh", "-c",
			       "touch " INSIDE "/obj/x && ! touch " INSIDE "/src/y 2>/dev/null && "
			       "! touch /usr/kexsect-probe 2>/dev/null && "
			       "test \"$(grep -c : /proc/net/dev)\" -le 1",
			       NULL};
	g_autoptr(GPtrArray) argv = kernel_sandbox_wrap(&s, probe);
	g_auto(KxProcResult) r = {0};
	KxProc p = {.argv = (const char *const *)argv->pdata, .timeout_s = 30};
	GError *e = NULL;
	bool ran = kx_proc_run(&p, &r, &e);
	g_autofree char *file = g_build_filename(dir, "x", NULL);
	remove(file);
	rmdir(dir);
	works = ran && r.status == 0;
	if (!works)
		g_set_error(
			error, KX_ERROR, KX_ERROR_REFUSED,
			"bubblewrap cannot lock up the compiler here (%s): install bubblewrap and "
			"allow user namespaces, or accept that patches run with your rights: "
			"--no-sandbox",
			e	 ? e->message
			: *r.out ? g_strstrip(r.out)
				 : "the probe failed");
	g_clear_error(&e);
	return works;
}
