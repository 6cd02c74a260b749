/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <glib-unix.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "kernel/kernel-internal.h"

#define MAX_LOG (16u << 20)
#define KEPT_OUTPUT (1u << 20)
#define STOP_GRACE_S 5

GPtrArray *kernel_make_argv(const KernelMake *m, const char *const *targets)
{
	g_autoptr(GPtrArray) argv = g_ptr_array_new_with_free_func(g_free);
	const Toolchain *t = m->box.toolchain;
	g_autofree char *cc = kernel_compiler_command(t);
	g_ptr_array_add(argv, g_strdup("make"));
	g_ptr_array_add(argv, g_strdup("--no-print-directory"));
	g_ptr_array_add(argv, g_strdup("-C"));
	g_ptr_array_add(argv, g_strdup(kernel_sandbox_src(&m->box)));
	g_ptr_array_add(argv, g_strconcat("O=", kernel_sandbox_obj(&m->box), NULL));
	g_ptr_array_add(argv, g_strdup_printf("-j%u", m->jobs ? m->jobs : g_get_num_processors()));
	g_ptr_array_add(argv, g_strconcat("ARCH=", m->recipe->arch, NULL));
	g_ptr_array_add(argv, g_strconcat(m->box.ccache ? "CC=ccache " : "CC=", cc, NULL));
	if (t->cross)
		g_ptr_array_add(argv, g_strconcat("CROSS_COMPILE=", t->cross, NULL));
	if (m->box.ccache)
		g_ptr_array_add(argv, g_strdup("HOSTCC=ccache gcc"));
	for (unsigned i = 0; i < t->make_args_count; i++)
		g_ptr_array_add(argv, g_strdup(t->make_args[i]));
	for (; *targets; targets++)
		g_ptr_array_add(argv, g_strdup(*targets));
	g_ptr_array_add(argv, NULL);
	GPtrArray *wrapped = kernel_sandbox_wrap(&m->box, (const char *const *)argv->pdata);
	return wrapped;
}

GPtrArray *kernel_make_env(const KernelMake *m)
{
	static const char *const fixed[] = {
		/* reproducible: no clock, person, machine or git state gets into the kernel */
		"KBUILD_BUILD_TIMESTAMP=Thu Jan  1 00:00:00 UTC 1970",
		"KBUILD_BUILD_USER=kexsect",
		"KBUILD_BUILD_HOST=kexsect",
		"SOURCE_DATE_EPOCH=0",
		"LOCALVERSION=",
		"GIT_DIR=/nonexistent",
		"LC_ALL=C",
		"TZ=UTC",
		/* nothing of ours leaks into make */
		"MAKEFLAGS=",
		"MAKELEVEL=",
		"KCFLAGS=",
		"KBUILD_VERBOSE=0",
		/* the compiler is known by its content, so an upgrade never hits old objects */
		"CCACHE_COMPILERCHECK=content",
		/* No CCACHE_DEPEND: without preprocessing ccache does not see .incbin, and takes
		 * piggy.o, which holds the compressed kernel, for the one of another kernel of the
		 * same size. */
		"CCACHE_MAXSIZE=5G",
		"CCACHE_NOSTATS=1",
		"CCACHE_CONFIGPATH=/dev/null",
	};
	GPtrArray *env = g_ptr_array_new_with_free_func(g_free);
	for (guint i = 0; i < G_N_ELEMENTS(fixed); i++)
		g_ptr_array_add(env, g_strdup(fixed[i]));
	g_ptr_array_add(
		env, g_strconcat("KBUILD_BUILD_VERSION=", m->identity ? m->identity : "1", NULL));
	if (m->box.ccache)
		g_ptr_array_add(env,
				g_strconcat("CCACHE_DIR=", kernel_sandbox_ccache(&m->box), NULL));
	const Toolchain *t = m->box.toolchain;
	/* ccache looks into a wrapper script, not at the compiler behind it */
	g_autofree char *version =
		g_path_is_absolute(t->cc) ? kernel_compiler_version(t, NULL) : NULL;
	if (version)
		g_ptr_array_add(env, g_strconcat("CCACHE_NAMESPACE=", version, NULL));
	for (unsigned i = 0; i < t->env_count; i++)
		g_ptr_array_add(env, g_strdup(t->env[i]));
	g_ptr_array_add(env, NULL);
	return env;
}

char *kernel_line_at(const char *text, const char *at)
{
	while (at > text && at[-1] != '\n')
		at--;
	return g_strndup(at, strcspn(at, "\n"));
}

char *kernel_machines_fault(const char *log)
{
	static const char *const signs[] = {"No space left on device",
					    "Cannot allocate memory",
					    "virtual memory exhausted",
					    "Killed signal terminated program",
					    ": not found\n",
					    "Input/output error",
					    "Disk quota exceeded"};
	for (guint i = 0; i < G_N_ELEMENTS(signs); i++)
		if (strstr(log, signs[i]))
			return kernel_line_at(log, strstr(log, signs[i]));
	return NULL;
}

bool kernel_make_run(const KernelMake *m, const char *const *targets, GError **error)
{
	g_autoptr(GPtrArray) argv = kernel_make_argv(m, targets), env = kernel_make_env(m);
	g_auto(KxProcResult) r = {0};
	KxProc p = {.argv = (const char *const *)argv->pdata,
		    .env = (const char *const *)env->pdata,
		    .timeout_s = 600,
		    .max_output = KEPT_OUTPUT};
	if (!kx_proc_run(&p, &r, error))
		return false;
	if (r.status == 0)
		return true;
	g_autofree char *machine = kernel_machines_fault(r.out);
	g_strchomp(r.out);
	const char *tail = r.out + MAX((gssize)strlen(r.out) - 600, 0);
	g_set_error(error, KX_ERROR, machine ? KX_ERROR_FAILED : KX_ERROR_INPUT,
		    "make %s ended with status %d: %s", targets[0], r.status, tail);
	return false;
}

typedef struct {
	GMainLoop *loop;
	KxChild *child;
	FILE *log;
	uint64_t logged, files, expected;
	KernelProgress *progress;
	int status;
	bool ended, timed_out, log_failed;
} Run;

/* "  CC      init/main.o" */
static bool is_step(const char *line)
{
	return line[0] == ' ' && line[1] == ' ' && g_ascii_isupper(line[2]) && strlen(line) > 10;
}

static void on_line(const char *line, gpointer user)
{
	Run *r = user;
	size_t len = strlen(line) + 1;
	if (r->logged < MAX_LOG) {
		r->logged += len;
		if (fprintf(r->log, "%s\n", line) < 0)
			r->log_failed = true;
		if (r->logged >= MAX_LOG)
			fputs("[the log is cut here]\n", r->log);
	}
	if (!is_step(line))
		return;
	r->files++;
	const char *name = strrchr(line, ' ');
	kernel_step(r->progress, "compile", r->files, MAX(r->expected, r->expected ? r->files : 0),
		    name ? name + 1 : line);
}

static void on_exit_status(int status, gpointer user)
{
	Run *r = user;
	r->status = status;
	r->ended = true;
	g_main_loop_quit(r->loop);
}

static gboolean on_cancel(int fd, GIOCondition condition, gpointer user)
{
	kx_child_stop(((Run *)user)->child, STOP_GRACE_S);
	return G_SOURCE_REMOVE;
}

static gboolean on_timeout(gpointer user)
{
	Run *r = user;
	r->timed_out = true;
	kx_child_stop(r->child, STOP_GRACE_S);
	return G_SOURCE_REMOVE;
}

bool kernel_make_logged(const KernelMake *m, const char *const *targets, const char *log,
			unsigned timeout_s, uint64_t expected, KernelProgress *progress,
			uint64_t *ret_files, GError **error)
{
	g_autoptr(GPtrArray) argv = kernel_make_argv(m, targets), env = kernel_make_env(m);
	Run r = {.log = fopen(log, "we"), .expected = expected, .progress = progress};
	if (!r.log) {
		kx_set_errno(error, errno, "cannot write %s", log);
		return false;
	}
	r.loop = g_main_loop_new(NULL, FALSE);
	KxProc p = {.argv = (const char *const *)argv->pdata,
		    .env = (const char *const *)env->pdata};
	r.child = kx_child_start(&p, on_line, on_exit_status, &r, error);
	if (!r.child) {
		fclose(r.log);
		g_main_loop_unref(r.loop);
		return false;
	}
	guint timer = g_timeout_add_seconds(timeout_s, on_timeout, &r);
	guint cancel =
		kx_cancel_fd() >= 0 ? g_unix_fd_add(kx_cancel_fd(), G_IO_IN, on_cancel, &r) : 0;
	if (!r.ended)
		g_main_loop_run(r.loop);
	if (!r.timed_out)
		g_source_remove(timer);
	if (cancel && !kx_cancelled())
		g_source_remove(cancel);
	g_main_loop_unref(r.loop);
	r.log_failed |= fclose(r.log) != 0;
	if (ret_files)
		*ret_files = r.files;
	if (kx_cancelled())
		g_set_error(error, KX_ERROR, KX_ERROR_CANCELLED,
			    "the compilation was stopped on request");
	else if (r.timed_out)
		g_set_error(error, KX_ERROR, KX_ERROR_TIMEOUT,
			    "the compilation was not done after %u s and was stopped; see %s",
			    timeout_s, log);
	else if (r.log_failed)
		g_set_error(error, KX_ERROR, KX_ERROR_NO_SPACE, "cannot write the build log %s",
			    log);
	else if (r.status != 0)
		g_set_error(error, KX_ERROR, KX_ERROR_INPUT, "make ended with status %d", r.status);
	else
		return true;
	return false;
}
