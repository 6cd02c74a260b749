/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* One `build` job (docs/jobs.md): reads the request and prints JSON lines. Returns the exit status:
 * 0 the job did its work, 1 it could not, 2 the request is wrong. */
int job_build_main(const char *request_path);
