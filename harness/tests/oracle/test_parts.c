/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The window in parts, in whatever order a kernel has its markers, and how long DMA is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/emulator_record.h"
#include "base/fs.h"
#include "base/json.h"
#include "oracle/oracle.h"

#define BANNER "[    0.000000] Linux version 6.1.0 (a@b) #1 SMP\n"
#define OPEN "[    0.100000] open\n"
#define CLOSE "[    0.900000] close\n"
#define ALIVE "[    1.000000] kexsect: alive x\n"
#define REFUSED                                                                                    \
	EMULATOR_RECORD_PREFIX "00:02.0: Invalid read at addr 0x1FFDE000, size 4, region "         \
			       "'(null)', reason: rejected"
#define ONE REFUSED "\n"
#define FIVE REFUSED "; 4 more in this page\n"

static OraclePart marks[] = {{(char *)"a", (char *)"^mark a"},
			     {(char *)"b", (char *)"^mark b"},
			     {(char *)"c", (char *)"^mark c"}};
static char *conditions[] = {(char *)"^mark a", (char *)"^mark b"};

static OracleConfig config_of(void)
{
	return (OracleConfig){.name = (char *)"test",
			      .window_from = (char *)"^open",
			      .window_to = (char *)"^close",
			      .parts = marks,
			      .parts_count = G_N_ELEMENTS(marks),
			      .blocked_when = conditions,
			      .blocked_when_count = G_N_ELEMENTS(conditions),
			      .blocked_until = (char *)"^mark c"};
}

static OracleResult *judge(const char *text, const OracleConfig *config)
{
	OracleInput in = {.console = text, .console_len = strlen(text), .end = ORACLE_END_SETTLED};
	return oracle_judge(&in, config);
}

static void expect_part(const OracleResult *r, guint i, const char *name, gint64 start,
			gint64 length, uint64_t faults, uint64_t more)
{
	assert_true(i < r->parts->len);
	const OraclePartSeen *p = &g_array_index(r->parts, OraclePartSeen, i);
	if (strcmp(p->name, name) != 0 || p->start_us != start || p->length_us != length ||
	    p->faults != faults || p->suppressed != more)
		fail_msg("part %u is %s at %ld, %ld long, %lu + %lu", i, p->name, (long)p->start_us,
			 (long)p->length_us, (unsigned long)p->faults,
			 (unsigned long)p->suppressed);
}

/* Whatever the log holds: the parts' counts are the window's, and their lengths fit into it. */
static void expect_sums(const OracleResult *r)
{
	uint64_t faults = 0;
	gint64 length = 0;
	for (guint i = 0; i < r->parts->len; i++) {
		const OraclePartSeen *p = &g_array_index(r->parts, OraclePartSeen, i);
		faults += p->faults;
		length += MAX(p->length_us, 0);
	}
	assert_int_equal(faults, r->parts->len ? r->measures.faults : 0);
	assert_true(length <= MAX(r->measures.window_us, 0));
}

static void test_in_order(void **state)
{
	OracleConfig c = config_of();
	g_autoptr(OracleResult) r =
		judge(BANNER "[    0.050000] x\n" ONE OPEN ONE "[    0.200000] mark a\n" FIVE
			     "[    0.300000] mark b\n"
			     "[    0.310000] mark a\n" ONE "[    0.600000] mark c\n" CLOSE ONE
			     "[    0.950000] mark b\n" ALIVE,
		      &c);
	assert_int_equal(r->outcome, OUTCOME_FAULT);
	assert_int_equal(r->parts->len, 4);
	expect_part(r, 0, ORACLE_PART_BEFORE, 100000, 100000, 1, 0);
	expect_part(r, 1, "a", 200000, 100000, 1, 4);
	expect_part(r, 2, "b", 300000, 300000, 1, 0);
	expect_part(r, 3, "c", 600000, 300000, 0, 0);
	expect_sums(r);
	assert_int_equal(r->measures.blocked_us, 300000);
	const OracleFault *second = g_ptr_array_index(r->faults, 2);
	assert_string_equal(second->part, "a");
	const OracleFault *first = g_ptr_array_index(r->faults, 0);
	assert_null(first->part);
}

static void test_other_order(void **state)
{
	OracleConfig c = config_of();
	g_autoptr(OracleResult) r =
		judge(BANNER "[    0.040000] mark b\n" OPEN FIVE
			     "[    0.300000] mark c\n[    0.500000] mark a\n" ONE CLOSE ALIVE,
		      &c);
	assert_int_equal(r->parts->len, 3);
	expect_part(r, 0, "b", 40000, 200000, 1, 4);
	expect_part(r, 1, "c", 300000, 200000, 0, 0);
	expect_part(r, 2, "a", 500000, 400000, 1, 0);
	expect_sums(r);
	/* over before both conditions were true */
	assert_int_equal(r->measures.blocked_us, 0);
}

/* Over before the window opens: it is told, for the order, and has no length. */
static void test_before_window(void **state)
{
	OracleConfig c = config_of();
	g_autoptr(OracleResult) r = judge(BANNER "[    0.010000] mark a\n[    0.020000] mark b\n"
						 "[    0.100000] open mark\n" FIVE
						 "[    0.400000] mark c\n" CLOSE ALIVE,
					  &c);
	assert_int_equal(r->parts->len, 3);
	expect_part(r, 0, "a", 10000, 0, 0, 0);
	expect_part(r, 1, "b", 20000, 300000, 1, 4);
	expect_part(r, 2, "c", 400000, 500000, 0, 0);
	assert_int_equal(r->measures.blocked_us, 380000);
}

static void test_without_markers(void **state)
{
	OracleConfig c = config_of();
	g_autoptr(OracleResult) r = judge(BANNER OPEN ONE CLOSE ALIVE, &c);
	assert_int_equal(r->parts->len, 1);
	expect_part(r, 0, ORACLE_PART_BEFORE, 100000, 800000, 1, 0);
	assert_int_equal(r->measures.blocked_us, -1);
	/* a kernel that does not say whether it blocks may block all the same */
	g_autoptr(OracleResult) half =
		judge(BANNER OPEN "[    0.2] mark b\n[    0.300000] mark c\n" CLOSE ALIVE, &c);
	assert_int_equal(half->measures.blocked_us, -1);
	g_autoptr(OracleResult) never = judge(BANNER ONE ALIVE, &c);
	assert_int_equal(never->outcome, OUTCOME_INFRA);
	assert_int_equal(never->parts->len, 0);
	c.parts_count = 0;
	c.blocked_until = NULL;
	g_autoptr(OracleResult) unasked = judge(BANNER OPEN ONE CLOSE ALIVE, &c);
	assert_int_equal(unasked->parts->len, 0);
	g_autoptr(json_t) o = oracle_result_to_json(unasked, 9);
	assert_null(json_object_get(json_object_get(o, "measures"), "parts"));
	assert_null(json_object_get(json_object_get(o, "measures"), "blocked_us"));
}

/* A window that nothing closes, and no window at all. */
static void test_open_ends(void **state)
{
	OracleConfig c = config_of();
	g_autoptr(OracleResult) r = judge(BANNER OPEN "[    0.200000] mark c\n" ONE ALIVE, &c);
	assert_int_equal(r->parts->len, 2);
	expect_part(r, 1, "c", 200000, 800000, 1, 0);
	c.window_from = c.window_to = NULL;
	g_autoptr(OracleResult) all =
		judge(BANNER "[    0.400000] mark a\n" ONE "[    0.500000] mark c\n" ALIVE, &c);
	assert_int_equal(all->parts->len, 3);
	expect_part(all, 0, ORACLE_PART_BEFORE, 0, 400000, 0, 0);
	expect_part(all, 1, "a", 400000, 100000, 1, 0);
	expect_part(all, 2, "c", 500000, 500000, 0, 0);
	expect_sums(all);
}

/* No times, times that go back, markers in one line, bytes of any kind. */
static void test_hostile(void **state)
{
	OracleConfig c = config_of();
	g_autoptr(OracleResult) untimed = judge("Linux version 6.1.0 (a@b) #1\nopen\n" FIVE
						"mark b\nclose\nkexsect: alive x\n",
						&c);
	assert_int_equal(untimed->parts->len, 2);
	expect_part(untimed, 0, ORACLE_PART_BEFORE, -1, -1, 1, 4);
	expect_part(untimed, 1, "b", -1, -1, 0, 0);
	g_autoptr(OracleResult) back = judge(
		BANNER OPEN "[    0.800000] mark a\n[    0.200000] mark b\n" ONE CLOSE ALIVE, &c);
	expect_part(back, 1, "a", 800000, 0, 0, 0);
	expect_part(back, 2, "b", 200000, 700000, 1, 0);
	static const char junk[] = BANNER OPEN "\x00\xff\x1b[2Jmark a\n\r\r\n[ 9999999999.999999] "
					       "mark a\n[    0.300000] mark b" ONE CLOSE ALIVE;
	OracleInput in = {
		.console = junk, .console_len = sizeof(junk) - 1, .end = ORACLE_END_SETTLED};
	g_autoptr(OracleResult) r = oracle_judge(&in, &c);
	for (guint i = 0; i < r->parts->len; i++)
		assert_true(g_array_index(r->parts, OraclePartSeen, i).length_us <= 800000);
	/* The same marker a hundred thousand times. */
	GString *flood = g_string_new(BANNER OPEN);
	for (int i = 0; i < 100000; i++)
		g_string_append(flood, "[    0.400000] mark a\n");
	g_string_append(flood, CLOSE ALIVE);
	g_autoptr(OracleResult) much = judge(flood->str, &c);
	assert_int_equal(much->parts->len, 2);
	expect_part(much, 1, "a", 400000, 500000, 0, 0);
	g_string_free(flood, TRUE);
}

/* Kernels started with initcall_debug say in which function they are. */
static void test_initcall(void **state)
{
	OracleConfig c = config_of();
	g_autoptr(OracleResult) r = judge(
		BANNER OPEN "[    0.200000] calling  pci_iommu_init+0x0/0x40 @ 1\n" ONE
			    "[    0.300000] initcall pci_iommu_init+0x0/0x40 returned 0 after 9 "
			    "usecs\n" FIVE CLOSE ALIVE,
		&c);
	const OracleFault *in = g_ptr_array_index(r->faults, 0);
	const OracleFault *after = g_ptr_array_index(r->faults, 1);
	assert_string_equal(in->fault->initcall, "pci_iommu_init");
	assert_null(after->fault->initcall);
	assert_string_equal(after->fault->window, ORACLE_WINDOW);
}

/* Linux 6.1 with the device table blocking early, as it was. */
static void test_real_boot(void **state)
{
	g_autofree char *text =
		kx_read_file(TEST_DATA "/logs/amd-early.console", 1 << 20, NULL, NULL);
	g_autofree char *records =
		kx_read_file(TEST_DATA "/logs/amd-early.kmsg", 1 << 20, NULL, NULL);
	g_autoptr(OracleConfig) c =
		oracle_config_load(SOURCE_ROOT "/configs/oracles/amd-window.yaml", NULL);
	assert_true(text && records && c);
	OracleInput in = {.console = text,
			  .console_len = strlen(text),
			  .kmsg = records,
			  .kmsg_len = strlen(records),
			  .end = ORACLE_END_SETTLED};
	g_autoptr(OracleResult) r = oracle_judge(&in, c);
	assert_int_equal(r->parts->len, 4);
	expect_part(r, 0, "entries block", 203406, 0, 0, 0);
	expect_part(r, 1, "IOMMU on", 203513, 662627 - 203513, 65, 277);
	expect_part(r, 2, "regions mapped", 662627, 662929 - 662627, 1, 0);
	expect_part(r, 3, "attached", 662929, 666742 - 662929, 0, 0);
	expect_sums(r);
	assert_int_equal(r->measures.blocked_us, 662929 - 203513);
	g_autoptr(json_t) o = oracle_result_to_json(r, 0);
	const json_t *m = json_object_get(o, "measures");
	assert_int_equal(kx_json_int(m, "blocked_us", 0), 459416);
	const json_t *part = json_array_get(json_object_get(m, "parts"), 1);
	assert_string_equal(kx_json_str(part, "name"), "IOMMU on");
	assert_int_equal(kx_json_int(part, "start_us", 0), 203513);
	assert_int_equal(kx_json_int(part, "length_us", 0), 459114);
	assert_int_equal(kx_json_int(part, "faults", 0), 65);
	assert_int_equal(kx_json_int(part, "suppressed", 0), 277);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_in_order),      cmocka_unit_test(test_other_order),
		cmocka_unit_test(test_before_window), cmocka_unit_test(test_without_markers),
		cmocka_unit_test(test_open_ends),     cmocka_unit_test(test_hostile),
		cmocka_unit_test(test_initcall),      cmocka_unit_test(test_real_boot),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
