/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <string.h>

#include "base/error.h"
#include "base/fs.h"
#include "campaign/campaign-internal.h"

#define FOLDER "kernels/toolchains"

static const cyaml_schema_field_t range_fields[] = {
	CYAML_FIELD_STRING_PTR("from", CYAML_FLAG_POINTER, ToolchainRange, from, 0,
			       CYAML_UNLIMITED),
	CYAML_FIELD_STRING_PTR("before", CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL, ToolchainRange,
			       before, 0, CYAML_UNLIMITED),
	CYAML_FIELD_END,
};

#define OPTIONAL_STRING(key, member)                                                               \
	CYAML_FIELD_STRING_PTR(key, CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL, Toolchain, member,   \
			       0, CYAML_UNLIMITED)
#define OPTIONAL_LIST(key, member)                                                                 \
	CYAML_FIELD_SEQUENCE(key, CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL, Toolchain, member,     \
			     &kx_yaml_string_entry, 0, CYAML_UNLIMITED)
static const cyaml_schema_field_t toolchain_fields[] = {
	CYAML_FIELD_STRING_PTR("name", CYAML_FLAG_POINTER, Toolchain, name, 0, CYAML_UNLIMITED),
	OPTIONAL_STRING("title", title),
	CYAML_FIELD_MAPPING("kernels", CYAML_FLAG_OPTIONAL, Toolchain, kernels, range_fields),
	CYAML_FIELD_STRING_PTR("cc", CYAML_FLAG_POINTER, Toolchain, cc, 0, CYAML_UNLIMITED),
	OPTIONAL_STRING("cross", cross),
	OPTIONAL_STRING("root", root),
	OPTIONAL_LIST("cc_flags", cc_flags),
	OPTIONAL_LIST("make_args", make_args),
	OPTIONAL_LIST("env", env),
	OPTIONAL_LIST("fixtures", fixtures),
	CYAML_FIELD_END,
};
static const cyaml_schema_value_t toolchain_schema = {
	CYAML_VALUE_MAPPING(CYAML_FLAG_POINTER, Toolchain, toolchain_fields),
};

void toolchain_free(Toolchain *t)
{
	if (!t)
		return;
	g_free(t->path);
	kx_yaml_free(&toolchain_schema, t);
}

/* It goes through make and the shell as it is. */
static bool check_words(const Toolchain *t, const char *key, char *const *list, unsigned n,
			GError **error)
{
	for (unsigned i = 0; i < n; i++) {
		size_t ok = strspn(list[i], G_CSET_a_2_z G_CSET_A_2_Z G_CSET_DIGITS "-_=+.,:/%");
		if (list[i][0] == '-' && !list[i][ok])
			continue;
		g_autofree char *at = campaign_entry_key(key, i);
		return campaign_error(error, t->path, at,
				      "'%s' is not one option of the compiler: expected '-' and "
				      "letters, digits, -_=+.,:/%%",
				      list[i]);
	}
	return true;
}

static bool is_version(const char *text)
{
	return g_ascii_isdigit(*text) && strspn(text, G_CSET_DIGITS ".") == strlen(text);
}

static bool check_range(const Toolchain *t, GError **error)
{
	const ToolchainRange *k = &t->kernels;
	if (k->from && !is_version(k->from))
		return campaign_error(error, t->path, "kernels.from",
				      "'%s' is no version such as 3.4", k->from);
	if (k->before && (!is_version(k->before) || strverscmp(k->from, k->before) >= 0))
		return campaign_error(error, t->path, "kernels.before",
				      "'%s' is no version after %s", k->before, k->from);
	return true;
}

static bool check_places(Toolchain *t, GError **error)
{
	if (strchr(t->cc, '/')) {
		/* a wrapper that comes with the profile */
		g_autofree char *here = g_path_get_dirname(t->path);
		char *full = kx_resolve(t->cc, here);
		g_free(t->cc);
		t->cc = full;
		if (g_file_test(full, G_FILE_TEST_IS_REGULAR))
			kx_note_file(full);
	}
	if (t->cross &&
	    (strchr(t->cc, '/') || !*t->cross ||
	     strspn(t->cross, G_CSET_a_2_z G_CSET_A_2_Z G_CSET_DIGITS "._+/-") != strlen(t->cross)))
		return campaign_error(error, t->path, "cross",
				      "'%s' is no prefix such as aarch64-linux-gnu- (and goes with "
				      "a `cc` without folder)",
				      t->cross);
	if (t->root && (!g_path_is_absolute(t->root) || g_str_equal(t->root, "/")))
		return campaign_error(error, t->path, "root",
				      "expected the absolute path of a folder with a system in it");
	if (t->root && strchr(t->cc, '/'))
		return campaign_error(error, t->path, "cc",
				      "with `root` it is a command of the system in there");
	return true;
}

Toolchain *toolchain_load(const char *path, GError **error)
{
	g_autoptr(Toolchain) t = kx_yaml_load(path, &toolchain_schema, error);
	if (!t)
		return NULL;
	t->path = g_strdup(path);
	bool ok = campaign_check_name(path, "name", t->name, error) &&
		  campaign_check_text(path, "cc", t->cc, error) && check_range(t, error) &&
		  check_places(t, error) &&
		  check_words(t, "cc_flags", t->cc_flags, t->cc_flags_count, error) &&
		  campaign_check_env(path, "make_args", t->make_args, t->make_args_count, error) &&
		  campaign_check_env(path, "env", t->env, t->env_count, error) &&
		  campaign_lookup_list(path, "fixtures", t->fixtures, t->fixtures_count,
				       "patches/old-kernels", ".patch", error);
	return ok ? g_steal_pointer(&t) : NULL;
}

GPtrArray *campaign_load_toolchains(const char *path, GError **error)
{
	g_autoptr(GPtrArray) all = g_ptr_array_new_with_free_func((GDestroyNotify)toolchain_free);
	g_autofree char *tree = campaign_tree_of(path);
	g_autofree char *data = kx_resolve(kx_data_dir(), NULL);
	const char *root = tree ? tree : data;
	g_auto(GStrv) names = campaign_known_names(root, FOLDER, ".yaml");
	if (!names[0] && tree) {
		g_strfreev(names);
		root = data;
		names = campaign_known_names(root, FOLDER, ".yaml");
	}
	for (char **n = names; *n; n++) {
		g_autofree char *file = g_strdup_printf("%s/" FOLDER "/%s.yaml", root, *n);
		Toolchain *t = toolchain_load(file, error);
		if (!t)
			return NULL;
		g_ptr_array_add(all, t);
	}
	return g_steal_pointer(&all);
}

static bool holds(const ToolchainRange *k, const char *version)
{
	return k->from && strverscmp(version, k->from) >= 0 &&
	       (!k->before || strverscmp(version, k->before) < 0);
}

const Toolchain *recipe_toolchain(const Recipe *r, const char *version, GError **error)
{
	if (r->toolchain)
		return r->toolchain;
	if (!version) {
		g_set_error(error, KX_ERROR, KX_ERROR_MISSING,
			    "%s: the source's Makefile does not say which version it is, so no "
			    "toolchain can be chosen by it: name one (key toolchain, or "
			    "--toolchain)",
			    r->path);
		return NULL;
	}
	const Toolchain *found = NULL;
	for (guint i = 0; i < r->toolchains->len; i++) {
		const Toolchain *t = r->toolchains->pdata[i];
		if (!holds(&t->kernels, version))
			continue;
		if (found) {
			g_set_error(error, KX_ERROR, KX_ERROR_INPUT,
				    "both %s and %s say that they are for Linux %s: name one (key "
				    "toolchain, or --toolchain)",
				    found->path, t->path, version);
			return NULL;
		}
		found = t;
	}
	if (!found)
		g_set_error(error, KX_ERROR, KX_ERROR_MISSING,
			    "no profile in " FOLDER " is for Linux %s: name one (key toolchain of "
			    "%s, or --toolchain), or write one",
			    version, r->path);
	return found;
}
