/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Kconfig's own answer to 'what if': a .config goes in, make olddefconfig settles it, and the
 * result is read. It is slower than understanding Kconfig, and right. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "base/fs.h"
#include "kernel/kernel-internal.h"

#define MAX_CONFIG (4u << 20)
#define PREFIX "CONFIG_"

struct KernelProbe {
	KernelWork *work;
	KernelMake make;
	KernelProgress *progress;
	char *config; /* the .config of the folder for configuring */
	guint runs, expected;
};

void kernel_probe_free(KernelProbe *pr)
{
	if (!pr)
		return;
	kernel_work_free(pr->work);
	g_free(pr->config);
	g_free(pr);
}

KernelProbe *kernel_probe_new(const char *cache, const Recipe *recipe, const KernelSource *s,
			      bool sandbox, KernelProgress *p, GError **error)
{
	if (sandbox && !kernel_check_sandbox(error))
		return NULL;
	g_autoptr(KernelProbe) pr = g_new0(KernelProbe, 1);
	pr->work = kernel_work_open(cache, recipe, s, p, error);
	if (!pr->work || !kernel_work_switch(pr->work, s, s->tree, error))
		return NULL;
	pr->progress = p;
	pr->config = g_build_filename(pr->work->kconf, ".config", NULL);
	pr->make = (KernelMake){.recipe = recipe,
				.jobs = 1,
				.box = {.src = pr->work->src,
					.obj = pr->work->kconf,
					.toolchain = s->toolchain,
					.enabled = sandbox}};
	return g_steal_pointer(&pr);
}

guint kernel_probe_runs(const KernelProbe *pr)
{
	return pr->runs;
}

void kernel_probe_expect(KernelProbe *pr, guint runs)
{
	pr->expected = runs;
}

const KernelWork *kernel_probe_work(const KernelProbe *pr)
{
	return pr->work;
}

static GHashTable *read_values(const char *text)
{
	GHashTable *values = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
	g_auto(GStrv) lines = g_strsplit(text, "\n", -1);
	for (char **l = lines; *l; l++) {
		char *value = NULL;
		g_autofree char *symbol = kernel_config_line(*l, &value);
		if (symbol)
			g_hash_table_replace(values, g_strdup(symbol + strlen(PREFIX)), value);
	}
	return values;
}

const char *kernel_value(GHashTable *values, const char *name)
{
	const char *value = g_hash_table_lookup(values, name);
	return value ? value : "n";
}

char *kernel_probe_text(const KernelProbe *pr, GError **error)
{
	return kx_read_file(pr->config, MAX_CONFIG, NULL, error);
}

GHashTable *kernel_probe_settle(KernelProbe *pr, const char *text, GError **error)
{
	const char *targets[] = {kernel_settle_target(pr->work), NULL};
	if (kx_cancelled()) {
		g_set_error(error, KX_ERROR, KX_ERROR_CANCELLED, "stopped on request");
		return NULL;
	}
	kernel_step(pr->progress, "configure", pr->runs, MAX(pr->expected, pr->runs + 1),
		    "what differs between the configurations");
	pr->runs++;
	if (!kx_write_scratch(pr->config, text, -1, 0666, error) ||
	    !kernel_make_run(&pr->make, targets, error))
		return NULL;
	g_autofree char *result = kernel_probe_text(pr, error);
	return result ? read_values(result) : NULL;
}

GHashTable *kernel_probe_least(KernelProbe *pr, GError **error)
{
	const char *targets[] = {"savedefconfig", NULL};
	g_autofree char *path = g_build_filename(pr->work->kconf, "defconfig", NULL);
	unlink(path);
	pr->runs++;
	if (!kernel_make_run(&pr->make, targets, error))
		return NULL;
	g_autofree char *text = kx_read_file(path, MAX_CONFIG, NULL, error);
	return text ? read_values(text) : NULL;
}

static void append_setting(GString *out, const char *name, const char *value)
{
	if (g_str_equal(value, "n"))
		g_string_append_printf(out, "# " PREFIX "%s is not set\n", name);
	else
		g_string_append_printf(out, PREFIX "%s=%s\n", name, value);
}

char *kernel_config_with(const char *text, const char *const *names, GHashTable *values)
{
	g_autoptr(GHashTable) set = g_hash_table_new(g_str_hash, g_str_equal);
	for (guint i = 0; names[i]; i++)
		g_hash_table_add(set, (gpointer)names[i]);
	g_autoptr(GString) out = g_string_new(NULL);
	g_auto(GStrv) lines = g_strsplit(text, "\n", -1);
	for (char **l = lines; *l; l++) {
		g_autofree char *value = NULL;
		g_autofree char *symbol = kernel_config_line(*l, &value);
		if (!symbol || !g_hash_table_contains(set, symbol + strlen(PREFIX)))
			g_string_append_printf(out, "%s\n", *l);
	}
	/* at the end: of a choice's members the last one that is y counts */
	for (guint i = 0; names[i]; i++)
		append_setting(out, names[i], kernel_value(values, names[i]));
	return g_string_free(g_steal_pointer(&out), FALSE);
}
