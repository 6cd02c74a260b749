/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Jansson with our errors. Objects keep the order in which keys were set. */
#pragma once

#include <glib.h>
#include <jansson.h>
#include <stdbool.h>

G_DEFINE_AUTOPTR_CLEANUP_FUNC(json_t, json_decref)

/* Reads one JSON value of at most 64 MiB; duplicate keys are errors. "FILE:line:col: what". */
json_t *kx_json_load(const char *path, GError **error);
/* Parses one line or message; `what` names it in errors. */
json_t *kx_json_parse(const char *text, const char *what, GError **error);
/* Writes with indent 2 and a final newline, atomically. */
bool kx_json_save(const char *path, const json_t *value, GError **error);
/* One compact line on standard output, flushed: how jobs talk. False when the reader is gone. */
bool kx_json_line(const json_t *value);

/* Members with a type check. A missing or wrong one: NULL, `fallback`. */
const char *kx_json_str(const json_t *object, const char *key);
gint64 kx_json_int(const json_t *object, const char *key, gint64 fallback);
double kx_json_num(const json_t *object, const char *key, double fallback);
bool kx_json_bool(const json_t *object, const char *key, bool fallback);
/* A string array as a NULL-terminated vector (g_strfreev); empty when missing; non-strings are
 * skipped. */
char **kx_json_strv(const json_t *object, const char *key);
/* A new array of strings; NULL `strv`: an empty one. */
json_t *kx_json_from_strv(const char *const *strv);
/* A new string, with bytes that are no valid UTF-8 replaced (logs hold anything). */
json_t *kx_json_text(const char *text);
