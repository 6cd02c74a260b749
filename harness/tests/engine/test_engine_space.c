/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Campaigns of other kinds than patches: what is built, what is booted with which command line. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <string.h>

#include "lab.h"

/* Three patches, and three parameters that need no build. */
static void mix(Lab *l)
{
	lab_set(l, "candidates",
		"[{'name':'a'}, {'name':'b'}, {'name':'c'}, {'name':'iommu=pt', "
		"'kind':'parameter'}, "
		"{'name':'quiet', 'kind':'parameter'}, {'name':'pci=nomsi', 'kind':'parameter'}]");
	lab_set(l, "cmdline", "'intel_iommu=on'");
}
#define PARAMETERS 0x38u

/* The request that a trial's job got. */
static json_t *request_of(const StoreTrial *t)
{
	g_autofree char *path = g_build_filename(t->evidence, "request.json", NULL);
	json_t *request = kx_json_load(path, NULL);
	assert_non_null(request);
	return request;
}

static void check_cmdline(const StoreTrial *t)
{
	static const char *const words[] = {"iommu=pt", "quiet", "pci=nomsi"};
	g_autoptr(json_t) request = request_of(t);
	g_autoptr(GString) want = g_string_new("intel_iommu=on");
	for (guint i = 0; i < 3; i++)
		if (t->mask >> (3 + i) & 1)
			g_string_append_printf(want, " %s", words[i]);
	assert_string_equal(kx_json_str(request, "cmdline"), want->str);
}

/* Builds have no parameters in their mask, and no two usual ones are the same. */
static void check_builds(const LabView *v)
{
	for (guint i = 0; i < v->builds->len; i++) {
		const StoreBuild *b = v->builds->pdata[i];
		assert_int_equal(b->mask & PARAMETERS, 0);
		for (guint k = 0; k < i; k++) {
			const StoreBuild *other = v->builds->pdata[k];
			assert_false(b->mask == other->mask && b->clean == other->clean &&
				     b->launcher == other->launcher);
		}
	}
}

static void check_trials(const LabView *v)
{
	for (guint i = 0; i < v->trials->len; i++) {
		const StoreTrial *t = v->trials->pdata[i];
		bool found = false;
		check_cmdline(t);
		for (guint k = 0; k < v->builds->len; k++) {
			const StoreBuild *b = v->builds->pdata[k];
			found |= !b->launcher && g_str_equal(b->hash, t->build) &&
				 b->mask == (t->mask & ~(uint64_t)PARAMETERS);
		}
		assert_true(found);
	}
}

/* A patch and a parameter that only together end it. */
static void test_mixture(void **state)
{
	mix(*state);
	lab_set(*state, "cause", "['b', 'quiet']");
	g_auto(LabRun) r = lab_run(*state, NULL);
	assert_int_equal(r.status, 0);
	g_auto(LabView) v = lab_look(*state, "lab");
	lab_expect(&v, "cause", "b quiet");
	check_builds(&v);
	check_trials(&v);
	assert_non_null(strstr(r.out, "b + quiet"));
}

/* Parameters alone: the base, once usual and once from nothing, is all that is compiled. */
static void test_parameters(void **state)
{
	lab_set(*state, "candidates",
		"[{'name':'p0', 'kind':'parameter'}, {'name':'p1', 'kind':'parameter'},"
		" {'name':'p2', 'kind':'parameter'}, {'name':'p3', 'kind':'parameter'},"
		" {'name':'p4', 'kind':'parameter'}, {'name':'p5', 'kind':'parameter'}]");
	lab_set(*state, "cause", "['p4']");
	lab_set(*state, "panic", "['p1']");
	g_auto(LabRun) r = lab_run(*state, NULL);
	assert_int_equal(r.status, 0);
	g_auto(LabView) v = lab_look(*state, "lab");
	lab_expect(&v, "cause", "p4");
	unsigned usual = 0, clean = 0;
	for (guint i = 0; i < v.builds->len; i++) {
		const StoreBuild *b = v.builds->pdata[i];
		usual += !b->launcher && !b->clean;
		clean += !b->launcher && b->clean;
	}
	assert_int_equal(usual, 1);
	assert_in_range(clean, 0, 1);
}

/* A kernel that does not compile is not asked for again for each of its command lines. */
static void test_unbuildable(void **state)
{
	mix(*state);
	lab_set(*state, "cause", "['quiet']");
	lab_set(*state, "unbuildable", "['a', 'c']");
	g_auto(LabRun) r = lab_run(*state, NULL);
	assert_int_equal(r.status, 0);
	g_auto(LabView) v = lab_look(*state, "lab");
	lab_expect(&v, "cause", "quiet");
	check_builds(&v);
	check_trials(&v);
}

/* Options are compiled, like patches, and several in one candidate go together. */
static void test_config(void **state)
{
	lab_set(*state, "candidates",
		"[{'name':'USB=n', 'kind':'config'}, {'name':'A=y B=m', 'kind':'config'}, "
		"{'name':'C=5', 'kind':'config'}, {'name':'d'}]");
	lab_set(*state, "cause", "['A=y', 'B=m']");
	g_auto(LabRun) r = lab_run(*state, NULL);
	assert_int_equal(r.status, 0);
	g_auto(LabView) v = lab_look(*state, "lab");
	assert_string_equal(v.verdict->kind, "cause");
	assert_int_equal(v.verdict->members, 2);
}

#define EACH(f) cmocka_unit_test_setup_teardown(f, lab_setup, lab_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {EACH(test_mixture), EACH(test_parameters),
					   EACH(test_unbuildable), EACH(test_config)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
