/* SPDX-License-Identifier: GPL-2.0-or-later */
/* <cache>/firmware/KEY/: acpi/ with the tables that a kernel saw on this machine, and the files for
 * its firmware. KEY covers what the tables depend on, the replacements included. */
#include <unistd.h>

#include "base/error.h"
#include "base/fs.h"
#include "target/firmware.h"
#include "target/kmsg.h"
#include "target/libvirt/libvirt-internal.h"
#include "target/reserved.h"

/* No IOMMU: nothing that could stop it from saying what it sees. */
#define PROBE_WORDS "console=ttyS0 quiet intel_iommu=off amd_iommu=off kexsect.variant=probe"

static char *probe_xml(Target *t, GError **error)
{
	Libvirt *l = t->priv;
	const char *kernel = t->o.probe_kernel ? t->o.probe_kernel : t->o.launcher_kernel;
	DomainSpec spec = {.config = t->o.config,
			   .kvm = l->kvm,
			   .emulator = l->emulator,
			   .kernel = kernel,
			   .initrd = t->variant_initrd,
			   .cmdline = PROBE_WORDS,
			   .console = l->machine.console,
			   .agent = l->machine.agent,
			   .record = l->machine.record};
	if (kernel)
		return domain_xml(&spec, error);
	g_set_error(error, KX_ERROR, KX_ERROR_INPUT,
		    "acpi_tables_by: firmware and reserved need a kernel to see the machine's "
		    "tables with");
	return NULL;
}

/* Which kernel looks at them does not matter, nor where this job's folder is. */
static char *make_key(Target *t, const char *const *compiled, GError **error)
{
	Libvirt *l = t->priv;
	const TargetVm *vm = &t->o.config->vm;
	const TargetConfig *c = t->o.config;
	g_autoptr(GString) all = g_string_new("2\n");
	g_string_append_printf(all, "%d\n", c->acpi_tables_by);
	for (unsigned i = 0; i < c->reserved_count; i++)
		g_string_append_printf(all, "%s %" G_GUINT64_FORMAT " %" G_GUINT64_FORMAT " %d\n",
				       c->reserved[i].device, c->reserved[i].start,
				       c->reserved[i].length, c->reserved[i].kind);
	g_string_append_printf(all, "%s\n%u %u %s\n", l->qemu_version, vm->memory_mib, vm->vcpus,
			       l->kvm ? "kvm" : vm->cpu);
	for (unsigned i = 0; i < vm->qemu_args_count; i++)
		g_string_append_printf(all, "%s\n", vm->qemu_args[i]);
	for (; *compiled; compiled++) {
		g_autofree char *digest = kx_sha256_file(*compiled, error);
		if (!digest)
			return NULL;
		g_string_append_printf(all, "%s\n", digest);
	}
	char *digest = g_compute_checksum_for_string(G_CHECKSUM_SHA256, all->str, -1);
	digest[24] = 0;
	return digest;
}

static bool on_frame(AgentType type, const char *payload, gsize len, gpointer user)
{
	if (type == AGENT_TABLE)
		kmsg_add_table(user, payload, len);
	return type == AGENT_IS_ALIVE;
}

/* Boots once, for the tables. */
static bool probe(Target *t, const char *dir, GError **error)
{
	Libvirt *l = t->priv;
	Machine *m = &l->machine;
	g_autofree char *xml = probe_xml(t, error);
	if (!xml)
		return false;
	Kmsg *seen = kmsg_new(dir);
	bool ok = machine_create(m, xml, error) &&
		  machine_wait(m, t->o.config->timeouts.launcher, on_frame, seen, error);
	machine_kill(m);
	if (!ok)
		kmsg_free(seen);
	return ok && kmsg_finish(seen, NULL, error);
}

/* What was extended; NULL: nothing. */
static char *find_extended(const char *dir)
{
	static const char *const names[] = {"ivrs-reserved.aml", "dmar-reserved.aml"};
	for (gsize i = 0; i < G_N_ELEMENTS(names); i++) {
		char *path = g_build_filename(dir, names[i], NULL);
		if (access(path, R_OK) == 0)
			return path;
		g_free(path);
	}
	return NULL;
}

/* Of the machine's own tables, which are in dir/acpi. */
static bool put_together(const TargetConfig *c, const char *const *compiled, const char *dir,
			 GError **error)
{
	g_autofree char *acpi = g_build_filename(dir, "acpi", NULL), *extended = NULL;
	if (c->reserved_count &&
	    !reserved_extend(acpi, c->reserved, c->reserved_count, dir, &extended, error))
		return false;
	const char *const one[] = {extended, NULL};
	return c->acpi_tables_by != TABLES_FIRMWARE ||
	       firmware_compose(acpi, extended ? one : compiled, dir, error);
}

/* The file `complete` is written last and makes the folder valid. */
static bool make(Target *t, const char *const *compiled, const char *dir, const char *complete,
		 GError **error)
{
	g_autofree char *acpi = g_build_filename(dir, "acpi", NULL);
	target_step(t, "start");
	if (kx_remove_tree(dir, error) && kx_mkdir(acpi, error) && probe(t, dir, error) &&
	    put_together(t->o.config, compiled, dir, error) &&
	    kx_write_file(complete, "", 0, error))
		return true;
	kx_remove_tree(dir, NULL);
	g_prefix_error(error, "cannot make the machine's tables: ");
	return false;
}

bool tables_prepare(Target *t, const char *const *compiled, char **ret_extended, GError **error)
{
	Libvirt *l = t->priv;
	g_autofree char *key = make_key(t, compiled, error);
	g_autofree char *all = g_build_filename(t->o.cache, "firmware", NULL);
	if (!key || !kx_mkdir(all, error))
		return false;
	g_autofree char *dir = g_build_filename(all, key, NULL);
	g_autofree char *complete = g_build_filename(dir, "complete", NULL);
	g_autofree char *lock_path = g_strconcat(dir, ".lock", NULL);
	int lock = kx_lock_file(lock_path, true, error);
	if (lock < 0)
		return false;
	bool ok = access(complete, R_OK) == 0 || make(t, compiled, dir, complete, error);
	close(lock);
	if (ok)
		*ret_extended = find_extended(dir);
	if (ok && t->o.config->acpi_tables_by == TABLES_FIRMWARE)
		l->firmware = g_steal_pointer(&dir);
	return ok;
}
