/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Bayesian with two unknown rates, each Beta(½, ½): always boots where one boot is expected to
 * leave least entropy, and ends when one commit has the probability asked for. */
#include <math.h>

#include "simulate/line.h"

#define PRIOR 0.5

static double log_beta(double a, double b)
{
	int sign;
	return lgamma_r(a, &sign) + lgamma_r(b, &sign) - lgamma_r(a + b, &sign);
}

static LineRates model(const Lab *lab, guint bf, guint bc, guint gf, guint gc)
{
	return (LineRates){
		.log_likelihood =
			log_beta(PRIOR + bf, PRIOR + bc) + log_beta(PRIOR + gf, PRIOR + gc),
		.q = (PRIOR + bf) / (2 * PRIOR + bf + bc),
		.eps = (PRIOR + gf) / (2 * PRIOR + gf + gc),
	};
}

static guint choose(const Line *l)
{
	return line_choose(l, 1, 0);
}

static void run(const SimPolicy *self, Lab *lab, SimClaim *ret)
{
	g_auto(Line) line = {0};
	line_init(&line, lab);
	line_pursue(&line, model, choose, self->number, ret);
}

const SimPolicy sim_two_rates_95 = {
	.name = "bayes-two-rates-0.95",
	.title = "Bayesian, two unknown rates, greedy on entropy, until 0.95",
	.can = SIM_LINES,
	.run = run,
	.number = 0.95,
};
const SimPolicy sim_two_rates_99 = {
	.name = "bayes-two-rates-0.99",
	.title = "Bayesian, two unknown rates, greedy on entropy, until 0.99",
	.can = SIM_LINES,
	.run = run,
	.number = 0.99,
};
