/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Rewriting: the asked order and nothing else, there and back. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "base/error.h"
#include "initcall/image.h"
#include "initcall/order.h"
#include "made.h"

static GBytes *content(const char *path)
{
	char *text;
	gsize len;
	assert_true(g_file_get_contents(path, &text, &len, NULL));
	return g_bytes_new_take(text, len);
}

static void rewrite(const char *in, const char *map, const char *out, const char *const *moves,
		    const char *identity, const char *new_identity)
{
	GError *error = NULL;
	g_autoptr(InitcallOrder) o = initcall_order_read(in, map, &error);
	for (; o && *moves; moves++)
		assert_true(initcall_order_move(o, *moves, false, &error));
	const InitcallRewrite r = {in, map, out, identity, new_identity};
	bool ok = o && initcall_rewrite(&r, o, &error);
	if (!ok)
		fail_msg("%s", error->message);
	g_autoptr(InitcallOrder) again = initcall_order_read(out, map, &error);
	for (guint i = 0; i < o->calls->len; i++) {
		const Initcall *a = o->calls->pdata[i], *b = again->calls->pdata[i];
		assert_string_equal(a->function, b->function);
		assert_int_equal(a->address, b->address);
		assert_int_equal(a->level, b->level);
		/* a System.map of before the rewrite cannot tell two of one name apart */
		if (!map || !g_str_equal(a->function, "init"))
			assert_int_equal(g_strcmp0(a->module, b->module), 0);
		else
			assert_true(!a->module || !b->module || g_str_equal(a->module, b->module));
	}
}

static unsigned differing(GBytes *a, GBytes *b)
{
	const char *x = g_bytes_get_data(a, NULL), *y = g_bytes_get_data(b, NULL);
	unsigned n = 0;
	assert_int_equal(g_bytes_get_size(a), g_bytes_get_size(b));
	for (gsize i = 0; i < g_bytes_get_size(a); i++)
		n += x[i] != y[i];
	return n;
}

static const char *const there[] = {"serial8250_init=core", "pci_iommu_init=arch:first",
				    "iommu_init=late", NULL};
static const char *const back[] = {"iommu_init=core:first", "pci_iommu_init=rootfs:last",
				   "serial8250_init=device:last", NULL};

static void check_elf(MadeKernel m, bool by_map)
{
	m.calls = made_calls;
	g_autofree char *map = NULL;
	g_autoptr(GBytes) elf = made_kernel(&m, &map), text = g_bytes_new(map, strlen(map));
	g_autofree char *path = made_file("vmlinux", elf), *map_path = made_file("map", text);
	g_autofree char *out = made_file("out", NULL), *again = made_file("again", NULL);
	const char *symbols = by_map ? map_path : NULL;
	rewrite(path, symbols, out, there, NULL, NULL);
	g_autoptr(GBytes) moved = content(out);
	assert_true(differing(elf, moved) > 0);
	rewrite(out, symbols, again, back, NULL, NULL);
	g_autoptr(GBytes) same = content(again);
	assert_true(g_bytes_equal(same, elf));
}

static void test_elf(void **state)
{
	check_elf((MadeKernel){0}, false);
	check_elf((MadeKernel){.stripped = true}, true);
	check_elf((MadeKernel){.old_names = true, .pointers = true}, false);
	check_elf((MadeKernel){.arm64 = true}, false);
	check_elf((MadeKernel){.arm64 = true, .relocated = true}, false);
	check_elf((MadeKernel){.arm64 = true, .relocated = true, .pointers = true}, false);
}

static void test_identity(void **state)
{
	static const char *const none[] = {NULL};
	g_autoptr(GBytes) elf = made_kernel(&(MadeKernel){.calls = made_calls}, NULL);
	g_autofree char *path = made_file("vmlinux", elf), *out = made_file("out", NULL);
	rewrite(path, NULL, out, none, MADE_IDENTITY, "kxba9876543210");
	g_autoptr(GBytes) renamed = content(out);
	assert_int_equal(differing(elf, renamed), 12);
	g_autoptr(InitcallOrder) o = initcall_order_read(path, NULL, NULL);
	InitcallRewrite r = {path, NULL, out, "kx0000000000aa", "kxba9876543210"};
	g_autoptr(GError) error = NULL, error2 = NULL;
	assert_false(initcall_rewrite(&r, o, &error));
	assert_non_null(strstr(error->message, "does not hold"));
	r.identity = MADE_IDENTITY;
	r.new_identity = "short";
	assert_false(initcall_rewrite(&r, o, &error2));
	assert_non_null(strstr(error2->message, "not as long"));
}

static void test_other_kernel(void **state)
{
	MadeCall calls[32];
	guint n = 0;
	for (; made_calls[n].function; n++)
		calls[n] = made_calls[n];
	calls[n] = (MadeCall){0};
	g_autoptr(GBytes) a = made_kernel(&(MadeKernel){.calls = calls}, NULL);
	calls[n - 1].function = "another";
	g_autoptr(GBytes) b = made_kernel(&(MadeKernel){.calls = calls}, NULL);
	calls[n - 1] = (MadeCall){0};
	g_autoptr(GBytes) c = made_kernel(&(MadeKernel){.calls = calls}, NULL);
	g_autofree char *pa = made_file("a", a), *pb = made_file("b", b), *pc = made_file("c", c),
			*out = made_file("none", NULL);
	g_autoptr(InitcallOrder) o = initcall_order_read(pa, NULL, NULL);
	const char *const others[] = {pb, pc};
	for (guint i = 0; i < 2; i++) {
		g_autoptr(GError) error = NULL;
		assert_false(initcall_rewrite(&(InitcallRewrite){.in = others[i], .out = out}, o,
					      &error));
		assert_non_null(strstr(error->message, "not one of this kernel"));
	}
	assert_false(g_file_test(out, G_FILE_TEST_EXISTS));
}

/* An order whose early ones are others, which no move makes. */
static void test_early_kept(void **state)
{
	g_autoptr(GBytes) elf = made_kernel(&(MadeKernel){.calls = made_calls}, NULL);
	g_autofree char *path = made_file("vmlinux", elf), *out = made_file("none", NULL);
	g_autoptr(InitcallOrder) o = initcall_order_read(path, NULL, NULL);
	g_autoptr(GError) error = NULL;
	Initcall *first = o->calls->pdata[3], *second = o->calls->pdata[4];
	o->calls->pdata[3] = second;
	o->calls->pdata[4] = first;
	second->level = INITCALL_EARLY;
	first->level = INITCALL_PURE;
	assert_false(initcall_rewrite(&(InitcallRewrite){.in = path, .out = out}, o, &error));
	assert_int_equal(error->code, KX_ERROR_REFUSED);
}

/* ---- images ---- */

static void check_image(InitcallPacking packing, size_t room)
{
	char *map = NULL;
	g_autoptr(GBytes) elf =
		made_kernel(&(MadeKernel){.calls = made_calls, .stripped = true}, &map);
	g_autoptr(GBytes) image = made_image(elf, packing, room),
			  text = g_bytes_new_take(map, strlen(map));
	g_autofree char *path = made_file("bzImage", image), *map_path = made_file("map", text);
	g_autofree char *out = made_file("out", NULL), *again = made_file("again", NULL);
	rewrite(path, map_path, out, there, MADE_IDENTITY, "kxba9876543210");
	g_autoptr(GBytes) moved = content(out);
	assert_int_equal(g_bytes_get_size(moved), g_bytes_get_size(image));
	GError *error = NULL;
	g_autoptr(InitcallImage) opened = initcall_image_open(moved, "moved", &error);
	assert_non_null(opened);
	assert_int_equal(opened->packing, packing);
	assert_true(opened->checksum_at); /* and it is right */
	assert_null(memmem(g_bytes_get_data(moved, NULL), opened->setup_len, MADE_IDENTITY,
			   strlen(MADE_IDENTITY)));
	rewrite(out, map_path, again, back, "kxba9876543210", MADE_IDENTITY);
	g_autoptr(GBytes) undone = content(again);
	g_autoptr(InitcallImage) same = initcall_image_open(undone, "undone", &error);
	assert_true(g_bytes_equal(same->kernel, elf));
}

/* Room that is left is filled, whatever it is. */
static void test_images(void **state)
{
	for (size_t room = 32; room < 64; room += 3) {
		check_image(PACKING_GZIP, room);
		check_image(PACKING_LZ4, room);
	}
	for (size_t room = 40; room < 44; room += 3) {
		check_image(PACKING_XZ, room);
		check_image(PACKING_ZSTD, room);
	}
	check_image(PACKING_XZ, 3000);
	check_image(PACKING_GZIP, 40000);
}

static void test_no_room(void **state)
{
	g_autofree guint8 *noise = g_malloc(4096);
	guint32 x = 1;
	for (guint i = 0; i < 4096; i++) {
		x = x * 1664525 + 1013904223;
		noise[i] = (guint8)(x >> 24);
	}
	g_autoptr(GBytes) data = g_bytes_new(noise, 4096);
	for (int p = 0; p < PACKING_MAX; p++) {
		g_autoptr(GError) error = NULL;
		assert_null(initcall_pack((InitcallPacking)p, data, 3000, "x", &error));
		assert_int_equal(error->code, KX_ERROR_REFUSED);
	}
}

static void test_bad_image(void **state)
{
	g_autoptr(GBytes) elf = made_kernel(&(MadeKernel){.calls = made_calls}, NULL);
	g_autoptr(GBytes) image = made_image(elf, PACKING_GZIP, 0);
	gsize len;
	const guint8 *p = g_bytes_get_data(image, &len);
	static const struct {
		size_t at;
		guint8 value;
		const char *why;
	} cases[] = {
		{0x24b, 0xff, "cut off"},	 /* payload offset */
		{0x24f, 0xff, "cut off"},	 /* payload length */
		{0x207, 0x01, "no bzImage"},	 /* protocol version */
		{5 * 512 + 100, 0, "not known"}, /* magic number */
		{5 * 512 + 100 + 50, 0x77, "damaged"},
	};
	for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
		guint8 *copy = g_memdup2(p, len);
		copy[cases[i].at] ^= cases[i].value ? cases[i].value : 0xff;
		if (cases[i].at == 0x207)
			copy[cases[i].at] = cases[i].value;
		g_autoptr(GBytes) bad = g_bytes_new_take(copy, len);
		g_autoptr(GError) error = NULL;
		g_autoptr(InitcallImage) none = initcall_image_open(bad, "bad", &error);
		assert_null(none);
		if (!strstr(error->message, cases[i].why))
			fail_msg("%s: %s", cases[i].why, error->message);
	}
}

static int teardown(void **state)
{
	made_clean();
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_elf),	     cmocka_unit_test(test_identity),
		cmocka_unit_test(test_other_kernel), cmocka_unit_test(test_early_kept),
		cmocka_unit_test(test_images),	     cmocka_unit_test(test_no_room),
		cmocka_unit_test(test_bad_image),
	};
	return cmocka_run_group_tests(tests, NULL, teardown);
}
