/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <sys/types.h>

#include "base/proc.h"

/* Starts the program in its own process group with pipes for its output (-1 with log_path; err_fd
 * may be NULL: standard error goes to log_path or stays ours). Returns the pid, or -1 with *error
 * set. */
pid_t kx_proc_spawn(const KxProc *p, int *ret_out_fd, int *ret_err_fd, GError **error);
/* From waitpid's status to 0–255 or 128 + signal. */
int kx_proc_status(int wait_status);
