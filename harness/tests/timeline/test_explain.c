/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The sentence, and what moved. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "base/json.h"
#include "timeline/timeline.h"

static const TimelineOptions options = {.from = "^begin", .to = "^end"};

static Timeline *read_log(const char *log)
{
	g_autoptr(TimelineReader) r = timeline_reader_new(&options, NULL);
	timeline_reader_feed(r, log, strlen(log));
	return timeline_reader_finish(r);
}

static json_t *compare(const char *first, const char *second, const char *with)
{
	g_autoptr(Timeline) a = read_log(first), b = read_log(second);
	const TimelineView view = {.with = with};
	return timeline_document(a, b, &view, NULL);
}

static void expect(const char *first, const char *second, const char *want)
{
	g_autoptr(json_t) doc = compare(first, second, "With x");
	assert_string_equal(timeline_sentence(doc), want);
}

/* "moved: a, b; came: …" */
static void expect_changes(const char *first, const char *second, const char *want)
{
	static const char *const lists[] = {"moved", "came", "went", "longer"};
	g_autoptr(json_t) doc = compare(first, second, NULL);
	g_autoptr(GString) got = g_string_new(NULL);
	for (size_t k = 0; k < G_N_ELEMENTS(lists); k++) {
		const json_t *list = json_object_get(json_object_get(doc, "changes"), lists[k]);
		for (size_t i = 0; i < json_array_size(list); i++)
			g_string_append_printf(got, "%s %s%s", i ? "," : lists[k],
					       kx_json_str(json_array_get(list, i), "name"),
					       i + 1 == json_array_size(list) ? "; " : "");
	}
	assert_string_equal(got->str, want);
}

#define AT(us) "[    0." us "] "
#define BEGIN AT("100000") "begin\n"
#define END(us) AT(us) "end\n"
#define FAULT(us)                                                                                  \
	AT(us)                                                                                     \
	"DMAR: [DMA Read NO_PASID] Request device [00:02.0] fault addr 0x1ffde000 [fault reason "  \
	"0x01] Present bit in root entry is clear\n"
#define ENABLED(us) AT(us) "DMAR: dmar0: enabling translation\n"
#define GROUPED(us, device) AT(us) "pci 0000:" device ": Adding to iommu group 1\n"
#define MAPPED(us, range) AT(us) "pci 0000:00:02.0: reserved region " range " mapped\n"

/* vtd-window: what boots of both kernels printed. */
static void test_intel_order(void **state)
{
	static const char bad[] = BEGIN ENABLED("771303") FAULT("778684") FAULT("779803")
		FAULT("780793") GROUPED("781234", "00:00.0") GROUPED("781519", "00:02.0")
			MAPPED("787118", "0xe0000-0xeffff")
				MAPPED("787252", "0x1ffde000-0x1fffffff") END("801654");
	static const char good[] = BEGIN GROUPED("590169", "00:00.0") GROUPED("590524", "00:02.0")
		MAPPED("600520", "0xe0000-0xeffff") MAPPED("600520", "0x1ffde000-0x1fffffff")
			ENABLED("605277") END("611589");
	expect(bad, good,
	       "With x, translation was enabled 4.8 ms after, not 16 ms before, the reserved "
	       "regions of device 00:02.0 were mapped; 3 faults fell in between.");
	/* x causes it */
	expect(good, bad,
	       "With x, translation was enabled 16 ms before, not 4.8 ms after, the reserved "
	       "regions of device 00:02.0 were mapped; 3 faults fell in between.");
	expect_changes(bad, good, "moved DMAR: dmar0: enabling translation; ");
}

#define BLOCKED(us) AT(us) "AMD-Vi: DMA of devices without a domain is blocked\n"
#define AMD_ON(us) AT(us) "AMD-Vi: IOMMU0: enabling\n"
#define REFUSED                                                                                    \
	"QEMU amd-iommu: 00:02.0: Invalid read at addr 0x1FFDE3E4, size 4, region '(null)', "      \
	"reason: rejected; 341 more in this page\n"
#define ATTACHED(us) AT(us) "pci 0000:00:02.0: AMD-Vi: attached to domain 2\n"

/* amd-split: it was on before, too; what moved is when it blocks. */
static void test_amd_order(void **state)
{
	static const char bad[] =
		BEGIN BLOCKED("203406") AMD_ON("203513") REFUSED GROUPED("660271", "00:02.0")
			MAPPED("662803", "0x1-0x2") ATTACHED("662929") END("666742");
	static const char good[] = BEGIN AMD_ON("203414") GROUPED("660270", "00:02.0")
		MAPPED("662803", "0x1-0x2") ATTACHED("662928") BLOCKED("666464") END("666846");
	expect(bad, good,
	       "With x, DMA of devices without a domain was blocked 3.5 ms after, not 460 ms "
	       "before, device 00:02.0 was attached; 342 refused accesses fell in between.");
}

#define TAKEN(us) AT(us) "pci 0000:00:02.0: refreshing reserved region 0xe0000\n"
#define REFRESHED(us) AT(us) "iommu: reserved regions refreshed\n"

/* vtd-parameters: with iommu=pt a step is not taken at all. */
static void test_never(void **state)
{
	static const char bad[] = BEGIN GROUPED("590524", "00:02.0") ENABLED("605277")
		TAKEN("700000") FAULT("701000") REFRESHED("710000") END("711589");
	static const char good[] = BEGIN GROUPED("590524", "00:02.0") ENABLED("605277")
		REFRESHED("700020") END("711589");
	expect(bad, good,
	       "With x, a reserved region of device 00:02.0 was never taken away; in the boot with "
	       "the fault it was, 10 ms before the reserved regions were back; one fault fell in "
	       "between.");
	expect(good, bad,
	       "With x, a reserved region of device 00:02.0 was taken away, and never without, 10 "
	       "ms before the reserved regions were back; one fault fell in between.");
}

#define CALL(us, fn, pid) AT(us) "calling  " fn "+0x0/0x10 @ " pid "\n"
#define RETURN(us, fn, took) AT(us) "initcall " fn "+0x0/0x10 returned 0 after " took " usecs\n"
#define QUIRK                                                                                      \
	AT("200000")                                                                               \
	"pci 0000:00:02.0: calling  quirk_usb_early_handoff+0x0/0x780 @ 1\n" AT(                   \
		"200083") "pci 0000:00:02.0: quirk_usb_early_handoff+0x0/0x780 took 83 usecs\n"

/* vtd-config: the device was stopped before; the IOMMU's order is the same. */
static void test_steps(void **state)
{
	static const char bad[] = CALL("100000", "pci_init", "1") RETURN("250000", "pci_init", "9")
		AT("300000") "begin\n" GROUPED("390000", "00:02.0") ENABLED("400000")
			FAULT("410000") END("500000");
	static const char good[] =
		CALL("100000", "pci_init", "1") QUIRK RETURN("250000", "pci_init", "9")
			AT("300000") "begin\n" GROUPED("390000", "00:02.0") ENABLED("400000")
				END("500000");
	expect(bad, good,
	       "With x, quirk_usb_early_handoff of 0000:00:02.0 ran 100 ms before the window "
	       "opened; without, it did not run. The IOMMU's own steps have the same order.");
	expect_changes(bad, good, "came quirk_usb_early_handoff; ");
	/* the log of one kernel has no steps: they did not come, they were not said */
	static const char silent[] =
		AT("300000") "begin\n" GROUPED("390000", "00:02.0") ENABLED("400000") END("500000");
	expect(bad, silent,
	       "The IOMMU's steps have the same order in both boots: what differs is not in these "
	       "logs. With initcall_debug on the kernel's command line they would show the steps "
	       "of the initialisation.");
	expect_changes(bad, silent, "");
}

/* The same order, and far less time. */
static void test_shorter(void **state)
{
	static const char bad[] = BEGIN ENABLED("400000") FAULT("410000") FAULT("420000")
		GROUPED("450000", "00:02.0") END("500000");
	static const char good[] =
		BEGIN ENABLED("400000") GROUPED("400300", "00:02.0") END("500000");
	expect(bad, good,
	       "With x, translation was enabled 300 µs, not 50 ms, before device 00:02.0 was added "
	       "to its group; 2 faults fell in between.");
}

static void test_no_faults(void **state)
{
	static const char a[] = BEGIN CALL("200000", "a_init", "1") RETURN("200009", "a_init", "9")
		CALL("200010", "b_init.isra.0", "1") RETURN("200019", "b_init.isra.0", "9")
			CALL("200020", "c_init", "1") RETURN("200029", "c_init", "9");
	static const char b[] = BEGIN CALL("200000", "b_init", "1") RETURN("200009", "b_init", "9")
		CALL("200010", "c_init", "1") RETURN("209029", "c_init", "9009")
			CALL("209030", "a_init", "1") RETURN("209039", "a_init", "9")
				CALL("209040", "d_init", "1") RETURN("209049", "d_init", "9");
	expect(a, a, "Neither boot has faults; nothing moved.");
	expect(a, b, "Neither boot has faults; 1 event moved, the first is a_init.");
	expect_changes(a, b, "moved a_init; came d_init; longer c_init; ");
	/* what runs beside has no place in the order */
	expect_changes(BEGIN CALL("200000", "1_x_async", "9") CALL("200010", "b_init", "1"),
		       BEGIN CALL("200010", "b_init", "1") CALL("200020", "1_x_async", "9"), "");
}

/* As many events as a log may have, all moved. */
static void test_large(void **state)
{
	g_autoptr(GString) a = g_string_new(NULL), b = g_string_new(NULL);
	for (unsigned i = 0; i < 20000; i++) {
		g_string_append_printf(a, "[%5u.000000] calling  f%u+0x0/0x1 @ 1\n", i, i);
		g_string_append_printf(b, "[%5u.000000] calling  f%u+0x0/0x1 @ 1\n", i, 19999 - i);
	}
	g_autoptr(json_t) doc = compare(a->str, b->str, NULL);
	const json_t *changes = json_object_get(doc, "changes");
	assert_int_equal(json_array_size(json_object_get(changes, "moved")), 200);
	g_autofree char *svg = timeline_svg(doc, true), *text = timeline_text(doc, false);
	assert_true(strlen(svg) < 1 << 20);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_intel_order), cmocka_unit_test(test_amd_order),
		cmocka_unit_test(test_never),	    cmocka_unit_test(test_steps),
		cmocka_unit_test(test_shorter),	    cmocka_unit_test(test_no_faults),
		cmocka_unit_test(test_large),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
