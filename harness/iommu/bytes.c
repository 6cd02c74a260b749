/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "iommu/bytes.h"

#include <glib.h>
#include <string.h>
#if defined(__x86_64__)
#include <immintrin.h>
#define HAVE_VECTORS 1
#endif

#ifdef HAVE_VECTORS
__attribute__((target("avx2,popcnt"))) static uint64_t count_vector(const char *from,
								    const char *to)
{
	uint64_t n = 0;
	const __m256i newline = _mm256_set1_epi8('\n');
	while (to - from >= 32) {
		__m256i sum = _mm256_setzero_si256();
		ptrdiff_t rounds = MIN((to - from) / 32, 255); /* a byte counts up to that */
		for (ptrdiff_t i = 0; i < rounds; i++, from += 32)
			sum = _mm256_sub_epi8(
				sum, _mm256_cmpeq_epi8(_mm256_loadu_si256(
							       (const __m256i *)(const void *)from),
						       newline));
		__m256i parts = _mm256_sad_epu8(sum, _mm256_setzero_si256());
		n += (uint64_t)(_mm256_extract_epi64(parts, 0) + _mm256_extract_epi64(parts, 1) +
				_mm256_extract_epi64(parts, 2) + _mm256_extract_epi64(parts, 3));
	}
	for (; from < to; from++)
		n += *from == '\n';
	return n;
}
#endif

uint64_t fault_count_lines(const char *from, const char *to)
{
#ifdef HAVE_VECTORS
	if (__builtin_cpu_supports("avx2"))
		return count_vector(from, to);
#endif
	uint64_t n = 0;
	for (; from < to; from++) /* the compiler makes vectors of this */
		n += *from == '\n';
	return n;
}

/* 16 bytes at a time, which every x86-64 can do. */
typedef unsigned char Bytes __attribute__((vector_size(16)));

static Bytes load(const char *p, size_t n)
{
	Bytes b = {0};
	b = b + ' ';
	if (n >= sizeof(b))
		memcpy(&b, p, sizeof(b));
	else
		memcpy(&b, p, n);
	return b;
}

static bool any_set(Bytes b)
{
	uint64_t parts[2];
	memcpy(parts, &b, sizeof(b));
	return (parts[0] | parts[1]) != 0;
}

bool fault_has_control(const char *from, const char *to)
{
	Bytes any = {0};
	for (; from < to; from += sizeof(any)) {
		Bytes b = load(from, (size_t)(to - from));
		any |= (Bytes)(((b < ' ') & (b != '\t')) | (b == 0x7f));
	}
	return any_set(any);
}

bool fault_has_special(const char *from, const char *to)
{
	Bytes any = {0};
	for (; from < to; from += sizeof(any)) {
		Bytes b = load(from, (size_t)(to - from));
		any |= (Bytes)((b < ' ') | (b >= 0x7f) | (b == '"') | (b == '\\'));
	}
	return any_set(any);
}
