/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "engine/health.h"

#include "base/fs.h"
#include "engine/work.h"

void health_clear(Health *h)
{
	g_clear_pointer(&h->result, json_decref);
}

static void on_line(const char *event, const json_t *line, gpointer user)
{
	Health *h = user;
	if (g_strcmp0(event, "recovery") == 0 && h->recovery)
		h->recovery(line, h->user);
	else if (g_strcmp0(event, "step") == 0 && h->step)
		h->step(kx_json_str(line, "step"), h->user);
}

static void set_result(Health *h, const char *what, const char *reason)
{
	h->result = json_pack("{s:s, s:s, s:b, s:o, s:[]}", "event", "result", "status", "failed",
			      "healthy", 0, "reason", NULL, "steps");
	g_autofree char *text = g_strdup_printf("%s: %s", what, reason);
	json_object_set_new(h->result, "reason", kx_json_text(text));
}

/* The path of the launcher's kernel, a new string; NULL without *error: h->result says why there is
 * none. */
static char *launcher(Health *h, EngineWork *w, const Campaign *c, const TargetConfig *t,
		      GError **error)
{
	if (!g_str_equal(t->launcher.kernel, "base"))
		return g_strdup(t->launcher.kernel);
	if (h->step)
		h->step("building the launcher", h->user);
	if (!engine_work_build(w, c, 0, true, error))
		return NULL;
	if (g_str_equal(engine_work_status(w), "ok"))
		return g_strdup(kx_json_str(w->result, "kernel"));
	set_result(h, "the launcher's kernel could not be built", engine_work_reason(w));
	return NULL;
}

static bool climb(Health *h, EngineWork *w, const TargetConfig *t, const char *kernel,
		  GError **error)
{
	g_autoptr(json_t) request =
		json_pack("{s:i, s:s, s:s, s:s}", "format", 1, "target", t->path, "launcher_kernel",
			  kernel, "cache", h->cache);
	if (!engine_work(w, "health", request, error))
		return false;
	if (w->result)
		h->result = json_incref(w->result);
	else
		set_result(h, "health", engine_work_reason(w));
	return kx_json_bool(h->result, "healthy", false);
}

bool health_run(Health *h, const Campaign *c, GError **error)
{
	const TargetConfig *t = campaign_target(c, h->target, error);
	g_autofree char *folder = t ? kx_temp_dir("health", error) : NULL;
	if (!folder)
		return false;
	g_auto(EngineWork) w = {.program = h->program,
				.folder = folder,
				.cache = h->cache,
				.sandbox = !h->no_sandbox,
				.line = on_line,
				.user = h};
	g_autofree char *kernel = launcher(h, &w, c, t, error);
	bool ok = kernel && climb(h, &w, t, kernel, error);
	kx_remove_tree(folder, NULL);
	return ok;
}
