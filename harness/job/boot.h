/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* One `boot` job (docs/jobs.md): reads the request, makes its boots one after the other on one
 * target, and prints JSON lines. Returns the exit status: 0 the job did its work, 1 it could not, 2
 * the request is wrong. Call it before starting threads: the work is done in a child that takes its
 * machines along when it dies (target/guard.h). */
int job_boot_main(const char *request_path);
