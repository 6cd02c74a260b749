/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tree.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <glib/gstdio.h>
#include <string.h>

#include "base/fs.h"

typedef struct {
	const char *path, *text;
} File;

static const File tree[] = {
	{"configs/campaigns/c.yaml", "name: c\n"
				     "title: a title\n"
				     "question: why?\n"
				     "base: k\n"
				     "series: s\n"
				     "oracle: o\n"
				     "targets: [t]\n"
				     "fragments: [more]\n"
				     "fixtures: [window]\n"
				     "candidates: [late, early]\n"
				     "effect: cures\n"
				     "boot:\n"
				     "  cmdline: intel_iommu=on\n"
				     "  mode: cold\n"
				     "search:\n"
				     "  confidence: 0.95\n"
				     "  seed: 7\n"
				     "  max_culprits: 2\n"
				     "budget:\n"
				     "  boots: 50\n"
				     "  hours: 1.5\n"
				     "  builds: 9\n"},
	{"configs/campaigns/least.yaml", "name: least\n"
					 "base: ../../kernels/k.yaml\n"
					 "series: ../../patches/s/series.yaml\n"
					 "oracle: o\n"
					 "targets: [t]\n"
					 "fixtures: [window]\n"},
	{"configs/targets/t.yaml", "name: t\n"
				   "driver: libvirt\n"
				   "vm:\n"
				   "  accel: tcg\n"
				   "  memory_mib: 256\n"
				   "  qemu_args: [-device, usb-kbd]\n"
				   "acpi_tables: [dmar]\n"
				   "launcher:\n"
				   "  cmdline: intel_iommu=off\n"
				   "  start: fresh\n"
				   "  jitter_us: 1000\n"
				   "cmdline: console=ttyS0\n"
				   "timeouts:\n"
				   "  silence: 15\n"},
	{"configs/oracles/o.yaml", "name: o\n"
				   "window:\n"
				   "  from: 'DMAR: IOMMU enabled'\n"
				   "  to: 'Trying to unpack'\n"
				   "devices: ['00:02.0', '0000:00:1f.2']\n"
				   "addresses: ['0x1ffde000-0x1fffffff']\n"
				   "alive: 'alive'\n"
				   "hang_is_fault: no\n"
				   "panic_is_fault: yes\n"},
	{"configs/acpi/dmar.dsl", "table\n"},
	{"kernels/k.yaml", "name: k\n"
			   "source:\n"
			   "  debian: linux-source-6.1\n"
			   "defconfig: tinyconfig\n"
			   "fragments:\n"
			   "  - fragments/base.config\n"
			   "toolchain: gcc\n"},
	{"kernels/fragments/base.config", "CONFIG_A=y\n"},
	{"kernels/fragments/more.config", "CONFIG_B=y\n"},
	{"kernels/configs/good.config", "CONFIG_A=y\n"},
	{"kernels/configs/bad.config", "CONFIG_A=n\n"},
	{"kernels/toolchains/gcc.yaml", "name: gcc\n"
					"cc: gcc\n"
					"make_args: [LLVM=0]\n"
					"env: [LC_ALL=C]\n"},
	{"patches/s/series.yaml", "name: s\n"
				  "base: k\n"
				  "patches:\n"
				  "  - name: window\n"
				  "    kind: fixture\n"
				  "    file: window.patch\n"
				  "  - name: early\n"
				  "    file: early.patch\n"
				  "    origin: {commit: 33f28c59e18d, note: from 3.7}\n"
				  "  - name: late\n"
				  "    mbox: late.mbox\n"
				  "    depends: [early]\n"
				  "  - name: other\n"
				  "    file: early.patch\n"
				  "    conflicts: [late]\n"},
	{"patches/s/window.patch", "w\n"},
	{"patches/s/early.patch", "e\n"},
	{"patches/s/late.mbox", "l\n"},
};

char *root;

void write_tree(const char *path, const char *old, const char *new)
{
	bool changed = !path;
	for (guint i = 0; i < G_N_ELEMENTS(tree); i++) {
		g_autofree char *full = g_build_filename(root, tree[i].path, NULL);
		g_autofree char *dir = g_path_get_dirname(full);
		assert_int_equal(g_mkdir_with_parents(dir, 0755), 0);
		g_autofree char *text = g_strdup(tree[i].text);
		if (path && g_str_equal(path, tree[i].path)) {
			const char *at = strstr(text, old);
			assert_non_null(at);
			char *with = g_strdup_printf("%.*s%s%s", (int)(at - text), text, new,
						     at + strlen(old));
			g_free(text);
			text = with;
			changed = true;
		}
		assert_true(g_file_set_contents(full, text, -1, NULL));
	}
	assert_true(changed);
}

int tree_set_up(void **state)
{
	root = g_dir_make_tmp("kexsect-campaign-XXXXXX", NULL);
	/* names must come from the tree of the campaign, not from where the test runs */
	g_setenv("KEXSECT_DATA", "/nonexistent/kexsect", TRUE);
	return root ? 0 : -1;
}

int tree_tear_down(void **state)
{
	bool ok = kx_remove_tree(root, NULL);
	g_clear_pointer(&root, g_free);
	return ok ? 0 : -1;
}

Campaign *load(const char *name, GError **error)
{
	g_autofree char *path = g_build_filename(root, "configs/campaigns", name, NULL);
	return campaign_load(path, error);
}

Campaign *load_with(const char *old, const char *new)
{
	write_tree("configs/campaigns/c.yaml", old, new);
	g_autoptr(GError) error = NULL;
	Campaign *c = load("c.yaml", &error);
	if (!c)
		fail_msg("%s", error->message);
	return c;
}
