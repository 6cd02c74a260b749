/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which profile compiles a source, and what it does to the tree and the command. */
#include <sched.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lab.h"

#define RECIPE                                                                                     \
	"name: tiny\nsource: {git: ../linux, revision: HEAD}\ndefconfig: tinyconfig\n"             \
	"fragments: [lab]\n"

static void set_up(Lab *lab, const char *version)
{
	g_autofree char *command = g_strdup_printf(
		"cd linux && printf 'VERSION = %%s\\nPATCHLEVEL = %%s\\nSUBLEVEL = %%s\\n' %s | "
		"cat - Makefile > m && mv m Makefile && git commit -qam version",
		version);
	g_autofree char *out = lab_run(lab, command);
	lab_write(lab, "kernels/tiny.yaml", RECIPE);
	lab_write(lab, "kernels/toolchains/gcc.yaml", "name: gcc\ncc: gcc\n"); /* no range */
	lab_write(lab, "kernels/toolchains/old.yaml",
		  "name: old\ncc: gcc\nkernels: {from: '3.0', before: '4.2'}\n"
		  "cc_flags: [-DOLD=7]\nfixtures: [common-is-5, elsewhere]\n");
	lab_write(lab, "kernels/toolchains/new.yaml",
		  "name: new\ncc: gcc\nkernels: {from: '4.2'}\n");
	lab_write(lab, "patches/old-kernels/common-is-5.patch",
		  "Why it is needed.\n---\n--- a/common.h\n+++ b/common.h\n@@ -1 +1 @@\n"
		  "-#define COMMON 1\n+#define COMMON 5\n");
	lab_write(lab, "patches/old-kernels/elsewhere.patch",
		  "--- a/gone.c\n+++ b/gone.c\n@@ -1 +1 @@\n-int gone;\n+int here;\n");
	lab_reload(lab);
}

static void info_of(Lab *lab, KernelSourceInfo *i)
{
	g_autoptr(GError) e = NULL;
	if (!kernel_source_info(lab->cache, lab->recipe, NULL, NULL, i, &e))
		fail_msg("%s", e->message);
}

static void info_fails(Lab *lab, int code, const char *text)
{
	g_autoptr(GError) e = NULL;
	g_auto(KernelSourceInfo) i = {0};
	assert_false(kernel_source_info(lab->cache, lab->recipe, NULL, NULL, &i, &e));
	if (!strstr(e->message, text))
		fail_msg("expected '%s', found '%s'", text, e->message);
	assert_int_equal(e->code, code);
}

static void build_ok(const Lab *lab, const KernelRequest *q, KernelBuild *b)
{
	kernel_build(q, b);
	if (b->status != KERNEL_OK)
		fail_msg("%s", b->reason);
}

static void expect_choice(const char *version, const char *name)
{
	g_autoptr(GError) e = NULL;
	g_autoptr(Recipe) r = recipe_load(SOURCE_ROOT "/kernels/linux-3.6.yaml", &e);
	assert_non_null(r);
	const Toolchain *t = recipe_toolchain(r, version, &e);
	if (name && !t)
		fail_msg("%s", e->message);
	assert_string_equal(t ? t->name : "none", name ? name : "none");
}

static void test_shipped(void **state)
{
	expect_choice("2.6.39", NULL);
	expect_choice("3.0.0", "gcc-on-3.x");
	expect_choice("3.4.113", "gcc-on-3.x");
	expect_choice("3.10.0", "gcc-on-3.x");
	expect_choice("4.1.52", "gcc-on-3.x");
	expect_choice("4.4.180", "gcc-on-4.x");
	expect_choice("4.20.17", "gcc-on-4.x");
	expect_choice("5.0.0", "gcc-on-5.x");
	expect_choice("5.16.20", "gcc-on-5.x");
	expect_choice("5.17.0", "gcc-native");
	expect_choice("6.12.0", "gcc-native");
}

static void test_by_version(void **state)
{
	Lab *lab = *state;
	g_auto(KernelSourceInfo) old = {0};
	set_up(lab, "3 6 0");
	info_of(lab, &old);
	assert_string_equal(old.version, "3.6.0");
	assert_string_equal(old.toolchain->name, "old");
	assert_string_equal(old.why, "for Linux 3.0 to before 4.2, and this is 3.6.0");
	assert_string_equal(old.corrections[0], "common-is-5");
	assert_null(old.corrections[1]);

	/* the next version is another source; what was first is asked for on purpose */
	g_autofree char *out =
		lab_run(lab, "cd linux && sed -i -e 's/^VERSION = .*/VERSION = 4/' Makefile && "
			     "git commit -qam four && rm -rf ../cache");
	g_auto(KernelSourceInfo) new = {0};
	info_of(lab, &new);
	assert_string_equal(new.version, "4.6.0");
	assert_string_equal(new.toolchain->name, "new");
	assert_null(new.corrections);
}

static void test_no_choice(void **state)
{
	Lab *lab = *state;
	set_up(lab, "2 6 0");
	info_fails(lab, KX_ERROR_MISSING, "no profile in kernels/toolchains is for Linux 2.6.0");
	lab_write(lab, "kernels/toolchains/older.yaml",
		  "name: older\ncc: gcc\nkernels: {from: '2.4'}\n");
	lab_write(lab, "kernels/toolchains/oldest.yaml",
		  "name: oldest\ncc: gcc\nkernels: {from: '1.0'}\n");
	lab_reload(lab);
	info_fails(lab, KX_ERROR_INPUT, "say that they are for Linux 2.6.0");
	/* named, it needs no version */
	lab_write(lab, "kernels/tiny.yaml", RECIPE "toolchain: new\n");
	lab_reload(lab);
	g_auto(KernelSourceInfo) i = {0};
	info_of(lab, &i);
	assert_string_equal(i.why, "named by tiny");
	/* what is given counts more */
	g_setenv("KEXSECT_TOOLCHAINS", "other=new,tiny=older", TRUE);
	lab_reload(lab);
	g_unsetenv("KEXSECT_TOOLCHAINS");
	g_auto(KernelSourceInfo) given = {0};
	info_of(lab, &given);
	assert_string_equal(given.toolchain->name, "older");
	assert_string_equal(given.why, "given");
}

static void test_no_version(void **state)
{
	Lab *lab = *state;
	lab_write(lab, "kernels/tiny.yaml", RECIPE);
	lab_reload(lab);
	info_fails(lab, KX_ERROR_MISSING, "does not say which version it is");
}

/* The flags get to the compiler, the corrections to the tree; and a tree that is correct already
 * gives the same kernel. */
static void test_build(void **state)
{
	Lab *lab = *state;
	set_up(lab, "3 6 0");
	lab_write(lab, "linux/b.c",
		  "#include \"common.h\"\n\n#if OLD != 7 || COMMON != 5\n"
		  "#error not as the profile says\n#endif\n\nint b(void)\n{\n"
		  "\treturn 2;\n}\n");
	g_autofree char *out = lab_run(lab, "cd linux && git commit -qam b");
	KernelRequest q = lab_request(lab, NULL);
	q.fixtures = NULL;
	g_auto(KernelBuild) a = {0}, again = {0};
	build_ok(lab, &q, &a);
	g_autofree char *meta_path = g_build_filename(a.artifacts, "build.json", NULL);
	g_autoptr(json_t) meta = kx_json_load(meta_path, NULL);
	assert_string_equal(kx_json_str(meta, "toolchain"), "old");
	assert_int_equal(json_array_size(json_object_get(meta, "corrections")), 1);
	assert_string_not_equal(kx_json_str(meta, "source_tree"), kx_json_str(meta, "tree"));
	g_autofree char *ccache = g_find_program_in_path("ccache");
	if (ccache) {
		g_autofree char *cached = lab_find(lab, "ccache-clean/*/*");
		assert_non_null(cached);
	}

	g_autofree char *more =
		lab_run(lab, "cd linux && sed -i 's/COMMON 1/COMMON 5/' common.h && "
			     "git commit -qam corrected && rm -rf ../cache/sources");
	build_ok(lab, &q, &again);
	assert_true(again.cached);
	assert_string_equal(again.build, a.build);

	/* other flags are another build */
	lab_write(lab, "kernels/toolchains/old.yaml",
		  "name: old\ncc: gcc\nkernels: {from: '3.0', before: '4.2'}\n"
		  "cc_flags: [-DOLD=7, -O1]\nfixtures: [common-is-5]\n");
	lab_reload(lab);
	q = lab_request(lab, NULL);
	q.fixtures = NULL;
	g_auto(KernelBuild) other = {0};
	build_ok(lab, &q, &other);
	assert_false(other.cached);
	assert_string_not_equal(other.build, a.build);
}

/* A commit of a history gets what it needs by itself. */
static void test_commit(void **state)
{
	Lab *lab = *state;
	set_up(lab, "3 6 0");
	g_auto(KernelSourceInfo) i = {0};
	info_of(lab, &i);
	g_autofree char *commit =
		lab_run(lab, "cd linux && git rev-parse HEAD; echo '/* later */' >> a.c; "
			     "git commit -qam later; git rev-parse HEAD");
	char *second = strchr(commit, '\n') + 1;
	KernelRequest q = lab_request(lab, NULL);
	q.fixtures = NULL;
	q.commit = second;
	g_auto(KernelBuild) b = {0};
	build_ok(lab, &q, &b);
	g_autofree char *git = lab_find(lab, "sources/*.git");
	g_autofree char *command =
		g_strdup_printf("git --git-dir=%s show %s:common.h %s:a.c", git, b.tree, b.tree);
	g_autofree char *text = lab_run(lab, command);
	assert_non_null(strstr(text, "COMMON 5"));
	assert_non_null(strstr(text, "later"));
}

static void test_cross(void **state)
{
	Lab *lab = *state;
	g_autofree char *found = g_find_program_in_path("x86_64-linux-gnu-gcc");
	if (!found) {
		print_message("skipped: there is no x86_64-linux-gnu-gcc\n");
		skip();
	}
	set_up(lab, "6 1 0");
	g_autoptr(GError) e = NULL;
	g_setenv("KEXSECT_TOOLCHAINS", SOURCE_ROOT "/kernels/toolchains/x86_64-cross.yaml", TRUE);
	lab_reload(lab);
	g_unsetenv("KEXSECT_TOOLCHAINS");
	KernelRequest q = lab_request(lab, NULL);
	q.fixtures = NULL;
	g_auto(KernelBuild) b = {0};
	build_ok(lab, &q, &b);
	lab_write(lab, "kernels/toolchains/far.yaml",
		  "name: far\ncc: gcc\ncross: nowhere-linux-gnu-\nkernels: {from: '6.0'}\n");
	lab_write(lab, "kernels/tiny.yaml", RECIPE "toolchain: far\n");
	lab_reload(lab);
	q = lab_request(lab, NULL);
	q.fixtures = NULL;
	g_auto(KernelBuild) none = {0};
	kernel_build(&q, &none);
	assert_int_equal(none.status, KERNEL_INFRA);
	assert_non_null(strstr(none.reason, "there is no compiler 'nowhere-linux-gnu-gcc'"));
}

/* This machine's own system, mounted at another place, is the old one: a file that only the root
 * has shows that the build runs in there. Exit 77: mounting is not permitted. */
static int build_in_root(Lab *lab)
{
	g_autofree char *usr = lab_path(lab, "root/usr");
	g_autofree char *etc = lab_path(lab, "root/etc");
	if (unshare(CLONE_NEWNS) != 0 || mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0 ||
	    mount("/usr", usr, NULL, MS_BIND, NULL) != 0 ||
	    mount("/etc", etc, NULL, MS_BIND, NULL) != 0)
		return 77;
	KernelRequest q = lab_request(lab, NULL);
	q.fixtures = NULL;
	g_auto(KernelBuild) b = {0};
	kernel_build(&q, &b);
	if (b.status != KERNEL_OK) {
		print_error("%s\n", b.reason);
		return 1;
	}
	g_autofree char *log = g_build_filename(b.artifacts, "build.log", NULL);
	g_autofree char *text = kx_read_file(log, 1 << 20, NULL, NULL);
	return text && strstr(text, "MARK    /marker") ? 0 : 2;
}

static void test_root(void **state)
{
	Lab *lab = *state;
	if (!lab->sandbox) {
		print_message("skipped: bubblewrap does not work here\n");
		skip();
	}
	set_up(lab, "3 6 0");
	g_autofree char *out = lab_run(
		lab,
		"mkdir -p root/usr root/etc root/dev root/proc root/tmp && touch root/marker && "
		"ln -s usr/bin root/bin && ln -s usr/lib root/lib && ln -s usr/lib64 root/lib64 && "
		"cd linux && sed -i 's:^bzImage.*:&\\n\\t@test ! -e /marker || "
		"echo \"  MARK    /marker\":' Makefile && git commit -qam mark");
	g_autofree char *profile =
		g_strdup_printf("name: root\ncc: gcc\nroot: %s/root\n", lab->dir);
	lab_write(lab, "kernels/toolchains/root.yaml", profile);
	lab_write(lab, "kernels/tiny.yaml", RECIPE "toolchain: root\n");
	lab_reload(lab);
	pid_t pid = fork();
	if (pid == 0)
		_exit(build_in_root(lab));
	int status;
	assert_int_equal(waitpid(pid, &status, 0), pid);
	if (WEXITSTATUS(status) == 77) {
		print_message("skipped: mounting is not permitted here\n");
		skip();
	}
	assert_int_equal(status, 0);
	KernelRequest q = lab_request(lab, NULL);
	g_auto(KernelBuild) b = {0};
	q.fixtures = NULL;
	q.sandbox = false;
	kernel_build(&q, &b);
	assert_int_equal(b.error_code, KX_ERROR_REFUSED);
	assert_non_null(strstr(b.reason, "only the sandbox takes a build in there"));
	g_autofree char *gone = lab_run(lab, "mv root moved");
	info_fails(lab, KX_ERROR_MISSING, "is not there");
}

/* Real trees, where a path to them is given. */
static void test_real(void **state)
{
	static const char *const names[] = {"linux-3.4.4", "linux-3.4.113", "linux-3.6",
					    "linux-3.7.2", "linux-3.8.13",  "linux-4.4",
					    "linux-5.4"};
	Lab *lab = *state;
	unsigned tried = 0;
	for (guint k = 0; k < G_N_ELEMENTS(names); k++) {
		g_autofree char *given = recipe_given(RECIPE_SOURCES, names[k]);
		g_autofree char *path = g_strdup_printf(SOURCE_ROOT "/kernels/%s.yaml", names[k]);
		g_autoptr(GError) e = NULL;
		if (!given)
			continue;
		tried++;
		recipe_free(lab->recipe);
		lab->recipe = recipe_load(path, &e);
		if (!lab->recipe)
			fail_msg("%s", e->message);
		g_auto(KernelSourceInfo) i = {0};
		info_of(lab, &i);
		bool ancient = g_str_has_prefix(names[k], "linux-3.");
		assert_string_equal(i.toolchain->name, ancient ? "gcc-on-3.x"
						       : g_str_equal(names[k], "linux-4.4")
							       ? "gcc-on-4.x"
							       : "gcc-on-5.x");
		/* 3.x: one of the two ways to read .cmd files back, and ACPI's */
		assert_int_equal(i.corrections ? g_strv_length(i.corrections) >= 2 : 0, ancient);
	}
	if (!tried) {
		print_message("skipped: $" RECIPE_SOURCES " gives no old tree\n");
		skip();
	}
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, lab_set_up, lab_tear_down)
	const struct CMUnitTest tests[] = {
		TEST(test_shipped),    TEST(test_by_version), TEST(test_no_choice),
		TEST(test_no_version), TEST(test_build),      TEST(test_commit),
		TEST(test_cross),      TEST(test_root),	      TEST(test_real),
	};
	return cmocka_run_group_tests_name("kernel toolchain", tests, NULL, NULL);
}
