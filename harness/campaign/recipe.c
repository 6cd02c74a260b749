/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <string.h>

#include "base/error.h"
#include "base/fs.h"
#include "campaign/campaign-internal.h"

#define SOURCE_STRING(key, member)                                                                 \
	CYAML_FIELD_STRING_PTR(key, CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL, RecipeSource,        \
			       member, 0, CYAML_UNLIMITED)
static const cyaml_schema_field_t source_fields[] = {
	SOURCE_STRING("debian", debian),
	SOURCE_STRING("tarball", tarball),
	SOURCE_STRING("sha256", sha256),
	SOURCE_STRING("git", git),
	SOURCE_STRING("revision", revision),
	CYAML_FIELD_SEQUENCE("trees", CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL, RecipeSource, trees,
			     &kx_yaml_string_entry, 0, CYAML_UNLIMITED),
	CYAML_FIELD_END,
};

static const cyaml_schema_field_t recipe_fields[] = {
	CYAML_FIELD_STRING_PTR("name", CYAML_FLAG_POINTER, Recipe, name, 0, CYAML_UNLIMITED),
	CYAML_FIELD_STRING_PTR("title", CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL, Recipe, title, 0,
			       CYAML_UNLIMITED),
	CYAML_FIELD_MAPPING("source", CYAML_FLAG_DEFAULT, Recipe, source, source_fields),
	CYAML_FIELD_STRING_PTR("arch", CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL, Recipe, arch, 0,
			       CYAML_UNLIMITED),
	CYAML_FIELD_STRING_PTR("defconfig", CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL, Recipe,
			       defconfig, 0, CYAML_UNLIMITED),
	CYAML_FIELD_SEQUENCE("fragments", CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL, Recipe,
			     fragments, &kx_yaml_string_entry, 0, CYAML_UNLIMITED),
	CYAML_FIELD_STRING_PTR("toolchain", CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL, Recipe,
			       toolchain_file, 0, CYAML_UNLIMITED),
	CYAML_FIELD_STRING_PTR("image", CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL, Recipe, image, 0,
			       CYAML_UNLIMITED),
	CYAML_FIELD_UINT("steps", CYAML_FLAG_OPTIONAL, Recipe, steps),
	CYAML_FIELD_END,
};
static const cyaml_schema_value_t recipe_schema = {
	CYAML_VALUE_MAPPING(CYAML_FLAG_POINTER, Recipe, recipe_fields),
};

void recipe_free(Recipe *r)
{
	if (!r)
		return;
	toolchain_free(r->toolchain);
	g_clear_pointer(&r->toolchains, g_ptr_array_unref);
	g_free(r->source_is);
	g_free(r->compiled_by);
	g_free(r->source.given);
	g_free(r->source.folder);
	g_free(r->path);
	kx_yaml_free(&recipe_schema, r);
}

static bool is_hex(const char *text, size_t digits)
{
	return strlen(text) == digits && strspn(text, "0123456789abcdef") == digits;
}

static bool check_source(const char *path, RecipeSource *s, GError **error)
{
	for (unsigned i = 0; i < s->trees_count; i++)
		if (!is_hex(s->trees[i], 40))
			return campaign_error(error, path, "source.trees",
					      "'%s' is no tree of git: expected 40 lower-case "
					      "hexadecimal digits",
					      s->trees[i]);
	int kinds = !!s->debian + !!s->tarball + !!s->git;
	if (kinds != 1)
		return campaign_error(error, path, "source",
				      "expected one of the keys debian, tarball, git; found %s",
				      kinds ? "more than one" : "none");
	if (s->sha256 && s->git)
		return campaign_error(error, path, "source.sha256",
				      "a git source is fixed by its revision, not by sha256");
	if (s->sha256 && !is_hex(s->sha256, 64))
		return campaign_error(error, path, "source.sha256",
				      "expected 64 lower-case hexadecimal digits, found '%s'",
				      s->sha256);
	if (s->revision && !s->git)
		return campaign_error(error, path, "source.revision",
				      "revision goes with the key git only");
	if (s->debian)
		return campaign_check_name(path, "source.debian", s->debian, error);
	if (s->tarball) {
		if (!g_str_has_prefix(s->tarball, "https://") &&
		    !g_str_has_prefix(s->tarball, "http://") &&
		    !g_str_has_prefix(s->tarball, "file:///"))
			return campaign_error(
				error, path, "source.tarball",
				"expected a URL that starts with https://, http:// or "
				"file:///, found '%s'",
				s->tarball);
		return true;
	}
	if (!s->revision)
		return campaign_error(error, path, "source",
				      "a git source needs the key revision (a commit or a tag)");
	/* neither may be taken for an option by the git command line */
	if (!*s->git || s->git[0] == '-')
		return campaign_error(error, path, "source.git", "expected a URL or a path");
	if (strspn(s->revision, G_CSET_a_2_z G_CSET_A_2_Z G_CSET_DIGITS "._/-^~") !=
		    strlen(s->revision) ||
	    !*s->revision || s->revision[0] == '-')
		return campaign_error(error, path, "source.revision",
				      "'%s' is no commit, tag or branch name", s->revision);
	/* a path is relative to the recipe */
	if (!strstr(s->git, "://") && !strchr(s->git, ':')) {
		g_autofree char *here = g_path_get_dirname(kx_resolve_origin(path));
		char *full = g_canonicalize_filename(s->git, here);
		g_free(s->git);
		s->git = full;
	}
	return true;
}

/* The one that is given, else the one that is named, else all: the source will tell. */
static bool load_toolchain(Recipe *r, GError **error)
{
	g_autofree char *given = recipe_given(RECIPE_TOOLCHAINS, r->name);
	if (given) {
		g_free(r->toolchain_file);
		r->toolchain_file = g_steal_pointer(&given);
		r->toolchain_given = true;
	}
	if (!r->toolchain_file)
		return (r->toolchains = campaign_load_toolchains(r->path, error));
	return campaign_lookup_into(r->path, "toolchain", &r->toolchain_file, "kernels/toolchains",
				    ".yaml", error) &&
	       (r->toolchain = toolchain_load(r->toolchain_file, error));
}

static bool check_recipe(Recipe *r, GError **error)
{
	const char *path = r->path;
	campaign_default(&r->arch, "x86_64");
	campaign_default(&r->defconfig, "defconfig");
	campaign_default(&r->image, "arch/x86/boot/bzImage");
	if (!campaign_check_name(path, "name", r->name, error) ||
	    !check_source(path, &r->source, error) ||
	    !campaign_give_source(r->name, &r->source, error) ||
	    !campaign_check_name(path, "arch", r->arch, error) ||
	    !campaign_check_name(path, "defconfig", r->defconfig, error))
		return false;
	g_autofree char *image = g_canonicalize_filename(r->image, "/");
	if (!*r->image || g_path_is_absolute(r->image) || !g_str_equal(image + 1, r->image))
		return campaign_error(error, path, "image",
				      "'%s' is not a plain path inside the build tree", r->image);
	return campaign_lookup_list(path, "fragments", r->fragments, r->fragments_count,
				    "kernels/fragments", ".config", error) &&
	       load_toolchain(r, error);
}

Recipe *recipe_load(const char *path, GError **error)
{
	g_autofree char *full = g_canonicalize_filename(path, NULL);
	g_autoptr(Recipe) r = kx_yaml_load(full, &recipe_schema, error);
	if (!r)
		return NULL;
	r->path = g_steal_pointer(&full);
	return check_recipe(r, error) ? g_steal_pointer(&r) : NULL;
}

bool recipe_is_fixed(const Recipe *r)
{
	const RecipeSource *s = &r->source;
	return r->toolchain && !s->given && (s->debian || s->sha256 || s->git);
}
