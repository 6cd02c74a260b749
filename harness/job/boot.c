/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "job/boot.h"

#include "base/error.h"
#include "base/fs.h"
#include "base/json.h"
#include "base/proc.h"
#include "job/boot-internal.h"
#include "job/recovery.h"
#include "target/guard.h"
#include "target/phase.h"

/* So many records are in the line of a trial; all are in faults.jsonl. */
#define MAX_FAULTS 20

typedef struct {
	const BootRequest *r;
	Target *target;
	GRand *rand;
	unsigned number; /* of the boot that runs */
	bool over;	 /* an outcome of stop_at came */
	char *lost;	 /* the recovery ladder was climbed in vain: what it says */
} Job;

static void print_step(const char *step, gpointer user)
{
	const Job *job = user;
	g_autoptr(json_t) line = json_pack("{s:s, s:i, s:s}", "event", "step", "trial",
					   (int)job->number, "step", step);
	kx_json_line(line);
}

static void print_recovery(const TargetStep *step, gpointer user)
{
	recovery_print(step, (int)((const Job *)user)->number);
}

static int print_result(const char *status, const char *reason, bool lost)
{
	g_autoptr(json_t) line = json_pack("{s:s, s:s, s:o}", "event", "result", "status", status,
					   "reason", kx_json_text(reason));
	if (lost)
		json_object_set_new(line, "target", json_string("failed"));
	kx_json_line(line);
	return g_str_equal(status, "ok") ? 0 : 1;
}

static json_t *seconds_json(const TargetSeconds *s, double evidence)
{
	return json_pack("{s:f, s:f, s:f, s:f, s:f, s:f, s:f, s:f, s:f, s:f}", "start", s->start,
			 "launcher", s->launcher, "deliver", s->deliver, "kexec", s->kexec, "boot",
			 s->boot, "settle", s->settle, "stop", s->stop, "deadline", s->deadline,
			 "evidence", evidence, "total", s->total + evidence);
}

/* The phase is stored with what was measured at it. */
static json_t *measures_json(json_t *measures, const BootMoment *when)
{
	if (when->phase_step < 0)
		return json_incref(measures);
	json_t *m = json_copy(measures);
	json_object_set_new(m, "phase_us", json_integer(when->phase_us));
	json_object_set_new(m, "phase_step", json_integer(when->phase_step));
	return m;
}

static void add_recovery(json_t *line, const TargetResult *t, const OracleResult *judged,
			 json_t *recovery)
{
	const char *cause = boot_cause(judged, t);
	if (cause)
		json_object_set_new(line, "cause", json_string(cause));
	if (t->traces)
		json_object_set_new(line, "traces", recovery_steps_json(t->traces));
	if (t->traced)
		json_object_set_new(line, "trace", json_string("trace.log"));
	if (recovery)
		json_object_set(line, "recovery", recovery);
}

static json_t *trial_line(const Job *job, const TargetResult *t, const OracleResult *judged,
			  const BootMoment *when, json_t *recovery)
{
	g_autofree char *path = boot_evidence_path(job->r, job->number);
	g_autoptr(json_t) said = oracle_result_to_json(judged, MAX_FAULTS);
	json_t *line = json_pack("{s:s, s:i}", "event", "trial", "trial", (int)job->number);
	json_object_set(line, "outcome", json_object_get(said, "outcome"));
	json_object_set(line, "reason", json_object_get(said, "reason"));
	json_object_set_new(line, "evidence", kx_json_text(path));
	json_object_set(line, "identity", json_object_get(said, "identity"));
	json_object_set_new(line, "measures",
			    measures_json(json_object_get(said, "measures"), when));
	json_object_set_new(line, "end", json_string(target_end_name(t->end)));
	json_object_set_new(line, "end_reason", kx_json_text(t->reason));
	json_object_set_new(line, "target", kx_json_text(job->r->target->name));
	add_recovery(line, t, judged, recovery);
	json_object_set_new(line, "machine", kx_json_text(target_describe(job->target)));
	json_object_set_new(line, "wait_us", json_integer(when->wait_us));
	json_object_set_new(line, "console_bytes", json_integer((json_int_t)t->console_bytes));
	json_object_set_new(line, "console_dropped", json_integer((json_int_t)t->console_dropped));
	json_object_set_new(line, "seconds", seconds_json(&t->seconds, 0));
	json_object_set(line, "faults", json_object_get(said, "faults"));
	return line;
}

/* Judges, writes the rest of the evidence, and only then says so. */
static bool record(Job *job, const TargetResult *t, const BootMoment *when, json_t *recovery,
		   const char *dir, GError **error)
{
	gint64 start = g_get_monotonic_time();
	g_autoptr(OracleResult) judged = boot_judge(job->r, t, dir);
	g_autoptr(json_t) line = trial_line(job, t, judged, when, recovery);
	if (!boot_evidence_finish(job->r, when, dir, judged, line, error))
		return false;
	double spent = (double)(g_get_monotonic_time() - start) / G_USEC_PER_SEC;
	json_object_set_new(line, "seconds", seconds_json(&t->seconds, spent));
	job->over = job->r->stop_at & 1u << judged->outcome;
	if (kx_json_line(line))
		return true;
	g_set_error(error, KX_ERROR, KX_ERROR_CANCELLED, "nobody reads the results any more");
	return false;
}

static BootMoment choose_moment(const Job *job)
{
	const BootRequest *r = job->r;
	const TargetPhase *p = &r->target->vm.phase;
	BootMoment when = {.number = job->number, .phase_step = -1};
	unsigned jitter = r->mode == BOOT_KEXEC ? r->target->launcher.jitter_us : 0;
	when.wait_us = r->wait_us >= 0 ? (unsigned)r->wait_us
		       : jitter ? (unsigned)g_rand_int_range(job->rand, 0, (gint32)jitter + 1)
				: 0;
	if (p->steps) {
		when.phase_step = r->phase_step >= 0
					  ? (int)r->phase_step
					  : (int)phase_step(r->phase_first + job->number - r->first,
							    p->steps);
		when.phase_us = phase_us((unsigned)when.phase_step, p->steps, p->period_us);
	}
	return when;
}

/* The lab failed: the target is brought back before anything else is done with it. *ret: what was
 * done, as in the trial's line. False only when it was cut short. */
static bool recover(Job *job, json_t **ret, GError **error)
{
	g_autoptr(GError) why = NULL;
	g_autoptr(GPtrArray) steps = NULL;
	print_step("recover", job);
	bool ok = target_recover(job->target, &steps, &why);
	if (g_error_matches(why, KX_ERROR, KX_ERROR_CANCELLED)) {
		g_propagate_error(error, g_steal_pointer(&why));
		return false;
	}
	if (!ok)
		job->lost = g_strdup(why->message);
	*ret = json_pack("{s:b, s:o, s:o}", "healthy", (int)ok, "reason",
			 kx_json_text(ok ? "" : why->message), "steps", recovery_steps_json(steps));
	return true;
}

static bool one_boot(Job *job, GError **error)
{
	const BootRequest *r = job->r;
	g_autofree char *dir = boot_evidence_begin(r, job->number, error);
	if (!dir)
		return false;
	BootMoment when = choose_moment(job);
	TargetBoot boot = {.kernel = r->kernel,
			   .cmdline = r->cmdline,
			   .identity = r->identity,
			   .mode = r->mode,
			   .alive = r->oracle->alive,
			   .wait_us = when.wait_us,
			   .phase_us = when.phase_us,
			   .folder = dir};
	g_auto(TargetResult) result = {0};
	bool ok = target_boot(job->target, &boot, &result, error);
	if (ok && result.end == TARGET_END_CANCELLED) {
		g_set_error(error, KX_ERROR, KX_ERROR_CANCELLED, "stopped");
		ok = false;
	}
	g_autoptr(json_t) recovery = NULL;
	if (ok && target_end_is_failure(result.end))
		ok = recover(job, &recovery, error);
	ok = ok && record(job, &result, &when, recovery, dir, error);
	if (!ok)
		kx_remove_tree(dir, NULL);
	return ok;
}

static bool run_job(Job *job, GError **error)
{
	const BootRequest *r = job->r;
	TargetOptions options = {
		.config = r->target,
		.cache = r->cache,
		.launcher_kernel = r->mode == BOOT_KEXEC ? r->launcher_kernel : NULL,
		.probe_kernel = r->launcher_kernel ? r->launcher_kernel : r->kernel,
		.on_step = print_step,
		.on_recovery = print_recovery,
		.user = job};
	if (!g_file_test(r->kernel, G_FILE_TEST_EXISTS)) {
		g_set_error(error, KX_ERROR, KX_ERROR_MISSING, "%s: no such kernel", r->kernel);
		return false;
	}
	if (!kx_mkdir(r->evidence, error))
		return false;
	job->target = target_open(&options, error);
	for (unsigned i = 0; job->target && i < r->boots && !job->over && !job->lost; i++) {
		job->number = r->first + i;
		if (!one_boot(job, error))
			return false;
	}
	return job->target != NULL;
}

static int body(void *user)
{
	g_autoptr(GError) e = NULL;
	Job job = {.r = user, .rand = g_rand_new()};
	job.number = job.r->first;
	kx_catch_signals();
	bool ok = run_job(&job, &e);
	target_close(job.target);
	g_rand_free(job.rand);
	g_autofree char *lost = job.lost;
	if (ok && !lost)
		return print_result("ok", "", false);
	return print_result("infra",
			    kx_cancelled() ? "stopped"
			    : lost	   ? lost
					   : e->message,
			    lost != NULL);
}

int job_boot_main(const char *request_path)
{
	g_autoptr(GError) e = NULL;
	g_autoptr(BootRequest) r = boot_request_load(request_path, &e);
	if (!r) {
		g_warning("%s", e->message);
		print_result("infra", e->message, false);
		return g_error_matches(e, KX_ERROR, KX_ERROR_INPUT) ? 2 : 1;
	}
	return guard_run(body, r);
}
