/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Bayesian with misses only: a good commit never faults (ε = 0), the rate of a faulty one is
 * Beta(1, 1). 20 boots of the newest commit first; then always where one boot is expected to leave
 * least Rényi entropy of order 1.2; until 0.99. */
#include <math.h>

#include "simulate/line.h"

#define FIRST_BOOTS 20
#define ORDER 1.2

static LineRates model(const Lab *lab, guint bf, guint bc, guint gf, guint gc)
{
	int sign;
	if (gf)
		return (LineRates){.log_likelihood = -HUGE_VAL, .q = 0.5};
	return (LineRates){
		.log_likelihood = lgamma_r(1.0 + bf, &sign) + lgamma_r(1.0 + bc, &sign) -
				  lgamma_r(2.0 + bf + bc, &sign),
		.q = (1.0 + bf) / (2.0 + bf + bc),
	};
}

/* Σ p^α of what is faulty, missed and good, and the same without the power. */
typedef struct {
	double fault, fault_pow, clean, clean_pow;
} Sums;

static void add(Sums *s, double p, double rate, double times)
{
	s->fault += times * p * rate;
	s->fault_pow += times * pow(p * rate, ORDER);
	s->clean += times * p * (1 - rate);
	s->clean_pow += times * pow(p * (1 - rate), ORDER);
}

static double renyi(double mass, double powers)
{
	if (mass < 1e-12 || powers <= 0)
		return 0;
	return mass * (log(powers) - ORDER * log(mass)) / (1 - ORDER);
}

static guint choose(const Line *l)
{
	const LineSegment *s = (const LineSegment *)(const void *)l->segments->data;
	Sums now = {0};
	guint best = G_MAXUINT;
	double least = HUGE_VAL;
	for (guint i = 0; i < l->segments->len; i++)
		add(&now, s[i].p, 0, s[i].last - s[i].first + 1);
	for (guint i = 0; i < l->segments->len; i++) {
		Sums step = {0};
		add(&step, s[i].p, 0, -1);
		add(&step, s[i].p, s[i].q, 1);
		for (guint t = s[i].first; t <= s[i].last; t++) {
			now.fault += step.fault;
			now.fault_pow += step.fault_pow;
			now.clean += step.clean;
			now.clean_pow += step.clean_pow;
			double left =
				renyi(now.fault, now.fault_pow) + renyi(now.clean, now.clean_pow);
			if (left < least - 1e-12 && !l->skip[t]) {
				least = left;
				best = t;
			}
		}
	}
	return best;
}

static void run(const SimPolicy *self, Lab *lab, SimClaim *ret)
{
	g_auto(Line) line = {0};
	line_init(&line, lab);
	for (guint i = 0; i < FIRST_BOOTS; i++)
		line_boot(&line, line.n);
	line_pursue(&line, model, choose, self->number, ret);
}

const SimPolicy sim_misses_only = {
	.name = "bayes-misses-only",
	.title = "Bayesian, misses only, 20 boots first, greedy on Renyi entropy 1.2, until 0.99",
	.can = SIM_LINES,
	.run = run,
	.number = 0.99,
};
