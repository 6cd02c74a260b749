/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "base/error.h"
#include "base/fs.h"
#include "base/json.h"
#include "job/boot-internal.h"
#include "job/boot.h"

static char *folder;

static int make_folder(void **state)
{
	folder = g_dir_make_tmp("kexsect-job-XXXXXX", NULL);
	return folder ? 0 : -1;
}

static int remove_folder(void **state)
{
	kx_remove_tree(folder, NULL);
	g_free(folder);
	return 0;
}

static json_t *good_request(void)
{
	g_autofree char *evidence = g_build_filename(folder, "trials", NULL);
	return json_pack("{s:i, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:i, s:i, s:s, s:s}", "format",
			 1, "target", SOURCE_ROOT "/configs/targets/vm-vtd.yaml", "oracle",
			 SOURCE_ROOT "/configs/oracles/vtd-window.yaml", "kernel",
			 "/nowhere/kernel", "identity", "kx0123456789ab", "cmdline",
			 "intel_iommu=on", "launcher_kernel", "/nowhere/launcher", "mode", "kexec",
			 "boots", 3, "first", 17, "cache", folder, "evidence", evidence);
}

static char *saved(json_t *request)
{
	char *path = g_build_filename(folder, "request.json", NULL);
	assert_true(kx_json_save(path, request, NULL));
	return path;
}

static void test_good_request(void **state)
{
	g_autoptr(json_t) j = good_request();
	g_autofree char *path = saved(j);
	g_autoptr(GError) e = NULL;
	g_autoptr(BootRequest) r = boot_request_load(path, &e);
	if (!r)
		fail_msg("%s", e->message);
	assert_int_equal(r->boots, 3);
	assert_int_equal(r->first, 17);
	assert_int_equal(r->mode, BOOT_KEXEC);
	assert_int_equal(r->wait_us, -1);
	assert_string_equal(r->target->name, "vm-vtd");
}

static void refused(const char *key, json_t *value, const char *said)
{
	g_autoptr(json_t) j = good_request();
	if (value)
		json_object_set_new(j, key, value);
	else
		json_object_del(j, key);
	g_autofree char *path = saved(j);
	g_autoptr(GError) e = NULL;
	g_autoptr(BootRequest) r = boot_request_load(path, &e);
	assert_null(r);
	assert_true(g_error_matches(e, KX_ERROR, KX_ERROR_INPUT));
	if (!strstr(e->message, said))
		fail_msg("'%s' is not in: %s", said, e->message);
}

static void test_bad_requests(void **state)
{
	refused("kernel", NULL, "missing key: 'kernel'");
	refused("launcher_kernel", NULL, "missing key");
	refused("kernal", json_string("x"), "unknown key: 'kernal'");
	refused("boots", json_string("3"), "wrong type of value: 'boots'");
	refused("boots", json_integer(0), "1…10000");
	refused("cache", json_string("relative"), "not an absolute path: 'cache'");
	refused("mode", json_string("warm"), "'kexec' or 'cold'");
	refused("identity", json_string("kx1 init=/bin/sh"), "not an identity");
	refused("cmdline", json_string("a\nb"), "line break");
	refused("format", json_integer(2), "format");
	refused("wait_us", json_integer(2000000), "wait_us");
	refused("phase_steps", json_integer(16), "does not count instructions: 'phase_steps'");
	refused("phase_step", json_integer(1), "not one of the phases: 'phase_step'");
	refused("phase_first", json_integer(-1), "phase_first");
}

static void test_exit_statuses(void **state)
{
	g_autoptr(json_t) j = good_request();
	g_autofree char *path = saved(j);
	assert_int_equal(job_boot_main(path), 1); /* no such kernel */
	json_object_set_new(j, "x", json_true());
	g_autofree char *bad = saved(j);
	assert_int_equal(job_boot_main(bad), 2);
	assert_int_equal(job_boot_main("/nowhere/request.json"), 1);
}

static OracleResult *judged(const BootRequest *r)
{
	static const char console[] =
		"[    0.000000] Linux version 6.1.0 (a@b) #kx0123456789ab SMP x\n"
		"[    0.000000] Command line: intel_iommu=on\n"
		"[    0.600000] DMAR: dmar0: Using Queued invalidation\n"
		"[    0.700000] DMAR: [DMA Read NO_PASID] Request device [00:02.0] fault addr "
		"0x1ffde000 [fault reason 0x01] Present bit in root entry is clear\n"
		"[    0.900000] Run /init as init process\n"
		"[    1.000000] kexsect: alive kx0123456789ab\n";
	OracleInput in = {.console = console,
			  .console_len = strlen(console),
			  .identity = r->identity,
			  .end = ORACLE_END_SETTLED,
			  .mode = BOOT_KEXEC};
	return oracle_judge(&in, r->oracle);
}

static char *in_trial(const char *trial, const char *name)
{
	g_autofree char *path = g_build_filename(folder, "trials", trial, name, NULL);
	return kx_read_file(path, 1 << 20, NULL, NULL);
}

static void finish(const BootRequest *r, const char *mark)
{
	g_autoptr(GError) e = NULL;
	g_autofree char *dir = boot_evidence_begin(r, 17, &e);
	assert_non_null(dir);
	g_autofree char *console = g_build_filename(dir, "console.raw", NULL);
	assert_true(kx_write_file(console, mark, -1, NULL));
	g_autoptr(OracleResult) result = judged(r);
	g_autoptr(json_t) line = oracle_result_to_json(result, 20);
	BootMoment when = {
		.number = 17, .wait_us = 1234, .phase_step = r->target->vm.phase.steps ? 5 : -1};
	if (!boot_evidence_finish(r, &when, dir, result, line, &e))
		fail_msg("%s", e->message);
	assert_false(g_file_test(dir, G_FILE_TEST_EXISTS));
}

static void test_evidence(void **state)
{
	g_autoptr(json_t) j = good_request();
	g_autofree char *path = saved(j);
	g_autoptr(BootRequest) r = boot_request_load(path, NULL);
	finish(r, "first");
	g_autofree char *outcome = in_trial("000017", "outcome.json");
	assert_non_null(strstr(outcome, "\"outcome\": \"fault\""));
	g_autofree char *faults = in_trial("000017", "faults.jsonl");
	assert_non_null(strstr(faults, "0x1ffde000"));
	g_autofree char *repeat = in_trial("000017", "repeat");
	assert_non_null(strstr(repeat, " job boot "));
	assert_non_null(strstr(repeat, "/trials/000017/request.json"));
	/* the repetition is the same boot, at the same moment, into another folder */
	g_autofree char *again_path = g_build_filename(folder, "trials/000017/request.json", NULL);
	g_autoptr(BootRequest) again = boot_request_load(again_path, NULL);
	assert_non_null(again);
	assert_int_equal(again->boots, 1);
	assert_int_equal(again->first, 17);
	assert_int_equal(again->wait_us, 1234);
	assert_true(g_str_has_suffix(again->evidence, "/trials/repeats"));
	/* older evidence is kept */
	finish(r, "second");
	g_autofree char *new = in_trial("000017", "console.raw"),
			*old = in_trial("000017.1", "console.raw");
	assert_string_equal(new, "second");
	assert_string_equal(old, "first");
}

/* A boot at a phase is made again at that phase, whatever its place was. */
static void test_phase(void **state)
{
	g_autoptr(json_t) j = good_request();
	json_object_set_new(j, "target", json_string(SOURCE_ROOT "/configs/targets/vm-amd.yaml"));
	json_object_set_new(j, "phase_steps", json_integer(8));
	json_object_set_new(j, "phase_period_us", json_integer(2000));
	json_object_set_new(j, "phase_first", json_integer(3));
	json_object_set_new(j, "first", json_integer(17));
	g_autofree char *path = saved(j);
	g_autoptr(GError) e = NULL;
	g_autoptr(BootRequest) r = boot_request_load(path, &e);
	if (!r)
		fail_msg("%s", e->message);
	assert_int_equal(r->target->vm.phase.steps, 8);
	assert_int_equal(r->target->vm.phase.period_us, 2000);
	assert_int_equal(r->phase_first, 3);
	finish(r, "phase");
	g_autofree char *again_path = g_build_filename(folder, "trials/000017/request.json", NULL);
	g_autoptr(BootRequest) again = boot_request_load(again_path, NULL);
	assert_int_equal(again->phase_step, 5);
	assert_int_equal(again->target->vm.phase.steps, 8);
	json_object_set_new(j, "phase_step", json_integer(8));
	g_autofree char *beyond = saved(j);
	g_autoptr(BootRequest) none = boot_request_load(beyond, NULL);
	assert_null(none);
}

/* What a killed job left is not mixed with the new evidence. */
static void test_part_of_a_killed_job(void **state)
{
	g_autoptr(json_t) j = good_request();
	g_autofree char *path = saved(j);
	g_autoptr(BootRequest) r = boot_request_load(path, NULL);
	g_autofree char *dir = boot_evidence_begin(r, 20, NULL);
	g_autofree char *stale = g_build_filename(dir, "stale", NULL);
	assert_true(kx_write_file(stale, "x", -1, NULL));
	g_autofree char *again = boot_evidence_begin(r, 20, NULL);
	assert_string_equal(dir, again);
	assert_false(g_file_test(stale, G_FILE_TEST_EXISTS));
}

/* A real line of each log, with and without what was asked for. */
static void test_cmdline(void **state)
{
	const char *want = "console=ttyS0 intel_iommu=on iommu=pt kexsect.variant=kx0123456789ab";
	const char *kmsg = "6,0,0,-;Linux version 6.1.0\n"
			   "5,12,0,-;Kernel command line: console=ttyS0 intel_iommu=on iommu=pt "
			   "kexsect.variant=kx0123456789ab\n SUBSYSTEM=x\n";
	const char *console = "[    0.000000] Kernel command line: console=ttyS0 quiet\r\n"
			      "[    0.004000] Kernel command line: console=ttyS0 intel_iommu=on "
			      "iommu=pt kexsect.variant=kx0123456789ab\r\n";
	const char *less = "5,12,0,-;Kernel command line: console=ttyS0 intel_iommu=on "
			   "kexsect.variant=kx0123456789ab\n";
	const char *longer = "5,12,0,-;Kernel command line: console=ttyS0 intel_iommu=on "
			     "iommu=ptx kexsect.variant=kx0123456789ab\n";
	assert_null(boot_cmdline_fault(kmsg, console, want));
	assert_null(boot_cmdline_fault(NULL, console, want));
	assert_null(boot_cmdline_fault("6,0,0,-;Linux version 6.1.0\n", "", want));
	assert_null(boot_cmdline_fault(kmsg, console, ""));
	g_autofree char *missing = boot_cmdline_fault(less, console, want);
	assert_non_null(missing);
	assert_non_null(strstr(missing, "another command line"));
	g_autofree char *other = boot_cmdline_fault(longer, NULL, want);
	assert_non_null(other);
	/* printk cuts long ones */
	g_autofree char *many = g_strnfill(1200, 'x');
	g_autofree char *cut = g_strdup_printf("5,1,0,-;Kernel command line: %.950s\n", many);
	assert_null(boot_cmdline_fault(cut, NULL, many));
	g_autofree char *short_one = g_strdup_printf("5,1,0,-;Kernel command line: %.90s\n", many);
	g_autofree char *told = boot_cmdline_fault(short_one, NULL, many);
	assert_non_null(told);
}

int main(void)
{
	g_log_set_writer_func(g_log_writer_standard_streams, NULL, NULL);
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_good_request), cmocka_unit_test(test_cmdline),
		cmocka_unit_test(test_bad_requests), cmocka_unit_test(test_exit_statuses),
		cmocka_unit_test(test_evidence),     cmocka_unit_test(test_part_of_a_killed_job),
		cmocka_unit_test(test_phase),
	};
	return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
