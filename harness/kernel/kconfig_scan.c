/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Reads Kconfig files as text: where a symbol is declared, what its prompt is, and which other
 * symbols are spoken of nearby. Only an order of guesses rests on it; what is true is probed. */
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "base/fs.h"
#include "kernel/kernel-internal.h"

#define MAX_FILE (4u << 20)
#define NAME_CHARS G_CSET_A_2_Z G_CSET_DIGITS "_"

static void symbol_free(gpointer data)
{
	KernelSymbol *s = data;
	g_free(s->path);
	g_free(s->prompt);
	g_strfreev(s->mentions);
	g_free(s);
}

typedef struct {
	GHashTable *wanted; /* names that matter */
	GHashTable *found;  /* name to KernelSymbol */
	GHashTable *own;    /* name to GPtrArray of names in its declarations; "" to none */
} ScanState;

/* Names of wanted symbols in a line, appended to `out`. */
static void add_names(GPtrArray *out, const char *line, GHashTable *wanted)
{
	for (const char *p = line; *p;) {
		gsize n = strspn(p, NAME_CHARS);
		if (!n) {
			p += g_ascii_islower(*p) ? strspn(p, G_CSET_a_2_z NAME_CHARS) : 1;
			continue;
		}
		g_autofree char *name = g_strndup(p, n);
		p += n;
		if (g_hash_table_contains(wanted, name) &&
		    !g_ptr_array_find_with_equal_func(out, name, g_str_equal, NULL))
			g_ptr_array_add(out, g_steal_pointer(&name));
	}
}

/* "config NAME" or "menuconfig NAME": NAME, else NULL. */
static char *declared(const char *line)
{
	static const char *const words[] = {"config", "menuconfig"};
	for (guint i = 0; i < G_N_ELEMENTS(words); i++) {
		gsize n = strlen(words[i]);
		if (!g_str_has_prefix(line, words[i]) || !strchr(" \t", line[n]) || !line[n])
			continue;
		const char *name = line + n + strspn(line + n, " \t");
		return g_strndup(name, strspn(name, G_CSET_a_2_z NAME_CHARS));
	}
	return NULL;
}

/* The text in quotes of `bool "Text"` and the like. */
static char *prompt_of(const char *line)
{
	static const char *const words[] = {"bool", "tristate", "string",   "int",
					    "hex",  "prompt",	"def_bool", "def_tristate"};
	const char *quote = strpbrk(line, "\"'");
	const char *end = quote ? strchr(quote + 1, *quote) : NULL;
	for (guint i = 0; end && i < G_N_ELEMENTS(words); i++)
		if (g_str_has_prefix(line, words[i]) && strchr(" \t", line[strlen(words[i])]))
			return g_strndup(quote + 1, (gsize)(end - quote - 1));
	return NULL;
}

static bool ends_declaration(const char *line)
{
	static const char *const words[] = {"menu",   "endmenu",   "if",     "endif",
					    "choice", "endchoice", "source", "comment",
					    "config", "menuconfig"};
	gsize n = strcspn(line, " \t");
	for (guint i = 0; i < G_N_ELEMENTS(words); i++)
		if (strlen(words[i]) == n && strncmp(line, words[i], n) == 0)
			return true;
	return false;
}

static KernelSymbol *remember(ScanState *st, const char *name, const char *path)
{
	KernelSymbol *s = g_hash_table_lookup(st->found, name);
	if (!s) {
		s = g_new0(KernelSymbol, 1);
		s->path = g_strdup(path);
		g_hash_table_insert(st->found, g_strdup(name), s);
		g_hash_table_insert(st->own, g_strdup(name),
				    g_ptr_array_new_with_free_func(g_free));
	}
	return s;
}

static void scan_file(ScanState *st, const char *path, const char *text)
{
	g_auto(GStrv) lines = g_strsplit(text, "\n", -1);
	g_autoptr(GPtrArray) here = g_ptr_array_new_with_free_func(g_free); /* conditions */
	g_autoptr(GPtrArray) names = g_ptr_array_new_with_free_func(g_free);
	KernelSymbol *now = NULL;
	g_autofree char *name = NULL;
	for (char **l = lines; *l; l++) {
		char *line = g_strstrip(*l);
		char *next = declared(line);
		if (next || ends_declaration(line)) {
			g_free(name);
			name = next;
			bool ours = name && g_hash_table_contains(st->wanted, name);
			now = ours ? remember(st, name, path) : NULL;
			if (now)
				g_ptr_array_add(names, g_strdup(name));
		}
		if (now && !next && *line != '#') {
			if (!now->prompt)
				now->prompt = prompt_of(line);
			add_names(g_hash_table_lookup(st->own, name), line, st->wanted);
		} else if (!now && (g_str_has_prefix(line, "if ") ||
				    g_str_has_prefix(line, "depends on "))) {
			add_names(here, line, st->wanted);
		}
		/* who selects one of ours has a say in it */
		if (name && g_str_has_prefix(line, "select ")) {
			char *other = line + strlen("select ");
			other[strcspn(other, " \t")] = '\0';
			GPtrArray *own = g_hash_table_lookup(st->own, other);
			if (own)
				add_names(own, name, st->wanted);
		}
	}
	for (guint i = 0; i < names->len; i++) {
		GPtrArray *own = g_hash_table_lookup(st->own, names->pdata[i]);
		for (guint k = 0; k < here->len; k++)
			add_names(own, here->pdata[k], st->wanted);
	}
}

static gint by_path(gconstpointer a, gconstpointer b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* The folder in arch/ of make's ARCH. */
static const char *source_arch(const char *arch)
{
	static const struct {
		const char *arch, *folder;
	} others[] = {{"x86_64", "x86"},
		      {"i386", "x86"},
		      {"sparc64", "sparc"},
		      {"sparc32", "sparc"},
		      {"parisc64", "parisc"}};
	for (guint i = 0; i < G_N_ELEMENTS(others); i++)
		if (g_str_equal(arch, others[i].arch))
			return others[i].folder;
	return arch;
}

static GPtrArray *kconfig_files(const KernelSource *s, const char *arch, GError **error)
{
	g_autofree char *ours = g_strconcat("arch/", source_arch(arch), "/", NULL);
	KernelGit g = {.dir = s->git};
	g_autofree char *list = kernel_git(&g, NULL, error, "-c", "core.quotePath=false", "ls-tree",
					   "-r", "--name-only", s->tree, NULL);
	if (!list)
		return NULL;
	GPtrArray *files = g_ptr_array_new_with_free_func(g_free);
	g_auto(GStrv) paths = g_strsplit(list, "\n", -1);
	for (char **p = paths; *p; p++) {
		g_autofree char *base = g_path_get_basename(*p);
		bool foreign = g_str_has_prefix(*p, "arch/") && strchr(*p + 5, '/') &&
			       !g_str_has_prefix(*p, ours);
		if (g_str_has_prefix(base, "Kconfig") && !foreign &&
		    !g_str_has_prefix(*p, "scripts/kconfig/"))
			g_ptr_array_add(files, g_strdup(*p));
	}
	g_ptr_array_sort(files, by_path);
	return files;
}

GHashTable *kernel_scan_symbols(const KernelSource *s, const char *src, const char *arch,
				GHashTable *names, GError **error)
{
	g_autoptr(GPtrArray) files = kconfig_files(s, arch, error);
	if (!files)
		return NULL;
	ScanState st = {
		.wanted = names,
		.found = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, symbol_free)};
	st.own = g_hash_table_new_full(g_str_hash, g_str_equal, g_free,
				       (GDestroyNotify)g_ptr_array_unref);
	for (guint i = 0; i < files->len; i++) {
		g_autofree char *path = g_build_filename(src, files->pdata[i], NULL);
		g_autofree char *text = kx_read_file(path, MAX_FILE, NULL, NULL);
		if (text)
			scan_file(&st, files->pdata[i], text);
	}
	GHashTableIter it;
	gpointer name, symbol;
	g_hash_table_iter_init(&it, st.found);
	while (g_hash_table_iter_next(&it, &name, &symbol)) {
		GPtrArray *own = g_hash_table_lookup(st.own, name);
		g_ptr_array_add(own, NULL);
		((KernelSymbol *)symbol)->mentions = g_strdupv((char **)own->pdata);
		g_ptr_array_remove_index(own, own->len - 1);
	}
	g_hash_table_unref(st.own);
	return st.found;
}
