/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "daemon/notify.h"

#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "base/fs.h"
#include "daemon/notify-internal.h"

#define POLL_MS 1000
#define GIVE_UP_S (3 * DAY_S)
#define FORGET_S (30 * DAY_S)
#define REFUSALS 5 /* attempts at a receiver that says no */
#define GRACE_S 60 /* longer than the deadline of a job */
#define BURST 5
#define HTTP_GONE 410

static void receiver_free(gpointer p)
{
	Receiver *r = p;
	notice_free(r->notice);
	json_decref(r->receipt);
	g_free(r->name);
	g_free(r);
}

/* Waits of people become waits of tests. */
static double scale(const Daemon *d)
{
	return d->o.retry_s / 10;
}

static const ConfigNotify *config_of(const Daemon *d, const char *name)
{
	for (unsigned i = 0; i < d->config->notify_count; i++)
		if (g_str_equal(d->config->notify[i].name, name))
			return &d->config->notify[i];
	return NULL;
}

static char *folder_of(const Daemon *d, const char *uuid, const char *leaf)
{
	return g_build_filename(d->o.state, "notices", uuid, leaf, NULL);
}

char *notify_program(void)
{
	g_autofree char *exe = g_file_read_link("/proc/self/exe", NULL);
	g_autofree char *folder = g_path_get_dirname(exe ? exe : "/usr/bin/kexsectd");
	return g_build_filename(folder, "kexsect", NULL);
}

/* ---- the end of an attempt ---- */

static void set_state(Notice *n, const char *state)
{
	g_free(n->state);
	n->state = g_strdup(state);
}

static bool is_hopeless(const Daemon *d, const Notice *n, const json_t *receipt)
{
	double age_s = (double)(g_get_real_time() - n->created_us) / G_USEC_PER_SEC;
	bool refused = g_strcmp0(kx_json_str(receipt, "outcome"), "refused") == 0;
	return age_s > (double)GIVE_UP_S * scale(d) || (refused && n->attempts >= REFUSALS) ||
	       (refused && kx_json_int(receipt, "status", 0) == HTTP_GONE);
}

static gint64 next_attempt_us(const Daemon *d, const Notice *n, const json_t *receipt)
{
	double wait = notify_backoff_s(n->attempts, scale(d)) * g_random_double_range(0.8, 1.2);
	double wished = (double)kx_json_int(receipt, "retry_after_s", 0);
	return g_get_real_time() + (gint64)(MAX(wait, wished) * G_USEC_PER_SEC);
}

/* False: it could not be written; it is tried again. */
static bool settle(Receiver *r)
{
	Daemon *d = r->d;
	Notice *n = r->notice;
	g_autofree char *text = NULL;
	g_autoptr(GError) error = NULL;
	bool sent = g_strcmp0(kx_json_str(r->receipt, "outcome"), "sent") == 0;
	const char *detail = kx_json_str(r->receipt, "detail");
	submission_set(&n->detail, detail ? detail : "the attempt ended without a receipt");
	n->done_us = g_get_real_time();
	if (sent) {
		set_state(n, "sent");
	} else if (is_hopeless(d, n, r->receipt)) {
		set_state(n, "given-up");
		text = g_strdup_printf("%s: a message (%s) is given up after %u attempts: %s",
				       n->receiver, n->type, n->attempts, n->detail);
	} else {
		set_state(n, "pending");
		n->next_us = next_attempt_us(d, n, r->receipt);
		n->done_us = 0;
	}
	r->ended = !queue_save_notice(d->queue, n, (QueueNote){text ? "undelivered" : NULL, text},
				      &error);
	if (r->ended) {
		daemon_in_trouble(d, error);
		return false;
	}
	if (!sent)
		g_message("%s: a notification is not delivered (attempt %u): %s", n->receiver,
			  n->attempts, n->detail);
	g_autofree char *folder = folder_of(d, n->uuid, NULL);
	kx_remove_tree(folder, NULL);
	g_clear_pointer(&r->notice, notice_free);
	g_clear_pointer(&r->receipt, json_decref);
	r->look_us = 0;
	return true;
}

static json_t *read_receipt(const Daemon *d, const Notice *n)
{
	g_autofree char *path = folder_of(d, n->uuid, "receipt.json");
	g_autoptr(json_t) o = kx_json_load(path, NULL);
	bool sent = g_strcmp0(kx_json_str(o, "outcome"), "sent") == 0;
	bool of_it = g_strcmp0(kx_json_str(o, "id"), n->uuid) == 0;
	return of_it && (sent || kx_json_int(o, "attempt", 0) == n->attempts) ? json_incref(o)
									      : NULL;
}

static void on_line(const char *line, gpointer user)
{
	Receiver *r = user;
	json_t *o = kx_json_parse(line, "receipt", NULL);
	json_decref(r->receipt);
	r->receipt = o;
}

static void on_exit_of_job(int status, gpointer user)
{
	Receiver *r = user;
	Daemon *d = r->d;
	r->child = NULL;
	if (!r->receipt)
		r->receipt = read_receipt(d, r->notice);
	settle(r);
	if (d->notify->stopping)
		daemon_replan(d);
}

/* ---- an attempt ---- */

static bool write_request(Daemon *d, const ConfigNotify *c, const Notice *n, GError **error)
{
	g_autofree char *path = folder_of(d, n->uuid, "request.json");
	g_autoptr(json_t) o = notify_request(c, n, g_get_host_name(), d->config->results);
	return kx_json_save(path, o, error);
}

static bool spawn(Receiver *r, int lock, GError **error)
{
	g_autofree char *program = notify_program();
	g_autofree char *path = folder_of(r->d, r->notice->uuid, "request.json");
	const int fds[] = {lock, -1};
	r->child = kx_child_start(
		&(KxProc){.argv = (const char *const[]){program, "job", "notify", path, NULL},
			  .fds = fds},
		on_line, on_exit_of_job, r, error);
	return r->child != NULL;
}

/* The row says so before anything is sent. */
static bool begin(Receiver *r, const ConfigNotify *c, int lock, GError **error)
{
	Daemon *d = r->d;
	Notice *n = r->notice;
	g_autofree char *old = folder_of(d, n->uuid, "receipt.json");
	unlink(old);
	set_state(n, "sending");
	n->attempts++;
	return queue_save_notice(d->queue, n, (QueueNote){0}, error) &&
	       write_request(d, c, n, error) && spawn(r, lock, error);
}

/* Takes over the notice. */
static void attempt(Receiver *r, const ConfigNotify *c, Notice *n)
{
	Daemon *d = r->d;
	g_autoptr(GError) error = NULL;
	g_autofree char *folder = folder_of(d, n->uuid, NULL),
			*path = folder_of(d, n->uuid, "lock");
	r->notice = n;
	if (!kx_mkdir(folder, &error) || chmod(folder, 0700) != 0) {
		r->look_us = g_get_real_time() + POLL_MS * 1000;
		g_clear_pointer(&r->notice, notice_free);
		return;
	}
	int lock = kx_lock_file(path, false, &error);
	if (lock < 0) { /* the job of a daemon that was killed is still at it */
		r->look_us = g_get_real_time() + POLL_MS * 1000;
		g_clear_pointer(&r->notice, notice_free);
		return;
	}
	if (g_str_equal(n->state, "sending"))
		r->receipt = read_receipt(d, n);
	if (r->receipt) {
		settle(r);
	} else if (!begin(r, c, lock, &error)) {
		r->receipt = json_pack("{s:s, s:o}", "outcome", "failed", "detail",
				       kx_json_text(error->message));
		settle(r);
	}
	close(lock);
}

static bool take_token(Receiver *r, const ConfigNotify *c)
{
	gint64 now = g_get_monotonic_time();
	double rate = c->per_minute / 60.0 / MIN(scale(r->d), 1);
	r->tokens = MIN(r->tokens + (double)(now - r->tokens_us) / G_USEC_PER_SEC * rate, BURST);
	r->tokens_us = now;
	if (r->tokens < 1)
		return false;
	r->tokens--;
	return true;
}

static void look(Receiver *r)
{
	Daemon *d = r->d;
	gint64 now = g_get_real_time();
	const ConfigNotify *c = config_of(d, r->name);
	if (r->ended)
		settle(r);
	if (r->child || r->ended || !c || d->notify->stopping || now < r->look_us)
		return;
	g_autoptr(GError) error = NULL;
	gint64 next = 0;
	Notice *n = queue_due_notice(d->queue, r->name, now, &next, &error);
	if (!n) {
		r->look_us = error ? now : next;
		return;
	}
	if (take_token(r, c))
		attempt(r, c, n);
	else
		notice_free(n);
}

/* ---- the loop ---- */

static void fill(Daemon *d)
{
	Notify *y = d->notify;
	guint64 notes = queue_notes(d->queue);
	bool more = false;
	g_autoptr(GError) error = NULL;
	if (y->seen == notes)
		return;
	if (!queue_fill_notices(d->queue, d->config->notify, d->config->notify_count, &more,
				&error)) {
		daemon_in_trouble(d, error);
		return;
	}
	y->seen = more ? G_MAXUINT64 : notes;
	GHashTableIter at;
	gpointer r;
	g_hash_table_iter_init(&at, y->receivers);
	while (g_hash_table_iter_next(&at, NULL, &r))
		((Receiver *)r)->look_us = 0;
}

static void prune(Daemon *d)
{
	gint64 now = g_get_monotonic_time(), real = g_get_real_time();
	if (d->notify->pruned_us && now - d->notify->pruned_us < DAY_S / 24 * G_USEC_PER_SEC)
		return;
	d->notify->pruned_us = now;
	queue_prune_notices(d->queue, real - GIVE_UP_S * G_USEC_PER_SEC,
			    real - FORGET_S * G_USEC_PER_SEC, NULL);
}

static gboolean on_poll(gpointer data)
{
	Daemon *d = data;
	GHashTableIter at;
	gpointer value;
	if (!d->notify->stopping) {
		fill(d);
		notify_summarise(d);
		prune(d);
	}
	g_hash_table_iter_init(&at, d->notify->receivers);
	while (g_hash_table_iter_next(&at, NULL, &value)) {
		Receiver *r = value;
		look(r);
		if (!r->child && !r->ended && !config_of(d, r->name))
			g_hash_table_iter_remove(&at);
	}
	if (d->config->notify_count || g_hash_table_size(d->notify->receivers))
		return G_SOURCE_CONTINUE;
	d->notify->source = 0;
	return G_SOURCE_REMOVE;
}

void notify_configure(Daemon *d)
{
	Notify *y = d->notify;
	g_autoptr(GError) error = NULL;
	if (!queue_set_receivers(d->queue, d->config->notify, d->config->notify_count, &error))
		daemon_in_trouble(d, error);
	for (unsigned i = 0; i < d->config->notify_count; i++) {
		const char *name = d->config->notify[i].name;
		Receiver *r = g_hash_table_lookup(y->receivers, name);
		if (!r) {
			r = g_new0(Receiver, 1);
			*r = (Receiver){.d = d, .name = g_strdup(name), .tokens = BURST};
			g_hash_table_insert(y->receivers, r->name, r);
		}
		r->look_us = 0;
	}
	y->seen = G_MAXUINT64;
	if (d->config->notify_count && !y->source)
		y->source =
			g_timeout_add((guint)CLAMP(POLL_MS * scale(d), 20, POLL_MS), on_poll, d);
}

/* Folders of what was settled just before a daemon was killed. */
static bool sweep(Daemon *d, GError **error)
{
	g_autoptr(GHashTable) open = queue_open_notices(d->queue, error);
	if (!open)
		return false;
	g_autofree char *folder = g_build_filename(d->o.state, "notices", NULL);
	g_autoptr(GDir) dir = g_dir_open(folder, 0, NULL);
	const char *name;
	while (dir && (name = g_dir_read_name(dir))) {
		g_autofree char *path = g_build_filename(folder, name, NULL);
		if (!g_hash_table_contains(open, name) && !kx_remove_tree(path, error))
			return false;
	}
	return true;
}

bool notify_start(Daemon *d, GError **error)
{
	d->notify = g_new0(Notify, 1);
	d->notify->receivers = g_hash_table_new_full(g_str_hash, g_str_equal, NULL, receiver_free);
	d->notify->summary_text = g_string_new(NULL);
	if (!sweep(d, error))
		return false;
	notify_configure(d);
	return true;
}

void notify_stop(Daemon *d)
{
	GHashTableIter at;
	gpointer value;
	d->notify->stopping = true;
	if (d->notify->summary)
		kx_child_stop(d->notify->summary, 1);
	g_hash_table_iter_init(&at, d->notify->receivers);
	while (g_hash_table_iter_next(&at, NULL, &value))
		if (((Receiver *)value)->child)
			kx_child_stop(((Receiver *)value)->child, GRACE_S);
}

bool notify_is_busy(const Daemon *d)
{
	GHashTableIter at;
	gpointer value;
	g_hash_table_iter_init(&at, d->notify->receivers);
	while (g_hash_table_iter_next(&at, NULL, &value))
		if (((const Receiver *)value)->child)
			return true;
	return d->notify->summary != NULL;
}

void notify_clear(Daemon *d)
{
	if (!d->notify)
		return;
	g_clear_handle_id(&d->notify->source, g_source_remove);
	g_hash_table_unref(d->notify->receivers);
	g_string_free(d->notify->summary_text, TRUE);
	g_free(d->notify->summary_for);
	g_clear_pointer(&d->notify, g_free);
}

/* ---- requests ---- */

gint64 notify_test(Daemon *d, const char *receiver, GError **error)
{
	Receiver *r = g_hash_table_lookup(d->notify->receivers, receiver);
	if (!r || !config_of(d, receiver)) {
		g_set_error(error, KX_ERROR, KX_ERROR_MISSING,
			    "there is no receiver %s; 'kexsect notify list' shows them", receiver);
		return 0;
	}
	g_autoptr(json_t) content = json_pack(
		"{s:s, s:s}", "title", "a test", "text",
		"This is a test message of kexsectd. Nothing has happened, and what happens will "
		"be told here.\n");
	r->look_us = 0;
	return queue_add_notice(d->queue, receiver, "test", content, 0, error);
}

static json_t *receiver_json(Daemon *d, const ConfigNotify *c, GError **error)
{
	json_t *o = queue_count_notices(d->queue, c->name, error);
	if (!o)
		return NULL;
	const Receiver *r = g_hash_table_lookup(d->notify->receivers, c->name);
	json_object_set_new(o, "name", kx_json_text(c->name));
	json_object_set_new(o, "way", json_string(c->mail_count ? "mail" : "webhook"));
	json_object_set_new(o, "signed", json_boolean(c->secret_file != NULL));
	json_object_set_new(o, "sending", json_boolean(r && r->child));
	json_t *kinds = json_array();
	for (unsigned i = 0; i < c->kinds_count; i++)
		json_array_append_new(kinds, kx_json_text(c->kinds[i]));
	json_object_set_new(o, "kinds", kinds);
	if (c->at)
		json_object_set_new(o, "at", kx_json_text(c->at));
	return o;
}

json_t *notify_list(Daemon *d, gint64 before, unsigned limit, GError **error)
{
	json_t *notices = queue_notices(d->queue, before, limit, error);
	if (!notices)
		return NULL;
	json_t *receivers = json_array();
	g_autoptr(json_t) answer =
		json_pack("{s:o, s:o}", "receivers", receivers, "notices", notices);
	for (unsigned i = 0; i < d->config->notify_count; i++) {
		json_t *o = receiver_json(d, &d->config->notify[i], error);
		if (!o)
			return NULL;
		json_array_append_new(receivers, o);
	}
	return json_incref(answer);
}

json_t *notify_census(const Daemon *d)
{
	json_t *o = queue_count_notices(d->queue, NULL, NULL);
	return o ? o : json_object();
}
