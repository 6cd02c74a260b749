/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "iommu/prefilter.h"

#include <glib.h>
#include <stdint.h>
#include <string.h>

struct FaultPrefilter {
	const char *const *words;
	size_t shortest;
	uint8_t shift[65536]; /* by the two bytes that end the window of `shortest` bytes */
};

static unsigned block(const char *p)
{
	return (unsigned)(unsigned char)p[0] << 8 | (unsigned char)p[1];
}

FaultPrefilter *fault_prefilter_new(const char *const *words)
{
	FaultPrefilter *f = g_new0(FaultPrefilter, 1);
	f->words = words;
	f->shortest = 200;
	for (const char *const *w = words; *w; w++)
		f->shortest = MIN(f->shortest, strlen(*w));
	g_assert(f->shortest >= 2);
	memset(f->shift, (int)f->shortest - 1, sizeof(f->shift));
	for (const char *const *w = words; *w; w++)
		for (size_t i = 0; i + 1 < f->shortest; i++) {
			uint8_t *s = &f->shift[block(*w + i)];
			*s = (uint8_t)MIN(*s, f->shortest - 2 - i);
		}
	return f;
}

const char *fault_prefilter_find(const FaultPrefilter *f, const char *p, const char *end)
{
	size_t m = f->shortest;
	while ((size_t)(end - p) >= m) {
		uint8_t s = f->shift[block(p + m - 2)];
		if (s) {
			p += s;
			continue;
		}
		for (const char *const *w = f->words; *w; w++) {
			size_t n = strlen(*w);
			if ((*w)[0] == p[0] && (size_t)(end - p) >= n && memcmp(p, *w, n) == 0)
				return p;
		}
		p++;
	}
	return NULL;
}

void fault_prefilter_free(FaultPrefilter *f)
{
	g_free(f);
}
