/* SPDX-License-Identifier: GPL-2.0-or-later */
/* From logs to events, documents, columns and pictures. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "base/fs.h"
#include "base/json.h"
#include "timeline/timeline.h"

#define BANNER "[    0.000000] Linux version 6.1.0 (a@b) (gcc 12) #kx0123456789ab SMP\n"
#define FAULT                                                                                      \
	"DMAR: [DMA Read NO_PASID] Request device [00:02.0] fault addr 0x1ffde000 [fault reason "  \
	"0x01] Present bit in root entry is clear\n"

static Timeline *read_log(const char *log, const TimelineOptions *options, size_t step)
{
	g_autoptr(GError) error = NULL;
	g_autoptr(TimelineReader) r = timeline_reader_new(options, &error);
	if (!r)
		fail_msg("%s", error->message);
	for (size_t at = 0, n = strlen(log); at < n; at += step)
		timeline_reader_feed(r, log + at, MIN(step, n - at));
	Timeline *t = timeline_reader_finish(r);
	t->name = g_strdup("log");
	return t;
}

/* "type@time" of each, "(" and ")" where the window opens and closes. */
static char *events_of(const Timeline *t)
{
	GString *out = g_string_new(NULL);
	for (guint i = 0; i < t->events->len; i++) {
		const TimelineEvent *e = t->events->pdata[i];
		g_string_append_printf(out, "%s%s%s%s@%s%" G_GINT64_FORMAT, i ? " " : "",
				       (int)i == t->window_from ? "(" : "", e->type,
				       (int)i == t->window_to ? ")" : "", e->near_time ? "~" : "",
				       e->begin_us);
	}
	return g_string_free(out, FALSE);
}

static void expect(const char *log, const TimelineOptions *options, const char *want)
{
	for (size_t step = 1; step < 400; step = step * 5 + 2) {
		g_autoptr(Timeline) t = read_log(log, options, step);
		g_autofree char *got = events_of(t);
		assert_string_equal(got, want);
	}
}

static void test_intel(void **state)
{
	static const char log[] = BANNER
		"[    0.115539] DMAR: Host address width 39\n"
		"[    0.688646] calling  pci_iommu_init+0x0/0x3e @ 1\n"
		"[    0.765267] DMAR: dmar0: Using Queued invalidation\n"
		"[    0.771303] DMAR: dmar0: enabling translation\n"
		"[    0.778684] " FAULT "[    0.779803] " FAULT
		"[    0.781519] pci 0000:00:02.0: Adding to iommu group 1\n"
		"[    0.787118] pci 0000:00:02.0: reserved region 0xe0000-0xeffff mapped\n"
		"[    0.801654] DMAR: Intel(R) Virtualization Technology for Directed I/O\n"
		"[    0.802000] initcall pci_iommu_init+0x0/0x3e returned 0 after 113000 usecs\n"
		"[    1.079134] Run /init as init process\n";
	expect(log, NULL,
	       "detected@115539 initcall@688646 prepared@765267 (enabled@771303 fault@778684 "
	       "fault@779803 grouped@781519 mapped@787118 running)@801654 userspace@1079134");
	/* as an oracle has it */
	const TimelinePart parts[] = {{"regions", "reserved region \\S+ mapped"}};
	const TimelineOptions o = {.from = "^DMAR: dmar\\d+: Using",
				   .to = "^Run \\S+ as init process",
				   .parts = parts,
				   .parts_count = 1};
	expect(log, &o,
	       "detected@115539 initcall@688646 (prepared@765267 enabled@771303 fault@778684 "
	       "fault@779803 grouped@781519 mapped@787118 running@801654 userspace)@1079134");
	g_autoptr(Timeline) t = read_log(log, &o, 4096);
	const TimelineEvent *mapped = t->events->pdata[7];
	assert_string_equal(mapped->part, "regions");
	assert_string_equal(mapped->device, "0000:00:02.0");
	assert_true(mapped->in_window);
	assert_int_equal(t->faults, 2);
	assert_string_equal(t->kernel, "6.1.0");
	assert_string_equal(t->identity, "kx0123456789ab");
	assert_int_equal(t->messages, 2);
	/* other devices' faults do not count */
	const char *const devices[] = {"0000:00:1f.2", NULL};
	const TimelineOptions other = {.devices = devices};
	g_autoptr(Timeline) none = read_log(log, &other, 4096);
	assert_int_equal(none->faults, 0);
	const guint64 addresses[] = {0xe0000, 0xeffff};
	const TimelineOptions low = {.addresses = addresses, .addresses_count = 1};
	g_autoptr(Timeline) outside = read_log(log, &low, 4096);
	assert_int_equal(outside->faults, 0);
}

/* The emulator's lines have no kernel time, and it notes what is no news. */
static void test_emulator(void **state)
{
	expect(BANNER
	       "2026-11-22T18:36:02.1Z +2.194859 QEMU amd-iommu: control 0x0, disabled\n"
	       "2026-11-22T18:36:02.1Z +2.196538 QEMU amd-iommu: control 0x402, disabled\n"
	       "2026-11-22T18:36:02.2Z +2.196538 [    0.201667] AMD-Vi: IOMMU0: enabling\n"
	       "2026-11-22T18:36:02.2Z +2.200000 QEMU amd-iommu: control 0x21487, enabled\n"
	       "2026-11-22T18:36:02.2Z +2.300000 QEMU amd-iommu: 00:02.0: Invalid read at addr "
	       "0x1FFDE3E4, size 4, region '(null)', reason: rejected; 2 more in this page\n"
	       "2026-11-22T18:36:02.3Z +2.400000 QEMU amd-iommu: control 0x2b487, enabled\n"
	       "[    0.660057] pci 0000:00:02.0: AMD-Vi: attached to domain 1\n",
	       NULL, "(enabled@201667 enabled@~201667 fault@~201667 attached@660057");
}

static void test_boots(void **state)
{
	static const char log[] = BANNER "[    0.100000] DMAR: Host address width 39\n" BANNER
					 "[    0.200000] DMAR: Host address width 39\n" BANNER
					 "[    0.300000] DMAR: Host address width 39\n";
	expect(log, NULL, "(detected@300000");
	const TimelineOptions second = {.boot = 2};
	expect(log, &second, "(detected@200000");
}

/* Prefixes, levels, CPUs, no times, old kernels. */
static void test_forms(void **state)
{
	expect("<6>[    0.000000] Linux version 3.4.4 (a@b)\n"
	       "<6>[    0.5] x\n"
	       "<7>[    1.000000] calling  pci_iommu_init+0x0/0x1 @ 1\n"
	       "<6>[    1.100000] AMD-Vi: Enabling IOMMU at 0000:00:00.2 cap 0x40\n"
	       "<7>[    1.200000] initcall pci_iommu_init+0x0/0x1 returned 0 after 200000 usecs\n",
	       NULL, "initcall@1000000 (enabled@1100000");
	expect("6,1,100,-;DMAR: Host address width 39\n SUBSYSTEM=pci\n"
	       "7,2,200,-,caller=T1;calling  a_init+0x0/0x1 @ 1\n"
	       "7,3,300,-;initcall a_init+0x0/0x1 returned 0 after 90 usecs\n",
	       NULL, "(detected@100 initcall@200");
	expect("calling  a_init+0x0/0x1 @ 1\r\ninitcall a_init+0x0/0x1 returned 0 after 9 usecs\r\n"
	       "IOMMU: Setting RMRR:\n"
	       "IOMMU: Setting identity map for device 0000:00:1d.0 [0x7dfa - 0x7dff]",
	       NULL, "initcall@-1 mapping@-1 mapped@-1");
}

/* A probe says its end; by its time it stands where it began. */
static void test_probe(void **state)
{
	expect("[    1.000000] calling  a_init+0x0/0x1 @ 1\n"
	       "[    1.100000] pci 0000:00:02.0: Adding to iommu group 1\n"
	       "[    1.200000] probe of 0000:00:02.0 returned 0 after 150000 usecs\n"
	       "[    1.300000] initcall a_init+0x0/0x1 returned 0 after 300000 usecs\n",
	       NULL, "initcall@1000000 probe@1050000 grouped@1100000");
}

static const char exact_log[] =
	BANNER "[    0.000010] DMAR: dmar0: enabling translation\n"
	       "[    0.000015] calling  a_init+0x0/0x1 [m] @ 7\n"
	       "[    0.000020] " FAULT
	       "[    0.000030] DMAR: Intel(R) Virtualization Technology for Directed I/O\n"
	       "[    0.000031] initcall a_init+0x0/0x1 [m] returned -5 after 14 usecs\n";

static void test_document(void **state)
{
	g_autoptr(Timeline) t = read_log(exact_log, NULL, 4096);
	g_autoptr(json_t) doc = timeline_document(t, NULL, NULL, NULL);
	g_autoptr(json_t) want = kx_json_parse(
		"{\"format\": 1, \"sentence\": \"\", \"boots\": [{\"name\": \"log\", \"kernel\": "
		"\"6.1.0\", \"identity\": \"kx0123456789ab\", \"boot\": 1, \"initcall_debug\": "
		"true, "
		"\"begin\": 0, \"end\": 31, \"window\": {\"given\": false, \"opened\": true, "
		"\"closed\": true, \"from\": 0, \"to\": 3}, \"align\": 0, \"totals\": {\"lines\": "
		"6, "
		"\"messages\": 2, \"faults\": 1, \"events\": 4}, \"events\": ["
		"{\"kind\": \"mark\", \"type\": \"enabled\", \"name\": \"DMAR: dmar0: enabling "
		"translation\", \"effect\": \"opens\", \"begin\": 10, \"line\": 2, \"window\": "
		"true, "
		"\"matters\": true},"
		"{\"kind\": \"step\", \"type\": \"initcall\", \"name\": \"a_init\", \"module\": "
		"\"m\", \"begin\": 15, \"line\": 3, \"end\": 31, \"took\": 14, \"depth\": 0, "
		"\"pid\": 7, \"result\": -5, \"window\": true, \"matters\": true},"
		"{\"kind\": \"fault\", \"type\": \"fault\", \"name\": \"intel DMA 0000:00:02.0 "
		"read "
		"0x1ffde000: Present bit in root entry is clear [VT-d, appendix A]\", \"device\": "
		"\"0000:00:02.0\", \"begin\": 20, \"line\": 4, \"count\": 1, \"window\": true, "
		"\"matters\": true},"
		"{\"kind\": \"mark\", \"type\": \"running\", \"name\": \"DMAR: Intel(R) "
		"Virtualization Technology for Directed I/O\", \"effect\": \"closes\", \"begin\": "
		"30, "
		"\"line\": 5, \"matters\": true}]}]}",
		"wanted", NULL);
	assert_non_null(want);
	g_autofree char *got = json_dumps(doc, JSON_INDENT(1) | JSON_SORT_KEYS);
	g_autofree char *text = json_dumps(want, JSON_INDENT(1) | JSON_SORT_KEYS);
	assert_string_equal(got, text);
}

static void test_text(void **state)
{
	g_autoptr(Timeline) t = read_log(exact_log, NULL, 4096);
	g_autoptr(json_t) doc = timeline_document(t, NULL, NULL, NULL);
	g_autofree char *text = timeline_text(doc, false);
	assert_non_null(
		strstr(text, "log, Linux 6.1.0 kx0123456789ab, 1 fault, window (|) of 20 µs"));
	assert_non_null(strstr(text, "    0.000015 |      14 µs   a_init\n"));
	assert_null(strstr(text, "no steps"));
	g_autoptr(Timeline) plain = read_log(BANNER, NULL, 4096);
	g_autoptr(json_t) empty = timeline_document(plain, NULL, NULL, NULL);
	g_autofree char *hint = timeline_text(empty, false);
	assert_non_null(strstr(hint, "initcall_debug on the kernel's command line"));
}

static void test_align(void **state)
{
	g_autoptr(GError) error = NULL;
	g_autoptr(Timeline) a = read_log(exact_log, NULL, 4096);
	g_autoptr(Timeline) b = read_log(exact_log, NULL, 4096);
	const TimelineView view = {.align = "a_init"}, wrong = {.align = "nowhere"};
	g_autoptr(json_t) doc = timeline_document(a, b, &view, &error);
	assert_non_null(doc);
	const json_t *first = json_array_get(json_object_get(doc, "boots"), 0);
	assert_int_equal(kx_json_int(first, "align", -1), 1);
	assert_null(timeline_document(a, b, &wrong, &error));
	assert_non_null(strstr(error->message, "nowhere"));
	const TimelineOptions bad = {.from = "(", .to = "x"};
	assert_null(timeline_reader_new(&bad, NULL));
}

static const char hostile_log[] = BANNER
	"[    0.000010] DMAR: dmar0: enabling translation</text><script>x</script>\"'&\n"
	"[    0.000015] calling  a_init+0x0/0x1 [<b>] @ 7\n"
	"[    0.000016] probe of <img/src=x> returned 0 after 1 usecs\n"
	"[    0.000020] " FAULT "[    0.000021] \x1b[31m\xff\xfe\xe2\x80\xae: enabling translation "
	"\x01\x02\n"
	"[9999999999.000000] initcall a_init+0x0/0x1 returned 0 after 999999999999999999 usecs\n"
	"[    0.000001] pci 0000:00:02.0: Adding to iommu group 1\n";

static void test_hostile(void **state)
{
	g_autoptr(Timeline) a = read_log(hostile_log, NULL, 3);
	g_autoptr(Timeline) b = read_log(exact_log, NULL, 4096);
	const TimelineView view = {.all = true};
	g_autoptr(json_t) doc = timeline_document(a, b, &view, NULL);
	g_autofree char *svg = timeline_svg(doc, true), *text = timeline_text(doc, false);
	assert_null(strstr(svg, "<script"));
	assert_null(strstr(svg, "<img"));
	assert_true(g_utf8_validate(svg, -1, NULL) && g_utf8_validate(text, -1, NULL));
	assert_null(strchr(text, '\x1b'));
	assert_null(strstr(text, "\xe2\x80\xae"));
}

/* A document from elsewhere: nothing in it is taken for granted. */
static void test_strange_documents(void **state)
{
	static const char *const docs[] = {
		"{}",
		"{\"boots\": 3}",
		"{\"boots\": [1, 2, 3]}",
		"{\"boots\": [{}, {}], \"sentence\": 5}",
		"{\"boots\": [{\"align\": 99, \"window\": {\"from\": -4, \"to\": 7}, \"events\": "
		"[{\"kind\": \"step\", \"begin\": 9000000000000000000, \"took\": "
		"9000000000000000000, \"depth\": 900, \"matters\": true}, {\"kind\": \"fault\", "
		"\"begin\": 5, \"count\": -4, \"matters\": true, \"effect\": 4}]}]}",
		"{\"boots\": [{\"align\": 0, \"events\": [{\"kind\": \"mark\", \"begin\": 5, "
		"\"other\": 77, \"matters\": true, \"moved\": true}]}, {\"events\": {}}], "
		"\"changes\": {\"moved\": [4, {\"first\": 4000000000}], \"came\": 4}}",
	};
	for (size_t i = 0; i < G_N_ELEMENTS(docs); i++) {
		g_autoptr(json_t) doc = kx_json_parse(docs[i], "document", NULL);
		assert_non_null(doc);
		g_autofree char *svg = timeline_svg(doc, i % 2), *text = timeline_text(doc, true);
		g_autofree char *table = timeline_table(doc);
		assert_true(g_str_has_suffix(svg, "</svg>\n"));
		assert_null(strstr(svg, "nan"));
		assert_null(strstr(svg, "inf"));
	}
}

/* The console has the emulator's record, the kernel's records have the debug messages. */
static void test_folder(void **state)
{
	g_autofree char *folder = g_dir_make_tmp("kexsect-timeline-XXXXXX", NULL);
	g_autofree char *console = g_build_filename(folder, "console.log", NULL);
	g_autofree char *kmsg = g_build_filename(folder, "kmsg.log", NULL);
	g_autoptr(GError) error = NULL;
	assert_null(timeline_load(folder, NULL, &error));
	assert_non_null(strstr(error->message, "no evidence folder"));
	assert_true(kx_write_file(
		console,
		BANNER "+2.100000 [    0.201667] AMD-Vi: IOMMU0: enabling\n"
		       "+2.200000 QEMU amd-iommu: control 0x21487, enabled\n"
		       "+2.400000 [    0.660057] pci 0000:00:02.0: AMD-Vi: attached to domain 1\n",
		-1, NULL));
	assert_true(kx_write_file(kmsg,
				  "5,0,0,-;Linux version 6.1.0 (a@b) (gcc 12) #kx0123456789ab SMP\n"
				  "7,1,201000,-;calling  a_init+0x0/0x1 @ 1\n"
				  "6,2,201667,-;AMD-Vi: IOMMU0: enabling\n"
				  "7,3,300000,-;initcall a_init+0x0/0x1 returned 0 after 99 usecs\n"
				  "6,4,660057,-;pci 0000:00:02.0: AMD-Vi: attached to domain 1\n"
				  "7,5,700000,-;calling  b_init+0x0/0x1 @ 1\n",
				  -1, NULL));
	g_autoptr(Timeline) t = timeline_load(folder, NULL, NULL);
	assert_non_null(t);
	g_autofree char *got = events_of(t);
	assert_string_equal(got, "initcall@201000 (enabled@201667 enabled@~201667 attached@660057 "
				 "initcall@700000");
	assert_true(kx_remove_tree(folder, NULL));
}

/* What a boot of 6.1 with initcall_debug left in the ring, and lines of 3.4 to 6.x. */
static void test_real_logs(void **state)
{
	g_autoptr(Timeline) t = timeline_load(TEST_DATA "/logs/vtd-kmsg.log", NULL, NULL);
	g_autofree char *got = events_of(t);
	assert_string_equal(
		got, "asked-for@60789 detected@98394 initcall@580322 prepared@581223 "
		     "(enabled@581819 fault@585713 fault@586789 fault@589034 grouped@590206 "
		     "grouped@593343 grouped@593343 grouped@593343 fault@595176 grouped@595560 "
		     "grouped@595715 grouped@595841 mapped@605701 mapped@605875 mapped@607160 "
		     "running)@607635 initcall@607993 initcall@608107 initcall@608156 "
		     "initcall@608232");
	g_autoptr(Timeline) odd = timeline_load(TEST_DATA "/logs/old-and-odd.log", NULL, NULL);
	g_autofree char *events = events_of(odd);
	assert_string_equal(events,
			    "initcall@20000 fixup@100000 (enabled@300000 fault@310000 "
			    "async@1000000 deferred@2100000 initcall@2200000 probe@2299980");
	const TimelineEvent *late = odd->events->pdata[6];
	assert_int_equal(late->level, INITCALL_LEVEL_INVALID); /* of a module */
	assert_int_equal(late->took_us, 1000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_intel),	cmocka_unit_test(test_emulator),
		cmocka_unit_test(test_boots),	cmocka_unit_test(test_forms),
		cmocka_unit_test(test_probe),	cmocka_unit_test(test_document),
		cmocka_unit_test(test_text),	cmocka_unit_test(test_align),
		cmocka_unit_test(test_hostile), cmocka_unit_test(test_strange_documents),
		cmocka_unit_test(test_folder),	cmocka_unit_test(test_real_logs),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
