/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The other end of the daemon's UNIX socket, for commands: blocking, one request after the other.
 */
#pragma once

#include <stdbool.h>

#include "base/json.h"

typedef struct Client Client;

/* Where the daemon listens: $KEXSECT_SOCKET, else /run/kexsect/socket. Static storage. */
const char *client_default_socket(void);
/* MISSING when no daemon listens there; `path` NULL: the default. */
Client *client_new(const char *path, GError **error);
void client_free(Client *c);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Client, client_free)

/* Sends a request (taken over; "v" is added) and waits at most 90 s for its answer. NULL with the
 * daemon's error when it refused. */
json_t *client_ask(Client *c, json_t *request, GError **error);
/* The next line of a watch; waits. NULL at the end, or with *error when the connection broke. */
json_t *client_next(Client *c, GError **error);
