/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Two configurations of a tree whose kconfig is small, and obeys the same rules: an option without
 * a prompt or whose dependencies are off cannot be set, a line of the file counts before a default,
 * what is selected is on. */
#include <string.h>

#include "lab.h"

static const char makefile[] = "tinyconfig:\n\t@cp tiny.config $(O)/.config\n"
			       "olddefconfig:\n\t@awk -f settle.awk $(O)/.config > $(O)/new && "
			       "mv $(O)/new $(O)/.config\n"
			       "savedefconfig:\n\t@awk -v least=1 -f settle.awk $(O)/.config > "
			       "$(O)/defconfig\n";

static const char settle[] =
	"function on(e,  i, n, w) { n = split(e, w, \" && \"); for (i = 1; i <= n; i++) {\n"
	"  if (w[i] ~ /^!/ ? v[substr(w[i], 2)] == \"y\" : w[i] != \"y\" && v[w[i]] != \"y\")\n"
	"    return 0 } return 1 }\n"
	"function value(s, asked,  d) { d = def[s] == \"\" ? \"n\" : def[s] ~ /^[0-9\"]/ ? def[s] "
	": "
	"on(def[s]) ? \"y\" : \"n\"\n"
	"  if (!on(dep[s])) return \"n\"\n"
	"  for (r in sel) if (sel[r] == s && v[r] == \"y\") return \"y\"\n"
	"  return asked && prompt[s] && (s in u) ? u[s] : d }\n"
	"BEGIN { while ((\"find . -name 'Kconfig*' | sort\" | getline f) > 0)\n"
	"  while ((getline l < f) > 0) { split(l, w, \" \"); r = l\n"
	"    if (w[1] == \"config\") { s = w[2]; order[++n] = s; dep[s] = \"y\" }\n"
	"    if (w[1] == \"bool\" || w[1] == \"int\") prompt[s] = w[2] != \"\"\n"
	"    if (w[1] == \"depends\") { sub(/.*depends on /, \"\", r); dep[s] = r }\n"
	"    if (w[1] == \"default\") { sub(/.*default /, \"\", r); def[s] = r }\n"
	"    if (w[1] == \"select\") sel[s] = w[2] } }\n"
	"/=/ { s = $0; sub(/^CONFIG_/, \"\", s); sub(/=.*/, \"\", s); sub(/^[^=]*=/, \"\"); u[s] = "
	"$0 }\n"
	"/ is not set/ { s = $2; sub(/^CONFIG_/, \"\", s); u[s] = \"n\" }\n"
	"END { for (k = 0; k < 20; k++) for (i = 1; i <= n; i++) v[order[i]] = value(order[i], 1)\n"
	"  for (i = 1; i <= n; i++) { s = order[i]; x = v[s]\n"
	"    if (least && x == value(s, 0)) continue\n"
	"    if (x != \"n\") print \"CONFIG_\" s \"=\" x\n"
	"    else if (prompt[s] && on(dep[s])) print \"# CONFIG_\" s \" is not set\" } }\n";

/* Runs the comparison of two files that hold these lines. */
static GPtrArray *compare(Lab *lab, const char *from, const char *to, GError **error)
{
	lab_write(lab, "from.config", from);
	lab_write(lab, "to.config", to);
	g_autofree char *a = lab_path(lab, "from.config"), *b = lab_path(lab, "to.config");
	return kernel_config_options(lab->cache, lab->recipe, a, b, lab->sandbox, NULL, NULL,
				     error);
}

static void kconfig(Lab *lab, const char *text)
{
	lab_write(lab, "linux/Makefile", makefile);
	lab_write(lab, "linux/settle.awk", settle);
	lab_write(lab, "linux/Kconfig", text);
	g_autofree char *out = lab_run(lab, "cd linux && git add -f . && git commit -qm kconfig");
}

/* "USB_PCI=n<0,1>" of each. */
static char *show(GPtrArray *options)
{
	g_autoptr(GString) out = g_string_new(NULL);
	for (guint i = 0; i < options->len; i++) {
		const KernelOption *o = options->pdata[i];
		g_string_append_printf(out, "%s%s<", i ? "; " : "", o->text);
		for (guint k = 0; k < o->depends_count; k++) {
			g_string_append_printf(out, "%s%u", k ? "," : "", o->depends[k]);
			assert_true(o->depends[k] < i);
		}
		g_string_append(out, ">");
	}
	return g_string_free(g_steal_pointer(&out), FALSE);
}

static void expect(Lab *lab, const char *from, const char *to, const char *want)
{
	g_autoptr(GError) e = NULL;
	g_autoptr(GPtrArray) options = compare(lab, from, to, &e);
	if (!options)
		fail_msg("%s", e->message);
	g_autofree char *got = show(options);
	assert_string_equal(got, want);
}

static void test_independent(void **state)
{
	Lab *lab = *state;
	kconfig(lab, "config A\n\tbool \"Option A\"\nconfig B\n\tbool \"Option B\"\n"
		     "config N\n\tint \"Number\"\n\tdefault 8\nconfig C\n\tbool \"C\"\n");
	expect(lab, "CONFIG_C=y\n", "CONFIG_A=y\nCONFIG_N=4\nCONFIG_C=y\n", "A=y<>; N=4<>");
	expect(lab, "CONFIG_A=y\nCONFIG_N=4\n", "CONFIG_B=y\n", "A=n<>; B=y<>; N=8<>");
	g_autoptr(GError) e = NULL;
	g_autoptr(GPtrArray) options = compare(lab, "", "CONFIG_A=y\n", &e);
	const KernelOption *a = options->pdata[0];
	assert_string_equal(a->name, "A");
	assert_string_equal(a->title, "Option A");
	assert_string_equal(a->paths[0], "Kconfig");
	/* the same, whatever the files say */
	assert_null(compare(lab, "CONFIG_A=y\n", "# x\nCONFIG_A=y\n# CONFIG_B is not set\n", &e));
	assert_int_equal(e->code, KX_ERROR_INPUT);
	assert_non_null(strstr(e->message, "give the same configuration"));
}

/* Options without a prompt, defaults that follow and what is selected are no candidates. */
static void test_consequences(void **state)
{
	Lab *lab = *state;
	kconfig(lab, "config A\n\tbool \"A\"\n\tselect HELPER\nconfig HELPER\n\tbool\n"
		     "config SUB\n\tbool \"Sub\"\n\tdepends on A\n\tdefault y\n"
		     "config TEXT\n\tint \"Text\"\n\tdepends on A\n\tdefault 3\n"
		     "config FOLLOWS\n\tbool\n\tdefault SUB\n");
	expect(lab, "", "CONFIG_A=y\n", "A=y<>");
	expect(lab, "CONFIG_A=y\n", "", "SUB=n<>; A=n<0>");
	g_autoptr(GError) e = NULL;
	g_autoptr(GPtrArray) options = compare(lab, "", "CONFIG_A=y\n", &e);
	assert_string_equal(((KernelOption *)options->pdata[0])->title, "A; brings SUB, TEXT");
	/* not the default: a candidate, and a number needs A (there is no SUB without A anyway) */
	expect(lab, "", "CONFIG_A=y\n# CONFIG_SUB is not set\nCONFIG_TEXT=5\n",
	       "A=y<>; SUB=n<>; TEXT=5<0>");
}

/* A default that would follow does not when the file says otherwise. */
static void test_pinned(void **state)
{
	Lab *lab = *state;
	kconfig(lab, "config A\n\tbool \"A\"\nconfig D\n\tbool \"D\"\n\tdefault A\n");
	expect(lab, "# CONFIG_D is not set\n", "CONFIG_A=y\n", "A=y<>; D=y<>");
	/* it does here, but could be on by itself */
	expect(lab, "", "CONFIG_A=y\n", "D=y<>; A=y<0>");
}

static void test_chain(void **state)
{
	Lab *lab = *state;
	kconfig(lab, "config Z\n\tbool \"Z\"\nconfig Y\n\tbool \"Y\"\n\tdepends on Z\n"
		     "config X\n\tbool \"X\"\n\tdepends on Y && Q\nconfig Q\n\tbool \"Q\"\n"
		     "config W\n\tbool \"W\"\n\tselect S\nconfig S\n\tbool \"S\"\n"
		     "config NOT\n\tbool \"Not\"\n\tdepends on !OLD\nconfig OLD\n\tbool \"Old\"\n");
	/* X needs Y and Q, Y needs Z; what Z does for X follows */
	expect(lab, "", "CONFIG_Z=y\nCONFIG_Y=y\nCONFIG_X=y\nCONFIG_Q=y\n",
	       "Q=y<>; Z=y<>; Y=y<1>; X=y<0,2>");
	/* the other way round each can be off by itself, and takes those along that need it */
	expect(lab, "CONFIG_Z=y\nCONFIG_Y=y\nCONFIG_X=y\nCONFIG_Q=y\n", "",
	       "X=n<>; Q=n<0>; Y=n<0>; Z=n<2>");
	/* what is selected cannot go before what selects it */
	expect(lab, "CONFIG_W=y\nCONFIG_S=y\n", "", "W=n<>; S=n<0>");
	/* and cannot be kept away from it */
	expect(lab, "", "CONFIG_W=y\nCONFIG_S=y\n", "S=y<>; W=y<0>");
	expect(lab, "CONFIG_OLD=y\n", "CONFIG_NOT=y\n", "OLD=n<>; NOT=y<0>");
}

static void test_cached(void **state)
{
	Lab *lab = *state;
	kconfig(lab, "config A\n\tbool \"A\"\n");
	expect(lab, "", "CONFIG_A=y\n", "A=y<>");
	g_autofree char *kept = lab_find(lab, "options/*.json");
	assert_non_null(kept);
	/* nothing is asked again: there is no worktree to ask in */
	g_autofree char *work = g_build_filename(lab->cache, "work", NULL);
	assert_true(kx_remove_tree(work, NULL));
	expect(lab, "", "CONFIG_A=y\n", "A=y<>");
	assert_false(g_file_test(work, G_FILE_TEST_EXISTS));
}

/* More than can be searched at once: by folder, the small ones first. */
static void test_groups(void **state)
{
	Lab *lab = *state;
	g_autoptr(GString) to = g_string_new(NULL);
	kconfig(lab, "config TOP\n\tbool \"Top\"\n");
	for (guint dir = 0; dir < 9; dir++) {
		g_autoptr(GString) text = g_string_new(NULL);
		for (guint i = 0; i < (dir == 8 ? 40 : 4); i++) {
			g_string_append_printf(text, "config D%u_%02u\n\tbool \"x\"\n", dir, i);
			g_string_append_printf(to, "CONFIG_D%u_%02u=y\n", dir, i);
		}
		g_autofree char *name = g_strdup_printf("linux/drivers/d%u/Kconfig", dir);
		lab_write(lab, name, text->str);
	}
	g_autofree char *out = lab_run(lab, "cd linux && git add -f . && git commit -qm more");
	g_autoptr(GError) e = NULL;
	g_autoptr(GPtrArray) options = compare(lab, "", to->str, &e);
	if (!options)
		fail_msg("%s", e->message);
	/* 72 options; three folders of four make 63 of them */
	assert_int_equal(options->len, 63);
	const KernelOption *first = options->pdata[0], *last = options->pdata[62];
	assert_string_equal(first->name, "drivers/d0 (4 options)");
	assert_string_equal(first->text, "D0_00=y D0_01=y D0_02=y D0_03=y");
	assert_string_equal(first->title, "D0_00, D0_01, D0_02, D0_03");
	assert_string_equal(last->name, "D8_39");
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, lab_set_up, lab_tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_independent), TEST(test_consequences), TEST(test_pinned),
		TEST(test_chain),	TEST(test_cached),	 TEST(test_groups),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
