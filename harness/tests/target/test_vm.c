/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Real boots in a real machine, with the kernel in KEXSECT_TEST_KERNEL as launcher and as variant.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/fs.h"
#include "target/guard.h"
#include "target/target.h"

static char *folder, *identity;
static const char *kernel;
static TargetConfig *config;

/* The version string that the bzImage's header points to: "6.1.0 (a@b) #IDENTITY SMP …"
 * (Documentation/arch/x86/boot.rst, kernel_version). */
static char *identity_of(const char *path)
{
	gsize len;
	g_autofree char *image = kx_read_file(path, 256u << 20, &len, NULL);
	if (!image || len < 0x10000)
		return NULL;
	gsize at = 0x200 + (gsize)(guint8)image[0x20e] + 256 * (gsize)(guint8)image[0x20f];
	const char *number = memchr(image + at, '#', 256);
	return number ? g_strndup(number + 1, strcspn(number + 1, " ")) : NULL;
}

static int setup(void **state)
{
	g_autofree char *path = g_build_filename(SOURCE_ROOT, "configs/targets/vm-vtd.yaml", NULL);
	folder = g_dir_make_tmp("kexsect-vm-XXXXXX", NULL);
	identity = identity_of(kernel);
	config = target_config_load(path, NULL);
	return folder && identity && config ? 0 : -1;
}

static int teardown(void **state)
{
	kx_remove_tree(folder, NULL);
	target_config_free(config);
	g_free(identity);
	g_free(folder);
	return 0;
}

static Target *open_target(void)
{
	g_autoptr(GError) e = NULL;
	TargetOptions o = {.config = config, .cache = folder, .launcher_kernel = kernel};
	Target *t = target_open(&o, &e);
	if (!t)
		fail_msg("%s", e->message);
	return t;
}

static void boot(Target *t, const char *who, BootMode mode, const char *cmdline, TargetResult *r)
{
	g_autoptr(GError) e = NULL;
	g_autofree char *dir = g_build_filename(folder, "evidence", NULL);
	assert_true(kx_remove_tree(dir, NULL) && kx_mkdir(dir, NULL));
	TargetBoot b = {
		.kernel = kernel, .cmdline = cmdline, .identity = who, .mode = mode, .folder = dir};
	if (!target_boot(t, &b, r, &e))
		fail_msg("%s", e->message);
	print_message("%s: %s; start %.2f launcher %.2f deliver %.2f kexec %.2f boot %.2f "
		      "stop %.2f total %.2f s\n",
		      target_end_name(r->end), r->reason, r->seconds.start, r->seconds.launcher,
		      r->seconds.deliver, r->seconds.kexec, r->seconds.boot, r->seconds.stop,
		      r->seconds.total);
}

static void assert_alive(const TargetResult *r)
{
	assert_int_equal(r->end, TARGET_END_SETTLED);
	assert_true(r->alive && r->identified);
	assert_null(r->wrong);
	assert_non_null(r->banner);
	assert_non_null(r->version);
	assert_non_null(strstr(r->console, "kexsect: alive "));
	assert_non_null(strstr(r->kmsg, ",-;Linux version "));
	assert_null(strstr(r->console, "launcher ready"));
}

static void test_kexec_again_and_again(void **state)
{
	Target *t = open_target();
	for (int i = 0; i < 2; i++) {
		g_auto(TargetResult) r = {0};
		boot(t, identity, BOOT_KEXEC, "intel_iommu=on", &r);
		assert_alive(&r);
		g_autofree char *table = g_build_filename(folder, "evidence/acpi/DMAR.aml", NULL);
		assert_true(g_file_test(table, G_FILE_TEST_EXISTS));
	}
	target_close(t);
}

static void test_after_a_panic(void **state)
{
	Target *t = open_target();
	g_auto(TargetResult) panic = {0}, good = {0}, wrong = {0};
	boot(t, identity, BOOT_KEXEC, "rdinit=/nowhere init=/nowhere", &panic);
	assert_int_equal(panic.end, TARGET_END_PANIC);
	assert_true(panic.identified && !panic.alive);
	boot(t, "kx0123456789ab", BOOT_KEXEC, "", &wrong);
	assert_false(wrong.identified);
	assert_non_null(wrong.wrong);
	boot(t, identity, BOOT_COLD, "", &good);
	assert_alive(&good);
	target_close(t);
}

/* A state that is damaged is made again, and the boot goes on. */
static void test_damaged_state(void **state)
{
	g_autofree char *states = g_build_filename(folder, "states", NULL);
	g_autoptr(GDir) dir = g_dir_open(states, 0, NULL);
	const char *name;
	while (dir && (name = g_dir_read_name(dir))) {
		g_autofree char *image = g_build_filename(states, name, "image", NULL);
		if (g_file_test(image, G_FILE_TEST_EXISTS))
			assert_true(kx_write_file(image, "damaged", -1, NULL));
	}
	Target *t = open_target();
	g_auto(TargetResult) r = {0};
	boot(t, identity, BOOT_KEXEC, "", &r);
	assert_alive(&r);
	target_close(t);
}

static int body(void *user)
{
	g_log_set_writer_func(g_log_writer_standard_streams, NULL, NULL);
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_kexec_again_and_again),
		cmocka_unit_test(test_after_a_panic),
		cmocka_unit_test(test_damaged_state),
	};
	return cmocka_run_group_tests(tests, setup, teardown);
}

int main(void)
{
	kernel = getenv("KEXSECT_TEST_KERNEL");
	if (!kernel || !*kernel) {
		puts("skipped: KEXSECT_TEST_KERNEL does not name a kernel");
		return 77;
	}
	return guard_run(body, NULL);
}
