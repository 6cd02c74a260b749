/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The document: the timelines of a boot as it was and of one with the answer, compared. */
#include <stdlib.h>
#include <string.h>

#include "model-internal.h"
#include "report-internal.h"
#include "iommu/fault.h"
#include "timeline/timeline.h"

typedef struct {
	TimelineOptions how;
	GArray *parts, *addresses;
	GPtrArray *devices;
} Reading;

static const json_t *oracle_of(const Model *m)
{
	return json_object_get(m->run->config, "oracle");
}

static void read_addresses(const json_t *oracle, GArray *out)
{
	size_t i;
	json_t *x;
	json_array_foreach (json_object_get(oracle, "addresses"), i, x) {
		char *end = NULL;
		const char *text = json_string_value(x);
		if (!text)
			continue;
		guint64 pair[2] = {g_ascii_strtoull(text, &end, 16), 0};
		if (*end != '-')
			continue;
		pair[1] = g_ascii_strtoull(end + 1, NULL, 16);
		g_array_append_vals(out, pair, 2);
	}
}

static void read_devices(const json_t *oracle, GPtrArray *out)
{
	size_t i;
	json_t *x;
	json_array_foreach (json_object_get(oracle, "devices"), i, x) {
		char *name =
			json_is_string(x) ? fault_normalise_device(json_string_value(x)) : NULL;
		if (name)
			g_ptr_array_add(out, name);
	}
}

static void read_parts(const json_t *oracle, GArray *out)
{
	size_t i;
	json_t *x;
	json_array_foreach (json_object_get(oracle, "parts"), i, x) {
		const TimelinePart part = {kx_json_str(x, "name"), kx_json_str(x, "at")};
		if (part.name && part.at)
			g_array_append_val(out, part);
	}
}

/* As the oracle of the run reads a log. What it points to belongs to the model. */
static void reading_init(Reading *r, const Model *m)
{
	const json_t *oracle = oracle_of(m), *window = json_object_get(oracle, "window");
	*r = (Reading){.parts = g_array_new(FALSE, FALSE, sizeof(TimelinePart)),
		       .addresses = g_array_new(FALSE, FALSE, sizeof(guint64)),
		       .devices = g_ptr_array_new_with_free_func(g_free)};
	read_addresses(oracle, r->addresses);
	read_devices(oracle, r->devices);
	read_parts(oracle, r->parts);
	r->how.from = kx_json_str(window, "from");
	r->how.to = kx_json_str(window, "to");
	r->how.parts = (const TimelinePart *)(void *)r->parts->data;
	r->how.parts_count = r->parts->len;
	r->how.addresses = (const guint64 *)(void *)r->addresses->data;
	r->how.addresses_count = r->addresses->len / 2;
	if (!r->devices->len)
		return;
	g_ptr_array_add(r->devices, NULL);
	r->how.devices = (const char *const *)r->devices->pdata;
}

static void reading_clear(Reading *r)
{
	g_array_unref(r->parts);
	g_array_unref(r->addresses);
	g_ptr_array_unref(r->devices);
}

/* ---- which boots ---- */

/* The best trial with this outcome: of that variant, with or without the answer, booted as `like`;
 * NULL: none. */
static const StoreTrial *best(const Model *m, const char *outcome, uint64_t variant, bool holds,
			      uint64_t answer, const StoreTrial *like)
{
	const StoreTrial *found = NULL;
	int most = 0;
	for (guint i = 0; i < m->trials->len; i++) {
		const StoreTrial *t = m->trials->pdata[i];
		if (strcmp(t->outcome, outcome) != 0 || !*t->evidence ||
		    (answer && model_holds(m, t->mask, answer) != holds))
			continue;
		int score =
			1 + 4 * (t->mask == variant) + 2 * !t->clean +
			(like ? strcmp(t->mode, like->mode) == 0 : strcmp(t->mode, "kexec") == 0);
		if (score > most) {
			most = score;
			found = t;
		}
	}
	return found;
}

/* *ret_first is without the answer, *ret_second with it; of a run without an answer, one that
 * faults and one that does not. */
static bool choose(const Model *m, uint64_t answer, const StoreTrial **ret_first,
		   const StoreTrial **ret_second)
{
	bool cures = model_cures(m) || !answer;
	uint64_t before = model_is_history(m) && answer ? model_parent(m, answer) : 0;
	*ret_first = best(m, cures ? "fault" : "clean", before, false, answer, NULL);
	*ret_second = best(m, cures ? "clean" : "fault", answer, true, answer, *ret_first);
	return *ret_first && *ret_second;
}

static char *with_words(const Model *m, const StoreTrial *second, uint64_t answer)
{
	if (!answer)
		return g_strdup_printf("In trial %u", second->number);
	g_autoptr(json_t) names = model_names(m, answer);
	g_autoptr(GString) out = g_string_new("With ");
	report_say_set(names, "the base", &report_speech_plain, out);
	return g_strdup(out->str);
}

static Timeline *load(const Model *m, const Reading *r, const StoreTrial *t)
{
	g_autoptr(Timeline) line = timeline_load(t->evidence, &r->how, NULL);
	if (!line || !line->events->len)
		return NULL;
	g_autoptr(json_t) names = model_names(m, t->mask);
	g_autoptr(GString) title = g_string_new(NULL);
	if (json_array_size(names))
		g_string_append(title, "with ");
	report_say_set(names, "the base", &report_speech_plain, title);
	g_string_append_printf(title, ", %s", t->outcome);
	g_free(line->name);
	g_free(line->title);
	line->name = g_strdup_printf("Trial %u", t->number);
	line->title = g_strdup(title->str);
	return g_steal_pointer(&line);
}

/* {"first", "second": trials, "sentence", "document"}; NULL when there are no two boots to compare
 * or their logs cannot be read. */
json_t *model_timeline(const Model *m)
{
	const StoreTrial *first, *second;
	uint64_t answer = model_answer(m);
	if (!choose(m, answer, &first, &second))
		return NULL;
	Reading r;
	reading_init(&r, m);
	g_autoptr(Timeline) a = load(m, &r, first), b = load(m, &r, second);
	json_t *o = NULL;
	if (a && b) {
		g_autofree char *with = with_words(m, second, answer);
		const TimelineView view = {.only_matters = true, .with = with};
		json_t *doc = timeline_document(a, b, &view, NULL);
		o = json_object();
		json_object_set_new(o, "first", json_integer(first->number));
		json_object_set_new(o, "second", json_integer(second->number));
		json_object_set_new(o, "sentence", model_text(timeline_sentence(doc)));
		json_object_set_new(o, "document", doc);
	}
	reading_clear(&r);
	return o;
}
