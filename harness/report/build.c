/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Reads a run from the store, and what the parts of the document share. */
#include "model.h"

#include <stdio.h>
#include <string.h>

#include "model-internal.h"

bool model_cures(const Model *m)
{
	return strcmp(m->run->effect, "causes") != 0;
}

int model_variant(const Model *m, uint64_t mask)
{
	guint64 key = mask;
	return GPOINTER_TO_INT(g_hash_table_lookup(m->variants, &key)) - 1;
}

char *model_time(gint64 us)
{
	g_autoptr(GDateTime) t = us > 0 ? g_date_time_new_from_unix_utc(us / G_USEC_PER_SEC) : NULL;
	return t ? g_date_time_format(t, "%Y-%m-%dT%H:%M:%SZ") : NULL;
}

json_t *model_text(const char *text)
{
	size_t len = text ? strnlen(text, MODEL_TEXT_MAX + 1) : 0;
	g_autofree char *valid =
		g_utf8_make_valid(text ? text : "", (gssize)MIN(len, MODEL_TEXT_MAX));
	g_autofree char *cut = len > MODEL_TEXT_MAX ? g_strconcat(valid, "…", NULL) : NULL;
	return json_string(cut ? cut : valid);
}

void model_set_text(json_t *object, const char *key, const char *text)
{
	if (text && *text)
		json_object_set_new(object, key, model_text(text));
}

char *model_link(const Model *m, const char *path)
{
	size_t len = strlen(m->run->dir);
	if (len == 0 || strncmp(path, m->run->dir, len) != 0 || path[len] != '/')
		return NULL;
	return g_strdup(path + len + 1);
}

char *model_read(const char *folder, const char *name, size_t max, size_t *ret_len)
{
	g_autofree char *path = name ? g_build_filename(folder, name, NULL) : g_strdup(folder);
	/* never a device or a pipe: evidence folders hold what strangers' kernels sent */
	if (!g_file_test(path, G_FILE_TEST_IS_REGULAR))
		return NULL;
	FILE *f = fopen(path, "re");
	if (!f)
		return NULL;
	GString *text = g_string_new(NULL);
	char chunk[65536];
	size_t n;
	while (text->len < max && (n = fread(chunk, 1, MIN(sizeof(chunk), max - text->len), f)) > 0)
		g_string_append_len(text, chunk, (gssize)n);
	fclose(f);
	if (ret_len)
		*ret_len = text->len;
	return g_string_free(text, FALSE);
}

const StoreTrial *model_example(const Model *m, int variant, const char *outcome)
{
	for (guint i = 0; i < m->trials->len; i++) {
		const StoreTrial *t = m->trials->pdata[i];
		if ((variant < 0 || model_variant(m, t->mask) == variant) &&
		    strcmp(t->outcome, outcome) == 0 && *t->evidence)
			return t;
	}
	return NULL;
}

uint64_t model_answer(const Model *m)
{
	if (strcmp(m->leading_kind, "set") == 0)
		return model_closure(m, m->leading);
	/* each is enough: the first */
	return strcmp(m->leading_kind, "either") == 0
		       ? model_closure(m, m->leading & (~m->leading + 1))
		       : 0;
}

/* ---- reading ---- */

static void add_variant(Model *m, uint64_t mask)
{
	if (model_variant(m, mask) >= 0)
		return;
	guint64 key = mask;
	g_array_append_val(m->masks, mask);
	g_hash_table_insert(m->variants, g_memdup2(&key, sizeof(key)),
			    GINT_TO_POINTER((int)m->masks->len));
}

static bool was_used(const Model *m, uint64_t mask)
{
	for (guint i = 0; i < m->trials->len; i++) {
		if (((const StoreTrial *)m->trials->pdata[i])->mask == mask)
			return true;
	}
	for (guint i = 0; i < m->builds->len; i++) {
		const StoreBuild *b = m->builds->pdata[i];
		if (!b->launcher && b->mask == mask)
			return true;
	}
	return false;
}

/* A kernel that was only booted with boot parameters is told with these variants. */
static bool was_booted(const Model *m, uint64_t compiled)
{
	for (guint i = 0; i < m->trials->len; i++) {
		if (model_compiled(m, ((const StoreTrial *)m->trials->pdata[i])->mask) == compiled)
			return true;
	}
	return false;
}

static void find_variants(Model *m)
{
	uint64_t answer = model_answer(m);
	if (was_used(m, 0))
		add_variant(m, 0);
	if (was_used(m, answer))
		add_variant(m, answer);
	for (guint i = 0; i < m->trials->len; i++)
		add_variant(m, ((const StoreTrial *)m->trials->pdata[i])->mask);
	for (guint i = 0; i < m->builds->len; i++) {
		const StoreBuild *b = m->builds->pdata[i];
		if (!b->launcher && !was_booted(m, b->mask))
			add_variant(m, b->mask);
	}
}

static void find_leading(Model *m)
{
	const json_t *told = m->verdict ? json_object_get(m->verdict->details, "leading") : NULL;
	m->leading_kind = "";
	if (m->verdict && strcmp(m->verdict->kind, "cause") == 0) {
		const char *kind = kx_json_str(told, "kind");
		m->leading_kind = g_strcmp0(kind, "either") == 0 ? "either" : "set";
		m->leading = m->verdict->members;
		m->leading_probability = m->verdict->probability;
	} else if (kx_json_str(told, "kind")) {
		m->leading_kind = kx_json_str(told, "kind");
		m->leading = model_mask_of(m, json_object_get(told, "members"));
		m->leading_probability = kx_json_num(told, "probability", 0);
	} else if (m->posteriors->len) {
		const StorePosterior *p = m->posteriors->pdata[m->posteriors->len - 1];
		m->leading_kind = p->kind;
		m->leading = p->members;
		m->leading_probability = p->probability;
	}
}

static StoreCampaign *find_run(Store *s, gint64 id, GError **error)
{
	g_autofree char *which = g_strdup_printf("#%" G_GINT64_FORMAT, id);
	return store_find_campaign(s, which, error);
}

static bool read_rows(Model *m, Store *s, gint64 id, GError **error)
{
	GError *e = NULL;
	m->verdict = store_verdict(s, id, &e);
	if (e) {
		g_propagate_error(error, e);
		return false;
	}
	return (m->candidates = store_candidates(s, id, error)) &&
	       (m->builds = store_builds(s, id, error)) &&
	       (m->trials = store_trials(s, id, error)) &&
	       (m->posteriors = store_posteriors(s, id, error)) &&
	       (m->faults = store_faults(s, id, 0, error)) &&
	       (m->events = store_events(s, id, error)) && store_times(s, id, &m->times, error) &&
	       (m->matrix = store_document(s, id, "matrix", error)) &&
	       (m->lineage = store_document(s, id, "history", error)) &&
	       (m->survey = store_document(s, id, "survey", error)) &&
	       (m->orders = store_document(s, id, "orders", error)) &&
	       (m->environment = store_document(s, id, "environment", error));
}

static void clear(Model *m)
{
	GPtrArray *rows[] = {m->candidates, m->builds, m->trials,
			     m->posteriors, m->faults, m->events};
	for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
		if (rows[i])
			g_ptr_array_unref(rows[i]);
	}
	store_campaign_free(m->run);
	store_verdict_free(m->verdict);
	json_decref(m->matrix);
	json_decref(m->lineage);
	json_decref(m->survey);
	json_decref(m->orders);
	json_decref(m->environment);
	g_hash_table_unref(m->variants);
	g_array_unref(m->masks);
}

json_t *report_build(Store *store, gint64 campaign, GError **error)
{
	Model m = {.masks = g_array_new(FALSE, FALSE, sizeof(uint64_t)),
		   .variants = g_hash_table_new_full(g_int64_hash, g_int64_equal, g_free, NULL)};
	json_t *doc = NULL;
	m.run = find_run(store, campaign, error);
	if (m.run && read_rows(&m, store, campaign, error)) {
		m.state = m.run->state == STORE_RUNNING && !store_is_alive(m.run) ? STORE_STOPPED
										  : m.run->state;
		find_leading(&m);
		find_variants(&m);
		doc = model_document(&m);
	}
	clear(&m);
	return doc;
}
