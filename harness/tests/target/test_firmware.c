/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Tables for the firmware, loaded by the rules by which a firmware loads them. */
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "base/fs.h"
#include "target/firmware.h"

#define TABLES_AT 0x1ffe0000u
#define RSDP_AT 0xf52a0u

static char *folder;

static int make_folder(void **state)
{
	folder = g_dir_make_tmp("kexsect-firmware-XXXXXX", NULL);
	g_autofree char *acpi = g_build_filename(folder, "acpi", NULL);
	return folder && kx_mkdir(acpi, NULL) ? 0 : -1;
}

static int remove_folder(void **state)
{
	kx_remove_tree(folder, NULL);
	g_free(folder);
	return 0;
}

static guint8 sum(const guint8 *p, gsize len)
{
	guint8 s = 0;
	while (len--)
		s = (guint8)(s + *p++);
	return s;
}

static guint32 le32(const guint8 *p)
{
	return (guint32)p[0] | (guint32)p[1] << 8 | (guint32)p[2] << 16 | (guint32)p[3] << 24;
}

static void set32(guint8 *p, guint32 n)
{
	for (int i = 0; i < 4; i++)
		p[i] = (guint8)(n >> 8 * i);
}

/* A table with its own byte all over, so that one can be told from another. */
static char *table(const char *name, const char *signature, guint32 len, guint8 fill)
{
	g_autofree guint8 *t = g_malloc0(len);
	memset(t + 36, fill, len - 36);
	memcpy(t, signature, 4);
	set32(t + 4, len);
	memcpy(t + 10, "BOCHS BXPC    ", 14);
	if (strcmp(signature, "FACS") != 0)
		t[9] = (guint8)-sum(t, len);
	char *path = g_build_filename(folder, name, NULL);
	assert_true(kx_write_file(path, (const char *)t, len, NULL));
	return path;
}

static void machine_tables(void)
{
	const struct {
		const char *name, *signature;
		guint32 len;
		guint8 fill;
	} all[] = {{"acpi/APIC.aml", "APIC", 120, 1}, {"acpi/DSDT.aml", "DSDT", 8473, 2},
		   {"acpi/FACP.aml", "FACP", 244, 3}, {"acpi/FACS.aml", "FACS", 64, 4},
		   {"acpi/IVRS.aml", "IVRS", 104, 5}, {"acpi/HPET.aml", "HPET", 56, 6}};
	for (gsize i = 0; i < G_N_ELEMENTS(all); i++)
		g_free(table(all[i].name, all[i].signature, all[i].len, all[i].fill));
}

/* ---- the firmware ---- */

typedef struct {
	guint8 *tables, *rsdp, *loader;
	gsize tables_len, rsdp_len, loader_len;
} Firmware;

static guint8 *read_file(const char *name, gsize *ret_len)
{
	g_autofree char *path = g_build_filename(folder, name, NULL);
	char *data = kx_read_file(path, 1 << 20, ret_len, NULL);
	assert_non_null(data);
	return (guint8 *)data;
}

static guint8 *file_of(const Firmware *f, const guint8 *name, gsize need)
{
	bool tables = strcmp((const char *)name, "etc/acpi/tables") == 0;
	assert_true(tables || strcmp((const char *)name, "etc/acpi/rsdp") == 0);
	assert_true(need <= (tables ? f->tables_len : f->rsdp_len));
	return tables ? f->tables : f->rsdp;
}

static void run_entry(const Firmware *f, const guint8 *e)
{
	guint32 at, start, len;
	guint8 *file;
	switch (le32(e)) {
	case 1:
		file_of(f, e + 4, 0);
		assert_true(le32(e + 60) >= 16);
		break;
	case 2:
		at = le32(e + 116);
		file = file_of(f, e + 4, at + e[120]);
		assert_string_equal((const char *)e + 60, "etc/acpi/tables");
		assert_true(e[120] == 4 || (e[120] == 8 && le32(file + at + 4) == 0));
		assert_true(le32(file + at) < f->tables_len);
		set32(file + at, le32(file + at) + TABLES_AT);
		break;
	case 3:
		at = le32(e + 60);
		start = le32(e + 64);
		len = le32(e + 68);
		file = file_of(f, e + 4, start + len);
		assert_true(at >= start && at < start + len);
		file[at] = (guint8)(file[at] - sum(file + start, len));
		break;
	default:
		fail_msg("command %u", le32(e));
	}
}

static void load(Firmware *f)
{
	f->tables = read_file("tables", &f->tables_len);
	f->rsdp = read_file("rsdp", &f->rsdp_len);
	f->loader = read_file("loader", &f->loader_len);
	assert_int_equal(f->loader_len % 128, 0);
	for (gsize at = 0; at < f->loader_len; at += 128)
		run_entry(f, f->loader + at);
}

static void unload(Firmware *f)
{
	g_free(f->tables);
	g_free(f->rsdp);
	g_free(f->loader);
}

/* The table at a physical address, whole and with a good checksum. */
static const guint8 *at_address(const Firmware *f, guint32 address)
{
	assert_true(address > TABLES_AT && address - TABLES_AT + 8 <= f->tables_len);
	const guint8 *t = f->tables + (address - TABLES_AT);
	guint32 len = le32(t + 4);
	assert_true(address - TABLES_AT + len <= f->tables_len);
	if (memcmp(t, "FACS", 4) != 0)
		assert_int_equal(sum(t, len), 0);
	return t;
}

static const guint8 *find(const Firmware *f, const char *signature, guint *ret_count)
{
	const guint8 *found = NULL;
	assert_memory_equal(f->rsdp, "RSD PTR ", 8);
	assert_int_equal(sum(f->rsdp, 20), 0);
	const guint8 *rsdt = at_address(f, le32(f->rsdp + 16));
	assert_memory_equal(rsdt, "RSDT", 4);
	*ret_count = 0;
	for (guint32 i = 36; i < le32(rsdt + 4); i += 4) {
		const guint8 *t = at_address(f, le32(rsdt + i));
		if (memcmp(t, signature, 4) == 0) {
			found = t;
			++*ret_count;
		}
	}
	return found;
}

static void test_replaced(void **state)
{
	Firmware f = {0};
	guint n;
	machine_tables();
	g_autofree char *ivrs = table("ivrs-q35.aml", "IVRS", 152, 0x77);
	const char *replacements[] = {ivrs, NULL};
	g_autofree char *acpi = g_build_filename(folder, "acpi", NULL);
	assert_true(firmware_compose(acpi, replacements, folder, NULL));
	load(&f);
	const guint8 *found = find(&f, "IVRS", &n);
	assert_int_equal(n, 1);
	assert_int_equal(le32(found + 4), 152);
	assert_int_equal(found[40], 0x77);
	const guint8 *facp = find(&f, "FACP", &n);
	assert_int_equal(n, 1);
	assert_memory_equal(at_address(&f, le32(facp + 36)), "FACS", 4);
	assert_int_equal((le32(facp + 36) - TABLES_AT) % 64, 0);
	const guint8 *dsdt = at_address(&f, le32(facp + 40));
	assert_memory_equal(dsdt, "DSDT", 4);
	assert_int_equal(le32(dsdt + 4), 8473);
	assert_int_equal(dsdt[8472], 2);
	assert_int_equal(le32(facp + 132), 0); /* one of FIRMWARE_CTRL and its copy */
	assert_int_equal(le32(facp + 140), le32(facp + 40));
	find(&f, "APIC", &n);
	assert_int_equal(n, 1);
	assert_null(find(&f, "DSDT", &n)); /* it hangs on the FACP, not in the list */
	unload(&f);
}

static void test_added_and_short_facp(void **state)
{
	Firmware f = {0};
	guint n;
	machine_tables();
	g_free(table("acpi/FACP.aml", "FACP", 116, 3)); /* ACPI 1.0 */
	g_autofree char *dmar = table("dmar.aml", "DMAR", 80, 9);
	const char *replacements[] = {dmar, NULL};
	g_autofree char *acpi = g_build_filename(folder, "acpi", NULL);
	assert_true(firmware_compose(acpi, replacements, folder, NULL));
	load(&f);
	assert_non_null(find(&f, "DMAR", &n));
	assert_non_null(find(&f, "IVRS", &n));
	const guint8 *facp = find(&f, "FACP", &n);
	assert_int_equal(le32(facp + 4), 116);
	unload(&f);
}

static void refused(const char *words)
{
	g_autoptr(GError) e = NULL;
	const char *none[] = {NULL};
	g_autofree char *acpi = g_build_filename(folder, "acpi", NULL);
	assert_false(firmware_compose(acpi, none, folder, &e));
	if (!strstr(e->message, words))
		fail_msg("%s", e->message);
	g_autofree char *loader = g_build_filename(folder, "loader", NULL);
	assert_false(g_file_test(loader, G_FILE_TEST_EXISTS));
}

static void test_refused(void **state)
{
	refused("DSDT is missing");
	machine_tables();
	g_autofree char *cut = g_build_filename(folder, "acpi/HPET.aml", NULL);
	assert_true(kx_write_file(cut, "HPET\xff\xff\xff\xff", 8, NULL));
	refused("HPET.aml: is no whole ACPI table");
	assert_true(kx_write_file(cut, "", 0, NULL));
	refused("HPET.aml: is no whole ACPI table");
	g_free(table("acpi/HPET.aml", "HPET", 56, 6));
	g_free(table("acpi/TPM2.aml", "TPM2", 76, 6));
	refused("TPM2.aml: holds addresses");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_replaced, make_folder, remove_folder),
		cmocka_unit_test_setup_teardown(test_added_and_short_facp, make_folder,
						remove_folder),
		cmocka_unit_test_setup_teardown(test_refused, make_folder, remove_folder),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
