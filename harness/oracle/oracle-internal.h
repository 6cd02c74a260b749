/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "iommu/line.h"
#include "iommu/pattern.h"
#include "oracle/oracle.h"

/* ---- rules: the config, compiled ---- */

typedef struct {
	FaultRegex *from, *to, *alive; /* from, to: NULL when not configured */
	FaultRegex **parts;	       /* one for each part */
	FaultRegex **blocked_when, *blocked_until;
	GHashTable *devices; /* set of ssss:bb:dd.f; NULL: all */
	const OracleConfig *config;
} OracleRules;

/* NULL with "FILE:line:col: what" in *error. */
OracleRules *oracle_rules_new(const OracleConfig *config, GError **error);
void oracle_rules_free(OracleRules *r);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(OracleRules, oracle_rules_free)
/* True when the fault's device and address are among those that count; the range that matched goes
 * to *ret_region (the config's text; NULL when any will do). */
bool oracle_rules_device(const OracleRules *r, const Fault *f);
bool oracle_rules_address(const OracleRules *r, const Fault *f, const char **ret_region);

/* ---- lines ---- */

typedef struct {
	const char *raw, *text; /* into the input; without prefixes: text */
	unsigned raw_len, text_len;
	uint64_t number; /* in its source, from 1 */
	gint64 time_us;	 /* kernel time, also that of the line before it; -1: none */
	gint64 seq;	 /* /dev/kmsg; -1: console */
	bool timed;	 /* the time is its own */
	bool echo;	 /* of the harness */
	bool kmsg;	 /* not the console */
	bool mute;	 /* its faults are known from the other source */
	bool emulator;	 /* not the console's: the emulator's record */
} OracleLine;

/* Lines of a source, as an array of OracleLine that points into `bytes`. */
GArray *oracle_lines_split(const char *bytes, size_t len, uint64_t first_number);
bool oracle_line_has(const OracleLine *l, const FaultRegex *r);
/* 'Linux version …' of a kernel that starts, not of a program that prints /proc/version. */
bool oracle_line_is_banner(const OracleLine *l, const OracleLine *previous_banner);
bool oracle_line_is_panic(const OracleLine *l);

/* What the variant printed: from its banner to the next, as [*ret_from, *ret_to) of `lines`. False
 * when there is none. */
bool oracle_find_variant(const GArray *lines, const OracleInput *in, guint *ret_from,
			 guint *ret_to);
/* The launcher said that it jumps into the new kernel. */
bool oracle_has_jumped(const GArray *lines);

/* ---- parts ---- */

/* Of the window [from, to) of `lines`, which is open from opened_us to closed_us (-1: not known): a
 * new array of OraclePartSeen. */
GArray *oracle_parts_find(const OracleRules *r, const GArray *lines, guint from, guint to,
			  gint64 opened_us, gint64 closed_us);
/* The one that holds line `at`; NULL: none. */
OraclePartSeen *oracle_parts_at(GArray *parts, guint at);
/* How long DMA was refused, by the markers; -1: not known. */
gint64 oracle_blocked_us(const OracleRules *r, const GArray *lines);

/* Both sources in one order: the records of /dev/kmsg and, where those have gaps or end, the
 * console's lines. *ret_complete: no record is missing between the first and the last. */
GArray *oracle_lines_merge(const GArray *console, guint from, guint to, GArray *kmsg,
			   bool *ret_complete);
