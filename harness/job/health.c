/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "job/health.h"

#include "base/error.h"
#include "base/json.h"
#include "base/proc.h"
#include "job/recovery.h"
#include "target/guard.h"

typedef struct {
	json_t *json;
	TargetConfig *target;
	const char *kernel, *cache; /* in json */
} Health;

static bool refuse(GError **error, const char *path, const char *what, const char *key)
{
	g_set_error(error, KX_ERROR, KX_ERROR_INPUT, "%s: %s: '%s'", path, what, key);
	return false;
}

static bool load(Health *h, const char *path, GError **error)
{
	static const char *const keys[] = {"target", "launcher_kernel", "cache"};
	const char *key;
	json_t *value;
	h->json = kx_json_load(path, error);
	if (!h->json)
		return false;
	if (kx_json_int(h->json, "format", 0) != 1)
		return refuse(error, path, "not a format that this version knows", "format");
	json_object_foreach (h->json, key, value)
		if (!g_str_equal(key, "format") && !g_str_equal(key, keys[0]) &&
		    !g_str_equal(key, keys[1]) && !g_str_equal(key, keys[2]))
			return refuse(error, path, "unknown key", key);
	for (gsize i = 0; i < G_N_ELEMENTS(keys); i++) {
		const char *text = kx_json_str(h->json, keys[i]);
		if (!text || !g_path_is_absolute(text))
			return refuse(error, path, "not an absolute path", keys[i]);
	}
	h->kernel = kx_json_str(h->json, "launcher_kernel");
	h->cache = kx_json_str(h->json, "cache");
	h->target = target_config_load(kx_json_str(h->json, "target"), error);
	return h->target != NULL;
}

static void print_step(const char *step, gpointer user)
{
	g_autoptr(json_t) line = json_pack("{s:s, s:s}", "event", "step", "step", step);
	kx_json_line(line);
}

static void print_recovery(const TargetStep *step, gpointer user)
{
	recovery_print(step, -1);
}

static int print_result(bool healthy, const char *reason, const GPtrArray *steps)
{
	g_autoptr(json_t) line =
		json_pack("{s:s, s:s, s:b, s:o, s:o}", "event", "result", "status",
			  healthy ? "ok" : "failed", "healthy", (int)healthy, "reason",
			  kx_json_text(reason), "steps", recovery_steps_json(steps));
	kx_json_line(line);
	return healthy ? 0 : 1;
}

static int body(void *user)
{
	const Health *h = user;
	g_autoptr(GError) why = NULL;
	g_autoptr(GPtrArray) steps = NULL;
	TargetOptions o = {.config = h->target,
			   .cache = h->cache,
			   .launcher_kernel = h->kernel,
			   .probe_kernel = h->kernel,
			   .on_step = print_step,
			   .on_recovery = print_recovery};
	kx_catch_signals();
	Target *t = target_open(&o, &why);
	bool ok = t && target_recover(t, &steps, &why);
	target_close(t);
	return print_result(ok, ok ? "" : why->message, steps);
}

int job_health_main(const char *request_path)
{
	g_autoptr(GError) why = NULL;
	Health h = {0};
	int status;
	if (load(&h, request_path, &why)) {
		status = guard_run(body, &h);
	} else {
		g_warning("%s", why->message);
		print_result(false, why->message, NULL);
		status = g_error_matches(why, KX_ERROR, KX_ERROR_INPUT) ? 2 : 1;
	}
	json_decref(h.json);
	target_config_free(h.target);
	return status;
}
