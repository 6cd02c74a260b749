/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The one error domain of the harness. Errors go up by GError; context is added where it is known.
 */
#pragma once

#include <glib.h>

#define KX_ERROR (kx_error_quark())
GQuark kx_error_quark(void);

/* What a caller may want to tell apart. The text of the GError is for people and says what was
 * wrong, where, and what to do. */
typedef enum {
	KX_ERROR_FAILED,   /* none of the below */
	KX_ERROR_INPUT,	   /* a file or a message that people or programs wrote is not acceptable */
	KX_ERROR_MISSING,  /* a file, tool, package or object that is needed is not there */
	KX_ERROR_DIGEST,   /* content is not what its recorded digest says */
	KX_ERROR_NO_SPACE, /* disk full, quota reached, or a size limit of ours */
	KX_ERROR_BUSY,	   /* somebody else holds it */
	KX_ERROR_TIMEOUT,  /* a deadline passed */
	KX_ERROR_CANCELLED, /* stopped on request (SIGINT, SIGTERM) */
	KX_ERROR_REFUSED, /* not done because it would be unsafe (no sandbox, path outside, …) */
} KxErrorCode;

/* Sets *error from errno value `err`, mapped to a code (ENOSPC, EDQUOT: NO_SPACE; ENOENT: MISSING;
 * else FAILED), with ": strerror" appended to the formatted text. */
void kx_set_errno(GError **error, int err, const char *format, ...) G_GNUC_PRINTF(3, 4);
