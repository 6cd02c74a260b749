/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Campaigns about the order of a kernel's initcalls. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "../initcall/made.h"
#include "lab.h"

/* Three initcalls moved past most of the others. */
static void set_up(Lab *l, const char *pairs)
{
	const MadeKernel kernel = {.calls = made_calls};
	g_autoptr(GBytes) elf = made_kernel(&kernel, NULL);
	g_autofree char *path = made_file("vmlinux", elf);
	g_autofree char *quoted = g_strdup_printf("'%s'", path);
	lab_set(l, "candidates", "[]");
	lab_set(l, "vmlinux", quoted);
	lab_set(l, "bad_order",
		"['pci_iommu_init=subsys:before acpi_init', 'serial8250_init=arch', "
		"'wq_sysfs_init=late:first']");
	lab_set(l, "order", pairs);
}

static const json_t *found(const LabView *v)
{
	return json_object_get(v->verdict->details, "order");
}

static const char *function(const LabView *v, size_t pair, const char *which)
{
	const json_t *one = json_array_get(json_object_get(found(v), "pairs"), pair);
	return kx_json_str(json_object_get(one, which), "function");
}

static void expect_one(const LabView *v)
{
	assert_string_equal(v->verdict->kind, "cause");
	assert_string_equal(kx_json_str(found(v), "claim"), "one");
	assert_string_equal(kx_json_str(v->verdict->details, "sentence"),
			    kx_json_str(found(v), "sentence"));
	assert_string_equal(function(v, 0, "first"), "acpi_init");
	assert_string_equal(function(v, 0, "second"), "pci_iommu_init");
	assert_non_null(strstr(v->verdict->reason,
			       "acpi_init [subsys] must run before pci_iommu_init [rootfs]"));
}

static void the_pair_is_found(void **state)
{
	Lab *l = *state;
	set_up(l, "[['acpi_init', 'pci_iommu_init']]");
	g_auto(LabRun) r = lab_run(l, NULL);
	if (r.status)
		fail_msg("%s%s", r.out, r.err);
	g_auto(LabView) v = lab_look(l, "lab-1");
	expect_one(&v);
	/* both ways round on cold boots: the proof */
	unsigned cold[2] = {0};
	for (guint i = 0; i < v.trials->len; i++) {
		const StoreTrial *t = v.trials->pdata[i];
		if (g_str_equal(t->mode, "cold"))
			cold[g_str_equal(t->outcome, "fault")]++;
	}
	assert_true(cold[0] >= 1 && cold[1] >= 1);
	assert_int_equal(kx_json_int(found(&v), "boots_to_find", 0) +
				 kx_json_int(found(&v), "boots_to_prove", 0),
			 v.trials->len);
	/* nothing is compiled but the launcher and the kernel */
	unsigned orders = 0;
	for (guint i = 0; i < v.builds->len; i++)
		orders += ((StoreBuild *)v.builds->pdata[i])->mask != G_MAXUINT64;
	assert_true(orders > 5);
}

static void two_that_it_takes_are_found(void **state)
{
	Lab *l = *state;
	set_up(l, "[['acpi_init', 'pci_iommu_init'], ['wq_sysfs_init', 'pci_arch_init']]");
	g_auto(LabRun) r = lab_run(l, "quiet");
	assert_int_equal(r.status, 0);
	g_auto(LabView) v = lab_look(l, "lab-1");
	assert_string_equal(v.verdict->kind, "cause");
	assert_string_equal(kx_json_str(found(&v), "claim"), "both");
}

static void a_stopped_one_goes_on(void **state)
{
	Lab *l = *state;
	set_up(l, "[['acpi_init', 'pci_iommu_init']]");
	for (unsigned boots = 3; boots < 30; boots += 3) {
		g_autofree char *budget = g_strdup_printf("{'boots': %u}", boots);
		lab_set(l, "budget", budget);
		g_auto(LabRun) r = lab_run(l, "quiet");
		if (r.status == 0)
			break;
		g_auto(LabView) v = lab_look(l, "lab-1");
		assert_string_equal(v.verdict->why, "budget");
	}
	g_auto(LabView) v = lab_look(l, "lab-1");
	expect_one(&v);
}

static void without_an_effect_it_says_so(void **state)
{
	Lab *l = *state;
	set_up(l, "[['pci_iommu_init', 'init_mmap_min_addr']]");
	g_auto(LabRun) r = lab_run(l, "quiet");
	g_auto(LabView) v = lab_look(l, "lab-1");
	assert_string_equal(v.verdict->kind, "none");
	assert_null(kx_json_str(v.verdict->details, "sentence"));
}

static int clean(void **state)
{
	made_clean();
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(the_pair_is_found, lab_setup, lab_teardown),
		cmocka_unit_test_setup_teardown(two_that_it_takes_are_found, lab_setup,
						lab_teardown),
		cmocka_unit_test_setup_teardown(a_stopped_one_goes_on, lab_setup, lab_teardown),
		cmocka_unit_test_setup_teardown(without_an_effect_it_says_so, lab_setup,
						lab_teardown),
	};
	return cmocka_run_group_tests(tests, NULL, clean);
}
