/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * http: the daemon's queue, what the runs left, live events and metrics by HTTP/JSON, version 1
 * (docs/api.md).
 *
 * libmicrohttpd runs inside of the daemon's main loop: its epoll descriptor is one source, there
 * are no threads. What a request may cost is bounded: bytes, rows, time, connections.
 *
 * Who may what: on a loopback address whoever may use the UNIX socket reads (read_without_token),
 * who wants to change something shows a token. Another address is listened on only with TLS and
 * tokens.
 */
#pragma once

#include "daemon/daemon.h"

/* Listens where the configuration says; when that or the certificate is another one after a reload,
 * new connections get the new one, and those that there are come to their end. Fails with INPUT
 * (the address, the certificate), REFUSED (not loopback, and no TLS or no token), BUSY (somebody
 * listens there; only a warning when the address is the default one). */
extern const DaemonFront http_front;

/* Makes a token for `role` (read, operate, admin) and adds what is needed to recognise it to the
 * file <state>/tokens. `name` (letters, digits, ._-; at most 32) is shown as the owner of what it
 * submits. The token, for the caller to free and to show once. A running daemon knows it at once.
 */
char *http_new_token(const char *state, const char *role, const char *name, GError **error);
