/* SPDX-License-Identifier: GPL-2.0-or-later */
/* `check --boot`: real boots of both ends, what they say of q, and how long the night will take. */
#pragma once

#include "cmd/command.h"
#include "engine/ends.h"
#include "job/check.h"

/* Adds its lines (group "boot") to the result and returns the object for --json: ends_json(), and
 * "forecast": [{"q", "draws", "seconds": {"p5", "p50", "p95"}, "boots": {…}, "builds",
 * "over_budget"}], "minutes": the median with q as estimated; null where there is no estimate.
 * *ret_lab: the lab failed, so the campaign is not to blame; *ret_machine: the machine did. */
json_t *check_boots(const Campaign *c, const CheckOptions *options, const CommonOptions *common,
		    unsigned boots, CheckResult *result, bool *ret_lab, bool *ret_machine);
