/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "daemon/notice.h"

/* The first row's number of a statement with one value (receiver NULL: none); `fallback`: there is
 * no row. */
bool notice_number(Queue *q, gint64 fallback, gint64 *ret, GError **error, const char *statement,
		   const char *receiver);
/* A new message, inside of the caller's transaction. Its id; 0: *error. */
gint64 notice_add_row(Queue *q, const char *receiver, const char *type, const json_t *content,
		      GError **error);
