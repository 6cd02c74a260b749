/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Decides when a boot is over and how it ended, from lines, agent messages, machine events and the
 * time: a state machine without input, output or timers of its own. All times are
 * g_get_monotonic_time() microseconds. */
#pragma once

#include "target/driver.h"

typedef enum {
	WATCH_LAUNCHER, /* started or restored; its agent has not answered yet */
	WATCH_DELIVER,	/* kernel and initrd are going over */
	WATCH_KEXEC,	/* ordered; the variant has said nothing yet (also: cold, before its first
			   line) */
	WATCH_BOOT,	/* the variant speaks */
	WATCH_SETTLE,	/* alive; faults are still collected */
	WATCH_PROVE,	/* its agent was asked whether it is still there */
	WATCH_TRACE,	/* it is over, but a trace may still come */
	WATCH_DONE,
} WatchPhase;

typedef struct {
	/* the caller sets */
	const Timeouts *timeouts;
	const char *identity;
	GRegex *alive_line; /* NULL: the agent's marker */
	/* results; strings are owned */
	WatchPhase phase;
	TargetEnd end; /* INVALID while it is not over */
	char *reason, *banner, *version, *wrong;
	bool alive;
	gint64 deadline_us; /* spent on nothing but waiting for a clock */
	/* runtime */
	gint64 start_us, phase_us, byte_us, trace_us;
	gint64 spent_us[WATCH_DONE + 1]; /* in each phase */
	bool trace_end;			 /* the last line of a panic was seen after the end */
	bool interrupt; /* a trace should be taken: the caller does so and clears it */
} Watch;

/* cold: the firmware starts the variant, there is no launcher. */
void watch_init(Watch *w, const Timeouts *timeouts, const char *identity, bool cold, gint64 now);
void watch_clear(Watch *w);

void watch_launcher_ready(Watch *w, gint64 now);
void watch_kexec_ordered(Watch *w, gint64 now);
/* Bytes came on the console; before the lines in them. */
void watch_bytes(Watch *w, gint64 now);
void watch_line(Watch *w, const char *line, gint64 now);
/* The variant's agent says `uname -v`, or that it is alive. */
void watch_version(Watch *w, const char *version, gint64 now);
void watch_agent_alive(Watch *w, const char *identity, gint64 now);
/* Its agent answered the question of WATCH_PROVE: all that it had to say before came, too. */
void watch_proved(Watch *w, gint64 now);
/* The trace is taken, as far as there is one. */
void watch_traced(Watch *w, gint64 now);
/* Not the kernel hangs: the machine itself, or its control, does. */
void watch_stuck(Watch *w);
void watch_event(Watch *w, TargetEvent event, gint64 now);
/* It is over for a reason that the caller knows. */
void watch_end(Watch *w, TargetEnd end, gint64 now, const char *format, ...) G_GNUC_PRINTF(4, 5);

/* Looks at the clocks. */
void watch_tick(Watch *w, gint64 now);
/* When watch_tick must be called at the latest. */
gint64 watch_next(const Watch *w);

/* True when banner and version (each where there is one, and at least one) name the identity. */
bool watch_identified(const Watch *w);
