/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Parts of the engine by themselves: drift of a rate, where the time went, words. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <string.h>

#include "engine/engine-internal.h"
#include "lab.h"

/* An engine that only has what these parts look at. */
typedef struct {
	Engine e;
	Campaign campaign;
	Candidate candidates[12];
	Lab *lab;
} Fixture;

static int setup(void **state)
{
	Fixture *f = g_new0(Fixture, 1);
	lab_setup((void **)&f->lab);
	f->candidates[0].name = (char *)"a";
	f->candidates[1].name = (char *)"b";
	f->candidates[2].name = (char *)"c";
	f->campaign.candidates = f->candidates;
	for (int i = 3; i < 12; i++)
		f->candidates[i].name = (char *)"x";
	f->campaign.candidates_count = 12;
	f->e.campaign = &f->campaign;
	f->e.began_us = g_get_monotonic_time();
	f->e.history = g_hash_table_new_full(g_str_hash, g_str_equal, g_free,
					     (GDestroyNotify)g_byte_array_unref);
	f->e.store = store_open(f->lab->dir, STORE_WRITE, NULL);
	f->e.run = g_new0(StoreCampaign, 1);
	f->e.run->name = g_strdup("lab");
	f->e.run->digest = g_strdup("d");
	f->e.run->effect = g_strdup("cures");
	g_autoptr(GPtrArray) none = g_ptr_array_new();
	if (!store_add_campaign(f->e.store, f->e.run, none, NULL))
		return -1;
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	Fixture *f = *state;
	g_hash_table_unref(f->e.history);
	store_campaign_free(f->e.run);
	store_free(f->e.store);
	int status = lab_teardown((void **)&f->lab);
	g_free(f);
	return status;
}

/* Feeds n trials of variant `mask`, of which every `every`th gives a fault (0: none). */
static void feed(Fixture *f, SearchMask mask, unsigned n, unsigned every)
{
	for (unsigned i = 1; i <= n; i++)
		engine_watch_drift(&f->e, mask, false, false, every && i % every == 0);
}

static GPtrArray *drifts(Fixture *f)
{
	return store_events(f->e.store, f->e.run->id, NULL);
}

static void test_drift_is_seen(void **state)
{
	Fixture *f = *state;
	feed(f, 3, 30, 10);
	feed(f, 3, 30, 1);
	g_autoptr(GPtrArray) events = drifts(f);
	assert_int_equal(events->len, 1);
	const StoreEvent *event = events->pdata[0];
	assert_string_equal(event->kind, "drift");
	assert_string_equal(event->level, "warning");
	assert_non_null(strstr(event->text, "a + b: "));
}

static void test_steady_rates_are_not(void **state)
{
	Fixture *f = *state;
	feed(f, 0, 200, 2);
	feed(f, 1, 200, 0);
	feed(f, 2, 200, 1);
	feed(f, 4, 200, 7);
	/* Random ones at many rates: 40 variants, and hardly ever an alarm. */
	g_autoptr(GRand) rand = g_rand_new_with_seed(11);
	for (guint v = 0; v < 40; v++)
		for (int i = 0; i < 60; i++)
			engine_watch_drift(&f->e, 100 + v, false, false,
					   g_rand_double(rand) < v / 40.0);
	g_autoptr(GPtrArray) events = drifts(f);
	assert_in_range(events->len, 0, 1);
}

/* Cold boots and clean builds are compared by search, not here. */
static void test_ways_to_boot_are_apart(void **state)
{
	Fixture *f = *state;
	for (int i = 0; i < 30; i++) {
		engine_watch_drift(&f->e, 1, false, false, true);
		engine_watch_drift(&f->e, 1, false, true, false);
		engine_watch_drift(&f->e, 1, true, false, false);
	}
	g_autoptr(GPtrArray) events = drifts(f);
	assert_int_equal(events->len, 0);
}

static void spend(Fixture *f, const char *text, bool trial)
{
	g_autoptr(json_t) seconds = kx_json_parse(text, "test", NULL);
	assert_non_null(seconds);
	if (trial)
		engine_spend_trial(&f->e, seconds);
	else
		engine_spend_build(&f->e, seconds);
}

static void test_accounts(void **state)
{
	Fixture *f = *state;
	f->e.began_us -= 100 * G_USEC_PER_SEC;
	spend(f, "{\"fetch\": 1, \"import\": 2, \"apply\": 3, \"configure\": 4, \"compile\": 5}",
	      false);
	spend(f, "{\"launcher\": 1, \"kexec\": 1, \"boot\": 2, \"deadline\": 20, \"total\": 25}",
	      true);
	/* Parts that overlap never make more than there was. */
	spend(f, "{\"boot\": 8, \"deadline\": 4, \"total\": 10}", true);
	engine_spend_wait(&f->e, 2);
	StoreTimes t = engine_times(&f->e);
	assert_float_equal(t.source, 3, 1e-9);
	assert_float_equal(t.configure, 7, 1e-9);
	assert_float_equal(t.compile, 5, 1e-9);
	assert_float_equal(t.boot, 4 + 6, 1e-9);
	assert_float_equal(t.deadline, 20 + 4 + 2, 1e-9);
	assert_float_equal(t.total, 100, 1);
	assert_float_equal(t.harness, t.total - 51, 1e-6);
}

static void test_words(void **state)
{
	Fixture *f = *state;
	g_autofree char *two = engine_set_name(&f->e, 5);
	assert_string_equal(two, "a + c");
	g_autofree char *many = engine_set_name(&f->e, 0xfff);
	assert_string_equal(many, "a + b + c + x + x + x + x + x + 4 more");
	g_autofree char *nine = engine_set_name(&f->e, 0x1ff);
	assert_string_equal(nine, "a + b + c + x + x + x + x + x + x");
	g_autofree char *nothing = engine_set_name(&f->e, 0);
	assert_string_equal(nothing, "no candidate");
	SearchHypothesis none = {.kind = SEARCH_H_NONE};
	g_autofree char *cures = engine_hypothesis_name(&f->e, &none);
	f->campaign.effect = EFFECT_CAUSES;
	g_autofree char *causes = engine_hypothesis_name(&f->e, &none);
	assert_string_equal(cures, "nothing cures it");
	assert_string_equal(causes, "nothing causes it");
	assert_int_equal(engine_outcome("noboot"), ENGINE_NOBOOT);
	assert_int_equal(engine_outcome("maybe"), -1);
	assert_int_equal(engine_outcome(NULL), -1);
}

#define EACH(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		EACH(test_drift_is_seen), EACH(test_steady_rates_are_not),
		EACH(test_ways_to_boot_are_apart), EACH(test_accounts), EACH(test_words)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
