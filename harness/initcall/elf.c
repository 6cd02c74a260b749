/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "initcall/elf.h"

#include <gelf.h>
#include <string.h>

#include "base/error.h"

#define MAX_SECTIONS 65536
#define MAX_SEGMENTS 256
#define MAX_NAME 4096

void initcall_elf_free(InitcallElf *e)
{
	if (!e)
		return;
	elf_end(e->elf);
	g_clear_pointer(&e->loads, g_array_unref);
	g_clear_pointer(&e->relocs, g_array_unref);
	g_clear_pointer(&e->bytes, g_bytes_unref);
	g_free(e);
}

static bool refuse(GError **error, const char *what, const char *why)
{
	g_set_error(error, KX_ERROR, KX_ERROR_INPUT, "%s: %s", what, why);
	return false;
}

static bool inside(const InitcallElf *e, uint64_t offset, uint64_t size)
{
	uint64_t all = g_bytes_get_size(e->bytes);
	return offset <= all && size <= all - offset;
}

/* ---- what lies where ---- */

static gint by_address(gconstpointer a, gconstpointer b)
{
	const InitcallLoad *x = a, *y = b;
	return x->address < y->address ? -1 : x->address > y->address;
}

static gint by_offset(gconstpointer a, gconstpointer b)
{
	const InitcallLoad *x = a, *y = b;
	return x->offset < y->offset ? -1 : x->offset > y->offset;
}

static bool read_loads(InitcallElf *e, const GElf_Ehdr *h, const char *what, GError **error)
{
	size_t n;
	if (elf_getphdrnum(e->elf, &n) != 0 || n > MAX_SEGMENTS || n < h->e_phnum)
		return refuse(error, what, "its program headers make no sense");
	for (size_t i = 0; i < n; i++) {
		GElf_Phdr p;
		if (!gelf_getphdr(e->elf, (int)i, &p))
			return refuse(error, what, "its program headers are cut off");
		if (p.p_type != PT_LOAD || !p.p_filesz)
			continue;
		if (!inside(e, p.p_offset, p.p_filesz) || p.p_vaddr > UINT64_MAX - p.p_filesz)
			return refuse(error, what, "it is cut off: a segment ends behind it");
		g_array_append_val(e->loads, ((InitcallLoad){p.p_vaddr, p.p_filesz, p.p_offset}));
	}
	if (!e->loads->len)
		return refuse(error, what, "it has nothing to load, so it is no kernel");
	g_array_sort(e->loads, by_address);
	for (guint i = 1; i < e->loads->len; i++) {
		const InitcallLoad *a = &g_array_index(e->loads, InitcallLoad, i - 1);
		if (g_array_index(e->loads, InitcallLoad, i).address - a->address < a->size)
			return refuse(error, what, "two of its segments overlap");
	}
	return true;
}

bool initcall_elf_offset(const InitcallElf *e, uint64_t address, size_t len, size_t *ret)
{
	for (guint i = 0; i < e->loads->len; i++) {
		const InitcallLoad *l = &g_array_index(e->loads, InitcallLoad, i);
		if (address < l->address || address - l->address > l->size ||
		    len > l->size - (address - l->address))
			continue;
		*ret = (size_t)(l->offset + (address - l->address));
		return true;
	}
	return false;
}

bool initcall_elf_pointer(const InitcallElf *e, uint64_t address, uint64_t *ret, size_t *ret_at)
{
	guint low = 0, high = e->relocs->len;
	while (low < high) {
		guint middle = low + (high - low) / 2;
		const InitcallReloc *r = &g_array_index(e->relocs, InitcallReloc, middle);
		if (r->address == address) {
			*ret = r->value;
			*ret_at = r->offset;
			return true;
		}
		if (r->address < address)
			low = middle + 1;
		else
			high = middle;
	}
	if (!initcall_elf_offset(e, address, sizeof(*ret), ret_at))
		return false;
	memcpy(ret, (const char *)g_bytes_get_data(e->bytes, NULL) + *ret_at, sizeof(*ret));
	return true;
}

/* ---- sections ---- */

static gint reloc_by_address(gconstpointer a, gconstpointer b)
{
	const InitcallReloc *x = a, *y = b;
	return x->address < y->address ? -1 : x->address > y->address;
}

/* A relocatable arm64 kernel keeps its pointers in .rela.dyn (R_AARCH64_RELATIVE) and writes them
 * to their places itself (arch/arm64/kernel/pi/relocate.c; head.S before 6.4). */
static bool read_relocs(InitcallElf *e, const GElf_Shdr *s)
{
	if (!e->is_arm64 || s->sh_type != SHT_RELA || !(s->sh_flags & SHF_ALLOC))
		return true;
	if (s->sh_entsize != sizeof(Elf64_Rela))
		return false;
	const char *base = (const char *)g_bytes_get_data(e->bytes, NULL) + s->sh_offset;
	for (size_t i = 0; i < s->sh_size / sizeof(Elf64_Rela); i++) {
		Elf64_Rela r;
		memcpy(&r, base + i * sizeof(r), sizeof(r));
		if (ELF64_R_TYPE(r.r_info) != R_AARCH64_RELATIVE)
			continue;
		InitcallReloc one = {r.r_offset, (uint64_t)r.r_addend,
				     s->sh_offset + i * sizeof(r) + offsetof(Elf64_Rela, r_addend)};
		g_array_append_val(e->relocs, one);
	}
	return true;
}

static bool read_symtab(InitcallElf *e, const GElf_Shdr *s, Elf_Scn *scn)
{
	Elf_Scn *strings = elf_getscn(e->elf, s->sh_link);
	GElf_Shdr names;
	if (s->sh_entsize != sizeof(Elf64_Sym) || !strings || !gelf_getshdr(strings, &names) ||
	    names.sh_type != SHT_STRTAB || !inside(e, names.sh_offset, names.sh_size))
		return false;
	Elf_Data *data = elf_getdata(scn, NULL);
	const char *base = g_bytes_get_data(e->bytes, NULL);
	if (!data || !data->d_buf || data->d_type != ELF_T_SYM)
		return s->sh_size == 0;
	e->symbols = data->d_buf;
	e->symbols_count = data->d_size / sizeof(Elf64_Sym);
	e->symbols_at = s->sh_offset;
	e->names = base + names.sh_offset;
	e->names_len = names.sh_size;
	return true;
}

/* No two sections share bytes of the file, or it could not be said what a rewrite changes. */
static bool check_overlap(GArray *parts, const char *what, GError **error)
{
	g_array_sort(parts, by_offset);
	for (guint i = 1; i < parts->len; i++) {
		const InitcallLoad *a = &g_array_index(parts, InitcallLoad, i - 1);
		if (g_array_index(parts, InitcallLoad, i).offset - a->offset < a->size)
			return refuse(error, what, "two of its sections overlap");
	}
	return true;
}

static bool read_sections(InitcallElf *e, const GElf_Ehdr *h, const char *what, GError **error)
{
	g_autoptr(GArray) parts = g_array_new(FALSE, FALSE, sizeof(InitcallLoad));
	size_t n;
	/* libelf has none when they are not all in the file */
	if (elf_getshdrnum(e->elf, &n) != 0 || n > MAX_SECTIONS || n < h->e_shnum)
		return refuse(error, what, "its section headers make no sense");
	for (size_t i = 1; i < n; i++) {
		Elf_Scn *scn = elf_getscn(e->elf, i);
		GElf_Shdr s;
		if (!scn || !gelf_getshdr(scn, &s))
			return refuse(error, what, "its section headers are cut off");
		if (s.sh_type == SHT_NOBITS || s.sh_type == SHT_NULL || !s.sh_size)
			continue;
		if (!inside(e, s.sh_offset, s.sh_size))
			return refuse(error, what, "it is cut off: a section ends behind it");
		g_array_append_val(parts, ((InitcallLoad){s.sh_addr, s.sh_size, s.sh_offset}));
		if (s.sh_type == SHT_SYMTAB && e->symbols)
			return refuse(error, what, "it has two symbol tables");
		if (s.sh_type == SHT_SYMTAB && !read_symtab(e, &s, scn))
			return refuse(error, what, "its symbol table makes no sense");
		if (!read_relocs(e, &s))
			return refuse(error, what, "its relocations make no sense");
	}
	g_array_sort(e->relocs, reloc_by_address);
	return check_overlap(parts, what, error);
}

InitcallElf *initcall_elf_new(GBytes *bytes, const char *what, GError **error)
{
	g_autoptr(InitcallElf) e = g_new0(InitcallElf, 1);
	gsize size;
	const void *data = g_bytes_get_data(bytes, &size);
	elf_version(EV_CURRENT);
	e->bytes = g_bytes_ref(bytes);
	e->loads = g_array_new(FALSE, FALSE, sizeof(InitcallLoad));
	e->relocs = g_array_new(FALSE, FALSE, sizeof(InitcallReloc));
	GElf_Ehdr h;
	/* libelf only reads what elf_memory() is given */
	e->elf = size ? elf_memory((char *)(uintptr_t)data, size) : NULL;
	if (!e->elf || elf_kind(e->elf) != ELF_K_ELF || !gelf_getehdr(e->elf, &h)) {
		refuse(error, what, "it is no ELF file");
		return NULL;
	}
	if (h.e_ident[EI_CLASS] != ELFCLASS64 || h.e_ident[EI_DATA] != ELFDATA2LSB ||
	    (h.e_machine != EM_X86_64 && h.e_machine != EM_AARCH64)) {
		refuse(error, what,
		       "it is not of x86-64 or (little-endian) arm64, the only ones known");
		return NULL;
	}
	if (h.e_type != ET_EXEC && h.e_type != ET_DYN) {
		refuse(error, what, "it is not linked: a vmlinux is expected, no object or module");
		return NULL;
	}
	e->is_arm64 = h.e_machine == EM_AARCH64;
	if (!read_loads(e, &h, what, error) || !read_sections(e, &h, what, error))
		return NULL;
	return g_steal_pointer(&e);
}

/* ---- symbols ---- */

static const char *name_at(const InitcallElf *e, uint32_t at)
{
	if (at >= e->names_len)
		return NULL;
	size_t most = MIN(e->names_len - at, MAX_NAME);
	return memchr(e->names + at, 0, most) ? e->names + at : NULL;
}

void initcall_elf_symbols(const InitcallElf *e, InitcallSymbolFunc func, gpointer user)
{
	const char *file = NULL;
	for (size_t i = 0; i < e->symbols_count; i++) {
		const Elf64_Sym *s = &e->symbols[i];
		const char *name = name_at(e, s->st_name);
		if (!name || !*name)
			continue;
		unsigned type = ELF64_ST_TYPE(s->st_info);
		if (type == STT_FILE)
			file = name;
		if (type == STT_FILE || type == STT_SECTION || s->st_shndx == SHN_UNDEF)
			continue;
		bool local = ELF64_ST_BIND(s->st_info) == STB_LOCAL;
		InitcallSymbol one = {.name = name,
				      .address = s->st_value,
				      .is_function = type == STT_FUNC,
				      .file = local ? file : NULL,
				      .at = e->symbols_at + i * sizeof(*s) +
					    offsetof(Elf64_Sym, st_value)};
		func(&one, user);
	}
}

bool initcall_map_symbols(const char *text, size_t len, const char *what, InitcallSymbolFunc func,
			  gpointer user, GError **error)
{
	const char *end = text + len;
	char name[MAX_NAME];
	size_t count = 0;
	for (const char *p = text; p < end;) {
		const char *eol = memchr(p, '\n', (size_t)(end - p));
		size_t n = (size_t)((eol ? eol : end) - p);
		/* "ffffffff81000000 T _text" */
		bool good = n > 19 && p[16] == ' ' && p[18] == ' ' && n - 19 < sizeof(name);
		uint64_t address = 0;
		for (unsigned i = 0; good && i < 16; i++) {
			int digit = g_ascii_xdigit_value(p[i]);
			good = digit >= 0;
			address = address << 4 | (unsigned)(digit & 15);
		}
		if (!good) {
			g_set_error(error, KX_ERROR, KX_ERROR_INPUT,
				    "%s: symbol %zu is not a line of a System.map "
				    "('ffffffff81000000 T _text')",
				    what, count + 1);
			return false;
		}
		memcpy(name, p + 19, n - 19);
		name[n - 19] = '\0';
		InitcallSymbol one = {.name = name,
				      .address = address,
				      .is_function = strchr("tTwW", p[17]) != NULL};
		func(&one, user);
		count++;
		p = eol ? eol + 1 : end;
	}
	if (count < 2)
		refuse(error, what,
		       "it has no symbols (Debian's image package has only a stub; the "
		       "System.map itself is in its -dbg package)");
	return count >= 2;
}
