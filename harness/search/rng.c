/* SPDX-License-Identifier: GPL-2.0-or-later */
/* SplitMix64 (Steele, Lea, Flood: Fast splittable pseudorandom number generators, 2014). */
#include "search-internal.h"

guint64 rng_next(guint64 *state)
{
	guint64 z = (*state += G_GUINT64_CONSTANT(0x9e3779b97f4a7c15));

	z = (z ^ (z >> 30)) * G_GUINT64_CONSTANT(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 27)) * G_GUINT64_CONSTANT(0x94d049bb133111eb);
	return z ^ (z >> 31);
}

double rng_uniform(guint64 *state)
{
	return (double)(rng_next(state) >> 11) * 0x1p-53;
}

guint64 rng_hash(guint64 a, guint64 b)
{
	guint64 state = a;

	state = rng_next(&state) ^ b;
	return rng_next(&state);
}
