/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A machine that does not exist. What a real one would keep through the death of a job (its power,
 * what runs on it, whether that hangs) lies in files of its folder; what it says while somebody
 * listens comes from a process of its own. docs/simulated-lab.md has the files. */
#pragma once

#include <jansson.h>

#include "target/driver.h"

typedef enum { SIM_NOTHING, SIM_LAUNCHER, SIM_VARIANT } SimRuns;

#define SIM_VERSION_MAX 256

typedef struct {
	bool powered, hung;
	SimRuns runs;
	guint64 boots;		       /* variants that it began to run, ever */
	guint64 draws;		       /* random numbers that it used, ever */
	gint64 epoch;		       /* so many times it was switched */
	char version[SIM_VERSION_MAX]; /* of the variant: what follows "Linux version " */
} SimState;

/* ---- machine.c: what is on disk ---- */

typedef struct {
	const TargetConfig *config;
	char *folder;
	int used;     /* lock of the job that uses it */
	gint64 epoch; /* a process that speaks for the machine ends when it was switched since; -1:
		       * not for this one */
} SimMachine;

/* Makes the folder and takes the machine for this process. That somebody else has it is
 * KX_ERROR_BUSY, and a violation: whoever gave it away twice has made a mistake. */
SimMachine *sim_open(const TargetConfig *config, const char *cache, GError **error);
void sim_close(SimMachine *m);
/* <cache>/simulated/NAME, or the folder of the file. The caller frees it. */
char *sim_folder(const TargetConfig *config, const char *cache);

SimState sim_state(const SimMachine *m);
/* Reads, changes and writes it as one step. */
typedef void (*SimChange)(SimState *s, gconstpointer user);
SimState sim_change(const SimMachine *m, SimChange change, gconstpointer user);
/* True with probability p; by the seed, the name, `what` and how many were drawn before. */
bool sim_draw(const SimMachine *m, const char *what, double p);

/* A line of ledger.jsonl or violations.jsonl: {"us", "pid", "event"/"violation", …}; takes `line`
 * (NULL: none). */
void sim_note(const SimMachine *m, const char *event, json_t *line);
void sim_violation(const SimMachine *m, const char *format, ...) G_GNUC_PRINTF(2, 3);

/* Seconds of the machine's time. */
void sim_wait(const SimMachine *m, double seconds);

/* ---- bmc.c: who switches it ---- */

typedef enum { SIM_BMC_OFF, SIM_BMC_ON, SIM_BMC_RESET } SimOrder;
/* What the BMC says; *ret_obeyed: what is so. False with KX_ERROR_TIMEOUT: no answer. */
bool sim_bmc(const SimMachine *m, SimOrder order, bool *ret_obeyed, GError **error);
bool sim_bmc_powered(const SimMachine *m, bool *ret, GError **error);

/* ---- kernel.c: what a kernel image is ---- */

typedef struct {
	char version[SIM_VERSION_MAX]; /* "6.1.170 (x@y) #kx123 SMP"; "": it is no kernel */
	GHashTable *words; /* "kexsect-feature:NAME" in it, and words of the command line */
	char *cmdline;
} SimKernel;

void sim_kernel_read(SimKernel *k, const guint8 *image, gsize len, const char *cmdline);
void sim_kernel_clear(SimKernel *k);

typedef struct {
	bool fault, hang, panic;
} SimFate;
/* What this boot of it does. */
SimFate sim_kernel_fate(const SimMachine *m, const SimKernel *k);

/* ---- process.c ---- */

typedef struct {
	int console, agent; /* its ends of the streams */
	int go;		    /* it begins when a byte comes */
	const char *cold;   /* the firmware starts this kernel */
	const char *cmdline;
} SimWires;

/* Lives as the machine until it is killed. Call it in a child. */
void sim_process(SimMachine *m, const SimWires *w) G_GNUC_NORETURN;
/* This signal is its NMI. */
#define SIM_NMI SIGUSR1
