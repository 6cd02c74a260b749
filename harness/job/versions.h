/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The sources of a campaign's versions. */
#pragma once

#include "job/expand.h"

/* Imports the source of each version that is not imported yet. What cannot be had is an error that
 * says which version, or with `skip` left out (campaign_leave_out, and a warning); that nothing is
 * left is an error. Nothing to do for campaigns without versions. `step` may be NULL. */
bool versions_prepare(Campaign *c, const char *cache, bool skip, ExpandStepFunc step, gpointer user,
		      GError **error);
