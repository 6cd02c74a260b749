/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "base/fs.h"
#include "target/initramfs.h"
#include "target/phase.h"
#include "target/libvirt/libvirt-internal.h"

#define DEFAULT_LAUNCHER_CMDLINE "console=ttyS0 quiet intel_iommu=off amd_iommu=off intremap=off"

/* Its version, and which file it is: a package update keeps the version more often than not. */
static char *program_version(virConnectPtr conn, const char *program)
{
	unsigned long v = 0;
	struct stat st = {0};
	virConnectGetVersion(conn, &v);
	stat(program, &st);
	g_autofree char *text = libvirt_version_text(v);
	return g_strdup_printf("QEMU %s %s %lld %lld", text, program, (long long)st.st_size,
			       (long long)st.st_mtime);
}

char *libvirt_launcher_xml(Target *t, bool kvm, const char *kernel, const char *initrd,
			   GError **error)
{
	Libvirt *l = t->priv;
	DomainSpec spec = {.config = t->o.config,
			   .kvm = kvm,
			   .emulator = l->emulator,
			   .kernel = kernel,
			   .initrd = initrd,
			   .cmdline = l->launcher_cmdline,
			   .console = l->machine.console,
			   .agent = l->machine.agent,
			   .record = l->machine.record,
			   .firmware = l->firmware};
	return domain_xml(&spec, error);
}

static bool make_initramfs(Target *t, char ***ret_firmware, GError **error)
{
	const TargetConfig *c = t->o.config;
	g_autofree char *agent = target_agent_path(error);
	g_autofree char *kexec = initramfs_find_kexec();
	if (!agent)
		return false;
	if (!kexec && t->o.launcher_kernel) {
		g_set_error(error, KX_ERROR, KX_ERROR_MISSING,
			    "kexec is not there: install kexec-tools");
		return false;
	}
	g_auto(GStrv) tables = initramfs_compile_tables((const char *const *)c->acpi_tables,
							c->acpi_tables_count, t->dir, error);
	if (!tables)
		return false;
	t->variant_initrd = g_build_filename(t->dir, "variant.cpio", NULL);
	t->launcher_initrd = g_build_filename(t->dir, "launcher.cpio", NULL);
	bool firmware = c->acpi_tables_by == TABLES_FIRMWARE && (*tables || c->reserved_count);
	InitramfsContent variant = {.agent = agent,
				    .tables = firmware ? NULL : (const char *const *)tables};
	InitramfsContent launcher = {.agent = agent, .kexec = kexec};
	if (!initramfs_write(t->variant_initrd, &variant, error) ||
	    (kexec && !initramfs_write(t->launcher_initrd, &launcher, error)))
		return false;
	*ret_firmware = firmware ? g_steal_pointer(&tables) : NULL;
	return true;
}

/* Tables that take a look at the machine's own first. */
static bool make_tables(Target *t, const char *const *firmware, GError **error)
{
	const char *const none[] = {NULL};
	g_autofree char *extended = NULL;
	g_autofree char *agent = NULL;
	if (!firmware && !t->o.config->reserved_count)
		return true;
	if (!tables_prepare(t, firmware ? firmware : none, &extended, error))
		return false;
	if (firmware)
		return true;
	agent = target_agent_path(error);
	const char *const tables[] = {extended, NULL};
	InitramfsContent variant = {.agent = agent, .tables = tables};
	return agent && initramfs_write(t->variant_initrd, &variant, error);
}

static bool find_emulator(Libvirt *l, GError **error)
{
	l->emulator = domain_emulator();
	if (!l->emulator)
		g_set_error(error, KX_ERROR, KX_ERROR_MISSING,
			    "qemu-system-x86_64 is not in PATH: install qemu-system-x86");
	return l->emulator != NULL;
}

static bool vm_is_saved(const Target *t)
{
	return t->o.config->launcher.start == LAUNCHER_SAVED;
}

/* A launcher that does not come up now is a matter for the recovery ladder: start_launcher() tries
 * again. */
static bool prepare_launcher(Target *t, GError **error)
{
	g_autoptr(GError) why = NULL;
	if (!t->o.launcher_kernel || !vm_is_saved(t) || states_prepare(t, &why))
		return true;
	if (!g_error_matches(why, KX_ERROR, KX_ERROR_TIMEOUT) &&
	    !g_error_matches(why, KX_ERROR, KX_ERROR_FAILED)) {
		g_propagate_error(error, g_steal_pointer(&why));
		return false;
	}
	g_warning("target %s: %s", t->o.config->name, why->message);
	return true;
}

static void describe(Target *t)
{
	Libvirt *l = t->priv;
	unsigned long qemu = 0;
	virConnectGetVersion(l->machine.conn, &qemu);
	g_autofree char *version = libvirt_version_text(qemu);
	const TargetVm *vm = &t->o.config->vm;
	t->description = g_strdup_printf(
		"QEMU %s, %s%s, %s%s", version, l->kvm ? "KVM" : "TCG",
		vm->determinism == DETERMINISM_ICOUNT ? " counting instructions" : "",
		!t->o.launcher_kernel ? "cold boots"
		: vm_is_saved(t)      ? "saved launcher"
				      : "fresh launcher",
		l->machine.record ? ", the emulator's record of refused DMA" : "");
}

static bool open_libvirt(Target *t, GError **error)
{
	Libvirt *l = t->priv = g_new0(Libvirt, 1);
	const TargetConfig *c = t->o.config;
	rundir_sweep(t->o.cache);
	t->dir = g_strdup(rundir_own(t->o.cache, error));
	g_auto(GStrv) firmware = NULL;
	if (!t->dir || !find_emulator(l, error) || !make_initramfs(t, &firmware, error))
		return false;
	l->launcher_cmdline = g_strdup_printf("%s kexsect.role=launcher",
					      c->launcher.cmdline ? c->launcher.cmdline
								  : DEFAULT_LAUNCHER_CMDLINE);
	virConnectPtr conn = embed_open(c->vm.uri, t->o.cache, t->dir, error);
	if (!conn || !machine_init(&l->machine, t, conn, t->dir, error))
		return false;
	l->qemu_version = program_version(conn, l->emulator);
	if (c->vm.iommu_record == RECORD_AMD && !libvirt_logs_to_guest(conn))
		l->machine.record = g_build_filename(t->dir, "record", NULL);
	if (!accel_decide(t, &l->kvm, error) ||
	    !make_tables(t, (const char *const *)firmware, error))
		return false;
	if (!prepare_launcher(t, error))
		return false;
	describe(t);
	return true;
}

/* A launcher that is started afresh can have its orders in its initramfs. That is how it must be
 * where time counts instructions: what the host sends arrives at another moment each time. */
static char *ordered_initrd(Target *t, const TargetOrders *orders, GError **error)
{
	g_autofree char *path = g_build_filename(t->dir, "ordered.cpio", NULL);
	InitramfsOrders o = {.kernel = orders->kernel,
			     .initrd = orders->initrd,
			     .cmdline = orders->cmdline,
			     .wait_us = orders->wait_us};
	return initramfs_add_orders(path, t->launcher_initrd, &o, error) ? g_steal_pointer(&path)
									 : NULL;
}

static bool start_fresh(Target *t, const TargetOrders *orders, TargetLink *ret, GError **error)
{
	Libvirt *l = t->priv;
	g_autofree char *initrd = NULL;
	ret->ordered = orders && t->o.config->vm.determinism == DETERMINISM_ICOUNT;
	if (ret->ordered) {
		initrd = ordered_initrd(t, orders, error);
		if (!initrd)
			return false;
	}
	g_autofree char *xml = libvirt_launcher_xml(t, l->kvm, t->o.launcher_kernel,
						    initrd ? initrd : t->launcher_initrd, error);
	return xml && machine_create(&l->machine, xml, error);
}

static bool start_launcher(Target *t, const TargetOrders *orders, TargetLink *ret, GError **error)
{
	Libvirt *l = t->priv;
	if (!t->o.launcher_kernel) {
		g_set_error(error, KX_ERROR, KX_ERROR_INPUT, "kexec needs a launcher kernel");
		return false;
	}
	bool saved = vm_is_saved(t);
	target_step(t, saved ? "restore" : "start");
	ret->warm = saved;
	if (saved) {
		if ((!l->state && !states_prepare(t, error)) || !states_restore(t, error))
			return false;
	} else if (!start_fresh(t, orders, ret, error)) {
		return false;
	}
	return machine_connect(&l->machine, ret, error);
}

static bool start_cold(Target *t, const TargetImage *image, TargetLink *ret, GError **error)
{
	Libvirt *l = t->priv;
	const TargetVm *vm = &t->o.config->vm;
	g_autofree char *rom = NULL;
	if (vm->phase.steps) {
		rom = g_build_filename(t->dir, "phase.rom", NULL);
		if (!phase_rom_write(rom, image->phase_us, vm->icount_shift, error))
			return false;
	}
	DomainSpec spec = {.config = t->o.config,
			   .kvm = l->kvm,
			   .emulator = l->emulator,
			   .rom = rom,
			   .kernel = image->kernel,
			   .initrd = image->initrd,
			   .cmdline = image->cmdline,
			   .console = l->machine.console,
			   .agent = l->machine.agent,
			   .record = l->machine.record,
			   .firmware = l->firmware};
	g_autofree char *xml = domain_xml(&spec, error);
	return xml && machine_create(&l->machine, xml, error) &&
	       machine_connect(&l->machine, ret, error);
}

static bool go(Target *t, GError **error)
{
	Libvirt *l = t->priv;
	l->machine.quiet = false;
	return machine_resume(&l->machine, error);
}

static Machine *machine_of(Target *t)
{
	return &((Libvirt *)t->priv)->machine;
}

static bool sysrq(Target *t, char key)
{
	g_autoptr(GError) why = NULL;
	bool sent = machine_sysrq(machine_of(t), key, &why);
	if (why)
		g_debug("no SysRq: %s", why->message);
	return sent;
}

static bool interrupt(Target *t)
{
	Machine *m = machine_of(t);
	if (m->dom && virDomainInjectNMI(m->dom, 0) == 0)
		return true;
	g_debug("no NMI: %s", virGetLastErrorMessage());
	return false;
}

static bool reset(Target *t, GError **error)
{
	return machine_reset(machine_of(t), error);
}

/* On is a new machine with the launcher, whatever the saved one is good for. */
static bool power(Target *t, bool on, GError **error)
{
	Machine *m = machine_of(t);
	TargetLink none = {.console = -1, .agent = -1};
	if (!on)
		return machine_power_off(m, error);
	if (!t->o.launcher_kernel) {
		g_set_error(error, KX_ERROR, KX_ERROR_INPUT, "there is no launcher's kernel");
		return false;
	}
	machine_forget(m);
	return start_fresh(t, NULL, &none, error) && machine_resume(m, error);
}

static int powered(Target *t)
{
	return machine_powered(machine_of(t));
}

static bool attach(Target *t, TargetLink *ret, GError **error)
{
	return machine_connect(machine_of(t), ret, error);
}

static void stop(Target *t)
{
	Libvirt *l = t->priv;
	machine_kill(&l->machine);
}

static void distrust(Target *t)
{
	Libvirt *l = t->priv;
	if (l->state)
		states_discard(t);
}

static void close_libvirt(Target *t)
{
	Libvirt *l = t->priv;
	if (!l)
		return;
	machine_clear(&l->machine);
	g_free(l->emulator);
	g_free(l->qemu_version);
	g_free(l->launcher_cmdline);
	g_free(l->state);
	g_free(l->firmware);
	g_free(l);
}

const TargetOps target_libvirt_ops = {
	.name = "libvirt",
	.driver = TARGET_LIBVIRT,
	.open = open_libvirt,
	.start_launcher = start_launcher,
	.start_cold = start_cold,
	.go = go,
	.sysrq = sysrq,
	.interrupt = interrupt,
	.reset = reset,
	.power = power,
	.powered = powered,
	.attach = attach,
	.stop = stop,
	.distrust = distrust,
	.close = close_libvirt,
	.check = libvirt_check,
	.sweep = rundir_sweep,
};
