/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "iommu/regions.h"

#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "base/fs.h"
#include "iommu/regions-internal.h"

/* A DMAR or IVRS of a big server has some KiB. */
#define MAX_TABLE (1 << 20)
#define MAX_FILES 4096

struct FaultRegions {
	GPtrArray *list;
};

unsigned fault_table_u8(const FaultTable *t, size_t at)
{
	g_assert(at < t->len);
	return t->at[at];
}

unsigned fault_table_u16(const FaultTable *t, size_t at)
{
	return fault_table_u8(t, at) | fault_table_u8(t, at + 1) << 8;
}

uint64_t fault_table_u64(const FaultTable *t, size_t at)
{
	uint64_t n = 0;
	for (unsigned i = 8; i-- > 0;)
		n = n << 8 | fault_table_u8(t, at + i);
	return n;
}

bool fault_table_bad(const FaultTable *t, size_t at, const char *what, GError **error)
{
	g_set_error(error, KX_ERROR, KX_ERROR_INPUT, "%s: structure at offset %zu: %s", t->name,
		    t->base + at, what);
	return false;
}

char *fault_table_text(const FaultTable *t, size_t at, size_t len)
{
	GString *s = g_string_new(NULL);
	for (size_t i = 0; i < len && at + i < t->len && t->at[at + i]; i++)
		g_string_append_c(s,
				  g_ascii_isprint((char)t->at[at + i]) ? (char)t->at[at + i] : '?');
	return g_strchomp(g_string_free(s, FALSE));
}

static void clear_owner(gpointer data)
{
	g_free(((FaultRegionOwner *)data)->name);
}

FaultRegion *fault_region_new(FaultRegionKind kind, uint64_t start, uint64_t end)
{
	FaultRegion *region = g_new0(FaultRegion, 1);
	region->kind = kind;
	region->start = start;
	region->end = end;
	region->owners = g_array_new(FALSE, FALSE, sizeof(FaultRegionOwner));
	g_array_set_clear_func(region->owners, clear_owner);
	return region;
}

void fault_region_free(FaultRegion *region)
{
	if (!region)
		return;
	g_array_unref(region->owners);
	g_free(region);
}

void fault_region_add_owner(FaultRegion *region, unsigned segment, unsigned first, unsigned last,
			    bool below, char *name)
{
	FaultRegionOwner o = {segment, first, last, below, name};
	g_array_append_val(region->owners, o);
}

FaultRegions *fault_regions_new(void)
{
	FaultRegions *r = g_new0(FaultRegions, 1);
	r->list = g_ptr_array_new_with_free_func((GDestroyNotify)fault_region_free);
	return r;
}

void fault_regions_free(FaultRegions *r)
{
	if (!r)
		return;
	g_ptr_array_unref(r->list);
	g_free(r);
}

const GPtrArray *fault_regions_list(const FaultRegions *r)
{
	return r->list;
}

static bool check_header(FaultTable *t, GError **error)
{
	if (t->len < 36)
		return fault_table_bad(t, 0, "shorter than an ACPI header", error);
	size_t len = fault_table_u16(t, 4) | (size_t)fault_table_u16(t, 6) << 16;
	if (len < 36 || len > t->len)
		return fault_table_bad(t, 0, "truncated: its header says another length", error);
	t->len = len;
	unsigned char sum = 0;
	for (size_t i = 0; i < len; i++)
		sum = (unsigned char)(sum + t->at[i]);
	return sum == 0 || fault_table_bad(t, 0, "its checksum is wrong", error);
}

bool fault_regions_add_table(FaultRegions *r, const void *table, size_t len, const char *name,
			     GError **error)
{
	FaultTable t = {table, len, name, 0};
	bool ivrs = len >= 4 && memcmp(table, "IVRS", 4) == 0;
	bool dmar = len >= 4 && memcmp(table, "DMAR", 4) == 0;
	if (!ivrs && !dmar)
		return true;
	if (!check_header(&t, error))
		return false;
	g_autoptr(GPtrArray) found =
		g_ptr_array_new_with_free_func((GDestroyNotify)fault_region_free);
	if (!(ivrs ? fault_regions_read_ivrs : fault_regions_read_dmar)(&t, found, error))
		return false;
	g_ptr_array_extend_and_steal(r->list, g_steal_pointer(&found));
	return true;
}

static bool add_file(FaultRegions *r, const char *path, GError **error)
{
	size_t len;
	g_autofree char *table = kx_read_file(path, MAX_TABLE, &len, error);
	return table && fault_regions_add_table(r, table, len, path, error);
}

/* "DMAR", "IVRS2.aml": other tables can be large and are not even read. */
static bool is_ours(const char *name)
{
	return g_str_has_prefix(name, "DMAR") || g_str_has_prefix(name, "IVRS");
}

bool fault_regions_add_path(FaultRegions *r, const char *path, GError **error)
{
	if (!g_file_test(path, G_FILE_TEST_IS_DIR))
		return add_file(r, path, error);
	g_autoptr(GDir) dir = g_dir_open(path, 0, error);
	if (!dir)
		return false;
	const char *name;
	for (unsigned n = 0; (name = g_dir_read_name(dir)) && n < MAX_FILES; n++) {
		g_autofree char *file = g_build_filename(path, name, NULL);
		if (is_ours(name) && g_file_test(file, G_FILE_TEST_IS_REGULAR) &&
		    !add_file(r, file, error))
			return false;
	}
	return true;
}

/* ---- whose ---- */

typedef enum { STRANGER, MAYBE, OWN } Relation;

static bool parse_device(const char *text, unsigned *ret_segment, unsigned *ret_id)
{
	unsigned segment, bus, dev, fn;
	if (!text || sscanf(text, "%x:%x:%x.%x", &segment, &bus, &dev, &fn) != 4)
		return false;
	*ret_segment = segment;
	*ret_id = bus << 8 | dev << 3 | fn;
	return true;
}

static Relation relation(const FaultRegion *region, const Fault *f)
{
	unsigned segment, id;
	Relation best = STRANGER;
	if (!parse_device(f->device, &segment, &id))
		return MAYBE;
	for (guint i = 0; i < region->owners->len; i++) {
		const FaultRegionOwner *o = &g_array_index(region->owners, FaultRegionOwner, i);
		if (o->segment != segment)
			continue;
		if (!o->below && id >= o->first && id <= o->last)
			return OWN;
		/* Somewhere behind a bridge: on a bus with a higher number. */
		if (o->below && (id >> 8 > o->first >> 8 || id == o->first))
			best = MAYBE;
	}
	return best;
}

static char *describe(const FaultRegion *region, Relation r)
{
	static const char *const kinds[] = {"unity map", "exclusion range", "RMRR", "IVMD"};
	static const char *const relations[] = {", not this device's", ", perhaps this device's",
						""};
	GString *s = g_string_new(kinds[region->kind]);
	g_string_append_printf(s, " 0x%llx-0x%llx of", (unsigned long long)region->start,
			       (unsigned long long)region->end);
	for (guint i = 0; i < region->owners->len; i++)
		g_string_append_printf(s, "%s %s", i ? "," : "",
				       g_array_index(region->owners, FaultRegionOwner, i).name);
	g_string_append(s, relations[r]);
	return g_string_free(s, FALSE);
}

bool fault_regions_find(const FaultRegions *r, Fault *f)
{
	const FaultRegion *best = NULL;
	Relation how = STRANGER;
	if (!f->has_address || f->access == FAULT_ACCESS_INTERRUPT)
		return false;
	/* VT-d records pages only: an address without an offset stands for its page. */
	uint64_t last = f->address & 0xfff ? f->address : f->address | 0xfff;
	for (guint i = 0; i < r->list->len; i++) {
		const FaultRegion *region = g_ptr_array_index(r->list, i);
		if (last < region->start || f->address > region->end)
			continue;
		Relation now = relation(region, f);
		if (!best || now > how) {
			best = region;
			how = now;
		}
	}
	if (!best)
		return false;
	g_free(f->region);
	f->region = describe(best, how);
	return true;
}
