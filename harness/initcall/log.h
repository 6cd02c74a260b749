/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a kernel that was started with initcall_debug says of its steps: which ran when, for how
 * long, inside which other. All ages of the messages, 2.6.28 to 6.x.
 *
 * Pure: lines in, steps out. The lines come without their prefixes (time, level, host, …), which
 * the caller knows how to take off (iommu/line.h does). Any bytes are fine. */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#include "initcall/initcall.h"

typedef enum {
	INITCALL_STEP_INITCALL, /* do_one_initcall(): built in, or of a module */
	INITCALL_STEP_ASYNC,	/* async_schedule(): runs beside the others */
	INITCALL_STEP_PROBE,	/* a driver's probe of a device (since 5.1) */
	INITCALL_STEP_FIXUP,	/* a PCI quirk of a device */
	INITCALL_STEP_MAX,
} InitcallStepKind;

const char *initcall_step_kind_name(InitcallStepKind kind); /* "initcall", "async", … */

typedef struct {
	InitcallStepKind kind;
	char *name;	     /* the function, as printed but for +0x…; of a probe the device */
	char *module;	     /* NULL: built in, or not said */
	char *device;	     /* of a fixup, where it is said; NULL else */
	InitcallLevel level; /* where the kernel says it (since 6.10), else invalid */
	gint64 pid;	     /* -1: not said */
	gint64 async;	     /* number of an async call; -1: none */
	gint64 begin_us;     /* kernel time; -1: not known. Of a probe: its end less its length */
	gint64 end_us;	     /* kernel time; -1: it was not seen to end */
	gint64 took_us;	     /* as the kernel measured it; without that, end less begin; -1 */
	bool has_result;
	int result;	   /* what it returned */
	unsigned millis;   /* 1: took_us came as whole milliseconds */
	uint64_t line;	   /* where it began: the number that was given; of a probe its end */
	uint64_t line_end; /* where it ended; 0: it was not seen to end */
	int parent;	   /* index of the step that it ran inside; -1: none */
	unsigned depth;	   /* how many steps it ran inside */
} InitcallStep;

/* What is no step: a device that must wait, an initcall that the command line forbids. */
typedef enum {
	INITCALL_NOTE_DEFERRED,	   /* a probe is put off: "Driver X requests probe deferral" */
	INITCALL_NOTE_PENDING,	   /* a device still waits: "deferred probe pending" */
	INITCALL_NOTE_BLACKLISTED, /* "initcall X blacklisted" */
	INITCALL_NOTE_MAX,
} InitcallNoteKind;

const char *initcall_note_kind_name(InitcallNoteKind kind);

typedef struct {
	InitcallNoteKind kind;
	char *name;	/* device; of a blacklisted one the function */
	gint64 time_us; /* -1: not known */
	uint64_t line;
} InitcallNote;

/* More than these are not kept: a hostile log may not fill the memory. */
#define INITCALL_LOG_STEPS_MAX 50000
#define INITCALL_LOG_NOTES_MAX 1000

typedef struct InitcallLog InitcallLog;
InitcallLog *initcall_log_new(void);
/* One line's message. `time_us` -1: not known; `number` grows from line to line, from 1. Returns
 * whether it was one of initcall_debug's. A console may have put one into another's line: all of
 * them are found. */
bool initcall_log_line(InitcallLog *log, const char *text, size_t len, gint64 time_us,
		       uint64_t number);
/* All of them, when the log is over: in the order in which they began (a probe, which only says its
 * end: by that time). Owned by the log. */
const GPtrArray *initcall_log_steps(InitcallLog *log); /* of InitcallStep */
const GPtrArray *initcall_log_notes(InitcallLog *log); /* of InitcallNote */
/* Messages of initcall_debug that were read. */
uint64_t initcall_log_messages(const InitcallLog *log);
void initcall_log_free(InitcallLog *log);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(InitcallLog, initcall_log_free)

/* The function's name without what a compiler put behind it (".isra.0", ".constprop.3", ".llvm.1",
 * …): the same step in two builds. Length in *ret_len, into `name`. */
const char *initcall_plain_name(const char *name, size_t *ret_len);
