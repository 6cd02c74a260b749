/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What today's tools need changed in an old tree. The toolchain's profile names patches, and the
 * base is the imported source with those of them that it takes: everything else is built on
 * that and knows nothing of it. */
#include <string.h>

#include "base/error.h"
#include "base/fs.h"
#include "base/json.h"
#include "kernel/kernel-internal.h"

#define FORMAT "kexsect-corrected-1"
#define MAX_MAKEFILE (1u << 20)

/* The number behind "NAME =" at the start of a line; -1: none. */
static long makefile_number(const char *text, const char *name)
{
	for (const char *at = text; at && *at;
	     at = strchr(at, '\n') ? strchr(at, '\n') + 1 : NULL) {
		if (!g_str_has_prefix(at, name))
			continue;
		const char *p = at + strlen(name);
		p += strspn(p, " \t:");
		if (*p++ != '=')
			continue;
		p += strspn(p, " \t");
		return g_ascii_isdigit(*p) ? (long)g_ascii_strtoull(p, NULL, 10) : -1;
	}
	return -1;
}

static char *read_version(const KernelSource *s)
{
	KernelGit g = {.dir = s->git};
	g_autofree char *spec = g_strconcat(s->imported, ":Makefile", NULL);
	g_autofree char *text = kernel_git(&g, NULL, NULL, "cat-file", "blob", spec, NULL);
	if (!text || strlen(text) > MAX_MAKEFILE)
		return NULL;
	long version = makefile_number(text, "VERSION"),
	     patch = makefile_number(text, "PATCHLEVEL"), sub = makefile_number(text, "SUBLEVEL");
	return version < 0 || patch < 0
		       ? NULL
		       : g_strdup_printf("%ld.%ld.%ld", version, patch, MAX(sub, 0L));
}

static void patch_clear(gpointer data)
{
	Patch *p = data;
	g_free(p->name);
	g_free(p->file);
}

static GArray *list_fixtures(const Toolchain *t)
{
	GArray *list = g_array_new(FALSE, TRUE, sizeof(Patch));
	g_array_set_clear_func(list, patch_clear);
	for (unsigned i = 0; i < t->fixtures_count; i++) {
		char *name = g_path_get_basename(t->fixtures[i]), *dot = strrchr(name, '.');
		if (dot)
			*dot = '\0';
		Patch p = {.name = name, .file = g_strdup(t->fixtures[i]), .kind = PATCH_FIXTURE};
		g_array_append_val(list, p);
	}
	return list;
}

/* Applies to the stage those that it takes, and lists them. One for a tree of another year does not
 * apply, and one whose change is in the tree must not a second time. */
static GPtrArray *correct(const KernelSource *s, KernelStage *st, GError **error)
{
	g_autoptr(GPtrArray) used = g_ptr_array_new();
	for (guint i = 0; i < s->fixtures->len; i++) {
		const Patch *p = &g_array_index(s->fixtures, Patch, i);
		bool has;
		if (!kernel_stage_has(st, p, &has, error))
			return NULL;
		GError *e = NULL;
		if (has)
			continue;
		if (kernel_stage_apply(st, p, &e)) {
			g_ptr_array_add(used, (gpointer)p);
		} else if (g_error_matches(e, KX_ERROR, KX_ERROR_INPUT)) {
			g_error_free(e);
		} else {
			g_propagate_error(error, e);
			return NULL;
		}
	}
	return g_steal_pointer(&used);
}

static KernelStage *stage_of(const KernelSource *s, const char *tree, GError **error)
{
	g_autoptr(GPtrArray) all = g_ptr_array_new();
	for (guint i = 0; i < s->fixtures->len; i++)
		g_ptr_array_add(all, &g_array_index(s->fixtures, Patch, i));
	return kernel_stage_new(s, tree, all, error);
}

GPtrArray *kernel_corrections(const KernelSource *s, const char *tree, GError **error)
{
	if (!s->fixtures->len)
		return g_ptr_array_new();
	g_autoptr(KernelStage) st = stage_of(s, tree, error);
	return st ? correct(s, st, error) : NULL;
}

/* The base's record is named by all that it is made of. */
static char *record_path(const KernelSource *s, GError **error)
{
	g_autoptr(GString) what = g_string_new(FORMAT "\n");
	g_string_append_printf(what, "%s\n", s->imported);
	for (guint i = 0; i < s->fixtures->len; i++) {
		const Patch *p = &g_array_index(s->fixtures, Patch, i);
		g_autofree char *digest = kx_sha256_file(p->file, error);
		if (!digest)
			return NULL;
		g_string_append_printf(what, "%s %s\n", p->name, digest);
	}
	g_autofree char *key = g_compute_checksum_for_string(G_CHECKSUM_SHA256, what->str, -1);
	return g_strdup_printf("%s/kexsect-base-%.16s.json", s->git, key);
}

/* Lines of kernel_stage_changes() as update-index reads them. */
static char *join_changes(GPtrArray *changes)
{
	GString *text = g_string_new(NULL);
	for (guint i = 0; i < changes->len; i++)
		g_string_append_printf(text, "%s\n", (const char *)changes->pdata[i]);
	return g_string_free(text, FALSE);
}

static bool make_base(KernelSource *s, const char *record, const char *index, GError **error)
{
	g_autoptr(KernelStage) st = stage_of(s, s->imported, error);
	g_autoptr(GPtrArray) used = st ? correct(s, st, error) : NULL;
	g_autoptr(GPtrArray) changes = used ? kernel_stage_changes(st, error) : NULL;
	if (!changes)
		return false;
	g_autofree char *lines = join_changes(changes);
	g_autofree char *tree = kernel_stage_write(st, s->index, lines, index, error);
	if (!tree)
		return false;
	json_t *names = json_array();
	for (guint i = 0; i < used->len; i++)
		json_array_append_new(names, json_string(((const Patch *)used->pdata[i])->name));
	g_autoptr(json_t) meta =
		json_pack("{s:i, s:s, s:o}", "format", 1, "tree", tree, "fixtures", names);
	return kx_json_save(record, meta, error);
}

bool kernel_source_correct(KernelSource *s, const Recipe *r, GError **error)
{
	s->version = read_version(s);
	s->toolchain = recipe_toolchain(r, s->version, error);
	if (!s->toolchain)
		return false;
	s->fixtures = list_fixtures(s->toolchain);
	s->index = g_build_filename(s->git, "kexsect-base.index", NULL);
	s->tree = g_strdup(s->imported);
	if (!s->fixtures->len)
		return true;
	g_autofree char *record = record_path(s, error);
	if (!record)
		return false;
	g_autofree char *stem = g_strndup(record, strlen(record) - strlen(".json"));
	g_autofree char *index = g_strconcat(stem, ".index", NULL);
	g_autoptr(json_t) known = kx_json_load(record, NULL);
	if (!known || !g_file_test(index, G_FILE_TEST_EXISTS)) {
		if (!make_base(s, record, index, error))
			return false;
		json_decref(known);
		known = kx_json_load(record, error);
		if (!known)
			return false;
	}
	g_free(s->tree);
	s->tree = g_strdup(kx_json_str(known, "tree"));
	s->corrected = kx_json_strv(known, "fixtures");
	g_free(s->index);
	s->index = g_steal_pointer(&index);
	if (s->tree)
		return true;
	g_set_error(error, KX_ERROR, KX_ERROR_FAILED, "%s: names no tree; remove it", record);
	return false;
}
