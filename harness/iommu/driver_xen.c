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
		   " flags (?:0x)?(?<flags>[0-9a-f]{1,8})(?<words>(?: [A-Za-z?]{1,12}){0,12})",
	 NULL, FAULT_KIND_FAULT, FAULT_STEP_WHOLE, "AMD-Vi: "},
	{AMD_EVENT
	 ": domain(?: =|:) ?(?<domain10>[0-9]{1,9}), device id(?: =|:) ?0x(?<id>[0-9a-f]{1,4}), "
	 "fault address(?: =|:) ?0x(?<address>[0-9a-f]{1,16})(?:, flags(?: =|:) "
	 "?0x(?<flags>[0-9a-f]{1,8}))?",
	 NULL, FAULT_KIND_FAULT, FAULT_STEP_WHOLE, "AMD-Vi: "},
	{"\\[VT-D\\](?:DMAR:)?\\[(?<event>DMA) (?<access>Read|Write)\\] Request device "
	 "\\[" DEVICE "\\] fault addr (?:0x)?(?<address>[0-9a-f]{1,16})",
	 NULL, FAULT_KIND_FAULT, FAULT_STEP_OPEN, "[VT-D]"},
	{"\\[VT-D\\](?<event>INTR-REMAP): Request device \\[{1,2}" DEVICE
	 "\\] fault index (?:0x)?(?<address>[0-9a-f]{1,16})",
	 NULL, FAULT_KIND_FAULT, FAULT_STEP_OPEN, "[VT-D]INTR"},
	/* before 4.3 the prefix was lower down: "DMAR:[DMA Write] Request device […" */
	{"DMAR:\\[(?<event>DMA) (?<access>Read|Write)\\] Request device "
	 "\\[" DEVICE "\\] fault addr (?:0x)?(?<address>[0-9a-f]{1,16})",
	 NULL, FAULT_KIND_FAULT, FAULT_STEP_OPEN, "DMAR:[DMA"},
	{"(?:DMAR|INTR-REMAP): ?\\[?(?:fault )?reason (?<flags>[0-9a-f]{1,2})h?(?: -|\\]) "
	 "(?<reason>[^\\n]{1,120})",
	 NULL, FAULT_KIND_FAULT, FAULT_STEP_MORE, "reason "},
	{NULL},
};

/* Xen prints the AMD flags as the hardware gives them (AMD 48882, 2.5.3). */
static const struct {
	unsigned bit;
	const char *words;
} flag_words[] = {
	{0x010, "entry present"},    {0x040, "no permission"},
	{0x080, "reserved bit set"}, {0x100, "translation request"},
	{0x008, "interrupt"},	     {0x004, "user"},
	{0x002, "execute"},	     {0x001, "guest"},
};

static void explain_flags(Fault *f)
{
	GString *s = g_string_new(f->flags & 0x10 ? NULL : "entry not present");
	for (size_t i = 0; i < G_N_ELEMENTS(flag_words); i++)
		if (f->flags & flag_words[i].bit)
			fault_add_words(s, flag_words[i].words);
	g_string_append(s, " [AMD 48882, 2.5.3]");
	g_free(f->reason);
	f->reason = g_string_free(s, FALSE);
}

static void explain_reason(Fault *f)
{
	char *all = g_strconcat(f->reason, " [VT-d, ", f->flags >= 0x20 ? "interrupts, " : "",
				"appendix A]", NULL);
	g_free(f->reason);
	f->reason = all;
}

static bool decode(Fault *f, const FaultMatch *m, unsigned nth)
{
	gint64 id = fault_match_number(m, "id", 16);
	if (id >= 0)
		f->device = fault_format_device(0, (unsigned)id >> 8, (unsigned)id >> 3 & 0x1f,
						(unsigned)id & 7);
	if (g_str_equal(f->event, "INTR-REMAP"))
		f->access = FAULT_ACCESS_INTERRUPT;
	if (g_str_equal(f->event, "IO_PAGE_FAULT") && f->flags >= 0) {
		f->access = f->flags & 0x008   ? FAULT_ACCESS_INTERRUPT
			    : f->flags & 0x020 ? FAULT_ACCESS_WRITE
					       : FAULT_ACCESS_READ;
		explain_flags(f);
	} else if (nth == 1 && f->reason) {
		explain_reason(f);
	}
	return true;
}

const FaultDriver fault_driver_xen = {
	.name = "xen",
	.needles = (const char *const[]){"(XEN) ", NULL},
	.guard = "(XEN)",
	.patterns = patterns,
	.pair = FAULT_PAIR_TIME,
	.decode = decode,
};
