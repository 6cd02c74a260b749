/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The ELF file of a kernel: what lies at an address, and its symbols. Nothing in the file is
 * believed: all that is handed out lies within it. */
#pragma once

#include <glib.h>
#include <libelf.h>
#include <stdbool.h>
#include <stdint.h>

typedef struct {
	GBytes *bytes; /* the whole file */
	Elf *elf;
	bool is_arm64;	/* else x86-64 */
	GArray *loads;	/* InitcallLoad: what is loaded where */
	GArray *relocs; /* InitcallReloc, by address: pointers that only the loader fills in */
	const Elf64_Sym *symbols;
	size_t symbols_count; /* 0: stripped */
	size_t symbols_at;    /* offset of the first one in the file */
	const char *names;
	size_t names_len;
} InitcallElf;

typedef struct {
	uint64_t address, size, offset; /* offset: in the file */
} InitcallLoad;
typedef struct {
	uint64_t address, value, offset; /* offset: of the addend in the file */
} InitcallReloc;

/* Keeps a reference to `bytes`; `what` names it in errors. KX_ERROR_INPUT for anything but a
 * 64-bit little-endian kernel of x86-64 or arm64 whose parts lie in the file without overlap. */
InitcallElf *initcall_elf_new(GBytes *bytes, const char *what, GError **error);
void initcall_elf_free(InitcallElf *e);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(InitcallElf, initcall_elf_free)

/* The offset in the file of `len` bytes at an address; false when not all of them are in it. */
bool initcall_elf_offset(const InitcallElf *e, uint64_t address, size_t len, size_t *ret);
/* The 8-byte pointer at an address, as it is once the kernel has relocated itself to where it was
 * linked, and where in the file it is kept. */
bool initcall_elf_pointer(const InitcallElf *e, uint64_t address, uint64_t *ret, size_t *ret_at);

/* ---- symbols, wherever they come from ---- */

typedef struct {
	const char *name;
	uint64_t address;
	bool is_function;
	const char *file; /* base name of the source file; NULL: not known */
	size_t at;	  /* offset of its value in the ELF file; 0: it is not from there */
} InitcallSymbol;
typedef void (*InitcallSymbolFunc)(const InitcallSymbol *s, gpointer user);

/* Calls for each named symbol of the table. */
void initcall_elf_symbols(const InitcallElf *e, InitcallSymbolFunc func, gpointer user);
/* The same for those that the kernel carries for itself (CONFIG_KALLSYMS; of data only with
 * KALLSYMS_ALL). False: there are none, or in a form that is not known. */
bool initcall_kallsyms(GBytes *kernel, InitcallSymbolFunc func, gpointer user);
/* The same for the text of a System.map; false (KX_ERROR_INPUT) when it is none. */
bool initcall_map_symbols(const char *text, size_t len, const char *what, InitcallSymbolFunc func,
			  gpointer user, GError **error);
