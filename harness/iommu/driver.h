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
/* Records of one driver that wait for more lines at the same time: processors log side by side. */
#define FAULT_STEP_OPEN_MAX 8

/* Named groups of a pattern fill the fields: device, domain (hex), domain10 (decimal), address
 * (hex), pasid (hex), flags (hex), flags10 (decimal), reason (words), access (Read, Write, Exec or
 * letters out of RWX), event, and what the driver's own decode()
 * wants. Groups may be used more than once. Numbers have no 0x. */
typedef struct {
	const char *pattern; /* PCRE2; lower and upper case differ; '.' does not match '\n' */
	const char *event;   /* when there is no group of that name */
	FaultKind kind;
	FaultStep step;
	/* Plain text that every match holds, near its beginning; NULL: none. A line without it is
	 * not tried, which is what makes long lists of patterns cheap. */
	const char *need;
	const char *driver; /* the record's, where one file knows several; NULL: the file's */
} FaultPattern;

/* Access to the groups of a match. */
typedef struct FaultMatch FaultMatch;
/* The text of a named group, NULL when it took no part; *ret_len without terminating NUL. */
const char *fault_match_group(const FaultMatch *m, const char *name, size_t *ret_len);
/* The same as a number in `base`; -1: took no part or is no number of at most 63 bits. */
gint64 fault_match_number(const FaultMatch *m, const char *name, unsigned base);
/* Replaces the record's words by a copy; NULL does nothing. */
void fault_set_text(char **field, const char *text);
/* Adds to words that are separated by ", ". */
void fault_add_words(GString *words, const char *more);

/* Which of several open records a line goes on with. */
typedef enum {
	FAULT_PAIR_OLDEST, /* the first that waits: heads that say nothing */
	FAULT_PAIR_TIME, /* printed by one call, so that both have the same time; else the newest */
	FAULT_PAIR_SOURCE, /* what stands before the match is the same: "arm-smmu-v3 9050000.iommu:
			      " */
} FaultPair;

typedef struct {
	const char *name;
	/* A line is looked at by this driver only when it holds one of these (4 characters or more;
	 * what ordinary lines hold slows down the scan). Lines that follow an open record are
	 * always looked at. */
	const char *const *needles;
	/* Not NULL: lines that hold this are this driver's alone; one of the needles is in each. */
	const char *guard;
	/* Functions whose "FN: N callbacks suppressed" counts faults of this driver. */
	const char *const *limited;
	const FaultPattern
		*patterns; /* the first of those that match earliest wins; ends with NULL */
	FaultPair pair;
	/* After the groups are filled in: what only this driver knows. `nth` counts the lines of
	 * the record from 0. Returns false when the line is no record after all. May be NULL. */
	bool (*decode)(Fault *f, const FaultMatch *m, unsigned nth);
	/* Whether a line may go on with this open record; NULL: any. */
	bool (*fits)(const Fault *f, const FaultMatch *m);
	/* More lines are to come after line `nth` of an open record; NULL: the second is the last.
	 */
	bool (*wants_more)(const Fault *f, const FaultMatch *m, unsigned nth);
	/* An open record is let go before all its lines came. May be NULL. */
	void (*unfinished)(Fault *f);
} FaultDriver;

#define FAULT_DRIVER(name) extern const FaultDriver fault_driver_##name;
#include "iommu/drivers.inc"
#undef FAULT_DRIVER
