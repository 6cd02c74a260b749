/* SPDX-License-Identifier: GPL-2.0-or-later */
/* gzip (RFC 1951, 1952). The kernel's decompressor knows of the header's flags only the file name
 * (lib/decompress_inflate.c). */
#include <libdeflate.h>
#include <string.h>

#include "initcall/pack-internal.h"

#define HEADER 10
#define TRAILER 8
#define FNAME 0x08

static bool gzip_unpack(const uint8_t *in, size_t len, uint8_t *out, size_t out_len)
{
	struct libdeflate_decompressor *d = libdeflate_alloc_decompressor();
	size_t got = 0;
	bool ok = d &&
		  libdeflate_gzip_decompress(d, in, len, out, out_len, &got) == LIBDEFLATE_SUCCESS;
	libdeflate_free_decompressor(d);
	return ok && got == out_len;
}

/* Bits go into bytes from the lowest up. `at` counts them. */
static void put_bits(uint8_t *to, size_t *at, unsigned value, unsigned count)
{
	for (unsigned i = 0; i < count; i++, (*at)++)
		if (value >> i & 1)
			to[*at / 8] |= (uint8_t)(1u << *at % 8);
}

/* Blocks without content that take exactly `room` bytes: k blocks of fixed codes (10 bits each),
 * then a stored one, which ends on a byte (5 bytes). Returns what it could not fill: 1…4. */
static size_t fill_blocks(uint8_t *to, size_t room)
{
	size_t at = 0;
	memset(to, 0, room);
	while (room - at >= 5) {
		size_t left = room - at, bits = at * 8;
		unsigned k = left < 10 && left != 8 ? (unsigned[]){0, 1, 2, 0, 3}[left - 5] : 0;
		for (unsigned i = 0; i < k; i++)
			put_bits(to, &bits, 1 << 1, 10);
		bits += 3; /* stored, not the last */
		at = (bits + 7) / 8;
		to[at + 2] = to[at + 3] = 0xff;
		at += 4;
	}
	return room - at;
}

/* A name of n − 1 letters and its end: for rooms that no block fits. */
static size_t fill_name(uint8_t *out, size_t n)
{
	if (!n)
		return 0;
	out[3] |= FNAME;
	memset(out + HEADER, 'k', n - 1);
	out[HEADER + n - 1] = '\0';
	return n;
}

static uint8_t *frame(const uint8_t *deflate, size_t n, const uint8_t *in, size_t in_len,
		      size_t len)
{
	static const uint8_t header[HEADER] = {0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 2, 3};
	uint8_t *out = g_malloc(len);
	size_t room = len - HEADER - TRAILER - n;
	memcpy(out, header, HEADER);
	/* what blocks leave over is known only when they are laid */
	g_autofree uint8_t *blocks = g_malloc(room + 1);
	size_t rest = fill_blocks(blocks, room);
	size_t name = fill_name(out, rest);
	memcpy(out + HEADER + name, blocks, room - rest);
	memcpy(out + HEADER + room, deflate, n);
	uint32_t ends[2] = {libdeflate_crc32(0, in, in_len), (uint32_t)in_len};
	for (unsigned i = 0; i < TRAILER; i++)
		out[len - TRAILER + i] = (uint8_t)(ends[i / 4] >> 8 * (i % 4));
	return out;
}

/* The quickest level that fits: 9 is as small as what gzip -9 makes, 12 some 4 % smaller. */
static uint8_t *gzip_pack(const uint8_t *in, size_t in_len, size_t len)
{
	if (len <= HEADER + TRAILER)
		return NULL;
	size_t room = len - HEADER - TRAILER;
	g_autofree uint8_t *deflate = g_malloc(room);
	for (int level = 9; level <= 12; level++) {
		struct libdeflate_compressor *c = libdeflate_alloc_compressor(level);
		size_t n = c ? libdeflate_deflate_compress(c, in, in_len, deflate, room) : 0;
		libdeflate_free_compressor(c);
		if (n)
			return frame(deflate, n, in, in_len, len);
	}
	return NULL;
}

const InitcallPacker initcall_gzip = {.name = "gzip",
				      .magic = {0x1f, 0x8b, 8},
				      .magic_len = 3,
				      .has_size = true,
				      .unpack = gzip_unpack,
				      .pack = gzip_pack};
