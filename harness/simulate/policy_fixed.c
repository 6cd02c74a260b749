/* SPDX-License-Identifier: GPL-2.0-or-later */
/* git's bisection, each commit booted up to k times: bad at the first fault, good without one.
 * Commits that do not build are skipped. */
#include <math.h>

#include "simulate/line.h"

/* k* = ⌈ln(δ / log2 n) / ln(1 − q)⌉: all the tests together are wrong with at most δ. */
static guint boots_told(const Lab *lab)
{
	const SimCase *c = lab_case(lab);
	double tests = fmax(log2(lab_length(lab)), 1);
	if (c->q >= 1)
		return 1;
	return (guint)ceil(log((1 - c->confidence) / tests) / log1p(-c->q));
}

static void run(const SimPolicy *self, Lab *lab, SimClaim *ret)
{
	g_auto(Line) line = {0};
	line_init(&line, lab);
	guint k = self->number > 0 ? (guint)self->number : boots_told(lab);
	guint lo = 0, hi = line.n;
	while (hi - lo > 1) {
		guint t = line_middle(&line, lo, hi);
		if (!t)
			return;
		LabOutcome o = line_boots(&line, t, k);
		if (o == LAB_FAULT)
			hi = t;
		else if (o == LAB_CLEAN)
			lo = t;
	}
	line_claim(&line, hi, NAN, ret);
}

const SimPolicy sim_fixed_1 = {
	.name = "fixed-1",
	.title = "git bisect, one boot a commit",
	.can = SIM_LINES | SIM_PATHS,
	.run = run,
	.number = 1,
};
const SimPolicy sim_fixed_10 = {
	.name = "fixed-10",
	.title = "git bisect, up to 10 boots a commit",
	.can = SIM_LINES | SIM_PATHS,
	.run = run,
	.number = 10,
};
const SimPolicy sim_fixed_kstar = {
	.name = "fixed-kstar",
	.title = "git bisect, as many boots a commit as q and n ask for (told q)",
	.can = SIM_LINES | SIM_PATHS,
	.run = run,
};
