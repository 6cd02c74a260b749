/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>
#include <glib/gstdio.h>

#include "base/fs.h"
#include "target/libvirt/libvirt-internal.h"

static char *args[] = {(char *)"-device", (char *)"x,a='<&\">'"};
static TargetConfig config = {.vm = {.cpu = (char *)"max,-smap",
				     .memory_mib = 512,
				     .vcpus = 3,
				     .qemu_args = args,
				     .qemu_args_count = 2}};
static const DomainSpec spec = {.config = &config,
				.emulator = "/usr/bin/qemu",
				.kernel = "/k/<kernel> & 'co'",
				.initrd = "/i",
				.cmdline = "console=ttyS0 dyndbg=\"file a&b +p\"",
				.console = "/run/c",
				.agent = "/run/a"};

/* Collects all texts and attribute values: what the parser gives back must be what went in. */
static void on_element(GMarkupParseContext *c, const char *name, const char **keys,
		       const char **values, gpointer user, GError **error)
{
	for (; *keys; keys++, values++)
		g_string_append_printf(user, "[%s.%s=%s]", name, *keys, *values);
}

static void on_text(GMarkupParseContext *c, const char *text, gsize len, gpointer user,
		    GError **error)
{
	g_string_append_printf(user, "[%s:%.*s]", g_markup_parse_context_get_element(c), (int)len,
			       text);
}

static char *parsed(const char *xml)
{
	GMarkupParser parser = {.start_element = on_element, .text = on_text};
	g_autoptr(GString) all = g_string_new(NULL);
	g_autoptr(GMarkupParseContext) c = g_markup_parse_context_new(&parser, 0, all, NULL);
	assert_true(g_markup_parse_context_parse(c, xml, -1, NULL));
	assert_true(g_markup_parse_context_end_parse(c, NULL));
	return g_strdup(all->str);
}

static void test_everything_is_escaped(void **state)
{
	g_autofree char *xml = domain_xml(&spec, NULL);
	g_autofree char *all = parsed(xml);
	const char *const wanted[] = {
		"[kernel:/k/<kernel> & 'co']",
		"[cmdline:console=ttyS0 dyndbg=\"file a&b +p\"]",
		"[qemu:arg.value=x,a='<&\">']",
		"[qemu:arg.value=max,-smap]",
		"[memory:512]",
		"[vcpu:3]",
		"[domain.type=qemu]",
		"[source.path=/run/c]",
		"[source.path=/run/a]",
	};
	for (gsize i = 0; i < G_N_ELEMENTS(wanted); i++)
		if (!strstr(all, wanted[i]))
			fail_msg("%s is not in %s", wanted[i], all);
}

static void test_kvm(void **state)
{
	DomainSpec kvm = spec;
	kvm.kvm = true;
	g_autofree char *xml = domain_xml(&kvm, NULL);
	g_autofree char *all = parsed(xml);
	assert_non_null(strstr(all, "[domain.type=kvm]"));
	assert_non_null(strstr(all, "[ioapic.driver=qemu]"));
	assert_null(strstr(all, "max,-smap"));
}

static void test_record_and_instructions(void **state)
{
	TargetConfig own = config;
	own.vm.determinism = DETERMINISM_ICOUNT;
	own.vm.icount_shift = 4;
	DomainSpec s = spec;
	s.config = &own;
	s.record = "/run/rec";
	g_autofree char *xml = domain_xml(&s, NULL);
	g_autofree char *all = parsed(xml);
	const char *at = all;
	/* QEMU takes the last of an option that is given twice: the configuration's come last */
	const char *const wanted[] = {
		"[qemu:arg.value=-icount]",    "[qemu:arg.value=shift=4,sleep=off]",
		"[qemu:arg.value=-d]",	       "[qemu:arg.value=" RECORD_ITEMS "]",
		"[qemu:arg.value=-D]",	       "[qemu:arg.value=/run/rec]",
		"[qemu:arg.value=x,a='<&\">']"};
	for (gsize i = 0; i < G_N_ELEMENTS(wanted); i++) {
		at = strstr(at, wanted[i]);
		if (!at)
			fail_msg("%s is not in %s, or not in its place", wanted[i], all);
	}
	/* nothing of the host's time, and nothing that comes when it likes */
	assert_non_null(strstr(all, "[clock.offset=absolute]"));
	assert_non_null(strstr(all, "[timer.track=guest]"));
	assert_non_null(strstr(all, "[qemu:arg.value=-seed]"));
	assert_non_null(strstr(all, "[qemu:arg.value=virtio-serial-pci.ioeventfd=off]"));
	s.rom = "/run/phase.rom";
	g_autofree char *with_rom = domain_xml(&s, NULL);
	g_autofree char *rom = parsed(with_rom);
	assert_non_null(strstr(rom, "[qemu:arg.value=/run/phase.rom]"));
	g_autofree char *plain = domain_xml(&spec, NULL);
	assert_null(strstr(plain, "option-rom"));
	assert_null(strstr(plain, "absolute"));
	assert_null(strstr(plain, "icount"));
	assert_null(strstr(plain, "guest_errors"));
}

/* The firmware is given tables, and QEMU makes none of its own. */
static void test_firmware(void **state)
{
	DomainSpec s = spec;
	s.firmware = "/cache/firmware/k";
	g_autofree char *xml = domain_xml(&s, NULL), *plain = domain_xml(&spec, NULL);
	g_autofree char *all = parsed(xml);
	assert_non_null(strstr(all, "[qemu:arg.value=name=etc/acpi/tables,file=/cache/firmware/k/"
				    "tables]"));
	assert_non_null(
		strstr(all, "[qemu:arg.value=name=etc/acpi/rsdp,file=/cache/firmware/k/rsdp]"));
	assert_non_null(strstr(all, "[qemu:arg.value=name=etc/table-loader,file=/cache/firmware/k/"
				    "loader]"));
	assert_null(strstr(xml, "<acpi/>"));
	assert_non_null(strstr(plain, "<acpi/>"));
}

/* From 10.2 on the guest's own log has the faults. */
static void test_who_logs(void **state)
{
	assert_false(libvirt_version_logs_to_guest(7002022));
	assert_false(libvirt_version_logs_to_guest(10001002));
	assert_true(libvirt_version_logs_to_guest(10002000));
	assert_true(libvirt_version_logs_to_guest(11000000));
}

static char *fill_with(const char *text, const char *record, GError **error)
{
	g_autofree char *path = NULL;
	g_close(g_file_open_tmp("kexsect-domain-XXXXXX", &path, NULL), NULL);
	assert_true(kx_write_file(path, text, -1, NULL));
	TargetConfig own = config;
	own.vm.domain_xml = path;
	DomainSpec s = spec;
	s.config = &own;
	s.record = record;
	char *xml = domain_xml(&s, error);
	g_unlink(path);
	return xml;
}

static char *fill(const char *text, GError **error)
{
	return fill_with(text, NULL, error);
}

#define HEAD "<domain type='@TYPE@'><name>kexsect</name><uuid>x</uuid>"

static void test_template(void **state)
{
	g_autofree char *xml = fill(HEAD "<kernel>@KERNEL@</kernel><initrd>@INITRD@</initrd>"
					 "<cmdline>@CMDLINE@</cmdline><s path='@CONSOLE@'/>"
					 "<s path='@AGENT@'/></domain>",
				    NULL);
	g_autofree char *all = parsed(xml);
	assert_non_null(strstr(all, "[kernel:/k/<kernel> & 'co']"));
	assert_non_null(strstr(all, "[s.path=/run/c]"));
	assert_non_null(strstr(all, "[s.path=/run/a]"));
	assert_non_null(strstr(all, "[domain.type=qemu]"));
}

static void test_template_without_a_place(void **state)
{
	g_autoptr(GError) e = NULL, name = NULL;
	assert_null(fill(HEAD "@KERNEL@@INITRD@@CMDLINE@@AGENT@</domain>", &e));
	assert_non_null(strstr(e->message, "@CONSOLE@"));
	assert_null(fill("<domain/>", &name));
	assert_non_null(strstr(name->message, "named"));
}

/* A machine of one's own must say where its record goes when one is asked for. */
static void test_template_with_record(void **state)
{
	g_autoptr(GError) e = NULL;
	const char *const rest = HEAD "@KERNEL@@INITRD@@CMDLINE@@AGENT@@CONSOLE@";
	g_autofree char *with = g_strconcat(rest, "<a>@RECORD@</a></domain>", NULL);
	g_autofree char *without = g_strconcat(rest, "</domain>", NULL);
	g_autofree char *xml = fill_with(with, "/run/rec", NULL);
	assert_non_null(strstr(xml, "<a>/run/rec</a>"));
	assert_null(fill_with(without, "/run/rec", &e));
	assert_non_null(strstr(e->message, "@RECORD@"));
	g_autofree char *none = fill_with(with, NULL, NULL);
	assert_non_null(strstr(none, "<a></a>"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_everything_is_escaped),
		cmocka_unit_test(test_kvm),
		cmocka_unit_test(test_record_and_instructions),
		cmocka_unit_test(test_who_logs),
		cmocka_unit_test(test_firmware),
		cmocka_unit_test(test_template_with_record),
		cmocka_unit_test(test_template),
		cmocka_unit_test(test_template_without_a_place),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
