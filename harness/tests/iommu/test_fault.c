/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Every cases/NAME.log must give exactly the records of cases/NAME.jsonl. KEXSECT_TEST_UPDATE=1
 * writes the expectations anew, for a look at their diff. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "base/fs.h"
#include "base/json.h"
#include "iommu/fault.h"
#include "iommu/scan.h"

static void collect(const Fault *f, gpointer user)
{
	g_ptr_array_add(user, fault_copy(f));
}

static GPtrArray *new_faults(void)
{
	return g_ptr_array_new_with_free_func((GDestroyNotify)fault_free);
}

/* One line per record, without the keys that say nothing. */
static char *to_lines(const GPtrArray *faults)
{
	GString *s = g_string_new(NULL);
	for (guint i = 0; i < faults->len; i++) {
		g_autoptr(json_t) o = fault_to_json(g_ptr_array_index(faults, i));
		void *next;
		const char *key;
		json_t *value;
		json_object_foreach_safe(o, next, key, value) if (json_is_null(value))
			json_object_del(o, key);
		char *line = json_dumps(o, JSON_COMPACT);
		g_string_append_printf(s, "%s\n", line);
		free(line);
	}
	return g_string_free(s, FALSE);
}

static GPtrArray *parse(const char *text, size_t len, size_t step)
{
	GPtrArray *faults = new_faults();
	g_autoptr(FaultParser) p = fault_parser_new(collect, faults);
	for (size_t at = 0; at < len; at += step)
		fault_parser_feed(p, text + at, MIN(step, len - at));
	fault_parser_finish(p);
	return faults;
}

static void run_case(const char *path)
{
	size_t len;
	g_autofree char *log = kx_read_file(path, 1 << 20, &len, NULL);
	assert_non_null(log);
	g_autofree char *base = g_strndup(path, strlen(path) - strlen(".log"));
	g_autofree char *want_path = g_strconcat(base, ".jsonl", NULL);
	g_autoptr(GPtrArray) whole = parse(log, len, len);
	g_autofree char *got = to_lines(whole);
	if (g_getenv("KEXSECT_TEST_UPDATE"))
		assert_true(kx_write_file(want_path, got, -1, NULL));
	g_autofree char *want = kx_read_file(want_path, 1 << 20, NULL, NULL);
	if (g_strcmp0(got, want) != 0)
		print_error("%s:\n--- expected\n%s--- got\n%s", path, want ? want : "(no file)\n",
			    got);
	assert_true(g_strcmp0(got, want) == 0);
	/* However the bytes come in. */
	for (size_t step = 1; step < 64; step = step * 2 + 1) {
		g_autoptr(GPtrArray) cut = parse(log, len, step);
		g_autofree char *again = to_lines(cut);
		assert_string_equal(again, got);
	}
	/* CR LF, as serial consoles have it: the same but for lines that end in words. */
	g_auto(GStrv) lines = g_strsplit(log, "\n", -1);
	g_autofree char *crlf = g_strjoinv("\r\n", lines);
	g_autoptr(GPtrArray) serial = parse(crlf, strlen(crlf), 100);
	g_autofree char *over_serial = to_lines(serial);
	assert_string_equal(over_serial, got);
}

static void test_cases(void **state)
{
	(void)state;
	g_autoptr(GDir) dir = g_dir_open(TEST_DATA "/cases", 0, NULL);
	assert_non_null(dir);
	const char *name;
	unsigned count = 0;
	while ((name = g_dir_read_name(dir))) {
		if (!g_str_has_suffix(name, ".log"))
			continue;
		g_autofree char *path = g_build_filename(TEST_DATA "/cases", name, NULL);
		run_case(path);
		count++;
	}
	assert_true(count >= 20);
}

static void test_json_round_trip(void **state)
{
	(void)state;
	static const char text[] =
		"[    0.5] x\n[    1.234567] DMAR: [DMA Read PASID 0x12] Request device [00:02.0] "
		"fault addr "
		"0xffffffffffffe000 [fault reason 0x06] PTE Read access is not set\n"
		"[    1.3] AMD-Vi: Completion-Wait loop timed out\n";
	g_autoptr(GPtrArray) faults = parse(text, strlen(text), 1000);
	assert_int_equal(faults->len, 2);
	for (guint i = 0; i < faults->len; i++) {
		g_autoptr(json_t) o = fault_to_json(g_ptr_array_index(faults, i));
		g_autoptr(GError) error = NULL;
		g_autoptr(Fault) back = fault_from_json(o, &error);
		assert_null(error);
		g_autoptr(json_t) again = fault_to_json(back);
		assert_true(json_equal(o, again));
	}
	const Fault *f = g_ptr_array_index(faults, 0);
	assert_true(f->has_address && f->address == 0xffffffffffffe000ULL);
	assert_int_equal(f->time_us, 1234567);
	assert_int_equal(f->pasid, 0x12);

	static const char *const bad[] = {
		"{\"kind\":\"fault\",\"driver\":\"amd\",\"access\":\"reed\"}",
		"{\"kind\":\"fault\",\"driver\":\"amd\",\"access\":\"read\",\"address\":\"12\"}",
		"{\"kind\":\"fault\",\"driver\":\"amd\",\"access\":\"read\",\"time\":-4}",
		"{\"kind\":\"fault\",\"driver\":7,\"access\":\"read\"}",
		"{}",
	};
	for (size_t i = 0; i < G_N_ELEMENTS(bad); i++) {
		g_autoptr(json_t) o = kx_json_parse(bad[i], "record", NULL);
		g_autoptr(GError) error = NULL;
		assert_non_null(o);
		assert_null(fault_from_json(o, &error));
		assert_non_null(error);
	}
}

static void test_devices(void **state)
{
	(void)state;
	static const struct {
		const char *in, *out;
	} table[] = {
		{"00:02.0", "0000:00:02.0"},
		{"0000:00:1f.7", "0000:00:1f.7"},
		{"0x00:0x02.0", "0000:00:02.0"},
		{"[AB:0c.1]", "0000:ab:0c.1"},
		{"10000:e1:00.0", "10000:e1:00.0"},
		{"00:20.0", NULL},
		{"00:02.8", NULL},
		{"100:02.0", NULL},
		{"00:02", NULL},
		{"", NULL},
		{"0:1:2:3.4", NULL},
		{"00:02.0x", NULL},
		{"zz:02.0", NULL},
	};
	for (size_t i = 0; i < G_N_ELEMENTS(table); i++) {
		g_autofree char *got = fault_normalise_device(table[i].in);
		if (g_strcmp0(got, table[i].out) != 0)
			print_error("%s gives %s\n", table[i].in, got ? got : "NULL");
		assert_true(g_strcmp0(got, table[i].out) == 0);
	}
}

static char *signature_of(const char *line)
{
	g_autoptr(GPtrArray) faults = parse(line, strlen(line), 1000);
	assert_int_equal(faults->len, 1);
	const Fault *f = g_ptr_array_index(faults, 0);
	return g_strdup(f->signature);
}

#define VTD(time, dev, addr, reason)                                                               \
	"[    " time "] DMAR: [DMA Read NO_PASID] Request device [" dev "] fault addr " addr       \
	" [fault reason " reason "] words\n"

static void test_signature(void **state)
{
	(void)state;
	g_autofree char *first = signature_of(VTD("1.000000", "00:02.0", "0x1ffde000", "0x06"));
	g_autofree char *again = signature_of(VTD("2.000000", "00:02.0", "0x1ffdf000", "0x06"));
	g_autofree char *device = signature_of(VTD("1.000000", "00:03.0", "0x1ffde000", "0x06"));
	g_autofree char *place = signature_of(VTD("1.000000", "00:02.0", "0xe8000", "0x06"));
	g_autofree char *reason = signature_of(VTD("1.000000", "00:02.0", "0x1ffde000", "0x01"));
	assert_string_equal(first, again);
	assert_string_not_equal(first, device);
	assert_string_not_equal(first, place);
	assert_string_not_equal(first, reason);
}

static void test_scan(void **state)
{
	(void)state;
	FILE *in = fopen(TEST_DATA "/cases/intel-6.1.log", "r");
	assert_non_null(in);
	FaultScan sum;
	g_autoptr(GPtrArray) faults = new_faults();
	assert_true(fault_scan(in, "log", collect, faults, &sum, NULL));
	fclose(in);
	assert_int_equal(sum.faults + sum.errors, 3);
	assert_int_equal(faults->len, 4);
	assert_int_equal(sum.suppressed, 1);
	g_autofree char *text = fault_to_text(g_ptr_array_index(faults, 0));
	assert_string_equal(text,
			    "[    0.669704] intel DMA 0000:00:02.0 read 0x1ffde000: Present bit in "
			    "root entry is clear [VT-d, appendix A]");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cases),	cmocka_unit_test(test_json_round_trip),
		cmocka_unit_test(test_devices), cmocka_unit_test(test_signature),
		cmocka_unit_test(test_scan),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
