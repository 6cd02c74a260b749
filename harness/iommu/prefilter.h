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
/* The first word that lies between `p` and `end`. */
bool fault_prefilter_next(const FaultPrefilter *f, const char *p, const char *end, FaultHit *ret);
void fault_prefilter_free(FaultPrefilter *f);

/* Newlines in [from, to). */
uint64_t fault_count_lines(const char *from, const char *to);
/* A byte in [from, to) that a terminal would not print as it is: below 0x20 but tab, or 0x7f. */
bool fault_has_control(const char *from, const char *to);
