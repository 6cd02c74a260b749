/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Who may what by a token. The file <state>/tokens has a line for each: ID ROLE SHA256 TIME NAME.
 *
 * A token is 256 random bits, so there is nothing to guess and no dictionary to try: one SHA-256 is
 * as good as a slow password hash here, and a request costs no more than that. */
#pragma once

#include "daemon/daemon.h"

typedef enum { HTTP_NOBODY, HTTP_READ, HTTP_OPERATE, HTTP_ADMIN } HttpRole;

typedef struct HttpTokens HttpTokens;
/* The file is read again whenever it has changed, so removing a line ends a token. */
HttpTokens *http_tokens_new(const char *state);
void http_tokens_free(HttpTokens *t);
/* How many there are. A file that others may read or write counts as empty, with a warning. */
guint http_tokens_count(HttpTokens *t);
/* The role of a token, and who it is for the queue: an admin is the daemon's own user, anybody else
 * a user of his own whose number no login has. HTTP_NOBODY: there is no such token. The time that
 * it takes does not tell how much of it was right. */
HttpRole http_tokens_find(HttpTokens *t, const char *token, DaemonPeer *ret);
