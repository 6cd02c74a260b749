/* SPDX-License-Identifier: GPL-2.0-or-later */
/* AMD-Vi: arch/x86/kernel/amd_iommu.c (2.6.26–3.0), drivers/iommu/amd_iommu.c (3.1–5.7),
 * drivers/iommu/amd/iommu.c. The first line of a pair ends in '[' up to 4.10. What the events and
 * their flags mean: AMD I/O Virtualization Technology Specification (48882), 2.5. */
#include <string.h>

#include "iommu/bytes.h"
#include "iommu/driver.h"

/* Seen without their head (second line of a pair, a line whose start was lost), only these. */
#define NAMES                                                                                      \
	"IO_PAGE_FAULT|ILLEGAL_DEV_TABLE_ENTRY|DEV_TAB_HARDWARE_ERROR|PAGE_TAB_HARDWARE_ERROR|"    \
	"ILLEGAL_COMMAND_ERROR|COMMAND_HARDWARE_ERROR|IOTLB_INV_TIMEOUT|INVALID_DEVICE_REQUEST|"   \
	"INVALID_PPR_REQUEST|RMP_PAGE_FAULT|RMP_HW_ERROR"
#define DEVICE "[0-9a-f]{4}:[0-9a-f]{2}:[0-9a-f]{2}\\.[0-7]"
#define PREFIX "(?:(?<owner>" DEVICE "): )?(?:AMD-Vi|AMD IOMMU): "
#define HEAD "(?:" PREFIX ")?Event logged \\["
#define FIELDS                                                                                     \
	"(?<fields>[a-z_]+(?:\\[\\d\\])?=[^\\]\\n]{0,160}(?:\\][^\\]\\n=]{0,2}=[^\\]\\n]{0,40}){"  \
	"0,4})(?<close>\\])?"

static const FaultPattern patterns[] = {
	{HEAD "\\s?(?<event>ILLEGAL_DEV_TABLE_ENTRY)[ ,]{1,2}" FIELDS, NULL, FAULT_KIND_FAULT,
	 FAULT_STEP_OPEN, "ILLEGAL_DEV"},
	{HEAD "\\s?(?<event>ILLEGAL_COMMAND_ERROR)[ ,]{1,2}" FIELDS, NULL, FAULT_KIND_FAULT,
	 FAULT_STEP_OPEN, "ILLEGAL_COM"},
	{HEAD "\\s?(?<event>[A-Z][A-Z0-9_]{3,40})[ ,]{1,2}" FIELDS, NULL, FAULT_KIND_FAULT,
	 FAULT_STEP_WHOLE, "Event logged ["},
	{HEAD "Device not attached to domain properly\\]", "NOT_ATTACHED", FAULT_KIND_FAULT,
	 FAULT_STEP_OPEN, "Event logged ["},
	{PREFIX "Event logged \\[\\s*$", "UNKNOWN", FAULT_KIND_FAULT, FAULT_STEP_OPEN,
	 "Event logged ["},
	{"(?<event>" NAMES ")[ ,]{1,2}" FIELDS, NULL, FAULT_KIND_FAULT, FAULT_STEP_ALONE, "="},
	{"^(?:" PREFIX ")?\\s*(?<event>UNKNOWN) " FIELDS, NULL, FAULT_KIND_FAULT, FAULT_STEP_MORE,
	 "UNKNOWN"},
	{"^(?:" PREFIX ")?\\s*(?<fields>(?<attach>device)=[0-9a-f:.]{7,12} "
	 "domain=0x[0-9a-f]{1,8})(?<close>)",
	 NULL, FAULT_KIND_FAULT, FAULT_STEP_MORE, "device="},
	/* what follows ILLEGAL_DEV_TABLE_ENTRY (Control Reg since 6.16) and ILLEGAL_COMMAND_ERROR
	 */
	{"DTE\\[(?<dte>[0-3])\\]: (?<word>[0-9a-f]{16})", NULL, FAULT_KIND_FAULT, FAULT_STEP_MORE,
	 "DTE["},
	{"CMD\\[(?<cmd>[0-3])\\]: (?<word>[0-9a-f]{8})", NULL, FAULT_KIND_FAULT, FAULT_STEP_MORE,
	 "CMD["},
	{"(?<control>Control Reg) : 0x[0-9a-f]{1,16}", NULL, FAULT_KIND_FAULT, FAULT_STEP_MORE,
	 "Control Reg"},
	{"(?:AMD-Vi|AMD IOMMU): (?<reason>Completion-Wait loop timed out)",
	 "COMPLETION_WAIT_TIMEOUT", FAULT_KIND_ERROR, FAULT_STEP_WHOLE, "Completion-Wait loop"},
	{"(?:AMD-Vi|AMD IOMMU): (?<reason>Command buffer timeout)", "COMMAND_BUFFER_TIMEOUT",
	 FAULT_KIND_ERROR, FAULT_STEP_WHOLE, "Command buffer timeout"},
	{"(?:AMD-Vi|AMD IOMMU): (?<reason>No event written to event log)", "NO_EVENT_WRITTEN",
	 FAULT_KIND_ERROR, FAULT_STEP_WHOLE, "No event written"},
	{"AMD-Vi: (?<reason>Unknown PPR request received)", "UNKNOWN_PPR", FAULT_KIND_FAULT,
	 FAULT_STEP_WHOLE, "Unknown PPR request"},
	{"AMD-Vi: Invalid PASID : 0x(?<pasid>[0-9a-f]{1,5}), device : 0x(?<id>[0-9a-f]{1,8})",
	 "INVALID_PASID", FAULT_KIND_FAULT, FAULT_STEP_WHOLE, "Invalid PASID : "},
	{"IOMMU (?:[Ee]vent|Evt|(?<ppr>PPR)) log (?:overflow|restarting)", "OVERFLOW",
	 FAULT_KIND_SUPPRESSED, FAULT_STEP_WHOLE, " log "},
	{NULL},
};

enum {
	ILLEGAL_ENTRY,
	PAGE_FAULT,
	DEVICE_TABLE,
	PAGE_TABLE,
	ILLEGAL_COMMAND,
	COMMAND_HARDWARE,
	INV_TIMEOUT,
	DEVICE_REQUEST,
	PPR_REQUEST,
	COUNTER_ZERO,
	RMP_FAULT,
	RMP_ERROR,
	NOT_ATTACHED,
};

static const struct {
	const char *name, *section;
	bool own; /* the IOMMU's own trouble: no device's request was refused */
	const char *words;
} events[] = {
	[ILLEGAL_ENTRY] = {"ILLEGAL_DEV_TABLE_ENTRY", "2.5.2", false, NULL},
	[PAGE_FAULT] = {"IO_PAGE_FAULT", "2.5.3", false, NULL},
	[DEVICE_TABLE] = {"DEV_TAB_HARDWARE_ERROR", "2.5.4", false,
			  "reading the device table failed"},
	[PAGE_TABLE] = {"PAGE_TAB_HARDWARE_ERROR", "2.5.5", false, "reading the page table failed"},
	[ILLEGAL_COMMAND] = {"ILLEGAL_COMMAND_ERROR", "2.5.6", true, "the command is not valid"},
	[COMMAND_HARDWARE] = {"COMMAND_HARDWARE_ERROR", "2.5.7", true,
			      "reading the command failed"},
	[INV_TIMEOUT] = {"IOTLB_INV_TIMEOUT", "2.5.8", true,
			 "the device did not answer an invalidation"},
	[DEVICE_REQUEST] = {"INVALID_DEVICE_REQUEST", "2.5.9", false, NULL},
	[PPR_REQUEST] = {"INVALID_PPR_REQUEST", "2.5.10", false, "page request refused"},
	[COUNTER_ZERO] = {"EVENT_COUNTER_ZERO", "2.5.11", true, "a counter ran over"},
	[RMP_FAULT] = {"RMP_PAGE_FAULT", "2.5", false, "reverse map table check failed"},
	[RMP_ERROR] = {"RMP_HW_ERROR", "2.5", true, "reading the reverse map table failed"},
	[NOT_ATTACHED] = {"NOT_ATTACHED", "2.5.3", false, "the device has no domain yet"},
};

/* By the number that UNKNOWN shows. */
static const char *const numbers[16] = {
	[1] = "ILLEGAL_DEV_TABLE_ENTRY", [2] = "IO_PAGE_FAULT",
	[3] = "DEV_TAB_HARDWARE_ERROR",	 [4] = "PAGE_TAB_HARDWARE_ERROR",
	[5] = "ILLEGAL_COMMAND_ERROR",	 [6] = "COMMAND_HARDWARE_ERROR",
	[7] = "IOTLB_INV_TIMEOUT",	 [8] = "INVALID_DEVICE_REQUEST",
	[9] = "INVALID_PPR_REQUEST",	 [10] = "EVENT_COUNTER_ZERO",
	[13] = "RMP_PAGE_FAULT",	 [14] = "RMP_HW_ERROR",
};

/* Bits of the flags (event word 1, bits 16 and up). */
enum {
	GN = 0x001,
	NX = 0x002,
	US = 0x004,
	I = 0x008,
	PR = 0x010,
	RW = 0x020,
	PE = 0x040,
	RZ = 0x080,
	TR = 0x100
};

typedef struct {
	unsigned bit;
	const char *set, *clear;
} FlagWord;

static const FlagWord fault_words[] = {
	{PR, "entry present", "entry not present"},
	{PE, "no permission", NULL},
	{RZ, "reserved bit set", NULL},
	{TR, "translation request", NULL},
	{I, "interrupt", NULL},
	{US, "user", NULL},
	{NX, "execute", NULL},
	{GN, "guest", NULL},
};

static const FlagWord entry_words[] = {
	{RZ, "reserved bit set", "invalid mode"},
	{I, "interrupt remapping part", NULL},
	{TR, "translation request", NULL},
	{GN, "guest", NULL},
};

/* 2.5.9, bits 27:25 of the event's second word. */
static const char *const request_types[8] = {
	"read or non-posted write in the interrupt range",
	"pretranslated request of a device whose entry forbids it",
	"port I/O of a device whose entry forbids it",
	"posted write to an invalid range",
	"read or non-posted write to an invalid range",
	"posted write to the interrupt/EOI range of a device whose entry forbids it",
	"posted write to a reserved interrupt range",
	"request to the system management range",
};

/* 2.5.4, 2.5.5 and 2.5.7, bits 26:25. */
static const char *const hardware_types[4] = {"", "master abort", "target abort", "poisoned data"};

static void add_flag_words(GString *s, const FlagWord *words, size_t count, gint64 flags)
{
	for (size_t i = 0; i < count; i++) {
		const char *word = flags & words[i].bit ? words[i].set : words[i].clear;
		if (word)
			fault_add_words(s, word);
	}
}

static int find_event(const char *name)
{
	if (strcmp(name, events[PAGE_FAULT].name) == 0) /* almost always */
		return PAGE_FAULT;
	for (size_t i = 0; i < G_N_ELEMENTS(events); i++)
		if (events[i].name[0] == name[0] && strcmp(events[i].name, name) == 0)
			return (int)i;
	return -1;
}

/* What event and flags say, with the section; NULL: nothing. Caller frees. */
static char *words_of(int event, gint64 flags)
{
	GString *words = g_string_sized_new(160);
	if (events[event].words)
		g_string_append(words, events[event].words);
	switch (event) {
	case ILLEGAL_ENTRY:
		if (flags >= 0)
			add_flag_words(words, entry_words, G_N_ELEMENTS(entry_words), flags);
		break;
	case PAGE_FAULT:
	case RMP_FAULT:
		if (flags >= 0)
			add_flag_words(words, fault_words, G_N_ELEMENTS(fault_words), flags);
		break;
	case DEVICE_TABLE:
	case PAGE_TABLE:
	case COMMAND_HARDWARE:
		if (flags >= 0 && flags >> 9 & 3)
			fault_add_words(words, hardware_types[flags >> 9 & 3]);
		break;
	case DEVICE_REQUEST:
		if (flags >= 0)
			fault_add_words(words, request_types[flags >> 9 & 7]);
		break;
	default:
		break;
	}
	if (!words->len) {
		g_string_free(words, TRUE);
		return NULL;
	}
	g_string_append(words, " [AMD 48882, ");
	g_string_append(words, events[event].section);
	g_string_append_c(words, ']');
	return g_string_free(words, FALSE);
}

/* In a flood there are few different ones: their words are kept. */
static void explain(Fault *f, int event)
{
	static _Thread_local struct {
		char words[160];
		int event; /* plus one */
		gint64 flags;
	} known[64];
	unsigned slot =
		((unsigned)event * 31 + (unsigned)(f->flags >> 4) * 5 + (unsigned)f->flags) % 64;
	if (known[slot].event != event + 1 || known[slot].flags != f->flags) {
		g_autofree char *words = words_of(event, f->flags);
		g_strlcpy(known[slot].words, words ? words : "", sizeof(known[slot].words));
		known[slot].event = event + 1;
		known[slot].flags = f->flags;
	}
	if (*known[slot].words)
		fault_set_text(&f->reason, known[slot].words);
}

static bool key_is(const char *key, size_t len, const char *name)
{
	return len == strlen(name) && memcmp(key, name, len) == 0;
}

static void set_device_id(Fault *f, unsigned id)
{
	g_free(f->device);
	f->device = fault_format_device(0, id >> 8 & 0xff, id >> 3 & 0x1f, id & 7);
}

static uint64_t read_hex(const char *text, size_t len)
{
	uint64_t n = 0;
	size_t i = len > 2 && text[0] == '0' && text[1] == 'x' ? 2 : 0;
	for (; i < len && fault_hex_digit(text[i]) >= 0; i++)
		n = n << 4 | (uint64_t)fault_hex_digit(text[i]);
	return n;
}

/* One "key=value". */
static void read_field(Fault *f, const char *key, size_t key_len, const char *value, size_t len)
{
	uint64_t n = read_hex(value, len);
	if (key_is(key, key_len, "device")) {
		g_free(f->device);
		f->device = fault_normalise_device_n(value, len);
	} else if (key_is(key, key_len, "address") || key_is(key, key_len, "gpa") ||
		   key_is(key, key_len, "spa")) {
		f->has_address = true;
		f->address = n;
	} else if (key_is(key, key_len, "domain")) {
		f->domain = (gint64)(n & G_MAXUINT32);
	} else if (key_is(key, key_len, "pasid")) {
		f->pasid = (gint64)(n & G_MAXUINT32);
	} else if (key_is(key, key_len, "flags")) {
		f->flags = (gint64)(n & G_MAXUINT32);
	} else if (key_is(key, key_len, "type") || key_is(key, key_len, "event[1]")) {
		/* the number of an event that the kernel has no name for */
		unsigned type = *key == 't' ? (unsigned)n & 15 : (unsigned)(n >> 28) & 15;
		f->flags = type;
		fault_set_text(&f->reason, numbers[type] ? numbers[type] : "unknown event");
	} else if (key_is(key, key_len, "event[0]")) {
		set_device_id(f, (unsigned)n & 0xffff);
	} else if (key_is(key, key_len, "event[2]")) {
		f->address = (f->address & ~(uint64_t)G_MAXUINT32) | (n & G_MAXUINT32);
		f->has_address = true;
	} else if (key_is(key, key_len, "event[3]")) {
		f->address = (f->address & G_MAXUINT32) | n << 32;
	}
}

/* "device=00:00.1 address=0x00fd, flags=0x0a00": in any order, separated by blanks or commas. */
static void read_fields(Fault *f, const char *text, size_t len, bool closed)
{
	const char *end = text + len;
	while (text < end) {
		const char *stop = text;
		while (stop < end && *stop != ' ' && *stop != ',')
			stop++;
		const char *eq = memchr(text, '=', (size_t)(stop - text));
		/* Without ']' behind the last one, the line may have been cut inside its number. */
		bool cut = stop == end && !closed && eq && stop - eq - 1 < 18;
		if (eq && eq + 1 < stop && !cut)
			read_field(f, text, (size_t)(eq - text), eq + 1, (size_t)(stop - eq - 1));
		text = stop + 1;
	}
}

/* Of the device table entry, its first word (2.2.2.1): V, TV, the mode, IR and IW. */
static void explain_entry(Fault *f, uint64_t word)
{
	g_autofree char *before = f->reason;
	f->reason = g_strdup_printf("%s; entry V=%u TV=%u mode=%u IR=%u IW=%u", before,
				    (unsigned)word & 1, (unsigned)(word >> 1) & 1,
				    (unsigned)(word >> 9) & 7, (unsigned)(word >> 61) & 1,
				    (unsigned)(word >> 62) & 1);
}

static bool decode(Fault *f, const FaultMatch *m, unsigned nth)
{
	(void)nth;
	size_t len;
	if (f->kind == FAULT_KIND_SUPPRESSED) {
		f->suppressed = 1;
		fault_set_text(&f->reason, fault_match_group(m, "ppr", &len)
						   ? "the page request log was full"
						   : "the event log was full");
		return true;
	}
	const char *word = fault_match_group(m, "word", &len);
	if (word) {
		if (fault_match_number(m, "dte", 10) == 0)
			explain_entry(f, read_hex(word, len));
		return true;
	}
	gint64 id = fault_match_number(m, "id", 16);
	if (id >= 0)
		set_device_id(f, (unsigned)id);
	const char *fields = fault_match_group(m, "fields", &len);
	size_t close_len;
	if (fields)
		read_fields(f, fields, len,
			    fault_match_group(m, "close", &close_len) ||
				    strcmp(f->event, "UNKNOWN") == 0);
	int event = find_event(f->event);
	if (event >= 0 && events[event].own) {
		f->kind = FAULT_KIND_ERROR;
	} else if (!f->device && fields) {
		/* Printed for the device itself: "e1000e 0000:00:19.0: AMD-Vi: Event logged […".
		 * With device= the prefix is the IOMMU's own name. */
		const char *owner = fault_match_group(m, "owner", &len);
		if (owner)
			f->device = fault_normalise_device_n(owner, len);
	}
	if (event == PAGE_FAULT && f->flags >= 0)
		/* As the kernel reads them (amd/iommu.c, IS_WRITE_REQUEST); the specification gives
		 * RW a meaning only with PR. */
		f->access = f->flags & I    ? FAULT_ACCESS_INTERRUPT
			    : f->flags & RW ? FAULT_ACCESS_WRITE
			    : f->flags & NX ? FAULT_ACCESS_EXEC
					    : FAULT_ACCESS_READ;
	else if (event == DEVICE_REQUEST && f->flags >= 0 && 0x68 >> (f->flags >> 9 & 7) & 1)
		f->access = FAULT_ACCESS_WRITE;
	if (event >= 0 && !fault_match_group(m, "control", &len))
		explain(f, event);
	return true;
}

/* A head without words waits for its event, others for what only they print. */
static bool fits(const Fault *f, const FaultMatch *m)
{
	size_t len;
	if (fault_match_group(m, "dte", &len) || fault_match_group(m, "control", &len))
		return strcmp(f->event, "ILLEGAL_DEV_TABLE_ENTRY") == 0;
	if (fault_match_group(m, "cmd", &len))
		return strcmp(f->event, "ILLEGAL_COMMAND_ERROR") == 0;
	if (fault_match_group(m, "attach", &len))
		return strcmp(f->event, "NOT_ATTACHED") == 0 && !f->device;
	return strcmp(f->event, "UNKNOWN") == 0 && f->flags < 0;
}

static bool wants_more(const Fault *f, const FaultMatch *m, unsigned nth)
{
	if (nth > 6)
		return false;
	if (strcmp(f->event, "ILLEGAL_DEV_TABLE_ENTRY") == 0)
		return fault_match_number(m, "dte", 10) != 3;
	return strcmp(f->event, "ILLEGAL_COMMAND_ERROR") == 0 &&
	       fault_match_number(m, "cmd", 10) != 3;
}

const FaultDriver fault_driver_amd = {
	.name = "amd",
	.needles = (const char *const[]){"Event logged [", "IO_PAGE_FAULT", "ILLEGAL_DEV_TABLE",
					 "_HARDWARE_ERROR", "ILLEGAL_COMMAND", "IOTLB_INV_TIMEOUT",
					 "INVALID_DEVICE_REQ", "INVALID_PPR_REQ", "RMP_PAGE_FAULT",
					 "RMP_HW_ERROR", "Completion-Wait loop",
					 "Command buffer timeout", "No event written",
					 "log overflow", "log restarting", "Unknown PPR request",
					 "Invalid PASID : ", NULL},
	.limited =
		(const char *const[]){"amd_iommu_report_page_fault", "amd_iommu_report_rmp_fault",
				      "amd_iommu_report_rmp_hw_error", "iommu_print_event",
				      "amd_iommu_int_thread", "iommu_handle_ppr_entry",
				      "iommu_call_iopf_notifier", NULL},
	.patterns = patterns,
	.pair = FAULT_PAIR_OLDEST,
	.decode = decode,
	.fits = fits,
	.wants_more = wants_more,
};
