/* SPDX-License-Identifier: GPL-2.0-or-later */
/* SMMU version 1 and 2: drivers/iommu/arm-smmu.c (3.11–5.7), drivers/iommu/arm/arm-smmu/arm-smmu.c.
 * One line for a context fault up to 6.12; since 6.13 two more with the registers in words. */
#include <string.h>

#include "iommu/driver.h"

static const FaultPattern patterns[] = {
	{"Unhandled context fault: (?:fsr=0x(?<flags>[0-9a-f]{1,8}), "
	 ")?iova=0x(?<address>[0-9a-f]{1,16}), "
	 "(?:fsr=0x(?<flags>[0-9a-f]{1,8}), )?fsynr=0x(?<fsynr>[0-9a-f]{1,8}), "
	 "(?:cbfrsynra=0x(?<sid>[0-9a-f]{1,8}), )?cb=(?<domain10>[0-9]{1,5})",
	 "CONTEXT_FAULT", FAULT_KIND_FAULT, FAULT_STEP_OPEN},
	{"FSR {1,8}= (?<flags>[0-9a-f]{8}) \\[(?<reason>[A-Za-z0-9= ]{1,80})\\], "
	 "SID=0x(?<sid>[0-9a-f]{1,8})",
	 "CONTEXT_FAULT", FAULT_KIND_FAULT, FAULT_STEP_ALONE},
	{"FSYNR0 {1,8}= (?<fsynr>[0-9a-f]{8}) \\[", NULL, FAULT_KIND_FAULT, FAULT_STEP_MORE},
	{"Unexpected global fault", "GLOBAL_FAULT", FAULT_KIND_FAULT, FAULT_STEP_OPEN},
	{"Blocked unknown Stream ID 0x(?<sid>[0-9a-f]{1,8})", "UNKNOWN_STREAM", FAULT_KIND_FAULT,
	 FAULT_STEP_OPEN},
	{"GFSR 0x(?<flags>[0-9a-f]{8}), GFSYNR0 0x(?<fsynr>[0-9a-f]{8}), GFSYNR1 "
	 "0x(?<gfsynr1>[0-9a-f]{8})",
	 NULL, FAULT_KIND_FAULT, FAULT_STEP_MORE},
	{NULL},
};

/* Fault status register, Arm SMMU architecture version 2 (IHI 0062), 16.6.5. */
static const struct {
	unsigned bit;
	const char *words;
} fsr_words[] = {
	{1u << 1, "translation fault"},	   {1u << 2, "access flag fault"},
	{1u << 3, "permission fault"},	   {1u << 4, "external fault"},
	{1u << 5, "TLB match conflict"},   {1u << 6, "TLB lock fault"},
	{1u << 7, "address size fault"},   {1u << 8, "unsupported upstream transaction"},
	{1u << 31, "more than one fault"},
};

static bool decode(Fault *f, const FaultMatch *m, unsigned nth)
{
	gint64 fsynr = fault_match_number(m, "fsynr", 16), sid = fault_match_number(m, "sid", 16);
	gint64 gfsynr1 = fault_match_number(m, "gfsynr1", 16);
	if (sid < 0 && gfsynr1 >= 0)
		sid = gfsynr1;
	if (sid >= 0) {
		g_free(f->device);
		f->device = g_strdup_printf("sid:0x%x", (unsigned)sid & 0xffff);
	}
	/* WnR is bit 4 of FSYNR0, and bit 1 of the global one. */
	if (fsynr >= 0)
		f->access = fsynr & (gfsynr1 >= 0 ? 0x2 : 0x10) ? FAULT_ACCESS_WRITE
								: FAULT_ACCESS_READ;
	if (nth == 0 && f->flags >= 0 && !f->reason) {
		GString *s = g_string_new(NULL);
		for (size_t i = 0; i < G_N_ELEMENTS(fsr_words); i++)
			if ((guint64)f->flags & fsr_words[i].bit)
				g_string_append_printf(s, "%s%s", s->len ? ", " : "",
						       fsr_words[i].words);
		f->reason = g_string_free(s, FALSE);
	}
	return true;
}

static bool wants_more(const Fault *f, unsigned nth)
{
	return nth < 2 && g_str_equal(f->event, "CONTEXT_FAULT");
}

const FaultDriver fault_driver_arm_smmu = {
	.name = "arm-smmu",
	.needles =
		(const char *const[]){"Unhandled context fault", "], SID=0x",
				      "Unexpected global fault", "Blocked unknown Stream ID", NULL},
	.limited = (const char *const[]){"arm_smmu_context_fault", "arm_smmu_global_fault", NULL},
	.patterns = patterns,
	.decode = decode,
	.wants_more = wants_more,
};
