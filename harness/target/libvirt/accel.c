/* SPDX-License-Identifier: GPL-2.0-or-later */
/* KVM is used only if a launcher boots with it: /dev/kvm can open, create a machine, and still hang
 * the guest at its first instruction. The answer holds for one boot of the host, one kernel and one
 * QEMU. */
#include <sys/stat.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "base/error.h"
#include "base/fs.h"
#include "target/libvirt/libvirt-internal.h"

/* A launcher boots in 1–2 s with KVM. */
#define PROOF_S 10

static char *answer_path(Target *t, GError **error)
{
	Libvirt *l = t->priv;
	struct utsname u;
	struct stat st = {0};
	uname(&u);
	stat("/dev/kvm", &st);
	g_autofree char *boot = kx_read_file("/proc/sys/kernel/random/boot_id", 128, NULL, NULL);
	g_autofree char *all = g_strdup_printf(
		"%s\n%s %s\n%s\n%s %u %u\n%llu %o", boot ? boot : "", u.release, u.version,
		l->qemu_version, t->o.config->path, t->o.config->vm.memory_mib,
		t->o.config->vm.vcpus, (unsigned long long)st.st_rdev, (unsigned)st.st_mode);
	g_autofree char *digest = g_compute_checksum_for_string(G_CHECKSUM_SHA256, all, -1);
	g_autofree char *dir = g_build_filename(t->o.cache, "accel", NULL);
	digest[24] = 0;
	return kx_mkdir(dir, error) ? g_build_filename(dir, digest, NULL) : NULL;
}

/* False also when it does not work; *error only when it cannot be told (cancelled). */
static bool prove(Target *t, GError **error)
{
	Libvirt *l = t->priv;
	g_autoptr(GError) why = NULL;
	g_autofree char *xml =
		libvirt_launcher_xml(t, true, t->o.launcher_kernel, t->launcher_initrd, &why);
	bool ok = xml && machine_create(&l->machine, xml, &why) &&
		  machine_wait(&l->machine, PROOF_S, NULL, NULL, &why);
	machine_kill(&l->machine);
	if (g_error_matches(why, KX_ERROR, KX_ERROR_CANCELLED))
		g_propagate_error(error, g_steal_pointer(&why));
	else if (!ok)
		g_message("KVM does not work here (%s): TCG is used", why->message);
	return ok;
}

bool accel_decide(Target *t, bool *ret_kvm, GError **error)
{
	TargetAccel wish = t->o.config->vm.accel;
	*ret_kvm = wish == ACCEL_KVM;
	if (wish != ACCEL_AUTO || access("/dev/kvm", R_OK | W_OK) != 0 || !t->o.launcher_kernel)
		return true;
	g_autofree char *path = answer_path(t, error);
	g_autofree char *lock_path = path ? g_strconcat(path, ".lock", NULL) : NULL;
	int lock = path ? kx_lock_file(lock_path, true, error) : -1;
	if (lock < 0)
		return false;
	GError *e = NULL;
	g_autofree char *known = kx_read_file(path, 64, NULL, NULL);
	if (known) {
		*ret_kvm = g_str_equal(known, "kvm\n");
	} else {
		target_step(t, "prove-kvm");
		*ret_kvm = prove(t, &e);
		if (!e)
			kx_write_file(path, *ret_kvm ? "kvm\n" : "tcg\n", -1, &e);
	}
	close(lock);
	if (e)
		g_propagate_error(error, e);
	return e == NULL;
}
