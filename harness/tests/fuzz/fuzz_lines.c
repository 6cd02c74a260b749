/* SPDX-License-Identifier: GPL-2.0-or-later */
/* libFuzzer target for everything that reads a log; see scripts/fuzz. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "iommu/fault.h"
#include "iommu/show.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(const Fault *f, gpointer user)
{
	/* What is stored reads back the same. */
	json_t *o = fault_to_json(f);
	Fault *back = fault_from_json(o, NULL);
	json_t *again = back ? fault_to_json(back) : NULL;
	if (!again || !json_equal(o, again))
		abort();
	/* What is printed is JSON, and holds nothing that a terminal obeys. */
	GString *out = user;
	g_string_set_size(out, 0);
	fault_append_json(out, f);
	json_t *line = json_loadb(out->str, out->len, 0, NULL);
	if (json_object_size(line) != 15 || out->str[out->len - 1] != '\n' ||
	    memchr(out->str, '\n', out->len - 1))
		abort();
	g_string_set_size(out, 0);
	fault_append_text(out, f, false);
	for (size_t i = 0; i < out->len; i++)
		if ((unsigned char)out->str[i] < 0x20 || out->str[i] == 0x7f)
			abort();
	json_decref(o);
	json_decref(again);
	json_decref(line);
	fault_free(back);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	/* made once: compiling the patterns takes longer than a run */
	static FaultParser *plain, *windows, *range;
	static GString *out;
	if (!plain) {
		out = g_string_new(NULL);
		plain = fault_parser_new(check, out);
		windows = fault_parser_new_with_windows(check, out);
		range = fault_parser_new_with_windows(check, out);
		if (!fault_parser_set_range(range, "detected", "^pci .* group", NULL))
			abort();
	}
	FaultParser *const all[] = {plain, windows, range};
	for (size_t i = 0; i < G_N_ELEMENTS(all); i++) {
		size_t half = size / (i + 2); /* cut somewhere, as reads do */
		fault_parser_feed(all[i], (const char *)data, half);
		fault_parser_feed(all[i], (const char *)data + half, size - half);
		fault_parser_finish(all[i]);
	}
	return 0;
}
