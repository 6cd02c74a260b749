/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The loop: plan, start, stop, watch the disks, and end in order. */
#include <errno.h>
#include <glib-unix.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "base/fs.h"
#include "daemon/daemon-internal.h"
#include "daemon/retention.h"
#include "daemon/stall.h"

#define TICK_S 5
#define SOON_MS 500
#define LOCK_S 2
#define URGENT 50      /* priority of root and the daemon's own user that stops what runs */
#define START_US 5000  /* then the loop goes on before another campaign starts */
#define MAX_SLEEP_S 60 /* the clock may be set */

/* ---- changes ---- */

Submission *daemon_find_active(Daemon *d, gint64 id)
{
	for (guint i = 0; i < d->active->len; i++)
		if (((Submission *)d->active->pdata[i])->id == id)
			return d->active->pdata[i];
	return NULL;
}

void daemon_set_state(Daemon *d, Submission *s, SubmissionState state, const char *reason,
		      const char *kind)
{
	s->state = state;
	s->wish = WISH_NONE;
	submission_set(&s->reason, reason);
	if (submission_is_over(state)) {
		s->finished_us = g_get_real_time();
		g_clear_pointer(&s->wait_reason, g_free);
	}
	daemon_save(d, s, kind, reason);
	daemon_publish(d, s,
		       json_pack("{s:s, s:s, s:o}", "event", "state", "state",
				 submission_state_name(state), "reason", kx_json_text(s->reason)));
	daemon_replan(d);
}

/* ---- the plan ---- */

static unsigned slots_of(const char *target, const char **ret_why, gpointer user)
{
	const Daemon *d = user;
	*ret_why = health_why(d, target);
	return *ret_why ? 0 : daemon_config_slots(d->config, target);
}

static bool is_held(const char *target, unsigned slot, gpointer user)
{
	const Daemon *d = user;
	return lease_is_held(d->o.state, target, slot);
}

static gint64 served_us(const Daemon *d, guint64 uid)
{
	const gint64 *at = g_hash_table_lookup(d->served, &uid);
	return at ? *at : 0;
}

static void note_served(Daemon *d, const Submission *s)
{
	if (s->started_us > served_us(d, s->uid))
		g_hash_table_replace(d->served, g_memdup2(&s->uid, sizeof(s->uid)),
				     g_memdup2(&s->started_us, sizeof(s->started_us)));
}

static const char *why_nothing_runs(const Daemon *d)
{
	return d->stopping ? "the daemon stops" : d->disk_why;
}

static PlanItem make_item(const Daemon *d, const Submission *s, TimeWindow *window)
{
	const char *text = *s->window ? s->window : d->config->window;
	return (PlanItem){.id = s->id,
			  .priority = s->priority,
			  .owner = s->uid,
			  .served_us = served_us(d, s->uid),
			  .campaign = s->name,
			  .targets = s->targets,
			  .also = s->also,
			  .bound = s->target,
			  .running = s->state == SUBMISSION_RUNNING,
			  .urgent = s->priority >= URGENT && (s->uid == 0 || s->uid == geteuid()),
			  .stopping = sitting_is_stopping(s),
			  .slot = s->slot,
			  .window = text && window_parse(text, window, NULL) ? window : NULL,
			  .not_before_us = s->not_before_us};
}

static void start(Daemon *d, Submission *s, const PlanItem *i)
{
	g_autoptr(GError) error = NULL;
	g_clear_pointer(&s->wait_reason, g_free);
	s->held = false;
	if (sitting_start(d, s, i->target, i->target_slot, &error)) {
		note_served(d, s);
		return;
	}
	s->wait_reason = g_strdup(error->message);
	if (g_error_matches(error, KX_ERROR, KX_ERROR_BUSY) ||
	    g_error_matches(error, KX_ERROR, KX_ERROR_NO_SPACE))
		d->plan_soon = true;
	else if (!d->trouble)
		sitting_failed(d, s, error->message);
}

static void apply(Daemon *d, Submission *s, PlanItem *i)
{
	if (i->action == PLAN_START) {
		start(d, s, i);
	} else if (i->action == PLAN_STOP) {
		sitting_stop(s, i->reason);
	} else if (s->state == SUBMISSION_QUEUED) {
		g_free(s->wait_reason);
		s->wait_reason = g_steal_pointer(&i->reason);
		s->held = i->held;
	}
	g_free(i->reason);
}

static void drop_over(Daemon *d)
{
	for (guint i = d->active->len; i-- > 0;) {
		Submission *s = d->active->pdata[i];
		if (submission_is_over(s->state) && !s->unsaved && !s->sitting && !left_is(d, s))
			g_ptr_array_remove_index(d->active, i);
	}
}

static gboolean on_plan(gpointer data);

static gboolean on_clock(gpointer data)
{
	Daemon *d = data;
	d->clock_source = 0;
	daemon_replan(d);
	return G_SOURCE_REMOVE;
}

static void plan(Daemon *d)
{
	g_autofree PlanItem *items = g_new0(PlanItem, d->active->len);
	g_autofree TimeWindow *windows = g_new0(TimeWindow, d->active->len);
	g_autofree Submission **of = g_new0(Submission *, d->active->len);
	guint n = 0;
	for (guint i = 0; i < d->active->len; i++) {
		Submission *s = d->active->pdata[i];
		if (s->state == SUBMISSION_QUEUED || s->state == SUBMISSION_RUNNING) {
			items[n] = make_item(d, s, &windows[n]);
			of[n++] = s;
		}
	}
	PlanLab lab = {.now_us = g_get_real_time(),
		       .zone = d->zone,
		       .jobs = d->config->limits.jobs,
		       .stop_why = why_nothing_runs(d),
		       .hold_why = d->trouble,
		       .slots = slots_of,
		       .is_held = is_held,
		       .user = d};
	gint64 change = plan_make(items, n, &lab);
	gint64 begun = g_get_monotonic_time();
	for (guint i = 0; i < n; i++) {
		/* A start waits for the disk twice. */
		if (items[i].action == PLAN_START && g_get_monotonic_time() - begun > START_US)
			daemon_replan(d);
		else
			apply(d, of[i], &items[i]);
	}
	gint64 wait_ms = d->plan_soon
				 ? SOON_MS
				 : CLAMP((change - lab.now_us) / 1000 + 1, 10, MAX_SLEEP_S * 1000);
	d->plan_soon = false;
	g_clear_handle_id(&d->clock_source, g_source_remove);
	d->clock_source = g_timeout_add((guint)wait_ms, on_clock, d);
}

guint daemon_count_running(const Daemon *d)
{
	guint n = 0;
	for (guint i = 0; i < d->active->len; i++)
		n += ((const Submission *)d->active->pdata[i])->state == SUBMISSION_RUNNING;
	return n;
}

static void tell_status(const Daemon *d)
{
	const char *why = why_nothing_runs(d) ? why_nothing_runs(d) : d->trouble;
	g_autofree char *text =
		g_strdup_printf("STATUS=%u submissions, %u run%s%s", d->active->len,
				daemon_count_running(d), why ? "; " : "", why ? why : "");
	systemd_notify(text);
}

static gboolean on_plan(gpointer data)
{
	Daemon *d = data;
	d->plan_source = 0;
	drop_over(d);
	plan(d);
	tell_status(d);
	if (d->stopping && !daemon_count_running(d) && !d->left && !d->accepting && !d->makings &&
	    !health_is_busy(d) && !notify_is_busy(d))
		g_main_loop_quit(d->loop);
	return G_SOURCE_REMOVE;
}

void daemon_replan(Daemon *d)
{
	if (!d->plan_source)
		d->plan_source = g_idle_add(on_plan, d);
}

/* ---- timers ---- */

static gboolean on_tick(gpointer data)
{
	Daemon *d = data;
	daemon_watch_disks(d, false);
	daemon_save_again(d);
	retention_tick(d);
	stall_tick(d);
	return G_SOURCE_CONTINUE;
}

static gboolean on_watchdog(gpointer data)
{
	systemd_notify("WATCHDOG=1");
	return G_SOURCE_CONTINUE;
}

/* ---- signals ---- */

static gboolean on_stop(gpointer data)
{
	Daemon *d = data;
	if (d->stopping) {
		for (guint i = 0; i < d->active->len; i++) {
			const Submission *s = d->active->pdata[i];
			if (process_is_alive(&s->engine))
				kill(-s->engine.pid, SIGKILL);
		}
		return G_SOURCE_CONTINUE;
	}
	g_message("stopping: %u campaigns are told to end, and go on with the next start",
		  daemon_count_running(d));
	d->stopping = true;
	systemd_notify("STOPPING=1");
	accept_clear(d);
	summarise_stop(d);
	health_stop(d);
	notify_stop(d);
	daemon_note(d, "stopping", "");
	daemon_replan(d);
	return G_SOURCE_CONTINUE;
}

static gboolean on_reload(gpointer data)
{
	Daemon *d = data;
	g_autoptr(GError) error = NULL;
	g_autofree char *now = g_strdup_printf("RELOADING=1\nMONOTONIC_USEC=%" G_GINT64_FORMAT,
					       g_get_monotonic_time());
	systemd_notify(now);
	DaemonConfig *c = daemon_config_load(d->o.config, d->o.state, &error);
	if (c) {
		daemon_config_free(d->config);
		d->config = c;
		g_clear_pointer(&d->zone, g_time_zone_unref);
		d->zone = g_time_zone_new_local();
		g_message("the configuration was read again");
		if (d->front)
			d->o.front->reload(d->front);
		daemon_watch_disks(d, false);
		notify_configure(d);
		daemon_replan(d);
	} else {
		g_warning("the old configuration stays: %s", error->message);
	}
	systemd_notify("READY=1");
	return G_SOURCE_CONTINUE;
}

/* ---- begin and end ---- */

/* A snapshot without a row was never acknowledged. */
static bool sweep(Daemon *d, GError **error)
{
	g_autoptr(GHashTable) known = queue_folders(d->queue, error);
	if (!known)
		return false;
	g_autofree char *folder = g_build_filename(d->o.state, "submissions", NULL);
	g_autoptr(GDir) dir = g_dir_open(folder, 0, NULL);
	const char *name;
	while (dir && (name = g_dir_read_name(dir))) {
		g_autofree char *path = g_build_filename(folder, name, NULL);
		if (!g_hash_table_contains(known, name) && !kx_remove_tree(path, error))
			return false;
	}
	return true;
}

static bool load(Daemon *d, GError **error)
{
	d->queue = queue_open(d->o.state, error);
	if (!d->queue || !sweep(d, error))
		return false;
	g_ptr_array_unref(d->active);
	d->active = queue_active(d->queue, error);
	if (!d->active) {
		d->active = g_ptr_array_new();
		return false;
	}
	g_autoptr(GPtrArray) recent = queue_list(d->queue, 0, 1000, -1, error);
	for (guint i = 0; recent && i < recent->len; i++)
		note_served(d, recent->pdata[i]);
	for (guint i = 0; i < d->active->len; i++) {
		Submission *s = d->active->pdata[i];
		if (s->state == SUBMISSION_RUNNING)
			left_add(d, s->target, s->slot, s);
	}
	return recent && health_load(d, error) && notify_start(d, error) &&
	       queue_note(d->queue, (QueueNote){"started", ""}, error);
}

/* A daemon that was killed at the moment when it started a process leaves the lock to that one
 * until it executes its program. */
static bool take_lock(Daemon *d, GError **error)
{
	g_autofree char *path = g_build_filename(d->o.state, "lock", NULL);
	gint64 deadline = g_get_monotonic_time() + LOCK_S * G_USEC_PER_SEC;
	for (;;) {
		g_autoptr(GError) why = NULL;
		d->lock = kx_lock_file(path, false, &why);
		if (d->lock >= 0)
			return true;
		if (!g_error_matches(why, KX_ERROR, KX_ERROR_BUSY) ||
		    g_get_monotonic_time() > deadline) {
			g_propagate_error(error, g_steal_pointer(&why));
			return false;
		}
		g_usleep(20000);
	}
}

char *daemon_socket(const Daemon *d)
{
	return d->o.socket ? g_canonicalize_filename(d->o.socket, NULL)
			   : g_build_filename(d->o.state, "socket", NULL);
}

static bool prepare(Daemon *d, GError **error)
{
	g_autofree char *socket = daemon_socket(d);
	if (!kx_mkdir(d->o.state, error) || !take_lock(d, error))
		return false;
	d->config = daemon_config_load(d->o.config, d->o.state, error);
	if (!d->config || !load(d, error))
		return false;
	d->server = server_new(d, socket, d->config->socket_group, error);
	g_autoptr(GError) why = NULL;
	if (d->server && d->o.front)
		d->front = d->o.front->start(d, &why);
	if (!why)
		return d->server != NULL;
	g_propagate_error(error, g_steal_pointer(&why));
	return false;
}

static void run(Daemon *d)
{
	guint sources[] = {g_unix_signal_add(SIGTERM, on_stop, d),
			   g_unix_signal_add(SIGINT, on_stop, d),
			   g_unix_signal_add(SIGHUP, on_reload, d)};
	signal(SIGPIPE, SIG_IGN);
	d->tick_source = g_timeout_add_seconds(TICK_S, on_tick, d);
	guint64 watchdog = systemd_watchdog_us();
	if (watchdog)
		d->watchdog_source = g_timeout_add((guint)MAX(watchdog / 3000, 1), on_watchdog, d);
	daemon_watch_disks(d, false);
	daemon_replan(d);
	systemd_notify("READY=1");
	g_main_loop_run(d->loop);
	for (guint i = 0; i < G_N_ELEMENTS(sources); i++)
		g_source_remove(sources[i]);
}

static void clear(Daemon *d)
{
	if (d->front)
		d->o.front->stop(d->front);
	server_free(d->server);
	g_clear_handle_id(&d->plan_source, g_source_remove);
	g_clear_handle_id(&d->tick_source, g_source_remove);
	g_clear_handle_id(&d->clock_source, g_source_remove);
	g_clear_handle_id(&d->watchdog_source, g_source_remove);
	if (d->queue)
		daemon_save_again(d);
	left_clear(d);
	health_clear(d);
	notify_clear(d);
	g_ptr_array_unref(d->active);
	g_hash_table_unref(d->served);
	queue_close(d->queue);
	daemon_config_free(d->config);
	g_time_zone_unref(d->zone);
	g_main_loop_unref(d->loop);
	if (d->lock >= 0)
		close(d->lock);
	g_free(d->disk_why);
	g_free(d->trouble);
	g_free((char *)d->o.state);
}

int daemon_run(const DaemonOptions *options, GError **error)
{
	Daemon d = {.o = *options,
		    .lock = -1,
		    .active = g_ptr_array_new(),
		    .served = g_hash_table_new_full(g_int64_hash, g_int64_equal, g_free, g_free),
		    .loop = g_main_loop_new(NULL, FALSE),
		    .zone = g_time_zone_new_local()};
	d.o.state = g_canonicalize_filename(options->state, NULL);
	d.o.retry_s = options->retry_s > 0 ? options->retry_s : 10;
	d.o.stop_grace_s = options->stop_grace_s ? options->stop_grace_s : 45;
	bool ok = prepare(&d, error);
	if (ok)
		run(&d);
	clear(&d);
	return ok ? 0 : 1;
}
