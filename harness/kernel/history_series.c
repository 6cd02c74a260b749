/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A patch series as a history: what a maintainer makes of a posted one. The commits depend on
 * nothing but the base and the files, so their ids are the same on every machine. */
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "base/fs.h"
#include "kernel/kernel-internal.h"

#define FORMAT "kexsect-series-1"
#define NOBODY "kexsect <kexsect@localhost>"

/* A series with the first `n` of its patches is a prefix of the whole one's commits. */
static char *series_ref(const char *base, const Series *series, unsigned n, GError **error)
{
	g_autoptr(GString) what = g_string_new(FORMAT "\n");
	g_string_append_printf(what, "%s\n", base);
	for (unsigned i = 0; i < n; i++) {
		const Patch *p = &series->patches[i];
		g_autofree char *digest = kx_sha256_file(p->file, error);
		if (!digest)
			return NULL;
		g_string_append_printf(what, "%s %s\n", digest, p->title ? p->title : p->name);
	}
	g_autofree char *key = g_compute_checksum_for_string(G_CHECKSUM_SHA256, what->str, -1);
	return g_strconcat("refs/kexsect/series/", key, NULL);
}

typedef struct {
	GPtrArray *mails; /* KernelMail, of all patches */
	GArray *patches;  /* Patch, one per mail, that names it in messages */
} Posted;

static void posted_clear(Posted *x)
{
	for (guint i = 0; x->patches && i < x->patches->len; i++)
		g_free(g_array_index(x->patches, Patch, i).file);
	g_clear_pointer(&x->patches, g_array_unref);
	g_clear_pointer(&x->mails, g_ptr_array_unref);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Posted, posted_clear)

static bool read_all(Posted *x, const Series *series, unsigned n, GError **error)
{
	x->mails = g_ptr_array_new_with_free_func(kernel_mail_free);
	x->patches = g_array_new(FALSE, TRUE, sizeof(Patch));
	for (unsigned i = 0; i < n; i++) {
		const Patch *p = &series->patches[i];
		GPtrArray *some = kernel_mail_read(p, error);
		if (!some)
			return false;
		for (guint k = 0; k < some->len; k++) {
			Patch one = {.name = p->name,
				     .file = some->len > 1 ? g_strdup_printf("%s (patch %u)",
									     p->file, k + 1)
							   : g_strdup(p->file)};
			g_array_append_val(x->patches, one);
		}
		g_ptr_array_extend_and_steal(x->mails, some);
	}
	if (x->mails->len && x->mails->len <= KERNEL_MAX_COMMITS)
		return true;
	g_set_error(error, KX_ERROR, KX_ERROR_INPUT, "%s: %u patches are no history: 1 to %d are",
		    series->path, x->mails->len, KERNEL_MAX_COMMITS);
	return false;
}

/* The texts by their entry in `patches`, which does not grow any more. */
static KernelStage *stage_of(const KernelSource *s, Posted *x, GError **error)
{
	GHashTable *texts = g_hash_table_new_full(NULL, NULL, NULL, g_free);
	for (guint i = 0; i < x->mails->len; i++)
		g_hash_table_insert(texts, &g_array_index(x->patches, Patch, i),
				    g_strdup(((KernelMail *)x->mails->pdata[i])->diff));
	return kernel_stage_new_texts(s, s->imported, texts, error);
}

/* A commit in the language of git fast-import. */
static void add_commit(GString *out, const char *ref, const char *base, guint number,
		       const KernelMail *m, GPtrArray *changes)
{
	g_autofree char *message = g_strdup_printf("%s\n%s%s\n", *m->subject ? m->subject : "patch",
						   *m->body ? "\n" : "", m->body);
	g_string_append_printf(out, "commit %s\nmark :%u\nauthor %s %" G_GINT64_FORMAT " +0000\n",
			       ref, number, m->author ? m->author : NOBODY, m->date);
	g_string_append_printf(out, "committer " NOBODY " %" G_GINT64_FORMAT " +0000\n", m->date);
	g_string_append_printf(out, "data %zu\n%s\n", strlen(message), message);
	if (number == 1)
		g_string_append_printf(out, "from %s\n", base);
	else
		g_string_append_printf(out, "from :%u\n", number - 1);
	for (guint i = 0; i < changes->len; i++) {
		const char *line = changes->pdata[i]; /* "MODE ID\tPATH" */
		const char *path = strchr(line, '\t') + 1;
		if (g_str_has_prefix(line, "0 "))
			g_string_append_printf(out, "D %s\n", path);
		else
			g_string_append_printf(out, "M %.*s %s\n", (int)(path - 1 - line), line,
					       path);
	}
	g_string_append_c(out, '\n');
}

static char *make_commits(const KernelSource *s, const char *base, const char *ref,
			  const Series *series, unsigned n, GError **error)
{
	g_auto(Posted) x = {0};
	g_autoptr(KernelStage) st = read_all(&x, series, n, error) ? stage_of(s, &x, error) : NULL;
	g_autoptr(GString) stream = g_string_new(NULL);
	for (guint i = 0; st && i < x.mails->len; i++) {
		GError *e = NULL;
		if (!kernel_stage_apply(st, &g_array_index(x.patches, Patch, i), &e)) {
			g_propagate_prefixed_error(
				error, e,
				"as a history each patch must apply on top of those before it: ");
			return NULL;
		}
		g_autoptr(GPtrArray) changes = kernel_stage_changes(st, error);
		if (!changes)
			return NULL;
		add_commit(stream, ref, base, i + 1, x.mails->pdata[i], changes);
	}
	if (!st)
		return NULL;
	KernelGit g = {.dir = s->git};
	g_autofree char *out =
		kernel_git(&g, stream->str, error, "fast-import", "--quiet", "--force", NULL);
	return out ? kernel_git(&g, NULL, error, "rev-parse", "--verify", ref, NULL) : NULL;
}

char *kernel_series_commit(const KernelSource *s, const Series *series, const char *last,
			   GError **error)
{
	const Patch *end = last ? series_find(series, last) : NULL;
	if (last && !end) {
		g_set_error(error, KX_ERROR, KX_ERROR_INPUT, "no patch '%s' in %s", last,
			    series->path);
		return NULL;
	}
	unsigned n = end ? (unsigned)(end - series->patches) + 1 : series->patches_count;
	KernelGit g = {.dir = s->git};
	g_autofree char *base =
		kernel_git(&g, NULL, error, "rev-parse", "--verify", "refs/heads/base", NULL);
	g_autofree char *ref = base ? series_ref(base, series, n, error) : NULL;
	if (!ref)
		return NULL;
	char *known = kernel_git(&g, NULL, NULL, "rev-parse", "--verify", "--quiet", ref, NULL);
	return known ? known : make_commits(s, base, ref, series, n, error);
}
