/* SPDX-License-Identifier: GPL-2.0-or-later */
/* PCRE2 as this component and the oracle use it: bytes, not UTF-8; compiled once, with JIT. */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stddef.h>

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include "iommu/driver.h"

typedef struct FaultRegex FaultRegex;

struct FaultMatch {
	const FaultRegex *regex;
	const char *subject;
	size_t start, end; /* of the whole match */
};

/* The group names that every pattern may use (driver.h), found without comparing text. */
typedef enum {
	FAULT_GROUP_DEVICE,
	FAULT_GROUP_DOMAIN,
	FAULT_GROUP_DOMAIN10,
	FAULT_GROUP_ADDRESS,
	FAULT_GROUP_PASID,
	FAULT_GROUP_FLAGS,
	FAULT_GROUP_FLAGS10,
	FAULT_GROUP_REASON,
	FAULT_GROUP_ACCESS,
	FAULT_GROUP_EVENT,
	FAULT_GROUP_MAX,
} FaultGroup;

/* NULL with *error set: the message, and "at character N" from 1. */
FaultRegex *fault_regex_new(const char *pattern, GError **error);
/* Searches from `from`. False also when the pattern gives up on a subject (its limits are low).
 * `ret` is valid until the next match of the same regex. Not for two threads at a time. */
bool fault_regex_match(const FaultRegex *r, const char *subject, size_t len, size_t from,
		       FaultMatch *ret);
/* Text of a group that took part, NULL otherwise. */
const char *fault_match_known(const FaultMatch *m, FaultGroup group, size_t *ret_len);
/* Digits without sign or 0x to a number of at most 63 bits; false when it is none. */
bool fault_read_number(const char *text, size_t len, unsigned base, gint64 *ret);
void fault_regex_free(FaultRegex *r);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(FaultRegex, fault_regex_free)
