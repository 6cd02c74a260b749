/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Refused DMA in QEMU's amd-iommu. Before QEMU 10.2 it refuses without an event in the guest's log
 * (hw/i386/amd_iommu.c), but with `-d guest_errors` QEMU itself notes each access
 * (memory_region_access_valid() in softmmu/memory.c, system/memory.c from 10.0 on):
 *
 *   Invalid read at addr 0x1FFDE3E4, size 4, region '(null)', reason: rejected
 *
 * Read from such a log, where it does not say which device it was; and from the text that
 * target/record/merge.h makes of it, where a line says the device and how many more accesses it
 * stands for, and where one without a device was the processor's own:
 *
 *   QEMU amd-iommu: 00:02.0: Invalid read at addr 0x1FFDE3E4, size 4, region '(null)', reason:
 *   rejected; 2 more in this page
 *   QEMU amd-iommu: 17 refused accesses without a record */
#include "base/emulator_record.h"
#include "iommu/driver.h"

#define PREFIX "(?<merged>" EMULATOR_RECORD_PREFIX ")"

static const FaultPattern patterns[] = {
	{.pattern = PREFIX "?(?:(?<device>[0-9a-f]{2}:[0-9a-f]{2}\\.[0-7]): )?"
			   "Invalid (?<access>read|write) at addr 0x(?<address>[0-9A-F]{1,16}), "
			   "size [0-9]{1,4}, region '[^'\\n]{0,64}', reason: rejected"
			   "(?:; (?<more>[0-9]{1,18}) more in this page)?",
	 .event = "REFUSED",
	 .kind = FAULT_KIND_FAULT,
	 .step = FAULT_STEP_WHOLE},
	{.pattern = PREFIX "(?<more>[0-9]{1,18}) refused accesses without a record",
	 .event = "SUPPRESSED",
	 .kind = FAULT_KIND_SUPPRESSED,
	 .step = FAULT_STEP_WHOLE},
	{.pattern = NULL},
};

static bool decode(Fault *f, const FaultMatch *m, unsigned nth)
{
	size_t len;
	(void)nth;
	if (f->kind == FAULT_KIND_FAULT && !f->device && fault_match_group(m, "merged", &len))
		return false;
	gint64 more = fault_match_number(m, "more", 10);
	f->suppressed = more > 0 ? (uint64_t)more : 0;
	g_free(f->reason);
	f->reason =
		g_strdup(f->kind == FAULT_KIND_FAULT ? "refused by the emulated IOMMU"
						     : "more pages at a time than are kept apart");
	return true;
}

const FaultDriver fault_driver_qemu_amd = {
	.name = "amd-vi-emulator",
	.needles = (const char *const[]){"reason: rejected", "refused accesses without", NULL},
	.patterns = patterns,
	.decode = decode,
};
