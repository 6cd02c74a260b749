/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "initcall/pack-internal.h"

#include <string.h>

#include "base/error.h"

#define MAX_KERNEL (UINT64_C(512) << 20)
#define SIZE_BYTES 4

static const InitcallPacker *const packers[PACKING_MAX] = {
	[PACKING_GZIP] = &initcall_gzip,
	[PACKING_XZ] = &initcall_xz,
	[PACKING_ZSTD] = &initcall_zstd,
	[PACKING_LZ4] = &initcall_lz4,
};

static void put_size(uint8_t *at, size_t size)
{
	for (unsigned i = 0; i < SIZE_BYTES; i++)
		at[i] = (uint8_t)(size >> 8 * i);
}

static size_t get_size(const uint8_t *at)
{
	return at[0] | (size_t)at[1] << 8 | (size_t)at[2] << 16 | (size_t)at[3] << 24;
}

GBytes *initcall_unpack(const uint8_t *payload, size_t len, const char *what, InitcallPacking *ret,
			GError **error)
{
	int k = 0;
	while (k < PACKING_MAX &&
	       (len < 16 || memcmp(payload, packers[k]->magic, packers[k]->magic_len) != 0))
		k++;
	if (k == PACKING_MAX) {
		g_set_error(error, KX_ERROR, KX_ERROR_INPUT,
			    "%s: the kernel in it is packed in a way that is not known (gzip, xz, "
			    "zstd and lz4 are)",
			    what);
		return NULL;
	}
	const InitcallPacker *p = packers[k];
	size_t size = get_size(payload + len - SIZE_BYTES);
	uint8_t *out = size && size <= MAX_KERNEL ? g_try_malloc(size) : NULL;
	if (!out || !p->unpack(payload, p->has_size ? len : len - SIZE_BYTES, out, size)) {
		g_free(out);
		g_set_error(error, KX_ERROR, KX_ERROR_INPUT,
			    "%s: the kernel in it is damaged: its %s data do not unpack to the %zu "
			    "bytes that it says",
			    what, p->name, size);
		return NULL;
	}
	*ret = (InitcallPacking)k;
	return g_bytes_new_take(out, size);
}

GBytes *initcall_pack(InitcallPacking packing, GBytes *data, size_t len, const char *what,
		      GError **error)
{
	const InitcallPacker *p = packers[packing];
	gsize size;
	const uint8_t *in = g_bytes_get_data(data, &size);
	size_t stream = p->has_size ? len : len - SIZE_BYTES;
	g_autofree uint8_t *out = p->pack(in, size, stream);
	if (!out) {
		g_set_error(error, KX_ERROR, KX_ERROR_REFUSED,
			    "%s: packed again (%s) the kernel does not fit into the %zu bytes that "
			    "it had; rewrite its vmlinux instead",
			    what, p->name, len);
		return NULL;
	}
	if (!p->has_size) {
		out = g_realloc(out, len);
		put_size(out + stream, size);
	}
	/* what a decompressor makes of it is tried, not believed */
	g_autofree uint8_t *again = g_malloc(size);
	if (!p->unpack(out, stream, again, size) || memcmp(again, in, size) != 0) {
		g_set_error(error, KX_ERROR, KX_ERROR_FAILED,
			    "%s: packed again (%s) the kernel does not unpack to itself", what,
			    p->name);
		return NULL;
	}
	return g_bytes_new_take(g_steal_pointer(&out), len);
}
