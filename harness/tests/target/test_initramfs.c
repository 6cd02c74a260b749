/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "base/fs.h"
#include "base/proc.h"
#include "target/initramfs.h"

static char *folder;

static int make_folder(void **state)
{
	folder = g_dir_make_tmp("kexsect-initramfs-XXXXXX", NULL);
	return folder ? 0 : -1;
}

static int remove_folder(void **state)
{
	kx_remove_tree(folder, NULL);
	g_free(folder);
	return 0;
}

static char *in_folder(const char *name)
{
	return g_build_filename(folder, name, NULL);
}

/* What cpio reads of the image from its first archive on. */
static char *listing(const char *path, const char *from)
{
	g_auto(KxProcResult) r = {0};
	g_autofree char *command =
		g_strdup_printf("tail -c +%s '%s' | cpio -tv --quiet", from, path);
	const char *argv[] = {"sh", "-c", command, NULL};
	assert_true(kx_proc_check(&(KxProc){.argv = argv}, &r, NULL));
	return g_steal_pointer(&r.out);
}

static void test_launcher_has_kexec_and_its_libraries(void **state)
{
	g_autofree char *path = in_folder("l.cpio");
	g_autofree char *kexec = g_find_program_in_path("kexec");
	if (!kexec)
		skip();
	InitramfsContent c = {.agent = "/bin/true", .kexec = kexec};
	assert_true(initramfs_write(path, &c, NULL));
	g_autofree char *list = listing(path, "1");
	const char *const wanted[] = {" init\n", " usr/sbin/kexec\n", " dev/console\n",
				      " proc\n", "ld-linux-x86-64",   "libc.so.6\n"};
	for (gsize i = 0; i < G_N_ELEMENTS(wanted); i++)
		assert_non_null(strstr(list, wanted[i]));
	assert_true(g_regex_match_simple("^crw-------.*5, +1 .* dev/console$", list,
					 G_REGEX_MULTILINE, 0));
	assert_true(g_regex_match_simple("^-rwxr-xr-x.* 1970 init$", list, G_REGEX_MULTILINE, 0));
}

/* The kernel looks for tables in the first archive only, and there must be nothing in front of it.
 */
static void test_tables_come_first(void **state)
{
	g_autofree char *path = in_folder("v.cpio"), *table = in_folder("dmar.aml");
	assert_true(kx_write_file(table, "DMAR table", -1, NULL));
	const char *tables[] = {table, NULL};
	InitramfsContent c = {.agent = "/bin/true", .tables = tables};
	assert_true(initramfs_write(path, &c, NULL));
	gsize len;
	g_autofree char *data = kx_read_file(path, 64 << 20, &len, NULL);
	assert_memory_equal(data, "070701", 6);
	g_autofree char *first = listing(path, "1");
	assert_non_null(strstr(first, " kernel/firmware/acpi/dmar.aml\n"));
	assert_null(strstr(first, "init\n"));
	const char *trailer = memmem(data, len, "TRAILER!!!", 10);
	const char *second = memmem(trailer, len - (gsize)(trailer - data), "070701", 6);
	assert_non_null(second);
	assert_int_equal((second - data) % 4, 0);
	g_autofree char *from = g_strdup_printf("%zu", (size_t)(second - data) + 1);
	g_autofree char *rest = listing(path, from);
	assert_non_null(strstr(rest, " init\n"));
}

static void test_same_content_same_bytes(void **state)
{
	g_autofree char *a = in_folder("a.cpio"), *b = in_folder("b.cpio");
	InitramfsContent c = {.agent = "/bin/true"};
	assert_true(initramfs_write(a, &c, NULL));
	g_usleep(1100000); /* another second on the clock */
	assert_true(initramfs_write(b, &c, NULL));
	g_autofree char *x = kx_sha256_file(a, NULL), *y = kx_sha256_file(b, NULL);
	assert_string_equal(x, y);
}

static void test_what_is_missing(void **state)
{
	g_autofree char *path = in_folder("x.cpio");
	g_autoptr(GError) e = NULL;
	InitramfsContent c = {.agent = "/nowhere/agent"};
	assert_false(initramfs_write(path, &c, &e));
	assert_non_null(strstr(e->message, "/nowhere/agent"));
}

static void test_tables_compile(void **state)
{
	g_autofree char *source =
		g_build_filename(SOURCE_ROOT, "configs/acpi/dmar-q35-uhci.dsl", NULL);
	g_autofree char *bad = in_folder("bad.dsl");
	g_autoptr(GError) e = NULL;
	g_autofree char *iasl = g_find_program_in_path("iasl");
	if (!iasl)
		skip();
	const char *sources[] = {source, bad};
	g_auto(GStrv) tables = initramfs_compile_tables(sources, 1, folder, NULL);
	assert_non_null(tables);
	assert_true(g_str_has_suffix(tables[0], "/dmar-q35-uhci.aml"));
	g_autofree char *aml = kx_read_file(tables[0], 65536, NULL, NULL);
	assert_memory_equal(aml, "DMAR", 4);
	assert_true(kx_write_file(bad, "this is no table", -1, NULL));
	assert_null(initramfs_compile_tables(sources, 2, folder, &e));
	assert_non_null(strstr(e->message, "bad.dsl"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_launcher_has_kexec_and_its_libraries),
		cmocka_unit_test(test_tables_come_first),
		cmocka_unit_test(test_same_content_same_bytes),
		cmocka_unit_test(test_what_is_missing),
		cmocka_unit_test(test_tables_compile),
	};
	return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
