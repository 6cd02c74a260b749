/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Runs of other kinds than sets of patches: how they are told, and how to do them again. */
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
	m->dir = g_dir_make_tmp("kexsect-spaces-XXXXXX", NULL);
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

typedef struct {
	const char *kind, *name, *title, *text;
} Suspect;

static void begin(Made *m, const char *effect, const Suspect *suspects, unsigned n)
{
	g_autoptr(GPtrArray) all =
		g_ptr_array_new_with_free_func((GDestroyNotify)store_candidate_free);
	for (unsigned i = 0; i < n; i++) {
		StoreCandidate *k = g_new0(StoreCandidate, 1);
		k->kind = g_strdup(suspects[i].kind);
		k->name = g_strdup(suspects[i].name);
		k->title = g_strdup(suspects[i].title);
		k->text = g_strdup(suspects[i].text);
		bool patch = strcmp(suspects[i].kind, "patch") == 0;
		k->file = patch ? g_strdup_printf("/p/%s.patch", k->name) : g_strdup("");
		g_ptr_array_add(all, k);
	}
	m->run = g_new0(StoreCampaign, 1);
	m->run->name = g_strdup("x");
	m->run->digest = g_strdup("d");
	m->run->title = g_strdup("t");
	m->run->question = g_strdup("");
	m->run->effect = g_strdup(effect);
	m->run->state_reason = g_strdup("");
	m->run->config = json_pack("{s:s}", "mode", "kexec");
	if (strcmp(suspects[n - 1].kind, "config") == 0)
		json_object_set_new(m->run->config, "config_file", json_string("/k/bad.config"));
	assert_true(store_add_campaign(m->store, m->run, all, NULL));
	m->sitting = store_begin_sitting(m->store, m->run->id, NULL);
}

static void built(Made *m, uint64_t mask, const char *status)
{
	g_autofree char *hash = g_strdup_printf("%064x", (unsigned)mask + 16);
	g_autoptr(json_t) seconds = json_object();
	StoreBuild b = {.mask = mask,
			.status = (char *)status,
			.reason = (char *)"",
			.failed_step = (char *)"",
			.hash = hash,
			.identity = (char *)"kx0123456789ab",
			.artifacts = (char *)"",
			.kernel = (char *)"",
			.vmlinux_sha256 = hash,
			.log = (char *)"",
			.seconds = seconds};
	assert_true(store_add_build(m->store, m->run->id, m->sitting, &b, NULL, NULL));
}

static void booted(Made *m, uint64_t mask, const char *outcome)
{
	g_autoptr(json_t) none = json_object();
	g_autoptr(json_t) plan = json_pack("{s:s, s:f, s:f, s:f, s:i}", "reason", "to see", "bits",
					   0.5, "p_fault", 0.25, "cost_s", 4.0, "boots", 2);
	StoreTrial t = {.number = ++m->trials,
			.mask = mask,
			.build = (char *)"b",
			.target = (char *)"vm",
			.mode = (char *)"kexec",
			.purpose = (char *)"search",
			.outcome = (char *)outcome,
			.reason = (char *)"",
			.evidence = (char *)"",
			.measures = none,
			.seconds = none,
			.plan = plan};
	assert_true(store_add_trial(m->store, m->run->id, m->sitting, &t, NULL, NULL, NULL, NULL));
}

static void decided(Made *m, const char *kind, uint64_t members, const char *leading)
{
	g_autoptr(json_t) details = json_loads(leading, 0, NULL);
	assert_non_null(details);
	StoreVerdict v = {.kind = (char *)kind,
			  .effect = m->run->effect,
			  .members = members,
			  .probability = 0.995,
			  .why = (char *)(strcmp(kind, "cause") == 0 ? "rule" : "no_effect"),
			  .reason = (char *)"",
			  .details = details};
	assert_true(store_finish(m->store, m->run->id, &v, NULL));
}

/* The document, which must follow the schema; text and page can be made of it. */
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
		fail_msg("%s%s", r.out, r.err);
	return doc;
}

static void says(const json_t *doc, const char *format, const char *what)
{
	g_autofree char *text = report_render(format, doc, false);
	if (!strstr(text, what))
		fail_msg("'%s' is not in %s", what, text);
}

static const char *sentence(const json_t *doc)
{
	return kx_json_str(json_object_get(doc, "verdict"), "sentence");
}

/* The roles of the evidence, and in each "faults/boots". */
static char *evidence(const json_t *doc)
{
	GString *out = g_string_new(NULL);
	size_t i;
	json_t *e;
	json_array_foreach (json_object_get(json_object_get(doc, "verdict"), "evidence"), i, e) {
		const json_t *count = json_object_get(e, "all");
		count = count ? count : json_object_get(e, "kexec");
		g_string_append_printf(out, "%s%s %d/%d", i ? ", " : "", kx_json_str(e, "role"),
				       (int)kx_json_int(count, "faults", -1),
				       (int)kx_json_int(count, "boots", -1));
	}
	return g_string_free(out, FALSE);
}

static json_t *repeat(const json_t *doc, const char *key)
{
	return json_object_get(json_object_get(doc, "repeat"), key);
}

/* 1–2, then 3 and 4 beside each other, 5 merges them: the fault came with 3. */
static void test_history(void **state)
{
	Made *m = *state;
	const Suspect commits[] = {{"commit", "aaa1", "first", "a1"},
				   {"commit", "aaa2", "second", "a2"},
				   {"commit", "aaa3", "third <b>", "a3"},
				   {"commit", "aaa4", "fourth", "a4"},
				   {"commit", "aaa5", "merge", "a5"}};
	begin(m, "causes", commits, 5);
	g_autoptr(json_t) lineage = json_loads(
		"{\"start\": \"a0\", \"parents\": [[0], [1], [2], [2], [3, 4]]}", 0, NULL);
	assert_true(store_set_document(m->store, m->run->id, "history", lineage, NULL));
	for (uint64_t k = 0; k <= 5; k++)
		built(m, k, k == 1 ? "unbuildable" : "ok");
	booted(m, 0, "clean");
	booted(m, 2, "clean");
	booted(m, 3, "fault");
	booted(m, 4, "clean"); /* after 3, but not a descendant */
	booted(m, 5, "fault");
	decided(m, "cause", 3,
		"{\"leading\": {\"kind\": \"set\", \"members\": [\"aaa3\"]}, \"ranking\": "
		"[{\"kind\": \"set\", \"members\": [\"aaa3\"], \"probability\": 0.995}]}");
	g_autoptr(json_t) doc = document(m);
	assert_string_equal(sentence(doc),
			    "commit aaa3 (third <b>) brought the fault (p = 0.9950)");
	g_autofree char *all = evidence(doc);
	assert_string_equal(all, "start 0/1, commit 1/1, parent 0/1, before 0/3, since 2/2");
	g_autofree char *apply = json_dumps(repeat(doc, "apply"), JSON_COMPACT);
	assert_string_equal(apply, "[\"git checkout a3\"]");
	says(doc, "html", "third &lt;b&gt;");
	says(doc, "text", "just before it, at aaa2");
	says(doc, "md", "the start of the range");
}

static void test_history_without_answer(void **state)
{
	Made *m = *state;
	const Suspect commits[] = {{"commit", "aaa1", "first", "a1"}};
	begin(m, "cures", commits, 1);
	booted(m, 0, "fault");
	booted(m, 1, "fault");
	decided(m, "none", 0, "{\"leading\": {\"kind\": \"none\", \"members\": []}}");
	g_autoptr(json_t) doc = document(m);
	assert_non_null(
		strstr(sentence(doc), "None of the 1 commits of the range fixed the fault"));
}

static const Suspect mixed[] = {
	{"patch", "split", "", "split"},
	{"parameter", "iommu=pt", "", "iommu=pt"},
	{"config", "USB (+2)", "USB=y A=5 B=\"x y\"", "USB=y A=5 B=\"x y\""}};

/* A variant with a parameter has the kernel of the one without. */
static void test_mixture(void **state)
{
	Made *m = *state;
	begin(m, "cures", mixed, 3);
	built(m, 0, "ok");
	built(m, 5, "ok");
	booted(m, 0, "fault");
	booted(m, 2, "fault");
	booted(m, 5, "fault");
	booted(m, 7, "clean");
	decided(m, "cause", 7,
		"{\"leading\": {\"kind\": \"set\", \"members\": [\"split\", \"iommu=pt\", "
		"\"USB (+2)\"]}, \"ranking\": [{\"kind\": \"none\", \"members\": [], "
		"\"probability\": 0.005}]}");
	g_autoptr(json_t) doc = document(m);
	assert_string_equal(sentence(doc),
			    "split, iommu=pt and USB (+2) together remove the fault (p = 0.9950)");
	size_t i;
	json_t *v;
	json_array_foreach (json_object_get(doc, "variants"), i, v)
		assert_string_equal(kx_json_str(v, "status"), "ok");
	assert_int_equal(i, 4);
	g_autofree char *apply = json_dumps(repeat(doc, "apply"), JSON_COMPACT);
	assert_string_equal(apply,
			    "[\"cp /k/bad.config .config\",\"git apply --index /p/split.patch\","
			    "\"scripts/config --enable USB\",\"scripts/config --set-val A 5\","
			    "\"scripts/config --set-str B 'x y'\",\"make olddefconfig\"]");
	g_autofree char *parameters = json_dumps(repeat(doc, "parameters"), JSON_COMPACT);
	assert_string_equal(parameters, "[\"iommu=pt\"]");
	says(doc, "text", "# on its command line: iommu=pt");
	says(doc, "html", "boot parameter");
	says(doc, "html", "to see");
}

static void test_either(void **state)
{
	Made *m = *state;
	begin(m, "cures", mixed, 3);
	built(m, 0, "ok");
	built(m, 1, "ok");
	booted(m, 0, "fault");
	booted(m, 1, "clean");
	booted(m, 2, "clean");
	decided(m, "cause", 3,
		"{\"leading\": {\"kind\": \"either\", \"members\": [\"split\", \"iommu=pt\"]}}");
	g_autoptr(json_t) doc = document(m);
	assert_string_equal(sentence(doc),
			    "either split or iommu=pt alone removes the fault (p = 0.9950)");
	assert_true(kx_json_bool(json_object_get(doc, "verdict"), "either", false));
	g_autofree char *all = evidence(doc);
	assert_string_equal(all, "base 1/1, with 0/1, with 0/1");
}

#define EACH(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {EACH(test_history), EACH(test_history_without_answer),
					   EACH(test_mixture), EACH(test_either)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
