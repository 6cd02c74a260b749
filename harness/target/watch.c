/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "target/watch.h"

#include <string.h>

#include "base/agent_protocol.h"

/* How long a trace may still come by itself: after a panic or an Oops. */
#define TRACE_US (2 * G_USEC_PER_SEC)
/* After the last line of a panic. */
#define TRACE_END_US (50 * 1000)

/* Of the machine's time. */
static gint64 real_us(const Watch *w, gint64 us)
{
	return w->timeouts->speed > 0 ? (gint64)((double)us / w->timeouts->speed) : us;
}

void watch_init(Watch *w, const Timeouts *timeouts, const char *identity, bool cold, gint64 now)
{
	*w = (Watch){.timeouts = timeouts,
		     .identity = identity,
		     .phase = cold ? WATCH_KEXEC : WATCH_LAUNCHER,
		     .end = TARGET_END_INVALID,
		     .start_us = now,
		     .phase_us = now,
		     .byte_us = now};
}

void watch_clear(Watch *w)
{
	g_clear_pointer(&w->reason, g_free);
	g_clear_pointer(&w->banner, g_free);
	g_clear_pointer(&w->version, g_free);
	g_clear_pointer(&w->wrong, g_free);
}

static void enter(Watch *w, WatchPhase phase, gint64 now)
{
	w->spent_us[w->phase] += now - w->phase_us;
	w->phase = phase;
	w->phase_us = now;
}

static bool is_over(const Watch *w)
{
	return w->end != TARGET_END_INVALID;
}

static void set_end(Watch *w, TargetEnd end, WatchPhase phase, gint64 now, char *reason)
{
	if (is_over(w) && w->phase == WATCH_DONE) {
		g_free(reason);
		return;
	}
	if (!is_over(w)) {
		w->end = end;
		w->reason = reason;
	} else {
		g_free(reason);
	}
	enter(w, phase, now);
	w->trace_us = now + real_us(w, TRACE_US);
}

void watch_traced(Watch *w, gint64 now)
{
	if (w->phase == WATCH_TRACE)
		enter(w, WATCH_DONE, now);
}

void watch_stuck(Watch *w)
{
	char *why = g_strdup_printf(
		"%s; the machine's control does not answer either, so it is not the kernel",
		w->reason);
	g_free(w->reason);
	w->reason = why;
	w->end = TARGET_END_MACHINE_DIED;
}

void watch_end(Watch *w, TargetEnd end, gint64 now, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	set_end(w, end, WATCH_DONE, now, g_strdup_vprintf(format, args));
	va_end(args);
}

void watch_launcher_ready(Watch *w, gint64 now)
{
	if (w->phase == WATCH_LAUNCHER)
		enter(w, WATCH_DELIVER, now);
}

void watch_kexec_ordered(Watch *w, gint64 now)
{
	if (w->phase == WATCH_DELIVER)
		enter(w, WATCH_KEXEC, now);
}

void watch_bytes(Watch *w, gint64 now)
{
	w->byte_us = now;
}

/* "… #IDENTITY SMP …": the word after the number sign. */
static bool names(const char *text, const char *identity)
{
	size_t len = strlen(identity);
	for (const char *at = text; (at = strchr(at, '#')); at++)
		if (strncmp(at + 1, identity, len) == 0 && (at[len + 1] == ' ' || !at[len + 1]))
			return true;
	return false;
}

static void check_identity(Watch *w, const char *said)
{
	if (!w->wrong && !names(said, w->identity))
		w->wrong = g_strdup(said);
}

static void first_sign(Watch *w, gint64 now)
{
	if (w->phase == WATCH_KEXEC)
		enter(w, WATCH_BOOT, now);
}

static void now_alive(Watch *w, const char *identity, gint64 now)
{
	first_sign(w, now);
	if (w->phase != WATCH_BOOT)
		return;
	if (strcmp(identity, w->identity) != 0 && !w->wrong)
		w->wrong = g_strdup(identity);
	w->alive = strcmp(identity, w->identity) == 0;
	enter(w, WATCH_SETTLE, now);
}

void watch_version(Watch *w, const char *version, gint64 now)
{
	if (w->phase < WATCH_KEXEC)
		return;
	if (!w->version) {
		w->version = g_strdup(version);
		check_identity(w, version);
	}
	first_sign(w, now);
}

void watch_agent_alive(Watch *w, const char *identity, gint64 now)
{
	if (!w->alive_line)
		now_alive(w, identity, now);
}

void watch_proved(Watch *w, gint64 now)
{
	if (w->phase == WATCH_PROVE)
		watch_end(w, TARGET_END_SETTLED, now, "alive, and %u s more", w->timeouts->settle);
}

bool watch_identified(const Watch *w)
{
	return !w->wrong && (w->banner || w->version);
}

typedef enum {
	SIGN_NONE,
	SIGN_PANIC,
	SIGN_OOPS,
	SIGN_TRACE_END,
} Sign;

/* Texts of arch/x86 and kernel/panic.c, 3.4 to 6.12; "-- System halted" is the decompressor's
 * (boot/compressed/error.c). */
static const struct {
	const char *text;
	Sign sign;
} signs[] = {
	{"---[ end Kernel panic", SIGN_TRACE_END}, {"Kernel panic - not syncing", SIGN_PANIC},
	{"-- System halted", SIGN_PANIC},	   {"Oops: ", SIGN_OOPS},
	{"BUG: unable to handle", SIGN_OOPS},	   {"kernel BUG at ", SIGN_OOPS},
};

/* The same words in "traps: init[1] general protection fault" are about a program. */
#define GP_FAULT "general protection fault"

/* Without "[    1.234567] ". */
static const char *message(const char *line)
{
	const char *end = *line == '[' ? strstr(line, "] ") : NULL;
	return end ? end + 2 : line;
}

static Sign find_sign(const char *line)
{
	for (gsize i = 0; i < G_N_ELEMENTS(signs); i++)
		if (strstr(line, signs[i].text))
			return signs[i].sign;
	return g_str_has_prefix(message(line), GP_FAULT) ? SIGN_OOPS : SIGN_NONE;
}

static void look_for_banner(Watch *w, const char *line, gint64 now)
{
	const char *at = strstr(line, "Linux version ");
	if (!at || (w->phase != WATCH_KEXEC && w->phase != WATCH_BOOT))
		return;
	if (!w->banner) {
		w->banner = g_strdup(at);
		check_identity(w, at);
	}
	first_sign(w, now);
}

static void look_for_alive(Watch *w, const char *line, gint64 now)
{
	if (w->alive_line) {
		if (g_regex_match(w->alive_line, message(line), 0, NULL))
			now_alive(w, w->identity, now);
		return;
	}
	const char *at = strstr(line, AGENT_ALIVE);
	if (!at)
		return;
	at += strlen(AGENT_ALIVE);
	g_autofree char *identity = g_strndup(at, strcspn(at, " "));
	now_alive(w, identity, now);
}

static void look_for_panic(Watch *w, const char *line, gint64 now)
{
	Sign sign = find_sign(line);
	if (sign == SIGN_NONE)
		return;
	if (w->phase == WATCH_TRACE) {
		/* the end of the trace of an Oops, a panic or an NMI: no need to wait longer */
		if (sign == SIGN_TRACE_END) {
			w->trace_us = now + TRACE_END_US;
			w->trace_end = true;
		}
	} else if (w->phase < WATCH_KEXEC) {
		watch_end(w, TARGET_END_LAUNCHER_FAILED, now, "the launcher: %s", message(line));
	} else {
		first_sign(w, now);
		set_end(w, TARGET_END_PANIC, WATCH_TRACE, now, g_strdup(message(line)));
	}
}

void watch_line(Watch *w, const char *line, gint64 now)
{
	if (w->phase == WATCH_DONE)
		return;
	look_for_panic(w, line, now);
	if (w->phase < WATCH_KEXEC || w->phase == WATCH_TRACE)
		return;
	look_for_banner(w, line, now);
	look_for_alive(w, line, now);
}

/* Waiting from the last sign of life on was for nothing: it is booked as such, not to the phase. */
static void book_wait(Watch *w, gint64 now)
{
	gint64 waited = now - MAX(w->byte_us, w->phase_us);
	w->deadline_us += waited;
	w->phase_us += waited;
}

/* The agent arms the watchdog before it says its first word (agent/variant.c). Another userland may
 * arm it whenever it likes. */
static bool is_stale(const Watch *w)
{
	return !w->alive_line && !w->version && w->phase <= WATCH_BOOT;
}

void watch_event(Watch *w, TargetEvent event, gint64 now)
{
	static const struct {
		TargetEnd end;
		const char *what;
	} meanings[] = {
		[TARGET_EVENT_RESET] = {TARGET_END_RESET, "the machine was reset"},
		[TARGET_EVENT_WATCHDOG] = {TARGET_END_WATCHDOG, "the watchdog fired"},
		[TARGET_EVENT_POWEROFF] = {TARGET_END_POWEROFF, "the machine was switched off"},
		[TARGET_EVENT_DIED] = {TARGET_END_MACHINE_DIED, "the machine's process died"},
	};
	if (event == TARGET_EVENT_WATCHDOG && (w->phase == WATCH_KEXEC || w->phase == WATCH_BOOT))
		book_wait(w, now);
	if (event == TARGET_EVENT_WATCHDOG && w->phase >= WATCH_KEXEC && is_stale(w))
		watch_end(w, TARGET_END_STALE_WATCHDOG, now,
			  "the watchdog fired before the variant's agent can have armed it: an "
			  "earlier kernel did");
	else if (event != TARGET_EVENT_DIED && w->phase < WATCH_KEXEC)
		watch_end(w, TARGET_END_LAUNCHER_FAILED, now, "%s while the launcher ran",
			  meanings[event].what);
	else
		watch_end(w, meanings[event].end, now, "%s", meanings[event].what);
}

/* What the clocks say now. */
typedef struct {
	gint64 at;
	TargetEnd end;
	const char *what;
	unsigned seconds;
	bool since_byte; /* counts from the last byte, else from the start of the phase */
} Clock;

static Clock clock_of(const Watch *w, gint64 from, unsigned seconds, TargetEnd end,
		      const char *what)
{
	gint64 us = real_us(w, (gint64)seconds * G_USEC_PER_SEC);
	return (Clock){from + us, end, what, seconds, false};
}

static Clock sooner(Clock a, Clock b)
{
	return b.at < a.at ? b : a;
}

static Clock next_clock(const Watch *w)
{
	const Timeouts *t = w->timeouts;
	Clock trial = clock_of(w, w->start_us, t->trial, TARGET_END_DEADLINE,
			       "the whole trial took longer than %u s (timeouts.trial)");
	switch (w->phase) {
	case WATCH_LAUNCHER:
		return sooner(clock_of(w, w->phase_us, t->launcher, TARGET_END_LAUNCHER_FAILED,
				       "the launcher's agent did not answer in %u s "
				       "(timeouts.launcher)"),
			      trial);
	case WATCH_DELIVER:
		return sooner(clock_of(w, w->phase_us, t->launcher, TARGET_END_LAUNCHER_FAILED,
				       "the launcher did not take the kernel in %u s "
				       "(timeouts.launcher)"),
			      trial);
	case WATCH_KEXEC:
		return sooner(clock_of(w, w->phase_us, t->kexec, TARGET_END_NO_FIRST_LINE,
				       "the variant said nothing in %u s (timeouts.kexec)"),
			      trial);
	case WATCH_BOOT: {
		gint64 from = MAX(w->byte_us, w->phase_us);
		Clock boot = clock_of(w, w->phase_us, t->boot, TARGET_END_DEADLINE,
				      "not alive %u s after its first line (timeouts.boot)");
		Clock silence = clock_of(w, from, t->silence, TARGET_END_SILENT,
					 "silent for %u s before it was alive (timeouts.silence)");
		return sooner(sooner(boot, silence), trial);
	}
	case WATCH_SETTLE:
		/* not shortened by the trial's clock: what is alive has only this to do */
		return clock_of(w, w->phase_us, w->wrong ? 0 : t->settle, TARGET_END_SETTLED,
				"alive, and %u s more");
	case WATCH_PROVE:
		return clock_of(w, w->phase_us, t->settled, TARGET_END_UNSETTLED,
				"alive, but its agent did not answer in %u s after that "
				"(timeouts.settled)");
	case WATCH_TRACE:
		/* one that is asked for has a clock of its own */
		if (w->interrupt && !w->trace_end)
			return clock_of(w, w->phase_us, t->trace, w->end, NULL);
		return (Clock){.at = w->trace_us, .end = w->end};
	case WATCH_DONE:
		break;
	}
	return (Clock){.at = G_MAXINT64, .end = w->end};
}

void watch_tick(Watch *w, gint64 now)
{
	Clock c = next_clock(w);
	if (w->phase == WATCH_DONE || now < c.at)
		return;
	if (w->phase == WATCH_TRACE) {
		enter(w, WATCH_DONE, now);
		return;
	}
	if (w->phase == WATCH_SETTLE && w->version && !w->wrong) {
		/* what has an agent can prove that it did not hang meanwhile */
		enter(w, WATCH_PROVE, now);
		return;
	}
	bool hung = w->phase == WATCH_KEXEC || w->phase == WATCH_BOOT || w->phase == WATCH_PROVE;
	if (w->phase != WATCH_SETTLE)
		book_wait(w, now);
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral" /* the texts of next_clock() */
	char *reason = g_strdup_printf(c.what, c.seconds);
#pragma GCC diagnostic pop
	set_end(w, c.end, hung ? WATCH_TRACE : WATCH_DONE, now, reason);
	w->interrupt = hung;
}

gint64 watch_next(const Watch *w)
{
	return next_clock(w).at;
}
