/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What no search can do better than (docs/search.md §8). */
#include "search-internal.h"

#include <math.h>

double entropy2(double p)
{
	return p <= 0 || p >= 1 ? 0 : -p * log2(p) - (1 - p) * log2(1 - p);
}

/* I(π) = h(πq + (1-π)ε) - π h(q) - (1-π) h(ε) */
static double information(double share, double q, double e)
{
	return entropy2(share * q + (1 - share) * e) - share * entropy2(q) -
	       (1 - share) * entropy2(e);
}

double search_capacity(double q, double e)
{
	double low = 0, high = 1;

	/* I is concave in π. */
	for (guint i = 0; i < 100; i++) {
		double a = low + (high - low) / 3, b = high - (high - low) / 3;

		if (information(a, q, e) < information(b, q, e))
			low = a;
		else
			high = b;
	}
	return information((low + high) / 2, q, e);
}

double search_bound(double n, double q, double e, double confidence)
{
	double least = confidence * log2(n) - entropy2(1 - confidence);

	return MAX(least, 0) / search_capacity(q, e);
}
