/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Whether a rate moves (docs/search.md §6). */
#include "search.h"

#include <math.h>

#define FIRST_LOOK 12 /* boots of one variant */
/* Looking again and again finds something in the end; hence far below the usual 0.05. */
#define ALPHA 0.001

static double log_choose(double n, double k)
{
	int sign;

	return lgamma_r(n + 1, &sign) - lgamma_r(k + 1, &sign) - lgamma_r(n - k + 1, &sign);
}

/* Fisher's exact test, two-sided: faults f1 of n1 and f2 of n2 have the same rate. */
static double same_rate(guint f1, guint n1, guint f2, guint n2)
{
	guint f = f1 + f2, n = n1 + n2;
	double all = log_choose(n, f), p = 0;
	double here = log_choose(n1, f1) + log_choose(n2, f2) - all;

	for (guint i = f > n2 ? f - n2 : 0; i <= MIN(f, n1); i++) {
		double one = log_choose(n1, i) + log_choose(n2, f - i) - all;

		if (one <= here + 1e-9)
			p += exp(one);
	}
	return MIN(p, 1);
}

static guint count(const bool *faults, guint n)
{
	guint sum = 0;

	for (guint i = 0; i < n; i++)
		sum += faults[i];
	return sum;
}

bool search_drifts(const bool *faults, guint n)
{
	guint half = n / 2;

	return n >= FIRST_LOOK && same_rate(count(faults, half), half,
					    count(faults + half, n - half), n - half) < ALPHA;
}
