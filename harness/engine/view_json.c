/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One JSON object per event on standard output. */
#include "engine/engine-internal.h"

static void event(Engine *e, const json_t *object)
{
	kx_json_line(object);
}

const EngineView engine_view_json = {.name = "json", .event = event};
