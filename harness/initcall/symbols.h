/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the symbols of a kernel say of its initcall table. */
#pragma once

#include "initcall/elf.h"
#include "initcall/initcall.h"
#include "initcall/table.h"

/* The symbol of one entry: __initcall_FN3 up to 5.10, __initcall__kmod_MOD__COUNTER_LINE_FN3 since
 * (include/linux/init.h); console ones end in nothing, later in 'con'. */
typedef struct {
	uint64_t address;
	char *function, *module; /* module: NULL in the old form */
	char *file;		 /* base name; NULL: not known */
	unsigned line;		 /* 0: not known */
	InitcallLevel level;	 /* that the source asked for; invalid: it does not say */
	size_t at;		 /* of its value in the file; 0: it is not from there */
} InitcallEntrySymbol;

/* One of the symbols that say where something begins; at: as above. */
typedef struct {
	bool known;
	uint64_t address;
	size_t at;
} InitcallMark;

typedef struct {
	InitcallMark start, end, bounds[INITCALL_BOUNDS - 1], rootfs, levels;
	InitcallMark console, console_end, security, security_end;
	GHashTable *by_address;	 /* of InitcallEntrySymbol */
	GHashTable *by_function; /* the same; NULL value: several have the name */
} InitcallSymbols;

void initcall_symbols_init(InitcallSymbols *s);
void initcall_symbols_clear(InitcallSymbols *s);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(InitcallSymbols, initcall_symbols_clear)
/* An InitcallSymbolFunc; `user` is the InitcallSymbols. */
void initcall_symbols_take(const InitcallSymbol *s, gpointer user);

/* Reads "__initcall…" or "__initstub…"; false when it is none. Strings are the caller's. */
bool initcall_symbol_parse(const char *name, InitcallEntrySymbol *ret);
void initcall_entry_symbol_free(gpointer data);
