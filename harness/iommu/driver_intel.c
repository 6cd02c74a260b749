/* SPDX-License-Identifier: GPL-2.0-or-later */
/* VT-d: drivers/pci/dmar.c (2.6.24–3.0), drivers/iommu/dmar.c (3.1–5.8),
 * drivers/iommu/intel/dmar.c; page requests: drivers/iommu/intel-svm.c, intel/svm.c, intel/prq.c.
 * Two lines in 3.x, one line in 4.4.180; reasons decimal in 5.4, hex since 5.15; PASID in 5.4. */
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
	 FAULT_STEP_WHOLE, "Request device"},
	{HEAD, NULL, FAULT_KIND_FAULT, FAULT_STEP_OPEN, "Request device"},
	/* the start of the line is lost */
	{"Request device \\[{1,2}(?<device>[0-9a-fx:.]{4,20})\\](?: PASID "
	 "(?:0x)?(?<pasid>[0-9a-f]{1,8}))?"
	 " fault (?<part>addr|index) (?:0x)?(?<address>[0-9a-f]{1,16})\\s{0,4}" REASON,
	 "DMA", FAULT_KIND_FAULT, FAULT_STEP_WHOLE, "Request device"},
	{REASON, NULL, FAULT_KIND_FAULT, FAULT_STEP_MORE, "[fault reason"},
	{"(?<reason>Invalid page request|Page request without PASID|Page request for invalid "
	 "PASID(?: (?<pasid10>[0-9]{1,7}))?): (?<qw0>[0-9a-f]{1,16}) (?<qw1>[0-9a-f]{1,16})",
	 "PAGE_REQUEST", FAULT_KIND_FAULT, FAULT_STEP_WHOLE, "age request"},
	{"(?<reason>Invalid page request|Page request without PASID)", "PAGE_REQUEST",
	 FAULT_KIND_FAULT, FAULT_STEP_WHOLE, "age request"},
	/* since 5.15 'Invalid page request' follows */
	{"(?<reason>Page request in Privilege Mode|Execution request not supported|Address is not "
	 "canonical)",
	 "PAGE_REQUEST", FAULT_KIND_FAULT, FAULT_STEP_ANNOUNCE, NULL},
	{"PRQ overflow (?<reason>detected)", "OVERFLOW", FAULT_KIND_SUPPRESSED, FAULT_STEP_WHOLE,
	 "PRQ overflow"},
	{"VT-d detected (?<reason>Invalidation (?:Queue|Time-out|Completion) Error)"
	 "(?:: (?:Reason|SID) (?<flags>[0-9a-f]{1,16}))?",
	 "INVALIDATION_ERROR", FAULT_KIND_ERROR, FAULT_STEP_WHOLE, "VT-d detected"},
	{"VT-d detected (?<reason>invalid descriptor)", "INVALIDATION_ERROR", FAULT_KIND_ERROR,
	 FAULT_STEP_WHOLE, "VT-d detected"},
	/* Fault status register (VT-d specification, 11.4.7): bit 0, a fault found all recording
	 * registers in use; bit 1, at least one register holds a fault. The kernel's limit of
	 * messages counts this line and its faults together, so that it can come without them. */
	{"DRHD: handling fault status reg (?:0x)?(?<flags>[0-9a-f]{0,7}[13579bdf])\\b", "OVERFLOW",
	 FAULT_KIND_SUPPRESSED, FAULT_STEP_WHOLE, "handling fault status"},
	{"DRHD: handling fault status reg (?:0x)?(?<flags>[0-9a-f]{0,7}[26ae])\\b", "UNREPORTED",
	 FAULT_KIND_SUPPRESSED, FAULT_STEP_ANNOUNCE, "handling fault status"},
	{NULL},
};

/* What the kernel prints for each number, for lines that were cut before it (intel/dmar.c). */
static const char *const dma_reasons[] = {
	"Software",
	"Present bit in root entry is clear",
	"Present bit in context entry is clear",
	"Invalid context entry",
	"Access beyond MGAW",
	"PTE Write access is not set",
	"PTE Read access is not set",
	"Next page table ptr is invalid",
	"Root table address invalid",
	"Context table ptr is invalid",
	"non-zero reserved fields in RTP",
	"non-zero reserved fields in CTP",
	"non-zero reserved fields in PTE",
	"PCE for translation request specifies blocking",
};
static const char *const remap_reasons[] = {
	"Detected reserved fields in the decoded interrupt-remapped request",
	"Interrupt index exceeded the interrupt-remapping table size",
	"Present field in the IRTE entry is clear",
	"Error accessing interrupt-remapping table pointed by IRTA_REG",
	"Detected reserved fields in the IRTE entry",
	"Blocked a compatibility format interrupt request",
	"Blocked an interrupt request due to source-id verification failure",
};
#define REMAP_BASE 0x20
#define SCALABLE_BASE 0x30

static const char *reason_words(gint64 number)
{
	if (number >= 0 && number < (gint64)G_N_ELEMENTS(dma_reasons))
		return dma_reasons[number];
	if (number >= REMAP_BASE && number < REMAP_BASE + (gint64)G_N_ELEMENTS(remap_reasons))
		return remap_reasons[number - REMAP_BASE];
	return "Unknown";
}

static void explain(Fault *f)
{
	const char *words = f->reason && *f->reason ? f->reason : reason_words(f->flags);
	const char *part = g_str_has_prefix(words, "SM:")			? "scalable mode, "
			   : f->flags >= REMAP_BASE && f->flags < SCALABLE_BASE ? "interrupts, "
										: "";
	char *all = g_strconcat(words, " [VT-d, ", part, "appendix A]", NULL);
	g_free(f->reason);
	f->reason = all;
}

static bool word_of(const FaultMatch *m, const char *group, uint64_t *ret)
{
	size_t len;
	const char *text = fault_match_group(m, group, &len);
	*ret = 0;
	for (size_t i = 0; text && i < len; i++)
		*ret = *ret << 4 | (uint64_t)g_ascii_xdigit_value(text[i]);
	return text != NULL;
}

/* The page request's descriptor as of VT-d 3.0, which begins with the type 1: PASID present in bit
 * 8, requester in bits 31:16, PASID behind it; in the second word read, write and the address. What
 * 4.4–4.20 print has another layout. */
static void take_page_request(Fault *f, const FaultMatch *m)
{
	gint64 pasid = fault_match_number(m, "pasid10", 10);
	if (pasid >= 0)
		f->pasid = pasid;
	uint64_t low, high;
	if (!word_of(m, "qw0", &low) || !word_of(m, "qw1", &high) || (low & 0xff) != 1)
		return;
	unsigned id = (unsigned)(low >> 16) & 0xffff;
	g_free(f->device);
	f->device = fault_format_device(0, id >> 8, id >> 3 & 0x1f, id & 7);
	if (low >> 8 & 1)
		f->pasid = (gint64)(low >> 32 & 0xfffff);
	f->has_address = true;
	f->address = high & ~0xfffULL;
	f->access = high & 2 ? FAULT_ACCESS_WRITE : high & 1 ? FAULT_ACCESS_READ : f->access;
}

static bool decode(Fault *f, const FaultMatch *m, unsigned nth)
{
	(void)nth;
	if (f->kind == FAULT_KIND_SUPPRESSED) {
		f->suppressed = 1;
		fault_set_text(&f->reason,
			       f->flags < 0 ? "the page request queue was full"
			       : strcmp(f->event, "OVERFLOW") == 0
				       ? "all fault recording registers were in use"
				       : "a fault was pending, and its line did not come");
		return true;
	}
	if (f->kind == FAULT_KIND_ERROR)
		return true;
	if (strcmp(f->event, "PAGE_REQUEST") == 0) {
		take_page_request(f, m);
		return true;
	}
	if (f->pasid == 0xffffffff) /* how 5.0–5.14 print 'none' */
		f->pasid = -1;
	size_t len;
	const char *part = fault_match_group(m, "part", &len);
	if (part && *part == 'i')
		fault_set_text(&f->event, "INTR-REMAP");
	if (strcmp(f->event, "INTR-REMAP") == 0)
		f->access = FAULT_ACCESS_INTERRUPT;
	if (f->flags >= 0)
		explain(f);
	return true;
}

/* The reason never came. In the form of two lines a blank follows the address; without it the line
 * may have been cut inside the number. */
static void unfinished(Fault *f)
{
	size_t n = strlen(f->raw);
	if (f->flags < 0 && n && g_ascii_isxdigit(f->raw[n - 1]) &&
	    f->access != FAULT_ACCESS_INTERRUPT) {
		f->has_address = false;
		f->address = 0;
	}
}

const FaultDriver fault_driver_intel = {
	.name = "intel",
	.needles = (const char *const[]){"Request device", "[fault reason", "VT-d detected",
					 "handling fault status", "Invalid page request",
					 "Page request without", "Page request for invalid",
					 "Page request in Priv", "Execution request not",
					 "Address is not canonical", "PRQ overflow", NULL},
	.limited = (const char *const[]){"dmar_fault", "prq_event_thread", NULL},
	.patterns = patterns,
	.pair = FAULT_PAIR_TIME,
	.decode = decode,
	.unfinished = unfinished,
};
