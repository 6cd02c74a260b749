/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <string.h>

#include "base/error.h"
#include "base/fs.h"
#include "campaign/campaign-internal.h"

static const cyaml_strval_t kinds[] = {{"candidate", PATCH_CANDIDATE}, {"fixture", PATCH_FIXTURE}};

#define OPTIONAL_STRING(key, type, member)                                                         \
	CYAML_FIELD_STRING_PTR(key, CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL, type, member, 0,     \
			       CYAML_UNLIMITED)
#define NAME_LIST(key, member)                                                                     \
	CYAML_FIELD_SEQUENCE(key, CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL, Patch, member,         \
			     &kx_yaml_string_entry, 0, CYAML_UNLIMITED)

static const cyaml_schema_field_t origin_fields[] = {
	OPTIONAL_STRING("commit", PatchOrigin, commit),
	OPTIONAL_STRING("message_id", PatchOrigin, message_id),
	OPTIONAL_STRING("note", PatchOrigin, note),
	CYAML_FIELD_END,
};
static const cyaml_schema_field_t patch_fields[] = {
	CYAML_FIELD_STRING_PTR("name", CYAML_FLAG_POINTER, Patch, name, 0, CYAML_UNLIMITED),
	OPTIONAL_STRING("title", Patch, title),
	OPTIONAL_STRING("file", Patch, file),
	OPTIONAL_STRING("mbox", Patch, mbox),
	CYAML_FIELD_ENUM("kind", CYAML_FLAG_OPTIONAL | CYAML_FLAG_STRICT, Patch, kind, kinds,
			 G_N_ELEMENTS(kinds)),
	NAME_LIST("depends", depends),
	NAME_LIST("conflicts", conflicts),
	CYAML_FIELD_MAPPING("origin", CYAML_FLAG_OPTIONAL, Patch, origin, origin_fields),
	CYAML_FIELD_END,
};
static const cyaml_schema_value_t patch_schema = {
	CYAML_VALUE_MAPPING(CYAML_FLAG_DEFAULT, Patch, patch_fields),
};
static const cyaml_schema_field_t series_fields[] = {
	CYAML_FIELD_STRING_PTR("name", CYAML_FLAG_POINTER, Series, name, 0, CYAML_UNLIMITED),
	OPTIONAL_STRING("title", Series, title),
	OPTIONAL_STRING("base", Series, base),
	CYAML_FIELD_SEQUENCE("patches", CYAML_FLAG_POINTER, Series, patches, &patch_schema, 0,
			     CYAML_UNLIMITED),
	CYAML_FIELD_END,
};
static const cyaml_schema_value_t series_schema = {
	CYAML_VALUE_MAPPING(CYAML_FLAG_POINTER, Series, series_fields),
};

void series_free(Series *s)
{
	if (!s)
		return;
	g_free(s->path);
	kx_yaml_free(&series_schema, s);
}

const Patch *series_find(const Series *s, const char *name)
{
	for (unsigned i = 0; i < s->patches_count; i++)
		if (g_str_equal(s->patches[i].name, name))
			return &s->patches[i];
	return NULL;
}

static bool lists(char *const *list, unsigned n, const char *name)
{
	for (unsigned i = 0; i < n; i++)
		if (g_str_equal(list[i], name))
			return true;
	return false;
}

static char *suggest_patch(const Series *s, const char *name)
{
	g_autoptr(GPtrArray) known = g_ptr_array_new();
	for (unsigned i = 0; i < s->patches_count; i++)
		g_ptr_array_add(known, s->patches[i].name);
	g_ptr_array_add(known, NULL);
	return campaign_suggest(name, (const char *const *)known->pdata);
}

static bool check_file(const Series *s, unsigned i, GError **error)
{
	Patch *p = &s->patches[i];
	g_autofree char *entry = campaign_entry_key("patches", i);
	g_autofree char *key = g_strconcat(entry, p->mbox ? ".mbox" : ".file", NULL);
	if (!p->file == !p->mbox)
		return campaign_error(error, s->path, entry,
				      "patch '%s': expected one of the keys file, mbox; found %s",
				      p->name, p->file ? "both" : "none");
	if (p->mbox) {
		p->file = p->mbox;
		p->mbox = NULL;
	}
	g_autofree char *here = g_path_get_dirname(s->path);
	char *full = kx_resolve(p->file, here);
	g_free(p->file);
	p->file = full;
	kx_note_file(full);
	if (g_file_test(full, G_FILE_TEST_IS_REGULAR))
		return true;
	return campaign_error(error, s->path, key, "patch '%s': there is no file %s", p->name,
			      full);
}

/* Names in `depends` or `conflicts` of patch i. */
static bool check_names(const Series *s, unsigned i, const char *which, char **list, unsigned n,
			GError **error)
{
	const Patch *p = &s->patches[i];
	g_autofree char *key = g_strdup_printf("patches.%u.%s", i, which);
	if (!campaign_check_distinct(s->path, key, list, n, error))
		return false;
	for (unsigned k = 0; k < n; k++) {
		g_autofree char *at = campaign_entry_key(key, k);
		if (g_str_equal(list[k], p->name))
			return campaign_error(error, s->path, at, "patch '%s' names itself",
					      p->name);
		const Patch *other = series_find(s, list[k]);
		if (!other) {
			g_autofree char *known = suggest_patch(s, list[k]);
			return campaign_error(error, s->path, at,
					      "patch '%s': no patch '%s' in this series.%s",
					      p->name, list[k], known);
		}
		if (*which == 'd' && other > p)
			return campaign_error(error, s->path, at,
					      "patch '%s' depends on '%s', which must stand before "
					      "it in the list",
					      p->name, list[k]);
	}
	return true;
}

static void add_conflict(Patch *p, const char *name)
{
	if (lists(p->conflicts, p->conflicts_count, name))
		return;
	p->conflicts = g_renew(char *, p->conflicts, p->conflicts_count + 1);
	p->conflicts[p->conflicts_count++] = g_strdup(name);
}

/* Marks patch i and all that it needs. */
static void close_dependencies(const Series *s, unsigned i, bool *in)
{
	in[i] = true;
	for (unsigned k = 0; k < s->patches[i].depends_count; k++)
		close_dependencies(
			s, (unsigned)(series_find(s, s->patches[i].depends[k]) - s->patches), in);
}

static bool check_testable(const Series *s, unsigned i, GError **error)
{
	g_autofree bool *in = g_new0(bool, s->patches_count);
	close_dependencies(s, i, in);
	for (unsigned a = 0; a < s->patches_count; a++)
		for (unsigned b = 0; b < a && in[a]; b++)
			if (in[b] && lists(s->patches[a].conflicts, s->patches[a].conflicts_count,
					   s->patches[b].name)) {
				g_autofree char *at = campaign_entry_key("patches", i);
				return campaign_error(
					error, s->path, at,
					"patch '%s' can never be applied: it needs both '%s' and "
					"'%s', which conflict",
					s->patches[i].name, s->patches[b].name, s->patches[a].name);
			}
	return true;
}

static bool check_series(Series *s, GError **error)
{
	if (!campaign_check_name(s->path, "name", s->name, error))
		return false;
	if (!s->patches_count)
		return campaign_error(error, s->path, "patches", "a series needs a patch");
	for (unsigned i = 0; i < s->patches_count; i++) {
		g_autofree char *entry = campaign_entry_key("patches", i);
		g_autofree char *key = g_strconcat(entry, ".name", NULL);
		if (!campaign_check_name(s->path, key, s->patches[i].name, error))
			return false;
		if (series_find(s, s->patches[i].name) != &s->patches[i])
			return campaign_error(error, s->path, key,
					      "there are two patches with the name '%s'",
					      s->patches[i].name);
		if (!check_file(s, i, error))
			return false;
	}
	for (unsigned i = 0; i < s->patches_count; i++) {
		Patch *p = &s->patches[i];
		if (!check_names(s, i, "depends", p->depends, p->depends_count, error) ||
		    !check_names(s, i, "conflicts", p->conflicts, p->conflicts_count, error))
			return false;
	}
	for (unsigned i = 0; i < s->patches_count; i++)
		for (unsigned k = 0; k < s->patches[i].conflicts_count; k++)
			add_conflict((Patch *)series_find(s, s->patches[i].conflicts[k]),
				     s->patches[i].name);
	for (unsigned i = 0; i < s->patches_count; i++)
		if (!check_testable(s, i, error))
			return false;
	return true;
}

Series *series_load(const char *path, GError **error)
{
	g_autofree char *full = g_canonicalize_filename(path, NULL);
	g_autoptr(Series) s = kx_yaml_load(full, &series_schema, error);
	if (!s)
		return NULL;
	s->path = g_steal_pointer(&full);
	return check_series(s, error) ? g_steal_pointer(&s) : NULL;
}
