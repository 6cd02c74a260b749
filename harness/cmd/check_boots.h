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

typedef struct {
	bool failed;	  /* the lab did, so the campaign is not to blame */
	unsigned machine; /* so many failures in a row were the machine's */
	bool lost;	  /* the recovery ladder was climbed in vain */
} CheckLab;

/* Adds its lines (group "boot") to the result and returns the object for --json: ends_json(), and
 * "forecast": [{"q", "draws", "seconds": {"p5", "p50", "p95"}, "boots": {…}, "builds",
 * "over_budget"}], "minutes": the median with q as estimated; null where there is no estimate. */
json_t *check_boots(const Campaign *c, const CheckOptions *options, const CommonOptions *common,
		    const CheckBoots *asked, CheckResult *result, CheckLab *ret);
