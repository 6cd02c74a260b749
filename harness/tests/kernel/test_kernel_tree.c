/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <string.h>

#include "kernel/kernel-internal.h"
#include "lab.h"

static KernelSource *source(Lab *lab)
{
	g_autoptr(GError) e = NULL;
	KernelSource *s = kernel_source_get(lab->cache, lab->recipe, NULL, NULL, &e);
	if (!s)
		fail_msg("%s", e->message);
	return s;
}

static char *file_in(const KernelSource *s, const char *tree, const char *path)
{
	KernelGit g = {.dir = s->git};
	g_autofree char *spec = g_strconcat(tree, ":", path, NULL);
	return kernel_git(&g, NULL, NULL, "show", spec, NULL);
}

static const char *const fix[] = {"base-fix", NULL};

static void test_compose(void **state)
{
	Lab *lab = *state;
	g_autoptr(KernelSource) s = source(lab);
	g_autoptr(GError) e = NULL;
	const char *names[] = {"two", "newfile", "one", NULL},
		   *again[] = {"one", "two", "newfile", NULL};
	g_autoptr(KernelTree) t = kernel_compose(s, NULL, lab->series, fix, names, &e);
	if (!t)
		fail_msg("%s", e->message);
	g_autofree char *a = file_in(s, t->tree, "a.c"), *b = file_in(s, t->tree, "b.c");
	g_autofree char *n = file_in(s, t->tree, "dir/new.c"),
			*other = file_in(s, t->tree, "common.h");
	assert_non_null(strstr(a, "return COMMON + 2;")); /* one, then two, from quoted-printable */
	assert_non_null(strstr(b, "return 3;"));
	assert_string_equal(n, "int n;");
	assert_string_equal(other, "#define COMMON 1");
	assert_int_equal(g_strv_length(t->changed), 3);
	g_autoptr(KernelTree) same = kernel_compose(s, NULL, lab->series, fix, again, NULL);
	assert_string_equal(same->tree, t->tree);
	g_autoptr(KernelTree) base = kernel_compose(s, NULL, NULL, NULL, NULL, NULL);
	assert_string_equal(base->tree, s->tree);
}

static char *compose_error(Lab *lab, const char *name, int *ret_code)
{
	g_autoptr(KernelSource) s = source(lab);
	g_autoptr(GError) e = NULL;
	const char *names[] = {name, NULL};
	g_autoptr(KernelTree) t = kernel_compose(s, NULL, lab->series, fix, names, &e);
	assert_null(t);
	*ret_code = e->code;
	g_auto(GStrv) parts = g_strsplit(e->message, lab->dir, -1);
	return g_strjoinv("@", parts);
}

static void test_conflict_message(void **state)
{
	Lab *lab = *state;
	int code;
	g_autofree char *hunk = compose_error(lab, "stray", &code);
	assert_string_equal(hunk, "@/patches/stray.patch: hunk 1 does not apply to a.c:2");
	assert_int_equal(code, KX_ERROR_INPUT);
	g_autofree char *needs = compose_error(lab, "two", &code);
	assert_string_equal(needs, "@/patches/two.mbox: hunk 1 does not apply to a.c:2");
	lab_write(lab, "patches/one.patch", "--- a/none.c\n+++ b/none.c\n@@ -1 +1 @@\n-a\n+b\n");
	g_autofree char *none = compose_error(lab, "one", &code);
	assert_string_equal(none,
			    "@/patches/one.patch does not apply: none.c: does not exist in tree");
	lab_write(lab, "patches/one.patch", "no patch at all\n");
	g_autofree char *empty = compose_error(lab, "one", &code);
	assert_string_equal(empty, "@/patches/one.patch: there is no patch in it");
	lab_write(lab, "patches/one.patch", "--- a/a.c\n+++ b/a.c\n@@ -1,9 +1,9 @@\n-a\n");
	g_autofree char *torn = compose_error(lab, "one", &code);
	assert_string_equal(torn, "@/patches/one.patch does not apply: corrupt patch at line 5");
	assert_int_equal(code, KX_ERROR_INPUT);
}

static void test_hostile(void **state)
{
	Lab *lab = *state;
	static const struct {
		const char *text, *why;
	} cases[] = {
		{"--- a/../../etc/passwd\n+++ b/../../etc/passwd\n@@ -1 +1 @@\n-a\n+b\n",
		 "refused: a path outside of the source tree: 'a/../../etc/passwd'"},
		{"--- /etc/passwd\n+++ /etc/passwd\n@@ -1 +1 @@\n-a\n+b\n",
		 "refused: an absolute path '/etc/passwd'"},
		{"--- /dev/null\n+++ b/.git/hooks/x\n@@ -0,0 +1 @@\n+b\n",
		 "refused: a path outside of the source tree: 'b/.git/hooks/x'"},
		{"diff --git a/l b/l\nnew file mode 120000\nindex 0000000..1111111\n--- /dev/null\n"
		 "+++ b/l\n@@ -0,0 +1 @@\n+/etc\n\\ No newline at end of file\n",
		 "refused: a symbolic link: 'l'"},
		{"diff --git a/l b/l\nnew file mode 160000\nindex 0000000..1111111\n--- /dev/null\n"
		 "+++ b/l\n@@ -0,0 +1 @@\n+Subproject commit 11\n",
		 "refused: a git submodule: 'l'"},
		{"diff --git a/a.c b/a.c\nrename from a.c\nrename to ../x.c\n",
		 "refused: a path outside of the source tree: '../x.c'"},
	};
	for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
		lab_write(lab, "patches/one.patch", cases[i].text);
		int code;
		g_autofree char *said = compose_error(lab, "one", &code);
		g_autofree char *want = g_strconcat("@/patches/one.patch: ", cases[i].why, NULL);
		assert_string_equal(said, want);
		assert_int_equal(code, KX_ERROR_REFUSED);
	}
	g_autofree char *big = g_strnfill(5 << 20, '\n');
	lab_write(lab, "patches/one.patch", big);
	int code;
	g_autofree char *said = compose_error(lab, "one", &code);
	assert_int_equal(code, KX_ERROR_REFUSED);
}

/* Back to a state with fewer files, several times. */
static void test_stage_reset(void **state)
{
	Lab *lab = *state;
	g_autoptr(KernelSource) s = source(lab);
	g_autoptr(GError) e = NULL;
	const char *names[] = {"one", "newfile", NULL};
	g_autoptr(GPtrArray) patches = kernel_pick(lab->series, names, &e);
	g_autoptr(KernelStage) st = kernel_stage_new(s, s->tree, patches, &e);
	for (guint i = 0; st && i < 3; i++) {
		for (guint k = 0; k < patches->len; k++)
			if (!kernel_stage_apply(st, patches->pdata[k], &e))
				fail_msg("%s", e->message);
		g_autoptr(GPtrArray) changes = kernel_stage_changes(st, &e);
		assert_int_equal(changes->len, 2);
		assert_true(kernel_stage_reset(st, &e));
		g_autoptr(GPtrArray) back = kernel_stage_changes(st, &e);
		if (!back)
			fail_msg("%s", e->message);
		assert_int_equal(back->len, 2);
	}
	assert_non_null(st);
}

static void test_touched_paths(void **state)
{
	Lab *lab = *state;
	g_autoptr(GError) e = NULL;
	g_auto(GStrv) paths = kernel_touched_paths(series_find(lab->series, "stray"), &e);
	assert_int_equal(g_strv_length(paths), 2);
	assert_string_equal(paths[0], "b.c");
	assert_string_equal(paths[1], "a.c");
}

/* A removed line that looks like a header is none. */
static void test_header_lookalike(void **state)
{
	Lab *lab = *state;
	lab_write(lab, "linux/b.c", "-- /etc/passwd\nx\n");
	g_autofree char *out = lab_run(lab, "cd linux && git commit -qam more");
	lab_write(lab, "patches/one.patch",
		  "--- a/b.c\n+++ b/b.c\n@@ -1,2 +1,2 @@\n"
		  "--- /etc/passwd\n+++ /etc/shadow\n x\n");
	g_autoptr(KernelSource) s = source(lab);
	const char *names[] = {"one", NULL};
	g_autoptr(GError) e = NULL;
	g_autoptr(KernelTree) t = kernel_compose(s, NULL, lab->series, NULL, names, &e);
	if (!t)
		fail_msg("%s", e->message);
	g_autofree char *b = file_in(s, t->tree, "b.c");
	assert_string_equal(b, "++ /etc/shadow\nx");
}

static const json_t *pair(const json_t *m, const char *a, const char *b)
{
	size_t i;
	json_t *p;
	json_array_foreach (json_object_get(m, "pairs"), i, p)
		if (g_strcmp0(kx_json_str(p, "a"), a) == 0 &&
		    g_strcmp0(kx_json_str(p, "b"), b) == 0)
			return p;
	fail_msg("no pair %s %s", a, b);
	return NULL;
}

static void test_matrix(void **state)
{
	Lab *lab = *state;
	const char *names[] = {"one", "two", "rival", "apart", "stray", NULL};
	g_autoptr(GError) e = NULL;
	g_autoptr(json_t) m =
		kernel_apply_matrix(lab->cache, lab->recipe, lab->series, fix, names, &e);
	if (!m)
		fail_msg("%s", e->message);
	assert_int_equal(json_array_size(json_object_get(m, "pairs")), 10);
	assert_string_equal(kx_json_str(pair(m, "one", "two"), "result"), "depends");
	assert_string_equal(kx_json_str(pair(m, "one", "rival"), "result"), "conflict");
	assert_non_null(strstr(kx_json_str(pair(m, "one", "rival"), "reason"),
			       "rival.patch: hunk 1 does not apply to a.c:2"));
	/* two brings one with it, which rival cannot stand */
	assert_string_equal(kx_json_str(pair(m, "two", "rival"), "result"), "conflict");
	assert_string_equal(kx_json_str(pair(m, "two", "apart"), "result"), "ok");
	assert_string_equal(kx_json_str(pair(m, "rival", "apart"), "result"), "ok");
	const json_t *stray = json_array_get(json_object_get(m, "alone"), 4);
	assert_string_equal(kx_json_str(stray, "result"), "conflict");
	assert_string_equal(kx_json_str(pair(m, "one", "stray"), "reason"),
			    "stray does not apply even alone");
	/* from the cache now; and made anew when a patch changes */
	g_autoptr(json_t) again =
		kernel_apply_matrix(lab->cache, lab->recipe, lab->series, fix, names, &e);
	assert_true(json_equal(again, m));
	lab_write(lab, "patches/rival.patch",
		  "--- a/common.h\n+++ b/common.h\n@@ -1 +1 @@\n"
		  "-#define COMMON 1\n+#define COMMON 2\n");
	g_autoptr(json_t) changed =
		kernel_apply_matrix(lab->cache, lab->recipe, lab->series, fix, names, &e);
	assert_string_equal(kx_json_str(pair(changed, "one", "rival"), "result"), "ok");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_compose, lab_set_up, lab_tear_down),
		cmocka_unit_test_setup_teardown(test_conflict_message, lab_set_up, lab_tear_down),
		cmocka_unit_test_setup_teardown(test_hostile, lab_set_up, lab_tear_down),
		cmocka_unit_test_setup_teardown(test_header_lookalike, lab_set_up, lab_tear_down),
		cmocka_unit_test_setup_teardown(test_stage_reset, lab_set_up, lab_tear_down),
		cmocka_unit_test_setup_teardown(test_touched_paths, lab_set_up, lab_tear_down),
		cmocka_unit_test_setup_teardown(test_matrix, lab_set_up, lab_tear_down),
	};
	return cmocka_run_group_tests_name("kernel tree", tests, NULL, NULL);
}
