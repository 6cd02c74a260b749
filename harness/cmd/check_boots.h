/* SPDX-License-Identifier: GPL-2.0-or-later */
/* `check --boot`: real boots of both ends, what they say of q, and how long the night will take. */
#pragma once

#include "cmd/command.h"
#include "engine/ends.h"
#include "job/check.h"

typedef struct {
	unsigned most;	      /* boots to see a fault; 0: none at all */
	const char *evidence; /* folder that keeps that of the boots; NULL: none does */
} CheckBoots;

/* Adds its lines (group "boot") to the result and returns the object for --json: ends_json(), and
 * "forecast": [{"q", "draws", "seconds": {"p5", "p50", "p95"}, "boots": {…}, "builds",
 * "over_budget"}], "minutes": the median with q as estimated; null where there is no estimate.
 * *ret_lab: the lab failed, so the campaign is not to blame; *ret_machine: so many failures in a
 * row were the machine's. */
json_t *check_boots(const Campaign *c, const CheckOptions *options, const CommonOptions *common,
		    const CheckBoots *asked, CheckResult *result, bool *ret_lab,
		    unsigned *ret_machine);
