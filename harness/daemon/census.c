/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The daemon from outside: whose places are taken, how many wait, how much room there is. */
#include <string.h>

#include "base/fs.h"
#include "daemon/daemon-internal.h"
#include "daemon/lease.h"

const DaemonConfig *daemon_config(const Daemon *d)
{
	return d->config;
}

const char *daemon_state(const Daemon *d)
{
	return d->o.state;
}

const Submission *daemon_holder(const Daemon *d, const char *target, unsigned slot)
{
	for (guint i = 0; i < d->active->len; i++) {
		const Submission *s = d->active->pdata[i];
		if (s->state == SUBMISSION_RUNNING && s->slot == slot &&
		    g_str_equal(s->target, target))
			return s;
	}
	return NULL;
}

static json_t *target_json(const Daemon *d, const char *name)
{
	unsigned slots = daemon_config_slots(d->config, name);
	json_t *leases = json_array();
	for (unsigned slot = 0; slot < slots; slot++) {
		const Submission *s = daemon_holder(d, name, slot);
		if (!s && !lease_is_held(d->o.state, name, slot))
			continue;
		json_t *lease = json_pack("{s:i}", "slot", (int)slot);
		if (s) {
			json_object_set_new(lease, "submission", json_integer(s->id));
			json_object_set_new(lease, "run", kx_json_text(s->run));
		}
		json_array_append_new(leases, lease);
	}
	json_t *o = json_pack("{s:o, s:i, s:o}", "name", kx_json_text(name), "slots", (int)slots,
			      "leases", leases);
	health_describe(d, name, o);
	return o;
}

static gint by_name(gconstpointer a, gconstpointer b, gpointer user)
{
	return strcmp(a, b);
}

static void add_names(GHashTable *names, char *const *of)
{
	for (char *const *n = of; n && *n; n++)
		g_hash_table_add(names, *n);
}

json_t *daemon_targets(const Daemon *d)
{
	g_autoptr(GHashTable) names = g_hash_table_new(g_str_hash, g_str_equal);
	for (unsigned i = 0; i < d->config->targets_count; i++)
		g_hash_table_add(names, d->config->targets[i].name);
	for (guint i = 0; i < d->active->len; i++) {
		const Submission *s = d->active->pdata[i];
		add_names(names, s->targets);
		add_names(names, s->also);
	}
	health_names(d, names);
	g_autoptr(GQueue) sorted = g_queue_new();
	GHashTableIter at;
	gpointer name;
	g_hash_table_iter_init(&at, names);
	while (g_hash_table_iter_next(&at, &name, NULL))
		g_queue_push_tail(sorted, name);
	g_queue_sort(sorted, by_name, NULL);
	json_t *all = json_array();
	for (const GList *n = sorted->head; n; n = n->next)
		json_array_append_new(all, target_json(d, n->data));
	return all;
}

json_t *daemon_census(const Daemon *d)
{
	guint counts[SUBMISSION_STATE_MAX] = {0};
	for (guint i = 0; i < d->active->len; i++)
		counts[((const Submission *)d->active->pdata[i])->state]++;
	json_t *states = json_object();
	for (int i = 0; i < SUBMISSION_STATE_MAX; i++)
		if (!submission_is_over((SubmissionState)i))
			json_object_set_new(states, submission_state_name((SubmissionState)i),
					    json_integer(counts[i]));
	const struct {
		const char *key, *path;
	} disks[] = {{"state", d->o.state},
		     {"results", d->config->results},
		     {"cache", d->config->cache}};
	json_t *room = json_object();
	for (guint i = 0; i < G_N_ELEMENTS(disks); i++)
		json_object_set_new(
			room, disks[i].key,
			json_integer((json_int_t)MIN(kx_free_space(disks[i].path), G_MAXINT64)));
	const char *trouble = d->disk_why ? d->disk_why : d->trouble;
	return json_pack("{s:o, s:o, s:o, s:o}", "states", states, "disks", room, "trouble",
			 trouble ? kx_json_text(trouble) : json_null(), "notices",
			 notify_census(d));
}
