/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What can be known before the night: tools, sandbox, disk, target, oracle, sources, what applies
 * with what. (With real boots, whether both ends behave as the campaign says: engine/ends.h.) */
#pragma once

#include <glib.h>
#include <jansson.h>
#include <stdbool.h>

#include "campaign/campaign.h"

typedef enum { CHECK_OK, CHECK_WARNING, CHECK_BAD } CheckState;

typedef struct {
	const char *group; /* tools, disk, target, oracle, source, patches, boot; static */
	char *what;	   /* "gcc", "QEMU", … */
	char *detail;	   /* a version, or what is wrong and what to do */
	CheckState state;
} CheckLine;

typedef struct {
	/* the caller sets */
	const char *cache, *results; /* absolute */
	bool sandbox;
	bool source; /* import the source when it is missing, and try the patches (half a minute
			once) */
	const char *target; /* only this one of the campaign's; NULL: all */
	/* each line as soon as it is known; `line` is ours. Long steps are told with text and a
	 * NULL line. May be NULL. */
	void (*report)(const CheckLine *line, const char *step, gpointer user);
	gpointer user;
} CheckOptions;

typedef struct {
	GPtrArray *lines; /* of CheckLine */
	json_t *matrix;	  /* kernel_apply_matrix(), or NULL */
	unsigned bad, warnings;
} CheckResult;

void check_result_clear(CheckResult *r);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(CheckResult, check_result_clear)

/* Checks everything asked for and always fills *ret. True when nothing is bad. */
/* With `source` the candidates that only the source can tell are added to the campaign. */
bool check_campaign(Campaign *c, const CheckOptions *options, CheckResult *ret);

/* Adds a line that was found elsewhere and reports it; takes over `detail`. */
void check_note(CheckResult *r, const CheckOptions *options, const char *group, CheckState state,
		const char *what, char *detail);

/* kernel_apply_matrix() of a campaign's fixtures and candidates. */
json_t *check_matrix(const Campaign *c, const char *cache, GError **error);
