/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Variants in another init order, made from artifacts. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>
#include <glib/gstdio.h>

#include "../initcall/made.h"
#include "base/error.h"
#include "base/fs.h"
#include "initcall/order.h"
#include "kernel/kernel-internal.h"

#define BUILD "0123456789ab0000000000000000000000000000000000000000000000000000"

static char *cache, *base;

static void put(const char *name, GBytes *bytes)
{
	g_autofree char *path = g_build_filename(base, name, NULL);
	assert_true(kx_write_scratch(path, g_bytes_get_data(bytes, NULL),
				     (gssize)g_bytes_get_size(bytes), 0644, NULL));
}

/* The artifacts of a kernel in its own order. */
static int set_up(void **state)
{
	g_autoptr(GBytes) elf = made_kernel(&(MadeKernel){.calls = made_calls}, NULL);
	g_autoptr(GBytes) stripped =
		made_kernel(&(MadeKernel){.calls = made_calls, .stripped = true}, NULL);
	g_autoptr(GBytes) image = made_image(stripped, PACKING_GZIP, 40);
	g_autoptr(GBytes) json = g_bytes_new_static("{\"format\": 1}", 13);
	g_autoptr(GBytes) text = g_bytes_new_static("text\n", 5);
	cache = g_dir_make_tmp("kexsect-reorder-XXXXXX", NULL);
	base = g_build_filename(cache, "builds", BUILD, NULL);
	assert_true(kx_mkdir(base, NULL));
	put("vmlinux", elf);
	put("kernel", image);
	put("build.json", json);
	put("config", text);
	put("build.log", text);
	return 0;
}

static int tear_down(void **state)
{
	kx_remove_tree(cache, NULL);
	g_free(cache);
	g_free(base);
	return 0;
}

static KernelRequest request(const char *const *moves)
{
	return (KernelRequest){.cache = cache, .initcalls = moves};
}

static void reorder(const KernelRequest *q, KernelBuild *b)
{
	*b = (KernelBuild){.status = KERNEL_OK,
			   .reason = g_strdup(""),
			   .build = g_strdup(BUILD),
			   .identity = g_strdup(MADE_IDENTITY),
			   .artifacts = g_strdup(base)};
	assert_true(kernel_reorders(q));
	kernel_reorder(q, b);
}

static bool holds(const char *dir, const char *name, const char *text)
{
	g_autofree char *path = g_build_filename(dir, name, NULL), *data = NULL;
	gsize len;
	assert_true(g_file_get_contents(path, &data, &len, NULL));
	return memmem(data, len, text, strlen(text)) != NULL;
}

/* The order, the identity, and the same again from the cache. */
static void test_moves(void **state)
{
	const char *moves[] = {"serial8250_init=core", "iommu_init=late", NULL};
	const KernelRequest q = request(moves);
	g_auto(KernelBuild) b = {0}, again = {0};
	reorder(&q, &b);
	assert_string_equal(b.reason, "");
	assert_int_equal(b.status, KERNEL_OK);
	assert_string_not_equal(b.build, BUILD);
	assert_int_equal(strlen(b.identity), strlen(MADE_IDENTITY));
	assert_memory_equal(b.identity + 2, b.build, 12);
	g_autofree char *image = g_build_filename(b.artifacts, "kernel", NULL);
	g_autofree char *vmlinux = g_build_filename(b.artifacts, "vmlinux", NULL);
	g_autofree char *symbols = g_build_filename(base, "vmlinux", NULL);
	g_autoptr(InitcallOrder) want = initcall_order_read(symbols, NULL, NULL);
	assert_true(initcall_order_move(want, moves[0], false, NULL));
	assert_true(initcall_order_move(want, moves[1], false, NULL));
	const char *const made[] = {vmlinux, image};
	for (guint k = 0; k < 2; k++) {
		GError *error = NULL;
		g_autoptr(InitcallOrder) o =
			initcall_order_read(made[k], k ? vmlinux : NULL, &error);
		assert_null(error);
		for (guint i = 0; i < o->calls->len; i++) {
			assert_int_equal(((Initcall *)o->calls->pdata[i])->address,
					 ((Initcall *)want->calls->pdata[i])->address);
			assert_int_equal(((Initcall *)o->calls->pdata[i])->level,
					 ((Initcall *)want->calls->pdata[i])->level);
		}
	}
	assert_true(holds(b.artifacts, "vmlinux", b.identity));
	assert_false(holds(b.artifacts, "vmlinux", MADE_IDENTITY));
	assert_true(holds(b.artifacts, "kernel", b.identity)); /* in the setup code */
	assert_true(holds(b.artifacts, "build.json", "\"reordered_from\": \"" BUILD));
	reorder(&q, &again);
	assert_string_equal(again.artifacts, b.artifacts);
	assert_string_equal(again.vmlinux_sha256, b.vmlinux_sha256);
}

/* An order has a name by its content, whatever the file is called; moves come after it. */
static void test_order(void **state)
{
	g_autofree char *symbols = g_build_filename(base, "vmlinux", NULL);
	g_autofree char *one = g_build_filename(cache, "one", NULL);
	g_autofree char *two = g_build_filename(cache, "two", NULL);
	g_autoptr(InitcallOrder) o = initcall_order_read(symbols, NULL, NULL);
	assert_true(initcall_order_move(o, "acpi_init=fs:first", false, NULL));
	g_autofree char *text = initcall_order_text(o);
	assert_true(kx_write_file(one, text, -1, NULL) && kx_write_file(two, text, -1, NULL));
	KernelRequest q = {.cache = cache, .order = one};
	g_auto(KernelBuild) a = {0}, b = {0}, c = {0};
	reorder(&q, &a);
	q.order = two;
	reorder(&q, &b);
	const char *moves[] = {"acpi_init=late", NULL};
	q.initcalls = moves;
	reorder(&q, &c);
	assert_int_equal(a.status, KERNEL_OK);
	assert_string_equal(a.build, b.build);
	assert_int_equal(c.status, KERNEL_OK);
	assert_string_not_equal(c.build, b.build);
	assert_true(holds(c.artifacts, "initcalls", "late          acpi_init"));
}

static void test_refused(void **state)
{
	const char *const moves[][2] = {{"nobody=arch", NULL}, {"cpu_stop_init=early:last", NULL}};
	for (guint i = 0; i < G_N_ELEMENTS(moves); i++) {
		const KernelRequest q = request(moves[i]);
		g_auto(KernelBuild) b = {0};
		reorder(&q, &b);
		assert_int_equal(b.status, KERNEL_UNBUILDABLE);
		assert_string_equal(b.failed_step, "reorder");
		assert_null(b.artifacts);
	}
	/* artifacts that are damaged say nothing about the variant */
	const char *fine[] = {"iommu_init=late", NULL};
	const KernelRequest q = request(fine);
	g_autofree char *json = g_build_filename(base, "build.json", NULL);
	assert_int_equal(g_remove(json), 0);
	g_auto(KernelBuild) b = {0};
	reorder(&q, &b);
	assert_int_equal(b.status, KERNEL_INFRA);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_moves, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_order, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_refused, set_up, tear_down),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
