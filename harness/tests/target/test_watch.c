/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Scripted consoles: each test says what comes when, and how the boot must have ended. Times are
 * seconds. */
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "target/watch.h"

#define ID "kx0123456789ab"
#define BANNER "[    0.000000] Linux version 6.1.0 (a@b) (gcc 12) #" ID " SMP 2025-01-01"
#define WRONG "[    0.000000] Linux version 6.1.0 (a@b) (gcc 12) #kxffffffffffff SMP 2025-01-01"

static const Timeouts clocks = {.launcher = 60,
				.kexec = 30,
				.boot = 60,
				.silence = 20,
				.settle = 2,
				.settled = 10,
				.trial = 180,
				.trace = 5};

typedef struct {
	double at;
	const char *what; /* "ready", "order", "version …", "agent …", "reset", …, else a console
			     line */
} Step;

static gint64 us(double s)
{
	return (gint64)(s * G_USEC_PER_SEC + 0.5) + 1000;
}

/* The agent answers when it is asked whether it is still there. */
static void tick(Watch *w)
{
	gint64 now = watch_next(w);
	watch_tick(w, now);
	if (w->phase == WATCH_PROVE)
		watch_proved(w, now);
}

static bool machine_event(Watch *w, const char *what, gint64 now)
{
	static const char *const names[] = {"reset", "watchdog", "poweroff", "died"};
	for (unsigned i = 0; i < G_N_ELEMENTS(names); i++)
		if (g_str_equal(what, names[i])) {
			watch_event(w, (TargetEvent)i, now);
			return true;
		}
	return false;
}

static void act(Watch *w, const char *what, gint64 now)
{
	if (g_str_equal(what, "ready")) {
		watch_launcher_ready(w, now);
	} else if (g_str_equal(what, "order")) {
		watch_kexec_ordered(w, now);
	} else if (g_str_has_prefix(what, "version ")) {
		watch_version(w, what + 8, now);
	} else if (g_str_has_prefix(what, "agent ")) {
		watch_agent_alive(w, what + 6, now);
	} else if (!machine_event(w, what, now)) {
		watch_bytes(w, now);
		watch_line(w, what, now);
	}
}

/* Lets the time run; ticks come when the watch asks for them, and not sooner. */
static void play(Watch *w, bool cold, const Step *steps)
{
	watch_init(w, &clocks, ID, cold, us(0));
	double last = 0;
	for (; steps->what; steps++) {
		while (w->phase != WATCH_DONE && watch_next(w) <= us(steps->at))
			tick(w);
		act(w, steps->what, us(steps->at));
		last = steps->at;
	}
	for (int i = 0; w->phase != WATCH_DONE && i < 10; i++) {
		assert_true(watch_next(w) >= us(last));
		tick(w);
	}
	assert_int_equal(w->phase, WATCH_DONE);
}

#define PLAY(w, cold, ...) play(w, cold, (const Step[]){__VA_ARGS__, {0, NULL}})
#define TO_KEXEC                                                                                   \
	{0.1, "ready"},                                                                            \
	{                                                                                          \
		0.2, "order"                                                                       \
	}

static void test_good_boot(void **state)
{
	Watch w;
	PLAY(&w, false, TO_KEXEC, {1.2, BANNER}, {1.5, "[    0.1] x"},
	     {2.2, "version #" ID " SMP x"}, {2.3, "[    1.0] kexsect: alive " ID});
	assert_int_equal(w.end, TARGET_END_SETTLED);
	assert_true(w.alive && watch_identified(&w));
	assert_null(w.wrong);
	assert_string_equal(w.version, "#" ID " SMP x");
	assert_int_equal(w.spent_us[WATCH_LAUNCHER], 100000);
	assert_int_equal(w.spent_us[WATCH_DELIVER], 100000);
	assert_int_equal(w.spent_us[WATCH_KEXEC], 1000000);
	assert_int_equal(w.spent_us[WATCH_BOOT], 1100000);
	assert_int_equal(w.spent_us[WATCH_SETTLE], 2000000);
	assert_int_equal(w.deadline_us, 0);
	watch_clear(&w);
}

/* `quiet`: no banner on the console, but the agent; and no agent channel, but the console. */
static void test_one_proof_is_enough_where_there_is_one(void **state)
{
	Watch w;
	PLAY(&w, false, TO_KEXEC, {2, "version #" ID " SMP x"}, {2.1, "agent " ID});
	assert_int_equal(w.end, TARGET_END_SETTLED);
	assert_true(w.alive && watch_identified(&w));
	watch_clear(&w);
	PLAY(&w, true, {1, BANNER}, {2, "kexsect: alive " ID});
	assert_int_equal(w.end, TARGET_END_SETTLED);
	assert_true(w.alive && watch_identified(&w));
	watch_clear(&w);
}

static void test_wrong_kernel(void **state)
{
	Watch w;
	PLAY(&w, false, TO_KEXEC, {1, WRONG}, {2, "kexsect: alive kxffffffffffff"});
	assert_int_equal(w.end, TARGET_END_SETTLED);
	assert_false(w.alive);
	assert_false(watch_identified(&w));
	assert_non_null(strstr(w.wrong, "#kxffffffffffff"));
	assert_int_equal(w.spent_us[WATCH_SETTLE], 0);
	watch_clear(&w);
	/* the right banner, but another kernel's agent */
	PLAY(&w, false, TO_KEXEC, {1, BANNER}, {2, "version #1 SMP"}, {3, "agent " ID});
	assert_false(watch_identified(&w));
	watch_clear(&w);
	/* an identity that only begins like ours */
	PLAY(&w, false, TO_KEXEC, {1, BANNER "x"}, {2, "kexsect: alive " ID "0"});
	assert_false(w.alive);
	watch_clear(&w);
}

static void test_panic(void **state)
{
	Watch w;
	PLAY(&w, false, TO_KEXEC, {1, BANNER},
	     {2, "[    0.9] Kernel panic - not syncing: VFS: Unable to mount root fs"},
	     {2.1, "[    0.9] Call Trace:"},
	     {2.2, "[    0.9] ---[ end Kernel panic - not syncing: VFS"});
	assert_int_equal(w.end, TARGET_END_PANIC);
	assert_string_equal(w.reason, "Kernel panic - not syncing: VFS: Unable to mount root fs");
	assert_true(w.deadline_us + w.spent_us[WATCH_TRACE] < 300000);
	watch_clear(&w);
	/* the machine resets by panic=1 before the trace's grace is over: a panic all the same */
	PLAY(&w, false, TO_KEXEC, {1, BANNER}, {2, "Kernel panic - not syncing: x"},
	     {2.5, "reset"});
	assert_int_equal(w.end, TARGET_END_PANIC);
	watch_clear(&w);
	/* the decompressor's end, without a banner */
	PLAY(&w, false, TO_KEXEC, {1, " -- System halted"});
	assert_int_equal(w.end, TARGET_END_PANIC);
	watch_clear(&w);
}

static void test_oops(void **state)
{
	Watch w;
	PLAY(&w, false, TO_KEXEC, {1, BANNER},
	     {2, "[    0.9] BUG: unable to handle page fault for address: 0000000000000010"});
	assert_int_equal(w.end, TARGET_END_PANIC);
	assert_int_equal(w.spent_us[WATCH_TRACE], 2000000);
	watch_clear(&w);
	/* a program's fault and a warning are none */
	PLAY(&w, false, TO_KEXEC, {1, BANNER},
	     {1.2, "[    0.9] traps: init[1] general protection fault ip:4015f4 error:0"},
	     {1.3, "[    0.9] WARNING: CPU: 0 PID: 1 at kernel/x.c:1 x+0x1/0x2"},
	     {2, "kexsect: alive " ID});
	assert_int_equal(w.end, TARGET_END_SETTLED);
	watch_clear(&w);
}

static void test_silent(void **state)
{
	Watch w;
	PLAY(&w, false, TO_KEXEC, {1, BANNER}, {5, "[    1.0] last words"});
	assert_int_equal(w.end, TARGET_END_SILENT);
	assert_true(w.interrupt);
	assert_int_equal(w.spent_us[WATCH_BOOT], 4000000);
	assert_int_equal(w.deadline_us, 20000000);
	watch_clear(&w);
}

/* The panic that our own NMI causes does not change how it ended. */
static void test_trace_after_silence(void **state)
{
	Watch w;
	PLAY(&w, false, TO_KEXEC, {1, BANNER}, {21.1, "[ 20.] Kernel panic - not syncing: NMI: x"},
	     {21.2, "[ 20.] ---[ end Kernel panic - not syncing: NMI: x"});
	assert_int_equal(w.end, TARGET_END_SILENT);
	assert_true(w.spent_us[WATCH_TRACE] < 300000);
	watch_clear(&w);
}

static void test_never_alive(void **state)
{
	Watch w;
	watch_init(&w, &clocks, ID, true, us(0));
	watch_line(&w, BANNER, us(1));
	double now = 1;
	while (w.end == TARGET_END_INVALID) {
		now += 1;
		watch_bytes(&w, us(now));
		watch_line(&w, "[    9.0] rcu: INFO: rcu_sched detected stalls", us(now));
		watch_tick(&w, us(now));
	}
	assert_int_equal(w.end, TARGET_END_DEADLINE);
	assert_true(now > 60.9 && now < 61.1);
	watch_clear(&w);
}

static void test_nothing_after_kexec(void **state)
{
	Watch w;
	PLAY(&w, false, TO_KEXEC, {0.3, "[    9.] kexec_core: Starting new kernel"});
	assert_int_equal(w.end, TARGET_END_NO_FIRST_LINE);
	assert_true(w.interrupt);
	watch_clear(&w);
}

static void test_launcher(void **state)
{
	Watch w;
	/* the launcher's own banner is not the variant's */
	PLAY(&w, false, {1, WRONG}, {2, "kexsect: launcher ready"});
	assert_int_equal(w.end, TARGET_END_LAUNCHER_FAILED);
	assert_null(w.banner);
	assert_int_equal(w.deadline_us, 58000000);
	watch_clear(&w);
	PLAY(&w, false, {1, "[    0.1] Kernel panic - not syncing: x"});
	assert_int_equal(w.end, TARGET_END_LAUNCHER_FAILED);
	watch_clear(&w);
	PLAY(&w, false, {0.1, "ready"}, {1, "reset"});
	assert_int_equal(w.end, TARGET_END_LAUNCHER_FAILED);
	watch_clear(&w);
	PLAY(&w, false, {0.1, "ready"}); /* it does not take the kernel */
	assert_int_equal(w.end, TARGET_END_LAUNCHER_FAILED);
	watch_clear(&w);
}

static void test_machine_events(void **state)
{
	static const struct {
		const char *what;
		TargetEnd end;
	} cases[] = {{"reset", TARGET_END_RESET},
		     {"watchdog", TARGET_END_WATCHDOG},
		     {"poweroff", TARGET_END_POWEROFF},
		     {"died", TARGET_END_MACHINE_DIED}};
	for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
		Watch w;
		PLAY(&w, false, TO_KEXEC, {1, BANNER}, {1.5, "version #" ID " SMP x"},
		     {2, cases[i].what});
		assert_int_equal(w.end, cases[i].end);
		watch_clear(&w);
	}
}

/* The variant's agent arms it before it says anything: before, it was armed by another kernel. */
static void test_watchdog_of_another_kernel(void **state)
{
	Watch w;
	PLAY(&w, false, TO_KEXEC, {1, BANNER}, {2, "watchdog"});
	assert_int_equal(w.end, TARGET_END_STALE_WATCHDOG);
	watch_clear(&w);
	PLAY(&w, false, TO_KEXEC, {2, "watchdog"});
	assert_int_equal(w.end, TARGET_END_STALE_WATCHDOG);
	watch_clear(&w);
	PLAY(&w, false, {0.1, "ready"}, {1, "watchdog"});
	assert_int_equal(w.end, TARGET_END_LAUNCHER_FAILED);
	watch_clear(&w);
	PLAY(&w, false, TO_KEXEC, {1, BANNER}, {1.1, "version #" ID " SMP x"}, {1.2, "agent " ID},
	     {2, "watchdog"});
	assert_int_equal(w.end, TARGET_END_WATCHDOG);
	watch_clear(&w);
}

/* What hangs in its settle time was alive, but does not answer when it is over. */
static void test_never_settles(void **state)
{
	Watch w;
	watch_init(&w, &clocks, ID, true, us(0));
	watch_line(&w, BANNER, us(1));
	watch_version(&w, "#" ID " SMP x", us(1.5));
	watch_agent_alive(&w, ID, us(2));
	assert_int_equal(watch_next(&w), us(4) + 0);
	watch_tick(&w, us(4));
	assert_int_equal(w.phase, WATCH_PROVE);
	watch_bytes(&w, us(8)); /* a log without an end is no answer */
	watch_tick(&w, watch_next(&w));
	assert_int_equal(w.end, TARGET_END_UNSETTLED);
	assert_true(w.alive && w.interrupt);
	assert_non_null(strstr(w.reason, "timeouts.settled"));
	assert_int_equal(w.spent_us[WATCH_SETTLE], 2000000);
	assert_int_equal(w.deadline_us, 6000000);
	watch_traced(&w, us(15));
	assert_int_equal(w.phase, WATCH_DONE);
	watch_clear(&w);
}

/* Neither the kernel nor what controls the machine answers. */
static void test_stuck_machine(void **state)
{
	Watch w;
	watch_init(&w, &clocks, ID, true, us(0));
	watch_line(&w, BANNER, us(1));
	watch_tick(&w, us(21));
	assert_int_equal(w.end, TARGET_END_SILENT);
	watch_stuck(&w);
	watch_traced(&w, us(22));
	assert_int_equal(w.end, TARGET_END_MACHINE_DIED);
	assert_int_equal(w.phase, WATCH_DONE);
	assert_non_null(strstr(w.reason, "timeouts.silence"));
	watch_clear(&w);
}

static void test_alive_by_pattern(void **state)
{
	Watch w;
	g_autoptr(GRegex) login = g_regex_new("^\\S+ login:", G_REGEX_RAW, 0, NULL);
	watch_init(&w, &clocks, ID, true, us(0));
	w.alive_line = login;
	watch_line(&w, BANNER, us(1));
	watch_agent_alive(&w, ID, us(2));
	watch_line(&w, "kexsect: alive " ID, us(2));
	assert_int_equal(w.phase, WATCH_BOOT);
	watch_line(&w, "[    3.000000] host login: ", us(3));
	assert_int_equal(w.phase, WATCH_SETTLE);
	assert_true(w.alive);
	watch_clear(&w);
}

/* After the end nothing changes any more. */
static void test_first_end_stays(void **state)
{
	Watch w;
	PLAY(&w, false, TO_KEXEC, {1, BANNER}, {2, "kexsect: alive " ID}, {4.5, "poweroff"},
	     {4.6, "Kernel panic - not syncing: too late"}, {5, "died"});
	assert_int_equal(w.end, TARGET_END_SETTLED);
	watch_clear(&w);
	/* but a panic while it settles is one */
	PLAY(&w, false, TO_KEXEC, {1, BANNER}, {2, "kexsect: alive " ID},
	     {2.5, "Kernel panic - not syncing: late"});
	assert_int_equal(w.end, TARGET_END_PANIC);
	watch_clear(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_good_boot),
		cmocka_unit_test(test_one_proof_is_enough_where_there_is_one),
		cmocka_unit_test(test_wrong_kernel),
		cmocka_unit_test(test_panic),
		cmocka_unit_test(test_oops),
		cmocka_unit_test(test_silent),
		cmocka_unit_test(test_trace_after_silence),
		cmocka_unit_test(test_never_alive),
		cmocka_unit_test(test_nothing_after_kexec),
		cmocka_unit_test(test_launcher),
		cmocka_unit_test(test_machine_events),
		cmocka_unit_test(test_watchdog_of_another_kernel),
		cmocka_unit_test(test_never_settles),
		cmocka_unit_test(test_stuck_machine),
		cmocka_unit_test(test_alive_by_pattern),
		cmocka_unit_test(test_first_end_stays),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
