/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "simulate/line.h"

#include <math.h>

#define EQUAL 1e-12

void line_init(Line *l, Lab *lab)
{
	*l = (Line){
		.lab = lab,
		.n = lab_length(lab),
		.reversed = lab_case(lab)->effect == SEARCH_CURES,
		.booted = g_array_new(FALSE, FALSE, sizeof(guint)),
		.segments = g_array_new(FALSE, FALSE, sizeof(LineSegment)),
	};
	l->faults = g_new0(guint, l->n + 1);
	l->cleans = g_new0(guint, l->n + 1);
	l->skip = g_new0(guint8, l->n + 1);
}

void line_clear(Line *l)
{
	g_free(l->faults);
	g_free(l->cleans);
	g_free(l->skip);
	g_clear_pointer(&l->booted, g_array_unref);
	g_clear_pointer(&l->segments, g_array_unref);
}

static SearchVariant variant_of(const Line *l, guint t)
{
	return l->reversed ? l->n - t : t;
}

static void remember(Line *l, guint t)
{
	guint at = l->booted->len;
	if (l->faults[t] || l->cleans[t])
		return;
	while (at > 0 && g_array_index(l->booted, guint, at - 1) > t)
		at--;
	g_array_insert_val(l->booted, at, t);
}

LabOutcome line_boot(Line *l, guint t)
{
	LabOutcome o = lab_boot(l->lab, variant_of(l, t), false);
	if (o == LAB_UNBUILDABLE) {
		l->skip[t] = 1;
		return o;
	}
	remember(l, t);
	if (o == LAB_FAULT)
		l->faults[t]++;
	else
		l->cleans[t]++;
	return o;
}

LabOutcome line_boots(Line *l, guint t, guint most)
{
	LabOutcome o = LAB_CLEAN;
	for (guint i = 0; i < most && o == LAB_CLEAN; i++)
		o = line_boot(l, t);
	return o;
}

guint line_middle(const Line *l, guint lo, guint hi)
{
	guint middle = lo + (hi - lo) / 2;
	for (guint away = 0; away <= hi - lo; away++) {
		if (middle >= lo + 1 + away && !l->skip[middle - away])
			return middle - away;
		if (middle + away < hi && !l->skip[middle + away])
			return middle + away;
	}
	return 0;
}

void line_claim(const Line *l, guint culprit, double probability, SimClaim *ret)
{
	ret->verdict = true;
	ret->kind = SEARCH_H_SET;
	ret->members = l->reversed ? l->n + 1 - culprit : culprit;
	ret->probability = probability;
}

static void add_segment(Line *l, guint first, guint last, LineRates r)
{
	LineSegment s = {first, last, r.log_likelihood, r.q, r.eps};
	if (first <= last)
		g_array_append_val(l->segments, s);
}

static guint normalise(Line *l, double *ret_probability)
{
	LineSegment *s = (LineSegment *)(void *)l->segments->data, *best = s;
	double top = -HUGE_VAL, sum = 0;
	for (guint i = 0; i < l->segments->len; i++)
		top = MAX(top, s[i].p);
	for (guint i = 0; i < l->segments->len; i++) {
		s[i].p = exp(s[i].p - top);
		sum += s[i].p * (s[i].last - s[i].first + 1);
	}
	for (guint i = 0; i < l->segments->len; i++) {
		s[i].p /= sum;
		best = s[i].p > best->p ? &s[i] : best;
	}
	*ret_probability = best->p;
	return best->first;
}

guint line_believe(Line *l, LineModel model, double *ret_probability)
{
	guint bad_f = 0, bad_c = 0, good_f = 0, good_c = 0, first = 1;
	for (guint i = 0; i < l->booted->len; i++) {
		guint t = g_array_index(l->booted, guint, i);
		bad_f += l->faults[t];
		bad_c += l->cleans[t];
	}
	g_array_set_size(l->segments, 0);
	for (guint i = 0; i < l->booted->len; i++) {
		guint t = g_array_index(l->booted, guint, i);
		add_segment(l, first, t, model(l->lab, bad_f, bad_c, good_f, good_c));
		bad_f -= l->faults[t];
		bad_c -= l->cleans[t];
		good_f += l->faults[t];
		good_c += l->cleans[t];
		first = t + 1;
	}
	add_segment(l, first, l->n, model(l->lab, bad_f, bad_c, good_f, good_c));
	return normalise(l, ret_probability);
}

static double xlogx(double x)
{
	return x > 0 ? x * log(x) : 0;
}

/* Over commits: P(commit, outcome) and its x ln x, for a batch with a fault and a clean one; and
 * the boots that the batch takes when a fault ends it. All of it is linear in the number of commits
 * with the same posterior. */
typedef struct {
	double fault, fault_log, clean, clean_log, boots;
} Sums;

static Sums sums_of(double p, double rate, guint batch)
{
	double silent = pow(1 - rate, batch), fault = 1 - silent;
	return (Sums){p * fault, xlogx(p * fault), p * silent, xlogx(p * silent),
		      p * (rate > 1e-9 ? fault / rate : batch)};
}

static void add(Sums *to, const Sums *s, double times)
{
	to->fault += times * s->fault;
	to->fault_log += times * s->fault_log;
	to->clean += times * s->clean;
	to->clean_log += times * s->clean_log;
	to->boots += times * s->boots;
}

typedef struct {
	const Line *l;
	double before; /* Σ p ln p */
	double boot_s, build_s;
	/* the segment at hand */
	guint first;
	Sums base, step; /* before its first commit counts as faulty; for each that does */
	guint best;
	double rate;
} Choice;

/* Nats per second of a batch at t, which must be in the segment at hand or just before it. */
static double rate_at(const Choice *c, guint t)
{
	Sums s = c->base;
	add(&s, &c->step, (double)t + 1 - c->first);
	double nats = s.fault_log + s.clean_log - xlogx(s.fault) - xlogx(s.clean) - c->before;
	double seconds = c->boot_s * s.boots;
	if (c->build_s > 0 && !lab_is_built(c->l->lab, variant_of(c->l, t)))
		seconds += c->build_s;
	return nats / seconds;
}

static void consider(Choice *c, guint t)
{
	double middle = c->l->n / 2.0, rate;
	if (c->l->skip[t])
		return;
	rate = rate_at(c, t);
	bool nearer = c->best == G_MAXUINT || fabs(t - middle) < fabs(c->best - middle);
	if (rate > c->rate + EQUAL || (rate > c->rate - EQUAL && nearer)) {
		c->rate = rate;
		c->best = t;
	}
}

/* Between two booted commits the rate has one maximum: information is concave there (Z ln Z of a
 * linear Z), seconds are linear. */
static void consider_segment(Choice *c, guint first, guint last)
{
	guint lo = first, hi = last > first ? last - 1 : first, middle = c->l->n / 2;
	while (lo < hi) {
		guint m = lo + (hi - lo) / 2;
		if (rate_at(c, m) < rate_at(c, m + 1))
			lo = m + 1;
		else
			hi = m;
	}
	for (guint t = lo; t <= last; t++) {
		consider(c, t);
		if (!c->l->skip[t])
			break;
	}
	for (guint t = lo; t > first && c->l->skip[t]; t--)
		consider(c, t - 1);
	consider(c, last);
	if (first <= middle && middle <= last)
		consider(c, middle);
}

static void consider_batch(Choice *c, guint batch)
{
	const Line *l = c->l;
	const LineSegment *s = (const LineSegment *)(const void *)l->segments->data;
	c->base = (Sums){0};
	for (guint i = 0; i < l->segments->len; i++) {
		Sums good = sums_of(s[i].p, s[i].eps, batch);
		add(&c->base, &good, s[i].last - s[i].first + 1);
	}
	for (guint i = 0; i < l->segments->len; i++) {
		Sums good = sums_of(s[i].p, s[i].eps, batch);
		c->first = s[i].first;
		c->step = sums_of(s[i].p, s[i].q, batch);
		add(&c->step, &good, -1);
		if (i == 0)
			consider(c, 0);
		consider_segment(c, s[i].first, s[i].last);
		add(&c->base, &c->step, s[i].last - s[i].first + 1);
	}
}

guint line_choose(const Line *l, double boot_s, double build_s)
{
	static const guint batches[] = {1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64};
	const LineSegment *s = (const LineSegment *)(const void *)l->segments->data;
	Choice c = {
		.l = l, .boot_s = boot_s, .build_s = build_s, .best = G_MAXUINT, .rate = -HUGE_VAL};
	for (guint i = 0; i < l->segments->len; i++)
		c.before += (s[i].last - s[i].first + 1) * xlogx(s[i].p);
	/* A build is shared by the boots that follow it. */
	for (guint i = 0; i < (build_s > 0 ? G_N_ELEMENTS(batches) : 1); i++)
		consider_batch(&c, batches[i]);
	return c.best;
}

void line_pursue(Line *l, LineModel model, LineChoice choose, double confidence, SimClaim *ret)
{
	while (!lab_is_spent(l->lab)) {
		double p;
		guint leader = line_believe(l, model, &p);
		if (p >= confidence) {
			line_claim(l, leader, p, ret);
			return;
		}
		guint t = choose(l);
		if (t == G_MAXUINT)
			return;
		line_boot(l, t);
	}
}
