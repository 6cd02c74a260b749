/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "base/fs.h"
#include "base/json.h"
#include "kernel/kernel-internal.h"

#define FORMAT "kexsect-matrix-1"

typedef struct {
	const Series *series;
	GPtrArray *fixtures, *candidates; /* const Patch * */
	KernelStage *stage;
} Matrix;

/* The patch and what it needs, as flags by position in the series. */
static void close_over(const Series *s, const Patch *p, bool *in)
{
	in[p - s->patches] = true;
	for (unsigned i = 0; i < p->depends_count; i++)
		close_over(s, series_find(s, p->depends[i]), in);
}

static bool needs(const Series *s, const Patch *p, const Patch *other)
{
	g_autofree bool *in = g_new0(bool, s->patches_count);
	close_over(s, p, in);
	return p != other && in[other - s->patches];
}

/* Applies a and b with what they need. False only when the work itself failed; the answer is in
 * *ret_reason: NULL when they apply. */
static bool try_pair(const Matrix *m, const Patch *a, const Patch *b, char **ret_reason,
		     GError **error)
{
	g_autofree bool *in = g_new0(bool, m->series->patches_count);
	close_over(m->series, a, in);
	close_over(m->series, b, in);
	*ret_reason = NULL;
	if (!kernel_stage_reset(m->stage, error))
		return false;
	for (unsigned i = 0; i < m->series->patches_count; i++) {
		const Patch *p = &m->series->patches[i];
		GError *e = NULL;
		if (!in[i] || g_ptr_array_find(m->fixtures, p, NULL) ||
		    kernel_stage_apply(m->stage, p, &e))
			continue;
		if (!g_error_matches(e, KX_ERROR, KX_ERROR_INPUT)) {
			g_propagate_error(error, e);
			return false;
		}
		*ret_reason = g_strdup(e->message);
		g_error_free(e);
		return true;
	}
	return true;
}

static bool fill(const Matrix *m, json_t *alone, json_t *pairs, GError **error)
{
	guint n = m->candidates->len;
	g_autofree bool *bad = g_new0(bool, n);
	for (guint i = 0; i < n; i++) {
		const Patch *a = m->candidates->pdata[i];
		g_autofree char *reason = NULL;
		if (!try_pair(m, a, a, &reason, error))
			return false;
		bad[i] = reason != NULL;
		json_array_append_new(alone, json_pack("{s:s, s:s, s:s}", "name", a->name, "result",
						       reason ? "conflict" : "ok", "reason",
						       reason ? reason : ""));
	}
	for (guint i = 0; i < n; i++)
		for (guint k = i + 1; k < n; k++) {
			const Patch *a = m->candidates->pdata[i], *b = m->candidates->pdata[k];
			g_autofree char *reason = NULL;
			if (bad[i] || bad[k])
				reason = g_strdup_printf(
					"%s does not apply even alone",
					((Patch *)m->candidates->pdata[bad[i] ? i : k])->name);
			else if (!try_pair(m, a, b, &reason, error))
				return false;
			bool tied = needs(m->series, a, b) || needs(m->series, b, a);
			const char *result = reason ? "conflict" : tied ? "depends" : "ok";
			json_array_append_new(pairs, json_pack("{s:s, s:s, s:s, s:s}", "a", a->name,
							       "b", b->name, "result", result,
							       "reason", reason ? reason : ""));
		}
	return true;
}

/* All that may be applied: fixtures, candidates and what they need. */
static GPtrArray *all_patches(const Matrix *m)
{
	g_autofree bool *in = g_new0(bool, m->series->patches_count);
	for (guint i = 0; i < m->fixtures->len; i++)
		in[(const Patch *)m->fixtures->pdata[i] - m->series->patches] = true;
	for (guint i = 0; i < m->candidates->len; i++)
		close_over(m->series, m->candidates->pdata[i], in);
	GPtrArray *out = g_ptr_array_new();
	for (unsigned i = 0; i < m->series->patches_count; i++)
		if (in[i])
			g_ptr_array_add(out, &m->series->patches[i]);
	return out;
}

static char *cache_key(const KernelSource *s, const Matrix *m, GPtrArray *patches, GError **error)
{
	g_autoptr(GChecksum) sum = g_checksum_new(G_CHECKSUM_SHA256);
	g_autoptr(GString) text = g_string_new(FORMAT "\n");
	g_string_append_printf(text, "%s\n", s->tree);
	for (guint i = 0; i < patches->len; i++) {
		const Patch *p = patches->pdata[i];
		g_autofree char *digest = kx_sha256_file(p->file, error);
		if (!digest)
			return NULL;
		g_string_append_printf(text, "%s %s %s %d\n", p->name, p->file, digest,
				       g_ptr_array_find(m->fixtures, p, NULL)	  ? 1
				       : g_ptr_array_find(m->candidates, p, NULL) ? 2
										  : 0);
		for (unsigned k = 0; k < p->depends_count; k++)
			g_string_append_printf(text, " %s\n", p->depends[k]);
	}
	g_checksum_update(sum, (const guchar *)text->str, (gssize)text->len);
	return g_strdup(g_checksum_get_string(sum));
}

static json_t *compute(const KernelSource *s, Matrix *m, GPtrArray *patches, GError **error)
{
	gint64 start = g_get_monotonic_time();
	g_autoptr(KernelStage) st = kernel_stage_new(s, s->tree, patches, error);
	if (!st)
		return NULL;
	m->stage = st;
	for (guint i = 0; i < m->fixtures->len; i++)
		if (!kernel_stage_apply(st, m->fixtures->pdata[i], error))
			return NULL;
	if (!kernel_stage_mark(st, error))
		return NULL;
	g_autoptr(json_t) out = json_object();
	json_t *names = json_array(), *alone = json_array(), *pairs = json_array();
	json_object_set_new(out, "format", json_integer(1));
	json_object_set_new(out, "base_tree", json_string(s->tree));
	json_object_set_new(out, "names", names);
	json_object_set_new(out, "alone", alone);
	json_object_set_new(out, "pairs", pairs);
	for (guint i = 0; i < m->candidates->len; i++)
		json_array_append_new(names,
				      json_string(((const Patch *)m->candidates->pdata[i])->name));
	if (!fill(m, alone, pairs, error))
		return NULL;
	json_object_set_new(out, "seconds",
			    json_real((double)(g_get_monotonic_time() - start) / G_USEC_PER_SEC));
	return g_steal_pointer(&out);
}

json_t *kernel_apply_matrix(const char *cache, const Recipe *recipe, const Series *series,
			    const char *const *fixtures, const char *const *candidates,
			    GError **error)
{
	g_autoptr(KernelSource) s = kernel_source_get(cache, recipe, NULL, NULL, error);
	if (!s)
		return NULL;
	g_autoptr(GPtrArray) fixed = kernel_pick(series, fixtures, error);
	g_autoptr(GPtrArray) tried = fixed ? kernel_pick(series, candidates, error) : NULL;
	if (!tried)
		return NULL;
	Matrix m = {.series = series, .fixtures = fixed, .candidates = tried};
	g_autoptr(GPtrArray) patches = all_patches(&m);
	g_autofree char *key = cache_key(s, &m, patches, error);
	if (!key)
		return NULL;
	g_autofree char *dir = g_build_filename(cache, "matrix", NULL);
	g_autofree char *file = g_strdup_printf("%s/%s.json", dir, key);
	json_t *known = kx_json_load(file, NULL);
	if (known) {
		kernel_touch(file);
		return known;
	}
	g_autoptr(json_t) out = compute(s, &m, patches, error);
	if (!out || !kx_mkdir(dir, error) || !kx_json_save(file, out, error))
		return NULL;
	return g_steal_pointer(&out);
}
