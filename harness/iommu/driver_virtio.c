/* SPDX-License-Identifier: GPL-2.0-or-later */
/* drivers/iommu/virtio-iommu.c (5.3 and later), viommu_fault_handler(). Fault reports: Virtual I/O
 * Device (VIRTIO) 1.2, 5.13. */
#include <string.h>

#include "iommu/driver.h"

static const FaultPattern patterns[] = {
	{"(?<event>domain|page|unknown) fault from EP (?<endpoint>[0-9]{1,10})"
	 "(?: at (?:0x)?(?<address>[0-9a-f]{1,16}) \\[(?<access>[RWX]{0,3})\\])?",
	 NULL, FAULT_KIND_FAULT, FAULT_STEP_WHOLE, " fault from EP "},
	{NULL},
};

static bool decode(Fault *f, const FaultMatch *m, unsigned nth)
{
	(void)nth;
	/* For PCI the endpoint is the requester id: bus << 8 | devfn, segment above (VIOT table).
	 */
	gint64 ep = fault_match_number(m, "endpoint", 10);
	f->device = g_strdup_printf("ep:%u", (unsigned)ep);
	const char *words = strcmp(f->event, "domain") == 0 ? "endpoint is attached to no domain"
			    : strcmp(f->event, "page") == 0 ? "no mapping or no permission"
							    : "unknown";
	f->reason = g_strconcat(words, " [VIRTIO 1.2, 5.13]", NULL);
	return true;
}

const FaultDriver fault_driver_virtio = {
	.name = "virtio-iommu",
	.needles = (const char *const[]){" fault from EP ", NULL},
	.limited = (const char *const[]){"viommu_fault_handler", "viommu_event_handler", NULL},
	.patterns = patterns,
	.decode = decode,
};
