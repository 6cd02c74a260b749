/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A variant whose initcalls run in another order: made from the artifacts of the one in the
 * kernel's own order, without compiling. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "base/fs.h"
#include "base/json.h"
#include "initcall/order.h"
#include "kernel/kernel-internal.h"

/* Changes when the same order would be made otherwise. */
#define SETTINGS "kexsect-order-1"
#define MAX_ORDER (16u << 20)

bool kernel_reorders(const KernelRequest *q)
{
	return q->order || (q->initcalls && *q->initcalls);
}

/* The base's kernel and what is done to it. */
static char *name_of(const KernelRequest *q, const KernelBuild *base, GError **error)
{
	g_autoptr(GString) what = g_string_new(SETTINGS "\n");
	g_string_append_printf(what, "%s\n", base->build);
	if (q->order) {
		g_autofree char *digest = kx_sha256_file(q->order, error);
		if (!digest)
			return NULL;
		g_string_append_printf(what, "order %s\n", digest);
	}
	for (const char *const *m = q->initcalls; m && *m; m++)
		g_string_append_printf(what, "move %s\n", *m);
	return g_compute_checksum_for_string(G_CHECKSUM_SHA256, what->str, -1);
}

static char *in(const char *dir, const char *name)
{
	return g_build_filename(dir, name, NULL);
}

static bool arrange(const KernelRequest *q, InitcallOrder *o, GError **error)
{
	if (q->order && !initcall_order_arrange(o, q->order, true, error))
		return false;
	for (const char *const *m = q->initcalls; m && *m; m++)
		if (!initcall_order_move(o, *m, false, error))
			return false;
	return true;
}

/* `from` and `to` are folders of artifacts. vmlinux and image are one kernel in the same order. */
static bool rewrite(const KernelRequest *q, const char *from, const char *to, const char *identity,
		    const char *new_identity, GError **error)
{
	static const char *const names[] = {"vmlinux", "kernel"};
	g_autofree char *symbols = in(from, "vmlinux");
	g_autoptr(InitcallOrder) order = initcall_order_read(symbols, NULL, error);
	if (!order || !arrange(q, order, error))
		return false;
	for (guint i = 0; i < G_N_ELEMENTS(names); i++) {
		g_autofree char *old = in(from, names[i]), *new = in(to, names[i]);
		const InitcallRewrite r = {.in = old,
					   .map = i ? symbols : NULL,
					   .out = new,
					   .identity = identity,
					   .new_identity = new_identity};
		if (!initcall_rewrite(&r, order, error))
			return false;
	}
	/* for who asks how it runs */
	g_autofree char *text = initcall_order_text(order), *path = in(to, "initcalls");
	return kx_write_scratch(path, text, -1, 0644, error);
}

/* build.json of the base, with what is other here. */
static json_t *describe(const KernelRequest *q, const KernelBuild *base, const char *build,
			const char *identity, json_t *meta)
{
	json_object_set_new(meta, "build", json_string(build));
	json_object_set_new(meta, "identity", json_string(identity));
	json_object_set_new(meta, "reordered_from", json_string(base->build));
	json_object_set_new(meta, "initcalls", kx_json_from_strv(q->initcalls));
	if (q->order)
		json_object_set_new(meta, "order", kx_json_text(q->order));
	return meta;
}

static bool make(const KernelRequest *q, const KernelBuild *base, const char *dir,
		 const char *build, const char *identity, GError **error)
{
	static const char *const kept[] = {"kernel", "vmlinux", "initcalls", "config", "build.log"};
	g_autofree char *tmp = g_strdup_printf("%s.tmp-%d", dir, (int)getpid());
	g_autofree char *file = in(base->artifacts, "build.json");
	g_autoptr(json_t) meta = kx_json_load(file, error);
	if (!meta || !kx_remove_tree(tmp, error) || !kx_mkdir(tmp, error))
		return false;
	describe(q, base, build, identity, meta);
	bool ok = rewrite(q, base->artifacts, tmp, base->identity, identity, error);
	for (guint i = 3; ok && i < G_N_ELEMENTS(kept); i++) {
		g_autofree char *old = in(base->artifacts, kept[i]), *new = in(tmp, kept[i]);
		ok = kx_copy_file(old, new, error);
	}
	ok = ok && kernel_artifacts_publish(dir, tmp, kept, G_N_ELEMENTS(kept), meta, error);
	if (!ok)
		kx_remove_tree(tmp, NULL);
	return ok;
}

void kernel_reorder(const KernelRequest *q, KernelBuild *b)
{
	gint64 start = g_get_monotonic_time();
	KernelProgress progress = {.func = q->step, .user = q->user};
	kernel_step(&progress, "reorder", 0, 0, "");
	g_autoptr(GError) e = NULL;
	g_autofree char *build = name_of(q, b, &e);
	g_autofree char *identity = build ? g_strdup_printf("kx%.12s", build) : NULL;
	g_autofree char *dir = g_strdup_printf("%s/builds/%s%s", q->cache, build ? build : "",
					       q->clean ? "-clean" : "");
	g_autoptr(json_t) meta = build ? kernel_artifacts_open(dir) : NULL;
	if (build && !meta && make(q, b, dir, build, identity, &e))
		meta = kernel_artifacts_open(dir);
	b->seconds.reorder = (double)(g_get_monotonic_time() - start) / G_USEC_PER_SEC;
	if (build) {
		g_free(b->build);
		g_free(b->identity);
		b->build = g_steal_pointer(&build);
		b->identity = g_steal_pointer(&identity);
	}
	g_clear_pointer(&b->artifacts, g_free);
	g_clear_pointer(&b->vmlinux_sha256, g_free);
	if (meta) {
		b->artifacts = g_steal_pointer(&dir);
		b->vmlinux_sha256 = g_strdup(kx_json_str(meta, "vmlinux_sha256"));
		return;
	}
	/* an order that this kernel cannot have is the variant's own fault */
	bool its_own = e && e->domain == KX_ERROR &&
		       (e->code == KX_ERROR_INPUT || e->code == KX_ERROR_REFUSED);
	b->status = its_own ? KERNEL_UNBUILDABLE : KERNEL_INFRA;
	b->error_code = e && e->domain == KX_ERROR ? e->code : KX_ERROR_FAILED;
	g_free(b->reason);
	b->reason = g_strdup(e ? e->message : "the artifacts cannot be read");
	if (its_own)
		b->failed_step = g_strdup("reorder");
}
