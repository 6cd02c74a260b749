/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Fixed plans on a simulated lab: full tables whatever happens, alone and after a search. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "base/fs.h"
#include "lab.h"

#define PLAN "{'variants':[0,1,2,3,6],'boots':3,'modes':['kexec','cold']}"

static unsigned made(const LabView *v, uint64_t mask, const char *mode)
{
	unsigned n = 0;
	for (guint i = 0; i < v->trials->len; i++) {
		const StoreTrial *t = v->trials->pdata[i];
		n += t->mask == mask && g_str_equal(t->mode, mode) &&
		     !g_str_equal(t->outcome, "infra");
	}
	return n;
}

static void expect_cells(const LabView *v, const uint64_t *masks, unsigned n, unsigned boots)
{
	for (unsigned i = 0; i < n; i++) {
		assert_int_equal(made(v, masks[i], "kexec"), boots);
		assert_int_equal(made(v, masks[i], "cold"), boots);
	}
}

static const uint64_t planned[] = {0, 1, 2, 3, 6};

static void expect_table(const LabView *v, unsigned boots)
{
	expect_cells(v, planned, G_N_ELEMENTS(planned), boots);
	assert_int_equal(v->run->state, STORE_DONE);
}

static char *why_of(const LabView *v)
{
	g_autoptr(json_t) doc = store_document(v->store, v->run->id, "survey", NULL);
	return g_strdup(kx_json_str(doc, "why"));
}

static void test_alone(void **state)
{
	Lab *l = *state;
	lab_set(l, "survey", PLAN);
	g_auto(LabRun) r = lab_run(l, NULL);
	assert_int_equal(r.status, 0);
	assert_non_null(strstr(r.out, "30 of 30 boots of the table are made"));
	assert_non_null(strstr(r.out, "0 of 30 boots, about a minute left"));
	g_auto(LabView) v = lab_look(l, "lab");
	expect_table(&v, 3);
	assert_int_equal(v.trials->len, 30);
	/* Without "a" it faults. */
	assert_int_equal(v.outcomes[0], 18);
	assert_string_equal(v.verdict->kind, "table");
	assert_string_equal(v.verdict->why, "survey");
	g_autofree char *why = why_of(&v);
	assert_string_equal(why, "complete");
	for (guint i = 0; i < v.trials->len; i++) {
		const StoreTrial *t = v.trials->pdata[i];
		assert_string_equal(t->purpose, "survey");
		assert_null(json_object_get(t->plan, "bits"));
	}
	/* Nothing is believed, and each kernel was built once. */
	g_autoptr(GPtrArray) belief = store_posteriors(v.store, v.run->id, NULL);
	assert_int_equal(belief->len, 0);
	assert_int_equal(v.builds->len, 1 + 5);
	g_auto(LabRun) again = lab_run(l, NULL);
	assert_int_equal(again.status, 0);
	assert_non_null(strstr(again.err, "is finished"));
}

/* Cold boots only: nobody needs a launcher. */
static void test_cold(void **state)
{
	lab_set(*state, "survey", "{'variants':[0,1],'boots':2,'modes':['cold']}");
	g_auto(LabRun) r = lab_run(*state, "quiet");
	assert_int_equal(r.status, 0);
	g_auto(LabView) v = lab_look(*state, "lab");
	assert_int_equal(v.builds->len, 2);
	assert_int_equal(v.trials->len, 4);
}

/* There and back: the mean time of each row is the same, so a steady drift cancels. */
static void test_order(void **state)
{
	lab_set(*state, "survey", "{'variants':[0,1,2,3],'boots':2,'modes':['kexec']}");
	g_auto(LabRun) r = lab_run(*state, "quiet");
	assert_int_equal(r.status, 0);
	g_auto(LabView) v = lab_look(*state, "lab");
	const uint64_t order[] = {0, 1, 2, 3, 3, 2, 1, 0};
	assert_int_equal(v.trials->len, 8);
	for (guint i = 0; i < 8; i++)
		assert_int_equal(((StoreTrial *)v.trials->pdata[i])->mask, order[i]);
}

static void test_troubles(void **state)
{
	Lab *l = *state;
	lab_set(l, "survey", PLAN);
	lab_set(l, "trouble", "{'2':'infra', '9':'crash', '20':'wrong'}");
	lab_set(l, "build_trouble", "{'3':'crash'}");
	g_auto(LabRun) r = lab_run(l, "quiet");
	assert_int_equal(r.status, 0);
	g_auto(LabView) v = lab_look(l, "lab");
	expect_table(&v, 3);
	assert_int_equal(v.outcomes[5], 3);
	assert_int_equal(v.trials->len, 33);
}

/* A boot that hangs is a result; a kernel that does not build has none. */
static void test_results(void **state)
{
	Lab *l = *state;
	lab_set(l, "survey", PLAN);
	lab_set(l, "hang", "['c']");
	lab_set(l, "unbuildable", "['a']");
	g_auto(LabRun) r = lab_run(l, NULL);
	assert_int_equal(r.status, 0);
	assert_non_null(strstr(r.out, "18 of 18 boots of the table are made; does not build: a, "
				      "a + b"));
	g_auto(LabView) v = lab_look(l, "lab");
	expect_cells(&v, (const uint64_t[]){0, 2, 6}, 3, 3);
	assert_int_equal(v.outcomes[2], 6);
	assert_int_equal(v.trials->len, 18);
}

/* One that the lab always fails for must not look like a result. */
static void test_failing(void **state)
{
	Lab *l = *state;
	lab_set(l, "survey", "{'variants':[0,1],'boots':4,'modes':['kexec']}");
	lab_set(l, "infra_limit", "20");
	lab_set(l, "trouble", "{'3':'infra','4':'infra','5':'infra'}");
	{
		g_auto(LabRun) r = lab_run(l, "quiet");
		assert_int_equal(r.status, 1);
		assert_non_null(strstr(r.err, "the table is not complete, because the lab failed "
					      "too often with a."));
		g_auto(LabView) v = lab_look(l, "lab");
		assert_int_equal(v.run->state, STORE_FAILED);
		assert_null(v.verdict);
	}
	g_auto(LabRun) r = lab_run(l, "quiet");
	assert_int_equal(r.status, 0);
	g_auto(LabView) v = lab_look(l, "lab-1");
	assert_int_equal(made(&v, 0, "kexec"), 4);
	assert_int_equal(made(&v, 1, "kexec"), 4);
}

static void test_budgets(void **state)
{
	Lab *l = *state;
	lab_set(l, "survey", PLAN);
	static const char *const budgets[] = {"boots", "builds", "hours"};
	static const char *const values[] = {"{'boots':11}", "{'boots':1000,'builds':3}",
					     "{'boots':1000,'builds':50,'hours':0.00001}"};
	unsigned trials = 0;
	for (int i = 0; i < 3; i++) {
		/* the last one ends it at once */
		lab_set(l, "survey",
			i < 2 ? PLAN
			      : "{'variants':[0,1,2,3,6],'boots':4,"
				"'modes':['kexec','cold']}");
		lab_set(l, "budget", values[i]);
		g_auto(LabRun) r = lab_run(l, "quiet");
		assert_int_equal(r.status, 1);
		g_auto(LabView) v = lab_look(l, "lab");
		assert_string_equal(v.run->slug, "lab-1");
		assert_string_equal(v.verdict->kind, "inconclusive");
		assert_string_equal(v.verdict->why, "budget");
		g_autofree char *why = why_of(&v);
		assert_string_equal(why, budgets[i]);
		assert_true(v.trials->len >= trials);
		trials = v.trials->len;
		/* what could be booted without another build was booted */
		if (i == 1)
			assert_int_equal(trials, 3 * 2 * 3);
	}
	lab_set(l, "budget", "{'boots':1000,'builds':50,'hours':1}");
	g_auto(LabRun) r = lab_run(l, "quiet");
	assert_int_equal(r.status, 0);
	g_auto(LabView) v = lab_look(l, "lab-1");
	expect_table(&v, 4);
	assert_int_equal(v.trials->len, 40);
	assert_string_equal(v.verdict->kind, "table");
}

/* kill -9 at random moments until it gets through; `speak` makes it a table after a search. */
static void kill_often(Lab *l, const char *plan, const char *kind)
{
	lab_set(l, "survey", plan);
	lab_set(l, "boot_ms", "15");
	lab_set(l, "build_ms", "15");
	g_autoptr(GRand) rand = g_rand_new_with_seed(11);
	int status = -1, kills = 0;
	while (status != 0) {
		pid_t pid = lab_start(l, "quiet");
		g_usleep((gulong)g_rand_int_range(rand, 30000, 250000 + kills * 20000));
		kill(pid, SIGKILL);
		status = lab_wait(pid);
		if (status != 0 && status != 128 + SIGKILL) {
			g_autofree char *path = g_build_filename(l->dir, "out", NULL);
			g_autofree char *text = NULL;
			g_file_get_contents(path, &text, NULL, NULL);
			fail_msg("status %d: %s", status, text);
		}
		kills += status != 0;
		assert_true(kills < 200);
	}
	assert_true(kills >= 3);
	g_auto(LabView) v = lab_look(l, "lab-1");
	assert_string_equal(v.verdict->kind, kind);
	assert_int_equal(v.run->state, STORE_DONE);
	assert_int_equal(v.outcomes[5], 0);
	for (guint i = 0; i < G_N_ELEMENTS(planned); i++) {
		/* no boot is lost, and none is made that is not needed */
		unsigned boots = made(&v, planned[i], "kexec");
		assert_true(g_str_equal(kind, "table") ? boots == 3 : boots >= 3);
	}
	print_message("%d kills, %u trials, %u adopted, %u cut off\n", kills, v.trials->len,
		      lab_events(&v, "adopt"), lab_events(&v, "cut-off"));
}

static void test_kill(void **state)
{
	kill_often(*state, PLAN, "table");
}

static void test_kill_after_verdict(void **state)
{
	kill_often(*state,
		   "{'variants':[0,1,2,3,6],'boots':3,'modes':['kexec','cold'],'after':true}",
		   "cause");
}

/* The search is as it would be without a table, and its boots count. */
static void test_after_verdict(void **state)
{
	Lab *l = *state;
	lab_set(l, "q", "0.6");
	unsigned searched;
	double probability;
	{
		g_auto(LabRun) r = lab_run(l, "quiet");
		assert_int_equal(r.status, 0);
		g_auto(LabView) v = lab_look(l, "lab-1");
		lab_expect(&v, "cause", "a");
		searched = v.trials->len;
		probability = v.verdict->probability;
	}
	/* A survey that is asked for later goes on in the same run. */
	lab_set(l, "survey",
		"{'variants':[0,1,2,3,6],'boots':5,'modes':['kexec','cold'],'after':true}");
	g_auto(LabRun) r = lab_run(l, NULL);
	assert_int_equal(r.status, 0);
	g_auto(LabView) v = lab_look(l, "lab-1");
	lab_expect(&v, "cause", "a");
	assert_float_equal(v.verdict->probability, probability, 0);
	assert_int_equal(lab_events(&v, "survey"), 1);
	unsigned survey = 0;
	for (guint i = 0; i < v.trials->len; i++)
		survey += g_str_equal(((StoreTrial *)v.trials->pdata[i])->purpose, "survey");
	assert_int_equal(v.trials->len, searched + survey);
	assert_true(survey < 50 && survey > 0);
	for (guint i = 0; i < G_N_ELEMENTS(planned); i++)
		assert_true(made(&v, planned[i], "kexec") >= 5 &&
			    made(&v, planned[i], "cold") >= 5);
	/* Both in one go give the same. */
	g_auto(LabRun) again = lab_run(l, "again quiet");
	assert_int_equal(again.status, 0);
	g_auto(LabView) w = lab_look(l, "lab-2");
	lab_expect(&w, "cause", "a");
	assert_true(made(&w, 6, "cold") == 5);
}

/* The budget ends the table, not the verdict; more of it completes the table. */
static void test_after_verdict_budget(void **state)
{
	Lab *l = *state;
	lab_set(l, "survey",
		"{'variants':[0,1,2,3,6],'boots':30,'modes':['kexec','cold'],'after':true}");
	lab_set(l, "budget", "{'boots':60}");
	{
		g_auto(LabRun) r = lab_run(l, "quiet");
		assert_int_equal(r.status, 0);
		g_auto(LabView) v = lab_look(l, "lab");
		lab_expect(&v, "cause", "a");
		g_autofree char *why = why_of(&v);
		assert_string_equal(why, "boots");
		assert_int_equal(v.trials->len, 60);
	}
	lab_set(l, "budget", "{'boots':1000}");
	g_auto(LabRun) r = lab_run(l, "quiet");
	assert_int_equal(r.status, 0);
	g_auto(LabView) v = lab_look(l, "lab-1");
	lab_expect(&v, "cause", "a");
	g_autofree char *why = why_of(&v);
	assert_string_equal(why, "complete");
}

/* Asking for more is no new question. */
static void test_more(void **state)
{
	Lab *l = *state;
	lab_set(l, "survey", "{'variants':[0,1],'boots':2,'modes':['kexec']}");
	g_auto(LabRun) one = lab_run(l, "quiet");
	assert_int_equal(one.status, 0);
	lab_set(l, "survey", PLAN);
	g_auto(LabRun) two = lab_run(l, "quiet");
	assert_int_equal(two.status, 0);
	g_auto(LabView) v = lab_look(l, "lab-1");
	expect_table(&v, 3);
	assert_int_equal(v.trials->len, 30);
	/* And a search after all, with boots of its own. */
	json_object_del(l->rules, "survey");
	lab_set(l, "budget", "{'boots':500}");
	g_auto(LabRun) search = lab_run(l, "quiet");
	assert_int_equal(search.status, 0);
	g_auto(LabView) w = lab_look(l, "lab-1");
	lab_expect(&w, "cause", "a");
	assert_true(w.trials->len > 40);
}

static void test_matrix(void **state)
{
	Lab *l = *state;
	lab_set(l, "survey", PLAN);
	lab_set(l, "matrix",
		"{'names':['a','b','c','d','e','f'],'alone':[],"
		"'pairs':[{'a':'a','b':'b','result':'conflict'}]}");
	g_auto(LabRun) r = lab_run(l, NULL);
	assert_int_equal(r.status, 0);
	assert_non_null(strstr(r.out, "24 of 24 boots of the table are made; left out: a + b"));
	g_auto(LabView) v = lab_look(l, "lab");
	assert_int_equal(made(&v, 3, "kexec"), 0);
	g_autoptr(json_t) doc = store_document(v.store, v.run->id, "survey", NULL);
	const json_t *row = json_array_get(json_object_get(doc, "rows"), 3);
	assert_string_equal(kx_json_str(row, "left_out"), "a + b do not apply together");
}

static void test_versions(void **state)
{
	Lab *l = *state;
	lab_set(l, "versions", "['v1', '-v2', 'v3']");
	lab_set(l, "survey", "{'variants':[1,2,3],'boots':3,'modes':['kexec','cold']}");
	lab_set(l, "faulty", "['/lab/v1.yaml']");
	lab_set(l, "cmdline", "'common'");
	{
		g_auto(LabRun) r = lab_run(l, NULL);
		assert_int_equal(r.status, 0);
		assert_non_null(
			strstr(r.out, "12 of 12 boots of the table are made; left out: v2"));
		g_auto(LabView) v = lab_look(l, "lab");
		expect_cells(&v, (const uint64_t[]){1, 3}, 2, 3);
		assert_int_equal(v.outcomes[0], 6);
		assert_string_equal(((StoreCandidate *)v.candidates->pdata[1])->kind, "version");
		g_autofree char *path =
			g_build_filename(v.run->dir, "requests", "000001-boot.json", NULL);
		g_autoptr(json_t) request = kx_json_load(path, NULL);
		assert_string_equal(kx_json_str(request, "cmdline"), "common only=v1");
	}
	/* When its source is there, the table becomes complete. */
	lab_set(l, "versions", "['v1', 'v2', 'v3']");
	g_auto(LabRun) r = lab_run(l, "quiet");
	assert_int_equal(r.status, 0);
	g_auto(LabView) v = lab_look(l, "lab-1");
	expect_cells(&v, (const uint64_t[]){1, 2, 3}, 3, 3);
	assert_int_equal(v.trials->len, 18);
}

#define EACH(f) cmocka_unit_test_setup_teardown(f, lab_setup, lab_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		EACH(test_alone),
		EACH(test_cold),
		EACH(test_order),
		EACH(test_troubles),
		EACH(test_results),
		EACH(test_failing),
		EACH(test_budgets),
		EACH(test_kill),
		EACH(test_kill_after_verdict),
		EACH(test_after_verdict),
		EACH(test_after_verdict_budget),
		EACH(test_more),
		EACH(test_matrix),
		EACH(test_versions),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
