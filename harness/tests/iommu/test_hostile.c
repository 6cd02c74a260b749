/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Input that nobody meant: the parser must neither fail nor grow, and still find what is whole. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/fs.h"
#include "base/json.h"
#include "iommu/fault.h"

#define VTD                                                                                        \
	"DMAR: [DMA Read NO_PASID] Request device [00:02.0] fault addr 0x1ffde000 "                \
	"[fault reason 0x06] PTE Read access is not set"

typedef struct {
	unsigned faults, records;
	uint64_t last_line;
} Seen;

static void see(const Fault *f, gpointer user)
{
	Seen *s = user;
	s->records++;
	s->faults += f->kind == FAULT_KIND_FAULT;
	s->last_line = f->line;
	assert_non_null(f->driver);
	assert_non_null(f->event);
	assert_non_null(f->raw);
	assert_non_null(f->signature);
	assert_true(strlen(f->raw) <= 2048);
	assert_true(f->line >= 1);
	g_autoptr(json_t) o = fault_to_json(f);
	char *text = json_dumps(o, 0); /* valid UTF-8, whatever was in the log */
	assert_non_null(text);
	free(text);
}

static Seen parse(const char *bytes, size_t len, size_t step)
{
	Seen s = {0};
	g_autoptr(FaultParser) p = fault_parser_new(see, &s);
	for (size_t at = 0; at < len; at += step)
		fault_parser_feed(p, bytes + at, MIN(step, len - at));
	fault_parser_finish(p);
	return s;
}

static void test_nuls_and_noise(void **state)
{
	(void)state;
	static const char text[] =
		"\0\0\0\n\xff\xfe\n[    1.000000] " VTD "\0\0\n\0[    2.000000] " VTD "\n"
		"\x1b[0m\x1b[\n" VTD; /* no last newline */
	Seen s = parse(text, sizeof(text) - 1, 7);
	assert_int_equal(s.faults, 3);
	assert_int_equal(s.last_line, 6);
	assert_int_equal(parse("", 0, 1).records, 0);
	assert_int_equal(parse("\n\n\n", 3, 1).records, 0);
}

static void test_huge_line(void **state)
{
	(void)state;
	g_autoptr(GString) log = g_string_new("first\n");
	for (int i = 0; i < 5 * 1024 * 1024; i++)
		g_string_append_c(log, (char)('a' + i % 26));
	g_string_append(log, " " VTD " ");
	for (int i = 0; i < 1024 * 1024; i++)
		g_string_append_c(log, 'z');
	g_string_append(log, "\n[    3.000000] " VTD "\n");
	/* In one piece, and in pieces where the line is longer than what is kept of it. */
	Seen s = parse(log->str, log->len, log->len);
	assert_int_equal(s.faults, 2);
	assert_int_equal(s.last_line, 3);
	s = parse(log->str, log->len, 4096);
	assert_int_equal(s.faults, 2);
	assert_int_equal(s.last_line, 3);
}

static void test_glued_lines(void **state)
{
	(void)state;
	/* A lost newline must not hide the second fault. */
	static const char text[] = "[    1.000000] " VTD "[    1.000100] " VTD "\n";
	assert_int_equal(parse(text, sizeof(text) - 1, sizeof(text)).faults, 2);
}

static void test_flood_of_openings(void **state)
{
	(void)state;
	g_autoptr(GString) log = g_string_new(NULL);
	for (int i = 0; i < 20000; i++)
		g_string_append(
			log, i & 1 ? "AMD-Vi: Event logged [\n"
				   : "DMAR:[DMA Read] Request device [01:00.0] fault addr 1000 \n");
	Seen s = parse(log->str, log->len, 1000);
	assert_int_equal(s.faults, 20000);
}

/* Real logs, damaged at random. The seed is fixed: a failure can be repeated. */
static void test_damaged(void **state)
{
	(void)state;
	g_autoptr(GRand) rand = g_rand_new_with_seed(20261122);
	g_autoptr(GString) all = g_string_new(NULL);
	g_autoptr(GDir) dir = g_dir_open(TEST_DATA "/cases", 0, NULL);
	const char *name;
	while ((name = g_dir_read_name(dir))) {
		if (!g_str_has_suffix(name, ".log"))
			continue;
		g_autofree char *path = g_build_filename(TEST_DATA "/cases", name, NULL);
		g_autofree char *text = kx_read_file(path, 1 << 20, NULL, NULL);
		g_string_append(all, text);
	}
	unsigned total = 0;
	for (int round = 0; round < 400; round++) {
		g_autofree char *copy = g_memdup2(all->str, all->len);
		int hits = g_rand_int_range(rand, 0, 400);
		for (int i = 0; i < hits; i++) {
			size_t at = (size_t)g_rand_int_range(rand, 0, (gint32)all->len);
			switch (g_rand_int_range(rand, 0, 4)) {
			case 0:
				copy[at] = (char)g_rand_int_range(rand, 0, 256);
				break;
			case 1:
				copy[at] = '\n';
				break;
			case 2:
				copy[at] = '[';
				break;
			default: {
				size_t from = (size_t)g_rand_int_range(rand, 0, (gint32)all->len);
				size_t n = (size_t)g_rand_int_range(rand, 1, 200);
				n = MIN(n, all->len - MAX(at, from));
				memmove(copy + at, all->str + from, n);
			}
			}
		}
		total += parse(copy, all->len, (size_t)g_rand_int_range(rand, 1, 5000)).records;
	}
	assert_true(total > 400);
}

static void test_random_bytes(void **state)
{
	(void)state;
	g_autoptr(GRand) rand = g_rand_new_with_seed(7);
	g_autofree char *bytes = g_malloc(1 << 20);
	for (int round = 0; round < 8; round++) {
		for (int i = 0; i < 1 << 20; i++)
			bytes[i] = (char)g_rand_int(rand);
		assert_int_equal(parse(bytes, 1 << 20, 65536).records, 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_nuls_and_noise), cmocka_unit_test(test_huge_line),
		cmocka_unit_test(test_glued_lines),    cmocka_unit_test(test_flood_of_openings),
		cmocka_unit_test(test_damaged),	       cmocka_unit_test(test_random_bytes),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
