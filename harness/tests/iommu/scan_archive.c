/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What scripts/bench/scan measures on: scan_archive MIB EVERY writes a console archive of that size
 * in which one line of EVERY is a fault (0: none) to standard output; scan_archive words writes the
 * words that the drivers' prefilter looks for, one a line; scan_archive patterns the drivers'
 * patterns. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "iommu/parser-internal.h"

/* Of a machine's boot, in any order. */
static const char *const ordinary[] = {
	"KERNEL supported cpus:",
	"  Intel GenuineIntel",
	"  AMD AuthenticAMD",
	"BIOS-provided physical RAM map:",
	"BIOS-e820: [mem 0x0000000000000000-0x000000000009fbff] usable",
	"BIOS-e820: [mem 0x00000000000f0000-0x00000000000fffff] reserved",
	"BIOS-e820: [mem 0x000000001ffde000-0x000000001fffffff] reserved",
	"BIOS-e820: [mem 0x00000000fed1c000-0x00000000fed1ffff] reserved",
	"BIOS-e820: [mem 0x00000000fffc0000-0x00000000ffffffff] reserved",
	"printk: bootconsole [earlyser0] enabled",
	"printk: debug: ignoring loglevel setting.",
	"DMI: QEMU Standard PC (Q35 + ICH9, 2009), BIOS 1.16.2-debian-1.16.2-1 04/01/2014",
	"e820: update [mem 0x00000000-0x00000fff] usable ==> reserved",
	"e820: remove [mem 0x000a0000-0x000fffff] usable",
	"x86/PAT: Configuration [0-7]: WB  WT  UC- UC  WB  WT  UC- UC  ",
	"RAMDISK: [mem 0x1ff12000-0x1ffdcfff]",
	"ACPI: DMAR ACPI table found in initrd [kernel/firmware/acpi/dmar-q35-uhci.aml][0x88]",
	"modified: [mem 0x0000000000001000-0x000000000009fbff] usable",
	"modified: [mem 0x000000000009fc00-0x000000000009ffff] reserved",
	"modified: [mem 0x0000000000100000-0x000000001ffdcfff] usable",
	"modified: [mem 0x000000001ffdd000-0x000000001ffdd087] ACPI NVS",
	"modified: [mem 0x000000001ffde000-0x000000001fffffff] reserved",
	"modified: [mem 0x00000000b0000000-0x00000000bfffffff] reserved",
	"modified: [mem 0x000000fd00000000-0x000000ffffffffff] reserved",
	"ACPI: RSDT 0x000000001FFE237E 00003C (v01 BOCHS  BXPC     00000001 BXPC 00000001)",
	"ACPI: HPET 0x000000001FFE2262 000038 (v01 BOCHS  BXPC     00000001 BXPC 00000001)",
	"ACPI: MCFG 0x000000001FFE229A 00003C (v01 BOCHS  BXPC     00000001 BXPC 00000001)",
	"ACPI: Table Upgrade: override [DMAR-BOCHS -BXPC    ]",
	"ACPI: DMAR 0x000000001FFE22D6 Physical table override, new table: 0x000000001FFDD000",
	"ACPI: DMAR 0x000000001FFDD000 000088 (v01 BOCHS  BXPC     00000100 INTL 20200925)",
	"ACPI: Reserving DSDT table memory at [mem 0x1ffe0040-0x1ffe20ed]",
	"ACPI: Reserving MCFG table memory at [mem 0x1ffe229a-0x1ffe22d5]",
	"Early memory node ranges",
	"  node   0: [mem 0x0000000000001000-0x000000000009efff]",
	"  node   0: [mem 0x0000000000100000-0x000000001ffddfff]",
	"Initmem setup node 0 [mem 0x0000000000001000-0x000000001ffddfff]",
	"On node 0, zone DMA32: 1 pages in unavailable ranges",
	"ACPI: INT_SRC_OVR (bus 0 bus_irq 10 global_irq 10 high level)",
	"smpboot: Allowing 2 CPUs, 0 hotplug CPUs",
	"clocksource: refined-jiffies: mask: 0xffffffff max_cycles: 0xffffffff, max_idle_ns: "
	"7645519600211568 ns",
	"setup_percpu: NR_CPUS:8 nr_cpumask_bits:2 nr_cpu_ids:2 nr_node_ids:1",
	"Unknown kernel command line parameters \"panic_on_oops=1\", will be passed to user space.",
	"Inode-cache hash table entries: 32768 (order: 6, 262144 bytes, linear)",
	"mem auto-init: stack:off, heap alloc:off, heap free:off",
	"rcu: RCU calculated value of scheduler-enlistment delay is 25 jiffies.",
	"NR_IRQS: 4352, nr_irqs: 440, preallocated irqs: 16",
	"rcu: srcu_init: Setting srcu_struct sizes based on contention.",
	"Spurious LAPIC timer interrupt on cpu 0",
	"printk: console [ttyS0] enabled",
	"printk: bootconsole [earlyser0] disabled",
	"DMAR: DRHD base: 0x000000fed90000 flags: 0x1",
	"DMAR-IR: IOAPIC id 0 under DRHD base  0xfed90000 IOMMU 0",
	"Calibrating delay loop (skipped), value calculated using timer frequency.. 5200.04 "
	"BogoMIPS (lpj=10400084)",
	"Last level iTLB entries: 4KB 512, 2MB 255, 4MB 127",
	"Last level dTLB entries: 4KB 512, 2MB 255, 4MB 127, 1GB 0",
	"x86/fpu: Supporting XSAVE feature 0x001: 'x87 floating point registers'",
	"x86/fpu: xstate_offset[3]:  960, xstate_sizes[3]:   64",
	"x86/fpu: xstate_offset[4]: 1024, xstate_sizes[4]:   64",
	"x86/fpu: xstate_offset[9]: 2688, xstate_sizes[9]:    8",
	"Mountpoint-cache hash table entries: 1024 (order: 1, 8192 bytes, linear)",
	"rcu: Hierarchical SRCU implementation.",
	"rcu: \tMax phase no-delay instances is 1000.",
	"NMI watchdog: Perf NMI watchdog permanently disabled",
	"smp: Bringing up secondary CPUs ...",
	"calibrate_delay_direct() failed to get a good estimate for loops_per_jiffy.",
	"smpboot: Max logical packages: 2",
	"smpboot: Total of 2 processors activated (7590.05 BogoMIPS)",
	"PCI: Using configuration type 1 for base access",
	"PCI: Using host bridge windows from ACPI; if necessary, use \"pci=nocrs\" and report a "
	"bug",
	"ACPI: Enabled 2 GPEs in block 00 to 3F",
	"ACPI: PCI Root Bridge [PCI0] (domain 0000 [bus 00-ff])",
	"pci_bus 0000:00: root bus resource [io  0x0d00-0xffff window]",
	"pci_bus 0000:00: root bus resource [mem 0x000a0000-0x000bffff window]",
	"pci_bus 0000:00: root bus resource [mem 0x20000000-0xafffffff window]",
	"pci_bus 0000:00: root bus resource [bus 00-ff]",
	"pci 0000:00:03.0: [1af4:1003] type 00 class 0x078000",
	"pci 0000:00:03.0: BAR 4 [mem 0xfebf8000-0xfebfbfff 64bit pref]",
	"pci 0000:00:1f.0: [8086:2918] type 00 class 0x060100",
	"pci 0000:00:1f.0: quirk: [io  0x0600-0x067f] claimed by ICH6 ACPI/GPIO/TCO",
	"pci 0000:00:1f.2: [8086:2922] type 00 class 0x010601",
	"pci 0000:00:1f.2: BAR 4 [io  0xc0a0-0xc0bf]",
	"ACPI: PCI: Interrupt link LNKC disabled",
	"ACPI: PCI: Interrupt link LNKG disabled",
	"ACPI: PCI: Interrupt link LNKH configured for IRQ 11",
	"ACPI: PCI: Interrupt link LNKH disabled",
	"ACPI: PCI: Interrupt link GSIA configured for IRQ 16",
	"ACPI: PCI: Interrupt link GSIE configured for IRQ 20",
	"ACPI: PCI: Interrupt link GSIF configured for IRQ 21",
	"ACPI: PCI: Interrupt link GSIG configured for IRQ 22",
	"ACPI: PCI: Interrupt link GSIH configured for IRQ 23",
	"iommu: DMA domain TLB invalidation policy: strict mode ",
	"e820: reserve RAM buffer [mem 0x0009fc00-0x0009ffff]",
	"e820: reserve RAM buffer [mem 0x1ffde000-0x1fffffff]",
	"vgaarb: loaded",
	"clocksource: Switched to clocksource hpet",
	"clocksource: acpi_pm: mask: 0xffffff max_cycles: 0xffffff, max_idle_ns: 2085701024 ns",
	"NET: Registered PF_INET protocol family",
	"Table-perturb hash table entries: 65536 (order: 6, 262144 bytes, linear)",
	"UDP hash table entries: 256 (order: 1, 8192 bytes, linear)",
	"UDP-Lite hash table entries: 256 (order: 1, 8192 bytes, linear)",
	"pci_bus 0000:00: resource 6 [mem 0x000a0000-0x000bffff window]",
	"pci_bus 0000:00: resource 9 [mem 0x100000000-0x8ffffffff window]",
	"DMAR: No SATC found",
	"Unpacking initramfs...",
	"pci 0000:00:02.0: Adding to iommu group 1",
	"pci 0000:00:04.0: Adding to iommu group 3",
	"Freeing initrd memory: 812K",
	"ACPI: \\_SB_.GSIH: Enabled at IRQ 23",
	"IPI shorthand broadcast: enabled",
	"    panic_on_oops=1",
	"usb 1-1: new high-speed USB device number 2 using xhci_hcd",
	"usb 1-1: New USB device found, idVendor=0627, idProduct=0001, bcdDevice= 0.00",
	"input: QEMU QEMU USB Tablet as "
	"/devices/pci0000:00/0000:00:04.0/usb1/1-1/1-1:1.0/input/input3",
	"e1000e 0000:00:19.0 eth0: Intel(R) PRO/1000 Network Connection",
	"EXT4-fs (sda1): mounted filesystem with ordered data mode. Quota mode: none.",
	"systemd[1]: Started Journal Service.",
	"systemd[1]: Mounting FUSE Control File System...",
	"audit: type=1400 audit(1795358112.123:5): apparmor=\"STATUS\" operation=\"profile_load\" "
	"profile=\"unconfined\" name=\"lsb_release\"",
	"nvme nvme0: 8/0/0 default/read/poll queues",
	"ata1.00: ATA-7: QEMU HARDDISK, 2.5+, max UDMA/100",
	"sd 0:0:0:0: [sda] Write cache: enabled, read cache: enabled, doesn't support DPO or FUA",
	"Key type dns_resolver registered",
	"ipmi_si: IPMI System Interface driver",
	"mlx5_core 0000:41:00.0: firmware version: 22.31.1014",
	"megaraid_sas 0000:02:00.0: Init cmd return status SUCCESS for SCSI host 0",
	"IPv6: ADDRCONF(NETDEV_CHANGE): eth0: link becomes ready",
	"EDAC MC0: Giving out device to module skx_edac controller Skylake Socket#0 IMC#0: DEV "
	"0000:3a:0a.0 (INTERRUPT)",
	"initcall acpi_init+0x0/0x4b0 returned 0 after 31250 usecs",
	"calling  pci_subsys_init+0x0/0x6a @ 1",
};

static unsigned next_random(void)
{
	static uint64_t x = 88172645463325252ull;
	x ^= x << 13;
	x ^= x >> 7;
	x ^= x << 17;
	return (unsigned)(x >> 16);
}

/* Forms of different ages and drivers; what came out, in bytes. */
static int put_fault(unsigned form)
{
	unsigned bus = next_random() % 64, dev = next_random() % 32,
		 page = next_random() % 0x100000;
	switch (form % 4) {
	case 0:
		return printf("DMAR: [DMA Read NO_PASID] Request device [%02x:%02x.0] fault addr "
			      "0x%x000 [fault reason 0x06] PTE Read access is not set",
			      bus, dev, page);
	case 1:
		return printf("nvme 0000:%02x:%02x.0: AMD-Vi: Event logged [IO_PAGE_FAULT "
			      "domain=0x000d address=0x%x000 flags=0x0070]",
			      bus, dev, page);
	case 2:
		return printf("DMAR: [DMA Write] Request device [%02x:%02x.0] fault addr %x000 "
			      "[fault reason 05] PTE Write access is not set",
			      bus, dev, page);
	default:
		return printf("AMD-Vi: Event logged [IO_PAGE_FAULT device=%02x:%02x.0 "
			      "domain=0x0011 address=0x00000000%x000 flags=0x0050]",
			      bus, dev, page);
	}
}

static void write_patterns(void)
{
	for (size_t d = 0; d < FAULT_DRIVERS; d++)
		for (const FaultPattern *f = fault_drivers[d]->patterns; f->pattern; f++)
			puts(f->pattern);
}

static void write_words(void)
{
	g_autoptr(GHashTable) seen = g_hash_table_new(g_str_hash, g_str_equal);
	for (size_t d = 0; d < FAULT_DRIVERS; d++)
		for (const char *const *w = fault_drivers[d]->needles; *w; w++)
			if (g_hash_table_add(seen, (gpointer)*w))
				puts(*w);
	puts("callbacks suppressed");
}

int main(int argc, char **argv)
{
	if (argc == 2 && strcmp(argv[1], "words") == 0) {
		write_words();
		return 0;
	}
	if (argc == 2 && strcmp(argv[1], "patterns") == 0) {
		write_patterns();
		return 0;
	}
	if (argc != 3)
		return 2;
	size_t size = strtoul(argv[1], NULL, 10) << 20, written = 0;
	unsigned every = (unsigned)strtoul(argv[2], NULL, 10), us = 0;
	for (unsigned n = 1; written < size; n++) {
		us += next_random() % 2000;
		int len = printf("[%5u.%06u] ", us / 1000000, us % 1000000);
		if (every && n % every == 0)
			len += put_fault(n / every);
		else
			len += printf("%s", ordinary[next_random() % G_N_ELEMENTS(ordinary)]);
		putchar('\n');
		written += (size_t)len + 1;
	}
	return fflush(stdout) == 0 ? 0 : 1;
}
