/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The candidates of a campaign that only the kernel's source can tell. */
#pragma once

#include <glib.h>
#include <stdbool.h>

#include "campaign/campaign.h"

/* Called now and then while it takes long; `step` is for people. */
typedef void (*ExpandStepFunc)(const char *step, gpointer user);

/* Finds the commits of a history and the differences of two .config files, and gives candidates the
 * weights of the paths that they touch (search.weights). Imports the source when it is needed and
 * not there. Once per campaign, after loading; nothing to do for most. `cache` is an absolute path;
 * `step` may be NULL. Errors: of the campaign file (with its position), of the source,
 * KX_ERROR_CANCELLED. */
bool expand_campaign(Campaign *c, const char *cache, bool sandbox, ExpandStepFunc step,
		     gpointer user, GError **error);
