/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One worktree per base, switched between variants by git, which writes only the files that differ:
 * make sees by their times what to compile. The folder has no .git of its own, so that kbuild's
 * version scripts find none. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/error.h"
#include "base/fs.h"
#include "base/json.h"
#include "kernel/kernel-internal.h"

#define CLOCK_TICK_NS 20000000 /* file times are no finer than the kernel's tick */

void kernel_work_free(KernelWork *w)
{
	if (!w)
		return;
	if (w->lock >= 0)
		close(w->lock);
	g_free(w->dir);
	g_free(w->src);
	g_free(w->obj);
	g_free(w->kconf);
	g_free(w->index);
	g_free(w);
}

static void add_entries(GString *what, const char *key, char *const *list, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		g_string_append_printf(what, "%s%s\n", key, list[i]);
}

static char *work_key(const Recipe *r, const KernelSource *s)
{
	const Toolchain *t = s->toolchain;
	g_autoptr(GString) what = g_string_new("kexsect-work-1\n");
	g_string_append_printf(what, "%s\n%s\n%s\n%s\n", s->name, s->tree, r->arch, t->cc);
	add_entries(what, "", t->make_args, t->make_args_count);
	add_entries(what, "", t->env, t->env_count);
	add_entries(what, "flag ", t->cc_flags, t->cc_flags_count);
	if (t->cross)
		g_string_append_printf(what, "cross %s\n", t->cross);
	if (t->root)
		g_string_append_printf(what, "root %s\n", t->root);
	g_autofree char *hash = g_compute_checksum_for_string(G_CHECKSUM_SHA256, what->str, -1);
	return g_strdup_printf("%s-%.12s", r->name, hash);
}

/* Object folders of clean builds whose process was killed. We hold the lock: none is in use. */
static void remove_left_behind(const char *dir)
{
	g_autoptr(GDir) d = g_dir_open(dir, 0, NULL);
	const char *entry;
	while (d && (entry = g_dir_read_name(d)))
		if (g_str_has_prefix(entry, "clean-")) {
			g_autofree char *path = g_build_filename(dir, entry, NULL);
			kx_remove_tree(path, NULL);
		}
}

static char *in_work(const KernelWork *w, const char *name)
{
	return g_build_filename(w->dir, name, NULL);
}

/* After a compilation that did not come to its end. */
static bool drop_interrupted(KernelWork *w, GError **error)
{
	g_autofree char *mark = in_work(w, "compiling");
	if (!g_file_test(mark, G_FILE_TEST_EXISTS))
		return true;
	g_message("%s: the last compilation was interrupted; starting it anew (ccache helps)",
		  w->dir);
	if (!kx_remove_tree(w->obj, error) || !kx_mkdir(w->obj, error))
		return false;
	unlink(mark);
	return true;
}

KernelWork *kernel_work_open(const char *cache, const Recipe *r, const KernelSource *s,
			     KernelProgress *p, GError **error)
{
	g_autofree char *key = work_key(r, s);
	g_autoptr(KernelWork) w = g_new0(KernelWork, 1);
	w->lock = -1;
	w->toolchain = s->toolchain;
	w->dir = g_build_filename(cache, "work", key, NULL);
	w->src = g_build_filename(w->dir, "src", NULL);
	w->obj = g_build_filename(w->dir, "obj", NULL);
	w->kconf = g_build_filename(w->dir, "kconf", NULL);
	w->index = g_build_filename(w->dir, "index", NULL);
	g_autofree char *lock = g_build_filename(w->dir, "lock", NULL);
	if (!kx_mkdir(w->src, error) || !kx_mkdir(w->obj, error) || !kx_mkdir(w->kconf, error))
		return NULL;
	w->lock = kernel_lock(lock, p, "apply", error);
	if (w->lock < 0)
		return NULL;
	remove_left_behind(w->dir);
	if (!drop_interrupted(w, error))
		return NULL;
	kernel_touch(w->dir);
	return g_steal_pointer(&w);
}

/* A clock that went back would make new sources look older than old objects. */
static bool check_clock(KernelWork *w, GError **error)
{
	g_autofree char *stamp = in_work(w, "stamp");
	struct stat st;
	if (stat(stamp, &st) != 0)
		return true;
	struct timespec now;
	clock_gettime(CLOCK_REALTIME, &now);
	gint64 apart = (now.tv_sec - st.st_mtim.tv_sec) * G_GINT64_CONSTANT(1000000000) +
		       (now.tv_nsec - st.st_mtim.tv_nsec);
	if (apart < 0) {
		g_warning("%s: the clock went back; its objects are compiled again", w->dir);
		return kx_remove_tree(w->obj, error) && kx_mkdir(w->obj, error);
	}
	if (apart < CLOCK_TICK_NS)
		g_usleep((gulong)(CLOCK_TICK_NS - apart) / 1000);
	return true;
}

bool kernel_work_switch(KernelWork *w, const KernelSource *s, const char *tree, GError **error)
{
	if (!check_clock(w, error))
		return false;
	/* a killed git leaves its lock; ours says that nobody else is here */
	g_autofree char *stale = g_strconcat(w->index, ".lock", NULL);
	unlink(stale);
	KernelGit g = {.dir = s->git, .tree = w->src, .index = w->index};
	g_autofree char *out = kernel_git(&g, NULL, error, "-c", "checkout.workers=0", "read-tree",
					  "--reset", "-u", tree, NULL);
	if (!out)
		return false;
	/* what the tree does not know could be found by #include: it goes */
	g_autofree char *cleaned = kernel_git(&g, NULL, error, "clean", "-ffdxq", NULL);
	return cleaned != NULL;
}

bool kernel_work_begin(KernelWork *w, GError **error)
{
	g_autofree char *mark = in_work(w, "compiling");
	return kx_write_file(mark, "", 0, error);
}

bool kernel_work_end(KernelWork *w, GError **error)
{
	g_autofree char *mark = in_work(w, "compiling"), *stamp = in_work(w, "stamp");
	if (!kx_write_file(stamp, "", 0, error))
		return false;
	if (unlink(mark) == 0)
		return true;
	kx_set_errno(error, errno, "cannot remove %s", mark);
	return false;
}

uint64_t kernel_work_total(const KernelWork *w)
{
	g_autofree char *path = in_work(w, "progress.json");
	g_autoptr(json_t) j = kx_json_load(path, NULL);
	return j ? (uint64_t)kx_json_int(j, "files", 0) : 0;
}

void kernel_work_set_total(const KernelWork *w, uint64_t files)
{
	g_autofree char *path = in_work(w, "progress.json");
	g_autoptr(json_t) j = json_pack("{s:I}", "files", (json_int_t)files);
	kx_json_save(path, j, NULL);
}
