/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Each outcome, from real consoles (logs/) that are damaged on purpose. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "base/fs.h"
#include "base/json.h"
#include "oracle/oracle.h"

#define IDENTITY "kx3f2a5b6c7d8e"
#define FROM "DMAR: dmar0: Using Queued invalidation"
#define TO "DMAR: Intel(R) Virtualization Technology for Directed I/O"
#define ALIVE "kexsect: alive " IDENTITY "\n"
#define FAULT_LINE(time, device, address)                                                          \
	"[    " time "] DMAR: [DMA Read NO_PASID] Request device [" device "] fault addr " address \
	" [fault reason 0x06] PTE Read access is not set\n"

static char *faulty, *cured;

static OracleConfig config_of(void)
{
	return (OracleConfig){
		.name = (char *)"test",
		.window_from = (char *)"^DMAR: dmar\\d+: Using .* invalidation",
		.window_to =
			(char *)"^DMAR: Intel\\(R\\) Virtualization Technology for Directed I/O",
	};
}

static OracleResult *judge(const char *console, OracleEnd end, const OracleConfig *config)
{
	OracleInput in = {
		.console = console,
		.console_len = strlen(console),
		.identity = IDENTITY,
		.end = end,
	};
	return oracle_judge(&in, config);
}

static void expect(const OracleResult *r, Outcome outcome, const char *in_reason)
{
	if (r->outcome != outcome || !strstr(r->reason, in_reason))
		fail_msg("got %s: '%s'; expected %s: '…%s…'", outcome_name(r->outcome), r->reason,
			 outcome_name(outcome), in_reason);
}

/* The text with the first `old` replaced. */
static char *with(const char *text, const char *old, const char *new)
{
	const char *at = strstr(text, old);
	assert_non_null(at);
	return g_strdup_printf("%.*s%s%s", (int)(at - text), text, new, at + strlen(old));
}

/* The text up to where `mark` last stands. */
static char *until(const char *text, const char *mark)
{
	const char *at = g_strrstr(text, mark);
	assert_non_null(at);
	return g_strndup(text, (gsize)(at - text));
}

static void test_fault(void **state)
{
	(void)state;
	OracleConfig c = config_of();
	g_autoptr(OracleResult) r = judge(faulty, ORACLE_END_SETTLED, &c);
	expect(r, OUTCOME_FAULT,
	       "3 faults in the window (0000:00:02.0 read 0x1ffde000: Present bit");
	assert_int_equal(r->measures.faults, 3);
	assert_int_equal(r->measures.outside, 0);
	assert_int_equal(r->measures.suppressed, 1);
	assert_int_equal(r->measures.window_us, 688697 - 662824);
	assert_true(r->identity_seen && r->alive_seen && r->window_opened && r->window_closed);
	assert_string_equal(r->answered, IDENTITY);
	assert_int_equal(r->faults->len, 4);
	const OracleFault *f = g_ptr_array_index(r->faults, 0);
	assert_true(f->counts);
	assert_string_equal(f->source, "console");
	assert_string_equal(f->fault->window, "window");
	/* its number in the file that a person opens */
	g_auto(GStrv) lines = g_strsplit(faulty, "\n", -1);
	assert_non_null(strstr(lines[f->fault->line - 1], "Request device [00:02.0]"));

	g_autoptr(json_t) o = oracle_result_to_json(r, 2);
	assert_string_equal(kx_json_str(o, "outcome"), "fault");
	assert_int_equal(json_array_size(json_object_get(o, "faults")), 2);
	assert_int_equal(kx_json_int(json_object_get(o, "measures"), "window_us", 0), 25873);
}

static void test_clean(void **state)
{
	(void)state;
	OracleConfig c = config_of();
	g_autoptr(OracleResult) r = judge(cured, ORACLE_END_SETTLED, &c);
	expect(r, OUTCOME_CLEAN, "0 faults in the window");
	assert_int_equal(r->faults->len, 0);
	assert_true(r->window_closed);
}

static void test_wrong_kernel(void **state)
{
	(void)state;
	OracleConfig c = config_of();
	g_autofree char *stale = with(faulty, "#" IDENTITY, "#kx999999999999");
	g_autoptr(OracleResult) r = judge(stale, ORACLE_END_SETTLED, &c);
	expect(r, OUTCOME_INFRA,
	       "a wrong kernel answered: its banner shows kx999999999999, expected kx3f");
	assert_false(r->identity_seen);
	assert_int_equal(r->measures.faults, 0);
	/* Its name on the command line or as a part of another proves nothing. */
	g_autofree char *none = with(faulty, "#" IDENTITY, "#1");
	g_autoptr(OracleResult) n = judge(none, ORACLE_END_SETTLED, &c);
	expect(n, OUTCOME_INFRA, "a wrong kernel answered: its banner shows 6.1.192+");
	g_autofree char *longer = with(faulty, "#" IDENTITY, "#" IDENTITY "00");
	g_autoptr(OracleResult) l = judge(longer, ORACLE_END_SETTLED, &c);
	expect(l, OUTCOME_INFRA, "a wrong kernel answered");
	/* Nor does it when it hangs. */
	g_autoptr(OracleResult) h = judge(stale, ORACLE_END_SILENT, &c);
	expect(h, OUTCOME_INFRA, "a wrong kernel answered");
}

static void test_not_alive(void **state)
{
	(void)state;
	OracleConfig c = config_of();
	static const OracleEnd ends[] = {ORACLE_END_SETTLED, ORACLE_END_POWEROFF};
	for (size_t i = 0; i < G_N_ELEMENTS(ends); i++) {
		g_autofree char *a = with(cured, ALIVE, "");
		g_autoptr(OracleResult) r = judge(a, ends[i], &c);
		expect(r, OUTCOME_INFRA, "no line matches the alive pattern");
		g_autofree char *b = with(faulty, ALIVE, "");
		g_autoptr(OracleResult) f = judge(b, ends[i], &c);
		expect(f, OUTCOME_INFRA, "no line matches the alive pattern");
	}
	/* The launcher's own line does not help. */
	g_autofree char *a = with(cured, ALIVE, "");
	g_autofree char *b = g_strconcat("kexsect: alive launcher\n", a, NULL);
	g_autoptr(OracleResult) r = judge(b, ORACLE_END_SETTLED, &c);
	expect(r, OUTCOME_INFRA, "no line matches the alive pattern");
	c.alive = (char *)"^Run /init";
	g_autoptr(OracleResult) own = judge(a, ORACLE_END_SETTLED, &c);
	expect(own, OUTCOME_CLEAN, "");
}

static void test_hang(void **state)
{
	(void)state;
	OracleConfig c = config_of();
	g_autofree char *cut = until(faulty, "[    0.673273]");
	static const OracleEnd ends[] = {ORACLE_END_SILENT, ORACLE_END_DEADLINE,
					 ORACLE_END_WATCHDOG};
	for (size_t i = 0; i < G_N_ELEMENTS(ends); i++) {
		g_autoptr(OracleResult) r = judge(cut, ends[i], &c);
		expect(r, OUTCOME_HANG, "before it was alive");
		assert_int_equal(r->measures.faults, 3); /* recorded all the same */
		assert_false(r->window_closed);
	}
	c.hang_is_fault = 1;
	g_autoptr(OracleResult) r = judge(cut, ORACLE_END_SILENT, &c);
	expect(r, OUTCOME_FAULT, "hung before it was alive: silent");
	/* It is the hang that is the fault, not the panic. */
	g_autofree char *dead =
		g_strconcat(cut, "[    0.700000] Kernel panic - not syncing: x\n", NULL);
	g_autoptr(OracleResult) p = judge(dead, ORACLE_END_PANIC, &c);
	expect(p, OUTCOME_PANIC, "Kernel panic - not syncing: x");
}

static void test_panic(void **state)
{
	(void)state;
	OracleConfig c = config_of();
	g_autofree char *cut = until(faulty, "[    0.673273]");
	g_autofree char *dead = g_strconcat(
		cut, "[    0.700000] Kernel panic - not syncing: VFS: Unable to mount root fs\n",
		NULL);
	static const OracleEnd ends[] = {ORACLE_END_PANIC, ORACLE_END_RESET, ORACLE_END_SILENT};
	for (size_t i = 0; i < G_N_ELEMENTS(ends); i++) {
		g_autoptr(OracleResult) r = judge(dead, ends[i], &c);
		expect(r, OUTCOME_PANIC, "VFS: Unable to mount root fs");
	}
	g_autoptr(OracleResult) mute = judge(cut, ORACLE_END_RESET, &c);
	expect(mute, OUTCOME_PANIC, "without a word");
	c.panic_is_fault = 1;
	g_autoptr(OracleResult) r = judge(dead, ORACLE_END_PANIC, &c);
	expect(r, OUTCOME_FAULT, "panic before it was alive");
	/* The next boot of the launcher after the panic is not the variant's. */
	c.panic_is_fault = 0;
	g_autofree char *launcher = until(faulty, "[    0.000000] Linux version");
	g_autofree char *again = g_strconcat(dead, launcher, "kexsect: alive " IDENTITY "\n", NULL);
	g_autoptr(OracleResult) two = judge(again, ORACLE_END_RESET, &c);
	expect(two, OUTCOME_PANIC, "before it was alive");
}

static void test_no_boot(void **state)
{
	(void)state;
	OracleConfig c = config_of();
	g_autofree char *launcher = until(faulty, "[    0.000000] Linux version");
	static const OracleEnd ends[] = {ORACLE_END_SILENT, ORACLE_END_DEADLINE, ORACLE_END_RESET};
	for (size_t i = 0; i < G_N_ELEMENTS(ends); i++) {
		g_autoptr(OracleResult) r = judge(launcher, ends[i], &c);
		expect(r, OUTCOME_NOBOOT, "no 'Linux version' line of the variant came");
		assert_false(r->banner_seen);
	}
	OracleInput in = {.console = launcher,
			  .console_len = strlen(launcher),
			  .identity = IDENTITY,
			  .end = ORACLE_END_KEXEC_FAILED,
			  .end_detail = "kexec: cannot load"};
	g_autoptr(OracleResult) jumped = oracle_judge(&in, &c);
	expect(jumped, OUTCOME_NOBOOT, "the launcher jumped into the variant");
	g_autofree char *stayed = until(launcher, "[    1.965218]");
	in.console = stayed;
	in.console_len = strlen(stayed);
	g_autoptr(OracleResult) refused = oracle_judge(&in, &c);
	expect(refused, OUTCOME_INFRA, "could not start the variant (kexec: cannot load)");
	in.end = ORACLE_END_SILENT;
	in.console = NULL;
	in.console_len = 0;
	g_autoptr(OracleResult) empty = oracle_judge(&in, &c);
	expect(empty, OUTCOME_NOBOOT, "silent");
	/* A launcher that is not marked, and the place where the variant could begin. */
	g_autofree char *plain = with(launcher, "kexsect.role=launcher", "");
	in.console = plain;
	in.console_len = in.console_from = strlen(plain);
	g_autoptr(OracleResult) from = oracle_judge(&in, &c);
	expect(from, OUTCOME_NOBOOT, "silent");
}

static void test_infra_ends(void **state)
{
	(void)state;
	OracleConfig c = config_of();
	static const OracleEnd ends[] = {ORACLE_END_CANCELLED, ORACLE_END_VM_DIED,
					 ORACLE_END_LAUNCHER_FAILED};
	for (size_t i = 0; i < G_N_ELEMENTS(ends); i++) {
		g_autoptr(OracleResult) r = judge(faulty, ends[i], &c);
		expect(r, OUTCOME_INFRA, "");
		assert_int_equal(r->measures.faults, 0);
	}
}

static void test_launcher_does_not_count(void **state)
{
	(void)state;
	OracleConfig c = config_of();
	g_autofree char *noisy =
		g_strconcat("[    0.500000] " FROM "\n",
			    FAULT_LINE("0.600000", "00:02.0", "0x1ffde000"), cured, NULL);
	g_autoptr(OracleResult) r = judge(noisy, ORACLE_END_SETTLED, &c);
	expect(r, OUTCOME_CLEAN, "0 faults");
	assert_int_equal(r->faults->len, 0);
	/* Nor does a fault that the harness talks about. */
	g_autofree char *echo = with(
		cured, TO, "kexsect: " FAULT_LINE("0.600000", "00:02.0", "0x0") "[    0.62] " TO);
	g_autoptr(OracleResult) e = judge(echo, ORACLE_END_SETTLED, &c);
	assert_int_equal(e->faults->len, 0);
	/* A restored launcher prints no banner; an unmarked one is told by what is below it. */
	g_autofree char *restored = g_strdup(strstr(cured, "kexec_core"));
	g_autoptr(OracleResult) s = judge(restored, ORACLE_END_SETTLED, &c);
	expect(s, OUTCOME_CLEAN, "0 faults");
	g_autofree char *unmarked = with(cured, "kexsect.role=launcher", "");
	g_autoptr(OracleResult) u = judge(unmarked, ORACLE_END_SETTLED, &c);
	expect(u, OUTCOME_CLEAN, "0 faults");
}

static void test_cold(void **state)
{
	(void)state;
	OracleConfig c = config_of();
	const char *own = strstr(strstr(faulty, "kexec_core"), "[    0.000000] Linux version");
	OracleInput in = {.console = own,
			  .console_len = strlen(own),
			  .identity = IDENTITY,
			  .mode = BOOT_COLD};
	g_autoptr(OracleResult) r = oracle_judge(&in, &c);
	expect(r, OUTCOME_FAULT, "3 faults");
	in.console = faulty;
	in.console_len = strlen(faulty);
	g_autoptr(OracleResult) first = oracle_judge(&in, &c);
	expect(first, OUTCOME_INFRA, "a wrong kernel answered: its banner shows kx0a0b0c0d0e0f");
}

static void test_window(void **state)
{
	(void)state;
	OracleConfig c = config_of();
	g_autofree char *late =
		with(cured, ALIVE, FAULT_LINE("1.050000", "00:02.0", "0x1000") ALIVE);
	g_autoptr(OracleResult) after = judge(late, ORACLE_END_SETTLED, &c);
	expect(after, OUTCOME_CLEAN, "0 faults in the window, 1 that does not count");
	assert_int_equal(after->measures.outside, 1);
	const OracleFault *f = g_ptr_array_index(after->faults, 0);
	assert_false(f->in_window);
	assert_null(f->fault->window);

	g_autofree char *early =
		with(cured, "DMAR: No ATSR found",
		     "x\n" FAULT_LINE("0.500000", "00:02.0", "0x1000") "[    0.500001] y");
	g_autoptr(OracleResult) before = judge(early, ORACLE_END_SETTLED, &c);
	expect(before, OUTCOME_CLEAN, "1 that does not count");

	g_autofree char *open = with(late, TO, "DMAR: nothing");
	g_autoptr(OracleResult) unclosed = judge(open, ORACLE_END_SETTLED, &c);
	expect(unclosed, OUTCOME_FAULT, "1 fault in the window");
	assert_true(unclosed->window_opened && !unclosed->window_closed);

	g_autofree char *never = with(cured, FROM, "DMAR: nothing");
	g_autoptr(OracleResult) shut = judge(never, ORACLE_END_SETTLED, &c);
	expect(shut, OUTCOME_INFRA, "window never opened: no line matches /^DMAR: dmar");

	OracleConfig whole = {.name = (char *)"whole"};
	g_autoptr(OracleResult) all = judge(late, ORACLE_END_SETTLED, &whole);
	expect(all, OUTCOME_FAULT, "1 fault in the window");
}

static void test_filters(void **state)
{
	(void)state;
	OracleConfig c = config_of();
	char *device = (char *)"00:03.0", *same = (char *)"0000:00:02.0";
	char *text = (char *)"0x1ffde800-0x1fffffff";
	AddressRange range = {0x1ffde800, 0x1fffffff};
	/* Without the line that stands for a fault that was not printed. */
	g_autofree char *told =
		with(faulty, "DMAR: DRHD: handling fault status reg 2\r\n[    0.673273]",
		     "x\r\n[    0.673273]");
	c.devices = &device;
	c.devices_count = 1;
	g_autoptr(OracleResult) other = judge(told, ORACLE_END_SETTLED, &c);
	expect(other, OUTCOME_CLEAN, "3 that do not count");
	const OracleFault *f = g_ptr_array_index(other->faults, 0);
	assert_true(f->in_window && !f->device_matches && !f->counts);
	c.devices = &same;
	g_autoptr(OracleResult) ours = judge(told, ORACLE_END_SETTLED, &c);
	expect(ours, OUTCOME_FAULT, "3 faults");

	c.addresses = &range;
	c.address_texts = &text;
	c.addresses_count = c.address_texts_count = 1;
	g_autoptr(OracleResult) page = judge(told, ORACLE_END_SETTLED, &c);
	expect(page, OUTCOME_FAULT, "3 faults"); /* the page of the record overlaps the range */
	f = g_ptr_array_index(page->faults, 0);
	assert_string_equal(f->fault->region, text);
	range = (AddressRange){0x1ffdf000, 0x1fffffff};
	g_autoptr(OracleResult) miss = judge(told, ORACLE_END_SETTLED, &c);
	expect(miss, OUTCOME_CLEAN, "3 that do not count");
	/* What was not printed could have been ours. */
	g_autoptr(OracleResult) doubt = judge(faulty, ORACLE_END_SETTLED, &c);
	expect(doubt, OUTCOME_INFRA, "cannot tell: 1 faults in the window were not printed");
}

static void test_suppressed(void **state)
{
	(void)state;
	OracleConfig c = config_of();
	g_autofree char *in =
		with(cured, TO,
		     "x\n[    0.620000] dmar_fault: 42 callbacks suppressed\n[    0.630000] " TO);
	g_autoptr(OracleResult) inside = judge(in, ORACLE_END_SETTLED, &c);
	expect(inside, OUTCOME_FAULT, "kept back 42");
	assert_int_equal(inside->measures.suppressed, 42);
	g_autofree char *out =
		with(cured, ALIVE, "[    1.0] dmar_fault: 42 callbacks suppressed\n" ALIVE);
	g_autoptr(OracleResult) outside = judge(out, ORACLE_END_SETTLED, &c);
	expect(outside, OUTCOME_CLEAN, "at least 42 more not printed");
}

static void test_config(void **state)
{
	(void)state;
	OracleConfig c = config_of();
	g_autoptr(GError) error = NULL;
	assert_true(oracle_check(&c, &error));
	g_autofree char *dir = g_dir_make_tmp("oracle-XXXXXX", NULL);
	g_autofree char *path = g_build_filename(dir, "o.yaml", NULL);
	assert_true(kx_write_file(path, "name: o\nwindow:\n  from: 'a(b'\n", -1, NULL));
	c.path = path;
	c.window_from = (char *)"a(b";
	assert_false(oracle_check(&c, &error));
	assert_non_null(strstr(error->message, "o.yaml:3:"));
	assert_non_null(strstr(error->message, "window.from"));
	assert_non_null(strstr(error->message, "character 4"));
	g_autoptr(OracleResult) r = judge(faulty, ORACLE_END_SETTLED, &c);
	expect(r, OUTCOME_INFRA, "the oracle cannot be used");
	assert_true(kx_remove_tree(dir, NULL));
}

/* The oracles that come with the program load, compile, and tell these two boots apart. */
static void test_shipped(void **state)
{
	(void)state;
	g_autoptr(GDir) dir = g_dir_open(SOURCE_ROOT "/configs/oracles", 0, NULL);
	const char *name;
	unsigned count = 0;
	while ((name = g_dir_read_name(dir))) {
		if (!g_str_has_suffix(name, ".yaml"))
			continue;
		g_autoptr(GError) error = NULL;
		g_autofree char *path =
			g_build_filename(SOURCE_ROOT "/configs/oracles", name, NULL);
		g_autoptr(OracleConfig) c = oracle_config_load(path, &error);
		assert_null(error);
		assert_true(oracle_check(c, &error));
		count++;
		if (!g_str_has_prefix(name, "vtd-"))
			continue;
		g_autoptr(OracleResult) f = judge(faulty, ORACLE_END_SETTLED, c);
		expect(f, OUTCOME_FAULT, "3 faults in the window");
		assert_true(f->window_closed);
		g_autoptr(OracleResult) n = judge(cured, ORACLE_END_SETTLED, c);
		expect(n, OUTCOME_CLEAN, "0 faults in the window");
	}
	assert_true(count >= 1);
}

static void test_names(void **state)
{
	(void)state;
	for (int i = 0; i < OUTCOME_MAX; i++)
		assert_int_equal(outcome_from_name(outcome_name((Outcome)i)), i);
	for (int i = 0; i < ORACLE_END_MAX; i++)
		assert_int_equal(oracle_end_from_name(oracle_end_name((OracleEnd)i)), i);
	assert_int_equal(outcome_from_name("good"), OUTCOME_INVALID);
	assert_int_equal(outcome_from_name(NULL), OUTCOME_INVALID);
	assert_null(outcome_name(OUTCOME_MAX));
	assert_int_equal(oracle_end_from_name(""), ORACLE_END_INVALID);
}

static void test_watch(void **state)
{
	(void)state;
	OracleConfig c = config_of();
	g_autoptr(OracleWatch) w = oracle_watch_new(&c, NULL);
	g_auto(GStrv) lines = g_strsplit(faulty, "\n", -1);
	unsigned seen[4] = {0};
	for (char **l = lines; *l; l++)
		seen[oracle_watch_line(w, *l, strlen(*l))]++;
	assert_int_equal(seen[ORACLE_SAW_BANNER], 2);
	assert_int_equal(seen[ORACLE_SAW_ALIVE], 1);
	assert_int_equal(seen[ORACLE_SAW_PANIC], 0);
	static const char printed[] = "Linux version 6.1.0 (from /proc/version)";
	assert_int_equal(oracle_watch_line(w, printed, strlen(printed)), ORACLE_SAW_NOTHING);
	static const char panic[] =
		"[    9.000000] Kernel panic - not syncing: Attempted to kill init!\r";
	assert_int_equal(oracle_watch_line(w, panic, strlen(panic)), ORACLE_SAW_PANIC);
}

static int setup(void **state)
{
	(void)state;
	faulty = kx_read_file(TEST_DATA "/logs/faulty.log", 1 << 20, NULL, NULL);
	cured = kx_read_file(TEST_DATA "/logs/cured.log", 1 << 20, NULL, NULL);
	return faulty && cured ? 0 : -1;
}

static int teardown(void **state)
{
	(void)state;
	g_free(faulty);
	g_free(cured);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_fault),
		cmocka_unit_test(test_clean),
		cmocka_unit_test(test_wrong_kernel),
		cmocka_unit_test(test_not_alive),
		cmocka_unit_test(test_hang),
		cmocka_unit_test(test_panic),
		cmocka_unit_test(test_no_boot),
		cmocka_unit_test(test_infra_ends),
		cmocka_unit_test(test_launcher_does_not_count),
		cmocka_unit_test(test_cold),
		cmocka_unit_test(test_window),
		cmocka_unit_test(test_filters),
		cmocka_unit_test(test_suppressed),
		cmocka_unit_test(test_config),
		cmocka_unit_test(test_shipped),
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_watch),
	};
	return cmocka_run_group_tests(tests, setup, teardown);
}
