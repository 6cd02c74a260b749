/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <string.h>

#include "base/agent_protocol.h"
#include "base/error.h"
#include "base/fs.h"
#include "target/libvirt/libvirt-internal.h"

/* A saved state belongs to one UUID; each job has a libvirt of its own, so one is enough. */
#define DOMAIN_UUID "6b657873-6563-7421-8000-766d6c617562"
#define MAX_TEMPLATE (256u << 10)

char *domain_emulator(void)
{
	return g_find_program_in_path("qemu-system-x86_64");
}

static void add(GString *s, const char *format, ...) G_GNUC_PRINTF(2, 3);
static void add(GString *s, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	g_autofree char *text = g_markup_vprintf_escaped(format, args);
	va_end(args);
	g_string_append(s, text);
}

static void add_boot(GString *s, const DomainSpec *d)
{
	add(s, "  <os>\n    <type arch='x86_64' machine='q35'>hvm</type>\n");
	add(s, "    <kernel>%s</kernel>\n    <initrd>%s</initrd>\n", d->kernel, d->initrd);
	add(s, "    <cmdline>%s</cmdline>\n  </os>\n", d->cmdline);
	/* interrupt remapping needs the I/O APIC in QEMU; without KVM it is there anyway */
	add(s, "  <features>\n    <apic/>\n");
	if (!d->firmware) /* else QEMU would make tables of its own */
		add(s, "    <acpi/>\n");
	if (d->kvm)
		add(s, "    <ioapic driver='qemu'/>\n");
	add(s, "  </features>\n");
	if (d->kvm)
		add(s, "  <cpu mode='host-passthrough' migratable='on'/>\n");
}

/* Fixed addresses: what the firmware leaves in memory, and a saved state, depend on them. 00:02.0
 * is left free for the configuration's own device. */
static void add_devices(GString *s, const DomainSpec *d)
{
	add(s, "  <devices>\n    <emulator>%s</emulator>\n", d->emulator);
	add(s, "    <controller type='usb' index='0' model='none'/>\n");
	add(s, "    <controller type='virtio-serial' index='0'>\n"
	       "      <address type='pci' domain='0' bus='0' slot='3' function='0'/>\n"
	       "    </controller>\n");
	add(s,
	    "    <serial type='unix'>\n"
	    "      <source mode='bind' path='%s'/>\n"
	    "      <target type='isa-serial' port='0'/>\n"
	    "    </serial>\n",
	    d->console);
	add(s,
	    "    <channel type='unix'>\n"
	    "      <source mode='bind' path='%s'/>\n"
	    "      <target type='virtio' name='%s'/>\n"
	    "      <address type='virtio-serial' controller='0' bus='0' port='1'/>\n"
	    "    </channel>\n",
	    d->agent, AGENT_PORT);
	add(s, "    <watchdog model='i6300esb' action='reset'>\n"
	       "      <address type='pci' domain='0' bus='0' slot='4' function='0'/>\n"
	       "    </watchdog>\n");
	add(s, "    <memballoon model='none'/>\n  </devices>\n");
}

static void add_arg(GString *s, const char *value)
{
	add(s, "    <qemu:arg value='%s'/>\n", value);
}

/* The emulator's log, in place of the console: record/merge.h. Without stamps, which are half of
 * its bytes. */
static void add_record(GString *s, const char *path)
{
	const char *const args[] = {"-d", RECORD_ITEMS, "-D", path, "-msg", "timestamp=off"};
	for (gsize i = 0; i < G_N_ELEMENTS(args); i++)
		add_arg(s, args[i]);
}

/* The same files that QEMU makes itself with ACPI on (hw/i386/acpi-build.c). */
static void add_firmware(GString *s, const char *folder)
{
	static const char *const files[][2] = {{"etc/acpi/tables", "tables"},
					       {"etc/acpi/rsdp", "rsdp"},
					       {"etc/table-loader", "loader"}};
	for (gsize i = 0; i < G_N_ELEMENTS(files); i++) {
		g_autofree char *value =
			g_strdup_printf("name=%s,file=%s/%s", files[i][0], folder, files[i][1]);
		add_arg(s, "-fw_cfg");
		add_arg(s, value);
	}
}

static void add_qemu_args(GString *s, const DomainSpec *d)
{
	const TargetVm *vm = &d->config->vm;
	add(s, "  <qemu:commandline>\n");
	if (!d->kvm) {
		add_arg(s, "-cpu");
		add_arg(s, vm->cpu);
	}
	if (vm->determinism == DETERMINISM_ICOUNT) {
		/* idle time passes at once (sleep=off) */
		g_autofree char *value = g_strdup_printf("shift=%u,sleep=off", vm->icount_shift);
		add_arg(s, "-icount");
		add_arg(s, value);
		/* what the guest takes for random, and when a device does what it was told */
		add_arg(s, "-seed");
		add_arg(s, "1");
		add_arg(s, "-global");
		add_arg(s, "virtio-serial-pci.ioeventfd=off");
	}
	if (d->rom) {
		add_arg(s, "-option-rom");
		add_arg(s, d->rom);
	}
	if (d->record)
		add_record(s, d->record);
	if (d->firmware)
		add_firmware(s, d->firmware);
	for (unsigned i = 0; i < vm->qemu_args_count; i++)
		add_arg(s, vm->qemu_args[i]);
	add(s, "  </qemu:commandline>\n");
}

static char *own_xml(const DomainSpec *d)
{
	const TargetVm *vm = &d->config->vm;
	GString *s = g_string_new(NULL);
	add(s,
	    "<domain type='%s' xmlns:qemu='http://libvirt.org/schemas/domain/qemu/1.0'>\n"
	    "  <name>" DOMAIN_NAME "</name>\n  <uuid>" DOMAIN_UUID "</uuid>\n",
	    d->kvm ? "kvm" : "qemu");
	add(s, "  <memory unit='MiB'>%u</memory>\n  <vcpu>%u</vcpu>\n", vm->memory_mib, vm->vcpus);
	add_boot(s, d);
	/* a reset is reported and the machine is then killed: it need not be kept from restarting
	 */
	if (vm->determinism == DETERMINISM_ICOUNT)
		add(s, "  <clock offset='absolute' start='1736121600'>\n"
		       "    <timer name='rtc' track='guest'/>\n  </clock>\n");
	else
		add(s, "  <clock offset='utc'/>\n");
	add(s, "  <on_poweroff>destroy</on_poweroff>\n"
	       "  <on_reboot>restart</on_reboot>\n  <on_crash>destroy</on_crash>\n");
	add_devices(s, d);
	add_qemu_args(s, d);
	add(s, "</domain>\n");
	return g_string_free(s, FALSE);
}

/* A template's placeholders. The sockets are not optional: without them nothing is heard. */
static char *fill_template(const DomainSpec *d, const char *text, GError **error)
{
	const struct {
		const char *name, *value;
		bool needed;
	} places[] = {
		{"@TYPE@", d->kvm ? "kvm" : "qemu", false},
		{"@EMULATOR@", d->emulator, false},
		{"@KERNEL@", d->kernel, true},
		{"@INITRD@", d->initrd, true},
		{"@CMDLINE@", d->cmdline, true},
		{"@CONSOLE@", d->console, true},
		{"@AGENT@", d->agent, true},
		{"@RECORD@", d->record ? d->record : "", d->record != NULL},
	};
	g_autoptr(GString) s = g_string_new(text);
	if (!strstr(text, "<name>" DOMAIN_NAME "</name>") || !strstr(text, "<uuid>")) {
		g_set_error(error, KX_ERROR, KX_ERROR_INPUT,
			    "%s: the domain must be named '" DOMAIN_NAME "' and have a <uuid>",
			    d->config->vm.domain_xml);
		return NULL;
	}
	for (gsize i = 0; i < G_N_ELEMENTS(places); i++) {
		g_autofree char *value = g_markup_escape_text(places[i].value, -1);
		if (g_string_replace(s, places[i].name, value, 0) == 0 && places[i].needed) {
			g_set_error(error, KX_ERROR, KX_ERROR_INPUT,
				    "%s: the placeholder %s is not in it (docs/targets.md)",
				    d->config->vm.domain_xml, places[i].name);
			return NULL;
		}
	}
	return g_strdup(s->str);
}

char *domain_xml(const DomainSpec *d, GError **error)
{
	if (!d->config->vm.domain_xml)
		return own_xml(d);
	g_autofree char *text = kx_read_file(d->config->vm.domain_xml, MAX_TEMPLATE, NULL, error);
	return text ? fill_template(d, text, error) : NULL;
}
