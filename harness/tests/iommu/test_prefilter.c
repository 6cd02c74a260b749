/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Every method finds what a plain search finds, at every place and up to the last byte. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>
#include <glib.h>

#include "iommu/bytes.h"
#include "iommu/prefilter.h"

static const char *const words[] = {"Request device", "IO_PAGE_FAULT", "PAGE_FAULT",
				    "FAULT at",	      "fault",	       "abca",
				    "abcabc",	      "calling  ",     NULL};

static bool naive(const char *p, const char *end, FaultHit *ret)
{
	for (; p < end; p++)
		for (unsigned w = 0; words[w]; w++) {
			size_t n = strlen(words[w]);
			if ((size_t)(end - p) >= n && memcmp(p, words[w], n) == 0) {
				*ret = (FaultHit){p, w};
				return true;
			}
		}
	return false;
}

/* `text` of exactly that size on the heap, so that a read behind it is seen. */
static void compare(const FaultPrefilter *f, const char *text, size_t len)
{
	g_autofree char *copy = g_memdup2(text, len ? len : 1);
	const char *p = copy, *end = copy + len;
	for (;;) {
		FaultHit want = {0}, got = {0};
		bool any = naive(p, end, &want);
		assert_int_equal(fault_prefilter_next(f, p, end, &got), any);
		if (!any)
			return;
		assert_ptr_equal(got.at, want.at);
		assert_int_equal(got.word, want.word);
		p = want.at + 1;
	}
}

static void test_methods(void **state)
{
	(void)state;
	unsigned methods = 0;
	for (unsigned m = 0; m < FAULT_PREFILTER_MAX; m++) {
		FaultPrefilter *f = fault_prefilter_new_as(words, m);
		if (!f)
			continue;
		methods++;
		/* each word at each distance from both ends */
		for (unsigned w = 0; words[w]; w++)
			for (unsigned before = 0; before < 150; before++)
				for (unsigned after = 0; after < 3; after++) {
					g_autofree char *text = g_strdup_printf(
						"%*s%s%*s", before, "", words[w], after, "");
					compare(f, text, strlen(text));
					compare(f, text, strlen(text) - 1);
				}
		/* pieces of words, in any order */
		g_autoptr(GRand) rand = g_rand_new_with_seed(5);
		for (int round = 0; round < 3000; round++) {
			g_autoptr(GString) s = g_string_new(NULL);
			while (s->len < 300) {
				const char *word =
					words[g_rand_int_range(rand, 0, G_N_ELEMENTS(words) - 1)];
				gint32 n = (gint32)strlen(word),
				       from = g_rand_int_range(rand, 0, n);
				g_string_append_len(s, word + from,
						    g_rand_int_range(rand, 0, n - from + 1));
				if (g_rand_int_range(rand, 0, 4) == 0)
					g_string_append_c(s, (char)g_rand_int(rand));
			}
			compare(f, s->str, (size_t)g_rand_int_range(rand, 0, (gint32)s->len));
		}
		fault_prefilter_free(f);
	}
	assert_true(methods >= 1);
}

static void test_bytes(void **state)
{
	(void)state;
	char text[100];
	for (unsigned len = 0; len < sizeof(text); len++)
		for (unsigned at = 0; at < len; at++)
			for (unsigned c = 0; c < 256; c++) {
				memset(text, 'x', sizeof(text));
				text[at] = (char)c;
				if (len % 7 && c != '\n' && c != '"')
					continue;
				assert_int_equal(fault_count_lines(text, text + len), c == '\n');
				assert_int_equal(fault_has_control(text, text + len),
						 (c < 0x20 && c != '\t') || c == 0x7f);
				assert_int_equal(fault_has_special(text, text + len),
						 c < 0x20 || c >= 0x7f || c == '"' || c == '\\');
			}
	g_autofree char *lines = g_strnfill(100000, '\n');
	assert_int_equal(fault_count_lines(lines, lines + 100000), 100000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_methods),
		cmocka_unit_test(test_bytes),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
