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

static char *fill(const char *text, GError **error)
{
	g_autofree char *path = NULL;
	g_close(g_file_open_tmp("kexsect-domain-XXXXXX", &path, NULL), NULL);
	assert_true(kx_write_file(path, text, -1, NULL));
	TargetConfig own = config;
	own.vm.domain_xml = path;
	DomainSpec s = spec;
	s.config = &own;
	char *xml = domain_xml(&s, error);
	g_unlink(path);
	return xml;
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_everything_is_escaped),
		cmocka_unit_test(test_kvm),
		cmocka_unit_test(test_template),
		cmocka_unit_test(test_template_without_a_place),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
