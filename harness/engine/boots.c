/* SPDX-License-Identifier: GPL-2.0-or-later */
/* `job boot`: kernels to trials. */
#include "engine/engine-internal.h"

#include <math.h>
#include <string.h>

#include "base/error.h"
#include "base/fs.h"

static char *evidence_of(const Engine *e, unsigned number)
{
	g_autofree char *name = g_strdup_printf("%06u", number);
	return g_build_filename(e->run->dir, "trials", name, NULL);
}

static json_t *plan_of(const SearchExperiment *x)
{
	json_t *plan = json_pack("{s:o, s:f, s:i}", "reason", kx_json_text(x->reason), "cost_s",
				 x->cost_s, "boots", (int)x->boots);
	if (!isnan(x->bits)) {
		json_object_set_new(plan, "bits", json_real(x->bits));
		json_object_set_new(plan, "p_fault", json_real(x->p_fault));
	}
	return plan;
}

/* What the folder of a trial cannot tell by itself: see adopt.c. */
static bool write_plan(Engine *e, const EngineJob *j, const char *name, GError **error)
{
	g_autofree char *file = g_strdup_printf("%s.json", name);
	g_autofree char *path = g_build_filename(e->run->dir, "requests", file, NULL);
	g_autofree char *mask = g_strdup_printf("0x%" G_GINT64_MODIFIER "x", j->mask);
	g_autoptr(json_t) plan =
		json_pack("{s:i, s:i, s:s, s:o, s:b, s:s, s:s, s:s, s:s, s:s, s:O}", "first",
			  (int)j->first, "boots", (int)j->boots, "mask", mask, "variant",
			  engine_names_of(e, j->mask), "clean", (int)j->clean, "mode", j->mode,
			  "purpose", j->purpose, "identity", j->kernel->identity, "build",
			  j->kernel->hash, "target", j->target->name, "why", j->plan);
	return plan && kx_json_save(path, plan, error);
}

/* Whether the rest of the batch is still worth its time. */
static bool wants_more(const EngineJob *j, int outcome)
{
	if (g_str_equal(j->purpose, ENGINE_SURVEY_PURPOSE))
		return outcome != ENGINE_INFRA;
	return outcome == ENGINE_CLEAN || (outcome == ENGINE_FAULT && !j->until_fault);
}

/* The same rule for the job, as names of outcomes. */
static json_t *stop_at(const EngineJob *j)
{
	json_t *out = json_array();
	for (int i = 0; i < (int)G_N_ELEMENTS(engine_outcomes); i++)
		if (!wants_more(j, i))
			json_array_append_new(out, json_string(engine_outcomes[i]));
	return out;
}

/* How many boots this variant had in this mode: its place in the order of phases. */
static unsigned earlier_boots(Engine *e, const EngineJob *j)
{
	g_autoptr(GPtrArray) trials = store_trials(e->store, e->run->id, NULL);
	unsigned n = 0;
	for (guint i = 0; trials && i < trials->len; i++) {
		const StoreTrial *t = trials->pdata[i];
		n += t->mask == j->mask && g_str_equal(t->mode, j->mode);
	}
	return n;
}

bool engine_start_boots(Engine *e, GError **error)
{
	const Campaign *c = e->campaign;
	EngineJob *j = &e->job;
	unsigned left = c->budget.boots > e->boots ? c->budget.boots - e->boots : 1;
	j->first = e->next_trial;
	j->boots = MIN(e->next.boots, left);
	j->mask = e->next.variant;
	j->clean = e->next.clean_build;
	j->mode = g_strdup(e->next.mode == SEARCH_COLD ? "cold" : "kexec");
	j->purpose = g_strdup(e->purpose);
	j->target = engine_target(e, j->mask);
	j->until_fault = e->next.until_fault;
	j->plan = plan_of(&e->next);
	j->kernel = engine_kernel(e, j->mask, j->clean, false);
	g_autofree char *plan = g_strdup_printf("%06u-plan", j->first);
	g_autofree char *name = g_strdup_printf("%06u-boot", j->first);
	g_autofree char *evidence = g_build_filename(e->run->dir, "trials", NULL);
	g_autofree char *cmdline = engine_cmdline(c, j->mask);
	if (!write_plan(e, j, plan, error))
		return false;
	g_autoptr(json_t) request =
		json_pack("{s:i, s:s, s:s, s:s, s:s, s:s, s:s, s:i, s:i, s:s, s:s, s:o}", "format",
			  1, "target", j->target->path, "oracle", c->oracle->path, "kernel",
			  j->kernel->kernel, "identity", j->kernel->identity, "cmdline", cmdline,
			  "mode", j->mode, "boots", (int)j->boots, "first", (int)j->first, "cache",
			  e->options->cache, "evidence", evidence, "stop_at", stop_at(j));
	const char *own = j->target->launcher.kernel;
	const char *launcher = own && !g_str_equal(own, "base") ? own
			       : e->launcher			? e->launcher->kernel
								: NULL;
	if (launcher)
		json_object_set_new(request, "launcher_kernel", kx_json_text(launcher));
	if (j->target->vm.phase.steps)
		json_object_set_new(request, "phase_first", json_integer(earlier_boots(e, j)));
	return engine_start_job(e, JOB_BOOT, name, request, error);
}

static void tell_trial(Engine *e, const StoreTrial *t)
{
	g_autofree char *name = engine_set_name(e, t->mask);
	json_t *o =
		json_pack("{s:s, s:i, s:o, s:o, s:s, s:b, s:s, s:s, s:o, s:f, s:o, s:O?}", "event",
			  "trial", "trial", (int)t->number, "name", kx_json_text(name), "variant",
			  engine_names_of(e, t->mask), "mode", t->mode, "clean", (int)t->clean,
			  "purpose", t->purpose, "outcome", t->outcome, "reason",
			  kx_json_text(t->reason), "seconds", kx_json_num(t->seconds, "total", 0),
			  "evidence", kx_json_text(t->evidence), "measures", t->measures);
	json_object_set_new(o, "target", kx_json_text(t->target));
	if (engine_outcome(t->outcome) == ENGINE_INFRA)
		json_object_set_new(o, "cause",
				    json_string(e->job.cause ? e->job.cause : "harness"));
	engine_emit(e, o);
}

void engine_observe(Engine *e, const StoreTrial *t, int outcome)
{
	e->plan->observe(e, t, outcome);
	if (outcome == ENGINE_FAULT || outcome == ENGINE_CLEAN)
		engine_watch_drift(e, t->mask, t->clean, g_str_equal(t->mode, "cold"),
				   outcome == ENGINE_FAULT);
}

bool engine_take_trial(Engine *e, StoreTrial *t, const json_t *faults, GError **error)
{
	int outcome = engine_outcome(t->outcome);
	bool evidence = outcome != ENGINE_INFRA;
	StorePosterior *p = NULL;
	if (evidence) {
		engine_observe(e, t, outcome);
		p = e->plan->belief ? e->plan->belief(e, t->number) : NULL;
	}
	StoreTimes times = engine_times(e);
	bool ok = store_add_trial(e->store, e->run->id, e->sitting, t, faults, p, &times, error);
	store_posterior_free(p);
	if (!ok)
		return false;
	e->outcomes[outcome]++;
	e->boots += evidence;
	e->next_trial = MAX(e->next_trial, t->number + 1);
	tell_trial(e, t);
	if (evidence && e->plan->recorded)
		e->plan->recorded(e, t->number);
	return true;
}

/* What is wrong with a trial line, or NULL; new string. */
static char *trial_fault(const Engine *e, const json_t *line)
{
	const EngineJob *j = &e->job;
	gint64 number = kx_json_int(line, "trial", -1);
	const char *outcome = kx_json_str(line, "outcome");
	const char *evidence = kx_json_str(line, "evidence");
	const char *identity = kx_json_str(line, "identity");
	g_autofree char *want = evidence_of(e, j->first + j->seen);
	if (number != j->first + j->seen || j->seen >= j->boots)
		return g_strdup_printf("told of trial %" G_GINT64_FORMAT " when %u was due", number,
				       j->first + j->seen);
	if (engine_outcome(outcome) < 0)
		return g_strdup("gave a trial without a known outcome");
	if (g_str_equal(outcome, "infra"))
		return NULL;
	if (g_strcmp0(evidence, want) != 0)
		return g_strdup_printf("put evidence somewhere else than %s", want);
	g_autofree char *proof = g_build_filename(want, "outcome.json", NULL);
	if (!g_file_test(proof, G_FILE_TEST_EXISTS))
		return g_strdup_printf("gave an outcome without %s", proof);
	/* A boot that never got to its banner (noboot, an early hang) has none. */
	if (identity && *identity && !g_str_equal(identity, j->kernel->identity))
		return g_strdup_printf("took kernel %.40s for %s", identity, j->kernel->identity);
	return NULL;
}

static StoreTrial *blank_trial(Engine *e, unsigned number)
{
	const EngineJob *j = &e->job;
	StoreTrial *t = g_new0(StoreTrial, 1);
	t->number = number;
	t->mask = j->mask;
	t->build = g_strdup(j->kernel->hash);
	t->clean = j->clean;
	t->target = g_strdup(j->target->name);
	t->mode = g_strdup(j->mode);
	t->purpose = g_strdup(j->purpose);
	t->plan = json_incref(j->plan);
	return t;
}

static StoreTrial *read_trial(Engine *e, const json_t *line)
{
	StoreTrial *t = blank_trial(e, (unsigned)kx_json_int(line, "trial", 0));
	const char *reason = kx_json_str(line, "reason");
	const char *evidence = kx_json_str(line, "evidence");
	t->outcome = g_strdup(kx_json_str(line, "outcome"));
	t->reason = g_strdup(reason ? reason : "");
	t->evidence = g_strdup(evidence ? evidence : "");
	t->measures = json_incref(json_object_get(line, "measures"));
	t->seconds = json_incref(json_object_get(line, "seconds"));
	return t;
}

/* The recovery ladder behind a trial is in none of its parts. */
static double recovery_seconds(const json_t *line)
{
	double sum = 0;
	size_t i;
	json_t *step;
	json_array_foreach (json_object_get(json_object_get(line, "recovery"), "steps"), i, step)
		sum += kx_json_num(step, "seconds", 0);
	return sum;
}

static void take_trial_line(Engine *e, const json_t *line)
{
	EngineJob *j = &e->job;
	g_autoptr(GError) error = NULL;
	g_autofree char *fault = trial_fault(e, line);
	if (fault) {
		j->garbled_why = g_steal_pointer(&fault);
		engine_stop_job(e, false);
		return;
	}
	StoreTrial *t = read_trial(e, line);
	int outcome = engine_outcome(t->outcome);
	g_free(j->cause);
	j->cause = g_strdup(kx_json_str(line, "cause"));
	/* Cut off by us: remains are removed when the job has ended. */
	if ((j->ending && outcome == ENGINE_INFRA) || e->error) {
		store_trial_free(t);
		return;
	}
	j->seen++;
	j->trials_s += kx_json_num(t->seconds, "total", 0) + recovery_seconds(line);
	g_free(j->infra_why);
	j->infra_why = outcome == ENGINE_INFRA ? g_strdup_printf("gave no result in trial %u: %s",
								 t->number, t->reason)
					       : NULL;
	engine_spend_trial(e, t->seconds);
	engine_spend_wait(e, recovery_seconds(line));
	if (outcome == ENGINE_FAULT || outcome == ENGINE_CLEAN) {
		double total = kx_json_num(t->seconds, "total", 0);
		g_array_append_val(e->boot_s, total);
	}
	if (!engine_take_trial(e, t, json_object_get(line, "faults"), &error) ||
	    !engine_record_environment(e, kx_json_str(line, "machine"), &error))
		engine_fail(e, g_steal_pointer(&error));
	else if (outcome != ENGINE_INFRA)
		engine_worked(e, j->mask, j->clean, false);
	if (!wants_more(j, outcome))
		j->boots = j->seen; /* by stop_at the job ends now by itself */
	if (j->seen < j->boots && engine_budget_used(e))
		engine_stop_job(e, true);
	store_trial_free(t);
}

void engine_boot_line(Engine *e, const json_t *line)
{
	EngineJob *j = &e->job;
	const char *event = kx_json_str(line, "event");
	if (g_str_equal(event, "trial")) {
		take_trial_line(e, line);
	} else if (g_str_equal(event, "result")) {
		const char *reason = kx_json_str(line, "reason");
		j->result_seen = true;
		j->result_ok = g_strcmp0(kx_json_str(line, "status"), "ok") == 0;
		j->target_lost = g_strcmp0(kx_json_str(line, "target"), "failed") == 0;
		g_free(j->result_why);
		j->result_why = g_strdup(reason);
	} else if (g_str_equal(event, "recovery")) {
		json_t *told = json_deep_copy(line);
		json_object_set_new(told, "target", kx_json_text(j->target->name));
		engine_emit(e, told);
	}
}

/* The trial that the job was at when it was ended by us, if it left anything. */
static void remove_cut_off(Engine *e)
{
	const EngineJob *j = &e->job;
	unsigned number = j->first + j->seen;
	g_autofree char *path = evidence_of(e, number);
	g_autoptr(GError) error = NULL;
	if (!g_file_test(path, G_FILE_TEST_EXISTS))
		return;
	if (!kx_remove_tree(path, &error))
		g_warning("%s", error->message);
	engine_note(e, "info", "cut-off", number, "trial %u was cut off; its remains were removed",
		    number);
	e->next_trial = MAX(e->next_trial, number + 1);
}

/* The job failed in the middle of a trial: that trial is one infra outcome. */
static void record_crash(Engine *e, const char *failure)
{
	const EngineJob *j = &e->job;
	g_autoptr(GError) error = NULL;
	StoreTrial *t = blank_trial(e, j->first + j->seen);
	g_autofree char *path = evidence_of(e, t->number);
	g_clear_pointer(&e->job.cause, g_free);
	t->outcome = g_strdup("infra");
	t->reason = g_strdup_printf("the boot job %s", failure);
	t->evidence = g_strdup(g_file_test(path, G_FILE_TEST_EXISTS) ? path : "");
	if (!engine_take_trial(e, t, NULL, &error))
		engine_fail(e, g_steal_pointer(&error));
	store_trial_free(t);
}

static void note_overhead(Engine *e)
{
	const EngineJob *j = &e->job;
	double wall = (double)(g_get_monotonic_time() - j->started_us) / G_USEC_PER_SEC;
	double overhead = MAX(wall - j->trials_s, 0);
	if (j->seen)
		g_array_append_val(e->switch_s, overhead);
	e->has_loaded = true;
	e->loaded = j->mask;
}

void engine_boot_ended(Engine *e, int status)
{
	EngineJob *j = &e->job;
	bool on_request = (j->retired || e->stopping) && !j->garbled_why;
	if (on_request)
		remove_cut_off(e);
	if (e->stopping)
		return;
	g_autofree char *failure = on_request ? NULL : engine_job_failure(j, status);
	if (!failure && !j->seen)
		failure = g_strdup("made no trial");
	if (j->target_lost && !j->garbled_why) {
		engine_lose_target(e, j->result_why ? j->result_why : "");
		return;
	}
	if (j->infra_why) {
		engine_infra(e, j->mask, j->clean, false, j->infra_why);
		return;
	}
	if (failure) {
		record_crash(e, failure);
		g_autofree char *what = g_strdup_printf("(boot job) %s", failure);
		if (!e->stopping)
			engine_infra(e, j->mask, j->clean, false, what);
		return;
	}
	note_overhead(e);
	engine_schedule(e, 0);
}
