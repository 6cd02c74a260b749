/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Messages for people on standard error: "kexsect: warning: …". GLib's g_message, g_warning and
 * g_debug are used everywhere; this decides how they look. Results go to standard output, never
 * messages. */
#pragma once

#include <stdbool.h>

/* Installs the writer; may be called again. `program` is the prefix; verbose also shows g_debug. */
void kx_log_init(const char *program, bool verbose);
/* True when colour and cursor movement are welcome on standard output (a terminal, TERM is not
 * dumb, no NO_COLOR). */
bool kx_log_is_terminal(void);
/* Called before each message, so that a live display can clear its lines; NULL: none. */
void kx_log_set_before(void (*before)(void));
