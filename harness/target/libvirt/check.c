/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "base/fs.h"
#include "base/proc.h"
#include "target/initramfs.h"
#include "target/libvirt/libvirt-internal.h"

/* The line of `argv`'s output that holds a digit first: its version. */
static char *version_line(const char *const *argv)
{
	g_auto(KxProcResult) r = {0};
	if (!kx_proc_run(&(KxProc){.argv = argv, .timeout_s = 10}, &r, NULL))
		return NULL;
	g_auto(GStrv) lines = g_strsplit(*r.out ? r.out : r.err, "\n", -1);
	for (char **l = lines; *l; l++)
		if (strpbrk(*l, "0123456789"))
			return g_strdup(g_strstrip(*l));
	return NULL;
}

static void check_tool(GPtrArray *checks, const char *what, const char *package,
		       const char *const *argv)
{
	char *version = version_line(argv);
	target_check_add(checks, what, version != NULL,
			 version ? version
				 : g_strdup_printf("%s is not there: install the package %s",
						   argv[0], package));
}

static void check_tables(const TargetConfig *c, const char *dir, GPtrArray *checks)
{
	g_autoptr(GError) e = NULL;
	g_auto(GStrv) tables = initramfs_compile_tables((const char *const *)c->acpi_tables,
							c->acpi_tables_count, dir, &e);
	target_check_add(checks, "ACPI tables", tables != NULL,
			 tables ? g_strdup_printf("%u compiled", c->acpi_tables_count)
				: g_strdup(e->message));
}

/* libvirt must take the machine as it is described: it translates it to a QEMU command line. */
static void check_domain(const TargetConfig *c, virConnectPtr conn, GPtrArray *checks)
{
	g_autoptr(GError) e = NULL;
	g_autofree char *emulator = domain_emulator();
	DomainSpec spec = {.config = c,
			   .emulator = emulator ? emulator : "",
			   .kernel = "/kernel",
			   .initrd = "/initrd",
			   .cmdline = "",
			   .console = "/console",
			   .agent = "/agent",
			   .record = c->vm.iommu_record == RECORD_AMD ? "/record" : NULL};
	g_autofree char *xml = domain_xml(&spec, &e);
	char *line = xml ? virConnectDomainXMLToNative(conn, "qemu-argv", xml, 0) : NULL;
	if (xml && !line)
		libvirt_failed(&e, "the machine's description");
	target_check_add(checks, "machine", line != NULL,
			 line ? g_strdup("the description is accepted") : g_strdup(e->message));
	free(line);
}

/* Where faults of an emulated AMD-Vi will be found, and that its launcher is not to be saved:
 * "State blocked by non-migratable device" would come only when it is. */
static void check_amd(const TargetConfig *c, virConnectPtr conn, GPtrArray *checks)
{
	if (c->vm.iommu_record == RECORD_AMD)
		target_check_add(checks, "fault log", true,
				 g_strdup(libvirt_logs_to_guest(conn)
						  ? "the guest's own: this QEMU delivers its events"
						  : "QEMU's record of refused DMA: before 10.2 it "
						    "delivers no events to the guest"));
	for (unsigned i = 0; i < c->vm.qemu_args_count; i++)
		if (c->launcher.start == LAUNCHER_SAVED &&
		    g_str_has_prefix(c->vm.qemu_args[i], "amd-iommu"))
			target_check_add(checks, "launcher", false,
					 g_strdup("amd-iommu cannot be saved: launcher.start must "
						  "be fresh"));
}

static void check_connection(const TargetConfig *c, const char *cache, GPtrArray *checks)
{
	g_autoptr(GError) e = NULL;
	const char *dir = rundir_own(cache, &e);
	virConnectPtr conn = dir ? embed_open(c->vm.uri, cache, dir, &e) : NULL;
	unsigned long version = 0;
	if (conn)
		virConnectGetLibVersion(conn, &version);
	g_autofree char *text = libvirt_version_text(version);
	target_check_add(
		checks, "libvirt", conn != NULL,
		conn ? g_strdup_printf("%s, %s", text, c->vm.uri ? c->vm.uri : "embedded driver")
		     : g_strdup(e->message));
	if (conn) {
		check_domain(c, conn, checks);
		check_amd(c, conn, checks);
		check_tables(c, dir, checks);
	}
	embed_close(conn);
}

void libvirt_check(const TargetConfig *c, const char *cache, GPtrArray *checks)
{
	const char *qemu[] = {"qemu-system-x86_64", "--version", NULL};
	g_autofree char *program = initramfs_find_kexec();
	const char *kexec[] = {program ? program : "kexec", "--version", NULL};
	const char *iasl[] = {"iasl", "-v", NULL};
	check_tool(checks, "QEMU", "qemu-system-x86", qemu);
	check_tool(checks, "kexec", "kexec-tools", kexec);
	if (c->acpi_tables_count > 0)
		check_tool(checks, "iasl", "acpica-tools", iasl);
	if (c->vm.accel == ACCEL_KVM)
		target_check_add(checks, "KVM", access("/dev/kvm", R_OK | W_OK) == 0,
				 g_strdup(access("/dev/kvm", R_OK | W_OK) == 0
						  ? "/dev/kvm opens"
						  : "/dev/kvm cannot be opened, but accel: kvm "
						    "asks for it"));
	check_connection(c, cache, checks);
}
