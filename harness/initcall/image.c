/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "initcall/image.h"

#include <string.h>
#include <zlib.h>

#include "base/error.h"

/* Offsets in the setup header (Documentation/arch/x86/boot.rst). */
#define SETUP_SECTS 0x1f1
#define SYSSIZE 0x1f4
#define BOOT_FLAG 0x1fe
#define HEADER 0x202
#define VERSION 0x206
#define PAYLOAD_OFFSET 0x248
#define PAYLOAD_LENGTH 0x24c
#define LEAST 0x260
#define SECTOR 512
#define CHECKSUM 4

static uint32_t get32(const uint8_t *p)
{
	return p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

bool initcall_image_is(GBytes *file)
{
	gsize len;
	const uint8_t *p = g_bytes_get_data(file, &len);
	return len >= LEAST && p[BOOT_FLAG] == 0x55 && p[BOOT_FLAG + 1] == 0xaa &&
	       memcmp(p + HEADER, "HdrS", 4) == 0;
}

void initcall_image_free(InitcallImage *i)
{
	if (!i)
		return;
	g_clear_pointer(&i->kernel, g_bytes_unref);
	g_free(i);
}

/* CRC-32 of all before it, without the final inversion (arch/x86/boot/tools/build.c). */
static uint32_t checksum(const uint8_t *p, size_t len)
{
	return ~(uint32_t)crc32_z(0, p, len);
}

static size_t find_checksum(const uint8_t *p, size_t len, size_t setup)
{
	/* a signature may follow the image proper */
	uint64_t end = setup + (uint64_t)get32(p + SYSSIZE) * 16;
	if (end > len || end < setup + CHECKSUM)
		return 0;
	size_t at = (size_t)end - CHECKSUM;
	return get32(p + at) == checksum(p, at) ? at : 0;
}

InitcallImage *initcall_image_open(GBytes *file, const char *what, GError **error)
{
	g_autoptr(InitcallImage) i = g_new0(InitcallImage, 1);
	gsize len;
	const uint8_t *p = g_bytes_get_data(file, &len);
	if (!initcall_image_is(file) || (p[VERSION] | p[VERSION + 1] << 8) < 0x0208) {
		g_set_error(error, KX_ERROR, KX_ERROR_INPUT,
			    "%s: it is no bzImage that says where its kernel is (boot protocol "
			    "2.08, Linux 2.6.26)",
			    what);
		return NULL;
	}
	i->setup_len = ((p[SETUP_SECTS] ? p[SETUP_SECTS] : 4u) + 1) * SECTOR;
	uint64_t at = (uint64_t)i->setup_len + get32(p + PAYLOAD_OFFSET);
	i->payload_len = get32(p + PAYLOAD_LENGTH);
	if (at > len || i->payload_len > len - at) {
		g_set_error(error, KX_ERROR, KX_ERROR_INPUT,
			    "%s: it is cut off: the kernel in it ends behind it", what);
		return NULL;
	}
	i->payload = (size_t)at;
	i->kernel = initcall_unpack(p + at, i->payload_len, what, &i->packing, error);
	if (!i->kernel)
		return NULL;
	i->checksum_at = find_checksum(p, len, i->setup_len);
	return g_steal_pointer(&i);
}

GByteArray *initcall_image_with(const InitcallImage *i, GBytes *file, GBytes *kernel,
				const char *what, GError **error)
{
	g_autoptr(GBytes) packed = initcall_pack(i->packing, kernel, i->payload_len, what, error);
	if (!packed)
		return NULL;
	gsize len;
	const uint8_t *old = g_bytes_get_data(file, &len);
	GByteArray *out = g_byte_array_sized_new((guint)len);
	g_byte_array_append(out, old, (guint)len);
	memcpy(out->data + i->payload, g_bytes_get_data(packed, NULL), i->payload_len);
	return out;
}

void initcall_image_sum(const InitcallImage *i, GByteArray *file)
{
	if (!i->checksum_at)
		return;
	uint32_t sum = checksum(file->data, i->checksum_at);
	for (unsigned k = 0; k < CHECKSUM; k++)
		file->data[i->checksum_at + k] = (uint8_t)(sum >> 8 * k);
}
