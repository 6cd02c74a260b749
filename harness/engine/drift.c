/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Whether a variant behaves later as it did before: a rate that moves with host load or
 * temperature makes every count doubtful, so a person should know. */
#include "engine/engine-internal.h"

#include <math.h>

#define FIRST_LOOK 12 /* trials of one variant */
#define LOOK_EVERY 4
/* Looking again and again finds something in the end; hence far below the usual 0.05. */
#define ALPHA 0.001

static double log_choose(double n, double k)
{
	return lgamma(n + 1) - lgamma(k + 1) - lgamma(n - k + 1);
}

/* Fisher's exact test, two-sided: faults f1 of n1 and f2 of n2 have the same rate. */
static double same_rate(unsigned f1, unsigned n1, unsigned f2, unsigned n2)
{
	unsigned f = f1 + f2, n = n1 + n2;
	double all = log_choose(n, f), p = 0;
	double here = log_choose(n1, f1) + log_choose(n2, f2) - all;
	for (unsigned i = f > n2 ? f - n2 : 0; i <= MIN(f, n1); i++) {
		double one = log_choose(n1, i) + log_choose(n2, f - i) - all;
		if (one <= here + 1e-9)
			p += exp(one);
	}
	return MIN(p, 1);
}

static unsigned count(const guint8 *from, unsigned n)
{
	unsigned sum = 0;
	for (unsigned i = 0; i < n; i++)
		sum += from[i];
	return sum;
}

void engine_watch_drift(Engine *e, SearchMask mask, bool clean, bool cold, bool fault)
{
	/* Cold boots and clean builds may differ, and search compares those. */
	g_autofree char *key =
		g_strdup_printf("%" G_GINT64_MODIFIER "x%d%d", (guint64)mask, clean, cold);
	GByteArray *seen = g_hash_table_lookup(e->history, key);
	if (!seen) {
		seen = g_byte_array_new();
		g_hash_table_insert(e->history, g_steal_pointer(&key), seen);
	}
	guint8 one = fault;
	g_byte_array_append(seen, &one, 1);
	unsigned n = seen->len, half = n / 2;
	if (n < FIRST_LOOK || n % LOOK_EVERY || e->replaying)
		return;
	unsigned f1 = count(seen->data, half), f2 = count(seen->data + half, n - half);
	if (same_rate(f1, half, f2, n - half) >= ALPHA)
		return;
	g_autofree char *name = engine_set_name(e, mask);
	engine_note(e, "warning", "drift", 0,
		    "%s: %u of its first %u boots gave a fault, %u of the %u after them; the rate "
		    "moves, so look at the load and the temperature of the lab",
		    name, f1, half, f2, n - half);
	g_byte_array_set_size(seen, 0); /* tell once, then compare from here on */
}
