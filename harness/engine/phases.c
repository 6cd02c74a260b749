/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "engine/phases.h"

#include <string.h>

#include "base/error.h"
#include "base/fs.h"
#include "engine/engine-internal.h"
#include "engine/work.h"

static void free_boot(gpointer data)
{
	PhasesBoot *b = data;
	g_free(b->outcome);
	g_free(b->reason);
	g_free(b->evidence);
	g_free(b);
}

void phases_clear(Phases *p)
{
	g_clear_pointer(&p->boots, g_ptr_array_unref);
}

static void say(const Phases *p, const char *what)
{
	if (p->step)
		p->step(what, p->user);
}

static void take_trial(Phases *p, const json_t *line)
{
	const json_t *m = json_object_get(line, "measures");
	PhasesBoot *b = g_new0(PhasesBoot, 1);
	*b = (PhasesBoot){.step = (unsigned)kx_json_int(m, "phase_step", 0),
			  .us = (unsigned)kx_json_int(m, "phase_us", 0),
			  .outcome = g_strdup(kx_json_str(line, "outcome")),
			  .reason = g_strdup(kx_json_str(line, "reason")),
			  .evidence = g_strdup(p->evidence ? kx_json_str(line, "evidence") : NULL),
			  .accesses = kx_json_int(m, "faults", 0) + kx_json_int(m, "suppressed", 0),
			  .window_us = kx_json_int(m, "window_us", -1),
			  .blocked_us = kx_json_int(m, "blocked_us", -1)};
	p->faults += g_strcmp0(b->outcome, "fault") == 0;
	p->cleans += g_strcmp0(b->outcome, "clean") == 0;
	g_ptr_array_add(p->boots, b);
	if (p->boot)
		p->boot(b, p->user);
}

static void on_line(const char *event, const json_t *line, gpointer user)
{
	if (g_strcmp0(event, "trial") == 0)
		take_trial(user, line);
	else if (g_strcmp0(event, "step") == 0 && json_object_get(line, "total"))
		say(user, kx_json_str(line, "step")); /* of a build */
}

static bool succeeded(const EngineWork *w, const char *kind, GError **error)
{
	if (g_str_equal(engine_work_status(w), "ok"))
		return true;
	g_set_error(error, KX_ERROR, KX_ERROR_FAILED, "%s: %s", kind, engine_work_reason(w));
	return false;
}

/* ---- what to boot ---- */

static int find_candidate(const Campaign *c, const char *name)
{
	for (unsigned i = 0; i < c->candidates_count; i++)
		if (g_str_equal(c->candidates[i].name, name))
			return (int)i;
	return -1;
}

bool phases_variant(const Campaign *c, const char *variant, uint64_t *ret, GError **error)
{
	g_auto(GStrv) names = g_strsplit(variant ? variant : "", "+", -1);
	uint64_t mask = 0;
	for (char **n = names; *n; n++) {
		int i = find_candidate(c, g_strstrip(*n));
		if (!**n && !names[1])
			continue;
		if (i < 0) {
			g_set_error(error, KX_ERROR, KX_ERROR_INPUT, "%s: no candidate '%s' here",
				    c->name, *n);
			return false;
		}
		mask = campaign_is_numbered(c) ? (uint64_t)i + 1 : mask | (uint64_t)1 << i;
	}
	for (unsigned i = 0; !campaign_is_numbered(c) && i < c->candidates_count; i++) {
		uint64_t missing = mask >> i & 1 ? c->candidates[i].depends & ~mask : 0;
		if (!missing)
			continue;
		g_set_error(error, KX_ERROR, KX_ERROR_INPUT, "%s needs %s", c->candidates[i].name,
			    c->candidates[__builtin_ctzll(missing)].name);
		return false;
	}
	*ret = mask;
	return true;
}

static const TargetConfig *target_of(const Campaign *c, uint64_t mask)
{
	const CampaignVersion *v = campaign_version(c, mask);
	return v && v->target ? v->target : c->targets[0];
}

static bool choose_phases(Phases *p, const TargetConfig *t, GError **error)
{
	const TargetPhase *own = &t->vm.phase;
	if (t->vm.determinism != DETERMINISM_ICOUNT) {
		g_set_error(error, KX_ERROR, KX_ERROR_INPUT,
			    "target %s: a phase can only be chosen where the machine's time counts "
			    "instructions (vm.determinism: icount)",
			    t->name);
		return false;
	}
	p->used_steps = p->steps ? p->steps : own->steps ? own->steps : PHASES_STEPS;
	p->used_period_us = p->period_us     ? p->period_us
			    : own->period_us ? own->period_us
					     : PHASES_PERIOD_US;
	return true;
}

static json_t *build(EngineWork *w, const Campaign *c, uint64_t mask, bool launcher, GError **error)
{
	say(w->user, launcher ? "building the launcher" : "building the kernel");
	return engine_work_build(w, c, mask, launcher, error) && succeeded(w, "build", error)
		       ? json_incref(w->result)
		       : NULL;
}

static json_t *boot_request(const Phases *p, const Campaign *c, uint64_t mask, const json_t *kernel,
			    const char *launcher, const char *folder)
{
	g_autofree char *cmdline = engine_cmdline(c, mask);
	json_t *j = json_pack("{s:i s:s s:s s:O s:O s:s s:s s:i s:i s:s s:s s:i s:i}", "format", 1,
			      "target", target_of(c, mask)->path, "oracle", c->oracle->path,
			      "kernel", json_object_get(kernel, "kernel"), "identity",
			      json_object_get(kernel, "identity"), "cmdline", cmdline, "mode",
			      p->mode == BOOT_COLD ? "cold" : "kexec", "boots", (int)p->used_steps,
			      "first", 1, "cache", p->cache, "evidence",
			      p->evidence ? p->evidence : folder, "phase_steps", (int)p->used_steps,
			      "phase_period_us", (int)p->used_period_us);
	if (launcher)
		json_object_set_new(j, "launcher_kernel", kx_json_text(launcher));
	return j;
}

static bool build_and_boot(EngineWork *w, Phases *p, const Campaign *c, uint64_t mask,
			   GError **error)
{
	const char *own = target_of(c, mask)->launcher.kernel;
	bool base = g_str_equal(own, "base"), wanted = base && p->mode == BOOT_KEXEC;
	g_autoptr(json_t) launcher = wanted ? build(w, c, 0, true, error) : NULL;
	if (wanted && !launcher)
		return false;
	g_autoptr(json_t) kernel = build(w, c, engine_compiled(c, mask), false, error);
	if (!kernel)
		return false;
	g_autoptr(json_t) request = boot_request(p, c, mask, kernel,
						 launcher ? kx_json_str(launcher, "kernel")
						 : base	  ? NULL
							  : own,
						 w->folder);
	say(p, "booting");
	return engine_work(w, "boot", request, error) && succeeded(w, "boot", error);
}

static int by_phase(gconstpointer a, gconstpointer b)
{
	const PhasesBoot *x = *(PhasesBoot *const *)a, *y = *(PhasesBoot *const *)b;
	return (x->step > y->step) - (x->step < y->step);
}

bool phases_run(Phases *p, const Campaign *c, GError **error)
{
	uint64_t mask;
	p->boots = g_ptr_array_new_with_free_func(free_boot);
	if (!phases_variant(c, p->variant, &mask, error) ||
	    !choose_phases(p, target_of(c, mask), error))
		return false;
	g_autofree char *folder = kx_temp_dir("phase", error);
	if (!folder)
		return false;
	g_auto(EngineWork) w = {.program = p->program,
				.folder = folder,
				.cache = p->cache,
				.sandbox = !p->no_sandbox,
				.line = on_line,
				.user = p};
	bool ok = build_and_boot(&w, p, c, mask, error);
	kx_remove_tree(folder, NULL);
	g_ptr_array_sort(p->boots, by_phase);
	return ok;
}
