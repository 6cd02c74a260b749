/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The initcall table of a kernel, entry by entry with the places in the file that hold it: for who
 * reads it (initcall/order.h) and who rewrites it (initcall/rewrite.h).
 *
 * Between __initcall_start and __initcall_end lie the entries, early ones first: 4 bytes each,
 * 'function − here' (PREL32, from 4.19 on x86-64 and arm64), before that 8-byte pointers. Where the
 * levels 0…7 begin is in the array initcall_levels (init/main.c), which do_initcalls() goes by, and
 * in symbols; where the early ones end is a constant in the kernel's code. */
#pragma once

#include "initcall/elf.h"
#include "initcall/initcall.h"

#define INITCALL_BOUNDS 9 /* of initcall_levels: levels 0…7 and the end */

typedef struct {
	Initcall call;	/* what is run */
	uint64_t entry; /* address of the entry */
	size_t at;	/* where in the file the entry is (its addend, if the loader fills it in) */
	size_t named_at; /* where in the file the value of the symbol of the entry is; 0: nowhere */
} InitcallSlot;

typedef struct {
	InitcallElf *elf;
	unsigned entry_size;		   /* 4: PREL32, 8: pointers */
	GPtrArray *slots;		   /* InitcallSlot, in the order in which they run */
	uint64_t bounds[INITCALL_BOUNDS];  /* addresses */
	bool has_levels;		   /* the kernel has the array: 3.4 and later */
	size_t bounds_at[INITCALL_BOUNDS]; /* where in the file it is */
	/* where in the file the values of the symbols __initcallN_start and
	   __initcallrootfs_start are; 0: nowhere */
	size_t bounds_named_at[INITCALL_BOUNDS - 1], rootfs_named_at;
	uint64_t rootfs; /* address where the rootfs part begins */
} InitcallTable;

/* Reads it from the ELF file of a kernel. Symbols: those of the map (the bytes of a System.map or
 * of an ELF file), or when it is NULL the file's own. KX_ERROR_INPUT when the table is not
 * understood, KX_ERROR_MISSING when there are no symbols; `what` and `map_name` name them in
 * errors. */
InitcallTable *initcall_table_read(GBytes *elf, const char *what, GBytes *map, const char *map_name,
				   GError **error);
void initcall_table_free(InitcallTable *t);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(InitcallTable, initcall_table_free)

/* Which entry of initcall_levels a level belongs to (0…7: fs and rootfs are both 5); -1: early, -2:
 * console, -3: security. */
int initcall_level_bound(InitcallLevel level);

/* Fills in the files from the debug information; those that it does not know stay. `mapped`: the
 * bytes are a mapped file, whose pages may be given back. */
void initcall_table_find_files(InitcallTable *t, bool mapped);
