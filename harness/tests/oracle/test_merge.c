/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Console and /dev/kmsg say the same things, each with its own losses: nothing counts twice and
 * nothing is lost that one of them has. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/fs.h"
#include "base/json.h"
#include "oracle/oracle.h"

#define IDENTITY "kx3f2a5b6c7d8e"

static char *console;	   /* of the variant alone */
static GPtrArray *records; /* the same as /dev/kmsg gives it */

static OracleResult *judge(const char *text, const GPtrArray *kmsg)
{
	OracleConfig c = {
		.name = (char *)"test",
		.window_from = (char *)"^DMAR: dmar\\d+: Using .* invalidation",
		.window_to =
			(char *)"^DMAR: Intel\\(R\\) Virtualization Technology for Directed I/O",
	};
	g_autoptr(GString) log = g_string_new(NULL);
	for (guint i = 0; i < kmsg->len; i++)
		g_string_append_printf(log, "%s\n", (char *)g_ptr_array_index(kmsg, i));
	OracleInput in = {.console = text,
			  .console_len = strlen(text),
			  .kmsg = log->str,
			  .kmsg_len = log->len,
			  .identity = IDENTITY};
	return oracle_judge(&in, &c);
}

static GPtrArray *some(guint skip_from, guint skip_to)
{
	GPtrArray *part = g_ptr_array_new();
	for (guint i = 0; i < records->len; i++)
		if (i < skip_from || i >= skip_to)
			g_ptr_array_add(part, g_ptr_array_index(records, i));
	return part;
}

/* Number of the record that holds `words`. */
static guint find(const char *words)
{
	for (guint i = 0; i < records->len; i++)
		if (strstr(g_ptr_array_index(records, i), words))
			return i;
	fail();
	return 0;
}

static void expect_three(const OracleResult *r)
{
	if (r->outcome != OUTCOME_FAULT || r->measures.faults != 3 || r->measures.suppressed != 1 ||
	    r->measures.outside != 0)
		fail_msg("%s: %s", outcome_name(r->outcome), r->reason);
	assert_int_equal(r->faults->len, 4);
	assert_int_equal(r->measures.window_us, 688697 - 662824);
	assert_true(r->alive_seen);
}

static const char *source_of(const OracleResult *r, guint i)
{
	return ((OracleFault *)g_ptr_array_index(r->faults, i))->source;
}

static void test_both_whole(void **state)
{
	(void)state;
	g_autoptr(GPtrArray) all = some(0, 0);
	g_autoptr(OracleResult) r = judge(console, all);
	expect_three(r);
	assert_true(r->kmsg_complete);
	assert_string_equal(source_of(r, 0), "kmsg");
	const OracleFault *f = g_ptr_array_index(r->faults, 0);
	assert_non_null(strstr(g_ptr_array_index(records, f->fault->line - 1), "Request device"));
}

static void test_console_damaged(void **state)
{
	(void)state;
	/* Serial errors in address, time and words; lines lost. */
	g_autofree char *bad = g_strdup(console);
	char *at = strstr(bad, "fault addr 0x1ffde000");
	memcpy(at, "fault addr 0x1ffd7000", 21);
	at = strstr(at + 30, "[    0.670894]");
	memcpy(at, "[    0.6 0894]", 14);
	at = strstr(at, "\n[    0.671611]");
	memcpy(at, "###", 3);
	g_autoptr(GPtrArray) all = some(0, 0);
	g_autoptr(OracleResult) r = judge(bad, all);
	expect_three(r);
}

static void test_console_without_times(void **state)
{
	(void)state;
	g_autoptr(GString) plain = g_string_new(NULL);
	g_auto(GStrv) lines = g_strsplit(console, "\n", -1);
	for (char **l = lines; *l; l++)
		g_string_append_printf(plain, "%s\n", **l == '[' && strlen(*l) > 15 ? *l + 15 : *l);
	g_autoptr(GPtrArray) all = some(0, 0);
	g_autoptr(OracleResult) r = judge(plain->str, all);
	expect_three(r);
}

static void test_kmsg_ends_early(void **state)
{
	(void)state;
	guint second = find(",670894,");
	for (guint cut = 1; cut <= records->len; cut += 3) {
		g_autoptr(GPtrArray) head = some(cut, records->len);
		g_autoptr(OracleResult) r = judge(console, head);
		expect_three(r);
	}
	g_autoptr(GPtrArray) head = some(second, records->len);
	g_autoptr(OracleResult) r = judge(console, head);
	expect_three(r);
	assert_string_equal(source_of(r, 0), "kmsg");
	assert_string_equal(source_of(r, 1), "console");
}

static void test_kmsg_has_gaps(void **state)
{
	(void)state;
	for (guint from = 0; from + 1 < records->len; from++)
		for (guint n = 1; n < 12 && from + n <= records->len; n += 5) {
			g_autoptr(GPtrArray) holed = some(from, from + n);
			g_autoptr(OracleResult) r = judge(console, holed);
			expect_three(r);
			assert_true(r->kmsg_complete == (from + n == records->len));
		}
}

static void test_no_kmsg(void **state)
{
	(void)state;
	g_autoptr(GPtrArray) none = g_ptr_array_new();
	g_autoptr(OracleResult) r = judge(console, none);
	expect_three(r);
	assert_false(r->kmsg_complete);
	assert_string_equal(source_of(r, 0), "console");
}

static void test_no_console(void **state)
{
	(void)state;
	g_autoptr(GPtrArray) all = some(0, 0);
	g_autofree char *alive =
		g_strdup_printf("12,%u,1380000,-;kexsect: alive " IDENTITY, records->len);
	g_ptr_array_add(all, alive);
	g_autoptr(OracleResult) r = judge("", all);
	expect_three(r);
	assert_true(r->identity_seen);
	/* The console lost the banner's line only. */
	const char *rest = strchr(console, '\n') + 1;
	g_autoptr(OracleResult) s = judge(rest, all);
	expect_three(s);
}

static void test_same_fault_twice(void **state)
{
	(void)state;
	/* Early in the boot the clock stands: equal lines at an equal time are two faults. */
	static const char twice[] = "[    0.000000] Linux version 6.1.0 #" IDENTITY " SMP\n"
				    "[    0.000000] DMAR: dmar0: Using Queued invalidation\n"
				    "[    0.000000] DMAR: [DMA Read NO_PASID] Request device "
				    "[00:02.0] fault addr 0x1000 [fault reason 0x06] x\n"
				    "[    0.000000] DMAR: [DMA Read NO_PASID] Request device "
				    "[00:02.0] fault addr 0x1000 [fault reason 0x06] x\n"
				    "[    1.000000] done\nkexsect: alive x\n";
	g_autoptr(GPtrArray) kmsg = g_ptr_array_new();
	g_autoptr(OracleResult) alone = judge(twice, kmsg);
	assert_int_equal(alone->measures.faults, 2);
	g_ptr_array_add(kmsg, (gpointer) "5,0,0,-;Linux version 6.1.0 #" IDENTITY " SMP");
	g_ptr_array_add(kmsg, (gpointer) "6,1,0,-;DMAR: dmar0: Using Queued invalidation");
	g_ptr_array_add(kmsg, (gpointer) "3,2,0,-;DMAR: [DMA Read NO_PASID] Request device "
					 "[00:02.0] fault addr 0x1000 [fault reason 0x06] x");
	/* record 3, the second fault, is lost */
	g_ptr_array_add(kmsg, (gpointer) "6,4,1000000,-;done");
	g_autoptr(OracleResult) both = judge(twice, kmsg);
	assert_int_equal(both->measures.faults, 2);
}

static void test_copy_of_ring_buffer(void **state)
{
	(void)state;
	/* As klogctl gives it, with a console that lost and damaged lines. */
	g_autoptr(GPtrArray) copy = g_ptr_array_new_with_free_func(g_free);
	for (guint i = 0; i < records->len; i++) {
		unsigned seq, us;
		const char *r = g_ptr_array_index(records, i);
		assert_int_equal(sscanf(r, "6,%u,%u,", &seq, &us), 2);
		g_ptr_array_add(copy, g_strdup_printf("<6>[%5u.%06u] %s", us / 1000000,
						      us % 1000000, strchr(r, ';') + 1));
	}
	g_autofree char *bad = g_strdup(console);
	memcpy(strstr(bad, "fault addr 0x1ffde000"), "fault addr 0x1ffd7000", 21);
	memset(strstr(bad, "[    0.671678]"), '#', 40);
	g_autoptr(OracleResult) r = judge(bad, copy);
	expect_three(r);
	assert_string_equal(source_of(r, 0), "kmsg");
}

/* Whatever comes in: an outcome, and a clean one only with all its proofs. */
static void test_hostile(void **state)
{
	(void)state;
	g_autoptr(GRand) rand = g_rand_new_with_seed(4711);
	size_t len = strlen(console);
	for (int round = 0; round < 300; round++) {
		g_autofree char *bad = g_strdup(console);
		int hits = g_rand_int_range(rand, 0, 200);
		for (int i = 0; i < hits; i++)
			bad[g_rand_int_range(rand, 0, (gint32)len)] =
				i % 3 ? (char)g_rand_int_range(rand, 1, 256) : '\n';
		g_autoptr(GPtrArray) kmsg = g_ptr_array_new_with_free_func(g_free);
		for (guint i = 0; round % 2 && i < records->len; i++) {
			char *copy = g_strdup(g_ptr_array_index(records, i));
			if (g_rand_int_range(rand, 0, 4) == 0)
				copy[g_rand_int_range(rand, 0, (gint32)strlen(copy))] =
					(char)g_rand_int_range(rand, 1, 256);
			if (g_rand_int_range(rand, 0, 10) == 0)
				g_free(copy);
			else
				g_ptr_array_add(kmsg, copy);
		}
		g_autoptr(OracleResult) r = judge(bad, kmsg);
		assert_non_null(r->reason);
		assert_non_null(outcome_name(r->outcome));
		if (r->outcome == OUTCOME_CLEAN || r->outcome == OUTCOME_FAULT)
			assert_true(r->identity_seen && r->alive_seen && r->window_opened);
		if (r->outcome == OUTCOME_CLEAN)
			assert_int_equal(r->measures.faults, 0);
		g_autoptr(json_t) o = oracle_result_to_json(r, 20);
		char *text = json_dumps(o, 0);
		assert_non_null(text);
		free(text);
	}
}

static int setup(void **state)
{
	(void)state;
	g_autofree char *all = kx_read_file(TEST_DATA "/logs/faulty.log", 1 << 20, NULL, NULL);
	if (!all)
		return -1;
	console = g_strdup(strstr(strstr(all, "kexec_core"), "[    0.000000] Linux version"));
	records = g_ptr_array_new_with_free_func(g_free);
	g_auto(GStrv) lines = g_strsplit(console, "\n", -1);
	for (char **l = lines; *l; l++) {
		unsigned s, us;
		if (sscanf(*l, "[%u.%6u]", &s, &us) == 2)
			g_ptr_array_add(records, g_strdup_printf("6,%u,%u,-;%s", records->len,
								 s * 1000000 + us, *l + 15));
	}
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	g_free(console);
	g_ptr_array_unref(records);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_both_whole),
		cmocka_unit_test(test_console_damaged),
		cmocka_unit_test(test_console_without_times),
		cmocka_unit_test(test_kmsg_ends_early),
		cmocka_unit_test(test_kmsg_has_gaps),
		cmocka_unit_test(test_no_kmsg),
		cmocka_unit_test(test_no_console),
		cmocka_unit_test(test_same_fault_twice),
		cmocka_unit_test(test_copy_of_ring_buffer),
		cmocka_unit_test(test_hostile),
	};
	return cmocka_run_group_tests(tests, setup, teardown);
}
