/* SPDX-License-Identifier: GPL-2.0-or-later */
/* zstd (RFC 8878). The kernel's decompressor asks how long the first frame is, so room cannot be
 * filled by skippable frames (lib/decompress_unzstd.c); raw blocks of no bytes are, 3 bytes each,
 * and what follows the frame. */
#include <string.h>
#include <zstd.h>

#include "initcall/pack-internal.h"

#define BLOCK_HEADER 3

static bool zstd_unpack(const uint8_t *in, size_t len, uint8_t *out, size_t out_len)
{
	size_t frame = ZSTD_findFrameCompressedSize(in, len);
	return !ZSTD_isError(frame) && ZSTD_decompress(out, out_len, in, frame) == out_len;
}

/* RFC 8878, 3.1.1.1 */
static size_t header_length(uint8_t descriptor)
{
	static const uint8_t of_id[] = {0, 1, 2, 4}, of_size[] = {0, 2, 4, 8};
	bool single = descriptor >> 5 & 1;
	unsigned size = descriptor >> 6;
	return 5 + (single ? 0 : 1) + of_id[descriptor & 3] + (single && !size ? 1 : of_size[size]);
}

static size_t compress(const uint8_t *in, size_t in_len, uint8_t *out, size_t room, int attempt)
{
	ZSTD_CCtx *c = ZSTD_createCCtx();
	if (!c)
		return 0;
	ZSTD_CCtx_setParameter(c, ZSTD_c_compressionLevel, 22);
	ZSTD_CCtx_setParameter(c, ZSTD_c_contentSizeFlag, 1);
	if (attempt) { /* longer searches than what `zstd -22 --ultra` does */
		ZSTD_CCtx_setParameter(c, ZSTD_c_targetLength, ZSTD_BLOCKSIZE_MAX);
		ZSTD_CCtx_setParameter(c, ZSTD_c_searchLog, 12);
		ZSTD_CCtx_setParameter(c, ZSTD_c_minMatch, 3);
	}
	if (attempt > 1)
		ZSTD_CCtx_setParameter(c, ZSTD_c_enableLongDistanceMatching, 1);
	size_t n = ZSTD_compress2(c, out, room, in, in_len);
	ZSTD_freeCCtx(c);
	return ZSTD_isError(n) ? 0 : n;
}

static uint8_t *zstd_pack(const uint8_t *in, size_t in_len, size_t len)
{
	g_autofree uint8_t *packed = g_malloc(len);
	size_t n = 0;
	for (int attempt = 0; attempt < 3 && !n; attempt++)
		n = compress(in, in_len, packed, len, attempt);
	if (n < 6)
		return NULL;
	uint8_t *out = g_malloc0(len);
	size_t header = header_length(packed[4]);
	size_t blocks = (len - n) / BLOCK_HEADER * BLOCK_HEADER;
	memcpy(out, packed, header);
	memcpy(out + header + blocks, packed + header, n - header);
	return out;
}

const InitcallPacker initcall_zstd = {.name = "zstd",
				      .magic = {0x28, 0xb5, 0x2f, 0xfd},
				      .magic_len = 4,
				      .unpack = zstd_unpack,
				      .pack = zstd_pack};
