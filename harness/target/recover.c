/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "target/recover.h"

#include <unistd.h>

#include "base/error.h"
#include "base/proc.h"
#include "target/answer.h"
#include "target/limited.h"

/* Between two questions whether the power is as ordered. */
#define POLL_S 0.5
/* An order that was not obeyed is given again after this part of its time, and nobody waits longer
 * for it, or for an answer, to return. */
#define AGAIN 4

/* So often in a row it must say the same: there are BMCs that are not sure. */
#define AGREED 2

typedef enum { RUNG_START, RUNG_RESET, RUNG_POWER, RUNG_FRESH, RUNG_MAX } Rung;

typedef struct {
	Target *t;
	GPtrArray *steps;
	char *why; /* what the last step that failed said */
} Ladder;

double target_seconds(const Target *t, double seconds)
{
	double speed = t->o.config->timeouts.speed;
	return speed > 0 ? seconds / speed : seconds;
}

bool target_end_is_failure(TargetEnd end)
{
	return end == TARGET_END_NO_FIRST_LINE || end == TARGET_END_KEXEC_FAILED ||
	       end == TARGET_END_LAUNCHER_FAILED || end == TARGET_END_MACHINE_DIED ||
	       end == TARGET_END_STALE_WATCHDOG;
}

/* ---- steps ---- */

static void free_step(gpointer data)
{
	TargetStep *s = data;
	g_free(s->step);
	g_free(s->detail);
	g_free(s);
}

GPtrArray *target_steps_new(void)
{
	return g_ptr_array_new_with_free_func(free_step);
}

TargetStep *target_step_begin(GPtrArray *steps, const char *name, double limit)
{
	TargetStep *s = g_new0(TargetStep, 1);
	s->step = g_strdup(name);
	s->started_us = g_get_real_time();
	/* until it is over this is when it began, by the clock that is never set */
	s->seconds = -(double)g_get_monotonic_time();
	s->limit = limit;
	g_ptr_array_add(steps, s);
	return s;
}

void target_step_end(const Target *t, TargetStep *s, bool ok, const char *detail, ...)
{
	va_list args;
	va_start(args, detail);
	s->detail = g_strdup_vprintf(detail, args);
	va_end(args);
	s->seconds = ((double)g_get_monotonic_time() + s->seconds) / G_USEC_PER_SEC;
	s->ok = ok;
	if (t->o.on_recovery)
		t->o.on_recovery(s, t->o.user);
}

static bool end_step(Ladder *l, TargetStep *s, GError *why, const char *good)
{
	target_step_end(l->t, s, !why, "%s", why ? why->message : good);
	if (why) {
		g_free(l->why);
		l->why = g_strdup_printf("%s: %s", s->step, why->message);
	}
	return !why;
}

static double clock_s(const Ladder *l, unsigned seconds)
{
	return target_seconds(l->t, seconds);
}

/* ---- does it answer? ---- */

static bool wait_for_launcher(Ladder *l, const TargetLink *link)
{
	g_autoptr(GError) why = NULL;
	AnswerWait wait = {.seconds = clock_s(l, l->t->o.config->timeouts.launcher)};
	TargetStep *s = target_step_begin(l->steps, "launcher", wait.seconds);
	answer_wait(link, &wait, &why);
	return end_step(l, s, why, "the launcher answers");
}

static bool attach_and_wait(Ladder *l)
{
	g_autoptr(GError) why = NULL;
	TargetLink link = {.console = -1, .agent = -1};
	if (l->t->ops->attach(l->t, &link, &why))
		return wait_for_launcher(l, &link);
	TargetStep *s = target_step_begin(l->steps, "launcher", 0);
	return end_step(l, s, why, NULL);
}

/* ---- the power ---- */

typedef struct {
	bool on;
	int said; /* of powered() */
} Power;

static bool order_power(Target *t, int on, GError **error)
{
	return t->ops->power(t, on, error);
}

/* On a thread too, so the answer comes back as success, failure or an error. */
static bool ask_power(Target *t, int on, GError **error)
{
	int said = t->ops->powered(t);
	if (said >= 0 && (said == 1) == (on == 1))
		return true;
	g_set_error(error, KX_ERROR, KX_ERROR_FAILED,
		    said < 0 ? "the machine cannot say whether it is on"
			     : "the machine still says that it is %s",
		    said ? "on" : "off");
	return false;
}

static bool never(gpointer user)
{
	return false;
}

static bool is_powered(Ladder *l, bool on)
{
	Target *t = l->t;
	double limit = MIN(clock_s(l, t->o.config->timeouts.power), target_seconds(t, 10));
	return t->ops->powered && limited_call(t, limit, ask_power, on, NULL);
}

static gint64 left_us(gint64 end)
{
	return MAX(end - g_get_monotonic_time(), 1000);
}

static double left_s(gint64 end)
{
	return (double)left_us(end) / G_USEC_PER_SEC;
}

/* Orders, and asks until it is so or the time is over. An order that is refused, lost or lied about
 * is given again; only the state counts. */
static bool switch_power(Ladder *l, bool on)
{
	Target *t = l->t;
	double limit = clock_s(l, t->o.config->timeouts.power);
	gint64 end = g_get_monotonic_time() + (gint64)(limit * G_USEC_PER_SEC), next = 0;
	TargetStep *s = target_step_begin(l->steps, on ? "power-on" : "power-off", limit);
	g_autoptr(GError) why = NULL, refused = NULL;
	unsigned orders = 0, polls = 0, agreed = 0;
	do {
		if (g_get_monotonic_time() >= next) {
			next = g_get_monotonic_time() + (gint64)(limit * G_USEC_PER_SEC / AGAIN);
			orders++;
			g_clear_error(&refused);
			if (!limited_call(t, limit / AGAIN, order_power, on, &refused))
				g_debug("power: %s", refused->message);
		}
		g_clear_error(&why);
		polls++;
		agreed = limited_call(t, limit / AGAIN, ask_power, on, &why) ? agreed + 1 : 0;
		if (agreed == AGREED)
			break;
		if (why && refused && !g_error_matches(refused, KX_ERROR, KX_ERROR_CANCELLED))
			g_prefix_error(&why, "the order failed (%s), and ", refused->message);
		limited_wait(MIN(target_seconds(t, POLL_S), left_s(end)), never, NULL);
	} while (g_get_monotonic_time() < end && !kx_cancelled());
	g_autofree char *good =
		g_strdup_printf("%s, ordered %u×, asked %u×", on ? "on" : "off", orders, polls);
	if (why)
		g_prefix_error(&why, "ordered %u×, asked %u×: ", orders, polls);
	return end_step(l, s, why, good);
}

static void stay_off(Ladder *l)
{
	double seconds = clock_s(l, l->t->o.config->timeouts.off);
	TargetStep *s = target_step_begin(l->steps, "power-wait", seconds);
	limited_wait(seconds, never, NULL);
	end_step(l, s, NULL, "it stays off");
}

/* ---- the rungs ---- */

static bool start(Ladder *l, const char *name)
{
	Target *t = l->t;
	TargetLink link = {.console = -1, .agent = -1};
	TargetStep *s = target_step_begin(l->steps, name, 0);
	g_autoptr(GError) why = NULL;
	t->standing = true;
	t->cold = false;
	bool ok = t->ops->start_launcher(t, NULL, &link, &why) && t->ops->go(t, &why);
	end_step(l, s, why, "started");
	if (ok)
		return wait_for_launcher(l, &link);
	const int streams[] = {link.console, link.agent};
	for (gsize i = 0; i < G_N_ELEMENTS(streams); i++)
		if (streams[i] >= 0)
			close(streams[i]);
	return false;
}

static bool rung_start(Ladder *l)
{
	return start(l, "start");
}

static bool send_reset(Target *t, int arg, GError **error)
{
	return t->ops->reset(t, error);
}

static bool rung_reset(Ladder *l)
{
	Target *t = l->t;
	double limit = clock_s(l, t->o.config->timeouts.reset);
	TargetStep *s = target_step_begin(l->steps, "reset", limit);
	g_autoptr(GError) why = NULL;
	limited_call(t, limit, send_reset, 0, &why);
	return end_step(l, s, why, "ordered") && attach_and_wait(l);
}

static bool rung_power(Ladder *l)
{
	if (!switch_power(l, false) || kx_cancelled())
		return false;
	stay_off(l);
	l->t->cold = false;
	l->t->standing = true;
	return !kx_cancelled() && switch_power(l, true) && attach_and_wait(l);
}

static bool rung_fresh(Ladder *l)
{
	Target *t = l->t;
	t->ops->stop(t);
	if (t->ops->distrust)
		t->ops->distrust(t);
	return start(l, "fresh-start");
}

/* ---- the ladder ---- */

static bool can_climb(Ladder *l, Rung rung)
{
	Target *t = l->t;
	const TargetOps *o = t->ops;
	if (rung == RUNG_RESET)
		return o->reset && o->attach && !t->cold && is_powered(l, true);
	if (rung == RUNG_POWER)
		return o->power && o->powered && o->attach;
	/* what would be started stands there already, or has just refused to */
	if (rung == RUNG_START)
		return !t->start_failed && !(t->standing && is_powered(l, true));
	return true;
}

/* Cold boots alone: the machine is ended, and the next boot shows whether it works. */
static bool no_launcher(Target *t, GPtrArray *steps)
{
	TargetStep *s = target_step_begin(steps, "stop", 0);
	t->ops->stop(t);
	t->standing = false;
	target_step_end(t, s, true, "ended; there is no launcher to ask");
	return true;
}

bool target_recover(Target *t, GPtrArray **ret_steps, GError **error)
{
	static bool (*const rungs[RUNG_MAX])(Ladder *) = {rung_start, rung_reset, rung_power,
							  rung_fresh};
	Ladder l = {.t = t, .steps = target_steps_new()};
	if (!t->o.launcher_kernel) {
		*ret_steps = l.steps;
		return no_launcher(t, l.steps);
	}
	/* a step that did not last is not tried again */
	unsigned from = MIN(t->in_vain > 0 ? t->in_vain - 1 : 0, RUNG_FRESH);
	bool ok = false;
	for (unsigned r = from; r < RUNG_MAX && !ok && !kx_cancelled(); r++)
		if (can_climb(&l, (Rung)r))
			ok = rungs[r](&l);
	t->start_failed = false;
	if (!ok && kx_cancelled())
		g_set_error(error, KX_ERROR, KX_ERROR_CANCELLED, "stopped on request");
	else if (!ok)
		g_set_error(error, KX_ERROR, KX_ERROR_FAILED,
			    "target %s: the recovery ladder was climbed in vain: %s",
			    t->o.config->name, l.why ? l.why : "no step of it can be taken");
	g_free(l.why);
	*ret_steps = l.steps;
	return ok;
}
