/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "initcall/table.h"

#include <inttypes.h>
#include <string.h>

#include "base/error.h"
#include "initcall/symbols.h"

#define MAX_ENTRIES 65536

typedef struct {
	InitcallTable *t;
	InitcallSymbols symbols;
	GHashTable *targets; /* function address → Target */
	GBytes *map;	     /* NULL: the file's own symbols */
	const char *what, *map_name;
	bool moved; /* the entries are not where their symbols say: these are of before a rewrite */
} Reader;

/* A function that the table names. */
typedef struct {
	uint64_t address;
	const char *wanted; /* what the symbol of the entry calls it; NULL: there is none */
	char *name;
	bool is_wanted, is_function;
} Target;

static void target_free(gpointer data)
{
	Target *t = data;
	g_free(t->name);
	g_free(t);
}

static void slot_free(gpointer data)
{
	InitcallSlot *s = data;
	g_free(s->call.function);
	g_free(s->call.module);
	g_free(s->call.file);
	g_free(s);
}

void initcall_table_free(InitcallTable *t)
{
	if (!t)
		return;
	initcall_elf_free(t->elf);
	g_clear_pointer(&t->slots, g_ptr_array_unref);
	g_free(t);
}

static bool refuse(const Reader *r, GError **error, const char *why)
{
	g_set_error(error, KX_ERROR, KX_ERROR_INPUT, "%s: its initcall table is not understood: %s",
		    r->what, why);
	return false;
}

int initcall_level_bound(InitcallLevel level)
{
	if (level == INITCALL_SECURITY)
		return -3;
	if (level == INITCALL_CONSOLE)
		return -2;
	if (level == INITCALL_EARLY)
		return -1;
	if (level == INITCALL_ROOTFS)
		return 5;
	if (level > INITCALL_ROOTFS)
		return level >= INITCALL_LATE ? 7 : 6;
	return (int)(level - INITCALL_PURE) / 2;
}

/* ---- symbols ---- */

static bool each_symbol(const Reader *r, InitcallSymbolFunc func, gpointer user, GError **error)
{
	bool bare = !r->map && !r->t->elf->symbols_count;
	if (bare && initcall_kallsyms(r->t->elf->bytes, func, user))
		return true;
	if (bare) {
		g_set_error(error, KX_ERROR, KX_ERROR_MISSING,
			    "%s: it has no symbols; give its System.map, or a vmlinux that has "
			    "them (--map)",
			    r->what);
		return false;
	}
	if (!r->map) {
		initcall_elf_symbols(r->t->elf, func, user);
		return true;
	}
	gsize len;
	const char *text = g_bytes_get_data(r->map, &len);
	if (len < 4 || memcmp(text, ELFMAG, SELFMAG) != 0)
		return initcall_map_symbols(text, len, r->map_name, func, user, error);
	g_autoptr(InitcallElf) other = initcall_elf_new(r->map, r->map_name, error);
	if (!other)
		return false;
	initcall_elf_symbols(other, func, user);
	return true;
}

/* What the file's own symbols say lies in it; of a map only the values are known. */
static void forget_places(InitcallSymbols *s)
{
	GHashTableIter i;
	gpointer value;
	InitcallMark *marks[] = {&s->start,   &s->end,	       &s->rootfs,   &s->levels,
				 &s->console, &s->console_end, &s->security, &s->security_end};
	for (guint k = 0; k < G_N_ELEMENTS(marks); k++)
		marks[k]->at = 0;
	for (guint k = 0; k < G_N_ELEMENTS(s->bounds); k++)
		s->bounds[k].at = 0;
	g_hash_table_iter_init(&i, s->by_address);
	while (g_hash_table_iter_next(&i, NULL, &value))
		((InitcallEntrySymbol *)value)->at = 0;
}

static void take_name(const InitcallSymbol *s, gpointer user)
{
	Target *t = g_hash_table_lookup(user, &s->address);
	if (!t || t->is_wanted)
		return;
	bool is_wanted = t->wanted && strcmp(s->name, t->wanted) == 0;
	if (t->name && !is_wanted && (t->is_function || !s->is_function))
		return;
	if (g_str_has_prefix(s->name, "__initcall") || g_str_has_prefix(s->name, "__cfi_") ||
	    g_str_has_prefix(s->name, "__pfx_"))
		return;
	g_free(t->name);
	t->name = g_strdup(s->name);
	t->is_wanted = is_wanted;
	t->is_function = s->is_function;
}

/* ---- entries ---- */

static bool loaded(const InitcallElf *e, uint64_t address)
{
	size_t at;
	return initcall_elf_offset(e, address, 1, &at);
}

/* Where the entry at `address` leads to, if it is one of `size` bytes. */
static bool read_entry(const InitcallElf *e, uint64_t address, unsigned size, uint64_t *ret,
		       size_t *ret_at)
{
	int32_t offset;
	if (size == 8)
		return initcall_elf_pointer(e, address, ret, ret_at) && loaded(e, *ret);
	if (!initcall_elf_offset(e, address, 4, ret_at))
		return false;
	memcpy(&offset, (const char *)g_bytes_get_data(e->bytes, NULL) + *ret_at, sizeof(offset));
	*ret = address + (uint64_t)(int64_t)offset;
	return loaded(e, *ret);
}

static bool all_are(const InitcallElf *e, uint64_t start, uint64_t end, unsigned size)
{
	uint64_t target;
	size_t at;
	if ((end - start) % size)
		return false;
	for (uint64_t a = start; a < end; a += size)
		if (!read_entry(e, a, size, &target, &at) || (target >= start && target < end))
			return false;
	return true;
}

/* A pointer read as two offsets leads nowhere, and so do two offsets read as a pointer. */
static bool find_entry_size(Reader *r, uint64_t start, uint64_t end, GError **error)
{
	bool offsets = all_are(r->t->elf, start, end, 4);
	bool pointers = all_are(r->t->elf, start, end, 8);
	if (offsets == pointers)
		return refuse(r, error,
			      "its entries are neither offsets of 4 bytes nor pointers of 8 that "
			      "lead into the kernel");
	r->t->entry_size = offsets ? 4 : 8;
	return true;
}

static bool add_part(Reader *r, const InitcallMark *from, const InitcallMark *to,
		     InitcallLevel level, GError **error)
{
	if (!from->known || !to->known || from->address == to->address)
		return true;
	uint64_t size = to->address - from->address;
	if (to->address < from->address || size > (uint64_t)MAX_ENTRIES * r->t->entry_size ||
	    size % r->t->entry_size)
		return refuse(r, error, "it ends where it cannot");
	for (uint64_t a = from->address; a < to->address; a += r->t->entry_size) {
		InitcallSlot *s = g_new0(InitcallSlot, 1);
		g_ptr_array_add(r->t->slots, s);
		s->entry = a;
		s->call.level = level;
		if (!read_entry(r->t->elf, a, r->t->entry_size, &s->call.address, &s->at))
			return refuse(r, error, "an entry leads to nothing in the kernel");
		const InitcallEntrySymbol *named = g_hash_table_lookup(r->symbols.by_address, &a);
		s->named_at = named ? named->at : 0;
		Target *t = g_hash_table_lookup(r->targets, &s->call.address);
		if (t)
			continue;
		t = g_new0(Target, 1);
		t->address = s->call.address;
		t->wanted = named ? named->function : NULL;
		g_hash_table_insert(r->targets, &t->address, t);
	}
	return true;
}

/* ---- names, modules, lines ---- */

/* The symbol that the compiler made for this initcall: the one at the entry; when the entries were
 * exchanged and the symbols not (a System.map of the original), the only one of the same name. */
static const InitcallEntrySymbol *symbol_of(const Reader *r, const InitcallSlot *s)
{
	if (r->moved)
		return g_hash_table_lookup(r->symbols.by_function, s->call.function);
	return g_hash_table_lookup(r->symbols.by_address, &s->entry);
}

static void compare_symbols(Reader *r)
{
	for (guint i = 0; i < r->t->slots->len; i++) {
		const InitcallSlot *s = r->t->slots->pdata[i];
		const InitcallEntrySymbol *e =
			g_hash_table_lookup(r->symbols.by_address, &s->entry);
		if (e && g_strcmp0(e->function, s->call.function) != 0)
			r->moved = true;
	}
}

static bool name_slot(Reader *r, InitcallSlot *s, GError **error)
{
	const Target *t = g_hash_table_lookup(r->targets, &s->call.address);
	if (!t->name) {
		g_set_error(error, KX_ERROR, KX_ERROR_INPUT,
			    "%s: its initcall table is not understood: the entry at %#" PRIx64
			    " leads to %#" PRIx64 ", where %s has no function%s",
			    r->what, s->entry, s->call.address, r->map ? r->map_name : "the file",
			    r->map ? " (is it of another kernel?)" : "");
		return false;
	}
	InitcallEntrySymbol stub;
	if (g_str_has_prefix(t->name, "__initstub_") && initcall_symbol_parse(t->name, &stub)) {
		s->call.function = stub.function;
		g_free(stub.module);
	} else {
		size_t len = strlen(t->name);
		if (g_str_has_suffix(t->name, ".cfi_jt"))
			len -= strlen(".cfi_jt");
		s->call.function = g_strndup(t->name, len);
	}
	return true;
}

static void describe_slot(const Reader *r, InitcallSlot *s)
{
	const InitcallEntrySymbol *e = symbol_of(r, s);
	if (!e)
		return;
	s->call.module = g_strdup(e->module);
	s->call.file = g_strdup(e->file);
	s->call.line = e->line;
}

/* ---- levels ---- */

static bool read_bounds(Reader *r, GError **error)
{
	InitcallTable *t = r->t;
	const InitcallSymbols *s = &r->symbols;
	t->has_levels = s->levels.known;
	for (unsigned i = 0; i < INITCALL_BOUNDS; i++) {
		const InitcallMark *m = i < INITCALL_BOUNDS - 1 ? &s->bounds[i] : &s->end;
		if (!s->levels.known && !m->known)
			return refuse(r, error, "it does not say where the levels begin");
		t->bounds[i] = m->address;
		if (i < INITCALL_BOUNDS - 1)
			t->bounds_named_at[i] = m->at;
		if (s->levels.known && !initcall_elf_pointer(t->elf, s->levels.address + i * 8,
							     &t->bounds[i], &t->bounds_at[i]))
			return refuse(r, error, "initcall_levels is not in the file");
		uint64_t before = i ? t->bounds[i - 1] : s->start.address;
		if (t->bounds[i] < before || t->bounds[i] > s->end.address ||
		    (t->bounds[i] - s->start.address) % t->entry_size)
			return refuse(r, error, "its levels are not in order");
	}
	if (t->bounds[INITCALL_BOUNDS - 1] != s->end.address)
		return refuse(r, error, "its levels do not end where it ends");
	return true;
}

static bool is_sync(InitcallLevel level)
{
	return level >= INITCALL_PURE && level <= INITCALL_LATE_SYNC &&
	       g_str_has_suffix(initcall_level_name(level), "_sync");
}

/* What the source asked for, if the entry is still in that level; else invalid. */
static InitcallLevel native(const Reader *r, const InitcallSlot *s, int bound)
{
	const InitcallEntrySymbol *e = symbol_of(r, s);
	if (!e || e->level < 0 || initcall_level_bound(e->level) != bound)
		return INITCALL_LEVEL_INVALID;
	return e->level;
}

static bool belongs(const Reader *r, const InitcallSlot *s, int bound, InitcallLevel part)
{
	InitcallLevel level = native(r, s, bound);
	return part == INITCALL_ROOTFS ? level == part : is_sync(level);
}

/* Where the last part of a level (sync, rootfs) begins in [from, to): no symbol says it, so it is
 * as many entries at the end as are of that part, and what was moved among them. */
static guint tail(const Reader *r, guint from, guint to, int bound, InitcallLevel part)
{
	guint start = to;
	for (guint i = to; i > from; i--) {
		const InitcallSlot *s = r->t->slots->pdata[i - 1];
		if (belongs(r, s, bound, part))
			start = i - 1;
		else if (native(r, s, bound) != INITCALL_LEVEL_INVALID)
			break;
	}
	return start;
}

/* The symbols are of this very table, not of one before a rewrite. */
static bool marks_agree(const Reader *r)
{
	for (unsigned i = 0; i < INITCALL_BOUNDS - 1; i++)
		if (!r->symbols.bounds[i].known || r->symbols.bounds[i].address != r->t->bounds[i])
			return false;
	return true;
}

static void name_level(Reader *r, int bound, guint from, guint to)
{
	InitcallTable *t = r->t;
	InitcallLevel level = bound < 0	   ? INITCALL_EARLY
			      : bound < 6  ? (InitcallLevel)(INITCALL_PURE + 2 * bound)
			      : bound == 6 ? INITCALL_DEVICE
					   : INITCALL_LATE;
	guint rootfs = to, sync;
	if (bound == 5) {
		const InitcallMark *m = &r->symbols.rootfs;
		rootfs = tail(r, from, to, bound, INITCALL_ROOTFS);
		for (guint i = from; m->known && marks_agree(r) && i <= to; i++)
			if (i == to || ((InitcallSlot *)t->slots->pdata[i])->entry >= m->address) {
				rootfs = i;
				break;
			}
		const InitcallSlot *first = rootfs < to ? t->slots->pdata[rootfs] : NULL;
		t->rootfs = first ? first->entry : t->bounds[6];
	}
	sync = bound < 0 ? to : tail(r, from, rootfs, bound, level + 1);
	for (guint i = from; i < to; i++)
		((InitcallSlot *)t->slots->pdata[i])->call.level =
			i >= rootfs ? INITCALL_ROOTFS
			: i >= sync ? (InitcallLevel)(level + 1)
				    : level;
}

static void name_levels(Reader *r)
{
	InitcallTable *t = r->t;
	guint at = 0;
	while (at < t->slots->len &&
	       ((InitcallSlot *)t->slots->pdata[at])->call.level > INITCALL_LATE_SYNC)
		at++;
	for (int bound = -1; bound < INITCALL_BOUNDS - 1; bound++) {
		guint from = at;
		while (at < t->slots->len &&
		       ((InitcallSlot *)t->slots->pdata[at])->entry < t->bounds[bound + 1])
			at++;
		name_level(r, bound, from, at);
	}
}

/* ---- all of it ---- */

static bool read_table(Reader *r, GError **error)
{
	InitcallTable *t = r->t;
	InitcallSymbols *s = &r->symbols;
	if (!each_symbol(r, initcall_symbols_take, s, error))
		return false;
	if (r->map)
		forget_places(s);
	if (!s->start.known || !s->end.known || s->end.address <= s->start.address ||
	    s->end.address - s->start.address > (uint64_t)MAX_ENTRIES * 8) {
		g_set_error(error, KX_ERROR, KX_ERROR_INPUT,
			    "%s: its symbols do not say where the initcall table is "
			    "(__initcall_start, __initcall_end): it is no vmlinux",
			    r->map ? r->map_name : r->what);
		return false;
	}
	if (!find_entry_size(r, s->start.address, s->end.address, error) ||
	    !read_bounds(r, error) ||
	    !add_part(r, &s->console, &s->console_end, INITCALL_CONSOLE, error) ||
	    !add_part(r, &s->security, &s->security_end, INITCALL_SECURITY, error) ||
	    !add_part(r, &s->start, &s->end, INITCALL_EARLY, error) ||
	    !each_symbol(r, take_name, r->targets, error))
		return false;
	t->rootfs_named_at = s->rootfs.at;
	for (guint i = 0; i < t->slots->len; i++)
		if (!name_slot(r, t->slots->pdata[i], error))
			return false;
	compare_symbols(r);
	for (guint i = 0; i < t->slots->len; i++)
		describe_slot(r, t->slots->pdata[i]);
	name_levels(r);
	return true;
}

InitcallTable *initcall_table_read(GBytes *elf, const char *what, GBytes *map, const char *map_name,
				   GError **error)
{
	g_autoptr(InitcallTable) t = g_new0(InitcallTable, 1);
	t->slots = g_ptr_array_new_with_free_func(slot_free);
	t->elf = initcall_elf_new(elf, what, error);
	if (!t->elf)
		return NULL;
	Reader r = {.t = t, .map = map, .what = what, .map_name = map_name};
	initcall_symbols_init(&r.symbols);
	r.targets = g_hash_table_new_full(g_int64_hash, g_int64_equal, NULL, target_free);
	bool ok = read_table(&r, error);
	g_hash_table_unref(r.targets);
	initcall_symbols_clear(&r.symbols);
	return ok ? g_steal_pointer(&t) : NULL;
}
