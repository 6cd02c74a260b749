/* SPDX-License-Identifier: GPL-2.0-or-later */
/* DMAR: Intel Virtualization Technology for Directed I/O, chapter 8; as drivers/iommu/intel/dmar.c
 * of Linux 6.1 reads it. */
#include <string.h>

#include "iommu/regions-internal.h"

#define HEADER 48
#define RMRR_SIZE 24
#define SCOPE_SIZE 6
enum { RMRR = 1, ANDD = 4 };
enum { ENDPOINT = 1, BRIDGE = 2, IOAPIC = 3, HPET = 4, NAMESPACE = 5 };

/* The ACPI name of device number `number`: "\_SB.PCI0.I2C1". NULL: none. */
static char *andd_name(const FaultTable *t, unsigned number)
{
	for (size_t at = HEADER; at + 4 <= t->len;) {
		size_t len = fault_table_u16(t, at + 2);
		if (len < 4 || len > t->len - at)
			return NULL;
		if (fault_table_u16(t, at) == ANDD && len > 8 &&
		    fault_table_u8(t, at + 7) == number)
			return fault_table_text(t, at + 8, len - 8);
		at += len;
	}
	return NULL;
}

static void add_owner(const FaultTable *table, const FaultTable *scope, unsigned segment,
		      FaultRegion *region)
{
	unsigned type = fault_table_u8(scope, 0), number = fault_table_u8(scope, 4);
	unsigned bus = fault_table_u8(scope, 5);
	unsigned dev = fault_table_u8(scope, 6) & 0x1f, fn = fault_table_u8(scope, 7) & 7;
	unsigned id = bus << 8 | dev << 3 | fn;
	GString *name = g_string_new(NULL);
	g_autofree char *device = fault_format_device(segment, bus, dev, fn);
	g_string_append(name, device);
	for (size_t at = SCOPE_SIZE + 2; at + 2 <= scope->len; at += 2)
		g_string_append_printf(name, "/%02x.%x", fault_table_u8(scope, at) & 0x1f,
				       fault_table_u8(scope, at + 1) & 7);
	g_autofree char *acpi = type == NAMESPACE ? andd_name(table, number) : NULL;
	if (acpi && *acpi)
		g_string_append_printf(name, " (%s)", acpi);
	else if (type == BRIDGE)
		g_string_append(name, " and what is behind it");
	else if (type == IOAPIC || type == HPET)
		g_string_append_printf(name, " (%s %u)", type == IOAPIC ? "IOAPIC" : "HPET",
				       number);
	bool below = type == BRIDGE || scope->len > SCOPE_SIZE + 2;
	fault_region_add_owner(region, segment, id, id, below, g_string_free(name, FALSE));
}

static bool read_rmrr(const FaultTable *table, const FaultTable *t, GPtrArray *regions,
		      GError **error)
{
	if (t->len < RMRR_SIZE)
		return fault_table_bad(t, 0, "an RMRR shorter than 24 bytes", error);
	uint64_t start = fault_table_u64(t, 8), end = fault_table_u64(t, 16);
	if (end <= start)
		return fault_table_bad(t, 0, "an RMRR that ends before it begins", error);
	g_autoptr(FaultRegion) region = fault_region_new(FAULT_REGION_RMRR, start, end);
	region->readable = region->writable = true;
	unsigned segment = fault_table_u16(t, 6);
	for (size_t at = RMRR_SIZE; at < t->len;) {
		if (t->len - at < SCOPE_SIZE + 2)
			return fault_table_bad(t, at, "less than a device scope is left", error);
		size_t len = fault_table_u8(t, at + 1);
		if (len < SCOPE_SIZE + 2 || len > t->len - at || len % 2)
			return fault_table_bad(
				t, at, "the length of a device scope is not possible", error);
		FaultTable scope = {t->at + at, len, t->name, t->base + at};
		add_owner(table, &scope, segment, region);
		at += len;
	}
	if (!region->owners->len)
		return fault_table_bad(t, 0, "an RMRR without devices", error);
	g_ptr_array_add(regions, g_steal_pointer(&region));
	return true;
}

bool fault_regions_read_dmar(const FaultTable *t, GPtrArray *regions, GError **error)
{
	if (t->len < HEADER)
		return fault_table_bad(t, 0, "a DMAR shorter than its header", error);
	for (size_t at = HEADER; at < t->len;) {
		if (t->len - at < 4)
			return fault_table_bad(t, at, "less than a structure is left", error);
		size_t len = fault_table_u16(t, at + 2);
		if (len < 4 || len > t->len - at)
			return fault_table_bad(t, at, "its length goes beyond the table", error);
		FaultTable part = {t->at + at, len, t->name, t->base + at};
		if (fault_table_u16(t, at) == RMRR && !read_rmrr(t, &part, regions, error))
			return false;
		at += len;
	}
	return true;
}
