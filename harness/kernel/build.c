/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "base/fs.h"
#include "base/json.h"
#include "kernel/kernel-internal.h"

/* Changes when the same inputs would give another kernel: environment, flags, file list. */
#define SETTINGS "kexsect-build-1"
#define BUILD_SPACE (UINT64_C(2) << 30)
#define DEFAULT_TIMEOUT_S 7200

const char *kernel_status_name(KernelStatus s)
{
	return s == KERNEL_OK ? "ok" : s == KERNEL_UNBUILDABLE ? "unbuildable" : "infra";
}

void kernel_build_clear(KernelBuild *b)
{
	g_free(b->reason);
	g_free(b->failed_step);
	g_free(b->log);
	g_free(b->build);
	g_free(b->identity);
	g_free(b->tree);
	g_free(b->artifacts);
	g_free(b->vmlinux_sha256);
	g_free(b->incremental_sha256);
	*b = (KernelBuild){0};
}

typedef struct {
	const KernelRequest *q;
	KernelBuild *b;
	KernelProgress progress;
	KernelSource *source;
	KernelTree *tree;
	KernelWork *work;
	char *dir; /* of the artifacts */
	char *obj; /* where to compile */
	char *log;
	char *ccache; /* compiler cache of this build; NULL: none */
} Build;

static void build_clear(Build *x)
{
	kernel_source_free(x->source);
	kernel_tree_free(x->tree);
	kernel_work_free(x->work);
	g_free(x->dir);
	g_free(x->obj);
	g_free(x->log);
	g_free(x->ccache);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Build, build_clear)

static double since(gint64 start)
{
	return (double)(g_get_monotonic_time() - start) / G_USEC_PER_SEC;
}

/* The hash of all that goes into the kernel. The tree stands for source and patches. */
static bool name_build(Build *x, GError **error)
{
	const KernelRequest *q = x->q;
	const Toolchain *t = x->source->toolchain;
	g_autoptr(GString) what = g_string_new(SETTINGS "\n");
	g_autofree char *compiler = kernel_compiler_version(t, error);
	if (!compiler)
		return false;
	g_string_append_printf(what, "%s\n%s\n%s\n%s\n%s\n", x->tree->tree, q->recipe->arch,
			       q->recipe->defconfig, q->recipe->image, compiler);
	for (unsigned i = 0; i < t->make_args_count; i++)
		g_string_append_printf(what, "make %s\n", t->make_args[i]);
	for (unsigned i = 0; i < t->env_count; i++)
		g_string_append_printf(what, "env %s\n", t->env[i]);
	if (!kernel_config_inputs(q, what, error))
		return false;
	x->b->build = g_compute_checksum_for_string(G_CHECKSUM_SHA256, what->str, -1);
	x->b->identity = g_strdup_printf("kx%.12s", x->b->build);
	x->dir = g_strdup_printf("%s/builds/%s%s", q->cache, x->b->build, q->clean ? "-clean" : "");
	return true;
}

static bool take_from_cache(Build *x)
{
	g_autoptr(json_t) meta = kernel_artifacts_open(x->dir);
	if (!meta)
		return false;
	x->b->cached = true;
	x->b->artifacts = g_strdup(x->dir);
	x->b->vmlinux_sha256 = g_strdup(kx_json_str(meta, "vmlinux_sha256"));
	return true;
}

static KernelSandbox box_of(const Build *x)
{
	return (KernelSandbox){.src = x->work->src,
			       .obj = x->obj,
			       .ccache = x->ccache,
			       .toolchain = x->source->toolchain,
			       .enabled = x->q->sandbox};
}

/* Builds from nothing, clean ones and the first of a base, have a compiler cache of their own: a
 * clean kernel then takes objects only from builds that began from nothing themselves, never from
 * an incremental one. */
static bool set_ccache(Build *x, GError **error)
{
	/* an old system has none, and is quick */
	g_autofree char *have =
		x->source->toolchain->root ? NULL : g_find_program_in_path("ccache");
	g_autofree char *config = g_build_filename(x->obj, ".config", NULL);
	bool from_nothing = !g_file_test(config, G_FILE_TEST_EXISTS);
	if (!have)
		return true;
	x->ccache = g_build_filename(x->q->cache, from_nothing ? "ccache-clean" : "ccache", NULL);
	if (!kx_mkdir(x->ccache, error))
		return false;
	kernel_touch(x->ccache); /* ccache itself changes only what is below */
	return true;
}

/* The first line with an error of the compiler, else of make. */
static char *first_error(const char *log)
{
	static const char *const signs[] = {
		": error: ", ": fatal error: ", "undefined reference", "multiple definition",
		"*** ",	     "Error "};
	for (guint i = 0; i < G_N_ELEMENTS(signs); i++) {
		const char *at = strstr(log, signs[i]);
		if (!at)
			continue;
		g_autofree char *line = kernel_line_at(log, at);
		/* the path in the tree, not in the sandbox */
		g_auto(GStrv) parts = g_strsplit(line, "/tmp/kexsect/src/", -1);
		return g_strjoinv("", parts);
	}
	return NULL;
}

static bool explain_compile(Build *x, GError *e, GError **error)
{
	g_autofree char *text = NULL;
	g_file_get_contents(x->log, &text, NULL, NULL);
	if (e->code != KX_ERROR_INPUT || !text) {
		g_propagate_error(error, e);
		return false;
	}
	g_autofree char *machine = kernel_machines_fault(text);
	g_autofree char *line = machine ? NULL : first_error(text);
	bool full = machine && strstr(machine, "No space left");
	g_set_error(error, KX_ERROR,
		    full      ? KX_ERROR_NO_SPACE
		    : machine ? KX_ERROR_FAILED
			      : KX_ERROR_INPUT,
		    "%s%s; see %s",
		    machine ? "the build machine failed: " : "it does not compile: ",
		    machine ? machine
		    : line  ? line
			    : e->message,
		    x->log);
	g_error_free(e);
	return false;
}

static bool compile(Build *x, GError **error)
{
	const KernelRequest *q = x->q;
	GError *e = NULL;
	g_autofree char *vmlinux = g_build_filename(x->obj, "vmlinux", NULL);
	bool full = !g_file_test(vmlinux, G_FILE_TEST_EXISTS);
	uint64_t known = full ? kernel_work_total(x->work) : 0;
	uint64_t total = full && !known ? q->recipe->steps : known;
	KernelMake m = {
		.recipe = q->recipe, .box = box_of(x), .identity = x->b->identity, .jobs = q->jobs};
	g_autofree char *target = g_path_get_basename(q->recipe->image);
	const char *targets[] = {target, NULL};
	kernel_step(&x->progress, "compile", 0, total, "");
	if (!kernel_make_logged(&m, targets, x->log,
				q->timeout_s ? q->timeout_s : DEFAULT_TIMEOUT_S, total,
				&x->progress, &x->b->files_compiled, &e))
		return explain_compile(x, e, error);
	if (full)
		kernel_work_set_total(x->work, x->b->files_compiled);
	return true;
}

static json_t *describe(const Build *x)
{
	const KernelRequest *q = x->q;
	const KernelBuild *b = x->b;
	json_t *m = json_pack("{s:i, s:s, s:s, s:s, s:b, s:s, s:s, s:o, s:o}", "format", 1, "build",
			      b->build, "identity", b->identity, "tree", b->tree, "clean", q->clean,
			      "recipe", q->recipe->path, "source", x->source->digest, "fixtures",
			      kx_json_from_strv(q->fixtures), "candidates",
			      kx_json_from_strv(q->candidates));
	json_object_set_new(m, "source_tree", json_string(x->source->imported));
	json_object_set_new(m, "toolchain", json_string(x->source->toolchain->name));
	json_object_set_new(m, "corrections",
			    kx_json_from_strv((const char *const *)x->source->corrected));
	json_object_set_new(m, "series", q->series ? json_string(q->series->path) : json_null());
	if (q->commit)
		json_object_set_new(m, "commit", json_string(q->commit));
	if (q->config_file)
		json_object_set_new(m, "config_file", json_string(q->config_file));
	if (q->config)
		json_object_set_new(m, "config", kx_json_from_strv(q->config));
	json_object_set_new(m, "fragments", kx_json_from_strv(q->fragments));
	json_object_set_new(m, "sandbox", json_boolean(q->sandbox));
	json_object_set_new(m, "steps_printed", json_integer((json_int_t)b->files_compiled));
	json_object_set_new(m, "seconds",
			    json_pack("{s:f, s:f, s:f}", "apply", b->seconds.apply, "configure",
				      b->seconds.configure, "compile", b->seconds.compile));
	return m;
}

static bool store(Build *x, GError **error)
{
	g_autoptr(json_t) meta = describe(x);
	if (!kernel_artifacts_store(x->dir, x->obj, x->q->recipe->image, x->log, meta, error))
		return false;
	unlink(x->log); /* the build has its copy */
	x->b->artifacts = g_strdup(x->dir);
	x->b->vmlinux_sha256 = g_strdup(kx_json_str(meta, "vmlinux_sha256"));
	return true;
}

/* Everything from the locked worktree on; *step is where it is. */
static bool make_kernel(Build *x, const char **step, GError **error)
{
	const KernelRequest *q = x->q;
	KernelSeconds *s = &x->b->seconds;
	gint64 start = g_get_monotonic_time();
	kernel_step(&x->progress, "apply", 0, 0, "");
	if (!kernel_work_switch(x->work, x->source, x->tree->tree, error))
		return false;
	s->apply += since(start);
	x->obj = q->clean ? g_strdup_printf("%s/clean-%d", x->work->dir, (int)getpid())
			  : g_strdup(x->work->obj);
	if (!(q->clean ? kx_mkdir(x->obj, error) : kernel_work_begin(x->work, error)))
		return false;

	*step = "configure";
	start = g_get_monotonic_time();
	kernel_step(&x->progress, "configure", 0, 0, "");
	if (!set_ccache(x, error) ||
	    !kernel_configure(q, x->work, x->tree, x->obj, x->ccache, error))
		return false;
	s->configure = since(start);

	*step = "compile";
	int place;
	bool ok = kernel_compile_place(q->cache, &x->progress, &place, error);
	start = g_get_monotonic_time();
	ok = ok && compile(x, error);
	s->compile = since(start);
	if (place >= 0)
		close(place);
	if (!ok)
		return false;
	*step = "store";
	start = g_get_monotonic_time();
	kernel_step(&x->progress, "store", 0, 0, "");
	ok = store(x, error);
	s->store = since(start);
	return ok;
}

static bool prepare(Build *x, const char **step, GError **error)
{
	const KernelRequest *q = x->q;
	*step = "import";
	x->source = kernel_source_get(q->cache, q->recipe, &x->progress, &x->b->seconds, error);
	if (!x->source)
		return false;
	if (q->commit && !kernel_history_need(x->source, q, &x->progress, error))
		return false;
	*step = "apply";
	gint64 start = g_get_monotonic_time();
	x->tree =
		kernel_compose(x->source, q->commit, q->series, q->fixtures, q->candidates, error);
	x->b->seconds.apply = since(start);
	if (!x->tree)
		return false;
	x->b->tree = g_strdup(x->tree->tree);
	*step = "toolchain";
	if (x->source->toolchain->root && !q->sandbox) {
		g_set_error(error, KX_ERROR, KX_ERROR_REFUSED,
			    "the toolchain %s is in a root, and only the sandbox takes a build in "
			    "there: leave --no-sandbox out",
			    x->source->toolchain->name);
		return false;
	}
	return name_build(x, error);
}

static bool run(Build *x, const char **step, GError **error)
{
	const KernelRequest *q = x->q;
	if (!prepare(x, step, error))
		return false;
	if (take_from_cache(x))
		return true;
	*step = "prepare";
	g_autofree char *logs = g_build_filename(q->cache, "logs", NULL);
	x->log = g_strdup_printf("%s/%s%s.log", logs, x->b->build, q->clean ? "-clean" : "");
	if (!kx_mkdir(logs, error) || (q->sandbox && !kernel_check_sandbox(error)) ||
	    !kernel_check_space(q->cache, q->min_free ? q->min_free : BUILD_SPACE, "a build",
				error))
		return false;
	x->work = kernel_work_open(q->cache, q->recipe, x->source, &x->progress, error);
	if (!x->work)
		return false;
	if (take_from_cache(x)) /* whoever held the lock has built it */
		return true;
	GError *e = NULL;
	bool ok = make_kernel(x, step, &e);
	if (q->clean) {
		if (x->obj)
			kx_remove_tree(x->obj, NULL);
	} else if (ok || e->code == KX_ERROR_INPUT) {
		/* make came to its end; anything else may have left half an object */
		kernel_work_end(x->work, NULL);
	}
	if (!ok)
		g_propagate_error(error, e);
	return ok;
}

/* What says nothing about the variant: everything but a patch, kconfig or source that is refused in
 * the steps that look at the variant. */
static KernelStatus judge(const char *step, const GError *e)
{
	bool its_own = g_str_equal(step, "apply") || g_str_equal(step, "configure") ||
		       g_str_equal(step, "compile");
	bool refused = e->domain == KX_ERROR &&
		       (e->code == KX_ERROR_INPUT ||
			(e->code == KX_ERROR_REFUSED && g_str_equal(step, "apply")));
	return its_own && refused ? KERNEL_UNBUILDABLE : KERNEL_INFRA;
}

void kernel_build(const KernelRequest *request, KernelBuild *ret)
{
	*ret = (KernelBuild){0};
	g_auto(Build) x = {
		.q = request, .b = ret, .progress = {.func = request->step, .user = request->user}};
	const char *step = "import";
	g_autoptr(GError) e = NULL;
	bool ok = run(&x, &step, &e);
	ret->status = ok ? KERNEL_OK : judge(step, e);
	ret->reason = g_strdup(ok ? "" : e->message);
	ret->error_code = ok ? 0 : e->code;
	if (ret->status == KERNEL_UNBUILDABLE)
		ret->failed_step = g_strdup(step);
	if (!ok && x.log && g_file_test(x.log, G_FILE_TEST_EXISTS))
		ret->log = g_strdup(x.log);
	if (ok && kernel_reorders(request)) {
		kernel_reorder(request, ret);
		ok = ret->status == KERNEL_OK;
	}
	if (ok && request->clean) {
		g_autofree char *other =
			g_build_filename(request->cache, "builds", ret->build, NULL);
		g_autoptr(json_t) meta = kernel_artifacts_open(other);
		if (meta)
			ret->incremental_sha256 = g_strdup(kx_json_str(meta, "vmlinux_sha256"));
	}
}
