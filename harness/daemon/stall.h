/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Campaigns that run and do not get on: no trial and no build has ended for limits.stall_minutes.
 * The journal says so once (kind stall), and once when one gets on again (stall-over). That it was
 * said stands in the progress, key stalled_us: so it is said once over restarts too. */
#pragma once

#include "base/json.h"
#include "daemon/queue.h"

typedef struct Daemon Daemon;

/* An event of its engine. */
void stall_event(Daemon *d, Submission *s, const json_t *event);
/* Looks at all that run; every few seconds. */
void stall_tick(Daemon *d);
