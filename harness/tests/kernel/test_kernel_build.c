/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lab.h"

static const char *const none[] = {NULL};
static const char *const one[] = {"one", NULL};

static void expect_ok(const KernelBuild *b)
{
	if (b->status != KERNEL_OK)
		fail_msg("%s: %s", kernel_status_name(b->status), b->reason);
}

static void build_ok(const Lab *lab, const char *const *candidates, KernelBuild *ret)
{
	lab_build(lab, candidates, ret);
	expect_ok(ret);
}

static struct timespec mtime_of(const Lab *lab, const char *pattern)
{
	g_autofree char *path = lab_find(lab, pattern);
	struct stat st;
	assert_non_null(path);
	assert_int_equal(stat(path, &st), 0);
	return st.st_mtim;
}

static bool same_time(struct timespec a, struct timespec b)
{
	return a.tv_sec == b.tv_sec && a.tv_nsec == b.tv_nsec;
}

static void test_incremental(void **state)
{
	Lab *lab = *state;
	g_auto(KernelBuild) first = {0}, again = {0}, patched = {0}, back = {0};
	build_ok(lab, none, &first);
	assert_false(first.cached);
	assert_int_equal(first.files_compiled, 4); /* a, b, version, link */
	g_autofree char *kernel = g_build_filename(first.artifacts, "kernel", NULL);
	g_autofree char *command =
		g_strdup_printf("grep -ac 'Linux version 0 #%s' %s", first.identity, kernel);
	g_autofree char *count = lab_run(lab, command);
	assert_string_equal(count, "1");
	assert_true(g_str_has_prefix(first.build, first.identity + 2));

	build_ok(lab, none, &again);
	assert_true(again.cached);
	assert_string_equal(again.vmlinux_sha256, first.vmlinux_sha256);

	struct timespec b_source = mtime_of(lab, "work/*/src/b.c");
	struct timespec b_object = mtime_of(lab, "work/*/obj/b.o");
	struct timespec config = mtime_of(lab, "work/*/obj/.config");
	build_ok(lab, one, &patched);
	assert_int_equal(patched.files_compiled, 3); /* a, version, link */
	assert_string_not_equal(patched.vmlinux_sha256, first.vmlinux_sha256);
	assert_true(same_time(b_source, mtime_of(lab, "work/*/src/b.c")));
	assert_true(same_time(b_object, mtime_of(lab, "work/*/obj/b.o")));
	assert_true(same_time(config, mtime_of(lab, "work/*/obj/.config")));

	/* and back, with the cached build gone: the same bytes come out */
	g_autoptr(GError) e = NULL;
	g_autofree char *name = g_strconcat("builds/", first.build, NULL);
	assert_true(kernel_cache_remove(lab->cache, name, &e));
	build_ok(lab, none, &back);
	assert_false(back.cached);
	assert_int_equal(back.files_compiled, 3);
	assert_string_equal(back.vmlinux_sha256, first.vmlinux_sha256);
	/* the image holds this kernel and no other of the same size */
	g_autofree char *image = g_build_filename(back.artifacts, "kernel", NULL);
	g_autofree char *shows =
		g_strdup_printf("grep -ac 'Linux version 0 #%s' %s", back.identity, image);
	g_autofree char *shown = lab_run(lab, shows);
}

static void test_clean(void **state)
{
	Lab *lab = *state;
	g_auto(KernelBuild) plain = {0}, clean = {0}, again = {0};
	build_ok(lab, one, &plain);
	KernelRequest q = lab_request(lab, one);
	q.clean = true;
	kernel_build(&q, &clean);
	expect_ok(&clean);
	assert_false(clean.cached);
	assert_int_equal(clean.files_compiled, 4);
	assert_string_equal(clean.build, plain.build);
	assert_string_not_equal(clean.artifacts, plain.artifacts);
	assert_string_equal(clean.vmlinux_sha256, plain.vmlinux_sha256);
	assert_string_equal(clean.incremental_sha256, plain.vmlinux_sha256);
	g_autofree char *left = lab_find(lab, "work/*/clean-*");
	assert_null(left);
	kernel_build(&q, &again);
	assert_true(again.cached);
}

/* A stale object in the incremental folder is what a clean build is there to show. */
static void test_clean_shows_stale(void **state)
{
	Lab *lab = *state;
	g_auto(KernelBuild) first = {0}, plain = {0}, clean = {0};
	build_ok(lab, none, &first);
	g_autofree char *out = lab_run(lab, "touch -d '+1 hour' cache/work/*/obj/a.o");
	build_ok(lab, one, &plain); /* a.o looks newer than the patched a.c */
	KernelRequest q = lab_request(lab, one);
	q.clean = true;
	kernel_build(&q, &clean);
	expect_ok(&clean);
	assert_string_equal(clean.incremental_sha256, plain.vmlinux_sha256);
	assert_string_not_equal(clean.vmlinux_sha256, clean.incremental_sha256);
}

static void test_dirty_tree(void **state)
{
	Lab *lab = *state;
	g_auto(KernelBuild) first = {0}, patched = {0}, dirty = {0};
	build_ok(lab, none, &first);
	build_ok(lab, one, &patched);
	g_autofree char *out =
		lab_run(lab, "cd cache/work/*/src && echo 'int evil;' >> b.c && "
			     "rm common.h && echo > stray.h && rm -r ../../../builds");
	build_ok(lab, one, &dirty);
	assert_string_equal(dirty.vmlinux_sha256, patched.vmlinux_sha256);
	g_autofree char *stray = lab_find(lab, "work/*/src/stray.h");
	assert_null(stray);
}

static void test_interrupted(void **state)
{
	Lab *lab = *state;
	g_auto(KernelBuild) first = {0}, patched = {0}, after = {0};
	build_ok(lab, none, &first);
	build_ok(lab, one, &patched);
	/* as after a power cut: a half-written object with a new time */
	g_autofree char *out =
		lab_run(lab, "rm -r cache/builds; cd cache/work/*/ && touch compiling && "
			     "echo half > obj/b.o");
	build_ok(lab, one, &after);
	assert_int_equal(after.files_compiled, 4);
	assert_string_equal(after.vmlinux_sha256, patched.vmlinux_sha256);
}

static void test_corrupted_cache(void **state)
{
	Lab *lab = *state;
	g_auto(KernelBuild) first = {0}, b = {0}, c = {0};
	build_ok(lab, none, &first);
	g_autofree char *out =
		lab_run(lab, "for f in cache/builds/*/kernel; do echo x >> $f; done");
	build_ok(lab, none, &b);
	assert_false(b.cached);
	assert_string_equal(b.vmlinux_sha256, first.vmlinux_sha256);
	g_autofree char *more = lab_run(lab, "rm cache/builds/*/build.json");
	build_ok(lab, none, &c);
	assert_false(c.cached);
}

static void test_unbuildable(void **state)
{
	Lab *lab = *state;
	const char *broken[] = {"broken", NULL}, *stray[] = {"stray", NULL};
	g_auto(KernelBuild) b = {0}, s = {0}, good = {0};
	lab_build(lab, broken, &b);
	assert_int_equal(b.status, KERNEL_UNBUILDABLE);
	assert_string_equal(b.failed_step, "compile");
	if (!strstr(b.reason, "b.c:5:16: error: ") || !strstr(b.reason, "nothing"))
		fail_msg("%s", b.reason);
	g_autofree char *log = NULL;
	assert_true(g_file_get_contents(b.log, &log, NULL, NULL));
	assert_non_null(strstr(log, "error: "));
	lab_build(lab, stray, &s);
	assert_int_equal(s.status, KERNEL_UNBUILDABLE);
	assert_string_equal(s.failed_step, "apply");
	/* the tree is as good as before */
	build_ok(lab, none, &good);
}

static void test_kconfig_not_taken(void **state)
{
	Lab *lab = *state;
	g_autofree char *more = lab_path(lab, "kernels/fragments/more.config");
	const char *fragments[] = {more, NULL};
	KernelRequest q = lab_request(lab, none);
	q.fragments = fragments;
	g_auto(KernelBuild) b = {0};
	kernel_build(&q, &b);
	assert_int_equal(b.status, KERNEL_UNBUILDABLE);
	assert_string_equal(b.failed_step, "configure");
	g_autofree char *want = g_strdup_printf("the kernel's configuration does not take: "
						"CONFIG_NEEDS_MORE=y (%s:1) became unknown "
						"or without what it depends on",
						more);
	assert_string_equal(b.reason, want);
}

static void test_config_result(void **state)
{
	Lab *lab = *state;
	g_auto(KernelBuild) b = {0};
	build_ok(lab, none, &b);
	g_autofree char *path = g_build_filename(b.artifacts, "config", NULL);
	g_autofree char *text = NULL;
	assert_true(g_file_get_contents(path, &text, NULL, NULL));
	assert_string_equal(text, "CONFIG_A=y\n\nCONFIG_B=y\n");
}

static void build_config(Lab *lab, const char *file, const char *const *settings, KernelBuild *ret)
{
	KernelRequest q = lab_request(lab, none);
	q.config_file = file;
	q.config = settings;
	kernel_build(&q, ret);
}

/* A .config in place of the recipe's, settings on top of what there is. */
static void test_config_settings(void **state)
{
	Lab *lab = *state;
	const char *set[] = {"D=4", "T=\"a b\"", "A=n", NULL};
	const char *same[] = {"A=n", "D=4", "T=\"a b\"", NULL};
	const char *refused[] = {"NEEDS_MORE=y", NULL}, *wrong[] = {"D", NULL};
	lab_write(lab, "mine.config", "CONFIG_A=y\nCONFIG_C=y\n");
	g_autofree char *mine = lab_path(lab, "mine.config");
	g_auto(KernelBuild) b = {0}, again = {0}, plain = {0}, on_recipe = {0};
	build_config(lab, mine, set, &b);
	assert_string_equal(b.reason, "");
	g_autofree char *path = g_build_filename(b.artifacts, "config", NULL);
	g_autofree char *text = NULL;
	assert_true(g_file_get_contents(path, &text, NULL, NULL));
	assert_non_null(strstr(text, "CONFIG_C=y\n"));
	assert_non_null(strstr(text, "CONFIG_D=4\n"));
	assert_non_null(strstr(text, "CONFIG_T=\"a b\"\n"));
	assert_non_null(strstr(text, "# CONFIG_A is not set\n"));
	assert_null(strstr(text, "CONFIG_B")); /* the recipe's fragment */
	/* the order in which they are named does not matter, all else does */
	build_config(lab, mine, same, &again);
	assert_true(again.cached);
	assert_string_equal(again.build, b.build);
	build_config(lab, mine, NULL, &plain);
	assert_string_not_equal(plain.build, b.build);
	build_config(lab, NULL, set, &on_recipe);
	assert_int_equal(on_recipe.status, KERNEL_OK);
	assert_string_not_equal(on_recipe.build, b.build);
	g_auto(KernelBuild) not_taken = {0}, no_setting = {0}, no_file = {0};
	build_config(lab, mine, refused, &not_taken);
	assert_int_equal(not_taken.status, KERNEL_UNBUILDABLE);
	assert_string_equal(not_taken.reason,
			    "the kernel's configuration does not take: CONFIG_NEEDS_MORE=y (asked "
			    "for by the variant) became unknown or without what it depends on");
	build_config(lab, mine, wrong, &no_setting);
	assert_int_equal(no_setting.status, KERNEL_INFRA);
	build_config(lab, "/nonexistent", set, &no_file);
	assert_int_equal(no_file.status, KERNEL_INFRA);
}

static void test_infra(void **state)
{
	Lab *lab = *state;
	KernelRequest q = lab_request(lab, none);
	q.min_free = UINT64_C(1) << 60;
	g_auto(KernelBuild) space = {0}, cc = {0};
	kernel_build(&q, &space);
	assert_int_equal(space.status, KERNEL_INFRA);
	assert_int_equal(space.error_code, KX_ERROR_NO_SPACE);
	if (!strstr(space.reason, "a build needs 1073741824.0 GiB but only "))
		fail_msg("%s", space.reason);

	lab_write(lab, "kernels/toolchains/gcc.yaml", "name: gcc\ncc: gcc-99\n");
	lab_reload(lab);
	lab_build(lab, none, &cc);
	assert_int_equal(cc.status, KERNEL_INFRA);
	assert_int_equal(cc.error_code, KX_ERROR_MISSING);
	assert_non_null(strstr(cc.reason, "there is no compiler 'gcc-99'"));
}

static void test_sandbox(void **state)
{
	Lab *lab = *state;
	if (!lab->sandbox) {
		print_message("bubblewrap does not work here: not tested\n");
		skip();
	}
	const char *evil[] = {"evil", NULL};
	g_auto(KernelBuild) b = {0};
	build_ok(lab, evil, &b);
	g_autofree char *in_tree = lab_find(lab, "work/*/src/evil");
	g_autofree char *network = lab_find(lab, "work/*/obj/network");
	g_autofree char *home = lab_find(lab, "work/*/obj/home");
	assert_null(in_tree);
	assert_null(network);
	assert_null(home);
	assert_int_not_equal(access("/usr/kexsect-evil", F_OK), 0);
	assert_int_not_equal(access("/etc/kexsect-evil", F_OK), 0);
	assert_int_not_equal(access("/tmp/kexsect-evil", F_OK), 0);
}

/* How many processes have the words in their command line. */
static unsigned running(const char *words)
{
	g_autoptr(GDir) proc = g_dir_open("/proc", 0, NULL);
	const char *name;
	unsigned n = 0;
	while ((name = g_dir_read_name(proc))) {
		g_autofree char *path = g_build_filename("/proc", name, "cmdline", NULL);
		g_autofree char *text = NULL;
		gsize len;
		if (!g_file_get_contents(path, &text, &len, NULL))
			continue;
		for (gsize i = 0; i + 1 < len; i++)
			if (!text[i])
				text[i] = ' ';
		n += g_str_has_prefix(text, words);
	}
	return n;
}

static bool wait_until(unsigned want, const char *words, unsigned seconds)
{
	for (unsigned i = 0; i < seconds * 50; i++) {
		if ((running(words) > 0) == (want > 0))
			return true;
		g_usleep(20000);
	}
	return false;
}

static void cancel(Lab *lab, int signal_number)
{
	const char *slow[] = {"slow", NULL};
	pid_t pid = fork();
	if (pid == 0) {
		kx_catch_signals();
		g_auto(KernelBuild) b = {0};
		lab_build(lab, slow, &b);
		_exit(b.status == KERNEL_INFRA && b.error_code == KX_ERROR_CANCELLED ? 0 : 9);
	}
	assert_true(wait_until(1, "sleep 61.25", 60));
	kill(pid, signal_number);
	int status;
	assert_int_equal(waitpid(pid, &status, 0), pid);
	if (signal_number == SIGTERM)
		assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	assert_true(wait_until(0, "sleep 61.25", 10));
	g_auto(KernelBuild) b = {0};
	build_ok(lab, none, &b);
}

static void test_cancelled(void **state)
{
	cancel(*state, SIGTERM);
}

static void test_cancelled_no_sandbox(void **state)
{
	Lab *lab = *state;
	lab->sandbox = false;
	cancel(lab, SIGTERM);
}

static void test_killed(void **state)
{
	Lab *lab = *state;
	if (!lab->sandbox)
		skip();
	cancel(lab, SIGKILL);
}

static void test_two_at_once(void **state)
{
	Lab *lab = *state;
	static const char *const sets[4][3] = {
		{NULL}, {"one", NULL}, {"apart", NULL}, {"one", "apart", NULL}};
	pid_t pids[4];
	for (int i = 0; i < 4; i++) {
		pids[i] = fork();
		if (pids[i] == 0) {
			g_auto(KernelBuild) b = {0};
			lab_build(lab, sets[i], &b);
			_exit(b.status == KERNEL_OK ? 0 : 1);
		}
	}
	for (int i = 0; i < 4; i++) {
		int status;
		assert_int_equal(waitpid(pids[i], &status, 0), pids[i]);
		assert_int_equal(status, 0);
	}
	for (int i = 0; i < 4; i++) {
		g_auto(KernelBuild) b = {0}, clean = {0};
		build_ok(lab, sets[i], &b);
		assert_true(b.cached);
		KernelRequest q = lab_request(lab, sets[i]);
		q.clean = true;
		kernel_build(&q, &clean);
		expect_ok(&clean);
		assert_string_equal(clean.vmlinux_sha256, b.vmlinux_sha256);
	}
}

/* In a child with a mount namespace of its own; exit 77: mounting is not permitted. */
static int build_on_full_disk(Lab *lab)
{
	g_autofree char *work = g_build_filename(lab->cache, "work", NULL);
	if (unshare(CLONE_NEWNS) != 0 || mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0 ||
	    mount("tmpfs", work, "tmpfs", 0, "size=16m") != 0)
		return 77;
	const char *fill[] = {"fill", NULL};
	g_auto(KernelBuild) good = {0}, b = {0};
	lab_build(lab, fill, &b);
	/* what filled the disk is gone with the interrupted objects */
	lab_build(lab, none, &good);
	if (good.status == KERNEL_OK && b.status == KERNEL_INFRA &&
	    b.error_code == KX_ERROR_NO_SPACE)
		return 0;
	print_error("%s; %s: %s\n", good.reason, kernel_status_name(b.status), b.reason);
	return 1;
}

static void test_full_disk(void **state)
{
	Lab *lab = *state;
	g_autofree char *work = g_build_filename(lab->cache, "work", NULL);
	assert_true(kx_mkdir(work, NULL));
	/* importing asks for gigabytes: done before, on the disk */
	assert_true(kernel_prepare_source(lab->cache, lab->recipe, NULL, NULL, NULL));
	pid_t pid = fork();
	if (pid == 0)
		_exit(build_on_full_disk(lab));
	int status;
	assert_int_equal(waitpid(pid, &status, 0), pid);
	if (WEXITSTATUS(status) == 77) {
		print_message("mounting is not permitted here: not tested\n");
		skip();
	}
	assert_int_equal(status, 0);
}

static void test_cache(void **state)
{
	Lab *lab = *state;
	g_auto(KernelBuild) a = {0}, b = {0};
	build_ok(lab, none, &a);
	build_ok(lab, one, &b);
	g_autoptr(GError) e = NULL;
	g_autoptr(GPtrArray) all = kernel_cache_list(lab->cache, &e);
	assert_non_null(all);
	unsigned builds = 0, work = 0, sources = 0;
	for (guint i = 0; i < all->len; i++) {
		const KernelCacheEntry *entry = all->pdata[i];
		builds += g_str_equal(entry->kind, "builds");
		work += g_str_equal(entry->kind, "work");
		sources += g_str_equal(entry->kind, "sources");
		assert_false(entry->in_use);
		assert_true(entry->bytes > 0);
	}
	assert_int_equal(builds, 2);
	assert_int_equal(work, 1);
	assert_int_equal(sources, 1);

	/* all are young */
	assert_int_equal(kernel_cache_prune(lab->cache, 0, 3600, NULL, &e), 0);
	/* a held worktree and a kept build stay, and only these */
	g_autofree char *work_dir = lab_find(lab, "work/*");
	g_autofree char *lock = g_build_filename(work_dir, "lock", NULL);
	int fd = kx_lock_file(lock, false, &e);
	assert_true(fd >= 0);
	assert_false(kernel_cache_remove(lab->cache, work_dir, &e));
	assert_true(g_error_matches(e, KX_ERROR, KX_ERROR_BUSY));
	g_clear_error(&e);
	/* last used just now counts as younger than a second: wait it out */
	g_usleep(1100000);
	const char *keep[] = {a.build, NULL};
	assert_true(kernel_cache_prune(lab->cache, 0, 0, keep, &e) > 0);
	close(fd);
	assert_true(g_file_test(a.artifacts, G_FILE_TEST_EXISTS));
	assert_false(g_file_test(b.artifacts, G_FILE_TEST_EXISTS));
	assert_true(g_file_test(work_dir, G_FILE_TEST_EXISTS));
	g_autofree char *source = lab_find(lab, "sources/*.git");
	assert_null(source);
	/* and everything comes back when it is asked for */
	g_auto(KernelBuild) again = {0};
	build_ok(lab, one, &again);
	assert_string_equal(again.vmlinux_sha256, b.vmlinux_sha256);

	assert_false(kernel_cache_remove(lab->cache, "../linux", &e));
	assert_true(g_error_matches(e, KX_ERROR, KX_ERROR_REFUSED));
	g_clear_error(&e);
	assert_false(kernel_cache_remove(lab->cache, "builds/none", &e));
	assert_true(g_error_matches(e, KX_ERROR, KX_ERROR_MISSING));
}

/* A compiler wrapper beside its profile, in a folder that the sandbox hides otherwise. */
static void test_wrapper(void **state)
{
	Lab *lab = *state;
	g_auto(KernelBuild) plain = {0}, a = {0}, b = {0};
	build_ok(lab, none, &plain);
	lab_write(lab, "kernels/toolchains/gcc.yaml", "name: gcc\ncc: ./wrapped\n");
	lab_write(lab, "kernels/toolchains/wrapped", "#!/bin/sh\nexec gcc -DX -O1 \"$@\"\n");
	g_autofree char *out = lab_run(lab, "chmod +x kernels/toolchains/wrapped");
	lab_reload(lab);
	build_ok(lab, none, &a);
	assert_string_not_equal(a.build, plain.build);
	assert_string_not_equal(a.vmlinux_sha256, plain.vmlinux_sha256);
	lab_write(lab, "kernels/toolchains/wrapped", "#!/bin/sh\nexec gcc -DX -O2 \"$@\"\n");
	g_autofree char *more = lab_run(lab, "chmod +x kernels/toolchains/wrapped");
	build_ok(lab, none, &b);
	assert_string_not_equal(b.build, a.build);
	assert_false(b.cached);
}

static void test_tools(void **state)
{
	Lab *lab = *state;
	g_autoptr(GPtrArray) tools = kernel_check_tools(lab->recipe);
	bool make = false;
	for (guint i = 0; i < tools->len; i++) {
		const KernelTool *t = tools->pdata[i];
		if (g_str_equal(t->name, "make"))
			make = t->version && g_str_has_prefix(t->version, "GNU Make");
	}
	assert_true(make);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, lab_set_up, lab_tear_down)
	const struct CMUnitTest tests[] = {
		TEST(test_incremental),
		TEST(test_clean),
		TEST(test_clean_shows_stale),
		TEST(test_dirty_tree),
		TEST(test_interrupted),
		TEST(test_corrupted_cache),
		TEST(test_unbuildable),
		TEST(test_kconfig_not_taken),
		TEST(test_config_settings),
		TEST(test_config_result),
		TEST(test_infra),
		TEST(test_sandbox),
		TEST(test_cancelled),
		TEST(test_cancelled_no_sandbox),
		TEST(test_killed),
		TEST(test_two_at_once),
		TEST(test_full_disk),
		TEST(test_cache),
		TEST(test_wrapper),
		TEST(test_tools),
	};
	return cmocka_run_group_tests_name("kernel build", tests, NULL, NULL);
}
