/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Messages of initcall_debug of all ages. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "initcall/log.h"

/* "TIME MESSAGE" lines, times in µs, "-" for none; steps as
 * "kind name[module](device) begin+took=result depth/parent". */
static char *steps_of(const char *text)
{
	g_autoptr(InitcallLog) log = initcall_log_new();
	g_auto(GStrv) lines = g_strsplit(text, "\n", -1);
	uint64_t number = 0;
	for (char **l = lines; *l && **l; l++) {
		char *rest;
		gint64 us = g_ascii_strtoll(*l, &rest, 10);
		us = rest == *l ? -1 : us;
		rest = strchr(*l, ' ') + 1;
		initcall_log_line(log, rest, strlen(rest), us, ++number);
	}
	GString *out = g_string_new(NULL);
	const GPtrArray *steps = initcall_log_steps(log);
	for (guint i = 0; i < steps->len; i++) {
		const InitcallStep *s = steps->pdata[i];
		g_string_append_printf(out, "%s%s %s", i ? "; " : "",
				       initcall_step_kind_name(s->kind), s->name);
		if (s->module)
			g_string_append_printf(out, "[%s]", s->module);
		if (s->device)
			g_string_append_printf(out, "(%s)", s->device);
		if (s->level != INITCALL_LEVEL_INVALID)
			g_string_append_printf(out, "<%s>", initcall_level_name(s->level));
		g_string_append_printf(out, " %" G_GINT64_FORMAT "+%" G_GINT64_FORMAT, s->begin_us,
				       s->took_us);
		if (s->has_result)
			g_string_append_printf(out, "=%d", s->result);
		g_string_append_printf(out, " %u/%d", s->depth, s->parent);
	}
	const GPtrArray *notes = initcall_log_notes(log);
	for (guint i = 0; i < notes->len; i++) {
		const InitcallNote *n = notes->pdata[i];
		g_string_append_printf(out, " | %s %s", initcall_note_kind_name(n->kind), n->name);
	}
	return g_string_free(out, FALSE);
}

static void expect(const char *log, const char *want)
{
	g_autofree char *got = steps_of(log);
	assert_string_equal(got, want);
}

static void test_plain(void **state)
{
	expect("10 calling  pci_iommu_init+0x0/0x3e @ 1\n"
	       "950 initcall pci_iommu_init+0x0/0x3e returned 0 after 937 usecs\n",
	       "initcall pci_iommu_init 10+937=0 0/-1");
	/* 2.6.28 and older: milliseconds */
	expect("0 calling  init_cpufreq_transition_notifier_list+0x0/0x1b @ 1\n"
	       "5000 initcall init_cpufreq_transition_notifier_list+0x0/0x1b returned 0 after 4 "
	       "msecs\n",
	       "initcall init_cpufreq_transition_notifier_list 0+4000=0 0/-1");
	/* 6.x */
	expect("22366973 calling  fb_logo_late_init+0x0/0x20 @ 1 irqs_disabled() 0\n"
	       "22373432 initcall fb_logo_late_init+0x0/0x20 returned 0 after 1 usecs, "
	       "irqs_disabled() 0\n",
	       "initcall fb_logo_late_init 22366973+1=0 0/-1");
	/* a module; a result below zero */
	expect("100 calling  e1000_init_module+0x0/0x1000 [e1000] @ 213\n"
	       "180 initcall e1000_init_module+0x0/0x1000 [e1000] returned -19 after 77 usecs\n",
	       "initcall e1000_init_module[e1000] 100+77=-19 0/-1");
}

static void test_levels(void **state)
{
	expect("1 entering initcall level: arch\n"
	       "2 calling  report_snp_info+0x0/0xd0 @ 1\n"
	       "2 initcall report_snp_info+0x0/0xd0 returned 0 after 0 usecs\n"
	       "3 entering initcall level: nonsense\n"
	       "4 calling  x_init+0x0/0x1 @ 1\n",
	       "initcall report_snp_info<arch> 2+0=0 0/-1; initcall x_init 4+-1 0/-1");
}

/* Of kernel/async.c: with a result until 5.15, without since. */
static void test_async(void **state)
{
	expect("10 calling  1_sd_probe_async+0x0/0x1c0 @ 68\n"
	       "11 calling  2_sd_probe_async+0x0/0x1c0 @ 69\n"
	       "12 calling  late_init+0x0/0x8 @ 1\n"
	       "20 initcall 2_sd_probe_async+0x0/0x1c0 returned 0 after 9 usecs\n"
	       "30 initcall 1_sd_probe_async+0x0/0x1c0 returned after 19 usecs\n"
	       "40 initcall late_init+0x0/0x8 returned 0 after 28 usecs\n",
	       "async sd_probe_async 10+19 0/-1; async sd_probe_async 11+9=0 0/-1; "
	       "initcall late_init 12+28=0 0/-1");
}

static void test_nested(void **state)
{
	/* an initcall loads a module in the same process; a probe inside, which says its end only
	 */
	expect("100 calling  outer_init+0x0/0x10 @ 1\n"
	       "110 calling  inner_init+0x0/0x10 [inner] @ 1\n"
	       "150 probe of 0000:00:03.0 returned 0 after 20 usecs\n"
	       "160 initcall inner_init+0x0/0x10 [inner] returned 0 after 45 usecs\n"
	       "200 initcall outer_init+0x0/0x10 returned 0 after 95 usecs\n"
	       "210 calling  next_init+0x0/0x10 @ 1\n",
	       "initcall outer_init 100+95=0 0/-1; initcall inner_init[inner] 110+45=0 1/0; "
	       "probe 0000:00:03.0 130+20=0 2/1; initcall next_init 210+-1 0/-1");
	/* another process is beside it, not inside */
	expect("100 calling  a_init+0x0/0x10 @ 1\n"
	       "110 calling  b_init+0x0/0x10 [b] @ 77\n"
	       "120 initcall b_init+0x0/0x10 [b] returned 0 after 9 usecs\n"
	       "130 initcall a_init+0x0/0x10 returned 0 after 29 usecs\n",
	       "initcall a_init 100+29=0 0/-1; initcall b_init[b] 110+9=0 0/-1");
}

static void test_fixups(void **state)
{
	/* since 5.1 */
	expect("5 pci 0000:00:02.0: calling  quirk_usb_early_handoff+0x0/0x780 @ 1\n"
	       "90 pci 0000:00:02.0: quirk_usb_early_handoff+0x0/0x780 took 83 usecs\n",
	       "fixup quirk_usb_early_handoff(0000:00:02.0) 5+83 0/-1");
	/* 3.4 to 5.0 */
	expect("5 calling  quirk_e100_interrupt+0x0/0x1a0 @ 1 for 0000:00:1d.0\n"
	       "9 pci fixup quirk_e100_interrupt+0x0/0x1a0 returned after 4 usecs for "
	       "0000:00:1d.0\n",
	       "fixup quirk_e100_interrupt(0000:00:1d.0) 5+4 0/-1");
}

static void test_damage(void **state)
{
	/* a message inside another's line, and two in one */
	expect("10 DMAR: Host addrcalling  a_init+0x0/0x10 @ 1\n"
	       "20 initcall a_init+0x0/0x10 returned 0 after 9 usecscalling  b_init+0x0/0x10 @ 1\n",
	       "initcall a_init 10+9=0 0/-1; initcall b_init 20+-1 0/-1");
	/* the beginning was lost; the length was lost */
	expect("50 initcall c_init+0x0/0x10 returned 0 after 30 usecs\n"
	       "60 calling  d_init+0x0/0x10 @ 1\n"
	       "70 initcall d_init+0x0/0x10 returned 0 af\n",
	       "initcall c_init 20+30=0 0/-1; initcall d_init 60+10=0 0/-1");
	/* no times at all */
	expect("- calling  e_init+0x0/0x10 @ 1\n"
	       "- initcall e_init+0x0/0x10 returned 0 after 3 usecs\n",
	       "initcall e_init -1+3=0 0/-1");
	/* what only looks like it */
	expect("1 initcall f_init+0x0/0x10 returned with preemption imbalance\n"
	       "1 calling  0000:00:02.0+ @ 5, parent: pci0000:00\n"
	       "1 calling  usb_dev_resume+0x0/0x10 @ 7, parent: usb1\n"
	       "1 probe of serial8250 failed with error -22\n"
	       "1 calling  \n1 initcall \n1 calling  +0x0/0x1 @ 1\n1 probe of  returned 0 after 1 "
	       "usecs\n"
	       "1 calling  g_init @ 1\n1 I am calling  you\n1 it took 5 usecs\n",
	       "");
}

static void test_notes(void **state)
{
	expect("1 platform soc:usb: Driver dwc3 requests probe deferral\n"
	       "2 platform soc:usb: deferred probe pending\n"
	       "3 initcall bad_init blacklisted\n",
	       " | deferred soc:usb | pending soc:usb | blacklisted bad_init");
}

static void test_plain_name(void **state)
{
	static const char *const names[][2] = {
		{"pci_iommu_init", "pci_iommu_init"},
		{"a_init.isra.0", "a_init"},
		{"a_init.constprop.3.cold", "a_init"},
		{"b.llvm.1234567890", "b"},
		{".isra.0", ".isra.0"},
		{"c_init.part", "c_init.part"},
	};
	for (size_t i = 0; i < G_N_ELEMENTS(names); i++) {
		size_t len;
		g_autofree char *plain = NULL;
		const char *at = initcall_plain_name(names[i][0], &len);
		plain = g_strndup(at, len);
		assert_string_equal(plain, names[i][1]);
	}
}

/* Bounded, however long the log. */
static void test_flood(void **state)
{
	g_autoptr(InitcallLog) log = initcall_log_new();
	for (unsigned i = 0; i < INITCALL_LOG_STEPS_MAX + 1000; i++) {
		g_autofree char *line = g_strdup_printf("calling  f%u+0x0/0x1 @ 1", i);
		initcall_log_line(log, line, strlen(line), i, i + 1);
		initcall_log_line(log, "x y: deferred probe pending", 27, i, i + 1);
	}
	assert_int_equal(initcall_log_steps(log)->len, INITCALL_LOG_STEPS_MAX);
	assert_int_equal(initcall_log_notes(log)->len, INITCALL_LOG_NOTES_MAX);
	assert_int_equal(initcall_log_messages(log), INITCALL_LOG_STEPS_MAX + 1000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_plain),  cmocka_unit_test(test_levels),
		cmocka_unit_test(test_async),  cmocka_unit_test(test_nested),
		cmocka_unit_test(test_fixups), cmocka_unit_test(test_damage),
		cmocka_unit_test(test_notes),  cmocka_unit_test(test_plain_name),
		cmocka_unit_test(test_flood),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
