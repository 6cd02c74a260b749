/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a kernel that hangs is doing: asked by SysRq, then by an NMI, and kept. */
#pragma once

#include "target/console/console.h"
#include "target/driver.h"

typedef struct Trace Trace;

/* Asks for traces of the machine of a boot, whose console's answers come by trace_feed() while this
 * iterates the main context: `l` (what every processor does), `w` (who is blocked), `t` (every
 * task), and, when all that could be had of these is there, an NMI. A kernel that does not hear the
 * first key gets the NMI at once. Each has its own clock, and timeouts.trace is that of all.
 * `is_over` says that nothing more will come (a panic's last line, the machine's end). */
Trace *trace_new(Target *t, const char *folder, Console *console);
/* Appends a TargetStep for each that was tried. False: the machine's control did not answer, so
 * that nothing is known of the kernel either. */
bool trace_take(Trace *tr, bool (*is_over)(gpointer user), gpointer user, GPtrArray *steps);
void trace_feed(Trace *tr, const char *data, gsize len);
/* Completes `folder`/trace.log, which is there if anything came; bounded. Frees it. ret_any: it is
 * there. NULL is fine. */
bool trace_finish(Trace *tr, bool *ret_any, GError **error);
