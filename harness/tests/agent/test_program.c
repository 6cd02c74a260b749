/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <elf.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "base/fs.h"
#include "base/proc.h"

/* It is alone in its initramfs, and must not touch a machine where somebody starts it by mistake.
 */
static void test_does_nothing_elsewhere(void **state)
{
	const char *argv[] = {AGENT, NULL};
	g_auto(KxProcResult) r = {0};
	assert_true(kx_proc_run(&(KxProc){.argv = argv, .timeout_s = 10}, &r, NULL));
	assert_int_equal(r.status, 2);
	assert_non_null(strstr(r.err, "first program"));
}

static void test_is_static_and_small(void **state)
{
	gsize len;
	g_autofree char *data = kx_read_file(AGENT, 64 << 20, &len, NULL);
	assert_non_null(data);
	assert_true(len < 2 << 20);
	Elf64_Ehdr header;
	assert_true(len > sizeof(header));
	memcpy(&header, data, sizeof(header));
	for (int i = 0; i < header.e_phnum; i++) {
		Elf64_Phdr part;
		memcpy(&part, data + header.e_phoff + (gsize)i * header.e_phentsize, sizeof(part));
		assert_int_not_equal(part.p_type, PT_INTERP);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_does_nothing_elsewhere),
		cmocka_unit_test(test_is_static_and_small),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
