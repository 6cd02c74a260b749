/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Evidence without a row: the engine was killed between the end of a trial and its transaction. A
 * complete trial is taken over, what is left of a cut-off one is removed. */
#include "engine/engine-internal.h"

#include <stdlib.h>

#include "base/fs.h"

static bool has_row(const GPtrArray *trials, unsigned number)
{
	for (guint i = 0; i < trials->len; i++)
		if (((const StoreTrial *)trials->pdata[i])->number == number)
			return true;
	return false;
}

/* The plan of the job that made this trial: the last one that begins at or before it. */
static json_t *find_plan(const Engine *e, unsigned number)
{
	for (unsigned first = number; first > 0; first--) {
		g_autofree char *name = g_strdup_printf("%06u-plan.json", first);
		g_autofree char *path = g_build_filename(e->run->dir, "requests", name, NULL);
		if (!g_file_test(path, G_FILE_TEST_EXISTS))
			continue;
		json_t *plan = kx_json_load(path, NULL);
		if (plan && number < first + kx_json_int(plan, "boots", 0))
			return plan;
		json_decref(plan);
		return NULL;
	}
	return NULL;
}

static char *copy_of(const json_t *from, const char *key)
{
	const char *text = kx_json_str(from, key);
	return g_strdup(text ? text : "");
}

/* Whether outcome.json and request.json are there and belong to the plan. */
static bool is_complete(const char *dir, unsigned number, const json_t *outcome, const json_t *plan)
{
	g_autofree char *path = g_build_filename(dir, "request.json", NULL);
	g_autoptr(json_t) request = kx_json_load(path, NULL);
	int kind = engine_outcome(kx_json_str(outcome, "outcome"));
	const char *identity = kx_json_str(outcome, "identity");
	/* An infra outcome here is the killing itself, and never evidence. */
	return request && plan && kind >= 0 && kind != ENGINE_INFRA &&
	       kx_json_int(outcome, "trial", -1) == number &&
	       g_strcmp0(kx_json_str(request, "identity"), kx_json_str(plan, "identity")) == 0 &&
	       g_strcmp0(kx_json_str(request, "mode"), kx_json_str(plan, "mode")) == 0 &&
	       (!identity || !*identity || g_strcmp0(identity, kx_json_str(plan, "identity")) == 0);
}

static StoreTrial *make_trial(const char *dir, unsigned number, const json_t *outcome,
			      const json_t *plan)
{
	StoreTrial *t = g_new0(StoreTrial, 1);
	const char *mask = kx_json_str(plan, "mask");
	t->number = number;
	t->mask = mask ? g_ascii_strtoull(mask, NULL, 16) : 0;
	t->clean = kx_json_bool(plan, "clean", false);
	t->build = copy_of(plan, "build");
	t->target = copy_of(plan, "target");
	t->mode = copy_of(plan, "mode");
	t->purpose = copy_of(plan, "purpose");
	t->plan = json_incref(json_object_get(plan, "why"));
	t->outcome = copy_of(outcome, "outcome");
	t->reason = copy_of(outcome, "reason");
	t->evidence = g_strdup(dir);
	t->measures = json_incref(json_object_get(outcome, "measures"));
	t->seconds = json_incref(json_object_get(outcome, "seconds"));
	return t;
}

static bool adopt_one(Engine *e, unsigned number, const char *dir, GError **error)
{
	g_autofree char *path = g_build_filename(dir, "outcome.json", NULL);
	g_autoptr(json_t) outcome =
		g_file_test(path, G_FILE_TEST_EXISTS) ? kx_json_load(path, NULL) : NULL;
	g_autoptr(json_t) plan = find_plan(e, number);
	e->next_trial = MAX(e->next_trial, number + 1);
	if (!outcome || !is_complete(dir, number, outcome, plan)) {
		if (!kx_remove_tree(dir, error))
			return false;
		engine_note(e, "info", "cut-off", number,
			    "trial %u was cut off; its remains were removed", number);
		return true;
	}
	StoreTrial *t = make_trial(dir, number, outcome, plan);
	bool ok = engine_take_trial(e, t, json_object_get(outcome, "faults"), error);
	store_trial_free(t);
	if (ok)
		engine_note(e, "info", "adopt", number,
			    "trial %u was on disk but not yet recorded: taken over", number);
	return ok;
}

static gint by_number(gconstpointer a, gconstpointer b)
{
	guint x = *(const guint *)a, y = *(const guint *)b;
	return (x > y) - (x < y);
}

void engine_remove_parts(Engine *e)
{
	g_autofree char *dir = g_build_filename(e->run->dir, "trials", NULL);
	g_autoptr(GDir) open = g_dir_open(dir, 0, NULL);
	const char *name;
	while (open && (name = g_dir_read_name(open))) {
		g_autofree char *path = g_build_filename(dir, name, NULL);
		g_autoptr(GError) error = NULL;
		if (*name == '.' && g_str_has_suffix(name, ".part") &&
		    !kx_remove_tree(path, &error))
			g_warning("%s", error->message);
	}
}

bool engine_adopt(Engine *e, const GPtrArray *trials, GError **error)
{
	engine_remove_parts(e);
	g_autofree char *dir = g_build_filename(e->run->dir, "trials", NULL);
	g_autoptr(GDir) open = g_dir_open(dir, 0, NULL);
	g_autoptr(GArray) numbers = g_array_new(FALSE, FALSE, sizeof(guint));
	const char *name;
	while (open && (name = g_dir_read_name(open))) {
		char *end;
		guint64 number = g_ascii_strtoull(name, &end, 10);
		guint n = (guint)number;
		if (!*end && number > 0 && number < G_MAXINT && !has_row(trials, n))
			g_array_append_val(numbers, n);
	}
	g_array_sort(numbers, by_number);
	for (guint i = 0; i < numbers->len; i++) {
		guint n = g_array_index(numbers, guint, i);
		g_autofree char *leaf = g_strdup_printf("%06u", n);
		g_autofree char *path = g_build_filename(dir, leaf, NULL);
		if (!adopt_one(e, n, path, error))
			return false;
	}
	return true;
}
