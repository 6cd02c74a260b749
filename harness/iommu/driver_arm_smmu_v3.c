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
	{"event 0x(?<flags>[0-9a-f]{2}) received:", NULL, FAULT_KIND_FAULT, FAULT_STEP_OPEN,
	 "event 0x"},
	{CLIENT, NULL, FAULT_KIND_FAULT, FAULT_STEP_ALONE, "event: "},
	{"\\b(?<privilege>(?:un)?priv) (?<fetch>inst|data) (?<access>read|write) s(?<stage>[12]) "
	 "\"(?<class>[^\"\\n]{1,80})\"(?<more>[ a-z_]{0,30}) stag: ",
	 NULL, FAULT_KIND_FAULT, FAULT_STEP_MORE, "priv "},
	{"unexpected PRI request received:", "PAGE_REQUEST", FAULT_KIND_FAULT, FAULT_STEP_OPEN,
	 "unexpected PRI"},
	{"sid 0x(?<sid>[0-9a-f]{8})\\.0x(?<ssid>[0-9a-f]{5}): \\[[0-9]{1,5}L?\\] "
	 "(?<privileged>(?:un)?privileged) (?<access>[RWX]{0,3}) access at iova "
	 "0x(?<address>[0-9a-f]{1,16})",
	 NULL, FAULT_KIND_FAULT, FAULT_STEP_MORE, "sid 0x"},
	{"\\t0x(?<word>[0-9a-f]{16})$", NULL, FAULT_KIND_FAULT, FAULT_STEP_MORE, "\t0x"},
	{"(?:EVTQ|PRIQ) overflow detected -- (?<lost>events|requests) lost", "OVERFLOW",
	 FAULT_KIND_SUPPRESSED, FAULT_STEP_WHOLE, "Q overflow"},
	{"(?:EVTQ|PRIQ) write aborted -- (?<lost>events) may have been lost", "OVERFLOW",
	 FAULT_KIND_SUPPRESSED, FAULT_STEP_WHOLE, "Q write aborted"},
	{"unexpected global error reported \\(0x(?<flags>[0-9a-f]{8})\\)", "GLOBAL_ERROR",
	 FAULT_KIND_ERROR, FAULT_STEP_WHOLE, "unexpected global"},
	{"CMDQ error \\(cons 0x(?<flags>[0-9a-f]{8})\\): (?<reason>[A-Za-z ]{1,40})",
	 "COMMAND_ERROR", FAULT_KIND_ERROR, FAULT_STEP_WHOLE, "CMDQ error"},
	{"(?<reason>CMD_SYNC timeout) at 0x(?<flags>[0-9a-f]{8})", "CMD_SYNC_TIMEOUT",
	 FAULT_KIND_ERROR, FAULT_STEP_WHOLE, "CMD_SYNC timeout"},
	{NULL},
};

static const struct {
	unsigned id;
	const char *name, *words;
	unsigned section; /* 7.3.x of IHI 0070 */
} events[] = {
	{0x01, "F_UUT", "unsupported upstream transaction", 2},
	{0x02, "C_BAD_STREAMID", "stream id out of range", 3},
	{0x03, "F_STE_FETCH", "fetching the stream table entry failed", 4},
	{0x04, "C_BAD_STE", "invalid stream table entry", 5},
	{0x05, "F_BAD_ATS_TREQ", "address translation request not allowed", 6},
	{0x06, "F_STREAM_DISABLED", "stream disabled", 7},
	{0x07, "F_TRANSL_FORBIDDEN", "translated transaction not allowed", 8},
	{0x08, "C_BAD_SUBSTREAMID", "invalid substream id", 9},
	{0x09, "F_CD_FETCH", "fetching the context descriptor failed", 10},
	{0x0a, "C_BAD_CD", "invalid context descriptor", 11},
	{0x0b, "F_WALK_EABT", "table walk aborted", 12},
	{0x10, "F_TRANSLATION", "translation fault", 13},
	{0x11, "F_ADDR_SIZE", "address size fault", 14},
	{0x12, "F_ACCESS", "access flag fault", 15},
	{0x13, "F_PERMISSION", "permission fault", 16},
	{0x20, "F_TLB_CONFLICT", "TLB conflict", 17},
	{0x21, "F_CFG_CONFLICT", "configuration cache conflict", 18},
	{0x24, "E_PAGE_REQUEST", "page request", 19},
	{0x25, "F_VMS_FETCH", "fetching the virtual machine structure failed", 20},
};

/* What the fault was about: bits 41:40 of the second word. */
static const char *const classes[4] = {"at the context descriptor's fetch", "at a table's fetch",
				       "at the input address", NULL};

static bool has_address(gint64 id)
{
	return (id >= 0x10 && id <= 0x13) || id == 0x01 || id == 0x05 || id == 0x07 || id == 0x0b ||
	       id == 0x20 || id == 0x24;
}

static bool has_fetch_address(gint64 id)
{
	return id == 0x03 || id == 0x09 || id == 0x25;
}

static int find_event(const Fault *f)
{
	for (size_t i = 0; i < G_N_ELEMENTS(events); i++)
		if (f->flags >= 0 ? events[i].id == f->flags
				  : strcmp(events[i].name, f->event) == 0)
			return (int)i;
	return -1;
}

/* "translation fault, unprivileged data, stage 1 [IHI 0070, 7.3.13]" */
static void explain(Fault *f, const char *details)
{
	int i = find_event(f);
	if (i < 0)
		return;
	g_free(f->reason);
	f->reason = g_strdup_printf("%s%s [IHI 0070, 7.3.%u]", events[i].words, details,
				    events[i].section);
}

static void take_word(Fault *f, unsigned nth, uint64_t w)
{
	if (nth == 1) {
		g_free(f->device);
		f->device = g_strdup_printf("sid:0x%x", (unsigned)(w >> 32));
		f->pasid = w & 1u << 11 ? (gint64)(w >> 12 & 0xfffff) : -1;
	} else if (nth == 2 && has_address(f->flags)) {
		f->access = w & 1ull << 34   ? FAULT_ACCESS_EXEC
			    : w & 1ull << 35 ? FAULT_ACCESS_READ
					     : FAULT_ACCESS_WRITE;
		GString *s = g_string_new(NULL);
		g_string_append_printf(
			s, ", %s %s, stage %d", w & 1ull << 33 ? "privileged" : "unprivileged",
			w & 1ull << 34 ? "instruction" : "data", w & 1ull << 39 ? 2 : 1);
		const char *class =
			f->flags >= 0x10 && f->flags <= 0x13 ? classes[w >> 40 & 3] : NULL;
		if (class)
			g_string_append_printf(s, ", %s", class);
		if (w & 1ull << 31)
			g_string_append_printf(s, ", stalled with tag 0x%x", (unsigned)w & 0xffff);
		explain(f, s->str);
		g_string_free(s, TRUE);
	} else if (nth == 3 && has_address(f->flags)) {
		f->address = w;
		f->has_address = true;
	} else if (nth == 4 && has_fetch_address(f->flags)) {
		f->address = w & 0xffffffffffff8ULL; /* bits 51:3 */
		f->has_address = true;
	}
}

static void set_word(Fault *f, const char *text, unsigned nth)
{
	char digits[17] = {0};
	memcpy(digits, text, 16);
	take_word(f, nth, g_ascii_strtoull(digits, NULL, 16));
}

/* SMMU_GERROR, 7.5 */
static void explain_global(Fault *f)
{
	static const char *const bits[] = {"command queue error",
					   NULL,
					   "event queue write aborted",
					   "page request queue write aborted",
					   "command queue interrupt aborted",
					   "event queue interrupt aborted",
					   "page request queue interrupt aborted",
					   "error interrupt aborted",
					   "service failure mode"};
	GString *s = g_string_new(NULL);
	for (size_t i = 0; i < G_N_ELEMENTS(bits); i++)
		if (f->flags >> i & 1 && bits[i])
			fault_add_words(s, bits[i]);
	g_string_append(s, " [IHI 0070, 7.5]");
	f->reason = g_string_free(s, FALSE);
}

static bool decode(Fault *f, const FaultMatch *m, unsigned nth)
{
	size_t len;
	if (f->kind == FAULT_KIND_SUPPRESSED) {
		f->suppressed = 1;
		f->reason = g_strdup("the queue was full");
		return true;
	}
	if (f->kind == FAULT_KIND_ERROR) {
		if (strcmp(f->event, "GLOBAL_ERROR") == 0)
			explain_global(f);
		return true;
	}
	int event = find_event(f);
	if (nth == 0 && event >= 0) {
		fault_set_text(&f->event, events[event].name);
		explain(f, "");
	}
	const char *word = fault_match_group(m, "word", &len);
	if (word && nth <= 4)
		set_word(f, word, nth);
	gint64 sid = fault_match_number(m, "sid", 16), ssid = fault_match_number(m, "ssid", 16);
	if (sid >= 0 && !fault_match_group(m, "device", &len)) {
		g_free(f->device);
		f->device = g_strdup_printf("sid:0x%x", (unsigned)sid);
	}
	if (ssid > 0)
		f->pasid = ssid;
	const char *fetch = fault_match_group(m, "fetch", &len);
	if (fetch && *fetch == 'i')
		f->access = FAULT_ACCESS_EXEC;
	if (fetch && f->reason && !strstr(f->reason, "stage")) { /* the raw words were lost */
		const char *privilege = fault_match_group(m, "privilege", &len);
		g_autofree char *details = g_strdup_printf(", %sprivileged %s, stage %d",
							   *privilege == 'u' ? "un" : "",
							   *fetch == 'i' ? "instruction" : "data",
							   (int)fault_match_number(m, "stage", 10));
		explain(f, details);
	}
	return true;
}

/* The last line of an event in words comes behind the client's line. */
static bool wants_more(const Fault *f, const FaultMatch *m, unsigned nth)
{
	size_t len;
	return strcmp(f->event, "PAGE_REQUEST") != 0 && nth < 6 &&
	       !fault_match_group(m, "class", &len);
}

const FaultDriver fault_driver_arm_smmu_v3 = {
	.name = "arm-smmu-v3",
	.needles = (const char *const[]){" received:", "event: F_", "event: C_", "event: E_",
					 "event: UNKNOWN", "Q overflow detected", "Q write aborted",
					 "unexpected global err", "CMDQ error", "CMD_SYNC timeout",
					 NULL},
	.limited = (const char *const[]){"arm_smmu_evtq_thread", "arm_smmu_dump_event",
					 "arm_smmu_dump_raw_event", "arm_smmu_cmdq_issue_cmdlist",
					 NULL},
	.patterns = patterns,
	.pair = FAULT_PAIR_SOURCE,
	.decode = decode,
	.wants_more = wants_more,
};
