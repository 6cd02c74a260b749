/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Finds the next place where one of some fixed words stands, at memory speed: of a log of 100 MB a
 * few hundred lines matter. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct FaultPrefilter FaultPrefilter;

typedef struct {
	const char *at;
	unsigned word; /* index in `words`; of several that begin here, the first of the list */
} FaultHit;

/* `words` (NULL-terminated, each at least 4 bytes, at most 128 of them) must live as long as the
 * prefilter. */
FaultPrefilter *fault_prefilter_new(const char *const *words);
/* The ways to do it; the best that this processor can is chosen. */
typedef enum {
	FAULT_PREFILTER_SCALAR,
	FAULT_PREFILTER_AVX2,
	FAULT_PREFILTER_AVX512,
	FAULT_PREFILTER_MAX,
} FaultPrefilterMethod;
/* With one of them, for tests; NULL when this processor cannot. */
FaultPrefilter *fault_prefilter_new_as(const char *const *words, FaultPrefilterMethod method);
/* The first word that lies between `p` and `end`. */
bool fault_prefilter_next(const FaultPrefilter *f, const char *p, const char *end, FaultHit *ret);
/* All words that lie in [p, end): sets their bits in `found`. */
void fault_prefilter_collect(const FaultPrefilter *f, const char *p, const char *end,
			     uint64_t found[2]);
void fault_prefilter_free(FaultPrefilter *f);
