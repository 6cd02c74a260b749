/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "explicit.h"

#include <math.h>
#include <string.h>

#define NEGLIGIBLE 1e-8 /* of the doubt: hypotheses below it do not steer the choice */
#define SAMPLE 4000	/* about so many do */

Explicit *explicit_new(guint n, const double *prior)
{
	Explicit *x = g_new0(Explicit, 1);

	x->n = n;
	x->prior = prior;
	x->has_faults = g_new0(guint, n);
	x->has_cleans = g_new0(guint, n);
	x->p = g_new0(double, n);
	x->class_of = g_new0(guint, n);
	x->active = g_new0(guint, n);
	x->weight = g_new0(double, n);
	return x;
}

void explicit_free(Explicit *x)
{
	g_free(x->has_faults);
	g_free(x->has_cleans);
	g_free(x->p);
	g_free(x->class_of);
	g_free(x->active);
	g_free(x->weight);
	g_free(x);
}

void explicit_inherit(Explicit *x, const Explicit *from)
{
	memcpy(x->has_faults, from->has_faults, x->n * sizeof(guint));
	memcpy(x->has_cleans, from->has_cleans, x->n * sizeof(guint));
	x->faults = from->faults;
	x->cleans = from->cleans;
}

void explicit_observed(Explicit *x, const bool *has, guint faults, guint cleans)
{
	for (guint h = 0; h < x->n; h++) {
		x->has_faults[h] += has[h] ? faults : 0;
		x->has_cleans[h] += has[h] ? cleans : 0;
	}
	x->faults += faults;
	x->cleans += cleans;
}

/* Hypotheses with the same counts are one class (§2.3). */
void explicit_classify(Search *s, Explicit *x)
{
	g_autoptr(GHashTable) index =
		g_hash_table_new_full(g_int64_hash, g_int64_equal, g_free, NULL);
	bool causes = s->effect == SEARCH_CAUSES;
	gint64 last_key = -1;
	guint last = 0;

	for (guint h = 0; h < x->n; h++) {
		gint64 key = (gint64)((guint64)x->has_faults[h] << 32 | x->has_cleans[h]);
		gpointer found;

		if (key != last_key) {
			found = g_hash_table_lookup(index, &key);
			if (!found) {
				Class c = {.bad_faults = causes ? x->has_faults[h]
								: x->faults - x->has_faults[h],
					   .bad_cleans = causes ? x->has_cleans[h]
								: x->cleans - x->has_cleans[h]};

				found = GUINT_TO_POINTER(s->classes->len);
				g_array_append_val(s->classes, c);
				g_hash_table_insert(index, g_memdup2(&key, sizeof(key)), found);
			}
			last_key = key;
			last = GPOINTER_TO_UINT(found);
		}
		x->class_of[h] = last;
		g_array_index(s->classes, Class, last).prior += x->prior[h];
	}
}

void explicit_weigh(const Search *s, Explicit *x)
{
	g_autofree double *scale = g_new(double, s->classes->len);

	for (guint k = 0; k < s->classes->len; k++) {
		const Class *c = class_at(s, k);

		scale[k] = c->prior > 0 ? c->mass / c->prior : 0;
	}
	for (guint h = 0; h < x->n; h++)
		x->p[h] = x->prior[h] * scale[x->class_of[h]];
}

void explicit_fold(Explicit *x, guint from, guint into)
{
	if (into == G_MAXUINT)
		return;
	x->p[into] += x->p[from];
	x->p[from] = 0;
}

/* After folding the classes weigh something else. */
static void weigh_classes(const Search *s, const Explicit *x)
{
	Class *c = (Class *)(void *)s->classes->data;

	for (guint k = CLASS_FIRST; k < s->classes->len; k++)
		c[k].mass = 0;
	for (guint h = 0; h < x->n; h++)
		c[x->class_of[h]].mass += x->p[h];
}

/* Systematic sampling: each class hands its weight over whenever `step` of it has come together. */
static void sample(const Search *s, Explicit *x, double least, double step)
{
	g_autofree double *waiting = g_new0(double, s->classes->len);
	g_autofree guint *last = g_new0(guint, s->classes->len); /* 1 + index into active */

	x->n_active = 0;
	for (guint h = 0; h < x->n; h++) {
		guint k = x->class_of[h];

		if (x->p[h] <= least)
			continue;
		waiting[k] += x->p[h];
		if (waiting[k] < step && last[k])
			continue;
		x->active[x->n_active] = h;
		x->weight[x->n_active++] = waiting[k];
		last[k] = x->n_active;
		waiting[k] = 0;
	}
	for (guint k = 0; k < s->classes->len; k++)
		if (last[k])
			x->weight[last[k] - 1] += waiting[k];
}

void explicit_settle(const Search *s, Explicit *x)
{
	double doubt, sum = 0;

	weigh_classes(s, x);
	x->best = 0;
	for (guint h = 0; h < x->n; h++) {
		x->best = x->p[h] > x->p[x->best] ? h : x->best;
		sum += x->p[h];
	}
	doubt = MAX(1 - MAX(x->p[x->best], s->leader.probability), 1e-6);
	sample(s, x, NEGLIGIBLE * doubt, x->n > SAMPLE ? (sum - x->p[x->best]) / SAMPLE : 0);
}

double explicit_entropy(const Explicit *x)
{
	double sum = 0;

	for (guint h = 0; h < x->n; h++)
		sum -= x->p[h] > 0 ? x->p[h] * log2(x->p[h]) : 0;
	return sum;
}

guint explicit_top(const Explicit *x, guint max, guint *ret)
{
	guint n = 0;

	for (guint h = 0; h < x->n && max; h++) {
		guint at;

		if (n == max && x->p[h] <= x->p[ret[n - 1]])
			continue;
		n = MIN(n + 1, max);
		for (at = n - 1; at > 0 && x->p[ret[at - 1]] < x->p[h]; at--)
			ret[at] = ret[at - 1];
		ret[at] = h;
	}
	return n;
}
