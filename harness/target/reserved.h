/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A machine's own IVRS or DMAR, with reserved regions added to it: what firmware should have
 * declared for devices that it leaves running. */
#pragma once

#include <glib.h>
#include <stdbool.h>

#include "campaign/campaign.h"

/* Writes to `folder` the table of IVRS and DMAR that `acpi` has (NAME.aml, from
 * /sys/firmware/acpi/tables of a kernel on that machine) with an IVMD or RMRR for each region, a
 * higher OEM revision (so that a kernel takes it for a newer one) and a right checksum. *ret_path:
 * the file. KX_ERROR_INPUT: the machine has neither table, it is damaged, or it cannot say such a
 * region. */
bool reserved_extend(const char *acpi, const TargetReserved *regions, unsigned count,
		     const char *folder, char **ret_path, GError **error);
