/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Boots on an emulated AMD-Vi, where the fault log is the emulator's own record: logs/amd-early.*
 * are the console and the kernel's messages of one real boot (Linux 6.1 with the device table
 * blocking early, QEMU 7.2). */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/emulator_record.h"
#include "base/fs.h"
#include "base/json.h"
#include "iommu/scan.h"
#include "oracle/oracle.h"

/* measures of that trial, from its outcome.json */
#define FAULTS 66
#define MORE 277
#define WINDOW_US 463229

#define Q EMULATOR_RECORD_PREFIX
#define REFUSED(address)                                                                           \
	Q "00:02.0: Invalid read at addr " address ", size 4, region '(null)', "                   \
	  "reason: rejected"
#define BANNER "[    0.000000] Linux version 6.1.0 (a@b) #kx000000000000 SMP\n"
#define ENABLING "[    0.200000] AMD-Vi: IOMMU0: enabling\n"
#define DONE "[    0.600000] AMD-Vi: Interrupt remapping enabled\n"
#define ALIVE "[    1.000000] kexsect: alive kx000000000000\n"

static OracleConfig *config;
static char *console, *kmsg;

static char *load(const char *name)
{
	g_autofree char *path = g_strconcat(TEST_DATA "/logs/", name, NULL);
	return kx_read_file(path, 1 << 20, NULL, NULL);
}

static int setup(void **state)
{
	config = oracle_config_load(SOURCE_ROOT "/configs/oracles/amd-window.yaml", NULL);
	console = load("amd-early.console");
	kmsg = load("amd-early.kmsg");
	return config && console && kmsg ? 0 : -1;
}

static int teardown(void **state)
{
	oracle_config_free(config);
	g_free(console);
	g_free(kmsg);
	return 0;
}

static OracleResult *judge(const char *text, const char *records)
{
	OracleInput in = {.console = text,
			  .console_len = strlen(text),
			  .kmsg = records,
			  .kmsg_len = records ? strlen(records) : 0,
			  .end = ORACLE_END_SETTLED};
	return oracle_judge(&in, config);
}

static const OracleFault *nth(const OracleResult *r, guint i)
{
	return g_ptr_array_index(r->faults, i);
}

/* The counts of the trial as its outcome.json had them. */
static void expect_real(const OracleResult *r)
{
	if (r->outcome != OUTCOME_FAULT || r->measures.faults != FAULTS ||
	    r->measures.suppressed != MORE || r->measures.outside != FAULTS)
		fail_msg("%s: %s", outcome_name(r->outcome), r->reason);
	assert_int_equal(r->measures.window_us, WINDOW_US);
	assert_int_equal(r->faults->len, 2 * FAULTS);
	for (guint i = 0; i < r->faults->len; i++) {
		const OracleFault *f = nth(r, i);
		assert_string_equal(f->fault->driver, "amd-vi-emulator");
		assert_string_equal(f->fault->device, "0000:00:02.0");
		assert_string_equal(f->source, "emulator");
		assert_true(f->in_window);
		assert_int_equal(f->counts, f->fault->address >= 0x1ffde000);
	}
}

static void test_real_boot(void **state)
{
	g_autoptr(OracleResult) r = judge(console, kmsg);
	expect_real(r);
	assert_true(r->kmsg_complete);
	assert_non_null(
		strstr(r->reason, " refused accesses in the window (0000:00:02.0 read 0x1ffde"));
}

/* The kernel's own records add nothing to what the console shows, and lose nothing. */
static void test_without_records(void **state)
{
	g_autoptr(OracleResult) none = judge(console, NULL);
	expect_real(none);
	g_autofree char *half = g_strndup(kmsg, strlen(kmsg) / 2);
	g_autoptr(OracleResult) some = judge(console, half);
	expect_real(some);
	const char *later = strchr(kmsg + strlen(kmsg) / 2, '\n') + 1;
	g_autoptr(OracleResult) end = judge(console, later);
	expect_real(end);
}

static void add_record(const Fault *f, gpointer user)
{
	g_ptr_array_add(user, fault_copy(f));
}

/* What scans the log finds the same records as the oracle. */
static void test_scan_agrees(void **state)
{
	g_autoptr(GPtrArray) found = g_ptr_array_new_with_free_func((GDestroyNotify)fault_free);
	g_autoptr(OracleResult) r = judge(console, kmsg);
	FILE *in = fmemopen(console, strlen(console), "r");
	FaultScan sum;
	assert_true(fault_scan(in, "console", add_record, found, &sum, NULL));
	fclose(in);
	assert_int_equal(found->len, r->faults->len);
	for (guint i = 0; i < found->len; i++) {
		const Fault *a = g_ptr_array_index(found, i), *b = nth(r, i)->fault;
		assert_string_equal(a->raw, b->raw);
		assert_string_equal(a->signature, b->signature);
		assert_int_equal(a->address, b->address);
		assert_int_equal(a->suppressed, b->suppressed);
		assert_int_equal(a->access, b->access);
	}
}

/* A record belongs to the place where it stands, whatever the kernel's clock says around it. */
static void test_exact_place(void **state)
{
	const char *const text =
		BANNER REFUSED("0x1FFDE000") "\n" ENABLING "[    0.300000] a\n" REFUSED(
			"0x1FFDE004") "; 4 more in this page\n"
				      "[    0.600000] b\n" REFUSED("0xE8220") "\n" DONE REFUSED(
					      "0x1FFDE008") "\n" ALIVE;
	const char *const records = "5,0,0,-;Linux version 6.1.0 (a@b) #kx000000000000 SMP\n"
				    "6,1,200000,-;AMD-Vi: IOMMU0: enabling\n"
				    "6,2,300000,-;a\n6,3,600000,-;b\n"
				    "6,4,600000,-;AMD-Vi: Interrupt remapping enabled\n"
				    "1,5,1000000,-;kexsect: alive kx000000000000\n";
	g_autoptr(OracleResult) r = judge(text, records);
	assert_int_equal(r->outcome, OUTCOME_FAULT);
	assert_int_equal(r->faults->len, 4);
	assert_int_equal(r->measures.faults, 2);
	assert_int_equal(r->measures.suppressed, 4);
	assert_int_equal(r->measures.outside, 2);
	assert_int_equal(r->measures.window_us, 400000);
	assert_false(nth(r, 0)->in_window || nth(r, 3)->in_window);
	assert_true(nth(r, 1)->counts && nth(r, 2)->counts);
	assert_string_equal(nth(r, 1)->fault->region, "0x1ffde000-0x1fffffff");
	assert_string_equal(nth(r, 2)->fault->region, "0xe0000-0xeffff");
	assert_non_null(strstr(r->reason, "6 refused accesses in the window"));
}

/* Other addresses, other devices and the processor's own accesses are no evidence. */
static void test_what_does_not_count(void **state)
{
	g_autoptr(OracleResult) r =
		judge(BANNER ENABLING REFUSED(
			      "0x0") "; 1023 more in this page\n" Q
				     "00:1f.2: Invalid write at addr 0x1FFDE000, size 4, region "
				     "'(null)', reason: "
				     "rejected\n" Q "Invalid read at addr 0x1FFDE000, size 4, "
				     "region '(null)', reason: rejected\n" Q
				     "control 0x21487, enabled\n" Q
				     "device table entry 00:02.0 invalidated\n" DONE ALIVE,
		      NULL);
	assert_int_equal(r->outcome, OUTCOME_CLEAN);
	assert_int_equal(r->faults->len, 2);
	assert_int_equal(r->measures.outside, 2);
	assert_int_equal(r->measures.suppressed, 0);
}

/* Accesses of which nobody knows whether they count, and none that does: no evidence either way. */
static void test_cannot_tell(void **state)
{
	g_autoptr(OracleResult) r =
		judge(BANNER ENABLING Q "12 refused accesses without a record\n" DONE ALIVE, NULL);
	assert_int_equal(r->outcome, OUTCOME_INFRA);
	assert_non_null(strstr(r->reason, "cannot tell"));
	g_autoptr(OracleResult) outside =
		judge(BANNER Q "12 refused accesses without a record\n" ENABLING DONE ALIVE, NULL);
	assert_int_equal(outside->outcome, OUTCOME_CLEAN);
}

/* A kernel message that never reached the console, and a fault that only it tells of. */
static void test_records_add(void **state)
{
	const char *const text = BANNER ENABLING Q "control 0x21487, enabled\n" DONE ALIVE;
	const char *const fault =
		"pci 0000:00:02.0: AMD-Vi: Event logged [IO_PAGE_FAULT domain=0x0000 "
		"address=0x1ffde000 flags=0x0000]\n";
	g_autofree char *late =
		g_strdup_printf("5,0,0,-;Linux version 6.1.0 x\n3,9,1500000,-;%s", fault);
	g_autoptr(OracleResult) r = judge(text, late);
	assert_int_equal(r->faults->len, 1);
	assert_string_equal(nth(r, 0)->source, "kmsg");
	assert_false(nth(r, 0)->in_window);
}

/* The same oracle where the guest's own log has the faults (QEMU 10.2, hardware). */
static void test_guests_own_log(void **state)
{
	g_autoptr(OracleResult) r =
		judge(BANNER ENABLING
		      "[    0.210000] pci 0000:00:02.0: AMD-Vi: Event logged [IO_PAGE_FAULT "
		      "domain=0x0000 "
		      "address=0x1ffde484 flags=0x0000]\n"
		      "[    0.220000] AMD-Vi: Event logged [IO_PAGE_FAULT device=0000:00:02.0 "
		      "domain=0x0000 address=0x0 flags=0x0000]\n" DONE ALIVE,
		      NULL);
	assert_int_equal(r->outcome, OUTCOME_FAULT);
	assert_int_equal(r->measures.faults, 1);
	assert_int_equal(r->measures.outside, 1);
	assert_string_equal(nth(r, 0)->fault->driver, "amd");
	assert_string_equal(nth(r, 0)->source, "console");
	assert_non_null(strstr(r->reason, "1 fault in the window"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_real_boot),	    cmocka_unit_test(test_without_records),
		cmocka_unit_test(test_scan_agrees),	    cmocka_unit_test(test_exact_place),
		cmocka_unit_test(test_what_does_not_count), cmocka_unit_test(test_cannot_tell),
		cmocka_unit_test(test_records_add),	    cmocka_unit_test(test_guests_own_log),
	};
	return cmocka_run_group_tests(tests, setup, teardown);
}
