/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the variant's agent sends: the kernel's records, and its ACPI tables. */
#pragma once

#include <glib.h>
#include <stdbool.h>

typedef struct Kmsg Kmsg;

/* Records are kept in `folder`/kmsg.log, as they come from /dev/kmsg ("prio,seq,usec,flags;text"),
 * bounded like the console. The file is made with the first record. */
Kmsg *kmsg_new(const char *folder);
void kmsg_add(Kmsg *k, const char *record, gsize len);
/* One ACPI table into `folder`/acpi/NAME.aml: payload is NAME, NUL, content. Bad names and more
 * than 256 tables are refused with a warning: the sender is a kernel under test. */
void kmsg_add_table(Kmsg *k, const char *payload, gsize len);
/* Completes the files and frees it. ret_text: the records, or NULL when there are none. */
bool kmsg_finish(Kmsg *k, char **ret_text, GError **error);
void kmsg_free(Kmsg *k);
