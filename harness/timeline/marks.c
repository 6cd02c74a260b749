/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a message says of the IOMMU's state. Texts: drivers/iommu of Linux 3.4, 3.8, 4.4, 5.4, 6.1;
 * the markers fixtures of patches/; the emulator's record (target/record/merge.h). What is not here
 * but opens a window by iommu/marks.h is a mark too. */
#include <string.h>

#include "base/emulator_record.h"
#include "iommu/fault.h"
#include "iommu/marks.h"
#include "timeline-internal.h"

static const TimelineMark marks[] = {
	{"enabled", ": enabling translation", NULL, TIMELINE_OPENS, "translation was", "enabled",
	 0},
	{"enabled", "AMD-Vi: IOMMU", ": enabling", TIMELINE_OPENS, "the IOMMU was", "enabled", 0},
	{"enabled", "AMD-Vi: Enabling IOMMU at ", NULL, TIMELINE_OPENS, "the IOMMU was", "enabled",
	 0},
	{"enabled", EMULATOR_RECORD_PREFIX "control 0x", ", enabled", TIMELINE_OPENS,
	 "the IOMMU was", "on", 0},
	{"disabled", ": translation disabled", NULL, TIMELINE_CLOSES, "translation was", "disabled",
	 1},
	{"disabled", EMULATOR_RECORD_PREFIX "control 0x", ", disabled", TIMELINE_CLOSES,
	 "the IOMMU was", "off", 1},
	{"blocked", "DMA of devices without a domain is blocked", NULL, TIMELINE_OPENS,
	 "DMA of devices without a domain was", "blocked", 0},
	{"unmapped", "refreshing reserved region ", NULL, TIMELINE_OPENS,
	 "a reserved region of device %s was", "taken away", 0},
	{"refreshed", "reserved regions refreshed", NULL, TIMELINE_CLOSES,
	 "the reserved regions were", "back", 3},
	{"attached", ": AMD-Vi: attached to domain ", NULL, TIMELINE_CLOSES, "device %s was",
	 "attached", 9},
	{"mapped", ": reserved region ", " mapped", TIMELINE_CLOSES,
	 "the reserved regions of device %s were", "mapped", 8},
	{"mapped", "Setting identity map for device ", NULL, TIMELINE_CLOSES,
	 "the reserved regions of device %s were", "mapped", 8},
	{"mapped", ": Setting identity map [", NULL, TIMELINE_CLOSES,
	 "the reserved regions of device %s were", "mapped", 8},
	{"changed", EMULATOR_RECORD_PREFIX "device table entr", " invalidated", TIMELINE_CLOSES,
	 "the device table entry of %s was", "changed", 5},
	{"grouped", ": Adding to iommu group ", NULL, TIMELINE_CLOSES, "device %s was",
	 "added to its group", 4},
	{"grouped", "iommu: Adding device ", " to group ", TIMELINE_CLOSES, "device %s was",
	 "added to its group", 4},
	{"running", "Virtualization Technology for Directed I/O", NULL, TIMELINE_CLOSES,
	 "the IOMMU driver was", "ready", 2},
	{"prepared", "DMAR: dmar", ": Using ", TIMELINE_OTHER, "the IOMMU unit was", "prepared", 0},
	{NULL, NULL, NULL, TIMELINE_OTHER, NULL, NULL, 0},
};

static bool holds(const char *text, size_t len, const char *words)
{
	return memmem(text, len, words, strlen(words)) != NULL;
}

static bool is_address(char c)
{
	return g_ascii_isxdigit(c) || c == ':' || c == '.';
}

/* The first PCI address of a message. */
static char *find_device(const char *text, size_t len)
{
	const char *end = text + len;
	for (const char *p = text; p < end; p++) {
		if (!is_address(*p) || (p > text && g_ascii_isalnum(p[-1])))
			continue;
		const char *stop = p;
		while (stop < end && is_address(*stop))
			stop++;
		size_t n = (size_t)(stop - p);
		while (n && (p[n - 1] == ':' || p[n - 1] == '.'))
			n--;
		char *device = n >= 7 && n <= 12 ? fault_normalise_device_n(p, n) : NULL;
		if (device)
			return device;
		p = stop - 1;
	}
	return NULL;
}

const TimelineMark *timeline_mark_of(const char *text, size_t len, char **ret_device)
{
	*ret_device = NULL;
	for (const TimelineMark *m = marks; m->type; m++) {
		if (!holds(text, len, m->words) || (m->also && !holds(text, len, m->also)))
			continue;
		if (strstr(m->subject, "%s"))
			*ret_device = find_device(text, len);
		return m;
	}
	return NULL;
}

const TimelineMark *timeline_mark_find(const char *type)
{
	for (const TimelineMark *m = marks; m->type; m++)
		if (strcmp(m->type, type) == 0)
			return m;
	return NULL;
}

/* By the words, as several have one type. */
static const TimelineMark *mark_of_event(const TimelineEvent *e)
{
	g_autofree char *device = NULL;
	return e->kind == TIMELINE_MARK ? timeline_mark_of(e->name, strlen(e->name), &device)
					: NULL;
}

TimelineEffect timeline_effect(const TimelineEvent *e)
{
	const TimelineMark *m = mark_of_event(e);
	return m ? m->effect : TIMELINE_OTHER;
}

static const char *short_device(const char *device)
{
	return g_str_has_prefix(device, "0000:") ? device + 5 : device;
}

char *timeline_subject(const TimelineEvent *e, const char **ret_done)
{
	const TimelineMark *m = mark_of_event(e);
	if (!m) {
		*ret_done = "reached";
		g_autofree char *name = g_strndup(e->part ? e->part : e->name, 100);
		return g_strdup_printf("'%s' was", name);
	}
	*ret_done = m->done;
	const char *at = strstr(m->subject, "%s");
	if (!at)
		return g_strdup(m->subject);
	return g_strdup_printf("%.*s%s%s", (int)(at - m->subject), m->subject,
			       e->device ? short_device(e->device) : "(unknown)", at + 2);
}

unsigned timeline_weight(const TimelineEvent *e)
{
	const TimelineMark *m = mark_of_event(e);
	return m ? m->weight : 0;
}

static void add_devices(GHashTable *set, const Timeline *t)
{
	for (guint i = 0; t && i < t->events->len; i++) {
		const TimelineEvent *e = timeline_at(t, i);
		if (e->kind == TIMELINE_FAULT && e->device)
			g_hash_table_add(set, e->device);
	}
}

GHashTable *timeline_focus(const Timeline *a, const Timeline *b)
{
	GHashTable *set = g_hash_table_new(g_str_hash, g_str_equal);
	add_devices(set, a);
	add_devices(set, b);
	return set;
}
