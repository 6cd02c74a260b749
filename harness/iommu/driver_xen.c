/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Xen's own log: xen/drivers/passthrough/{amd/iommu_init.c,vtd/iommu.c}. The hypervisor owns the
 * IOMMU, so the kernel's drivers never print for the same fault. Device numbers are the PCI's,
 * domains Xen's. */
#include <string.h>

#include "iommu/driver.h"

#define DEVICE "(?<device>(?:[0-9a-f]{4}:)?[0-9a-f]{2}:[0-9a-f]{2}\\.[0-7])"
#define AMD_EVENT                                                                                  \
	"AMD-Vi: "                                                                                 \
	"(?<event>IO_PAGE_FAULT|ILLEGAL_DEV_TABLE_ENTRY|DEV_TABLE_HW_ERROR|PAGE_TABLE_HW_ERROR|"   \
	"DEV_TAB_HARDWARE_ERROR|PAGE_TAB_HARDWARE_ERROR|INVALID_DEV_REQUEST|INVALID_DEVICE_"       \
	"REQUEST|"                                                                                 \
	"IOTLB_INV_TIMEOUT|ILLEGAL_COMMAND_ERROR|COMMAND_HARDWARE_ERROR)"

static const FaultPattern patterns[] = {
	{AMD_EVENT ":? " DEVICE " d(?<domain10>[0-9]{1,9}) addr (?:0x)?(?<address>[0-9a-f]{1,16})"
		   " flags (?:0x)?(?<flags>[0-9a-f]{1,8})(?<reason>(?: [A-Za-z?]{1,12}){0,12})",
	 NULL, FAULT_KIND_FAULT, FAULT_STEP_WHOLE},
	{AMD_EVENT
	 ": domain(?: =|:) ?(?<domain10>[0-9]{1,9}), device id(?: =|:) ?0x(?<id>[0-9a-f]{1,4}), "
	 "fault address(?: =|:) ?0x(?<address>[0-9a-f]{1,16})(?:, flags(?: =|:) "
	 "?0x(?<flags>[0-9a-f]{1,8}))?",
	 NULL, FAULT_KIND_FAULT, FAULT_STEP_WHOLE},
	{"\\[VT-D\\](?:DMAR:)?\\[(?<event>DMA) (?<access>Read|Write)\\] Request device "
	 "\\[" DEVICE "\\] fault addr (?:0x)?(?<address>[0-9a-f]{1,16})",
	 NULL, FAULT_KIND_FAULT, FAULT_STEP_OPEN},
	{"\\[VT-D\\](?<event>INTR-REMAP): Request device \\[" DEVICE
	 "\\] fault index (?:0x)?(?<address>[0-9a-f]{1,16})",
	 NULL, FAULT_KIND_FAULT, FAULT_STEP_OPEN},
	{"\\[VT-D\\](?:DMAR|INTR-REMAP): reason (?<flags>[0-9a-f]{1,2}) - (?<reason>[^\\n]{1,120})",
	 NULL, FAULT_KIND_FAULT, FAULT_STEP_MORE},
	{NULL},
};

static bool decode(Fault *f, const FaultMatch *m, unsigned nth)
{
	(void)nth;
	gint64 id = fault_match_number(m, "id", 16);
	if (id >= 0)
		f->device = g_strdup_printf("0000:%02x:%02x.%x", (unsigned)id >> 8,
					    (unsigned)id >> 3 & 0x1f, (unsigned)id & 7);
	if (g_str_equal(f->event, "INTR-REMAP"))
		f->access = FAULT_ACCESS_INTERRUPT;
	else if (g_str_equal(f->event, "IO_PAGE_FAULT") && f->flags >= 0)
		f->access = f->flags & 0x008   ? FAULT_ACCESS_INTERRUPT
			    : f->flags & 0x020 ? FAULT_ACCESS_WRITE
					       : FAULT_ACCESS_READ;
	return true;
}

const FaultDriver fault_driver_xen = {
	.name = "xen",
	.needles = (const char *const[]){"[VT-D]DMAR", "[VT-D][DMA", "[VT-D]INTR-REMAP",
					 "(XEN) AMD-Vi: ", "AMD-Vi: IO_PAGE_FAULT", NULL},
	.guard = "(XEN)",
	.patterns = patterns,
	.decode = decode,
};
