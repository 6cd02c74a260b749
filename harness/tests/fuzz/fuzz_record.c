/* SPDX-License-Identifier: GPL-2.0-or-later */
/* libFuzzer target for the emulator's record; built as fuzz_fault is, with
 * harness/tests/target/logs for examples. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "target/record/merge.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static GString *merged(const char *log, size_t len, size_t piece, RecordTotals *ret)
{
	GString *out = g_string_new(NULL);
	RecordMerge *m = record_merge_new(out, 200);
	for (size_t at = 0; at < len; at += piece)
		record_merge_feed(m, log + at, MIN(piece, len - at));
	record_merge_finish(m);
	*ret = record_merge_totals(m);
	record_merge_free(m);
	return out;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	RecordTotals a, b;
	size_t piece = size ? 1 + data[0] % 64 : 1;
	GString *whole = merged((const char *)data, size, MAX(size, 1), &a);
	GString *cut = merged((const char *)data, size, piece, &b);
	/* however it is cut; bounded by the console's bytes and the limit of records */
	if (!g_string_equal(whole, cut) || memcmp(&a, &b, sizeof(a)) != 0 || a.records > 200 ||
	    whole->len > a.console_bytes * 160 + 200 * 256 + 256)
		abort();
	g_string_free(whole, TRUE);
	g_string_free(cut, TRUE);
	return 0;
}
