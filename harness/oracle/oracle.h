/* SPDX-License-Identifier: GPL-2.0-or-later */
/* From what a trial left (console, kernel messages, how the watch ended) to its outcome. Pure: no
 * clock, no file, no state; the same input gives the same result.
 *
 * Only the part that the variant printed counts: from its 'Linux version' banner to the next
 * banner. What a launcher or a later boot says is never evidence. */
#pragma once

#include <errno.h>
#include <glib.h>
#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "campaign/campaign.h"
#include "iommu/fault.h"
#include "iommu/regions.h"

typedef enum {
	OUTCOME_FAULT,
	OUTCOME_CLEAN,
	OUTCOME_HANG,
	OUTCOME_PANIC,
	OUTCOME_NOBOOT,
	OUTCOME_INFRA,
	OUTCOME_MAX,
	OUTCOME_INVALID = -EINVAL,
} Outcome;

const char *outcome_name(Outcome o);	     /* "fault", …; NULL when out of range */
Outcome outcome_from_name(const char *name); /* OUTCOME_INVALID when unknown */

/* How the one who watched the trial ended it. The names are those of target_end_name(). */
typedef enum {
	ORACLE_END_SETTLED,	  /* alive was seen and the settling time is over */
	ORACLE_END_PANIC,	  /* a panic or an Oops was seen on the console */
	ORACLE_END_SILENT,	  /* no byte for the silence limit before alive */
	ORACLE_END_DEADLINE,	  /* a clock ran out: boot or whole trial */
	ORACLE_END_UNSETTLED,	  /* alive, but it did not answer when the settling time was over */
	ORACLE_END_WATCHDOG,	  /* the watchdog device fired */
	ORACLE_END_RESET,	  /* the machine reset itself */
	ORACLE_END_POWEROFF,	  /* the machine switched itself off */
	ORACLE_END_NO_FIRST_LINE, /* nothing came after kexec or power on */
	ORACLE_END_KEXEC_FAILED,  /* the launcher said that kexec failed, or answered on after it */
	ORACLE_END_LAUNCHER_FAILED, /* the launcher never answered */
	ORACLE_END_VM_DIED,	    /* QEMU or libvirt failed */
	ORACLE_END_STALE_WATCHDOG,  /* it fired, but an earlier kernel had armed it */
	ORACLE_END_CANCELLED,	    /* stopped on request */
	ORACLE_END_MAX,
	ORACLE_END_INVALID = -EINVAL,
} OracleEnd;

const char *oracle_end_name(OracleEnd e); /* "settled", "kexec-failed", …; NULL: out of range */
OracleEnd oracle_end_from_name(const char *name);

/* The pattern of an OracleConfig without `alive`: the line that the agent prints on the console. */
#define ORACLE_DEFAULT_ALIVE "^kexsect: alive\\b"
/* The name of the window in fault records. */
#define ORACLE_WINDOW "window"

typedef struct {
	const char *console; /* raw bytes, as captured; may hold anything; NULL with len 0 */
	size_t console_len;
	/* Where in `console` the variant may begin at the earliest: the bytes captured when kexec
	 * was ordered. 0 when it is not known: then banners and command lines tell launcher and
	 * variant apart. */
	size_t console_from;
	/* Of the variant: records of /dev/kmsg as read, one per line; or, from kernels before 3.5,
	 * one copy of the ring buffer. NULL: none came. */
	const char *kmsg;
	size_t kmsg_len;
	const char
		*identity; /* that the banner must show: "kx" and 12 hex digits; NULL: any kernel */
	OracleEnd end;
	const char *end_detail; /* for the reason: "kexec -l: Cannot load /kernel"; may be NULL */
	BootMode mode;
	/* What the machine's tables declare, for fault->region; NULL: the config's ranges only. */
	const FaultRegions *regions;
} OracleInput;

typedef struct {
	uint64_t faults;     /* that count: in the window, device and address as configured */
	uint64_t suppressed; /* not printed by the kernel, or in a record of the emulator beside the
			      * first: from the window's opening on */
	uint64_t outside;    /* faults that do not count */
	gint64 window_us;    /* kernel time from marker to marker; -1: not known */
	gint64 blocked_us;   /* kernel time in which the device's DMA is refused, by the markers of
			      * `blocked`, wherever in the boot; -1: not known */
} OracleMeasures;

/* Before the first marker of a part. */
#define ORACLE_PART_BEFORE "(before)"

/* A part of the window, as this boot had it. */
typedef struct {
	const char *name;    /* of the config, which must live as long, or ORACLE_PART_BEFORE */
	gint64 start_us;     /* kernel time; before the window's for what began before it; -1: not
			      * known */
	gint64 length_us;    /* inside the window; -1: not known */
	uint64_t faults;     /* that count */
	uint64_t suppressed; /* with them, as in OracleMeasures */
	guint line;	     /* where it begins, for the oracle's own use */
} OraclePartSeen;

/* A fault of the variant and how it was judged. fault->window is ORACLE_WINDOW when it fell into
 * the window, fault->region what the machine's tables declare there, else the configured address
 * range that it matched. */
typedef struct {
	Fault *fault;
	const char *source; /* "kmsg", "console", or "emulator" (its lines are in the console's
			     * text): where fault->line counts; static */
	bool in_window, device_matches, address_matches;
	bool counts;	  /* all of these, and kind is FAULT_KIND_FAULT */
	const char *part; /* of the window that it fell into, by name; NULL: none */
} OracleFault;

typedef struct {
	Outcome outcome;
	char *reason;	   /* one sentence for people */
	GPtrArray *faults; /* of OracleFault, in the order of the log */
	OracleMeasures measures;
	GArray *parts; /* of OraclePartSeen, in the order of this boot; empty without `parts` in the
			* config. The counts of all of them are those of the window. */
	bool banner_seen, identity_seen, alive_seen, window_opened, window_closed;
	bool blocked_asked; /* the config says when DMA is refused */
	bool kmsg_complete; /* no record was lost between its first and last */
	char *answered;	    /* the identity or the release that the banner shows; NULL: no banner */
} OracleResult;

/* Compiles the patterns and reads the device names: false with "FILE:line:col: what" in *error.
 * For load time, so that the night does not start with a pattern that never matches. */
bool oracle_check(const OracleConfig *config, GError **error);

/* Judges a trial. Never fails: with a config that oracle_check refuses the outcome is infra, and
 * the reason says why. The caller frees the result. */
OracleResult *oracle_judge(const OracleInput *in, const OracleConfig *config);
void oracle_result_free(OracleResult *r);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(OracleResult, oracle_result_free)

/* A new object {outcome, reason, identity, measures: {faults, suppressed, outside, window_us,
 * and where they were asked for blocked_us, parts}, faults} with the first `max_faults` records as
 * in fault_to_json() plus source, in_window and counts. Keys as in docs/jobs.md. */
json_t *oracle_result_to_json(const OracleResult *r, size_t max_faults);
/* The record of one fault as oracle_result_to_json() writes it (a line of faults.jsonl). */
json_t *oracle_fault_to_json(const OracleFault *f);

/* For those who watch a running console line by line, with the same rules as oracle_judge(). */
typedef struct OracleWatch OracleWatch;
typedef enum {
	ORACLE_SAW_NOTHING,
	ORACLE_SAW_BANNER, /* the 'Linux version' line of some kernel */
	ORACLE_SAW_ALIVE,  /* the alive marker */
	ORACLE_SAW_PANIC,  /* 'Kernel panic - not syncing' */
} OracleSaw;
/* NULL with *error set when the alive pattern does not compile. */
OracleWatch *oracle_watch_new(const OracleConfig *config, GError **error);
/* One line without its end. */
OracleSaw oracle_watch_line(OracleWatch *w, const char *line, size_t len);
void oracle_watch_free(OracleWatch *w);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(OracleWatch, oracle_watch_free)
