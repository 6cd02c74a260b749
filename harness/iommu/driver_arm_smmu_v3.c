/* SPDX-License-Identifier: GPL-2.0-or-later */
/* SMMU version 3: drivers/iommu/arm-smmu-v3.c (4.1–5.7), drivers/iommu/arm/arm-smmu-v3/. An event
 * is a heading and four raw words; since 6.14 two lines more that say it in words. Layout of the
 * words and numbers of the events: Arm SMMU architecture version 3 (IHI 0070), 7.3. */
#include <string.h>

#include "iommu/driver.h"

#define CLIENT                                                                                     \
	"event: (?<event>[A-Z][A-Z_]{2,40}) client: "                                              \
	"(?:(?<device>[0-9a-f]{4}:[0-9a-f]{2}:[0-9a-f]{2}\\.[0-7])"                                \
	"|[^\\n]{1,64}?) sid: (?:0x)?(?<sid>[0-9a-f]{1,8}) ssid: (?:0x)?(?<ssid>[0-9a-f]{1,5})"    \
	"(?: (?:iova|fetch_addr): (?:0x)?(?<address>[0-9a-f]{1,16}))?"

static const FaultPattern patterns[] = {
	{"event 0x(?<flags>[0-9a-f]{2}) received:", NULL, FAULT_KIND_FAULT, FAULT_STEP_OPEN},
	{CLIENT, NULL, FAULT_KIND_FAULT, FAULT_STEP_ALONE},
	{"\\b(?:un)?priv (?:inst|data) (?<access>read|write) s[12] \"(?<reason>[^\"\\n]{1,80})\"",
	 NULL, FAULT_KIND_FAULT, FAULT_STEP_MORE},
	{"unexpected PRI request received:", "PAGE_REQUEST", FAULT_KIND_FAULT, FAULT_STEP_OPEN},
	{"sid 0x(?<sid>[0-9a-f]{8})\\.0x(?<ssid>[0-9a-f]{5}): \\[[0-9]{1,5}L?\\] (?:un)?privileged "
	 "(?<access>[RWX]{0,3}) access at iova 0x(?<address>[0-9a-f]{1,16})",
	 NULL, FAULT_KIND_FAULT, FAULT_STEP_MORE},
	{"\\t0x(?<word>[0-9a-f]{16})$", NULL, FAULT_KIND_FAULT, FAULT_STEP_MORE},
	{"EVTQ overflow detected", "OVERFLOW", FAULT_KIND_SUPPRESSED, FAULT_STEP_WHOLE},
	{NULL},
};

static const struct {
	unsigned id;
	const char *name, *words;
} events[] = {
	{0x01, "F_UUT", "unsupported upstream transaction"},
	{0x02, "C_BAD_STREAMID", "stream id out of range"},
	{0x03, "F_STE_FETCH", "fetching the stream table entry failed"},
	{0x04, "C_BAD_STE", "invalid stream table entry"},
	{0x05, "F_BAD_ATS_TREQ", "address translation request not allowed"},
	{0x06, "F_STREAM_DISABLED", "stream disabled"},
	{0x07, "F_TRANSL_FORBIDDEN", "translated transaction not allowed"},
	{0x08, "C_BAD_SUBSTREAMID", "invalid substream id"},
	{0x09, "F_CD_FETCH", "fetching the context descriptor failed"},
	{0x0a, "C_BAD_CD", "invalid context descriptor"},
	{0x0b, "F_WALK_EABT", "table walk aborted"},
	{0x10, "F_TRANSLATION", "translation fault"},
	{0x11, "F_ADDR_SIZE", "address size fault"},
	{0x12, "F_ACCESS", "access flag fault"},
	{0x13, "F_PERMISSION", "permission fault"},
	{0x20, "F_TLB_CONFLICT", "TLB conflict"},
	{0x21, "F_CFG_CONFLICT", "configuration cache conflict"},
	{0x24, "E_PAGE_REQUEST", "page request"},
	{0x25, "F_VMS_FETCH", "fetching the virtual machine structure failed"},
};

static bool has_address(unsigned id)
{
	return (id >= 0x10 && id <= 0x13) || id == 0x01 || id == 0x05 || id == 0x07 || id == 0x0b ||
	       id == 0x20 || id == 0x24;
}

static void take_word(Fault *f, unsigned nth, const char *text)
{
	guint64 w = g_ascii_strtoull(text, NULL, 16);
	if (nth == 1) {
		g_free(f->device);
		f->device = g_strdup_printf("sid:0x%x", (unsigned)(w >> 32));
		f->pasid = w & 1u << 11 ? (gint64)(w >> 12 & 0xfffff) : -1;
	} else if (nth == 2 && has_address((unsigned)f->flags)) {
		f->access = w & 1ull << 34   ? FAULT_ACCESS_EXEC
			    : w & 1ull << 35 ? FAULT_ACCESS_READ
					     : FAULT_ACCESS_WRITE;
	} else if (nth == 3 && has_address((unsigned)f->flags)) {
		f->address = w;
		f->has_address = true;
	}
}

static bool decode(Fault *f, const FaultMatch *m, unsigned nth)
{
	size_t len;
	if (f->kind == FAULT_KIND_SUPPRESSED) {
		f->suppressed = 1;
		return true;
	}
	if (nth == 0 && f->flags >= 0)
		for (size_t i = 0; i < G_N_ELEMENTS(events); i++)
			if (events[i].id == f->flags) {
				g_free(f->event);
				g_free(f->reason);
				f->event = g_strdup(events[i].name);
				f->reason = g_strdup(events[i].words);
			}
	const char *word = fault_match_group(m, "word", &len);
	if (word && nth <= 4) {
		char text[17] = {0};
		memcpy(text, word, MIN(len, 16));
		take_word(f, nth, text);
	}
	gint64 sid = fault_match_number(m, "sid", 16), ssid = fault_match_number(m, "ssid", 16);
	if (sid >= 0 && !fault_match_group(m, "device", &len)) {
		g_free(f->device);
		f->device = g_strdup_printf("sid:0x%x", (unsigned)sid);
	}
	if (ssid > 0)
		f->pasid = ssid;
	return true;
}

static bool wants_more(const Fault *f, unsigned nth)
{
	return !g_str_equal(f->event, "PAGE_REQUEST") && nth < 6;
}

const FaultDriver fault_driver_arm_smmu_v3 = {
	.name = "arm-smmu-v3",
	.needles = (const char *const[]){" received:", "event: F_", "event: C_", "event: E_",
					 "EVTQ overflow", NULL},
	.limited = (const char *const[]){"arm_smmu_evtq_thread", "arm_smmu_dump_event", NULL},
	.patterns = patterns,
	.decode = decode,
	.wants_more = wants_more,
};
