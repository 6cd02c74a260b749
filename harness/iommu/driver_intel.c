/* SPDX-License-Identifier: GPL-2.0-or-later */
/* VT-d: drivers/pci/dmar.c (2.6.24–3.6), drivers/iommu/dmar.c (3.7–5.8),
 * drivers/iommu/intel/dmar.c. Two lines up to 4.2, one line since; reasons decimal up to 5.12, hex
 * since; PASID since 5.4. */
#include <string.h>

#include "iommu/driver.h"

#define HEAD                                                                                       \
	"(?:\\[(?<event>DMA|INTR-REMAP)(?: (?<access>Read|Write|Exec))?"                           \
	"(?: NO_PASID| PASID 0x(?<pasid>[0-9a-f]{1,8}))?\\] ?|(?<event>INTR-REMAP): ?)"            \
	"Request device \\[{1,2}(?<device>[0-9a-fx:.]{4,20})\\]"                                   \
	"(?: PASID (?:0x)?(?<pasid>[0-9a-f]{1,8}))?"                                               \
	" fault (?:addr|index) (?:0x)?(?<address>[0-9a-f]{1,16})"
#define REASON                                                                                     \
	"\\[fault reason (?:0x(?<flags>[0-9a-f]{1,4})|(?<flags10>[0-9]{1,3}))\\] ?"                \
	"(?<reason>[^\\n[]{0,120})"

static const FaultPattern patterns[] = {
	{HEAD "\\s{0,4}(?:(?:DMAR|INTR-REMAP):)?\\s?" REASON, NULL, FAULT_KIND_FAULT,
	 FAULT_STEP_WHOLE},
	{HEAD, NULL, FAULT_KIND_FAULT, FAULT_STEP_OPEN},
	{REASON, NULL, FAULT_KIND_FAULT, FAULT_STEP_MORE},
	{"(?<reason>Invalid page request|Page request without PASID|Page request in Privilege "
	 "Mode)",
	 "PAGE_REQUEST", FAULT_KIND_FAULT, FAULT_STEP_WHOLE},
	{"VT-d detected (?<reason>Invalidation (?:Queue|Time-out|Completion) Error)"
	 "(?:: (?:Reason|SID) (?<flags>[0-9a-f]{1,16}))?",
	 "INVALIDATION_ERROR", FAULT_KIND_ERROR, FAULT_STEP_WHOLE},
	/* Fault status register (VT-d specification, 11.4.7): bit 0, a fault found all recording
	 * registers in use; bit 1, at least one register holds a fault. The kernel's limit of
	 * messages counts this line and its faults together, so that it can come without them. */
	{"DRHD: handling fault status reg (?:0x)?(?<flags>[0-9a-f]{0,7}[13579bdf])\\b", "OVERFLOW",
	 FAULT_KIND_SUPPRESSED, FAULT_STEP_WHOLE},
	{"DRHD: handling fault status reg (?:0x)?(?<flags>[0-9a-f]{0,7}[26ae])\\b", "UNREPORTED",
	 FAULT_KIND_SUPPRESSED, FAULT_STEP_ANNOUNCE},
	{NULL},
};

static bool decode(Fault *f, const FaultMatch *m, unsigned nth)
{
	(void)m;
	(void)nth;
	if (f->kind == FAULT_KIND_SUPPRESSED) {
		f->suppressed = 1;
		f->reason = g_strdup(g_str_equal(f->event, "OVERFLOW")
					     ? "all fault recording registers were in use"
					     : "a fault was pending, and its line did not come");
		return true;
	}
	if (f->pasid == 0xffffffff) /* how 5.4–5.14 print 'none' */
		f->pasid = -1;
	if (g_strcmp0(f->event, "INTR-REMAP") == 0)
		f->access = FAULT_ACCESS_INTERRUPT;
	return true;
}

const FaultDriver fault_driver_intel = {
	.name = "intel",
	.needles = (const char *const[]){"Request device", "[fault reason", "VT-d detected",
					 "handling fault status", "page request", "Page request",
					 NULL},
	.limited = (const char *const[]){"dmar_fault", NULL},
	.patterns = patterns,
	.decode = decode,
};
