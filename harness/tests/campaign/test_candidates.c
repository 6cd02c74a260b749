/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Suspects of all kinds as one list. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "tree.h"

/* Patches, parameters and options are one list, related by name. */
static void test_mixture(void **state)
{
	g_autoptr(Campaign) c =
		load_with("[late, early]\n",
			  "[late, early]\n"
			  "parameters: [iommu=pt, 'pci=nomsi quiet']\n"
			  "config: {options: [CONFIG_USB_PCI=n, 'A=y  B=\"x y\" C=-0x1f']}\n"
			  "relations:\n"
			  "  - {candidate: iommu=pt, depends: [late], conflicts: [USB_PCI=n]}\n");
	assert_int_equal(c->candidates_count, 6);
	const CandidateKind kinds[] = {CANDIDATE_PATCH,	    CANDIDATE_PATCH,  CANDIDATE_PARAMETER,
				       CANDIDATE_PARAMETER, CANDIDATE_CONFIG, CANDIDATE_CONFIG};
	const char *names[] = {"early",		  "late",      "iommu=pt",
			       "pci=nomsi quiet", "USB_PCI=n", "A=y B=\"x y\" C=-0x1f"};
	for (guint i = 0; i < 6; i++) {
		assert_int_equal(c->candidates[i].kind, kinds[i]);
		assert_string_equal(c->candidates[i].name, names[i]);
	}
	assert_int_equal(c->candidates[2].depends, 2);
	assert_int_equal(c->candidates[2].conflicts, 16);
	assert_int_equal(c->candidates[4].conflicts, 4);
	g_auto(GStrv) settings = candidate_settings(c->candidates[5].text, NULL);
	assert_int_equal(g_strv_length(settings), 3);
	assert_string_equal(settings[1], "B=\"x y\"");
	assert_false(campaign_needs_source(c));
	assert_string_equal(candidate_kind_name(CANDIDATE_CONFIG), "config");
}

/* A function is in one place: two moves of it are never together. */
static void test_initcalls(void **state)
{
	g_autoptr(Campaign) c =
		load_with("[late, early]\n",
			  "[late, early]\n"
			  "parameters: [quiet]\n"
			  "initcalls: [iommu_init=arch, 'acpi_init=subsys:last', iommu_init=late]\n"
			  "config: {options: [A=y]}\n");
	assert_int_equal(c->candidates_count, 7);
	assert_int_equal(c->candidates[3].kind, CANDIDATE_INITCALL);
	assert_string_equal(c->candidates[3].name, "iommu_init=arch");
	assert_string_equal(c->candidates[4].text, "acpi_init=subsys:last");
	assert_int_equal(c->candidates[3].conflicts, 1 << 5);
	assert_int_equal(c->candidates[5].conflicts, 1 << 3);
	assert_int_equal(c->candidates[4].conflicts, 0);
	assert_string_equal(candidate_kind_name(CANDIDATE_INITCALL), "initcall");
}

/* Without patches there need be no series. */
static void test_no_series(void **state)
{
	write_tree(
		"configs/campaigns/least.yaml",
		"series: ../../patches/s/series.yaml\noracle: o\ntargets: [t]\nfixtures: [window]",
		"oracle: o\ntargets: [t]\nparameters: [quiet]");
	g_autoptr(GError) error = NULL;
	g_autoptr(Campaign) c = load("least.yaml", &error);
	if (!c)
		fail_msg("%s", error->message);
	assert_null(c->series);
	assert_int_equal(c->candidates_count, 1);
	write_tree(
		"configs/campaigns/least.yaml",
		"series: ../../patches/s/series.yaml\noracle: o\ntargets: [t]\nfixtures: [window]",
		"oracle: o\ntargets: [t]");
	assert_null(load("least.yaml", &error));
	assert_non_null(strstr(error->message, "least.yaml:1:7: nothing is suspected"));
}

static void test_weights(void **state)
{
	g_autoptr(Campaign) c = load_with("seed: 7", "seed: 7\n"
						     "  weights:\n"
						     "    - {path: drivers/iommu, weight: 5}\n"
						     "    - {path: drivers/, weight: 0.5}\n"
						     "    - {candidate: late, weight: 3}\n");
	const char *inside[] = {"mm/slub.c", "drivers/iommu/intel/dmar.c", NULL};
	const char *driver[] = {"drivers/iommus.c", NULL}, *other[] = {"driversX", NULL};
	assert_float_equal(c->candidates[0].weight, 1, 0);
	assert_float_equal(c->candidates[1].weight, 3, 0);
	assert_float_equal(campaign_weight(c, "early", inside), 5, 0);
	assert_float_equal(campaign_weight(c, "early", driver), 0.5, 0);
	assert_float_equal(campaign_weight(c, "early", other), 1, 0);
	assert_float_equal(campaign_weight(c, "late", inside), 3, 0);
	assert_float_equal(campaign_weight(c, "early", NULL), 1, 0);
}

static Candidate *found(unsigned n, CandidateKind kind, const char *const *names)
{
	Candidate *k = g_new0(Candidate, n);
	for (unsigned i = 0; i < n; i++)
		k[i] = (Candidate){.kind = kind,
				   .name = g_strdup(names[i]),
				   .text = g_strdup(names[i]),
				   .weight = 1};
	return k;
}

/* Two .config files: what the source says joins what the file says, and its relations. */
static void test_expand_config(void **state)
{
	g_autoptr(Campaign) c = load_with("candidates: [late, early]\n",
					  "config: {good: good, bad: bad}\n"
					  "parameters: [quiet]\n"
					  "relations: [{candidate: quiet, depends: [A=y]}]\n");
	const char *from, *to;
	assert_true(campaign_needs_source(c) && campaign_config_pair(c, &from, &to));
	assert_true(g_str_has_suffix(from, "/kernels/configs/bad.config"));
	assert_true(g_str_has_suffix(to, "/kernels/configs/good.config"));
	g_autofree char *before = g_strdup(c->digest);
	const char *names[] = {"A=y", "B=y"};
	Candidate *more = found(2, CANDIDATE_CONFIG, names);
	more[1].depends = 1;
	g_autoptr(GError) error = NULL;
	assert_true(campaign_expand(c, more, 2, &error));
	assert_int_equal(c->candidates_count, 3);
	assert_int_equal(c->candidates[0].depends, 2);
	assert_int_equal(c->candidates[2].depends, 2);
	assert_string_not_equal(c->digest, before);
}

static void test_expand_errors(void **state)
{
	g_autoptr(GError) error = NULL;
	g_autoptr(Campaign) c = load_with("candidates: [late, early]\n", "history: {series: s}\n");
	assert_int_equal(c->candidates_count, 0);
	assert_int_equal(c->history->series->patches_count, 4);
	assert_false(campaign_expand(c, NULL, 0, &error));
	assert_non_null(strstr(error->message, "c.yaml:10:10: no candidates: the range has no"));
	g_clear_error(&error);
	const char *twice[] = {"quiet", "x"};
	g_autoptr(Campaign) d = load_with("candidates: [late, early]\n",
					  "config: {good: good, bad: bad}\n"
					  "parameters: [quiet]\n"
					  "relations: [{candidate: quiet, depends: [y]}]\n");
	assert_false(campaign_expand(d, found(2, CANDIDATE_CONFIG, twice), 2, &error));
	assert_non_null(strstr(error->message, "there are two candidates with the name 'quiet'"));
	g_clear_error(&error);
	const char *other[] = {"x"};
	g_autoptr(Campaign) e = load_with("candidates: [late, early]\n",
					  "config: {good: good, bad: bad}\n"
					  "parameters: [quiet]\n"
					  "relations: [{candidate: quiet, depends: [y]}]\n");
	assert_false(campaign_expand(e, found(1, CANDIDATE_CONFIG, other), 1, &error));
	assert_non_null(strstr(error->message, "no candidate 'y' here."));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_mixture, tree_set_up, tree_tear_down),
		cmocka_unit_test_setup_teardown(test_initcalls, tree_set_up, tree_tear_down),
		cmocka_unit_test_setup_teardown(test_no_series, tree_set_up, tree_tear_down),
		cmocka_unit_test_setup_teardown(test_weights, tree_set_up, tree_tear_down),
		cmocka_unit_test_setup_teardown(test_expand_config, tree_set_up, tree_tear_down),
		cmocka_unit_test_setup_teardown(test_expand_errors, tree_set_up, tree_tear_down),
	};
	return cmocka_run_group_tests_name("candidates", tests, NULL, NULL);
}
