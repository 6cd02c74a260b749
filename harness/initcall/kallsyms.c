/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The symbols that a kernel carries for itself (scripts/kallsyms.c, kernel/kallsyms.c): what a
 * stripped one still has. No header says where they are, but they lie together:
 *   up to 6.3  offsets, relative_base, num_syms, names, markers, token_table, token_index
 *   from 6.4   num_syms, names, markers, token_table, token_index, offsets, relative_base
 * each aligned to 8 bytes. The token table is found by its digits, num_syms by trying. */
#include <string.h>

#include "base/error.h"
#include "initcall/elf.h"

#define TOKENS 256
#define LEAST_SYMBOLS 256
#define MOST_SYMBOLS (1u << 20)
#define MAX_NAME 1024
#define MOST_STEPS (1u << 27) /* of a search through a file that is made to be slow */

typedef struct {
	const uint8_t *p;
	size_t len;
	size_t table, index;		 /* token_table, token_index */
	const char *tokens[TOKENS];	 /* in the table */
	size_t names, names_end, before; /* before: of num_syms */
	uint32_t count;
	size_t offsets; /* of `count` addresses, as 4-byte offsets */
	uint64_t base;
	uint32_t steps;
} Kallsyms;

static size_t align8(size_t at)
{
	return (at + 7) & ~(size_t)7;
}

static uint32_t get32(const Kallsyms *k, size_t at)
{
	uint32_t v;
	memcpy(&v, k->p + at, sizeof(v));
	return GUINT32_FROM_LE(v);
}

/* token_index says where in the table each token is: 256 rising numbers, all of them right. */
static bool read_tokens(Kallsyms *k, size_t table)
{
	size_t at = table;
	for (unsigned i = 0; i < TOKENS; i++, k->steps++) {
		const uint8_t *end = memchr(k->p + at, 0, MIN(k->len - at, 64));
		if (!end)
			return false;
		k->tokens[i] = (const char *)k->p + at;
		at = (size_t)(end - k->p) + 1;
	}
	k->table = table;
	k->index = align8(at);
	if (k->index > k->len || k->len - k->index < TOKENS * 2)
		return false;
	for (unsigned i = 0; i < TOKENS; i++) {
		const uint8_t *p = k->p + k->index + (size_t)i * 2;
		if ((size_t)(p[0] | p[1] << 8) != (size_t)(k->tokens[i] - k->tokens[0]))
			return false;
	}
	return true;
}

/* The digits stand for themselves, one after the other; before '0' are 48 tokens. */
static bool find_tokens(Kallsyms *k)
{
	static const char digits[] = "0\0001\0002\0003\0004\0005\0006\0007\0008\0009";
	const uint8_t *p = k->p, *end = k->p + k->len;
	while (k->steps < MOST_STEPS &&
	       (p = memmem(p, (size_t)(end - p), digits, sizeof(digits)))) {
		size_t at = (size_t)(p - k->p);
		/* back to the start of token 0, which is aligned */
		for (size_t start = at & ~(size_t)7, least = at > 48 * 64 ? at - 48 * 64 : 0;
		     start >= least && start >= 8; start -= 8)
			if (read_tokens(k, start) && k->tokens['0'] == (const char *)p)
				return true;
		p++;
	}
	return false;
}

/* The length of the entry at *at, which is moved behind that; longer ones take two bytes (6.1). */
static size_t entry_length(const Kallsyms *k, size_t *at)
{
	size_t n = *at < k->table ? k->p[(*at)++] : 0;
	if (n & 0x80)
		n = *at < k->table ? (n & 0x7f) | (size_t)k->p[(*at)++] << 7 : 0;
	return n;
}

/* Whether `count` names begin at k->names and the markers behind them agree. */
static bool walk_names(Kallsyms *k)
{
	size_t at = k->names, second = 0;
	for (uint32_t i = 0; i < k->count; i++, k->steps++) {
		if (i == 256)
			second = at - k->names;
		size_t n = entry_length(k, &at);
		if (!n || n > k->table - at)
			return false;
		at += n;
	}
	k->names_end = at;
	size_t markers = align8(at), words = (k->count + 255) / 256;
	if (markers + words * 4 > k->table)
		return false;
	return get32(k, markers) == 0 && (words < 2 || get32(k, markers + 4) == second);
}

static bool find_names(Kallsyms *k)
{
	/* a name takes two bytes at least */
	for (size_t at = k->table & ~(size_t)7; at >= 8 && k->steps < MOST_STEPS; at -= 8) {
		k->count = get32(k, at - 8);
		if (k->count < LEAST_SYMBOLS || k->count > MOST_SYMBOLS || get32(k, at - 4) ||
		    k->count > (k->table - at) / 2)
			continue;
		k->names = at;
		k->before = at - 8;
		if (walk_names(k))
			return true;
	}
	return false;
}

static uint64_t base_at(const Kallsyms *k, size_t at)
{
	return get32(k, at) | (uint64_t)get32(k, at + 4) << 32;
}

/* Kernels lie in the upper half of the address space. */
static bool is_base(uint64_t base)
{
	return base >> 47 == 0x1ffff && !(base & 0xfff);
}

static bool find_offsets(Kallsyms *k)
{
	size_t size = align8((size_t)k->count * 4), after = align8(k->index + TOKENS * 2);
	if (k->before >= size + 8 && is_base(base_at(k, k->before - 8))) {
		k->base = base_at(k, k->before - 8);
		k->offsets = k->before - 8 - size;
		return true;
	}
	if (after + size + 8 > k->len || !is_base(base_at(k, after + size)))
		return false;
	k->base = base_at(k, after + size);
	k->offsets = after;
	return true;
}

/* Negative ones count down from the base and the others are absolute, if there is one of per-CPU
 * data (CONFIG_KALLSYMS_ABSOLUTE_PERCPU); else all are offsets. */
static bool counts_down(const Kallsyms *k)
{
	uint32_t negative = 0;
	for (uint32_t i = 0; i < k->count; i++)
		negative += get32(k, k->offsets + (size_t)i * 4) >> 31;
	return negative > k->count / 2;
}

bool initcall_kallsyms(GBytes *kernel, InitcallSymbolFunc func, gpointer user)
{
	Kallsyms k = {0};
	k.p = g_bytes_get_data(kernel, &k.len);
	if (!find_tokens(&k) || !find_names(&k) || !find_offsets(&k))
		return false;
	bool down = counts_down(&k);
	size_t at = k.names;
	g_autoptr(GString) name = g_string_sized_new(MAX_NAME);
	for (uint32_t i = 0; i < k.count; i++) {
		size_t n = entry_length(&k, &at);
		g_string_truncate(name, 0);
		for (size_t t = 0; t < n && name->len < MAX_NAME; t++)
			g_string_append(name, k.tokens[k.p[at + t]]);
		at += n;
		uint32_t offset = get32(&k, k.offsets + (size_t)i * 4);
		if (!name->len || !name->str[1])
			continue;
		bool below = down && offset >> 31;
		InitcallSymbol s = {.name = name->str + 1, /* the first letter is the type */
				    .address =
					    below  ? k.base - 1 - (uint64_t)(int64_t)(int32_t)offset
					    : down ? offset
						   : k.base + offset,
				    .is_function = strchr("tTwW", name->str[0]) != NULL};
		func(&s, user);
	}
	return true;
}
