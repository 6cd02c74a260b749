/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "made.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fs.h"

#include <zlib.h>

#define BASE UINT64_C(0xffffffff81000000)
#define TEXT 0x100 /* offset in the file, and from BASE */
#define MAX_LEVELS 9

const MadeCall made_calls[] = {
	{"con_init", "con", "vt", 3549},
	{"univ8250_console_init", "con", "8250", 690},
	{"cpu_stop_init", "early", "stop_machine", 584},
	{"spawn_ksoftirqd", "early", "softirq", 1021},
	{"init_mmap_min_addr", "0", "min_addr", 53},
	{"net_ns_init", "0", "net_namespace", 400},
	{"iommu_init", "1", "iommu", 2575},
	{"wq_sysfs_init", "1", "workqueue", 5709},
	{"xen_late", "1s", "xen", 12},
	{"irq_sysfs_init", "2", "irqdesc", 334},
	{"pci_arch_init", "3", "init", 51},
	{"acpi_init", "4", "acpi", 1445},
	{"pci_slot_init", "4", "slot", 403},
	{"init", "4", "alpha", 1},
	{"init", "5", "beta", 2},
	{"pci_quirk", "5s", "quirks", 210},
	{"populate_rootfs", "rootfs", "initramfs", 748},
	{"pci_iommu_init", "rootfs", "pci_dma", 208},
	{"mod6", "6", "mod", 60},
	{"serial8250_init", "6", "8250", 1250},
	{"deferred_probe_initcall", "7", "dd", 358},
	{"clk_disable_unused", "7s", "clk", 1396},
	{NULL, NULL, NULL, 0},
};

typedef struct {
	GByteArray *file;
	GByteArray *symbols, *strings;
	GString *map;
	GByteArray *rela;
	const MadeKernel *m;
} Maker;

static void pad(GByteArray *a, guint to)
{
	while (a->len < to)
		g_byte_array_append(a, (const guint8 *)"", 1);
}

static void put(GByteArray *a, uint64_t value, unsigned bytes)
{
	for (unsigned i = 0; i < bytes; i++)
		g_byte_array_append(a, &(guint8){(guint8)(value >> 8 * i)}, 1);
}

static uint64_t here(const Maker *x)
{
	return BASE + x->file->len;
}

static void symbol(Maker *x, const char *name, uint64_t value, unsigned type, unsigned bind)
{
	put(x->symbols, x->strings->len, 4);
	put(x->symbols, ELF64_ST_INFO(bind, type), 1);
	put(x->symbols, 0, 1);
	put(x->symbols, type == STT_FILE ? SHN_ABS : 1, 2);
	put(x->symbols, value, 8);
	put(x->symbols, 0, 8);
	g_byte_array_append(x->strings, (const guint8 *)name, (guint)strlen(name) + 1);
	if (type != STT_FILE)
		g_string_append_printf(x->map, "%016" G_GINT64_MODIFIER "x %c %s\n", value,
				       type == STT_FUNC ? 't' : 'd', name);
}

static void pointer(Maker *x, uint64_t value)
{
	if (x->m->relocated) {
		put(x->rela, here(x), 8);
		put(x->rela, R_AARCH64_RELATIVE, 8);
		put(x->rela, value, 8);
	}
	put(x->file, x->m->relocated ? 0 : value, 8);
}

static bool in(const MadeCall *c, const char *level)
{
	return g_str_equal(c->level, level);
}

static void entry(Maker *x, guint i)
{
	const MadeCall *c = &x->m->calls[i];
	uint64_t function = BASE + TEXT + 16 * i;
	bool bare = x->m->old_names && in(c, "con");
	g_autofree char *file = g_strdup_printf("%s.c", c->module);
	g_autofree char *name =
		x->m->old_names
			? g_strdup_printf("__initcall_%s%s", c->function, bare ? "" : c->level)
			: g_strdup_printf("__initcall__kmod_%s__%u_%u_%s%s", c->module, 100 + i,
					  c->line, c->function, c->level);
	symbol(x, file, 0, STT_FILE, STB_LOCAL);
	symbol(x, c->function, function, STT_FUNC, STB_LOCAL);
	symbol(x, name, here(x), STT_OBJECT, STB_LOCAL);
	if (x->m->pointers)
		pointer(x, function);
	else
		put(x->file, function - here(x), 4);
}

static void mark(Maker *x, const char *name)
{
	symbol(x, name, here(x), STT_NOTYPE, STB_GLOBAL);
}

static void table(Maker *x, uint64_t *bounds)
{
	static const char *const levels[] = {"early", "0", "1",	     "2", "3",
					     "4",     "5", "rootfs", "6", "7"};
	unsigned bound = 0;
	mark(x, "__con_initcall_start");
	for (guint i = 0; x->m->calls[i].function; i++)
		if (in(&x->m->calls[i], "con"))
			entry(x, i);
	mark(x, "__con_initcall_end");
	pad(x->file, (x->file->len + 15) / 16 * 16);
	mark(x, "__initcall_start");
	for (guint l = 0; l < G_N_ELEMENTS(levels); l++) {
		g_autofree char *start = g_strdup_printf("__initcall%s_start", levels[l]);
		g_autofree char *sync = g_strdup_printf("%ss", levels[l]);
		if (l)
			mark(x, start);
		if (l && !g_str_equal(levels[l], "rootfs"))
			bounds[bound++] = here(x);
		for (guint i = 0; x->m->calls[i].function; i++)
			if (in(&x->m->calls[i], levels[l]) || in(&x->m->calls[i], sync))
				entry(x, i);
	}
	bounds[bound] = here(x);
	mark(x, "__initcall_end");
}

static uint64_t section(GByteArray *out, uint32_t type, uint64_t flags, uint64_t address,
			uint64_t offset, uint64_t size, uint32_t link, uint64_t entry_size)
{
	put(out, 0, 4);
	put(out, type, 4);
	put(out, flags, 8);
	put(out, address, 8);
	put(out, offset, 8);
	put(out, size, 8);
	put(out, link, 4);
	put(out, 0, 4);
	put(out, 8, 8);
	put(out, entry_size, 8);
	return offset + size;
}

/* ---- kallsyms ---- */

#define BELOW 64 /* per-CPU symbols: absolute ones */

static void put_offsets(GByteArray *out, GArray *addresses)
{
	for (guint i = 0; i < addresses->len; i++) {
		uint64_t a = g_array_index(addresses, uint64_t, i);
		put(out, a < BASE ? a : BASE - 1 - a, 4);
	}
	pad(out, (out->len + 7) / 8 * 8);
	put(out, BASE, 8);
}

/* Every token is one letter, so names are as they are; 300 more symbols make it a kernel's. */
static void kallsyms(Maker *x)
{
	GByteArray *f = x->file, *names = g_byte_array_new();
	g_autoptr(GArray) addresses = g_array_new(FALSE, FALSE, sizeof(uint64_t));
	g_autoptr(GArray) markers = g_array_new(FALSE, FALSE, sizeof(guint));
	for (guint i = 0; i < 300; i++)
		g_string_append_printf(x->map, "%016" G_GINT64_MODIFIER "x t filler_%u\n",
				       i < BELOW ? i : BASE + 0x40 + i, i);
	g_auto(GStrv) lines = g_strsplit(x->map->str, "\n", -1);
	for (char **l = lines; *l && **l; l++) {
		uint64_t address = g_ascii_strtoull(*l, NULL, 16);
		if (addresses->len % 256 == 0)
			g_array_append_val(markers, names->len);
		g_array_append_val(addresses, address);
		size_t n = strlen(*l + 19) + 1;
		put(names, n, 1);
		put(names, (guint8)(*l)[17], 1);
		g_byte_array_append(names, (const guint8 *)*l + 19, (guint)n - 1);
	}
	pad(f, (f->len + 7) / 8 * 8);
	if (x->m->kallsyms == 1)
		put_offsets(f, addresses);
	put(f, addresses->len, 8);
	g_byte_array_append(f, names->data, names->len);
	pad(f, (f->len + 7) / 8 * 8);
	for (guint i = 0; i < markers->len; i++)
		put(f, g_array_index(markers, guint, i), 4);
	pad(f, (f->len + 7) / 8 * 8);
	for (guint i = 0; i < 256; i++)
		put(f, i, i ? 2 : 1); /* the letter and its end */
	pad(f, (f->len + 7) / 8 * 8);
	for (guint i = 0; i < 256; i++)
		put(f, i ? 2 * i - 1 : 0, 2);
	if (x->m->kallsyms == 2)
		put_offsets(f, addresses);
	g_byte_array_unref(names);
}

/* Section headers: nothing, code and data, relocations, symbols, their names. */
static void finish(Maker *x)
{
	GByteArray *f = x->file, *s = g_byte_array_new();
	uint64_t code_end = f->len, rela = (f->len + 7) / 8 * 8;
	pad(f, (guint)rela);
	g_byte_array_append(f, x->rela->data, x->rela->len);
	uint64_t loaded = f->len;
	section(s, SHT_NULL, 0, 0, 0, 0, 0, 0);
	section(s, SHT_PROGBITS, SHF_ALLOC, BASE + TEXT, TEXT, code_end - TEXT, 0, 0);
	section(s, SHT_RELA, SHF_ALLOC, BASE + rela, rela, x->rela->len, 0, sizeof(Elf64_Rela));
	if (!x->m->stripped) {
		uint64_t symbols = f->len;
		g_byte_array_append(f, x->symbols->data, x->symbols->len);
		uint64_t strings = section(s, SHT_SYMTAB, 0, 0, symbols, x->symbols->len, 4,
					   sizeof(Elf64_Sym));
		g_byte_array_append(f, x->strings->data, x->strings->len);
		section(s, SHT_STRTAB, 0, 0, strings, x->strings->len, 0, 0);
	}
	pad(f, (f->len + 7) / 8 * 8);
	Elf64_Ehdr h = {.e_type = ET_EXEC,
			.e_machine = x->m->arm64 ? EM_AARCH64 : EM_X86_64,
			.e_version = EV_CURRENT,
			.e_phoff = sizeof(h),
			.e_shoff = f->len,
			.e_ehsize = sizeof(h),
			.e_phentsize = sizeof(Elf64_Phdr),
			.e_phnum = 1,
			.e_shentsize = sizeof(Elf64_Shdr),
			.e_shnum = (uint16_t)(s->len / sizeof(Elf64_Shdr))};
	memcpy(h.e_ident, ELFMAG, SELFMAG);
	h.e_ident[EI_CLASS] = ELFCLASS64;
	h.e_ident[EI_DATA] = ELFDATA2LSB;
	h.e_ident[EI_VERSION] = EV_CURRENT;
	Elf64_Phdr p = {.p_type = PT_LOAD,
			.p_flags = PF_R | PF_W | PF_X,
			.p_offset = TEXT,
			.p_vaddr = BASE + TEXT,
			.p_filesz = loaded - TEXT,
			.p_memsz = loaded - TEXT};
	memcpy(f->data, &h, sizeof(h));
	memcpy(f->data + sizeof(h), &p, sizeof(p));
	g_byte_array_append(f, s->data, s->len);
	g_byte_array_unref(s);
}

GBytes *made_kernel(const MadeKernel *m, char **ret_map)
{
	Maker x = {.file = g_byte_array_new(),
		   .symbols = g_byte_array_new(),
		   .strings = g_byte_array_new(),
		   .map = g_string_new(NULL),
		   .rela = g_byte_array_new(),
		   .m = m};
	uint64_t bounds[MAX_LEVELS];
	guint n = 0;
	put(x.strings, 0, 1);
	pad(x.symbols, sizeof(Elf64_Sym));
	pad(x.file, TEXT);
	while (m->calls[n].function)
		n++;
	for (guint i = 0; i < 2 * n; i++)
		put(x.file, 0xc3 + i * 256, 8);
	symbol(&x, "linux_banner", here(&x), STT_OBJECT, STB_GLOBAL);
	const char banner[] = "Linux version 6.1.0 #" MADE_IDENTITY " SMP";
	g_byte_array_append(x.file, (const guint8 *)banner, sizeof(banner));
	pad(x.file, (x.file->len + 15) / 16 * 16);
	table(&x, bounds);
	pad(x.file, (x.file->len + 7) / 8 * 8);
	if (!m->no_levels)
		symbol(&x, "initcall_levels", here(&x), STT_OBJECT, STB_LOCAL);
	for (guint i = 0; i < MAX_LEVELS && !m->no_levels; i++)
		pointer(&x, bounds[i]);
	if (m->kallsyms)
		kallsyms(&x);
	finish(&x);
	g_byte_array_unref(x.symbols);
	g_byte_array_unref(x.strings);
	g_byte_array_unref(x.rela);
	char *map = g_string_free(x.map, FALSE);
	if (ret_map)
		*ret_map = map;
	else
		g_free(map);
	return g_byte_array_free_to_bytes(x.file);
}

/* ---- images ---- */

static bool fits(GBytes *kernel, InitcallPacking packing, size_t len)
{
	g_autoptr(GBytes) b = initcall_pack(packing, kernel, len, "test", NULL);
	return b != NULL;
}

/* The least room that takes it, about, and then some. */
static GBytes *payload(GBytes *kernel, InitcallPacking packing, size_t room)
{
	size_t low = 64, high = 16384;
	while (high - low > 8) {
		size_t middle = (low + (high - low) / 2) & ~(size_t)3;
		/* lz4 can only fill whole words */
		if (fits(kernel, packing, middle) || fits(kernel, packing, middle + 1) ||
		    fits(kernel, packing, middle + 2) || fits(kernel, packing, middle + 3))
			high = middle + 3;
		else
			low = middle;
	}
	for (size_t len = high + room;; len++) {
		GBytes *b = initcall_pack(packing, kernel, len, "test", NULL);
		if (b)
			return b;
	}
}

GBytes *made_image(GBytes *kernel, InitcallPacking packing, size_t room)
{
	GByteArray *f = g_byte_array_new();
	g_autoptr(GBytes) packed = payload(kernel, packing, room);
	pad(f, 5 * 512);
	f->data[0x1f1] = 4;
	memcpy(f->data + 0x1fe, "\x55\xaa", 2);
	memcpy(f->data + 0x202, "HdrS\x0f\x02", 6);
	memcpy(f->data + 0x300, "6.1.0 #" MADE_IDENTITY, strlen("6.1.0 #" MADE_IDENTITY) + 1);
	pad(f, f->len + 100); /* the decompressor */
	uint32_t fields[] = {100, (uint32_t)g_bytes_get_size(packed)};
	memcpy(f->data + 0x248, fields, sizeof(fields));
	g_byte_array_append(f, g_bytes_get_data(packed, NULL), (guint)fields[1]);
	pad(f, 5 * 512 + (f->len + 4 - 5 * 512 + 15) / 16 * 16 - 4);
	uint32_t paragraphs = (f->len + 4 - 5 * 512) / 16;
	memcpy(f->data + 0x1f4, &paragraphs, 4);
	put(f, ~(uint32_t)crc32_z(0, f->data, f->len), 4);
	return g_byte_array_free_to_bytes(f);
}

/* ---- files ---- */

static char *folder;

char *made_file(const char *name, GBytes *bytes)
{
	if (!folder)
		folder = g_dir_make_tmp("kexsect-initcall-XXXXXX", NULL);
	char *path = g_build_filename(folder, name, NULL);
	if (bytes && !g_file_set_contents(path, g_bytes_get_data(bytes, NULL),
					  (gssize)g_bytes_get_size(bytes), NULL))
		abort();
	return path;
}

void made_clean(void)
{
	if (folder)
		kx_remove_tree(folder, NULL);
	g_clear_pointer(&folder, g_free);
}
