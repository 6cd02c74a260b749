/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A source or toolchain that a person gives for one machine. It is in the environment, so that the
 * jobs of a run, which are processes, and a shell's later commands have the same. */
#include <string.h>

#include "base/error.h"
#include "campaign/campaign-internal.h"

static GPtrArray *unused; /* entries of the command line whose recipe was not seen yet */

/* The value of an entry that is for this recipe; NULL: it is for another. */
static const char *value_for(const char *variable, const char *entry, const char *name)
{
	const char *eq = strchr(entry, '=');
	if (!eq)
		return *entry && g_str_equal(variable, RECIPE_TOOLCHAINS) ? entry : NULL;
	return strlen(name) == (size_t)(eq - entry) && strncmp(entry, name, strlen(name)) == 0
		       ? eq + 1
		       : NULL;
}

static void note_use(const char *entry)
{
	for (guint i = unused ? unused->len : 0; i-- > 0;)
		if (g_str_equal(unused->pdata[i], entry))
			g_ptr_array_remove_index(unused, i);
}

char *recipe_given(const char *variable, const char *name)
{
	const char *all = g_getenv(variable);
	g_auto(GStrv) entries = g_strsplit(all ? all : "", ",", -1);
	for (char **e = entries; *e; e++) {
		const char *value = value_for(variable, g_strstrip(*e), name);
		if (!value)
			continue;
		note_use(*e);
		return g_strdup(value);
	}
	return NULL;
}

char *recipe_given_unused(void)
{
	return unused && unused->len ? g_strdup(unused->pdata[0]) : NULL;
}

static const char *value_of(const char *entry)
{
	const char *eq = strchr(entry, '=');
	return eq ? eq + 1 : entry;
}

/* The entry, with an absolute path: a source is one, of a toolchain what has a '/'. */
static char *absolute(const char *variable, const char *entry)
{
	const char *value = value_of(entry);
	bool path = g_str_equal(variable, RECIPE_SOURCES) || strchr(value, '/');
	g_autofree char *full = path ? g_canonicalize_filename(value, NULL) : g_strdup(value);
	return g_strdup_printf("%.*s%s", (int)(value - entry), entry, full);
}

char *recipe_given_all(const char *variable)
{
	const char *all = g_getenv(variable);
	g_auto(GStrv) entries = g_strsplit(all ? all : "", ",", -1);
	g_autoptr(GString) out = g_string_new(NULL);
	for (char **e = entries; *e; e++) {
		const char *value = value_of(g_strstrip(*e));
		if (!*value || (value == *e && g_str_equal(variable, RECIPE_SOURCES)))
			continue;
		g_autofree char *full = absolute(variable, *e);
		g_string_append_printf(out, "%s%s", out->len ? "," : "", full);
	}
	return out->len ? g_strdup(out->str) : NULL;
}

bool recipe_give(const char *variable, const char *entry, GError **error)
{
	bool source = g_str_equal(variable, RECIPE_SOURCES);
	const char *option = source ? "--source" : "--toolchain";
	const char *value = value_of(entry);
	if ((source && value - entry < 2) || !*value || strchr(entry, ',')) {
		g_set_error(error, KX_ERROR, KX_ERROR_INPUT,
			    source ? "%s %s: expected NAME=PATH, NAME being that of a recipe in "
				     "kernels/, and no ',' in it"
				   : "%s %s: expected NAME, PATH or RECIPE=NAME, and no ',' in it",
			    option, entry);
		return false;
	}
	g_autofree char *own = absolute(variable, entry);
	const char *before = g_getenv(variable);
	g_autofree char *all =
		before && *before ? g_strdup_printf("%s,%s", own, before) : g_strdup(own);
	g_setenv(variable, all, TRUE);
	if (!unused)
		unused = g_ptr_array_new_with_free_func(g_free);
	g_ptr_array_add(unused, g_steal_pointer(&own));
	return true;
}

/* PATH, or PATH@REVISION where there is no file of the whole name. */
static bool split_revision(const char *value, char **ret_path, char **ret_revision)
{
	*ret_path = g_canonicalize_filename(value, NULL);
	*ret_revision = NULL;
	if (g_file_test(*ret_path, G_FILE_TEST_EXISTS))
		return true;
	for (const char *at = strrchr(value, '@'); at; at = g_strrstr_len(value, at - value, "@")) {
		g_autofree char *left = g_strndup(value, (gsize)(at - value));
		g_autofree char *path = g_canonicalize_filename(left, NULL);
		if (at == value || !g_file_test(path, G_FILE_TEST_EXISTS))
			continue;
		g_free(*ret_path);
		*ret_path = g_steal_pointer(&path);
		*ret_revision = g_strdup(at + 1);
		return true;
	}
	return false;
}

static bool is_repository(const char *path)
{
	g_autofree char *inner = g_build_filename(path, ".git", NULL);
	g_autofree char *head = g_build_filename(path, "HEAD", NULL);
	g_autofree char *objects = g_build_filename(path, "objects", NULL);
	return g_file_test(inner, G_FILE_TEST_EXISTS) ||
	       (g_file_test(head, G_FILE_TEST_EXISTS) && g_file_test(objects, G_FILE_TEST_IS_DIR));
}

bool campaign_give_source(const char *name, RecipeSource *s, GError **error)
{
	g_autofree char *value = recipe_given(RECIPE_SOURCES, name);
	if (!value)
		return true;
	g_autofree char *path = NULL, *revision = NULL;
	bool there = split_revision(value, &path, &revision);
	bool folder = there && g_file_test(path, G_FILE_TEST_IS_DIR);
	const char *problem = NULL;
	if (!there)
		problem = "there is no such file or folder";
	else if (revision && (!folder || !is_repository(path)))
		problem = "it has a revision, but is no git repository";
	else if (revision && (!*revision || revision[0] == '-'))
		problem = "that is no revision";
	if (problem) {
		g_set_error(error, KX_ERROR, KX_ERROR_MISSING,
			    "the source given for %s, %s: %s (--source or $" RECIPE_SOURCES ")",
			    name, value, problem);
		return false;
	}
	char **own[] = {&s->debian, &s->tarball, &s->sha256, &s->git, &s->revision};
	for (guint i = 0; i < G_N_ELEMENTS(own); i++)
		g_clear_pointer(own[i], g_free);
	s->given = g_steal_pointer(&value);
	if (folder && is_repository(path)) {
		s->git = g_steal_pointer(&path);
		s->revision = revision ? g_steal_pointer(&revision) : g_strdup("HEAD");
	} else if (folder) {
		s->folder = g_steal_pointer(&path);
	} else {
		s->tarball = g_strconcat("file://", path, NULL);
	}
	return true;
}
