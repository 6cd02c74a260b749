/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* One `health` job (docs/recovery.md): brings a target back to a launcher that answers. The request
 * has format, target, launcher_kernel and cache as that of `boot`. Returns the exit status: 0 its
 * launcher answers, 1 it does not, 2 the request is wrong. As job_boot_main() else. */
int job_health_main(const char *request_path);
