/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The recovery ladder over a machine that can break in many ways. Its clocks run twenty times as
 * fast. */
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/error.h"
#include "base/fs.h"
#include "target/agent_link.h"
#include "target/limited.h"
#include "target/recover.h"
#include "target/trace.h"

typedef struct {
	/* what is broken */
	bool never_off, lies_off, mute, no_start, hangs, forgets_first, dead_launcher;
	unsigned launcher_answers_after; /* so many times that it was brought up */
	/* what it is and was */
	int on;
	unsigned brought_up, orders, resets, distrusted, stopped;
	AgentLink *agent;
	int console; /* the machine's end */
} Machine;

static Machine m;
static gint released; /* lets orders that hang return */

static char name[] = "fake";
static const TargetConfig config = {
	.name = name,
	.timeouts = {.launcher = 10, .reset = 6, .power = 20, .off = 2, .trace = 20, .speed = 20}};

static void on_frame(AgentType type, const char *payload, gsize len, gpointer user)
{
	bool answers = !m.dead_launcher && m.brought_up > m.launcher_answers_after;
	if (type == AGENT_PING && answers)
		agent_link_send_text(m.agent, AGENT_HELLO, "role=launcher\necho=%s\n", payload);
}

static void unplug(void)
{
	g_clear_pointer(&m.agent, agent_link_free);
	if (m.console > 0)
		close(m.console);
	m.console = 0;
}

static bool plug_in(TargetLink *ret)
{
	int agent[2], console[2];
	unplug();
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, agent), 0);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, console), 0);
	m.agent = agent_link_new(agent[1], on_frame, NULL);
	m.console = console[1];
	assert_int_equal(write(m.console, "Booting\nlast words\n", 19), 19);
	ret->agent = agent[0];
	ret->console = console[0];
	return true;
}

static bool start_launcher(Target *t, const TargetOrders *orders, TargetLink *ret, GError **error)
{
	assert_null(orders);
	if (m.no_start) {
		g_set_error(error, KX_ERROR, KX_ERROR_FAILED, "nothing starts here");
		return false;
	}
	m.on = 1;
	m.brought_up++;
	return plug_in(ret);
}

static bool go(Target *t, GError **error)
{
	return true;
}

static void stop(Target *t)
{
	m.stopped++;
	m.on = 0;
	unplug();
}

static void distrust(Target *t)
{
	m.distrusted++;
}

static void hang(void)
{
	while (m.hangs && !g_atomic_int_get(&released))
		g_usleep(1000);
}

static bool reset(Target *t, GError **error)
{
	m.resets++;
	hang();
	m.brought_up++;
	return true;
}

static bool power(Target *t, bool on, GError **error)
{
	m.orders++;
	if (m.never_off && !on)
		return true; /* "done" */
	if (m.forgets_first && m.orders == 1)
		return true;
	m.brought_up += on && !m.on;
	m.on = on;
	return true;
}

static int powered(Target *t)
{
	return m.mute ? -1 : m.lies_off ? 0 : m.on;
}

static bool attach(Target *t, TargetLink *ret, GError **error)
{
	return plug_in(ret);
}

static const TargetOps ops = {.name = (char *)"fake",
			      .start_launcher = start_launcher,
			      .go = go,
			      .stop = stop,
			      .distrust = distrust,
			      .reset = reset,
			      .power = power,
			      .powered = powered,
			      .attach = attach};

static void on_recovery(const TargetStep *step, gpointer user)
{
	GString *all = user;
	g_string_append_printf(all, "%s%s%s", all->len ? " " : "", step->step, step->ok ? "" : "!");
	assert_true(step->detail && *step->detail);
	assert_true(step->seconds >= 0 && step->started_us > 0);
	/* a step keeps to its clock: what waits, waits no longer than it */
	if (step->limit > 0)
		assert_true(step->seconds < step->limit + 0.5);
}

/* The steps that were taken, "!" behind those that failed. */
static char *climb(Machine broken, bool standing, unsigned in_vain, bool *ret_ok)
{
	g_autoptr(GString) all = g_string_new(NULL);
	g_autoptr(GPtrArray) steps = NULL;
	g_autoptr(GError) error = NULL;
	Target t = {.o = {.config = &config,
			  .launcher_kernel = "/kernel",
			  .on_recovery = on_recovery,
			  .user = all},
		    .ops = &ops,
		    .standing = standing,
		    .in_vain = in_vain};
	m = broken;
	*ret_ok = target_recover(&t, &steps, &error);
	assert_true(*ret_ok == !error);
	if (error)
		assert_non_null(strstr(error->message, "in vain"));
	g_atomic_int_set(&released, 1);
	assert_true(limited_collect(&t, 5));
	g_atomic_int_set(&released, 0);
	unplug();
	return g_strdup(all->str);
}

static void test_ladder(void **state)
{
	static const struct {
		const char *name;
		Machine machine;
		bool standing, ok;
		unsigned in_vain;
		const char *steps;
	} cases[] = {
		{"well", {.on = 0}, false, true, 0, "start launcher"},
		{"a kernel hangs", {.on = 1}, true, true, 1, "reset launcher"},
		{"it died", {.on = 0}, true, true, 1, "start launcher"},
		{"the reset does not help",
		 {.on = 1, .launcher_answers_after = 1},
		 true,
		 true,
		 1,
		 "reset launcher! power-off power-wait power-on launcher"},
		{"reset hangs",
		 {.on = 1, .hangs = true},
		 true,
		 true,
		 1,
		 "reset! power-off power-wait power-on launcher"},
		{"only a fresh launcher does",
		 {.on = 1, .launcher_answers_after = 2},
		 true,
		 true,
		 1,
		 "reset launcher! power-off power-wait power-on launcher! fresh-start launcher"},
		{"the first order is lost",
		 {.on = 1, .launcher_answers_after = 1, .forgets_first = true},
		 true,
		 true,
		 1,
		 "reset launcher! power-off power-wait power-on launcher"},
		{"never off",
		 {.on = 1, .never_off = true, .launcher_answers_after = 1},
		 true,
		 true,
		 1,
		 "reset launcher! power-off! fresh-start launcher"},
		/* on cannot be seen, so it is not believed either */
		{"says always that it is off",
		 {.on = 1, .lies_off = true},
		 true,
		 true,
		 1,
		 "start launcher"},
		{"cannot say",
		 {.on = 1, .mute = true, .launcher_answers_after = 1},
		 true,
		 true,
		 1,
		 "start launcher! power-off! fresh-start launcher"},
		{"dead agent",
		 {.on = 1, .dead_launcher = true},
		 true,
		 false,
		 1,
		 "reset launcher! power-off power-wait power-on launcher! fresh-start launcher!"},
		{"nothing works",
		 {.on = 0, .no_start = true, .never_off = true, .dead_launcher = true},
		 false,
		 false,
		 0,
		 "start! power-off power-wait power-on launcher! fresh-start!"},
		{"failed again after a reset",
		 {.on = 1},
		 true,
		 true,
		 3,
		 "power-off power-wait power-on launcher"},
		{"and again", {.on = 1}, true, true, 9, "fresh-start launcher"},
	};
	for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
		bool ok;
		g_autofree char *steps =
			climb(cases[i].machine, cases[i].standing, cases[i].in_vain, &ok);
		if (!g_str_equal(steps, cases[i].steps) || ok != cases[i].ok)
			fail_msg("%s: %s, %s", cases[i].name, ok ? "well" : "in vain", steps);
	}
}

/* What a machine cannot do is left out. */
static void test_poor_machine(void **state)
{
	TargetOps poor = ops;
	poor.reset = NULL;
	poor.power = NULL;
	poor.powered = NULL;
	poor.attach = NULL;
	g_autoptr(GString) all = g_string_new(NULL);
	g_autoptr(GPtrArray) steps = NULL;
	Target t = {.o = {.config = &config,
			  .launcher_kernel = "/kernel",
			  .on_recovery = on_recovery,
			  .user = all},
		    .ops = &poor,
		    .standing = true,
		    .in_vain = 1};
	m = (Machine){.on = 1, .launcher_answers_after = 1};
	assert_true(target_recover(&t, &steps, NULL));
	assert_string_equal(all->str, "start launcher! fresh-start launcher");
	unplug();
}

/* A machine started cold would by a reset start the variant again; without a launcher there is
 * nothing to ask. */
static void test_cold(void **state)
{
	g_autoptr(GString) all = g_string_new(NULL);
	g_autoptr(GPtrArray) steps = NULL, none = NULL;
	Target t = {.o = {.config = &config,
			  .launcher_kernel = "/kernel",
			  .on_recovery = on_recovery,
			  .user = all},
		    .ops = &ops,
		    .standing = true,
		    .cold = true,
		    .in_vain = 1};
	m = (Machine){.on = 1};
	assert_true(target_recover(&t, &steps, NULL));
	assert_string_equal(all->str, "power-off power-wait power-on launcher");
	assert_int_equal(m.resets, 0);
	t.o.launcher_kernel = NULL;
	g_string_truncate(all, 0);
	assert_true(target_recover(&t, &none, NULL));
	assert_string_equal(all->str, "stop");
	unplug();
}

/* What the last step says is what people read. */
static void test_words(void **state)
{
	g_autoptr(GPtrArray) steps = NULL;
	g_autoptr(GError) error = NULL;
	Target t = {.o = {.config = &config, .launcher_kernel = "/kernel"}, .ops = &ops};
	m = (Machine){.dead_launcher = true};
	assert_false(target_recover(&t, &steps, &error));
	assert_non_null(strstr(error->message, "target fake: "));
	assert_non_null(strstr(error->message, "last words"));
	const TargetStep *off = NULL;
	for (guint i = 0; i < steps->len; i++) {
		const TargetStep *s = steps->pdata[i];
		off = g_str_equal(s->step, "power-off") ? s : off;
	}
	assert_non_null(off);
	assert_non_null(strstr(off->detail, "asked "));
	unplug();
}

/* ---- traces ---- */

static const char *heard; /* keys that the kernel answers; NULL: the control hangs */
static char asked[16];
static Trace *tracing;
static gsize told; /* keys that it has reacted to */

static bool sysrq(Target *t, char key)
{
	asked[strlen(asked)] = key;
	while (!heard && !g_atomic_int_get(&released))
		g_usleep(1000);
	return true;
}

static bool interrupt(Target *t)
{
	asked[strlen(asked)] = 'N';
	return true;
}

/* The kernel's words come by the main loop, as from a console. */
static gboolean speak(gpointer user)
{
	gsize n = strlen(asked);
	if (n == told)
		return G_SOURCE_CONTINUE;
	told = n;
	if (heard && strchr(heard, asked[n - 1])) {
		const char *line = asked[n - 1] == 'N' ? "NMI received\n" : "sysrq: Show State\n";
		trace_feed(tracing, line, strlen(line));
	} else {
		trace_feed(tracing, "INFO: rcu stall\n", 16); /* by itself */
	}
	return G_SOURCE_CONTINUE;
}

static bool not_over(gpointer user)
{
	return false;
}

static void trace(const char *hears, const char *wanted_keys, const char *wanted, bool works)
{
	g_autofree char *folder = g_dir_make_tmp("kexsect-trace-XXXXXX", NULL);
	g_autoptr(GString) all = g_string_new(NULL);
	g_autoptr(GPtrArray) steps = target_steps_new();
	TargetOps o = ops;
	o.sysrq = sysrq;
	o.interrupt = interrupt;
	TargetConfig slower = config; /* a busy host must not look deaf */
	slower.timeouts.speed = 4;
	Target t = {.o = {.config = &slower, .on_recovery = on_recovery, .user = all}, .ops = &o};
	Console *console = console_new(folder, 1 << 20, 0, NULL, NULL, NULL);
	bool any = false;
	memset(asked, 0, sizeof(asked));
	heard = hears;
	told = 0;
	tracing = trace_new(&t, folder, console);
	guint source = g_timeout_add(2, speak, NULL);
	assert_true(trace_take(tracing, not_over, NULL, steps) == works);
	g_source_remove(source);
	assert_true(trace_finish(tracing, &any, NULL));
	assert_true(any);
	assert_string_equal(asked, wanted_keys);
	assert_string_equal(all->str, wanted);
	g_autofree char *path = g_build_filename(folder, "trace.log", NULL);
	g_autofree char *text = kx_read_file(path, 1 << 20, NULL, NULL);
	assert_non_null(strstr(text, "[kexsect: SysRq l sent for a trace]\n"));
	console_free(console);
	g_atomic_int_set(&released, 1);
	assert_true(limited_collect(&t, 5));
	g_atomic_int_set(&released, 0);
	kx_remove_tree(folder, NULL);
}

static void test_traces(void **state)
{
	trace("lwtN", "lwtN", "sysrq-l sysrq-w sysrq-t nmi", true);
	/* before the console's interrupts are on a kernel hears no key; and what it says by itself
	 * is no answer */
	trace("N", "lN", "sysrq-l! nmi", true);
	trace("lN", "lwN", "sysrq-l sysrq-w! nmi", true);
	/* QEMU is stopped, the BMC dead: not the kernel hangs */
	trace(NULL, "l", "sysrq-l!", false);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_ladder), cmocka_unit_test(test_poor_machine),
		cmocka_unit_test(test_cold),   cmocka_unit_test(test_words),
		cmocka_unit_test(test_traces),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
