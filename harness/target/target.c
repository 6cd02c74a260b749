/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "base/fs.h"
#include "target/driver.h"
#include "target/limited.h"

/* A machine that is ended lets go of orders that hung in it. */
#define LEFT_BEHIND_S 5

static const TargetOps *const drivers[] = {&target_libvirt_ops, &target_simulated_ops};

static const TargetOps *find_driver(TargetDriver driver)
{
	for (gsize i = 0; i < G_N_ELEMENTS(drivers); i++)
		if (drivers[i]->driver == driver)
			return drivers[i];
	return NULL;
}

const char *target_end_name(TargetEnd end)
{
	static const char *const names[TARGET_END_MAX] = {
		[TARGET_END_SETTLED] = "settled",
		[TARGET_END_PANIC] = "panic",
		[TARGET_END_SILENT] = "silent",
		[TARGET_END_DEADLINE] = "deadline",
		[TARGET_END_UNSETTLED] = "unsettled",
		[TARGET_END_WATCHDOG] = "watchdog",
		[TARGET_END_RESET] = "reset",
		[TARGET_END_POWEROFF] = "poweroff",
		[TARGET_END_NO_FIRST_LINE] = "no-first-line",
		[TARGET_END_KEXEC_FAILED] = "kexec-failed",
		[TARGET_END_LAUNCHER_FAILED] = "launcher-failed",
		[TARGET_END_MACHINE_DIED] = "machine-died",
		[TARGET_END_STALE_WATCHDOG] = "stale-watchdog",
		[TARGET_END_CANCELLED] = "cancelled",
	};
	return end >= 0 && end < TARGET_END_MAX ? names[end] : "invalid";
}

char *target_agent_path(GError **error)
{
	g_autofree char *path = kx_agent_path();
	if (access(path, X_OK) == 0)
		return g_steal_pointer(&path);
	g_set_error(error, KX_ERROR, KX_ERROR_MISSING,
		    "%s, the agent for the test machine, is not there: build the target "
		    "'kexsect-agent', install it, or set KEXSECT_AGENT",
		    path);
	return NULL;
}

void target_step(Target *t, const char *step)
{
	if (t->o.on_step)
		t->o.on_step(step, t->o.user);
}

ssize_t target_link_read(const TargetLink *link, char *buf, gsize size)
{
	return link->read ? link->read(link->source, buf, size) : read(link->console, buf, size);
}

const char *target_describe(const Target *t)
{
	return t->description;
}

Target *target_open(const TargetOptions *o, GError **error)
{
	const TargetOps *ops = find_driver(o->config->driver);
	if (!ops) {
		g_set_error(error, KX_ERROR, KX_ERROR_INPUT, "%s: no driver for this target",
			    o->config->path);
		return NULL;
	}
	Target *t = g_new0(Target, 1);
	t->o = *o;
	t->ops = ops;
	if (ops->open(t, error))
		return t;
	g_prefix_error(error, "target %s: ", o->config->name);
	target_close(t);
	return NULL;
}

void target_close(Target *t)
{
	if (!t)
		return;
	if (t->left_behind) {
		t->ops->stop(t);
		if (!limited_collect(t, LEFT_BEHIND_S)) {
			g_warning("target %s: an order to its control still hangs",
				  t->o.config->name);
			return; /* its thread uses what would be freed */
		}
	}
	t->ops->close(t);
	g_free(t->description);
	g_free(t->variant_initrd);
	g_free(t->launcher_initrd);
	g_free(t->dir);
	g_free(t);
}

unsigned target_sweep(const char *cache)
{
	unsigned removed = 0;
	for (gsize i = 0; i < G_N_ELEMENTS(drivers); i++)
		removed += drivers[i]->sweep(cache);
	return removed;
}

static void free_check(gpointer data)
{
	TargetCheck *c = data;
	g_free(c->what);
	g_free(c->detail);
	g_free(c);
}

void target_check_add(GPtrArray *checks, const char *what, bool ok, char *detail)
{
	TargetCheck *c = g_new0(TargetCheck, 1);
	*c = (TargetCheck){.what = g_strdup(what), .detail = detail, .ok = ok};
	g_ptr_array_add(checks, c);
}

GPtrArray *target_check(const TargetConfig *config, const char *cache)
{
	GPtrArray *checks = g_ptr_array_new_with_free_func(free_check);
	g_autoptr(GError) e = NULL;
	char *agent = target_agent_path(&e);
	target_check_add(checks, "agent", agent != NULL, agent ? agent : g_strdup(e->message));
	const TargetOps *ops = find_driver(config->driver);
	if (ops)
		ops->check(config, cache, checks);
	else
		target_check_add(checks, "driver", false, g_strdup("no such driver"));
	return checks;
}
