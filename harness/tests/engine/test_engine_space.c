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

/* Moves of initcalls are of the kernel, and mix with patches. */
static void test_initcalls(void **state)
{
	lab_set(*state, "candidates",
		"[{'name':'a'}, {'name':'f=arch', 'kind':'initcall'},"
		" {'name':'g=late:before h', 'kind':'initcall'}, {'name':'h=fs', "
		"'kind':'initcall'}, {'name':'quiet', 'kind':'parameter'}]");
	lab_set(*state, "cause", "['g=late:before h']");
	lab_set(*state, "unbuildable", "['h=fs']");
	g_auto(LabRun) r = lab_run(*state, NULL);
	assert_int_equal(r.status, 0);
	g_auto(LabView) v = lab_look(*state, "lab");
	lab_expect(&v, "cause", "g=late:before h");
	for (guint i = 0; i < v.builds->len; i++)
		assert_int_equal(((StoreBuild *)v.builds->pdata[i])->mask & 16, 0);
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

/* A line of 32 commits, or one with a branch: 1–10, 11–20 on 10, 21–30 on 10 too, 31 merges 20
 * and 30. */
static void history(Lab *l, bool merge)
{
	g_autoptr(GString) all = g_string_new("[");
	for (int i = 1; i <= 32; i++) {
		if (merge && i == 31)
			g_string_append(all, ", [20, 30]");
		else
			g_string_append_printf(all, "%s[%d]", i > 1 ? ", " : "",
					       merge && i == 21 ? 10 : i - 1);
	}
	g_string_append(all, "]");
	lab_set(l, "history", all->str);
	lab_set(l, "fixtures", "[]");
}

/* Variants `from`…`to` are faulty. */
static void faulty(Lab *l, int from, int to)
{
	g_autoptr(GString) all = g_string_new("[");
	for (int i = from; i <= to; i++)
		g_string_append_printf(all, "%s'%040x'", i > from ? ", " : "", i);
	g_string_append(all, "]");
	lab_set(l, "faulty", all->str);
}

static void check_commits(const LabView *v, unsigned answer)
{
	assert_string_equal(v->verdict->kind, "cause");
	assert_int_equal(v->verdict->members, answer);
	assert_true(g_str_has_prefix(kx_json_str(v->verdict->details, "sentence"), "commit "));
	/* What was booted is the commit that the position says. */
	for (guint i = 0; i < v->trials->len; i++) {
		const StoreTrial *t = v->trials->pdata[i];
		g_autofree char *kernel = NULL;
		g_autofree char *want = g_strdup_printf("%040x", (unsigned)t->mask);
		g_autoptr(json_t) request = request_of(t);
		assert_true(
			g_file_get_contents(kx_json_str(request, "kernel"), &kernel, NULL, NULL));
		assert_non_null(strstr(kernel, want));
	}
}

static void test_history(void **state)
{
	history(*state, false);
	faulty(*state, 20, 32);
	lab_set(*state, "effect", "'causes'");
	lab_set(*state, "q", "0.6");
	lab_set(*state, "unbuildable", "['000000000000000000000000000000000000000d']");
	lab_set(*state, "hang", "['0000000000000000000000000000000000000007']");
	g_auto(LabRun) r = lab_run(*state, NULL);
	assert_int_equal(r.status, 0);
	g_auto(LabView) v = lab_look(*state, "lab");
	check_commits(&v, 20);
	assert_non_null(strstr(r.out, "commit c20 (subject of 20) brought the fault"));
	assert_int_equal(v.candidates->len, 32);
	g_autoptr(json_t) lineage = store_document(v.store, v.run->id, "history", NULL);
	assert_int_equal(json_array_size(json_object_get(lineage, "parents")), 32);
}

static void test_history_fixed(void **state)
{
	history(*state, false);
	faulty(*state, 0, 5);
	g_auto(LabRun) r = lab_run(*state, NULL);
	assert_int_equal(r.status, 0);
	g_auto(LabView) v = lab_look(*state, "lab");
	check_commits(&v, 6);
	assert_non_null(strstr(r.out, "commit c6 (subject of 6) fixed the fault"));
}

/* The culprit is on the second branch: 24–30 have it, 11–20 do not, the merge does. */
static void test_history_merge(void **state)
{
	history(*state, true);
	faulty(*state, 24, 32);
	lab_set(*state, "effect", "'causes'");
	g_auto(LabRun) r = lab_run(*state, NULL);
	assert_int_equal(r.status, 0);
	g_auto(LabView) v = lab_look(*state, "lab");
	check_commits(&v, 24);
}

#define EACH(f) cmocka_unit_test_setup_teardown(f, lab_setup, lab_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {EACH(test_mixture),	     EACH(test_parameters),
					   EACH(test_unbuildable),   EACH(test_initcalls),
					   EACH(test_config),	     EACH(test_history),
					   EACH(test_history_fixed), EACH(test_history_merge)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
