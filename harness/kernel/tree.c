/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A variant's tree is made in git's object store, with an index of its own and without files on
 * disk. git apply reads and writes its whole index each time: with the 80,000 entries of a kernel
 * that is most of the time, so it works on an index of the few paths that the patches touch, and
 * the result is put into the base's index once. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "base/fs.h"
#include "kernel/kernel-internal.h"

struct KernelStage {
	const KernelSource *source;
	char *tree; /* what it began with */
	char *dir, *index;
	char *marked; /* content of the index to go back to */
	gsize marked_len;
	GHashTable *texts; /* const Patch * to char * */
	GHashTable *seen;  /* "MODE ID" by path, at the last kernel_stage_changes() */
};

void kernel_stage_free(KernelStage *st)
{
	if (!st)
		return;
	if (st->dir)
		kx_remove_tree(st->dir, NULL);
	g_free(st->dir);
	g_free(st->index);
	g_free(st->marked);
	g_free(st->tree);
	g_clear_pointer(&st->seen, g_hash_table_unref);
	g_hash_table_unref(st->texts);
	g_free(st);
}

/* "MODE blob ID\tPATH" lines of these paths in the tree that it begins with. */
static char *list_tree(KernelStage *st, GHashTable *paths, GError **error)
{
	g_autoptr(GPtrArray) argv = g_ptr_array_new();
	const char *const head[] = {"git",     "-c", "core.quotePath=false",
				    "ls-tree", "-r", "--full-tree",
				    st->tree,  "--"};
	for (guint i = 0; i < G_N_ELEMENTS(head); i++)
		g_ptr_array_add(argv, (gpointer)head[i]);
	GHashTableIter it;
	gpointer path;
	g_hash_table_iter_init(&it, paths);
	while (g_hash_table_iter_next(&it, &path, NULL))
		g_ptr_array_add(argv, path);
	g_ptr_array_add(argv, NULL);
	KernelGit g = {.dir = st->source->git};
	g_auto(KxProcResult) r = {0};
	if (!kernel_git_run(&g, (const char *const *)argv->pdata, NULL, &r, error))
		return NULL;
	if (r.status != 0) {
		g_set_error(error, KX_ERROR, KX_ERROR_FAILED, "%s: git ls-tree: %s",
			    st->source->git, g_strstrip(r.err));
		return NULL;
	}
	return g_steal_pointer(&r.out);
}

/* "MODE ID" by path, from ls-tree's or ls-files' lines. */
static GHashTable *by_path(char *listing, bool stages)
{
	GHashTable *out = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
	g_auto(GStrv) lines = g_strsplit(listing, "\n", -1);
	for (char **l = lines; *l; l++) {
		char *tab = strchr(*l, '\t');
		if (!tab)
			continue;
		*tab = '\0';
		g_auto(GStrv) words = g_strsplit(*l, " ", 3); /* MODE type ID, or MODE ID stage */
		if (words[0] && words[1] && words[2])
			g_hash_table_insert(
				out, g_strdup(tab + 1),
				g_strdup_printf("%s %s", words[0], stages ? words[1] : words[2]));
	}
	return out;
}

/* An index of the paths that the texts touch. */
static bool make_index(KernelStage *st, GError **error)
{
	g_autoptr(GHashTable) paths = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
	GHashTableIter it;
	gpointer patch, text;
	g_hash_table_iter_init(&it, st->texts);
	while (g_hash_table_iter_next(&it, &patch, &text)) {
		g_auto(GStrv) touched = kernel_patch_paths(patch, text, error);
		if (!touched)
			return false;
		for (char **t = touched; *t; t++)
			g_hash_table_add(paths, g_strdup(*t));
	}
	g_autofree char *base = list_tree(st, paths, error);
	if (!base)
		return false;
	KernelGit g = {.dir = st->source->git, .index = st->index};
	g_autofree char *out = kernel_git(&g, base, error, "update-index", "--index-info", NULL);
	/* no touched path is in the tree: git made no index */
	if (out && !g_file_test(st->index, G_FILE_TEST_EXISTS)) {
		g_free(out);
		out = kernel_git(&g, NULL, error, "read-tree", "--empty", NULL);
	}
	st->seen = by_path(base, false);
	return out && kernel_stage_mark(st, error);
}

KernelStage *kernel_stage_new_texts(const KernelSource *s, const char *tree, GHashTable *texts,
				    GError **error)
{
	g_autoptr(KernelStage) st = g_new0(KernelStage, 1);
	st->source = s;
	st->tree = g_strdup(tree);
	st->texts = texts;
	st->dir = kx_temp_dir("stage", error);
	if (!st->dir)
		return NULL;
	st->index = g_build_filename(st->dir, "index", NULL);
	return make_index(st, error) ? g_steal_pointer(&st) : NULL;
}

KernelStage *kernel_stage_new(const KernelSource *s, const char *tree, GPtrArray *patches,
			      GError **error)
{
	g_autoptr(GHashTable) texts = g_hash_table_new_full(NULL, NULL, NULL, g_free);
	for (guint i = 0; i < patches->len; i++) {
		char *text = kernel_patch_read(patches->pdata[i], error);
		if (!text)
			return NULL;
		g_hash_table_insert(texts, patches->pdata[i], text);
	}
	return kernel_stage_new_texts(s, tree, g_steal_pointer(&texts), error);
}

bool kernel_stage_apply(KernelStage *st, const Patch *p, GError **error)
{
	const char *text = g_hash_table_lookup(st->texts, p);
	const char *argv[] = {"git", "apply", "--cached", "--whitespace=nowarn", "-", NULL};
	KernelGit g = {.dir = st->source->git, .index = st->index};
	g_auto(KxProcResult) r = {0};
	if (!kernel_git_run(&g, argv, text, &r, error))
		return false;
	if (r.status == 0)
		return true;
	if (strstr(r.err, "No space left"))
		g_set_error(error, KX_ERROR, KX_ERROR_NO_SPACE, "%s: git apply: %s",
			    st->source->git, g_strstrip(r.err));
	else
		kernel_patch_explain(p, text, r.err, error);
	return false;
}

bool kernel_stage_mark(KernelStage *st, GError **error)
{
	g_clear_pointer(&st->marked, g_free);
	return g_file_get_contents(st->index, &st->marked, &st->marked_len, error);
}

bool kernel_stage_reset(KernelStage *st, GError **error)
{
	return kx_write_scratch(st->index, st->marked, (gssize)st->marked_len, 0666, error);
}

bool kernel_stage_has(KernelStage *st, const Patch *p, bool *ret_has, GError **error)
{
	const char *text = g_hash_table_lookup(st->texts, p);
	const char *argv[] = {"git",	 "apply",     "--cached",
			      "--check", "--reverse", "--whitespace=nowarn",
			      "-",	 NULL};
	KernelGit g = {.dir = st->source->git, .index = st->index};
	g_auto(KxProcResult) r = {0};
	if (!kernel_git_run(&g, argv, text, &r, error))
		return false;
	*ret_has = r.status == 0;
	return true;
}

static int compare_strings(gconstpointer a, gconstpointer b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static bool is_file(const char *entry, const char *path, GError **error)
{
	if (g_str_has_prefix(entry, "100"))
		return true;
	g_set_error(error, KX_ERROR, KX_ERROR_REFUSED,
		    "the patches make '%s' something else than a file (mode %.6s)", path, entry);
	return false;
}

GPtrArray *kernel_stage_changes(KernelStage *st, GError **error)
{
	KernelGit g = {.dir = st->source->git, .index = st->index};
	g_autofree char *now = kernel_git(&g, NULL, error, "-c", "core.quotePath=false", "ls-files",
					  "--stage", NULL);
	if (!now)
		return NULL;
	g_autoptr(GHashTable) after = by_path(now, true);
	g_autoptr(GPtrArray) lines = g_ptr_array_new_with_free_func(g_free);
	GHashTableIter it;
	gpointer path, entry;
	g_hash_table_iter_init(&it, after);
	while (g_hash_table_iter_next(&it, &path, &entry)) {
		if (g_strcmp0(entry, g_hash_table_lookup(st->seen, path)) == 0)
			continue;
		if (!is_file(entry, path, error))
			return NULL;
		g_ptr_array_add(lines, g_strdup_printf("%s\t%s", (char *)entry, (char *)path));
	}
	g_hash_table_iter_init(&it, st->seen);
	while (g_hash_table_iter_next(&it, &path, NULL))
		if (!g_hash_table_contains(after, path))
			g_ptr_array_add(lines, g_strdup_printf("0 %040d\t%s", 0, (char *)path));
	g_ptr_array_sort(lines, compare_strings);
	g_hash_table_unref(st->seen);
	st->seen = g_steal_pointer(&after);
	return g_steal_pointer(&lines);
}

/* The same kind of lines for what differs between two trees. */
static GPtrArray *tree_changes(const KernelSource *s, const char *from, const char *to,
			       GError **error)
{
	KernelGit g = {.dir = s->git};
	g_autofree char *out =
		kernel_git(&g, NULL, error, "-c", "core.quotePath=false", "diff-tree", "-r",
			   "--raw", "--no-renames", "--no-abbrev", from, to, NULL);
	if (!out)
		return NULL;
	GPtrArray *lines = g_ptr_array_new_with_free_func(g_free);
	g_auto(GStrv) raw = g_strsplit(out, "\n", -1);
	for (char **l = raw; *l; l++) {
		/* ":100644 100644 OLD NEW M\tPATH" */
		char *tab = strchr(*l, '\t');
		g_auto(GStrv) words = g_strsplit(*l, " ", 5);
		if (tab && g_strv_length(words) == 5)
			g_ptr_array_add(lines, g_strdup_printf("%s %s%s",
							       *words[4] == 'D' ? "0" : words[1],
							       words[3], tab));
	}
	g_ptr_array_sort(lines, compare_strings);
	return lines;
}

/* Lines of kernel_stage_changes() as one text; frees them. */
static char *join_lines(GPtrArray *lines)
{
	g_ptr_array_add(lines, g_strdup(""));
	g_ptr_array_add(lines, NULL);
	char *text = g_strjoinv("\n", (char **)lines->pdata);
	g_ptr_array_unref(lines);
	return text;
}

char *kernel_stage_write(KernelStage *st, const char *base, const char *lines,
			 const char *ret_index, GError **error)
{
	g_autofree char *full = g_build_filename(st->dir, "full", NULL);
	g_autofree char *data = NULL;
	gsize len;
	if (!g_file_get_contents(base, &data, &len, error) ||
	    !kx_write_scratch(full, data, (gssize)len, 0666, error))
		return NULL;
	KernelGit g = {.dir = st->source->git, .index = full};
	g_autofree char *out = kernel_git(&g, lines, error, "update-index", "--index-info", NULL);
	g_autofree char *tree = out ? kernel_git(&g, NULL, error, "write-tree", NULL) : NULL;
	if (tree && ret_index && !kx_copy_file(full, ret_index, error))
		return NULL;
	return g_steal_pointer(&tree);
}

void kernel_tree_free(KernelTree *t)
{
	if (!t)
		return;
	g_free(t->tree);
	g_strfreev(t->changed);
	g_free(t->blobs);
	g_free(t);
}

GPtrArray *kernel_pick(const Series *series, const char *const *names, GError **error)
{
	g_autoptr(GPtrArray) out = g_ptr_array_new();
	for (guint i = 0; names && names[i]; i++)
		if (!series || !series_find(series, names[i])) {
			g_set_error(error, KX_ERROR, KX_ERROR_MISSING, "no patch '%s' in %s",
				    names[i],
				    series ? series->path : "the request (it names no series)");
			return NULL;
		}
	for (unsigned i = 0; names && series && i < series->patches_count; i++)
		if (g_strv_contains(names, series->patches[i].name))
			g_ptr_array_add(out, &series->patches[i]);
	return g_steal_pointer(&out);
}

/* `blobs` (taken over) is what differs from the base. */
static KernelTree *describe(const char *tree, char *blobs)
{
	KernelTree *t = g_new0(KernelTree, 1);
	g_autoptr(GPtrArray) changed = g_ptr_array_new();
	g_auto(GStrv) lines = g_strsplit(blobs, "\n", -1);
	for (char **l = lines; *l; l++)
		if (strchr(*l, '\t'))
			g_ptr_array_add(changed, g_strdup(strchr(*l, '\t') + 1));
	g_ptr_array_sort(changed, compare_strings);
	g_ptr_array_add(changed, NULL);
	t->tree = g_strdup(tree);
	t->changed = (char **)g_ptr_array_free(g_steal_pointer(&changed), FALSE);
	t->blobs = blobs;
	return t;
}

static KernelTree *compose_on_base(const KernelSource *s, GPtrArray *patches, GError **error)
{
	if (!patches->len)
		return describe(s->tree, g_strdup(""));
	g_autoptr(KernelStage) st = kernel_stage_new(s, s->tree, patches, error);
	for (guint i = 0; st && i < patches->len; i++)
		if (!kernel_stage_apply(st, patches->pdata[i], error))
			return NULL;
	GPtrArray *lines = st ? kernel_stage_changes(st, error) : NULL;
	if (!lines)
		return NULL;
	g_autofree char *blobs = join_lines(lines);
	g_autofree char *tree = kernel_stage_write(st, s->index, blobs, NULL, error);
	return tree ? describe(tree, g_steal_pointer(&blobs)) : NULL;
}

/* The commit's tree with the toolchain's fixtures and the patches on top: its differences to the
 * base, then theirs, go into the base's index. */
static char *patch_commit(const KernelSource *s, const char *tree, GPtrArray *patches,
			  GError **error)
{
	g_autoptr(KernelStage) st = kernel_stage_new(s, tree, patches, error);
	for (guint i = 0; st && i < patches->len; i++)
		if (!kernel_stage_apply(st, patches->pdata[i], error))
			return NULL;
	GPtrArray *own = st ? tree_changes(s, s->tree, tree, error) : NULL;
	GPtrArray *theirs = own ? kernel_stage_changes(st, error) : NULL;
	if (!theirs) {
		g_clear_pointer(&own, g_ptr_array_unref);
		return NULL;
	}
	g_autofree char *first = join_lines(own), *then = join_lines(theirs);
	g_autofree char *both = g_strconcat(first, then, NULL);
	return kernel_stage_write(st, s->index, both, NULL, error);
}

static KernelTree *compose_on_commit(const KernelSource *s, const char *commit, GPtrArray *patches,
				     GError **error)
{
	KernelGit g = {.dir = s->git};
	g_autofree char *spec = g_strconcat(commit, "^{tree}", NULL);
	g_autofree char *own = kernel_git(&g, NULL, error, "rev-parse", "--verify", spec, NULL);
	if (!own)
		return NULL;
	GError *e = NULL;
	g_autoptr(GPtrArray) all = kernel_corrections(s, own, &e);
	if (all)
		g_ptr_array_extend(all, patches, NULL, NULL);
	g_autofree char *tree = !all	   ? NULL
				: all->len ? patch_commit(s, own, all, &e)
					   : g_strdup(own);
	if (!tree) {
		g_propagate_prefixed_error(error, e, "on commit %.12s: ", commit);
		return NULL;
	}
	GPtrArray *lines = tree_changes(s, s->tree, tree, error);
	return lines ? describe(tree, join_lines(lines)) : NULL;
}

KernelTree *kernel_compose(const KernelSource *s, const char *commit, const Series *series,
			   const char *const *fixtures, const char *const *candidates,
			   GError **error)
{
	g_autoptr(GPtrArray) patches = kernel_pick(series, fixtures, error);
	g_autoptr(GPtrArray) more = patches ? kernel_pick(series, candidates, error) : NULL;
	if (!more)
		return NULL;
	for (guint i = 0; i < more->len; i++) {
		if (g_ptr_array_find(patches, more->pdata[i], NULL)) {
			g_set_error(error, KX_ERROR, KX_ERROR_INPUT,
				    "'%s' is both a fixture and a candidate of this variant",
				    ((const Patch *)more->pdata[i])->name);
			return NULL;
		}
	}
	g_ptr_array_extend(patches, more, NULL, NULL);
	return commit ? compose_on_commit(s, commit, patches, error)
		      : compose_on_base(s, patches, error);
}
