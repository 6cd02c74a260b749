/* SPDX-License-Identifier: GPL-2.0-or-later */
/* SMMU version 1 and 2: drivers/iommu/arm-smmu.c (3.11–5.7), drivers/iommu/arm/arm-smmu/arm-smmu.c;
 * drivers/iommu/qcom_iommu.c (4.15 and later) prints the same. One line for a context fault up to
 * 6.12; since 6.13 two more with the registers in words. Registers: Arm SMMU architecture version 2
 * (IHI 0062). */
#include <string.h>

#include "iommu/driver.h"

static const FaultPattern patterns[] = {
	{"Unhandled context fault: (?:fsr=0x(?<flags>[0-9a-f]{1,8}), "
	 ")?iova=0x(?<address>[0-9a-f]{1,16}), "
	 "(?:fsr=0x(?<flags>[0-9a-f]{1,8}), )?fsynr=0x(?<fsynr>[0-9a-f]{1,8}), "
	 "(?:cbfrsynra=0x(?<sid>[0-9a-f]{1,8}), )?cb=(?<domain10>[0-9]{1,5})",
	 "CONTEXT_FAULT", FAULT_KIND_FAULT, FAULT_STEP_OPEN, "Unhandled context"},
	/* 3.11 and 3.12 printed the register's value with %u behind 0x */
	{"Unexpected context fault \\(fsr 0x(?<flags10>[0-9]{1,10})\\)", "CONTEXT_FAULT",
	 FAULT_KIND_FAULT, FAULT_STEP_WHOLE, "Unexpected context"},
	{"FSR {1,8}= (?<flags>[0-9a-f]{8}) \\[(?<bits>[A-Za-z0-9= ]{1,80})\\], "
	 "SID=0x(?<sid>[0-9a-f]{1,8})",
	 "CONTEXT_FAULT", FAULT_KIND_FAULT, FAULT_STEP_ALONE, "FSR "},
	{"FSYNR0 {1,8}= (?<fsynr>[0-9a-f]{8}) \\[(?<last>)", NULL, FAULT_KIND_FAULT,
	 FAULT_STEP_MORE, "FSYNR0 "},
	{"Unexpected global fault", "GLOBAL_FAULT", FAULT_KIND_FAULT, FAULT_STEP_OPEN,
	 "Unexpected global"},
	{"Blocked unknown Stream ID 0x(?<sid>[0-9a-f]{1,8})", "UNKNOWN_STREAM", FAULT_KIND_FAULT,
	 FAULT_STEP_OPEN, "Blocked unknown"},
	{"GFSR 0x(?<flags>[0-9a-f]{8}), GFSYNR0 0x(?<gfsynr0>[0-9a-f]{8}), GFSYNR1 "
	 "0x(?<gfsynr1>[0-9a-f]{8})",
	 NULL, FAULT_KIND_FAULT, FAULT_STEP_MORE, "GFSR 0x"},
	{"(?<reason>TLB sync timed out) -- SMMU may be deadlocked", "TLB_SYNC_TIMEOUT",
	 FAULT_KIND_ERROR, FAULT_STEP_WHOLE, "TLB sync timed"},
	{NULL},
};

typedef struct {
	unsigned bit;
	const char *words;
} BitWord;

/* SMMU_CBn_FSR */
static const BitWord fsr_words[] = {
	{1u << 1, "translation fault"},
	{1u << 2, "access flag fault"},
	{1u << 3, "permission fault"},
	{1u << 4, "external fault"},
	{1u << 5, "TLB match conflict"},
	{1u << 6, "TLB lock fault"},
	{1u << 7, "address size fault"},
	{1u << 8, "unsupported upstream transaction"},
	{1u << 30, "stalled"},
	{1u << 31, "more than one fault"},
	{0, NULL},
};

/* SMMU_sGFSR */
static const BitWord gfsr_words[] = {
	{1u << 0, "invalid context"},
	{1u << 1, "unidentified stream"},
	{1u << 2, "stream match conflict"},
	{1u << 3, "unimplemented context bank"},
	{1u << 4, "unimplemented context interrupt"},
	{1u << 5, "configuration access fault"},
	{1u << 6, "external fault"},
	{1u << 7, "permission fault"},
	{1u << 8, "unsupported upstream transaction"},
	{1u << 31, "more than one fault"},
	{0, NULL},
};

static void explain(Fault *f, const BitWord *bits, const char *source)
{
	GString *s = g_string_new(NULL);
	for (; bits->bit; bits++)
		if ((guint64)f->flags & bits->bit)
			fault_add_words(s, bits->words);
	g_string_append_printf(s, "%s[IHI 0062, %s]", s->len ? " " : "", source);
	g_free(f->reason);
	f->reason = g_string_free(s, FALSE);
}

static bool decode(Fault *f, const FaultMatch *m, unsigned nth)
{
	(void)nth;
	if (f->kind == FAULT_KIND_ERROR)
		return true;
	gint64 fsynr = fault_match_number(m, "fsynr", 16), sid = fault_match_number(m, "sid", 16);
	gint64 gfsynr0 = fault_match_number(m, "gfsynr0", 16);
	gint64 gfsynr1 = fault_match_number(m, "gfsynr1", 16);
	if (sid < 0 && gfsynr1 >= 0)
		sid = gfsynr1;
	if (sid >= 0) {
		g_free(f->device);
		f->device = g_strdup_printf("sid:0x%x", (unsigned)sid & 0xffff);
	}
	/* WnR is bit 4 of FSYNR0, and bit 1 of the global one. */
	if (fsynr >= 0)
		f->access = fsynr & 0x10 ? FAULT_ACCESS_WRITE : FAULT_ACCESS_READ;
	if (gfsynr0 >= 0)
		f->access = gfsynr0 & 0x2 ? FAULT_ACCESS_WRITE : FAULT_ACCESS_READ;
	if (f->flags >= 0 && strcmp(f->event, "CONTEXT_FAULT") == 0)
		explain(f, fsr_words, "SMMU_CBn_FSR");
	else if (f->flags >= 0)
		explain(f, gfsr_words, "SMMU_sGFSR");
	return true;
}

static bool fits(const Fault *f, const FaultMatch *m)
{
	size_t len;
	return (strcmp(f->event, "CONTEXT_FAULT") == 0) ==
	       (fault_match_group(m, "gfsynr0", &len) == NULL);
}

static bool wants_more(const Fault *f, const FaultMatch *m, unsigned nth)
{
	size_t len;
	return nth < 2 && strcmp(f->event, "CONTEXT_FAULT") == 0 &&
	       !fault_match_group(m, "last", &len);
}

const FaultDriver fault_driver_arm_smmu = {
	.name = "arm-smmu",
	.needles = (const char *const[]){"Unhandled context fault", "Unexpected context fault",
					 "], SID=0x", "Unexpected global fault",
					 "Blocked unknown Stream ID", "TLB sync timed", NULL},
	.limited = (const char *const[]){"arm_smmu_context_fault", "arm_smmu_global_fault",
					 "qcom_iommu_fault", "__arm_smmu_tlb_sync", NULL},
	.patterns = patterns,
	.pair = FAULT_PAIR_SOURCE,
	.decode = decode,
	.fits = fits,
	.wants_more = wants_more,
};
