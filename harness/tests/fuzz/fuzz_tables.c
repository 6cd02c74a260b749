/* SPDX-License-Identifier: GPL-2.0-or-later */
/* libFuzzer target for the ACPI tables; see scripts/fuzz. The length and the checksum are put
 * right, so that what is behind them is reached. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "iommu/regions.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void look_up(const FaultRegions *r)
{
	const GPtrArray *list = fault_regions_list(r);
	for (guint i = 0; i < list->len; i++) {
		const FaultRegion *region = g_ptr_array_index(list, i);
		if (region->start > region->end || !region->owners->len)
			abort();
		Fault f = {.device = (char *)"0000:00:02.0",
			   .has_address = true,
			   .address = region->end};
		if (!fault_regions_find(r, &f) || !f.region)
			abort();
		g_free(f.region);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size < 36 || size > 65536)
		return 0;
	uint8_t *table = g_memdup2(data, size), sum = 0;
	memcpy(table, data[0] & 1 ? "IVRS" : "DMAR", 4);
	for (unsigned i = 0; i < 4; i++)
		table[4 + i] = (uint8_t)(size >> 8 * i);
	table[9] = 0;
	for (size_t i = 0; i < size; i++)
		sum = (uint8_t)(sum + table[i]);
	table[9] = (uint8_t)-sum;
	FaultRegions *r = fault_regions_new();
	GError *error = NULL;
	if (fault_regions_add_table(r, table, size, "table", &error))
		look_up(r);
	else if (!error || fault_regions_list(r)->len)
		abort();
	g_clear_error(&error);
	fault_regions_add_table(r, data, size, "as it is", NULL);
	fault_regions_free(r);
	g_free(table);
	return 0;
}
