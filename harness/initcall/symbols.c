/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "initcall/symbols.h"

#include <stdlib.h>
#include <string.h>

#define KMOD "_kmod_"

void initcall_entry_symbol_free(gpointer data)
{
	InitcallEntrySymbol *s = data;
	g_free(s->function);
	g_free(s->module);
	g_free(s->file);
	g_free(s);
}

void initcall_symbols_init(InitcallSymbols *s)
{
	*s = (InitcallSymbols){0};
	s->by_address = g_hash_table_new_full(g_int64_hash, g_int64_equal, NULL,
					      initcall_entry_symbol_free);
	s->by_function = g_hash_table_new(g_str_hash, g_str_equal);
}

void initcall_symbols_clear(InitcallSymbols *s)
{
	g_clear_pointer(&s->by_function, g_hash_table_unref);
	g_clear_pointer(&s->by_address, g_hash_table_unref);
}

/* ---- names of entries ---- */

/* How much of "FN3s" is the level. */
static size_t level_length(const char *name, size_t len)
{
	static const char *const words[] = {"early", "rootfs", "con"};
	for (guint i = 0; i < G_N_ELEMENTS(words); i++)
		if (len > strlen(words[i]) && g_str_has_suffix(name, words[i]))
			return strlen(words[i]);
	size_t sync = len > 2 && name[len - 1] == 's';
	char digit = len > sync + 1 ? name[len - 1 - sync] : '\0';
	return digit >= '0' && digit <= '7' ? 1 + sync : 0;
}

static void split_level(InitcallEntrySymbol *s, const char *name)
{
	size_t len = strlen(name), level = level_length(name, len);
	s->level = level ? initcall_level_parse(name + len - level, -1) : INITCALL_LEVEL_INVALID;
	s->function = g_strndup(name, len - level);
}

/* "123_45_rest": the line, and where the rest begins; NULL: it is no such thing. */
static const char *after_numbers(const char *p, unsigned *ret_line)
{
	size_t counter = strspn(p, "0123456789");
	if (!counter || p[counter] != '_')
		return NULL;
	p += counter + 1;
	size_t line = strspn(p, "0123456789");
	if (!line || line > 9 || p[line] != '_' || !p[line + 1])
		return NULL;
	*ret_line = (unsigned)strtoul(p, NULL, 10);
	return p + line + 1;
}

bool initcall_symbol_parse(const char *name, InitcallEntrySymbol *ret)
{
	if (g_str_has_prefix(name, "__initcall_"))
		name += strlen("__initcall_");
	else if (g_str_has_prefix(name, "__initstub_"))
		name += strlen("__initstub_");
	else
		return false;
	if (!*name)
		return false;
	*ret = (InitcallEntrySymbol){.level = INITCALL_LEVEL_INVALID};
	if (g_str_has_prefix(name, KMOD)) {
		const char *module = name + strlen(KMOD);
		for (const char *p = strstr(module, "__"); p; p = strstr(p + 1, "__")) {
			const char *rest = after_numbers(p + 2, &ret->line);
			if (!rest)
				continue;
			ret->module = g_strndup(module, (gsize)(p - module));
			split_level(ret, rest);
			return true;
		}
	}
	split_level(ret, name);
	return true;
}

/* ---- marks ---- */

static InitcallMark *mark_of(InitcallSymbols *s, const char *name)
{
	static const char level_mark[] = "__initcall0_start";
	const struct {
		const char *name;
		InitcallMark *mark;
	} marks[] = {
		{"__initcall_start", &s->start},
		{"__initcall_end", &s->end},
		{"__initcallrootfs_start", &s->rootfs},
		{"initcall_levels", &s->levels},
		{"__con_initcall_start", &s->console},
		{"__con_initcall_end", &s->console_end},
		{"__security_initcall_start", &s->security},
		{"__security_initcall_end", &s->security_end},
	};
	for (guint i = 0; i < G_N_ELEMENTS(marks); i++)
		if (strcmp(name, marks[i].name) == 0)
			return marks[i].mark;
	if (strlen(name) == strlen(level_mark) && strncmp(name, level_mark, 10) == 0 &&
	    strcmp(name + 11, level_mark + 11) == 0 && name[10] >= '0' && name[10] <= '7')
		return &s->bounds[name[10] - '0'];
	return NULL;
}

static void take_entry(InitcallSymbols *s, const InitcallSymbol *symbol)
{
	InitcallEntrySymbol parsed;
	if (!initcall_symbol_parse(symbol->name, &parsed))
		return;
	InitcallEntrySymbol *e = g_memdup2(&parsed, sizeof(parsed));
	e->address = symbol->address;
	e->file = g_strdup(symbol->file);
	e->at = symbol->at;
	if (g_hash_table_contains(s->by_address, &e->address)) {
		initcall_entry_symbol_free(e);
		return;
	}
	g_hash_table_insert(s->by_address, &e->address, e);
	bool again = g_hash_table_contains(s->by_function, e->function);
	g_hash_table_insert(s->by_function, e->function, again ? NULL : e);
}

void initcall_symbols_take(const InitcallSymbol *symbol, gpointer user)
{
	InitcallSymbols *s = user;
	const char *name = symbol->name;
	/* most symbols are something else */
	if (name[0] != '_' && name[0] != 'i')
		return;
	if (name[0] == '_' ? !strstr(name, "initcall") : strcmp(name, "initcall_levels") != 0)
		return;
	InitcallMark *mark = mark_of(s, name);
	if (mark)
		*mark = (InitcallMark){true, symbol->address, symbol->at};
	else if (g_str_has_prefix(name, "__initcall_"))
		take_entry(s, symbol);
}
