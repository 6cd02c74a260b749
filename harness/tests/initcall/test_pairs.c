/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Two orders of a kernel's initcalls as numbers, shuffles, and orders that a log shows. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/error.h"
#include "initcall/pairs.h"

static const struct {
	InitcallLevel level;
	const char *function;
} calls[] = {
	{INITCALL_CONSOLE, "hvc_console_init"}, {INITCALL_EARLY, "spawn_ksoftirqd"},
	{INITCALL_PURE, "init_mmap_min_addr"},	{INITCALL_CORE, "iommu_init"},
	{INITCALL_CORE, "sock_init"},		{INITCALL_CORE, "netlink_proto_init"},
	{INITCALL_SUBSYS, "acpi_init"},		{INITCALL_SUBSYS, "pci_subsys_init"},
	{INITCALL_FS, "chr_dev_init"},		{INITCALL_FS_SYNC, "pci_apply_final_quirks"},
	{INITCALL_ROOTFS, "pci_iommu_init"},	{INITCALL_DEVICE, "serial8250_init"},
	{INITCALL_LATE, "pci_sysfs_init"},
};
#define MOVABLE (G_N_ELEMENTS(calls) - 2)

static InitcallOrder *kernel(void)
{
	InitcallOrder *o = g_new0(InitcallOrder, 1);
	o->calls = g_ptr_array_new_with_free_func((GDestroyNotify)initcall_free);
	for (guint i = 0; i < G_N_ELEMENTS(calls); i++) {
		Initcall *c = g_new0(Initcall, 1);
		c->level = calls[i].level;
		c->function = g_strdup(calls[i].function);
		g_ptr_array_add(o->calls, c);
	}
	return o;
}

static void move(InitcallOrder *o, const char *what)
{
	g_autoptr(GError) error = NULL;
	if (!initcall_order_move(o, what, false, &error))
		fail_msg("%s", error->message);
}

static guint find(const InitcallPairs *p, const char *name)
{
	const char *const *names = initcall_pairs_names(p);
	for (guint i = 0; names[i]; i++)
		if (g_str_equal(names[i], name))
			return i;
	fail_msg("%s is not there", name);
	return 0;
}

static guint place(const guint *order, guint item)
{
	guint at = 0;
	while (order[at] != item)
		at++;
	return at;
}

static void a_level_is_a_place(void **state)
{
	g_autoptr(InitcallOrder) good = kernel(), bad = kernel();
	g_autoptr(GError) error = NULL;
	(void)state;
	move(bad, "pci_iommu_init=subsys:before acpi_init");
	g_autoptr(InitcallPairs) p = initcall_pairs_new(good, bad, &error);
	assert_non_null(p);
	assert_int_equal(initcall_pairs_items(p), MOVABLE + 7);
	guint iommu = find(p, "pci_iommu_init [rootfs]"), acpi = find(p, "acpi_init [subsys]");
	guint fs = find(p, "level fs"), subsys = find(p, "level subsys");
	const guint *g = initcall_pairs_good(p), *b = initcall_pairs_bad(p);
	assert_true(place(g, acpi) < place(g, fs) && place(g, fs) < place(g, iommu));
	assert_true(place(b, subsys) < place(b, iommu) && place(b, iommu) < place(b, acpi));
	assert_null(initcall_pairs_call(p, fs));
	assert_string_equal(initcall_pairs_call(p, acpi)->function, "acpi_init");
	/* five initcalls less itself, and one level */
	guint moved = 0;
	for (guint i = 0; i < initcall_pairs_items(p); i++)
		moved += i != iommu && place(g, i) < place(g, iommu) &&
			 place(b, i) > place(b, iommu);
	assert_int_equal(moved, 5);
}

static void its_text_is_the_order_again(void **state)
{
	g_autoptr(InitcallOrder) good = kernel(), bad = kernel(), again = kernel();
	g_autoptr(GError) error = NULL;
	(void)state;
	move(bad, "pci_iommu_init=subsys:before acpi_init");
	move(bad, "sock_init=late:first");
	g_autoptr(InitcallPairs) p = initcall_pairs_new(good, bad, &error);
	g_autofree char *text = initcall_pairs_text(p, initcall_pairs_bad(p));
	g_autofree char *path = NULL;
	int fd = g_file_open_tmp("kexsect-order-XXXXXX", &path, NULL);
	assert_true(fd >= 0);
	assert_true(g_file_set_contents(path, text, -1, NULL));
	bool ok = initcall_order_arrange(again, path, false, &error);
	unlink(path);
	close(fd);
	if (!ok)
		fail_msg("%s", error->message);
	for (guint i = 0; i < again->calls->len; i++) {
		const Initcall *a = again->calls->pdata[i], *b = bad->calls->pdata[i];
		assert_string_equal(a->function, b->function);
		assert_int_equal(a->level, b->level);
	}
}

static void a_shuffle_stays_in_its_level(void **state)
{
	static const char *const keep[] = {"sock_init", NULL};
	static const char *const unknown[] = {"no_such_init", NULL};
	g_autoptr(GError) error = NULL;
	bool moved = false;
	(void)state;
	for (guint seed = 1; seed < 20; seed++) {
		g_autoptr(InitcallOrder) o = kernel(), same = kernel();
		assert_true(initcall_order_scramble(o, seed, keep, &error));
		assert_true(initcall_order_scramble(same, seed, keep, &error));
		for (guint i = 0; i < o->calls->len; i++) {
			const Initcall *c = o->calls->pdata[i], *s = same->calls->pdata[i];
			assert_int_equal(c->level, calls[i].level);
			assert_string_equal(c->function, s->function);
			moved |= !g_str_equal(c->function, calls[i].function);
		}
		assert_string_equal(((Initcall *)o->calls->pdata[4])->function, "sock_init");
	}
	assert_true(moved);
	g_autoptr(InitcallOrder) o = kernel();
	assert_false(initcall_order_scramble(o, 1, unknown, &error));
	assert_true(g_error_matches(error, KX_ERROR, KX_ERROR_INPUT));
}

/* As a boot with the moves would show it: without levels, and with what is no initcall of ours. */
static void a_log_gives_order_and_levels(void **state)
{
	g_autoptr(InitcallOrder) o = kernel(), bad = kernel(), same = kernel();
	g_autoptr(GPtrArray) names = g_ptr_array_new();
	(void)state;
	move(bad, "pci_iommu_init=subsys:before acpi_init");
	move(bad, "iommu_init=core:after netlink_proto_init");
	g_ptr_array_add(names, (gpointer) "quirk_of_some_device");
	for (guint i = 0; i < bad->calls->len; i++) {
		const Initcall *c = bad->calls->pdata[i];
		if (!g_str_equal(c->function, "chr_dev_init"))
			g_ptr_array_add(names, c->function);
	}
	g_ptr_array_add(names, NULL);
	initcall_order_follow(o, (const char *const *)names->pdata);
	for (guint i = 0; i < o->calls->len; i++) {
		const Initcall *a = o->calls->pdata[i], *b = bad->calls->pdata[i];
		assert_string_equal(a->function, b->function);
	}
	g_autoptr(GError) error = NULL;
	g_autoptr(InitcallPairs) p = initcall_pairs_new(same, o, &error);
	assert_non_null(p);
	guint iommu = find(p, "pci_iommu_init [rootfs]"), fs = find(p, "level fs");
	assert_true(place(initcall_pairs_bad(p), iommu) < place(initcall_pairs_bad(p), fs));
}

static void other_kernels_are_refused(void **state)
{
	g_autoptr(InitcallOrder) a = kernel(), b = kernel();
	g_autoptr(GError) error = NULL;
	(void)state;
	g_ptr_array_remove_index(b->calls, 5);
	assert_null(initcall_pairs_new(a, b, &error));
	assert_true(g_error_matches(error, KX_ERROR, KX_ERROR_INPUT));
	g_clear_error(&error);
	assert_null(initcall_pairs_new(b, a, &error));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_level_is_a_place),
		cmocka_unit_test(its_text_is_the_order_again),
		cmocka_unit_test(a_shuffle_stays_in_its_level),
		cmocka_unit_test(a_log_gives_order_and_levels),
		cmocka_unit_test(other_kernels_are_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
