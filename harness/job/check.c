/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "job/check.h"

#include <string.h>

#include "base/fs.h"
#include "base/json.h"
#include "job/check-internal.h"
#include "job/expand.h"
#include "kernel/kernel.h"
#include "oracle/oracle.h"
#include "target/target.h"

/* Source repository, worktree, objects and kernels of one base, measured on Linux 6.1: 5.5 GiB. */
#define DISK_FIRST (UINT64_C(8) << 30)
#define DISK_LATER (UINT64_C(2) << 30)

static void line_free(gpointer data)
{
	CheckLine *l = data;
	g_free(l->what);
	g_free(l->detail);
	g_free(l);
}

void check_result_clear(CheckResult *r)
{
	g_clear_pointer(&r->lines, g_ptr_array_unref);
	g_clear_pointer(&r->matrix, json_decref);
}

void check_note(CheckResult *r, const CheckOptions *options, const char *group, CheckState state,
		const char *what, char *detail)
{
	CheckLine *l = g_new0(CheckLine, 1);
	*l = (CheckLine){.group = group, .what = g_strdup(what), .detail = detail, .state = state};
	g_ptr_array_add(r->lines, l);
	r->bad += state == CHECK_BAD;
	r->warnings += state == CHECK_WARNING;
	if (options->report)
		options->report(l, NULL, options->user);
}

void check_add(Check *k, const char *group, CheckState state, const char *what, char *detail)
{
	check_note(k->result, k->options, group, state, what, detail);
}

void check_step(Check *k, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	g_autofree char *text = g_strdup_vprintf(format, args);
	va_end(args);
	if (k->options->report)
		k->options->report(NULL, text, k->options->user);
}

static void check_tools(Check *k)
{
	g_autoptr(GPtrArray) tools = kernel_check_tools(k->campaign->base);
	for (guint i = 0; i < tools->len; i++) {
		const KernelTool *t = g_ptr_array_index(tools, i);
		if (t->version)
			check_add(k, "tools", CHECK_OK, t->name, g_strdup(t->version));
		else
			check_add(k, "tools", t->needed ? CHECK_BAD : CHECK_WARNING, t->name,
				  g_strdup_printf("missing; apt-get install %s", t->package));
	}
	g_autoptr(GError) error = NULL;
	if (!k->options->sandbox)
		check_add(k, "tools", CHECK_WARNING, "sandbox",
			  g_strdup("off: patches are compiled with all your rights"));
	else if (kernel_check_sandbox(&error))
		check_add(k, "tools", CHECK_OK, "sandbox",
			  g_strdup("the compiler has no network and writes only its objects"));
	else
		check_add(k, "tools", CHECK_BAD, "sandbox",
			  g_strdup_printf("%s; --no-sandbox compiles without", error->message));
}

static void check_disk(Check *k, const char *what, const char *path, uint64_t wanted)
{
	uint64_t have = kx_free_space(path);
	g_autofree char *free_text = g_format_size_full(have, G_FORMAT_SIZE_IEC_UNITS);
	g_autofree char *want_text = g_format_size_full(wanted, G_FORMAT_SIZE_IEC_UNITS);
	g_autoptr(GError) error = NULL;
	if (!kx_mkdir(path, &error))
		check_add(k, "disk", CHECK_BAD, what, g_strdup(error->message));
	else if (have < wanted)
		check_add(k, "disk", CHECK_BAD, what,
			  g_strdup_printf("%s has %s left, %s are needed", path, free_text,
					  want_text));
	else
		check_add(k, "disk", CHECK_OK, what,
			  g_strdup_printf("%s, %s left", path, free_text));
}

static void check_disks(Check *k)
{
	g_autofree char *builds = g_build_filename(k->options->cache, "builds", NULL);
	bool later = g_file_test(builds, G_FILE_TEST_IS_DIR);
	check_disk(k, "cache", k->options->cache, later ? DISK_LATER : DISK_FIRST);
	check_disk(k, "results", k->options->results, UINT64_C(256) << 20);
}

void check_target(Check *k, const TargetConfig *config)
{
	g_autoptr(GPtrArray) found = target_check(config, k->options->cache);
	for (guint i = 0; i < found->len; i++) {
		const TargetCheck *c = g_ptr_array_index(found, i);
		g_autofree char *what = g_strdup_printf("%s: %s", config->name, c->what);
		check_add(k, "target", c->ok ? CHECK_OK : CHECK_BAD, what, g_strdup(c->detail));
	}
}

static void check_targets(Check *k)
{
	for (unsigned t = 0; t < k->campaign->target_names_count; t++)
		if (!k->options->target ||
		    g_str_equal(k->options->target, k->campaign->targets[t]->name))
			check_target(k, k->campaign->targets[t]);
	check_version_targets(k);
}

static void check_oracle(Check *k)
{
	g_autoptr(GError) error = NULL;
	const OracleConfig *o = k->campaign->oracle;
	bool ok = oracle_check(o, &error);
	check_add(k, "oracle", ok ? CHECK_OK : CHECK_BAD, o->name,
		  g_strdup(ok ? "its patterns compile" : error->message));
}

static void on_kernel_step(const char *step, uint64_t done, uint64_t total, const char *detail,
			   gpointer user)
{
	if (done == 0)
		check_step(user, "%s %s", step, detail ? detail : "");
}

static char **strv_of(char *const *list, unsigned count)
{
	g_autoptr(GStrvBuilder) out = g_strv_builder_new();
	for (unsigned i = 0; i < count; i++)
		g_strv_builder_add(out, list[i]);
	return g_strv_builder_end(out);
}

json_t *check_matrix(const Campaign *c, const char *cache, GError **error)
{
	g_auto(GStrv) fixtures = strv_of(c->fixtures, c->fixtures_count);
	g_autoptr(GStrvBuilder) patches = g_strv_builder_new();
	for (unsigned i = 0; i < c->candidates_count; i++)
		if (c->candidates[i].kind == CANDIDATE_PATCH)
			g_strv_builder_add(patches, c->candidates[i].text);
	g_auto(GStrv) candidates = g_strv_builder_end(patches);
	return kernel_apply_matrix(cache, c->base, c->series, (const char *const *)fixtures,
				   (const char *const *)candidates, error);
}

static void check_patches(Check *k)
{
	const Campaign *c = k->campaign;
	g_autoptr(GError) error = NULL;
	k->result->matrix = check_matrix(c, k->options->cache, &error);
	if (!k->result->matrix) {
		check_add(k, "patches", CHECK_BAD, c->series->name, g_strdup(error->message));
		return;
	}
	size_t i;
	json_t *entry;
	json_array_foreach (json_object_get(k->result->matrix, "alone"), i, entry) {
		const char *result = kx_json_str(entry, "result"),
			   *why = kx_json_str(entry, "reason");
		bool ok = g_strcmp0(result, "conflict") != 0;
		check_add(k, "patches", ok ? CHECK_OK : CHECK_BAD, kx_json_str(entry, "name"),
			  g_strdup(ok ? "applies" : why));
	}
	json_array_foreach (json_object_get(k->result->matrix, "pairs"), i, entry) {
		if (g_strcmp0(kx_json_str(entry, "result"), "conflict") != 0)
			continue;
		g_autofree char *what = g_strdup_printf("%s + %s", kx_json_str(entry, "a"),
							kx_json_str(entry, "b"));
		check_add(k, "patches", CHECK_OK, what,
			  g_strdup("do not apply together; never tried together"));
	}
}

static void on_expand_step(const char *step, gpointer user)
{
	check_step(user, "%s", step);
}

/* Those that only the source can tell. */
static void check_candidates(Check *k)
{
	Campaign *c = k->campaign;
	g_autoptr(GError) error = NULL;
	const char *what = c->history ? "history" : "config";
	bool needed = campaign_needs_source(c);
	if (!expand_campaign(c, k->options->cache, k->options->sandbox, on_expand_step, k, &error))
		check_add(k, "source", CHECK_BAD, needed ? what : "weights",
			  g_strdup(error->message));
	else if (needed)
		check_add(k, "source", CHECK_OK, what,
			  g_strdup_printf("%u candidates", c->candidates_count));
}

static unsigned patches_of(const Campaign *c)
{
	unsigned n = 0;
	for (unsigned i = 0; i < c->candidates_count; i++)
		n += c->candidates[i].kind == CANDIDATE_PATCH;
	return n;
}

/* Where it is from, whether it is one that is known, and what compiles it. */
static bool check_recipe(Check *k, const Recipe *r, GError **error)
{
	g_auto(KernelSourceInfo) i = {0};
	if (!kernel_source_info(k->options->cache, r, on_kernel_step, k, &i, error))
		return false;
	bool known = i.known || !r->source.trees_count;
	check_add(k, "source", known ? CHECK_OK : CHECK_WARNING, r->name,
		  kernel_source_text(&i, r));
	check_add(k, "source", CHECK_OK, "toolchain", kernel_toolchain_text(&i));
	return true;
}

static void check_source(Check *k)
{
	g_autoptr(GError) error = NULL;
	const Recipe *base = k->campaign->base;
	check_step(k, "the source of %s (half a minute the first time)", base->name);
	if (!check_recipe(k, base, &error)) {
		check_add(k, "source", CHECK_BAD, base->name, g_strdup(error->message));
		return;
	}
	check_versions(k);
	check_candidates(k);
	if (patches_of(k->campaign))
		check_patches(k);
}

bool check_campaign(Campaign *c, const CheckOptions *options, CheckResult *ret)
{
	*ret = (CheckResult){.lines = g_ptr_array_new_with_free_func(line_free)};
	Check k = {c, options, ret};
	check_tools(&k);
	check_disks(&k);
	check_targets(&k);
	check_oracle(&k);
	check_survey(&k);
	if (options->source && ret->bad == 0)
		check_source(&k);
	return ret->bad == 0;
}
