/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Limits of one kernel's mean: Wilson's for a rate (E. B. Wilson, JASA 22, 1927), Student's with a
 * standard deviation that all kernels of a group share for the rest. Limits of sums and of the
 * ratio: MOVER (G. Y. Zou, A. Donner, Statistics in Medicine 27, 2008; A. Donner, G. Y. Zou,
 * Statistical Methods in Medical Research 21, 2012). */
#include "report/effects.h"

#include <math.h>
#include <string.h>

#define Z 1.959964
#define NONE 0.005

const char *effects_measure_name(EffectsMeasure m)
{
	static const char *const names[] = {"rate", "faults", "window", "blocked"};
	return m < EFFECTS_MEASURES ? names[m] : NULL;
}

/* One kernel in one group. */
typedef struct {
	uint64_t variant;
	guint group;
	guint n;
	double sum, squares; /* of the measure */
	GPtrArray *boots;    /* const EffectsBoot; it knows the measure */
} Arm;

static void arm_clear(gpointer data)
{
	g_ptr_array_unref(((Arm *)data)->boots);
}

typedef struct {
	const GArray *boots;
	EffectsMeasure measure;
	bool exact;
	GArray *arms;
	double spread; /* standard deviation within arms; NaN: not known */
	guint freedom;
} Work;

static bool is_known(const Work *w, const EffectsBoot *b)
{
	return !isnan(b->values[w->measure]);
}

static Arm *arm_of(const Work *w, uint64_t variant, guint group)
{
	for (guint i = 0; i < w->arms->len; i++) {
		Arm *a = &g_array_index(w->arms, Arm, i);
		if (a->variant == variant && a->group == group)
			return a;
	}
	return NULL;
}

static void fill_arms(Work *w)
{
	for (guint i = 0; i < w->boots->len; i++) {
		const EffectsBoot *b = &g_array_index(w->boots, EffectsBoot, i);
		if (!is_known(w, b))
			continue;
		Arm *a = arm_of(w, b->variant, b->group);
		if (!a) {
			Arm fresh = {.variant = b->variant,
				     .group = b->group,
				     .boots = g_ptr_array_new()};
			g_array_append_val(w->arms, fresh);
			a = &g_array_index(w->arms, Arm, w->arms->len - 1);
		}
		a->n++;
		g_ptr_array_add(a->boots, (gpointer)b);
		a->sum += b->values[w->measure];
		a->squares += b->values[w->measure] * b->values[w->measure];
	}
	double inside = 0;
	for (guint i = 0; i < w->arms->len; i++) {
		const Arm *a = &g_array_index(w->arms, Arm, i);
		inside += MAX(0, a->squares - a->sum * a->sum / a->n);
		w->freedom += a->n - 1;
	}
	w->spread = w->freedom ? sqrt(inside / w->freedom) : NAN;
}

/* Student's 0.975 quantile; within 0.2 % from 3 degrees of freedom on (Cornish and Fisher, 1938).
 */
static double student(guint freedom)
{
	if (freedom < 3)
		return freedom == 2 ? 4.302653 : 12.706205;
	double v = freedom, z = Z;
	return z + (pow(z, 3) + z) / (4 * v) +
	       (5 * pow(z, 5) + 16 * pow(z, 3) + 3 * z) / (96 * v * v) +
	       (3 * pow(z, 7) + 19 * pow(z, 5) + 17 * pow(z, 3) - 15 * z) / (384 * v * v * v);
}

static EffectsEstimate wilson(double k, double n)
{
	double p = k / n, d = 1 + Z * Z / n, centre = (p + Z * Z / (2 * n)) / d;
	double half = Z * sqrt(p * (1 - p) / n + Z * Z / (4 * n * n)) / d;
	return (EffectsEstimate){p, k == 0 ? 0 : MAX(centre - half, 0),
				 k == n ? 1 : MIN(centre + half, 1)};
}

static EffectsEstimate arm_estimate(const Work *w, const Arm *a)
{
	double mean = a->sum / a->n;
	if (w->measure == EFFECTS_RATE)
		return wilson(a->sum, a->n);
	double half = w->freedom ? student(w->freedom) * w->spread / sqrt(a->n) : NAN;
	return (EffectsEstimate){mean, MAX(mean - half, 0), mean + half};
}

/* What a kernel gives at a phase: its first boot there says it, as all are the same. */
static const EffectsBoot *boot_at(const Arm *a, gint phase)
{
	for (guint i = 0; i < a->boots->len; i++) {
		const EffectsBoot *b = a->boots->pdata[i];
		if (b->phase == phase)
			return b;
	}
	return NULL;
}

/* Exact means over the phases that both had. False: they have none in common. */
static bool exact_means(const Work *w, const Arm *without, const Arm *with, EffectsEstimate *ret0,
			EffectsEstimate *ret1)
{
	double sum0 = 0, sum1 = 0;
	guint n = 0;
	for (guint i = 0; i < without->boots->len; i++) {
		const EffectsBoot *b = without->boots->pdata[i];
		const EffectsBoot *other = boot_at(with, b->phase);
		if (!other || boot_at(without, b->phase) != b)
			continue;
		sum0 += b->values[w->measure];
		sum1 += other->values[w->measure];
		n++;
	}
	if (!n)
		return false;
	*ret0 = (EffectsEstimate){sum0 / n, sum0 / n, sum0 / n};
	*ret1 = (EffectsEstimate){sum1 / n, sum1 / n, sum1 / n};
	return true;
}

/* Sum of weighted independent estimates: the squares of their arms' distances to the limits add. */
typedef struct {
	double mean, down, up, weight;
} Sum;

static void sum_add(Sum *s, const EffectsEstimate *e, double weight)
{
	s->mean += weight * e->mean;
	s->down += pow(weight * (e->mean - e->low), 2);
	s->up += pow(weight * (e->high - e->mean), 2);
	s->weight += weight;
}

static EffectsEstimate sum_result(const Sum *s)
{
	double mean = s->mean / s->weight;
	return (EffectsEstimate){mean, mean - sqrt(s->down) / s->weight,
				 mean + sqrt(s->up) / s->weight};
}

/* MOVER for a ratio of two independent estimates that are not negative. */
static EffectsEstimate divide(const EffectsEstimate *n, const EffectsEstimate *d)
{
	EffectsEstimate r = {NAN, NAN, NAN};
	if (d->mean <= 0)
		return r;
	r.mean = n->mean / d->mean;
	double low = MAX(n->low, 0), product = n->mean * d->mean;
	double high_side = d->high * (2 * d->mean - d->high);
	double low_side = d->low * (2 * d->mean - d->low);
	/* beyond these the formula has no real answer: nothing is known on that side */
	double a = product * product - low * (2 * n->mean - low) * high_side;
	double b = product * product - n->high * (2 * n->mean - n->high) * low_side;
	r.low = high_side > 0 && a >= 0 ? (product - sqrt(a)) / high_side : 0;
	r.high = low_side > 0 && b >= 0 ? (product + sqrt(b)) / low_side : NAN;
	return r;
}

static void take_pair(Work *w, const Arm *without, const Arm *with, Sum sums[2], Effect *ret)
{
	EffectsEstimate e0, e1;
	bool exact = w->exact && exact_means(w, without, with, &e0, &e1);
	if (!exact) {
		e0 = arm_estimate(w, without);
		e1 = arm_estimate(w, with);
	}
	/* a comparison of n0 and n1 boots is worth n0 n1 / (n0 + n1) (Mantel and Haenszel, 1959);
	 * exact ones are worth the same */
	double weight = exact ? 1 : (double)without->n * with->n / (without->n + with->n);
	sum_add(&sums[0], &e0, weight);
	sum_add(&sums[1], &e1, weight);
	ret->exact = (ret->pairs ? ret->exact : true) && exact;
	ret->pairs++;
	ret->boots += without->n + with->n;
	if (e0.mean > 0) {
		double ratio = e1.mean / e0.mean;
		ret->least = isnan(ret->least) ? ratio : MIN(ret->least, ratio);
		ret->most = isnan(ret->most) ? ratio : MAX(ret->most, ratio);
	}
}

void effects_estimate(const GArray *boots, unsigned candidate, EffectsMeasure measure, bool exact,
		      Effect *ret)
{
	const EffectsEstimate unknown = {NAN, NAN, NAN};
	uint64_t bit = (uint64_t)1 << candidate;
	g_autoptr(GArray) arms = g_array_new(FALSE, FALSE, sizeof(Arm));
	Work w = {.boots = boots, .measure = measure, .exact = exact, .arms = arms};
	Sum sums[2] = {0};
	g_array_set_clear_func(arms, arm_clear);
	*ret = (Effect){
		.without = unknown, .with = unknown, .ratio = unknown, .least = NAN, .most = NAN};
	fill_arms(&w);
	for (guint i = 0; i < arms->len; i++) {
		const Arm *with = &g_array_index(arms, Arm, i);
		const Arm *without =
			with->variant & bit ? arm_of(&w, with->variant & ~bit, with->group) : NULL;
		if (without)
			take_pair(&w, without, with, sums, ret);
	}
	if (!ret->pairs)
		return;
	ret->without = sum_result(&sums[0]);
	ret->with = sum_result(&sums[1]);
	ret->ratio = divide(&ret->with, &ret->without);
}

bool effects_agree(const GArray *boots)
{
	for (guint i = 0; i < boots->len; i++) {
		const EffectsBoot *a = &g_array_index(boots, EffectsBoot, i);
		for (guint k = 0; k < i; k++) {
			const EffectsBoot *b = &g_array_index(boots, EffectsBoot, k);
			if (a->variant != b->variant || a->group != b->group ||
			    a->phase != b->phase)
				continue;
			for (int m = 0; m < EFFECTS_MEASURES; m++)
				if (!(isnan(a->values[m]) || isnan(b->values[m])) &&
				    a->values[m] != b->values[m])
					return false;
		}
	}
	return true;
}

bool effects_is_none(const Effect *e)
{
	if (!e->pairs)
		return false;
	if (isnan(e->ratio.mean)) /* nothing there to take away */
		return e->with.mean <= 0 || (!e->exact && e->with.low <= 0);
	if (fabs(e->ratio.mean - 1) < NONE && !(e->least < 1 - NONE) && !(e->most > 1 + NONE))
		return true;
	return !e->exact && (isnan(e->ratio.low) || e->ratio.low <= 1) &&
	       (isnan(e->ratio.high) || e->ratio.high >= 1);
}
