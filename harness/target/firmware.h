/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A machine's own ACPI tables, put together anew with others in their place, in the form in which
 * QEMU hands tables to its firmware. For kernels that cannot take a table from their initramfs
 * (IVRS and DMAR: before 3.8), and for what a kernel reads before it has one. */
#pragma once

#include <glib.h>
#include <stdbool.h>

/* Writes the files `tables`, `rsdp` and `loader` to `folder`, which are to be QEMU's fw_cfg files
 * etc/acpi/tables, etc/acpi/rsdp and etc/table-loader. `acpi` is a folder with the tables that a
 * kernel showed on that machine (NAME.aml, from /sys/firmware/acpi/tables); each of `replacements`
 * (paths, ends with NULL) takes the place of the table of its signature, or is added.
 * KX_ERROR_INPUT: not tables, or ones that this cannot move. */
bool firmware_compose(const char *acpi, const char *const *replacements, const char *folder,
		      GError **error);
