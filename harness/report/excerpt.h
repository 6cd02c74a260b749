/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The lines of a trial's log that matter. */
#pragma once

#include <glib.h>

#include "base/json.h"

/* From kmsg.log, else console.log, of an evidence folder: {"file", "total_lines", "lines":
 * [{"number", "time", "text", "window", "fault"}]}. The window goes from the first line that
 * matches `from` to the next that matches `to` (PCRE2; NULL: the log's first, last line). A fault
 * is a line that ends with one of `faults`. The excerpt holds the window's edges and the faults
 * with the lines around them, at most EXCERPT_MAX lines; `number` has gaps where lines are left
 * out. NULL when there is no log. */
json_t *excerpt_read(const char *folder, const char *from, const char *to, const GPtrArray *faults);

#define EXCERPT_MAX 80
