/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "initcall/image.h"
#include "initcall/order.h"
#include "initcall/table.h"

/* An opened kernel file. */
typedef struct {
	GBytes *file;	      /* as it is on disk */
	GBytes *elf;	      /* the kernel proper: the file itself, or what a bzImage unpacks to */
	InitcallImage *image; /* NULL: the file is an ELF file */
	GBytes *map;	      /* symbols that come from elsewhere; NULL: its own */
	const char *path, *map_path;
} InitcallKernel;

/* The paths must live as long. */
bool initcall_kernel_open(InitcallKernel *k, const char *path, const char *map, GError **error);
void initcall_kernel_clear(InitcallKernel *k);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(InitcallKernel, initcall_kernel_clear)
InitcallTable *initcall_kernel_table(const InitcallKernel *k, GError **error);

/* The one of that name (FN or FN@MODULE), whose index is returned; -1 with *error. */
gint64 initcall_order_find(const InitcallOrder *o, const char *name, GError **error);
