/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The document: faults by signature, and excerpts of the logs that hold them. */
#include "model.h"
#include "report-internal.h"

#include <string.h>

#include "excerpt.h"

#define SIGNATURES_MAX 50
#define EXAMPLES_MAX 3

typedef struct {
	char *key;
	const StoreFault *first;
	gint64 records, in_window, trials;
	gint64 last_trial;
} Signature;

static void signature_free(gpointer signature)
{
	Signature *s = signature;
	g_free(s->key);
	g_free(s);
}

static int by_records(gconstpointer a, gconstpointer b)
{
	const Signature *x = *(Signature *const *)a, *y = *(Signature *const *)b;
	if (x->in_window != y->in_window)
		return x->in_window < y->in_window ? 1 : -1;
	if (x->records != y->records)
		return x->records < y->records ? 1 : -1;
	return x->first->trial < y->first->trial ? -1 : x->first->trial > y->first->trial;
}

/* Faults that a person would call the same: device, kind of event, access and reason. */
static char *key_of(const StoreFault *f)
{
	const char *event = kx_json_str(f->record, "event");
	const char *access = kx_json_str(f->record, "access");
	return g_strjoin("\n", f->device, f->reason, event ? event : "", access ? access : "",
			 NULL);
}

static bool is_suppressed(const StoreFault *f)
{
	return g_strcmp0(kx_json_str(f->record, "kind"), "suppressed") == 0;
}

static GPtrArray *signatures(const Model *m)
{
	GPtrArray *out = g_ptr_array_new_with_free_func(signature_free);
	g_autoptr(GHashTable) seen = g_hash_table_new(g_str_hash, g_str_equal);
	for (guint i = 0; i < m->faults->len; i++) {
		const StoreFault *f = m->faults->pdata[i];
		if (is_suppressed(f))
			continue;
		g_autofree char *key = key_of(f);
		Signature *s = g_hash_table_lookup(seen, key);
		if (!s) {
			s = g_new0(Signature, 1);
			s->key = g_steal_pointer(&key);
			s->first = f;
			g_hash_table_insert(seen, s->key, s);
			g_ptr_array_add(out, s);
		}
		s->records++;
		s->in_window += f->in_window;
		s->trials += s->last_trial != f->trial;
		s->last_trial = f->trial;
	}
	g_ptr_array_sort(out, by_records);
	if (out->len > SIGNATURES_MAX)
		g_ptr_array_set_size(out, SIGNATURES_MAX);
	return out;
}

static json_t *signature_json(const Signature *s)
{
	json_t *o = json_object();
	json_object_set_new(o, "device", model_text(s->first->device));
	json_object_set_new(o, "reason", model_text(s->first->reason));
	model_set_text(o, "driver", kx_json_str(s->first->record, "driver"));
	model_set_text(o, "event", kx_json_str(s->first->record, "event"));
	model_set_text(o, "access", kx_json_str(s->first->record, "access"));
	model_set_text(o, "address", s->first->address);
	model_set_text(o, "line", kx_json_str(s->first->record, "raw"));
	json_object_set_new(o, "records", json_integer(s->records));
	json_object_set_new(o, "in_window", json_integer(s->in_window));
	json_object_set_new(o, "trials", json_integer(s->trials));
	json_object_set_new(o, "first_trial", json_integer(s->first->trial));
	return o;
}

/* ---- examples ---- */

static const StoreTrial *trial_by_number(const Model *m, unsigned number)
{
	for (guint i = 0; i < m->trials->len; i++) {
		const StoreTrial *t = m->trials->pdata[i];
		if (t->number == number)
			return t;
	}
	return NULL;
}

/* Text of the records of a trial, as it stands in its log. */
static GPtrArray *fault_lines(const Model *m, const StoreTrial *t)
{
	GPtrArray *out = g_ptr_array_new_with_free_func(g_free);
	for (guint i = 0; i < m->faults->len; i++) {
		const StoreFault *f = m->faults->pdata[i];
		const char *raw = f->trial == t->number ? kx_json_str(f->record, "raw") : NULL;
		g_auto(GStrv) lines = g_strsplit(raw ? raw : "", "\n", 4);
		for (char **l = lines; *l; l++) {
			if (**l)
				g_ptr_array_add(out, g_strdup(*l));
		}
	}
	return out;
}

static void append_example(const Model *m, json_t *out, const StoreTrial *t)
{
	size_t i;
	json_t *x;
	if (!t || *t->evidence == '\0')
		return;
	json_array_foreach (out, i, x) {
		if (kx_json_int(x, "trial", 0) == t->number)
			return;
	}
	const json_t *window = json_object_get(json_object_get(m->run->config, "oracle"), "window");
	g_autoptr(GPtrArray) faults = fault_lines(m, t);
	json_t *o = excerpt_read(t->evidence, kx_json_str(window, "from"),
				 kx_json_str(window, "to"), faults);
	if (!o)
		return;
	g_autofree char *path = g_build_filename(t->evidence, kx_json_str(o, "file"), NULL);
	g_autofree char *link = model_link(m, path);
	json_object_set_new(o, "trial", json_integer(t->number));
	json_object_set_new(o, "members", model_names(m, t->mask));
	json_object_set_new(o, "outcome", model_text(t->outcome));
	json_object_set_new(o, "evidence", model_text(t->evidence));
	model_set_text(o, "link", link);
	json_array_append_new(out, o);
}

/* The base first: it is what the question is about. */
static const StoreTrial *example_of(const Model *m, const Signature *s)
{
	for (guint i = 0; i < m->faults->len; i++) {
		const StoreFault *f = m->faults->pdata[i];
		const StoreTrial *t = f->in_window ? trial_by_number(m, f->trial) : NULL;
		g_autofree char *key = t && t->mask == 0 ? key_of(f) : NULL;
		if (g_strcmp0(key, s->key) == 0)
			return t;
	}
	return trial_by_number(m, s->first->trial);
}

/* One boot per signature that shows it, and one boot with the answer (or, where candidates cause
 * the fault, without it) to compare. */
static json_t *examples(const Model *m, const GPtrArray *of)
{
	json_t *out = json_array();
	for (guint i = 0; i < of->len && json_array_size(out) < EXAMPLES_MAX; i++)
		append_example(m, out, example_of(m, of->pdata[i]));
	bool set = strcmp(m->leading_kind, "set") == 0;
	int variant = model_variant(m, model_cures(m) && set ? model_closure(m, m->leading) : 0);
	if (variant >= 0)
		append_example(m, out, model_example(m, variant, "clean"));
	return out;
}

json_t *model_faults(const Model *m)
{
	g_autoptr(GPtrArray) found = signatures(m);
	json_t *o = json_object(), *list = json_array();
	gint64 counted = 0, suppressed = 0, outside = 0, trials = 0;
	for (guint i = 0; i < m->trials->len; i++) {
		const StoreTrial *t = m->trials->pdata[i];
		gint64 n = kx_json_int(t->measures, "faults", 0);
		counted += n;
		trials += n > 0;
		suppressed += kx_json_int(t->measures, "suppressed", 0);
		outside += kx_json_int(t->measures, "outside", 0);
	}
	for (guint i = 0; i < found->len; i++)
		json_array_append_new(list, signature_json(found->pdata[i]));
	json_object_set_new(o, "counted", json_integer(counted));
	json_object_set_new(o, "trials", json_integer(trials));
	json_object_set_new(o, "suppressed", json_integer(suppressed));
	json_object_set_new(o, "outside", json_integer(outside));
	json_object_set_new(o, "signatures", list);
	json_object_set_new(o, "examples", examples(m, found));
	return o;
}
