/* SPDX-License-Identifier: GPL-2.0-or-later */
/* xz as scripts/xz_wrap.sh makes it (x86 branch filter, CRC-32, 32 MiB dictionary), with stronger
 * settings so that there is room, which blocks without content fill. */
#include <lzma.h>
#include <string.h>

#include "initcall/pack-internal.h"

#define DICTIONARY (32u << 20)
#define MEMORY (UINT64_C(256) << 20)
#define CHECK_BYTES 4
#define EMPTY_DATA (4 + CHECK_BYTES)
#define SMALLEST (12 + EMPTY_DATA + 4)

static bool xz_unpack(const uint8_t *in, size_t len, uint8_t *out, size_t out_len)
{
	uint64_t memory = MEMORY;
	size_t in_at = 0, out_at = 0;
	return lzma_stream_buffer_decode(&memory, 0, NULL, in, &in_at, len, out, &out_at,
					 out_len) == LZMA_OK &&
	       out_at == out_len;
}

typedef struct {
	uint8_t *out;
	size_t at, len;
	lzma_index *index;
	lzma_vli unpadded; /* of the block with the content */
	lzma_options_lzma options;
	lzma_filter filters[3]; /* x86, LZMA2, end */
} Xz;

/* The block that holds all of it. */
static bool add_content(Xz *x, const uint8_t *in, size_t in_len)
{
	lzma_block b = {.version = 0,
			.check = LZMA_CHECK_CRC32,
			.filters = x->filters,
			.compressed_size = LZMA_VLI_UNKNOWN,
			.uncompressed_size = LZMA_VLI_UNKNOWN};
	if (lzma_block_header_size(&b) != LZMA_OK || x->len - x->at < b.header_size ||
	    lzma_block_header_encode(&b, x->out + x->at) != LZMA_OK)
		return false;
	x->at += b.header_size;
	lzma_stream s = LZMA_STREAM_INIT;
	if (lzma_block_encoder(&s, &b) != LZMA_OK)
		return false;
	s.next_in = in;
	s.avail_in = in_len;
	s.next_out = x->out + x->at;
	s.avail_out = x->len - x->at;
	lzma_ret r;
	do
		r = lzma_code(&s, LZMA_FINISH);
	while (r == LZMA_OK && s.avail_out);
	x->at += s.total_out;
	lzma_end(&s);
	x->unpadded = lzma_block_unpadded_size(&b);
	return r == LZMA_STREAM_END;
}

/* A block without content: its header, LZMA2's end and padding, the CRC-32 of nothing. */
static bool add_empty(Xz *x, unsigned header)
{
	lzma_block b = {.version = 0,
			.check = LZMA_CHECK_CRC32,
			.filters = x->filters + 1,
			.compressed_size = LZMA_VLI_UNKNOWN,
			.uncompressed_size = LZMA_VLI_UNKNOWN,
			.header_size = header};
	if (x->len - x->at < header + EMPTY_DATA ||
	    lzma_block_header_encode(&b, x->out + x->at) != LZMA_OK)
		return false;
	memset(x->out + x->at + header, 0, EMPTY_DATA);
	x->at += header + EMPTY_DATA;
	return lzma_index_append(x->index, NULL, header + 1 + CHECK_BYTES, 0) == LZMA_OK;
}

/* How much is left when the stream has what the index holds now, the content not yet in it. */
static gint64 left(const Xz *x, size_t content, size_t in_len)
{
	lzma_index *i = lzma_index_dup(x->index, NULL);
	if (!i || lzma_index_append(i, NULL, x->unpadded, in_len) != LZMA_OK) {
		lzma_index_end(i, NULL);
		return -1;
	}
	lzma_vli ends = lzma_index_size(i) + LZMA_STREAM_HEADER_SIZE;
	lzma_index_end(i, NULL);
	return (gint64)x->len - (gint64)(x->at + content + ends);
}

/* Room in front of the content, until less is left than the smallest block takes. */
static bool fill(Xz *x, size_t content, size_t in_len)
{
	gint64 rest;
	while ((rest = left(x, content, in_len)) >= SMALLEST) {
		/* the index grows by 2 or 3 bytes, padded to 4 */
		gint64 header = rest - EMPTY_DATA - 4;
		if (!add_empty(x, (unsigned)MIN(header, LZMA_BLOCK_HEADER_SIZE_MAX) & ~3u))
			return false;
	}
	return rest >= 0;
}

static bool end_stream(Xz *x)
{
	lzma_stream_flags flags = {.version = 0, .check = LZMA_CHECK_CRC32};
	flags.backward_size = lzma_index_size(x->index);
	if (lzma_index_buffer_encode(x->index, x->out, &x->at, x->len) != LZMA_OK ||
	    x->len - x->at < LZMA_STREAM_HEADER_SIZE ||
	    lzma_stream_footer_encode(&flags, x->out + x->at) != LZMA_OK)
		return false;
	x->at += LZMA_STREAM_HEADER_SIZE;
	memset(x->out + x->at, 0, x->len - x->at); /* stream padding: less than SMALLEST */
	return true;
}

static bool make(Xz *x, const uint8_t *in, size_t in_len)
{
	lzma_stream_flags flags = {.version = 0, .check = LZMA_CHECK_CRC32};
	if (x->len <= LZMA_STREAM_HEADER_SIZE || !x->index ||
	    lzma_stream_header_encode(&flags, x->out) != LZMA_OK)
		return false;
	x->at = LZMA_STREAM_HEADER_SIZE;
	if (!add_content(x, in, in_len))
		return false;
	size_t n = x->at - LZMA_STREAM_HEADER_SIZE;
	g_autofree uint8_t *content = g_memdup2(x->out + LZMA_STREAM_HEADER_SIZE, n);
	x->at = LZMA_STREAM_HEADER_SIZE;
	if (!fill(x, n, in_len) ||
	    lzma_index_append(x->index, NULL, x->unpadded, in_len) != LZMA_OK)
		return false;
	memcpy(x->out + x->at, content, n);
	x->at += n;
	return end_stream(x);
}

static uint8_t *xz_pack(const uint8_t *in, size_t in_len, size_t len)
{
	Xz x = {.out = g_malloc(len), .len = len, .index = lzma_index_init(NULL)};
	lzma_lzma_preset(&x.options, 6 | LZMA_PRESET_EXTREME);
	x.options.dict_size = DICTIONARY;
	x.filters[0] = (lzma_filter){.id = LZMA_FILTER_X86};
	x.filters[1] = (lzma_filter){.id = LZMA_FILTER_LZMA2, .options = &x.options};
	x.filters[2] = (lzma_filter){.id = LZMA_VLI_UNKNOWN};
	if (!make(&x, in, in_len))
		g_clear_pointer(&x.out, g_free);
	lzma_index_end(x.index, NULL);
	return x.out;
}

const InitcallPacker initcall_xz = {.name = "xz",
				    .magic = {0xfd, '7', 'z', 'X', 'Z', 0},
				    .magic_len = 6,
				    .unpack = xz_unpack,
				    .pack = xz_pack};
