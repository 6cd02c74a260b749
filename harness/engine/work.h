/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Jobs that are no trial of a campaign: those of a health check, of both ends, of all phases. One
 * after the other, and nothing of them is stored. */
#pragma once

#include "base/json.h"
#include "campaign/campaign.h"

typedef struct {
	const char *program; /* kexsect itself */
	const char *folder;  /* requests are written there */
	const char *cache;
	bool sandbox; /* for builds */
	/* What the job tells, but its result. `event` may be NULL. */
	void (*line)(const char *event, const json_t *line, gpointer user);
	gpointer user;
	/* Filled in: its last result; NULL: it crashed. Owned. */
	json_t *result;
} EngineWork;

/* Runs `kexsect job KIND` on the request. False with *error set when it could not be started, or
 * was stopped on request. */
bool engine_work(EngineWork *w, const char *kind, const json_t *request, GError **error);
/* The same for the kernel of a variant, or the launcher's. */
bool engine_work_build(EngineWork *w, const Campaign *c, uint64_t mask, bool launcher,
		       GError **error);
/* The result's status ("" without one) and why it is no better. */
const char *engine_work_status(const EngineWork *w);
const char *engine_work_reason(const EngineWork *w);
void engine_work_clear(EngineWork *w);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(EngineWork, engine_work_clear)
