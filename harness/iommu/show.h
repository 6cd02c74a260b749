/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Records for people and programs. */
#pragma once

#include <glib.h>
#include <stdbool.h>

#include "iommu/fault.h"

/* One line for people, without newline: "[    1.234567] intel DMA 0000:00:02.0 read 0x1ffde000:
 * Present bit … (detected, in pci_iommu_init; RMRR … of 0000:00:02.0)". With colour: for a
 * terminal. Never holds control characters of the log. */
void fault_append_text(GString *out, const Fault *f, bool colour);
/* One JSON object and a newline, with exactly the keys of docs/fault-formats.md in their order.
 * `window` is "NAME/INITCALL" where the initcall is known. */
void fault_append_json(GString *out, const Fault *f);

/* Counts by device and window. */
typedef struct FaultSummary FaultSummary;
FaultSummary *fault_summary_new(void);
void fault_summary_add(FaultSummary *s, const Fault *f);
/* Only for the totals, which costs less. */
void fault_summary_count(FaultSummary *s, const Fault *f);
/* A table, most frequent first, at most 100 rows; empty when there was nothing. Caller frees. */
char *fault_summary_text(const FaultSummary *s, bool colour);
/* Faults, the IOMMUs' own errors, and faults that were not printed. */
typedef struct {
	uint64_t faults, errors, suppressed, records;
} FaultTotals;
FaultTotals fault_summary_totals(const FaultSummary *s);
void fault_summary_free(FaultSummary *s);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(FaultSummary, fault_summary_free)
