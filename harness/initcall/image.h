/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A bzImage (Documentation/arch/x86/boot.rst): the setup code, and in it the compressed kernel, an
 * ELF file without symbols, with relocations after it. */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#include "initcall/pack.h"

typedef struct {
	size_t payload, payload_len; /* the compressed kernel: offset in the file, bytes */
	size_t setup_len;	     /* bytes before the protected-mode code */
	size_t checksum_at; /* of the CRC-32 at the end of the image; 0: it has none (6.16 on) */
	InitcallPacking packing;
	GBytes *kernel; /* unpacked */
} InitcallImage;

bool initcall_image_is(GBytes *file);
/* `what` names it in errors. */
InitcallImage *initcall_image_open(GBytes *file, const char *what, GError **error);
void initcall_image_free(InitcallImage *i);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(InitcallImage, initcall_image_free)
/* The image with another kernel of the same size in it; all lengths stay as they are, for they are
 * constants in its code. */
GByteArray *initcall_image_with(const InitcallImage *i, GBytes *file, GBytes *kernel,
				const char *what, GError **error);
/* Puts the checksum right. */
void initcall_image_sum(const InitcallImage *i, GByteArray *file);
