/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The saved launcher: <cache>/states/KEY/ with kernel, initrd, image (libvirt's save file) and
 * image.sha256. KEY covers everything that the machine is made of, so a state is made once and
 * shared by all jobs. */
#include <unistd.h>

#include "base/error.h"
#include "base/fs.h"
#include "target/libvirt/libvirt-internal.h"

static bool state_key(Target *t, char **ret_key, GError **error)
{
	Libvirt *l = t->priv;
	g_autofree char *kernel = kx_sha256_file(t->o.launcher_kernel, error);
	g_autofree char *initrd = kernel ? kx_sha256_file(t->launcher_initrd, error) : NULL;
	/* the paths of the images follow from the key: only their content counts */
	g_autofree char *xml =
		initrd ? libvirt_launcher_xml(t, l->kvm, "kernel", "initrd", error) : NULL;
	if (!xml)
		return false;
	g_auto(GStrv) parts = g_strsplit(xml, l->machine.dir, -1); /* nor does the job's folder */
	g_autofree char *same = g_strjoinv("", parts);
	unsigned long version = 0;
	virGetVersion(&version, NULL, NULL);
	g_autofree char *all =
		g_strdup_printf("1\n%s\n%s\n%s\nlibvirt %lu\n%s\n%s", kernel, initrd,
				l->qemu_version, version, l->kvm ? "kvm" : "tcg", same);
	g_autofree char *digest = g_compute_checksum_for_string(G_CHECKSUM_SHA256, all, -1);
	*ret_key = g_strndup(digest, 24);
	return true;
}

static bool is_good(const char *dir)
{
	g_autofree char *image = g_build_filename(dir, "image", NULL);
	g_autofree char *noted = g_build_filename(dir, "image.sha256", NULL);
	g_autofree char *expected = kx_read_file(noted, 256, NULL, NULL);
	g_autofree char *found = expected ? kx_sha256_file(image, NULL) : NULL;
	if (found && g_str_equal(found, expected))
		return true;
	if (g_file_test(dir, G_FILE_TEST_EXISTS))
		g_warning("the saved launcher %s is damaged: it is made again", dir);
	return false;
}

/* Boots the launcher and saves it into `dir`. */
static bool make_in(Target *t, const char *dir, GError **error)
{
	Libvirt *l = t->priv;
	Machine *m = &l->machine;
	g_autofree char *kernel = g_build_filename(dir, "kernel", NULL);
	g_autofree char *initrd = g_build_filename(dir, "initrd", NULL);
	g_autofree char *image = g_build_filename(dir, "image", NULL);
	g_autofree char *noted = g_build_filename(dir, "image.sha256", NULL);
	if (!kx_copy_file(t->o.launcher_kernel, kernel, error) ||
	    !kx_copy_file(t->launcher_initrd, initrd, error))
		return false;
	g_autofree char *xml = libvirt_launcher_xml(t, l->kvm, kernel, initrd, error);
	if (!xml || !machine_create(m, xml, error))
		return false;
	bool ok = machine_wait(m, t->o.config->timeouts.launcher, NULL, NULL, error);
	if (ok && virDomainSaveFlags(m->dom, image, NULL, VIR_DOMAIN_SAVE_RUNNING) < 0)
		ok = libvirt_failed(error, "cannot save the launcher (launcher.start: fresh does "
					   "without a saved state)");
	machine_kill(m);
	g_autofree char *digest = ok ? kx_sha256_file(image, error) : NULL;
	return digest && kx_write_file(noted, digest, -1, error);
}

/* The files know their final path (the saved XML names kernel and initrd), so they are made there;
 * the digest, written last, makes the state valid. */
static bool make(Target *t, const char *dir, GError **error)
{
	target_step(t, "start");
	if (!kx_remove_tree(dir, error) || !kx_mkdir(dir, error))
		return false;
	if (make_in(t, dir, error))
		return true;
	kx_remove_tree(dir, NULL);
	g_prefix_error(error, "cannot make the saved launcher: ");
	return false;
}

bool states_prepare(Target *t, GError **error)
{
	Libvirt *l = t->priv;
	g_autofree char *key = NULL, *states = g_build_filename(t->o.cache, "states", NULL);
	if (!state_key(t, &key, error) || !kx_mkdir(states, error))
		return false;
	g_autofree char *dir = g_build_filename(states, key, NULL);
	g_autofree char *lock_path = g_strconcat(dir, ".lock", NULL);
	int lock = kx_lock_file(lock_path, true, error);
	if (lock < 0)
		return false;
	bool ok = is_good(dir) || make(t, dir, error);
	close(lock);
	if (ok)
		l->state = g_steal_pointer(&dir);
	return ok;
}

static bool restore(Target *t, GError **error)
{
	Libvirt *l = t->priv;
	g_autofree char *kernel = g_build_filename(l->state, "kernel", NULL);
	g_autofree char *initrd = g_build_filename(l->state, "initrd", NULL);
	g_autofree char *image = g_build_filename(l->state, "image", NULL);
	g_autofree char *xml = libvirt_launcher_xml(t, l->kvm, kernel, initrd, error);
	return xml && machine_restore(&l->machine, image, xml, error);
}

void states_discard(Target *t)
{
	Libvirt *l = t->priv;
	kx_remove_tree(l->state, NULL);
	g_clear_pointer(&l->state, g_free);
}

bool states_restore(Target *t, GError **error)
{
	Libvirt *l = t->priv;
	g_autoptr(GError) first = NULL;
	if (restore(t, &first))
		return true;
	g_warning("%s: the saved launcher is made again", first->message);
	machine_kill(&l->machine);
	states_discard(t);
	return states_prepare(t, error) && restore(t, error);
}
