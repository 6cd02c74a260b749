/* SPDX-License-Identifier: GPL-2.0-or-later */
/* IVMD: AMD I/O Virtualization Technology Specification (48882), 5.2.2.2. RMRR: Intel VT-d
 * specification, 8.4. What Linux reads of them: drivers/iommu/amd/init.c,
 * drivers/iommu/intel/dmar.c. */
#include "target/reserved.h"

#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "base/fs.h"

#define MAX_TABLE (1u << 20)
#define HEADER 48 /* of both: the ACPI header and 12 bytes */
#define REVISION 24
#define CHECKSUM 9

static void put(GByteArray *a, guint64 value, unsigned bytes)
{
	guint64 le = GUINT64_TO_LE(value);
	g_byte_array_append(a, (const guint8 *)&le, bytes);
}

static guint32 get32(const GByteArray *a, guint at)
{
	guint32 le;
	memcpy(&le, a->data + at, sizeof(le));
	return GUINT32_FROM_LE(le);
}

static void set32(GByteArray *a, guint at, guint32 value)
{
	guint32 le = GUINT32_TO_LE(value);
	memcpy(a->data + at, &le, sizeof(le));
}

static bool refuse(GError **error, const char *path, const char *what)
{
	g_set_error(error, KX_ERROR, KX_ERROR_INPUT, "%s: %s", path, what);
	return false;
}

/* The config was checked: bb:dd.f. */
static void device_of(const TargetReserved *r, unsigned *ret_bus, unsigned *ret_slot,
		      unsigned *ret_function)
{
	*ret_bus = *ret_slot = *ret_function = 0;
	sscanf(r->device, "%2x:%2x.%1x", ret_bus, ret_slot, ret_function);
}

static void put_ivmd(GByteArray *a, const TargetReserved *r)
{
	unsigned bus, slot, function;
	device_of(r, &bus, &slot, &function);
	put(a, 0x21, 1); /* for one device */
	/* unity map 1, may be read 2, written 4; exclusion range 8 */
	put(a, r->kind == RESERVED_EXCLUSION ? 8 : 7, 1);
	put(a, 32, 2);
	put(a, bus << 8 | slot << 3 | function, 2);
	put(a, 0, 2);
	put(a, 0, 8);
	put(a, r->start, 8);
	put(a, r->length, 8);
}

static void put_rmrr(GByteArray *a, const TargetReserved *r)
{
	unsigned bus, slot, function;
	device_of(r, &bus, &slot, &function);
	put(a, 1, 2);
	put(a, 32, 2);
	put(a, 0, 2);
	put(a, 0, 2); /* PCI segment */
	put(a, r->start, 8);
	put(a, r->start + r->length - 1, 8);
	put(a, 1, 1); /* device scope: an endpoint */
	put(a, 8, 1);
	put(a, 0, 3);
	put(a, bus, 1);
	put(a, slot, 1);
	put(a, function, 1);
}

/* Where the first structure behind DRHD (0) and RMRR (1) begins: they come in the order of types.
 */
static guint end_of_rmrrs(const GByteArray *t)
{
	guint at = HEADER;
	while (at + 4 <= t->len) {
		guint type = t->data[at] | t->data[at + 1] << 8;
		guint len = t->data[at + 2] | t->data[at + 3] << 8;
		if (type > 1 || len < 4 || len > t->len - at)
			break;
		at += len;
	}
	return at;
}

static GByteArray *load(const char *path, const char *signature, GError **error)
{
	gsize len;
	char *data = kx_read_file(path, MAX_TABLE, &len, error);
	if (!data)
		return NULL;
	GByteArray *t = g_byte_array_new_take((guint8 *)data, len);
	if (len >= HEADER && memcmp(data, signature, 4) == 0 && get32(t, 4) == len)
		return t;
	refuse(error, path, "is no whole ACPI table of its name");
	g_byte_array_unref(t);
	return NULL;
}

static void seal(GByteArray *t)
{
	guint8 sum = 0;
	set32(t, 4, t->len);
	set32(t, REVISION, get32(t, REVISION) + 0x100);
	t->data[CHECKSUM] = 0;
	for (guint i = 0; i < t->len; i++)
		sum = (guint8)(sum + t->data[i]);
	t->data[CHECKSUM] = (guint8)-sum;
}

/* A new table. */
static GByteArray *extended(const GByteArray *t, bool dmar, const TargetReserved *regions,
			    unsigned count)
{
	GByteArray *out = g_byte_array_new();
	guint at = dmar ? end_of_rmrrs(t) : t->len;
	g_byte_array_append(out, t->data, at);
	for (unsigned i = 0; i < count; i++)
		dmar ? put_rmrr(out, &regions[i]) : put_ivmd(out, &regions[i]);
	g_byte_array_append(out, t->data + at, t->len - at);
	seal(out);
	return out;
}

bool reserved_extend(const char *acpi, const TargetReserved *regions, unsigned count,
		     const char *folder, char **ret_path, GError **error)
{
	g_autofree char *ivrs = g_build_filename(acpi, "IVRS.aml", NULL);
	g_autofree char *dmar = g_build_filename(acpi, "DMAR.aml", NULL);
	bool is_dmar = !g_file_test(ivrs, G_FILE_TEST_EXISTS);
	if (is_dmar && !g_file_test(dmar, G_FILE_TEST_EXISTS))
		return refuse(error, acpi,
			      "the machine has neither IVRS nor DMAR that regions could be added "
			      "to: is there an IOMMU in vm.qemu_args?");
	for (unsigned i = 0; is_dmar && i < count; i++)
		if (regions[i].kind == RESERVED_EXCLUSION)
			return refuse(error, dmar, "DMAR knows no exclusion ranges");
	g_autoptr(GByteArray) t = load(is_dmar ? dmar : ivrs, is_dmar ? "DMAR" : "IVRS", error);
	if (!t)
		return false;
	g_autoptr(GByteArray) out = extended(t, is_dmar, regions, count);
	g_autofree char *path =
		g_build_filename(folder, is_dmar ? "dmar-reserved.aml" : "ivrs-reserved.aml", NULL);
	if (!kx_write_file(path, (const char *)out->data, (gssize)out->len, error))
		return false;
	*ret_path = g_steal_pointer(&path);
	return true;
}
