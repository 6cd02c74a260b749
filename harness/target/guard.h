/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* Runs body(user) in a child, such that nothing that it started outlives it: whoever of the
 * processes involved is killed, and by whatever signal, the machines it started end too. Must be
 * called before threads and libvirt are started. Returns the body's return value (an exit status),
 * or 128 + signal.
 *
 * With CAP_SYS_ADMIN the child runs in a PID namespace of its own, which the kernel empties when
 * its first process ends. Without, a process between the two collects the orphans and kills them;
 * only a kill of all three at once leaves something, which target_sweep() finds. */
int guard_run(int (*body)(void *user), void *user);
