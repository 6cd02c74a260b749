/* SPDX-License-Identifier: GPL-2.0-or-later */
/* AMD-Vi: arch/x86/kernel/amd_iommu.c (2.6.26–3.0), drivers/iommu/amd_iommu.c (3.1–5.7),
 * drivers/iommu/amd/iommu.c. The first line of a pair ends in '[' up to 4.10. What the events and
 * their flags mean: AMD I/O Virtualization Technology Specification (48882), 2.5. */
#include <string.h>

#include "iommu/driver.h"

/* Seen without their head (second line of a pair, a line whose start was lost), only these. */
#define NAMES                                                                                      \
	"IO_PAGE_FAULT|ILLEGAL_DEV_TABLE_ENTRY|DEV_TAB_HARDWARE_ERROR|PAGE_TAB_HARDWARE_ERROR|"    \
	"ILLEGAL_COMMAND_ERROR|COMMAND_HARDWARE_ERROR|IOTLB_INV_TIMEOUT|INVALID_DEVICE_REQUEST|"   \
	"INVALID_PPR_REQUEST|RMP_PAGE_FAULT|RMP_HW_ERROR"
#define DEVICE "[0-9a-f]{4}:[0-9a-f]{2}:[0-9a-f]{2}\\.[0-7]"
#define PREFIX "(?:(?<owner>" DEVICE "): )?(?:AMD-Vi|AMD IOMMU): "
#define FIELDS                                                                                     \
	"(?<fields>[a-z_]+(?:\\[\\d\\])?=[^\\]\\n]{0,160}(?:\\][^\\]\\n=]{0,2}=[^\\]\\n]{0,40}){"  \
	"0,4})"

static const FaultPattern patterns[] = {
	{"(?:" PREFIX ")?Event logged \\[\\s?(?<event>[A-Z][A-Z0-9_]{3,40})[ ,]{1,2}" FIELDS, NULL,
	 FAULT_KIND_FAULT, FAULT_STEP_WHOLE},
	{"(?:" PREFIX ")?Event logged \\[Device not attached to domain properly\\]", "NOT_ATTACHED",
	 FAULT_KIND_FAULT, FAULT_STEP_OPEN},
	{PREFIX "Event logged \\[\\s*$", "UNKNOWN", FAULT_KIND_FAULT, FAULT_STEP_OPEN},
	{"(?<event>" NAMES ")[ ,]{1,2}" FIELDS, NULL, FAULT_KIND_FAULT, FAULT_STEP_ALONE},
	{"^(?:" PREFIX ")?\\s*(?<event>UNKNOWN) " FIELDS, NULL, FAULT_KIND_FAULT, FAULT_STEP_MORE},
	{"^(?:" PREFIX ")?\\s*(?<fields>device=[0-9a-f:.]{7,12} domain=0x[0-9a-f]{1,8})", NULL,
	 FAULT_KIND_FAULT, FAULT_STEP_MORE},
	{"(?:AMD-Vi|AMD IOMMU): (?<reason>Completion-Wait loop timed out)",
	 "COMPLETION_WAIT_TIMEOUT", FAULT_KIND_ERROR, FAULT_STEP_WHOLE},
	{"(?:AMD-Vi|AMD IOMMU): (?<reason>Command buffer timeout)", "COMMAND_BUFFER_TIMEOUT",
	 FAULT_KIND_ERROR, FAULT_STEP_WHOLE},
	{"(?:AMD-Vi|AMD IOMMU): (?<reason>No event written to event log)", "NO_EVENT_WRITTEN",
	 FAULT_KIND_ERROR, FAULT_STEP_WHOLE},
	{"IOMMU (?:Event|Evt) log (?<reason>overflow|restarting)", "OVERFLOW",
	 FAULT_KIND_SUPPRESSED, FAULT_STEP_WHOLE},
	{NULL},
};

/* Bits of the flags of IO_PAGE_FAULT and its kin (event word 1, bits 16 and up). */
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

static const struct {
	unsigned bit;
	const char *set, *clear;
} flag_words[] = {
	{PR, "entry present", "entry not present"},
	{PE, "no permission", NULL},
	{RZ, "reserved bit set", NULL},
	{TR, "translation request", NULL},
	{I, "interrupt", NULL},
	{US, "user", NULL},
	{NX, "execute", NULL},
	{GN, "guest", NULL},
};

/* The kernel's own IOMMU errors: no device's request was refused. */
static bool is_own_error(const char *event)
{
	static const char *const own[] = {"ILLEGAL_COMMAND_ERROR", "COMMAND_HARDWARE_ERROR",
					  "IOTLB_INV_TIMEOUT", "RMP_HW_ERROR", NULL};
	return g_strv_contains(own, event);
}

static char *flags_in_words(gint64 flags)
{
	GString *s = g_string_new(NULL);
	for (size_t i = 0; i < G_N_ELEMENTS(flag_words); i++) {
		const char *word =
			flags & flag_words[i].bit ? flag_words[i].set : flag_words[i].clear;
		if (word)
			g_string_append_printf(s, "%s%s", s->len ? ", " : "", word);
	}
	return g_string_free(s, FALSE);
}

/* "device=00:00.1 address=0x00fd, flags=0x0a00": in any order, separated by blanks or commas. */
static void read_fields(Fault *f, const char *text, size_t len)
{
	g_autofree char *copy = g_strndup(text, len);
	g_auto(GStrv) words = g_strsplit_set(copy, " ,]", -1);
	for (char **w = words; *w; w++) {
		char *value = strchr(*w, '=');
		if (!value)
			continue;
		*value++ = '\0';
		if (g_str_equal(*w, "device")) {
			g_free(f->device);
			f->device = fault_normalise_device(value);
			continue;
		}
		char *end;
		guint64 n = g_ascii_strtoull(value, &end, 16); /* takes 0x */
		if (end == value)
			continue;
		if (g_str_equal(*w, "address") || g_str_equal(*w, "gpa") ||
		    g_str_equal(*w, "spa")) {
			f->has_address = true;
			f->address = n;
		} else if (g_str_equal(*w, "domain"))
			f->domain = (gint64)(n & G_MAXUINT32);
		else if (g_str_equal(*w, "pasid"))
			f->pasid = (gint64)(n & G_MAXUINT32);
		else if (g_str_equal(*w, "flags"))
			f->flags = (gint64)(n & G_MAXUINT32);
		else if (g_str_equal(*w, "type"))
			f->flags = (gint64)(n & G_MAXUINT32);
	}
}

static bool decode(Fault *f, const FaultMatch *m, unsigned nth)
{
	(void)nth;
	if (f->kind == FAULT_KIND_SUPPRESSED) {
		f->suppressed = 1;
		return true;
	}
	size_t len;
	const char *fields = fault_match_group(m, "fields", &len);
	if (fields)
		read_fields(f, fields, len);
	if (is_own_error(f->event)) {
		f->kind = FAULT_KIND_ERROR;
	} else if (!f->device && fields) {
		/* Printed for the device itself: "e1000e 0000:00:19.0: AMD-Vi: Event logged […".
		 * With device= the prefix is the IOMMU's own name. */
		const char *owner = fault_match_group(m, "owner", &len);
		if (owner) {
			g_autofree char *name = g_strndup(owner, len);
			f->device = fault_normalise_device(name);
		}
	}
	if (g_str_equal(f->event, "IO_PAGE_FAULT") && f->flags >= 0) {
		g_free(f->reason);
		f->reason = flags_in_words(f->flags);
		/* As the kernel reads them (amd/iommu.c, IS_WRITE_REQUEST); the specification gives
		 * RW a meaning only with PR. */
		f->access = f->flags & I    ? FAULT_ACCESS_INTERRUPT
			    : f->flags & RW ? FAULT_ACCESS_WRITE
			    : f->flags & NX ? FAULT_ACCESS_EXEC
					    : FAULT_ACCESS_READ;
	}
	return true;
}

const FaultDriver fault_driver_amd = {
	.name = "amd",
	.needles = (const char *const[]){"Event logged [", "IO_PAGE_FAULT", "ILLEGAL_DEV_TABLE",
					 "_HARDWARE_ERROR", "ILLEGAL_COMMAND", "IOTLB_INV_TIMEOUT",
					 "INVALID_DEVICE_REQ", "INVALID_PPR_REQ", "RMP_PAGE_FAULT",
					 "RMP_HW_ERROR", "Completion-Wait loop",
					 "Command buffer timeout", "No event written",
					 "log overflow", "log restarting", NULL},
	.limited =
		(const char *const[]){"amd_iommu_report_page_fault", "amd_iommu_report_rmp_fault",
				      "amd_iommu_report_rmp_hw_error", "iommu_print_event",
				      "amd_iommu_int_thread", NULL},
	.patterns = patterns,
	.decode = decode,
};
