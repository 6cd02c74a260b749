/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "job/check.h"

typedef struct {
	Campaign *campaign;
	const CheckOptions *options;
	CheckResult *result;
} Check;

/* Adds a line and reports it; takes over `detail`. */
void check_add(Check *k, const char *group, CheckState state, const char *what, char *detail);
/* Tells that something long begins. */
void check_step(Check *k, const char *format, ...) G_GNUC_PRINTF(2, 3);
/* One machine. */
void check_target(Check *k, const TargetConfig *config);
/* check_versions.c: machines of versions; sources and patches of versions; size of a survey. */
void check_version_targets(Check *k);
void check_versions(Check *k);
void check_survey(Check *k);
