/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Whether a variant behaves later as it did before: a rate that moves with host load or
 * temperature makes every count doubtful, so a person should know. */
#include "engine/engine-internal.h"

#define LOOK_EVERY 4 /* boots of one variant */

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
	g_byte_array_append(seen, (const guint8 *)&fault, 1);
	unsigned n = seen->len, half = n / 2;
	if (n % LOOK_EVERY || e->replaying || !search_drifts((const bool *)seen->data, n))
		return;
	unsigned f1 = count(seen->data, half), f2 = count(seen->data + half, n - half);
	g_autofree char *name = engine_set_name(e, mask);
	engine_note(e, "warning", "drift", 0,
		    "%s: %u of its first %u boots gave a fault, %u of the %u after them; the rate "
		    "moves, so look at the load and the temperature of the lab",
		    name, f1, half, f2, n - half);
	g_byte_array_set_size(seen, 0); /* tell once, then compare from here on */
}
