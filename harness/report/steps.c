/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "report-internal.h"

/* What all boots of one experiment have in common. */
static bool same_step(const json_t *a, const json_t *b)
{
	static const char *const keys[] = {"variant", "mode", "clean_build", "purpose", "why"};
	for (size_t i = 0; i < G_N_ELEMENTS(keys); i++) {
		const json_t *x = json_object_get(a, keys[i]), *y = json_object_get(b, keys[i]);
		if (x != y && !json_equal(x, y)) /* not equal to itself when it is missing */
			return false;
	}
	return true;
}

/* The last point at or before trial `number`, from index *at on. */
static const json_t *point_at(const json_t *points, size_t *at, double from, double number)
{
	const json_t *found = NULL;
	for (; *at < json_array_size(points); ++*at) {
		const json_t *p = json_array_get(points, *at);
		double trial = report_num(p, "trial", 0);
		if (trial > number)
			break;
		if (trial >= from)
			found = p;
	}
	return found;
}

GArray *report_steps(const json_t *doc, size_t max)
{
	const json_t *trials = json_object_get(doc, "trials");
	const json_t *points = report_at(doc, "history.points");
	GArray *out = g_array_new(FALSE, FALSE, sizeof(ReportStep));
	size_t n = json_array_size(trials), at = 0;
	for (size_t i = 0; i < n;) {
		const json_t *t = json_array_get(trials, i);
		ReportStep step = {.first = i, .why = json_object_get(t, "why")};
		for (i++; i < n && same_step(t, json_array_get(trials, i)); i++)
			;
		step.count = i - step.first;
		step.after = point_at(points, &at, report_num(t, "number", 0),
				      report_num(json_array_get(trials, i - 1), "number", 0));
		g_array_append_val(out, step);
	}
	if (out->len > max)
		g_array_remove_range(out, 0, (guint)(out->len - max));
	return out;
}
