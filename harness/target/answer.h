/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Waiting for what runs on a machine to answer. */
#pragma once

#include "base/agent_protocol.h"
#include "target/driver.h"

/* A frame of the machine's agent; true: this is what was waited for. */
typedef bool (*AnswerFrameFunc)(AgentType type, const char *payload, gsize len, gpointer user);

typedef struct {
	double seconds;
	AnswerFrameFunc on_frame; /* NULL: the launcher's answer */
	gpointer user;
	const bool *ended; /* becomes true when the machine is gone; NULL: never */
} AnswerWait;

/* Pings the agent until on_frame says so. A link without an agent: until the launcher says on the
 * console that it is ready. Closes the link's streams. KX_ERROR_TIMEOUT after `seconds`,
 * KX_ERROR_CANCELLED; the error quotes the last console lines. */
bool answer_wait(const TargetLink *link, const AnswerWait *wait, GError **error);
