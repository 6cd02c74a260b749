/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Does the base behave as the campaign says? Builds the launcher and the base with its fixtures and
 * boots it a few times, by the same jobs as a run. */
#include <string.h>

#include "base/fs.h"
#include "base/json.h"
#include "base/proc.h"
#include "job/check-internal.h"

typedef struct {
	Check *check;
	char *last_step;
	json_t *result; /* the job's last line */
	unsigned faults, cleans, others;
	char *other; /* outcome and reason of the last one that is no evidence */
} Run;

static void on_line(const char *line, gpointer user)
{
	Run *r = user;
	g_autoptr(json_t) v = kx_json_parse(line, "job", NULL);
	const char *event = v ? kx_json_str(v, "event") : NULL;
	if (!event)
		return;
	if (g_str_equal(event, "result")) {
		json_decref(r->result);
		r->result = json_incref(v);
	} else if (g_str_equal(event, "trial")) {
		const char *outcome = kx_json_str(v, "outcome");
		r->faults += g_strcmp0(outcome, "fault") == 0;
		r->cleans += g_strcmp0(outcome, "clean") == 0;
		if (g_strcmp0(outcome, "fault") != 0 && g_strcmp0(outcome, "clean") != 0) {
			r->others++;
			g_free(r->other);
			r->other = g_strdup_printf("%s: %s", outcome, kx_json_str(v, "reason"));
		}
		check_step(r->check, "boot: %s", outcome ? outcome : "?");
	} else if (g_strcmp0(kx_json_str(v, "step"), r->last_step) != 0) {
		g_free(r->last_step);
		r->last_step = g_strdup(kx_json_str(v, "step"));
		check_step(r->check, "%s", r->last_step);
	}
}

/* Runs one job to its end; true when its last line says ok. */
static bool run_job(Run *r, const char *kind, const char *folder, json_t *request)
{
	g_autoptr(GError) error = NULL;
	g_autofree char *name = g_strdup_printf("%s.json", kind);
	g_autofree char *path = g_build_filename(folder, name, NULL);
	if (!kx_json_save(path, request, &error)) {
		check_add(r->check, "boot", CHECK_BAD, kind, g_strdup(error->message));
		return false;
	}
	g_clear_pointer(&r->result, json_decref);
	KxProc p = {
		.argv = (const char *const[]){r->check->options->program, "job", kind, path, NULL}};
	if (!kx_child_run(&p, on_line, r, 30, &error)) {
		check_add(r->check, "boot", CHECK_BAD, kind, g_strdup(error->message));
		return false;
	}
	const char *status = r->result ? kx_json_str(r->result, "status") : NULL;
	if (g_strcmp0(status, "ok") == 0)
		return true;
	const char *reason = r->result ? kx_json_str(r->result, "reason") : NULL;
	check_add(r->check, "boot", CHECK_BAD, kind,
		  g_strdup(kx_cancelled() ? "stopped on request"
			   : reason	  ? reason
					  : "the job crashed"));
	return false;
}

static json_t *strings(char *const *list, unsigned count)
{
	json_t *out = json_array();
	for (unsigned i = 0; i < count; i++)
		json_array_append_new(out, kx_json_text(list[i]));
	return out;
}

static void set_text(json_t *o, const char *key, const char *text)
{
	if (text)
		json_object_set_new(o, key, kx_json_text(text));
}

/* The launcher is the recipe alone; the base is what a variant without candidates is. */
static json_t *build_request(const Check *k, bool launcher)
{
	const Campaign *c = k->campaign;
	const char *from = NULL, *to;
	json_t *request =
		json_pack("{s:i s:s s:o s:o s:[] s:b s:s}", "format", 1, "recipe", c->base->path,
			  "fragments", strings(c->fragments, c->fragments_count), "fixtures",
			  strings(c->fixtures, launcher ? 0 : c->fixtures_count), "candidates",
			  "sandbox", k->options->sandbox, "cache", k->options->cache);
	if (launcher)
		return request;
	set_text(request, "series", c->series ? c->series->path : NULL);
	if (campaign_config_pair(c, &from, &to))
		set_text(request, "config_file", from);
	set_text(request, "commit", c->history_start);
	if (c->history && c->history->series)
		set_text(request, "history", c->history->series->path);
	return request;
}

static void judge(const Run *r)
{
	Check *k = r->check;
	bool wants_fault = k->campaign->effect == EFFECT_CURES;
	g_autofree char *seen = g_strdup_printf("%u of %u boots fault%s%s", r->faults,
						r->faults + r->cleans + r->others,
						r->other ? "; " : "", r->other ? r->other : "");
	bool as_said = wants_fault ? r->faults > 0 : r->cleans > 0 && r->faults == 0;
	CheckState state = r->faults + r->cleans == 0 ? CHECK_BAD
			   : as_said && !r->others    ? CHECK_OK
						      : CHECK_WARNING;
	check_add(k, "boot", state, "base",
		  g_strdup_printf("%s; the campaign says that it %s", seen,
				  wants_fault ? "does" : "does not"));
}

static void build_and_boot(Run *r, const char *folder)
{
	const Check *k = r->check;
	const Campaign *c = k->campaign;
	check_step(r->check, "building the launcher (some minutes the first time)");
	g_autoptr(json_t) plain = build_request(k, true);
	if (!run_job(r, "build", folder, plain))
		return;
	g_autoptr(json_t) launcher = json_incref(r->result);

	check_step(r->check, "building the base with its fixtures");
	g_autoptr(json_t) fixed = build_request(k, false);
	if (!run_job(r, "build", folder, fixed))
		return;
	g_autoptr(json_t) base = json_incref(r->result);

	g_autoptr(json_t) request = json_pack(
		"{s:i s:s s:s s:O s:O s:O s:s s:s s:i s:i s:s s:s}", "format", 1, "target",
		c->targets[0]->path, "oracle", c->oracle->path, "kernel",
		json_object_get(base, "kernel"), "identity", json_object_get(base, "identity"),
		"launcher_kernel", json_object_get(launcher, "kernel"), "cmdline",
		c->cmdline ? c->cmdline : "", "mode", c->mode == BOOT_COLD ? "cold" : "kexec",
		"boots", (int)k->options->boots, "first", 1, "cache", k->options->cache, "evidence",
		folder);
	if (request && run_job(r, "boot", folder, request))
		judge(r);
}

void check_boots(Check *k)
{
	g_autoptr(GError) error = NULL;
	g_autofree char *folder = g_dir_make_tmp("kexsect-check-XXXXXX", &error);
	if (!folder) {
		check_add(k, "boot", CHECK_BAD, "folder", g_strdup(error->message));
		return;
	}
	Run r = {.check = k};
	build_and_boot(&r, folder);
	g_free(r.other);
	g_free(r.last_step);
	json_decref(r.result);
	kx_remove_tree(folder, NULL);
}
