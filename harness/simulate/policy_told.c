/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Bayesian, told q and ε: most information per second, where a commit that is not built costs its
 * build. So it stays put while that pays. */
#include <math.h>

#include "simulate/line.h"

#define NEARLY 1e-9 /* neither rate is ever exactly 0 or 1 */

static LineRates model(const Lab *lab, guint bf, guint bc, guint gf, guint gc)
{
	const SimCase *c = lab_case(lab);
	double q = CLAMP(c->q, NEARLY, 1 - NEARLY), e = CLAMP(c->eps, NEARLY, 1 - NEARLY);
	return (LineRates){
		.log_likelihood = bf * log(q) + bc * log1p(-q) + gf * log(e) + gc * log1p(-e),
		.q = q,
		.eps = e,
	};
}

static guint choose(const Line *l)
{
	const SimCase *c = lab_case(l->lab);
	return line_choose(l, fmax(c->boot_s, 1e-3), c->build_s);
}

static void run(const SimPolicy *self, Lab *lab, SimClaim *ret)
{
	g_auto(Line) line = {0};
	line_init(&line, lab);
	line_pursue(&line, model, choose, lab_case(lab)->confidence, ret);
}

const SimPolicy sim_greedy_told = {
	.name = "greedy-told",
	.title = "Bayesian, told q and eps, information per second, staying put",
	.can = SIM_LINES,
	.run = run,
};
