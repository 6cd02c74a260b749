/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Where in the boot a line stands: after which of the IOMMU drivers' own messages, and in which
 * initcall (kernels started with initcall_debug say so). */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stddef.h>

typedef struct {
	const char *name;	    /* of the window that it opens, "" for the start of a boot */
	const char *words;	    /* a line with these is the marker */
	const char *driver, *since; /* for people: who prints it, since when */
} FaultMark;

/* Ends with .name == NULL. */
extern const FaultMark fault_marks[];

/* The first marker with that window's name; NULL: none. */
const FaultMark *fault_mark_find(const char *name);

/* What initcall_debug prints around each initcall. */
#define FAULT_INITCALL_BEGIN "calling  "
#define FAULT_INITCALL_END "initcall "
/* The function of "calling  FN+0x0/0x1 @ 1" or "initcall FN+0x0/0x1 returned 0 after 9 usecs";
 * NULL: the line is neither. *ret_len without NUL, *ret_ends for the second. */
const char *fault_initcall_read(const char *text, size_t len, size_t *ret_len, bool *ret_ends);
