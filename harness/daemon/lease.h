/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A lease on a target: a lock on the file <state>/leases/TARGET.SLOT that the processes of a run
 * hold, the engine and the job that it runs at the moment. The daemon takes it, gives the
 * descriptor to the engine and forgets it: so the kernel ends the lease with the last process that
 * could touch the target, whoever was killed, and after a reboot there is none.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <sys/types.h>

/* A process that cannot be mistaken for another one. */
typedef struct {
	pid_t pid;     /* 0: none */
	guint64 start; /* field 22 of /proc/PID/stat */
	char boot[40]; /* /proc/sys/kernel/random/boot_id */
} ProcessId;

/* Of a process that runs now; pid 0 in it when there is none. */
ProcessId process_id(pid_t pid);
bool process_is_alive(const ProcessId *p);

/* Takes it; the descriptor is the lease. -1 with BUSY when somebody holds it. */
int lease_take(const char *state, const char *target, unsigned slot, GError **error);
bool lease_is_held(const char *state, const char *target, unsigned slot);
/* Sends a signal to each process that holds it but this one. Returns how many. */
unsigned lease_signal_holders(const char *state, const char *target, unsigned slot, int number);
