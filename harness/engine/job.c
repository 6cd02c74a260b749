/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The one job that runs: starting, listening, ending, and ending one that a killed engine left. */
#include "engine/engine-internal.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "base/fs.h"

#define DEFAULT_GRACE_S 30

static unsigned grace(const Engine *e)
{
	return e->options->job_grace_s ? e->options->job_grace_s : DEFAULT_GRACE_S;
}

void engine_stop_job(Engine *e, bool retire)
{
	EngineJob *j = &e->job;
	if (j->kind == JOB_NONE || j->ending)
		return;
	j->ending = true;
	j->retired = retire;
	kx_child_stop(j->child, grace(e));
}

/* ---- what it says ---- */

static gboolean on_silence(gpointer data)
{
	Engine *e = data;
	e->job.silence_source = 0;
	e->job.silent = true;
	engine_stop_job(e, false);
	return G_SOURCE_REMOVE;
}

static void listen_again(Engine *e)
{
	g_clear_handle_id(&e->job.silence_source, g_source_remove);
	e->job.silence_source = g_timeout_add_seconds(e->job.silence_s, on_silence, e);
}

static void garbled(Engine *e, const char *why)
{
	if (!e->job.garbled_why)
		e->job.garbled_why = g_strdup(why);
	engine_stop_job(e, false);
}

static void take_step(Engine *e, const json_t *line)
{
	EngineJob *j = &e->job;
	const char *step = kx_json_str(line, "step"), *detail = kx_json_str(line, "detail");
	gint64 now = g_get_monotonic_time();
	/* KVM that hangs the guest shows by its deadline only. */
	if (g_strcmp0(j->step, "prove-kvm") == 0)
		engine_spend_wait(e, (double)(now - j->step_us) / G_USEC_PER_SEC);
	if (g_strcmp0(j->step, step) != 0)
		j->step_us = now;
	g_free(j->step);
	j->step = g_strdup(step);
	g_free(j->detail);
	j->detail = g_strdup(detail);
	j->done = kx_json_num(line, "done", 0);
	j->total = kx_json_num(line, "total", 0);
	if (e->options->verbose) {
		json_t *event = json_deep_copy(line);
		json_object_set_new(event, "job",
				    json_string(j->kind == JOB_BUILD ? "build" : "boot"));
		engine_emit(e, event);
	}
}

static void on_line(const char *text, gpointer data)
{
	Engine *e = data;
	listen_again(e);
	if (e->job.garbled_why)
		return; /* nothing after it is to be trusted */
	g_autoptr(GError) error = NULL;
	g_autoptr(json_t) line = kx_json_parse(text, "line", &error);
	const char *event = line ? kx_json_str(line, "event") : NULL;
	if (!event) {
		g_autofree char *start = g_utf8_make_valid(text, (gssize)strnlen(text, 80));
		g_autofree char *why =
			g_strdup_printf("said something that is no message of a job: '%s'", start);
		garbled(e, why);
	} else if (g_str_equal(event, "step")) {
		take_step(e, line);
	} else if (e->job.kind == JOB_BUILD) {
		engine_build_line(e, line);
	} else {
		engine_boot_line(e, line);
	}
}

/* ---- its pid, for those who come after us ---- */

static char *pid_path(const Engine *e)
{
	return g_build_filename(e->run->dir, "job", NULL);
}

static void note_pid(Engine *e, int pid)
{
	g_autofree char *path = pid_path(e);
	g_autofree char *text =
		g_strdup_printf("%d %" G_GUINT64_FORMAT "\n", pid, kx_start_time(pid));
	if (!kx_write_scratch(path, text, -1, 0644, NULL))
		g_debug("%s: cannot be written", path);
}

/* A killed engine's job is told to end by the kernel (PDEATHSIG), but that takes it a moment in
 * which it may still write evidence. */
bool engine_end_orphan(Engine *e, GError **error)
{
	g_autofree char *path = pid_path(e);
	g_autofree char *text = NULL;
	if (!g_file_get_contents(path, &text, NULL, NULL))
		return true;
	char *rest;
	int pid = (int)g_ascii_strtoll(text, &rest, 10);
	guint64 start = g_ascii_strtoull(rest, NULL, 10);
	guint waited_ms = 0, patience_ms = 1000 * grace(e);
	while (pid > 1 && start && kx_start_time(pid) == start && !kx_cancelled()) {
		if (waited_ms == 0)
			kill(-pid, SIGTERM);
		if (waited_ms == patience_ms)
			kill(-pid, SIGKILL);
		if (waited_ms > patience_ms + 10000) {
			g_set_error(error, KX_ERROR, KX_ERROR_BUSY,
				    "%s: process %d, a job of an earlier sitting, cannot be ended",
				    e->run->slug, pid);
			return false;
		}
		g_usleep(20000);
		waited_ms += 20;
	}
	unlink(path);
	return true;
}

/* ---- start and end ---- */

static void clear_job(EngineJob *j)
{
	g_clear_handle_id(&j->silence_source, g_source_remove);
	g_free(j->step);
	g_free(j->detail);
	g_free(j->garbled_why);
	g_free(j->result_why);
	g_free(j->infra_why);
	g_free(j->cause);
	g_free(j->mode);
	g_free(j->purpose);
	json_decref(j->plan);
	*j = (EngineJob){0};
}

static void on_exit_of_job(int status, gpointer data)
{
	Engine *e = data;
	g_autofree char *path = pid_path(e);
	unlink(path);
	/* The handlers see the job as it was, and may not start the next one: they schedule. */
	e->job.child = NULL;
	if (e->job.kind == JOB_BUILD)
		engine_build_ended(e, status);
	else
		engine_boot_ended(e, status);
	clear_job(&e->job);
	if (e->stopping)
		g_main_loop_quit(e->loop);
}

char *engine_job_failure(const EngineJob *j, int status)
{
	if (j->garbled_why)
		return g_strdup(j->garbled_why);
	if (j->silent)
		return g_strdup_printf("said nothing for %u s and was ended", j->silence_s);
	if (j->result_seen && !j->result_ok)
		return g_strdup(j->result_why && *j->result_why ? j->result_why
								: "could not do its work");
	if (status >= 128)
		return g_strdup_printf("was killed by signal %d", status - 128);
	if (status)
		return g_strdup_printf("ended with status %d", status);
	if (!j->result_seen)
		return g_strdup("ended without a result");
	return NULL;
}

static char *own_program(void)
{
	char *exe = g_file_read_link("/proc/self/exe", NULL);
	if (exe && g_file_test(exe, G_FILE_TEST_IS_EXECUTABLE))
		return exe;
	/* Replaced by an upgrade while we run: the kernel still has the old one. */
	g_free(exe);
	return g_strdup("/proc/self/exe");
}

bool engine_start_job(Engine *e, EngineJobKind kind, const char *name, const json_t *request,
		      GError **error)
{
	EngineJob *j = &e->job;
	g_autofree char *file = g_strdup_printf("%s.json", name);
	g_autofree char *path = g_build_filename(e->run->dir, "requests", file, NULL);
	g_autofree char *log = g_build_filename(e->run->dir, "jobs.log", NULL);
	g_autofree char *program =
		e->options->program ? g_strdup(e->options->program) : own_program();
	const char *argv[] = {program, "job", kind == JOB_BUILD ? "build" : "boot", path, NULL};
	j->kind = kind;
	j->started_us = j->accounted_us = g_get_monotonic_time();
	if (kx_json_save(path, request, error))
		j->child = kx_child_start(
			&(KxProc){.argv = argv, .log_path = log, .fds = kx_proc_inherited()},
			on_line, on_exit_of_job, e, error);
	if (!j->child) {
		clear_job(j);
		return false;
	}
	note_pid(e, kx_child_pid(j->child));
	j->silence_s = e->options->job_silence_s ? e->options->job_silence_s
		       : kind == JOB_BUILD	 ? 3600
						 : j->target->timeouts.trial + 120;
	listen_again(e);
	return true;
}
