/* SPDX-License-Identifier: GPL-2.0-or-later */
/* POWER: a device whose DMA is refused is frozen with its partitionable endpoint (PE).
 * arch/powerpc/platforms/pseries/eeh.c, eeh_driver.c (up to 3.9), arch/powerpc/kernel/eeh.c,
 * eeh_driver.c (3.10 and later); platforms/powernv/eeh-powernv.c, eeh-ioda.c. */
#include <string.h>

#include "iommu/driver.h"

static const FaultPattern patterns[] = {
	{"EEH: (?:[a-z0-9_]{1,60}: )?Frozen PHB#(?<phb>[0-9a-f]{1,8})-PE#(?<pe>[0-9a-f]{1,8}) "
	 "detected",
	 "FROZEN_PE", FAULT_KIND_FAULT, FAULT_STEP_WHOLE, "Frozen PHB#"},
	{"EEH: Frozen PE#(?<pe>[0-9a-f]{1,8}) on PHB#(?<phb>[0-9a-f]{1,8}) detected", "FROZEN_PE",
	 FAULT_KIND_FAULT, FAULT_STEP_WHOLE, "Frozen PE#"},
	{"EEH: Fenced PHB#(?<phb>[0-9a-f]{1,8}) detected", "FENCED_PHB", FAULT_KIND_FAULT,
	 FAULT_STEP_WHOLE, "Fenced PHB#"},
	{"EEH: dead PHB#(?<phb>[0-9a-f]{1,8}) detected", "DEAD_PHB", FAULT_KIND_FAULT,
	 FAULT_STEP_WHOLE, "dead PHB#"},
	{"EEH: PHB#(?<phb>[0-9a-f]{1,8}) failure detected", "PHB_FAILURE", FAULT_KIND_FAULT,
	 FAULT_STEP_WHOLE, "failure detected"},
	{"EEH: dead IOC detected", "DEAD_IOC", FAULT_KIND_FAULT, FAULT_STEP_WHOLE, "dead IOC"},
	/* up to 3.9: no address of the device, but where it sits */
	{"EEH: failure detected", "FROZEN_SLOT", FAULT_KIND_FAULT, FAULT_STEP_WHOLE,
	 "EEH: failure"},
	{"EEH: (?<count>[0-9]{1,9}) reads ignored for recovering device at location=[^\\n]{0,80}? "
	 "pci addr=(?<device>[0-9a-f:.]{7,12})",
	 "READS_IGNORED", FAULT_KIND_ERROR, FAULT_STEP_WHOLE, "reads ignored"},
	{"EEH: (?:Unable to recover from failure (?:of PCI device|from PHB#(?<phb>[0-9a-f]{1,8})"
	 "-PE#(?<pe>[0-9a-f]{1,8}))|(?<reason>Permanent failure))",
	 "NOT_RECOVERED", FAULT_KIND_ERROR, FAULT_STEP_WHOLE, "EEH: "},
	{NULL},
};

static bool decode(Fault *f, const FaultMatch *m, unsigned nth)
{
	(void)nth;
	gint64 phb = fault_match_number(m, "phb", 16), pe = fault_match_number(m, "pe", 16);
	if (phb >= 0)
		f->device = pe >= 0 ? g_strdup_printf("pe:%x-%x", (unsigned)phb, (unsigned)pe)
				    : g_strdup_printf("phb:%x", (unsigned)phb);
	if (!f->reason && f->kind == FAULT_KIND_FAULT)
		f->reason = g_strdup(pe >= 0 ? "the endpoint is frozen: its DMA and its registers "
					       "are cut off"
					     : "the host bridge or the slot is cut off");
	return true;
}

const FaultDriver fault_driver_eeh = {
	.name = "eeh",
	.needles = (const char *const[]){"Frozen PHB#", "Frozen PE#", "Fenced PHB#", "dead PHB#",
					 " failure detected", "EEH: failure", "dead IOC detected",
					 "reads ignored for", "EEH: Unable to rec",
					 "EEH: Permanent", NULL},
	.patterns = patterns,
	.decode = decode,
};
