/* SPDX-License-Identifier: GPL-2.0-or-later */
/* From the store to the document. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/proc.h"
#include "report/report.h"
#include "run.h"

static json_t *build(const Run *r)
{
	g_autoptr(GError) error = NULL;
	json_t *doc = report_build(r->store, r->campaign->id, &error);
	if (!doc)
		fail_msg("%s", error->message);
	return doc;
}

static const json_t *at(const json_t *doc, const char *path)
{
	g_auto(GStrv) keys = g_strsplit(path, ".", -1);
	for (char **k = keys; *k && doc; k++)
		doc = g_ascii_isdigit(**k) ? json_array_get(doc, (size_t)atoi(*k))
					   : json_object_get(doc, *k);
	return doc;
}

static const char *str(const json_t *doc, const char *path)
{
	const char *s = json_string_value(at(doc, path));
	return s ? s : "(missing)";
}

static double num(const json_t *doc, const char *path)
{
	const json_t *v = at(doc, path);
	if (!json_is_number(v))
		fail_msg("%s is no number", path);
	return json_number_value(v);
}

/* Runs a program on the document; it says what it does not like. */
static void check_by(const char *const *argv)
{
	g_autoptr(GError) error = NULL;
	g_auto(KxProcResult) result = {0};
	KxProc p = {.argv = argv, .timeout_s = 60};
	if (!kx_proc_run(&p, &result, &error))
		fail_msg("%s", error->message);
	if (result.status == 77) {
		print_message("skipped: %s", result.err);
		skip();
	}
	if (result.status != 0)
		fail_msg("%s%s", result.out, result.err);
}

static void check_schema(const json_t *doc, const char *dir)
{
	g_autoptr(GError) error = NULL;
	g_autofree char *path = g_build_filename(dir, "check.json", NULL);
	g_autofree char *text = report_render("json", doc, false);
	if (!kx_write_file(path, text, -1, &error))
		fail_msg("%s", error->message);
	check_by((const char *const[]){"/usr/bin/python3", TEST_DATA "/check_schema.py",
				       SOURCE_ROOT "/docs/report.schema.json", path, NULL});
}

static void cause_is_in_the_document(void **state)
{
	Run r;
	run_make(&r, RUN_CAUSE, NULL);
	g_autoptr(json_t) doc = build(&r);
	assert_int_equal(num(doc, "format"), 1);
	assert_string_equal(str(doc, "verdict.kind"), "cause");
	assert_string_equal(str(doc, "verdict.effect"), "cures");
	assert_string_equal(str(doc, "verdict.members.0"), "split-enable");
	assert_int_equal(json_array_size(at(doc, "verdict.members")), 1);
	assert_true(num(doc, "verdict.probability") == 0.99836);
	assert_true(json_is_true(at(doc, "verdict.final")));
	/* never rounded up */
	assert_string_equal(str(doc, "verdict.sentence"),
			    "split-enable alone removes the fault (p = 0.9983)");
	assert_string_equal(str(doc, "campaign.state"), "done");
	assert_string_equal(str(doc, "campaign.slug"), "vtd-window-1");
	assert_string_equal(str(doc, "campaign.oracle.window.from"), "translation on");
	assert_string_equal(str(doc, "campaign.fixtures.0.name"), "markers");
	assert_string_equal(str(doc, "campaign.series.name"), "vtd-6.1");
	assert_true(num(doc, "campaign.parameters.confidence") == 0.99);
	assert_true(num(doc, "rates.faulty.mean") == 0.81);
	assert_int_equal(json_array_size(at(doc, "candidates")), RUN_CANDIDATES);
	assert_true(num(doc, "candidates.0.probability") == 0.998);
	assert_true(json_is_true(at(doc, "candidates.0.in_cause")));
	assert_string_equal(str(doc, "candidates.6.depends.0"), "root-entry-flush");
	check_schema(doc, r.results);
	run_clear(&r);
}

static void trials_name_their_evidence(void **state)
{
	Run r;
	run_make(&r, RUN_CAUSE, NULL);
	g_autoptr(json_t) doc = build(&r);
	size_t i;
	json_t *t;
	json_array_foreach ((json_t *)at(doc, "trials"), i, t) {
		g_autofree char *below =
			g_build_filename(str(doc, "campaign.folder"), str(t, "link"), NULL);
		assert_string_equal(below, str(t, "evidence"));
		assert_true(g_file_test(str(t, "evidence"), G_FILE_TEST_IS_DIR));
		const json_t *variant =
			json_array_get(at(doc, "variants"), (size_t)num(t, "variant"));
		assert_true(json_equal(at(variant, "members"), at(t, "members")));
	}
	assert_int_equal(i, RUN_TRIALS);
	assert_int_equal(num(doc, "totals.trials"), RUN_TRIALS);
	assert_int_equal(num(doc, "totals.outcomes.fault"), 10);
	assert_int_equal(num(doc, "totals.outcomes.hang"), 1);
	assert_int_equal(num(doc, "totals.outcomes.infra"), 1);
	assert_string_equal(str(doc, "trials.9.outcome"), "panic");
	run_clear(&r);
}

/* The base comes first, then the variant of the answer. */
static void variants_are_counted_by_how_they_booted(void **state)
{
	Run r;
	run_make(&r, RUN_CAUSE, NULL);
	g_autoptr(json_t) doc = build(&r);
	assert_int_equal(json_array_size(at(doc, "variants.0.members")), 0);
	assert_int_equal(num(doc, "variants.0.outcomes.kexec.fault"), 4);
	assert_int_equal(num(doc, "variants.0.outcomes.kexec.clean"), 1);
	assert_int_equal(num(doc, "variants.0.outcomes.cold.fault"), 2);
	assert_int_equal(num(doc, "variants.0.outcomes.clean_rebuild.fault"), 2);
	assert_true(json_is_true(at(doc, "variants.0.clean_rebuild.same_vmlinux")));
	assert_string_equal(str(doc, "variants.1.members.0"), "split-enable");
	assert_int_equal(num(doc, "variants.1.cleans"), 8);
	assert_int_equal(num(doc, "variants.1.faults"), 0);
	assert_true(num(doc, "variants.1.rate.low") == 0);
	/* Wilson's upper limit of 0 of 8 at 95 % is z²/(8 + z²) = 0.3244 */
	assert_true(num(doc, "variants.1.rate.high") > 0.3243 &&
		    num(doc, "variants.1.rate.high") < 0.3245);
	size_t i, unbuildable = 0;
	json_t *v;
	json_array_foreach ((json_t *)at(doc, "variants"), i, v) {
		if (strcmp(str(v, "status"), "unbuildable") != 0)
			continue;
		unbuildable++;
		assert_string_equal(str(v, "failed_step"), "compile");
		assert_null(at(v, "rate"));
	}
	assert_int_equal(unbuildable, 2);
	run_clear(&r);
}

static void evidence_carries_the_verdict(void **state)
{
	Run r;
	run_make(&r, RUN_CAUSE, NULL);
	g_autoptr(json_t) doc = build(&r);
	const json_t *evidence = at(doc, "verdict.evidence");
	assert_int_equal(json_array_size(evidence), 4);
	assert_string_equal(str(evidence, "0.role"), "base");
	assert_string_equal(str(evidence, "0.expected"), "fault");
	assert_int_equal(num(evidence, "0.kexec.faults"), 4);
	assert_int_equal(num(evidence, "0.kexec.boots"), 5);
	assert_string_equal(str(evidence, "1.role"), "with");
	assert_string_equal(str(evidence, "1.expected"), "clean");
	assert_int_equal(num(evidence, "1.cold.boots"), 3);
	assert_int_equal(num(evidence, "1.clean_rebuild.boots"), 2);
	assert_string_equal(str(evidence, "2.role"), "all_without");
	assert_int_equal(num(evidence, "2.variants"), 3);
	assert_int_equal(num(evidence, "2.all.faults"), 10);
	assert_int_equal(num(evidence, "2.all.boots"), 11);
	assert_string_equal(str(evidence, "3.role"), "all_with");
	assert_int_equal(num(evidence, "3.all.faults"), 0);
	assert_int_equal(num(evidence, "3.all.boots"), 10);
	run_clear(&r);
}

static void log_is_cut_to_the_window(void **state)
{
	Run r;
	run_make(&r, RUN_CAUSE, NULL);
	g_autoptr(json_t) doc = build(&r);
	const json_t *lines = at(doc, "faults.examples.0.lines");
	assert_string_equal(str(doc, "faults.examples.0.file"), "kmsg.log");
	assert_string_equal(str(doc, "faults.examples.0.link"), "trials/000001/kmsg.log");
	size_t i, faults = 0, window = 0;
	json_t *line;
	json_array_foreach ((json_t *)lines, i, line) {
		bool fault = strstr(str(line, "text"), "[DMA Read") != NULL;
		assert_int_equal(kx_json_bool(line, "fault", false), fault);
		faults += fault;
		window += kx_json_bool(line, "window", false);
		if (strstr(str(line, "text"), "translation on")) {
			assert_true(kx_json_bool(line, "window", false));
			assert_string_equal(str(line, "time"), "0.217350");
			assert_int_equal(num(line, "number"), 5);
		}
		if (strstr(str(line, "text"), "Virtualization Technology"))
			assert_false(kx_json_bool(line, "window", false));
	}
	assert_int_equal(faults, 2);
	assert_int_equal(window, 6);
	/* the last one is a boot with the answer, to compare */
	size_t n = json_array_size(at(doc, "faults.examples"));
	assert_int_equal(n, 2);
	assert_string_equal(str(doc, "faults.examples.1.outcome"), "clean");
	assert_string_equal(str(doc, "faults.examples.1.members.0"), "split-enable");
	assert_int_equal(num(doc, "faults.counted"), 20);
	assert_int_equal(num(doc, "faults.suppressed"), 10);
	assert_int_equal(json_array_size(at(doc, "faults.signatures")), 2);
	assert_int_equal(num(doc, "faults.signatures.0.records"), 10);
	assert_int_equal(num(doc, "faults.signatures.0.trials"), 10);
	run_clear(&r);
}

static void the_rest_is_there(void **state)
{
	Run r;
	run_make(&r, RUN_CAUSE, NULL);
	g_autoptr(json_t) doc = build(&r);
	assert_string_equal(str(doc, "conflicts.0.relation"), "conflicts");
	assert_string_equal(str(doc, "conflicts.0.members.0"), "qi-early");
	assert_string_equal(str(doc, "conflicts.0.reason"), "iommu.c: hunk 1 does not apply");
	assert_string_equal(str(doc, "conflicts.1.relation"), "needs");
	assert_string_equal(str(doc, "conflicts.1.members.0"), "flush-iotlb-late");
	/* a set that only holds a smaller one that does not build is not told again */
	assert_string_equal(str(doc, "conflicts.2.relation"), "unbuildable");
	assert_string_equal(str(doc, "conflicts.2.members.0"), "broken-build");
	assert_int_equal(json_array_size(at(doc, "conflicts")), 3);
	assert_string_equal(str(doc, "history.hypotheses.0.members.0"), "split-enable");
	assert_int_equal(json_array_size(at(doc, "history.points")), 21);
	assert_true(num(doc, "history.points.0.probabilities.0") == 0.08);
	assert_true(num(doc, "time.total") == 600);
	assert_true(num(doc, "time.harness_percent") == 3);
	assert_string_equal(str(doc, "environment.0.name"), "qemu");
	assert_string_equal(str(doc, "environment.2.value"), "Linux/x86 6.1.0");
	assert_string_equal(str(doc, "environment.3.value"), "gcc (Debian 12.2.0-14) 12.2.0");
	assert_string_equal(str(doc, "events.0.kind"), "retry");
	assert_non_null(strstr(str(doc, "repeat.trial"), "trials/000001/request.json"));
	assert_non_null(strstr(str(doc, "repeat.apply.0"), "split-enable.patch"));
	run_clear(&r);
}

static void a_run_that_has_not_ended(void **state)
{
	g_autoptr(GError) error = NULL;
	Run r;
	run_make(&r, RUN_UNFINISHED, NULL);
	g_autofree char *lock = g_build_filename(r.campaign->dir, "lock", NULL);
	int fd = kx_lock_file(lock, false, &error);
	assert_true(fd >= 0);
	g_autoptr(json_t) running = build(&r);
	assert_string_equal(str(running, "verdict.kind"), "inconclusive");
	assert_string_equal(str(running, "campaign.state"), "running");
	assert_string_equal(str(running, "verdict.why"), "running");
	assert_true(json_is_false(at(running, "verdict.final")));
	assert_string_equal(str(running, "verdict.sentence"),
			    "No verdict yet: split-enable leads (p = 0.9950)");
	assert_int_equal(json_array_size(at(running, "verdict.members")), 0);
	assert_true(num(running, "rates.faulty.mean") == 0.8);
	check_schema(running, r.results);
	/* nobody holds the lock: it was stopped, whatever the row says */
	close(fd);
	g_autoptr(json_t) stopped = build(&r);
	assert_string_equal(str(stopped, "campaign.state"), "stopped");
	run_clear(&r);
}

static void verdicts_without_a_cause(void **state)
{
	Run r;
	run_make(&r, RUN_NONE, NULL);
	g_autoptr(json_t) none = build(&r);
	assert_string_equal(str(none, "verdict.kind"), "none");
	assert_int_equal(json_array_size(at(none, "verdict.members")), 0);
	assert_string_equal(str(none, "verdict.sentence"),
			    "No combination of the 12 candidates removes the fault (p = 0.9931)");
	check_schema(none, r.results);
	run_clear(&r);

	run_make(&r, RUN_INCONCLUSIVE, NULL);
	g_autoptr(json_t) open = build(&r);
	assert_string_equal(str(open, "verdict.kind"), "inconclusive");
	assert_true(json_is_true(at(open, "verdict.final")));
	assert_string_equal(str(open, "campaign.state"), "done");
	assert_non_null(strstr(str(open, "verdict.sentence"), "when the budget ended"));
	check_schema(open, r.results);
	run_clear(&r);
}

static void empty_run(void **state)
{
	Run r;
	run_make(&r, RUN_EMPTY, NULL);
	g_autoptr(json_t) doc = build(&r);
	assert_string_equal(str(doc, "verdict.kind"), "inconclusive");
	assert_string_equal(str(doc, "verdict.sentence"), "No verdict: no trial was made yet");
	assert_null(at(doc, "rates"));
	assert_null(at(doc, "verdict.leading"));
	assert_int_equal(json_array_size(at(doc, "trials")), 0);
	check_schema(doc, r.results);
	for (const ReportFormat *const *f = report_formats; *f; f++) {
		g_autofree char *text = (*f)->render(doc, true);
		assert_true(strlen(text) > 50);
	}
	run_clear(&r);
}

static void a_run_that_is_not_there(void **state)
{
	g_autoptr(GError) error = NULL;
	Run r;
	run_make(&r, RUN_EMPTY, NULL);
	assert_null(report_build(r.store, 99, &error));
	assert_non_null(error);
	run_clear(&r);
}

/* Evidence that is gone, a log that is not text, a link to a pipe: the report is made without. */
static void damaged_evidence(void **state)
{
	g_autoptr(GError) error = NULL;
	Run r;
	run_make(&r, RUN_CAUSE, NULL);
	g_autofree char *first = g_build_filename(r.campaign->dir, "trials/000001", NULL);
	g_autofree char *second = g_build_filename(r.campaign->dir, "trials/000002/kmsg.log", NULL);
	g_autofree char *clean = g_build_filename(r.campaign->dir, "trials/000013/kmsg.log", NULL);
	assert_true(kx_remove_tree(first, &error));
	assert_true(kx_write_file(second, "\0\xff\xfe;;;\n\n", 9, &error));
	assert_int_equal(unlink(clean), 0);
	assert_int_equal(symlink("/dev/zero", clean), 0);
	g_autoptr(json_t) doc = build(&r);
	assert_string_equal(str(doc, "verdict.kind"), "cause");
	assert_int_equal(json_array_size(at(doc, "faults.examples")), 0);
	check_schema(doc, r.results);
	run_clear(&r);
}

/* A boot of the base that faults, and one with the answer that does not. */
static void timelines_are_compared(void **state)
{
	Run r;
	run_make(&r, RUN_CAUSE, NULL);
	g_autoptr(json_t) doc = build(&r);
	assert_int_equal(num(doc, "timeline.first"), 1);
	assert_int_equal(num(doc, "timeline.second"), 13);
	assert_int_equal(num(doc, "timeline.document.boots.0.totals.faults"), 2);
	assert_int_equal(num(doc, "timeline.document.boots.1.totals.faults"), 0);
	assert_string_equal(str(doc, "timeline.document.boots.1.title"),
			    "with split-enable, clean");
	/* these two logs differ by nothing but the faults */
	assert_string_equal(str(doc, "timeline.sentence"),
			    "The IOMMU's steps have the same order in both boots: what differs is "
			    "not in these logs. With initcall_debug on the kernel's command line "
			    "they would show the steps of the initialisation.");
	check_schema(doc, r.results);
	run_clear(&r);
	run_make(&r, RUN_EMPTY, NULL);
	g_autoptr(json_t) empty = build(&r);
	assert_null(at(empty, "timeline"));
	run_clear(&r);
}

static void files_are_written(void **state)
{
	g_autoptr(GError) error = NULL;
	Run r;
	run_make(&r, RUN_CAUSE, NULL);
	assert_true(report_write(r.store, r.campaign->id, r.campaign->dir, &error));
	static const char *const files[] = {"report.html", "report.json", "report.md"};
	for (size_t i = 0; i < G_N_ELEMENTS(files); i++) {
		g_autofree char *path = g_build_filename(r.campaign->dir, files[i], NULL);
		g_autofree char *text = kx_read_file(path, 1 << 20, NULL, &error);
		assert_non_null(text);
		assert_non_null(strstr(text, "split-enable"));
	}
	g_autofree char *html = g_build_filename(r.campaign->dir, "report.html", NULL);
	check_by((const char *const[]){"python3", TEST_DATA "/check_html.py", "--links", html,
				       NULL});
	/* a folder that cannot be made */
	assert_false(report_write(r.store, r.campaign->id, "/dev/null/x", &error));
	assert_non_null(error);
	run_clear(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(cause_is_in_the_document),
		cmocka_unit_test(trials_name_their_evidence),
		cmocka_unit_test(variants_are_counted_by_how_they_booted),
		cmocka_unit_test(evidence_carries_the_verdict),
		cmocka_unit_test(log_is_cut_to_the_window),
		cmocka_unit_test(the_rest_is_there),
		cmocka_unit_test(timelines_are_compared),
		cmocka_unit_test(a_run_that_has_not_ended),
		cmocka_unit_test(verdicts_without_a_cause),
		cmocka_unit_test(empty_run),
		cmocka_unit_test(a_run_that_is_not_there),
		cmocka_unit_test(damaged_evidence),
		cmocka_unit_test(files_are_written),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
