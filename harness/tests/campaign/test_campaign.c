/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A small tree of good files in a temporary folder; each bad case changes one line of one file and
 * expects the exact message. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <glib/gstdio.h>
#include <string.h>

#include "base/error.h"
#include "base/fs.h"
#include "campaign/campaign.h"
#include "tree.h"

static void assert_under_root(const char *path, const char *rest)
{
	assert_true(g_str_has_prefix(path, root));
	assert_string_equal(path + strlen(root) + 1, rest);
}

static void test_good(void **state)
{
	write_tree(NULL, NULL, NULL);
	g_autoptr(GError) error = NULL;
	g_autoptr(Campaign) c = load("c.yaml", &error);
	if (!c)
		fail_msg("%s", error->message);
	assert_string_equal(c->name, "c");
	assert_int_equal(c->mode, BOOT_COLD);
	assert_string_equal(c->cmdline, "intel_iommu=on");
	assert_true(c->search.confidence > 0.949 && c->search.confidence < 0.951);
	assert_int_equal(c->search.seed, 7);
	assert_int_equal(c->search.max_culprits, 2);
	assert_int_equal(c->budget.boots, 50);
	assert_int_equal(c->budget.builds, 9);
	assert_under_root(c->fragments[0], "kernels/fragments/more.config");
	/* in the order of the series, not of the campaign file */
	assert_int_equal(c->candidates_count, 2);
	assert_string_equal(c->candidates[0].name, "early");
	assert_string_equal(c->candidates[1].name, "late");
	assert_int_equal(c->candidates[1].depends, 1);

	assert_string_equal(c->base->source.debian, "linux-source-6.1");
	assert_string_equal(c->base->arch, "x86_64");
	assert_string_equal(c->base->image, "arch/x86/boot/bzImage");
	assert_under_root(c->base->fragments[0], "kernels/fragments/base.config");
	assert_under_root(c->base->toolchain_file, "kernels/toolchains/gcc.yaml");
	assert_string_equal(c->base->toolchain->cc, "gcc");
	assert_string_equal(c->base->toolchain->make_args[0], "LLVM=0");

	const Patch *late = series_find(c->series, "late");
	assert_non_null(late);
	assert_under_root(late->file, "patches/s/late.mbox");
	/* `other` names late; late names it too after loading */
	assert_int_equal(late->conflicts_count, 1);
	assert_string_equal(late->conflicts[0], "other");
	assert_string_equal(series_find(c->series, "early")->origin.commit, "33f28c59e18d");
	assert_int_equal(series_find(c->series, "window")->kind, PATCH_FIXTURE);
	assert_null(series_find(c->series, "none"));

	const TargetConfig *t = c->targets[0];
	assert_int_equal(t->vm.memory_mib, 256);
	assert_int_equal(t->vm.vcpus, 2);
	assert_int_equal(t->vm.accel, ACCEL_TCG);
	assert_string_equal(t->vm.cpu, "max");
	assert_int_equal(t->vm.qemu_args_count, 2);
	assert_string_equal(t->launcher.kernel, "base");
	assert_int_equal(t->launcher.start, LAUNCHER_FRESH);
	assert_int_equal(t->timeouts.silence, 15);
	assert_int_equal(t->timeouts.trial, 180);
	/* those of the recovery: defaults */
	assert_int_equal(t->timeouts.settled, 10);
	assert_int_equal(t->timeouts.trace, 5);
	assert_int_equal(t->timeouts.reset, 10);
	assert_int_equal(t->timeouts.power, 60);
	assert_int_equal(t->timeouts.off, 2);
	assert_under_root(t->acpi_tables[0], "configs/acpi/dmar.dsl");

	assert_string_equal(c->oracle->window_to, "Trying to unpack");
	assert_int_equal(c->oracle->addresses_count, 1);
	assert_true(c->oracle->addresses[0].start == 0x1ffde000);
	assert_true(c->oracle->addresses[0].end == 0x1fffffff);
	assert_false(c->oracle->hang_is_fault);
	assert_true(c->oracle->panic_is_fault);
	assert_int_equal(strlen(c->digest), 64);
}

static void test_defaults(void **state)
{
	write_tree(NULL, NULL, NULL);
	g_autoptr(GError) error = NULL;
	g_autoptr(Campaign) c = load("least.yaml", &error);
	if (!c)
		fail_msg("%s", error->message);
	assert_int_equal(c->candidates_count, 3);
	assert_string_equal(c->candidates[2].name, "other");
	assert_true(c->search.confidence > 0.989 && c->search.confidence < 0.991);
	assert_int_equal(c->search.seed, 1);
	assert_int_equal(c->search.max_culprits, 3);
	assert_int_equal(c->budget.boots, 1000);
	assert_int_equal(c->budget.builds, 200);
	assert_true(c->budget.hours > 11.9 && c->budget.hours < 12.1);
	assert_int_equal(c->mode, BOOT_KEXEC);
	assert_int_equal(c->effect, EFFECT_CURES);
	assert_null(c->cmdline);
}

static char *digest_with(const char *path, const char *old, const char *new)
{
	write_tree(path, old, new);
	g_autoptr(GError) error = NULL;
	g_autoptr(Campaign) c = load("c.yaml", &error);
	if (!c)
		fail_msg("%s", error->message);
	return g_strdup(c->digest);
}

static void test_digest(void **state)
{
	const struct {
		const char *path, *old, *new;
		bool same;
	} cases[] = {
		{"configs/campaigns/c.yaml", "a title", "another title", true},
		{"configs/campaigns/c.yaml", "name: c\n", "# a comment\nname: c\n", true},
		{"configs/campaigns/c.yaml", "boots: 50", "boots: 51", true},
		{"configs/campaigns/c.yaml", "0.95", "0.99", true},
		{"configs/campaigns/c.yaml", "[late, early]", "[early, late]", true},
		{"configs/campaigns/c.yaml", "seed: 7", "weights: [{path: a, weight: 2}]", true},
		{"configs/campaigns/c.yaml", "early]\n", "early]\nparameters: [a=1]\n", false},
		{"configs/campaigns/c.yaml", "early]\n", "early]\nconfig: {options: [A=y]}\n",
		 false},
		{"configs/campaigns/c.yaml", "[late, early]\n",
		 "[early]\nparameters: [a=1, b]\n"
		 "relations: [{candidate: b, depends: [a=1]}]\n",
		 false},
		{"configs/campaigns/c.yaml", "[late, early]", "[early]", false},
		{"configs/campaigns/c.yaml", "iommu=on", "iommu=off", false},
		{"configs/campaigns/c.yaml", "max_culprits: 2", "max_culprits: 1", false},
		{"configs/campaigns/c.yaml", "effect: cures", "effect: causes", false},
		{"configs/oracles/o.yaml", "0x1fffffff", "0x1ffffffe", false},
		{"configs/targets/t.yaml", "usb-kbd", "usb-mouse", false},
		{"configs/targets/t.yaml", "silence: 15", "silence: 16", false},
		{"configs/targets/t.yaml", "accel: tcg", "iommu_record: amd", false},
		{"configs/targets/t.yaml", "accel: tcg", "accel: tcg\n  iommu_record: none", true},
		{"configs/targets/t.yaml", "accel: tcg", "determinism: icount", false},
		{"configs/targets/t.yaml", "launcher:\n", "acpi_tables_by: firmware\nlauncher:\n",
		 false},
		{"configs/acpi/dmar.dsl", "table", "elbat", false},
		{"kernels/fragments/base.config", "A=y", "A=n", false},
		{"kernels/fragments/more.config", "B=y", "B=n", false},
		{"kernels/toolchains/gcc.yaml", "LLVM=0", "LLVM=1", false},
		{"patches/s/early.patch", "e", "f", false},
		{"patches/s/series.yaml", "from 3.7", "from 3.8", true},
	};
	g_autofree char *base = digest_with(NULL, NULL, NULL);
	for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
		g_autofree char *d = digest_with(cases[i].path, cases[i].old, cases[i].new);
		if (g_str_equal(d, base) != cases[i].same)
			fail_msg("%s: '%s' to '%s': the digest %s", cases[i].path, cases[i].old,
				 cases[i].new, cases[i].same ? "changed" : "is the same");
	}
}

/* The digest with a source given at `path` that turned out to have this tree. */
static char *digest_given(const char *path, const char *tree)
{
	write_tree(NULL, NULL, NULL);
	g_autoptr(GError) e = NULL;
	g_autofree char *value = g_strconcat("k=", path, NULL);
	if (path)
		g_setenv(RECIPE_SOURCES, value, TRUE);
	g_autoptr(Campaign) c = load("c.yaml", &e);
	g_unsetenv(RECIPE_SOURCES);
	if (!c)
		fail_msg("%s", e->message);
	assert_int_equal(recipe_is_fixed(c->base), path == NULL);
	if (tree)
		assert_true(campaign_pin(c, c->base, tree, c->base->toolchain, &e));
	return g_strdup(c->digest);
}

/* What is given counts by its tree, not by the way it came. */
static void test_digest_given(void **state)
{
	g_autofree char *none = digest_given(NULL, NULL);
	g_autofree char *a = digest_given("/usr", "1111");
	g_autofree char *b = digest_given("/etc", "1111");
	g_autofree char *c = digest_given("/etc", "2222");
	assert_string_equal(a, b);
	assert_string_not_equal(a, c);
	assert_string_not_equal(a, none);
}

#define C "configs/campaigns/c.yaml"
#define T "configs/targets/t.yaml"
#define O "configs/oracles/o.yaml"
#define K "kernels/k.yaml"
#define G "kernels/toolchains/gcc.yaml"
#define S "patches/s/series.yaml"

/* @ stands for the tree's root. */
static const struct {
	const char *path, *old, *new, *error;
} bad[] = {
#include "bad_cases.inc"
};

static void test_bad(void **state)
{
	bool all = true;
	for (guint i = 0; i < G_N_ELEMENTS(bad); i++) {
		write_tree(bad[i].path, bad[i].old, bad[i].new);
		g_autoptr(GError) error = NULL;
		g_autoptr(Campaign) c = load("c.yaml", &error);
		g_auto(GStrv) parts = g_strsplit(bad[i].error, "@", -1);
		g_autofree char *wanted = g_strjoinv(root, parts);
		const char *said = c ? "(no error)" : error->message;
		if (!g_str_equal(said, wanted)) {
			print_error("%s: '%s' to '%s'\n wanted: %s\n found:  %s\n", bad[i].path,
				    bad[i].old, bad[i].new, wanted, said);
			all = false;
		} else if (!g_error_matches(error, KX_ERROR, KX_ERROR_INPUT)) {
			print_error("%s: wrong error code %d\n", said, error->code);
			all = false;
		}
	}
	assert_true(all);
}

static void test_missing(void **state)
{
	write_tree(NULL, NULL, NULL);
	g_autoptr(GError) error = NULL;
	assert_null(load("nothing.yaml", &error));
	assert_true(g_error_matches(error, KX_ERROR, KX_ERROR_MISSING));
	g_clear_error(&error);
	assert_null(campaign_load("vtd-window", &error));
	assert_true(g_error_matches(error, KX_ERROR, KX_ERROR_MISSING));
	assert_non_null(strstr(error->message, "no campaign 'vtd-window' in "));
}

/* The campaigns that come with the program. */
static void test_shipped(void **state)
{
	g_autofree char *dir = g_build_filename(SOURCE_ROOT, "configs/campaigns", NULL);
	g_autoptr(GDir) d = g_dir_open(dir, 0, NULL);
	assert_non_null(d);
	const char *name;
	unsigned n = 0;
	while ((name = g_dir_read_name(d))) {
		if (!g_str_has_suffix(name, ".yaml"))
			continue;
		g_autofree char *path = g_build_filename(dir, name, NULL);
		g_autoptr(GError) error = NULL;
		g_autoptr(Campaign) c = campaign_load(path, &error);
		if (!c)
			fail_msg("%s", error->message);
		g_autofree char *stem = g_strndup(name, strlen(name) - strlen(".yaml"));
		assert_string_equal(c->name, stem);
		n++;
	}
	assert_true(n > 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_good, tree_set_up, tree_tear_down),
		cmocka_unit_test_setup_teardown(test_defaults, tree_set_up, tree_tear_down),
		cmocka_unit_test_setup_teardown(test_digest, tree_set_up, tree_tear_down),
		cmocka_unit_test_setup_teardown(test_digest_given, tree_set_up, tree_tear_down),
		cmocka_unit_test_setup_teardown(test_bad, tree_set_up, tree_tear_down),
		cmocka_unit_test_setup_teardown(test_missing, tree_set_up, tree_tear_down),
		cmocka_unit_test_setup_teardown(test_shipped, tree_set_up, tree_tear_down),
	};
	return cmocka_run_group_tests_name("campaign", tests, NULL, NULL);
}
