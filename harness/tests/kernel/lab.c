/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "lab.h"

#include <glib/gstdio.h>
#include <glob.h>
#include <string.h>

static const char makefile[] =
	"obj := $(O)\n"
	"objs := $(obj)/a.o $(obj)/b.o $(obj)/version.o\n"
	"bzImage: $(obj)/arch/x86/boot/bzImage\n"
	"tinyconfig:\n"
	"\t@cp tiny.config $(obj)/.config\n"
	"olddefconfig:\n"
	"\t@sh settle.sh $(obj)/.config\n"
	"$(obj)/%.o: %.c common.h\n"
	"\t@echo '  CC      $*.o'\n"
	"\t@$(CC) -I. -c -o $@ $<\n"
	"$(obj)/version.o: version.c common.h FORCE\n"
	"\t@echo '  CC      version.o'\n"
	"\t@$(CC) -I. -DVERSION='\"$(KBUILD_BUILD_VERSION)\"' -c -o $@ $<\n"
	"$(obj)/vmlinux: $(objs)\n"
	"\t@echo '  LD      vmlinux'\n"
	"\t@$(LD) -r -o $@ $(objs)\n"
	"\t@nm $@ > $(obj)/System.map\n"
	"$(obj)/arch/x86/boot/bzImage: $(obj)/vmlinux\n"
	"\t@mkdir -p $(dir $@)\n"
	/* the payload by .incbin through the compiler, as the real one's */
	"\t@cp $< $(dir $@)payload\n"
	"\t@echo '.incbin \"'$(dir $@)'payload\"' > $(dir $@)piggy.S\n"
	"\t@touch -d '-1 hour' $(dir $@)piggy.S\n" /* ccache distrusts new files */
	"\t@$(CC) -Wp,-MMD,$(dir $@)piggy.d -c -o $(dir $@)piggy.o $(dir $@)piggy.S\n"
	"\t@cp $(dir $@)piggy.o $@\n"
	"FORCE:\n";

static const struct {
	const char *name, *text;
} sources[] = {
	{"linux/Makefile", makefile},
	{"linux/tiny.config", "CONFIG_A=y\n# CONFIG_B is not set\n"},
	/* like Kconfig, it drops what it does not know without a word */
	{"linux/settle.sh", "sed -i -e '/CONFIG_NEEDS_MORE/d' \"$1\"\n"},
	{"linux/common.h", "#define COMMON 1\n"},
	{"linux/a.c", "#include \"common.h\"\n\nint a(void)\n{\n\treturn COMMON;\n}\n\n"
		      "int a_late(void)\n{\n\treturn 10;\n}\n"},
	{"linux/b.c", "#include \"common.h\"\n\nint b(void)\n{\n\treturn 2;\n}\n"},
	{"linux/version.c", "const char version[] = \"Linux version 0 #\" VERSION;\n"},
	{"linux/.gitignore", "*\n"},
	{"kernels/tiny.yaml", "name: tiny\n"
			      "source:\n"
			      "  git: ../linux\n"
			      "  revision: HEAD\n"
			      "defconfig: tinyconfig\n"
			      "fragments: [lab]\n"
			      "toolchain: gcc\n"},
	{"kernels/fragments/lab.config", "# what the lab needs\nCONFIG_B=y\n"},
	{"kernels/fragments/more.config", "CONFIG_NEEDS_MORE=y\n"},
	{"kernels/toolchains/gcc.yaml", "name: gcc\ncc: gcc\n"},
	{"patches/base-fix.patch", "--- a/b.c\n+++ b/b.c\n@@ -2,5 +2,5 @@\n \n int b(void)\n {\n"
				   "-\treturn 2;\n+\treturn 3;\n }\n"},
	{"patches/one.patch", "--- a/a.c\n+++ b/a.c\n@@ -2,5 +2,5 @@\n \n int a(void)\n {\n"
			      "-\treturn COMMON;\n+\treturn COMMON + 1;\n }\n"},
	/* a mail in quoted-printable, on top of `one` */
	{"patches/two.mbox",
	 "From 1111111111111111111111111111111111111111 Mon Sep 17 00:00:00 2001\n"
	 "From: A Person <a@example.org>\n"
	 "Subject: [PATCH] two\n"
	 "MIME-Version: 1.0\n"
	 "Content-Type: text/plain; charset=UTF-8\n"
	 "Content-Transfer-Encoding: quoted-printable\n\n"
	 "Text.\n---\n"
	 "--- a/a.c\n+++ b/a.c\n@@ -2,5 +2,5 @@\n=20\n int a(void)\n {\n"
	 "-\treturn COMMON + 1;\n+\treturn COMMON + =\n2;\n }\n-- \n2.39\n"},
	{"patches/rival.patch", "--- a/a.c\n+++ b/a.c\n@@ -2,5 +2,5 @@\n \n int a(void)\n {\n"
				"-\treturn COMMON;\n+\treturn 7;\n }\n"},
	{"patches/apart.patch", "--- a/a.c\n+++ b/a.c\n@@ -8,4 +8,4 @@\n int a_late(void)\n {\n"
				"-\treturn 10;\n+\treturn 11;\n }\n"},
	{"patches/newfile.patch", "--- /dev/null\n+++ b/dir/new.c\n@@ -0,0 +1 @@\n+int n;\n"},
	{"patches/broken.patch", "--- a/b.c\n+++ b/b.c\n@@ -2,5 +2,5 @@\n \n int b(void)\n {\n"
				 "-\treturn 3;\n+\treturn nothing;\n }\n"},
	{"patches/stray.patch", "--- a/b.c\n+++ b/b.c\n@@ -2,5 +2,5 @@\n \n int b(void)\n {\n"
				"-\treturn 3;\n+\treturn 4;\n }\n"
				"--- a/a.c\n+++ b/a.c\n@@ -2,3 +2,3 @@\n \n int a(void)\n-[\n+(\n"
				"@@ -9,2 +9,2 @@\n {\n-\treturn 10;\n+\treturn 12;\n"},
	{"patches/slow.patch",
	 "--- a/Makefile\n+++ b/Makefile\n@@ -7,6 +7,7 @@\n \t@sh settle.sh $(obj)/.config\n"
	 " $(obj)/%.o: %.c common.h\n \t@echo '  CC      $*.o'\n+\t@sleep 61.25\n"
	 " \t@$(CC) -I. -c -o $@ $<\n $(obj)/version.o: version.c common.h FORCE\n"
	 " \t@echo '  CC      version.o'\n"},
	{"patches/fill.patch",
	 "--- a/Makefile\n+++ b/Makefile\n@@ -7,6 +7,7 @@\n \t@sh settle.sh $(obj)/.config\n"
	 " $(obj)/%.o: %.c common.h\n \t@echo '  CC      $*.o'\n+\t@head -c 64M /dev/zero > "
	 "$@.big\n"
	 " \t@$(CC) -I. -c -o $@ $<\n $(obj)/version.o: version.c common.h FORCE\n"
	 " \t@echo '  CC      version.o'\n"},
	/* does what a stranger's patch might: writes beside its tree */
	{"patches/evil.patch",
	 "--- a/Makefile\n+++ b/Makefile\n@@ -7,6 +7,9 @@\n \t@sh settle.sh $(obj)/.config\n"
	 " $(obj)/%.o: %.c common.h\n \t@echo '  CC      $*.o'\n"
	 "+\t@-touch a.c evil /usr/kexsect-evil /etc/kexsect-evil /tmp/kexsect-evil\n"
	 "+\t@-test \"$$(grep -c : /proc/net/dev)\" -le 1 || touch $(obj)/network\n"
	 "+\t@-ls -A /root | grep -q . && touch $(obj)/home\n"
	 " \t@$(CC) -I. -c -o $@ $<\n $(obj)/version.o: version.c common.h FORCE\n"
	 " \t@echo '  CC      version.o'\n"},
	{"patches/series.yaml", "name: tiny\n"
				"patches:\n"
				"  - {name: base-fix, file: base-fix.patch, kind: fixture}\n"
				"  - {name: one, file: one.patch}\n"
				"  - {name: two, mbox: two.mbox, depends: [one]}\n"
				"  - {name: rival, file: rival.patch}\n"
				"  - {name: apart, file: apart.patch}\n"
				"  - {name: newfile, file: newfile.patch}\n"
				"  - {name: broken, file: broken.patch}\n"
				"  - {name: stray, file: stray.patch}\n"
				"  - {name: slow, file: slow.patch}\n"
				"  - {name: fill, file: fill.patch}\n"
				"  - {name: evil, file: evil.patch}\n"},
};

char *lab_path(const Lab *lab, const char *name)
{
	return g_build_filename(lab->dir, name, NULL);
}

void lab_write(const Lab *lab, const char *name, const char *text)
{
	g_autofree char *path = lab_path(lab, name);
	g_autofree char *dir = g_path_get_dirname(path);
	assert_int_equal(g_mkdir_with_parents(dir, 0755), 0);
	assert_true(g_file_set_contents(path, text, -1, NULL));
}

char *lab_run(const Lab *lab, const char *command)
{
	const char *argv[] = {"sh", "-ec", command, NULL};
	const char *env[] = {"GIT_CONFIG_GLOBAL=/dev/null", "GIT_AUTHOR_NAME=t",
			     "GIT_AUTHOR_EMAIL=t@t",	    "GIT_COMMITTER_NAME=t",
			     "GIT_COMMITTER_EMAIL=t@t",	    NULL};
	g_auto(KxProcResult) r = {0};
	g_autoptr(GError) e = NULL;
	if (!kx_proc_check(&(KxProc){.argv = argv, .env = env, .cwd = lab->dir}, &r, &e))
		fail_msg("%s: %s", command, e->message);
	g_strchomp(r.out);
	return g_steal_pointer(&r.out);
}

void lab_reload(Lab *lab)
{
	g_autoptr(GError) e = NULL;
	recipe_free(lab->recipe);
	series_free(lab->series);
	g_autofree char *recipe = lab_path(lab, "kernels/tiny.yaml");
	g_autofree char *series = lab_path(lab, "patches/series.yaml");
	lab->recipe = recipe_load(recipe, &e);
	lab->series = lab->recipe ? series_load(series, &e) : NULL;
	if (e)
		fail_msg("%s", e->message);
}

int lab_set_up(void **state)
{
	Lab *lab = g_new0(Lab, 1);
	*state = lab;
	/* not in /tmp: the sandbox has a /tmp of its own */
	lab->dir = g_build_filename("/var/tmp", "kexsect-kernel-XXXXXX", NULL);
	if (!g_mkdtemp(lab->dir))
		return -1;
	lab->cache = lab_path(lab, "cache");
	for (guint i = 0; i < G_N_ELEMENTS(sources); i++)
		lab_write(lab, sources[i].name, sources[i].text);
	g_autofree char *out = lab_run(lab, "cd linux && git init -q && git add -f . && "
					    "git commit -qm base");
	lab_reload(lab);
	lab->sandbox = kernel_check_sandbox(NULL);
	return 0;
}

int lab_tear_down(void **state)
{
	Lab *lab = *state;
	bool ok = kx_remove_tree(lab->dir, NULL);
	recipe_free(lab->recipe);
	series_free(lab->series);
	g_free(lab->dir);
	g_free(lab->cache);
	g_free(lab);
	return ok ? 0 : -1;
}

KernelRequest lab_request(const Lab *lab, const char *const *candidates)
{
	static const char *const fixtures[] = {"base-fix", NULL};
	return (KernelRequest){.cache = lab->cache,
			       .recipe = lab->recipe,
			       .series = lab->series,
			       .fixtures = fixtures,
			       .candidates = candidates,
			       .sandbox = lab->sandbox,
			       .jobs = 1,
			       .min_free = 1 << 20};
}

void lab_build(const Lab *lab, const char *const *candidates, KernelBuild *ret)
{
	KernelRequest q = lab_request(lab, candidates);
	kernel_build(&q, ret);
}

char *lab_find(const Lab *lab, const char *pattern)
{
	g_autofree char *full = g_build_filename(lab->cache, pattern, NULL);
	glob_t found;
	if (glob(full, 0, NULL, &found) != 0)
		return NULL;
	char *path = g_strdup(found.gl_pathv[0]);
	globfree(&found);
	return path;
}
