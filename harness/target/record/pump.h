/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Reads the emulator's log while the machine runs. QEMU writes it with its big lock held, so a
 * reader that waits for libvirt, which waits for QEMU, would stop all three for ever: the log has a
 * thread of its own that does nothing but read and merge it, and never waits for its receiver. */
#pragma once

#include <sys/types.h>

#include "target/record/merge.h"

typedef struct RecordPump RecordPump;

/* Makes the FIFO `path`, which is to be QEMU's -D, and begins to read it. */
RecordPump *record_pump_new(const char *path, guint64 max_records, GError **error);
/* Readable when record_pump_read has something; the pump's own. */
int record_pump_fd(const RecordPump *p);
/* As read(2) from a stream without blocking: 0 is the end, -1 with EAGAIN nothing now. */
ssize_t record_pump_read(gpointer pump, char *buf, gsize size);
/* The machine is gone: reads what is left in the FIFO. The text can be read on afterwards. */
void record_pump_stop(RecordPump *p);
/* After record_pump_stop. */
RecordTotals record_pump_totals(const RecordPump *p);
void record_pump_free(RecordPump *p);
