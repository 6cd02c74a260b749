/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Sources that a person gives, and what is remembered of the first import. */
#include <string.h>

#include "lab.h"

static void give(Lab *lab, const char *what)
{
	g_autofree char *value = g_strdup_printf("other=/nowhere,tiny=%s/%s", lab->dir, what);
	g_setenv(RECIPE_SOURCES, value, TRUE);
	lab_reload(lab);
	g_unsetenv(RECIPE_SOURCES);
}

static char *tree_of(Lab *lab)
{
	g_autoptr(GError) e = NULL;
	g_auto(KernelSourceInfo) i = {0};
	if (!kernel_source_info(lab->cache, lab->recipe, NULL, NULL, &i, &e))
		fail_msg("%s", e->message);
	return g_strdup(i.tree);
}

static void source_fails(Lab *lab, int code, const char *text)
{
	g_autoptr(GError) e = NULL;
	assert_false(kernel_prepare_source(lab->cache, lab->recipe, NULL, NULL, &e));
	if (!strstr(e->message, text))
		fail_msg("expected '%s', found '%s'", text, e->message);
	assert_int_equal(e->code, code);
}

static void expect_known(Lab *lab, bool expected)
{
	g_autoptr(GError) e = NULL;
	g_auto(KernelSourceInfo) i = {0};
	assert_true(kernel_source_info(lab->cache, lab->recipe, NULL, NULL, &i, &e));
	assert_int_equal(i.known, expected);
}

/* The same source from a repository, a bare one, a folder of one, a plain folder and an archive is
 * the same tree and the same build. */
static void test_kinds(void **state)
{
	Lab *lab = *state;
	g_autofree char *expected = lab_run(
		lab, "cp -r linux plain && rm -rf plain/.git && mkdir packed && "
		     "cp -r plain packed/tiny-1 && tar -C packed -cJf tiny-1.tar.xz tiny-1 && "
		     "git clone -q --bare linux bare.git && git init -q outer && "
		     "cp -r plain outer/inner && cd outer && git add -f . && git commit -qm all && "
		     "cd ../linux && git rev-parse 'HEAD^{tree}' && echo >> a.c && "
		     "git commit -qam second");
	static const char *const ways[] = {"linux@HEAD~1", "bare.git", "outer@HEAD:inner", "plain",
					   "tiny-1.tar.xz"};
	g_autofree char *build = NULL;
	for (guint i = 0; i < G_N_ELEMENTS(ways); i++) {
		give(lab, ways[i]);
		g_autofree char *tree = tree_of(lab);
		assert_string_equal(tree, expected);
		g_auto(KernelBuild) b = {0};
		KernelRequest q = lab_request(lab, NULL);
		kernel_build(&q, &b);
		if (b.status != KERNEL_OK)
			fail_msg("%s: %s", ways[i], b.reason);
		assert_int_equal(b.cached, i > 0);
		if (build)
			assert_string_equal(b.build, build);
		else
			build = g_strdup(b.build);
	}
	/* and another one is another */
	give(lab, "linux");
	g_autofree char *other = tree_of(lab);
	assert_string_not_equal(other, expected);
	g_auto(KernelBuild) b = {0};
	KernelRequest q = lab_request(lab, NULL);
	kernel_build(&q, &b);
	assert_int_equal(b.status, KERNEL_OK);
	assert_false(b.cached);
}

static void test_known(void **state)
{
	Lab *lab = *state;
	g_autofree char *tree = lab_run(lab, "cd linux && git rev-parse 'HEAD^{tree}'");
	g_autofree char *text =
		g_strdup_printf("name: tiny\nsource: {git: ../linux, revision: HEAD, trees: [%s]}\n"
				"defconfig: tinyconfig\nfragments: [lab]\ntoolchain: gcc\n",
				tree);
	lab_write(lab, "kernels/tiny.yaml", text);
	lab_reload(lab);
	expect_known(lab, true);
	g_autofree char *out = lab_run(lab, "cp -r linux mine && echo >> mine/a.c && "
					    "rm -rf mine/.git");
	give(lab, "mine");
	expect_known(lab, false);
}

static void test_folder_changes(void **state)
{
	Lab *lab = *state;
	g_autofree char *out = lab_run(lab, "cp -r linux mine && rm -rf mine/.git");
	give(lab, "mine");
	g_autofree char *first = tree_of(lab);
	g_autofree char *again = tree_of(lab);
	assert_string_equal(again, first);
	g_autofree char *more = lab_run(lab, "echo '/* mine */' >> mine/a.c");
	source_fails(lab, KX_ERROR_DIGEST, "the source of tiny changed: ");
	source_fails(lab, KX_ERROR_DIGEST,
		     "kexsect cache remove sources/tiny.trust.json, and the next import is the "
		     "first one");
	g_autoptr(GError) e = NULL;
	assert_true(kernel_cache_remove(lab->cache, "sources/tiny.trust.json", &e));
	g_autofree char *changed = tree_of(lab);
	assert_string_not_equal(changed, first);
}

static void test_branch_moves(void **state)
{
	Lab *lab = *state;
	give(lab, "linux");
	g_autofree char *first = tree_of(lab);
	g_autofree char *out = lab_run(lab, "cd linux && echo >> a.c && git commit -qam second");
	source_fails(lab, KX_ERROR_DIGEST, "the source of tiny changed");
	/* what is named exactly does not move */
	give(lab, "linux@HEAD~1");
	g_autofree char *exact = tree_of(lab);
	assert_string_equal(exact, first);
}

/* Nobody knows the digest of this archive beforehand. */
static void test_first_download(void **state)
{
	Lab *lab = *state;
	g_autofree char *text =
		g_strdup_printf("name: tiny\nsource: {tarball: 'file://%s/tiny-1.tar.xz'}\n"
				"defconfig: tinyconfig\nfragments: [lab]\ntoolchain: gcc\n",
				lab->dir);
	lab_write(lab, "kernels/tiny.yaml", text);
	lab_reload(lab);
	source_fails(lab, KX_ERROR_MISSING, "--source tiny=PATH");
	g_autofree char *sha =
		lab_run(lab, "mkdir t && cp -r linux t/tiny-1 && rm -rf t/tiny-1/.git && "
			     "tar -C t -cJf tiny-1.tar.xz tiny-1 && "
			     "sha256sum tiny-1.tar.xz | cut -d' ' -f1");
	g_autofree char *first = tree_of(lab);
	g_autofree char *record = lab_run(lab, "cat cache/sources/tiny.trust.json");
	assert_non_null(strstr(record, sha));

	/* imported, the archive is not needed; gone, it must be the same one */
	g_autofree char *out =
		lab_run(lab, "echo x >> t/tiny-1/a.c && tar -C t -cJf tiny-1.tar.xz tiny-1");
	g_autofree char *kept = tree_of(lab);
	assert_string_equal(kept, first);
	g_autofree char *more = lab_run(lab, "rm -rf cache/sources/*.git cache/downloads");
	source_fails(lab, KX_ERROR_DIGEST, sha);
	source_fails(lab, KX_ERROR_DIGEST, "sources/tiny.trust.json");
}

static void test_wrong(void **state)
{
	Lab *lab = *state;
	static const char *const cases[][2] = {
		{"nowhere", "there is no such file or folder"},
		{"kernels@v1", "it has a revision, but is no git repository"},
		{"linux@--help", "that is no revision"},
	};
	g_autofree char *recipe = lab_path(lab, "kernels/tiny.yaml");
	for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
		g_autofree char *value = g_strdup_printf("tiny=%s/%s", lab->dir, cases[i][0]);
		g_autoptr(GError) e = NULL;
		g_setenv(RECIPE_SOURCES, value, TRUE);
		g_autoptr(Recipe) r = recipe_load(recipe, &e);
		g_unsetenv(RECIPE_SOURCES);
		assert_null(r);
		if (!strstr(e->message, cases[i][1]))
			fail_msg("expected '%s', found '%s'", cases[i][1], e->message);
	}
	give(lab, "linux@v9.9");
	source_fails(lab, KX_ERROR_MISSING, "/linux has no revision v9.9");
	static const char *const entries[] = {"tiny", "=/a", "tiny=", "tiny=/a,b"};
	for (guint i = 0; i < G_N_ELEMENTS(entries); i++) {
		g_autoptr(GError) e = NULL;
		assert_false(recipe_give(RECIPE_SOURCES, entries[i], &e));
		assert_non_null(strstr(e->message, "expected NAME=PATH"));
	}
}

/* The command line's come first, and what no recipe took is told. */
static void test_options(void **state)
{
	Lab *lab = *state;
	g_autofree char *ours = g_strdup_printf("tiny=%s/linux", lab->dir);
	g_setenv(RECIPE_SOURCES, "tiny=/nowhere", TRUE);
	assert_true(recipe_give(RECIPE_SOURCES, ours, NULL));
	assert_true(recipe_give(RECIPE_SOURCES, "tini=/a", NULL));
	lab_reload(lab);
	assert_string_equal(lab->recipe->source.git, ours + strlen("tiny="));
	g_autofree char *unused = recipe_given_unused();
	assert_string_equal(unused, "tini=/a");
	g_unsetenv(RECIPE_SOURCES);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, lab_set_up, lab_tear_down)
	const struct CMUnitTest tests[] = {
		TEST(test_kinds),	 TEST(test_known),	    TEST(test_folder_changes),
		TEST(test_branch_moves), TEST(test_first_download), TEST(test_wrong),
		TEST(test_options),
	};
	return cmocka_run_group_tests_name("kernel given", tests, NULL, NULL);
}
