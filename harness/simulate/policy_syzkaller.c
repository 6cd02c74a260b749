/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * syzkaller's bisection: 20 boots of the newest commit, and with fewer than 3 faults it gives up;
 * then 10 boots a commit, 20 once any faulty share was below one half. No fault: good; at least
 * max(2, boots / 6): bad; else it skips. Its confidence is the product over good commits of 1 − (1
 * − r)^boots, r the lowest faulty share so far; below 0.66 the result is withheld.
 */
#include <math.h>

#include "simulate/line.h"

#define FIRST_BOOTS 20
#define FIRST_FAULTS 3
#define WITHHELD 0.66

typedef struct {
	double lowest, confidence;
	bool flaky;
} State;

static void learn(State *s, guint faults, guint boots)
{
	double share = (double)faults / boots;
	s->lowest = fmin(s->lowest, share);
	s->flaky |= share < 0.5;
}

static guint boot_all(Line *l, guint t, guint boots)
{
	for (guint i = 0; i < boots; i++)
		if (line_boot(l, t) == LAB_UNBUILDABLE)
			return 0;
	return l->faults[t];
}

/* The commit moves lo or hi, or is skipped. */
static void judge(State *s, Line *l, guint t, guint *lo, guint *hi)
{
	guint boots = s->flaky ? 20 : 10, faults = boot_all(l, t, boots);
	if (l->skip[t])
		return;
	if (faults >= MAX(2, boots / 6)) {
		learn(s, faults, boots);
		*hi = t;
	} else if (faults == 0) {
		s->confidence *= 1 - pow(1 - s->lowest, boots);
		*lo = t;
	} else {
		l->skip[t] = 1;
	}
}

static void run(const SimPolicy *self, Lab *lab, SimClaim *ret)
{
	g_auto(Line) line = {0};
	State s = {.lowest = 1, .confidence = 1};
	line_init(&line, lab);
	guint lo = 0, hi = line.n;
	guint faults = boot_all(&line, hi, FIRST_BOOTS);
	if (faults < FIRST_FAULTS)
		return;
	learn(&s, faults, FIRST_BOOTS);
	while (hi - lo > 1) {
		guint t = line_middle(&line, lo, hi);
		if (!t)
			return;
		judge(&s, &line, t, &lo, &hi);
	}
	if (s.confidence >= WITHHELD)
		line_claim(&line, hi, s.confidence, ret);
}

const SimPolicy sim_syzkaller = {
	.name = "syzkaller",
	.title = "syzkaller's: 20 boots of the newest, then 10 or 20 a commit",
	.can = SIM_LINES,
	.run = run,
};
