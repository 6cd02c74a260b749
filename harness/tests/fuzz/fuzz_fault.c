/* SPDX-License-Identifier: GPL-2.0-or-later */
/* libFuzzer target for everything that reads a log. Configure with CC=clang, -DKEXSECT_WERROR=OFF,
 * -DKEXSECT_SANITIZE=ON and -DCMAKE_C_FLAGS=-fsanitize=fuzzer-no-link, build fuzz_fault, and start
 * it with a folder for what it finds and one with examples: fuzz_fault found
 * harness/tests/iommu/cases */
#include <stdint.h>
#include <stdlib.h>

#include "iommu/fault.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(const Fault *f, gpointer user)
{
	(void)user;
	json_t *o = fault_to_json(f);
	Fault *back = fault_from_json(o, NULL);
	json_t *again = back ? fault_to_json(back) : NULL;
	if (!again || !json_equal(o, again))
		abort();
	json_decref(o);
	json_decref(again);
	fault_free(back);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static FaultParser *p; /* made once: compiling the patterns takes longer than a run */
	if (!p)
		p = fault_parser_new(check, NULL);
	size_t half = size / 2; /* cut somewhere, as reads do */
	fault_parser_feed(p, (const char *)data, half);
	fault_parser_feed(p, (const char *)data + half, size - half);
	fault_parser_finish(p);
	return 0;
}
