/* SPDX-License-Identifier: GPL-2.0-or-later */
/* parser.c cuts bytes into lines and finds those that matter; match.c makes records of them. */
#pragma once

#include "iommu/bytes.h"
#include "iommu/driver.h"
#include "iommu/fault.h"
#include "iommu/line.h"
#include "iommu/marks.h"
#include "iommu/pattern.h"
#include "iommu/prefilter.h"

enum {
#define FAULT_DRIVER(name) FAULT_INDEX_##name,
#include "iommu/drivers.inc"
#undef FAULT_DRIVER
	FAULT_DRIVERS,
};
G_STATIC_ASSERT(FAULT_DRIVERS < 29);
/* Set of drivers by their place in drivers.inc, and one more for 'callbacks suppressed'. */
typedef guint32 FaultDriverSet;
#define FAULT_SET_SUPPRESSED (1u << FAULT_DRIVERS)
#define FAULT_SET_INITCALL (1u << (FAULT_DRIVERS + 1))
#define FAULT_SET_MARK (1u << (FAULT_DRIVERS + 2))

/* Lines with words of these sets have more to say than that the marker came. */
#define FAULT_SETS_READ (FAULT_SET_INITCALL - 1)

extern const FaultDriver *const fault_drivers[FAULT_DRIVERS];

/* A record that waits for more lines. */
typedef struct {
	Fault *fault;
	bool announce; /* it only says that a fault is to come */
	unsigned nth;
	uint64_t line;	/* at which it was opened */
	guint32 source; /* hash of what stood before the match */
	bool outside;	/* of the range that was asked for */
} FaultOpen;

struct FaultParser {
	FaultFunc func;
	gpointer user;
	FaultRegex **regexes[FAULT_DRIVERS]; /* one per pattern */
	FaultRegex *suppressed;
	FaultPrefilter *prefilter;
	const char **words; /* of all drivers, for the prefilter */
	FaultDriverSet *word_sets;
	const FaultMark **word_marks; /* NULL for words that are no markers */
	bool windows;
	const FaultMark *mark; /* the last one; NULL: none yet */
	char initcall[128];    /* that runs; "": none */
	struct {
		bool set, opened, closed; /* in this boot */
		FaultRegex *from, *to;	  /* NULL: by the window's name, or none */
		char *from_name, *to_name;
	} range;
	GString *carry; /* a line of which the end has not come yet */
	GString *scratch;
	uint64_t line;					    /* number of the line that is next */
	FaultOpen open[FAULT_DRIVERS][FAULT_STEP_OPEN_MAX]; /* oldest first, without gaps */
	unsigned open_count;				    /* of all drivers */
};

/* Opens or closes the range, when it goes by patterns. */
void fault_range_read_line(FaultParser *p, const FaultLine *l);
/* Makes records of one line, of which `hits` are the drivers whose words it holds. */
void fault_match_line(FaultParser *p, const char *raw, size_t raw_len, FaultDriverSet hits);
/* Records that have waited since before line `older_than` are let go as they are. */
void fault_match_expire(FaultParser *p, uint64_t older_than);
/* Frees what waits, without a word. */
void fault_match_drop_all(FaultParser *p);
