/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A range of commits as the search wants it: numbered, parents first, each with its parents'
 * numbers. */
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "kernel/kernel-internal.h"

#define ID_LENGTH 40
#define SHORT_LENGTH 12 /* as the kernel's people write them */

static void commit_free(gpointer data)
{
	KernelCommit *c = data;
	g_free(c->id);
	g_free(c->short_id);
	g_free(c->subject);
	g_free(c->parents);
	g_strfreev(c->paths);
	g_free(c);
}

void kernel_history_free(KernelHistory *h)
{
	if (!h)
		return;
	g_free(h->start);
	g_free(h->start_subject);
	g_clear_pointer(&h->commits, g_ptr_array_unref);
	g_free(h);
}

static gint by_value(gconstpointer a, gconstpointer b)
{
	guint x = *(const guint *)a, y = *(const guint *)b;
	return x < y ? -1 : x > y;
}

/* `numbers`: id to number of the commits so far; a parent that is not among them lies outside of
 * the range: 0. */
static void set_parents(KernelCommit *c, const char *ids, bool first_parent, GHashTable *numbers)
{
	g_auto(GStrv) words = g_strsplit(ids, " ", -1);
	g_autoptr(GArray) parents = g_array_new(FALSE, FALSE, sizeof(guint));
	for (char **w = words; *w && (w == words || !first_parent); w++) {
		guint number = GPOINTER_TO_UINT(g_hash_table_lookup(numbers, *w));
		bool have = false;
		for (guint i = 0; i < parents->len; i++)
			have = have || g_array_index(parents, guint, i) == number;
		if (!have)
			g_array_append_val(parents, number);
	}
	if (!parents->len) { /* a beginning of its own, as of a project that was merged */
		guint none = 0;
		g_array_append_val(parents, none);
	}
	g_array_sort(parents, by_value);
	c->parents_count = parents->len;
	c->parents = (guint *)(gpointer)g_array_free(g_steal_pointer(&parents), FALSE);
}

/* "ID PARENT…\nSUBJECT\n\nPATH\n…" */
static KernelCommit *parse_commit(const char *record, bool first_parent, GHashTable *numbers)
{
	g_auto(GStrv) lines = g_strsplit(record, "\n", -1);
	guint n = g_strv_length(lines);
	if (n < 2 || strlen(lines[0]) < ID_LENGTH)
		return NULL;
	KernelCommit *c = g_new0(KernelCommit, 1);
	c->id = g_strndup(lines[0], ID_LENGTH);
	c->short_id = g_strndup(lines[0], SHORT_LENGTH);
	c->subject = g_utf8_make_valid(lines[1], -1);
	g_autoptr(GPtrArray) paths = g_ptr_array_new();
	for (guint i = 2; i < n; i++)
		if (*lines[i])
			g_ptr_array_add(paths, g_utf8_make_valid(lines[i], -1));
	g_ptr_array_add(paths, NULL);
	c->paths = (char **)g_ptr_array_free(g_steal_pointer(&paths), FALSE);
	const char *ids = lines[0] + ID_LENGTH;
	set_parents(c, ids + (*ids == ' '), first_parent, numbers);
	return c;
}

/* All but a merge's own changes are its parents' commits' in a whole history; with first_parent
 * nobody else has what it brings. */
static char *log_range(const KernelSource *s, const char *from, const char *to, bool first_parent,
		       GError **error)
{
	KernelGit g = {.dir = s->git};
	g_autofree char *range = g_strconcat(from, "..", to, NULL);
	return kernel_git(&g, NULL, error, "-c", "core.quotePath=false", "log", "--topo-order",
			  "--reverse", "--no-renames", "--no-color", "--name-only",
			  "--encoding=UTF-8", "--format=%x01%H %P%n%s",
			  first_parent ? "--first-parent" : "--no-notes",
			  first_parent ? "--diff-merges=first-parent" : "--diff-merges=combined",
			  range, "--", NULL);
}

static KernelHistory *read_range(const KernelSource *s, const char *from, const char *to,
				 bool first_parent, GError **error)
{
	KernelGit g = {.dir = s->git};
	g_autofree char *log = log_range(s, from, to, first_parent, error);
	g_autoptr(KernelHistory) h = g_new0(KernelHistory, 1);
	h->start = g_strdup(from);
	h->commits = g_ptr_array_new_with_free_func(commit_free);
	g_autofree char *subject = log ? kernel_git(&g, NULL, error, "log", "-1", "--no-color",
						    "--format=%s", from, "--", NULL)
				       : NULL;
	if (!subject)
		return NULL;
	h->start_subject = g_utf8_make_valid(subject, -1);
	g_autoptr(GHashTable) numbers = g_hash_table_new(g_str_hash, g_str_equal);
	g_auto(GStrv) records = g_strsplit(log, "\001", -1);
	for (char **r = records; *r; r++) {
		KernelCommit *c = **r ? parse_commit(*r, first_parent, numbers) : NULL;
		if (!c)
			continue;
		g_ptr_array_add(h->commits, c);
		g_hash_table_insert(numbers, c->id, GUINT_TO_POINTER(h->commits->len));
	}
	return g_steal_pointer(&h);
}

static bool check_size(const KernelHistory *h, const CampaignHistory *asked, const char *to,
		       GError **error)
{
	const char *from = asked->from ? asked->from : "the base";
	guint n = h->commits->len;
	const KernelCommit *last = n ? h->commits->pdata[n - 1] : NULL;
	if (last && n <= KERNEL_MAX_COMMITS && g_str_equal(last->id, to))
		return true;
	if (!n)
		g_set_error(
			error, KX_ERROR, KX_ERROR_INPUT,
			"the history from %s to %s is empty: nothing of `to` comes after `from`",
			from, asked->to ? asked->to : "the end of the series");
	else
		g_set_error(error, KX_ERROR, KX_ERROR_INPUT,
			    "the history from %s to %s has %u commits, more than %d: choose a "
			    "shorter range%s",
			    from, asked->to, n, KERNEL_MAX_COMMITS,
			    asked->first_parent ? "" : ", or first_parent: yes");
	return false;
}

/* In a series `from` and `to` are names of patches. */
static bool series_range(const KernelSource *s, const CampaignHistory *h, char **ret_from,
			 char **ret_to, GError **error)
{
	KernelGit g = {.dir = s->git};
	/* all of it: each commit that was made can be made again from the whole series */
	g_autofree char *all = kernel_series_commit(s, h->series, NULL, error);
	g_autofree char *from = !all	  ? NULL
				: h->from ? kernel_series_commit(s, h->series, h->from, error)
					  : kernel_git(&g, NULL, error, "rev-parse", "--verify",
						       "refs/heads/base", NULL);
	if (!from)
		return false;
	char *to = h->to ? kernel_series_commit(s, h->series, h->to, error) : g_strdup(all);
	if (!to)
		return false;
	*ret_from = g_steal_pointer(&from);
	*ret_to = to;
	return true;
}

KernelHistory *kernel_history(const char *cache, const Recipe *recipe,
			      const CampaignHistory *history, KernelStepFunc step, gpointer user,
			      GError **error)
{
	KernelProgress p = {.func = step, .user = user};
	g_autoptr(KernelSource) s = kernel_source_get(cache, recipe, &p, NULL, error);
	g_autofree char *from = NULL, *to = NULL;
	if (!s)
		return NULL;
	if (history->series) {
		if (!series_range(s, history, &from, &to, error))
			return NULL;
	} else if (!kernel_range_fetch(s, recipe, history, &p, &from, &to, error)) {
		return NULL;
	}
	g_autoptr(KernelHistory) h =
		read_range(s, from, to, history->first_parent && !history->series, error);
	return h && check_size(h, history, to, error) ? g_steal_pointer(&h) : NULL;
}

static bool has_commit(const KernelSource *s, const char *id)
{
	KernelGit g = {.dir = s->git};
	g_autofree char *spec = g_strconcat(id, "^{tree}", NULL);
	g_autofree char *type = kernel_git(&g, NULL, NULL, "cat-file", "-t", spec, NULL);
	return g_strcmp0(type, "tree") == 0;
}

bool kernel_history_need(const KernelSource *s, const KernelRequest *q, KernelProgress *p,
			 GError **error)
{
	const char *id = q->commit;
	if (strlen(id) != ID_LENGTH || strspn(id, "0123456789abcdef") != ID_LENGTH) {
		g_set_error(error, KX_ERROR, KX_ERROR_FAILED,
			    "'%s' is no full commit id (40 hexadecimal digits)", id);
		return false;
	}
	if (q->candidates && q->candidates[0]) {
		g_set_error(error, KX_ERROR, KX_ERROR_FAILED,
			    "a commit of a history takes no candidate patches");
		return false;
	}
	if (has_commit(s, id))
		return true;
	/* the cache was emptied since the history was read */
	if (q->history) {
		g_autofree char *last = kernel_series_commit(s, q->history, NULL, error);
		if (!last)
			return false;
	} else if (q->recipe->source.git) {
		kernel_step(p, "fetch", 0, 0, id);
		g_autofree char *refspec = g_strdup_printf("%s:refs/kexsect/commit/%s", id, id);
		const char *refspecs[] = {refspec, NULL};
		if (!kernel_git_fetch(s->git, q->recipe->source.git, 1, refspecs, error))
			return false;
	}
	if (has_commit(s, id))
		return true;
	g_set_error(error, KX_ERROR, KX_ERROR_MISSING,
		    "commit %s is not in the source %s: `kexsect check` of its campaign makes it "
		    "again",
		    id, s->name);
	return false;
}
