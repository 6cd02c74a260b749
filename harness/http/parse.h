/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the headers of a request mean. Pure: all of it is a stranger's text. */
#pragma once

#include <glib.h>
#include <stdbool.h>

typedef enum { HTTP_RANGE_ALL, HTTP_RANGE_PART, HTTP_RANGE_OUTSIDE } HttpRange;

/* The header Range (NULL: none) of a file of `size` bytes. PART: *ret_len > 0 bytes from *ret_from.
 * OUTSIDE: none of its bytes is there. ALL: none that counts; one in another unit, several, or what
 * is no range is ignored (RFC 9110, section 14.2). */
HttpRange http_parse_range(const char *text, guint64 size, guint64 *ret_from, guint64 *ret_len);
/* Whether the header If-None-Match (NULL: none) names `etag`. */
bool http_parse_has_etag(const char *list, const char *etag);
/* The host of a header Host, without the port and brackets. */
char *http_parse_host(const char *text);
/* Whether a content type (NULL: none) is JSON's. */
bool http_parse_is_json(const char *type);
