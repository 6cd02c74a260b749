/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Before a campaign's first sitting: `kexsect check --boot` in the engine's place, with its lease,
 * so that a campaign that cannot work ends at once and not after a night. It is a sitting of its
 * own (sitting.c): stopped, killed and left behind as an engine is; it is done when its result is
 * in the submission.
 *
 * Submission.preflight: null while it is to be done, else {"verdict": "ready", "wrong" (it cannot
 * work as it is), "doubted" (that, without a boot; to be looked at again) or "skipped", "text",
 * "time_us", "seconds", "checks": [those that are not ok], "sides", "q", "boot_s", "minutes"} as
 * docs/check.md has them.
 */
#pragma once

#include <glib.h>

#include "base/json.h"
#include "daemon/queue.h"

typedef struct Daemon Daemon;

typedef enum {
	PREFLIGHT_READY,
	PREFLIGHT_WRONG,   /* the campaign is to blame */
	PREFLIGHT_DOUBTED, /* so it seems; a process that was killed looks like that: again */
	PREFLIGHT_LOST,	   /* the target cannot be brought back */
	PREFLIGHT_LAB,	   /* a machine or a disk is */
	PREFLIGHT_NOTHING, /* it did not say */
} PreflightEnd;

/* It takes longer than this: the lab's failure. */
#define PREFLIGHT_LONGEST_S 7200

/* Whether it must be done now. One that is superfluous (an earlier run of the campaign has trials)
 * is marked as skipped. */
bool preflight_is_due(Daemon *d, Submission *s);
/* The command, ended by NULL. */
GPtrArray *preflight_command(const Daemon *d, const Submission *s);
/* Reads what it said (NULL: nothing). READY, WRONG and DOUBTED go into the submission, to be saved
 * with *ret_text, which is for people. *ret_machine: so often the target failed. */
PreflightEnd preflight_take(Submission *s, const json_t *said, gint64 began_us, char **ret_text,
			    unsigned *ret_machine);
/* {"verdict": "skipped", …}: new reference. */
json_t *preflight_skipped(const char *why);
