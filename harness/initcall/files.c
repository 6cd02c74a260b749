/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The source file of each initcall, from the compilation unit of its function. Only the units' own
 * entries are read, in the order in which they lie in the file, and the pages are given back on the
 * way: so it stays cheap with hundreds of megabytes of debug information. */
#include <dwarf.h>
#include <elfutils/libdw.h>
#include <gelf.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "initcall/table.h"

#define UNITS_AT_ONCE 32

typedef struct {
	Initcall *call;
	uint64_t address, unit; /* offset in .debug_info */
	bool found;
} Place;

static gint by_address(gconstpointer a, gconstpointer b)
{
	const Place *x = a, *y = b;
	return x->address < y->address ? -1 : x->address > y->address;
}

static gint by_unit(gconstpointer a, gconstpointer b)
{
	const Place *x = a, *y = b;
	return x->unit < y->unit ? -1 : x->unit > y->unit;
}

/* ---- .debug_aranges (DWARF 5, 6.1.2) ----
 * Read here, because libdw looks at every unit to read it. */

static const uint8_t *find_section(Elf *elf, const char *name, size_t *ret_len)
{
	size_t names;
	Elf_Scn *scn = NULL;
	if (elf_getshdrstrndx(elf, &names) != 0)
		return NULL;
	while ((scn = elf_nextscn(elf, scn))) {
		GElf_Shdr s;
		const char *is = gelf_getshdr(scn, &s) ? elf_strptr(elf, names, s.sh_name) : NULL;
		if (!is || strcmp(is, name) != 0 || s.sh_flags & SHF_COMPRESSED ||
		    s.sh_type == SHT_NOBITS)
			continue;
		Elf_Data *d = elf_rawdata(scn, NULL);
		*ret_len = d && d->d_buf ? d->d_size : 0;
		return *ret_len ? d->d_buf : NULL;
	}
	return NULL;
}

static uint64_t get(const uint8_t *p, unsigned bytes)
{
	uint64_t value = 0;
	memcpy(&value, p, bytes);
	return GUINT64_FROM_LE(value);
}

/* All initcalls in one range of a unit. */
static void mark(GArray *places, uint64_t start, uint64_t len, uint64_t unit)
{
	guint low = 0, high = places->len;
	while (low < high) {
		guint middle = low + (high - low) / 2;
		if (g_array_index(places, Place, middle).address < start)
			low = middle + 1;
		else
			high = middle;
	}
	for (; low < places->len; low++) {
		Place *p = &g_array_index(places, Place, low);
		if (p->address - start >= len)
			return;
		p->unit = unit;
		p->found = true;
	}
}

/* One set: length, version, offset of the unit, sizes of address and segment; then from a multiple
 * of 16 on pairs of address and length. */
static void read_ranges(const uint8_t *p, size_t len, GArray *places)
{
	for (size_t at = 0; len - at >= 16;) {
		uint64_t size = get(p + at, 4) + 4;
		/* the kernel is built with 32-bit DWARF */
		if (size < 16 || size > len - at || get(p + at + 4, 2) != 2 || p[at + 10] != 8 ||
		    p[at + 11])
			return;
		uint64_t unit = get(p + at + 6, 4);
		for (size_t i = at + 16; i + 16 <= at + size; i += 16)
			mark(places, get(p + i, 8), get(p + i + 8, 8), unit);
		at += size;
	}
}

/* The initcalls of which the unit is known, as the units lie in the file. */
static GArray *find_units(Elf *elf, const GPtrArray *slots)
{
	GArray *out = g_array_new(FALSE, FALSE, sizeof(Place));
	size_t len;
	const uint8_t *ranges = find_section(elf, ".debug_aranges", &len);
	if (!ranges)
		return out;
	for (guint i = 0; i < slots->len; i++) {
		Initcall *c = &((InitcallSlot *)slots->pdata[i])->call;
		g_array_append_val(out, ((Place){.call = c, .address = c->address}));
	}
	g_array_sort(out, by_address);
	read_ranges(ranges, len, out);
	g_array_sort(out, by_unit);
	return out;
}

/* ---- names ---- */

/* The symbol table names the file too: what does not agree is not believed. */
static bool is_same_file(const char *path, const char *base)
{
	const char *slash = strrchr(path, '/');
	return !base || strcmp(slash ? slash + 1 : path, base) == 0;
}

/* The unit's name is relative to the build folder, or absolute in a build elsewhere (O=). */
static void take_name(Dwarf *dwarf, const Place *p)
{
	Dwarf_Die unit;
	Dwarf_Attribute name;
	Dwarf_Off next;
	size_t header;
	if (!p->found ||
	    dwarf_next_unit(dwarf, p->unit, &next, &header, NULL, NULL, NULL, NULL, NULL, NULL) ||
	    !dwarf_offdie(dwarf, p->unit + header, &unit))
		return;
	const char *path = dwarf_formstring(dwarf_attr(&unit, DW_AT_name, &name));
	if (!path || !*path || !g_utf8_validate(path, -1, NULL) ||
	    !is_same_file(path, p->call->file))
		return;
	while (g_str_has_prefix(path, "./"))
		path += 2;
	g_free(p->call->file);
	p->call->file = g_strdup(path);
}

static void give_back(GBytes *file)
{
	gsize len;
	const void *start = g_bytes_get_data(file, &len);
	if (((uintptr_t)start & ((uintptr_t)sysconf(_SC_PAGESIZE) - 1)) == 0)
		madvise((void *)(uintptr_t)start, len, MADV_DONTNEED);
}

void initcall_table_find_files(InitcallTable *t, bool mapped)
{
	g_autoptr(GArray) places = find_units(t->elf->elf, t->slots);
	Dwarf *dwarf = places->len ? dwarf_begin_elf(t->elf->elf, DWARF_C_READ, NULL) : NULL;
	for (guint i = 0; dwarf && i < places->len; i++) {
		take_name(dwarf, &g_array_index(places, Place, i));
		if (mapped && i % UNITS_AT_ONCE == UNITS_AT_ONCE - 1)
			give_back(t->elf->bytes);
	}
	dwarf_end(dwarf);
}
