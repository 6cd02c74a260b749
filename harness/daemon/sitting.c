/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One sitting: the process `kexsect run` that works on a submission, from its lease to its end. */
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "base/fs.h"
#include "daemon/daemon-internal.h"
#include "daemon/preflight.h"
#include "daemon/snapshot.h"
#include "daemon/stall.h"
#include "store/store.h"

#define KEEP_EVENTS 100
#define KEEP_BYTES 65536 /* of an event as JSON; a longer one is only told */
#define MAX_LOG (1 << 20)
#define MAX_GARBAGE 20
#define SAVE_PROGRESS_S 60
#define TARGET_FAILED 3 /* exit status of the engine */

struct Sitting {
	Daemon *d;
	Submission *s;
	KxChild *child;
	char *stop_why; /* we told it to end; NULL: we did not */
	json_t *verdict;
	bool target_failed; /* it said so */
	unsigned work;	    /* trials and builds that an engine has not to make again */
	unsigned garbage;
	bool preflight;	 /* the child is not the engine but what is done before its first sitting */
	json_t *said;	 /* by the preflight */
	guint deadline;	 /* of it */
	gint64 saved_us; /* monotonic: when the progress was last written */
	GQueue events;	 /* json_t: the last ones */
};

static void sitting_free(Sitting *t)
{
	g_free(t->stop_why);
	json_decref(t->verdict);
	json_decref(t->said);
	g_clear_handle_id(&t->deadline, g_source_remove);
	g_queue_clear_full(&t->events, (GDestroyNotify)json_decref);
	g_free(t);
}

const GQueue *sitting_events(const Submission *s)
{
	return s->sitting ? &s->sitting->events : NULL;
}

void sitting_remember(Submission *s, json_t *event)
{
	if (!s->sitting || json_dumpb(event, NULL, 0, 0) > KEEP_BYTES)
		return;
	GQueue *events = &s->sitting->events;
	if (events->length == KEEP_EVENTS)
		json_decref(g_queue_pop_head(events));
	g_queue_push_tail(events, json_incref(event));
}

bool sitting_is_preflight(const Submission *s)
{
	return s->sitting && s->sitting->preflight;
}

bool sitting_is_stopping(const Submission *s)
{
	return s->sitting && s->sitting->stop_why;
}

/* ---- what it says ---- */

static void on_checked(const char *line, gpointer user)
{
	Sitting *t = user;
	g_autoptr(json_t) said = kx_json_parse(line, "check", NULL);
	if (!json_is_object(said) || !json_object_get(said, "checks"))
		return;
	json_decref(t->said);
	t->said = g_steal_pointer(&said);
}

static bool is_work(const char *kind, const json_t *event)
{
	if (g_str_equal(kind, "build"))
		return !kx_json_bool(event, "cached", false) &&
		       g_strcmp0(kx_json_str(event, "status"), "infra") != 0;
	return g_str_equal(kind, "trial") && g_strcmp0(kx_json_str(event, "outcome"), "infra") != 0;
}

static void on_line(const char *line, gpointer user)
{
	Sitting *t = user;
	g_autoptr(json_t) event = kx_json_parse(line, "event", NULL);
	const char *kind = json_is_object(event) ? kx_json_str(event, "event") : NULL;
	if (!kind) {
		if (++t->garbage == MAX_GARBAGE)
			g_warning("submission %" G_GINT64_FORMAT ": its engine says what is no "
				  "event",
				  t->s->id);
		return;
	}
	const char *run = kx_json_str(event, "run");
	if (g_str_equal(kind, "campaign") && run && !g_str_equal(run, t->s->run)) {
		submission_set(&t->s->run, run);
		daemon_save(t->d, t->s, NULL, NULL);
	}
	t->work += is_work(kind, event);
	if (g_str_equal(kind, "verdict")) {
		json_decref(t->verdict);
		t->verdict = json_incref(event);
	}
	t->target_failed |= g_str_equal(kind, "target");
	health_event(t->d, t->s, event);
	stall_event(t->d, t->s, event);
	progress_take(t->s->progress, event);
	if (g_get_monotonic_time() - t->saved_us > SAVE_PROGRESS_S * G_USEC_PER_SEC) {
		t->saved_us = g_get_monotonic_time();
		daemon_save(t->d, t->s, NULL, NULL);
	}
	daemon_publish(t->d, t->s, json_incref(event));
}

/* ---- its end ---- */

static char *folder_path(const Daemon *d, const Submission *s, const char *leaf)
{
	return g_build_filename(d->o.state, "submissions", s->folder, leaf, NULL);
}

/* The last line that the engine wrote for people. */
static char *last_words(const Daemon *d, const Submission *s, const char *log)
{
	g_autofree char *path = folder_path(d, s, log);
	g_autofree char *text = kx_read_file(path, 4 * MAX_LOG, NULL, NULL);
	if (!text)
		return NULL;
	g_strchomp(text);
	const char *line = strrchr(text, '\n');
	g_autofree char *valid = g_utf8_make_valid(line ? line + 1 : text, -1);
	return *valid ? g_strndup(valid, 500) : NULL;
}

static double backoff_s(const Daemon *d, unsigned attempts)
{
	double s = d->o.retry_s;
	for (unsigned i = 1; i < attempts && s < 1800; i++)
		s *= 5;
	return MIN(s, 1800);
}

void sitting_failed(Daemon *d, Submission *s, const char *why)
{
	s->attempts++;
	if (s->attempts > d->config->limits.retries) {
		daemon_set_state(d, s, SUBMISSION_FAILED, why, "failed");
		return;
	}
	s->not_before_us = g_get_real_time() + (gint64)(backoff_s(d, s->attempts) * G_USEC_PER_SEC);
	daemon_set_state(d, s, SUBMISSION_QUEUED, why, "retry");
}

static void take_verdict(Daemon *d, Submission *s, const json_t *verdict)
{
	json_decref(s->verdict);
	s->verdict = json_deep_copy(verdict);
	const char *sentence = kx_json_str(verdict, "sentence");
	if (!sentence || !*sentence)
		sentence = kx_json_str(verdict, "reason");
	s->attempts = 0;
	daemon_set_state(d, s, SUBMISSION_DONE, sentence, "verdict");
}

/* How a process ended that did not say what it should. */
static char *how_it_ended(const Sitting *t, const char *what, const char *log, int status)
{
	g_autofree char *words = last_words(t->d, t->s, log);
	return status >= 128 ? g_strdup_printf("the %s was killed by signal %d", what, status - 128)
			     : g_strdup_printf("the %s ended with status %d%s%s", what, status,
					       words ? ": " : "", words ? words : "");
}

/* Stopped by a wish, by the daemon, or with its target; true: it was. */
static bool settle_stopped(Sitting *t, bool target_failed)
{
	Daemon *d = t->d;
	Submission *s = t->s;
	const char *ill = health_why(d, s->target);
	if (s->wish == WISH_CANCEL) {
		daemon_set_state(d, s, SUBMISSION_CANCELLED, "", "cancelled");
	} else if (s->wish == WISH_PAUSE) {
		daemon_set_state(d, s, SUBMISSION_PAUSED, "", "paused");
	} else if (t->stop_why || target_failed || ill) {
		/* the target's failure is not the campaign's */
		g_autofree char *why = g_strdup(t->stop_why ? t->stop_why : ill);
		health_unbind(d, s);
		daemon_set_state(d, s, SUBMISSION_QUEUED, why, "stopped");
	} else {
		return false;
	}
	return true;
}

/* The lab's failure counts against the target, and is tried again. */
static void settle_lab(Sitting *t, const char *text, unsigned machine)
{
	for (unsigned i = 0; i < machine; i++) {
		g_autoptr(json_t) failure =
			json_pack("{s:s, s:s, s:s, s:o}", "event", "trial", "outcome", "infra",
				  "cause", "machine", "reason", kx_json_text(text));
		health_event(t->d, t->s, failure);
	}
	g_autofree char *why = g_strdup_printf("preflight: %s", text);
	if (!settle_stopped(t, false))
		sitting_failed(t->d, t->s, why);
}

static void settle_preflight(Sitting *t, int status)
{
	Daemon *d = t->d;
	Submission *s = t->s;
	g_autofree char *text = NULL;
	bool stopped = s->wish || t->stop_why;
	unsigned machine = 0;
	PreflightEnd end = stopped ? PREFLIGHT_NOTHING
				   : preflight_take(s, t->said, s->started_us, &text, &machine);
	if (end == PREFLIGHT_READY || end == PREFLIGHT_WRONG) {
		bool ready = end == PREFLIGHT_READY;
		g_autofree char *why = g_strdup_printf("preflight: %s", text);
		s->state = ready ? SUBMISSION_QUEUED : SUBMISSION_FAILED;
		s->finished_us = ready ? 0 : g_get_real_time();
		daemon_save(d, s, "preflight", text);
		daemon_set_state(d, s, s->state, ready ? "" : why, ready ? NULL : "failed");
	} else if (end == PREFLIGHT_DOUBTED) {
		g_autofree char *why = g_strdup_printf("preflight: %s", text);
		sitting_failed(d, s, why); /* the second one is the last */
	} else if (end == PREFLIGHT_LAB || end == PREFLIGHT_LOST) {
		if (end == PREFLIGHT_LOST)
			health_failed(d, s->target, s->id, text);
		settle_lab(t, text, machine);
	} else if (!settle_stopped(t, false)) {
		g_autofree char *why =
			t->deadline ? how_it_ended(t, "preflight", "preflight.log", status)
				    : g_strdup("the preflight took too long");
		sitting_failed(d, s, why);
	}
}

static void settle(Sitting *t, int status)
{
	Daemon *d = t->d;
	Submission *s = t->s;
	if (t->work)
		s->attempts = 0;
	if (status == TARGET_FAILED && !t->target_failed) {
		g_autofree char *words = last_words(d, s, "engine.log");
		health_failed(d, s->target, s->id, words ? words : "it cannot be brought back");
	}
	/* A verdict counts when the engine says it and ends by itself: with it is in its store. */
	if (t->verdict && status < 2) {
		take_verdict(d, s, t->verdict);
	} else if (!settle_stopped(t, status == TARGET_FAILED)) {
		g_autofree char *why = how_it_ended(t, "engine", "engine.log", status);
		sitting_failed(d, s, why);
	}
}

static void on_end(int status, gpointer user)
{
	Sitting *t = user;
	Daemon *d = t->d;
	Submission *s = t->s;
	s->engine = (ProcessId){0};
	s->sitting = NULL;
	/* Its job may live a little longer; nobody else gets the target before. */
	if (lease_is_held(d->o.state, s->target, s->slot))
		left_add(d, s->target, s->slot, NULL);
	/* what the disk did is no failure of the campaign */
	if (status && !t->stop_why) {
		daemon_watch_disks(d, true);
		t->stop_why = g_strdup(d->disk_why);
	}
	if (t->preflight)
		settle_preflight(t, status);
	else
		settle(t, status);
	sitting_free(t);
	daemon_replan(d);
	if (d->stopping)
		g_main_context_wakeup(NULL);
}

/* ---- its beginning ---- */

/* The highest number of a run of this campaign, 0: none. */
static int newest_run(const Daemon *d, const Submission *s, GError **error)
{
	g_autoptr(GError) why = NULL;
	g_autoptr(Store) store = store_open(d->config->results, STORE_READ, &why);
	if (g_error_matches(why, KX_ERROR, KX_ERROR_MISSING))
		return 0;
	int newest = store ? store_newest_run(store, s->name, &why) : -1;
	if (newest < 0)
		g_propagate_error(error, g_steal_pointer(&why));
	return newest;
}

/* Whether a new run must be begun. Once it is there, `again` would make another one, so it is asked
 * of the store at each start. */
static bool wants_new_run(const Daemon *d, Submission *s, bool *ret, GError **error)
{
	*ret = false;
	if (!s->again)
		return true;
	int newest = newest_run(d, s, error);
	if (newest < 0)
		return false;
	if (s->after_run < 0)
		s->after_run = newest;
	*ret = newest <= s->after_run;
	return true;
}

static void add(GPtrArray *argv, const char *option, char *value)
{
	g_ptr_array_add(argv, g_strdup(option));
	g_ptr_array_add(argv, value);
}

static char *number(double value)
{
	char text[G_ASCII_DTOSTR_BUF_SIZE];
	return g_strdup(g_ascii_formatd(text, sizeof(text), "%.6f", value));
}

static GPtrArray *arguments(const Daemon *d, const Submission *s, bool again)
{
	GPtrArray *argv = g_ptr_array_new_with_free_func(g_free);
	g_ptr_array_add(argv, g_strdup(d->o.program));
	add(argv, "run", g_build_filename(d->o.state, s->file, NULL));
	add(argv, "--results", g_strdup(d->config->results));
	add(argv, "--cache", g_strdup(d->config->cache));
	add(argv, "--target", g_strdup(s->target));
	if (s->boots)
		add(argv, "--boots", g_strdup_printf("%u", s->boots));
	if (s->hours > 0)
		add(argv, "--hours", number(s->hours));
	if (s->compile_minutes > 0)
		add(argv, "--compile-minutes", number(s->compile_minutes));
	double gib = s->disk_gib > 0 ? s->disk_gib : d->config->limits.campaign_gib;
	if (gib > 0)
		add(argv, "--disk-gib", number(gib));
	add(argv, "--cache-gib", number(d->config->limits.cache_gib));
	if (again)
		g_ptr_array_add(argv, g_strdup("--again"));
	g_ptr_array_add(argv, g_strdup("--json"));
	g_ptr_array_add(argv, NULL);
	return argv;
}

KxChild *sitting_spawn(const Daemon *d, const Submission *s, const char *const *argv,
		       const char *log, const int *leases, KxLineFunc on_said, KxExitFunc on_ended,
		       gpointer user, GError **error)
{
	g_autofree char *folder = folder_path(d, s, NULL);
	g_autofree char *files = snapshot_files(folder);
	g_autofree char *copy = g_strconcat("KEXSECT_SNAPSHOT=", files, NULL);
	g_autofree char *data = g_strconcat("KEXSECT_DATA=", s->data, NULL);
	g_autofree char *sources = g_strconcat(RECIPE_SOURCES "=", s->sources, NULL);
	g_autofree char *toolchains = g_strconcat(RECIPE_TOOLCHAINS "=", s->toolchains, NULL);
	g_autofree char *builds = g_strdup_printf(RECIPE_BUILDS "=%u", d->config->limits.builds);
	g_autofree char *path = folder_path(d, s, log);
	g_autofree char *old = g_strconcat(path, ".1", NULL);
	const char *env[] = {copy, data, builds, NULL, NULL, NULL};
	guint n = 3;
	if (*s->sources)
		env[n++] = sources;
	if (*s->toolchains)
		env[n++] = toolchains;
	struct stat st;
	if (stat(path, &st) == 0 && st.st_size > MAX_LOG && rename(path, old) != 0)
		g_debug("%s: cannot be renamed", path);
	return kx_child_start(
		&(KxProc){
			.argv = argv, .env = env, .log_path = path, .fds = leases, .at_once = true},
		on_said, on_ended, user, error);
}

static gboolean on_deadline(gpointer user)
{
	Sitting *t = user;
	t->deadline = 0;
	kx_child_stop(t->child, t->d->o.stop_grace_s);
	return G_SOURCE_REMOVE;
}

static KxChild *spawn(Sitting *t, bool again, const GArray *leases, GError **error)
{
	bool first = t->preflight;
	g_autoptr(GPtrArray) argv =
		first ? preflight_command(t->d, t->s) : arguments(t->d, t->s, again);
	KxChild *child = sitting_spawn(t->d, t->s, (const char *const *)argv->pdata,
				       first ? "preflight.log" : "engine.log",
				       (const int *)(void *)leases->data,
				       first ? on_checked : on_line, on_end, t, error);
	if (child && first)
		t->deadline = g_timeout_add_seconds(PREFLIGHT_LONGEST_S, on_deadline, t);
	return child;
}

/* Recorded first: a process of which nobody knows would be worse than a record without one. */
static bool record(Daemon *d, Submission *s, const char *target, unsigned slot, bool preflight)
{
	g_autofree char *text = g_strdup_printf("%son %s", preflight ? "preflight " : "", target);
	submission_set(&s->target, target);
	s->slot = slot;
	s->state = SUBMISSION_RUNNING;
	s->started_us = g_get_real_time();
	g_autoptr(GError) error = NULL;
	if (queue_save(d->queue, s, (QueueNote){"started", text}, &error))
		return true;
	daemon_in_trouble(d, error);
	s->state = SUBMISSION_QUEUED;
	return false;
}

static void close_leases(GArray *fds)
{
	for (guint i = 0; i < fds->len; i++)
		if (g_array_index(fds, int, i) >= 0)
			close(g_array_index(fds, int, i));
	g_array_unref(fds);
}

static bool take_any_slot(const Daemon *d, const char *target, GArray *fds, GError **error)
{
	unsigned slots = daemon_config_slots(d->config, target);
	for (unsigned slot = 0; slot < slots; slot++) {
		int fd = lease_take(d->o.state, target, slot, NULL);
		if (fd >= 0) {
			g_array_append_val(fds, fd);
			return true;
		}
	}
	g_set_error(error, KX_ERROR, KX_ERROR_BUSY, "waits for target %s", target);
	return false;
}

/* Its target's and those of all that it needs besides, ended by -1; NULL: *error, and it has none.
 */
static GArray *take_leases(const Daemon *d, const Submission *s, const char *target, unsigned slot,
			   GError **error)
{
	GArray *fds = g_array_new(FALSE, FALSE, sizeof(int));
	int fd = lease_take(d->o.state, target, slot, error), end = -1;
	bool ok = fd >= 0;
	if (ok)
		g_array_append_val(fds, fd);
	for (char *const *t = s->also; ok && *t; t++)
		ok = take_any_slot(d, *t, fds, error);
	if (ok) {
		g_array_append_val(fds, end);
		return fds;
	}
	close_leases(fds);
	return NULL;
}

bool sitting_start(Daemon *d, Submission *s, const char *target, unsigned slot, GError **error)
{
	bool again, preflight = preflight_is_due(d, s);
	if (!wants_new_run(d, s, &again, error))
		return false;
	GArray *leases = take_leases(d, s, target, slot, error);
	if (!leases)
		return false;
	if (!record(d, s, target, slot, preflight)) {
		close_leases(leases);
		g_set_error(error, KX_ERROR, KX_ERROR_FAILED, "%s", d->trouble);
		return false;
	}
	Sitting *t = g_new0(Sitting, 1);
	*t = (Sitting){.d = d, .s = s, .preflight = preflight, .saved_us = g_get_monotonic_time()};
	t->child = spawn(t, again, leases, error);
	close_leases(leases);
	if (!t->child) {
		s->state = SUBMISSION_QUEUED;
		daemon_save(d, s, "stopped", "the engine could not be started");
		sitting_free(t);
		return false;
	}
	s->sitting = t;
	s->engine = process_id(kx_child_pid(t->child));
	daemon_save(d, s, NULL, NULL);
	daemon_publish(d, s,
		       json_pack("{s:s, s:s, s:s}", "event", "state", "state", "running", "target",
				 target));
	return true;
}

void sitting_stop(Submission *s, const char *why)
{
	Sitting *t = s->sitting;
	if (!t || t->stop_why)
		return;
	t->stop_why = g_strdup(why);
	kx_child_stop(t->child, t->d->o.stop_grace_s);
}
