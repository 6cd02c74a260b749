/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The recovery ladder (target/recover.h) in a job's words. */
#pragma once

#include <jansson.h>

#include "target/target.h"

/* {"step", "started_us", "seconds", "limit", "ok", "detail"}; new. */
json_t *recovery_step_json(const TargetStep *step);
/* The same of each of `steps` (NULL: none). */
json_t *recovery_steps_json(const GPtrArray *steps);
/* Prints {"event": "recovery", "trial": N, "step": …}; trial < 0: without. */
void recovery_print(const TargetStep *step, int trial);
