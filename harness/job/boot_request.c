/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <string.h>

#include "base/error.h"
#include "base/json.h"
#include "job/boot-internal.h"

#define MAX_IDENTITY 64

static const struct {
	const char *key;
	json_type type;
	bool needed, path;
} keys[] = {
	{"format", JSON_INTEGER, true, false},
	{"target", JSON_STRING, true, true},
	{"oracle", JSON_STRING, true, true},
	{"kernel", JSON_STRING, true, true},
	{"identity", JSON_STRING, true, false},
	{"cmdline", JSON_STRING, false, false},
	{"launcher_kernel", JSON_STRING, false, true},
	{"mode", JSON_STRING, false, false},
	{"boots", JSON_INTEGER, false, false},
	{"first", JSON_INTEGER, false, false},
	{"cache", JSON_STRING, true, true},
	{"evidence", JSON_STRING, true, true},
	{"stop_at", JSON_ARRAY, false, false},
	{"wait_us", JSON_INTEGER, false, false},
	{"phase_first", JSON_INTEGER, false, false},
	{"phase_step", JSON_INTEGER, false, false},
	{"phase_steps", JSON_INTEGER, false, false},
	{"phase_period_us", JSON_INTEGER, false, false},
};

static bool refuse(GError **error, const char *path, const char *what, const char *key)
{
	g_set_error(error, KX_ERROR, KX_ERROR_INPUT, "%s: %s: '%s' (docs/jobs.md)", path, what,
		    key);
	return false;
}

static bool is_known(const char *key)
{
	for (gsize i = 0; i < G_N_ELEMENTS(keys); i++)
		if (g_str_equal(keys[i].key, key))
			return true;
	return false;
}

static bool check_keys(json_t *j, const char *path, GError **error)
{
	const char *key;
	json_t *value;
	if (!json_is_object(j))
		return refuse(error, path, "not a request", "expected a JSON object");
	json_object_foreach (j, key, value)
		if (!is_known(key))
			return refuse(error, path, "unknown key", key);
	for (gsize i = 0; i < G_N_ELEMENTS(keys); i++) {
		value = json_object_get(j, keys[i].key);
		if (!value && keys[i].needed)
			return refuse(error, path, "missing key", keys[i].key);
		if (value && json_typeof(value) != keys[i].type)
			return refuse(error, path, "wrong type of value", keys[i].key);
		if (value && keys[i].path && !g_path_is_absolute(json_string_value(value)))
			return refuse(error, path, "not an absolute path", keys[i].key);
	}
	return true;
}

/* It goes onto a command line and is looked for in a banner. */
static bool is_identity(const char *text)
{
	gsize len = strlen(text);
	return len > 0 && len <= MAX_IDENTITY &&
	       strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.") ==
		       len;
}

static bool read_stop_at(BootRequest *r, const char *path, GError **error)
{
	size_t i;
	json_t *name;
	json_array_foreach (json_object_get(r->json, "stop_at"), i, name) {
		Outcome o = outcome_from_name(json_string_value(name));
		if (o < 0)
			return refuse(error, path, "expected a list of outcomes", "stop_at");
		r->stop_at |= 1u << o;
	}
	return true;
}

static bool check_values(BootRequest *r, const char *path, GError **error)
{
	gint64 boots = kx_json_int(r->json, "boots", 1), first = kx_json_int(r->json, "first", 1);
	const char *mode = kx_json_str(r->json, "mode");
	r->wait_us = kx_json_int(r->json, "wait_us", -1);
	gint64 phase_first = kx_json_int(r->json, "phase_first", 0);
	r->phase_step = kx_json_int(r->json, "phase_step", -1);
	if (phase_first < 0 || phase_first > 100000000)
		return refuse(error, path, "expected 0…100000000", "phase_first");
	r->phase_first = (unsigned)phase_first;
	if (kx_json_int(r->json, "format", 0) != 1)
		return refuse(error, path, "not a format that this version knows", "format");
	if (boots < 1 || boots > 10000)
		return refuse(error, path, "expected 1…10000", "boots");
	if (first < 0 || first > 100000000)
		return refuse(error, path, "expected 0…100000000", "first");
	if (r->wait_us > G_USEC_PER_SEC)
		return refuse(error, path, "expected 0…1000000", "wait_us");
	if (!is_identity(r->identity))
		return refuse(error, path, "not an identity", "identity");
	if (mode && !g_str_equal(mode, "kexec") && !g_str_equal(mode, "cold"))
		return refuse(error, path, "expected 'kexec' or 'cold'", "mode");
	if (strpbrk(r->cmdline, "\n\r"))
		return refuse(error, path, "has a line break", "cmdline");
	r->mode = g_strcmp0(mode, "cold") == 0 ? BOOT_COLD : BOOT_KEXEC;
	if (r->mode == BOOT_KEXEC && !r->launcher_kernel)
		return refuse(error, path, "missing key (mode is kexec)", "launcher_kernel");
	r->boots = (unsigned)boots;
	r->first = (unsigned)first;
	return read_stop_at(r, path, error);
}

/* Other phases than the target's own, for those who want to know more. */
static bool read_phases(BootRequest *r, const char *path, GError **error)
{
	TargetPhase *p = &r->target->vm.phase;
	gint64 steps = kx_json_int(r->json, "phase_steps", p->steps);
	gint64 period_us = kx_json_int(r->json, "phase_period_us", p->period_us);
	if (steps && r->target->vm.determinism != DETERMINISM_ICOUNT)
		return refuse(error, path, "the target's time does not count instructions",
			      "phase_steps");
	if (steps < 0 || steps > 4096)
		return refuse(error, path, "expected 0…4096", "phase_steps");
	if (period_us < 0 || period_us > G_USEC_PER_SEC || (steps && !period_us))
		return refuse(error, path, "expected 1…1000000", "phase_period_us");
	*p = (TargetPhase){.period_us = (unsigned)period_us, .steps = (unsigned)steps};
	return r->phase_step < MAX(steps, 1) ||
	       refuse(error, path, "not one of the phases", "phase_step");
}

BootRequest *boot_request_load(const char *path, GError **error)
{
	g_autoptr(BootRequest) r = g_new0(BootRequest, 1);
	r->json = kx_json_load(path, error);
	if (!r->json || !check_keys(r->json, path, error))
		return NULL;
	r->kernel = kx_json_str(r->json, "kernel");
	r->identity = kx_json_str(r->json, "identity");
	r->cmdline = kx_json_str(r->json, "cmdline");
	r->cmdline = r->cmdline ? r->cmdline : "";
	r->launcher_kernel = kx_json_str(r->json, "launcher_kernel");
	r->cache = kx_json_str(r->json, "cache");
	r->evidence = kx_json_str(r->json, "evidence");
	if (!check_values(r, path, error))
		return NULL;
	r->target = target_config_load(kx_json_str(r->json, "target"), error);
	r->oracle = r->target ? oracle_config_load(kx_json_str(r->json, "oracle"), error) : NULL;
	if (!r->oracle || !oracle_check(r->oracle, error))
		return NULL;
	return read_phases(r, path, error) ? g_steal_pointer(&r) : NULL;
}

void boot_request_free(BootRequest *r)
{
	if (!r)
		return;
	json_decref(r->json);
	target_config_free(r->target);
	oracle_config_free(r->oracle);
	g_free(r);
}

json_t *boot_request_repeat(const BootRequest *r, const BootMoment *when)
{
	json_t *j = json_copy(r->json);
	g_autofree char *evidence = g_str_has_suffix(r->evidence, "/repeats")
					    ? g_strdup(r->evidence)
					    : g_build_filename(r->evidence, "repeats", NULL);
	json_object_set_new(j, "boots", json_integer(1));
	json_object_set_new(j, "first", json_integer(when->number));
	json_object_set_new(j, "evidence", json_string(evidence));
	if (r->mode == BOOT_KEXEC)
		json_object_set_new(j, "wait_us", json_integer(when->wait_us));
	if (when->phase_step >= 0)
		json_object_set_new(j, "phase_step", json_integer(when->phase_step));
	return j;
}
