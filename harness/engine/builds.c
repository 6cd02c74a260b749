/* SPDX-License-Identifier: GPL-2.0-or-later */
/* `job build`: variants to kernels. */
#include "engine/engine-internal.h"

#include "base/error.h"

void engine_kernel_free(gpointer data)
{
	EngineKernel *k = data;
	g_free(k->hash);
	g_free(k->identity);
	g_free(k->kernel);
	g_free(k->vmlinux_sha256);
	g_free(k);
}

static EngineKernel *find(Engine *e, SearchMask mask, bool clean, bool launcher)
{
	mask = engine_compiled(e->campaign, mask);
	for (guint i = e->kernels->len; i-- > 0;) {
		EngineKernel *k = e->kernels->pdata[i];
		if (k->mask == mask && k->clean == clean && k->launcher == launcher)
			return k;
	}
	return NULL;
}

/* NULL as well when the artifact is gone (a pruned cache): then it is built again. */
EngineKernel *engine_kernel(Engine *e, SearchMask mask, bool clean, bool launcher)
{
	EngineKernel *k = find(e, mask, clean, launcher);
	return k && (!k->ok || g_file_test(k->kernel, G_FILE_TEST_EXISTS)) ? k : NULL;
}

/* Reproducible builds: clean and incremental give the same bytes, or one of them is stale. */
static void compare_clean(Engine *e, const EngineKernel *k)
{
	const EngineKernel *other = find(e, k->mask, !k->clean, k->launcher);
	if (!other || !other->ok || !k->ok || !*other->vmlinux_sha256 || !*k->vmlinux_sha256 ||
	    g_str_equal(other->vmlinux_sha256, k->vmlinux_sha256))
		return;
	g_autofree char *name = engine_set_name(e, k->mask);
	engine_note(e, "warning", "clean-differs", 0,
		    "%s: the clean build and the incremental one are not the same kernel "
		    "(vmlinux %.12s… and %.12s…)",
		    name, k->clean ? k->vmlinux_sha256 : other->vmlinux_sha256,
		    k->clean ? other->vmlinux_sha256 : k->vmlinux_sha256);
}

void engine_add_kernel(Engine *e, const StoreBuild *b)
{
	if (g_str_equal(b->status, "infra"))
		return;
	EngineKernel *k = g_new0(EngineKernel, 1);
	*k = (EngineKernel){.launcher = b->launcher,
			    .clean = b->clean,
			    .mask = b->mask,
			    .ok = g_str_equal(b->status, "ok"),
			    .hash = g_strdup(b->hash),
			    .identity = g_strdup(b->identity),
			    .kernel = g_strdup(b->kernel),
			    .vmlinux_sha256 = g_strdup(b->vmlinux_sha256)};
	if (!e->replaying)
		compare_clean(e, k);
	g_ptr_array_add(e->kernels, k);
	if (b->cached)
		return;
	double compile = kx_json_num(b->seconds, "compile", 0) +
			 kx_json_num(b->seconds, "apply", 0) +
			 kx_json_num(b->seconds, "configure", 0);
	if (k->ok)
		e->full_s = MAX(e->full_s, compile); /* the first one has nothing to build on */
	if (b->launcher)
		return;
	e->builds++;
	if (k->ok && compile > 0)
		g_array_append_val(k->clean ? e->clean_s : e->build_s, compile);
}

bool engine_start_build(Engine *e, SearchMask mask, bool clean, bool launcher, GError **error)
{
	g_autofree char *name = g_strdup_printf("%04u-build", e->next_build++);
	g_autoptr(json_t) request = engine_build_request(e->campaign, mask, launcher);
	json_object_set_new(request, "clean", json_boolean(clean));
	json_object_set_new(request, "sandbox", json_boolean(!e->options->no_sandbox));
	json_object_set_new(request, "cache", kx_json_text(e->options->cache));
	if (e->campaign->order && !launcher && !engine_order_request(e, mask, request, error))
		return false;
	e->job.mask = launcher ? 0 : engine_compiled(e->campaign, mask);
	e->job.clean = clean;
	e->job.launcher = launcher;
	return engine_start_job(e, JOB_BUILD, name, request, error);
}

static char *text_of(const json_t *line, const char *key)
{
	const char *text = kx_json_str(line, key);
	return g_strdup(text ? text : "");
}

static StoreBuild *read_result(const EngineJob *j, const json_t *line)
{
	StoreBuild *b = g_new0(StoreBuild, 1);
	b->launcher = j->launcher;
	b->mask = j->mask;
	b->clean = j->clean;
	b->cached = kx_json_bool(line, "cached", false);
	b->status = text_of(line, "status");
	b->reason = text_of(line, "reason");
	b->failed_step = text_of(line, "failed_step");
	b->hash = text_of(line, "build");
	b->identity = text_of(line, "identity");
	b->artifacts = text_of(line, "artifacts");
	b->kernel = text_of(line, "kernel");
	b->vmlinux_sha256 = text_of(line, "vmlinux_sha256");
	b->log = text_of(line, "log");
	b->seconds = json_incref(json_object_get(line, "seconds"));
	return b;
}

/* What is wrong with a result, or NULL. */
static const char *result_fault(const StoreBuild *b)
{
	if (g_str_equal(b->status, "unbuildable") || g_str_equal(b->status, "infra"))
		return NULL;
	if (!g_str_equal(b->status, "ok"))
		return "gave a result of unknown status";
	if (!*b->identity || !*b->kernel)
		return "gave a result without a kernel";
	if (!g_file_test(b->kernel, G_FILE_TEST_EXISTS))
		return "named a kernel that is not there";
	return NULL;
}

static void tell(Engine *e, const StoreBuild *b)
{
	double s = (double)(g_get_monotonic_time() - e->job.started_us) / G_USEC_PER_SEC;
	g_autofree char *name = engine_set_name(e, b->mask);
	engine_emit(e,
		    json_pack("{s:s, s:o, s:o, s:b, s:b, s:s, s:b, s:f, s:o, s:s}", "event",
			      "build", "name", kx_json_text(name), "variant",
			      engine_names_of(e, b->mask), "launcher", (int)b->launcher, "clean",
			      (int)b->clean, "status", b->status, "cached", (int)b->cached,
			      "seconds", s, "reason", kx_json_text(b->reason), "build", b->hash));
}

void engine_build_line(Engine *e, const json_t *line)
{
	EngineJob *j = &e->job;
	if (g_strcmp0(kx_json_str(line, "event"), "result") != 0 || j->result_seen)
		return;
	StoreBuild *b = read_result(j, line);
	const char *fault = result_fault(b);
	g_autoptr(GError) error = NULL;
	if (fault) {
		j->garbled_why = g_strdup(fault);
		engine_stop_job(e, false);
	} else {
		j->result_seen = true;
		j->result_ok = !g_str_equal(b->status, "infra");
		j->result_why = g_strdup(b->reason);
		engine_spend_build(e, b->seconds);
		j->accounted_us = g_get_monotonic_time();
		StoreTimes times = engine_times(e);
		if (!j->ending &&
		    !store_add_build(e->store, e->run->id, e->sitting, b, &times, &error))
			engine_fail(e, g_steal_pointer(&error));
		else if (!j->ending && j->result_ok) {
			tell(e, b);
			engine_add_kernel(e, b);
			if (g_str_equal(b->status, "unbuildable") && !b->launcher)
				e->plan->untestable(e, b->mask, false);
		}
	}
	store_build_free(b);
}

/* The launcher has no patches: if it does not compile, nothing will. */
static void fail_launcher(Engine *e)
{
	engine_fail(e, g_error_new(KX_ERROR, KX_ERROR_FAILED,
				   "%s: the base %s does not build without patches, so there is no "
				   "launcher: %s",
				   e->run->slug, e->campaign->base->name,
				   e->job.result_why ? e->job.result_why : "?"));
}

void engine_build_ended(Engine *e, int status)
{
	EngineJob *j = &e->job;
	if (e->stopping)
		return;
	g_autofree char *failure = engine_job_failure(j, status);
	if (failure) {
		/* A job that gave its result and crashed after it: the result is recorded, but an
		 * artifact of a job that crashed is not to be relied on. */
		EngineKernel *k = find(e, j->mask, j->clean, j->launcher);
		if (k && j->result_ok && !k->ok)
			k = NULL;
		if (k && j->result_ok)
			g_ptr_array_remove(e->kernels, k);
		g_autofree char *name = engine_set_name(e, j->mask);
		if (!j->result_seen)
			engine_emit(e, json_pack("{s:s, s:o, s:o, s:b, s:b, s:s, s:b, s:f, s:o, "
						 "s:s}",
						 "event", "build", "name", kx_json_text(name),
						 "variant", engine_names_of(e, j->mask), "launcher",
						 (int)j->launcher, "clean", (int)j->clean, "status",
						 "infra", "cached", 0, "seconds", 0.0, "reason",
						 kx_json_text(failure), "build", ""));
		g_autofree char *what = g_strdup_printf("(build job) %s", failure);
		engine_infra(e, j->mask, j->clean, j->launcher, what);
		return;
	}
	EngineKernel *k = find(e, j->mask, j->clean, j->launcher);
	engine_worked(e, j->mask, j->clean, j->launcher);
	if (j->launcher && k && !k->ok)
		fail_launcher(e);
	else
		engine_schedule(e, 0);
}
