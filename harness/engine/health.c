/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "engine/health.h"

#include "base/error.h"
#include "base/fs.h"
#include "base/proc.h"
#include "engine/engine-internal.h"

typedef struct {
	Health *h;
	json_t *result; /* the job's last line */
} Run;

void health_clear(Health *h)
{
	g_clear_pointer(&h->result, json_decref);
}

static void on_line(const char *text, gpointer user)
{
	Run *r = user;
	Health *h = r->h;
	g_autoptr(json_t) line = kx_json_parse(text, "job", NULL);
	const char *event = line ? kx_json_str(line, "event") : NULL;
	if (g_strcmp0(event, "result") == 0) {
		json_decref(r->result);
		r->result = json_incref(line);
	} else if (g_strcmp0(event, "recovery") == 0 && h->recovery) {
		h->recovery(line, h->user);
	} else if (g_strcmp0(event, "step") == 0 && h->step) {
		h->step(kx_json_str(line, "step"), h->user);
	}
}

/* Whatever it came to; false only when it could not be run. */
static bool run_job(Run *r, const char *kind, const char *folder, const json_t *request,
		    GError **error)
{
	g_autofree char *name = g_strdup_printf("%s.json", kind);
	g_autofree char *path = g_build_filename(folder, name, NULL);
	KxProc proc = {.argv = (const char *const[]){r->h->program, "job", kind, path, NULL}};
	g_clear_pointer(&r->result, json_decref);
	if (!kx_json_save(path, request, error) || !kx_child_run(&proc, on_line, r, 30, error))
		return false;
	if (!kx_cancelled())
		return true;
	g_set_error(error, KX_ERROR, KX_ERROR_CANCELLED, "stopped on request");
	return false;
}

static void set_result(Health *h, const char *what, const char *reason)
{
	h->result = json_pack("{s:s, s:s, s:b, s:o, s:[]}", "event", "result", "status", "failed",
			      "healthy", 0, "reason", NULL, "steps");
	g_autofree char *text =
		g_strdup_printf("%s: %s", what, reason ? reason : "the job crashed");
	json_object_set_new(h->result, "reason", kx_json_text(text));
}

/* The path of the launcher's kernel, a new string; NULL without *error: h->result says why there is
 * none. */
static char *launcher(Run *r, const Campaign *c, const TargetConfig *t, const char *folder,
		      GError **error)
{
	Health *h = r->h;
	if (!g_str_equal(t->launcher.kernel, "base"))
		return g_strdup(t->launcher.kernel);
	g_autoptr(json_t) request = engine_build_request(c, 0, true);
	json_object_set_new(request, "sandbox", json_boolean(!h->no_sandbox));
	json_object_set_new(request, "cache", kx_json_text(h->cache));
	if (h->step)
		h->step("building the launcher", h->user);
	if (!run_job(r, "build", folder, request, error))
		return NULL;
	if (r->result && g_strcmp0(kx_json_str(r->result, "status"), "ok") == 0)
		return g_strdup(kx_json_str(r->result, "kernel"));
	set_result(h, "the launcher's kernel could not be built",
		   r->result ? kx_json_str(r->result, "reason") : NULL);
	return NULL;
}

static bool climb(Run *r, const TargetConfig *t, const char *kernel, const char *folder,
		  GError **error)
{
	Health *h = r->h;
	g_autoptr(json_t) request =
		json_pack("{s:i, s:s, s:s, s:s}", "format", 1, "target", t->path, "launcher_kernel",
			  kernel, "cache", h->cache);
	if (!run_job(r, "health", folder, request, error))
		return false;
	if (r->result)
		h->result = json_incref(r->result);
	else
		set_result(h, "health", NULL);
	return kx_json_bool(h->result, "healthy", false);
}

static const TargetConfig *find_target(const Campaign *c, const char *name, GError **error)
{
	for (unsigned i = 0; i < c->target_names_count; i++)
		if (!name || g_str_equal(c->targets[i]->name, name))
			return c->targets[i];
	g_set_error(error, KX_ERROR, KX_ERROR_INPUT, "--target %s: %s has no such target", name,
		    c->path);
	return NULL;
}

bool health_run(Health *h, const Campaign *c, GError **error)
{
	const TargetConfig *t = find_target(c, h->target, error);
	g_autofree char *folder = t ? kx_temp_dir("health", error) : NULL;
	Run r = {.h = h};
	if (!folder)
		return false;
	g_autofree char *kernel = launcher(&r, c, t, folder, error);
	bool ok = kernel && climb(&r, t, kernel, folder, error);
	json_decref(r.result);
	kx_remove_tree(folder, NULL);
	return ok;
}
