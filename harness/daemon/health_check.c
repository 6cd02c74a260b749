/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One health check: the process `kexsect health` on a target, holding its lease. */
#include <unistd.h>

#include "base/error.h"
#include "daemon/daemon-internal.h"
#include "daemon/lease.h"

#define LONGEST_S 1800 /* the ladder's own clocks add up to less */

struct HealthCheck {
	Daemon *d;
	char *target;
	KxChild *child;
	json_t *result; /* its last line */
	guint deadline;
	bool dropped, late;
};

static void on_line(const char *line, gpointer user)
{
	HealthCheck *c = user;
	g_autoptr(json_t) v = kx_json_parse(line, "health", NULL);
	if (g_strcmp0(kx_json_str(v, "event"), "result") != 0)
		return;
	json_decref(c->result);
	c->result = json_incref(v);
}

static void on_end(int status, gpointer user)
{
	HealthCheck *c = user;
	Daemon *d = c->d;
	bool healthy = status == 0 && kx_json_bool(c->result, "healthy", false);
	const char *said = kx_json_str(c->result, "reason");
	g_autofree char *why = c->late ? g_strdup("the check took too long")
			       : said && *said
				       ? g_strdup(said)
				       : g_strdup_printf("the check ended with status %d", status);
	g_clear_handle_id(&c->deadline, g_source_remove);
	for (unsigned slot = 0; slot < daemon_config_slots(d->config, c->target); slot++)
		if (lease_is_held(d->o.state, c->target, slot) &&
		    !daemon_holder(d, c->target, slot))
			left_add(d, c->target, slot, NULL);
	if (c->dropped)
		health_check_dropped(d, c->target);
	else
		health_checked(d, c->target, healthy, why);
	json_decref(c->result);
	g_free(c->target);
	g_free(c);
	daemon_replan(d);
}

static gboolean on_deadline(gpointer user)
{
	HealthCheck *c = user;
	c->deadline = 0;
	c->late = true;
	kx_child_stop(c->child, c->d->o.stop_grace_s);
	return G_SOURCE_REMOVE;
}

/* Any place on it: a machine that is used by several at once is one that is shared. */
static int take_lease(const Daemon *d, const char *target, GError **error)
{
	unsigned slots = daemon_config_slots(d->config, target);
	for (unsigned slot = 0; slot < slots; slot++) {
		if (daemon_holder(d, target, slot))
			continue;
		int fd = lease_take(d->o.state, target, slot, NULL);
		if (fd >= 0)
			return fd;
	}
	g_set_error(error, KX_ERROR, KX_ERROR_BUSY, "something runs on target %s", target);
	return -1;
}

static KxChild *spawn(HealthCheck *c, const Submission *s, int lease, GError **error)
{
	const Daemon *d = c->d;
	g_autofree char *file = g_build_filename(d->o.state, s->file, NULL);
	const char *argv[] = {d->o.program, "health",	      file,	"--target", c->target,
			      "--cache",    d->config->cache, "--json", NULL};
	return sitting_spawn(d, s, argv, "health.log", (const int[]){lease, -1}, on_line, on_end, c,
			     error);
}

HealthCheck *health_check_start(Daemon *d, const char *target, GError **error)
{
	GError *why = NULL;
	g_autoptr(Submission) s = queue_last_on(d->queue, target, &why);
	if (!s) {
		if (why)
			g_propagate_error(error, why);
		else
			g_set_error(error, KX_ERROR, KX_ERROR_MISSING,
				    "no campaign that was submitted says what target %s is; "
				    "'kexsect target release %s' puts it back without a check",
				    target, target);
		return NULL;
	}
	int lease = take_lease(d, target, error);
	if (lease < 0)
		return NULL;
	HealthCheck *c = g_new0(HealthCheck, 1);
	*c = (HealthCheck){.d = d, .target = g_strdup(target)};
	c->child = spawn(c, s, lease, error);
	close(lease);
	if (!c->child) {
		g_free(c->target);
		g_free(c);
		return NULL;
	}
	c->deadline = g_timeout_add_seconds(LONGEST_S, on_deadline, c);
	return c;
}

void health_check_stop(HealthCheck *c)
{
	c->dropped = true;
	kx_child_stop(c->child, c->d->o.stop_grace_s);
}
