/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The loop: ask what is next, build, boot, until there is a result or a reason to stop. */
#include "engine/engine-internal.h"

#include <glib-unix.h>
#include <math.h>
#include <unistd.h>

#include "base/error.h"
#include "base/fs.h"

#define HEARTBEAT_S 30

/* ---- stopping ---- */

static void stop(Engine *e)
{
	e->stopping = true;
	g_clear_handle_id(&e->step_source, g_source_remove);
	if (e->job.child)
		engine_stop_job(e, false);
	else
		g_main_loop_quit(e->loop);
}

void engine_fail(Engine *e, GError *error)
{
	if (e->error)
		g_error_free(error);
	else
		e->error = error;
	stop(e);
}

static gboolean on_cancel(int fd, GIOCondition condition, gpointer data)
{
	Engine *e = data;
	e->cancel_source = 0;
	if (e->job.child)
		g_message("stopping (the present job is told to end; once more kills)");
	engine_fail(e, g_error_new(KX_ERROR, KX_ERROR_CANCELLED,
				   "%s: stopped; 'kexsect run %s' goes on where it stopped",
				   e->run->slug, e->campaign->path));
	return G_SOURCE_REMOVE;
}

/* ---- one step ---- */

static bool takes_base(const TargetConfig *t)
{
	return !t->launcher.kernel || g_str_equal(t->launcher.kernel, "base");
}

static bool kexecs(const Campaign *c)
{
	bool kexec = campaign_searches(c) && c->mode == BOOT_KEXEC;
	for (unsigned m = 0; c->survey && m < c->survey->modes_count; m++)
		kexec |= c->survey->modes[m] == BOOT_KEXEC;
	return kexec;
}

/* The launcher's kernel is the base, unless the target brings one of its own. */
static bool needs_launcher(const Engine *e)
{
	const Campaign *c = e->campaign;
	bool base = !c->versions_count && takes_base(e->target);
	for (unsigned i = 0; i < c->versions_count; i++)
		base |= takes_base(engine_target(e, i + 1));
	return base && kexecs(c);
}

static bool finish(Engine *e, const char *budget, GError **error)
{
	if (!e->plan->conclude(e, budget, error))
		return false;
	if (e->finished) {
		stop(e);
		return true;
	}
	engine_schedule(e, 0);
	return engine_begin_plan(e, error);
}

static void tell_experiment(Engine *e)
{
	const SearchExperiment *x = &e->next;
	g_autofree char *name = engine_set_name(e, x->variant);
	unsigned done, planned;
	json_t *event = json_pack(
		"{s:s, s:o, s:s, s:o, s:s, s:b, s:i, s:o, s:f, s:f}", "event", "experiment", "name",
		kx_json_text(name), "purpose", e->purpose, "variant",
		engine_names_of(e, x->variant), "mode", x->mode == SEARCH_COLD ? "cold" : "kexec",
		"clean", (int)x->clean_build, "boots", (int)x->boots, "reason",
		kx_json_text(x->reason), "cost_s", x->cost_s, "seconds_left", engine_time_left(e));
	if (!isnan(x->bits)) {
		json_object_set_new(event, "bits", json_real(x->bits));
		json_object_set_new(event, "p_fault", json_real(x->p_fault));
		json_object_set_new(event, "untestable", json_real(x->untestable));
	}
	if (e->plan->progress) {
		e->plan->progress(e, &done, &planned);
		json_object_set_new(event, "done", json_integer(done));
		json_object_set_new(event, "planned", json_integer(planned));
	}
	engine_emit(e, event);
}

/* True when there is an experiment in e->next; false: *error, or it is over. */
static bool ask(Engine *e, GError **error)
{
	const char *budget = engine_budget_used(e);
	if (!budget && e->plan->next(e, &budget)) {
		tell_experiment(e);
		return true;
	}
	finish(e, budget, error);
	return false;
}

static bool first_refusal(Engine *e, SearchMask variant)
{
	guint64 key = variant;
	return g_hash_table_add(e->refused, g_memdup2(&key, sizeof(key)));
}

static bool experiment(Engine *e, GError **error)
{
	const SearchExperiment *x = &e->next;
	EngineKernel *k = engine_kernel(e, x->variant, x->clean_build, false);
	if (!k)
		return engine_start_build(e, x->variant, x->clean_build, false, error);
	if (k->ok)
		return engine_start_boots(e, error);
	if (k->mask != x->variant && first_refusal(e, x->variant)) {
		/* The plan was told of the kernel by itself, without these boot parameters. */
		e->plan->untestable(e, x->variant, false);
		engine_schedule(e, 0);
		return true;
	}
	/* The usual build of it worked, so search knows nothing of this yet. */
	g_autofree char *name = engine_set_name(e, x->variant);
	g_set_error(error, KX_ERROR, KX_ERROR_FAILED,
		    "%s: %s is asked for again although it does not build", e->run->slug, name);
	return false;
}

static bool advance(Engine *e, GError **error)
{
	if (needs_launcher(e)) {
		e->launcher = engine_kernel(e, 0, false, true);
		if (!e->launcher || !e->launcher->ok)
			return engine_start_build(e, 0, false, true, error);
	}
	if (e->campaign->order) {
		const EngineKernel *k = engine_kernel(e, ENGINE_AS_COMPILED, false, false);
		if (!k)
			return engine_start_build(e, ENGINE_AS_COMPILED, false, false, error);
		if (!k->ok) {
			g_set_error(error, KX_ERROR, KX_ERROR_FAILED,
				    "%s: the kernel does not build, so it has no order",
				    e->run->slug);
			return false;
		}
	}
	if (!e->plan &&
	    (!engine_record_environment(e, NULL, error) || !engine_begin_plan(e, error)))
		return false;
	return ask(e, error) && experiment(e, error);
}

static gboolean on_step(gpointer data)
{
	Engine *e = data;
	g_autoptr(GError) error = NULL;
	e->step_source = 0;
	if (!advance(e, &error) && error)
		engine_fail(e, g_steal_pointer(&error));
	return G_SOURCE_REMOVE;
}

void engine_schedule(Engine *e, double delay_s)
{
	if (!e->stopping && !e->step_source)
		e->step_source = g_timeout_add((guint)(delay_s * 1000), on_step, e);
}

static gboolean on_heartbeat(gpointer data)
{
	Engine *e = data;
	g_autoptr(GError) error = NULL;
	StoreTimes times = engine_times(e);
	if (e->view->beat)
		e->view->beat(e);
	if (!store_set_times(e->store, e->sitting, &times, &error)) {
		e->heartbeat_source = 0;
		engine_fail(e, g_steal_pointer(&error));
		return G_SOURCE_REMOVE;
	}
	return G_SOURCE_CONTINUE;
}

/* ---- a sitting ---- */

static void init(Engine *e, const Campaign *c, const EngineOptions *options)
{
	*e = (Engine){.campaign = c,
		      .options = options,
		      .target = campaign_target(c, options->target, NULL),
		      .lock = -1};
	e->began_us = g_get_monotonic_time();
	e->kernels = g_ptr_array_new_with_free_func(engine_kernel_free);
	e->given_up = g_ptr_array_new_with_free_func(g_free);
	e->in_a_row = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
	e->history = g_hash_table_new_full(g_str_hash, g_str_equal, g_free,
					   (GDestroyNotify)g_byte_array_unref);
	e->refused = g_hash_table_new_full(g_int64_hash, g_int64_equal, g_free, NULL);
	e->boot_s = g_array_new(FALSE, FALSE, sizeof(double));
	e->build_s = g_array_new(FALSE, FALSE, sizeof(double));
	e->clean_s = g_array_new(FALSE, FALSE, sizeof(double));
	e->switch_s = g_array_new(FALSE, FALSE, sizeof(double));
	e->next_trial = e->next_build = 1;
	e->loop = g_main_loop_new(NULL, FALSE);
}

static void clear(Engine *e)
{
	g_clear_handle_id(&e->step_source, g_source_remove);
	g_clear_handle_id(&e->cancel_source, g_source_remove);
	g_clear_handle_id(&e->heartbeat_source, g_source_remove);
	engine_order_free(e);
	search_free(e->search);
	engine_survey_free(e->survey);
	g_free(e->machine);
	g_free(e->top);
	g_array_unref(e->boot_s);
	g_array_unref(e->build_s);
	g_array_unref(e->clean_s);
	g_array_unref(e->switch_s);
	g_hash_table_unref(e->history);
	g_hash_table_unref(e->in_a_row);
	g_hash_table_unref(e->refused);
	g_ptr_array_unref(e->given_up);
	g_ptr_array_unref(e->kernels);
	store_campaign_free(e->run);
	store_free(e->store);
	if (e->lock >= 0)
		close(e->lock);
	g_main_loop_unref(e->loop);
	g_clear_error(&e->error);
}

static bool prepare(Engine *e, GError **error)
{
	static const char *const folders[] = {"requests", "trials"};
	for (guint i = 0; i < G_N_ELEMENTS(folders); i++) {
		g_autofree char *path = g_build_filename(e->run->dir, folders[i], NULL);
		if (!kx_mkdir(path, error))
			return false;
	}
	g_autoptr(json_t) config = engine_snapshot(e->campaign);
	if (!store_set_config(e->store, e->run->id, config, error) ||
	    !store_set_state(e->store, e->run->id, STORE_RUNNING, "", error))
		return false;
	e->sitting = store_begin_sitting(e->store, e->run->id, error);
	return e->sitting && engine_load(e, error);
}

static void sit(Engine *e)
{
	kx_catch_signals();
	e->cancel_source = g_unix_fd_add(kx_cancel_fd(), G_IO_IN, on_cancel, e);
	e->heartbeat_source = g_timeout_add_seconds(HEARTBEAT_S, on_heartbeat, e);
	if (e->campaign->target_names_count > 1 && !e->options->target)
		engine_note(e, "info", "targets", 0, "only the first of %u targets is used, %s",
			    e->campaign->target_names_count, e->target->name);
	engine_schedule(e, 0);
	if (!e->stopping)
		g_main_loop_run(e->loop);
}

/* Leaves the run in a state that says how it ended, as far as the store still works. */
static void close_sitting(Engine *e)
{
	StoreTimes times = engine_times(e);
	g_autoptr(GError) error = NULL;
	bool stopped = e->target_lost || g_error_matches(e->error, KX_ERROR, KX_ERROR_CANCELLED);
	if (store_set_times(e->store, e->sitting, &times, &error) && !e->finished)
		store_set_state(e->store, e->run->id, stopped ? STORE_STOPPED : STORE_FAILED,
				e->error ? e->error->message : "", &error);
	if (error && !e->error)
		e->error = g_steal_pointer(&error);
}

/* Tells the verdict that is in the store to those who make the report. */
static int hand_over(Engine *e, GError **error)
{
	g_autoptr(StoreVerdict) v = store_verdict(e->store, e->run->id, error);
	if (!v)
		return 1;
	g_autoptr(GError) why = NULL;
	g_autoptr(StoreCampaign) run = store_find_campaign(e->store, e->run->slug, &why);
	if (run && e->options->finished &&
	    !e->options->finished(e->store, run, e->options->user, &why))
		g_warning("the report could not be made: %s", why ? why->message : "?");
	return g_str_equal(v->kind, "inconclusive") ? 1 : 0;
}

static int already_finished(Engine *e, GError **error)
{
	g_autoptr(StoreVerdict) v = store_verdict(e->store, e->run->id, error);
	if (!v)
		return 1;
	g_message("%s is finished; --again begins a new run", e->run->slug);
	engine_tell_verdict(e, v);
	return hand_over(e, error);
}

static int work(Engine *e, GError **error)
{
	if (!prepare(e, error))
		return 1;
	sit(e);
	engine_remove_parts(e);
	close_sitting(e);
	if (e->error && !e->finished) {
		g_propagate_error(error, g_steal_pointer(&e->error));
		return e->target_lost ? ENGINE_TARGET_FAILED : 1;
	}
	return hand_over(e, error);
}

int engine_run(const Campaign *c, const EngineOptions *options, GError **error)
{
	Engine e;
	int status = 1;
	init(&e, c, options);
	e.store = store_open(options->results, STORE_WRITE, error);
	if (e.store && engine_choose_run(&e, error)) {
		engine_view_begin(&e);
		status = e.finished ? already_finished(&e, error) : work(&e, error);
		engine_view_end(&e);
	}
	clear(&e);
	return status;
}
