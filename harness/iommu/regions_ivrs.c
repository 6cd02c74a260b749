/* SPDX-License-Identifier: GPL-2.0-or-later */
/* IVRS: AMD I/O Virtualization Technology Specification (48882), 5.2; as
 * drivers/iommu/amd/init.c of Linux 6.1 reads it. */
#include <string.h>

#include "iommu/regions-internal.h"

#define HEADER 48
#define IVMD_SIZE 32
#define ALL_DEVICES 0xffff
#define ENTRY_ALIAS 66
#define ENTRY_ACPI_HID 240
#define ACPI_HID_SIZE 22 /* without the unique id */

typedef struct {
	unsigned segment, id;
	char *name; /* "AMDI0020:1" */
} HidName;

typedef struct {
	unsigned segment, id, alias;
} Alias;

typedef struct {
	GArray *names, *aliases;
} Devices;

static void clear_name(gpointer data)
{
	g_free(((HidName *)data)->name);
}

static unsigned entry_size(const FaultTable *t, size_t at)
{
	unsigned type = fault_table_u8(t, at);
	if (type < 0x80)
		return 4u << (type >> 6);
	if (type == ENTRY_ACPI_HID && at + ACPI_HID_SIZE <= t->len)
		return ACPI_HID_SIZE + fault_table_u8(t, at + 21);
	return 0;
}

static void take_hid(const FaultTable *t, size_t at, unsigned segment, Devices *devices)
{
	g_autofree char *hid = fault_table_text(t, at + 4, 8), *uid = NULL;
	unsigned format = fault_table_u8(t, at + 20), len = fault_table_u8(t, at + 21);
	if (format == 2)
		uid = fault_table_text(t, at + ACPI_HID_SIZE, len);
	else if (format == 1 && len == 8)
		uid = g_strdup_printf("%" G_GUINT64_FORMAT, fault_table_u64(t, at + ACPI_HID_SIZE));
	HidName n = {.segment = segment,
		     .id = fault_table_u16(t, at + 1),
		     .name = uid && *uid ? g_strdup_printf("%s:%s", hid, uid) : g_strdup(hid)};
	g_array_append_val(devices->names, n);
}

/* An IOMMU's block: for the names and aliases of its devices. */
static bool read_ivhd(const FaultTable *t, Devices *devices, GError **error)
{
	unsigned type = fault_table_u8(t, 0);
	size_t at = type == 0x10 ? 24 : 40;
	if (t->len < at)
		return fault_table_bad(t, 0, "an IVHD shorter than its header", error);
	unsigned segment = fault_table_u16(t, 16);
	while (at < t->len) {
		unsigned size = entry_size(t, at);
		if (!size)
			return fault_table_bad(t, at, "a device entry of an unknown type", error);
		if (size > t->len - at)
			return fault_table_bad(t, at, "a device entry beyond its IVHD", error);
		unsigned entry = fault_table_u8(t, at);
		if (entry == ENTRY_ALIAS) {
			Alias a = {segment, fault_table_u16(t, at + 1), fault_table_u16(t, at + 5)};
			g_array_append_val(devices->aliases, a);
		} else if (entry == ENTRY_ACPI_HID) {
			take_hid(t, at, segment, devices);
		}
		at += size;
	}
	return true;
}

static char *owner_name(unsigned segment, unsigned id, const Devices *devices)
{
	g_autofree char *device = fault_format_device(segment, id >> 8, id >> 3 & 0x1f, id & 7);
	for (guint i = 0; i < devices->names->len; i++) {
		const HidName *n = &g_array_index(devices->names, HidName, i);
		if (n->segment == segment && n->id == id)
			return g_strdup_printf("%s (%s)", device, n->name);
	}
	return g_steal_pointer(&device);
}

static void add_owners(FaultRegion *region, unsigned segment, unsigned first, unsigned last,
		       const Devices *devices)
{
	char *name;
	if (first == 0 && last == ALL_DEVICES) {
		name = g_strdup("all devices");
	} else if (first == last) {
		name = owner_name(segment, first, devices);
	} else {
		g_autofree char *from = owner_name(segment, first, devices);
		g_autofree char *to = owner_name(segment, last, devices);
		name = g_strdup_printf("%s to %s", from, to);
	}
	fault_region_add_owner(region, segment, first, last, false, name);
	/* DMA that comes under another id is mapped for that id too. */
	for (guint i = 0; first == last && i < devices->aliases->len; i++) {
		const Alias *a = &g_array_index(devices->aliases, Alias, i);
		if (a->segment == segment && a->id == first && a->alias != first)
			fault_region_add_owner(region, segment, a->alias, a->alias, false,
					       owner_name(segment, a->alias, devices));
	}
}

static bool read_ivmd(const FaultTable *t, const Devices *devices, GPtrArray *regions,
		      GError **error)
{
	if (t->len < IVMD_SIZE)
		return fault_table_bad(t, 0, "an IVMD shorter than 32 bytes", error);
	unsigned type = fault_table_u8(t, 0), flags = fault_table_u8(t, 1);
	unsigned first = fault_table_u16(t, 4), last = first;
	uint64_t start = fault_table_u64(t, 16), length = fault_table_u64(t, 24);
	if (!length || length - 1 > G_MAXUINT64 - start)
		return fault_table_bad(t, 0, "an IVMD with a length that is not possible", error);
	if (type == 0x20) {
		first = 0;
		last = ALL_DEVICES;
	} else if (type == 0x22) {
		last = fault_table_u16(t, 6);
		if (last < first)
			return fault_table_bad(t, 0, "an IVMD whose devices end before they begin",
					       error);
	}
	FaultRegion *region = fault_region_new(flags & 8   ? FAULT_REGION_EXCLUSION
					       : flags & 1 ? FAULT_REGION_UNITY
							   : FAULT_REGION_OTHER,
					       start, start + length - 1);
	region->readable = flags & 2;
	region->writable = flags & 4;
	add_owners(region, fault_table_u16(t, 8), first, last, devices);
	g_ptr_array_add(regions, region);
	return true;
}

static bool is_ivhd(unsigned type)
{
	return type == 0x10 || type == 0x11 || type == 0x40;
}

static bool is_ivmd(unsigned type)
{
	return type >= 0x20 && type <= 0x22;
}

/* Names come first: an IVMD may stand before the IVHD that names its device. */
static bool walk(const FaultTable *t, bool names, Devices *devices, GPtrArray *regions,
		 GError **error)
{
	for (size_t at = HEADER; at < t->len;) {
		if (t->len - at < 4)
			return fault_table_bad(t, at, "less than a structure is left", error);
		unsigned type = fault_table_u8(t, at);
		size_t len = fault_table_u16(t, at + 2);
		if (len < 4 || len > t->len - at)
			return fault_table_bad(t, at, "its length goes beyond the table", error);
		FaultTable part = {t->at + at, len, t->name, t->base + at};
		if (names && is_ivhd(type) && !read_ivhd(&part, devices, error))
			return false;
		if (!names && is_ivmd(type) && !read_ivmd(&part, devices, regions, error))
			return false;
		at += len;
	}
	return true;
}

bool fault_regions_read_ivrs(const FaultTable *t, GPtrArray *regions, GError **error)
{
	if (t->len < HEADER)
		return fault_table_bad(t, 0, "an IVRS shorter than its header", error);
	Devices devices = {.names = g_array_new(FALSE, FALSE, sizeof(HidName)),
			   .aliases = g_array_new(FALSE, FALSE, sizeof(Alias))};
	g_array_set_clear_func(devices.names, clear_name);
	bool ok =
		walk(t, true, &devices, regions, error) && walk(t, false, &devices, regions, error);
	g_array_unref(devices.names);
	g_array_unref(devices.aliases);
	return ok;
}
