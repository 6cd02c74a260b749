/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <stdarg.h>
#include <string.h>

#include "base/error.h"
#include "base/fs.h"
#include "campaign/campaign-internal.h"

bool campaign_error(GError **error, const char *path, const char *key, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	g_autofree char *what = g_strdup_vprintf(format, args);
	va_end(args);
	g_autofree char *where = kx_yaml_where(path, key);
	/* a missing key: its nearest parent that is there */
	g_autofree char *parent = g_strdup(key);
	for (char *dot; g_str_equal(where, path) && (dot = strrchr(parent, '.'));) {
		*dot = '\0';
		g_free(where);
		where = kx_yaml_where(path, parent);
	}
	g_set_error(error, KX_ERROR, KX_ERROR_INPUT, "%s: %s", where, what);
	return false;
}

bool campaign_given(const char *path, const char *key)
{
	g_autofree char *where = kx_yaml_where(path, key);
	return !g_str_equal(where, path);
}

char *campaign_entry_key(const char *list, unsigned i)
{
	return g_strdup_printf("%s.%u", list, i);
}

bool campaign_check_name(const char *path, const char *key, const char *name, GError **error)
{
	size_t ok = strspn(name, G_CSET_a_2_z G_CSET_A_2_Z G_CSET_DIGITS "._-");
	if (g_ascii_isalnum(name[0]) && !name[ok] && ok <= 64)
		return true;
	return campaign_error(error, path, key,
			      "'%s' is no name: expected letters, digits, '.', '_' and '-', first "
			      "a letter or digit, at most 64",
			      name);
}

bool campaign_check_cmdline(const char *path, const char *key, const char *text, GError **error)
{
	if (!text)
		return true;
	for (const char *p = text; *p; p++)
		if (!g_ascii_isprint(*p))
			return campaign_error(
				error, path, key,
				"a kernel command line is one line of printable ASCII; found the "
				"byte 0x%02x",
				(unsigned char)*p);
	g_auto(GStrv) words = g_strsplit(text, " ", -1);
	for (char **w = words; *w; w++)
		if (g_str_has_prefix(*w, "kexsect."))
			return campaign_error(
				error, path, key,
				"'%s': parameters that start with kexsect. are set by kexsect", *w);
	if (strlen(text) > 1024)
		return campaign_error(error, path, key,
				      "the command line is longer than 1024 bytes");
	return true;
}

bool campaign_check_env(const char *path, const char *key, char **list, unsigned n, GError **error)
{
	for (unsigned i = 0; i < n; i++) {
		size_t name = strspn(list[i], G_CSET_a_2_z G_CSET_A_2_Z G_CSET_DIGITS "_");
		if (name > 0 && list[i][name] == '=')
			continue;
		g_autofree char *at = campaign_entry_key(key, i);
		return campaign_error(error, path, at, "expected NAME=value, found '%s'", list[i]);
	}
	return true;
}

bool campaign_check_range(const char *path, const char *key, double value, double lo, double hi,
			  GError **error)
{
	if ((value >= lo && value <= hi) || !campaign_given(path, key))
		return true;
	return campaign_error(error, path, key, "%.10g is out of range: expected %.10g to %.10g",
			      value, lo, hi);
}

bool campaign_check_distinct(const char *path, const char *key, char **list, unsigned n,
			     GError **error)
{
	for (unsigned i = 0; i < n; i++) {
		g_autofree char *at = campaign_entry_key(key, i);
		if (!*list[i])
			return campaign_error(error, path, at, "an empty entry");
		for (unsigned k = 0; k < i; k++)
			if (g_str_equal(list[i], list[k]))
				return campaign_error(error, path, at, "'%s' is listed twice",
						      list[i]);
	}
	return true;
}

/* Levenshtein distance, cut at names of 64 bytes. */
static unsigned distance(const char *a, const char *b)
{
	unsigned row[65];
	size_t n = MIN(strlen(b), G_N_ELEMENTS(row) - 1);
	for (size_t j = 0; j <= n; j++)
		row[j] = (unsigned)j;
	for (size_t i = 0; a[i]; i++) {
		unsigned diagonal = row[0];
		row[0] = (unsigned)i + 1;
		for (size_t j = 0; j < n; j++) {
			unsigned replaced = diagonal + (a[i] != b[j]);
			diagonal = row[j + 1];
			row[j + 1] = MIN(replaced, MIN(diagonal, row[j]) + 1);
		}
	}
	return row[n];
}

char *campaign_suggest(const char *name, const char *const *known)
{
	const char *best = NULL;
	unsigned least = (unsigned)MAX(strlen(name) / 3, 2) + 1;
	for (const char *const *k = known; k && *k; k++) {
		unsigned d = distance(name, *k);
		if (d < least) {
			least = d;
			best = *k;
		}
	}
	g_autofree char *all = known && *known ? g_strjoinv(", ", (char **)known) : NULL;
	return g_strdup_printf("%s%s%s Known: %s.", best ? " Did you mean '" : "", best ? best : "",
			       best ? "'?" : "", all ? all : "none");
}

char *campaign_tree_of(const char *path)
{
	for (g_autofree char *at = g_path_get_dirname(path); strlen(at) > 1;) {
		g_autofree char *base = g_path_get_basename(at);
		char *parent = g_path_get_dirname(at);
		if (g_str_equal(base, "configs") || g_str_equal(base, "kernels") ||
		    g_str_equal(base, "patches"))
			return parent;
		g_free(at);
		at = parent;
	}
	return NULL;
}

static char *existing(const char *root, const char *folder, const char *value, const char *suffix,
		      GString *looked)
{
	g_autofree char *file = g_strconcat(value, suffix, NULL);
	const char *names[] = {file, value};
	for (guint i = 0; i < (*suffix ? 2 : 1); i++) {
		g_autofree char *named = g_build_filename(root, folder, names[i], NULL);
		char *path = kx_resolve(named, NULL);
		if (g_file_test(path, G_FILE_TEST_IS_REGULAR))
			return path;
		if (i == 0)
			g_string_append_printf(looked, "%s%s", looked->len ? " nor " : "", path);
		g_free(path);
	}
	return NULL;
}

static int compare_strings(gconstpointer a, gconstpointer b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

char **campaign_known_names(const char *root, const char *folder, const char *suffix)
{
	g_autofree char *where = g_build_filename(root, folder, NULL);
	g_autoptr(GDir) dir = g_dir_open(where, 0, NULL);
	g_autoptr(GPtrArray) names = g_ptr_array_new();
	const char *entry;
	while (dir && (entry = g_dir_read_name(dir))) {
		g_autofree char *inner =
			*suffix == '/' ? g_strconcat(where, "/", entry, suffix, NULL) : NULL;
		if (inner && g_file_test(inner, G_FILE_TEST_IS_REGULAR))
			g_ptr_array_add(names, g_strdup(entry));
		else if (!inner && g_str_has_suffix(entry, suffix))
			g_ptr_array_add(names, g_strndup(entry, strlen(entry) - strlen(suffix)));
	}
	g_ptr_array_sort(names, compare_strings);
	g_ptr_array_add(names, NULL);
	return (char **)g_ptr_array_free(g_steal_pointer(&names), FALSE);
}

char *campaign_lookup(const char *path, const char *key, const char *value, const char *folder,
		      const char *suffix, GError **error)
{
	if (!*value) {
		campaign_error(error, path, key, "an empty name");
		return NULL;
	}
	if (strchr(value, '/') || g_str_has_suffix(value, ".yaml")) {
		g_autofree char *here = g_path_get_dirname(path);
		g_autofree char *full = kx_resolve(value, here);
		if (g_file_test(full, G_FILE_TEST_IS_REGULAR)) {
			kx_note_file(full);
			return g_steal_pointer(&full);
		}
		campaign_error(error, path, key, "there is no file %s", full);
		return NULL;
	}
	g_autoptr(GString) looked = g_string_new(NULL);
	g_autofree char *tree = campaign_tree_of(path);
	char *found = tree ? existing(tree, folder, value, suffix, looked) : NULL;
	if (!found && g_strcmp0(tree, kx_data_dir()) != 0)
		found = existing(kx_data_dir(), folder, value, suffix, looked);
	if (found) {
		kx_note_file(found);
		return found;
	}
	g_auto(GStrv) names = campaign_known_names(tree ? tree : kx_data_dir(), folder, suffix);
	g_autofree char *known = campaign_suggest(value, (const char *const *)names);
	campaign_error(error, path, key, "'%s' is not known: there is no %s.%s", value, looked->str,
		       known);
	return NULL;
}

bool campaign_lookup_into(const char *path, const char *key, char **value, const char *folder,
			  const char *suffix, GError **error)
{
	if (!*value)
		return true;
	char *full = campaign_lookup(path, key, *value, folder, suffix, error);
	if (!full)
		return false;
	g_free(*value);
	*value = full;
	return true;
}

bool campaign_lookup_list(const char *path, const char *key, char **list, unsigned n,
			  const char *folder, const char *suffix, GError **error)
{
	for (unsigned i = 0; i < n; i++) {
		g_autofree char *at = campaign_entry_key(key, i);
		if (!campaign_lookup_into(path, at, &list[i], folder, suffix, error))
			return false;
	}
	return true;
}

bool campaign_check_text(const char *path, const char *key, const char *text, GError **error)
{
	return !text || *text || campaign_error(error, path, key, "this must not be empty");
}

void campaign_default(char **value, const char *fallback)
{
	if (!*value)
		*value = g_strdup(fallback);
}
