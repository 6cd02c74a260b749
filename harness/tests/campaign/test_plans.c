/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Keys `survey` and `versions`: what is booted, without a search. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "tree.h"

#define SUSPECTS "[late, early]\n"
#define VERSIONS(more)                                                                             \
	"oracle: o\ntargets: [t]\nversions:\n"                                                     \
	"  - {name: v1, base: k, series: s, fixtures: [late, early, window], cmdline: quiet}\n"    \
	"  - {name: v2, title: two, base: k, fragments: [more], target: t}\n" more
#define LEAST "series: ../../patches/s/series.yaml\noracle: o\ntargets: [t]\nfixtures: [window]"

static void expect(const Campaign *c, unsigned n, const uint64_t *variants)
{
	assert_int_equal(c->survey->variants_count, n);
	for (unsigned i = 0; i < n; i++)
		assert_int_equal(c->survey->variants[i], variants[i]);
}

/* All combinations, with what each needs: late needs early. Boots and modes by default. */
static void test_all(void **state)
{
	g_autoptr(Campaign) c = load_with(SUSPECTS, SUSPECTS "parameters: [pt]\nsurvey: {}\n");
	expect(c, 6, (const uint64_t[]){0, 1, 4, 3, 5, 7});
	assert_int_equal(c->survey->boots, 3);
	assert_int_equal(c->survey->modes_count, 1);
	assert_int_equal(c->survey->modes[0], BOOT_COLD); /* the campaign's */
	assert_false(campaign_searches(c));
	assert_false(campaign_is_numbered(c));
}

static void test_named(void **state)
{
	g_autoptr(Campaign) c =
		load_with(SUSPECTS, SUSPECTS
			  "parameters: [pt, noats]\n"
			  "relations: [{candidate: pt, conflicts: [noats]}]\n"
			  "survey: {of: [pt, noats], sets: [noats + late, base, pt], boots: 7, "
			  "modes: [cold, kexec], after: verdict}\n");
	/* early 1, late 2, pt 4, noats 8; pt and noats conflict */
	expect(c, 4, (const uint64_t[]){0, 4, 8, 11});
	assert_int_equal(c->survey->boots, 7);
	assert_int_equal(c->survey->modes[1], BOOT_KEXEC);
	assert_true(campaign_searches(c));
	g_autoptr(Campaign) d = load_with(SUSPECTS, SUSPECTS "survey: {sets: [late]}\n");
	expect(d, 1, (const uint64_t[]){3});
}

/* The plan is not part of the question: no trial is lost when it changes. */
static void test_digest(void **state)
{
	g_autoptr(Campaign) c = load_with("effect: cures", "effect: cures");
	g_autoptr(Campaign) d = load_with("effect: cures", "effect: cures\nsurvey: {boots: 9}");
	assert_string_equal(c->digest, d->digest);
}

/* Candidates that only the source tells are not known yet. */
static void test_expand(void **state)
{
	g_autoptr(GError) error = NULL;
	g_autoptr(Campaign) c = load_with("candidates: [late, early]\n",
					  "config: {good: good, bad: bad}\nsurvey: {of: [x]}\n");
	assert_int_equal(c->survey->variants_count, 0);
	Candidate *found = g_new0(Candidate, 1);
	found->kind = CANDIDATE_CONFIG;
	found->name = g_strdup("x");
	found->text = g_strdup("X=y");
	assert_true(campaign_expand(c, found, 1, &error));
	expect(c, 2, (const uint64_t[]){0, 1});
}

static void test_versions(void **state)
{
	g_autoptr(GError) error = NULL;
	write_tree("configs/campaigns/least.yaml", LEAST, VERSIONS(""));
	g_autoptr(Campaign) c = load("least.yaml", &error);
	if (!c)
		fail_msg("%s", error->message);
	expect(c, 2, (const uint64_t[]){1, 2});
	assert_true(campaign_is_numbered(c));
	assert_false(campaign_searches(c));
	assert_int_equal(c->candidates_count, 2);
	assert_int_equal(c->candidates[1].kind, CANDIDATE_VERSION);
	assert_string_equal(c->candidates[1].title, "two");
	const CampaignVersion *v = campaign_version(c, 1);
	/* fixtures in the order of the series */
	assert_string_equal(v->fixtures[0], "window");
	assert_string_equal(v->fixtures[2], "late");
	assert_string_equal(v->base->name, "k");
	assert_null(v->target);
	assert_string_equal(campaign_version(c, 2)->target->name, "t");
	assert_true(g_path_is_absolute(c->versions[1].fragments[0]));
	assert_null(campaign_version(c, 0));
	assert_null(campaign_version(c, 3));
	campaign_leave_out(c, 0, "no source");
	assert_string_equal(v->missing, "no source");
	/* They are the question. */
	g_autofree char *before = g_strdup(c->digest);
	write_tree("configs/campaigns/least.yaml", LEAST,
		   VERSIONS("  - {name: v3, base: k}\nsurvey: {boots: 2}"));
	g_autoptr(Campaign) d = load("least.yaml", &error);
	assert_string_not_equal(d->digest, before);
	assert_int_equal(d->survey->boots, 2);
}

static void refuse(const char *old, const char *new, const char *message)
{
	g_autoptr(GError) error = NULL;
	write_tree("configs/campaigns/least.yaml", old, new);
	g_autoptr(Campaign) c = load("least.yaml", &error);
	if (c)
		fail_msg("accepted: %s", new);
	if (!strstr(error->message, message))
		fail_msg("%s\nwanted: %s", error->message, message);
}

static void test_refused(void **state)
{
	refuse(LEAST, VERSIONS("survey: {of: [v1]}"),
	       "the variants of this survey are its versions");
	refuse(LEAST, VERSIONS("survey: {after: verdict}"), "versions are not searched");
	refuse(LEAST, VERSIONS("parameters: [quiet]"), ":8:13: with versions there is nothing to");
	refuse(LEAST, VERSIONS("  - {name: v1, base: k}"), "two versions with the name 'v1'");
	refuse(LEAST, VERSIONS("  - {name: v3, base: kk}"), "'kk' is not known");
	refuse(LEAST, VERSIONS("  - {name: v3, base: k, fixtures: [window]}"),
	       "names of patches: the key series says where");
	refuse(LEAST, VERSIONS("  - {name: v3, base: k, series: s, fixtures: [late]}"),
	       "fixture 'late' depends on 'early'");
	refuse(LEAST, VERSIONS("  - {name: v3}"), "base");
	refuse(LEAST, LEAST "\nsurvey: {of: [lat]}",
	       "no candidate 'lat' here. Did you mean 'late'?");
	refuse(LEAST, LEAST "\nsurvey: {sets: [late + x]}", "no candidate 'x' here");
	refuse(LEAST, LEAST "\nsurvey: {modes: [warm]}", "expected one of kexec, cold");
	refuse(LEAST, LEAST "\nsurvey: {modes: [cold, cold]}", "this mode is there already");
	refuse(LEAST, LEAST "\nsurvey: {boots: 0}", "0 is out of range: expected 1 to 1000");
	refuse(LEAST, LEAST "\nsurvey: {after: lunch}", "expected one of verdict");
	refuse(LEAST, LEAST "\nhistory: {series: s}\nsurvey: {}", "not of a history");
	refuse(LEAST,
	       LEAST "\nparameters: [a, b]\nrelations: [{candidate: a, conflicts: [b]}]\n"
		     "survey: {sets: [a + b]}",
	       "'a + b' can never be booted");
	refuse(LEAST, LEAST "\nparameters: [a, b, c, d, e, f, g]\nsurvey: {}",
	       "more than 64 variants; name fewer candidates");
	refuse(LEAST,
	       LEAST "\nparameters: [a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p, q]\n"
		     "survey: {}",
	       "the combinations of 17 candidates are too many");
}

#define EACH(f) cmocka_unit_test_setup_teardown(f, tree_set_up, tree_tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		EACH(test_all),	   EACH(test_named),	EACH(test_digest),
		EACH(test_expand), EACH(test_versions), EACH(test_refused),
	};
	return cmocka_run_group_tests_name("plans", tests, NULL, NULL);
}
