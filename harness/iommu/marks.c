/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "iommu/marks.h"

#include <string.h>

/* Texts from drivers/iommu of Linux 3.4, 3.6, 3.8, 4.4, 5.4, 6.1 and 6.19. Windows open in about
 * this order; a later marker closes the one before. */
const FaultMark fault_marks[] = {
	{"", "Linux version ", "kernel", "all"},
	{"asked-for", "DMAR: IOMMU enabled", "intel", "4.2"},
	{"asked-for", "Intel-IOMMU: enabled", "intel", "2.6.24"},
	{"detected", "DMAR: Host address width ", "intel", "2.6.24"},
	{"detected", "AMD-Vi: Found IOMMU ", "amd", "2.6.39"},
	{"detected", "AMD-Vi: Extended features", "amd", "3.1"},
	{"detected", "AMD-Vi: Using global IVHD EFR", "amd", "5.16"},
	{"detected", "probing hardware configuration...", "arm-smmu", "3.11"},
	{"inherited", "Translation was enabled for ", "amd, intel", "4.2"},
	{"inherited", "Translation already enabled - ", "intel", "4.2"},
	{"inherited", "Translation is already enabled - ", "amd", "4.14"},
	{"inherited", "IRQ remapping was enabled on ", "intel", "4.2"},
	{"inherited", "DEV table from previous kernel", "amd", "4.14"},
	{"inherited", "Copied translation tables from", "intel", "4.2"},
	{"remapping", "Enabled IRQ remapping in ", "intel", "3.0"},
	{"remapping", "AMD-Vi: Interrupt remapping enabled", "amd", "3.8"},
	{"mapping", "IOMMU: Setting RMRR:", "intel", "2.6.24 to 4.1"},
	{"mapping", "DMAR: Setting RMRR:", "intel", "4.2 to 5.2"},
	{"enabled", ": enabling translation", "kexsect's fixtures", ""},
	{"attached", "Adding to iommu group ", "iommu core", "5.2"},
	{"attached", "iommu: Adding device ", "iommu core", "3.14 to 5.1"},
	{"policy", "iommu: Default domain type: ", "iommu core", "5.3"},
	{"policy", "DMA domain TLB invalidation policy: ", "iommu core", "5.15"},
	{"running", "AMD-Vi: Lazy IO/TLB flushing enabled", "amd", "2.6.39 to 5.x"},
	{"running", "AMD-Vi: IO/TLB flush on unmap enabled", "amd", "2.6.39 to 5.x"},
	{"running", "AMD-Vi: Initialized for Passthrough Mode", "amd", "2.6.39 to 5.x"},
	{"running", "Virtualization Technology for Directed I/O", "intel", "2.6.24"},
	{"userspace", "as init process", "kernel", "4.20"},
	{"userspace", "Freeing unused kernel ", "kernel", "all"},
	{"alive", "kexsect: alive", "kexsect", "all"},
	{NULL, NULL, NULL, NULL},
};

const FaultMark *fault_mark_find(const char *name)
{
	for (const FaultMark *m = fault_marks; m->name; m++)
		if (*m->name && strcmp(m->name, name) == 0)
			return m;
	return NULL;
}

static size_t function_length(const char *p, const char *end)
{
	size_t n = 0;
	while (p + n < end && (g_ascii_isalnum(p[n]) || p[n] == '_' || p[n] == '.'))
		n++;
	return n;
}

const char *fault_initcall_read(const char *text, size_t len, size_t *ret_len, bool *ret_ends)
{
	const char *end = text + len,
		   *p = memmem(text, len, FAULT_INITCALL_BEGIN, strlen(FAULT_INITCALL_BEGIN));
	*ret_ends = !p;
	if (p)
		p += strlen(FAULT_INITCALL_BEGIN);
	else if ((p = memmem(text, len, FAULT_INITCALL_END, strlen(FAULT_INITCALL_END))))
		p += strlen(FAULT_INITCALL_END);
	else
		return NULL;
	*ret_len = function_length(p, end);
	return *ret_len && *ret_len <= 128 && p + *ret_len < end && p[*ret_len] == '+' ? p : NULL;
}
