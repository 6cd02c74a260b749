/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What stands in front of a kernel message once it went through a console, a syslog or a journal.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stddef.h>

typedef struct {
	const char *text; /* the message: into the line, or into `scratch` */
	size_t len;
	gint64 time_us; /* kernel time; -1: none */
	gint64 seq;	/* sequence number of a /dev/kmsg record; -1: not one */
	int level;	/* 0 (emergency) to 7 (debug); -1: none */
	bool echo;	/* the harness's own words ("kexsect: …"): never evidence of a fault */
	bool extra;	/* " KEY=value": belongs to the /dev/kmsg record before it */
} FaultLine;

/* Takes these off, in any order and number: host time (ISO 8601, seconds, hh:mm:ss, syslog's), host
 * name and "kernel:", "<n>", "[    1.234567]", "[   T12]", dmesg -T, -x and --reltime, /dev/kmsg's
 * "6,123,456789,-;", ANSI escapes, control characters and bytes of no meaning at the start. `line`
 * needs no NUL; a trailing \r is dropped. */
void fault_line_read(const char *line, size_t len, FaultLine *ret);

/* As before, with ANSI escapes and control characters inside taken out and the \xNN of /dev/kmsg
 * decoded; `scratch` then holds the text. A '\n' in the text is one that the kernel printed. */
void fault_line_clean(FaultLine *l, GString *scratch);
