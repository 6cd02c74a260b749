/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Memory that firmware reserves for devices' DMA: unity maps and exclusion ranges of AMD's IVRS
 * table (IVMD), reserved memory of Intel's DMAR table (RMRR). Tables are those of
 * /sys/firmware/acpi/tables; what they hold is not trusted. */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stddef.h>

#include "iommu/fault.h"

typedef enum {
	FAULT_REGION_UNITY,	/* IVMD: mapped one to one */
	FAULT_REGION_EXCLUSION, /* IVMD: not translated */
	FAULT_REGION_RMRR,	/* DMAR: mapped one to one */
	FAULT_REGION_OTHER,	/* IVMD without either flag */
} FaultRegionKind;

/* Devices that a region is for. */
typedef struct {
	unsigned segment;
	unsigned first, last; /* requester ids, both included; bus << 8 | dev << 3 | fn */
	bool below; /* a device behind bridges, or all behind one: the bus is not in the table */
	char *name; /* as people write it: "0000:00:02.0", "0000:00:1c.0/00.0"; with the ACPI name
		     * if there is one: "0000:00:14.5 (AMDI0020:1)" */
} FaultRegionOwner;

typedef struct {
	FaultRegionKind kind;
	uint64_t start, end; /* both included */
	bool readable, writable;
	GArray *owners; /* of FaultRegionOwner, at least one */
} FaultRegion;

typedef struct FaultRegions FaultRegions;

FaultRegions *fault_regions_new(void);
/* Takes in one table: IVRS and DMAR by their signature, others are ignored. `name` is for errors.
 * False with *error set (KX_ERROR_INPUT) when it is truncated, contradicts itself or its checksum
 * is wrong; nothing of it is kept then. */
bool fault_regions_add_table(FaultRegions *r, const void *table, size_t len, const char *name,
			     GError **error);
/* All tables of a folder (/sys/firmware/acpi/tables, or a trial's acpi/), or one file. */
bool fault_regions_add_path(FaultRegions *r, const char *path, GError **error);
/* In the order of the tables. */
const GPtrArray *fault_regions_list(const FaultRegions *r); /* of FaultRegion */

/* Sets f->region when the fault's address lies in a region: "RMRR 0x1ffde000-0x1fffffff of
 * 0000:00:02.0", and behind it ", not this device's" unless it is. The device's own region is
 * preferred. True when one was found. */
bool fault_regions_find(const FaultRegions *r, Fault *f);

void fault_regions_free(FaultRegions *r);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(FaultRegions, fault_regions_free)
