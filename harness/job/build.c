/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "job/build.h"

#include <string.h>

#include "base/error.h"
#include "base/fs.h"
#include "base/json.h"
#include "base/proc.h"
#include "kernel/kernel.h"

typedef struct {
	Recipe *recipe;
	Series *series, *history;
	char *cache;
	char **fixtures, **candidates, **fragments, **config, **initcalls;
	char *commit, *config_file, *order;
	KernelRequest q;
} Request;

static void request_clear(Request *r)
{
	recipe_free(r->recipe);
	series_free(r->series);
	series_free(r->history);
	g_free(r->cache);
	g_strfreev(r->fixtures);
	g_strfreev(r->candidates);
	g_strfreev(r->fragments);
	g_strfreev(r->config);
	g_strfreev(r->initcalls);
	g_free(r->order);
	g_free(r->commit);
	g_free(r->config_file);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Request, request_clear)

static void print_step(const char *step, uint64_t done, uint64_t total, const char *detail,
		       gpointer user)
{
	g_autoptr(json_t) line = json_pack("{s:s, s:s, s:I, s:I, s:o}", "event", "step", "step",
					   step, "done", (json_int_t)done, "total",
					   (json_int_t)total, "detail", kx_json_text(detail));
	kx_json_line(line);
}

/* A misspelt key would silently build something else. */
static bool check_keys(const json_t *j, const char *path, GError **error)
{
	static const struct {
		const char *key;
		json_type type;
	} known[] = {
		{"format", JSON_INTEGER},     {"recipe", JSON_STRING},
		{"fragments", JSON_ARRAY},    {"series", JSON_STRING},
		{"fixtures", JSON_ARRAY},     {"candidates", JSON_ARRAY},
		{"clean", JSON_TRUE},	      {"sandbox", JSON_TRUE},
		{"cache", JSON_STRING},	      {"config", JSON_ARRAY},
		{"config_file", JSON_STRING}, {"commit", JSON_STRING},
		{"history", JSON_STRING},     {"jobs", JSON_INTEGER},
		{"timeout_s", JSON_INTEGER},  {"min_free", JSON_INTEGER},
		{"initcalls", JSON_ARRAY},    {"order", JSON_STRING},
	};
	if (!json_is_object(j)) {
		g_set_error(error, KX_ERROR, KX_ERROR_INPUT, "%s: expected a JSON object", path);
		return false;
	}
	const char *key;
	json_t *value;
	json_object_foreach ((json_t *)j, key, value) {
		guint i = 0;
		while (i < G_N_ELEMENTS(known) && !g_str_equal(known[i].key, key))
			i++;
		if (i == G_N_ELEMENTS(known)) {
			g_set_error(error, KX_ERROR, KX_ERROR_INPUT, "%s: unknown key '%s'", path,
				    key);
			return false;
		}
		bool ok = known[i].type == JSON_TRUE ? json_is_boolean(value)
						     : json_typeof(value) == known[i].type;
		size_t k;
		json_t *entry;
		if (ok && json_is_array(value))
			json_array_foreach (value, k, entry)
				ok = ok && json_is_string(entry);
		if (!ok && !json_is_null(value)) {
			g_set_error(error, KX_ERROR, KX_ERROR_INPUT, "%s: '%s' has a wrong type",
				    path, key);
			return false;
		}
	}
	if (kx_json_int(j, "format", 0) != 1) {
		g_set_error(error, KX_ERROR, KX_ERROR_INPUT, "%s: 'format' must be 1", path);
		return false;
	}
	return true;
}

/* One setting each, as it goes into a .config behind "CONFIG_". */
static bool check_config(const Request *r, const char *path, GError **error)
{
	for (char **s = r->config; s && *s; s++) {
		g_auto(GStrv) one = candidate_settings(*s, NULL);
		if (one && g_strv_length(one) == 1 && g_str_equal(one[0], *s))
			continue;
		g_set_error(error, KX_ERROR, KX_ERROR_INPUT,
			    "%s: 'config': '%s' is not one setting such as USB_PCI=n", path, *s);
		return false;
	}
	return true;
}

static bool check_commit(const Request *r, const char *path, GError **error)
{
	size_t n = r->commit ? strlen(r->commit) : 40;
	if (!r->commit || ((n == 40 || n == 64) && strspn(r->commit, "0123456789abcdef") == n))
		return true;
	g_set_error(error, KX_ERROR, KX_ERROR_INPUT, "%s: 'commit' is not a full hash", path);
	return false;
}

static bool parse(Request *r, const char *path, GError **error)
{
	g_autoptr(json_t) j = kx_json_load(path, error);
	if (!j || !check_keys(j, path, error))
		return false;
	const char *recipe = kx_json_str(j, "recipe"), *series = kx_json_str(j, "series");
	const char *cache = kx_json_str(j, "cache"), *history = kx_json_str(j, "history");
	if (!recipe) {
		g_set_error(error, KX_ERROR, KX_ERROR_INPUT, "%s: 'recipe' is missing", path);
		return false;
	}
	r->recipe = recipe_load(recipe, error);
	if (!r->recipe || (series && !(r->series = series_load(series, error))) ||
	    (history && !(r->history = series_load(history, error))))
		return false;
	r->cache = cache ? g_canonicalize_filename(cache, NULL) : kx_default_cache_dir();
	r->fixtures = kx_json_strv(j, "fixtures");
	r->candidates = kx_json_strv(j, "candidates");
	r->fragments = kx_json_strv(j, "fragments");
	r->config = kx_json_strv(j, "config");
	r->commit = g_strdup(kx_json_str(j, "commit"));
	r->config_file = g_strdup(kx_json_str(j, "config_file"));
	r->initcalls = kx_json_strv(j, "initcalls");
	r->order = g_strdup(kx_json_str(j, "order"));
	if (!check_config(r, path, error) || !check_commit(r, path, error))
		return false;
	r->q = (KernelRequest){
		.cache = r->cache,
		.recipe = r->recipe,
		.series = r->series,
		.fixtures = (const char *const *)r->fixtures,
		.candidates = (const char *const *)r->candidates,
		.fragments = (const char *const *)r->fragments,
		.config = (const char *const *)r->config,
		.config_file = r->config_file,
		.commit = r->commit,
		.history = r->history,
		.initcalls = (const char *const *)r->initcalls,
		.order = r->order,
		.clean = kx_json_bool(j, "clean", false),
		.sandbox = kx_json_bool(j, "sandbox", true),
		.jobs = (unsigned)CLAMP(kx_json_int(j, "jobs", 0), 0, 4096),
		.timeout_s = (unsigned)CLAMP(kx_json_int(j, "timeout_s", 0), 0, 7 * 86400),
		.min_free = (uint64_t)MAX(kx_json_int(j, "min_free", 0), 0),
		.step = print_step,
	};
	return true;
}

static void set_text(json_t *o, const char *key, const char *text)
{
	if (text)
		json_object_set_new(o, key, kx_json_text(text));
}

static json_t *result_line(const KernelBuild *b)
{
	json_t *o =
		json_pack("{s:s, s:s}", "event", "result", "status", kernel_status_name(b->status));
	set_text(o, "build", b->build);
	set_text(o, "identity", b->identity);
	json_object_set_new(o, "cached", json_boolean(b->cached));
	set_text(o, "artifacts", b->artifacts);
	if (b->artifacts) {
		g_autofree char *kernel = g_build_filename(b->artifacts, "kernel", NULL);
		set_text(o, "kernel", kernel);
	}
	set_text(o, "vmlinux_sha256", b->vmlinux_sha256);
	set_text(o, "incremental_sha256", b->incremental_sha256);
	set_text(o, "failed_step", b->failed_step);
	set_text(o, "log", b->log);
	const KernelSeconds *s = &b->seconds;
	json_object_set_new(o, "seconds",
			    json_pack("{s:f, s:f, s:f, s:f, s:f, s:f, s:f}", "fetch", s->fetch,
				      "import", s->import, "apply", s->apply, "configure",
				      s->configure, "compile", s->compile, "store", s->store,
				      "reorder", s->reorder));
	set_text(o, "reason", b->reason ? b->reason : "");
	return o;
}

int job_build_main(const char *request_path)
{
	g_auto(Request) r = {0};
	g_autoptr(GError) e = NULL;
	if (!parse(&r, request_path, &e)) {
		bool wrong = g_error_matches(e, KX_ERROR, KX_ERROR_INPUT);
		KernelBuild failed = {.status = KERNEL_INFRA, .reason = e->message};
		g_autoptr(json_t) line = result_line(&failed);
		kx_json_line(line);
		g_printerr("kexsect: %s\n", e->message);
		return wrong ? 2 : 1;
	}
	kx_catch_signals();
	g_auto(KernelBuild) b = {0};
	kernel_build(&r.q, &b);
	g_autoptr(json_t) line = result_line(&b);
	if (!kx_json_line(line))
		return 1;
	if (b.status != KERNEL_OK)
		g_printerr("kexsect: %s\n", b.reason);
	return b.status == KERNEL_INFRA ? 1 : 0;
}
