/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Throughput of the parser on a made-up kernel log: one line in 1000 is a fault (or one in N). */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "iommu/fault.h"

static void count(const Fault *f, gpointer user)
{
	(void)f;
	++*(unsigned *)user;
}

int main(int argc, char **argv)
{
	size_t mib = argc > 1 ? strtoul(argv[1], NULL, 10) : 100;
	unsigned every = argc > 2 ? (unsigned)strtoul(argv[2], NULL, 10) : 1000;
	static const char *const ordinary[] = {
		"pci 0000:00:1f.2: reg 0x20: [io  0xc060-0xc07f]",
		"DMAR: dmar0: reg_base_addr fed90000 ver 1:0 cap d2008c22260206 ecap f00f4a",
		"ACPI: Reserving DSDT table memory at [mem 0x1ffe0040-0x1ffe20ed]",
		"usb 1-1: new high-speed USB device number 2 using xhci_hcd",
		"initcall pci_iommu_init+0x0/0x3e returned 0 after 12345 usecs",
		"e1000e 0000:00:19.0 eth0: Intel(R) PRO/1000 Network Connection",
		"audit: type=2000 audit(1732285512.123:1): state=initialized audit_enabled=0 res=1",
		"clocksource: hpet: mask: 0xffffffff max_cycles: 0xffffffff, max_idle_ns: "
		"19112604467 ns",
	};
	g_autoptr(GString) log = g_string_sized_new((mib + 1) << 20);
	unsigned lines = 0, put = 0;
	while (log->len < mib << 20) {
		lines++;
		g_string_append_printf(log, "[%5u.%06u] ", lines / 1000000, lines % 1000000);
		if (lines % every == 0 && ++put)
			g_string_append(
				log,
				"DMAR: [DMA Read NO_PASID] Request device [00:02.0] fault addr "
				"0x1ffde000 [fault reason 0x06] PTE Read access is not set");
		else
			g_string_append(log, ordinary[lines % G_N_ELEMENTS(ordinary)]);
		g_string_append_c(log, '\n');
	}
	unsigned seen = 0;
	g_autoptr(FaultParser) p = fault_parser_new(count, &seen);
	clock_t start = clock(); /* not wall time: other programs run */
	for (size_t at = 0; at < log->len; at += 256 * 1024)
		fault_parser_feed(p, log->str + at, MIN(256 * 1024, log->len - at));
	fault_parser_finish(p);
	double s = (double)(clock() - start) / CLOCKS_PER_SEC;
	printf("%zu MiB, %u lines, %u of %u faults: %.3f s of processor time, %.0f MB/s\n", mib,
	       lines, seen, put, s, (double)log->len / 1e6 / s);
	return seen == put ? 0 : 1;
}
