/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "iommu/bytes.h"
#include "iommu/pattern.h"

#include <string.h>

#include "base/error.h"

/* Backtracking of a pattern that people wrote may not take seconds on a hostile line. */
#define MATCH_LIMIT 200000

#define MAX_SAME_NAME 4

static const char *const group_names[FAULT_GROUP_MAX] = {"device", "domain", "domain10", "address",
							 "pasid",  "flags",  "flags10",	 "reason",
							 "access", "event"};

struct FaultRegex {
	pcre2_code *code;
	pcre2_match_data *data;
	pcre2_match_context *context;
	uint64_t names;					 /* a bit for each name, see name_bit() */
	unsigned groups[FAULT_GROUP_MAX][MAX_SAME_NAME]; /* numbers of each name; 0: no more */
};

/* Drivers ask for names that most of their patterns do not have. */
static uint64_t name_bit(const char *name)
{
	return 1ull << (((unsigned)name[0] * 7 + (unsigned)strlen(name)) & 63);
}

static void find_names(FaultRegex *r)
{
	uint32_t count, size;
	PCRE2_SPTR table;
	pcre2_pattern_info(r->code, PCRE2_INFO_NAMECOUNT, &count);
	pcre2_pattern_info(r->code, PCRE2_INFO_NAMEENTRYSIZE, &size);
	pcre2_pattern_info(r->code, PCRE2_INFO_NAMETABLE, &table);
	for (uint32_t i = 0; i < count; i++)
		r->names |= name_bit((const char *)table + i * size + 2);
}

static void find_groups(FaultRegex *r)
{
	for (unsigned g = 0; g < FAULT_GROUP_MAX; g++) {
		PCRE2_SPTR first, last;
		int width = pcre2_substring_nametable_scan(r->code, (PCRE2_SPTR)group_names[g],
							   &first, &last);
		unsigned n = 0;
		for (PCRE2_SPTR entry = first; width > 0 && entry <= last; entry += width) {
			g_assert(n < MAX_SAME_NAME);
			r->groups[g][n++] = (unsigned)entry[0] << 8 | entry[1];
		}
	}
}

FaultRegex *fault_regex_new(const char *pattern, GError **error)
{
	int number;
	PCRE2_SIZE offset;
	pcre2_code *code = pcre2_compile((PCRE2_SPTR)pattern, PCRE2_ZERO_TERMINATED,
					 PCRE2_DUPNAMES | PCRE2_NEVER_UTF | PCRE2_NEVER_BACKSLASH_C,
					 &number, &offset, NULL);
	if (!code) {
		char text[160];
		pcre2_get_error_message(number, (PCRE2_UCHAR *)text, sizeof(text));
		g_set_error(error, KX_ERROR, KX_ERROR_INPUT,
			    "%s at character %zu of the pattern '%s'", text, (size_t)offset + 1,
			    pattern);
		return NULL;
	}
	/* Without JIT (a processor that PCRE2 has none for) matching is slower, not wrong. */
	(void)pcre2_jit_compile(code, PCRE2_JIT_COMPLETE);
	FaultRegex *r = g_new0(FaultRegex, 1);
	r->code = code;
	r->data = pcre2_match_data_create_from_pattern(code, NULL);
	r->context = pcre2_match_context_create(NULL);
	pcre2_set_match_limit(r->context, MATCH_LIMIT);
	find_names(r);
	find_groups(r);
	return r;
}

bool fault_regex_match(const FaultRegex *r, const char *subject, size_t len, size_t from,
		       FaultMatch *ret)
{
	int n = pcre2_match(r->code, (PCRE2_SPTR)subject, len, from, 0, r->data, r->context);
	if (n < 0)
		return false;
	const PCRE2_SIZE *v = pcre2_get_ovector_pointer(r->data);
	*ret = (FaultMatch){.regex = r, .subject = subject, .start = v[0], .end = MAX(v[0], v[1])};
	return true;
}

void fault_regex_free(FaultRegex *r)
{
	if (!r)
		return;
	pcre2_match_context_free(r->context);
	pcre2_match_data_free(r->data);
	pcre2_code_free(r->code);
	g_free(r);
}

const char *fault_match_group(const FaultMatch *m, const char *name, size_t *ret_len)
{
	PCRE2_SPTR first, last;
	if (!(m->regex->names & name_bit(name)))
		return NULL;
	int width = pcre2_substring_nametable_scan(m->regex->code, (PCRE2_SPTR)name, &first, &last);
	if (width <= 0)
		return NULL;
	const PCRE2_SIZE *v = pcre2_get_ovector_pointer(m->regex->data);
	uint32_t count = pcre2_get_ovector_count(m->regex->data);
	for (PCRE2_SPTR entry = first; entry <= last; entry += width) {
		unsigned group = (unsigned)entry[0] << 8 | entry[1];
		if (group < count && v[2 * group] != PCRE2_UNSET) {
			*ret_len = v[2 * group + 1] - v[2 * group];
			return m->subject + v[2 * group];
		}
	}
	return NULL;
}

const char *fault_match_known(const FaultMatch *m, FaultGroup group, size_t *ret_len)
{
	const unsigned *numbers = m->regex->groups[group];
	const PCRE2_SIZE *v = pcre2_get_ovector_pointer(m->regex->data);
	for (unsigned i = 0; i < MAX_SAME_NAME && numbers[i]; i++) {
		unsigned n = numbers[i];
		if (v[2 * n] != PCRE2_UNSET) {
			*ret_len = v[2 * n + 1] - v[2 * n];
			return m->subject + v[2 * n];
		}
	}
	return NULL;
}

bool fault_read_number(const char *text, size_t len, unsigned base, gint64 *ret)
{
	guint64 n = 0;
	if (!len)
		return false;
	for (size_t i = 0; i < len; i++) {
		int digit = fault_hex_digit(text[i]);
		if (digit < 0 || (unsigned)digit >= base ||
		    n > ((guint64)G_MAXINT64 - (guint64)digit) / base)
			return false;
		n = n * base + (guint64)digit;
	}
	*ret = (gint64)n;
	return true;
}

gint64 fault_match_number(const FaultMatch *m, const char *name, unsigned base)
{
	size_t len;
	gint64 n;
	const char *text = fault_match_group(m, name, &len);
	return text && fault_read_number(text, len, base, &n) ? n : -1;
}
