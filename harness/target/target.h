/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A target boots variants and brings back the evidence. Opened once per job, it makes any number of
 * boots, one after the other, each from the launcher (saved state or fresh start, then kexec) or
 * cold (the firmware starts the variant). Nothing here says what a boot means: that is the oracle's
 * work.
 *
 * Everything runs on the calling thread and iterates the default main context. kx_cancelled() ends
 * a boot at once. */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#include "campaign/campaign.h"

typedef struct Target Target;

/* How a boot ended. Those before KEXEC_FAILED are behaviours of the variant, the others failures of
 * the lab.
 */
typedef enum {
	TARGET_END_SETTLED,	    /* alive, and the settle time is over */
	TARGET_END_PANIC,	    /* kernel panic or Oops; the trace was collected */
	TARGET_END_SILENT,	    /* no console byte for timeouts.silence before it was alive */
	TARGET_END_DEADLINE,	    /* timeouts.boot or timeouts.trial passed before it was alive */
	TARGET_END_UNSETTLED,	    /* alive, but its agent did not answer any more when the settle
				       time was over: timeouts.settled */
	TARGET_END_WATCHDOG,	    /* the watchdog device fired */
	TARGET_END_RESET,	    /* the machine was reset (triple fault, panic=) */
	TARGET_END_POWEROFF,	    /* the variant switched the machine off */
	TARGET_END_NO_FIRST_LINE,   /* nothing of the variant in timeouts.kexec after kexec or start
				     */
	TARGET_END_KEXEC_FAILED,    /* the launcher refused the kernel, or kexec came back */
	TARGET_END_LAUNCHER_FAILED, /* the launcher's agent did not answer in timeouts.launcher, or
				       died */
	TARGET_END_MACHINE_DIED,    /* QEMU crashed or was killed, or its control does not answer */
	TARGET_END_STALE_WATCHDOG,  /* the watchdog fired before the variant can have armed it: an
				       earlier kernel did */
	TARGET_END_CANCELLED,	    /* stopped on request */
	TARGET_END_MAX,
	TARGET_END_INVALID = -22,
} TargetEnd;

/* "settled", "panic", …: as in outcome.json. */
const char *target_end_name(TargetEnd end);

/* A step of docs/jobs.md begins: "start", "restore", "launcher", "deliver", "kexec", "boot",
 * "settle", "stop". */
typedef void (*TargetStepFunc)(const char *step, gpointer user);

/* What was done about a machine that hangs or does not answer: a trace asked for, or a step of the
 * recovery ladder. docs/recovery.md. */
typedef struct {
	char *step;	       /* "sysrq-l", "nmi", "start", "reset", "power-off", … */
	gint64 started_us;     /* real time */
	double seconds, limit; /* how long it took, and its clock; limit 0: none of its own */
	bool ok;	       /* the effect was seen */
	char *detail;	       /* for people */
} TargetStep;

/* A step is over. */
typedef void (*TargetRecoveryFunc)(const TargetStep *step, gpointer user);

typedef struct {
	/* the caller sets; all must outlive the target */
	const TargetConfig *config;
	const char *cache; /* absolute; <cache>/vm, <cache>/states and <cache>/accel are used */
	const char *launcher_kernel;	/* bootable image; NULL: cold boots only */
	const char *probe_kernel;	/* any image that shows the machine's tables where they are
					 * needed and not known yet; NULL: the launcher's */
	TargetStepFunc on_step;		/* NULL: none */
	TargetRecoveryFunc on_recovery; /* NULL: none */
	gpointer user;
} TargetOptions;

/* Connects to the driver and prepares what all boots share (initramfs, ACPI tables, and for a VM
 * the accelerator and the saved launcher). KX_ERROR_MISSING: a tool or file is not there;
 * KX_ERROR_INPUT: the configuration is wrong. */
Target *target_open(const TargetOptions *options, GError **error);
/* Stops the machine and removes everything temporary. */
void target_close(Target *t);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Target, target_close)

/* What is asked for in one boot. */
typedef struct {
	const char *kernel;   /* bootable image of the variant */
	const char *cmdline;  /* added to the target's; may be NULL */
	const char *identity; /* the kernel must carry it in its version string: "#<identity> " */
	BootMode mode;
	const char *alive; /* PCRE2 of the line (without its time) that says it is up; NULL: the
			    * agent's  marker. The agent's does not count then. */
	unsigned wait_us;  /* the launcher waits so long before kexec: the caller draws and records
			      it */
	unsigned phase_us; /* in a machine that counts instructions: the kernel starts so much later
			    * after what the firmware started */
	const char *folder; /* existing; gets console.raw, console.log, kmsg.log, cmdline, acpi/ */
} TargetBoot;

/* Seconds of each part; `deadline` is what was only spent on waiting for a clock to run out, and is
 * not in the part in which it ran out. */
typedef struct {
	double start, launcher, deliver, kexec, boot, settle, stop, deadline, total;
} TargetSeconds;

typedef struct {
	TargetEnd end;
	char *reason;	 /* for people: what was seen or not seen */
	char *cmdline;	 /* the variant's whole command line */
	char *banner;	 /* "Linux version …" as the variant printed it; NULL: not seen */
	char *version;	 /* `uname -v` as the variant's agent sent it; NULL: no agent channel */
	bool identified; /* banner and (where there is a channel) agent both show the identity */
	char *wrong;	 /* not identified though something answered: what did; else NULL */
	bool alive;	 /* the marker with the right identity was seen */
	char *console;	 /* the variant's part of the console (text, no CR; bounded), never NULL */
	char *kmsg; /* what the variant's agent read from /dev/kmsg as in `dmesg`; NULL: none */
	guint64 console_bytes, console_dropped;
	GPtrArray *traces; /* of TargetStep: what was tried to have a trace; NULL: nothing */
	bool traced;	   /* the folder has trace.log */
	TargetSeconds seconds;
} TargetResult;

void target_result_clear(TargetResult *r);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(TargetResult, target_result_clear)

/* Makes one boot. True with *ret set however the boot ended, lab failures too; false only when
 * evidence could not be written or the machine could not be started at all (then nothing is known
 * of the variant). The files in the folder are flushed to disk. */
bool target_boot(Target *t, const TargetBoot *boot, TargetResult *ret, GError **error);

/* A boot that ended so leaves a machine of which nothing is known: target_recover() is due before
 * the next one. */
bool target_end_is_failure(TargetEnd end);

/* Climbs the recovery ladder until a launcher answers. True: it does. False with KX_ERROR_FAILED
 * (the top was reached in vain) or KX_ERROR_CANCELLED. *ret_steps: new array of TargetStep, in any
 * case. */
bool target_recover(Target *t, GPtrArray **ret_steps, GError **error);
/* Array for TargetStep, which it owns. */
GPtrArray *target_steps_new(void);

/* How the machine runs, for reports: "QEMU 7.2.22, TCG, launcher restored". Owned by the target. */
const char *target_describe(const Target *t);

/* One line of a preflight. */
typedef struct {
	char *what;   /* "QEMU", "libvirt", "iasl", … */
	char *detail; /* version, or what is wrong and what to do */
	bool ok;
} TargetCheck;

/* Finds out in a second or two whether boots on this target can work here: tools with versions,
 * driver reachable, tables compile, images there. Returns an array of TargetCheck
 * (g_ptr_array_unref). */
GPtrArray *target_check(const TargetConfig *config, const char *cache);

/* Ends what dead jobs left below <cache>/vm: their machines and folders. Folders of living jobs are
 * not touched. Returns how many were removed. */
unsigned target_sweep(const char *cache);

/* The agent program for initramfs images: $KEXSECT_AGENT, the build folder's, else the installed
 * one; NULL with KX_ERROR_MISSING. The caller frees it. */
char *target_agent_path(GError **error);
