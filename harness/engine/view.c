/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "engine/engine-internal.h"

#include "base/log.h"

#define TICK_MS 250

static const EngineView *choose_view(const EngineOptions *o)
{
	switch (o->show) {
	case ENGINE_SHOW_PLAIN:
		return &engine_view_plain;
	case ENGINE_SHOW_JSON:
		return &engine_view_json;
	case ENGINE_SHOW_QUIET:
		return &engine_view_quiet;
	default:
		return kx_log_is_terminal() ? &engine_view_terminal : &engine_view_plain;
	}
}

static void nothing(Engine *e, const json_t *event)
{
}

const EngineView engine_view_quiet = {.name = "quiet", .event = nothing};

static gboolean on_tick(gpointer data)
{
	Engine *e = data;
	e->view->tick(e);
	return G_SOURCE_CONTINUE;
}

void engine_view_begin(Engine *e)
{
	e->view = choose_view(e->options);
	if (e->view->tick)
		e->view_source = g_timeout_add(TICK_MS, on_tick, e);
	if (e->view->clear)
		kx_log_set_before(e->view->clear);
	engine_emit(e,
		    json_pack("{s:s, s:s, s:s, s:s, s:s}", "event", "campaign", "run", e->run->slug,
			      "name", e->run->name, "title", e->run->title, "dir", e->run->dir));
}

void engine_view_end(Engine *e)
{
	g_clear_handle_id(&e->view_source, g_source_remove);
	if (e->view->clear) {
		e->view->clear();
		kx_log_set_before(NULL);
	}
}

void engine_emit(Engine *e, json_t *event)
{
	g_return_if_fail(event != NULL);
	if (e->view) {
		json_object_set_new(event, "elapsed", json_real(engine_elapsed(e)));
		e->view->event(e, event);
	}
	json_decref(event);
}

void engine_note(Engine *e, const char *level, const char *kind, unsigned trial, const char *format,
		 ...)
{
	va_list args;
	va_start(args, format);
	g_autofree char *text = g_strdup_vprintf(format, args);
	va_end(args);
	g_autoptr(GError) error = NULL;
	if (!g_str_equal(level, "info"))
		g_warning("%s", text);
	if (!store_add_event(e->store, e->run->id, level, kind, trial, text, &error))
		engine_fail(e, g_steal_pointer(&error));
	engine_emit(e, json_pack("{s:s, s:s, s:s, s:i, s:o}", "event", "note", "level", level,
				 "kind", kind, "trial", (int)trial, "text", kx_json_text(text)));
}
