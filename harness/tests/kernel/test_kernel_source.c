/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <string.h>

#include "lab.h"

static void recipe_with(Lab *lab, const char *source)
{
	g_autofree char *text = g_strdup_printf("name: tiny\nsource:\n%sdefconfig: tinyconfig\n"
						"fragments: [lab]\ntoolchain: gcc\n",
						source);
	lab_write(lab, "kernels/tiny.yaml", text);
	lab_reload(lab);
}

static void tarball_recipe(Lab *lab, const char *sha256)
{
	g_autofree char *text = g_strdup_printf(
		"  tarball: file://%s/tiny-1.tar.xz\n  sha256: %s\n", lab->dir, sha256);
	recipe_with(lab, text);
}

static char *make_tarball(Lab *lab)
{
	return lab_run(lab,
		       "rm -rf t && mkdir t && cp -r linux t/tiny-1 && rm -rf t/tiny-1/.git && "
		       "ln -s a.c t/tiny-1/link && tar -C t -cJf tiny-1.tar.xz tiny-1 && "
		       "sha256sum tiny-1.tar.xz | cut -d' ' -f1");
}

static void expect_tree(Lab *lab, const char *expected)
{
	g_autofree char *git = lab_find(lab, "sources/*.git");
	assert_non_null(git);
	g_autofree char *command = g_strdup_printf("git --git-dir=%s rev-parse 'base^{tree}'", git);
	g_autofree char *tree = lab_run(lab, command);
	assert_string_equal(tree, expected);
}

static void prepare_fails(Lab *lab, int code, const char *text)
{
	g_autoptr(GError) e = NULL;
	assert_false(kernel_prepare_source(lab->cache, lab->recipe, NULL, NULL, &e));
	if (!strstr(e->message, text))
		fail_msg("expected '%s', found '%s'", text, e->message);
	assert_int_equal(e->code, code);
	/* nothing half-made is left */
	g_autofree char *left = lab_find(lab, "sources/*.git*");
	assert_null(left);
}

static void test_tarball(void **state)
{
	Lab *lab = *state;
	g_autofree char *sha = make_tarball(lab);
	tarball_recipe(lab, sha);
	g_autoptr(GError) e = NULL;
	if (!kernel_prepare_source(lab->cache, lab->recipe, NULL, NULL, &e))
		fail_msg("%s", e->message);
	/* the same tree as git itself makes of it, ignored files and links included */
	g_autofree char *tree = lab_run(lab, "cd t/tiny-1 && git init -q && git add -f . && "
					     "git write-tree");
	expect_tree(lab, tree);
	/* imported once: the archive is not needed again */
	g_autofree char *out = lab_run(lab, "rm tiny-1.tar.xz; rm -r cache/downloads");
	assert_true(kernel_prepare_source(lab->cache, lab->recipe, NULL, NULL, &e));
}

static void test_tarball_resumed(void **state)
{
	Lab *lab = *state;
	g_autofree char *sha = make_tarball(lab);
	g_autofree char *command =
		g_strdup_printf("mkdir -p cache/downloads; head -c 100 tiny-1.tar.xz "
				"> cache/downloads/%s.part",
				sha);
	g_autofree char *out = lab_run(lab, command);
	tarball_recipe(lab, sha);
	g_autoptr(GError) e = NULL;
	if (!kernel_prepare_source(lab->cache, lab->recipe, NULL, NULL, &e))
		fail_msg("%s", e->message);
}

static void test_tarball_resumed_wrong(void **state)
{
	Lab *lab = *state;
	g_autofree char *sha = make_tarball(lab);
	g_autofree char *command = g_strdup_printf(
		"mkdir -p cache/downloads; head -c 100 /dev/zero > cache/downloads/%s.part", sha);
	g_autofree char *out = lab_run(lab, command);
	tarball_recipe(lab, sha);
	g_autoptr(GError) e = NULL;
	if (!kernel_prepare_source(lab->cache, lab->recipe, NULL, NULL, &e))
		fail_msg("%s", e->message);
}

static void test_tarball_bad(void **state)
{
	Lab *lab = *state;
	g_autofree char *sha = make_tarball(lab);
	g_autofree char *zeros = g_strnfill(64, '0');
	tarball_recipe(lab, zeros);
	g_autofree char *said = g_strdup_printf("SHA-256 is %s, but the recipe says 0000", sha);
	prepare_fails(lab, KX_ERROR_DIGEST, said);

	/* a whole file that is no whole archive */
	g_autofree char *torn =
		lab_run(lab, "head -c 300 tiny-1.tar.xz > x && mv x tiny-1.tar.xz && "
			     "sha256sum tiny-1.tar.xz | cut -d' ' -f1");
	tarball_recipe(lab, torn);
	prepare_fails(lab, KX_ERROR_INPUT, torn);

	g_autofree char *out = lab_run(lab, "rm tiny-1.tar.xz");
	tarball_recipe(lab, sha);
	prepare_fails(lab, KX_ERROR_MISSING, "tiny-1.tar.xz: cannot be fetched");
}

static void test_tarball_hostile(void **state)
{
	Lab *lab = *state;
	g_autofree char *sha =
		lab_run(lab, "mkdir -p t/tiny-1 && echo > t/x && cd t && "
			     "tar -cJPf ../tiny-1.tar.xz tiny-1 tiny-1/../x && cd .. && "
			     "sha256sum tiny-1.tar.xz | cut -d' ' -f1");
	tarball_recipe(lab, sha);
	prepare_fails(lab, KX_ERROR_REFUSED, "the entry 'tiny-1/../x' is refused");
}

static void test_missing(void **state)
{
	Lab *lab = *state;
	recipe_with(lab, "  debian: linux-source-0.1\n");
	prepare_fails(lab, KX_ERROR_MISSING,
		      "/usr/src/linux-source-0.1.tar.xz is not there: apt-get "
		      "install linux-source-0.1");
	recipe_with(lab, "  git: ../linux\n  revision: v9.9\n");
	prepare_fails(lab, KX_ERROR_MISSING, "/linux has no revision v9.9");
	recipe_with(lab, "  git: ../nowhere\n  revision: v9.9\n");
	prepare_fails(lab, KX_ERROR_MISSING, "/nowhere has no revision v9.9");
}

static void test_git_old_revision(void **state)
{
	Lab *lab = *state;
	g_autofree char *tree =
		lab_run(lab, "cd linux && git rev-parse 'HEAD^{tree}' && "
			     "echo >> a.c && git commit -qam second && echo >> a.c && "
			     "git commit -qam third");
	recipe_with(lab, "  git: ../linux\n  revision: HEAD~2\n");
	g_autoptr(GError) e = NULL;
	if (!kernel_prepare_source(lab->cache, lab->recipe, NULL, NULL, &e))
		fail_msg("%s", e->message);
	expect_tree(lab, tree);
}

static void test_damaged_import(void **state)
{
	Lab *lab = *state;
	g_autoptr(GError) e = NULL;
	assert_true(kernel_prepare_source(lab->cache, lab->recipe, NULL, NULL, &e));
	g_autofree char *out = lab_run(lab, "rm cache/sources/*.git/kexsect.json");
	g_autofree char *tree = lab_run(lab, "cd linux && git rev-parse 'HEAD^{tree}'");
	assert_true(kernel_prepare_source(lab->cache, lab->recipe, NULL, NULL, &e));
	expect_tree(lab, tree);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_tarball, lab_set_up, lab_tear_down),
		cmocka_unit_test_setup_teardown(test_tarball_resumed, lab_set_up, lab_tear_down),
		cmocka_unit_test_setup_teardown(test_tarball_resumed_wrong, lab_set_up,
						lab_tear_down),
		cmocka_unit_test_setup_teardown(test_tarball_bad, lab_set_up, lab_tear_down),
		cmocka_unit_test_setup_teardown(test_tarball_hostile, lab_set_up, lab_tear_down),
		cmocka_unit_test_setup_teardown(test_missing, lab_set_up, lab_tear_down),
		cmocka_unit_test_setup_teardown(test_git_old_revision, lab_set_up, lab_tear_down),
		cmocka_unit_test_setup_teardown(test_damaged_import, lab_set_up, lab_tear_down),
	};
	return cmocka_run_group_tests_name("kernel source", tests, NULL, NULL);
}
