/* SPDX-License-Identifier: GPL-2.0-or-later */
/* .config: the recipe's starting point, the fragments over it, then the kernel's own olddefconfig.
 * Kconfig drops quietly what it cannot have, so every symbol that was asked for is looked up in the
 * result. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "base/fs.h"
#include "kernel/kernel-internal.h"

#define MAX_CONFIG (4u << 20)

typedef struct {
	char *value; /* "y", "\"text\""; "n": is not set */
	char *where; /* FILE:LINE */
} Asked;

static void asked_free(gpointer data)
{
	Asked *a = data;
	g_free(a->value);
	g_free(a->where);
	g_free(a);
}

char *kernel_config_line(const char *line, char **ret_value)
{
	static const char unset[] = " is not set";
	g_autofree char *text = g_strstrip(g_strdup(line));
	if (g_str_has_prefix(text, "# CONFIG_") && g_str_has_suffix(text, unset)) {
		*ret_value = g_strdup("n");
		return g_strndup(text + 2, strlen(text) - 2 - strlen(unset));
	}
	char *eq = strchr(text, '=');
	if (!g_str_has_prefix(text, "CONFIG_") || !eq)
		return NULL;
	*ret_value = g_strdup(eq + 1);
	return g_strndup(text, (gsize)(eq - text));
}

static bool read_fragment(const char *path, GHashTable *asked, GError **error)
{
	g_autofree char *text = kx_read_file(path, MAX_CONFIG, NULL, error);
	if (!text)
		return false;
	g_auto(GStrv) lines = g_strsplit(text, "\n", -1);
	for (guint i = 0; lines[i]; i++) {
		char *value = NULL, *symbol = kernel_config_line(lines[i], &value);
		if (symbol) {
			Asked *a = g_new0(Asked, 1);
			a->value = value;
			a->where = g_strdup_printf("%s:%u", path, i + 1);
			g_hash_table_replace(asked, symbol, a); /* the last one counts */
			continue;
		}
		const char *p = lines[i] + strspn(lines[i], " \t\r");
		if (*p && *p != '#') {
			g_set_error(
				error, KX_ERROR, KX_ERROR_FAILED,
				"%s:%u:1: '%s' is no kconfig line: expected CONFIG_NAME=value or "
				"# CONFIG_NAME is not set",
				path, i + 1, lines[i]);
			return false;
		}
	}
	return true;
}

/* "USB_PCI=n" */
static bool read_setting(const char *setting, GHashTable *asked, GError **error)
{
	const char *eq = strchr(setting, '=');
	gsize name = eq ? (gsize)(eq - setting) : 0;
	if (!name || !eq[1] || strchr(setting, '\n') ||
	    strspn(setting, G_CSET_A_2_Z G_CSET_a_2_z G_CSET_DIGITS "_") != name) {
		g_set_error(error, KX_ERROR, KX_ERROR_FAILED,
			    "'%s' is no kconfig setting: expected NAME=value", setting);
		return false;
	}
	Asked *a = g_new0(Asked, 1);
	a->value = g_strdup(eq + 1);
	a->where = g_strdup("asked for by the variant");
	g_hash_table_replace(asked, g_strdup_printf("CONFIG_%.*s", (int)name, setting), a);
	return true;
}

/* All that the recipe's fragments, then the request's and its settings ask for: symbol to Asked. */
static GHashTable *read_fragments(const KernelRequest *q, GError **error)
{
	g_autoptr(GHashTable) asked =
		g_hash_table_new_full(g_str_hash, g_str_equal, g_free, asked_free);
	for (unsigned i = 0; !q->config_file && i < q->recipe->fragments_count; i++)
		if (!read_fragment(q->recipe->fragments[i], asked, error))
			return NULL;
	for (guint i = 0; q->fragments && q->fragments[i]; i++)
		if (!read_fragment(q->fragments[i], asked, error))
			return NULL;
	for (guint i = 0; q->config && q->config[i]; i++)
		if (!read_setting(q->config[i], asked, error))
			return NULL;
	return g_steal_pointer(&asked);
}

static bool verify(GHashTable *asked, const char *config, GError **error)
{
	g_autofree char *text = kx_read_file(config, MAX_CONFIG, NULL, error);
	if (!text)
		return false;
	g_autoptr(GHashTable) have = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
	g_auto(GStrv) lines = g_strsplit(text, "\n", -1);
	for (char **l = lines; *l; l++) {
		char *value = NULL, *symbol = kernel_config_line(*l, &value);
		if (symbol)
			g_hash_table_replace(have, symbol, value);
	}
	g_autoptr(GString) missing = g_string_new(NULL);
	GHashTableIter it;
	gpointer symbol, a;
	g_hash_table_iter_init(&it, asked);
	while (g_hash_table_iter_next(&it, &symbol, &a)) {
		const Asked *want = a;
		const char *got = g_hash_table_lookup(have, symbol);
		if (g_str_equal(want->value, got ? got : "n"))
			continue;
		g_string_append_printf(missing, "%s%s=%s (%s) became %s", missing->len ? "; " : "",
				       (char *)symbol, want->value, want->where,
				       got ? got : "unknown or without what it depends on");
	}
	if (!missing->len)
		return true;
	g_set_error(error, KX_ERROR, KX_ERROR_INPUT, "the kernel's configuration does not take: %s",
		    missing->str);
	return false;
}

static bool matters_to_kconfig(const char *path)
{
	g_autofree char *base = g_path_get_basename(path);
	return g_str_has_prefix(base, "Kconfig") || g_str_has_prefix(base, "Makefile") ||
	       g_str_has_suffix(base, "_defconfig") || g_str_has_suffix(base, ".config") ||
	       g_str_has_prefix(path, "scripts/");
}

static bool add_digest(GString *what, const char *name, const char *path, GError **error)
{
	g_autofree char *digest = kx_sha256_file(path, error);
	if (digest)
		g_string_append_printf(what, "%s%s\n", name, digest);
	return digest != NULL;
}

static int compare_strings(gconstpointer a, gconstpointer b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

bool kernel_config_inputs(const KernelRequest *q, GString *what, GError **error)
{
	if (q->config_file && !add_digest(what, "config ", q->config_file, error))
		return false;
	for (unsigned i = 0; !q->config_file && i < q->recipe->fragments_count; i++)
		if (!add_digest(what, "", q->recipe->fragments[i], error))
			return false;
	for (guint i = 0; q->fragments && q->fragments[i]; i++)
		if (!add_digest(what, "", q->fragments[i], error))
			return false;
	g_autoptr(GPtrArray) settings = g_ptr_array_new();
	for (guint i = 0; q->config && q->config[i]; i++)
		g_ptr_array_add(settings, (gpointer)q->config[i]);
	g_ptr_array_sort(settings, compare_strings);
	for (guint i = 0; i < settings->len; i++)
		g_string_append_printf(what, "set %s\n", (const char *)settings->pdata[i]);
	return true;
}

/* Files that a .config depends on, and what it was made with. */
static char *config_key(const KernelRequest *q, const KernelWork *w, const KernelTree *t,
			GError **error)
{
	g_autoptr(GString) what = g_string_new("kexsect-config-1\n");
	g_autofree char *cc = kernel_compiler_version(w->toolchain, error);
	if (!cc)
		return NULL;
	g_string_append_printf(what, "%s\n%s\n", cc, q->recipe->defconfig);
	if (!kernel_config_inputs(q, what, error))
		return NULL;
	g_auto(GStrv) lines = g_strsplit(t->blobs, "\n", -1);
	for (char **l = lines; *l; l++) {
		char *tab = strchr(*l, '\t');
		if (tab && matters_to_kconfig(tab + 1))
			g_string_append_printf(what, "%s\n", *l);
	}
	return g_compute_checksum_for_string(G_CHECKSUM_SHA256, what->str, -1);
}

/* olddefconfig came with 3.7; before, oldnoconfig did what is nearest. */
const char *kernel_settle_target(const KernelWork *w)
{
	g_autofree char *path = g_build_filename(w->src, "scripts/kconfig/Makefile", NULL);
	g_autofree char *text = kx_read_file(path, MAX_CONFIG, NULL, NULL);
	return text && !strstr(text, "olddefconfig") && strstr(text, "oldnoconfig")
		       ? "oldnoconfig"
		       : "olddefconfig";
}

static bool append_fragments(const KernelRequest *q, const char *config, GError **error)
{
	g_autoptr(GString) all = g_string_new(NULL);
	g_autofree char *text = kx_read_file(config, MAX_CONFIG, NULL, error);
	if (!text)
		return false;
	g_autoptr(GHashTable) asked = read_fragments(q, error);
	if (!asked)
		return false;
	/* what is asked for replaces the line of the starting point */
	g_auto(GStrv) lines = g_strsplit(text, "\n", -1);
	for (char **l = lines; *l; l++) {
		g_autofree char *value = NULL, *symbol = kernel_config_line(*l, &value);
		if (!symbol || !g_hash_table_contains(asked, symbol))
			g_string_append_printf(all, "%s\n", *l);
	}
	GHashTableIter it;
	gpointer symbol, a;
	g_hash_table_iter_init(&it, asked);
	while (g_hash_table_iter_next(&it, &symbol, &a)) {
		const char *value = ((const Asked *)a)->value;
		if (g_str_equal(value, "n"))
			g_string_append_printf(all, "# %s is not set\n", (char *)symbol);
		else
			g_string_append_printf(all, "%s=%s\n", (char *)symbol, value);
	}
	return kx_write_file(config, all->str, (gssize)all->len, error);
}

static bool verify_fragments(const KernelRequest *q, const char *config, GError **error)
{
	g_autoptr(GHashTable) asked = read_fragments(q, error);
	if (!asked)
		return false;
	return verify(asked, config, error);
}

/* The starting point: a file that somebody gives, or what a target of make makes. */
static bool start_config(const KernelRequest *q, const KernelMake *m, const char *config,
			 GError **error)
{
	const char *start[] = {q->recipe->defconfig, NULL};
	unlink(config);
	if (!q->config_file)
		return kernel_make_run(m, start, error);
	size_t len;
	g_autofree char *text = kx_read_file(q->config_file, MAX_CONFIG, &len, error);
	return text && kx_write_file(config, text, (gssize)len, error);
}

/* In a folder of its own, so that the real .config never has an intermediate state (and time). */
static bool make_config(const KernelRequest *q, const KernelWork *w, const char *dir,
			const char *ccache, GError **error)
{
	KernelMake m = {.recipe = q->recipe,
			.jobs = 1,
			.box = {.src = w->src,
				.obj = dir,
				.ccache = ccache,
				.toolchain = w->toolchain,
				.enabled = q->sandbox}};
	const char *settle[] = {kernel_settle_target(w), NULL};
	g_autofree char *config = g_build_filename(dir, ".config", NULL);
	return start_config(q, &m, config, error) && append_fragments(q, config, error) &&
	       kernel_make_run(&m, settle, error) && verify_fragments(q, config, error);
}

static bool put_config(const char *from, const char *obj, GError **error)
{
	g_autofree char *to = g_build_filename(obj, ".config", NULL);
	g_autofree char *new = kx_read_file(from, MAX_CONFIG, NULL, error);
	g_autofree char *old = kx_read_file(to, MAX_CONFIG, NULL, NULL);
	if (!new)
		return false;
	return g_strcmp0(old, new) == 0 || kx_write_file(to, new, -1, error);
}

/* The .config is made once for all variants that give the same one; it is text and an input, so a
 * clean build may take it too. */
bool kernel_configure(const KernelRequest *q, const KernelWork *w, const KernelTree *t,
		      const char *obj, const char *ccache, GError **error)
{
	g_autofree char *key = config_key(q, w, t, error);
	if (!key)
		return false;
	g_autofree char *known = g_strdup_printf("%s/configs/%s", w->dir, key);
	g_autofree char *known_dir = g_path_get_dirname(known);
	g_autofree char *made = g_build_filename(w->kconf, ".config", NULL);
	if (!kx_mkdir(known_dir, error))
		return false;
	if (!g_file_test(known, G_FILE_TEST_EXISTS) &&
	    (!make_config(q, w, w->kconf, ccache, error) || !kx_copy_file(made, known, error)))
		return false;
	return put_config(known, obj, error);
}
