/* SPDX-License-Identifier: GPL-2.0-or-later */
/* POWER: a device whose DMA is refused is frozen with its partitionable endpoint (PE).
 * arch/powerpc/kernel/eeh.c, eeh_driver.c; platforms/powernv/eeh-powernv.c. */
#include <string.h>

#include "iommu/driver.h"

static const FaultPattern patterns[] = {
	{"EEH: (?:[a-z0-9_]{1,60}: )?Frozen PHB#(?<phb>[0-9a-f]{1,8})-PE#(?<pe>[0-9a-f]{1,8}) "
	 "detected",
	 "FROZEN_PE", FAULT_KIND_FAULT, FAULT_STEP_WHOLE},
	{"EEH: Fenced PHB#(?<phb>[0-9a-f]{1,8}) detected", "FENCED_PHB", FAULT_KIND_FAULT,
	 FAULT_STEP_WHOLE},
	{NULL},
};

static bool decode(Fault *f, const FaultMatch *m, unsigned nth)
{
	(void)nth;
	gint64 phb = fault_match_number(m, "phb", 16), pe = fault_match_number(m, "pe", 16);
	f->device = pe >= 0 ? g_strdup_printf("pe:%x-%x", (unsigned)phb, (unsigned)pe)
			    : g_strdup_printf("phb:%x", (unsigned)phb);
	return true;
}

const FaultDriver fault_driver_eeh = {
	.name = "eeh",
	.needles = (const char *const[]){"Frozen PHB#", "Fenced PHB#", NULL},
	.patterns = patterns,
	.decode = decode,
};
