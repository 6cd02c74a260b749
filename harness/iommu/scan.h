/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Faults of a whole log file or stream. */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdio.h>

#include "iommu/fault.h"

typedef struct {
	uint64_t bytes, lines;
	uint64_t faults, errors; /* records of these kinds */
	uint64_t suppressed;	 /* faults that were not printed */
} FaultScan;

/* Reads to the end of `in`, in constant memory. `name` is for errors. func may be NULL: count only.
 * False with *error set when reading fails; what came before it was reported. ret may be NULL. */
bool fault_scan(FILE *in, const char *name, FaultFunc func, gpointer user, FaultScan *ret,
		GError **error);

/* One line for people, without newline: "00:02.0 read 0x1ffde000: Present bit …". Caller frees. */
char *fault_to_text(const Fault *f);
