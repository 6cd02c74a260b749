/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The morning report: what the daemon did since a moment, on one screen. The document is the
 * daemon's answer to `summary` (docs/notifications.md); here it gets the numbers that only the
 * results know, and is rendered.
 */
#pragma once

#include <stdbool.h>

#include "base/json.h"

/* Adds "work" to each submission that has a run: {"boots", "infra", "builds", "boot_s",
 * "compile_s", "outcomes"}, all since the moment, and their sum to the document. Results that
 * cannot be read: "work_why" says so, and the daemon's counters are all there is. */
void summary_add_work(json_t *doc);

/* In "text", "md", "html" or "json"; NULL: there is no such format. A new string. */
char *summary_render(const json_t *doc, const char *format, bool colour);
