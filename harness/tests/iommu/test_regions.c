/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Reserved regions of ACPI tables, as firmware writes them and as nobody should. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "iommu/regions.h"

static void put(GByteArray *t, uint64_t n, unsigned bytes)
{
	for (; bytes--; n >>= 8) {
		guint8 b = (guint8)n;
		g_byte_array_append(t, &b, 1);
	}
}

static void put_text(GByteArray *t, const char *text, unsigned bytes)
{
	guint8 field[64] = {0};
	memcpy(field, text, MIN(strlen(text), bytes));
	g_byte_array_append(t, field, bytes);
}

static GByteArray *table_new(const char *signature)
{
	GByteArray *t = g_byte_array_new();
	put_text(t, signature, 4);
	put(t, 0, 4); /* length, below */
	put(t, 1, 2);
	put_text(t, "KEXSCT", 6);
	put_text(t, "TEST", 8);
	put(t, 1, 4);
	put_text(t, "TEST", 4);
	put(t, 1, 4);
	put(t, 0, 12); /* flags and reserved bytes of both tables */
	return t;
}

static void finish(GByteArray *t)
{
	unsigned char sum = 0;
	for (unsigned i = 0; i < 4; i++)
		t->data[4 + i] = (guint8)(t->len >> 8 * i);
	t->data[9] = 0;
	for (guint i = 0; i < t->len; i++)
		sum = (unsigned char)(sum + t->data[i]);
	t->data[9] = (guint8)-sum;
}

static void put_ivmd(GByteArray *t, unsigned type, unsigned flags, unsigned first, unsigned last,
		     uint64_t start, uint64_t length)
{
	put(t, type, 1);
	put(t, flags, 1);
	put(t, 32, 2);
	put(t, first, 2);
	put(t, last, 2);
	put(t, 0, 8);
	put(t, start, 8);
	put(t, length, 8);
}

/* An IVHD with a normal device, an alias and an ACPI device; then all kinds of IVMD. */
static GByteArray *ivrs(void)
{
	GByteArray *t = table_new("IVRS");
	put_ivmd(t, 0x21, 7, 0x00a5, 0, 0x3f000000, 0x100000); /* 00:14.5, before its name */
	put(t, 0x40, 1);
	put(t, 0, 1);
	put(t, 40 + 4 + 8 + 22 + 4, 2);
	put(t, 2, 2);
	put(t, 0x40, 2);
	put(t, 0xfd200000, 8);
	put(t, 0, 24); /* segment, info, features */
	put(t, 2, 1);  /* one device */
	put(t, 0x0010, 2);
	put(t, 0, 1);
	put(t, 66, 1); /* alias: 01:00.0 appears as 00:13.0 */
	put(t, 0x0100, 2);
	put(t, 0, 2);
	put(t, 0x0098, 2);
	put(t, 0, 1);
	put(t, 240, 1); /* ACPI */
	put(t, 0x00a5, 2);
	put(t, 0x40, 1);
	put_text(t, "AMDI0020", 8);
	put(t, 0, 8);
	put(t, 2, 1);
	put(t, 4, 1);
	put_text(t, "\\_SB", 4);
	put_ivmd(t, 0x20, 8, 0, 0, 0xfee00000, 0x100000);	   /* exclusion for all */
	put_ivmd(t, 0x22, 5, 0x0090, 0x0097, 0x1ffde000, 0x22000); /* 00:12.0 to 00:12.7 */
	put_ivmd(t, 0x21, 3, 0x0100, 0, 0xe0000, 0x10000);	   /* 01:00.0 */
	finish(t);
	return t;
}

static GByteArray *dmar(void)
{
	GByteArray *t = table_new("DMAR");
	put(t, 0, 2); /* DRHD */
	put(t, 16, 2);
	put(t, 0, 12);
	put(t, 1, 2); /* RMRR of an endpoint and of what is behind a bridge */
	put(t, 24 + 8 + 8 + 10, 2);
	put(t, 0, 4);
	put(t, 0x1ffde000, 8);
	put(t, 0x1fffffff, 8);
	put(t, 0x0801, 4); /* endpoint, 8 bytes */
	put(t, 0x02000000, 4);
	t->data[t->len - 4] = 0;
	t->data[t->len - 3] = 0; /* bus 0 */
	t->data[t->len - 2] = 2;
	t->data[t->len - 1] = 0;
	put(t, 2 | 8 << 8, 4); /* bridge 00:1c.0 */
	put(t, 0, 2);
	put(t, 0x1c, 2);
	put(t, 1 | 10 << 8, 4); /* 00:1d.0/03.1 */
	put(t, 0, 2);
	put(t, 0x1d, 2);
	put(t, 0x0103, 2);
	put(t, 1, 2); /* RMRR of an ACPI device */
	put(t, 24 + 8, 2);
	put(t, 0, 4);
	put(t, 0x7f000000, 8);
	put(t, 0x7f0fffff, 8);
	put(t, 5 | 8 << 8, 4);
	put(t, 7, 1); /* its number */
	put(t, 0, 1);
	put(t, 0x15, 2);
	put(t, 4, 2); /* ANDD */
	put(t, 8 + 15, 2);
	put(t, 0, 3);
	put(t, 7, 1);
	put_text(t, "\\_SB.PCI0.I2C1", 15);
	finish(t);
	return t;
}

static char *region_of(const FaultRegions *r, const char *device, uint64_t address)
{
	Fault f = {.device = (char *)device, .has_address = true, .address = address};
	fault_regions_find(r, &f);
	return f.region;
}

static void expect_region(const FaultRegions *r, const char *device, uint64_t address,
			  const char *want)
{
	g_autofree char *got = region_of(r, device, address);
	if (g_strcmp0(got, want) != 0)
		fail_msg("%s at 0x%llx: '%s' instead of '%s'", device, (unsigned long long)address,
			 got ? got : "NULL", want ? want : "NULL");
}

static void test_ivrs(void **state)
{
	(void)state;
	g_autoptr(FaultRegions) r = fault_regions_new();
	g_autoptr(GByteArray) t = ivrs();
	g_autoptr(GError) error = NULL;
	if (!fault_regions_add_table(r, t->data, t->len, "IVRS", &error))
		fail_msg("%s", error->message);
	assert_int_equal(fault_regions_list(r)->len, 4);
	expect_region(r, "0000:00:14.5", 0x3f000000,
		      "unity map 0x3f000000-0x3f0fffff of 0000:00:14.5 (AMDI0020:\\_SB)");
	expect_region(r, "0000:00:14.6", 0x3f0fffff,
		      "unity map 0x3f000000-0x3f0fffff of 0000:00:14.5 (AMDI0020:\\_SB), not this "
		      "device's");
	expect_region(r, "0000:00:14.5", 0x3f100000, NULL);
	expect_region(r, "0000:05:00.0", 0xfee00000,
		      "exclusion range 0xfee00000-0xfeefffff of all devices");
	expect_region(r, "0000:00:12.7", 0x1ffff123,
		      "unity map 0x1ffde000-0x1fffffff of 0000:00:12.0 to 0000:00:12.7");
	expect_region(r, "0000:00:13.0", 0xe8220,
		      "unity map 0xe0000-0xeffff of 0000:01:00.0, 0000:00:13.0");
	const FaultRegion *last = g_ptr_array_index(fault_regions_list(r), 3);
	assert_true(last->readable && !last->writable);
}

static void test_dmar(void **state)
{
	(void)state;
	g_autoptr(FaultRegions) r = fault_regions_new();
	g_autoptr(GByteArray) t = dmar();
	g_autoptr(GError) error = NULL;
	if (!fault_regions_add_table(r, t->data, t->len, "DMAR", &error))
		fail_msg("%s", error->message);
	static const char region[] = "RMRR 0x1ffde000-0x1fffffff of 0000:00:02.0, 0000:00:1c.0 and "
				     "what is behind it, 0000:00:1d.0/03.1";
	g_autofree char *perhaps = g_strconcat(region, ", perhaps this device's", NULL);
	g_autofree char *strange = g_strconcat(region, ", not this device's", NULL);
	expect_region(r, "0000:00:02.0", 0x1ffde000, region);
	expect_region(r, "0000:02:00.0", 0x1ffde000, perhaps);
	expect_region(r, "0000:00:03.0", 0x1ffde000, strange);
	expect_region(r, "0001:00:02.0", 0x1ffde000, strange);
	expect_region(r, "0000:00:02.0", 0x20000000, NULL);
	expect_region(r, "0000:00:15.0", 0x7f012345,
		      "RMRR 0x7f000000-0x7f0fffff of 0000:00:15.0 (\\_SB.PCI0.I2C1)");
}

static bool add(const GByteArray *t, guint len, GError **error)
{
	g_autoptr(FaultRegions) r = fault_regions_new();
	/* a copy of exactly that size, so that a read behind it is seen */
	g_autofree guint8 *copy = g_memdup2(t->data, len ? len : 1);
	bool ok = fault_regions_add_table(r, copy, len, "table", error);
	if (!ok)
		assert_int_equal(fault_regions_list(r)->len, 0);
	return ok;
}

static void test_truncated(void **state)
{
	(void)state;
	GByteArray *(*const tables[])(void) = {ivrs, dmar};
	for (size_t i = 0; i < G_N_ELEMENTS(tables); i++) {
		g_autoptr(GByteArray) t = tables[i]();
		assert_true(add(t, t->len, NULL));
		for (guint len = 4; len < t->len; len++) {
			g_autoptr(GError) error = NULL;
			assert_false(add(t, len, &error));
			assert_non_null(strstr(error->message, "table: "));
			/* the same with a header that says so */
			g_autoptr(GByteArray) shorter = g_byte_array_new();
			g_byte_array_append(shorter, t->data, len);
			if (len >= 36) {
				finish(shorter);
				add(shorter, len, NULL);
			}
		}
	}
}

static void test_damaged(void **state)
{
	(void)state;
	g_autoptr(GRand) rand = g_rand_new_with_seed(1122);
	GByteArray *(*const tables[])(void) = {ivrs, dmar};
	unsigned good = 0;
	for (int round = 0; round < 20000; round++) {
		g_autoptr(GByteArray) t = tables[round % 2]();
		for (int n = g_rand_int_range(rand, 1, 6); n > 0; n--)
			t->data[g_rand_int_range(rand, 10, (gint32)t->len)] =
				(guint8)g_rand_int(rand);
		finish(t);
		good += add(t, t->len, NULL);
	}
	assert_true(good > 100 && good < 19000);
}

static void test_bad(void **state)
{
	(void)state;
	g_autoptr(GByteArray) t = ivrs();
	t->data[t->len - 1] ^= 1;
	g_autoptr(GError) error = NULL;
	assert_false(add(t, t->len, &error));
	assert_non_null(strstr(error->message, "checksum"));
	/* other tables are none of ours, whatever they hold */
	g_autoptr(FaultRegions) r = fault_regions_new();
	assert_true(fault_regions_add_table(r, "FACP", 4, "FACP", NULL));
	assert_true(fault_regions_add_table(r, "", 0, "nothing", NULL));
	assert_int_equal(fault_regions_list(r)->len, 0);
	assert_false(fault_regions_add_path(r, "/nonexistent", NULL));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_ivrs),	  cmocka_unit_test(test_dmar),
		cmocka_unit_test(test_truncated), cmocka_unit_test(test_damaged),
		cmocka_unit_test(test_bad),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
