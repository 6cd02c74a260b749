/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A results folder that goes away, and records to put into its database. */
#pragma once

#include "store/store.h"

/* cmocka setup and teardown: *state is the path of a new folder. */
int sample_setup(void **state);
int sample_teardown(void **state);

/* Adds a run of `name` with three candidates a, b, c (c needs a); the caller frees it. */
StoreCampaign *sample_campaign(Store *s, const char *name);
/* Adds trial `number` of variant `mask` with one fault and a belief. */
bool sample_trial(Store *s, const StoreCampaign *c, gint64 sitting, unsigned number, uint64_t mask,
		  const char *outcome, GError **error);
