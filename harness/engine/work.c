/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "engine/work.h"

#include "base/error.h"
#include "base/fs.h"
#include "base/proc.h"
#include "engine/engine-internal.h"

#define GRACE_S 30 /* for a job to put its target down */

static void on_line(const char *text, gpointer user)
{
	EngineWork *w = user;
	g_autoptr(json_t) line = kx_json_parse(text, "job", NULL);
	const char *event = line ? kx_json_str(line, "event") : NULL;
	if (g_strcmp0(event, "result") == 0) {
		json_decref(w->result);
		w->result = json_incref(line);
	} else if (line && w->line) {
		w->line(event, line, w->user);
	}
}

bool engine_work(EngineWork *w, const char *kind, const json_t *request, GError **error)
{
	g_autofree char *name = g_strdup_printf("%s.json", kind);
	g_autofree char *path = g_build_filename(w->folder, name, NULL);
	KxProc proc = {.argv = (const char *const[]){w->program, "job", kind, path, NULL},
		       .fds = kx_proc_inherited()};
	g_clear_pointer(&w->result, json_decref);
	if (!kx_json_save(path, request, error) || !kx_child_run(&proc, on_line, w, GRACE_S, error))
		return false;
	if (!kx_cancelled())
		return true;
	g_set_error(error, KX_ERROR, KX_ERROR_CANCELLED, "%s: stopped on request", kind);
	return false;
}

bool engine_work_build(EngineWork *w, const Campaign *c, uint64_t mask, bool launcher,
		       GError **error)
{
	g_autoptr(json_t) request = engine_build_request(c, mask, launcher);
	json_object_set_new(request, "sandbox", json_boolean(w->sandbox));
	json_object_set_new(request, "cache", kx_json_text(w->cache));
	return engine_work(w, "build", request, error);
}

const char *engine_work_status(const EngineWork *w)
{
	const char *status = w->result ? kx_json_str(w->result, "status") : NULL;
	return status ? status : "";
}

const char *engine_work_reason(const EngineWork *w)
{
	const char *reason = w->result ? kx_json_str(w->result, "reason") : NULL;
	return reason ? reason : "the job crashed";
}

void engine_work_clear(EngineWork *w)
{
	g_clear_pointer(&w->result, json_decref);
}
