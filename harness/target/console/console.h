/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The console of one boot: every byte to console.raw, every line with its host time to console.log,
 * the variant's part as text for the oracle. All three are bounded (bounded.h). */
#pragma once

#include <glib.h>
#include <stdbool.h>

typedef struct Console Console;

/* A line is complete (no newline, no CR, valid UTF-8 not guaranteed). `us`: host monotonic time of
 * its first byte. */
typedef void (*ConsoleLineFunc)(const char *line, gint64 us, gpointer user);

/* Writes to `folder`. start_us: monotonic time that the log counts from. */
Console *console_new(const char *folder, gsize keep, gint64 start_us, ConsoleLineFunc on_line,
		     gpointer user, GError **error);
/* Takes bytes that arrived at now_us (g_get_monotonic_time). */
void console_feed(Console *c, const char *data, gsize len, gint64 now_us);
/* What comes from here on is the variant's. */
void console_mark_variant(Console *c);
/* What comes from here on is not the variant's own doing (an answer to an NMI): it is in the files,
 * but not in the text. `why` becomes a line of console.log. */
void console_end_variant(Console *c, const char *why, gint64 now_us);
guint64 console_bytes(const Console *c);
guint64 console_dropped(const Console *c);
/* Completes the files and frees the console; ret_text gets the variant's part. */
bool console_finish(Console *c, char **ret_text, GError **error);
void console_free(Console *c);
