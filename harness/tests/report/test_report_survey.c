/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The table of a survey: what it counts, and what is read off it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <string.h>

#include "base/fs.h"
#include "base/proc.h"
#include "report/report.h"
#include "store/store.h"

typedef struct {
	char *dir;
	Store *store;
	StoreCampaign *run;
	gint64 sitting;
	unsigned trials;
} Made;

static int set_up(void **state)
{
	Made *m = g_new0(Made, 1);
	m->dir = g_dir_make_tmp("kexsect-survey-XXXXXX", NULL);
	m->store = store_open(m->dir, STORE_WRITE, NULL);
	*state = m;
	return m->store ? 0 : -1;
}

static int tear_down(void **state)
{
	Made *m = *state;
	store_campaign_free(m->run);
	store_free(m->store);
	bool gone = kx_remove_tree(m->dir, NULL);
	g_free(m->dir);
	g_free(m);
	return gone ? 0 : -1;
}

/* Candidates "a", "b", …; `doc`: document "survey", with ' for ". */
static void begin(Made *m, const char *kind, unsigned n, const char *doc)
{
	g_autoptr(GPtrArray) all =
		g_ptr_array_new_with_free_func((GDestroyNotify)store_candidate_free);
	for (unsigned i = 0; i < n; i++) {
		StoreCandidate *k = g_new0(StoreCandidate, 1);
		k->kind = g_strdup(kind);
		k->name = g_strdup_printf("%c|<i>", 'a' + (int)i);
		k->title = g_strdup("");
		k->text = g_strdup(k->name);
		k->file = g_strdup("");
		g_ptr_array_add(all, k);
	}
	m->run = g_new0(StoreCampaign, 1);
	m->run->name = g_strdup("x");
	m->run->digest = g_strdup("d");
	m->run->title = g_strdup("t");
	m->run->question = g_strdup("");
	m->run->effect = g_strdup("cures");
	m->run->state_reason = g_strdup("");
	m->run->config = json_pack("{s:s, s:f}", "mode", "kexec", "confidence", 0.99);
	assert_true(store_add_campaign(m->store, m->run, all, NULL));
	m->sitting = store_begin_sitting(m->store, m->run->id, NULL);
	g_autofree char *text = g_strdelimit(g_strdup(doc), "'", '"');
	g_autoptr(json_t) survey = json_loads(text, 0, NULL);
	assert_non_null(survey);
	assert_true(store_set_document(m->store, m->run->id, "survey", survey, NULL));
}

static void booted(Made *m, uint64_t mask, const char *mode, const char *outcome,
		   const char *measures)
{
	g_autofree char *text = g_strdelimit(g_strdup(measures), "'", '"');
	g_autoptr(json_t) values = json_loads(text, 0, NULL);
	g_autoptr(json_t) none = json_object();
	assert_non_null(values);
	StoreTrial t = {.number = ++m->trials,
			.mask = mask,
			.build = (char *)"b",
			.target = (char *)"vm",
			.mode = (char *)mode,
			.purpose = (char *)"survey",
			.outcome = (char *)outcome,
			.reason = (char *)"",
			.evidence = (char *)"",
			.measures = values,
			.seconds = none,
			.plan = none};
	assert_true(store_add_trial(m->store, m->run->id, m->sitting, &t, NULL, NULL, NULL, NULL));
}

static void refused(Made *m, uint64_t mask)
{
	g_autoptr(json_t) seconds = json_object();
	StoreBuild b = {.mask = mask,
			.status = (char *)"unbuildable",
			.reason = (char *)"no such thing",
			.failed_step = (char *)"compile",
			.hash = (char *)"h",
			.identity = (char *)"",
			.artifacts = (char *)"",
			.kernel = (char *)"",
			.vmlinux_sha256 = (char *)"",
			.log = (char *)"",
			.seconds = seconds};
	assert_true(store_add_build(m->store, m->run->id, m->sitting, &b, NULL, NULL));
}

static void finished(Made *m, const char *kind)
{
	g_autoptr(json_t) details = json_object();
	StoreVerdict v = {.kind = (char *)kind,
			  .effect = (char *)"cures",
			  .why = (char *)(strcmp(kind, "table") == 0 ? "survey" : "budget"),
			  .reason = (char *)"so many boots",
			  .details = details};
	assert_true(store_finish(m->store, m->run->id, &v, NULL));
}

static json_t *document(Made *m)
{
	json_t *doc = report_build(m->store, m->run->id, NULL);
	g_autofree char *path = g_build_filename(m->dir, "check.json", NULL);
	g_autofree char *text = report_render("json", doc, false);
	assert_true(kx_write_file(path, text, -1, NULL));
	const char *argv[] = {"/usr/bin/python3", TEST_DATA "/check_schema.py",
			      SOURCE_ROOT "/docs/report.schema.json", path, NULL};
	KxProc p = {.argv = argv, .timeout_s = 60};
	g_auto(KxProcResult) r = {0};
	assert_true(kx_proc_run(&p, &r, NULL));
	if (r.status != 0 && r.status != 77)
		fail_msg("%s", r.out);
	return doc;
}

static const json_t *cell(const json_t *doc, size_t row, size_t mode)
{
	const json_t *rows = json_object_get(json_object_get(doc, "survey"), "rows");
	return json_array_get(json_object_get(json_array_get(rows, row), "cells"), mode);
}

static void expect_range(const json_t *measures, const char *key, double min, double max,
			 unsigned boots)
{
	const json_t *range = json_object_get(measures, key);
	assert_float_equal(kx_json_num(range, "min", -1), min, 0);
	assert_float_equal(kx_json_num(range, "max", -1), max, 0);
	assert_int_equal(kx_json_int(range, "boots", -1), boots);
}

static void expect_statement(const json_t *doc, const char *sentence)
{
	size_t i;
	json_t *s;
	const json_t *all = json_object_get(json_object_get(doc, "survey"), "statements");
	json_array_foreach ((json_t *)all, i, s)
		if (strcmp(json_string_value(s), sentence) == 0)
			return;
	g_autofree char *text = json_dumps(all, JSON_INDENT(1));
	fail_msg("not said: %s\n%s", sentence, text);
}

#define ROWS                                                                                       \
	"{'boots':2, 'modes':['kexec','cold'], 'after_verdict':false, 'why':'complete', 'rows':["  \
	"{'mask':'0x0'}, {'mask':'0x1'}, {'mask':'0x2'}, {'mask':'0x3'}, "                         \
	"{'mask':'0x4', 'left_out':'c does not apply without d'}, {'mask':'0x6'}]}"

/* a removes the fault, b does nothing, and b with c does not build. */
static void make_table(Made *m)
{
	begin(m, "patch", 3, ROWS);
	for (int boot = 0; boot < 2; boot++) {
		g_autofree char *jitter =
			g_strdup_printf("{'faults':%d, 'window_us':459000}", 340 + boot);
		booted(m, 0, "kexec", "fault", jitter);
		booted(m, 2, "kexec", "fault", jitter);
		for (uint64_t mask = 1; mask <= 3; mask += 2) {
			booted(m, mask, "kexec", "clean", "{'faults':0, 'window_us':-1}");
			booted(m, mask, "cold", "clean", "{'faults':0, 'window_us':1500}");
		}
		booted(m, 2, "cold", "fault",
		       "{'faults':62, 'suppressed':280, 'window_us':459125, 'blocked_us':437000}");
		booted(m, 0, "cold", "fault",
		       "{'faults':342, 'window_us':459125, 'parts':[{'name':'early', 'start_us':1, "
		       "'length_us':218000, 'faults':100, 'suppressed':0}, {'name':'late', "
		       "'start_us':218001, 'length_us':240000, 'faults':242, 'suppressed':0}]}");
	}
	booted(m, 0, "cold", "infra", "{'faults':7}");
	booted(m, 1, "cold", "hang", "{'faults':9}");
	refused(m, 6);
	finished(m, "table");
}

static void test_table(void **state)
{
	Made *m = *state;
	make_table(m);
	g_autoptr(json_t) doc = document(m);
	const json_t *verdict = json_object_get(doc, "verdict");
	assert_string_equal(kx_json_str(verdict, "kind"), "table");
	assert_string_equal(kx_json_str(verdict, "sentence"), "2 of 6 kernels fault, 2 never");
	assert_int_equal(json_array_size(json_object_get(verdict, "evidence")), 0);
	/* an infra boot is none; one that hung is a boot, but has measured nothing */
	assert_int_equal(kx_json_int(cell(doc, 0, 1), "boots", 0), 2);
	assert_int_equal(kx_json_int(cell(doc, 1, 1), "boots", 0), 3);
	expect_range(json_object_get(cell(doc, 0, 0), "measures"), "faults", 340, 341, 2);
	expect_range(json_object_get(cell(doc, 0, 1), "measures"), "faults", 342, 342, 2);
	expect_range(json_object_get(cell(doc, 1, 1), "measures"), "faults", 0, 0, 2);
	/* what is not known is no figure */
	assert_null(json_object_get(json_object_get(cell(doc, 1, 0), "measures"), "window_us"));
	const json_t *parts = json_object_get(cell(doc, 0, 1), "parts");
	assert_int_equal(json_array_size(parts), 2);
	expect_range(json_object_get(json_array_get(parts, 1), "measures"), "faults", 242, 242, 2);
	const json_t *rows = json_object_get(json_object_get(doc, "survey"), "rows");
	assert_string_equal(kx_json_str(json_array_get(rows, 4), "status"), "left_out");
	assert_string_equal(kx_json_str(json_array_get(rows, 5), "status"), "unbuildable");
	assert_string_equal(kx_json_str(json_array_get(rows, 5), "reason"), "no such thing");
}

static void test_statements(void **state)
{
	Made *m = *state;
	make_table(m);
	g_autoptr(json_t) doc = document(m);
	expect_statement(doc, "Every boot faults with: the base, b|<i>.");
	expect_statement(doc, "No boot faults with: a|<i>, a|<i> + b|<i>.");
	expect_statement(doc, "a|<i>, of 4 comparisons with all else equal: it removes all faults "
			      "in 4.");
	expect_statement(doc, "b|<i>, of 4 comparisons with all else equal: it changes nothing in "
			      "4.");
	expect_statement(doc, "kexec: the boots of a kernel differ in their counts with 2 of the 4 "
			      "that were booted more than once.");
	expect_statement(doc, "cold: all boots of a kernel count the same, with each of the 4 that "
			      "were booted more than once.");
	expect_statement(doc, "kexec and cold boots agree on which kernels fault.");
}

static void expect(const char *text, const char *part)
{
	if (!strstr(text, part))
		fail_msg("not there: %s\n%s", part, text);
}

static void test_formats(void **state)
{
	Made *m = *state;
	make_table(m);
	g_autoptr(json_t) doc = document(m);
	g_autofree char *text = report_render("text", doc, false);
	expect(text, "    kexec  2 of 2          340–341   459 ms\n");
	expect(text, "    cold   2 of 2          342       459 ms  437 ms\n");
	expect(text, "    cold   0 of 3, 1 hang  0         1.5 ms\n");
	expect(text, "    –      left out: c does not apply without d\n");
	expect(text, "    cold  100 in 218 ms  242 in 240 ms\n");
	g_autofree char *md = report_render("md", doc, false);
	expect(md, "| the base | cold | 2 of 2 | 342 | 459 ms |  |\n");
	expect(md, "| a\\|\\<i\\> + b\\|\\<i\\> | cold | 0 of 2 | 0 | 1.5 ms |  |\n");
	g_autofree char *html = report_render("html", doc, false);
	expect(html, "<h2>The table</h2>");
	expect(html, "<td data-label=\"accesses\">340–341</td>");
	expect(html, "<td colspan=\"4\" data-label=\"faults\">does not build: no such thing</td>");
	expect(html, "data-label=\"late\">242 in 240 ms</td>");
	assert_null(strstr(html, "<i>"));
}

/* Before its end, and when the budget ended it. */
static void test_unfinished(void **state)
{
	Made *m = *state;
	begin(m, "patch", 1,
	      "{'boots':2, 'modes':['cold'], 'after_verdict':false, 'why':'unfinished', "
	      "'rows':[{'mask':'0x0'}, {'mask':'0x1'}]}");
	{
		g_autoptr(json_t) doc = document(m);
		assert_false(kx_json_bool(json_object_get(doc, "survey"), "complete", true));
	}
	booted(m, 0, "cold", "fault", "{'faults':3}");
	{
		g_autoptr(json_t) doc = document(m);
		expect(kx_json_str(json_object_get(doc, "verdict"), "sentence"),
		       "1 of 2 kernels fault, 0 never, so far");
		g_autofree char *text = report_render("text", doc, false);
		expect(text, "    cold  –");
	}
	finished(m, "inconclusive");
	g_autoptr(json_t) doc = document(m);
	expect(kx_json_str(json_object_get(doc, "verdict"), "sentence"), "the budget ended first");
}

/* One row per kernel, in their order; what each pair has in common is no comparison. */
static void test_versions(void **state)
{
	Made *m = *state;
	begin(m, "version", 3,
	      "{'boots':1, 'modes':['cold'], 'after_verdict':false, 'why':'complete', 'rows':["
	      "{'mask':'0x1'}, {'mask':'0x2', 'left_out':'no source'}, {'mask':'0x3'}]}");
	booted(m, 1, "cold", "fault", "{'faults':300}");
	booted(m, 3, "cold", "clean", "{'faults':0}");
	finished(m, "table");
	g_autoptr(json_t) doc = document(m);
	assert_string_equal(kx_json_str(json_object_get(doc, "campaign"), "space"), "versions");
	assert_string_equal(kx_json_str(json_object_get(doc, "verdict"), "sentence"),
			    "1 of 3 versions fault, 1 never");
	const json_t *statements = json_object_get(json_object_get(doc, "survey"), "statements");
	assert_int_equal(json_array_size(statements), 2);
	expect_statement(doc, "Every boot faults with: a|<i>.");
	g_autofree char *text = report_render("text", doc, false);
	expect(text, "left out: no source");
}

/* Of a search, it is one section more. */
static void test_after_verdict(void **state)
{
	Made *m = *state;
	begin(m, "patch", 1,
	      "{'boots':1, 'modes':['cold'], 'after_verdict':true, 'why':'complete', "
	      "'rows':[{'mask':'0x0'}, {'mask':'0x1'}]}");
	booted(m, 0, "cold", "fault", "{'faults':3}");
	booted(m, 1, "cold", "clean", "{'faults':0}");
	g_autoptr(json_t) details = json_pack("{s:{s:s, s:[s], s:f}}", "leading", "kind", "set",
					      "members", "a|<i>", "probability", 0.995);
	StoreVerdict v = {.kind = (char *)"cause",
			  .effect = (char *)"cures",
			  .members = 1,
			  .probability = 0.995,
			  .why = (char *)"rule",
			  .reason = (char *)"",
			  .details = details};
	assert_true(store_set_verdict(m->store, m->run->id, &v, NULL));
	g_autoptr(json_t) doc = document(m);
	expect(kx_json_str(json_object_get(doc, "verdict"), "sentence"), "a|<i> alone removes");
	expect_statement(doc, "a|<i>, of 1 comparison with all else equal: it removes all faults "
			      "in 1.");
}

#define EACH(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		EACH(test_table),      EACH(test_statements), EACH(test_formats),
		EACH(test_unfinished), EACH(test_versions),   EACH(test_after_verdict),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
