/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Small kernels for the tests: ELF files with an initcall table and nothing behind it, and bzImages
 * around them. */
#pragma once

#include <elf.h>
#include <glib.h>
#include <stdbool.h>

#include "initcall/pack.h"

#define MADE_IDENTITY "kx0123456789ab"

typedef struct {
	const char *function;
	const char *level; /* as the linker has it: "early", "0", "6s", "rootfs", "con" */
	const char *module;
	unsigned line;
} MadeCall;

typedef struct {
	const MadeCall *calls; /* in the order of the table, NULL function at the end; console ones
				  first */
	bool arm64, pointers;  /* pointers: 8-byte entries, as before 4.19 */
	bool old_names;	       /* __initcall_FN6 */
	bool relocated;	       /* arm64: what points is in .rela.dyn and 0 in its place */
	bool stripped;
	bool no_levels; /* a kernel without initcall_levels */
	int kallsyms;	/* 1: as up to 6.3, 2: as from 6.4 */
} MadeKernel;

extern const MadeCall made_calls[]; /* two of each kind, about */

/* The ELF file. *ret_map: its System.map; may be NULL. */
GBytes *made_kernel(const MadeKernel *m, char **ret_map);
/* A bzImage with that in it, and `room` bytes more than the payload needs. */
GBytes *made_image(GBytes *kernel, InitcallPacking packing, size_t room);
/* Writes a file into a new temporary folder of this test program; the path is freed by the caller.
 */
char *made_file(const char *name, GBytes *bytes);
void made_clean(void);
