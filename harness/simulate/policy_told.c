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

static void run(const SimPolicy *self, Lab *lab, SimClaim *ret)
{
	const SimCase *c = lab_case(lab);
	g_auto(Line) line = {0};
	line_init(&line, lab);
	while (!lab_is_spent(lab)) {
		double p;
		guint leader = line_believe(&line, model, &p);
		if (p >= c->confidence) {
			line_claim(&line, leader, p, ret);
			return;
		}
		guint t = line_choose(&line, fmax(c->boot_s, 1e-3), c->build_s);
		if (t == G_MAXUINT)
			return;
		line_boot(&line, t);
	}
}

const SimPolicy sim_greedy_told = {
	.name = "greedy-told",
	.title = "Bayesian, told q and eps, information per second, staying put",
	.can = SIM_LINES,
	.run = run,
};
