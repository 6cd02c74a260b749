/* SPDX-License-Identifier: GPL-2.0-or-later */
/* lz4's legacy frame (lz4 -l): a magic number, then blocks of 8 MiB, each after its packed length.
 * A magic number is skipped wherever a length could stand (lib/decompress_unlz4.c). */
#include <lz4.h>
#include <lz4hc.h>
#include <string.h>

#include "initcall/pack-internal.h"

#define BLOCK (8u << 20)
#define WORD 4

static const uint8_t magic[WORD] = {0x02, 0x21, 0x4c, 0x18};

static uint32_t get(const uint8_t *p)
{
	return p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

static bool lz4_unpack(const uint8_t *in, size_t len, uint8_t *out, size_t out_len)
{
	size_t at = 0, done = 0;
	while (len - at >= WORD && done < out_len) {
		size_t n = get(in + at);
		at += WORD;
		if (memcmp(in + at - WORD, magic, WORD) == 0)
			continue;
		if (!n || n > len - at)
			return false;
		int got = LZ4_decompress_safe((const char *)in + at, (char *)out + done, (int)n,
					      (int)MIN(out_len - done, BLOCK));
		if (got <= 0)
			return false;
		at += n;
		done += (size_t)got;
	}
	return done == out_len && at == len;
}

/* Returns how long it is, 0: longer than `len`. */
static size_t compress(const uint8_t *in, size_t in_len, uint8_t *out, size_t len, int level)
{
	size_t at = 0;
	for (size_t done = 0; done < in_len; done += BLOCK) {
		int part = (int)MIN(in_len - done, BLOCK);
		if (len - at <= WORD)
			return 0;
		int n = LZ4_compress_HC((const char *)in + done, (char *)out + at + WORD, part,
					(int)MIN(len - at - WORD, INT32_MAX), level);
		if (n <= 0)
			return 0;
		for (unsigned i = 0; i < WORD; i++)
			out[at + i] = (uint8_t)((unsigned)n >> 8 * i);
		at += WORD + (size_t)n;
	}
	return at;
}

/* Room is filled by words, so a level is looked for whose length leaves whole ones. */
static uint8_t *lz4_pack(const uint8_t *in, size_t in_len, size_t len)
{
	g_autofree uint8_t *packed = g_malloc(len);
	for (int level = 9; level <= LZ4HC_CLEVEL_MAX; level++) {
		size_t n = len > WORD ? compress(in, in_len, packed, len - WORD, level) : 0;
		if (!n || (len - n) % WORD)
			continue;
		uint8_t *out = g_malloc(len);
		for (size_t at = 0; at < len - n; at += WORD)
			memcpy(out + at, magic, WORD);
		memcpy(out + len - n, packed, n);
		return out;
	}
	return NULL;
}

const InitcallPacker initcall_lz4 = {.name = "lz4",
				     .magic = {0x02, 0x21, 0x4c, 0x18},
				     .magic_len = WORD,
				     .unpack = lz4_unpack,
				     .pack = lz4_pack};
