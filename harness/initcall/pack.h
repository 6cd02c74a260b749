/* SPDX-License-Identifier: GPL-2.0-or-later */
/* How a kernel is compressed in its image (scripts/Makefile.lib, cmd_gzip and others): a stream,
 * then but for gzip, which has it anyway, the unpacked size in 4 bytes. */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

typedef enum { PACKING_GZIP, PACKING_XZ, PACKING_ZSTD, PACKING_LZ4, PACKING_MAX } InitcallPacking;

/* The bytes must be all of the payload. KX_ERROR_INPUT: damaged, or packed in a way that is not
 * known (bzip2, lzma, lzo). `what` names it. */
GBytes *initcall_unpack(const uint8_t *payload, size_t len, const char *what, InitcallPacking *ret,
			GError **error);
/* A payload of exactly `len` bytes, so that nothing else in the image changes. Room that is left is
 * filled where the kernel's decompressor skips it, in front, since it unpacks in place and output
 * must not overtake input. KX_ERROR_REFUSED when it does not fit. */
GBytes *initcall_pack(InitcallPacking packing, GBytes *data, size_t len, const char *what,
		      GError **error);
