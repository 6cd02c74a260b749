/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Simulated machines through target.h: what they boot, what stays with them, what they hold against
 * their users. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "base/error.h"
#include "base/fs.h"
#include "target/driver.h"

#define IDENTITY "kx0123456789ab"

typedef struct {
	char *dir, *kernel, *evidence;
	TargetConfig config;
} Lab;

static char *in(const Lab *l, const char *name)
{
	return g_build_filename(l->dir, name, NULL);
}

static void write_kernel(const Lab *l, const char *identity, const char *feature)
{
	g_autoptr(GString) image = g_string_new("an image");
	g_string_append_c(image, 0);
	g_string_append_printf(image, "Linux version 0.0 (a@b) #%s SMP", identity);
	g_string_append_c(image, 0);
	g_string_append_printf(image, "kexsect-feature:%s", feature);
	g_string_append_c(image, 0);
	assert_true(kx_write_file(l->kernel, image->str, (gssize)image->len, NULL));
}

static int set_up(void **state)
{
	Lab *l = g_new0(Lab, 1);
	*state = l;
	l->dir = g_dir_make_tmp("kexsect-simulated-XXXXXX", NULL);
	l->kernel = in(l, "kernel");
	l->evidence = in(l, "evidence");
	l->config = (TargetConfig){
		.name = (char *)"sim",
		.driver = TARGET_SIMULATED,
		.path = (char *)"sim.yaml",
		.simulated = {.speed = 50, .step_s = 0.2, .q = 1},
		.timeouts = {.launcher = 100,
			     .kexec = 100,
			     .boot = 300,
			     .silence = 100,
			     .settle = 1,
			     .settled = 250,
			     .trace = 10,
			     .trial = 900,
			     .reset = 50,
			     .power = 50,
			     .off = 1,
			     .speed = 50},
	};
	write_kernel(l, IDENTITY, "fix");
	return l->dir && kx_mkdir(l->evidence, NULL) ? 0 : -1;
}

static int tear_down(void **state)
{
	Lab *l = *state;
	bool ok = kx_remove_tree(l->dir, NULL);
	g_free(l->dir);
	g_free(l->kernel);
	g_free(l->evidence);
	g_free(l);
	return ok ? 0 : -1;
}

static Target *open_lab(const Lab *l)
{
	g_autoptr(GError) e = NULL;
	TargetOptions o = {.config = &l->config, .cache = l->dir, .launcher_kernel = l->kernel};
	Target *t = target_open(&o, &e);
	if (!t)
		fail_msg("%s", e->message);
	return t;
}

static void boot(const Lab *l, Target *t, const char *cmdline, BootMode mode, TargetResult *ret)
{
	g_autoptr(GError) e = NULL;
	TargetBoot b = {.kernel = l->kernel,
			.cmdline = cmdline,
			.identity = IDENTITY,
			.mode = mode,
			.folder = l->evidence};
	if (!target_boot(t, &b, ret, &e))
		fail_msg("%s", e->message);
}

static guint violations(const Lab *l)
{
	g_autofree char *path = in(l, "simulated/sim/violations.jsonl");
	g_autofree char *text = kx_read_file(path, 1 << 20, NULL, NULL);
	guint n = 0;
	for (const char *at = text; at && (at = strchr(at, '\n')); at++)
		n++;
	return n;
}

/* What the kernel file holds and the command line says decides, in both modes. */
static void test_truth(void **state)
{
	const Lab *l = *state;
	static const struct {
		const char *cmdline;
		bool fault;
	} cases[] = {
		{"sim.cause=fix", false},
		{"sim.cause=other", true},
		{"sim.cause=fix+word", true},
		{"sim.cause=fix+word word", false},
		{"sim.cause=word sim.effect=causes", false},
		{"sim.cause=word sim.effect=causes word", true},
		{"sim.cause=word sim.effect=causes sim.q=0 word", false},
	};
	g_autoptr(Target) t = open_lab(l);
	assert_non_null(strstr(target_describe(t), "SIMULATED"));
	for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
		g_auto(TargetResult) r = {0};
		boot(l, t, cases[i].cmdline, i % 2 ? BOOT_COLD : BOOT_KEXEC, &r);
		assert_int_equal(r.end, TARGET_END_SETTLED);
		assert_true(r.alive && r.identified);
		assert_non_null(strstr(r.console, "simulated machine sim, boot"));
		assert_int_equal(strstr(r.console, "fault addr") != NULL, cases[i].fault);
		assert_int_equal(strstr(r.kmsg, "fault addr") != NULL, cases[i].fault);
	}
	assert_int_equal(violations(l), 0);
}

static void test_panic(void **state)
{
	const Lab *l = *state;
	g_autoptr(Target) t = open_lab(l);
	g_auto(TargetResult) r = {0};
	boot(l, t, "sim.panics=bad bad", BOOT_KEXEC, &r);
	assert_int_equal(r.end, TARGET_END_PANIC);
	assert_false(r.alive);
}

/* A hang outlives the job, and ends when somebody resets the machine who is obeyed. */
static void test_hang_stays(void **state)
{
	Lab *l = *state;
	for (int round = 0; round < 3; round++) {
		l->config.simulated.bmc.ignores = round == 1;
		g_autoptr(Target) t = open_lab(l);
		g_auto(TargetResult) r = {0};
		boot(l, t, "sim.hangs=bad bad", BOOT_KEXEC, &r);
		assert_int_equal(r.end,
				 round == 1 ? TARGET_END_LAUNCHER_FAILED : TARGET_END_SILENT);
	}
	assert_int_equal(violations(l), 0);
}

static void test_lab_failures(void **state)
{
	Lab *l = *state;
	struct {
		double *rate;
		TargetEnd end;
	} cases[] = {
		{&l->config.simulated.rates.no_launcher, TARGET_END_LAUNCHER_FAILED},
		{&l->config.simulated.rates.kexec_fails, TARGET_END_KEXEC_FAILED},
		{&l->config.simulated.rates.wrong_kernel, TARGET_END_KEXEC_FAILED},
		{&l->config.simulated.rates.dies, TARGET_END_MACHINE_DIED},
	};
	g_autoptr(Target) t = open_lab(l);
	for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
		g_auto(TargetResult) r = {0};
		*cases[i].rate = 1;
		boot(l, t, NULL, BOOT_KEXEC, &r);
		*cases[i].rate = 0;
		assert_int_equal(r.end, cases[i].end);
	}
	g_auto(TargetResult) r = {0};
	boot(l, t, NULL, BOOT_KEXEC, &r);
	assert_int_equal(r.end, TARGET_END_SETTLED);
}

static void test_violations(void **state)
{
	const Lab *l = *state;
	g_autoptr(GError) e = NULL;
	g_autoptr(Target) t = open_lab(l);
	TargetOptions o = {.config = &l->config, .cache = l->dir, .launcher_kernel = l->kernel};
	assert_null(target_open(&o, &e));
	assert_true(g_error_matches(e, KX_ERROR, KX_ERROR_BUSY));
	assert_int_equal(violations(l), 1);
	/* a kernel that is not the one that its command line names */
	g_auto(TargetResult) r = {0};
	write_kernel(l, "kxanother", "fix");
	boot(l, t, NULL, BOOT_KEXEC, &r);
	assert_false(r.identified);
	assert_int_equal(violations(l), 2);
}

/* The ladder brings back what hangs, by a BMC of which one order in three comes to nothing. */
static void test_recover(void **state)
{
	Lab *l = *state;
	l->config.simulated.seed = 7;
	g_autoptr(Target) t = open_lab(l);
	g_auto(TargetResult) r = {0};
	boot(l, t, "sim.hangs=bad bad", BOOT_KEXEC, &r);
	assert_int_equal(r.end, TARGET_END_SILENT);
	l->config.simulated.bmc = (SimulatedBmc){.ignores = 0.3, .lies = 0.1, .silent = 0.1};
	g_autoptr(GPtrArray) steps = NULL;
	g_autoptr(GError) e = NULL;
	if (!target_recover(t, &steps, &e))
		fail_msg("%s", e->message);
	assert_true(steps->len > 0);
	assert_int_equal(violations(l), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_truth, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_panic, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_hang_stays, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_lab_failures, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_violations, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_recover, set_up, tear_down),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
