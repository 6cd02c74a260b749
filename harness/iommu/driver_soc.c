/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The small IOMMUs of systems on a chip and of other processors, each with one or two forms of its
 * message. Their devices have no PCI address: the record names the master, port or stream where the
 * line does. */
#include <string.h>

#include "iommu/driver.h"

#define MASTER "(?<master>[A-Za-z0-9_.:@-]{1,48})"
#define NAMED(name, ...) __VA_ARGS__, name

static const FaultPattern patterns[] = {
	/* drivers/iommu/exynos-iommu.c: 3.6 to 3.15; 3.16 to 5.18; 5.19 and later */
	{"(?<event>[A-Z][A-Z0-9 -]{2,40}) occurred at 0x(?<address>[0-9a-f]{1,16})"
	 "(?: by " MASTER ")? ?\\(Page table base: ",
	 NULL, FAULT_KIND_FAULT, FAULT_STEP_WHOLE, NAMED("exynos", " occurred at 0x")},
	{MASTER ": \\[(?<access>READ|WRITE)\\] (?<event>[A-Z][A-Z0-9 -]{2,40} FAULT) occurred at "
		"0x(?<address>[0-9a-f]{1,16})",
	 NULL, FAULT_KIND_FAULT, FAULT_STEP_WHOLE, NAMED("exynos", "] ")},
	{MASTER ": (?<event>[A-Z][A-Z0-9 -]{2,40} FAULT) occurred at 0x(?<address>[0-9a-f]{1,16})",
	 NULL, FAULT_KIND_FAULT, FAULT_STEP_WHOLE, NAMED("exynos", " FAULT occurred")},
	/* drivers/iommu/rockchip-iommu.c (3.19 and later) */
	{"Page fault at (?:0x)?(?<address>[0-9a-f]{1,16}) of type (?<access>read|write)",
	 "PAGE_FAULT", FAULT_KIND_FAULT, FAULT_STEP_WHOLE, NAMED("rockchip", "Page fault at ")},
	/* drivers/iommu/sun50i-iommu.c (5.8 and later) */
	{"Page fault for (?:0x)?(?<address>[0-9a-f]{1,16}) \\(master (?<port>[0-9]{1,5}), "
	 "dir (?<access>rd|wr)\\)",
	 "PAGE_FAULT", FAULT_KIND_FAULT, FAULT_STEP_WHOLE, NAMED("sun50i", "Page fault for ")},
	/* drivers/iommu/ipmmu-vmsa.c (3.14 and later) */
	{"Unhandled fault: status 0x(?<flags>[0-9a-f]{8}) iova 0x(?<address>[0-9a-f]{1,16})",
	 "UNHANDLED_FAULT", FAULT_KIND_FAULT, FAULT_STEP_WHOLE,
	 NAMED("ipmmu-vmsa", "Unhandled fault: ")},
	/* drivers/iommu/mtk_iommu.c (4.6 and later), mtk_iommu_v1.c */
	{"fault type=0x(?<flags>[0-9a-f]{1,8}) iova=0x(?<address>[0-9a-f]{1,16}) "
	 "pa=0x[0-9a-f]{1,16} (?:master=0x[0-9a-f]{1,8}\\()?larb=(?<larb>[0-9]{1,3}) "
	 "port=(?<port>[0-9]{1,3})\\)?(?: layer=[0-9] (?<access>read|write))?",
	 "TRANSLATION_FAULT", FAULT_KIND_FAULT, FAULT_STEP_WHOLE, NAMED("mtk", "fault type=0x")},
	/* drivers/iommu/apple-dart.c (5.15 and later) */
	{"translation fault: status:0x(?<flags>[0-9a-f]{1,8}) stream:(?<sid10>[0-9]{1,5}) "
	 "code:0x[0-9a-f]{1,8} \\((?<reason>[A-Za-z0-9 _]{1,40})\\) at "
	 "0x(?<address>[0-9a-f]{1,16})",
	 "TRANSLATION_FAULT", FAULT_KIND_FAULT, FAULT_STEP_WHOLE,
	 NAMED("apple-dart", "translation fault: ")},
	/* drivers/iommu/riscv/iommu.c (6.13 and later); causes: RISC-V IOMMU 1.0, table 11 */
	{"Fault (?<flags10>[0-9]{1,4}) devid: 0x(?<id>[0-9a-f]{1,6}) iotval: "
	 "(?<address>[0-9a-f]{1,16}) iotval2: [0-9a-f]{1,16}",
	 "FAULT", FAULT_KIND_FAULT, FAULT_STEP_WHOLE, NAMED("riscv", " devid: 0x")},
	/* drivers/iommu/omap-iommu.c (2.6.30 and later) */
	{MASTER ": errs:0x(?<flags>[0-9a-f]{8}) da:0x(?<address>[0-9a-f]{8}) pgd:", "IOMMU_FAULT",
	 FAULT_KIND_FAULT, FAULT_STEP_WHOLE, NAMED("omap", "errs:0x")},
	/* drivers/iommu/msm_iommu.c (2.6.36 and later): the address is in the dump that follows */
	{"Unexpected IOMMU page fault!", "PAGE_FAULT", FAULT_KIND_FAULT, FAULT_STEP_OPEN,
	 NAMED("msm", "Unexpected IOMMU page")},
	{"FAR {1,6}= (?<address>[0-9a-f]{8}) {1,6}PAR {1,6}= [0-9a-f]{8}", NULL, FAULT_KIND_FAULT,
	 FAULT_STEP_MORE, NAMED("msm", "FAR ")},
	/* drivers/memory/tegra/mc.c (3.18 and later) */
	{MASTER ": (?<secure>secure |)(?<access>read|write) @0x(?<address>[0-9a-f]{1,16}): "
		"(?<reason>[^\\n]{1,80})",
	 "EMEM_FAULT", FAULT_KIND_FAULT, FAULT_STEP_WHOLE, NAMED("tegra-mc", " @0x")},
	{NULL},
};

/* RISC-V IOMMU architecture 1.0, fault record encodings. */
static const struct {
	unsigned cause;
	FaultAccess access;
	const char *words;
} riscv_causes[] = {
	{1, FAULT_ACCESS_EXEC, "instruction access fault"},
	{5, FAULT_ACCESS_READ, "read access fault"},
	{7, FAULT_ACCESS_WRITE, "write access fault"},
	{12, FAULT_ACCESS_EXEC, "instruction page fault"},
	{13, FAULT_ACCESS_READ, "read page fault"},
	{15, FAULT_ACCESS_WRITE, "write page fault"},
	{20, FAULT_ACCESS_EXEC, "instruction guest page fault"},
	{21, FAULT_ACCESS_READ, "read guest page fault"},
	{23, FAULT_ACCESS_WRITE, "write guest page fault"},
	{256, FAULT_ACCESS_UNKNOWN, "all inbound transactions disallowed"},
	{257, FAULT_ACCESS_UNKNOWN, "device directory entry load access fault"},
	{258, FAULT_ACCESS_UNKNOWN, "device directory entry not valid"},
	{259, FAULT_ACCESS_UNKNOWN, "device directory entry misconfigured"},
	{260, FAULT_ACCESS_UNKNOWN, "transaction type disallowed"},
	{261, FAULT_ACCESS_UNKNOWN, "MSI page table entry load access fault"},
	{262, FAULT_ACCESS_UNKNOWN, "MSI page table entry not valid"},
	{263, FAULT_ACCESS_UNKNOWN, "MSI page table entry misconfigured"},
	{265, FAULT_ACCESS_UNKNOWN, "process directory entry load access fault"},
	{266, FAULT_ACCESS_UNKNOWN, "process directory entry not valid"},
	{267, FAULT_ACCESS_UNKNOWN, "process directory entry misconfigured"},
};

static void explain_riscv(Fault *f, unsigned id)
{
	f->device = fault_format_device(id >> 16, id >> 8 & 0xff, id >> 3 & 0x1f, id & 7);
	for (size_t i = 0; i < G_N_ELEMENTS(riscv_causes); i++)
		if (riscv_causes[i].cause == f->flags) {
			f->access = riscv_causes[i].access;
			f->reason = g_strconcat(riscv_causes[i].words, " [RISC-V IOMMU 1.0, 3.2]",
						NULL);
		}
}

/* Status bits that have words. */
static void explain_status(Fault *f, unsigned count, const char *const *words)
{
	GString *s = g_string_new(NULL);
	for (unsigned i = 0; i < count; i++)
		if (f->flags >> i & 1 && words[i])
			fault_add_words(s, words[i]);
	if (s->len && !f->reason)
		f->reason = g_string_free(s, FALSE);
	else
		g_string_free(s, TRUE);
}

static bool decode(Fault *f, const FaultMatch *m, unsigned nth)
{
	static const char *const omap_bits[] = {"TLB miss", "translation fault", "emulation miss",
						"table walk fault", "multiple hits"};
	static const char *const ipmmu_bits[] = {"translation fault", "permission fault",
						 "access flag fault", NULL, "external abort"};
	(void)nth;
	size_t len;
	const char *master = fault_match_group(m, "master", &len);
	gint64 port = fault_match_number(m, "port", 10), larb = fault_match_number(m, "larb", 10);
	gint64 sid = fault_match_number(m, "sid10", 10), id = fault_match_number(m, "id", 16);
	if (master)
		f->device = g_strdup_printf("name:%.*s", (int)len, master);
	else if (larb >= 0 && port >= 0)
		f->device = g_strdup_printf("port:%u.%u", (unsigned)larb, (unsigned)port);
	else if (port >= 0)
		f->device = g_strdup_printf("port:%u", (unsigned)port);
	else if (sid >= 0)
		f->device = g_strdup_printf("sid:0x%x", (unsigned)sid);
	if (id >= 0)
		explain_riscv(f, (unsigned)id);
	if (strcmp(f->driver, "omap") == 0)
		explain_status(f, G_N_ELEMENTS(omap_bits), omap_bits);
	else if (strcmp(f->driver, "ipmmu-vmsa") == 0 && f->flags >= 0)
		explain_status(f, G_N_ELEMENTS(ipmmu_bits), ipmmu_bits);
	return true;
}

const FaultDriver fault_driver_soc = {
	.name = "soc",
	.needles = (const char *const[]){" occurred at 0x", "Page fault at ", "Page fault for ",
					 "Unhandled fault: status", "fault type=0x",
					 "translation fault: status", " devid: 0x", ": errs:0x",
					 "Unexpected IOMMU page", " @0x", NULL},
	.limited = (const char *const[]){"ipmmu_domain_irq", "mtk_iommu_isr",
					 "apple_dart_t8020_irq", "apple_dart_t8110_irq",
					 "riscv_iommu_fault", "tegra30_mc_handle_irq", NULL},
	.patterns = patterns,
	.decode = decode,
};
