/* SPDX-License-Identifier: GPL-2.0-or-later */
/* QEMU's own log of a machine with amd-iommu, made into one text: the console with what the
 * emulated IOMMU did between its lines, in exact order. Pure: bytes in, bytes out.
 *
 * QEMU writes a line for each byte that the guest sends to its serial port, each access that the
 * IOMMU refuses, each change of its control register and each device table entry that is
 * invalidated; all under its one big lock, so their order is what happened. Out comes the console,
 * byte for byte, and behind each of its lines what came while it was printed and until the next
 * began:
 *
 *   QEMU amd-iommu: control 0x21487, enabled
 *   QEMU amd-iommu: device table entry 00:02.0 invalidated
 *   QEMU amd-iommu: 00:02.0: Invalid read at addr 0x1FFDE3E4, size 4, region '(null)', reason:
 *   rejected; 2 more in this page
 *
 * The words from 'Invalid' to 'rejected' are QEMU's own. Refused accesses between two lines of the
 * console are one record for each device, page and direction. So a flood (a refused UHCI frame
 * reads 1,024 descriptors at address 0) costs no memory, and nothing of the order is lost. */
#pragma once

#include <glib.h>
#include <stdbool.h>

/* QEMU's -d items that the record is made of. */
#define RECORD_ITEMS                                                                               \
	"guest_errors,trace:serial_write,trace:amdvi_control_status,trace:amdvi_devtab_inval,"     \
	"trace:amdvi_translation_result"

typedef struct RecordMerge RecordMerge;

/* Appends to `out`, which outlives it. After `max_records` lines only counts are kept, one line
 * between two of the console. */
RecordMerge *record_merge_new(GString *out, guint64 max_records);
/* Bytes of QEMU's log, cut anywhere. */
void record_merge_feed(RecordMerge *m, const char *bytes, gsize len);
/* What was seen since the console's last line, if that line is complete: for when no further one
 * comes. */
void record_merge_flush(RecordMerge *m);
/* The same at the end of the log, behind an incomplete line too. */
void record_merge_finish(RecordMerge *m);
void record_merge_free(RecordMerge *m);

/* Totals since the start. */
typedef struct {
	guint64 console_bytes;
	guint64 refused; /* accesses */
	guint64 records; /* lines that were made of them and of the other events */
	guint64 dropped; /* accesses and events that are counted in a line, but have none of their
			    own */
} RecordTotals;
RecordTotals record_merge_totals(const RecordMerge *m);
