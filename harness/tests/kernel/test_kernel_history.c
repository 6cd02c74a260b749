/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <string.h>

#include "lab.h"

/* Shell functions for a history: `c NAME FILE` commits a new line in FILE. Each commit is a minute
 * younger than the one before, for among commits of one age git's order is any. */
#define SHELL                                                                                      \
	"cd linux; t=$(date +%s); tick() { t=$((t + 60)); export GIT_COMMITTER_DATE=\"$t "         \
	"+0000\"; "                                                                                \
	"}; c() { tick; echo \"// $1\" >> $2; git add -f $2; git commit -qm \"$1\"; }; "           \
	"m() { tick; git merge -q --no-ff -m \"$1\" $2; }; "

/* Two branches from a common start, one of them merged:
 *   base - one ------- merge - three    (main)
 *      \ - left - right /               (topic, which leaves from before `one`) */
static void make_merge(Lab *lab)
{
	g_autofree char *out = lab_run(
		lab, SHELL "git checkout -q -B main; git tag v1; git branch topic; c one a.c; "
			   "git tag v2; git checkout -q topic; c left b.c; c right left.c; "
			   "git checkout -q main; m merge topic; c three a.c; git tag v3");
}

static KernelHistory *history(Lab *lab, const char *from, const char *to, bool first_parent)
{
	CampaignHistory asked = {.from = (char *)from, .to = (char *)to};
	asked.first_parent = first_parent;
	g_autoptr(GError) e = NULL;
	KernelHistory *h = kernel_history(lab->cache, lab->recipe, &asked, NULL, NULL, &e);
	if (!h)
		fail_msg("%s", e->message);
	return h;
}

/* "1:one<0>a.c 2:left<1>b.c", with parents and paths. */
static char *show(const KernelHistory *h)
{
	g_autoptr(GString) out = g_string_new(NULL);
	for (guint i = 0; i < h->commits->len; i++) {
		const KernelCommit *c = h->commits->pdata[i];
		g_string_append_printf(out, "%s%u:%s<", i ? " " : "", i + 1, c->subject);
		for (guint k = 0; k < c->parents_count; k++)
			g_string_append_printf(out, "%s%u", k ? "," : "", c->parents[k]);
		g_autofree char *paths = g_strjoinv(",", c->paths);
		g_string_append_printf(out, ">%s", paths);
		assert_int_equal(strlen(c->id), 40);
		assert_int_equal(strlen(c->short_id), 12);
		assert_true(g_str_has_prefix(c->id, c->short_id));
	}
	return g_string_free(g_steal_pointer(&out), FALSE);
}

static void expect(Lab *lab, const char *from, const char *to, bool first_parent, const char *want)
{
	g_autoptr(KernelHistory) h = history(lab, from, to, first_parent);
	g_autofree char *got = show(h);
	assert_string_equal(got, want);
	g_autofree char *command = g_strdup_printf("cd linux && git rev-parse %s^{}", from);
	g_autofree char *start = lab_run(lab, command);
	assert_string_equal(h->start, start);
}

static void test_merge(void **state)
{
	Lab *lab = *state;
	make_merge(lab);
	expect(lab, "v1", "v3", false,
	       "1:one<0>a.c 2:left<0>b.c 3:right<2>left.c 4:merge<1,3> 5:three<4>a.c");
	/* what the merge brings is its own when only first parents count */
	expect(lab, "v1", "v3", true, "1:one<0>a.c 2:merge<1>b.c,left.c 3:three<2>a.c");
	/* the branch left before the start of the range: its parent is outside */
	expect(lab, "v2", "v3", false, "1:left<0>b.c 2:right<1>left.c 3:merge<0,2> 4:three<3>a.c");
	expect(lab, "v2", "v3~1", false, "1:left<0>b.c 2:right<1>left.c 3:merge<0,2>");
	g_autoptr(KernelHistory) h = history(lab, "v1", "v3", false);
	assert_string_equal(h->start_subject, "base");
}

/* A conflict's resolution is the merge's own change. */
static void test_evil_merge(void **state)
{
	Lab *lab = *state;
	g_autofree char *out =
		lab_run(lab, SHELL
			"git checkout -q -B main; git tag v1; git checkout -q -b topic; c x a.c; "
			"git checkout -q main; c y a.c; git merge -q topic || true; tick; "
			"sed -i '/^[<=>]/d' a.c; git commit -qam both; git tag v2");
	expect(lab, "v1", "v2", false, "1:y<0>a.c 2:x<0>a.c 3:both<1,2>a.c");
}

/* The base is fetched alone; a range needs more, and later one more still. */
static void test_depth(void **state)
{
	Lab *lab = *state;
	g_autofree char *out =
		lab_run(lab, SHELL "git checkout -q -B main; for i in $(seq 150); do echo $i > n; "
				   "git add -f n; git commit -qm c$i; git tag t$i; done");
	g_autoptr(GError) e = NULL;
	if (!kernel_prepare_source(lab->cache, lab->recipe, NULL, NULL, &e))
		fail_msg("%s", e->message);
	g_autoptr(KernelHistory) some = history(lab, "t140", "t148", false);
	assert_int_equal(some->commits->len, 8);
	g_autofree char *git = lab_find(lab, "sources/*.git");
	g_autofree char *count = g_strdup_printf("git --git-dir=%s rev-list --count --all", git);
	g_autofree char *few = lab_run(lab, count);
	assert_true(atoi(few) < 100); /* no more than it takes */
	g_autoptr(KernelHistory) all = history(lab, "t2", "t150", false);
	assert_int_equal(all->commits->len, 148);
	for (guint i = 0; i < all->commits->len; i++) {
		const KernelCommit *c = all->commits->pdata[i];
		assert_int_equal(c->parents_count, 1);
		assert_int_equal(c->parents[0], i);
	}
	/* now nothing has to be fetched */
	g_autofree char *gone = lab_run(lab, "mv linux elsewhere; git init -q linux; "
					     "git -C linux fetch -q --no-tags ../elsewhere "
					     "'refs/tags/*:refs/tags/*'; rm -rf elsewhere");
	g_autoptr(KernelHistory) again = history(lab, "t2", "t150", false);
	assert_int_equal(again->commits->len, 148);
}

/* The same by a protocol that does not let the repository be asked. */
static void test_elsewhere(void **state)
{
	Lab *lab = *state;
	make_merge(lab);
	g_autofree char *out = lab_run(
		lab, SHELL "for i in $(seq 80); do echo $i > n; git add -f n; "
			   "GIT_COMMITTER_DATE=\"2030-01-01 00:00:$((i % 60))\" "
			   "git commit -qm c$i; done; git branch end; git tag -a -m end vend");
	g_autofree char *recipe =
		g_strdup_printf("name: tiny\nsource:\n  git: file://%s/linux\n  revision: main\n"
				"defconfig: tinyconfig\nfragments: [lab]\ntoolchain: gcc\n",
				lab->dir);
	lab_write(lab, "kernels/tiny.yaml", recipe);
	lab_reload(lab);
	g_autoptr(KernelHistory) h = history(lab, "v1", "vend", false);
	assert_int_equal(h->commits->len, 85);
	g_autoptr(KernelHistory) branch = history(lab, "v1", "end", true);
	assert_int_equal(branch->commits->len, 83);
	CampaignHistory wrong = {.from = (char *)"v1", .to = (char *)"end~1"};
	g_autoptr(GError) e = NULL;
	assert_null(kernel_history(lab->cache, lab->recipe, &wrong, NULL, NULL, &e));
	assert_non_null(strstr(e->message, "has no tag or branch end~1"));
}

static void fails(Lab *lab, const CampaignHistory *asked, int code, const char *text)
{
	g_autoptr(GError) e = NULL;
	g_autoptr(KernelHistory) h = kernel_history(lab->cache, lab->recipe, asked, NULL, NULL, &e);
	assert_null(h);
	if (!strstr(e->message, text))
		fail_msg("expected '%s', found '%s'", text, e->message);
	assert_int_equal(e->code, code);
}

static void test_errors(void **state)
{
	Lab *lab = *state;
	make_merge(lab);
	g_autofree char *out = lab_run(
		lab, SHELL "git checkout -q v1; c aside a.c; git tag aside; "
			   "git checkout -q --orphan other; git commit -qm other; git tag other");
	CampaignHistory h = {.from = (char *)"v3", .to = (char *)"v1"};
	fails(lab, &h, KX_ERROR_INPUT, "they are the wrong way round");
	h = (CampaignHistory){.from = (char *)"aside", .to = (char *)"v3"};
	fails(lab, &h, KX_ERROR_INPUT, "take their common ancestor, from: ");
	h = (CampaignHistory){.from = (char *)"other", .to = (char *)"v3"};
	fails(lab, &h, KX_ERROR_INPUT, "they have nothing in common");
	h = (CampaignHistory){.from = (char *)"v1", .to = (char *)"v1"};
	fails(lab, &h, KX_ERROR_INPUT, "is empty: nothing of `to` comes after `from`");
	h = (CampaignHistory){.from = (char *)"v9", .to = (char *)"v3"};
	fails(lab, &h, KX_ERROR_MISSING, "has no revision v9");
	g_autofree char *sha = lab_run(lab, "tar -cJf t.tar.xz linux/a.c && sha256sum t.tar.xz | "
					    "cut -d' ' -f1");
	g_autofree char *recipe =
		g_strdup_printf("name: tiny\nsource:\n  tarball: file://%s/t.tar.xz\n  sha256: %s\n"
				"defconfig: tinyconfig\nfragments: [lab]\ntoolchain: gcc\n",
				lab->dir, sha);
	lab_write(lab, "kernels/tiny.yaml", recipe);
	lab_reload(lab);
	h = (CampaignHistory){.from = (char *)"v1", .to = (char *)"v3"};
	fails(lab, &h, KX_ERROR_INPUT, "takes a source in git");
}

/* ---- a series as a history ---- */

/* A thread as it came in: the second patch first, a cover letter, an answer. */
static const char thread[] =
	"From 1111111111111111111111111111111111111111 Mon Sep 17 00:00:00 2001\n"
	"From: \"Person, A.\" <a@example.org>\nDate: Tue, 7 Jan 2025 10:00:00 +0100\n"
	"Subject: [PATCH v3 2/2] b: return five\n\nBecause.\n---\n"
	"--- a/b.c\n+++ b/b.c\n@@ -2,5 +2,5 @@\n \n int b(void)\n {\n-\treturn 4;\n+\treturn 5;\n "
	"}\n"
	"-- \n2.39\n\n"
	"From 2222222222222222222222222222222222222222 Mon Sep 17 00:00:00 2001\n"
	"From: B <b@example.org>\nDate: Tue, 7 Jan 2025 09:00:00 +0100\n"
	"Subject: [PATCH v3 0/2] cover\n\nWords.\n\n"
	"From 3333333333333333333333333333333333333333 Mon Sep 17 00:00:00 2001\n"
	"From: B <b@example.org>\nDate: Tue, 7 Jan 2025 09:30:00 +0100\n"
	"Subject: [PATCH v3 1/2] b: return\n four, folded\n\nFirst.\n---\n"
	"--- a/b.c\n+++ b/b.c\n@@ -2,5 +2,5 @@\n \n int b(void)\n {\n-\treturn 2;\n+\treturn 4;\n "
	"}\n"
	"-- \n2.39\n\n"
	"From 4444444444444444444444444444444444444444 Mon Sep 17 00:00:00 2001\n"
	"From: C <c@example.org>\nDate: Tue, 7 Jan 2025 11:30:00 +0100\n"
	"Subject: Re: [PATCH v3 1/2] b: return four\n\n> +\treturn 4;\nNice.\n\n";

static const char posted_index[] = "name: posted\npatches:\n"
				   "  - {name: one, file: one.patch, title: 'a: one more'}\n"
				   "  - {name: thread, mbox: thread.mbox}\n"
				   "  - {name: newfile, file: newfile.patch}\n";

static Series *posted(Lab *lab)
{
	lab_write(lab, "patches/thread.mbox", thread);
	lab_write(lab, "patches/posted.yaml", posted_index);
	g_autofree char *path = lab_path(lab, "patches/posted.yaml");
	g_autoptr(GError) e = NULL;
	Series *s = series_load(path, &e);
	if (!s)
		fail_msg("%s", e->message);
	return s;
}

static KernelHistory *series_history(Lab *lab, Series *s, const char *from, const char *to)
{
	CampaignHistory asked = {.series = s, .from = (char *)from, .to = (char *)to};
	g_autoptr(GError) e = NULL;
	KernelHistory *h = kernel_history(lab->cache, lab->recipe, &asked, NULL, NULL, &e);
	if (!h)
		fail_msg("%s", e->message);
	return h;
}

static const char *id_of(const KernelHistory *h, guint number)
{
	return ((const KernelCommit *)h->commits->pdata[number - 1])->id;
}

static void test_series(void **state)
{
	Lab *lab = *state;
	g_autoptr(Series) s = posted(lab);
	g_autoptr(KernelHistory) h = series_history(lab, s, NULL, NULL);
	g_autofree char *got = show(h);
	assert_string_equal(got, "1:a: one more<0>a.c 2:b: return four, folded<1>b.c "
				 "3:b: return five<2>b.c 4:newfile<3>dir/new.c");
	g_autofree char *git = lab_find(lab, "sources/*.git");
	g_autofree char *command = g_strdup_printf(
		"git --git-dir=%s log -1 --format='%%an|%%ae|%%at|%%ct|%%cn|%%b' %s", git,
		id_of(h, 3));
	g_autofree char *who = lab_run(lab, command);
	assert_string_equal(who, "Person, A.|a@example.org|1736240400|1736240400|kexsect|Because.");
	/* a part of it, by the names of its patches */
	g_autoptr(KernelHistory) part = series_history(lab, s, "one", "thread");
	g_autofree char *names = show(part);
	assert_string_equal(names, "1:b: return four, folded<0>b.c 2:b: return five<1>b.c");
	assert_string_equal(part->start, id_of(h, 1));
	assert_string_equal(id_of(part, 2), id_of(h, 3));
	/* the same ids in another cache, at another time */
	g_autofree char *first = g_strdup(id_of(h, 4));
	assert_true(kx_remove_tree(lab->cache, NULL));
	g_autoptr(KernelHistory) anew = series_history(lab, s, NULL, NULL);
	assert_string_equal(id_of(anew, 4), first);
	CampaignHistory unknown = {.series = s, .to = (char *)"nobody"};
	fails(lab, &unknown, KX_ERROR_INPUT, "no patch 'nobody' in ");
	lab_write(lab, "patches/newfile.patch", "--- a/b.c\n+++ b/b.c\n@@ -1 +1 @@\n-a\n+b\n");
	CampaignHistory broken = {.series = s};
	fails(lab, &broken, KX_ERROR_INPUT,
	      "as a history each patch must apply on top of those before it: ");
}

/* ---- building commits ---- */

static void build_commit(Lab *lab, const char *commit, const char *const *fixtures,
			 const Series *made_of, KernelBuild *ret)
{
	KernelRequest q = lab_request(lab, NULL);
	q.commit = commit;
	q.fixtures = fixtures;
	q.history = made_of;
	kernel_build(&q, ret);
}

static void test_build(void **state)
{
	Lab *lab = *state;
	static const char *const none[] = {NULL}, *const fix[] = {"base-fix", NULL},
				 *const one[] = {"one", NULL};
	make_merge(lab);
	g_autoptr(KernelHistory) h = history(lab, "v1", "v3", false);
	g_auto(KernelBuild) first = {0}, second = {0}, again = {0}, fixed = {0}, base = {0};
	build_commit(lab, id_of(h, 2), none, NULL, &first);
	assert_string_equal(first.reason, "");
	assert_int_equal(first.status, KERNEL_OK);
	/* the next commit changes nothing that is compiled but the version */
	build_commit(lab, id_of(h, 3), none, NULL, &second);
	assert_int_equal(second.status, KERNEL_OK);
	assert_int_equal(second.files_compiled, 2);
	assert_string_not_equal(first.build, second.build);
	build_commit(lab, id_of(h, 2), none, NULL, &again);
	assert_true(again.cached);
	assert_string_equal(again.build, first.build);
	/* fixtures come on top; the start of the range is the base's tree */
	build_commit(lab, h->start, fix, NULL, &fixed);
	assert_int_equal(fixed.status, KERNEL_OK);
	lab_build(lab, NULL, &base);
	g_autofree char *tree = lab_run(lab, "cd linux && git rev-parse v1^{tree}");
	assert_string_not_equal(fixed.tree, tree);
	g_autofree char *git = lab_find(lab, "sources/*.git");
	g_autofree char *show_b = g_strdup_printf("git --git-dir=%s show %s:b.c", git, fixed.tree);
	g_autofree char *b = lab_run(lab, show_b);
	assert_non_null(strstr(b, "return 3;"));
	/* build.json tells what it is */
	g_autofree char *path = g_build_filename(first.artifacts, "build.json", NULL);
	g_autoptr(json_t) meta = kx_json_load(path, NULL);
	assert_string_equal(kx_json_str(meta, "commit"), id_of(h, 2));
	/* a fixture that does not fit this commit: the variant's own fault, and it says which */
	g_autofree char *out =
		lab_run(lab, SHELL "sed -i 's/return COMMON/return 8/' a.c; git commit -qam odd; "
				   "git tag v4");
	g_autoptr(KernelHistory) more = history(lab, "v3", "v4", false);
	g_auto(KernelBuild) odd = {0};
	build_commit(lab, id_of(more, 1), one, NULL, &odd);
	assert_int_equal(odd.status, KERNEL_UNBUILDABLE);
	assert_string_equal(odd.failed_step, "apply");
	g_autofree char *on = g_strdup_printf("on commit %.12s: ", id_of(more, 1));
	assert_true(g_str_has_prefix(odd.reason, on));
	assert_non_null(strstr(odd.reason, "one.patch: hunk 1 does not apply to a.c:2"));
}

/* With fixtures on a commit that is far from the base: added, removed and changed files. */
static void test_compose_far(void **state)
{
	Lab *lab = *state;
	static const char *const fix[] = {"base-fix", "newfile", NULL};
	g_autofree char *out =
		lab_run(lab, SHELL
			"git checkout -q -B main; git tag v1; mkdir -p dir/deep; c x dir/deep/f; "
			"git rm -q --cached tiny.config; mkdir tiny; git mv settle.sh tiny; "
			"echo y > z; git add -f z; git commit -qm moved; git tag v2; "
			"patch -p1 -s < ../patches/base-fix.patch; "
			"patch -p1 -s < ../patches/newfile.patch; git add -f b.c dir/new.c; "
			"git commit -qm want; git tag want");
	g_autofree char *want = lab_run(lab, "cd linux && git rev-parse want^{tree}");
	g_autofree char *id = lab_run(lab, "cd linux && git rev-parse v2");
	lab_write(lab, "kernels/tiny.yaml",
		  "name: tiny\nsource:\n  git: ../linux\n  revision: v1\n"
		  "defconfig: tinyconfig\nfragments: [lab]\ntoolchain: gcc\n");
	lab_reload(lab);
	g_auto(KernelBuild) b = {0};
	build_commit(lab, id, fix, NULL, &b); /* fetched although no history was read */
	assert_string_equal(b.tree, want);
}

static void test_emptied_cache(void **state)
{
	Lab *lab = *state;
	static const char *const fix[] = {NULL};
	g_autoptr(Series) s = posted(lab);
	g_autoptr(KernelHistory) h = series_history(lab, s, NULL, NULL);
	assert_true(kx_remove_tree(lab->cache, NULL));
	g_auto(KernelBuild) b = {0}, lost = {0}, wrong = {0};
	build_commit(lab, "0123456789012345678901234567890123456789", fix, s, &lost);
	assert_int_equal(lost.status, KERNEL_INFRA);
	assert_non_null(strstr(lost.reason, "is not in the source"));
	build_commit(lab, "v1", fix, s, &wrong);
	assert_int_equal(wrong.status, KERNEL_INFRA);
	assert_non_null(strstr(wrong.reason, "no full commit id"));
	build_commit(lab, id_of(h, 2), fix, s, &b);
	assert_string_equal(b.reason, "");
	assert_int_equal(b.status, KERNEL_OK);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, lab_set_up, lab_tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_merge),     TEST(test_evil_merge),  TEST(test_depth),
		TEST(test_elsewhere), TEST(test_errors),      TEST(test_series),
		TEST(test_build),     TEST(test_compose_far), TEST(test_emptied_cache),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
