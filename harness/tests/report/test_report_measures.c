/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Measures and effects in the document and in what is made of it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <string.h>

#include "base/fs.h"
#include "report/report.h"
#include "store/store.h"

enum { A = 1, B = 2, C = 4, D = 8 };

typedef struct {
	char *dir;
	Store *store;
	StoreCampaign *run;
	gint64 sitting;
	unsigned trials;
} Made;

static void begin(Made *m, bool exact)
{
	static const char *const names[] = {"halve", "nothing", "hide", "untried"};
	g_autoptr(GPtrArray) all =
		g_ptr_array_new_with_free_func((GDestroyNotify)store_candidate_free);
	m->dir = g_dir_make_tmp("kexsect-measures-XXXXXX", NULL);
	m->store = store_open(m->dir, STORE_WRITE, NULL);
	for (gsize i = 0; i < G_N_ELEMENTS(names); i++) {
		StoreCandidate *k = g_new0(StoreCandidate, 1);
		k->kind = g_strdup("patch");
		k->name = g_strdup(names[i]);
		k->title = g_strdup("");
		k->text = g_strdup(names[i]);
		k->file = g_strdup_printf("/p/%s.patch", names[i]);
		g_ptr_array_add(all, k);
	}
	m->run = g_new0(StoreCampaign, 1);
	m->run->name = g_strdup("x");
	m->run->digest = g_strdup("d");
	m->run->title = g_strdup("t");
	m->run->question = g_strdup("");
	m->run->effect = g_strdup("cures");
	m->run->state_reason = g_strdup("");
	m->run->config = json_pack("{s:s, s:s, s:[{s:s, s:s, s:i}]}", "mode", "kexec", "measure",
				   "faults", "targets", "name", "vm", "determinism",
				   exact ? "icount" : "none", "phase_period_us", 1000);
	assert_true(store_add_campaign(m->store, m->run, all, NULL));
	m->sitting = store_begin_sitting(m->store, m->run->id, NULL);
}

static void end(Made *m)
{
	store_campaign_free(m->run);
	store_free(m->store);
	kx_remove_tree(m->dir, NULL);
	g_free(m->dir);
}

static void booted(Made *m, uint64_t mask, int phase, int accesses, int blocked_us)
{
	StoreTrial t = {.number = ++m->trials,
			.mask = mask,
			.build = (char *)"h",
			.target = (char *)"vm",
			.mode = (char *)"kexec",
			.purpose = (char *)"search",
			.outcome = (char *)(accesses ? "fault" : "clean"),
			.reason = (char *)"",
			.evidence = (char *)""};
	t.measures = json_pack("{s:i, s:i, s:i, s:i, s:i, s:i, s:[{s:s, s:i, s:i, s:i, s:i}, "
			       "{s:s, s:i, s:i, s:i, s:i}]}",
			       "faults", accesses, "suppressed", 0, "outside", 0, "window_us",
			       460000, "blocked_us", blocked_us, "phase_us", phase * 250, "parts",
			       "name", "IOMMU on", "start_us", 200000, "length_us",
			       460000 - blocked_us, "faults", 0, "suppressed", 0, "name",
			       "entries <b>block</b>", "start_us", 660000 - blocked_us, "length_us",
			       blocked_us, "faults", accesses, "suppressed", 0);
	t.seconds = json_object();
	t.plan = json_null();
	assert_true(store_add_trial(m->store, m->run->id, m->sitting, &t, NULL, NULL, NULL, NULL));
	json_decref(t.measures);
	json_decref(t.seconds);
}

static void boot_all(Made *m)
{
	for (int phase = 0; phase < 3; phase++) {
		booted(m, 0, phase, 80, 80000);
		booted(m, A, phase, 44, 44000);
		booted(m, B, phase, 80, 80000);
		booted(m, A | B, phase, 44, 44000);
	}
	booted(m, C, 1, 0, 420); /* its window is too short for this phase */
}

static const json_t *effect(const json_t *doc, size_t candidate, const char *measure)
{
	const json_t *list = json_object_get(json_object_get(doc, "effects"), "candidates");
	return json_object_get(json_array_get(list, candidate), measure);
}

static void contains(const char *text, const char *words)
{
	if (!strstr(text, words))
		fail_msg("'%s' is not in:\n%s", words, text);
}

static void test_exact(void **state)
{
	Made m = {0};
	begin(&m, true);
	boot_all(&m);
	g_autoptr(json_t) doc = report_build(m.store, m.run->id, NULL);
	assert_non_null(doc);
	const json_t *effects = json_object_get(doc, "effects");
	assert_true(kx_json_bool(effects, "exact", false));
	const json_t *halve = effect(doc, 0, "faults");
	assert_int_equal(kx_json_int(halve, "pairs", 0), 2);
	assert_true(kx_json_num(halve, "percent", 0) < -44.99 &&
		    kx_json_num(halve, "percent", 0) > -45.01);
	assert_true(kx_json_num(halve, "low", 0) == kx_json_num(halve, "high", 1));
	assert_true(kx_json_bool(effect(doc, 1, "faults"), "none", false));
	assert_true(kx_json_bool(effect(doc, 0, "rate"), "none", false));
	assert_string_equal(
		json_string_value(json_array_get(json_object_get(effects, "unmeasured"), 0)),
		"untried");
	/* it was rarer, it went away in one phase: a short window is no cure, and that is said */
	const json_t *hidden = json_array_get(json_object_get(doc, "measures"), 3);
	g_autofree char *page = report_render("html", doc, false);
	g_autofree char *text = report_render("text", doc, false);
	g_autofree char *md = report_render("md", doc, false);
	contains(page, "still open for 420 µs");
	contains(page, "would fault in 0.42 of boots");
	contains(page, "entries &lt;b&gt;block&lt;/b&gt;");
	contains(page, "class=\"bar parts\"");
	contains(text, "still open for 420 µs");
	contains(text, "halve: −45 %, nothing: none measurable");
	contains(md, "hide: −100 %");
	assert_null(strstr(page, "<b>block"));
	assert_non_null(hidden);
	end(&m);
}

static void test_no_cure(void **state)
{
	Made m = {0};
	begin(&m, true);
	for (int phase = 0; phase < 3; phase++) {
		booted(&m, 0, phase, 80, 80000);
		booted(&m, A, phase, 44, 44000);
		booted(&m, B, phase, 80, 80000);
	}
	g_autoptr(json_t) doc = report_build(m.store, m.run->id, NULL);
	assert_string_equal(kx_json_str(json_object_get(doc, "effects"), "sentence"),
			    "halve: −45 %, nothing: none measurable; no combination tested "
			    "removes it");
	/* beside the verdict */
	StoreVerdict v = {.kind = (char *)"none",
			  .effect = (char *)"cures",
			  .probability = 0.995,
			  .why = (char *)"no_effect",
			  .reason = (char *)"no set removes it",
			  .details = json_object()};
	assert_true(store_finish(m.store, m.run->id, &v, NULL));
	json_decref(v.details);
	g_autoptr(json_t) over = report_build(m.store, m.run->id, NULL);
	g_autofree char *text = report_render("text", over, false);
	g_autofree char *page = report_render("html", over, false);
	g_autofree char *md = report_render("md", over, false);
	const char *head = strstr(text, "halve: −45 %");
	assert_true(head && strstr(head + 1, "halve: −45 %"));
	contains(md, "What was measured: halve: −45 %");
	contains(
		page,
		"<p>halve: −45 %, nothing: none measurable; no combination tested removes it.</p>");
	end(&m);
}

/* The same boots of a machine that is never the same: intervals. And one that should be and is not.
 */
static void test_not_exact(void **state)
{
	Made m = {0}, odd = {0};
	begin(&m, false);
	boot_all(&m);
	booted(&m, 0, 0, 84, 84000);
	g_autoptr(json_t) doc = report_build(m.store, m.run->id, NULL);
	const json_t *halve = effect(doc, 0, "faults");
	assert_false(kx_json_bool(halve, "exact", true));
	assert_true(kx_json_num(halve, "low", 0) < kx_json_num(halve, "percent", 0));
	assert_true(kx_json_num(halve, "high", -99) > kx_json_num(halve, "percent", 0));
	assert_null(json_object_get(json_object_get(doc, "effects"), "warning"));
	end(&m);
	begin(&odd, true);
	boot_all(&odd);
	booted(&odd, 0, 0, 84, 84000);
	g_autoptr(json_t) warned = report_build(odd.store, odd.run->id, NULL);
	assert_false(kx_json_bool(json_object_get(warned, "effects"), "exact", true));
	g_autofree char *page = report_render("html", warned, false);
	contains(page, "boots that should be the same are not");
	end(&odd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_exact),
		cmocka_unit_test(test_no_cure),
		cmocka_unit_test(test_not_exact),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
