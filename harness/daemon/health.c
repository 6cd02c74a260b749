/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "daemon/health.h"

#include <string.h>

#include "base/error.h"
#include "daemon/daemon-internal.h"
#include "daemon/lease.h"
#include "store/store.h"

#define FIRST_CHECK 60 /* the first check comes after so many retry_s, ten minutes */
#define LONGEST_CHECK (12 * FIRST_CHECK) /* two hours */
#define WATCH_MS 1000

struct Health {
	GHashTable *targets; /* name → TargetHealth */
	guint source;
};

static TargetHealth *find(const Daemon *d, const char *target)
{
	return d->health ? g_hash_table_lookup(d->health->targets, target) : NULL;
}

static TargetHealth *find_or_add(Daemon *d, const char *target)
{
	TargetHealth *h = find(d, target);
	if (h)
		return h;
	h = g_new0(TargetHealth, 1);
	*h = (TargetHealth){.name = g_strdup(target), .reason = g_strdup("")};
	g_hash_table_replace(d->health->targets, h->name, h);
	return h;
}

const TargetHealth *health_of(const Daemon *d, const char *target)
{
	return find(d, target);
}

static char *clock_time(const Daemon *d, gint64 us)
{
	g_autoptr(GDateTime) utc = g_date_time_new_from_unix_utc(us / G_USEC_PER_SEC);
	g_autoptr(GDateTime) t = utc ? g_date_time_to_timezone(utc, d->zone) : NULL;
	return t ? g_date_time_format(t, "%F %H:%M") : g_strdup("?");
}

static void describe_why(const Daemon *d, TargetHealth *h)
{
	g_clear_pointer(&h->why, g_free);
	if (!h->quarantined)
		return;
	g_autofree char *since = clock_time(d, h->since_us);
	h->why = g_strdup_printf("target %s is in quarantine since %s: %s", h->name, since,
				 h->reason);
}

const char *health_why(const Daemon *d, const char *target)
{
	const TargetHealth *h = find(d, target);
	return h && h->quarantined ? h->why : NULL;
}

/* ---- the database ---- */

/* Those who look on. */
static void tell(Daemon *d, const char *kind, const char *text)
{
	daemon_publish(d, NULL,
		       json_pack("{s:s, s:s, s:o}", "event", "journal", "kind", kind, "text",
				 kx_json_text(text)));
}

static void save(Daemon *d, TargetHealth *h, const char *kind, const char *text)
{
	g_autoptr(GError) error = NULL;
	QueueNote note = {kind, text};
	if (kind)
		tell(d, kind, text);
	if (queue_save_health(d->queue, h, note, &error))
		return;
	daemon_in_trouble(d, error);
	queue_keep_health(d->queue, h, note);
}

/* ---- timed checks ---- */

static void watch(Daemon *d);

static gboolean on_watch(gpointer data)
{
	Daemon *d = data;
	GHashTableIter at;
	gpointer value;
	gint64 now = g_get_real_time();
	d->health->source = 0;
	g_hash_table_iter_init(&at, d->health->targets);
	while (g_hash_table_iter_next(&at, NULL, &value)) {
		TargetHealth *h = value;
		bool due = h->quarantined && h->next_check_us && h->next_check_us <= now;
		if (!due || h->check || d->stopping || d->disk_why || d->trouble)
			continue;
		g_autoptr(GError) why = NULL;
		h->check = health_check_start(d, h->name, &why);
		if (!h->check && !g_error_matches(why, KX_ERROR, KX_ERROR_BUSY))
			health_checked(d, h->name, false, why->message);
	}
	watch(d);
	return G_SOURCE_REMOVE;
}

static void watch(Daemon *d)
{
	GHashTableIter at;
	gpointer value;
	bool waits = false;
	g_hash_table_iter_init(&at, d->health->targets);
	while (g_hash_table_iter_next(&at, NULL, &value)) {
		const TargetHealth *h = value;
		waits |= h->quarantined && h->next_check_us;
	}
	if (waits && !d->health->source)
		d->health->source =
			g_timeout_add(MIN(WATCH_MS, (guint)(d->o.retry_s * 1000)), on_watch, d);
}

static gint64 next_check(const Daemon *d, unsigned checks)
{
	double s = d->o.retry_s * MIN(FIRST_CHECK * (double)(1u << MIN(checks, 10)), LONGEST_CHECK);
	return g_get_real_time() + (gint64)(s * G_USEC_PER_SEC);
}

/* ---- into quarantine ---- */

static bool names(char *const *list, const char *target)
{
	return g_strv_contains((const char *const *)list, target);
}

/* Whether the store has a trial of it that is evidence; the engine's events alone would not tell
 * after a daemon was killed. */
static bool has_evidence(const Daemon *d, const Submission *s)
{
	g_autoptr(GError) error = NULL;
	g_autoptr(Store) store =
		*s->run ? store_open(d->config->results, STORE_READ, &error) : NULL;
	g_autoptr(StoreCampaign) run = store ? store_find_campaign(store, s->run, &error) : NULL;
	if (run && store_has_evidence(store, run->id, &error))
		return true;
	return error && !g_error_matches(error, KX_ERROR, KX_ERROR_MISSING);
}

void health_unbind(Daemon *d, Submission *s)
{
	if (*s->target && s->targets[0] && s->targets[1] && health_why(d, s->target) &&
	    !has_evidence(d, s))
		submission_set(&s->target, "");
}

/* What runs there is told to end; what waits for it may look for another one. */
static void clear_target(Daemon *d, const TargetHealth *h)
{
	for (guint i = 0; i < d->active->len; i++) {
		Submission *s = d->active->pdata[i];
		bool there = g_str_equal(s->target, h->name);
		if (s->state == SUBMISSION_RUNNING && (there || names(s->also, h->name))) {
			sitting_stop(s, h->why);
		} else if (s->state == SUBMISSION_QUEUED && there) {
			health_unbind(d, s);
			if (!*s->target)
				daemon_save(d, s, NULL, NULL);
		}
	}
}

static void quarantine(Daemon *d, TargetHealth *h, gint64 submission, const char *reason,
		       bool by_hand)
{
	g_autofree char *words = g_strdup(reason); /* it may be h->reason */
	h->quarantined = true;
	h->since_us = g_get_real_time();
	h->checks = 0;
	h->next_check_us = by_hand ? 0 : next_check(d, 0);
	h->submission = submission;
	g_free(h->reason);
	h->reason = g_steal_pointer(&words);
	describe_why(d, h);
	g_autofree char *when = h->next_check_us ? clock_time(d, h->next_check_us) : NULL;
	g_autofree char *text =
		g_strdup_printf("%s: nothing starts on it: %s%s%s", h->name, h->reason,
				when ? "; it is looked at again at " : "", when ? when : "");
	g_warning("%s", text);
	save(d, h, "quarantine", text);
	clear_target(d, h);
	watch(d);
	daemon_replan(d);
}

void health_failed(Daemon *d, const char *target, gint64 submission, const char *why)
{
	TargetHealth *h = find_or_add(d, target);
	if (h->quarantined)
		return;
	h->failures++;
	quarantine(d, h, submission, why, false);
}

static void count_failure(Daemon *d, const Submission *s, const char *target, const char *why)
{
	TargetHealth *h = find_or_add(d, target);
	unsigned most = daemon_config_quarantine_after(d->config, target);
	if (h->quarantined)
		return;
	h->failures++;
	h->submission = s->id;
	g_free(h->reason);
	h->reason = g_strdup(why);
	if (h->failures < most) {
		g_autofree char *text = g_strdup_printf("%s: failure %u of %u in a row: %s", target,
							h->failures, most, why);
		save(d, h, "unhealthy", text);
		return;
	}
	g_autofree char *reason =
		g_strdup_printf("%u failures in a row, the last: %s", h->failures, why);
	quarantine(d, h, s->id, reason, false);
}

static void count_evidence(Daemon *d, const char *target)
{
	TargetHealth *h = find(d, target);
	if (!h || !h->failures || h->quarantined)
		return;
	h->failures = 0;
	submission_set(&h->reason, "");
	save(d, h, NULL, NULL);
}

void health_event(Daemon *d, const Submission *s, const json_t *event)
{
	const char *kind = kx_json_str(event, "event"), *why = kx_json_str(event, "reason");
	const char *target = kx_json_str(event, "target");
	target = target ? target : s->target;
	why = why ? why : "";
	if (g_strcmp0(kind, "trial") == 0) {
		if (g_strcmp0(kx_json_str(event, "outcome"), "infra") != 0)
			count_evidence(d, target);
		else if (g_strcmp0(kx_json_str(event, "cause"), "machine") == 0)
			count_failure(d, s, target, why);
	} else if (g_strcmp0(kind, "target") == 0 &&
		   g_strcmp0(kx_json_str(event, "state"), "failed") == 0) {
		health_failed(d, target, s->id, why);
	}
}

/* ---- out of quarantine ---- */

/* The machine is well, so it may have been the campaign: that counts as one of its failures, or it
 * would put the target into quarantine for ever. */
static void blame(Daemon *d, gint64 submission, const char *target)
{
	Submission *s = submission ? daemon_find_active(d, submission) : NULL;
	if (!s || s->state != SUBMISSION_QUEUED)
		return;
	g_autofree char *why = g_strdup_printf(
		"target %s failed with it, and a check found the machine well", target);
	sitting_failed(d, s, why);
}

static bool release(Daemon *d, TargetHealth *h, const char *how)
{
	TargetHealth before = *h;
	g_autofree char *old = h->reason, *why = h->why;
	g_autofree char *text = g_strdup_printf("%s: back in service: %s", h->name, how);
	h->quarantined = false;
	h->failures = h->checks = 0;
	h->since_us = h->next_check_us = h->submission = 0;
	h->reason = g_strdup("");
	h->why = NULL;
	g_autoptr(GError) error = NULL;
	if (!queue_save_health(d->queue, h, (QueueNote){"released", text}, &error)) {
		daemon_in_trouble(d, error);
		g_free(h->reason);
		*h = before;
		old = why = NULL;
		return false;
	}
	tell(d, "released", text);
	g_message("%s", text);
	daemon_replan(d);
	return true;
}

void health_checked(Daemon *d, const char *target, bool healthy, const char *reason)
{
	TargetHealth *h = find_or_add(d, target);
	gint64 submission = h->submission;
	bool was = h->quarantined;
	h->check = NULL;
	if (healthy) {
		if ((was || h->failures) && release(d, h, "a check found it well") && was)
			blame(d, submission, target);
	} else if (!was) {
		health_failed(d, target, 0, reason);
	} else {
		h->checks++;
		/* by hand stays by hand */
		h->next_check_us = h->next_check_us ? next_check(d, h->checks) : 0;
		g_autofree char *when = h->next_check_us ? clock_time(d, h->next_check_us) : NULL;
		g_autofree char *text =
			g_strdup_printf("%s: check %u: %s%s%s", target, h->checks, reason,
					when ? "; the next one at " : "", when ? when : "");
		save(d, h, "unhealthy", text);
	}
	daemon_replan(d);
	watch(d);
}

void health_check_dropped(Daemon *d, const char *target)
{
	TargetHealth *h = find(d, target);
	if (h)
		h->check = NULL;
}

bool health_is_busy(const Daemon *d)
{
	GHashTableIter at;
	gpointer value;
	if (!d->health)
		return false;
	g_hash_table_iter_init(&at, d->health->targets);
	while (g_hash_table_iter_next(&at, NULL, &value))
		if (((const TargetHealth *)value)->check)
			return true;
	return false;
}

/* ---- requests ---- */

static bool is_known(Daemon *d, const char *target, GError **error)
{
	g_autoptr(Submission) last = NULL;
	for (unsigned i = 0; i < d->config->targets_count; i++)
		if (g_str_equal(d->config->targets[i].name, target))
			return true;
	if (find(d, target) || (last = queue_last_on(d->queue, target, error)))
		return true;
	if (!error || !*error)
		g_set_error(error, KX_ERROR, KX_ERROR_MISSING,
			    "there is no target %s; 'kexsect target list' shows them", target);
	return false;
}

bool health_release(Daemon *d, const char *target, const char *by, GError **error)
{
	TargetHealth *h = find(d, target);
	if (!is_known(d, target, error))
		return false;
	if (!h || (!h->quarantined && !h->failures))
		return true; /* it is what was wished */
	g_autofree char *how = g_strdup_printf("released by %s", by);
	struct HealthCheck *check = h->check;
	if (!release(d, h, how)) {
		g_set_error(error, KX_ERROR, KX_ERROR_FAILED, "%s", d->trouble);
		return false;
	}
	if (check)
		health_check_stop(check);
	return true;
}

bool health_quarantine(Daemon *d, const char *target, const char *reason, GError **error)
{
	if (!is_known(d, target, error))
		return false;
	quarantine(d, find_or_add(d, target), 0, reason, true);
	if (!find(d, target)->unsaved)
		return true;
	g_set_error(error, KX_ERROR, KX_ERROR_FAILED,
		    "%s; it holds until the daemon ends, and is written when that works again",
		    d->trouble);
	return false;
}

bool health_check_now(Daemon *d, const char *target, GError **error)
{
	if (!is_known(d, target, error))
		return false;
	TargetHealth *h = find_or_add(d, target);
	if (!h->check)
		h->check = health_check_start(d, target, error);
	return h->check != NULL;
}

/* ---- shown ---- */

void health_describe(const Daemon *d, const char *target, json_t *o)
{
	const TargetHealth *h = find(d, target);
	json_object_set_new(o, "health", json_string(h && h->quarantined ? "quarantined" : "ok"));
	json_object_set_new(o, "failures", json_integer(h ? h->failures : 0));
	if (h && *h->reason)
		json_object_set_new(o, "reason", kx_json_text(h->reason));
	if (h && h->since_us)
		json_object_set_new(o, "since_us", json_integer(h->since_us));
	if (h && h->next_check_us)
		json_object_set_new(o, "next_check_us", json_integer(h->next_check_us));
	if (h && h->check)
		json_object_set_new(o, "checking", json_true());
}

void health_names(const Daemon *d, GHashTable *set)
{
	GHashTableIter at;
	gpointer name;
	g_hash_table_iter_init(&at, d->health->targets);
	while (g_hash_table_iter_next(&at, &name, NULL))
		g_hash_table_add(set, name);
}

/* ---- begin and end ---- */

bool health_load(Daemon *d, GError **error)
{
	g_autoptr(GPtrArray) rows = queue_health(d->queue, error);
	if (!rows)
		return false;
	d->health = g_new0(Health, 1);
	d->health->targets =
		g_hash_table_new_full(g_str_hash, g_str_equal, NULL, target_health_free);
	while (rows->len) {
		TargetHealth *h = g_ptr_array_steal_index(rows, rows->len - 1);
		g_hash_table_replace(d->health->targets, h->name, h);
		describe_why(d, h);
		unsigned slots = daemon_config_slots(d->config, h->name);
		/* a check of a daemon that was killed */
		for (unsigned slot = 0; slot < slots && h->quarantined; slot++)
			if (lease_is_held(d->o.state, h->name, slot))
				left_add(d, h->name, slot, NULL);
	}
	watch(d);
	return true;
}

void health_stop(Daemon *d)
{
	GHashTableIter at;
	gpointer value;
	g_hash_table_iter_init(&at, d->health->targets);
	while (g_hash_table_iter_next(&at, NULL, &value)) {
		TargetHealth *h = value;
		if (h->check)
			health_check_stop(h->check);
	}
}

void health_clear(Daemon *d)
{
	if (!d->health)
		return;
	g_clear_handle_id(&d->health->source, g_source_remove);
	g_hash_table_unref(d->health->targets);
	g_clear_pointer(&d->health, g_free);
}
