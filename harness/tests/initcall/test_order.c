/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Reading, changing and comparing orders. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "base/error.h"
#include "base/json.h"
#include "initcall/order.h"
#include "initcall/symbols.h"
#include "made.h"

/* ---- names ---- */

static void test_names(void **state)
{
	static const struct {
		const char *name, *function, *module;
		unsigned line;
		InitcallLevel level;
	} cases[] = {
		{"__initcall_pci_slot_init4", "pci_slot_init", NULL, 0, INITCALL_SUBSYS},
		{"__initcall_init_per_zone_wmark_min2s", "init_per_zone_wmark_min", NULL, 0,
		 INITCALL_POSTCORE_SYNC},
		{"__initcall_md56", "md5", NULL, 0, INITCALL_DEVICE},
		{"__initcall_sha1_s6", "sha1_s", NULL, 0, INITCALL_DEVICE},
		{"__initcall_spawn_early", "spawn_", NULL, 0, INITCALL_EARLY},
		{"__initcall_con_init", "con_init", NULL, 0, INITCALL_LEVEL_INVALID},
		{"__initcall_pci_iommu_initrootfs", "pci_iommu_init", NULL, 0, INITCALL_ROOTFS},
		{"__initcall__kmod_core__294_2229_init_hw_perf_eventsearly", "init_hw_perf_events",
		 "core", 2229, INITCALL_EARLY},
		{"__initcall__kmod_sha1_x86__1_2_m__3_4_f7s", "m__3_4_f", "sha1_x86", 2,
		 INITCALL_LATE_SYNC},
		{"__initcall__kmod_8250__240_690_univ8250_console_initcon", "univ8250_console_init",
		 "8250", 690, INITCALL_CONSOLE},
		{"__initstub__kmod_iommu__311_2575_iommu_init1", "iommu_init", "iommu", 2575,
		 INITCALL_CORE},
	};
	for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
		InitcallEntrySymbol s;
		assert_true(initcall_symbol_parse(cases[i].name, &s));
		assert_string_equal(s.function, cases[i].function);
		if (cases[i].module)
			assert_string_equal(s.module, cases[i].module);
		else
			assert_null(s.module);
		assert_int_equal(s.line, cases[i].line);
		assert_int_equal(s.level, cases[i].level);
		g_free(s.function);
		g_free(s.module);
	}
	InitcallEntrySymbol none;
	assert_false(initcall_symbol_parse("initcall_levels", &none));
	assert_false(initcall_symbol_parse("__initcall_", &none));
}

static void test_levels(void **state)
{
	assert_int_equal(initcall_level_parse("arch", -1), INITCALL_ARCH);
	assert_int_equal(initcall_level_parse("arch_initcall", -1), INITCALL_ARCH);
	assert_int_equal(initcall_level_parse("arch_initcall_sync", -1), INITCALL_ARCH_SYNC);
	assert_int_equal(initcall_level_parse("3s", -1), INITCALL_ARCH_SYNC);
	assert_int_equal(initcall_level_parse("7x", 1), INITCALL_LATE);
	assert_int_equal(initcall_level_parse("8", -1), INITCALL_LEVEL_INVALID);
	assert_int_equal(initcall_level_parse("", -1), INITCALL_LEVEL_INVALID);
	for (int i = 0; i < INITCALL_LEVEL_MAX; i++)
		assert_int_equal(initcall_level_parse(initcall_level_name((InitcallLevel)i), -1),
				 i);
}

/* ---- reading ---- */

static InitcallOrder *read_made(const MadeKernel *m, bool by_map)
{
	g_autofree char *map = NULL;
	g_autoptr(GBytes) elf = made_kernel(m, &map), text = NULL;
	text = g_bytes_new(map, strlen(map));
	g_autofree char *path = made_file("vmlinux", elf), *map_path = made_file("map", text);
	GError *error = NULL;
	InitcallOrder *o = initcall_order_read(path, by_map ? map_path : NULL, &error);
	if (error)
		print_error("%s\n", error->message);
	assert_non_null(o);
	return o;
}

/* All that is made is read again, in all the forms that there are. */
static void check_made(MadeKernel m, bool by_map)
{
	m.calls = made_calls;
	g_autoptr(InitcallOrder) o = read_made(&m, by_map);
	assert_int_equal(o->is_arm64, m.arm64);
	guint n = 0;
	for (; made_calls[n].function; n++) {
		const MadeCall *made = &made_calls[n];
		const Initcall *c = o->calls->pdata[n];
		assert_string_equal(c->function, made->function);
		assert_int_equal(c->level, initcall_level_parse(made->level, -1));
		/* two have one name: the old form does not tell them apart */
		if (m.old_names) {
			assert_null(c->module);
			assert_int_equal(c->line, 0);
		} else {
			assert_string_equal(c->module, made->module);
			assert_int_equal(c->line, made->line);
		}
		g_autofree char *file = g_strdup_printf("%s.c", made->module);
		if (by_map || m.kallsyms)
			assert_null(c->file);
		else
			assert_string_equal(c->file, file);
	}
	assert_int_equal(o->calls->len, n);
}

static void test_read(void **state)
{
	check_made((MadeKernel){0}, false);
	check_made((MadeKernel){.stripped = true}, true);
	check_made((MadeKernel){.old_names = true}, false);
	check_made((MadeKernel){.old_names = true, .pointers = true}, false);
	check_made((MadeKernel){.old_names = true, .pointers = true, .no_levels = true}, false);
	check_made((MadeKernel){.arm64 = true}, false);
	check_made((MadeKernel){.stripped = true, .kallsyms = 1}, false);
	check_made((MadeKernel){.stripped = true, .kallsyms = 2}, false);
	check_made((MadeKernel){.arm64 = true, .relocated = true}, false);
	check_made((MadeKernel){.arm64 = true, .relocated = true, .pointers = true}, true);
}

static void test_json(void **state)
{
	g_autoptr(InitcallOrder) o = read_made(&(MadeKernel){.calls = made_calls}, false);
	g_autoptr(json_t) j = initcall_order_json(o);
	json_t *one = json_array_get(json_object_get(j, "initcalls"), 6);
	assert_string_equal(kx_json_str(one, "level"), "core");
	assert_string_equal(kx_json_str(one, "function"), "iommu_init");
	assert_string_equal(kx_json_str(one, "module"), "iommu");
	assert_string_equal(kx_json_str(one, "address"), "0xffffffff81000160");
	assert_string_equal(kx_json_str(one, "file"), "iommu.c");
	assert_int_equal(kx_json_int(one, "line", 0), 2575);
}

static void refused(GBytes *elf, const char *map, const char *why)
{
	g_autofree char *path = made_file("bad", elf);
	g_autoptr(GError) error = NULL;
	assert_null(initcall_order_read(path, map, &error));
	if (!strstr(error->message, why))
		fail_msg("'%s' instead of '%s'", error->message, why);
}

static GBytes *changed(GBytes *b, size_t at, uint64_t value, size_t bytes)
{
	gsize n;
	guint8 *copy = g_memdup2(g_bytes_get_data(b, NULL), g_bytes_get_size(b));
	n = g_bytes_get_size(b);
	assert_true(at + bytes <= n);
	memcpy(copy + at, &value, bytes);
	return g_bytes_new_take(copy, n);
}

static void refuse_changed(GBytes *b, size_t at, uint64_t value, size_t bytes, const char *why)
{
	g_autoptr(GBytes) bad = changed(b, at, value, bytes);
	refused(bad, NULL, why);
}

static void test_hostile(void **state)
{
	const MadeKernel m = {.calls = made_calls},
			 stripped = {.calls = made_calls, .stripped = true};
	g_autoptr(GBytes) good = made_kernel(&m, NULL), bare = made_kernel(&stripped, NULL);
	Elf64_Ehdr h;
	memcpy(&h, g_bytes_get_data(good, NULL), sizeof(h));
	size_t shdr = sizeof(Elf64_Shdr), size = g_bytes_get_size(good);
	size_t code = h.e_shoff + shdr, symtab = h.e_shoff + 3 * shdr;
	size_t phdr = h.e_phoff;

	refused(bare, NULL, "no symbols");
	refuse_changed(good, 0, 0, 1, "no ELF file");
	refuse_changed(good, offsetof(Elf64_Ehdr, e_machine), EM_386, 2, "x86-64");
	refuse_changed(good, offsetof(Elf64_Ehdr, e_type), ET_REL, 2, "not linked");
	refuse_changed(good, offsetof(Elf64_Ehdr, e_phnum), 0xfff0, 2, "program headers");
	refuse_changed(good, offsetof(Elf64_Ehdr, e_shnum), 0xfff0, 2, "section headers");
	refuse_changed(good, phdr + offsetof(Elf64_Phdr, p_filesz), UINT64_MAX, 8, "cut off");
	refuse_changed(good, phdr + offsetof(Elf64_Phdr, p_vaddr), UINT64_MAX - 5, 8, "cut off");
	refuse_changed(good, code + offsetof(Elf64_Shdr, sh_size), size, 8, "cut off");
	refuse_changed(good, symtab + offsetof(Elf64_Shdr, sh_offset), 0x108, 8, "overlap");
	refuse_changed(good, symtab + offsetof(Elf64_Shdr, sh_entsize), 1, 8, "symbol table");
	refuse_changed(good, symtab + offsetof(Elf64_Shdr, sh_link), 77, 4, "symbol table");
	for (size_t cut = 1; cut < size; cut += 97) {
		g_autoptr(GBytes) part = g_bytes_new_from_bytes(good, 0, cut);
		refused(part, NULL, "");
	}
	g_autofree char *empty = NULL;
	g_autoptr(GBytes) stub = g_bytes_new_static("ffffffffffffffff B The real one\n", 33 - 1);
	empty = made_file("stub", stub);
	refused(bare, empty, "stub");
}

/* ---- moves ---- */

static gint64 place(const InitcallOrder *o, const char *function)
{
	for (guint i = 0; i < o->calls->len; i++)
		if (g_str_equal(((Initcall *)o->calls->pdata[i])->function, function))
			return i;
	return -1;
}

static void test_move(void **state)
{
	g_autoptr(InitcallOrder) o = read_made(&(MadeKernel){.calls = made_calls}, false);
	GError *error = NULL;
	/* to the end of the level, before its sync part */
	assert_true(initcall_order_move(o, "serial8250_init=core", false, &error));
	assert_int_equal(place(o, "serial8250_init"), place(o, "wq_sysfs_init") + 1);
	assert_int_equal(place(o, "serial8250_init"), place(o, "xen_late") - 1);
	assert_true(initcall_order_move(o, "iommu_init=arch_initcall:before pci_arch_init", false,
					&error));
	assert_int_equal(place(o, "iommu_init"), place(o, "pci_arch_init") - 1);
	assert_true(initcall_order_move(o, "iommu_init=3:after pci_arch_init", false, &error));
	assert_int_equal(place(o, "iommu_init"), place(o, "pci_arch_init") + 1);
	assert_true(initcall_order_move(o, "acpi_init=late:first", false, &error));
	assert_int_equal(place(o, "acpi_init"), place(o, "deferred_probe_initcall") - 1);
	/* into a level that has none */
	assert_true(initcall_order_move(o, "acpi_init=2s", false, &error));
	assert_int_equal(place(o, "acpi_init"), place(o, "irq_sysfs_init") + 1);
	assert_true(initcall_order_move(o, "init@beta=arch", false, &error));
	assert_true(initcall_order_move(o, "cpu_stop_init=early:last", true, &error));
	assert_int_equal(place(o, "cpu_stop_init"), 3);
	assert_null(error);
}

static void test_move_refused(void **state)
{
	static const struct {
		const char *move, *why;
	} cases[] = {
		{"nobody=arch", "no initcall 'nobody'"},
		{"init=arch", "2 initcalls"},
		{"iommu_init", "is no move"},
		{"=arch", "is no move"},
		{"iommu_init=march", "no level"},
		{"iommu_init=arch:over pci_arch_init", "no place"},
		{"iommu_init=arch:before acpi_init", "not in arch but in subsys"},
		{"cpu_stop_init=early:last", "--force"},
		{"con_init=console:last", "--force"},
		{"cpu_stop_init=arch", "constant in the kernel's code"},
		{"iommu_init=early", "constant in the kernel's code"},
		{"iommu_init=console", "table of its own"},
	};
	g_autoptr(InitcallOrder) o = read_made(&(MadeKernel){.calls = made_calls}, false);
	g_autofree char *before = initcall_order_text(o);
	for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
		g_autoptr(GError) error = NULL;
		assert_false(initcall_order_move(o, cases[i].move, false, &error));
		if (!strstr(error->message, cases[i].why))
			fail_msg("%s: '%s'", cases[i].move, error->message);
	}
	g_autofree char *after = initcall_order_text(o);
	assert_string_equal(before, after);
}

/* ---- whole orders ---- */

static bool arrange(InitcallOrder *o, const char *text, bool force, GError **error)
{
	g_autoptr(GBytes) b = g_bytes_new(text, strlen(text));
	g_autofree char *path = made_file("order", b);
	return initcall_order_arrange(o, path, force, error);
}

static void test_arrange(void **state)
{
	g_autoptr(InitcallOrder) o = read_made(&(MadeKernel){.calls = made_calls}, false);
	g_autoptr(InitcallOrder) again = read_made(&(MadeKernel){.calls = made_calls}, false);
	GError *error = NULL;
	assert_true(initcall_order_move(o, "serial8250_init=core", false, &error));
	assert_true(initcall_order_move(o, "init@alpha=fs:first", false, &error));
	g_autofree char *text = initcall_order_text(o);
	assert_true(arrange(again, text, false, &error));
	g_autofree char *same = initcall_order_text(again);
	assert_string_equal(same, text);

	g_autoptr(InitcallOrder) third = read_made(&(MadeKernel){.calls = made_calls}, false);
	g_autoptr(json_t) j = initcall_order_json(o);
	g_autofree char *json = json_dumps(j, 0);
	assert_true(arrange(third, json, false, &error));
	g_autofree char *as_json = initcall_order_text(third);
	assert_string_equal(as_json, text);

	/* the special ones may be left out */
	const char *rest = strstr(text, "pure");
	assert_true(arrange(again, rest, false, &error));
	g_autofree char *still = initcall_order_text(again);
	assert_string_equal(still, text);
	assert_null(error);
}

static void test_arrange_refused(void **state)
{
	g_autoptr(InitcallOrder) o = read_made(&(MadeKernel){.calls = made_calls}, false);
	g_autofree char *text = initcall_order_text(o);
	const struct {
		const char *find, *replace, *why;
	} cases[] = {
		{"core          iommu_init@iommu", "# ", "iommu_init (core) is missing"},
		{"core          iommu_init@iommu", "late          iommu_init@iommu",
		 "comes after late"},
		{"iommu_init@iommu", "nobody", "no initcall 'nobody'"},
		{"wq_sysfs_init@workqueue", "iommu_init@iommu       ", "named twice"},
		{"core          iommu_init@iommu", "corr          iommu_init@iommu", "no level"},
		{"early         cpu_stop_init@stop_machine", "# ", "only some of the early"},
		{"early         cpu_stop_init@stop_machine",
		 "pure          cpu_stop_init@stop_machine", "constant in the kernel's code"},
	};
	for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
		g_autoptr(GString) s = g_string_new(text);
		g_autoptr(GError) error = NULL;
		assert_int_equal(g_string_replace(s, cases[i].find, cases[i].replace, 1), 1);
		assert_false(arrange(o, s->str, false, &error));
		if (!strstr(error->message, cases[i].why))
			fail_msg("%s: '%s'", cases[i].why, error->message);
	}
	g_autoptr(GError) error = NULL;
	assert_true(initcall_order_move(o, "cpu_stop_init=early:last", true, NULL));
	g_autofree char *other = initcall_order_text(o);
	g_autoptr(InitcallOrder) fresh = read_made(&(MadeKernel){.calls = made_calls}, false);
	assert_false(arrange(fresh, other, false, &error));
	assert_non_null(strstr(error->message, "--force"));
	assert_true(arrange(fresh, other, true, NULL));
}

/* ---- comparing ---- */

static void test_compare(void **state)
{
	g_autoptr(InitcallOrder) a = read_made(&(MadeKernel){.calls = made_calls}, false);
	g_autoptr(InitcallOrder) b = read_made(&(MadeKernel){.calls = made_calls}, false);
	g_autoptr(GPtrArray) none = initcall_order_compare(a, b);
	assert_int_equal(none->len, 0);
	assert_true(initcall_order_move(b, "acpi_init=subsys:last", false, NULL));
	assert_true(initcall_order_move(b, "serial8250_init=arch", false, NULL));
	g_ptr_array_remove_index(b->calls, (guint)place(b, "iommu_init"));
	g_autoptr(GPtrArray) changes = initcall_order_compare(a, b);
	assert_int_equal(changes->len, 3);
	const InitcallChange *gone = changes->pdata[0], *up = changes->pdata[1],
			     *down = changes->pdata[2];
	assert_int_equal(gone->kind, INITCALL_GONE);
	assert_string_equal(gone->from->function, "iommu_init");
	/* two went past acpi_init or it went past two: the fewer moves */
	assert_string_equal(down->to->function, "acpi_init");
	assert_int_equal(down->past->len, 2);
	assert_string_equal(down->after->function, "init");
	assert_null(down->before);
	assert_string_equal(up->to->function, "serial8250_init");
	assert_int_equal(up->from->level, INITCALL_DEVICE);
	assert_int_equal(up->to->level, INITCALL_ARCH);
	assert_int_equal(up->past->len, 0);
	g_autofree char *text = initcall_changes_text(changes);
	assert_non_null(strstr(text, "device → arch, after pci_arch_init"));
	g_autoptr(json_t) j = initcall_changes_json(changes);
	assert_int_equal(json_array_size(json_object_get(j, "changes")), 3);
}

static int teardown(void **state)
{
	made_clean();
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_levels),
		cmocka_unit_test(test_read),
		cmocka_unit_test(test_json),
		cmocka_unit_test(test_hostile),
		cmocka_unit_test(test_move),
		cmocka_unit_test(test_move_refused),
		cmocka_unit_test(test_arrange),
		cmocka_unit_test(test_arrange_refused),
		cmocka_unit_test(test_compare),
	};
	return cmocka_run_group_tests(tests, NULL, teardown);
}
