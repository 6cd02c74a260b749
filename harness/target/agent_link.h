/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The harness's end of the agent's channel (base/agent_protocol.h), on the default main context. */
#pragma once

#include <glib.h>
#include <stdbool.h>

#include "base/agent_protocol.h"

typedef struct AgentLink AgentLink;

typedef void (*AgentLinkFunc)(AgentType type, const char *payload, gsize len, gpointer user);

/* Takes over the descriptor `fd`. */
AgentLink *agent_link_new(int fd, AgentLinkFunc on_frame, gpointer user);
void agent_link_free(AgentLink *l);

/* Queues a frame; `len` at most AGENT_MAX_PAYLOAD. */
void agent_link_send(AgentLink *l, AgentType type, const char *payload, gsize len);
void agent_link_send_text(AgentLink *l, AgentType type, const char *format, ...)
	G_GNUC_PRINTF(3, 4);
/* Queues a whole file under `name` (kernel or initrd). */
bool agent_link_send_file(AgentLink *l, const char *name, const char *path, GError **error);

/* Value of a "key=value" line of a HELLO; the caller frees it; NULL when it is not there. */
char *agent_hello_value(const char *hello, const char *key);
