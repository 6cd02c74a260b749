/* SPDX-License-Identifier: GPL-2.0-or-later */
/* How one IOMMU driver logs its faults, as data. A new driver is one file that defines a
 * FaultDriver and one line in drivers.inc. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "iommu/fault.h"

/* What a matched line is to its record. */
typedef enum {
	FAULT_STEP_WHOLE, /* all of it */
	FAULT_STEP_OPEN,  /* its beginning: the rest comes within the next FAULT_STEP_REACH lines */
	FAULT_STEP_MORE,  /* goes on with an open record; without one it means nothing */
	FAULT_STEP_ANNOUNCE, /* says that a fault is there: dropped when it comes, else a record */
	FAULT_STEP_ALONE, /* goes on with an open record; without one it is a record of its own */
} FaultStep;

/* Other messages, and the dump of tables, come between. */
#define FAULT_STEP_REACH 24

/* Named groups of a pattern fill the fields: device, domain (hex), domain10 (decimal), address
 * (hex), pasid (hex), flags (hex), flags10 (decimal), reason (words), access (Read, Write, Exec or
 * letters out of RWX), event, and what the driver's own decode()
 * wants. Groups may be used more than once. Numbers have no 0x. */
typedef struct {
	const char *pattern; /* PCRE2; lower and upper case differ; '.' does not match '\n' */
	const char *event;   /* when there is no group of that name */
	FaultKind kind;
	FaultStep step;
} FaultPattern;

/* Access to the groups of a match. */
typedef struct FaultMatch FaultMatch;
/* The text of a named group, NULL when it took no part; *ret_len without terminating NUL. */
const char *fault_match_group(const FaultMatch *m, const char *name, size_t *ret_len);
/* The same as a number in `base`; -1: took no part or is no number of at most 63 bits. */
gint64 fault_match_number(const FaultMatch *m, const char *name, unsigned base);

typedef struct {
	const char *name;
	/* A line is looked at by this driver only when it holds one of these (9 characters or more:
	 * a shorter one slows down the scan of every line). Lines that follow an open record are
	 * always looked at. */
	const char *const *needles;
	/* Not NULL: lines that hold this are this driver's alone. */
	const char *guard;
	/* Functions whose "FN: N callbacks suppressed" counts faults of this driver. */
	const char *const *limited;
	const FaultPattern
		*patterns; /* the first of those that match earliest wins; ends with NULL */
	/* After the groups are filled in: what only this driver knows. `nth` counts the lines of
	 * the record from 0. Returns false when the line is no record after all. May be NULL. */
	bool (*decode)(Fault *f, const FaultMatch *m, unsigned nth);
	/* More lines are to come after line `nth` of an open record; NULL: the second is the last.
	 */
	bool (*wants_more)(const Fault *f, unsigned nth);
} FaultDriver;

#define FAULT_DRIVER(name) extern const FaultDriver fault_driver_##name;
#include "iommu/drivers.inc"
#undef FAULT_DRIVER
