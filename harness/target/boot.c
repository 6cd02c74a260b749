/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One boot: the streams of the machine into console, kmsg and watch; the watch's decisions into
 * acts. */
#include <errno.h>
#include <glib-unix.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/error.h"
#include "base/fs.h"
#include "base/proc.h"
#include "target/agent_link.h"
#include "target/console/bounded.h"
#include "target/console/console.h"
#include "target/kmsg.h"
#include "target/recover.h"
#include "target/trace.h"
#include "target/watch.h"

/* Between two looks at whether the launcher answers: it may not have opened its port yet. */
#define PING_MS 200
/* Asked of the variant's agent when the settle time is over. */
#define STILL_THERE "still there?"
/* So much is read at once; then the clocks are looked at. */
#define READ_SIZE (64u << 10)

typedef struct Boot {
	Target *t;
	const TargetBoot *spec;
	char *cmdline;
	Watch watch;
	WatchPhase told; /* the phase that the caller was told of */
	Console *console;
	Kmsg *kmsg;
	AgentLink *link;
	Trace *trace; /* while one is asked for, and after */
	GPtrArray *traces;
	bool traced;
	GRegex *alive_line;
	TargetLink machine;
	guint console_source, ping_source, cancel_source;
	GError *error;
} Boot;

static gint64 now_us(void)
{
	return g_get_monotonic_time();
}

static void on_line(const char *line, gint64 us, gpointer user)
{
	Boot *b = user;
	if (b->machine.ordered && b->watch.phase == WATCH_LAUNCHER && strstr(line, AGENT_ORDERED)) {
		watch_launcher_ready(&b->watch, us);
		watch_kexec_ordered(&b->watch, us);
		console_mark_variant(b->console);
		return;
	}
	watch_line(&b->watch, line, us);
}

/* False when nothing is there (now, or any more). */
static bool read_console(Boot *b, bool *ret_end)
{
	static char buf[READ_SIZE];
	ssize_t n = target_link_read(&b->machine, buf, sizeof(buf));
	*ret_end = n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR);
	if (n <= 0)
		return false;
	gint64 now = now_us();
	watch_bytes(&b->watch, now);
	console_feed(b->console, buf, (gsize)n, now);
	if (b->trace)
		trace_feed(b->trace, buf, (gsize)n);
	return true;
}

static gboolean on_console(int fd, GIOCondition condition, gpointer user)
{
	Boot *b = user;
	bool end;
	if (read_console(b, &end) || !end)
		return G_SOURCE_CONTINUE;
	b->console_source = 0; /* the driver's event says why it ended */
	return G_SOURCE_REMOVE;
}

/* From the order to kexec on, what comes is the variant's (or a kexec that failed). */
static bool is_variants(const Boot *b)
{
	return b->watch.phase >= WATCH_KEXEC;
}

static void take_hello(Boot *b, const char *text)
{
	g_autofree char *role = agent_hello_value(text, "role");
	g_autofree char *version = agent_hello_value(text, "version");
	gint64 now = now_us();
	g_autofree char *echo = agent_hello_value(text, "echo");
	if (g_strcmp0(role, "variant") == 0) {
		watch_version(&b->watch, version ? version : "", now);
		if (g_strcmp0(echo, STILL_THERE) == 0)
			watch_proved(&b->watch, now);
	} else if (is_variants(b)) {
		watch_end(&b->watch, TARGET_END_KEXEC_FAILED, now,
			  "the launcher answers on after kexec");
	} else {
		watch_launcher_ready(&b->watch, now);
	}
}

static void take_failure(Boot *b, const char *text)
{
	if (is_variants(b))
		watch_end(&b->watch, TARGET_END_KEXEC_FAILED, now_us(), "%s", text);
	else
		watch_end(&b->watch, TARGET_END_LAUNCHER_FAILED, now_us(), "%s", text);
}

static void on_frame(AgentType type, const char *payload, gsize len, gpointer user)
{
	Boot *b = user;
	switch (type) {
	case AGENT_HELLO:
		take_hello(b, payload);
		break;
	case AGENT_FAILED:
		take_failure(b, payload);
		break;
	case AGENT_FILE_OK:
		/* the kernel goes over last, with the order behind it */
		if (g_str_has_prefix(payload, "kernel ") && b->watch.phase == WATCH_DELIVER) {
			watch_kexec_ordered(&b->watch, now_us());
			console_mark_variant(b->console);
		}
		break;
	case AGENT_LOADED:
		g_debug("kexec: loaded by %s", payload);
		break;
	case AGENT_KMSG:
		if (is_variants(b))
			kmsg_add(b->kmsg, payload, len);
		break;
	case AGENT_TABLE:
		if (is_variants(b))
			kmsg_add_table(b->kmsg, payload, len);
		break;
	case AGENT_IS_ALIVE:
		if (is_variants(b))
			watch_agent_alive(&b->watch, payload, now_us());
		break;
	default:
		break;
	}
}

static gboolean on_ping(gpointer user)
{
	Boot *b = user;
	if (b->watch.phase == WATCH_LAUNCHER) {
		agent_link_send_text(b->link, AGENT_PING, "launcher?");
		return G_SOURCE_CONTINUE;
	}
	b->ping_source = 0;
	return G_SOURCE_REMOVE;
}

static gboolean on_cancel(int fd, GIOCondition condition, gpointer user)
{
	Boot *b = user;
	watch_end(&b->watch, TARGET_END_CANCELLED, now_us(), "stopped on request");
	b->cancel_source = 0;
	return G_SOURCE_REMOVE;
}

/* The launcher answered: kernel and initramfs go over, then the order. The agent works
 * through them in this order, so there is nothing to wait for in between. */
static void deliver(Boot *b)
{
	if (!agent_link_send_file(b->link, "initrd", b->t->variant_initrd, &b->error) ||
	    !agent_link_send_file(b->link, "kernel", b->spec->kernel, &b->error)) {
		watch_end(&b->watch, TARGET_END_LAUNCHER_FAILED, now_us(), "%s", b->error->message);
		return;
	}
	agent_link_send_text(b->link, AGENT_KEXEC, "%u %s", b->spec->wait_us + b->spec->phase_us,
			     b->cmdline);
}

static void tell_step(Boot *b)
{
	static const char *const steps[] = {[WATCH_LAUNCHER] = "launcher",
					    [WATCH_DELIVER] = "deliver",
					    [WATCH_KEXEC] = "kexec",
					    [WATCH_BOOT] = "boot",
					    [WATCH_SETTLE] = "settle"};
	if (b->watch.phase == b->told)
		return;
	b->told = b->watch.phase;
	/* a cold boot has no kexec: until its first line it is in the firmware */
	bool skip = b->told == WATCH_KEXEC && b->spec->mode == BOOT_COLD;
	if (b->told < G_N_ELEMENTS(steps) && !skip)
		target_step(b->t, steps[b->told]);
	if (b->told == WATCH_DELIVER)
		deliver(b);
	if (b->told == WATCH_PROVE && b->link)
		agent_link_send_text(b->link, AGENT_PING, STILL_THERE);
}

static gboolean on_clock(gpointer user)
{
	Boot *b = user;
	watch_tick(&b->watch, now_us());
	return G_SOURCE_CONTINUE;
}

/* A source has no callback data of its own to dispatch here: it only calls its callback. */
static gboolean dispatch_clock(GSource *source, GSourceFunc callback, gpointer user)
{
	return callback(user);
}

/* The end of a panic's trace was seen, or the machine is gone. */
static bool is_traced(gpointer user)
{
	const Boot *b = user;
	return b->watch.phase == WATCH_DONE || b->watch.trace_end;
}

/* What the kernel answers is not the variant's own doing. */
static void take_trace(Boot *b)
{
	b->trace = trace_new(b->t, b->spec->folder, b->console);
	b->traces = target_steps_new();
	if (!trace_take(b->trace, is_traced, b, b->traces))
		watch_stuck(&b->watch);
	b->watch.interrupt = false;
	watch_traced(&b->watch, now_us());
}

static void run_loop(Boot *b)
{
	static GSourceFuncs funcs = {.dispatch = dispatch_clock};
	GSource *clock = g_source_new(&funcs, sizeof(GSource));
	g_source_set_callback(clock, on_clock, b, NULL);
	g_source_attach(clock, NULL);
	while (b->watch.phase != WATCH_DONE) {
		tell_step(b);
		if (b->watch.interrupt)
			take_trace(b);
		g_source_set_ready_time(clock, watch_next(&b->watch));
		if (b->watch.phase != WATCH_DONE)
			g_main_context_iteration(NULL, TRUE);
	}
	g_source_destroy(clock);
	g_source_unref(clock);
}

static void connect_streams(Boot *b, const TargetLink *link)
{
	b->machine = *link;
	g_unix_set_fd_nonblocking(link->console, TRUE, NULL);
	b->console_source =
		g_unix_fd_add(link->console, G_IO_IN | G_IO_HUP | G_IO_ERR, on_console, b);
	if (link->agent >= 0)
		b->link = agent_link_new(link->agent, on_frame, b);
	if (kx_cancel_fd() >= 0)
		b->cancel_source = g_unix_fd_add(kx_cancel_fd(), G_IO_IN, on_cancel, b);
	if (b->link && b->watch.phase == WATCH_LAUNCHER && !link->ordered) {
		b->ping_source = g_timeout_add(PING_MS, on_ping, b);
		on_ping(b);
	}
}

/* Bytes that were on their way when it was over; bounded, the machine may still be talking.
 */
static void drain_console(Boot *b)
{
	bool end = false;
	for (int i = 0; i < 256 && b->console_source && !end; i++)
		if (!read_console(b, &end))
			break;
}

static void disconnect(Boot *b)
{
	g_clear_handle_id(&b->console_source, g_source_remove);
	g_clear_handle_id(&b->ping_source, g_source_remove);
	g_clear_handle_id(&b->cancel_source, g_source_remove);
	g_clear_pointer(&b->link, agent_link_free);
	if (b->machine.console >= 0)
		close(b->machine.console);
	b->machine.console = -1;
}

/* The target's parameters, the boot's, and who it is. */
static char *whole_cmdline(const Target *t, const TargetBoot *spec)
{
	const char *own = t->o.config->cmdline, *more = spec->cmdline;
	return g_strdup_printf("%s%s%s%skexsect.variant=%s", own ? own : "", own && *own ? " " : "",
			       more ? more : "", more && *more ? " " : "", spec->identity);
}

static bool start_machine(Boot *b, TargetLink *link, GError **error)
{
	Target *t = b->t;
	if (b->spec->mode == BOOT_COLD) {
		TargetImage image = {b->spec->kernel, t->variant_initrd, b->cmdline,
				     b->spec->phase_us};
		target_step(t, "start");
		return t->ops->start_cold(t, &image, link, error);
	}
	TargetOrders orders = {b->spec->kernel, t->variant_initrd, b->cmdline,
			       b->spec->wait_us + b->spec->phase_us};
	return t->ops->start_launcher(t, &orders, link, error);
}

static double seconds(gint64 us)
{
	return (double)us / G_USEC_PER_SEC;
}

static void fill_result(Boot *b, TargetResult *r)
{
	Watch *w = &b->watch;
	r->end = w->end;
	r->identified = watch_identified(w);
	r->alive = w->alive;
	r->reason = g_steal_pointer(&w->reason);
	r->banner = g_steal_pointer(&w->banner);
	r->version = g_steal_pointer(&w->version);
	r->wrong = g_steal_pointer(&w->wrong);
	r->cmdline = g_strdup(b->cmdline);
	r->seconds.launcher = seconds(w->spent_us[WATCH_LAUNCHER]);
	r->seconds.deliver = seconds(w->spent_us[WATCH_DELIVER]);
	r->seconds.kexec = seconds(w->spent_us[WATCH_KEXEC]);
	r->seconds.boot = seconds(w->spent_us[WATCH_BOOT]);
	r->seconds.settle = seconds(w->spent_us[WATCH_SETTLE] + w->spent_us[WATCH_PROVE]);
	r->traces = g_steal_pointer(&b->traces);
	r->seconds.deadline = seconds(w->deadline_us + w->spent_us[WATCH_TRACE]);
}

/* Completes the files; always frees console and kmsg. */
static bool finish_files(Boot *b, TargetResult *r, GError **error)
{
	g_autofree char *path = g_build_filename(b->spec->folder, "cmdline", NULL);
	g_autofree char *line = g_strconcat(b->cmdline, "\n", NULL);
	r->console_bytes = console_bytes(b->console);
	r->console_dropped = console_dropped(b->console);
	bool ok = console_finish(g_steal_pointer(&b->console), &r->console, error);
	ok = kmsg_finish(g_steal_pointer(&b->kmsg), &r->kmsg, ok ? error : NULL) && ok;
	ok = trace_finish(g_steal_pointer(&b->trace), &r->traced, ok ? error : NULL) && ok;
	return ok && kx_write_file(path, line, -1, error);
}

/* Console bytes are of no encoding in particular. */
static bool compile_alive(Boot *b, GError **error)
{
	if (!b->spec->alive)
		return true;
	b->alive_line = g_regex_new(b->spec->alive, G_REGEX_RAW | G_REGEX_OPTIMIZE, 0, error);
	return b->alive_line != NULL;
}

/* A machine that failed stays as it stands: target_recover() begins there. */
static void note_failure(Target *t, TargetEnd end)
{
	t->standing = target_end_is_failure(end);
	t->in_vain = t->standing ? t->in_vain + 1 : 0;
}

/* It is the lab's failure where nothing is wrong with what was asked for. Takes `why`. */
static bool cannot_start(Boot *b, TargetResult *r, GError *why, gint64 start, GError **error)
{
	bool failed = g_error_matches(why, KX_ERROR, KX_ERROR_FAILED) ||
		      g_error_matches(why, KX_ERROR, KX_ERROR_TIMEOUT);
	if (!failed) {
		g_propagate_error(error, why);
		return false;
	}
	watch_init(&b->watch, &b->t->o.config->timeouts, b->spec->identity, b->t->cold, start);
	watch_end(&b->watch, b->t->cold ? TARGET_END_MACHINE_DIED : TARGET_END_LAUNCHER_FAILED,
		  now_us(), "cannot be started: %s", why->message);
	g_error_free(why);
	note_failure(b->t, b->watch.end);
	b->t->start_failed = true;
	fill_result(b, r);
	r->seconds.start = r->seconds.total = seconds(now_us() - start);
	return true;
}

static bool run_boot(Boot *b, TargetResult *r, GError **error)
{
	gint64 start = now_us();
	GError *why = NULL;
	TargetLink link = {.console = -1, .agent = -1};
	b->t->cold = b->spec->mode == BOOT_COLD;
	if (!start_machine(b, &link, &why))
		return cannot_start(b, r, why, start, error);
	/* a launcher that has its orders would obey them again after a reset */
	b->t->cold |= link.ordered;
	watch_init(&b->watch, &b->t->o.config->timeouts, b->spec->identity,
		   b->spec->mode == BOOT_COLD, now_us());
	b->watch.start_us = start;
	b->watch.alive_line = b->alive_line;
	b->told = WATCH_DONE;
	if (b->spec->mode == BOOT_COLD)
		console_mark_variant(b->console);
	connect_streams(b, &link);
	r->seconds.start = seconds(now_us() - start);
	if (!b->t->ops->go(b->t, error))
		return false;
	run_loop(b);
	gint64 over = now_us();
	target_step(b->t, "stop");
	drain_console(b);
	note_failure(b->t, b->watch.end);
	if (!b->t->standing)
		b->t->ops->stop(b->t);
	drain_console(b); /* what a record had kept back until now */
	if (link.warm && b->watch.end == TARGET_END_LAUNCHER_FAILED)
		b->t->ops->distrust(b->t);
	fill_result(b, r);
	r->seconds.stop = seconds(now_us() - over);
	r->seconds.total = seconds(now_us() - start);
	return true;
}

bool target_boot(Target *t, const TargetBoot *spec, TargetResult *ret, GError **error)
{
	g_return_val_if_fail(!t->boot, false);
	gint64 start = now_us();
	Boot b = {.t = t, .spec = spec, .machine = {.console = -1, .agent = -1}};
	TargetResult r = {0};
	if (t->standing) /* as a failed boot or the ladder left it */
		t->ops->stop(t);
	t->standing = false;
	b.cmdline = whole_cmdline(t, spec);
	b.kmsg = kmsg_new(spec->folder);
	b.console = console_new(spec->folder, BOUNDED_KEEP, start, on_line, &b, error);
	t->boot = &b;
	bool ok = b.console && compile_alive(&b, error) && run_boot(&b, &r, error);
	if (!ok)
		t->ops->stop(t);
	disconnect(&b);
	t->boot = NULL;
	ok = ok && finish_files(&b, &r, error);
	console_free(b.console);
	kmsg_free(b.kmsg);
	trace_finish(b.trace, &b.traced, NULL);
	g_clear_pointer(&b.traces, g_ptr_array_unref);
	watch_clear(&b.watch);
	g_clear_pointer(&b.alive_line, g_regex_unref);
	g_clear_error(&b.error);
	g_free(b.cmdline);
	if (ok)
		*ret = r;
	else
		target_result_clear(&r);
	return ok;
}

void target_notify(Target *t, TargetEvent event)
{
	if (t->boot)
		watch_event(&t->boot->watch, event, now_us());
}

void target_result_clear(TargetResult *r)
{
	g_clear_pointer(&r->reason, g_free);
	g_clear_pointer(&r->cmdline, g_free);
	g_clear_pointer(&r->banner, g_free);
	g_clear_pointer(&r->version, g_free);
	g_clear_pointer(&r->wrong, g_free);
	g_clear_pointer(&r->console, g_free);
	g_clear_pointer(&r->kmsg, g_free);
	g_clear_pointer(&r->traces, g_ptr_array_unref);
}
