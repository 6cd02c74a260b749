/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Failures of the harness or the lab: tried again, counted, and never evidence. */
#include "engine/engine-internal.h"

#include <math.h>

#include "base/error.h"

#define MAX_WAIT_S 60.0

static char *key(SearchMask mask, bool clean, bool launcher)
{
	return g_strdup_printf("%s%s%" G_GINT64_MODIFIER "x", launcher ? "l" : "", clean ? "c" : "",
			       (guint64)mask);
}

static unsigned row_of(Engine *e, SearchMask mask, bool clean, bool launcher, int add)
{
	g_autofree char *k = key(mask, clean, launcher);
	unsigned n = GPOINTER_TO_UINT(g_hash_table_lookup(e->in_a_row, k));
	n = add ? n + 1 : 0;
	g_hash_table_insert(e->in_a_row, g_steal_pointer(&k), GUINT_TO_POINTER(n));
	return n;
}

void engine_worked(Engine *e, SearchMask mask, bool clean, bool launcher)
{
	row_of(e, mask, clean, launcher, 0);
	e->worked[e->job.kind] += !launcher;
}

static void give_in(Engine *e, unsigned n, const char *name, const char *what)
{
	engine_fail(e, g_error_new(KX_ERROR, KX_ERROR_FAILED,
				   "%s: %u failures of the lab, the last with %s: it %s. What was "
				   "found so far is kept; %s/jobs.log says more. 'kexsect run' "
				   "goes on when the lab works again",
				   e->run->slug, n, name, what, e->run->dir));
}

void engine_lose_target(Engine *e, const char *why)
{
	const char *name = e->job.target->name;
	e->target_lost = true;
	engine_emit(e, json_pack("{s:s, s:s, s:s, s:o}", "event", "target", "target", name, "state",
				 "failed", "reason", kx_json_text(why)));
	engine_note(e, "warning", "target", 0, "%s", why);
	engine_fail(e, g_error_new(KX_ERROR, KX_ERROR_FAILED,
				   "%s: stopped, because its target does not come back: %s. "
				   "'kexsect health' says when it does; 'kexsect run' goes on then",
				   e->run->slug, why));
}

void engine_infra(Engine *e, SearchMask mask, bool clean, bool launcher, const char *what)
{
	const EngineOptions *o = e->options;
	unsigned limit = o->retry_limit ? o->retry_limit : 3;
	unsigned all = o->infra_limit ? o->infra_limit : 10;
	unsigned row = row_of(e, mask, clean, launcher, 1);
	g_autofree char *name =
		launcher ? g_strdup("the launcher's kernel") : engine_set_name(e, mask);
	e->infra++;
	if (e->infra >= all || (row >= limit && (launcher || !e->worked[e->job.kind]))) {
		/* No such job has worked yet, so it is not this variant's doing. */
		give_in(e, e->infra, name, what);
		return;
	}
	if (row >= limit) {
		engine_note(e, "warning", "quarantine", 0,
			    "%s%s is left out: the lab failed %u times in a row with it; the last "
			    "time it %s",
			    name, clean ? " (clean build)" : "", row, what);
		g_ptr_array_add(e->given_up, g_steal_pointer(&name));
		e->plan->untestable(e, mask, true);
		engine_schedule(e, 0);
		return;
	}
	double base = o->retry_s > 0 ? o->retry_s : 2;
	double wait = MIN(base * pow(4, row - 1), MAX_WAIT_S);
	engine_note(e, "warning", "retry", 0, "%s: it %s; trying again in %.3g s", name, what,
		    wait);
	engine_spend_wait(e, wait);
	engine_schedule(e, wait);
}
