/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "base/error.h"

#include <errno.h>

G_DEFINE_QUARK(kexsect - error, kx_error)

void kx_set_errno(GError **error, int err, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	g_autofree char *text = g_strdup_vprintf(format, args);
	va_end(args);

	KxErrorCode code = KX_ERROR_FAILED;
	if (err == ENOSPC || err == EDQUOT)
		code = KX_ERROR_NO_SPACE;
	else if (err == ENOENT)
		code = KX_ERROR_MISSING;
	g_set_error(error, KX_ERROR, code, "%s: %s", text, g_strerror(err));
}
