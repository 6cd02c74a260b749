/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Text that keeps its first and its last `keep` bytes, whatever is poured in: the rest is dropped,
 * and said so at the place where it is missing. To a file, or to memory. */
#pragma once

#include <glib.h>
#include <stdbool.h>

#define BOUNDED_KEEP (16u << 20)

typedef struct Bounded Bounded;

/* path NULL: in memory. */
Bounded *bounded_new(const char *path, gsize keep, GError **error);
void bounded_add(Bounded *b, const char *data, gsize len);
guint64 bounded_dropped(const Bounded *b);
/* Completes it and frees `b`. A file is flushed to disk; errors of earlier writing are reported
 * here. ret_text (may be NULL for a file) gets the text of one in memory. */
bool bounded_finish(Bounded *b, char **ret_text, GError **error);
void bounded_free(Bounded *b);
