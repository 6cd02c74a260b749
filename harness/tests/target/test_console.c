/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>
#include <glib/gstdio.h>

#include "base/fs.h"
#include "target/console/bounded.h"
#include "target/console/console.h"
#include "target/kmsg.h"

static char *folder;

static int make_folder(void **state)
{
	folder = g_dir_make_tmp("kexsect-console-XXXXXX", NULL);
	return folder ? 0 : -1;
}

static int remove_folder(void **state)
{
	kx_remove_tree(folder, NULL);
	g_free(folder);
	return 0;
}

static char *content(const char *name)
{
	g_autofree char *path = g_build_filename(folder, name, NULL);
	return kx_read_file(path, 256u << 20, NULL, NULL);
}

static void feed(Console *c, const char *text, gint64 us)
{
	console_feed(c, text, strlen(text), us);
}

static void collect(const char *line, gint64 us, gpointer user)
{
	g_string_append_printf(user, "%" G_GINT64_FORMAT ":%s|", us, line);
}

static void test_lines_and_times(void **state)
{
	g_autoptr(GString) lines = g_string_new(NULL);
	g_autofree char *text = NULL;
	Console *c = console_new(folder, BOUNDED_KEEP, 1000000, collect, lines, NULL);
	assert_non_null(c);
	feed(c, "launcher\r\n[    0.00", 1500000);
	console_mark_variant(c);
	feed(c, "0000] Linux ver", 1600000);
	feed(c, "sion\r\n\r\nsecond\nunfinished", 1700000);
	assert_string_equal(lines->str, "1500000:launcher|1500000:[    0.000000] Linux version|"
					"1700000:|1700000:second|");
	assert_true(console_finish(c, &text, NULL));
	assert_string_equal(text, "[    0.000000] Linux version\n\nsecond\nunfinished\n");
	g_autofree char *raw = content("console.raw");
	assert_string_equal(raw,
			    "launcher\r\n[    0.000000] Linux version\r\n\r\nsecond\nunfinished");
	g_autofree char *log = content("console.log");
	assert_true(g_regex_match_simple("^\\d{4}-\\d\\d-\\d\\dT\\d\\d:\\d\\d:\\d\\d\\.\\d{6}Z "
					 "\\+0\\.500000 launcher\n"
					 "\\S+ \\+0\\.500000 \\[    0\\.000000\\] Linux version\n"
					 "\\S+ \\+0\\.700000 \n",
					 log, 0, 0));
}

/* What a hung kernel says to an NMI is kept, but is no evidence about the variant. */
static void test_end_of_variant(void **state)
{
	g_autofree char *text = NULL;
	Console *c = console_new(folder, BOUNDED_KEEP, 0, NULL, NULL, NULL);
	console_mark_variant(c);
	feed(c, "last\nhalf a li", 1);
	console_end_variant(c, "NMI sent", 2);
	feed(c, "Kernel panic\n", 3);
	assert_true(console_finish(c, &text, NULL));
	assert_string_equal(text, "last\nhalf a li\n");
	g_autofree char *log = content("console.log");
	assert_non_null(strstr(log, "[kexsect: NMI sent]\n"));
	assert_non_null(strstr(log, "Kernel panic\n"));
}

/* NUL bytes, lines without an end, invalid UTF-8. */
static void test_binary(void **state)
{
	g_autofree char *text = NULL;
	g_autoptr(GString) lines = g_string_new(NULL);
	Console *c = console_new(folder, BOUNDED_KEEP, 0, collect, lines, NULL);
	console_mark_variant(c);
	console_feed(c, "a\0b\xff\n", 5, 1);
	assert_string_equal(lines->str, "1:ab\xff|");
	g_autofree char *endless = g_strnfill(100000, 'x');
	feed(c, endless, 2);
	assert_int_equal(console_bytes(c), 100005);
	assert_true(console_finish(c, &text, NULL));
	gsize xs = 0;
	for (const char *at = text; *at; at++)
		xs += *at == 'x';
	assert_int_equal(xs, 100000);
}

/* 100 MB of noise with a first and a last line that matter. */
static void test_noise(void **state)
{
	g_autofree char *text = NULL, *noise = g_strnfill(1000000, 'n');
	for (gsize i = 79; i < 1000000; i += 80)
		noise[i] = '\n';
	Console *c = console_new(folder, BOUNDED_KEEP, 0, NULL, NULL, NULL);
	console_mark_variant(c);
	feed(c, "the first line\n", 1);
	for (int i = 0; i < 100; i++)
		console_feed(c, noise, 1000000, 2);
	feed(c, "the last line\n", 3);
	guint64 dropped = console_dropped(c);
	assert_true(dropped > (100000000u - 2 * BOUNDED_KEEP - (1u << 20)));
	assert_true(console_finish(c, &text, NULL));
	g_autofree char *gap =
		g_strdup_printf("[kexsect: %" G_GUINT64_FORMAT " bytes dropped here]", dropped);
	const char *const names[] = {"console.raw", "console.log"};
	for (gsize i = 0; i < G_N_ELEMENTS(names); i++) {
		g_autofree char *kept = content(names[i]);
		assert_non_null(kept);
		assert_true(strlen(kept) < 2 * BOUNDED_KEEP + (1u << 20));
		assert_non_null(strstr(kept, "the first line\n"));
		assert_true(g_str_has_suffix(kept, "the last line\n"));
		assert_non_null(strstr(kept, " bytes dropped here]\n"));
	}
	g_autofree char *raw = content("console.raw");
	assert_non_null(strstr(raw, gap));
	assert_true(strlen(text) < 2 * BOUNDED_KEEP + (1u << 20));
	assert_true(g_str_has_suffix(text, "the last line\n"));
}

static void test_bounded_keeps_what_fits(void **state)
{
	g_autofree char *text = NULL;
	Bounded *b = bounded_new(NULL, 8, NULL);
	bounded_add(b, "0123456789", 10);
	bounded_add(b, "abcdef", 6);
	assert_int_equal(bounded_dropped(b), 0);
	assert_true(bounded_finish(b, &text, NULL));
	assert_string_equal(text, "0123456789abcdef");
}

static void test_disk_that_cannot_be_written(void **state)
{
	g_autoptr(GError) e = NULL;
	if (!g_file_test("/dev/full", G_FILE_TEST_EXISTS))
		skip();
	Bounded *b = bounded_new("/dev/full", 1 << 20, NULL);
	bounded_add(b, "text", 4);
	assert_false(bounded_finish(b, NULL, &e));
	assert_non_null(strstr(e->message, "/dev/full"));
	assert_null(console_new("/nowhere", 10, 0, NULL, NULL, NULL));
}

/* What a kernel under test sends as its tables must stay inside the folder. */
static void test_kmsg_and_tables(void **state)
{
	g_autofree char *text = NULL;
	Kmsg *k = kmsg_new(folder);
	kmsg_add(k, "6,1,2,-;first\n", 14);
	kmsg_add(k, "6,2,3,-;no newline", 18);
	kmsg_add_table(k, "DMAR\0table", 10);
	kmsg_add_table(k, "../evil\0table", 13);
	kmsg_add_table(k, "NOEND", 5);
	kmsg_add_table(k, "\0x", 2);
	assert_true(kmsg_finish(k, &text, NULL));
	assert_string_equal(text, "6,1,2,-;first\n6,2,3,-;no newline\n");
	g_autofree char *kept = content("kmsg.log"), *table = content("acpi/DMAR.aml");
	assert_string_equal(kept, text);
	assert_string_equal(table, "table");
	g_autofree char *acpi = g_build_filename(folder, "acpi", NULL);
	g_autoptr(GDir) dir = g_dir_open(acpi, 0, NULL);
	assert_string_equal(g_dir_read_name(dir), "DMAR.aml");
	assert_null(g_dir_read_name(dir));
}

int main(void)
{
	g_log_set_writer_func(g_log_writer_standard_streams, NULL, NULL);
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_lines_and_times, make_folder, remove_folder),
		cmocka_unit_test_setup_teardown(test_end_of_variant, make_folder, remove_folder),
		cmocka_unit_test_setup_teardown(test_binary, make_folder, remove_folder),
		cmocka_unit_test_setup_teardown(test_noise, make_folder, remove_folder),
		cmocka_unit_test(test_bounded_keeps_what_fits),
		cmocka_unit_test(test_disk_that_cannot_be_written),
		cmocka_unit_test_setup_teardown(test_kmsg_and_tables, make_folder, remove_folder),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
