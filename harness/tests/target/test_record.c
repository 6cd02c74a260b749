/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The emulator's record: logs/qemu-7.2-amd-iommu.log is QEMU's own (7.2, -msg timestamp=on), with
 * most of the 1,024 descriptors that a refused frame reads, and of the device table entries, taken
 * out. */
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <poll.h>
#include <unistd.h>

#include "base/emulator_record.h"
#include "base/fs.h"
#include "target/record/pump.h"

#define Q EMULATOR_RECORD_PREFIX
#define MANY 1000000

static char *merged(const char *log, gsize len, gsize piece, guint64 max, RecordTotals *ret)
{
	g_autoptr(GString) out = g_string_new(NULL);
	RecordMerge *m = record_merge_new(out, max);
	for (gsize at = 0; at < len; at += piece)
		record_merge_feed(m, log + at, MIN(piece, len - at));
	record_merge_finish(m);
	if (ret)
		*ret = record_merge_totals(m);
	record_merge_free(m);
	return g_string_free(g_steal_pointer(&out), FALSE);
}

static char *of(const char *log)
{
	return merged(log, strlen(log), strlen(log), MANY, NULL);
}

/* What the guest sends to its serial port, as QEMU logs it. */
static void say(GString *log, const char *text)
{
	for (; *text; text++)
		g_string_append_printf(log, "serial_write write addr 0x00 val 0x%02x\n",
				       (unsigned char)*text);
}

static void refuse(GString *log, const char *device, guint64 address)
{
	g_string_append_printf(log,
			       "amdvi_translation_result devid: %s gpa 0x%llx hpa 0x%llx\n"
			       "Invalid read at addr 0x%llX, size 4, region '(null)', reason: "
			       "rejected\n",
			       device, (unsigned long long)address,
			       (unsigned long long)address & ~0xfffULL,
			       (unsigned long long)address);
}

static char *captured(const char *what, gsize *ret_len)
{
	g_autofree char *path = g_strconcat(TEST_DATA "/logs/qemu-7.2-amd-iommu.", what, NULL);
	char *text = kx_read_file(path, 1 << 20, ret_len, NULL);
	assert_non_null(text);
	return text;
}

static void test_captured(void **state)
{
	gsize len;
	RecordTotals totals;
	g_autofree char *log = captured("log", &len), *wanted = captured("txt", NULL);
	g_autofree char *text = merged(log, len, len, MANY, &totals);
	assert_string_equal(text, wanted);
	assert_int_equal(totals.refused, 55);
	assert_int_equal(totals.dropped, 0);
}

static void test_cut_anywhere(void **state)
{
	gsize len;
	g_autofree char *log = captured("log", &len), *wanted = captured("txt", NULL);
	for (gsize piece = 1; piece < 200; piece += 3) {
		g_autofree char *text = merged(log, len, piece, MANY, NULL);
		assert_string_equal(text, wanted);
	}
}

/* A record comes behind the line during which it happened, never into it. */
static void test_between_lines(void **state)
{
	g_autoptr(GString) log = g_string_new(NULL);
	say(log, "first\r\nsec");
	refuse(log, "00:02.0", 0x1ffde004);
	say(log, "ond\r\n");
	refuse(log, "00:02.0", 0x1ffde008);
	g_string_append(log, "amdvi_devtab_inval device table entry for devid: 00:02.0 "
			     "invalidated\n");
	refuse(log, "00:02.0", 0x1ffde00c);
	say(log, "third");
	g_autofree char *text = of(log->str);
	assert_string_equal(
		text,
		"first\r\nsecond\r\n" Q
		"00:02.0: Invalid read at addr 0x1FFDE004, size 4, region '(null)', reason: "
		"rejected; 1 more in this page\n" Q "device table entry 00:02.0 invalidated\n" Q
		"00:02.0: Invalid read at addr 0x1FFDE00C, size 4, region '(null)', reason: "
		"rejected\nthird");
}

/* The divisor latch and loop mode of a 16550. */
static void test_serial_registers(void **state)
{
	g_autofree char *text = of("serial_write write addr 0x00 val 0x41\n"
				   "serial_write write addr 0x03 val 0x83\n"
				   "serial_write write addr 0x00 val 0x01\n"
				   "serial_write write addr 0x03 val 0x03\n"
				   "serial_write write addr 0x00 val 0x42\n"
				   "serial_write write addr 0x04 val 0x1b\n"
				   "serial_write write addr 0x00 val 0x58\n"
				   "serial_write write addr 0x04 val 0x0b\n"
				   "serial_write write addr 0x01 val 0x58\n"
				   "serial_write write addr 0x00 val 0x43\n");
	assert_string_equal(text, "ABC");
}

/* Unassigned memory refuses the processor as well: no device is to be blamed. */
static void test_not_dma(void **state)
{
	g_autofree char *text =
		of("amdvi_translation_result devid: 00:02.0 gpa 0x1000 hpa 0x1000\n"
		   "Invalid write at addr 0xFED40000, size 1, region '(null)', reason: rejected\n"
		   "amdvi_translation_result devid: 00:02.0 gpa 0xfed40000 hpa 0x0\n"
		   "serial_write write addr 0x01 val 0x05\n"
		   "Invalid read at addr 0xFED40000, size 1, region '(null)', reason: rejected\n"
		   "Invalid read at addr 0x100, size 8, region 'x', reason: invalid size (min:1 "
		   "max:4)\n");
	assert_string_equal(text,
			    Q "Invalid write at addr 0xFED40000, size 1, region '(null)', reason: "
			      "rejected\n" Q "Invalid read at addr 0xFED40000, size 1, region "
			      "'(null)', reason: rejected\n");
}

/* Two million accesses of many pages and devices: bounded, counted, in order. */
static void test_flood(void **state)
{
	g_autoptr(GString) block = g_string_new(NULL), out = g_string_new(NULL);
	RecordMerge *m = record_merge_new(out, MANY);
	say(block, "before\n");
	record_merge_feed(m, block->str, block->len);
	g_string_truncate(block, 0);
	for (guint i = 0; i < 2000; i++)
		refuse(block, i & 1 ? "00:02.0" : "00:1f.2", (guint64)i * 4096);
	for (guint i = 0; i < 1000; i++)
		record_merge_feed(m, block->str, block->len);
	g_string_truncate(block, 0);
	say(block, "after\n");
	record_merge_feed(m, block->str, block->len);
	RecordTotals totals = record_merge_totals(m);
	record_merge_free(m);
	assert_int_equal(totals.refused, 2000000);
	assert_int_equal(totals.records, 64);
	assert_int_equal(totals.dropped, (2000 - 64) * 1000);
	assert_true(out->len < 16384);
	assert_true(g_str_has_prefix(out->str, "before\n" Q));
	assert_true(g_str_has_suffix(out->str, Q "1936000 refused accesses without a record\n"
						 "after\n"));
	assert_non_null(strstr(out->str, "rejected; 999 more in this page\n"));
}

static void test_limit(void **state)
{
	g_autoptr(GString) log = g_string_new(NULL);
	for (guint i = 0; i < 10; i++) {
		say(log, "line\n");
		refuse(log, "00:02.0", 0x1000 + i * 4);
		refuse(log, "00:02.0", 0x2000 + i * 4);
	}
	RecordTotals totals;
	g_autofree char *text = merged(log->str, log->len, log->len, 5, &totals);
	assert_int_equal(totals.records, 5);
	assert_int_equal(totals.dropped, 15);
	assert_int_equal(totals.refused, 20);
	assert_true(g_str_has_suffix(text, "line\n" Q "2 refused accesses without a record\n"));
	assert_non_null(strstr(text, "line\n" Q "00:02.0: Invalid read at addr 0x1008, size 4, "
				     "region '(null)', reason: rejected\n" Q
				     "1 refused accesses without a record\nline\n"));
}

/* Nothing that a guest makes QEMU print may break the record's lines. */
static void test_hostile(void **state)
{
	g_autoptr(GString) log = g_string_new(NULL);
	for (guint i = 0; i < 100000; i++)
		g_string_append_c(log, 'x');
	g_string_append(log,
			"\nInvalid read at addr 0x, size 4, region '', reason: rejected\n"
			"Invalid read at addr 0x11112222333344445, size 4, region '', reason: "
			"rejected\n"
			"Invalid read at addr 0xF, size 4, region 'a\x1b[31m\xff%s\t', reason: "
			"rejected\n"
			"amdvi_devtab_inval device table entry for devid: 100:40.9 "
			"invalidated\n"
			"amdvi_control_status MMIO_STATUS state 0x\nserial_write\n1@2.3:\n\n"
			"serial_write write addr 0x00 val 0x5");
	g_string_append_len(log, "a\0b\n", 4);
	g_autofree char *text = merged(log->str, log->len, 7, MANY, NULL);
	assert_non_null(strstr(text, Q "Invalid read at addr 0xF, size 4, region 'a??31m??s?', "
				       "reason: rejected\n"));
	guint lines = 0;
	for (const char *at = text; (at = strchr(at, '\n')); at++)
		lines++;
	assert_int_equal(lines, 1);
}

/* ---- the pump ---- */

typedef struct {
	const char *path;
	const GString *log;
	gint done;
} Writer;

static gpointer write_log(gpointer user)
{
	Writer *w = user;
	int fd = open(w->path, O_WRONLY | O_CLOEXEC);
	for (gsize at = 0; fd >= 0 && at < w->log->len;) {
		ssize_t n = write(fd, w->log->str + at, MIN(w->log->len - at, 4000));
		if (n <= 0)
			break;
		at += (gsize)n;
	}
	close(fd);
	g_atomic_int_set(&w->done, 1);
	return NULL;
}

static char *read_all(RecordPump *p)
{
	GString *all = g_string_new(NULL);
	char buf[5000];
	for (;;) {
		ssize_t n = record_pump_read(p, buf, sizeof(buf));
		if (n == 0)
			return g_string_free(all, FALSE);
		if (n > 0) {
			g_string_append_len(all, buf, n);
			continue;
		}
		assert_int_equal(errno, EAGAIN);
		struct pollfd fd = {record_pump_fd(p), POLLIN, 0};
		assert_int_equal(poll(&fd, 1, 10000), 1);
	}
}

/* 10 MB through a pipe, to a receiver that does not read before all is written: the writer, which
 * would be the machine, is never stopped, and nothing is missing. */
static void test_pump(void **state)
{
	g_autofree char *folder = g_dir_make_tmp("kexsect-record-XXXXXX", NULL);
	g_autofree char *path = g_build_filename(folder, "record", NULL);
	g_autoptr(GString) log = g_string_new(NULL), wanted = g_string_new(NULL);
	for (guint i = 0; i < 3000; i++) {
		g_autofree char *line = g_strdup_printf("line %u\n", i);
		say(log, line);
		for (guint n = 0; n < 20; n++)
			refuse(log, "00:02.0", 0x1ffde000 + n * 4);
		g_string_append_printf(wanted,
				       "%s" Q "00:02.0: Invalid read at addr 0x1FFDE000, size 4, "
				       "region '(null)', reason: rejected; 19 more in this page\n",
				       line);
	}
	RecordPump *p = record_pump_new(path, MANY, NULL);
	assert_non_null(p);
	Writer w = {.path = path, .log = log};
	g_autoptr(GThread) thread = g_thread_new("writer", write_log, &w);
	g_thread_join(g_steal_pointer(&thread));
	assert_int_equal(g_atomic_int_get(&w.done), 1);
	record_pump_stop(p);
	record_pump_stop(p);
	g_autofree char *text = read_all(p);
	assert_string_equal(text, wanted->str);
	assert_int_equal(record_pump_totals(p).refused, 60000);
	record_pump_free(p);
	assert_false(g_file_test(path, G_FILE_TEST_EXISTS));
	assert_true(kx_remove_tree(folder, NULL));
}

/* While it is written; and a second machine's log after the first. */
static void test_pump_live(void **state)
{
	g_autofree char *folder = g_dir_make_tmp("kexsect-record-XXXXXX", NULL);
	g_autofree char *path = g_build_filename(folder, "record", NULL);
	for (int round = 0; round < 2; round++) {
		char buf[100];
		RecordPump *p = record_pump_new(path, MANY, NULL);
		g_autoptr(GString) log = g_string_new(NULL);
		say(log, "hello\n");
		Writer w = {.path = path, .log = log};
		g_thread_join(g_thread_new("writer", write_log, &w));
		struct pollfd fd = {record_pump_fd(p), POLLIN, 0};
		assert_int_equal(poll(&fd, 1, 10000), 1);
		g_autoptr(GString) got = g_string_new(NULL);
		while (got->len < 6) {
			ssize_t n = record_pump_read(p, buf, 4);
			if (n > 0)
				g_string_append_len(got, buf, n);
		}
		assert_string_equal(got->str, "hello\n");
		assert_int_equal(record_pump_read(p, buf, sizeof(buf)), -1);
		assert_int_equal(errno, EAGAIN);
		assert_int_equal(poll(&fd, 1, 0), 0);
		record_pump_stop(p);
		assert_int_equal(poll(&fd, 1, 0), 1);
		assert_int_equal(record_pump_read(p, buf, sizeof(buf)), 0);
		record_pump_free(p);
	}
	assert_true(kx_remove_tree(folder, NULL));
}

/* What happens after a machine's last word is told, once, and not kept for the next one. */
static void test_pump_of_a_hung_machine(void **state)
{
	g_autofree char *folder = g_dir_make_tmp("kexsect-record-XXXXXX", NULL);
	g_autofree char *path = g_build_filename(folder, "record", NULL);
	g_autoptr(GString) log = g_string_new(NULL), got = g_string_new(NULL);
	RecordPump *p = record_pump_new(path, MANY, NULL);
	say(log, "last\n");
	refuse(log, "00:02.0", 0x1000);
	Writer w = {.path = path, .log = log};
	g_thread_join(g_thread_new("writer", write_log, &w));
	gint64 until = g_get_monotonic_time() + 10 * G_USEC_PER_SEC;
	while (!strstr(got->str, "rejected\n") && g_get_monotonic_time() < until) {
		char buf[200];
		struct pollfd fd = {record_pump_fd(p), POLLIN, 0};
		poll(&fd, 1, 1000);
		ssize_t n = record_pump_read(p, buf, sizeof(buf));
		if (n > 0)
			g_string_append_len(got, buf, n);
	}
	assert_string_equal(got->str,
			    "last\n" Q
			    "00:02.0: Invalid read at addr 0x1000, size 4, region '(null)', "
			    "reason: rejected\n");
	record_pump_free(p);
	assert_true(kx_remove_tree(folder, NULL));
}

static void test_pump_without_a_place(void **state)
{
	g_autoptr(GError) e = NULL;
	assert_null(record_pump_new("/nowhere/record", MANY, &e));
	assert_non_null(strstr(e->message, "/nowhere/record"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_captured),
		cmocka_unit_test(test_cut_anywhere),
		cmocka_unit_test(test_between_lines),
		cmocka_unit_test(test_serial_registers),
		cmocka_unit_test(test_not_dma),
		cmocka_unit_test(test_flood),
		cmocka_unit_test(test_limit),
		cmocka_unit_test(test_hostile),
		cmocka_unit_test(test_pump),
		cmocka_unit_test(test_pump_live),
		cmocka_unit_test(test_pump_of_a_hung_machine),
		cmocka_unit_test(test_pump_without_a_place),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
