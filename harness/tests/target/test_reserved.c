/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Regions that are added to a machine's own tables, read back by those who read tables of firmware;
 * and the order of phases. */
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "base/fs.h"
#include "iommu/regions.h"
#include "target/phase.h"
#include "target/reserved.h"

static char *folder;

static int make_folder(void **state)
{
	folder = g_dir_make_tmp("kexsect-reserved-XXXXXX", NULL);
	return folder ? 0 : -1;
}

static int remove_folder(void **state)
{
	kx_remove_tree(folder, NULL);
	g_free(folder);
	return 0;
}

static void seal(guint8 *t, guint8 len)
{
	t[4] = len;
	t[9] = 0;
	guint8 sum = 0;
	for (guint i = 0; i < len; i++)
		sum = (guint8)(sum + t[i]);
	t[9] = (guint8)-sum;
}

static void save(const char *name, guint8 *t, guint8 len)
{
	g_autofree char *path = g_build_filename(folder, name, NULL);
	seal(t, len);
	assert_true(kx_write_file(path, (const char *)t, len, NULL));
}

/* With an IVHD of 24 bytes and no entries. */
static void save_ivrs(void)
{
	guint8 t[72] = "IVRS";
	t[24] = 1; /* OEM revision */
	t[48] = 0x10;
	t[50] = 24;
	save("IVRS.aml", t, sizeof(t));
}

/* A DRHD for all devices, and an ATSR behind it. */
static void save_dmar(void)
{
	guint8 t[72] = "DMAR";
	t[48 + 2] = 16;
	t[48 + 4] = 1;
	t[64] = 2;
	t[64 + 2] = 8;
	save("DMAR.aml", t, sizeof(t));
}

static void clear(void)
{
	static const char *const names[] = {"IVRS.aml", "DMAR.aml", "ivrs-reserved.aml",
					    "dmar-reserved.aml"};
	for (gsize i = 0; i < G_N_ELEMENTS(names); i++) {
		g_autofree char *path = g_build_filename(folder, names[i], NULL);
		remove(path);
	}
}

static const TargetReserved wanted[] = {
	{.device = (char *)"00:02.0", .start = 0x1ffde000, .length = 0x22000},
	{.device = (char *)"05:1f.7", .start = 0xe0000, .length = 0x10000},
};

static const FaultRegion *nth(const FaultRegions *r, guint i)
{
	const GPtrArray *all = fault_regions_list(r);
	assert_true(i < all->len);
	return all->pdata[i];
}

static FaultRegions *extend_and_read(gsize *ret_len)
{
	g_autofree char *path = NULL;
	g_autoptr(GError) e = NULL;
	if (!reserved_extend(folder, wanted, 2, folder, &path, &e))
		fail_msg("%s", e->message);
	g_autofree char *data = kx_read_file(path, 65536, ret_len, NULL);
	FaultRegions *r = fault_regions_new();
	/* its checksum too */
	if (!fault_regions_add_table(r, data, *ret_len, path, &e))
		fail_msg("%s", e->message);
	assert_int_equal((guint8)data[25], 1); /* OEM revision 0x100 higher */
	return r;
}

static void expect_both(const FaultRegions *r, FaultRegionKind kind)
{
	assert_int_equal(fault_regions_list(r)->len, 2);
	assert_int_equal(nth(r, 0)->kind, kind);
	assert_int_equal(nth(r, 0)->start, 0x1ffde000);
	assert_int_equal(nth(r, 0)->end, 0x1fffffff);
	assert_string_equal(g_array_index(nth(r, 0)->owners, FaultRegionOwner, 0).name,
			    "0000:00:02.0");
	assert_true(nth(r, 1)->readable && nth(r, 1)->writable);
	assert_int_equal(nth(r, 1)->end, 0xeffff);
	assert_string_equal(g_array_index(nth(r, 1)->owners, FaultRegionOwner, 0).name,
			    "0000:05:1f.7");
}

static void test_ivrs(void **state)
{
	gsize len;
	clear();
	save_ivrs();
	g_autoptr(FaultRegions) r = extend_and_read(&len);
	assert_int_equal(len, 72 + 2 * 32);
	expect_both(r, FAULT_REGION_UNITY);
	TargetReserved excluded = wanted[0];
	excluded.kind = RESERVED_EXCLUSION;
	g_autofree char *path = NULL;
	assert_true(reserved_extend(folder, &excluded, 1, folder, &path, NULL));
	g_autoptr(FaultRegions) x = fault_regions_new();
	assert_true(fault_regions_add_path(x, path, NULL));
	assert_int_equal(nth(x, 0)->kind, FAULT_REGION_EXCLUSION);
}

static void test_dmar(void **state)
{
	gsize len;
	clear();
	save_dmar();
	g_autoptr(FaultRegions) r = extend_and_read(&len);
	assert_int_equal(len, 72 + 2 * 32);
	expect_both(r, FAULT_REGION_RMRR);
	/* in front of the ATSR */
	g_autofree char *path = g_build_filename(folder, "dmar-reserved.aml", NULL);
	g_autofree char *data = kx_read_file(path, 65536, NULL, NULL);
	assert_int_equal(data[64], 1);
	assert_int_equal(data[64 + 64], 2);
}

static void test_refused(void **state)
{
	g_autoptr(GError) none = NULL, damaged = NULL, exclusion = NULL;
	g_autofree char *path = NULL;
	clear();
	assert_false(reserved_extend(folder, wanted, 2, folder, &path, &none));
	assert_non_null(strstr(none->message, "neither IVRS nor DMAR"));
	g_autofree char *ivrs = g_build_filename(folder, "IVRS.aml", NULL);
	assert_true(kx_write_file(ivrs, "IVRS....but short of its header and length, is it not?",
				  -1, NULL));
	assert_false(reserved_extend(folder, wanted, 2, folder, &path, &damaged));
	assert_non_null(strstr(damaged->message, "no whole ACPI table"));
	clear();
	save_dmar();
	TargetReserved excluded = wanted[0];
	excluded.kind = RESERVED_EXCLUSION;
	assert_false(reserved_extend(folder, &excluded, 1, folder, &path, &exclusion));
	assert_non_null(strstr(exclusion->message, "exclusion"));
	assert_null(path);
}

/* Each phase once in any `steps` boots in a row; the first few spread over the period. */
static void test_phases(void **state)
{
	for (unsigned steps = 1; steps <= 70; steps++)
		for (unsigned from = 0; from < 5; from++) {
			g_autofree bool *seen = g_new0(bool, steps);
			for (unsigned k = from; k < from + steps; k++) {
				unsigned s = phase_step(k, steps);
				assert_true(s < steps && !seen[s]);
				seen[s] = true;
			}
		}
	assert_int_equal(phase_step(0, 16), 0);
	assert_int_equal(phase_step(1, 16), 8);
	assert_int_equal(phase_step(2, 16), 4);
	assert_int_equal(phase_step(3, 16), 12);
	assert_int_equal(phase_step(16, 16), 0);
	/* no gap above 1/4 of the period after 8 boots */
	for (unsigned steps = 8; steps < 100; steps++) {
		unsigned best = steps;
		for (unsigned at = 0; at < steps; at++) {
			unsigned gap = steps;
			for (unsigned k = 0; k < 8; k++)
				gap = MIN(gap, (phase_step(k, steps) + steps - at) % steps);
			best = at ? MAX(best, gap) : gap;
		}
		assert_true(best <= steps / 4);
	}
	assert_int_equal(phase_us(0, 16, 1000), 0);
	assert_int_equal(phase_us(15, 16, 1000), 937);
	assert_int_equal(phase_us(4095, 4096, 1000000), 999755);
}

/* What a firmware checks of it, and that a longer delay is more turns of its loop. */
static void test_rom(void **state)
{
	g_autofree char *path = g_build_filename(folder, "phase.rom", NULL);
	guint32 turns[2];
	for (unsigned i = 0; i < 2; i++) {
		gsize len;
		guint8 sum = 0;
		assert_true(phase_rom_write(path, i * 500, 3, NULL));
		g_autofree char *rom = kx_read_file(path, 4096, &len, NULL);
		assert_int_equal(len, 512);
		assert_memory_equal(rom, "\x55\xaa\x01", 3);
		for (gsize b = 0; b < len; b++)
			sum = (guint8)(sum + (guint8)rom[b]);
		assert_int_equal(sum, 0);
		memcpy(&turns[i], rom + 7, 4);
	}
	assert_int_equal(GUINT32_FROM_LE(turns[0]), 1);
	/* 500 µs of 8 ns an instruction, two of them a turn */
	assert_int_equal(GUINT32_FROM_LE(turns[1]), 1 + 500000 / 16);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_ivrs),	cmocka_unit_test(test_dmar),
		cmocka_unit_test(test_refused), cmocka_unit_test(test_phases),
		cmocka_unit_test(test_rom),
	};
	return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
