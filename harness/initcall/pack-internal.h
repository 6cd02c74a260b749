/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "initcall/pack.h"

/* One way to pack. The stream is all of the payload but for the size at its end (gzip has it in the
 * stream). */
typedef struct {
	const char *name;
	uint8_t magic[6];
	unsigned magic_len;
	bool has_size; /* in the stream itself */
	/* Fills `out`, which has room for exactly what it should give. */
	bool (*unpack)(const uint8_t *in, size_t len, uint8_t *out, size_t out_len);
	/* A stream of exactly `len` bytes, or NULL when it does not fit. */
	uint8_t *(*pack)(const uint8_t *in, size_t in_len, size_t len);
} InitcallPacker;

extern const InitcallPacker initcall_gzip, initcall_xz, initcall_zstd, initcall_lz4;
