/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "iommu/line.h"

static const struct {
	const char *line, *text;
	gint64 time_us, seq;
	int level;
} lines[] = {
	{"plain words", "plain words", -1, -1, -1},
	{"[    1.234567] DMAR: x", "DMAR: x", 1234567, -1, -1},
	{"[12345.000001] DMAR: x\r", "DMAR: x", 12345000001, -1, -1},
	{"<3>[    1.234567] DMAR: x", "DMAR: x", 1234567, -1, 3},
	{"<30>[    1.234567] DMAR: x", "DMAR: x", 1234567, -1, 6},
	{"[    1.234567][   T12] DMAR: x", "DMAR: x", 1234567, -1, -1},
	{"[    1.234567] [    C0] DMAR: x", "DMAR: x", 1234567, -1, -1},
	{"3,123,456789,-;DMAR: x", "DMAR: x", 456789, 123, 3},
	{"30,123,456789,-,caller=T1;DMAR: x", "DMAR: x", 456789, 123, 6},
	{"[Sun Nov 22 14:35:12 2026] DMAR: x", "DMAR: x", -1, -1, -1},
	{"[Nov22 14:35] DMAR: x", "DMAR: x", -1, -1, -1},
	{"[  +0.000012] DMAR: x", "DMAR: x", -1, -1, -1},
	{"kern  :err   : [    1.234567] DMAR: x", "DMAR: x", 1234567, -1, -1},
	{"Nov 22 14:35:12 host kernel: DMAR: x", "DMAR: x", -1, -1, -1},
	{"Nov  2 14:35:12 my-host.lan kernel: [    1.234567] DMAR: x", "DMAR: x", 1234567, -1, -1},
	{"Nov 22 14:35:12.123456 host kernel[0]: [    1.234567] DMAR: x", "DMAR: x", 1234567, -1,
	 -1},
	{"2026-11-22T14:35:12+0000 host kernel: DMAR: x", "DMAR: x", -1, -1, -1},
	{"2026-11-22T14:35:12.123456+00:00 host kernel: [    1.234567] DMAR: x", "DMAR: x", 1234567,
	 -1, -1},
	{"2026-11-22T14:35:12.123456Z [    1.234567] DMAR: x", "DMAR: x", 1234567, -1, -1},
	{"2026-11-22T14:35:04.123456Z +0.734567 [    1.234567] DMAR: x", "DMAR: x", 1234567, -1,
	 -1},
	{"2026-11-22 14:35:12.123 [    1.234567] DMAR: x", "DMAR: x", 1234567, -1, -1},
	{"[2026-11-22 14:35:12] [    1.234567] DMAR: x", "DMAR: x", 1234567, -1, -1},
	{"14:35:12.123456 [    1.234567] DMAR: x", "DMAR: x", 1234567, -1, -1},
	{"[14:35:12] DMAR: x", "DMAR: x", -1, -1, -1},
	{"12.345678 [    1.234567] DMAR: x", "DMAR: x", 1234567, -1, -1},
	{"1795358112.123456 [    1.234567] DMAR: x", "DMAR: x", 1234567, -1, -1},
	{"[    1.234567] host kernel: DMAR: x", "DMAR: x", 1234567, -1, -1},
	{"\x1b[32m[    1.234567] \x1b[0m\x1b[33mDMAR: x", "DMAR: x", 1234567, -1, -1},
	{"\x1b[2J\x1b[01;01H[    1.234567] DMAR: x", "DMAR: x", 1234567, -1, -1},
	{"\xff\xfe\x01[    1.234567] DMAR: x", "DMAR: x", 1234567, -1, -1},
	{"67] DMAR: x", "67] DMAR: x", -1, -1, -1},
	{"[    1.23", "[    1.23", -1, -1, -1},
	{"[DMA Read] Request", "[DMA Read] Request", -1, -1, -1},
	{"[    1.234567]   device=00:00.1", "  device=00:00.1", 1234567, -1, -1},
	{"", "", -1, -1, -1},
	{"\r", "", -1, -1, -1},
};

static void test_prefixes(void **state)
{
	(void)state;
	for (size_t i = 0; i < G_N_ELEMENTS(lines); i++) {
		FaultLine l;
		fault_line_read(lines[i].line, strlen(lines[i].line), &l);
		if (l.len != strlen(lines[i].text) || memcmp(l.text, lines[i].text, l.len) != 0 ||
		    l.time_us != lines[i].time_us || l.seq != lines[i].seq ||
		    l.level != lines[i].level || l.echo || l.extra)
			fail_msg("'%s' gives '%.*s', time %lld, seq %lld, level %d", lines[i].line,
				 (int)l.len, l.text, (long long)l.time_us, (long long)l.seq,
				 l.level);
	}
}

static void test_echo_and_extra(void **state)
{
	(void)state;
	static const char *const echoes[] = {
		"kexsect: alive kx0", "[    1.234567] kexsect: DMAR:", "12,5,77,-;kexsect: x",
		"2026-11-22T14:35:12Z kexsect: kexec"};
	FaultLine l;
	for (size_t i = 0; i < G_N_ELEMENTS(echoes); i++) {
		fault_line_read(echoes[i], strlen(echoes[i]), &l);
		assert_true(l.echo);
	}
	fault_line_read(" SUBSYSTEM=pci", 14, &l);
	assert_true(l.extra);
	fault_line_read(" DEVICE=+pci:0000:00:02.0", 25, &l);
	assert_true(l.extra);
	fault_line_read(" domain=0x1", 11, &l);
	assert_false(l.extra);
}

static void test_clean(void **state)
{
	(void)state;
	g_autoptr(GString) scratch = g_string_new(NULL);
	static const char text[] = "[    1.234567] a\x1b[31mb\x1b[0mc\0d\te\x07";
	FaultLine l;
	fault_line_read(text, sizeof(text) - 1, &l);
	fault_line_clean(&l, scratch);
	assert_string_equal(scratch->str, "abc d\te ");
	static const char kmsg[] = "3,1,2,-;one\\x0atwo\\x09three\\x5cx";
	fault_line_read(kmsg, sizeof(kmsg) - 1, &l);
	fault_line_clean(&l, scratch);
	assert_string_equal(scratch->str, "one\ntwo\tthree\\x");
	static const char console[] = "one\\x0atwo";
	fault_line_read(console, sizeof(console) - 1, &l);
	fault_line_clean(&l, scratch);
	assert_string_equal(scratch->str, "one\\x0atwo");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_prefixes),
		cmocka_unit_test(test_echo_and_extra),
		cmocka_unit_test(test_clean),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
