/* SPDX-License-Identifier: GPL-2.0-or-later */
/* libFuzzer target for kernels whose initcalls are read: ELF files, bzImages, and the System.map of
 * a kernel that is none of these; see scripts/fuzz. With --seeds FOLDER it writes inputs to start
 * from. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../initcall/made.h"
#include "initcall/image.h"
#include "initcall/table.h"

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static GBytes *bare; /* a kernel without symbols, for System.maps */

static const MadeCall few[] = {
	{"con_init", "con", "vt", 3549},  {"cpu_stop_init", "early", "stop", 584},
	{"iommu_init", "1", "iommu", 25}, {"xen_late", "1s", "xen", 12},
	{"acpi_init", "4", "acpi", 1445}, {"pci_iommu_init", "rootfs", "pci", 208},
	{"mod_init", "6", "mod", 60},	  {NULL, NULL, NULL, 0},
};

static void seed(const char *folder, const char *name, GBytes *b)
{
	g_autofree char *path = g_build_filename(folder, name, NULL);
	if (!g_file_set_contents(path, g_bytes_get_data(b, NULL), (gssize)g_bytes_get_size(b),
				 NULL))
		abort();
	g_bytes_unref(b);
}

static void write_seeds(const char *folder)
{
	char *map;
	seed(folder, "new", made_kernel(&(MadeKernel){.calls = few}, NULL));
	seed(folder, "old",
	     made_kernel(&(MadeKernel){.calls = few, .old_names = true, .pointers = true}, NULL));
	seed(folder, "arm64",
	     made_kernel(&(MadeKernel){.calls = few, .arm64 = true, .relocated = true}, NULL));
	seed(folder, "kallsyms",
	     made_kernel(&(MadeKernel){.calls = few, .stripped = true, .kallsyms = 2}, NULL));
	GBytes *stripped = made_kernel(&(MadeKernel){.calls = few, .stripped = true}, &map);
	seed(folder, "map", g_bytes_new_take(map, strlen(map)));
	for (int p = 0; p < PACKING_MAX; p++) {
		g_autofree char *name = g_strdup_printf("image-%d", p);
		seed(folder, name, made_image(stripped, (InitcallPacking)p, 0));
	}
	g_bytes_unref(stripped);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	if (*argc == 3 && strcmp((*argv)[1], "--seeds") == 0) {
		write_seeds((*argv)[2]);
		exit(0);
	}
	bare = made_kernel(&(MadeKernel){.calls = few, .stripped = true}, NULL);
	return 0;
}

/* What is handed out lies in the file and is in order. */
static void check(InitcallTable *t)
{
	size_t size = g_bytes_get_size(t->elf->bytes);
	int last = -1;
	for (guint i = 0; i < t->slots->len; i++) {
		const InitcallSlot *s = t->slots->pdata[i];
		if (!s->call.function || s->at > size - t->entry_size ||
		    (s->named_at && s->named_at > size - 8))
			abort();
		int bound = initcall_level_bound(s->call.level);
		if (bound >= 0 && bound < last)
			abort();
		last = bound;
	}
	initcall_table_find_files(t, false);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	g_autoptr(GBytes) b = g_bytes_new(data, size), kernel = NULL;
	GError *error = NULL;
	bool is_map = size && g_ascii_isxdigit((char)data[0]);
	if (initcall_image_is(b)) {
		g_autoptr(InitcallImage) image = initcall_image_open(b, "image", &error);
		if (!image == !error)
			abort();
		kernel = image ? g_bytes_ref(image->kernel) : NULL;
	} else {
		kernel = g_bytes_ref(is_map ? bare : b);
	}
	if (kernel) {
		g_autoptr(InitcallTable) t =
			initcall_table_read(kernel, "kernel", is_map ? b : NULL, "map", &error);
		if (!t == !error)
			abort();
		if (t)
			check(t);
	}
	g_clear_error(&error);
	return 0;
}
