/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "iommu/regions.h"

/* A piece of a table; reads beyond it are not possible. */
typedef struct {
	const unsigned char *at;
	size_t len;
	const char *name; /* of the table, for errors */
	size_t base;	  /* where the piece begins in the table, for errors */
} FaultTable;

/* Little-endian numbers; `at` + size must lie inside (checked by an assertion). */
unsigned fault_table_u8(const FaultTable *t, size_t at);
unsigned fault_table_u16(const FaultTable *t, size_t at);
uint64_t fault_table_u64(const FaultTable *t, size_t at);
/* False with *error set: "NAME: structure at offset N: WHAT". */
bool fault_table_bad(const FaultTable *t, size_t at, const char *what, GError **error);
/* ACPI text: printable characters only, others as '?'; "" for none. */
char *fault_table_text(const FaultTable *t, size_t at, size_t len);

FaultRegion *fault_region_new(FaultRegionKind kind, uint64_t start, uint64_t end);
void fault_region_free(FaultRegion *region);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(FaultRegion, fault_region_free)
/* Takes over `name`. */
void fault_region_add_owner(FaultRegion *region, unsigned segment, unsigned first, unsigned last,
			    bool below, char *name);

/* Add the regions of a whole table whose header is right to `regions`. */
bool fault_regions_read_ivrs(const FaultTable *t, GPtrArray *regions, GError **error);
bool fault_regions_read_dmar(const FaultTable *t, GPtrArray *regions, GError **error);
