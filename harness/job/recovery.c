/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "job/recovery.h"

#include "base/json.h"

json_t *recovery_step_json(const TargetStep *s)
{
	return json_pack("{s:s, s:I, s:f, s:f, s:b, s:o}", "step", s->step, "started_us",
			 (json_int_t)s->started_us, "seconds", s->seconds, "limit", s->limit, "ok",
			 (int)s->ok, "detail", kx_json_text(s->detail ? s->detail : ""));
}

json_t *recovery_steps_json(const GPtrArray *steps)
{
	json_t *out = json_array();
	for (guint i = 0; steps && i < steps->len; i++)
		json_array_append_new(out, recovery_step_json(steps->pdata[i]));
	return out;
}

void recovery_print(const TargetStep *step, int trial)
{
	g_autoptr(json_t) line = json_pack("{s:s}", "event", "recovery");
	g_autoptr(json_t) said = recovery_step_json(step);
	if (trial >= 0)
		json_object_set_new(line, "trial", json_integer(trial));
	json_object_update(line, said);
	kx_json_line(line);
}
