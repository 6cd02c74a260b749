/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The bytes of a log: plain, or packed by gzip, xz, zstd, bzip2 or lz4 (known by its first bytes).
 */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stddef.h>

/* Called with one piece after the other; false ends the reading without an error. */
typedef bool (*FaultChunkFunc)(const char *bytes, size_t len, gpointer user);

/* Reads `fd` to its end, in constant memory. `name` is for errors. False with *error set when
 * reading fails or the archive is damaged or truncated; what came before was handed on. */
bool fault_input_read(int fd, const char *name, FaultChunkFunc func, gpointer user, GError **error);
/* The same for the log at `path`; "-" is standard input. */
bool fault_input_read_log(const char *path, FaultChunkFunc func, gpointer user, GError **error);

/* The same for a plain file that grows, like tail -F: goes on when it was truncated or replaced by
 * a new one (on_restart, then from its start), until `stop` says so. `on_idle` is called when
 * nothing came for half a second. */
typedef struct {
	FaultChunkFunc func;
	void (*on_restart)(gpointer user);
	void (*on_idle)(gpointer user);
	bool (*stop)(gpointer user);
	gpointer user;
} FaultFollow;
bool fault_input_follow(const char *path, const FaultFollow *follow, GError **error);
