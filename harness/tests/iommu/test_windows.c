/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Faults in their windows and initcalls. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "iommu/fault.h"
#include "iommu/marks.h"

#define FAULT                                                                                      \
	"DMAR: [DMA Read NO_PASID] Request device [00:02.0] fault addr 0x1000 "                    \
	"[fault reason 0x06] PTE Read access is not set\n"

static void take(const Fault *f, gpointer user)
{
	g_string_append_printf(user, "%llu:%s%s%s ", (unsigned long long)f->line,
			       f->window ? f->window : "-", f->initcall ? "/" : "",
			       f->initcall ? f->initcall : "");
}

static char *places(const char *log, const char *from, const char *to)
{
	GString *out = g_string_new(NULL);
	g_autoptr(FaultParser) p = fault_parser_new_with_windows(take, out);
	if (from || to)
		assert_true(fault_parser_set_range(p, from, to, NULL));
	for (size_t at = 0, n = strlen(log); at < n; at += 37)
		fault_parser_feed(p, log + at, MIN(37, n - at));
	fault_parser_finish(p);
	return g_string_free(out, FALSE);
}

static void expect(const char *log, const char *from, const char *to, const char *want)
{
	g_autofree char *got = places(log, from, to);
	assert_string_equal(got, want);
}

/* The order of each age, as the drivers print it. */
static void test_ages(void **state)
{
	(void)state;
	expect("[    0.100000] x\n"
	       "[    0.500000] AMD-Vi: Found IOMMU at 0000:00:00.2 cap 0x40\n" FAULT
	       "[    0.600000] AMD-Vi: Interrupt remapping enabled\n" FAULT
	       "[    0.700000] AMD-Vi: Lazy IO/TLB flushing enabled\n" FAULT,
	       NULL, NULL, "3:detected 5:remapping 7:running ");
	expect(FAULT
	       "[    0.100000] DMAR: Host address width 39\n" FAULT
	       "[    0.200000] DMAR: Translation was enabled for dmar0 but we are not in kdump "
	       "mode\n" FAULT "[    0.300000] DMAR-IR: Enabled IRQ remapping in x2apic mode\n" FAULT
	       "[    0.400000] iommu: Default domain type: Translated \n" FAULT
	       "[    0.500000] pci 0000:00:02.0: Adding to iommu group 1\n" FAULT
	       "[    0.600000] DMAR: Intel(R) Virtualization Technology for Directed I/O\n" FAULT
	       "[    0.700000] Freeing unused kernel image (initmem) memory: 768K\n" FAULT
	       "[    0.800000] kexsect: alive kx0\n" FAULT,
	       NULL, NULL,
	       "1:- 3:detected 5:inherited 7:remapping 9:policy 11:attached 13:running "
	       "15:userspace 17:alive ");
	expect("[    0.400000] IOMMU: Setting RMRR:\n" FAULT
	       "[    0.500000] PCI-DMA: Intel(R) Virtualization Technology for Directed "
	       "I/O\n" FAULT,
	       NULL, NULL, "2:mapping 4:running ");
}

static void test_initcalls(void **state)
{
	(void)state;
	expect("[    0.100000] calling  pci_iommu_init+0x0/0x3e @ 1\n" FAULT
	       "[    0.200000] initcall pci_iommu_init+0x0/0x3e returned 0 after 12345 "
	       "usecs\n" FAULT "[    0.300000] calling  async_one+0x0/0x3e @ 7\n"
	       "[    0.300000] calling  next_init [mod]+0x0/0x3e @ 7\n"
	       "[    0.300000] calling  next_init+0x0/0x3e @ 1\n"
	       "[    0.400000] initcall async_one+0x0/0x3e returned 0 after 1 usecs\n" FAULT
	       "[    0.500000] Linux version 6.1.0\n" FAULT,
	       NULL, NULL, "2:-/pci_iommu_init 4:- 9:-/next_init 11:- ");
}

static void test_ranges(void **state)
{
	(void)state;
	static const char log[] = "[    0.000000] Linux version 6.1.0\n" FAULT
				  "[    0.100000] DMAR: Host address width 39\n" FAULT
				  "[    0.500000] pci 0000:00:02.0: Adding to iommu group 1\n" FAULT
				  "[    0.500000] DMAR: Host address width 39\n" FAULT
				  "[    0.000000] Linux version 6.1.0\n" FAULT
				  "[    0.100000] DMAR: Host address width 39\n" FAULT;
	expect(log, "detected", "attached", "4:detected 12:detected ");
	expect(log, NULL, "detected", "2:- 10:- ");
	expect(log, "^pci .* group", NULL, "6:attached 8:detected ");
	expect(log, "^DMAR: Host", "^pci", "4:detected 12:detected ");
	g_autoptr(FaultParser) p = fault_parser_new_with_windows(take, NULL);
	g_autoptr(GError) error = NULL;
	assert_false(fault_parser_set_range(p, "(", NULL, &error));
	assert_non_null(error);
}

/* A record whose lines straddle a marker belongs to where it began. */
static void test_straddling(void **state)
{
	(void)state;
	expect("[    0.100000] AMD-Vi: Found IOMMU at 0000:00:00.2 cap 0x40\n"
	       "[    0.200000] AMD-Vi: Event logged [\n"
	       "[    0.300000] AMD-Vi: Interrupt remapping enabled\n"
	       "IO_PAGE_FAULT device=00:12.0 domain=0x0000 address=0x00000000bfe0a000 "
	       "flags=0x0000]\n",
	       NULL, NULL, "2:detected ");
}

static void test_table(void **state)
{
	(void)state;
	assert_non_null(fault_mark_find("enabled"));
	assert_null(fault_mark_find(""));
	assert_null(fault_mark_find("nothing"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_ages),   cmocka_unit_test(test_initcalls),
		cmocka_unit_test(test_ranges), cmocka_unit_test(test_straddling),
		cmocka_unit_test(test_table),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
